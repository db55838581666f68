/**
 * verify(): proves a program safe, or says why not, as Linux 6.18 does.
 *
 * Order     subprograms, BTF, maps, control flow, attach target, liveness, then each function is walked along every
 *           path (do_check) with abstract values; at the end the stack across calls.
 * Errors    VerifierError with the errno and the messages of Linux.
 * Source    kernel/bpf/verifier.c: bpf_check, do_check_common, do_check.
 */
import { E2BIG, EACCES, EFAULT, EINVAL, EPERM } from "../abi/errno.ts";
import { checkAttachBtfId } from "./attach.ts";
import { initFrame, liveFrame, popStack, updateBranchCounts } from "./branch.ts";
import { callFacts, isKfuncCall } from "./call_facts.ts";
import { checkCfg, computeEdges, computePostorder, computeScc } from "./cfg.ts";
import { JMP_POINT, NOSPEC, NOSPEC_RESULT, PRUNE_POINT, VerifierEnv } from "./env.ts";
import { Reject, VerifierError, type VerifierStats } from "./error.ts";
import { ComplexityProbe } from "./explain/complexity.ts";
import { explainFailure } from "./explain/explain.ts";
import { keepInput } from "./explain/keep_input.ts";
import { dropFastcallStack, markFastcallPatterns } from "./fastcall.ts";
import { prepareGlobalFuncArgs } from "./global_func.ts";
import { checkTailCallMaps } from "./helper_call.ts";
import { checkInsn, needsProbe, PATH_END, RETURNED } from "./insn.ts";
import { NO_ENTRY, pushJmpHistory } from "./jmp_history.ts";
import { addKfuncCalls, checkUnresolvedKfuncs } from "./kfunc_call.ts";
import { resolveLdImm64 } from "./ldimm64.ts";
import { lineInfoText } from "./line_info.ts";
import { computeLiveRegisters } from "./liveness.ts";
import { BPF_LOG_LEVEL, BPF_LOG_LEVEL2, BPF_LOG_STATS, VerifierLog } from "./log.ts";
import type { VerifiedProg, VerifiedSubprog, VerifierMap, VerifyInput } from "./platform.ts";
import { BPF_MAIN_FUNC } from "./precision.ts";
import { printInsnState, printState } from "./print_state.ts";
import type { Probe } from "./probe.ts";
import { freeExplored, isStateVisited } from "./prune.ts";
import { checkBtfFuncs, checkMaxStackDepth, checkSubprogs, findSubprogs } from "./subprogs.ts";
import { insnText } from "./trace.ts";
import { type Workspace, Workspaces } from "./workspace.ts";

/** @throws VerifierError when the program is refused */
export function verify(input: VerifyInput): VerifiedProg {
  const workspaces = input.workspaces ?? new Workspaces();
  const workspace = workspaces.acquire();
  try {
    return run(input, workspace);
  } finally {
    workspaces.release(workspace);
  }
}

/**
 * Walks a program that was refused once more, watched by `probe`.
 * @param see gets the environment and what refused the program, before its memory goes
 */
function replay<T>(input: VerifyInput, probe: Probe, see: (env: VerifierEnv, failure: Reject | undefined) => T): T {
  const workspaces = input.workspaces ?? new Workspaces();
  const workspace = workspaces.acquire();
  try {
    const env = new VerifierEnv(input, workspace, new VerifierLog(0));
    env.probe = probe;
    return see(env, walkAll(env).failure);
  } finally {
    workspaces.release(workspace);
  }
}

/** The whole verification. `depths` are the stack depths that engines need. */
function walkAll(env: VerifierEnv): { failure: Reject | undefined; depths: number[] } {
  let depths: number[] = [];
  try {
    prepare(env);
    checkMain(env);
    checkGlobals(env);
    depths = env.subprogs.map((s) => s.stackDepth);
    dropFastcallStack(env);
    checkMaxStackDepth(env);
    checkUnresolvedKfuncs(env);
    checkTailCallMaps(env);
  } catch (e) {
    if (!(e instanceof Reject)) throw e;
    return { failure: e, depths };
  }
  return { failure: undefined, depths };
}

function run(input: VerifyInput, workspace: Workspace): VerifiedProg {
  const start = input.nowUs?.() ?? 0;
  const log = new VerifierLog(input.logLevel ?? 0);
  const env = new VerifierEnv(input, workspace, log);
  const complexity = input.complexity ? new ComplexityProbe() : undefined;
  env.probe = complexity;
  const { failure, depths } = walkAll(env);
  const timed = statsOf(env, (input.nowUs?.() ?? 0) - start);
  const stats = complexity ? { ...timed, complexity: complexity.report(env) } : timed;
  const last = failure ? lastMessage(log.text()) || failure.message : "";
  if (log.level) printStats(env, stats);
  if (failure) {
    const kept = keepInput(input);
    throw new VerifierError(failure.errno, `program '${input.name}': ${last || "rejected"}`, {
      log: log.text(),
      insnIdx: env.insnIdx,
      sourceLine: lineInfoText(input, env.insnIdx)?.text,
      stats,
      context: { name: input.name },
      explain: () => explainFailure(last, (probe, see) => replay(kept, probe, see)),
    });
  }
  return verified(env, depths, stats);
}

/** The last line that says something. */
function lastMessage(text: string): string {
  const lines = text.split("\n");
  for (let i = lines.length - 1; i >= 0; i--) if (lines[i].trim()) return lines[i];
  return "";
}

/** Everything before the first instruction is simulated. */
function prepare(env: VerifierEnv): void {
  findSubprogs(env);
  addKfuncCalls(env);
  checkSubprogs(env);
  checkBtfFuncs(env);
  resolveLdImm64(env);
  checkCfg(env);
  computeEdges(env);
  computePostorder(env);
  checkAttachBtfId(env);
  computeScc(env);
  computeLiveRegisters(env);
  markFastcallPatterns(env);
}

function checkMain(env: VerifierEnv): void {
  checkCommon(env, 0);
}

/** do_check_subprogs(): global functions that were called are walked on their own, with any arguments that fit. */
function checkGlobals(env: VerifierEnv): void {
  if (!env.input.funcInfo?.length) return;
  const done = new Set<number>();
  if (env.exceptionCallbackSubprog) env.subprogs[env.exceptionCallbackSubprog].called = true;
  for (let more = true; more; ) {
    more = false;
    for (let i = 1; i < env.subprogs.length; i++) {
      const subprog = env.subprogs[i];
      if (!subprog.global || !subprog.called || done.has(i)) continue;
      checkCommon(env, i);
      if (env.log.level & BPF_LOG_LEVEL) {
        env.verbose(`Func#${i} ('${subprog.name}') is safe for any args that match its prototype\n`);
      }
      done.add(i);
      more = true;
    }
  }
}

/** do_check_common(): walks one function from a fresh state. */
function checkCommon(env: VerifierEnv, subprogno: number): void {
  const { cur } = env;
  const subprog = env.subprogs[subprogno];
  env.insnIdx = subprog.start;
  env.prevInsnIdx = -1;
  env.curCheckedSubprog = subprogno;
  cur.curframe = 0;
  cur.parent = undefined;
  cur.branches = 1;
  cur.refs = [];
  cur.activeLocks = 0;
  cur.activePreemptLocks = 0;
  cur.activeIrqId = 0;
  cur.activeLockId = 0;
  cur.activeLockPtr = 0;
  cur.activeRcuLocks = 0;
  cur.speculative = false;
  cur.inSleepable = env.facts.sleepable;
  cur.firstInsnIdx = subprog.start;
  cur.lastInsnIdx = -1;
  cur.hist = NO_ENTRY;
  cur.histLen = 0;
  cur.dfsDepth = 0;
  cur.callbackUnrollDepth = 0;
  cur.mayGotoDepth = 0;
  env.stackLive.resetCallchain();
  initFrame(env, liveFrame(env, 0), BPF_MAIN_FUNC, 0, subprogno);
  prepareGlobalFuncArgs(env, subprogno);
  env.probe?.started?.(env);
  walk(env);
  env.probe?.ended?.(env);
  freeExplored(env);
  env.sccVisits.clear();
  // A function that passed leaves no trace below level 2.
  if (!(env.log.level & BPF_LOG_LEVEL2)) env.log.reset(0);
}

function isRecoverable(e: unknown): e is Reject {
  return e instanceof Reject && (e.errno === EPERM || e.errno === EACCES || e.errno === EINVAL);
}

/** do_check(): follows the running path until none is left. */
function walk(env: VerifierEnv): void {
  const { cur, log, insns, probe } = env;
  const maxInsns = env.limits.insns;
  let printAll = false;
  let prevInsnIdx = -1;
  for (;;) {
    const i = env.insnIdx;
    env.curHistEnt = -1;
    env.prevInsnIdx = prevInsnIdx;
    if (i >= insns.length) env.reject(EFAULT, `invalid insn idx ${i} insn_cnt ${insns.length}`);
    if (++env.insnProcessed > maxInsns) {
      env.reject(E2BIG, `BPF program is too large. Processed ${env.insnProcessed} insn`);
    }
    cur.lastInsnIdx = prevInsnIdx;
    cur.insnIdx = i;
    const flags = env.insnFlags[i];
    probe?.before?.(env, i);
    let end = false;
    if (flags & PRUNE_POINT && isStateVisited(env, i)) {
      if (log.level & BPF_LOG_LEVEL) logSafe(env, printAll);
      end = true;
    } else {
      if (flags & JMP_POINT) pushJmpHistory(env, cur, 0);
      if (log.level) printAll = logInsn(env, printAll);
      if (!cur.speculative) env.seen[i] = 1;
      env.input.claims?.record(env, i);
      prevInsnIdx = i;
      if (cur.speculative && flags & NOSPEC) {
        end = true;
      } else {
        const outcome = step(env, i);
        if (outcome === PATH_END) end = true;
        else if (outcome === RETURNED) printAll = true;
        else if (cur.speculative && env.insnFlags[i] & NOSPEC_RESULT) end = true;
        probe?.after?.(env, i);
      }
    }
    if (!end) continue;
    env.markStateScratched();
    env.stackLive.update(env);
    updateBranchCounts(env, cur);
    if (!popStack(env)) return;
    prevInsnIdx = env.prevInsnIdx;
    printAll = true;
  }
}

/** One instruction, with what it surely writes to the stack noted. */
function step(env: VerifierEnv, i: number): number {
  const live = env.stackLive;
  live.resetWriteMarks(i);
  live.pinInstance(env);
  try {
    const outcome = checkInsn(env, i);
    live.commitWriteMarks();
    return outcome;
  } catch (e) {
    if (!isRecoverable(e) || !env.cur.speculative) throw e;
    // What a wrong guess may not do is stopped by a barrier.
    live.commitWriteMarks();
    env.insnFlags[i] |= NOSPEC;
    env.aluState[i] = 0;
    return PATH_END;
  }
}

function speculation(env: VerifierEnv): string {
  return env.cur.speculative ? " (speculative execution)" : "";
}

function logSafe(env: VerifierEnv, printAll: boolean): void {
  if (printAll) env.verbose(`\nfrom ${env.prevInsnIdx} to ${env.insnIdx}${speculation(env)}: safe\n`);
  else env.verbose(`${env.insnIdx}: safe\n`);
}

/** @returns whether the whole state is still to be printed */
function logInsn(env: VerifierEnv, printAll: boolean): boolean {
  const { log, cur } = env;
  let all = printAll;
  if (log.level & BPF_LOG_LEVEL2 && all) {
    env.verbose(`\nfrom ${env.prevInsnIdx} to ${env.insnIdx}${speculation(env)}:`);
    printState(env, cur, cur.curframe, true);
    all = false;
  }
  if (log.level & BPF_LOG_LEVEL) {
    if (env.anyScratched) printInsnState(env, cur, cur.curframe);
    env.verboseLine(env.insnIdx, "; ");
    const start = log.pos;
    env.verbose(`${env.insnIdx}: ${insnText(env, env.insnIdx)}`);
    env.verbose("\n");
    log.prevInsnPrintPos = log.pos - start;
    log.prevLogPos = log.pos;
  }
  return all;
}

function statsOf(env: VerifierEnv, timeUs: number): VerifierStats {
  return {
    insnsProcessed: env.insnProcessed,
    maxStatesPerInsn: env.maxStatesPerInsn,
    totalStates: env.totalStates,
    peakStates: env.peakStates,
    markRead: 0,
    stackDepth: env.subprogs.map((s) => s.stackDepth).join("+") || "0",
    timeUs,
  };
}

function printStats(env: VerifierEnv, stats: VerifierStats): void {
  if (env.log.level & BPF_LOG_STATS) {
    env.verbose(`verification time ${Math.round(stats.timeUs)} usec\nstack depth ${stats.stackDepth}\n`);
  }
  env.verbose(
    `processed ${stats.insnsProcessed} insns (limit ${env.limits.insns}) max_states_per_insn ${stats.maxStatesPerInsn} ` +
      `total_states ${stats.totalStates} peak_states ${stats.peakStates} mark_read ${stats.markRead}\n`,
  );
}

function verified(env: VerifierEnv, engineDepths: readonly number[], stats: VerifierStats): VerifiedProg {
  const { input, insns } = env;
  const callMaps = new Map<number, VerifierMap>();
  for (let i = 0; i < insns.length; i++) {
    const map = env.callMap[i] > 0 ? env.mapAt(env.callMap[i]) : undefined;
    // a map found in a map of maps is only like its template
    if (map && env.usedMaps.includes(map)) callMaps.set(i, map);
    if (needsProbe(env.ptrType[i]) && (insns.code[i] & 7) === 1) env.probeMem[i] = 1;
  }
  const kfuncRefs = new Map<number, { name: string; btfId: number }>();
  for (let i = 0; i < insns.length; i++) {
    if (!isKfuncCall(env, i)) continue;
    kfuncRefs.set(i, { name: callFacts(env, i)?.name ?? "", btfId: insns.imm[i] });
  }
  const ksymRefs = new Map(
    [...env.ksyms].map(([i, k]) => [i, { name: k.btf.nameOf(insns.imm[i]), btfId: insns.imm[i], btf: k.btf }]),
  );
  const subprogs: VerifiedSubprog[] = env.subprogs.map((s, n) => ({
    name: s.name || (n === 0 ? input.name : `subprog${n}`),
    start: s.start,
    end: s.end,
    stackDepth: engineDepths[n],
    global: s.global,
    isCallback: s.isCb,
    isExceptionCb: s.isExceptionCb,
    changesPktData: s.changesPktData,
    mightSleep: s.mightSleep,
  }));
  const main = env.subprogs[0];
  const prog: Omit<VerifiedProg, keyof { [K in keyof VerifiedProg as K extends symbol ? K : never]: 1 }> = {
    name: input.name,
    progType: input.progType,
    insns,
    subprogs,
    usedMaps: env.usedMaps,
    mapRefs: env.mapRefs,
    ksymRefs,
    kfuncRefs,
    seen: env.seen,
    probeMem: env.probeMem,
    callMaps,
    stats,
    log: env.log.level ? env.log.text() : "",
    sleepable: env.facts.sleepable,
    hasTailCall: env.subprogs.some((s) => s.hasTailCall),
    changesPktData: main.changesPktData,
    maxCtxOffset: env.maxCtxOffset,
    bufAccess: env.bufAccess,
    mightSleep: main.mightSleep,
  };
  return prog as VerifiedProg;
}
