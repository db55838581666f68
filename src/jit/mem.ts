/**
 * Loads, stores and atomics.
 *
 * An address is the low half of a register; offsets that are not negative become WebAssembly's constant offset, which does
 * not wrap. Frame accesses count from the lower end of the frame. Three levels of trust:
 *
 *     verified            nothing is checked; WebAssembly bounds the access to the linear memory
 *     PROBE_MEM load      yields 0 outside [64 KiB, end of memory), as Linux's exception table does
 *     unverified image    an address with upper bits or below 64 KiB is a fault
 */
import { FIRST_VADDR } from "../interp/env.ts";
import {
  BPF_ADD,
  BPF_AND,
  BPF_CLASS,
  BPF_CMPXCHG,
  BPF_FETCH,
  BPF_JMP,
  BPF_LOAD_ACQ,
  BPF_MEMSX,
  BPF_MODE,
  BPF_OR,
  BPF_REG_FP,
  BPF_ST,
  BPF_STORE_REL,
  BPF_XCHG,
  BPF_XOR,
  sizeBytes,
} from "../isa/opcodes.ts";
import { type MemOp, OP, type PlainOp } from "../wasm/opcodes.ts";
import { slotsOf } from "./cfg.ts";
import { FAULT } from "./faults.ts";
import type { FuncGen } from "./func.ts";
import { isInlineLookup } from "./inline.ts";

const LOAD: Record<number, MemOp> = { 1: OP.i64_load8_u, 2: OP.i64_load16_u, 4: OP.i64_load32_u, 8: OP.i64_load };
const LOAD_SX: Record<number, MemOp> = { 1: OP.i64_load8_s, 2: OP.i64_load16_s, 4: OP.i64_load32_s };
const STORE: Record<number, MemOp> = { 1: OP.i64_store8, 2: OP.i64_store16, 4: OP.i64_store32, 8: OP.i64_store };
const ATOMIC_LOAD: Record<number, MemOp> = {
  1: OP.i64_atomic_load8_u,
  2: OP.i64_atomic_load16_u,
  4: OP.i64_atomic_load32_u,
  8: OP.i64_atomic_load,
};
const ATOMIC_STORE: Record<number, MemOp> = {
  1: OP.i64_atomic_store8,
  2: OP.i64_atomic_store16,
  4: OP.i64_atomic_store32,
  8: OP.i64_atomic_store,
};

/** By imm without BPF_FETCH: the operation on i64, and the real atomics of 8 and of 4 bytes. */
const RMW: Record<number, readonly [plain: PlainOp | undefined, wide: MemOp, narrow: MemOp]> = {
  [BPF_ADD]: [OP.i64_add, OP.i64_atomic_rmw_add, OP.i64_atomic_rmw32_add_u],
  [BPF_AND]: [OP.i64_and, OP.i64_atomic_rmw_and, OP.i64_atomic_rmw32_and_u],
  [BPF_OR]: [OP.i64_or, OP.i64_atomic_rmw_or, OP.i64_atomic_rmw32_or_u],
  [BPF_XOR]: [OP.i64_xor, OP.i64_atomic_rmw_xor, OP.i64_atomic_rmw32_xor_u],
  [BPF_XCHG & ~BPF_FETCH]: [undefined, OP.i64_atomic_rmw_xchg, OP.i64_atomic_rmw32_xchg_u],
};

/** Pushes the i32 address of reg + off. @returns the constant offset for the access */
function pushAddress(f: FuncGen, reg: number, off: number): number {
  const { code } = f;
  if (reg === BPF_REG_FP && off < 0 && f.frameBytes + off >= 0) {
    code.get(f.base);
    return f.frameBytes + off;
  }
  if (f.module.unverified) {
    const addr = f.temp("address");
    f.get64(reg);
    code.i64(off);
    code.op(OP.i64_add);
    code.tee(addr);
    code.i64(FIRST_VADDR);
    code.op(OP.i64_sub);
    code.i64Halves(-FIRST_VADDR, 0);
    code.op(OP.i64_ge_u);
    code.if();
    f.fault(FAULT.address);
    code.end();
    code.get(addr);
    code.op(OP.i32_wrap_i64);
    return 0;
  }
  f.get32(reg);
  if (off >= 0) return off;
  code.i32(off);
  code.op(OP.i32_add);
  return 0;
}

/** Class LDX. */
export function emitLoad(f: FuncGen, i: number): void {
  const { insns, probeMem } = f.module.image;
  const size = sizeBytes(insns.code[i]);
  const signed = BPF_MODE(insns.code[i]) === BPF_MEMSX;
  const op = (signed ? LOAD_SX : LOAD)[size];
  const dst = insns.dst[i];
  if (probeMem?.[i]) emitProbe(f, insns.src[i], insns.off[i], size, op);
  else f.code.mem(op, pushAddress(f, insns.src[i], insns.off[i]));
  f.set64(dst, size < 8 && !signed);
}

/** Leaves the value, or 0 when [address, address + size) is not all in [64 KiB, end of memory). */
function emitProbe(f: FuncGen, reg: number, off: number, size: number, op: MemOp): void {
  const { code } = f;
  const addr = f.temp("address");
  f.get64(reg);
  code.i64(off);
  code.op(OP.i64_add);
  code.tee(addr);
  code.i64(FIRST_VADDR);
  code.op(OP.i64_sub);
  code.memorySize();
  code.op(OP.i64_extend_i32_u);
  code.i64(16);
  code.op(OP.i64_shl);
  code.i64(FIRST_VADDR + size - 1);
  code.op(OP.i64_sub);
  code.op(OP.i64_lt_u);
  code.if("i64");
  code.get(addr);
  code.op(OP.i32_wrap_i64);
  code.mem(op);
  code.else();
  code.i64(0);
  code.end();
}

/** Classes ST and STX, mode MEM. */
export function emitStore(f: FuncGen, i: number): void {
  const { insns } = f.module.image;
  const size = sizeBytes(insns.code[i]);
  const isConst = BPF_CLASS(insns.code[i]) === BPF_ST;
  noteStore(f, i, size, isConst);
  const offset = pushAddress(f, insns.dst[i], insns.off[i]);
  if (isConst) f.code.i64(insns.imm[i]);
  else f.get64(insns.src[i]);
  f.code.mem(STORE[size], offset);
}

/**
 * Keeps a word that goes to the frame, in case it is the key of a lookup further on in the block: reading it back would
 * wait for the store.
 */
function noteStore(f: FuncGen, i: number, size: number, isConst: boolean): void {
  const { insns } = f.module.image;
  const base = insns.dst[i];
  const at = f.frameOff[base] + insns.off[i];
  const known = f.stackWord;
  if (!f.pointsToFrame(base) || (known && at < known.off + 4 && known.off < at + size)) f.stackWord = undefined;
  if (!f.pointsToFrame(base) || size !== 4 || !looksUpArray(f, i + 1)) return;
  const local = f.temp("word32");
  if (isConst) f.code.i32(insns.imm[i]);
  else f.get32(insns.src[i]);
  f.code.set(local);
  f.stackWord = { off: at, local };
}

/** Whether the next call in the block is a lookup that inline.ts writes out. */
function looksUpArray(f: FuncGen, from: number): boolean {
  const { calls, insns } = f.module.image;
  for (let i = from; i < f.blockEnd; i += slotsOf(insns, i)) {
    if (BPF_CLASS(insns.code[i]) !== BPF_JMP) continue;
    const target = calls.get(i);
    return target !== undefined && isInlineLookup(target);
  }
  return false;
}

/** Class STX, mode ATOMIC. While no other CPU sees the memory, plain accesses do: they are 20 times faster. */
export function emitAtomic(f: FuncGen, i: number): void {
  const { code, dst, src, off, imm } = f.module.image.insns;
  const size = sizeBytes(code[i]);
  const { shared } = f.module;
  f.stackWord = undefined;
  if (imm[i] === BPF_LOAD_ACQ) {
    f.code.mem((shared ? ATOMIC_LOAD : LOAD)[size], pushAddress(f, src[i], off[i]));
    f.set64(dst[i], size < 8);
  } else if (imm[i] === BPF_STORE_REL) {
    const offset = pushAddress(f, dst[i], off[i]);
    f.get64(src[i]);
    f.code.mem((shared ? ATOMIC_STORE : STORE)[size], offset);
  } else if (imm[i] === BPF_CMPXCHG) emitCompareExchange(f, dst[i], src[i], off[i], size);
  else if (shared) {
    const [, wide, narrow] = RMW[imm[i] & ~BPF_FETCH];
    const offset = pushAddress(f, dst[i], off[i]);
    f.get64(src[i]);
    f.code.mem(size === 8 ? wide : narrow, offset);
    if (imm[i] & BPF_FETCH) f.set64(src[i], size === 4);
    else f.code.op(OP.drop);
  } else emitReadModifyWrite(f, i, size);
}

function emitReadModifyWrite(f: FuncGen, i: number, size: number): void {
  const { dst, src, off, imm } = f.module.image.insns;
  const { code } = f;
  const [plain] = RMW[imm[i] & ~BPF_FETCH];
  const addr = f.temp("a32");
  const old = f.temp("old");
  const offset = pushAddress(f, dst[i], off[i]);
  code.tee(addr);
  code.get(addr);
  code.mem(LOAD[size], offset);
  code.tee(old);
  if (plain === undefined) {
    code.op(OP.drop);
    f.get64(src[i]);
  } else {
    f.get64(src[i]);
    code.op(plain);
  }
  code.mem(STORE[size], offset);
  if (!(imm[i] & BPF_FETCH)) return;
  code.get(old);
  f.set64(src[i], size === 4);
}

/** r0 = what was there; the memory takes src when that was equal to r0, in the width of the access. */
function emitCompareExchange(f: FuncGen, dst: number, src: number, off: number, size: number): void {
  const { code } = f;
  const pushExpected = (): void => {
    f.get64(0);
    if (size === 8 || f.isZeroExtended(0)) return;
    code.i64Halves(-1, 0);
    code.op(OP.i64_and);
  };
  const offset = pushAddress(f, dst, off);
  if (f.module.shared) {
    pushExpected();
    f.get64(src);
    code.mem(size === 8 ? OP.i64_atomic_rmw_cmpxchg : OP.i64_atomic_rmw32_cmpxchg_u, offset);
  } else {
    const addr = f.temp("a32");
    const old = f.temp("old");
    code.tee(addr);
    code.mem(LOAD[size], offset);
    code.tee(old);
    pushExpected();
    code.op(OP.i64_eq);
    code.if();
    code.get(addr);
    f.get64(src);
    code.mem(STORE[size], offset);
    code.end();
    code.get(old);
  }
  f.set64(0, size === 4);
}
