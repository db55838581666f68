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
import type { Helper, Runtime } from "./helper.ts";
import { big, ret64, retBig } from "./runtime.ts";
import { RET_INTEGER } from "./types.ts";

export const ktime_get_ns: Helper = {
  id: BPF_FUNC_ktime_get_ns,
  name: "ktime_get_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: ktime,
};

export const ktime_get_boot_ns: Helper = {
  id: BPF_FUNC_ktime_get_boot_ns,
  name: "ktime_get_boot_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: ktime,
};

export const ktime_get_coarse_ns: Helper = {
  id: BPF_FUNC_ktime_get_coarse_ns,
  name: "ktime_get_coarse_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: coarse,
};

export const ktime_get_tai_ns: Helper = {
  id: BPF_FUNC_ktime_get_tai_ns,
  name: "ktime_get_tai_ns",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: tai,
};

export const jiffies64: Helper = {
  id: BPF_FUNC_jiffies64,
  name: "jiffies64",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: jiffies,
};

declare module "./helper.ts" {
  interface RuntimeServices {
    readonly clock: {
      /** Nanoseconds since 1970, as low and high half. */
      realNs(): { lo: number; hi: number };
    };
  }
}

/** CONFIG_HZ: jiffies and the coarse clock advance in steps of 1 s / HZ. */
const HZ_NS = 4_000_000n;
/** INITIAL_JIFFIES: 32-bit jiffies wrap five minutes after boot. */
const INITIAL_JIFFIES = 0xfffedb08n;
/** International atomic time is ahead of UTC by this many seconds. */
const TAI_OFFSET_NS = 37_000_000_000n;

/** Boot and monotonic clocks differ by time spent suspended: none here. */
function ktime(rt: Runtime): number {
  const { lo, hi } = rt.ktimeNs();
  return ret64(rt, lo, hi);
}

function coarse(rt: Runtime): number {
  const { lo, hi } = rt.ktimeNs();
  const ns = big(lo, hi);
  return retBig(rt, ns - (ns % HZ_NS));
}

function tai(rt: Runtime): number {
  const { lo, hi } = rt.services.clock.realNs();
  return retBig(rt, big(lo, hi) + TAI_OFFSET_NS);
}

function jiffies(rt: Runtime): number {
  const { lo, hi } = rt.ktimeNs();
  return retBig(rt, INITIAL_JIFFIES + big(lo, hi) / HZ_NS);
}
