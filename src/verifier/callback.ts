/**
 * Callbacks: program functions that a helper or kfunc runs, at once (bpf_loop, for_each) or some time later (timers).
 *
 * The call's path goes on as if the callback had run its last time; a second path is queued that enters the callback. For
 * a synchronous one that path has a frame above the caller's, so that it returns to the call instruction again.
 * Source   push_callback_call(), set_*_callback_state() in kernel/bpf/verifier.c.
 */

import * as abi from "../abi/bpf.ts";
import { BPF_MAP_TYPE_HASH_OF_MAPS } from "../abi/bpf.ts";
import { E2BIG, EFAULT, ENOMEM, ENOTSUPP } from "../abi/errno.ts";
import { BTF_KIND_STRUCT } from "../btf/kinds.ts";
import { enterFrame, pushAsyncCb, pushStack } from "./branch.ts";
import { fieldAt } from "./btf_record.ts";
import { BPF_DYNPTR_TYPE_LOCAL, markDynptrCbReg } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { subprogArgsMatch } from "./global_func.ts";
import { markGraphNode, setNonOwning } from "./graph.ts";
import {
  F_ASYNC_ENTRY_CNT,
  F_CALLBACK_DEPTH,
  F_HAS_RET_RANGE,
  F_IN_ASYNC_CALLBACK,
  F_IN_CALLBACK,
  F_RET_MAX,
  F_RET_MIN,
  MAX_CALL_FRAMES,
} from "./layout.ts";
import { regRecord } from "./locks.ts";
import { CONST_PTR_TO_MAP, PTR_TO_BTF_ID, PTR_TO_MAP_KEY, PTR_TO_MAP_VALUE, SCALAR_VALUE } from "./reg_type.ts";
import { markRegKnownZero, markRegNotInit, markRegUnknown } from "./regs.ts";
import type { Frame, VState } from "./state.ts";

/** Fills the callee's registers from the caller's; may refuse. */
export type SetCallee = (env: VerifierEnv, caller: Frame, callee: Frame, insnIdx: number) => void;

export interface CallbackOptions {
  /** Runs later, with nothing of the caller's. */
  readonly async?: boolean;
  /** An asynchronous callback that may sleep. */
  readonly sleepable?: boolean;
}

/** Adds a frame for `subprog` on top of a state: the running one, or one from pushStack(). */
export function setupFuncEntry(
  env: VerifierEnv,
  subprog: number,
  callsite: number,
  setCallee: SetCallee,
  state: VState,
): void {
  const frameno = state.curframe + 1;
  if (frameno >= MAX_CALL_FRAMES) env.reject(E2BIG, `the call stack of ${frameno + 1} frames is too deep`);
  const caller = state.frames[state.curframe];
  setCallee(env, caller, enterFrame(env, state, callsite, subprog), callsite);
}

/** Queues a run of the callback `subprog` of the call at insnIdx. */
export function pushCallbackCall(
  env: VerifierEnv,
  insnIdx: number,
  subprog: number,
  setCallee: SetCallee,
  options: CallbackOptions = {},
): void {
  const R = env.R;
  const caller = env.cur.frame;
  if (subprogArgsMatch(env, subprog) === EFAULT) env.rejectSilently(EFAULT);
  const sub = env.subprogs[subprog];
  sub.isCb = true;
  if (options.async) {
    sub.isAsyncCb = true;
    const state = pushAsyncCb(env, sub.start, insnIdx, subprog, options.sleepable === true);
    const callee = state.frames[0];
    R.set(callee, F_ASYNC_ENTRY_CNT, R.get(caller, F_ASYNC_ENTRY_CNT) + 1);
    setCallee(env, caller, callee, insnIdx);
    return;
  }
  const state = pushStack(env, sub.start, insnIdx, false, ENOMEM);
  setupFuncEntry(env, subprog, insnIdx, setCallee, state);
  state.callbackUnrollDepth++;
  const inState = state.frames[state.curframe - 1];
  R.set(inState, F_CALLBACK_DEPTH, R.get(inState, F_CALLBACK_DEPTH) + 1);
  R.set(caller, F_CALLBACK_DEPTH, 0);
}

function inCallback(env: VerifierEnv, callee: Frame, min = 0, max = 1): void {
  env.R.set(callee, F_IN_CALLBACK, 1);
  setRange(env, callee, min, max);
}

function setRange(env: VerifierEnv, callee: Frame, min: number, max: number): void {
  env.R.set(callee, F_HAS_RET_RANGE, 1);
  env.R.set(callee, F_RET_MIN, min);
  env.R.set(callee, F_RET_MAX, max);
}

function clear(env: VerifierEnv, callee: Frame, ...regnos: readonly number[]): void {
  for (const n of regnos) markRegNotInit(env, env.R.regAt(callee, n));
}

function setMapReg(env: VerifierEnv, callee: Frame, regno: number, type: number, mapIdx: number, uid: number): void {
  const r = env.R.regAt(callee, regno);
  markRegKnownZero(env, r);
  env.R.setType(r, type);
  env.R.setMap(r, mapIdx, uid);
}

/** Static functions get what the caller's r1 to r5 hold. */
export const setCalleeState: SetCallee = (env, caller, callee) => {
  for (let i = 1; i <= 5; i++) env.R.copyReg(env.R.regAt(callee, i), env.R.regAt(caller, i));
};

/** Maps that bpf_for_each_map_elem() can walk. */
const WALKABLE: readonly number[] = [
  abi.BPF_MAP_TYPE_HASH,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_LRU_HASH,
  abi.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  abi.BPF_MAP_TYPE_ARRAY,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
];

/** (map, key, value, ctx) */
export const setMapElemState: SetCallee = (env, caller, callee, insnIdx) => {
  const R = env.R;
  const recorded = env.callMap[insnIdx];
  const map = R.regAt(caller, 1);
  const type = env.mapAt(recorded > 0 ? recorded : R.mapIdx(map)).type;
  if (!WALKABLE.includes(type) || type === BPF_MAP_TYPE_HASH_OF_MAPS) {
    env.reject(ENOTSUPP, "callback function not allowed for map");
  }
  R.copyReg(R.regAt(callee, 1), map);
  setMapReg(env, callee, 2, PTR_TO_MAP_KEY, R.mapIdx(map), R.mapUid(map));
  setMapReg(env, callee, 3, PTR_TO_MAP_VALUE, R.mapIdx(map), R.mapUid(map));
  R.copyReg(R.regAt(callee, 4), R.regAt(caller, 3));
  clear(env, callee, 5);
  inCallback(env, callee);
};

/** (index, ctx) */
export const setLoopState: SetCallee = (env, caller, callee) => {
  const R = env.R;
  const index = R.regAt(callee, 1);
  markRegUnknown(env, index);
  R.setType(index, SCALAR_VALUE);
  R.copyReg(R.regAt(callee, 2), R.regAt(caller, 3));
  clear(env, callee, 3, 4, 5);
  inCallback(env, callee);
};

/** (map, key, value) of the map that holds the timer, work queue or task work. */
export const setTimerState: SetCallee = (env, caller, callee) => {
  const R = env.R;
  const field = R.regAt(caller, 1);
  setAsyncMapState(env, callee, R.mapIdx(field), R.mapUid(field));
};

function setAsyncMapState(env: VerifierEnv, callee: Frame, mapIdx: number, uid: number): void {
  setMapReg(env, callee, 1, CONST_PTR_TO_MAP, mapIdx, uid);
  setMapReg(env, callee, 2, PTR_TO_MAP_KEY, mapIdx, uid);
  setMapReg(env, callee, 3, PTR_TO_MAP_VALUE, mapIdx, uid);
  clear(env, callee, 4, 5);
  env.R.set(callee, F_IN_ASYNC_CALLBACK, 1);
  setRange(env, callee, 0, 0);
}

/** bpf_task_work_schedule_*(task, tw, map, callback, aux): the field is the second argument. */
export const setTaskWorkState: SetCallee = (env, caller, callee) => {
  const map = env.R.regAt(caller, 3);
  setAsyncMapState(env, callee, env.R.mapIdx(map), env.R.mapUid(map));
  setRange(env, callee, -2147483648, 2147483647);
};

/** (task, vma, ctx) */
export const setFindVmaState: SetCallee = (env, caller, callee) => {
  const R = env.R;
  R.copyReg(R.regAt(callee, 1), R.regAt(caller, 1));
  const vma = R.regAt(callee, 2);
  const { btf } = env.platform;
  markRegKnownZero(env, vma);
  R.setType(vma, PTR_TO_BTF_ID);
  if (btf) R.setBtf(vma, env.btfIndex(btf), btf.byName("vm_area_struct", BTF_KIND_STRUCT));
  R.copyReg(R.regAt(callee, 3), R.regAt(caller, 4));
  clear(env, callee, 4, 5);
  inCallback(env, callee);
};

/** (dynptr, ctx) */
export const setUserRingbufState: SetCallee = (env, caller, callee) => {
  const R = env.R;
  clear(env, callee, 0);
  markDynptrCbReg(env, R.regAt(callee, 1), BPF_DYNPTR_TYPE_LOCAL);
  R.copyReg(R.regAt(callee, 2), R.regAt(caller, 3));
  clear(env, callee, 3, 4, 5);
  inCallback(env, callee);
};

/** bool less(node a, node b): both borrowed from the tree. */
export const setRbtreeAddState: SetCallee = (env, caller, callee) => {
  const R = env.R;
  const root = R.regAt(caller, 1);
  const field = fieldAt(regRecord(env, root), R.off(root));
  if (!field?.root) return env.rejectSilently(EFAULT);
  for (const regno of [1, 2]) {
    const r = R.regAt(callee, regno);
    markGraphNode(env, r, field);
    setNonOwning(env, r);
  }
  clear(env, callee, 3, 4, 5);
  inCallback(env, callee);
};
