/**
 * Does the register hold what the argument wants? Types first, then kernel struct, then offset.
 *
 * Source   check_reg_type(), check_func_arg_reg_off(), map_kptr_match_type() in kernel/bpf/verifier.c.
 */
import { EACCES, EFAULT, EINVAL } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_STRUCT } from "../btf/kinds.ts";
import {
  ARG_CONST_ALLOC_SIZE_OR_ZERO,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_KPTR_XCHG_DEST,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_BTF_ID_SOCK_COMMON,
  ARG_PTR_TO_CONST_STR,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_DYNPTR,
  ARG_PTR_TO_FUNC,
  ARG_PTR_TO_MAP_KEY,
  ARG_PTR_TO_MAP_VALUE,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_PERCPU_BTF_ID,
  ARG_PTR_TO_RINGBUF_MEM,
  ARG_PTR_TO_SOCK_COMMON,
  ARG_PTR_TO_SOCKET,
  ARG_PTR_TO_SPIN_LOCK,
  ARG_PTR_TO_STACK,
  ARG_PTR_TO_TIMER,
  ARG_SCALAR,
  DYNPTR_TYPE_MASK,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  MEM_RINGBUF,
  NON_OWN_REF,
  OBJ_RELEASE,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../helpers/types.ts";
import type { BtfField } from "./btf_record.ts";
import { structIdsMatch } from "./btf_walk.ts";
import type { VerifierEnv } from "./env.ts";
import { checkPtrOffReg } from "./mem.ts";
import {
  baseType,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FUNC,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  regTypeStr,
  SCALAR_VALUE,
} from "./reg_type.ts";
import type { Reg } from "./state.ts";

const SOCK_TYPES = [PTR_TO_SOCK_COMMON, PTR_TO_SOCKET, PTR_TO_TCP_SOCK, PTR_TO_XDP_SOCK];
const MEM_TYPES = [
  PTR_TO_STACK,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_MEM | MEM_RINGBUF,
  PTR_TO_BUF,
  PTR_TO_BTF_ID | PTR_TRUSTED,
];
const SCALAR = [SCALAR_VALUE];
const BTF_TYPES = [PTR_TO_BTF_ID, PTR_TO_BTF_ID | PTR_TRUSTED, PTR_TO_BTF_ID | MEM_RCU];
const PERCPU = PTR_TO_BTF_ID | MEM_PERCPU;
const MAP_OR_ALLOC = [PTR_TO_MAP_VALUE, PTR_TO_BTF_ID | MEM_ALLOC];

/** Register types by argument type, in the order in which messages list them. */
const COMPATIBLE: Readonly<Record<number, readonly number[]>> = {
  [ARG_PTR_TO_MAP_KEY]: MEM_TYPES,
  [ARG_PTR_TO_MAP_VALUE]: MEM_TYPES,
  [ARG_CONST_SIZE]: SCALAR,
  [ARG_CONST_SIZE_OR_ZERO]: SCALAR,
  [ARG_CONST_ALLOC_SIZE_OR_ZERO]: SCALAR,
  [ARG_SCALAR]: SCALAR,
  [ARG_CONST_MAP_PTR]: [CONST_PTR_TO_MAP],
  [ARG_PTR_TO_CTX]: [PTR_TO_CTX],
  [ARG_PTR_TO_SOCK_COMMON]: SOCK_TYPES,
  [ARG_PTR_TO_BTF_ID_SOCK_COMMON]: [...SOCK_TYPES, PTR_TO_BTF_ID, PTR_TO_BTF_ID | PTR_TRUSTED],
  [ARG_PTR_TO_SOCKET]: [PTR_TO_SOCKET],
  [ARG_PTR_TO_BTF_ID]: BTF_TYPES,
  [ARG_PTR_TO_SPIN_LOCK]: MAP_OR_ALLOC,
  [ARG_PTR_TO_MEM]: MEM_TYPES,
  [ARG_PTR_TO_RINGBUF_MEM]: [PTR_TO_MEM | MEM_RINGBUF],
  [ARG_PTR_TO_PERCPU_BTF_ID]: [PERCPU, PERCPU | MEM_RCU, PERCPU | PTR_TRUSTED],
  [ARG_PTR_TO_FUNC]: [PTR_TO_FUNC],
  [ARG_PTR_TO_STACK]: [PTR_TO_STACK],
  [ARG_PTR_TO_CONST_STR]: [PTR_TO_MAP_VALUE],
  [ARG_PTR_TO_TIMER]: [PTR_TO_MAP_VALUE],
  [ARG_KPTR_XCHG_DEST]: MAP_OR_ALLOC,
  [ARG_PTR_TO_DYNPTR]: [PTR_TO_STACK, CONST_PTR_TO_DYNPTR],
};

/** What a check of one argument may need to know about the call. */
export interface MatchCall {
  /** Name without bpf_; "" for a call of a global function. */
  readonly func: string;
  /** bpf_kptr_xchg: the field of the destination, found by the first argument. */
  readonly kptrField?: BtfField | undefined;
}

/** Kernel struct that an argument wants; id 0 when the kernel's BTF does not have it. */
export interface WantedBtf {
  readonly btf: Btf;
  readonly id: number;
}

/** A struct of the kernel's BTF by name. */
export function kernelStruct(env: VerifierEnv, name: string): WantedBtf | undefined {
  const { btf } = env.platform;
  return btf && { btf, id: btf.byName(name, BTF_KIND_STRUCT) };
}

/** Refuses a register of the wrong type; for BTF pointers also one to the wrong struct. */
export function checkRegType(
  env: VerifierEnv,
  regno: number,
  argType: number,
  wanted: WantedBtf | undefined,
  call: MatchCall,
): void {
  const R = env.R;
  const r = env.reg(regno);
  const regType = R.type(r);
  const arg = baseType(argType);
  const compatible = COMPATIBLE[arg];
  if (!compatible) throw new Error(`unsupported arg type ${argType}`);

  let type = regType;
  if (argType & MEM_RDONLY) type &= ~MEM_RDONLY;
  if (argType & PTR_MAYBE_NULL) type &= ~PTR_MAYBE_NULL;
  if (arg === ARG_PTR_TO_MEM) type &= ~DYNPTR_TYPE_MASK;
  if (call.func === "kptr_xchg" && type & MEM_ALLOC && regno === 2) type &= ~(MEM_ALLOC | MEM_PERCPU);

  if (!compatible.includes(type)) {
    const expected = compatible.map(regTypeStr).join(", ");
    env.reject(EACCES, `R${regno} type=${regTypeStr(regType)} expected=${expected}`);
  }
  if (baseType(regType) !== PTR_TO_BTF_ID) return;

  if (compatible === MEM_TYPES) {
    if (!(argType & MEM_RDONLY)) {
      env.reject(EACCES, `bpf_${call.func}() may write into memory pointed by R${regno} type=${regTypeStr(regType)}`);
    }
    return;
  }
  if (regType & MEM_ALLOC) {
    if (call.func === "kptr_xchg" && regno === 2) matchKptr(env, call.kptrField!, regno, EACCES);
    return;
  }
  if (regType & MEM_PERCPU) return;
  checkStruct(env, regno, argType, wanted, call);
}

function checkStruct(
  env: VerifierEnv,
  regno: number,
  argType: number,
  wanted: WantedBtf | undefined,
  call: MatchCall,
): void {
  const R = env.R;
  const r = env.reg(regno);
  const type = R.type(r);
  const release = (argType & OBJ_RELEASE) !== 0;
  if (type & PTR_MAYBE_NULL && (!(argType & PTR_MAYBE_NULL) || release)) {
    env.reject(EACCES, `Possibly NULL pointer passed to helper arg${regno}`);
  }
  if (call.func === "kptr_xchg") {
    matchKptr(env, call.kptrField!, regno, EACCES);
    return;
  }
  const need = wanted ?? kernelStruct(env, "sock_common");
  if (!need) env.reject(EFAULT, "verifier internal error: missing arg compatible BTF ID");
  const strict = release && call.func !== "sk_release";
  const btf = env.btfOf(r);
  if (!structIdsMatch(btf, R.btfId(r), R.off(r), need.btf, need.id, strict, !(type & MEM_ALLOC))) {
    const have = btf.nameOf(R.btfId(r));
    env.reject(EACCES, `R${regno} is of type ${have} but ${need.btf.nameOf(need.id)} is expected`);
  }
}

/** May this pointer be stored in that kptr field? Refuses with `errno`. */
export function matchKptr(env: VerifierEnv, field: BtfField, regno: number, errno: 13 | 22): void {
  const R = env.R;
  const r = env.reg(regno);
  const kptr = field.kptr!;
  const target = kptr.btf.nameOf(kptr.btfId);
  const type = R.type(r);
  let name = "";
  const bad = (): never => {
    const or = field.kind === "kptr_unref" ? ` or ${regTypeStr(PTR_TO_BTF_ID | PTR_UNTRUSTED)}${target}` : "";
    return env.reject(
      errno,
      `invalid kptr access, R${regno} type=${regTypeStr(type)}${name} expected=${regTypeStr(PTR_TO_BTF_ID)}${target}${or}`,
    );
  };
  if (baseType(type) !== PTR_TO_BTF_ID) bad();
  const btf = env.btfOf(r);
  let allowed = PTR_MAYBE_NULL;
  if (env.facts.isKernelBtf(btf)) {
    allowed |= PTR_TRUSTED | MEM_RCU;
    if (field.kind === "kptr_unref") allowed |= PTR_UNTRUSTED;
  } else {
    allowed |= MEM_ALLOC;
    if (field.kind === "kptr_percpu") allowed |= MEM_PERCPU;
  }
  if (type & ~0xff & ~allowed) bad();
  if ((field.kind === "kptr_percpu") !== ((type & MEM_PERCPU) !== 0)) bad();
  name = btf.nameOf(R.btfId(r));
  checkPtrOffReg(env, r, regno, true);
  const strict = field.kind !== "kptr_unref";
  if (!structIdsMatch(btf, R.btfId(r), R.off(r), kptr.btf, kptr.btfId, strict, !(type & MEM_ALLOC))) bad();
}

/** Types that may come with an offset, fixed or not; BTF pointers only with a fixed one; others with none. */
const ANY_OFFSET = new Set([
  PTR_TO_STACK,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_MEM | MEM_RDONLY,
  PTR_TO_MEM | MEM_RINGBUF,
  PTR_TO_BUF,
  PTR_TO_BUF | MEM_RDONLY,
  PTR_TO_ARENA,
  SCALAR_VALUE,
]);
const FIXED_OFFSET = new Set([
  PTR_TO_BTF_ID,
  PTR_TO_BTF_ID | MEM_ALLOC,
  PTR_TO_BTF_ID | PTR_TRUSTED,
  PTR_TO_BTF_ID | MEM_RCU,
  PTR_TO_BTF_ID | MEM_ALLOC | NON_OWN_REF,
  PTR_TO_BTF_ID | MEM_ALLOC | NON_OWN_REF | MEM_RCU,
]);

/** Refuses offsets that the callee would not see. */
export function checkArgRegOff(env: VerifierEnv, r: Reg, regno: number, argType: number): void {
  const R = env.R;
  const type = R.type(r);
  if (argType & OBJ_RELEASE) {
    if (baseType(argType) === ARG_PTR_TO_DYNPTR && type === PTR_TO_STACK) return;
    if (R.off(r)) {
      env.reject(EINVAL, `R${regno} must have zero offset when passed to release func or trusted arg to kfunc`);
    }
    checkPtrOffReg(env, r, regno, false);
    return;
  }
  if (ANY_OFFSET.has(type)) return;
  checkPtrOffReg(env, r, regno, FIXED_OFFSET.has(type));
}
