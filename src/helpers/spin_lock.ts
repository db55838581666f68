/**
 * Spin locks in map values and allocated objects.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { BPF_FUNC_spin_lock, BPF_FUNC_spin_unlock } from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import { ARG_PTR_TO_SPIN_LOCK, RET_VOID } from "./types.ts";

export const spin_lock: Helper = {
  id: BPF_FUNC_spin_lock,
  name: "spin_lock",
  proto: { args: [ARG_PTR_TO_SPIN_LOCK], ret: RET_VOID },
  abi: "p:i",
  core: "spin_lock",
};

export const spin_unlock: Helper = {
  id: BPF_FUNC_spin_unlock,
  name: "spin_unlock",
  proto: { args: [ARG_PTR_TO_SPIN_LOCK], ret: RET_VOID },
  abi: "p:i",
  core: "spin_unlock",
};
