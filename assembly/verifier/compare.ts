// Is a state covered by an explored one? Registers, stack slots, ids.

import {
  F_REGS, F_STACK, F_STACK_SLOTS, NOT_INIT, R_FRAMENO, R_ID, R_OFF, R_PRECISE, R_REF_OBJ_ID, R_VALUE, REG_SIZE, SCALAR_VALUE, SLOT_SIZE, SLOT_TYPES,
  mask, s32max, s32min, smax, smin, u32max, u32min, umax, umin, value,
} from "./layout";
import { reg_unknown } from "./frames";

export const NOT_EXACT: u32 = 0;
export const EXACT: u32 = 1;
export const RANGE_WITHIN: u32 = 2;

/** Both kinds of distance, 64-bit and 32-bit. */
const ADD_CONST: u32 = 0xc0000000;

const PTR_TO_MAP_VALUE: u32 = 4;
const PTR_TO_MAP_KEY: u32 = 5;
const PTR_TO_STACK: u32 = 6;
const PTR_TO_PACKET_META: u32 = 7;
const PTR_TO_PACKET: u32 = 8;
const PTR_TO_TP_BUFFER: u32 = 14;
const PTR_TO_MEM: u32 = 17;
const PTR_TO_ARENA: u32 = 18;
const PTR_TO_BUF: u32 = 19;

const STACK_INVALID: u32 = 0;
const STACK_SPILL: u32 = 1;
const STACK_MISC: u32 = 2;
const STACK_ZERO: u32 = 3;
const STACK_DYNPTR: u32 = 4;
const STACK_ITER: u32 = 5;
const STACK_IRQ_FLAG: u32 = 6;

/** Registers and slots of all frames: (11 + 64) * 8. */
const MAX_IDS: u32 = 600;
/** Pairs (old, current) of u32. */
const idmap: u32 = memory.data(600 * 8, 8) as u32;
let ids: u32 = 0;
let tmpId: u32 = 0;

const unboundReg: u32 = memory.data(112, 8) as u32;

/** Starts a comparison of two states; new temporary ids come after idGen. */
export function idmap_reset(idGen: u32): void {
  ids = 0;
  tmpId = idGen;
}

/** An id of the old state must stand for one id of the current state, and the other way round. */
export function check_ids(old: u32, cur: u32): bool {
  if ((old == 0) != (cur == 0)) return false;
  if (old == 0) return true;
  const end = idmap + ids * 8;
  for (let at = idmap; at < end; at += 8) {
    const o = load<u32>(at);
    const c = load<u32>(at, 4);
    if (o == old) return c == cur;
    if (c == cur) return false;
  }
  if (ids == MAX_IDS) return false;
  store<u32>(end, old);
  store<u32>(end, cur, 4);
  ids++;
  return true;
}

/** An old scalar without id demands no links; one with an id does, and unlinked current registers get ids of their own. */
function check_scalar_ids(old: u32, cur: u32): bool {
  if (!old) return true;
  if (!cur) cur = ++tmpId;
  if (!check_ids(old, cur)) return false;
  if (old & ADD_CONST) return check_ids(old & ~ADD_CONST, cur & ~ADD_CONST);
  return true;
}

function sameBytes(a: u32, b: u32, n: u32): bool {
  for (let i: u32 = 0; i < n; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  return true;
}

/** Type, offset, what the type adds, tnum and ranges are the same, and ids correspond. */
function regs_exact(old: u32, cur: u32): bool {
  return (
    sameBytes(old, cur, R_ID) &&
    check_ids(load<u32>(old, R_ID), load<u32>(cur, R_ID)) &&
    check_ids(load<u32>(old, R_REF_OBJ_ID), load<u32>(cur, R_REF_OBJ_ID))
  );
}

function within(old: u32, cur: u32): bool {
  return (
    umin(old) <= umin(cur) && umax(old) >= umax(cur) &&
    smin(old) <= smin(cur) && smax(old) >= smax(cur) &&
    u32min(old) <= u32min(cur) && u32max(old) >= u32max(cur) &&
    s32min(old) <= s32min(cur) && s32max(old) >= s32max(cur) &&
    // tnum_in(): every bit known in old is known, and the same, in cur.
    (mask(cur) & ~mask(old)) == 0 && (value(cur) & ~mask(old)) == value(old)
  );
}

function regsafe(old: u32, cur: u32, exact: u32, strictScalars: bool): bool {
  if (exact == EXACT) return regs_exact(old, cur);
  const type = load<u32>(old);
  // Marks may still come while a loop is open: then unused is not known to be unneeded.
  if (type == NOT_INIT && (exact == NOT_EXACT || load<u32>(cur) == NOT_INIT)) return true;
  if (type != load<u32>(cur)) return false;
  const base = type & 0xff;
  if (base == SCALAR_VALUE) {
    if (strictScalars) return sameBytes(old, cur, R_ID) && check_scalar_ids(load<u32>(old, R_ID), load<u32>(cur, R_ID));
    if (!load<u32>(old, R_PRECISE) && exact == NOT_EXACT) return true;
    const oid = load<u32>(old, R_ID);
    const cid = load<u32>(cur, R_ID);
    if (oid && (oid & ADD_CONST) != (cid & ADD_CONST)) return false;
    if (oid & ADD_CONST && load<i32>(old, R_OFF) != load<i32>(cur, R_OFF)) return false;
    return check_scalar_ids(oid, cid) && within(old, cur);
  }
  if (base == PTR_TO_MAP_KEY || base == PTR_TO_MAP_VALUE || base == PTR_TO_MEM || base == PTR_TO_BUF || base == PTR_TO_TP_BUFFER) {
    return (
      sameBytes(old, cur, R_VALUE) &&
      within(old, cur) &&
      check_ids(load<u32>(old, R_ID), load<u32>(cur, R_ID)) &&
      check_ids(load<u32>(old, R_REF_OBJ_ID), load<u32>(cur, R_REF_OBJ_ID))
    );
  }
  if (base == PTR_TO_PACKET || base == PTR_TO_PACKET_META) {
    const r1 = load<i32>(old, 8);
    const r2 = load<i32>(cur, 8);
    // Negative ranges mark "at" and "beyond" data_end.
    if (r1 < 0 || r2 < 0 ? r1 != r2 : r1 > r2) return false;
    if (load<i32>(old, R_OFF) != load<i32>(cur, R_OFF)) return false;
    return check_ids(load<u32>(old, R_ID), load<u32>(cur, R_ID)) && within(old, cur);
  }
  if (base == PTR_TO_STACK) return regs_exact(old, cur) && load<u32>(old, R_FRAMENO) == load<u32>(cur, R_FRAMENO);
  if (base == PTR_TO_ARENA) return true;
  return regs_exact(old, cur);
}

/** What a 64-bit load from the slot gives, if that is a scalar; 0 otherwise. */
function scalarOf(slot: u32, allowUninit: bool): u32 {
  const types = load<u64>(slot, SLOT_TYPES);
  if ((<u32>types & 0xff) == STACK_SPILL && load<u32>(slot) == SCALAR_VALUE) return slot;
  for (let k: u64 = 0; k < 64; k += 8) {
    const t = <u32>(types >> k) & 0xff;
    if (t != STACK_MISC && !(t == STACK_INVALID && allowUninit)) return 0;
  }
  if (!load<u32>(unboundReg)) reg_unknown(unboundReg, 0);
  return unboundReg;
}

function stacksafe(old: u32, cur: u32, exact: u32, allowUninit: bool, strictScalars: bool): bool {
  const oldSlots = load<u32>(old, F_STACK_SLOTS);
  const curSlots = load<u32>(cur, F_STACK_SLOTS);
  for (let spi: u32 = 0; spi < oldSlots; spi++) {
    const o = old + F_STACK + spi * SLOT_SIZE;
    const c = cur + F_STACK + spi * SLOT_SIZE;
    const ot = load<u64>(o, SLOT_TYPES);
    if (exact != NOT_EXACT) {
      if (spi >= curSlots || ot != load<u64>(c, SLOT_TYPES)) return false;
    }
    if (ot == 0) continue;
    let compared = false;
    for (let b: u32 = 0; b < 8; b++) {
      const t = <u32>load<u8>(o + b, SLOT_TYPES);
      if (t == STACK_INVALID) continue;
      if (t == STACK_MISC && allowUninit) continue;
      if (spi >= curSlots) return false;
      const os = scalarOf(o, allowUninit);
      const cs = scalarOf(c, allowUninit);
      if (os && cs) {
        if (!regsafe(os, cs, exact, strictScalars)) return false;
        compared = true;
        break;
      }
      const ct = <u32>load<u8>(c + b, SLOT_TYPES);
      if (t == STACK_MISC && ct == STACK_ZERO) continue;
      if (t != ct) return false;
    }
    if (compared || spi >= curSlots) continue;
    const last = <u32>load<u8>(o + 7, SLOT_TYPES);
    if (last != <u32>load<u8>(c + 7, SLOT_TYPES)) continue;
    if (last == STACK_SPILL) {
      if (!regsafe(o, c, exact, strictScalars)) return false;
    } else if (last == STACK_DYNPTR) {
      if (load<u64>(o, 8) != load<u64>(c, 8) || !check_ids(load<u32>(o, R_REF_OBJ_ID), load<u32>(c, R_REF_OBJ_ID))) return false;
    } else if (last == STACK_ITER) {
      // The depth (u3) grows with every iteration and says nothing about safety.
      if (load<u32>(o) != load<u32>(c) || load<u64>(o, 8) != load<u64>(c, 8) || load<u32>(o, 16) != load<u32>(c, 16)) return false;
      if (!check_ids(load<u32>(o, R_REF_OBJ_ID), load<u32>(c, R_REF_OBJ_ID))) return false;
    } else if (last == STACK_IRQ_FLAG) {
      if (!check_ids(load<u32>(o, R_REF_OBJ_ID), load<u32>(c, R_REF_OBJ_ID)) || load<u32>(o, 8) != load<u32>(c, 8)) return false;
    }
  }
  return true;
}

/** Registers in liveRegs and the stack of one frame: is cur covered by old? idmap_reset() comes first, once per pair of states. */
export function frames_equal(old: u32, cur: u32, liveRegs: u32, exact: u32, allowUninit: bool, strictScalars: bool): bool {
  for (let i: u32 = 0; i < 11; i++) {
    if (liveRegs & (1 << i) && !regsafe(old + F_REGS + i * REG_SIZE, cur + F_REGS + i * REG_SIZE, exact, strictScalars)) return false;
  }
  return stacksafe(old, cur, exact, allowUninit, strictScalars);
}

/** A cheap test before looking for an endless loop: are the registers of the two frames the same bytes? */
export function maybe_looping(old: u32, cur: u32): bool {
  // As in Linux, ids count too: a number that is read anew in each round is another one.
  for (let i: u32 = 0; i < 11; i++) {
    if (!sameBytes(old + F_REGS + i * REG_SIZE, cur + F_REGS + i * REG_SIZE, R_FRAMENO)) return false;
  }
  return true;
}

/** regs_exact() for widening; ids are compared by the running idmap. */
export function regs_same(old: u32, cur: u32): bool {
  return regs_exact(old, cur);
}

/** Forgets registers that are not in liveRegs and slots that are not in the mask (bit i of lo, hi = slot i). */
export function frame_clean(frame: u32, liveRegs: u32, lo: u32, hi: u32, precise: u32): void {
  for (let i: u32 = 0; i < 10; i++) {
    if (liveRegs & (1 << i)) continue;
    const r = frame + F_REGS + i * REG_SIZE;
    reg_unknown(r, precise);
    store<u32>(r, NOT_INIT);
  }
  const slots = load<u32>(frame, F_STACK_SLOTS);
  const live = (<u64>hi << 32) | <u64>lo;
  for (let spi: u32 = 0; spi < slots; spi++) {
    if ((live >> spi) & 1) continue;
    const s = frame + F_STACK + spi * SLOT_SIZE;
    reg_unknown(s, precise);
    store<u32>(s, NOT_INIT);
    store<u64>(s, 0, SLOT_TYPES);
  }
}

/** Clears the precise flag of every scalar in registers and spills. mark_all_scalars_imprecise(). */
export function frame_imprecise(frame: u32): void {
  for (let i: u32 = 0; i < 11; i++) {
    const r = frame + F_REGS + i * REG_SIZE;
    if (load<u32>(r) == SCALAR_VALUE) store<u32>(r, 0, R_PRECISE);
  }
  const slots = load<u32>(frame, F_STACK_SLOTS);
  for (let spi: u32 = 0; spi < slots; spi++) {
    const s = frame + F_STACK + spi * SLOT_SIZE;
    if (load<u8>(s, SLOT_TYPES + 7) == STACK_SPILL && load<u32>(s) == SCALAR_VALUE) store<u32>(s, 0, R_PRECISE);
  }
}

/** Sets the precise flag of every scalar in r0..r9 and spills. mark_all_scalars_precise(). */
export function frame_precise(frame: u32): void {
  for (let i: u32 = 0; i < 10; i++) {
    const r = frame + F_REGS + i * REG_SIZE;
    if (load<u32>(r) == SCALAR_VALUE) store<u32>(r, 1, R_PRECISE);
  }
  const slots = load<u32>(frame, F_STACK_SLOTS);
  for (let spi: u32 = 0; spi < slots; spi++) {
    const s = frame + F_STACK + spi * SLOT_SIZE;
    if (load<u8>(s, SLOT_TYPES + 7) == STACK_SPILL && load<u32>(s) == SCALAR_VALUE) store<u32>(s, 1, R_PRECISE);
  }
}

const preciseMasks: u32 = memory.data(16, 8) as u32;

/** Which of r0..r9 and of the slots hold precise scalars: u32 registers, u64 slots. */
export function precise_scalars(frame: u32): u32 {
  let regs: u32 = 0;
  for (let i: u32 = 0; i < 10; i++) {
    const r = frame + F_REGS + i * REG_SIZE;
    if (load<u32>(r) == SCALAR_VALUE && load<u32>(r, R_PRECISE)) regs |= 1 << i;
  }
  let spilled: u64 = 0;
  const slots = load<u32>(frame, F_STACK_SLOTS);
  for (let spi: u32 = 0; spi < slots; spi++) {
    const s = frame + F_STACK + spi * SLOT_SIZE;
    if (load<u8>(s, SLOT_TYPES + 7) == STACK_SPILL && load<u32>(s) == SCALAR_VALUE && load<u32>(s, R_PRECISE)) spilled |= <u64>1 << spi;
  }
  store<u32>(preciseMasks, regs);
  store<u32>(preciseMasks, <u32>spilled, 4);
  store<u32>(preciseMasks, <u32>(spilled >> 32), 8);
  return preciseMasks;
}
