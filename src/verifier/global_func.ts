/**
 * Functions that are verified on their own, by their BTF prototype: what their arguments are on entry, and whether a call
 * passes such arguments.
 *
 * A parameter is a scalar, the context, a dynptr, memory of a known size (may be NULL unless tagged), or what its
 * `arg:*` tags say: ctx, trusted, untrusted, nonnull, nullable, arena.
 * Source   btf_prepare_func_args() and its helpers in kernel/bpf/btf.c, btf_check_func_arg_match() and do_check_common()
 *          in kernel/bpf/verifier.c.
 */
import * as abi from "../abi/bpf.ts";
import { EFAULT, EINVAL, ENOENT, EOPNOTSUPP, type Errno, ESRCH } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import {
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNKN,
  kindName,
} from "../btf/kinds.ts";
import {
  ARG_ANYTHING,
  ARG_DONTCARE,
  ARG_PTR_TO_ARENA,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_DYNPTR,
  ARG_PTR_TO_MEM,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../helpers/types.ts";
import { BPF_DYNPTR_TYPE_LOCAL, markDynptrCbReg, processDynptrArg } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { Reject } from "./error.ts";
import { F_IN_EXCEPTION_CALLBACK } from "./layout.ts";
import { checkMemReg } from "./mem.ts";
import { acquireReference } from "./refs.ts";
import { checkArgRegOff, checkRegType } from "./reg_match.ts";
import { baseType, PTR_TO_ARENA, PTR_TO_BTF_ID, PTR_TO_CTX, PTR_TO_MEM, SCALAR_VALUE } from "./reg_type.ts";
import { markRegKnownZero, markRegUnknown } from "./regs.ts";

export interface FuncArg {
  /** ARG_* with flags. */
  readonly type: number;
  /** Bytes, of ARG_PTR_TO_MEM. */
  readonly memSize: number;
  /** Kernel struct, of ARG_PTR_TO_BTF_ID. */
  readonly btfId: number;
}

/** What is known of a function's prototype; kept in Subprog.args. */
interface FuncArgs {
  readonly args: readonly FuncArg[] | undefined;
  readonly errno: Errno | 0;
  /** A call did not fit the prototype: it says nothing of the function's registers. */
  unreliable: boolean;
}

const MAX_ARGS = 5;
const TAGS = ["ctx", "trusted", "nonnull", "nullable", "arena", "untrusted"] as const;
type Tag = (typeof TAGS)[number];

class BadProto extends Error {
  readonly errno: Errno;

  constructor(errno: Errno, message = "") {
    super(message);
    this.errno = errno;
  }
}

/** Reads the prototype once. Errors of static functions are silent: nothing depends on their prototype. */
function funcArgs(env: VerifierEnv, subprog: number): FuncArgs {
  const sub = env.subprogs[subprog];
  if (sub.argsCached) return sub.args as FuncArgs;
  let result: FuncArgs;
  try {
    result = { args: readProto(env, subprog), errno: 0, unreliable: false };
  } catch (e) {
    if (!(e instanceof BadProto)) throw e;
    if (e.message) env.verbose(`${e.message}\n`);
    result = { args: undefined, errno: e.errno, unreliable: true };
  }
  sub.args = result;
  sub.argsCached = true;
  return result;
}

function readProto(env: VerifierEnv, subprog: number): FuncArg[] {
  const sub = env.subprogs[subprog];
  const { btf } = env.input;
  if (!btf || !sub.funcTypeId) {
    if (!sub.global || !env.input.funcInfo?.length) throw new BadProto(EINVAL);
    throw new BadProto(EFAULT, "Global functions need valid BTF");
  }
  if (btf.kind(sub.funcTypeId) !== BTF_KIND_FUNC) {
    throw new BadProto(EFAULT, `BTF of func#${subprog} doesn't point to KIND_FUNC`);
  }
  const name = btf.nameOf(sub.funcTypeId);
  const proto = btf.ref(sub.funcTypeId);
  if (btf.kind(proto) !== BTF_KIND_FUNC_PROTO) throw new BadProto(EFAULT, `Invalid type of function ${name}()`);
  const say = (message: string): string => (sub.global ? message : "");
  const n = btf.vlen(proto);
  if (n > MAX_ARGS) {
    throw new BadProto(EINVAL, say(`Global function ${name}() with ${n} > ${MAX_ARGS} args. Buggy compiler.`));
  }
  if (!isIntOrEnum(btf, btf.resolve(btf.ref(proto)))) {
    throw new BadProto(EINVAL, say(`Global function ${name}() doesn't return scalar. Only those are supported.`));
  }
  return Array.from({ length: n }, (_, i) => readArg(env, btf, subprog, proto, i, name));
}

function isIntOrEnum(btf: Btf, id: number): boolean {
  const kind = btf.kind(id);
  return kind === BTF_KIND_INT || kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64;
}

function readTags(btf: Btf, funcId: number, i: number, global: boolean): Set<Tag> {
  const tags = new Set<Tag>();
  for (const tag of btf.declTags(funcId, i)) {
    if (!tag.startsWith("arg:")) continue;
    if (!global) throw new BadProto(EOPNOTSUPP, `arg#${i} type tag is not supported in static functions`);
    const known = TAGS.find((t) => t === tag.slice(4));
    if (!known) throw new BadProto(EOPNOTSUPP, `arg#${i} has unsupported set of tags`);
    tags.add(known);
  }
  return tags;
}

function readArg(env: VerifierEnv, btf: Btf, subprog: number, proto: number, i: number, fn: string): FuncArg {
  const sub = env.subprogs[subprog];
  const tags = readTags(btf, sub.funcTypeId, i, sub.global);
  const type = btf.resolve(btf.paramType(proto, i));
  const arg = (t: number, memSize = 0, btfId = 0): FuncArg => ({ type: t, memSize, btfId });
  const onlyTag = (tag: Tag): void => {
    if (tags.size > 1 || (tags.size === 1 && !tags.has(tag))) {
      throw new BadProto(EINVAL, `arg#${i} has invalid combination of tags`);
    }
  };

  if (btf.kind(type) === BTF_KIND_PTR) {
    const target = btf.resolve(btf.ref(type));
    if (tags.has("ctx") || isCtxType(env, btf, btf.ref(type))) {
      onlyTag("ctx");
      if (tags.has("ctx")) validateCtxType(env, btf, btf.ref(type), i);
      return arg(ARG_PTR_TO_CTX);
    }
    if (btf.kind(target) === BTF_KIND_STRUCT && btf.nameOf(target) === "bpf_dynptr") {
      if (tags.size) throw new BadProto(EINVAL, `arg#${i} has invalid combination of tags`);
      return arg(ARG_PTR_TO_DYNPTR | MEM_RDONLY);
    }
    if (tags.has("trusted")) {
      if (tags.has("nonnull")) throw new BadProto(EINVAL, `arg#${i} has invalid combination of tags`);
      const id = kernelTypeOf(env, btf, target, i);
      const flags = PTR_TRUSTED | (tags.has("nullable") ? PTR_MAYBE_NULL : 0);
      return arg(ARG_PTR_TO_BTF_ID | flags, 0, id);
    }
    if (tags.has("untrusted")) {
      if (tags.size > 1) {
        throw new BadProto(EINVAL, `arg#${i} untrusted cannot be combined with any other tags`);
      }
      if (btf.kind(target) === BTF_KIND_UNKN || isIntOrEnum(btf, target)) {
        return arg(ARG_PTR_TO_MEM | MEM_RDONLY | PTR_UNTRUSTED);
      }
      return arg(ARG_PTR_TO_BTF_ID | PTR_UNTRUSTED, 0, kernelTypeOf(env, btf, target, i));
    }
    if (tags.has("arena")) {
      if (tags.size > 1) throw new BadProto(EINVAL, `arg#${i} arena cannot be combined with any other tags`);
      return arg(ARG_PTR_TO_ARENA);
    }
    if (sub.global) {
      if (tags.has("nullable")) throw new BadProto(EINVAL, `arg#${i} has invalid combination of tags`);
      const size = btf.size(target);
      if (size < 0) {
        const what = `${kindName(btf.kind(target))} ${btf.nameOf(target)}`;
        throw new BadProto(EINVAL, `arg#${i} reference type('${what}') size cannot be determined: -22`);
      }
      return arg(ARG_PTR_TO_MEM | (tags.has("nonnull") ? 0 : PTR_MAYBE_NULL), size);
    }
  }
  if (tags.size) throw new BadProto(EINVAL, `arg#${i} has pointer tag, but is not a pointer type`);
  if (isIntOrEnum(btf, type)) return arg(ARG_ANYTHING);
  const unsupported = `Arg#${i} type ${kindName(btf.kind(type))} in ${fn}() is not supported yet.`;
  throw new BadProto(EINVAL, sub.global ? unsupported : "");
}

/** The one kernel struct of this name. */
function kernelTypeOf(env: VerifierEnv, btf: Btf, target: number, i: number): number {
  const name = btf.nameOf(target).replace(/___.*$/, "");
  const found = env.platform.btf?.allByName(name, btf.kind(target)) ?? [];
  if (found.length === 1) return found[0];
  const what = `${kindName(btf.kind(target))} ${btf.nameOf(target)}`;
  throw new BadProto(
    found.length ? ESRCH : ENOENT,
    `arg#${i} reference type('${what}') ${found.length ? "is ambiguous" : "has no matches"}`,
  );
}

function hasTypedef(btf: Btf, id: number, name: string): boolean {
  while (btf.isModifier(id)) id = btf.ref(id);
  return btf.kind(id) === BTF_KIND_TYPEDEF && btf.nameOf(id) === name;
}

/** By its name, is this the context of the program's type? */
export function isCtxType(env: VerifierEnv, btf: Btf, id: number): boolean {
  const { type, progType } = env.facts;
  if (type === abi.BPF_PROG_TYPE_KPROBE && hasTypedef(btf, id, "bpf_user_pt_regs_t")) return true;
  const target = btf.resolve(id);
  if (!btf.isComposite(target)) return false;
  const name = btf.nameOf(target);
  if (name === "") return false;
  // The kernel's own packet structs may stand for the program's views of them.
  if (progType.ctxStruct === "__sk_buff" && name === "sk_buff") return true;
  if (progType.ctxStruct === "xdp_md" && name === "xdp_buff") return true;
  return name === progType.ctxStruct || (type === abi.BPF_PROG_TYPE_KPROBE && name === "pt_regs");
}

/** `__arg_ctx`: the pointer's type must be void, the context's, or one that the program type is known to be given. */
function validateCtxType(env: VerifierEnv, btf: Btf, id: number, i: number): void {
  const { type, progType, expectedAttachType } = env.facts;
  const target = btf.resolve(id);
  if (btf.kind(target) === BTF_KIND_UNKN) return;
  const name = btf.nameOf(target);
  const isStruct = btf.kind(target) === BTF_KIND_STRUCT;
  const isU64 = btf.kind(target) === BTF_KIND_INT && btf.ref(target) === 8;
  if (type === abi.BPF_PROG_TYPE_KPROBE || type === abi.BPF_PROG_TYPE_PERF_EVENT) {
    if (hasTypedef(btf, id, "bpf_user_pt_regs_t") || (isStruct && name === "pt_regs")) return;
  }
  if (name === "") throw new BadProto(EINVAL, `arg#${i} type doesn't have a name`);
  switch (type) {
    case abi.BPF_PROG_TYPE_RAW_TRACEPOINT:
    case abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
    case abi.BPF_PROG_TYPE_LSM:
    case abi.BPF_PROG_TYPE_STRUCT_OPS:
      if (isU64) return;
      break;
    case abi.BPF_PROG_TYPE_TRACING:
      if (expectedAttachType === abi.BPF_TRACE_ITER) {
        if (isStruct && name.startsWith("bpf_iter__")) return;
      } else if (isU64) {
        return;
      } else if (expectedAttachType === abi.BPF_TRACE_RAW_TP && isStruct && name === "bpf_raw_tracepoint_args") {
        return;
      }
      break;
    case abi.BPF_PROG_TYPE_TRACEPOINT:
    case abi.BPF_PROG_TYPE_SYSCALL:
    case abi.BPF_PROG_TYPE_EXT:
      return;
  }
  const want = progType.ctxStruct === "bpf_user_pt_regs_t" ? "pt_regs" : progType.ctxStruct;
  if (want === "void" || want.startsWith("__u")) {
    throw new BadProto(EINVAL, `arg#${i} should be void pointer`);
  }
  if (!isStruct || name !== want) throw new BadProto(EINVAL, `arg#${i} should be \`struct ${want} *\``);
}

/** Do r1.. fit the function's prototype? 0 or an errno; what does not fit is in the log. btf_check_subprog_call(). */
export function subprogArgsMatch(env: VerifierEnv, subprog: number): Errno | 0 {
  if (!env.input.funcInfo?.length) return EINVAL;
  const known = funcArgs(env, subprog);
  if (known.errno) return known.errno;
  if (known.unreliable) return EINVAL;
  try {
    for (const [i, arg] of known.args!.entries()) matchArg(env, arg, i);
    return 0;
  } catch (e) {
    if (!(e instanceof Reject)) throw e;
    known.unreliable = true;
    return e.errno;
  }
}

function matchArg(env: VerifierEnv, arg: FuncArg, i: number): void {
  const R = env.R;
  const regno = i + 1;
  const r = env.reg(regno);
  const type = R.type(r);
  switch (baseType(arg.type)) {
    case ARG_ANYTHING:
      if (type !== SCALAR_VALUE) env.reject(EINVAL, `R${regno} is not a scalar`);
      return;
    case ARG_PTR_TO_CTX:
      checkArgRegOff(env, r, regno, ARG_DONTCARE);
      if (type !== PTR_TO_CTX) env.reject(EINVAL, `arg#${i} expects pointer to ctx`);
      return;
    case ARG_PTR_TO_MEM:
      checkArgRegOff(env, r, regno, ARG_DONTCARE);
      // Loads of an untrusted pointer are guarded: any value will do.
      if (arg.type & PTR_UNTRUSTED) return;
      try {
        checkMemReg(env, r, regno, arg.memSize);
      } catch (e) {
        if (e instanceof Reject) env.rejectSilently(EINVAL);
        throw e;
      }
      if (!(arg.type & PTR_MAYBE_NULL) && (type & PTR_MAYBE_NULL || R.isNull(r))) {
        if (type & PTR_MAYBE_NULL) env.reject(EINVAL, `arg#${i} is expected to be non-NULL`);
      }
      return;
    case ARG_PTR_TO_ARENA:
      if (type !== PTR_TO_ARENA && type !== SCALAR_VALUE) {
        env.reject(EINVAL, `R${regno} is not a pointer to arena or scalar.`);
      }
      return;
    case ARG_PTR_TO_DYNPTR:
      checkArgRegOff(env, r, regno, ARG_PTR_TO_DYNPTR);
      processDynptrArg(env, regno, -1, arg.type);
      return;
    case ARG_PTR_TO_BTF_ID: {
      if (R.isNull(r) && arg.type & PTR_MAYBE_NULL) return;
      if (arg.type & PTR_UNTRUSTED) return;
      const { btf } = env.platform;
      checkRegType(env, regno, arg.type, btf && { btf, id: arg.btfId }, { func: "" });
      checkArgRegOff(env, r, regno, arg.type);
      return;
    }
    default:
      throw new Error(`argument type ${arg.type} of a global function`);
  }
}

/** The registers with which a function (0 = the program itself) starts. */
export function prepareGlobalFuncArgs(env: VerifierEnv, subprog: number): void {
  if (subprog === 0 && env.input.progType !== abi.BPF_PROG_TYPE_EXT) {
    prepareMain(env);
    return;
  }
  env.verbose(`Validating ${env.subprogs[subprog].name}() func#${subprog}...\n`);
  const known = funcArgs(env, subprog);
  if (known.errno) env.rejectSilently(known.errno);
  const args = known.args!;
  if (env.subprogs[subprog].isExceptionCb) {
    env.R.set(env.cur.frame, F_IN_EXCEPTION_CALLBACK, 1);
    if (args.length !== 1 || args[0].type !== ARG_ANYTHING) {
      env.reject(EINVAL, "exception cb only supports single integer argument");
    }
  }
  for (const [i, arg] of args.entries()) setEntryReg(env, i + 1, arg);
}

function prepareMain(env: VerifierEnv): void {
  if (env.input.funcInfo?.length) {
    const known = funcArgs(env, 0);
    if (known.args?.length !== 1 || known.args[0].type !== ARG_PTR_TO_CTX) known.unreliable = true;
  }
  const r1 = env.reg(1);
  markRegKnownZero(env, r1);
  env.R.setType(r1, PTR_TO_CTX);
  // struct_ops members may be given references of their own.
  for (const info of env.facts.attach?.ctxArgs ?? []) {
    if (info.refcounted) env.facts.ctxArgRefs.set(info.offset, acquireReference(env, 0));
  }
}

function setEntryReg(env: VerifierEnv, regno: number, arg: FuncArg): void {
  const R = env.R;
  const r = env.reg(regno);
  const flags = arg.type & (PTR_MAYBE_NULL | PTR_UNTRUSTED | PTR_TRUSTED | MEM_RDONLY);
  switch (baseType(arg.type)) {
    case ARG_PTR_TO_CTX:
      markRegKnownZero(env, r);
      R.setType(r, PTR_TO_CTX);
      return;
    case ARG_PTR_TO_DYNPTR:
      markDynptrCbReg(env, r, BPF_DYNPTR_TYPE_LOCAL);
      return;
    case ARG_PTR_TO_MEM:
      markRegKnownZero(env, r);
      R.setType(r, PTR_TO_MEM | flags);
      R.setMemSize(r, arg.memSize);
      if (flags & PTR_MAYBE_NULL) R.setId(r, ++env.idGen);
      return;
    case ARG_PTR_TO_BTF_ID:
      markRegKnownZero(env, r);
      R.setType(r, PTR_TO_BTF_ID | flags);
      R.setBtf(r, env.btfIndex(env.platform.btf!), arg.btfId);
      R.setId(r, ++env.idGen);
      return;
    default:
      markRegUnknown(env, r);
  }
}
