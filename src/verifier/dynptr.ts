/**
 * Dynptrs on the stack: 16 bytes (two slots) that only helpers and kfuncs may touch.
 *
 * Both slots carry a register record of type CONST_PTR_TO_DYNPTR with the dynptr's id; the one at the higher spi (the lower
 * address) is the first. Writing over a dynptr destroys it and every slice taken from it; one that owns a reference (ring
 * buffer) must be submitted or discarded instead.
 * Source   mark_stack_slots_dynptr() and its neighbours, process_dynptr_func() in kernel/bpf/verifier.c.
 */
import { EINVAL } from "../abi/errno.ts";
import {
  DYNPTR_TYPE_LOCAL,
  DYNPTR_TYPE_MASK,
  DYNPTR_TYPE_RINGBUF,
  DYNPTR_TYPE_SKB,
  DYNPTR_TYPE_SKB_META,
  DYNPTR_TYPE_XDP,
  MEM_RDONLY,
  MEM_UNINIT,
  PTR_MAYBE_NULL,
} from "../helpers/types.ts";
import type { VerifierEnv } from "./env.ts";
import { checkMemAccess } from "./mem.ts";
import { acquireReference, releaseReference } from "./refs.ts";
import { BPF_WRITE, CONST_PTR_TO_DYNPTR, PTR_TO_MEM, PTR_TO_STACK, STACK_DYNPTR, STACK_INVALID } from "./reg_type.ts";
import { forEachReg, markRegInvalid, markRegKnownZero, markRegNotInit } from "./regs.ts";
import type { Frame, Reg } from "./state.ts";

// enum bpf_dynptr_type
export const BPF_DYNPTR_TYPE_INVALID = 0;
export const BPF_DYNPTR_TYPE_LOCAL = 1;
export const BPF_DYNPTR_TYPE_RINGBUF = 2;
export const BPF_DYNPTR_TYPE_SKB = 3;
export const BPF_DYNPTR_TYPE_XDP = 4;
export const BPF_DYNPTR_TYPE_SKB_META = 5;

const TYPE_NAMES = ["", "local", "ringbuf", "skb", "xdp", "skb_meta"];
const FLAG_OF_TYPE: readonly number[] = [
  0,
  DYNPTR_TYPE_LOCAL,
  DYNPTR_TYPE_RINGBUF,
  DYNPTR_TYPE_SKB,
  DYNPTR_TYPE_XDP,
  DYNPTR_TYPE_SKB_META,
];
const BPF_DW = 0x18;
const DYNPTR_BYTES = 16;
const DYNPTR_SLOTS = 2;

/** The dynptr's reference is the program's to give back. */
export function dynptrIsRefcounted(type: number): boolean {
  return type === BPF_DYNPTR_TYPE_RINGBUF;
}

/** DYNPTR_TYPE_* flag of a BPF_DYNPTR_TYPE_*. */
export function dynptrTypeFlag(type: number): number {
  return FLAG_OF_TYPE[type];
}

function typeOfFlag(argType: number): number {
  return Math.max(0, FLAG_OF_TYPE.indexOf(argType & DYNPTR_TYPE_MASK));
}

/** Outside the allocated stack: for an object that is about to be written this is no error. */
export const SPI_OUT_OF_RANGE = -34;

/**
 * Highest slot of an object of `nrSlots` slots at which a stack pointer points; -22 after writing a message, or
 * SPI_OUT_OF_RANGE.
 */
export function stackObjSpi(env: VerifierEnv, r: Reg, kind: string, nrSlots: number): number {
  const R = env.R;
  if (!R.isConst(r)) {
    env.verbose(`${kind} has to be at a constant offset\n`);
    return -EINVAL;
  }
  const off = R.off(r) + R.value(r);
  const spi = Math.floor((-off - 1) / 8);
  // Just above the stack: Linux 6.18 takes that for the topmost slot, and lets bpf_iter_*_next() run there. We do not.
  if (off === 0 && nrSlots === 1) return SPI_OUT_OF_RANGE;
  if (off % 8 || spi + 1 < nrSlots) {
    env.verbose(`cannot pass in ${kind} at an offset=${off}\n`);
    return -EINVAL;
  }
  const frame = env.cur.frames[R.regFrameno(r)];
  if (spi - nrSlots + 1 < 0 || spi >= R.stackSlots(frame)) return SPI_OUT_OF_RANGE;
  return spi;
}

export function dynptrSpi(env: VerifierEnv, r: Reg): number {
  return stackObjSpi(env, r, "dynptr", DYNPTR_SLOTS);
}

function markDynptrReg(env: VerifierEnv, r: Reg, type: number, first: boolean, id: number): void {
  markRegKnownZero(env, r);
  env.R.setType(r, CONST_PTR_TO_DYNPTR);
  env.R.setId(r, id);
  env.R.setDynptr(r, type, first);
}

/** Makes a register a pointer to a const dynptr of the kernel: what callbacks get. */
export function markDynptrCbReg(env: VerifierEnv, r: Reg, type: number): void {
  markDynptrReg(env, r, type, true, ++env.idGen);
}

function frameOf(env: VerifierEnv, r: Reg): Frame {
  return env.cur.frames[env.R.regFrameno(r)];
}

/** The call filled the slots. @param cloneRefObjId  reference shared with the dynptr that was cloned, or 0 */
function markStackSlotsDynptr(env: VerifierEnv, r: Reg, type: number, insnIdx: number, cloneRefObjId: number): void {
  const R = env.R;
  const frame = frameOf(env, r);
  const spi = dynptrSpi(env, r);
  if (spi < 0) env.rejectSilently(EINVAL);
  destroyIfDynptrStackSlot(env, frame, spi);
  destroyIfDynptrStackSlot(env, frame, spi - 1);
  R.fillSlot(frame, spi, STACK_DYNPTR);
  R.fillSlot(frame, spi - 1, STACK_DYNPTR);
  noteWrite(env, frame, spi);
  const id = ++env.idGen;
  markDynptrReg(env, R.slotAt(frame, spi), type, true, id);
  markDynptrReg(env, R.slotAt(frame, spi - 1), type, false, id);
  if (!dynptrIsRefcounted(type)) return;
  const ref = cloneRefObjId || acquireReference(env, insnIdx);
  R.setRefObjId(R.slotAt(frame, spi), ref);
  R.setRefObjId(R.slotAt(frame, spi - 1), ref);
}

/** For liveness and for the log: both slots of a dynptr changed. */
function noteWrite(env: VerifierEnv, frame: Frame, spi: number): void {
  for (const s of [spi, spi - 1]) {
    env.stackLive.markWriteSlot(env.R.frameno(frame), s);
    env.scratchSlot(s);
  }
}

/** mark_dynptr_read(): what happens next depends on these slots. */
function noteRead(env: VerifierEnv, r: Reg): void {
  if (env.R.type(r) === CONST_PTR_TO_DYNPTR) return;
  const spi = dynptrSpi(env, r);
  const frameno = env.R.regFrameno(r);
  for (const s of [spi, spi - 1]) {
    env.stackLive.markReadSlot(env, frameno, env.insnIdx, s);
    env.scratchSlot(s);
  }
}

function invalidateDynptr(env: VerifierEnv, frame: Frame, spi: number): void {
  noteWrite(env, frame, spi);
  for (const s of [spi, spi - 1]) {
    env.R.fillSlot(frame, s, STACK_INVALID);
    markRegNotInit(env, env.R.slotAt(frame, s));
  }
}

/** The call released the dynptr: it, its clones and their slices are gone. False when it was not acquired. */
export function unmarkStackSlotsDynptr(env: VerifierEnv, r: Reg): boolean {
  const R = env.R;
  const frame = frameOf(env, r);
  const spi = dynptrSpi(env, r);
  if (spi < 0) return false;
  const slot = R.slotAt(frame, spi);
  if (!dynptrIsRefcounted(R.dynptrType(slot))) {
    invalidateDynptr(env, frame, spi);
    return true;
  }
  const ref = R.refObjId(slot);
  releaseReference(env, ref);
  for (let i = 1; i < R.stackSlots(frame); i++) {
    const s = R.slotAt(frame, i);
    if (R.slotType(frame, i, 0) !== STACK_DYNPTR || R.refObjId(s) !== ref) continue;
    if (R.firstSlot(s)) invalidateDynptr(env, frame, i);
  }
  return true;
}

/** A write is about to hit this slot: ends the dynptr there, if there is one. */
export function destroyIfDynptrStackSlot(env: VerifierEnv, frame: Frame, spi: number): void {
  const R = env.R;
  if (R.slotType(frame, spi, 0) !== STACK_DYNPTR) return;
  if (!R.firstSlot(R.slotAt(frame, spi))) spi++;
  const slot = R.slotAt(frame, spi);
  if (dynptrIsRefcounted(R.dynptrType(slot))) env.reject(EINVAL, "cannot overwrite referenced dynptr");
  const id = R.id(slot);
  noteWrite(env, frame, spi);
  R.fillSlot(frame, spi, STACK_INVALID);
  R.fillSlot(frame, spi - 1, STACK_INVALID);
  forEachReg(env, env.cur, (d) => {
    const type = R.type(d);
    if (type !== PTR_TO_MEM && type !== (PTR_TO_MEM | PTR_MAYBE_NULL)) return;
    if (R.dynptrId(d) === id) markRegInvalid(env, d);
  });
  markRegNotInit(env, slot);
  markRegNotInit(env, R.slotAt(frame, spi - 1));
}

function isValidUninit(env: VerifierEnv, r: Reg): boolean {
  if (env.R.type(r) === CONST_PTR_TO_DYNPTR) return false;
  const spi = dynptrSpi(env, r);
  return spi >= 0 || spi === SPI_OUT_OF_RANGE;
}

function isValidInit(env: VerifierEnv, r: Reg): boolean {
  const R = env.R;
  if (R.type(r) === CONST_PTR_TO_DYNPTR) return true;
  const spi = dynptrSpi(env, r);
  if (spi < 0) return false;
  const frame = frameOf(env, r);
  if (R.slotType(frame, spi, 0) !== STACK_DYNPTR || !R.firstSlot(R.slotAt(frame, spi))) return false;
  for (let i = 0; i < 8; i++) {
    if (R.slotType(frame, spi, i) !== STACK_DYNPTR || R.slotType(frame, spi - 1, i) !== STACK_DYNPTR) return false;
  }
  return true;
}

/** Register record that describes the dynptr a valid argument points to: the register itself or its first slot. */
export function dynptrRecord(env: VerifierEnv, r: Reg): Reg {
  if (env.R.type(r) === CONST_PTR_TO_DYNPTR) return r;
  const spi = dynptrSpi(env, r);
  if (spi < 0) env.rejectSilently(EINVAL);
  return env.R.slotAt(frameOf(env, r), spi);
}

/** Checks a dynptr argument, or makes one of an uninitialised one. */
export function processDynptrArg(
  env: VerifierEnv,
  regno: number,
  insnIdx: number,
  argType: number,
  cloneRefObjId = 0,
): void {
  const R = env.R;
  const r = env.reg(regno);
  const type = R.type(r);
  if (type !== PTR_TO_STACK && type !== CONST_PTR_TO_DYNPTR) {
    env.reject(EINVAL, `arg#${regno - 1} expected pointer to stack or const struct bpf_dynptr`);
  }
  if (argType & MEM_UNINIT) {
    if (!isValidUninit(env, r)) env.reject(EINVAL, "Dynptr has to be an uninitialized dynptr");
    for (let i = 0; i < DYNPTR_BYTES; i += 8) {
      checkMemAccess(env, insnIdx, regno, i, BPF_DW, BPF_WRITE, -1, false, false);
    }
    markStackSlotsDynptr(env, r, typeOfFlag(argType), insnIdx, cloneRefObjId);
    return;
  }
  if (type === CONST_PTR_TO_DYNPTR && !(argType & MEM_RDONLY)) {
    env.reject(EINVAL, "cannot pass pointer to const bpf_dynptr, the helper mutates it");
  }
  if (!isValidInit(env, r)) env.reject(EINVAL, `Expected an initialized dynptr as arg #${regno - 1}`);
  noteRead(env, r);
  const want = typeOfFlag(argType);
  if (want && R.dynptrType(dynptrRecord(env, r)) !== want) {
    env.reject(EINVAL, `Expected a dynptr of type ${TYPE_NAMES[want]} as arg #${regno - 1}`);
  }
}
