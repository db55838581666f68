/**
 * Abstract machine state: registers and stack slots as flat records (layout.ts) in the verifier module's memory, and
 * the few words per state that are not per register.
 *
 * A register is named by its address (`reg`: number). Addresses of the current state stay the same while its frame
 * lives: a stored state is copied in and out. 64-bit bounds read as JavaScript numbers (`smin(reg)`): exact up to
 * 2^53, rounded but still ordered beyond, so compare them with limits below 2^53 only. Exact work on 64-bit values is
 * in the module (RegOps).
 *
 * Differs   Linux's parent pointers and live marks of registers do not exist (nor since 6.17): liveness.ts is static.
 */
import { NO_ENTRY } from "./jmp_history.ts";
import {
  F_FRAMENO,
  F_REGS,
  F_STACK,
  F_STACK_SLOTS,
  MAX_STACK_SLOTS,
  R_FRAMENO,
  R_ID,
  R_MASK,
  R_OFF,
  R_PRECISE,
  R_REF_OBJ_ID,
  R_S32_MAX,
  R_S32_MIN,
  R_SMAX,
  R_SMIN,
  R_SUBREG_DEF,
  R_U0,
  R_U1,
  R_U2,
  R_U3,
  R_U32_MAX,
  R_U32_MIN,
  R_UMAX,
  R_UMIN,
  R_VALUE,
  REG_SIZE,
  SLOT_SIZE,
  SLOT_TYPES,
} from "./layout.ts";
import type { SccVisit } from "./scc.ts";
import type { VerifierWasm } from "./wasm.ts";

/** Address of a register record. */
export type Reg = number;
/** Address of a frame record. */
export type Frame = number;

const TWO32 = 4294967296;

/** Records in the module's memory, read and written through typed arrays. One per verification. */
export class StateMem {
  readonly wasm: VerifierWasm;
  i32: Int32Array;
  u32: Uint32Array;
  u8: Uint8Array;

  constructor(wasm: VerifierWasm) {
    this.wasm = wasm;
    this.i32 = new Int32Array(wasm.memory.buffer);
    this.u32 = new Uint32Array(wasm.memory.buffer);
    this.u8 = new Uint8Array(wasm.memory.buffer);
  }

  /** Views die when the memory grows; only frame_alloc() grows it. */
  private refresh(): void {
    const { buffer } = this.wasm.memory;
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  // Registers.

  type(reg: Reg): number {
    return this.i32[reg >> 2];
  }
  setType(reg: Reg, type: number): void {
    this.i32[reg >> 2] = type;
  }
  off(reg: Reg): number {
    return this.i32[(reg + R_OFF) >> 2];
  }
  setOff(reg: Reg, off: number): void {
    this.i32[(reg + R_OFF) >> 2] = off;
  }
  id(reg: Reg): number {
    return this.u32[(reg + R_ID) >> 2];
  }
  setId(reg: Reg, id: number): void {
    this.u32[(reg + R_ID) >> 2] = id;
  }
  refObjId(reg: Reg): number {
    return this.i32[(reg + R_REF_OBJ_ID) >> 2];
  }
  setRefObjId(reg: Reg, id: number): void {
    this.i32[(reg + R_REF_OBJ_ID) >> 2] = id;
  }
  /** Frame a PTR_TO_STACK points into. */
  regFrameno(reg: Reg): number {
    return this.i32[(reg + R_FRAMENO) >> 2];
  }
  setRegFrameno(reg: Reg, frameno: number): void {
    this.i32[(reg + R_FRAMENO) >> 2] = frameno;
  }
  precise(reg: Reg): boolean {
    return this.i32[(reg + R_PRECISE) >> 2] !== 0;
  }
  setPrecise(reg: Reg, precise: boolean): void {
    this.i32[(reg + R_PRECISE) >> 2] = precise ? 1 : 0;
  }
  subregDef(reg: Reg): number {
    return this.i32[(reg + R_SUBREG_DEF) >> 2];
  }
  setSubregDef(reg: Reg, def: number): void {
    this.i32[(reg + R_SUBREG_DEF) >> 2] = def;
  }
  /** Word k (0..3) of what depends on the type; see layout.ts. */
  u(reg: Reg, k: 0 | 1 | 2 | 3): number {
    return this.i32[(reg + R_U0 + 4 * k) >> 2];
  }
  setU(reg: Reg, k: 0 | 1 | 2 | 3, value: number): void {
    this.i32[(reg + R_U0 + 4 * k) >> 2] = value;
  }

  mapIdx(reg: Reg): number {
    return this.i32[(reg + R_U0) >> 2];
  }
  mapUid(reg: Reg): number {
    return this.i32[(reg + R_U1) >> 2];
  }
  setMap(reg: Reg, mapIdx: number, mapUid: number): void {
    this.i32[(reg + R_U0) >> 2] = mapIdx;
    this.i32[(reg + R_U1) >> 2] = mapUid;
  }
  btfIdx(reg: Reg): number {
    return this.i32[(reg + R_U0) >> 2];
  }
  btfId(reg: Reg): number {
    return this.i32[(reg + R_U1) >> 2];
  }
  setBtf(reg: Reg, btfIdx: number, btfId: number): void {
    this.i32[(reg + R_U0) >> 2] = btfIdx;
    this.i32[(reg + R_U1) >> 2] = btfId;
  }
  memSize(reg: Reg): number {
    return this.u32[(reg + R_U0) >> 2];
  }
  setMemSize(reg: Reg, bytes: number): void {
    this.u32[(reg + R_U0) >> 2] = bytes;
  }
  dynptrId(reg: Reg): number {
    return this.i32[(reg + R_U1) >> 2];
  }
  setDynptrId(reg: Reg, id: number): void {
    this.i32[(reg + R_U1) >> 2] = id;
  }
  range(reg: Reg): number {
    return this.i32[(reg + R_U0) >> 2];
  }
  setRange(reg: Reg, range: number): void {
    this.i32[(reg + R_U0) >> 2] = range;
  }
  subprogno(reg: Reg): number {
    return this.i32[(reg + R_U0) >> 2];
  }
  dynptrType(reg: Reg): number {
    return this.i32[(reg + R_U0) >> 2];
  }
  firstSlot(reg: Reg): boolean {
    return this.i32[(reg + R_U1) >> 2] !== 0;
  }
  setDynptr(reg: Reg, type: number, firstSlot: boolean): void {
    this.i32[(reg + R_U0) >> 2] = type;
    this.i32[(reg + R_U1) >> 2] = firstSlot ? 1 : 0;
  }
  iterState(reg: Reg): number {
    return this.i32[(reg + R_U2) >> 2];
  }
  setIterState(reg: Reg, state: number): void {
    this.i32[(reg + R_U2) >> 2] = state;
  }
  iterDepth(reg: Reg): number {
    return this.i32[(reg + R_U3) >> 2];
  }
  setIterDepth(reg: Reg, depth: number): void {
    this.i32[(reg + R_U3) >> 2] = depth;
  }

  // Bounds.

  /** s64 at `addr` as a number (see the header comment for exactness). */
  s64(addr: number): number {
    return this.i32[(addr + 4) >> 2] * TWO32 + this.u32[addr >> 2];
  }
  u64(addr: number): number {
    return this.u32[(addr + 4) >> 2] * TWO32 + this.u32[addr >> 2];
  }
  smin(reg: Reg): number {
    return this.s64(reg + R_SMIN);
  }
  smax(reg: Reg): number {
    return this.s64(reg + R_SMAX);
  }
  umin(reg: Reg): number {
    return this.u64(reg + R_UMIN);
  }
  umax(reg: Reg): number {
    return this.u64(reg + R_UMAX);
  }
  s32min(reg: Reg): number {
    return this.i32[(reg + R_S32_MIN) >> 2];
  }
  s32max(reg: Reg): number {
    return this.i32[(reg + R_S32_MAX) >> 2];
  }
  u32min(reg: Reg): number {
    return this.u32[(reg + R_U32_MIN) >> 2];
  }
  u32max(reg: Reg): number {
    return this.u32[(reg + R_U32_MAX) >> 2];
  }
  /** tnum_is_const(): all 64 bits are known. */
  isConst(reg: Reg): boolean {
    return this.i32[(reg + R_MASK) >> 2] === 0 && this.i32[(reg + R_MASK + 4) >> 2] === 0;
  }
  /** The low 32 bits are known. */
  isConst32(reg: Reg): boolean {
    return this.i32[(reg + R_MASK) >> 2] === 0;
  }
  /** tnum value as a signed number. */
  value(reg: Reg): number {
    return this.s64(reg + R_VALUE);
  }
  valueLo(reg: Reg): number {
    return this.i32[(reg + R_VALUE) >> 2];
  }
  valueHi(reg: Reg): number {
    return this.i32[(reg + R_VALUE + 4) >> 2];
  }
  maskLo(reg: Reg): number {
    return this.i32[(reg + R_MASK) >> 2];
  }
  maskHi(reg: Reg): number {
    return this.i32[(reg + R_MASK + 4) >> 2];
  }
  /** register_is_null(): the scalar 0. */
  isNull(reg: Reg): boolean {
    return (
      this.i32[reg >> 2] === 1 &&
      this.isConst(reg) &&
      this.i32[(reg + R_VALUE) >> 2] === 0 &&
      this.i32[(reg + R_VALUE + 4) >> 2] === 0
    );
  }
  /** Exact 64-bit value, for messages. */
  big(addr: number, signed: boolean): bigint {
    const v = (BigInt(this.u32[(addr + 4) >> 2]) << 32n) | BigInt(this.u32[addr >> 2]);
    return signed ? BigInt.asIntN(64, v) : v;
  }

  /** Copies a whole register record. */
  copyReg(dst: Reg, src: Reg): void {
    this.wasm.reg_copy(dst, src);
  }
  /** All fields 0: NOT_INIT without bounds. */
  zeroReg(reg: Reg): void {
    this.wasm.reg_zero(reg);
  }
  /** tnum and bounds of an unknown 64-bit value; type and ids stay. __mark_reg_unbounded() and tnum_unknown. */
  setUnknownBounds(reg: Reg): void {
    this.wasm.reg_unknown_bounds(reg);
  }
  /** tnum and all bounds become the constant; type and ids stay. ___mark_reg_known(). */
  setConst(reg: Reg, value: number): void {
    this.wasm.reg_const_bounds(reg, value | 0, Math.floor(value / TWO32));
  }
  setConst64(reg: Reg, lo: number, hi: number): void {
    this.wasm.reg_const_bounds(reg, lo, hi);
  }

  // Frames.

  /** Frame with room for `capacity` slots; registers and header zero. */
  allocFrame(capacity: number): Frame {
    const frame = this.wasm.frame_alloc(capacity);
    // A grown memory has other buffers; length 0 tells that ours are detached.
    if (this.i32.length === 0) this.refresh();
    return frame;
  }
  /** Takes the address of a register r0..r10 in a frame. */
  regAt(frame: Frame, regno: number): Reg {
    return frame + F_REGS + regno * REG_SIZE;
  }
  /** Register record of stack slot `spi`; its slot-type bytes follow at + SLOT_TYPES. */
  slotAt(frame: Frame, spi: number): Reg {
    return frame + F_STACK + spi * SLOT_SIZE;
  }
  /** Slot type (STACK_*) of byte 0..7 of a slot; byte 7 is the lowest address. */
  slotType(frame: Frame, spi: number, byte: number): number {
    return this.u8[frame + F_STACK + spi * SLOT_SIZE + SLOT_TYPES + byte];
  }
  setSlotType(frame: Frame, spi: number, byte: number, type: number): void {
    this.u8[frame + F_STACK + spi * SLOT_SIZE + SLOT_TYPES + byte] = type;
  }
  /** Sets all 8 bytes of a slot. */
  fillSlot(frame: Frame, spi: number, type: number): void {
    const at = frame + F_STACK + spi * SLOT_SIZE + SLOT_TYPES;
    this.u8.fill(type, at, at + 8);
  }
  frameno(frame: Frame): number {
    return this.i32[(frame + F_FRAMENO) >> 2];
  }
  /** Slots in use: allocated_stack / 8. */
  stackSlots(frame: Frame): number {
    return this.i32[(frame + F_STACK_SLOTS) >> 2];
  }
  /** grow_stack_state(): makes sure slots 0..n-1 exist; new ones are STACK_INVALID. */
  growStack(frame: Frame, slots: number): void {
    if (this.i32[(frame + F_STACK_SLOTS) >> 2] < slots) this.i32[(frame + F_STACK_SLOTS) >> 2] = slots;
  }
  /** Header word F_*. */
  get(frame: Frame, field: number): number {
    return this.i32[(frame + field) >> 2];
  }
  set(frame: Frame, field: number, value: number): void {
    this.i32[(frame + field) >> 2] = value;
  }
  /** Copies header, registers and used slots; `dst` must have the capacity, and its further slots become zero. */
  copyFrame(dst: Frame, src: Frame): void {
    this.wasm.frame_copy(dst, src);
  }
  /** A copy with just the room that the used slots need. */
  cloneFrame(src: Frame): Frame {
    const dst = this.wasm.frame_clone(src);
    if (this.i32.length === 0) this.refresh();
    return dst;
  }
  freeFrame(frame: Frame): void {
    this.wasm.frame_free(frame);
  }
  allocLiveFrame(): Frame {
    return this.allocFrame(MAX_STACK_SLOTS);
  }
}

// enum ref_state_type
export const REF_TYPE_PTR = 1 << 1;
export const REF_TYPE_IRQ = 1 << 2;
export const REF_TYPE_LOCK = 1 << 3;
export const REF_TYPE_RES_LOCK = 1 << 4;
export const REF_TYPE_RES_LOCK_IRQ = 1 << 5;
export const REF_TYPE_LOCK_MASK = REF_TYPE_LOCK | REF_TYPE_RES_LOCK | REF_TYPE_RES_LOCK_IRQ;

/** An acquired reference or a held lock. Immutable: states share the arrays. */
export interface Ref {
  readonly type: number;
  readonly id: number;
  readonly insnIdx: number;
  /** For locks: which object (map index or BTF index), so that lock and unlock can be matched. */
  readonly ptr: number;
}

const NO_REFS: readonly Ref[] = [];

/** A whole abstract state (bpf_verifier_state). Copying shares `refs`; replace the array, never change it. */
export class VState {
  /** Frame addresses, [0..curframe]. */
  frames: Frame[] = [];
  curframe = 0;
  parent: VState | undefined = undefined;
  /** Paths that are not finished yet. */
  branches = 0;
  insnIdx = 0;
  refs: readonly Ref[] = NO_REFS;
  activeLocks = 0;
  activePreemptLocks = 0;
  activeIrqId = 0;
  activeLockId = 0;
  activeLockPtr = 0;
  activeRcuLocks = 0;
  speculative = false;
  inSleepable = false;
  /** Dead registers and slots were removed already. */
  cleaned = false;
  firstInsnIdx = 0;
  lastInsnIdx = 0;
  /** Jump history: the last entry, and how many there are since the state's parent (jmp_history.ts). */
  hist = NO_ENTRY;
  histLen = 0;
  dfsDepth = 0;
  callbackUnrollDepth = 0;
  mayGotoDepth = 0;
  /** Explored state that this one was found equal to while its loop is still open; see prune.ts. */
  equalState: VState | undefined = undefined;
  /** Explored-list bookkeeping. */
  hitCnt = 0;
  missCnt = 0;
  /** Evicted from its list, kept for the states that descend from it. */
  inFreeList = false;
  /** States that wait: where to go on, from where, and how much of the log leads there. */
  resumeAt = 0;
  resumePrev = 0;
  logPos = 0;
  /** Stored states: the passage through a loop that they belong to. */
  sccVisit: SccVisit | undefined = undefined;

  /** Nobody knows the object any more; what copying does not set becomes as in a new one. Its frames were given back. */
  forget(): void {
    this.frames.length = 0;
    this.parent = undefined;
    this.refs = NO_REFS;
    this.equalState = undefined;
    this.hitCnt = 0;
    this.missCnt = 0;
    this.inFreeList = false;
    this.sccVisit = undefined;
  }

  /** Address of the running frame. */
  get frame(): Frame {
    return this.frames[this.curframe];
  }
}
