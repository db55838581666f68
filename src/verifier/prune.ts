/**
 * Pruning: at chosen instructions the running state is compared with the states explored there before; what one of
 * them covers need not be walked again. Also finds loops that do not end.
 *
 * Explored states are kept by (instruction, call site of the running function), newest first.
 * Source   kernel/bpf/verifier.c: is_state_visited, states_equal, clean_live_states, Linux 6.18.
 */
import { EINVAL } from "../abi/errno.ts";
import { cloneState } from "./branch.ts";
import { callFacts } from "./call_facts.ts";
import { isMayGotoAt } from "./cfg.ts";
import { holdPrecise } from "./claims.ts";
import { CALLS_CALLBACK, FORCE_CHECKPOINT, JMP_POINT, type VerifierEnv } from "./env.ts";
import { NO_ENTRY, pushJmpHistory } from "./jmp_history.ts";
import { F_ASYNC_ENTRY_CNT, F_CALLBACK_DEPTH, F_CALLSITE, F_IN_ASYNC_CALLBACK } from "./layout.ts";
import { propagatePrecision } from "./precision.ts";
import { printState } from "./print_state.ts";
import { STACK_ITER } from "./reg_type.ts";
import { addSccBackedge, frameInsnIdx, incompleteReadMarks, maybeEnterScc } from "./scc.ts";
import type { VState } from "./state.ts";
import { EXACT, NOT_EXACT, RANGE_WITHIN } from "./wasm.ts";

/** BPF_ITER_STATE_ACTIVE. */
const ITER_ACTIVE = 1;

/** explored_state(): states stored for this instruction, called from this place. */
export function exploredAt(env: VerifierEnv, insnIdx: number): VState[] {
  const callsite = env.R.get(env.cur.frame, F_CALLSITE);
  const bucket = ((insnIdx ^ callsite) >>> 0) % env.insns.length;
  return (env.explored[bucket] ??= []);
}

/** same_callsites(): the same calls led to both states. */
export function sameCallsites(env: VerifierEnv, a: VState, b: VState): boolean {
  if (a.curframe !== b.curframe) return false;
  for (let f = a.curframe; f >= 0; f--) {
    if (env.R.get(a.frames[f], F_CALLSITE) !== env.R.get(b.frames[f], F_CALLSITE)) return false;
  }
  return true;
}

/** The same references are held, in the same order. */
function refsafe(env: VerifierEnv, old: VState, cur: VState): boolean {
  if (old.refs.length !== cur.refs.length) return false;
  if (old.activeLocks !== cur.activeLocks) return false;
  if (old.activePreemptLocks !== cur.activePreemptLocks) return false;
  if (old.activeRcuLocks !== cur.activeRcuLocks) return false;
  const ids = env.R.wasm;
  if (!ids.check_ids(old.activeIrqId, cur.activeIrqId)) return false;
  if (!ids.check_ids(old.activeLockId, cur.activeLockId) || old.activeLockPtr !== cur.activeLockPtr) return false;
  for (let i = 0; i < old.refs.length; i++) {
    const a = old.refs[i];
    const b = cur.refs[i];
    if (!ids.check_ids(a.id, b.id) || a.type !== b.type || a.ptr !== b.ptr) return false;
  }
  return true;
}

/** states_equal(): does everything that was proved for `old` hold for `cur`? */
export function statesEqual(env: VerifierEnv, old: VState, cur: VState, exact: number): boolean {
  if (old.curframe !== cur.curframe) return false;
  // What was seen on a path that only the CPU's guesses take proves nothing for a real one.
  if (old.speculative && !cur.speculative) return false;
  if (old.inSleepable !== cur.inSleepable) return false;
  const R = env.R;
  const wasm = R.wasm;
  wasm.idmap_reset(env.idGen);
  if (!refsafe(env, old, cur)) return false;
  for (let f = 0; f <= old.curframe; f++) {
    const a = old.frames[f];
    const b = cur.frames[f];
    if (R.get(a, F_CALLSITE) !== R.get(b, F_CALLSITE)) return false;
    if (R.get(a, F_CALLBACK_DEPTH) > R.get(b, F_CALLBACK_DEPTH)) return false;
    const live = env.liveRegs[frameInsnIdx(env, old, f)] & 0x7ff;
    if (!wasm.frames_equal(a, b, live, exact, env.allowUninitStack, env.exploreAluLimits)) return false;
  }
  return true;
}

/** clean_live_states(): forgets what complete states no longer need. */
function cleanLiveStates(env: VerifierEnv, list: readonly VState[], insnIdx: number): void {
  for (const st of list) {
    if (st.branches || st.cleaned || st.insnIdx !== insnIdx || !sameCallsites(env, st, env.cur)) continue;
    if (incompleteReadMarks(st)) continue;
    env.stackLive.queryInit(env, st);
    st.cleaned = true;
    for (let f = 0; f <= st.curframe; f++) {
      const [lo, hi] = env.stackLive.liveSlots(env, f);
      const live = env.liveRegs[frameInsnIdx(env, st, f)];
      env.R.wasm.frame_clean(st.frames[f], live, lo, hi, env.bpfCapable ? 0 : 1);
    }
  }
}

/** An iterator that is active in one and has another depth in the other: the loop does get on. */
function iterDepthsDiffer(env: VerifierEnv, old: VState, cur: VState): boolean {
  const R = env.R;
  for (let f = 0; f <= old.curframe; f++) {
    const a = old.frames[f];
    const b = cur.frames[f];
    const slots = Math.min(R.stackSlots(a), R.stackSlots(b));
    for (let spi = 0; spi < slots; spi++) {
      if (R.slotType(a, spi, 0) !== STACK_ITER) continue;
      const slot = R.slotAt(a, spi);
      if (R.iterState(slot) !== ITER_ACTIVE) continue;
      if (R.iterDepth(slot) !== R.iterDepth(R.slotAt(b, spi))) return true;
    }
  }
  return false;
}

function maybeLooping(env: VerifierEnv, old: VState, cur: VState): boolean {
  if (old.curframe !== cur.curframe) return false;
  const f = old.curframe;
  return env.R.wasm.maybe_looping(old.frames[f], cur.frames[f]) !== 0;
}

/** The iterator of a next() call in r1 is active. */
function iterActive(env: VerifierEnv): boolean {
  const R = env.R;
  const r1 = env.reg(1);
  const off = R.off(r1) + R.value(r1);
  const spi = (-off - 1) >> 3;
  const frame = env.cur.frames[R.regFrameno(r1)];
  return R.iterState(R.slotAt(frame, spi)) === ITER_ACTIVE;
}

type Verdict = "hit" | "loop" | "miss";

/** A state whose own paths are not finished: equal enough to end a loop that makes no progress by itself? */
function compareOpen(env: VerifierEnv, old: VState, insnIdx: number): Verdict {
  const { cur, R } = env;
  const frame = old.frame;
  // Another entry into the same async callback is no loop.
  const otherEntry =
    R.get(frame, F_IN_ASYNC_CALLBACK) && R.get(frame, F_ASYNC_ENTRY_CNT) !== R.get(cur.frame, F_ASYNC_ENTRY_CNT);
  if (otherEntry) return "miss";
  if (callFacts(env, insnIdx)?.iterNext) {
    return statesEqual(env, old, cur, RANGE_WITHIN) && iterActive(env) ? "loop" : "miss";
  }
  if (isMayGotoAt(env, insnIdx)) {
    if (old.mayGotoDepth !== cur.mayGotoDepth && statesEqual(env, old, cur, RANGE_WITHIN)) return "loop";
  }
  if (env.has(insnIdx, CALLS_CALLBACK)) {
    return statesEqual(env, old, cur, RANGE_WITHIN) ? "hit" : "miss";
  }
  if (
    maybeLooping(env, old, cur) &&
    statesEqual(env, old, cur, EXACT) &&
    !iterDepthsDiffer(env, old, cur) &&
    old.mayGotoDepth === cur.mayGotoDepth &&
    old.callbackUnrollDepth === cur.callbackUnrollDepth
  ) {
    env.verboseLine(insnIdx, "; ");
    env.verbose(`infinite loop detected at insn ${insnIdx}\n`);
    env.verbose("cur state:");
    printState(env, cur, cur.curframe, true);
    env.verbose("old state:");
    printState(env, old, cur.curframe, true);
    env.rejectSilently(EINVAL);
  }
  return "miss";
}

/**
 * is_state_visited(): is the running state covered by an explored one? Otherwise it may be stored.
 * @returns true when this path needs no further walk
 */
export function isStateVisited(env: VerifierEnv, insnIdx: number): boolean {
  const { cur } = env;
  const checkpoint = env.has(insnIdx, FORCE_CHECKPOINT);
  const forceNew = env.testStateFreq || checkpoint || cur.histLen > 40;
  let addNew = forceNew;
  if (env.jmpsProcessed - env.prevJmpsProcessed >= 2 && env.insnProcessed - env.prevInsnProcessed >= 8) addNew = true;

  const list = exploredAt(env, insnIdx);
  cleanLiveStates(env, list, insnIdx);
  let states = 0;
  // Newest last in the array, newest first in the walk.
  for (let i = list.length - 1; i >= 0; i--) {
    const old = list[i];
    states++;
    if (old.insnIdx !== insnIdx) continue;
    let loop = false;
    let hit = false;
    if (old.branches) {
      const verdict = compareOpen(env, old, insnIdx);
      if (verdict !== "miss") {
        loop = verdict === "loop";
        hit = true;
      } else if (
        !forceNew &&
        env.jmpsProcessed - env.prevJmpsProcessed < 20 &&
        env.insnProcessed - env.prevInsnProcessed < 100
      ) {
        // Iterations of a loop differ; few of their states help.
        addNew = false;
      }
    } else {
      loop = incompleteReadMarks(old);
      hit = statesEqual(env, old, cur, loop ? RANGE_WITHIN : NOT_EXACT);
    }
    if (hit) {
      env.probe?.pruned?.(env, insnIdx);
      old.hitCnt++;
      if (env.has(env.insnIdx, JMP_POINT)) pushJmpHistory(env, cur, 0);
      propagatePrecision(env, old, cur);
      if (loop) {
        const edge = cloneState(env, cur);
        edge.equalState = old;
        edge.insnIdx = insnIdx;
        addSccBackedge(env, old, edge);
      }
      return true;
    }
    if (env.probe && i === list.length - 1) env.probe.missed?.(env, insnIdx, old, cur);
    if (addNew) old.missCnt++;
    const n = checkpoint && old.branches > 0 ? 64 : 3;
    if (old.missCnt > old.hitCnt * n + n) {
      // Of no use; it lives on while others descend from it.
      list.splice(i, 1);
      env.exploredStatesSize--;
      old.inFreeList = true;
      env.retire(old);
    }
  }
  if (env.maxStatesPerInsn < states) env.maxStatesPerInsn = states;
  if (!env.bpfCapable && states > env.limits.states) return false;
  if (!addNew) return false;
  store(env, list, insnIdx);
  return false;
}

function store(env: VerifierEnv, list: VState[], insnIdx: number): void {
  const { cur } = env;
  env.totalStates++;
  env.exploredStatesSize++;
  env.updatePeakStates();
  env.prevJmpsProcessed = env.jmpsProcessed;
  env.prevInsnProcessed = env.insnProcessed;
  // What mattered before this point was marked in the parents already.
  if (env.bpfCapable) for (let f = 0; f <= cur.curframe; f++) env.R.wasm.frame_imprecise(cur.frames[f]);
  const stored = cloneState(env, cur);
  if (env.input.claims) holdPrecise(env, stored);
  stored.insnIdx = insnIdx;
  env.probe?.stored?.(env, insnIdx);
  maybeEnterScc(env, stored);
  cur.parent = stored;
  cur.firstInsnIdx = insnIdx;
  cur.dfsDepth = stored.dfsDepth + 1;
  cur.hist = NO_ENTRY;
  cur.histLen = 0;
  list.push(stored);
}

/** Frees every explored state; between functions that are walked on their own. */
export function freeExplored(env: VerifierEnv): void {
  for (const list of env.explored) if (list) for (const st of list) env.freeState(st);
  env.explored.fill(undefined);
}
