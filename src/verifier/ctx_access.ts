/**
 * Access to the context, and to sockets seen as their uapi structs: which bytes, in which widths, and what a load gives.
 *
 * Source   tables of progs/ctx_access.ts; is_valid_access() of the program types in net/core/filter.c; btf_ctx_access() in
 *          kernel/bpf/btf.c for programs whose context is a function's arguments (btf_ctx.ts).
 */
import { EACCES } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { PTR_MAYBE_NULL, PTR_TRUSTED } from "../helpers/types.ts";
import { CTX_ACCESS } from "../progs/ctx_access.ts";
import type { CtxPtr, CtxPtrKind, RetRange } from "../progs/prog_types.ts";
import { btfCtxAccess } from "./btf_ctx.ts";
import type { VerifierEnv } from "./env.ts";
import { kernelStruct } from "./reg_match.ts";
import {
  BPF_READ,
  PTR_TO_BTF_ID,
  PTR_TO_FLOW_KEYS,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_TP_BUFFER,
  PTR_TO_XDP_SOCK,
  regTypeStr,
  SCALAR_VALUE,
} from "./reg_type.ts";

/** What a load from the context gives. */
export interface CtxAccess {
  /** SCALAR_VALUE or a pointer type with flags. */
  readonly regType: number;
  /** Of PTR_TO_BTF_ID. */
  readonly btf?: Btf | undefined;
  readonly btfId: number;
  /** The loaded pointer carries this reference; 0 = none. */
  readonly refObjId: number;
  /** The field is the return value of the function attached to, which lies in this range. */
  readonly retvalRange?: RetRange | undefined;
}

export const SCALAR_ACCESS: CtxAccess = { regType: SCALAR_VALUE, btfId: 0, refObjId: 0 };

const REG_TYPE: Readonly<Record<Exclude<CtxPtrKind, "btf">, number>> = {
  pkt: PTR_TO_PACKET,
  pkt_meta: PTR_TO_PACKET_META,
  pkt_end: PTR_TO_PACKET_END,
  flow_keys: PTR_TO_FLOW_KEYS,
  sock: PTR_TO_SOCKET,
  sock_or_null: PTR_TO_SOCKET | PTR_MAYBE_NULL,
  sock_common_or_null: PTR_TO_SOCK_COMMON | PTR_MAYBE_NULL,
  tp_buffer: PTR_TO_TP_BUFFER,
};

/** Is `off` one of the offsets of "0-68 84", which step by `size`? */
function listed(ranges: string | undefined, off: number, size: number): boolean {
  if (!ranges || off % size) return false;
  return ranges.split(" ").some((range) => {
    const [first, last = first] = range.split("-");
    return off >= Number(first) && off <= Number(last);
  });
}

/**
 * May this program access these bytes of its context? For the tests; checkCtxAccess() adds what is loaded.
 * @param key  variantKey() of the program
 */
export function fieldAccessOk(key: string, off: number, size: number, write: boolean): boolean {
  const table = CTX_ACCESS[key];
  return listed((write ? table?.write : table?.read)?.[size as 1 | 2 | 4 | 8], off, size);
}

/** Offset of the sub-access of tstamp_type, a single byte at any size; see __sk_buff. */
function refuse(env: VerifierEnv, off: number, size: number): never {
  return env.reject(EACCES, `invalid bpf_context access off=${off} size=${size}`);
}

/** @throws Reject "invalid bpf_context access" */
export function checkCtxAccess(
  env: VerifierEnv,
  insnIdx: number,
  off: number,
  size: number,
  t: number,
  isLdsx: boolean,
): CtxAccess {
  try {
    return ctxAccess(env, insnIdx, off, size, t, isLdsx);
  } catch (e) {
    env.verboseLine(insnIdx, "; ");
    throw e;
  }
}

function ctxAccess(
  env: VerifierEnv,
  insnIdx: number,
  off: number,
  size: number,
  t: number,
  isLdsx: boolean,
): CtxAccess {
  const { progType, key } = env.facts;
  const rule = progType.ctx;
  if (rule.kind === "btf") {
    if (t !== BPF_READ || off < 0) refuse(env, off, size);
    return btfCtxAccess(env, insnIdx, off, size) ?? refuse(env, off, size);
  }
  if (rule.kind === "range") {
    const ok =
      off >= rule.start &&
      off + size <= rule.end &&
      off % size === 0 &&
      (t === BPF_READ || rule.write) &&
      (rule.wideUntil === undefined || off >= rule.wideUntil || size === 8);
    if (!ok) refuse(env, off, size);
  } else if (!fieldAccessOk(key, off, size, t !== BPF_READ)) {
    refuse(env, off, size);
  }
  if (!env.bpfCapable) {
    const reserved = progType.ctxNeedsBpf?.some((r) => off >= r.start && off < r.end && (!r.write || t !== BPF_READ));
    if (reserved) refuse(env, off, size);
  }
  const ptr = progType.ctxPtrs?.find((p) => p.off === off);
  if (!ptr || t !== BPF_READ) {
    if (progType.ctxPtrs?.some((p) => p.kind === "tp_buffer" && off < p.off + 8)) refuse(env, off, size);
    return SCALAR_ACCESS;
  }
  // A sign-extended pointer is none.
  if (isLdsx && ptr.kind.startsWith("pkt")) refuse(env, off, size);
  return ptrAccess(env, ptr, off, size);
}

function ptrAccess(env: VerifierEnv, ptr: CtxPtr, off: number, size: number): CtxAccess {
  if (ptr.kind !== "btf") {
    if (ptr.kind === "tp_buffer" && size !== 8) refuse(env, off, size);
    return { regType: REG_TYPE[ptr.kind], btfId: 0, refObjId: 0 };
  }
  const target = kernelStruct(env, ptr.btf ?? "");
  if (!target?.id) refuse(env, off, size);
  return { regType: PTR_TO_BTF_ID | PTR_TRUSTED, btf: target.btf, btfId: target.id, refObjId: 0 };
}

interface SockRule {
  readonly 1?: string;
  readonly 2?: string;
  readonly 4?: string;
  readonly 8?: string;
}

/** Readable fields of struct bpf_sock, bpf_tcp_sock, bpf_xdp_sock by access size. */
const SOCK_FIELDS: Readonly<Record<number, SockRule>> = {
  [PTR_TO_SOCKET]: {
    1: "4 8 12 24-44 48-49 52-72 76",
    2: "4 8 12 24-44 48 52-72 76",
    4: "0-76",
  },
  [PTR_TO_SOCK_COMMON]: {
    1: "4 24-44 48-49 52-72 76",
    2: "4 24-44 48 52-72 76",
    4: "0-4 24-76",
  },
  [PTR_TO_TCP_SOCK]: { 4: "0-76 96-108", 8: "80-88" },
  [PTR_TO_XDP_SOCK]: { 4: "0" },
};

/** A load through a socket pointer. */
export function checkSockAccess(
  env: VerifierEnv,
  _insnIdx: number,
  regno: number,
  off: number,
  size: number,
  _t: number,
): void {
  const R = env.R;
  const r = env.reg(regno);
  if (R.smin(r) < 0) {
    env.reject(EACCES, `R${regno} min value is negative, either use unsigned index or do a if (index >=0) check.`);
  }
  const type = R.type(r);
  if (listed(SOCK_FIELDS[type]?.[size as 1 | 2 | 4 | 8], off, size)) return;
  env.reject(EACCES, `R${regno} invalid ${regTypeStr(type)} access off=${off} size=${size}`);
}
