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
import { EBUSY, EDEADLK, EINVAL } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import { big } from "./runtime.ts";
import { ARG_ANYTHING, ARG_CONST_MAP_PTR, ARG_PTR_TO_FUNC, ARG_PTR_TO_TIMER, RET_INTEGER } from "./types.ts";

export const timer_init: Helper = {
  id: BPF_FUNC_timer_init,
  name: "timer_init",
  proto: { args: [ARG_PTR_TO_TIMER, ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  call: timerInit,
};

export const timer_set_callback: Helper = {
  id: BPF_FUNC_timer_set_callback,
  name: "timer_set_callback",
  proto: { args: [ARG_PTR_TO_TIMER, ARG_PTR_TO_FUNC], ret: RET_INTEGER, gplOnly: true },
  callsBack: true,
  abi: "pp:i",
  call: timerSetCallback,
};

export const timer_start: Helper = {
  id: BPF_FUNC_timer_start,
  name: "timer_start",
  proto: { args: [ARG_PTR_TO_TIMER, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "pqq:i",
  call: timerStart,
};

export const timer_cancel: Helper = {
  id: BPF_FUNC_timer_cancel,
  name: "timer_cancel",
  proto: { args: [ARG_PTR_TO_TIMER], ret: RET_INTEGER, gplOnly: true },
  abi: "p:i",
  call: timerCancel,
};

/** Timers of a kernel, by the address of the bpf_timer. */
export interface TimerService {
  has(addr: number): boolean;
  init(addr: number, map: number): void;
  setCallback(addr: number, fn: number): void;
  /** False while there is no callback. */
  start(addr: number, ns: bigint, absolute: boolean): boolean;
  /** 1 when it was waiting, 0 when not, -1 when it is the one that runs. */
  cancel(addr: number): 0 | 1 | -1;
}

declare module "./helper.ts" {
  interface RuntimeServices {
    readonly timers: TimerService;
  }
}

/** CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME. */
const CLOCKS = [0, 1, 7];
const BPF_F_TIMER_ABS = 1;
const BPF_F_TIMER_CPU_PIN = 2;

function timerInit(rt: Runtime, timer: number, map: number, flagsLo: number, flagsHi: number): number {
  if (flagsHi || !CLOCKS.includes(flagsLo)) return -EINVAL;
  const at = timer >>> 0;
  const { timers } = rt.services;
  if (timers.has(at)) return -EBUSY;
  timers.init(at, map >>> 0);
  rt.memory.writeU64(at, BigInt(map >>> 0));
  return 0;
}

function timerSetCallback(rt: Runtime, timer: number, fn: number): number {
  const at = timer >>> 0;
  if (!rt.services.timers.has(at)) return -EINVAL;
  rt.services.timers.setCallback(at, fn);
  return 0;
}

function timerStart(rt: Runtime, timer: number, nsLo: number, nsHi: number, flagsLo: number, flagsHi: number): number {
  if (flagsHi || flagsLo & ~(BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN)) return -EINVAL;
  const started = rt.services.timers.start(timer >>> 0, big(nsLo, nsHi), (flagsLo & BPF_F_TIMER_ABS) !== 0);
  return started ? 0 : -EINVAL;
}

function timerCancel(rt: Runtime, timer: number): number {
  const at = timer >>> 0;
  if (!rt.services.timers.has(at)) return -EINVAL;
  const was = rt.services.timers.cancel(at);
  return was < 0 ? -EDEADLK : was;
}
