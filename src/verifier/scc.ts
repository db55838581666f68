/**
 * Loops while exploring. A state found equal to one whose loop is still open (RANGE_WITHIN) has seen only part of the
 * precision marks. Such back-edges are kept per visit of a strongly connected component and call chain; when every path
 * out of the state that entered the loop has ended, the marks run around the back-edges until nothing changes.
 *
 * Source   kernel/bpf/verifier.c: compute_scc_callchain, maybe_enter_scc, maybe_exit_scc, propagate_backedges.
 */
import type { VerifierEnv } from "./env.ts";
import { F_CALLSITE } from "./layout.ts";
import { BPF_LOG_LEVEL2 } from "./log.ts";
import { forceScalarsPrecise, propagatePrecision } from "./precision.ts";
import type { VState } from "./state.ts";

/** One passage through a loop, from one call chain. */
export interface SccVisit {
  /** Call sites and number of the component. */
  readonly key: string;
  entry: VState | undefined;
  /** Copies of states that closed the loop; equalState is what each was found equal to. */
  backedges: VState[];
}

const MAX_BACKEDGE_ITERS = 64;

/** Instruction at which frame f of a state stands. frame_insn_idx(). */
export function frameInsnIdx(env: VerifierEnv, st: VState, f: number): number {
  return f === st.curframe ? st.insnIdx : env.R.get(st.frames[f + 1], F_CALLSITE);
}

/** Outermost loop that the state is in, with the calls that led there; undefined outside of loops. */
function callchainKey(env: VerifierEnv, st: VState): string | undefined {
  let key = "";
  for (let f = 0; f <= st.curframe; f++) {
    const insnIdx = frameInsnIdx(env, st, f);
    const scc = env.scc[insnIdx];
    if (scc) return `(${key}${scc})`;
    if (f < st.curframe) key += `${insnIdx},`;
  }
  return undefined;
}

function trace(env: VerifierEnv, what: string, key: string): void {
  if (env.log.level & BPF_LOG_LEVEL2) env.verbose(`SCC ${what} ${key}\n`);
}

/** A state was stored: is it in a loop, and the first of it? */
export function maybeEnterScc(env: VerifierEnv, st: VState): void {
  const key = callchainKey(env, st);
  st.sccVisit = undefined;
  if (key === undefined) return;
  let visit = env.sccVisits.get(key);
  if (!visit) {
    visit = { key, entry: undefined, backedges: [] };
    env.sccVisits.set(key, visit);
  }
  st.sccVisit = visit;
  if (visit.entry) return;
  visit.entry = st;
  trace(env, "enter", key);
}

/** May the stored state's loop still give it precision marks? */
export function incompleteReadMarks(st: VState): boolean {
  return st.sccVisit !== undefined && st.sccVisit.backedges.length > 0;
}

/** Keeps `state` (a copy) as an edge back to state.equalState. */
export function addSccBackedge(env: VerifierEnv, old: VState, state: VState): void {
  const visit = old.sccVisit;
  if (!visit) throw new Error("back-edge outside of a loop");
  trace(env, "backedge", visit.key);
  visit.backedges.unshift(state);
  env.numBackedges++;
  env.updatePeakStates();
}

/** Every path from st has ended; if st entered a loop, its back-edges are settled. */
export function maybeExitScc(env: VerifierEnv, st: VState): void {
  const visit = st.sccVisit;
  if (!visit || visit.entry !== st) return;
  trace(env, "exit", visit.key);
  settle(env, visit);
  visit.entry = undefined;
}

function settle(env: VerifierEnv, visit: SccVisit): void {
  const changed = { any: true };
  for (let i = 0; changed.any && visit.backedges.length; i++) {
    if (i > MAX_BACKEDGE_ITERS) {
      if (env.log.level & BPF_LOG_LEVEL2) env.verbose("propagate_backedges: too many iterations\n");
      for (const st of visit.backedges) forceScalarsPrecise(env, st);
      break;
    }
    changed.any = false;
    for (const st of visit.backedges) propagatePrecision(env, st.equalState!, st, changed);
  }
  for (const st of visit.backedges) env.freeState(st);
  env.numBackedges -= visit.backedges.length;
  visit.backedges = [];
  if (env.numBackedges === 0) env.sweepRetired();
}
