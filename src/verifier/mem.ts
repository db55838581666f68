/**
 * Memory accesses by pointer type: alignment, bounds, what may be written, what a load gives; the same for memory given
 * to helpers.
 *
 * Source   kernel/bpf/verifier.c: check_mem_access, check_mem_region_access, check_map_access, check_packet_access,
 *          check_helper_mem_access, check_ptr_alignment.
 */
import {
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_CGROUP_SOCKOPT,
  BPF_PROG_TYPE_FLOW_DISSECTOR,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_LWT_SEG6LOCAL,
  BPF_PROG_TYPE_LWT_XMIT,
  BPF_PROG_TYPE_SCHED_ACT,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SK_MSG,
  BPF_PROG_TYPE_SK_REUSEPORT,
  BPF_PROG_TYPE_SK_SKB,
  BPF_PROG_TYPE_XDP,
} from "../abi/bpf.ts";
import { EACCES, EINVAL } from "../abi/errno.ts";
import { MEM_RDONLY, PTR_MAYBE_NULL, PTR_UNTRUSTED } from "../helpers/types.ts";
import { BPF_MAX_VAR_OFF } from "./alu.ts";
import { checkPtrToBtfAccess, checkPtrToMapAccess } from "./btf_access.ts";
import { checkCtxAccess, checkSockAccess } from "./ctx_access.ts";
import type { VerifierEnv } from "./env.ts";
import { R_UMAX, R_UMIN } from "./layout.ts";
import { checkKptrAccess, checkMapRecordAccess, kptrFieldOfAccess } from "./map_fields.ts";
import { markChainPrecision } from "./precision.ts";
import { tnumStr } from "./print_state.ts";
import {
  BPF_READ,
  BPF_WRITE,
  baseType,
  CONST_PTR_TO_MAP,
  isPktPointer,
  isSkPointer,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_TP_BUFFER,
  PTR_TO_XDP_SOCK,
  regTypeStr,
  SCALAR_VALUE,
  typeMayBeNull,
} from "./reg_type.ts";
import { isPointerValue, markPtrNotNull, markRegKnownZero, markRegUnknown, narrowS32 } from "./regs.ts";
import { checkStackBounds, checkStackRangeInitialized, checkStackRead, checkStackWrite } from "./stack.ts";
import type { Reg } from "./state.ts";

/** The access is an instruction's. */
export const ACCESS_DIRECT = 1;
/** By a helper, through a pointer argument. */
export const ACCESS_HELPER = 2;

/** A buffer that a helper fills: with rawMode set, the check leaves regno and accessSize for the caller. */
export interface RawMode {
  rawMode: boolean;
  regno: number;
  accessSize: number;
}

const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_WRONLY_PROG = 1 << 8;
const MAX_PACKET_OFF_SIZE = 1 << 29;

/** Bytes of a BPF_SIZE code. */
export function sizeBytes(bpfSize: number): number {
  return bpfSize === 0x18 ? 8 : bpfSize === 0x00 ? 4 : bpfSize === 0x08 ? 2 : 1;
}

const S64_MIN = -(2 ** 63);

/** One end of the possible range. __check_mem_access(). */
function inRegion(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  memSize: number,
  zeroOk: boolean,
): boolean {
  const sizeOk = size > 0 || (size === 0 && zeroOk);
  if (off >= 0 && sizeOk && off + size <= memSize) return true;
  const R = env.R;
  const reg = env.reg(regno);
  // The kernel's arguments are ints.
  const o = off | 0;
  switch (R.type(reg)) {
    case PTR_TO_MAP_KEY:
      env.verbose(`invalid access to map key, key_size=${memSize} off=${o} size=${size}\n`);
      break;
    case PTR_TO_MAP_VALUE:
      env.verbose(`invalid access to map value, value_size=${memSize} off=${o} size=${size}\n`);
      break;
    case PTR_TO_PACKET:
    case PTR_TO_PACKET_META:
    case PTR_TO_PACKET_END:
      env.verbose(
        `invalid access to packet, off=${o} size=${size}, R${regno}(id=${R.id(reg)},off=${o},r=${memSize})\n`,
      );
      break;
    default:
      env.verbose(`invalid access to memory, mem_size=${memSize >>> 0} off=${o} size=${size}\n`);
  }
  return false;
}

/** check_mem_region_access(): both ends of the pointer's range lie in a region of memSize bytes. */
export function checkMemRegionAccess(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  memSize: number,
  zeroSizeAllowed: boolean,
): void {
  const R = env.R;
  const reg = env.reg(regno);
  const smin = R.smin(reg);
  if (smin < 0 && (smin <= S64_MIN || off + smin < 0)) {
    env.reject(EACCES, `R${regno} min value is negative, either use unsigned index or do a if (index >=0) check.`);
  }
  if (!inRegion(env, regno, smin + off, size, memSize, zeroSizeAllowed)) {
    env.reject(EACCES, `R${regno} min value is outside of the allowed memory range`);
  }
  if (R.umax(reg) >= BPF_MAX_VAR_OFF) {
    env.reject(EACCES, `R${regno} unbounded memory access, make sure to bounds check any such access`);
  }
  if (!inRegion(env, regno, R.umax(reg) + off, size, memSize, zeroSizeAllowed)) {
    env.reject(EACCES, `R${regno} max value is outside of the allowed memory range`);
  }
}

/** __check_ptr_off_reg(): the pointer is as it was given, or at most moved by a constant. */
export function checkPtrOffReg(env: VerifierEnv, reg: Reg, regno: number, fixedOffOk = false): void {
  const R = env.R;
  const name = regTypeStr(R.type(reg));
  const off = R.off(reg);
  if (off < 0) env.reject(EACCES, `negative offset ${name} ptr R${regno} off=${off} disallowed`);
  if (!fixedOffOk && off) env.reject(EACCES, `dereference of modified ${name} ptr R${regno} off=${off} disallowed`);
  if (!R.isConst(reg) || R.value(reg) !== 0) {
    env.reject(EACCES, `variable ${name} access var_off=${tnumStr(env, reg)} disallowed`);
  }
}

/** check_map_access(): bounds of the value, and none of its special fields is touched in the wrong way. */
export function checkMapAccess(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  zeroSizeAllowed: boolean,
  src: number,
): void {
  const map = env.mapOf(env.reg(regno));
  checkMemRegionAccess(env, regno, off, size, map.valueSize, zeroSizeAllowed);
  checkMapRecordAccess(env, regno, map, off, size, src === ACCESS_HELPER);
}

function checkMapAccessType(env: VerifierEnv, regno: number, off: number, size: number, t: number): void {
  const map = env.mapOf(env.reg(regno));
  if (t === BPF_WRITE && map.mapFlags & BPF_F_RDONLY_PROG) {
    env.reject(EACCES, `write into map forbidden, value_size=${map.valueSize} off=${off} size=${size}`);
  }
  if (t === BPF_READ && map.mapFlags & BPF_F_WRONLY_PROG) {
    env.reject(EACCES, `read from map forbidden, value_size=${map.valueSize} off=${off} size=${size}`);
  }
}

/** Program types that may look at packet bytes, and whether they may write them. */
const DIRECT_PKT: Readonly<Record<number, "read" | "write" | "own">> = {
  [BPF_PROG_TYPE_LWT_IN]: "read",
  [BPF_PROG_TYPE_LWT_OUT]: "read",
  [BPF_PROG_TYPE_LWT_SEG6LOCAL]: "read",
  [BPF_PROG_TYPE_SK_REUSEPORT]: "read",
  [BPF_PROG_TYPE_FLOW_DISSECTOR]: "read",
  [BPF_PROG_TYPE_CGROUP_SKB]: "read",
  [BPF_PROG_TYPE_SCHED_CLS]: "write",
  [BPF_PROG_TYPE_SCHED_ACT]: "write",
  [BPF_PROG_TYPE_XDP]: "write",
  [BPF_PROG_TYPE_LWT_XMIT]: "write",
  [BPF_PROG_TYPE_SK_SKB]: "write",
  [BPF_PROG_TYPE_SK_MSG]: "write",
  [BPF_PROG_TYPE_CGROUP_SOCKOPT]: "own",
};

/** may_access_direct_pkt_data(); meta is given for an argument of a helper, which must allow packets. */
export function mayAccessDirectPktData(
  env: VerifierEnv,
  meta: { readonly pktAccess: boolean } | undefined,
  t: number,
): boolean {
  const kind = DIRECT_PKT[env.facts.type];
  if (kind === undefined || (kind === "read" && t === BPF_WRITE)) return false;
  if (kind !== "own" && meta) return meta.pktAccess;
  return true;
}

/** check_packet_access(): inside of what comparisons with data_end have shown. */
export function checkPacketAccess(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  zeroSizeAllowed: boolean,
): void {
  const R = env.R;
  const reg = env.reg(regno);
  if (R.smin(reg) < 0) {
    env.reject(EACCES, `R${regno} min value is negative, either use unsigned index or do a if (index >=0) check.`);
  }
  const range = R.range(reg);
  if (range < 0) env.reject(EINVAL, `R${regno} offset is outside of the packet`);
  if (!inRegion(env, regno, off, size, range, zeroSizeAllowed)) {
    env.reject(EACCES, `R${regno} offset is outside of the packet`);
  }
}

/** tnum(reg) + add is a multiple of size (a power of two)? */
function aligned(env: VerifierEnv, reg: Reg, add: number, size: number): boolean {
  const R = env.R;
  return (((R.valueLo(reg) + add) | R.maskLo(reg)) & (size - 1)) === 0;
}

const ALIGN_NAMES: Readonly<Record<number, string>> = {
  [PTR_TO_FLOW_KEYS]: "flow keys ",
  [PTR_TO_MAP_KEY]: "key ",
  [PTR_TO_MAP_VALUE]: "value ",
  [PTR_TO_CTX]: "context ",
  [PTR_TO_STACK]: "stack ",
  [PTR_TO_SOCKET]: "sock ",
  [PTR_TO_SOCK_COMMON]: "sock_common ",
  [PTR_TO_TCP_SOCK]: "tcp_sock ",
  [PTR_TO_XDP_SOCK]: "xdp_sock ",
};

/** check_ptr_alignment(): the stack always, everything else when asked for. */
export function checkPtrAlignment(env: VerifierEnv, reg: Reg, off: number, size: number, strictOnce: boolean): void {
  const R = env.R;
  const type = R.type(reg);
  if (size === 1 || type === PTR_TO_ARENA) return;
  const strict = env.strictAlignment || strictOnce || type === PTR_TO_STACK;
  if (!strict) return;
  if (isPktPointer(type)) {
    // Packets start 2 bytes behind a 4-byte boundary (NET_IP_ALIGN).
    if (!aligned(env, reg, 2 + R.off(reg) + off, size)) {
      env.reject(EACCES, `misaligned packet access off 2+${tnumStr(env, reg)}+${R.off(reg)}+${off} size ${size}`);
    }
    return;
  }
  if (!aligned(env, reg, R.off(reg) + off, size)) {
    env.reject(
      EACCES,
      `misaligned ${ALIGN_NAMES[type] ?? ""}access off ${tnumStr(env, reg)}+${R.off(reg)}+${off} size ${size}`,
    );
  }
}

function leaks(env: VerifierEnv, t: number, valueRegno: number, where: string): void {
  if (t === BPF_WRITE && valueRegno >= 0 && isPointerValue(env, valueRegno)) {
    env.reject(EACCES, `R${valueRegno} leaks addr into ${where}`);
  }
}

function unknownOnRead(env: VerifierEnv, t: number, valueRegno: number): void {
  if (t === BPF_READ && valueRegno >= 0) markRegUnknown(env, env.reg(valueRegno));
}

/** A value loaded from a frozen read-only map is a constant. bpf_map_direct_read(). */
function directRead(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  valueRegno: number,
  isLdsx: boolean,
): boolean {
  const R = env.R;
  const reg = env.reg(regno);
  const map = env.mapOf(reg);
  if (!R.isConst(reg) || !map.frozen || !(map.mapFlags & BPF_F_RDONLY_PROG) || !map.directValue) return false;
  const bytes = map.readValue?.(off + R.value(reg), size);
  if (!bytes) return false;
  let lo = 0;
  let hi = 0;
  for (let i = 0; i < size; i++) {
    if (i < 4) lo |= bytes[i] << (8 * i);
    else hi |= bytes[i] << (8 * (i - 4));
  }
  if (isLdsx && size < 8) {
    if (size < 4) lo = (lo << (32 - 8 * size)) >> (32 - 8 * size);
    hi = lo < 0 ? -1 : 0;
  }
  const dst = env.reg(valueRegno);
  markRegKnownZero(env, dst);
  R.setType(dst, SCALAR_VALUE);
  R.setConst64(dst, lo, hi);
  return true;
}

function accessMapValue(
  env: VerifierEnv,
  insnIdx: number,
  regno: number,
  off: number,
  size: number,
  t: number,
  valueRegno: number,
  isLdsx: boolean,
): void {
  leaks(env, t, valueRegno, "map");
  checkMapAccessType(env, regno, off, size, t);
  checkMapAccess(env, regno, off, size, false, ACCESS_DIRECT);
  const kptr = kptrFieldOfAccess(env, regno, off);
  if (kptr) checkKptrAccess(env, valueRegno, insnIdx, kptr);
  else if (t === BPF_READ && valueRegno >= 0 && !directRead(env, regno, off, size, valueRegno, isLdsx)) {
    markRegUnknown(env, env.reg(valueRegno));
  }
}

function accessMem(env: VerifierEnv, regno: number, off: number, size: number, t: number, valueRegno: number): void {
  const R = env.R;
  const reg = env.reg(regno);
  const type = R.type(reg);
  const rdonly = (type & MEM_RDONLY) !== 0;
  if (typeMayBeNull(type)) env.reject(EACCES, `R${regno} invalid mem access '${regTypeStr(type)}'`);
  if (t === BPF_WRITE && rdonly) env.reject(EACCES, `R${regno} cannot write into ${regTypeStr(type)}`);
  leaks(env, t, valueRegno, "mem");
  // Untrusted memory is read by loads that survive a bad address.
  if (!(rdonly && type & PTR_UNTRUSTED)) checkMemRegionAccess(env, regno, off, size, R.memSize(reg), false);
  if (valueRegno >= 0 && (t === BPF_READ || rdonly)) markRegUnknown(env, env.reg(valueRegno));
}

function accessCtx(
  env: VerifierEnv,
  insnIdx: number,
  regno: number,
  off: number,
  size: number,
  t: number,
  valueRegno: number,
  isLdsx: boolean,
): void {
  const R = env.R;
  leaks(env, t, valueRegno, "ctx");
  checkPtrOffReg(env, env.reg(regno), regno);
  const access = checkCtxAccess(env, insnIdx, off, size, t, isLdsx);
  env.maxCtxOffset = Math.max(env.maxCtxOffset, off + size);
  if (t !== BPF_READ || valueRegno < 0) return;
  const dst = env.reg(valueRegno);
  if (access.regType === SCALAR_VALUE) {
    markRegUnknown(env, dst);
    const range = access.retvalRange;
    if (range) narrowS32(env, dst, range.min, range.max, "s32_range");
    return;
  }
  markRegKnownZero(env, dst);
  R.setPrecise(dst, false);
  if (typeMayBeNull(access.regType)) R.setId(dst, ++env.idGen);
  if (baseType(access.regType) === PTR_TO_BTF_ID && access.btf) {
    R.setBtf(dst, env.btfIndex(access.btf), access.btfId);
    R.setRefObjId(dst, access.refObjId);
  }
  R.setType(dst, access.regType);
}

function checkBuffer(env: VerifierEnv, what: string, regno: number, off: number, size: number): void {
  const R = env.R;
  const reg = env.reg(regno);
  if (off < 0) env.reject(EACCES, `R${regno} invalid ${what} buffer access: off=${off}, size=${size}`);
  if (!R.isConst(reg) || R.value(reg) !== 0) {
    env.reject(EACCES, `R${regno} invalid variable buffer offset: off=${off}, var_off=${tnumStr(env, reg)}`);
  }
}

/** check_buffer_access(): the size of the buffer is known only when the program attaches. */
function useBuffer(
  env: VerifierEnv,
  what: keyof VerifierEnv["bufAccess"],
  regno: number,
  off: number,
  size: number,
): void {
  checkBuffer(env, what, regno, off, size);
  env.bufAccess[what] = Math.max(env.bufAccess[what], off + size);
}

function accessBuf(env: VerifierEnv, regno: number, off: number, size: number, t: number, valueRegno: number): void {
  const type = env.R.type(env.reg(regno));
  const rdonly = (type & MEM_RDONLY) !== 0;
  if (rdonly && t === BPF_WRITE) env.reject(EACCES, `R${regno} cannot write into ${regTypeStr(type)}`);
  useBuffer(env, rdonly ? "rdonly" : "rdwr", regno, off, size);
  if (valueRegno >= 0 && (rdonly || t === BPF_READ)) markRegUnknown(env, env.reg(valueRegno));
}

/** sizeof(struct bpf_flow_keys). */
const FLOW_KEYS_SIZE = 56;

/**
 * check_mem_access(): a load into, or a store of, register valueRegno (-1: of something else) at *(regno + off).
 *
 * @param bpfSize BPF_B, BPF_H, BPF_W or BPF_DW
 * @param t BPF_READ or BPF_WRITE
 */
export function checkMemAccess(
  env: VerifierEnv,
  insnIdx: number,
  regno: number,
  insnOff: number,
  bpfSize: number,
  t: number,
  valueRegno: number,
  strictAlignmentOnce: boolean,
  isLdsx: boolean,
): void {
  const R = env.R;
  const reg = env.reg(regno);
  const size = sizeBytes(bpfSize);
  checkPtrAlignment(env, reg, insnOff, size, strictAlignmentOnce);
  const off = insnOff + R.off(reg);
  const type = R.type(reg);
  const base = baseType(type);
  if (type === PTR_TO_STACK) {
    checkStackBounds(env, regno, off, size, t);
    if (t === BPF_READ) checkStackRead(env, regno, off, size, valueRegno);
    else checkStackWrite(env, regno, off, size, valueRegno, insnIdx);
  } else if (isPktPointer(type)) {
    if (t === BPF_WRITE && !mayAccessDirectPktData(env, undefined, t)) env.reject(EACCES, "cannot write into packet");
    leaks(env, t, valueRegno, "packet");
    checkPacketAccess(env, regno, off, size, false);
    unknownOnRead(env, t, valueRegno);
  } else if (type === PTR_TO_MAP_VALUE) {
    accessMapValue(env, insnIdx, regno, off, size, t, valueRegno, isLdsx);
  } else if (type === PTR_TO_CTX) {
    accessCtx(env, insnIdx, regno, off, size, t, valueRegno, isLdsx);
  } else if (type === PTR_TO_MAP_KEY) {
    if (t === BPF_WRITE) env.reject(EACCES, `write to change key R${regno} not allowed`);
    checkMemRegionAccess(env, regno, off, size, env.mapOf(reg).keySize, false);
    if (valueRegno >= 0) markRegUnknown(env, env.reg(valueRegno));
  } else if (base === PTR_TO_MEM) {
    accessMem(env, regno, off, size, t, valueRegno);
  } else if (type === PTR_TO_FLOW_KEYS) {
    leaks(env, t, valueRegno, "flow keys");
    if (size < 0 || off < 0 || off + size > FLOW_KEYS_SIZE) {
      env.reject(EACCES, `invalid access to flow keys off=${off} size=${size}`);
    }
    unknownOnRead(env, t, valueRegno);
  } else if (isSkPointer(type)) {
    if (t === BPF_WRITE) env.reject(EACCES, `R${regno} cannot write into ${regTypeStr(type)}`);
    checkSockAccess(env, insnIdx, regno, off, size, t);
    if (valueRegno >= 0) markRegUnknown(env, env.reg(valueRegno));
  } else if (type === PTR_TO_TP_BUFFER) {
    useBuffer(env, "tracepoint", regno, off, size);
    unknownOnRead(env, t, valueRegno);
  } else if (base === PTR_TO_BTF_ID && !typeMayBeNull(type)) {
    checkPtrToBtfAccess(env, regno, off, size, t, valueRegno);
  } else if (type === CONST_PTR_TO_MAP) {
    checkPtrToMapAccess(env, regno, off, size, t, valueRegno);
  } else if (base === PTR_TO_BUF && !typeMayBeNull(type)) {
    accessBuf(env, regno, off, size, t, valueRegno);
  } else if (type === PTR_TO_ARENA) {
    unknownOnRead(env, t, valueRegno);
  } else {
    env.reject(EACCES, `R${regno} invalid mem access '${regTypeStr(type)}'`);
  }
  if (size < 8 && valueRegno >= 0 && t === BPF_READ) {
    const dst = env.reg(valueRegno);
    if (R.type(dst) !== SCALAR_VALUE) return;
    if (isLdsx) R.wasm.coerce_sx(dst, size);
    else R.wasm.coerce(dst, size);
  }
}

/** check_helper_mem_access(): `size` bytes at register regno, given to a helper or kfunc. */
export function checkHelperMemAccess(
  env: VerifierEnv,
  regno: number,
  size: number,
  t: number,
  zeroSizeAllowed: boolean,
  meta?: RawMode,
): void {
  const R = env.R;
  const reg = env.reg(regno);
  const type = R.type(reg);
  const off = R.off(reg);
  switch (baseType(type)) {
    case PTR_TO_PACKET:
    case PTR_TO_PACKET_META:
      checkPacketAccess(env, regno, off, size, zeroSizeAllowed);
      return;
    case PTR_TO_MAP_KEY:
      if (t === BPF_WRITE) env.reject(EACCES, `R${regno} cannot write into ${regTypeStr(type)}`);
      checkMemRegionAccess(env, regno, off, size, env.mapOf(reg).keySize, false);
      return;
    case PTR_TO_MAP_VALUE:
      checkMapAccessType(env, regno, off, size, t);
      checkMapAccess(env, regno, off, size, zeroSizeAllowed, ACCESS_HELPER);
      return;
    case PTR_TO_MEM:
      if (type & MEM_RDONLY && t === BPF_WRITE) env.reject(EACCES, `R${regno} cannot write into ${regTypeStr(type)}`);
      checkMemRegionAccess(env, regno, off, size, R.memSize(reg), zeroSizeAllowed);
      return;
    case PTR_TO_BUF: {
      const rdonly = (type & MEM_RDONLY) !== 0;
      if (rdonly && t === BPF_WRITE) env.reject(EACCES, `R${regno} cannot write into ${regTypeStr(type)}`);
      useBuffer(env, rdonly ? "rdonly" : "rdwr", regno, off, size);
      return;
    }
    case PTR_TO_STACK:
      checkStackRangeInitialized(env, regno, off, size, zeroSizeAllowed, t, meta);
      return;
    case PTR_TO_BTF_ID:
      checkPtrToBtfAccess(env, regno, off, size, BPF_READ, -1);
      return;
    case PTR_TO_CTX:
      // Contexts that are what they seem may be given as memory.
      if (env.facts.ctxIsPlainMemory) {
        if (size === 0) {
          if (zeroSizeAllowed) return;
          env.rejectSilently(EACCES);
        }
        checkMemAccess(env, env.insnIdx, regno, size - 1, 0x10, t, -1, false, false);
        return;
      }
  }
  if (zeroSizeAllowed && size === 0 && R.isNull(reg)) return;
  env.reject(EACCES, `R${regno} type=${regTypeStr(type)} expected=${regTypeStr(PTR_TO_STACK)}`);
}

/** check_mem_size_reg(): `reg` (number regno) is the size of the memory in register regno - 1. */
export function checkMemSizeReg(
  env: VerifierEnv,
  reg: Reg,
  regno: number,
  t: number,
  zeroSizeAllowed: boolean,
  meta?: RawMode,
): void {
  const R = env.R;
  // An unknown size: not all of it is written, so it must be initialised.
  const raw = R.isConst(reg) ? meta : undefined;
  if (R.smin(reg) < 0) {
    env.reject(EACCES, `R${regno} min value is negative, either use unsigned or 'var &= const'`);
  }
  if (R.umin(reg) === 0 && !zeroSizeAllowed) {
    env.reject(
      EACCES,
      `R${regno} invalid zero-sized read: u64=[${R.big(reg + R_UMIN, true)},${R.big(reg + R_UMAX, true)}]`,
    );
  }
  if (R.umax(reg) >= MAX_PACKET_OFF_SIZE) {
    env.reject(EACCES, `R${regno} unbounded memory access, use 'var &= const' or 'if (var < const)'`);
  }
  checkHelperMemAccess(env, regno - 1, R.umax(reg), t, zeroSizeAllowed, raw);
  markChainPrecision(env, regno);
}

/** check_mem_reg(): memory of a known size that a callee reads and writes; NULL passes. */
export function checkMemReg(env: VerifierEnv, reg: Reg, regno: number, memSize: number): void {
  const R = env.R;
  if (R.isNull(reg)) return;
  const maybeNull = (R.type(reg) & PTR_MAYBE_NULL) !== 0;
  const saved = env.fakeReg[3];
  if (maybeNull) {
    R.copyReg(saved, reg);
    markPtrNotNull(env, reg);
  }
  checkHelperMemAccess(env, regno, memSize, BPF_READ, true);
  checkHelperMemAccess(env, regno, memSize, BPF_WRITE, true);
  if (maybeNull) R.copyReg(reg, saved);
}
