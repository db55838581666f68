/**
 * Clocks.
 *
 * Source   kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_jiffies64,
  BPF_FUNC_ktime_get_boot_ns,
  BPF_FUNC_ktime_get_coarse_ns,
  BPF_FUNC_ktime_get_ns,
  BPF_FUNC_ktime_get_tai_ns,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import { RET_INTEGER } from "./types.ts";

export const ktime_get_ns: Helper = {
  id: BPF_FUNC_ktime_get_ns,
  name: "ktime_get_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};

export const ktime_get_boot_ns: Helper = {
  id: BPF_FUNC_ktime_get_boot_ns,
  name: "ktime_get_boot_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};

export const ktime_get_coarse_ns: Helper = {
  id: BPF_FUNC_ktime_get_coarse_ns,
  name: "ktime_get_coarse_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};

export const ktime_get_tai_ns: Helper = {
  id: BPF_FUNC_ktime_get_tai_ns,
  name: "ktime_get_tai_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};

export const jiffies64: Helper = {
  id: BPF_FUNC_jiffies64,
  name: "jiffies64",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};
