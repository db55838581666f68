/**
 * States that wait: copying, pushing the other side of a branch, popping the next path; what a finished path releases.
 *
 * The running state is one VState whose frames have room for the whole stack and keep their addresses; stored states
 * are copies of just the used size.
 * Source   kernel/bpf/verifier.c: copy_verifier_state, push_stack, push_async_cb, pop_stack, update_branch_counts.
 */
import { EFAULT, type Errno } from "../abi/errno.ts";
import type { VerifierEnv } from "./env.ts";
import { F_CALLSITE, F_FRAMENO, F_SUBPROGNO } from "./layout.ts";
import { BPF_LOG_LEVEL2 } from "./log.ts";
import { BPF_MAIN_FUNC } from "./precision.ts";
import { initRegs } from "./regs.ts";
import { maybeExitScc } from "./scc.ts";
import { type Frame, VState } from "./state.ts";

/** Copies everything but frames and links of the list that holds it. */
function copyHeader(dst: VState, src: VState): void {
  dst.curframe = src.curframe;
  dst.parent = src.parent;
  dst.branches = src.branches;
  dst.insnIdx = src.insnIdx;
  dst.refs = src.refs;
  dst.activeLocks = src.activeLocks;
  dst.activePreemptLocks = src.activePreemptLocks;
  dst.activeIrqId = src.activeIrqId;
  dst.activeLockId = src.activeLockId;
  dst.activeLockPtr = src.activeLockPtr;
  dst.activeRcuLocks = src.activeRcuLocks;
  dst.speculative = src.speculative;
  dst.inSleepable = src.inSleepable;
  dst.cleaned = src.cleaned;
  dst.firstInsnIdx = src.firstInsnIdx;
  dst.lastInsnIdx = src.lastInsnIdx;
  dst.hist = src.hist;
  dst.histLen = src.histLen;
  dst.dfsDepth = src.dfsDepth;
  dst.callbackUnrollDepth = src.callbackUnrollDepth;
  dst.mayGotoDepth = src.mayGotoDepth;
  dst.equalState = src.equalState;
}

/** A stored copy. */
export function cloneState(env: VerifierEnv, src: VState): VState {
  const dst = env.statePool.pop() ?? new VState();
  copyHeader(dst, src);
  for (let f = 0; f <= src.curframe; f++) dst.frames.push(env.R.cloneFrame(src.frames[f]));
  return dst;
}

/** Makes frame number n of the running state usable; zeroed when new. */
export function liveFrame(env: VerifierEnv, n: number): Frame {
  const { frames } = env.cur;
  while (frames.length <= n) frames.push(env.R.allocLiveFrame());
  return frames[n];
}

/** Makes a state that waited the running one. */
function resume(env: VerifierEnv, state: VState): void {
  const { cur } = env;
  copyHeader(cur, state);
  for (let f = 0; f <= state.curframe; f++) env.R.copyFrame(liveFrame(env, f), state.frames[f]);
  env.freeState(state);
}

/** init_func_state(): a frame in which nothing happened yet. */
export function initFrame(env: VerifierEnv, frame: Frame, callsite: number, frameno: number, subprogno: number): void {
  const R = env.R;
  R.wasm.frame_clear(frame);
  R.set(frame, F_CALLSITE, callsite);
  R.set(frame, F_FRAMENO, frameno);
  R.set(frame, F_SUBPROGNO, subprogno);
  initRegs(env, frame, frameno);
  env.markStateScratched();
}

/**
 * A callee's frame on top of a state (the running one, or one from pushStack()): no registers but r10; the caller copies
 * arguments. @returns its address
 */
export function enterFrame(env: VerifierEnv, state: VState, callsite: number, subprogno: number): Frame {
  const n = state.curframe + 1;
  let frame: Frame;
  if (state === env.cur) {
    frame = liveFrame(env, n);
    env.stackLive.resetCallchain();
  } else {
    frame = env.R.allocFrame(0);
    state.frames[n] = frame;
  }
  initFrame(env, frame, callsite, n, subprogno);
  state.curframe = n;
  return frame;
}

/** Drops the running frame of a state; registers of the caller are the caller's again. */
export function leaveFrame(env: VerifierEnv, state: VState): void {
  if (state !== env.cur) env.R.freeFrame(state.frames.pop()!);
  else env.stackLive.resetCallchain();
  state.curframe--;
}

function push(env: VerifierEnv, state: VState, insnIdx: number, prevInsnIdx: number, what: string, errno: Errno): void {
  state.resumeAt = insnIdx;
  state.resumePrev = prevInsnIdx;
  state.logPos = env.log.pos;
  env.pending.push(state);
  const n = env.pending.length;
  if (n > env.limits.jmpSeq) env.reject(errno, `The sequence of ${n} jumps is too complex${what}.`);
  env.probe?.pushed?.(env);
}

/**
 * Keeps a copy of the running state to be continued at insnIdx; its frames may be edited.
 * @param errno  what is refused with past the limit of pending jumps: EFAULT for jumps, ENOMEM for most others
 */
export function pushStack(
  env: VerifierEnv,
  insnIdx: number,
  prevInsnIdx: number,
  speculative: boolean,
  errno: Errno = EFAULT,
): VState {
  const state = cloneState(env, env.cur);
  state.speculative ||= speculative;
  push(env, state, insnIdx, prevInsnIdx, "", errno);
  if (state.parent) state.parent.branches++;
  return state;
}

/** A function that runs later, on a fresh stack. push_async_cb(). */
export function pushAsyncCb(
  env: VerifierEnv,
  insnIdx: number,
  prevInsnIdx: number,
  subprog: number,
  isSleepable: boolean,
): VState {
  const state = new VState();
  state.branches = 1;
  state.inSleepable = isSleepable;
  const frame = env.R.allocLiveFrame();
  initFrame(env, frame, BPF_MAIN_FUNC, 0, subprog);
  state.frames = [frame];
  push(env, state, insnIdx, prevInsnIdx, " for async cb", EFAULT);
  return state;
}

/** The newest pending path becomes the running one. @returns false when none is left */
export function popStack(env: VerifierEnv): boolean {
  const next = env.pending.pop();
  if (!next) return false;
  // At level 1 the log shows the path that leads to the end only.
  if (!(env.log.level & BPF_LOG_LEVEL2)) env.log.reset(next.logPos);
  env.insnIdx = next.resumeAt;
  env.prevInsnIdx = next.resumePrev;
  resume(env, next);
  env.stackLive.resetCallchain();
  env.probe?.popped?.(env);
  return true;
}

/** A path ended: states whose every path ended are complete. */
export function updateBranchCounts(env: VerifierEnv, state: VState): void {
  let st: VState | undefined = state;
  while (st) {
    st.branches--;
    if (st.branches > 0) break;
    if (st !== env.cur) maybeExitScc(env, st);
    const parent: VState | undefined = st.parent;
    if (st.inFreeList) env.freeRetired(st);
    st = parent;
  }
}
