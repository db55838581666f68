/**
 * The context of tracing, LSM and struct_ops programs: the arguments of the function attached to, one per 8 bytes, then
 * its result.
 *
 * Source   btf_ctx_access() in kernel/bpf/btf.c.
 */
import * as abi from "../abi/bpf.ts";
import type { Btf } from "../btf/btf.ts";
import {
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_UNKN,
  kindName,
} from "../btf/kinds.ts";
import { MEM_PERCPU, MEM_USER, PTR_MAYBE_NULL, PTR_TRUSTED } from "../helpers/types.ts";
import { BOOL_LSM_HOOKS, LSM_PREFIX, MAX_ERRNO, UNTRUSTED_LSM_HOOKS } from "../progs/lsm_hooks.ts";
import type { RetRange } from "../progs/prog_types.ts";
import { type CtxAccess, SCALAR_ACCESS } from "./ctx_access.ts";
import type { VerifierEnv } from "./env.ts";
import type { AttachTarget } from "./prog_facts.ts";
import { RAW_TP_NULL_ARGS } from "./raw_tp_args.ts";
import { kernelStruct } from "./reg_match.ts";
import { baseType, PTR_TO_BTF_ID, PTR_TO_BUF } from "./reg_type.ts";

const MAX_REG_ARGS = 5;

function slotBytes(btf: Btf, type: number): number {
  const t = btf.resolve(type);
  return btf.kind(t) === BTF_KIND_PTR ? 8 : Math.ceil(Math.max(btf.size(t), 0) / 8) * 8;
}

/** Index of the argument at a context offset; as many as there are = the result; one more = beyond. */
function argIndex(btf: Btf, proto: number, off: number): number {
  const n = btf.vlen(proto);
  let end = 0;
  for (let i = 0; i < n; i++) {
    end += slotBytes(btf, btf.paramType(proto, i));
    if (off < end) return i;
  }
  end += slotBytes(btf, btf.ref(proto));
  return off < end ? n : n + 1;
}

/** An integer of 1, 2, 4 or 8 bytes without bit offset. */
function isSmallInt(btf: Btf, id: number): boolean {
  return (
    btf.kind(id) === BTF_KIND_INT &&
    [1, 2, 4, 8].includes(btf.ref(id)) &&
    btf.intBitOffset(id) === 0 &&
    btf.intBits(id) === btf.ref(id) * 8
  );
}

function isScalarArg(btf: Btf, id: number): boolean {
  const kind = btf.kind(id);
  return isSmallInt(btf, id) || kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64 || kind === BTF_KIND_STRUCT;
}

function lsmHook(target: AttachTarget): string {
  return target.name.replace(LSM_PREFIX, "");
}

function argsTrusted(env: VerifierEnv, target: AttachTarget): boolean {
  const e = env.facts.expectedAttachType;
  switch (env.input.progType) {
    case abi.BPF_PROG_TYPE_TRACING:
      return e === abi.BPF_TRACE_RAW_TP || e === abi.BPF_TRACE_ITER;
    case abi.BPF_PROG_TYPE_LSM:
      return !UNTRUSTED_LSM_HOOKS.has(lsmHook(target));
    case abi.BPF_PROG_TYPE_STRUCT_OPS:
      return true;
    default:
      return false;
  }
}

function lsmRetRange(target: AttachTarget): RetRange {
  return BOOL_LSM_HOOKS.has(lsmHook(target)) ? { min: 0, max: 1 } : { min: -MAX_ERRNO, max: 0 };
}

/** What a load at `off` gives; undefined when there is nothing that may be loaded so (the log says why). */
export function btfCtxAccess(env: VerifierEnv, _insnIdx: number, off: number, size: number): CtxAccess | undefined {
  const target = env.facts.attach;
  const say = (text: string): undefined => {
    env.verbose(`${text}\n`);
    return undefined;
  };
  if (!target) return undefined;
  const { btf, name, protoId } = target;
  // MAX_BPF_FUNC_ARGS words, whole and aligned.
  if (off + size > 96 || off % size) return undefined;
  if (off % 8) return say(`func '${name}' offset ${off} is not multiple of 8`);
  const arg = protoId ? argIndex(btf, protoId, off) : off / 8;
  const first = target.skipFirst ? 1 : 0;
  const n = protoId ? btf.vlen(protoId) - first : MAX_REG_ARGS;
  if (arg > n) return say(`func '${name}' doesn't have ${arg + 1}-th argument`);

  let type: number;
  let retvalRange: RetRange | undefined;
  if (arg === n) {
    switch (env.facts.expectedAttachType) {
      case abi.BPF_LSM_MAC:
        retvalRange = lsmRetRange(target);
        break;
      case abi.BPF_LSM_CGROUP:
      case abi.BPF_TRACE_FEXIT:
        break;
      case abi.BPF_MODIFY_RETURN:
        if (!protoId) return undefined;
        if (!isSmallInt(btf, btf.resolve(btf.ref(protoId)))) {
          return say(`ret type ${kindName(btf.kind(btf.resolve(btf.ref(protoId))))} not allowed for fmod_ret`);
        }
        break;
      default:
        return say(`func '${name}' doesn't have ${arg + 1}-th argument`);
    }
    if (!protoId) return SCALAR_ACCESS;
    type = btf.resolve(btf.ref(protoId));
  } else {
    if (!protoId) return SCALAR_ACCESS;
    type = btf.resolve(btf.paramType(protoId, arg + first));
  }
  if (isScalarArg(btf, type)) return { ...SCALAR_ACCESS, retvalRange };
  if (btf.kind(type) !== BTF_KIND_PTR) {
    const what = `'${btf.nameOf(type)}' has type ${kindName(btf.kind(type))}`;
    return say(`func '${name}' arg${arg} ${what}. Only pointer access is allowed`);
  }
  if (size !== 8) return say(`func '${name}' size ${size} must be 8`);
  return pointerArg(env, target, off, arg, type, say);
}

function pointerArg(
  env: VerifierEnv,
  target: AttachTarget,
  off: number,
  arg: number,
  ptr: number,
  say: (text: string) => undefined,
): CtxAccess | undefined {
  const { btf, name, protoId } = target;
  const info = target.ctxArgs.find((a) => a.offset === off);
  if (info && baseType(info.regType) === PTR_TO_BUF) return { regType: info.regType, btfId: 0, refObjId: 0 };
  const pointee = btf.resolve(btf.ref(ptr));
  // Pointers to void and to integers are numbers to the verifier.
  if (btf.kind(pointee) === BTF_KIND_UNKN || btf.kind(pointee) === BTF_KIND_INT) return SCALAR_ACCESS;
  if (info) {
    const refObjId = info.refcounted ? (env.facts.ctxArgRefs.get(off) ?? 0) : 0;
    return { regType: info.regType, btf: info.btf ?? btf, btfId: info.btfId || pointee, refObjId };
  }
  let regType = PTR_TO_BTF_ID | (argsTrusted(env, target) ? PTR_TRUSTED : 0);
  const param = arg + (target.skipFirst ? 1 : 0);
  if (protoId && param < btf.vlen(protoId) && btf.paramName(protoId, param).endsWith("__nullable")) {
    regType |= PTR_MAYBE_NULL;
  }
  let asScalar = false;
  if (env.facts.expectedAttachType === abi.BPF_TRACE_RAW_TP) {
    const mask = RAW_TP_NULL_ARGS[target.name] ?? 0;
    if (Math.floor(mask / 16 ** arg) & 1) regType |= PTR_MAYBE_NULL;
    if (Math.floor(mask / 16 ** arg) & 2) asScalar = true;
  }
  const tag = btf.ref(ptr);
  if (btf.kind(tag) === BTF_KIND_TYPE_TAG) {
    if (btf.nameOf(tag) === "user") regType |= MEM_USER;
    if (btf.nameOf(tag) === "percpu") regType |= MEM_PERCPU;
  }
  if (!btf.isComposite(pointee)) {
    return say(`func '${name}' arg${arg} type ${kindName(btf.kind(pointee))} is not a struct`);
  }
  if (env.log.level) {
    env.verbose(
      `func '${name}' arg${arg} has btf_id ${pointee} type ${kindName(btf.kind(pointee))} '${btf.nameOf(pointee)}'\n`,
    );
  }
  if (asScalar) return SCALAR_ACCESS;
  if (env.input.attachProg) return contextOfTarget(env, env.input.attachProg.type, regType, btf.nameOf(pointee));
  return { regType, btf, btfId: promote(env, target, pointee), refObjId: 0 };
}

/** A traced program's argument is its context; the kernel's own struct stands behind it (btf_translate_to_vmlinux). */
function contextOfTarget(env: VerifierEnv, progType: number, regType: number, struct: string): CtxAccess | undefined {
  const type = env.platform.progTypes[progType];
  const kern = type?.ctxStruct === struct ? kernelStruct(env, type.kernCtx) : undefined;
  return kern && { regType, btf: kern.btf, btfId: kern.id, refObjId: 0 };
}

/** Sockets given to a congestion control are TCP sockets. */
function promote(_env: VerifierEnv, target: AttachTarget, id: number): number {
  if (target.structOps?.struct !== "tcp_congestion_ops" || target.btf.nameOf(id) !== "sock") return id;
  return target.btf.byName("tcp_sock", BTF_KIND_STRUCT) || id;
}
