/**
 * What a program may return: checked at exit, and for the argument of bpf_throw() that becomes the result.
 *
 * Source   check_return_code(), verbose_invalid_scalar() in kernel/bpf/verifier.c.
 */
import * as abi from "../abi/bpf.ts";
import { EACCES, EINVAL, ENOTSUPP } from "../abi/errno.ts";
import { BOOL_LSM_HOOKS, LSM_PREFIX, MAX_ERRNO } from "../progs/lsm_hooks.ts";
import type { RetRange } from "../progs/prog_types.ts";
import type { VerifierEnv } from "./env.ts";
import {
  F_IN_ASYNC_CALLBACK,
  F_IN_EXCEPTION_CALLBACK,
  F_RET_MAX,
  F_RET_MIN,
  F_SUBPROGNO,
  R_SMAX,
  R_SMIN,
} from "./layout.ts";
import { markChainPrecision } from "./precision.ts";
import { regTypeStr, SCALAR_VALUE } from "./reg_type.ts";
import { checkRegArg, isPointerValue } from "./regs.ts";
import type { Reg } from "./state.ts";

const S64_MIN = -(2n ** 63n);
const S64_MAX = 2n ** 63n - 1n;

/** Is every value of the scalar within min..max? */
export function rangeWithin(env: VerifierEnv, r: Reg, min: number, max: number, bits32: boolean): boolean {
  const R = env.R;
  return bits32 ? min <= R.s32min(r) && R.s32max(r) <= max : min <= R.smin(r) && R.smax(r) <= max;
}

/** "At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]". */
export function invalidScalarText(
  env: VerifierEnv,
  r: Reg,
  min: number,
  max: number,
  where: string,
  regName: string,
): string {
  const smin = env.R.big(r + R_SMIN, true);
  const smax = env.R.big(r + R_SMAX, true);
  let text = `${where} the register ${regName} has`;
  if (smin > S64_MIN) text += ` smin=${smin}`;
  if (smax < S64_MAX) text += ` smax=${smax}`;
  if (smin <= S64_MIN && smax >= S64_MAX) text += " unknown scalar value";
  return `${text} should have been in [${min}, ${max}]`;
}

interface Wanted extends RetRange {
  readonly bits32: boolean;
}

/** Range of results of the main program; undefined = any. */
function wantedRange(env: VerifierEnv): Wanted | undefined {
  const f = env.facts;
  const attach = f.expectedAttachType;
  // An extension returns what its target does, which nobody knows here.
  if (env.input.progType === abi.BPF_PROG_TYPE_EXT) return undefined;
  if (f.type === abi.BPF_PROG_TYPE_LSM) return lsmRange(env);
  if (f.type === abi.BPF_PROG_TYPE_TRACING) {
    const known = [
      abi.BPF_TRACE_FENTRY,
      abi.BPF_TRACE_FEXIT,
      abi.BPF_TRACE_RAW_TP,
      abi.BPF_MODIFY_RETURN,
      abi.BPF_TRACE_ITER,
    ] as readonly number[];
    if (!known.includes(attach)) env.rejectSilently(ENOTSUPP);
  }
  const { ret } = f.progType;
  const range = ret && (ret.byAttach?.[attach] ?? ret.other);
  return range && { ...range, bits32: false };
}

function lsmRange(env: VerifierEnv): Wanted | undefined {
  const f = env.facts;
  const isVoid = f.attachReturnsVoid;
  if (f.expectedAttachType === abi.BPF_LSM_CGROUP) {
    return isVoid ? { min: 1, max: 1, bits32: false } : { min: 0, max: 1, bits32: false };
  }
  if (isVoid) return undefined;
  const hook = (f.attach?.name ?? "").replace(LSM_PREFIX, "");
  if (BOOL_LSM_HOOKS.has(hook)) return { min: 0, max: 1, bits32: true };
  return { min: -MAX_ERRNO, max: 0, bits32: true };
}

/** @param regno r0 at exit, r1 when bpf_throw() ends the program with it */
export function checkReturnCode(env: VerifierEnv, regno: number, regName: string): void {
  const R = env.R;
  const f = env.facts;
  const main = env.cur.frames[0];
  const isSubprog = R.get(main, F_SUBPROGNO) !== 0;
  const inException = R.get(main, F_IN_EXCEPTION_CALLBACK) !== 0;

  // LSM hooks and struct_ops members may return nothing.
  if (!isSubprog || inException) {
    const lsm = f.type === abi.BPF_PROG_TYPE_LSM && f.expectedAttachType !== abi.BPF_LSM_CGROUP;
    if ((lsm || f.isStructOps) && f.attachReturnsVoid) return;
  }
  checkRegArg(env, regno, 0);
  if (isPointerValue(env, regno)) env.reject(EACCES, `R${regno} leaks addr as return value`);
  const r = env.reg(regno);

  let where = "At program exit";
  let range: Wanted | undefined;
  if (R.get(main, F_IN_ASYNC_CALLBACK)) {
    where = "At async callback return";
    range = { min: R.get(main, F_RET_MIN), max: R.get(main, F_RET_MAX), bits32: false };
  } else if (isSubprog && !inException) {
    if (R.type(r) !== SCALAR_VALUE) {
      env.reject(EINVAL, `At subprogram exit the register R${regno} is not a scalar value (${regTypeStr(R.type(r))})`);
    }
    return;
  } else {
    range = wantedRange(env);
  }
  if (!range) return;

  if (R.type(r) !== SCALAR_VALUE) {
    env.reject(EINVAL, `${where} the register R${regno} is not a known value (${regTypeStr(R.type(r))})`);
  }
  markChainPrecision(env, regno);
  if (rangeWithin(env, r, range.min, range.max, range.bits32)) return;
  const text = invalidScalarText(env, r, range.min, range.max, where, regName);
  const lsmCgroupVoid =
    !isSubprog &&
    f.type === abi.BPF_PROG_TYPE_LSM &&
    f.expectedAttachType === abi.BPF_LSM_CGROUP &&
    f.attachReturnsVoid;
  const note = "\nNote, BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!";
  env.reject(EINVAL, lsmCgroupVoid ? text + note : text);
}
