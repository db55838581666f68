/**
 * Calls between functions of the program, and returns.
 *
 * A static function is walked at each call with the caller's registers; a global one is verified once by itself, so a
 * call only checks the arguments against its prototype and forgets what the callee may have changed.
 * Source   check_func_call(), prepare_func_exit() in kernel/bpf/verifier.c.
 */
import { EACCES, EFAULT, EINVAL } from "../abi/errno.ts";
import { leaveFrame } from "./branch.ts";
import { setCalleeState, setupFuncEntry } from "./callback.ts";
import { findPrevEntry, widenImpreciseScalars } from "./converge.ts";
import type { VerifierEnv } from "./env.ts";
import { subprogArgsMatch } from "./global_func.ts";
import { F_CALLSITE, F_IN_CALLBACK, F_RET_MAX, F_RET_MIN } from "./layout.ts";
import { inSleepable } from "./locks.ts";
import { BPF_LOG_LEVEL } from "./log.ts";
import { markChainPrecision } from "./precision.ts";
import { printState } from "./print_state.ts";
import { PTR_TO_STACK, SCALAR_VALUE } from "./reg_type.ts";
import { CALLER_SAVED, clearAllPktPointers, markRegNotInit, markRegUnknown } from "./regs.ts";
import { invalidScalarText, rangeWithin } from "./return_range.ts";

/** BPF_PSEUDO_CALL at insnIdx. Sets env.insnIdx to the instruction to go on with. */
export function checkFuncCall(env: VerifierEnv, insnIdx: number): void {
  const target = insnIdx + env.insns.imm[insnIdx] + 1;
  const subprog = env.subprogs.findIndex((s) => s.start === target);
  if (subprog < 0) env.reject(EFAULT, `verifier bug. No program starts at insn ${target}`);
  if (env.cur.activeLocks && env.subprogs[subprog].global) {
    // Said before the arguments are looked at, as Linux does.
    lockedGlobal(env);
  }
  const err = subprogArgsMatch(env, subprog);
  if (err === EFAULT) env.rejectSilently(EFAULT);
  if (env.subprogs[subprog].global) {
    callGlobal(env, subprog, err);
    env.insnIdx = insnIdx + 1;
    return;
  }
  setupFuncEntry(env, subprog, insnIdx, setCalleeState, env.cur);
  const caller = env.cur.frames[env.cur.curframe - 1];
  for (const regno of CALLER_SAVED) markRegNotInit(env, env.R.regAt(caller, regno));
  env.insnIdx = env.subprogs[subprog].start;
  if (env.log.level & BPF_LOG_LEVEL) {
    env.verbose("caller:\n");
    printState(env, env.cur, env.cur.curframe - 1, true);
    env.verbose("callee:\n");
    printState(env, env.cur, env.cur.curframe, true);
  }
}

function lockedGlobal(env: VerifierEnv): never {
  return env.reject(EINVAL, "global function calls are not allowed while holding a lock,\nuse static function instead");
}

function callGlobal(env: VerifierEnv, subprog: number, err: number): void {
  const s = env.cur;
  const sub = env.subprogs[subprog];
  if (s.activeLocks) lockedGlobal(env);
  if (sub.mightSleep && (s.activeRcuLocks || s.activePreemptLocks || s.activeIrqId || !inSleepable(env))) {
    env.reject(
      EINVAL,
      "global functions that may sleep are not allowed in non-sleepable context,\n" +
        "i.e., in a RCU/IRQ/preempt-disabled section, or in\na non-sleepable BPF program context",
    );
  }
  if (err) {
    env.verbose(`Caller passes invalid args into func#${subprog} ('${sub.name}')\n`);
    env.rejectSilently(err === EACCES ? EACCES : EINVAL);
  }
  if (env.log.level & BPF_LOG_LEVEL) env.verbose(`Func#${subprog} ('${sub.name}') is global and assumed valid.\n`);
  if (sub.changesPktData) clearAllPktPointers(env);
  sub.called = true;
  for (const regno of CALLER_SAVED) markRegNotInit(env, env.reg(regno));
  const r0 = env.reg(0);
  markRegUnknown(env, r0);
  env.R.setSubregDef(r0, 0);
}

/** BPF_EXIT of a function that was called. Sets env.insnIdx to where the caller goes on. */
export function prepareFuncExit(env: VerifierEnv): void {
  const R = env.R;
  const s = env.cur;
  const callee = s.frame;
  const r0 = R.regAt(callee, 0);
  if (R.type(r0) === PTR_TO_STACK) env.reject(EINVAL, "cannot return stack pointer to the caller");
  const caller = s.frames[s.curframe - 1];
  const callsite = R.get(callee, F_CALLSITE);
  const inCallback = R.get(callee, F_IN_CALLBACK) !== 0;
  if (inCallback) {
    if (R.type(r0) !== SCALAR_VALUE) env.reject(EACCES, "R0 not a scalar value");
    markChainPrecision(env, 0);
    const min = R.get(callee, F_RET_MIN);
    const max = R.get(callee, F_RET_MAX);
    if (!rangeWithin(env, r0, min, max, false)) {
      env.reject(EINVAL, invalidScalarText(env, r0, min, max, "At callback return", "R0"));
    }
  } else {
    R.copyReg(R.regAt(caller, 0), r0);
  }
  // A callback goes back to the call itself: it may be made again.
  env.insnIdx = inCallback ? callsite : callsite + 1;
  if (env.log.level & BPF_LOG_LEVEL) {
    env.verbose("returning from callee:\n");
    printState(env, s, s.curframe, true);
    env.verbose(`to caller at ${env.insnIdx}:\n`);
    printState(env, s, s.curframe - 1, true);
  }
  leaveFrame(env, s);
  const prev = inCallback ? findPrevEntry(env, s, env.insnIdx) : undefined;
  if (prev) widenImpreciseScalars(env, prev, s);
}
