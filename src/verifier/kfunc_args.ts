/**
 * Arguments of kfuncs: what kind of pointer a parameter is, and whether the register holds such a one.
 *
 * Source   get_kfunc_ptr_arg_type(), check_kfunc_args() in kernel/bpf/verifier.c.
 */
import * as abi from "../abi/bpf.ts";
import { EACCES, EFAULT, EINVAL } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_FUNC_PROTO, BTF_KIND_PTR, BTF_KIND_STRUCT, BTF_KIND_UNKN, kindName } from "../btf/kinds.ts";
import {
  ARG_DONTCARE,
  ARG_PTR_TO_DYNPTR,
  DYNPTR_TYPE_SKB,
  DYNPTR_TYPE_SKB_META,
  DYNPTR_TYPE_XDP,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  MEM_UNINIT,
  NON_OWN_REF,
  OBJ_RELEASE,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
} from "../helpers/types.ts";
import {
  KF_ITER_DESTROY,
  KF_ITER_NEW,
  KF_ITER_NEXT,
  KF_RCU,
  KF_RCU_PROTECTED,
  KF_RELEASE,
  KF_TRUSTED_ARGS,
} from "../kfuncs/kfunc.ts";
import { hasField } from "./btf_record.ts";
import { isScalarStruct, isScalarType, structIdsMatch } from "./btf_walk.ts";
import { checkRegConstStr } from "./const_str.ts";
import { dynptrRecord, dynptrTypeFlag, processDynptrArg } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { Reject } from "./error.ts";
import { isCtxType } from "./global_func.ts";
import { processGraphNode, processGraphRoot, type RootKind } from "./graph.ts";
import { processIrqFlag } from "./irq.ts";
import { type IterOp, processIterArg } from "./iter.ts";
import type { KfuncMeta } from "./kfunc_meta.ts";
import { inRbtreeLockRequiredCb, inSleepable, processSpinLock, regRecord } from "./locks.ts";
import { processMapField } from "./map_fields.ts";
import { checkMemReg, checkMemSizeReg } from "./mem.ts";
import { markChainPrecision } from "./precision.ts";
import { isNonOwningRef } from "./refs.ts";
import { checkArgRegOff, kernelStruct } from "./reg_match.ts";
import {
  BPF_READ,
  BPF_WRITE,
  baseType,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_FUNC,
  PTR_TO_MAP_VALUE,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  regTypeStr,
  SCALAR_VALUE,
} from "./reg_type.ts";
import { markPtrNotNull } from "./regs.ts";
import type { Reg } from "./state.ts";

/** Register types that stand for a kernel struct without naming one (reg2btf_ids). */
const STRUCT_OF_REG: Readonly<Record<number, string>> = {
  [PTR_TO_SOCKET]: "sock",
  [PTR_TO_SOCK_COMMON]: "sock_common",
  [PTR_TO_TCP_SOCK]: "tcp_sock",
  [CONST_PTR_TO_MAP]: "bpf_map",
};

const TRUSTED_FLAGS = MEM_ALLOC | PTR_TRUSTED | NON_OWN_REF;

function hasUnsafeFlags(type: number): boolean {
  return (type & ~0xff & ~TRUSTED_FLAGS) !== 0;
}

/** is_trusted_reg(): referenced, or of a kind the kernel vouches for. */
export function isTrustedReg(env: VerifierEnv, r: Reg): boolean {
  const type = env.R.type(r);
  if (env.R.refObjId(r)) return true;
  if (STRUCT_OF_REG[baseType(type)] && !hasUnsafeFlags(type)) return true;
  return (type & TRUSTED_FLAGS) !== 0 && !hasUnsafeFlags(type);
}

export function isRcuReg(type: number): boolean {
  return (type & MEM_RCU) !== 0;
}

type ArgKind =
  | "ctx"
  | "alloc"
  | "refcounted_kptr"
  | "dynptr"
  | "iter"
  | "list_head"
  | "list_node"
  | "rb_root"
  | "rb_node"
  | "btf_id"
  | "mem"
  | "mem_size"
  | "callback"
  | "null"
  | "const_str"
  | "map"
  | "wq"
  | "task_work"
  | "irq_flag"
  | "res_spin_lock";

/** Parameters that point to one of these structs of the kernel. */
const KIND_OF_STRUCT: Readonly<Record<string, ArgKind>> = {
  bpf_list_head: "list_head",
  bpf_list_node: "list_node",
  bpf_rb_root: "rb_root",
  bpf_rb_node: "rb_node",
};
const KIND_OF_FIELD_STRUCT: Readonly<Record<string, ArgKind>> = {
  bpf_wq: "wq",
  bpf_task_work: "task_work",
};

/** One argument under check. */
interface Arg {
  readonly i: number;
  readonly regno: number;
  readonly r: Reg;
  readonly name: string;
  /** Parameter's type id as written, resolved, and what it points to, resolved. */
  readonly paramType: number;
  readonly type: number;
  readonly refId: number;
  readonly refName: string;
}

function endsWith(btf: Btf, proto: number, i: number, suffix: string): boolean {
  return btf.paramName(proto, i).endsWith(suffix);
}

function isSizeOf(env: VerifierEnv, meta: KfuncMeta, i: number, suffix: "__sz" | "__szk"): boolean {
  const { btf, protoId } = meta;
  const type = btf.resolve(btf.paramType(protoId, i));
  return isScalarType(btf, type) && env.R.type(env.reg(i + 1)) === SCALAR_VALUE && endsWith(btf, protoId, i, suffix);
}

/** Checks r1.. against the parameters; what they tell goes into meta. */
export function checkKfuncArgs(env: VerifierEnv, meta: KfuncMeta): void {
  const { btf, protoId } = meta;
  const n = btf.vlen(protoId);
  if (n > 5) env.reject(EINVAL, `Function ${meta.name} has ${n} > 5 args`);
  for (let i = 0; i < n; i++) {
    const name = btf.paramName(protoId, i);
    const paramType = btf.paramType(protoId, i);
    const type = btf.resolve(paramType);
    if (name.endsWith("__ign") || name.endsWith("__prog")) continue;
    const r = env.reg(i + 1);
    if (isScalarType(btf, type)) {
      checkScalar(env, meta, i, name);
      continue;
    }
    if (btf.kind(type) !== BTF_KIND_PTR) {
      env.reject(EINVAL, `Unrecognized arg#${i} type ${kindName(btf.kind(type))}`);
    }
    const refId = btf.resolve(btf.ref(type));
    const arg: Arg = { i, regno: i + 1, r, name, paramType, type, refId, refName: btf.nameOf(refId) };
    if (checkPointer(env, meta, arg, n) === "mem_size") i++;
  }
  if (meta.flags & KF_RELEASE && !meta.releaseRegno) {
    env.reject(EINVAL, `release kernel function ${meta.name} expects refcounted PTR_TO_BTF_ID`);
  }
}

function takeConstant(env: VerifierEnv, meta: KfuncMeta, regno: number): void {
  const r = env.reg(regno);
  if (!env.R.isConst(r)) env.reject(EINVAL, `R${regno} must be a known constant`);
  meta.constant = { value: env.R.value(r), fits32: env.R.valueHi(r) === 0 };
}

function checkScalar(env: VerifierEnv, meta: KfuncMeta, i: number, name: string): void {
  const R = env.R;
  const regno = i + 1;
  const r = env.reg(regno);
  if (R.type(r) !== SCALAR_VALUE) env.reject(EINVAL, `R${regno} is not a scalar`);
  if (name.endsWith("__k")) {
    takeConstant(env, meta, regno);
    markChainPrecision(env, regno);
    return;
  }
  if (name !== "rdonly_buf_size" && name !== "rdwr_buf_size") return;
  if (meta.r0Size) env.reject(EINVAL, "2 or more rdonly/rdwr_buf_size parameters for kfunc");
  if (!R.isConst(r)) env.reject(EINVAL, `R${regno} is not a const`);
  if (R.valueHi(r)) env.reject(EINVAL, `R${regno} rdonly/rdwr_buf_size exceeds u32 max`);
  meta.r0Rdonly = name === "rdonly_buf_size";
  meta.r0Size = R.value(r);
  markChainPrecision(env, regno);
}

function kindOf(env: VerifierEnv, meta: KfuncMeta, arg: Arg, n: number): ArgKind {
  const { btf } = meta;
  const { name, refName, refId, i } = arg;
  if (meta.name === "bpf_cast_to_kern_ctx") return "ctx";
  const hasSize = i + 1 < n && (isSizeOf(env, meta, i + 1, "__sz") || isSizeOf(env, meta, i + 1, "__szk"));
  if (isCtxType(env, btf, btf.ref(arg.type))) return "ctx";
  if (name.endsWith("__nullable") && env.R.isNull(arg.r) && !hasSize) return "null";
  if (name.endsWith("__alloc")) return "alloc";
  if (name.endsWith("__refcounted_kptr")) return "refcounted_kptr";
  const isStruct = btf.kind(refId) === BTF_KIND_STRUCT;
  if (isStruct && refName === "bpf_dynptr") return "dynptr";
  const iterFunc = meta.flags & (KF_ITER_NEW | KF_ITER_NEXT | KF_ITER_DESTROY);
  if (iterFunc ? i === 0 : name.endsWith("__iter")) return "iter";
  const graph = isStruct ? KIND_OF_STRUCT[refName] : undefined;
  if (graph) return graph;
  if (name.endsWith("__str")) return "const_str";
  if (name.endsWith("__map")) return "map";
  const field = isStruct ? KIND_OF_FIELD_STRUCT[refName] : undefined;
  if (field) return field;
  if (name.endsWith("__irq_flag")) return "irq_flag";
  if (isStruct && refName === "bpf_res_spin_lock") return "res_spin_lock";
  const base = baseType(env.R.type(arg.r));
  if (base === PTR_TO_BTF_ID || STRUCT_OF_REG[base]) {
    if (!btf.isComposite(refId)) {
      env.reject(
        EINVAL,
        `kernel function ${meta.name} args#${i} pointer type ${kindName(btf.kind(refId))} ${refName} is not supported`,
      );
    }
    return "btf_id";
  }
  if (btf.kind(refId) === BTF_KIND_FUNC_PROTO) return "callback";
  const isVoid = btf.kind(refId) === BTF_KIND_UNKN;
  if (!isScalarType(btf, refId) && !isScalarStruct(btf, refId) && !(hasSize && isVoid)) {
    const what = `${kindName(btf.kind(refId))} ${refName}`;
    env.reject(
      EINVAL,
      `arg#${i} pointer type ${what} must point to ${hasSize ? "void, " : ""}scalar, or struct with scalar`,
    );
  }
  return hasSize ? "mem_size" : "mem";
}

function checkPointer(env: VerifierEnv, meta: KfuncMeta, arg: Arg, n: number): ArgKind {
  const R = env.R;
  const { r, i, regno, name } = arg;
  const type = R.type(r);
  const release = (meta.flags & KF_RELEASE) !== 0;
  const trusted = release || (meta.flags & KF_TRUSTED_ARGS) !== 0;
  const rcu = (meta.flags & KF_RCU) !== 0;
  if ((trusted || rcu) && (R.isNull(r) || type & PTR_MAYBE_NULL) && !name.endsWith("__nullable")) {
    env.reject(EACCES, `Possibly NULL pointer passed to trusted arg${i}`);
  }
  if (R.refObjId(r)) {
    if (release && meta.refObjId) {
      env.reject(EFAULT, `more than one arg with ref_obj_id R${regno} ${R.refObjId(r)} ${meta.refObjId}`);
    }
    meta.refObjId = R.refObjId(r);
    if (release) meta.releaseRegno = regno;
  }
  const kind = kindOf(env, meta, arg, n);
  if (kind === "null") return kind;
  if (kind === "map") takeMap(env, meta, arg);
  if ((kind === "map" || kind === "alloc" || kind === "btf_id") && (trusted || rcu) && !isTrustedReg(env, r)) {
    if (!rcu) env.reject(EINVAL, `R${regno} must be referenced or trusted`);
    if (!isRcuReg(type)) env.reject(EINVAL, `R${regno} must be a rcu pointer`);
  }
  checkArgRegOff(env, r, regno, release && R.refObjId(r) ? OBJ_RELEASE : ARG_DONTCARE);
  CHECKS[kind]?.(env, meta, arg);
  return kind;
}

function takeMap(env: VerifierEnv, meta: KfuncMeta, arg: Arg): void {
  const R = env.R;
  if (baseType(R.type(arg.r)) !== CONST_PTR_TO_MAP) env.reject(EINVAL, `pointer in R${arg.regno} isn't map pointer`);
  const map = env.mapOf(arg.r);
  const uid = R.mapUid(arg.r);
  if (meta.map && (meta.map !== map || meta.mapUid !== uid)) {
    const record = env.facts.mapRecord(map);
    const what = hasField(record, "wq") ? "workqueue" : hasField(record, "task_work") ? "bpf_task_work" : "";
    if (what) {
      env.reject(
        EINVAL,
        `${what} pointer in R${what === "workqueue" ? 1 : 2} map_uid=${meta.mapUid} doesn't match map pointer in ` +
          `R${what === "workqueue" ? 2 : 3} map_uid=${uid}`,
      );
    }
  }
  meta.map = map;
  meta.mapUid = uid;
}

type Check = (env: VerifierEnv, meta: KfuncMeta, arg: Arg) => void;

function allocOrMap(env: VerifierEnv, arg: Arg): void {
  const type = env.R.type(arg.r);
  if (type !== PTR_TO_MAP_VALUE && type !== (PTR_TO_BTF_ID | MEM_ALLOC)) {
    env.reject(EINVAL, `arg#${arg.i} expected pointer to map value or allocated object`);
  }
  if (type !== PTR_TO_MAP_VALUE && !env.R.refObjId(arg.r)) env.reject(EINVAL, "allocated object must be referenced");
}

function ownedObject(env: VerifierEnv, arg: Arg): void {
  if (env.R.type(arg.r) !== (PTR_TO_BTF_ID | MEM_ALLOC)) {
    env.reject(EINVAL, `arg#${arg.i} expected pointer to allocated object`);
  }
  if (!env.R.refObjId(arg.r)) env.reject(EINVAL, "allocated object must be referenced");
}

function graphNode(env: VerifierEnv, meta: KfuncMeta, arg: Arg, kind: RootKind): void {
  processGraphNode(env, arg.regno, kind, meta.root!);
  meta.argBtf = env.btfOf(arg.r);
  meta.argBtfId = env.R.btfId(arg.r);
}

const DROP_OF: Readonly<Record<number, string>> = {
  [PTR_TO_BTF_ID | MEM_ALLOC]: "bpf_obj_drop_impl",
  [PTR_TO_BTF_ID | MEM_ALLOC | MEM_PERCPU]: "bpf_percpu_obj_drop_impl",
};

const DYNPTR_OF: Readonly<Record<string, number>> = {
  bpf_dynptr_from_skb: DYNPTR_TYPE_SKB,
  bpf_dynptr_from_xdp: DYNPTR_TYPE_XDP,
  bpf_dynptr_from_skb_meta: DYNPTR_TYPE_SKB_META,
};

const CHECKS: Readonly<Partial<Record<ArgKind, Check>>> = {
  ctx(env, meta, arg) {
    const type = env.R.type(arg.r);
    if (type !== PTR_TO_CTX) {
      env.reject(EINVAL, `arg#${arg.i} expected pointer to ctx, but got ${regTypeStr(type)}`);
    }
    if (meta.name !== "bpf_cast_to_kern_ctx") return;
    meta.retBtfId = kernelStruct(env, env.facts.progType.kernCtx)?.id ?? 0;
    if (!meta.retBtfId) env.rejectSilently(EINVAL);
  },
  alloc(env, meta, arg) {
    const drop = DROP_OF[env.R.type(arg.r)];
    if (!drop) env.reject(EINVAL, `arg#${arg.i} expected pointer to allocated object`);
    if (meta.name !== drop) env.reject(EINVAL, `arg#${arg.i} expected for ${drop}()`);
    if (!env.R.refObjId(arg.r)) env.reject(EINVAL, "allocated object must be referenced");
    meta.argBtf = env.btfOf(arg.r);
    meta.argBtfId = env.R.btfId(arg.r);
  },
  dynptr(env, meta, arg) {
    const R = env.R;
    let argType = ARG_PTR_TO_DYNPTR | (DYNPTR_OF[meta.name] ?? 0);
    if (R.type(arg.r) === CONST_PTR_TO_DYNPTR) argType |= MEM_RDONLY;
    const uninit = arg.name.endsWith("__uninit");
    if (uninit) argType |= MEM_UNINIT;
    let cloneRef = 0;
    if (meta.name === "bpf_dynptr_clone" && uninit) {
      argType |= dynptrTypeFlag(meta.dynptr!.type);
      cloneRef = meta.dynptr!.refObjId;
    }
    processDynptrArg(env, arg.regno, meta.insnIdx, argType, cloneRef);
    if (uninit) return;
    const rec = dynptrRecord(env, arg.r);
    meta.dynptr = { id: R.id(rec), type: R.dynptrType(rec), refObjId: R.refObjId(rec) };
  },
  iter(env, meta, arg) {
    if (meta.name === "bpf_iter_css_task_new" && !cssTaskIterAllowed(env)) {
      env.reject(EINVAL, "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs");
    }
    const op: IterOp =
      meta.flags & KF_ITER_NEW
        ? "new"
        : meta.flags & KF_ITER_DESTROY
          ? "destroy"
          : meta.flags & KF_ITER_NEXT
            ? "next"
            : "use";
    const func = { name: meta.name, rcuProtected: (meta.flags & KF_RCU_PROTECTED) !== 0 };
    meta.iter = processIterArg(env, arg.regno, meta.insnIdx, op, meta.btf, arg.paramType, func);
    if (meta.iter) meta.refObjId = meta.iter.refObjId;
  },
  list_head(env, meta, arg) {
    allocOrMap(env, arg);
    meta.root = processGraphRoot(env, arg.regno, "list_head");
  },
  rb_root(env, meta, arg) {
    allocOrMap(env, arg);
    meta.root = processGraphRoot(env, arg.regno, "rb_root");
  },
  list_node(env, meta, arg) {
    ownedObject(env, arg);
    graphNode(env, meta, arg, "list_head");
  },
  rb_node(env, meta, arg) {
    if (meta.name === "bpf_rbtree_add_impl") {
      ownedObject(env, arg);
    } else {
      if (!isNonOwningRef(env.R.type(arg.r)) && !env.R.refObjId(arg.r)) {
        env.reject(EINVAL, `${meta.name} can only take non-owning or refcounted bpf_rb_node pointer`);
      }
      if (inRbtreeLockRequiredCb(env)) env.reject(EINVAL, `${meta.name} not allowed in rbtree cb`);
    }
    graphNode(env, meta, arg, "rb_root");
  },
  map(env, meta, arg) {
    btfArg(env, meta, arg, kernelStruct(env, "bpf_map")?.id ?? 0, "bpf_map");
  },
  btf_id(env, meta, arg) {
    btfArg(env, meta, arg, arg.refId, arg.refName);
  },
  mem(env, meta, arg) {
    const size = meta.btf.size(arg.refId);
    if (size < 0) {
      const what = `${kindName(meta.btf.kind(arg.refId))} ${arg.refName}`;
      env.reject(EINVAL, `arg#${arg.i} reference type('${what}') size cannot be determined: -22`);
    }
    checkMemReg(env, arg.r, arg.regno, size);
  },
  mem_size(env, meta, arg) {
    const optional = arg.name.endsWith("__opt") || arg.name.endsWith("__nullable");
    if (!env.R.isNull(arg.r) || !optional) memAndSize(env, arg);
    if (isSizeOf(env, meta, arg.i + 1, "__szk")) takeConstant(env, meta, arg.regno + 1);
  },
  callback(env, meta, arg) {
    if (env.R.type(arg.r) !== PTR_TO_FUNC) env.reject(EINVAL, `arg${arg.i} expected pointer to func`);
    meta.subprogno = env.R.subprogno(arg.r);
  },
  refcounted_kptr(env, meta, arg) {
    const R = env.R;
    const type = R.type(arg.r);
    if (baseType(type) !== PTR_TO_BTF_ID || !(type & MEM_ALLOC)) {
      env.reject(EINVAL, `arg#${arg.i} is neither owning or non-owning ref`);
    }
    if (!isNonOwningRef(type) && R.refObjId(arg.r)) meta.argOwningRef = true;
    if (!hasField(regRecord(env, arg.r), "refcount")) {
      env.reject(EINVAL, `arg#${arg.i} doesn't point to a type with bpf_refcount field`);
    }
    meta.argBtf = env.btfOf(arg.r);
    meta.argBtfId = R.btfId(arg.r);
  },
  const_str(env, _meta, arg) {
    if (env.R.type(arg.r) !== PTR_TO_MAP_VALUE) env.reject(EINVAL, `arg#${arg.i} doesn't point to a const string`);
    checkRegConstStr(env, arg.regno);
  },
  wq(env, meta, arg) {
    if (env.R.type(arg.r) !== PTR_TO_MAP_VALUE) env.reject(EINVAL, `arg#${arg.i} doesn't point to a map value`);
    processMapField(env, arg.regno, meta, "wq");
  },
  task_work(env, meta, arg) {
    if (env.R.type(arg.r) !== PTR_TO_MAP_VALUE) env.reject(EINVAL, `arg#${arg.i} doesn't point to a map value`);
    processMapField(env, arg.regno, meta, "task_work");
  },
  irq_flag(env, meta, arg) {
    if (env.R.type(arg.r) !== PTR_TO_STACK) {
      env.reject(EINVAL, `arg#${arg.i} doesn't point to an irq flag on stack`);
    }
    processIrqFlag(env, arg.regno, meta.name);
  },
  res_spin_lock(env, meta, arg) {
    const type = env.R.type(arg.r);
    if (type !== PTR_TO_MAP_VALUE && type !== (PTR_TO_BTF_ID | MEM_ALLOC)) {
      env.reject(EINVAL, `arg#${arg.i} doesn't point to map value or allocated object`);
    }
    const irq = meta.name.includes("irq");
    processSpinLock(env, arg.regno, irq ? "res_irq" : "res", meta.name.startsWith("bpf_res_spin_lock"));
  },
};

function cssTaskIterAllowed(env: VerifierEnv): boolean {
  const { type, expectedAttachType } = env.facts;
  if (type === abi.BPF_PROG_TYPE_LSM) return true;
  if (type === abi.BPF_PROG_TYPE_TRACING && expectedAttachType === abi.BPF_TRACE_ITER) return true;
  return inSleepable(env);
}

/** Memory whose size is in the next register: must be readable and writable. */
function memAndSize(env: VerifierEnv, arg: Arg): void {
  const R = env.R;
  const size = env.reg(arg.regno + 1);
  const mayBeNull = (R.type(arg.r) & PTR_MAYBE_NULL) !== 0;
  const saved = env.fakeReg[3];
  if (mayBeNull) {
    R.copyReg(saved, arg.r);
    markPtrNotNull(env, arg.r);
  }
  try {
    checkMemSizeReg(env, size, arg.regno + 1, BPF_READ, true);
    checkMemSizeReg(env, size, arg.regno + 1, BPF_WRITE, true);
  } catch (e) {
    if (!(e instanceof Reject)) throw e;
    env.reject(e.errno, `arg#${arg.i} arg#${arg.i + 1} memory, len pair leads to invalid memory access`);
  }
  if (mayBeNull) R.copyReg(arg.r, saved);
}

/** `foo___init` is a foo that may not be used as one yet, and the other way round. */
function isNocastAlias(a: string, b: string): boolean {
  return a === `${b}___init` || b === `${a}___init`;
}

function isProjection(view: string, real: string): boolean {
  return (view === "__sk_buff" && real === "sk_buff") || (view === "xdp_md" && real === "xdp_buff");
}

function btfArg(env: VerifierEnv, meta: KfuncMeta, arg: Arg, wantId: number, wantName: string): void {
  const R = env.R;
  const { r, i } = arg;
  const type = R.type(r);
  const base = baseType(type);
  const stand = STRUCT_OF_REG[base];
  if ((base !== PTR_TO_BTF_ID || (hasUnsafeFlags(type) && !isRcuReg(type))) && !stand) {
    const expected = regTypeStr(base | (type & TRUSTED_FLAGS));
    env.reject(EINVAL, `arg#${i} is ${regTypeStr(type)} expected ${expected} or socket`);
  }
  const known = base === PTR_TO_BTF_ID ? undefined : kernelStruct(env, stand);
  const btf = known ? known.btf : env.btfOf(r);
  const id = btf.resolve(known ? known.id : R.btfId(r));
  const name = btf.nameOf(id);
  const releasing = (meta.flags & KF_RELEASE) !== 0 && R.refObjId(r) !== 0;
  const strict = releasing || isNocastAlias(name, wantName);
  const same = structIdsMatch(btf, id, R.off(r), meta.btf, wantId, strict, !(type & MEM_ALLOC));
  if (same || isProjection(wantName, name)) return;
  const want = `${kindName(meta.btf.kind(wantId))} ${wantName}`;
  const have = `${kindName(btf.kind(id))} ${name}`;
  env.reject(
    EINVAL,
    `kernel function ${meta.name} args#${i} expected pointer to ${want} but R${arg.regno} has a pointer to ${have}`,
  );
}
