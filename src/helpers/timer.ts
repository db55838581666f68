/**
 * Timers in map values.
 *
 * Source   kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_timer_cancel,
  BPF_FUNC_timer_init,
  BPF_FUNC_timer_set_callback,
  BPF_FUNC_timer_start,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import { ARG_ANYTHING, ARG_CONST_MAP_PTR, ARG_PTR_TO_FUNC, ARG_PTR_TO_TIMER, RET_INTEGER } from "./types.ts";

export const timer_init: Helper = {
  id: BPF_FUNC_timer_init,
  name: "timer_init",
  proto: { args: [ARG_PTR_TO_TIMER, ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
};

export const timer_set_callback: Helper = {
  id: BPF_FUNC_timer_set_callback,
  name: "timer_set_callback",
  proto: { args: [ARG_PTR_TO_TIMER, ARG_PTR_TO_FUNC], ret: RET_INTEGER, gplOnly: true },
  callsBack: true,
  abi: "pp:i",
};

export const timer_start: Helper = {
  id: BPF_FUNC_timer_start,
  name: "timer_start",
  proto: { args: [ARG_PTR_TO_TIMER, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "pqq:i",
};

export const timer_cancel: Helper = {
  id: BPF_FUNC_timer_cancel,
  name: "timer_cancel",
  proto: { args: [ARG_PTR_TO_TIMER], ret: RET_INTEGER, gplOnly: true },
  abi: "p:i",
};
