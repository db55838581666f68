/**
 * Functions of the program: where they begin, whether jumps stay inside, what BTF says of them, and how deep the stack
 * gets across calls.
 *
 * Source   kernel/bpf/verifier.c: add_subprog_and_kfunc, check_subprogs, check_btf_func, check_max_stack_depth.
 */
import {
  BPF_PROG_TYPE_KPROBE,
  BPF_PROG_TYPE_LSM,
  BPF_PROG_TYPE_PERF_EVENT,
  BPF_PROG_TYPE_RAW_TRACEPOINT,
  BPF_PROG_TYPE_STRUCT_OPS,
  BPF_PROG_TYPE_TRACEPOINT,
  BPF_PROG_TYPE_TRACING,
  BPF_TRACE_ITER,
} from "../abi/bpf.ts";
import { E2BIG, EACCES, EEXIST, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import {
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_LINKAGE_GLOBAL,
} from "../btf/kinds.ts";
import { callFacts, isKfuncCall, isPseudoCall } from "./call_facts.ts";
import { isLdImm64At } from "./cfg.ts";
import { newSubprog, type VerifierEnv } from "./env.ts";
import { MAX_BPF_STACK, MAX_CALL_FRAMES } from "./layout.ts";
import { BPF_LOG_LEVEL2 } from "./log.ts";

const BPF_MAX_SUBPROGS = 256;
const BPF_PSEUDO_FUNC = 4;
const TAIL_CALL = 12;

export function isPseudoFunc(env: VerifierEnv, i: number): boolean {
  return isLdImm64At(env, i) && env.insns.src[i] === BPF_PSEUDO_FUNC;
}

/** Number of the subprogram that starts at an instruction, -1 if none does. */
export function findSubprog(env: VerifierEnv, insnIdx: number): number {
  return env.subprogs.findIndex((s) => s.start === insnIdx);
}

/** add_subprog_and_kfunc(): subprograms in order of start; fills env.subprogOf. */
export function findSubprogs(env: VerifierEnv): void {
  const n = env.insns.length;
  const starts = new Set<number>([0]);
  for (let i = 0; i < n; i++) {
    const call = isPseudoCall(env, i);
    const func = isPseudoFunc(env, i);
    if (!call && !func && !isKfuncCall(env, i)) continue;
    if (!env.bpfCapable) {
      env.reject(EPERM, "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN");
    }
    if (!call && !func) continue;
    const target = i + env.insns.imm[i] + 1;
    if (target >= n || target < 0) env.reject(EINVAL, "call to invalid destination");
    starts.add(target);
    if (starts.size > BPF_MAX_SUBPROGS) env.reject(E2BIG, "too many subprograms");
  }
  const exceptionCb = exceptionCallbackStart(env);
  if (exceptionCb > 0) starts.add(exceptionCb);
  const sorted = [...starts].sort((a, b) => a - b);
  sorted.forEach((start, s) => {
    const subprog = newSubprog(start);
    subprog.end = sorted[s + 1] ?? n;
    env.subprogs.push(subprog);
    for (let i = start; i < subprog.end; i++) env.subprogOf[i] = s;
  });
  if (exceptionCb > 0) {
    env.exceptionCallbackSubprog = findSubprog(env, exceptionCb);
    const subprog = env.subprogs[env.exceptionCallbackSubprog];
    subprog.isCb = true;
    subprog.isAsyncCb = true;
    subprog.isExceptionCb = true;
  }
  if (env.log.level & BPF_LOG_LEVEL2)
    for (const [i, s] of env.subprogs.entries()) env.verbose(`func#${i} @${s.start}\n`);
}

/** `__exception_cb(f)` on the main function: instruction where f starts, 0 without. */
function exceptionCallbackStart(env: VerifierEnv): number {
  const { btf, funcInfo } = env.input;
  if (!btf || !funcInfo?.length) return 0;
  const tags = btf.declTags(funcInfo[0].typeId).filter((t) => t.startsWith("exception_callback:"));
  if (tags.length === 0) return 0;
  if (tags.length > 1) env.reject(EEXIST, "multiple exception callback tags for main subprog");
  const name = tags[0].slice("exception_callback:".length);
  const id = btf.byName(name, BTF_KIND_FUNC);
  if (!id) env.reject(EINVAL, `exception callback '${name}' could not be found in BTF`);
  if ((btf.type(id) as { linkage?: number }).linkage !== BTF_LINKAGE_GLOBAL) {
    env.reject(EINVAL, `exception callback '${name}' must have global linkage`);
  }
  const rec = funcInfo.find((f) => f.typeId === id);
  if (!rec) env.reject(ENOENT, "exception callback type id not found in func_info");
  return rec.insnIdx;
}

/** check_subprogs(): jumps stay in their function, and no function runs into the next. */
export function checkSubprogs(env: VerifierEnv): void {
  const { code, src, off, imm, length } = env.insns;
  let s = 0;
  for (let i = 0; i < length; i++) {
    const subprog = env.subprogs[s];
    const c = code[i];
    const cls = c & 7;
    if (c === 0x85 && src[i] === 0 && imm[i] === TAIL_CALL) {
      subprog.hasTailCall = true;
      subprog.tailCallReachable = true;
    }
    if (cls === 0 && ((c & 0xe0) === 0x20 || (c & 0xe0) === 0x40)) subprog.hasLdAbs = true;
    const op = c & 0xf0;
    if ((cls === 5 || cls === 6) && op !== 0x90 && op !== 0x80) {
      const target = i + 1 + (c === 0x06 ? imm[i] : off[i]);
      if (target < subprog.start || target >= subprog.end) {
        env.reject(EINVAL, `jump out of range from insn ${i} to ${target}`);
      }
    }
    if (i === subprog.end - 1) {
      if (c !== 0x95 && c !== 0x06 && c !== 0x05) env.reject(EINVAL, "last insn is not an exit or jmp");
      s++;
    }
  }
}

/** check_btf_func(): one func_info record per subprogram, in order. */
export function checkBtfFuncs(env: VerifierEnv): void {
  const { btf, funcInfo } = env.input;
  if (!btf || !funcInfo?.length) {
    checkAbnormalReturn(env);
    return;
  }
  if (funcInfo.length !== env.subprogs.length) {
    env.reject(EINVAL, "number of funcs in func_info doesn't match number of subprogs");
  }
  funcInfo.forEach((rec, i) => {
    const subprog = env.subprogs[i];
    if (rec.insnIdx !== subprog.start) {
      env.reject(EINVAL, "func_info BTF section doesn't match subprog layout in BPF program");
    }
    if (btf.kind(rec.typeId) !== BTF_KIND_FUNC) env.reject(EINVAL, `invalid type id ${rec.typeId} in func info`);
    const proto = btf.ref(rec.typeId);
    if (btf.kind(proto) !== BTF_KIND_FUNC_PROTO) env.rejectSilently(EINVAL);
    subprog.name = btf.nameOf(rec.typeId);
    subprog.funcTypeId = rec.typeId;
    subprog.global = (btf.type(rec.typeId) as { linkage?: number }).linkage === BTF_LINKAGE_GLOBAL;
    const ret = btf.skipModifiers(btf.ref(proto));
    const kind = btf.kind(ret);
    const scalar = kind === BTF_KIND_INT || kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64;
    if (i && !scalar && subprog.hasLdAbs) env.reject(EINVAL, "LD_ABS is only allowed in functions that return 'int'.");
    if (i && !scalar && subprog.hasTailCall) {
      env.reject(EINVAL, "tail_call is only allowed in functions that return 'int'.");
    }
  });
}

/** Without BTF nobody knows what a subprogram returns when it ends early. */
function checkAbnormalReturn(env: VerifierEnv): void {
  for (const subprog of env.subprogs.slice(1)) {
    if (subprog.hasLdAbs) env.reject(EINVAL, "LD_ABS is not allowed in subprogs without BTF");
    if (subprog.hasTailCall) env.reject(EINVAL, "tail_call is not allowed in subprogs without BTF");
  }
}

/** From this much on a function gets a stack of its own, where the program type allows. */
const PRIV_STACK_MIN = 64;

/** bpf_enable_priv_stack(): program types that may not nest on themselves. */
function privStackAllowed(env: VerifierEnv): boolean {
  switch (env.input.progType) {
    case BPF_PROG_TYPE_KPROBE:
    case BPF_PROG_TYPE_TRACEPOINT:
    case BPF_PROG_TYPE_PERF_EVENT:
    case BPF_PROG_TYPE_RAW_TRACEPOINT:
      return true;
    case BPF_PROG_TYPE_TRACING:
      return env.input.expectedAttachType !== BPF_TRACE_ITER;
    case BPF_PROG_TYPE_LSM:
      return true;
    case BPF_PROG_TYPE_STRUCT_OPS:
      return env.facts.privStackRequested === true;
    default:
      return false;
  }
}

/** Stack a frame takes in the kernel's JIT; a frame that uses none takes none. */
function roundDepth(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** check_max_stack_depth(): the stack of every chain of calls fits, and calls do not nest too deep. */
export function checkMaxStackDepth(env: VerifierEnv): void {
  let priv = privStackAllowed(env);
  if (priv) {
    // An asynchronous callback could interrupt its own program on the same private stack.
    for (const s of env.subprogs) if (s.hasTailCall) priv = false;
  }
  const noPriv = new Set<number>();
  env.subprogs.forEach((s, i) => {
    if (i === 0 || s.isAsyncCb) walkCalls(env, i, priv && !s.isAsyncCb, noPriv);
  });
}

function walkCalls(env: VerifierEnv, root: number, priv: boolean, noPriv: Set<number>): void {
  const chain: number[] = [];
  const seen = new Map<number, number>();
  const visit = (idx: number, depth: number): void => {
    const subprog = env.subprogs[idx];
    const frames = chain.length;
    if (frames >= MAX_CALL_FRAMES) env.reject(E2BIG, `the call stack of ${frames} frames is too deep !`);
    chain.push(idx);
    if (subprog.hasLdAbs && chain.some((c) => env.subprogs[c].isCb)) {
      env.reject(EINVAL, "cannot use BPF_LD_[ABS|IND] within callback");
    }
    if (idx && subprog.hasTailCall && depth >= 256) {
      env.reject(EACCES, `tail_calls are not allowed when call stack of previous frames is ${depth} bytes. Too large`);
    }
    const own = roundDepth(subprog.stackDepth);
    let total = depth;
    if (!priv) noPriv.add(idx);
    if (priv && !noPriv.has(idx) && own >= PRIV_STACK_MIN) {
      if (own > MAX_BPF_STACK) env.reject(EACCES, `stack size of subprog ${idx} is ${own}. Too large`);
    } else {
      total += own;
      if (total > MAX_BPF_STACK) {
        env.reject(EACCES, `combined stack size of ${frames + 1} calls is ${total}. Too large`);
      }
    }
    if (subprog.hasTailCall) {
      for (const c of chain.slice(0, -1)) {
        if (env.subprogs[c].isExceptionCb) env.reject(EINVAL, "cannot tail call within exception cb");
        env.subprogs[c].tailCallReachable = true;
      }
    }
    // The same function at the same or a lesser depth was walked with all its callees.
    const key = idx * 16 + frames;
    const before = seen.get(key);
    if (before === undefined || total > before) {
      seen.set(key, total);
      visitCalls(idx, total);
    }
    chain.pop();
  };
  const visitCalls = (idx: number, depth: number): void => {
    const { start, end } = env.subprogs[idx];
    for (let i = start; i < end; i++) {
      if (isKfuncCall(env, i)) {
        if (callFacts(env, i)?.throws && chain.some((c) => env.subprogs[c].isCb)) {
          env.reject(EINVAL, `bpf_throw kfunc (insn ${i}) cannot be called from callback subprog ${idx}`);
        }
        continue;
      }
      const call = isPseudoCall(env, i);
      if (!call && !isPseudoFunc(env, i)) continue;
      const callee = findSubprog(env, i + env.insns.imm[i] + 1);
      if (env.subprogs[callee].isAsyncCb) {
        if (!call) continue;
        if (env.subprogs[callee].isExceptionCb) env.reject(EINVAL, `insn ${i} cannot call exception cb directly`);
      }
      visit(callee, depth);
    }
  };
  visit(root, 0);
}
