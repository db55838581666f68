/**
 * The stack: spills and fills of registers, bytes that are numbers (misc), zero or nothing, variable offsets, and what
 * helpers may read and write.
 *
 * Source   kernel/bpf/verifier.c: check_stack_access_within_bounds, check_stack_write_*, check_stack_read_*,
 *          check_stack_range_initialized.
 */
import { EACCES, EFAULT, EINVAL } from "../abi/errno.ts";
import { BPF_MAX_VAR_OFF, regWidth } from "./alu.ts";
import { destroyIfDynptrStackSlot } from "./dynptr.ts";
import { FASTCALL_PATTERN, type VerifierEnv } from "./env.ts";
import { pushJmpHistory, stackAccessFlags } from "./jmp_history.ts";
import { F_SUBPROGNO, MAX_BPF_STACK } from "./layout.ts";
import type { RawMode } from "./mem.ts";
import { markChainPrecision } from "./precision.ts";
import { tnumStr } from "./print_state.ts";
import {
  BPF_READ,
  BPF_WRITE,
  baseType,
  CONST_PTR_TO_DYNPTR,
  NOT_INIT,
  PTR_TO_STACK,
  PTR_TO_TP_BUFFER,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_IRQ_FLAG,
  STACK_ITER,
  STACK_MISC,
  STACK_SPILL,
  STACK_ZERO,
} from "./reg_type.ts";
import { assignScalarIdBeforeMov, clearScalarId, markRegConst, markRegConstZero, markRegUnknown } from "./regs.ts";
import type { Frame, Reg } from "./state.ts";

/** Slot that byte `off` (negative, from the frame pointer) is in. */
export function spiOf(off: number): number {
  return (-off - 1) >> 3;
}

/** Byte 0..7 of its slot; 7 is the lowest address. */
function byteOf(off: number): number {
  return (-off - 1) & 7;
}

/** Frame that a PTR_TO_STACK points into. */
export function frameOf(env: VerifierEnv, reg: Reg): Frame {
  return env.cur.frames[env.R.regFrameno(reg)];
}

function isSpillable(type: number): boolean {
  const base = baseType(type);
  return base !== NOT_INIT && base !== SCALAR_VALUE && base !== PTR_TO_TP_BUFFER && base !== CONST_PTR_TO_DYNPTR;
}

/** check_stack_access_within_bounds(): the access lies in the frame; the stack grows to hold it. */
export function checkStackBounds(env: VerifierEnv, regno: number, off: number, size: number, t: number): void {
  const R = env.R;
  const reg = env.reg(regno);
  const frame = frameOf(env, reg);
  const what = t === BPF_READ ? " read from" : " write to";
  const fixed = R.isConst(reg);
  let min: number;
  let max: number;
  if (fixed) {
    min = R.value(reg) + off;
    max = min + size;
  } else {
    if (R.smax(reg) >= BPF_MAX_VAR_OFF || R.smin(reg) <= -BPF_MAX_VAR_OFF) {
      env.reject(EACCES, `invalid unbounded variable-offset${what} stack R${regno}`);
    }
    min = R.smin(reg) + off;
    max = R.smax(reg) + off + size;
  }
  const lowest = t === BPF_WRITE || env.allowUninitStack ? -MAX_BPF_STACK : -8 * R.stackSlots(frame);
  let errno: 0 | 13 | 14 | 22 = 0;
  if (min < lowest || min > -1) errno = EACCES;
  else if (max > 0) errno = EINVAL;
  else if (size < 0) errno = EFAULT;
  if (errno) {
    env.reject(
      errno,
      fixed
        ? `invalid${what} stack R${regno} off=${off} size=${size}`
        : `invalid variable-offset${what} stack R${regno} var_off=${tnumStr(env, reg)} off=${off} size=${size}`,
    );
  }
  growStack(env, frame, -min);
}

/** grow_stack_state(): `bytes` below the frame pointer are in use. */
function growStack(env: VerifierEnv, frame: Frame, bytes: number): void {
  const R = env.R;
  R.growStack(frame, (bytes + 7) >> 3);
  const subprog = env.subprogs[R.get(frame, F_SUBPROGNO)];
  const rounded = (bytes + 7) & ~7;
  if (subprog.stackDepth < rounded) subprog.stackDepth = rounded;
}

/** A spill pattern around a call that compilers emit and the kernel drops; touching its slots otherwise forbids that. */
function checkFastcallContract(env: VerifierEnv, frame: Frame, insnIdx: number, off: number): void {
  const subprog = env.subprogs[env.R.get(frame, F_SUBPROGNO)];
  if (subprog.fastcallStackOff <= off || env.has(insnIdx, FASTCALL_PATTERN)) return;
  subprog.fastcallStackOff = -32768;
  for (let i = subprog.start; i < subprog.end; i++) {
    env.fastcallSpills[i] = 0;
    env.insnFlags[i] &= ~FASTCALL_PATTERN;
  }
}

/** Bytes of a slot that a narrow spill does not cover become misc, unless they are surely uninitialised or zero. */
function markSlotMisc(env: VerifierEnv, frame: Frame, spi: number, byte: number): void {
  const t = env.R.slotType(frame, spi, byte);
  if (t === STACK_ZERO || t === STACK_INVALID) return;
  env.R.setSlotType(frame, spi, byte, STACK_MISC);
}

function saveRegister(env: VerifierEnv, frame: Frame, spi: number, reg: Reg, size: number): void {
  const R = env.R;
  R.copyReg(R.slotAt(frame, spi), reg);
  let i = 8;
  for (; i > 8 - size; i--) R.setSlotType(frame, spi, i - 1, STACK_SPILL);
  for (; i; i--) markSlotMisc(env, frame, spi, i - 1);
}

function isSpilled(env: VerifierEnv, frame: Frame, spi: number): boolean {
  return env.R.slotType(frame, spi, 7) === STACK_SPILL;
}

function isSpilledScalar(env: VerifierEnv, frame: Frame, spi: number): boolean {
  return isSpilled(env, frame, spi) && env.R.type(env.R.slotAt(frame, spi)) === SCALAR_VALUE;
}

/** A spilled register, dynptr, iterator or irq flag that is partly overwritten is none any more. */
function scrubSpecialSlot(env: VerifierEnv, frame: Frame, spi: number): void {
  const R = env.R;
  R.setType(R.slotAt(frame, spi), NOT_INIT);
  const t = R.slotType(frame, spi, 7);
  if (t === STACK_SPILL || t === STACK_DYNPTR || t === STACK_ITER || t === STACK_IRQ_FLAG) {
    for (let i = 0; i < 8; i++) scrubByte(env, frame, spi, i);
  }
}

function scrubByte(env: VerifierEnv, frame: Frame, spi: number, byte: number): void {
  if (env.R.slotType(frame, spi, byte) !== STACK_INVALID) env.R.setSlotType(frame, spi, byte, STACK_MISC);
}

/** `*(r10 + off) = value`: valueRegno < 0 is a constant (ST) or a read-modify-write. */
export function checkStackWrite(
  env: VerifierEnv,
  ptrRegno: number,
  off: number,
  size: number,
  valueRegno: number,
  insnIdx: number,
): void {
  const R = env.R;
  const ptr = env.reg(ptrRegno);
  const frame = frameOf(env, ptr);
  if (R.isConst(ptr)) writeFixed(env, frame, off + R.value(ptr), size, valueRegno, insnIdx);
  else writeVarOff(env, frame, ptr, off, size, valueRegno, insnIdx);
}

function isStMem(env: VerifierEnv, insnIdx: number): boolean {
  return (env.insns.code[insnIdx] & 0xe7) === 0x62;
}

function writeFixed(
  env: VerifierEnv,
  frame: Frame,
  off: number,
  size: number,
  valueRegno: number,
  insnIdx: number,
): void {
  const R = env.R;
  const spi = spiOf(off);
  const frameno = R.frameno(frame);
  const reg = valueRegno >= 0 ? env.reg(valueRegno) : 0;
  const scalarSlot = isSpilledScalar(env, frame, spi);
  if (!env.allowPtrLeaks && isSpilled(env, frame, spi) && !scalarSlot && size !== 8) {
    env.reject(EACCES, "attempt to corrupt spilled pointer on stack");
  }
  if (!env.bypassSpecV4) markStackSpillBarrier(env, frame, off, size, reg, insnIdx);
  destroyIfDynptrStackSlot(env, frame, spi);
  checkFastcallContract(env, frame, insnIdx, off);
  env.scratchSlot(spi);
  const aligned = (off & 7) === 0;
  if (aligned && size === 8) env.stackLive.markWriteSlot(frameno, spi);
  let note = true;
  if (reg && aligned && R.type(reg) === SCALAR_VALUE && env.bpfCapable) {
    const fits = regWidth(env, reg) <= 8 * size;
    if (fits) assignScalarIdBeforeMov(env, reg);
    saveRegister(env, frame, spi, reg, size);
    // A narrower copy is another number.
    if (!fits) R.setId(R.slotAt(frame, spi), 0);
  } else if (!reg && aligned && isStMem(env, insnIdx) && env.bpfCapable) {
    const tmp = env.fakeReg[0];
    R.zeroReg(tmp);
    markRegConst(env, tmp, env.insns.imm[insnIdx]);
    saveRegister(env, frame, spi, tmp, size);
  } else if (reg && isSpillable(R.type(reg))) {
    if (size !== 8) {
      env.verboseLine(insnIdx, "; ");
      env.reject(EACCES, "invalid size of register spill");
    }
    if (frame !== env.cur.frame && R.type(reg) === PTR_TO_STACK) {
      env.reject(EINVAL, "cannot spill pointers to stack into stack frame of the caller");
    }
    saveRegister(env, frame, spi, reg, size);
  } else {
    let type = STACK_MISC;
    scrubSpecialSlot(env, frame, spi);
    const zero = reg ? R.isNull(reg) : isStMem(env, insnIdx) && env.insns.imm[insnIdx] === 0;
    if (zero) {
      // STACK_ZERO has no precision of its own, so the register must be precise now.
      markChainPrecision(env, valueRegno);
      type = STACK_ZERO;
    }
    for (let i = 0; i < size; i++) R.setSlotType(frame, spi, byteOf(off + i), type);
    note = false;
  }
  if (note) pushJmpHistory(env, env.cur, stackAccessFlags(frameno, spi));
}

/** Spilled pointers, and slots that held something else, need a barrier after the store (Spectre v4). */
function markStackSpillBarrier(
  env: VerifierEnv,
  frame: Frame,
  off: number,
  size: number,
  reg: Reg,
  insnIdx: number,
): void {
  let sanitize = reg !== 0 && isSpillable(env.R.type(reg));
  for (let i = 0; i < size && !sanitize; i++) {
    const t = env.R.slotType(frame, spiOf(off), byteOf(off + i));
    sanitize = t !== STACK_MISC && t !== STACK_ZERO;
  }
  if (sanitize) env.markNospecResult(insnIdx);
}

function writeVarOff(
  env: VerifierEnv,
  frame: Frame,
  ptr: Reg,
  off: number,
  size: number,
  valueRegno: number,
  insnIdx: number,
): void {
  const R = env.R;
  const min = R.smin(ptr) + off;
  const max = R.smax(ptr) + off + size;
  const value = valueRegno >= 0 ? env.reg(valueRegno) : 0;
  const zero = value ? R.isNull(value) : isStMem(env, insnIdx) && env.insns.imm[insnIdx] === 0;
  let zeroUsed = false;
  for (let i = min; i < max; i++) destroyIfDynptrStackSlot(env, frame, spiOf(i));
  checkFastcallContract(env, frame, insnIdx, min);
  for (let i = min; i < max; i++) {
    const spi = spiOf(i);
    const byte = byteOf(i);
    const t = R.slotType(frame, spi, byte);
    env.scratchSlot(spi);
    if (!env.allowPtrLeaks && t !== STACK_MISC && t !== STACK_ZERO) {
      env.reject(EINVAL, `spilled ptr in range of var-offset stack write; insn ${insnIdx}, ptr off: ${i}`);
    }
    if (zero && t === STACK_SPILL && isSpilledScalar(env, frame, spi) && R.isNull(R.slotAt(frame, spi))) {
      // Zero over zero changes nothing.
      zeroUsed = true;
      continue;
    }
    scrubSpecialSlot(env, frame, spi);
    let type = STACK_MISC;
    if (zero && t === STACK_ZERO) {
      type = STACK_ZERO;
      zeroUsed = true;
    }
    if (t === STACK_INVALID && !env.allowUninitStack) {
      env.reject(EINVAL, `uninit stack in range of var-offset write prohibited for !root; insn ${insnIdx}, off: ${i}`);
    }
    R.setSlotType(frame, spi, byte, type);
  }
  if (zeroUsed) markChainPrecision(env, valueRegno);
}

/** The bytes min..max-1 become register dstRegno: 0 when all are zero. */
function regFromBytes(env: VerifierEnv, frame: Frame, min: number, max: number, dstRegno: number): void {
  let zeros = 0;
  for (let i = min; i < max; i++) {
    env.scratchSlot(spiOf(i));
    if (env.R.slotType(frame, spiOf(i), byteOf(i)) !== STACK_ZERO) break;
    zeros++;
  }
  const dst = env.reg(dstRegno);
  if (zeros === max - min) markRegConstZero(env, dst);
  else markRegUnknown(env, dst);
}

/** `dst = *(r10 + off)`; dstRegno < 0 = the value is read but not kept. */
export function checkStackRead(env: VerifierEnv, ptrRegno: number, off: number, size: number, dstRegno: number): void {
  const R = env.R;
  const ptr = env.reg(ptrRegno);
  const frame = frameOf(env, ptr);
  if (R.isConst(ptr)) {
    readFixed(env, frame, off + R.value(ptr), size, dstRegno);
    return;
  }
  if (dstRegno < 0) {
    env.reject(
      EACCES,
      `variable offset stack pointer cannot be passed into helper function; var_off=${tnumStr(env, ptr)} off=${off} size=${size}`,
    );
  }
  checkStackRangeInitialized(env, ptrRegno, off, size, false, BPF_READ);
  const min = R.smin(ptr) + off;
  const max = R.smax(ptr) + off;
  regFromBytes(env, frame, min, max + size, dstRegno);
  checkFastcallContract(env, frame, env.insnIdx, min);
}

function checkReadable(env: VerifierEnv, frame: Frame, off: number, size: number): { spilled: number; zero: number } {
  let spilled = 0;
  let zero = 0;
  for (let i = 0; i < size; i++) {
    const t = env.R.slotType(frame, spiOf(off), byteOf(off + i));
    if (t === STACK_SPILL) spilled++;
    else if (t === STACK_ZERO) zero++;
    else if (t !== STACK_MISC && !(t === STACK_INVALID && env.allowUninitStack)) {
      env.reject(EACCES, `invalid read from stack off ${off}+${i} size ${size}`);
    }
  }
  return { spilled, zero };
}

function readFixed(env: VerifierEnv, frame: Frame, off: number, size: number, dstRegno: number): void {
  const R = env.R;
  const spi = spiOf(off);
  const frameno = R.frameno(frame);
  const reg = R.slotAt(frame, spi);
  env.scratchSlot(spi);
  checkFastcallContract(env, env.cur.frame, env.insnIdx, off);
  env.stackLive.markReadSlot(env, frameno, env.insnIdx, spi);
  if (!isSpilled(env, frame, spi)) {
    for (let i = 0; i < size; i++) {
      const t = R.slotType(frame, spi, byteOf(off + i));
      if (t === STACK_MISC || t === STACK_ZERO || (t === STACK_INVALID && env.allowUninitStack)) continue;
      env.reject(EACCES, `invalid read from stack off ${off}+${i} size ${size}`);
    }
    if (dstRegno >= 0) regFromBytes(env, frame, off, off + size, dstRegno);
    return;
  }
  let spillSize = 1;
  for (let i = 7; i > 0 && R.slotType(frame, spi, i - 1) === STACK_SPILL; i--) spillSize++;
  let note = true;
  if (size !== 8 || spillSize !== 8) {
    if (R.type(reg) !== SCALAR_VALUE) {
      env.verboseLine(env.insnIdx, "; ");
      env.reject(EACCES, "invalid size of register fill");
    }
    if (dstRegno < 0) return;
    const dst = env.reg(dstRegno);
    // Little endian: a narrow load from the slot's lowest byte is the low part of what was spilled.
    if (size <= spillSize && (off & 7) === 0) {
      R.copyReg(dst, reg);
      if (regWidth(env, reg) > size * 8) clearScalarId(env, dst);
    } else {
      const { spilled, zero } = checkReadable(env, frame, off, size);
      if (spilled === size && R.isNull(reg)) {
        markRegConstZero(env, dst);
      } else if (zero === size) {
        markRegConstZero(env, dst);
        note = false;
      } else {
        markRegUnknown(env, dst);
        note = false;
      }
    }
  } else if (dstRegno >= 0) {
    R.copyReg(env.reg(dstRegno), reg);
  } else if (!env.allowPtrLeaks && R.type(reg) !== SCALAR_VALUE) {
    env.reject(EACCES, `leaking pointer from stack off ${off}`);
  }
  if (note) pushJmpHistory(env, env.cur, stackAccessFlags(frameno, spi));
}

/**
 * check_stack_range_initialized(): a helper (or a load with variable offset) reads these bytes, or (BPF_WRITE) a helper
 * writes them. With meta.rawMode nothing needs to be there: meta gets the size, the caller marks the bytes afterwards.
 */
export function checkStackRangeInitialized(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  zeroSizeAllowed: boolean,
  t: number,
  meta?: RawMode,
): void {
  const R = env.R;
  const reg = env.reg(regno);
  // A helper that writes leaves numbers it chose.
  const clobber = t === BPF_WRITE;
  if (size === 0 && !zeroSizeAllowed) env.reject(EACCES, "invalid zero-sized read");
  checkStackBounds(env, regno, off, size, t);
  const frame = frameOf(env, reg);
  const fixed = R.isConst(reg);
  let min: number;
  let max: number;
  let raw = meta;
  if (fixed) {
    min = R.value(reg) + off;
    max = min;
  } else {
    if (!env.bypassSpecV1) {
      env.reject(EACCES, `R${regno} variable offset stack access prohibited for !root, var_off=${tnumStr(env, reg)}`);
    }
    // Only part of the range is written: all of it must have been readable before.
    if (raw?.rawMode) raw = undefined;
    min = R.smin(reg) + off;
    max = R.smax(reg) + off;
  }
  if (raw?.rawMode) {
    for (let i = min; i < max + size; i++) {
      if (R.stackSlots(frame) * 8 <= -i - 1) continue;
      if (R.slotType(frame, spiOf(i), byteOf(i)) === STACK_DYNPTR) {
        env.reject(EACCES, `potential write to dynptr at off=${i} disallowed`);
      }
    }
    raw.accessSize = size;
    raw.regno = regno;
    return;
  }
  for (let i = min; i < max + size; i++) {
    const spi = spiOf(i);
    const byte = byteOf(i);
    const t = R.slotType(frame, spi, byte);
    if (t === STACK_MISC) {
      // fine
    } else if (t === STACK_ZERO || (t === STACK_INVALID && env.allowUninitStack)) {
      if (clobber) R.setSlotType(frame, spi, byte, STACK_MISC);
    } else if (isSpilled(env, frame, spi) && (R.type(R.slotAt(frame, spi)) === SCALAR_VALUE || env.allowPtrLeaks)) {
      if (clobber) {
        markRegUnknown(env, R.slotAt(frame, spi));
        for (let j = 0; j < 8; j++) scrubByte(env, frame, spi, j);
      }
    } else {
      env.reject(
        EACCES,
        fixed
          ? `invalid read from stack R${regno} off ${min}+${i - min} size ${size}`
          : `invalid read from stack R${regno} var_off ${tnumStr(env, reg)}+${i - min} size ${size}`,
      );
    }
    env.stackLive.markReadSlot(env, R.frameno(frame), env.insnIdx, spi);
  }
}
