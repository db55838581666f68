// Ranges and tnum of the result of an ALU operation on two scalars.

import {
  mask, s32max, s32min, setS32Range, setS64Range, setTnum, setU32Range, setU64Range, smax, smin, u32max, u32min, umax, umin, value, REG_SIZE,
} from "./layout";
import { bounds_sync, coerce, fromTnum, fromTnum32, setKnown, setKnown32, unbound, unbound32, unbound64, zext } from "./bounds";
import { tm, tnum_add, tnum_and, tnum_arshift, tnum_mul, tnum_or, tnum_sub, tnum_xor, tv } from "./tnum";

const ADD: u32 = 0x00;
const SUB: u32 = 0x10;
const MUL: u32 = 0x20;
const OR: u32 = 0x40;
const AND: u32 = 0x50;
const LSH: u32 = 0x60;
const RSH: u32 = 0x70;
const NEG: u32 = 0x80;
const XOR: u32 = 0xa0;
const ARSH: u32 = 0xc0;

/** Room for the operand of NEG. */
const scratch: u32 = memory.data(112, 8) as u32;

// @ts-ignore: decorator
@inline function addOverflowsS64(a: i64, b: i64, sum: i64): bool {
  return ((a ^ sum) & (b ^ sum)) < 0;
}
// @ts-ignore: decorator
@inline function subOverflowsS64(a: i64, b: i64, diff: i64): bool {
  return ((a ^ b) & (a ^ diff)) < 0;
}

function add32(d: u32, s: u32): void {
  const slo = <i64>s32min(d) + <i64>s32min(s);
  const shi = <i64>s32max(d) + <i64>s32max(s);
  if (slo < <i64>i32.MIN_VALUE || slo > <i64>i32.MAX_VALUE || shi < <i64>i32.MIN_VALUE || shi > <i64>i32.MAX_VALUE) setS32Range(d, i32.MIN_VALUE, i32.MAX_VALUE);
  else setS32Range(d, <i32>slo, <i32>shi);
  // All sums wrap, or none: the range stays a range.
  const ulo = <u64>u32min(d) + <u64>u32min(s);
  const uhi = <u64>u32max(d) + <u64>u32max(s);
  if (ulo <= 0xffffffff && uhi > 0xffffffff) setU32Range(d, 0, u32.MAX_VALUE);
  else setU32Range(d, <u32>ulo, <u32>uhi);
}

function add64(d: u32, s: u32): void {
  const slo = smin(d) + smin(s);
  const shi = smax(d) + smax(s);
  if (addOverflowsS64(smin(d), smin(s), slo) || addOverflowsS64(smax(d), smax(s), shi)) setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
  else setS64Range(d, slo, shi);
  const ulo = umin(d) + umin(s);
  const uhi = umax(d) + umax(s);
  if (ulo >= umin(d) && uhi < umax(d)) setU64Range(d, 0, u64.MAX_VALUE);
  else setU64Range(d, ulo, uhi);
}

function sub32(d: u32, s: u32): void {
  const slo = <i64>s32min(d) - <i64>s32max(s);
  const shi = <i64>s32max(d) - <i64>s32min(s);
  if (slo < <i64>i32.MIN_VALUE || slo > <i64>i32.MAX_VALUE || shi < <i64>i32.MIN_VALUE || shi > <i64>i32.MAX_VALUE) setS32Range(d, i32.MIN_VALUE, i32.MAX_VALUE);
  else setS32Range(d, <i32>slo, <i32>shi);
  const lowWraps = u32min(d) < u32max(s);
  const highWraps = u32max(d) < u32min(s);
  if (lowWraps && !highWraps) setU32Range(d, 0, u32.MAX_VALUE);
  else setU32Range(d, u32min(d) - u32max(s), u32max(d) - u32min(s));
}

function sub64(d: u32, s: u32): void {
  const slo = smin(d) - smax(s);
  const shi = smax(d) - smin(s);
  if (subOverflowsS64(smin(d), smax(s), slo) || subOverflowsS64(smax(d), smin(s), shi)) setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
  else setS64Range(d, slo, shi);
  const lowWraps = umin(d) < umax(s);
  const highWraps = umax(d) < umin(s);
  if (lowWraps && !highWraps) setU64Range(d, 0, u64.MAX_VALUE);
  else setU64Range(d, umin(d) - umax(s), umax(d) - umin(s));
}

function mul32(d: u32, s: u32): void {
  const a = <i64>s32min(d) * <i64>s32min(s);
  const b = <i64>s32min(d) * <i64>s32max(s);
  const c = <i64>s32max(d) * <i64>s32min(s);
  const e = <i64>s32max(d) * <i64>s32max(s);
  const lo = min(min(a, b), min(c, e));
  const hi = max(max(a, b), max(c, e));
  if (lo < <i64>i32.MIN_VALUE || hi > <i64>i32.MAX_VALUE) setS32Range(d, i32.MIN_VALUE, i32.MAX_VALUE);
  else setS32Range(d, <i32>lo, <i32>hi);
  const top = <u64>u32max(d) * <u64>u32max(s);
  if (top > 0xffffffff) setU32Range(d, 0, u32.MAX_VALUE);
  else setU32Range(d, u32min(d) * u32min(s), <u32>top);
}

/** Whether a * b leaves 64 bits, signed. */
function mulOverflowsS64(a: i64, b: i64): bool {
  if (a == 0 || b == 0) return false;
  if (a == -1) return b == i64.MIN_VALUE;
  if (b == -1) return a == i64.MIN_VALUE;
  return (a * b) / b != a;
}

function mul64(d: u32, s: u32): void {
  const a1 = smin(d);
  const a2 = smax(d);
  const b1 = smin(s);
  const b2 = smax(s);
  if (mulOverflowsS64(a1, b1) || mulOverflowsS64(a1, b2) || mulOverflowsS64(a2, b1) || mulOverflowsS64(a2, b2)) {
    setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
  } else {
    setS64Range(d, min(min(a1 * b1, a1 * b2), min(a2 * b1, a2 * b2)), max(max(a1 * b1, a1 * b2), max(a2 * b1, a2 * b2)));
  }
  const x = umax(d);
  const y = umax(s);
  if (x && y > u64.MAX_VALUE / x) setU64Range(d, 0, u64.MAX_VALUE);
  else setU64Range(d, umin(d) * umin(s), x * y);
}

/** The signed range repeats the unsigned one where that does not cross the sign. */
// @ts-ignore: decorator
@inline function s32FromU32(d: u32): void {
  if (<i32>u32min(d) <= <i32>u32max(d)) setS32Range(d, <i32>u32min(d), <i32>u32max(d));
  else setS32Range(d, i32.MIN_VALUE, i32.MAX_VALUE);
}
// @ts-ignore: decorator
@inline function s64FromU64(d: u32): void {
  if (<i64>umin(d) <= <i64>umax(d)) setS64Range(d, <i64>umin(d), <i64>umax(d));
  else setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
}

/** AND, OR, XOR: the tnum of the result is in d already; known32/known64 tell what was constant before. */
function bitwise(op: u32, d: u32, s: u32, known32: bool, known64: bool): void {
  const v = value(d);
  const m = mask(d);
  if (known32) {
    setKnown32(d, <u32>v);
  } else {
    if (op == AND) setU32Range(d, <u32>v, min(u32max(d), u32max(s)));
    else if (op == OR) setU32Range(d, max(u32min(d), u32min(s)), <u32>v | <u32>m);
    else setU32Range(d, <u32>v, <u32>v | <u32>m);
    s32FromU32(d);
  }
  if (known64) {
    setKnown(d, value(d));
    return;
  }
  if (op == AND) setU64Range(d, v, min(umax(d), umax(s)));
  else if (op == OR) setU64Range(d, max(umin(d), umin(s)), v | m);
  else setU64Range(d, v, v | m);
  s64FromU64(d);
  fromTnum(d);
}

function lshRange32(d: u32, by: u32): void {
  setS32Range(d, i32.MIN_VALUE, i32.MAX_VALUE);
  if (by > 31 || <u64>u32max(d) > <u64>1 << (31 - by)) setU32Range(d, 0, u32.MAX_VALUE);
  else setU32Range(d, u32min(d) << by, u32max(d) << by);
}

/**
 * dst = dst op src for scalars; op is the high nibble of the opcode. The caller has made sure that shifts are by a
 * known amount below the width. The src record is not changed; src == dst is allowed.
 */
export function alu(op: u32, is32: bool, d: u32, s: u32): void {
  const av = value(d);
  const am = mask(d);
  const bv = value(s);
  const bm = mask(s);
  // With dst == src the ranges of the source change under our hands.
  if (d == s && op != LSH && op != RSH && op != ARSH) {
    memory.copy(scratch, s, REG_SIZE);
    s = scratch;
  }
  if (op == ADD) {
    add32(d, s);
    add64(d, s);
    tnum_add(av, am, bv, bm);
    setTnum(d, tv, tm);
  } else if (op == SUB) {
    sub32(d, s);
    sub64(d, s);
    tnum_sub(av, am, bv, bm);
    setTnum(d, tv, tm);
  } else if (op == NEG) {
    setKnown(d, 0);
    sub32(d, s);
    sub64(d, s);
    tnum_sub(0, 0, av, am);
    setTnum(d, tv, tm);
  } else if (op == MUL) {
    tnum_mul(av, am, bv, bm);
    setTnum(d, tv, tm);
    mul32(d, s);
    mul64(d, s);
  } else if (op == AND || op == OR || op == XOR) {
    if (op == AND) tnum_and(av, am, bv, bm);
    else if (op == OR) tnum_or(av, am, bv, bm);
    else tnum_xor(av, am, bv, bm);
    setTnum(d, tv, tm);
    // Constness is asked after the result's tnum is in place: that of a constant operand and the result.
    bitwise(op, d, s, <u32>bm == 0 && <u32>tm == 0, bm == 0 && tm == 0);
  } else if (op == LSH) {
    const by = <u32>umin(s);
    if (is32) {
      lshRange32(d, by);
      setTnum(d, <u64>(<u32>av << by), <u64>(<u32>am << by));
      unbound64(d);
      fromTnum32(d);
    } else {
      if (by == 32) setS64Range(d, <i64>s32min(d) << 32, <i64>s32max(d) << 32);
      else setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
      if (umax(d) > <u64>1 << (63 - by)) setU64Range(d, 0, u64.MAX_VALUE);
      else setU64Range(d, umin(d) << by, umax(d) << by);
      lshRange32(d, by);
      setTnum(d, av << by, am << by);
      fromTnum(d);
    }
  } else if (op == RSH) {
    const by = <u32>umin(s);
    if (is32) {
      setS32Range(d, i32.MIN_VALUE, i32.MAX_VALUE);
      setTnum(d, <u64>(<u32>av >> by), <u64>(<u32>am >> by));
      setU32Range(d, u32min(d) >> by, u32max(d) >> by);
      unbound64(d);
      fromTnum32(d);
    } else {
      setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
      setTnum(d, av >> by, am >> by);
      setU64Range(d, umin(d) >> by, umax(d) >> by);
      unbound32(d);
      fromTnum(d);
    }
  } else if (op == ARSH) {
    const by = <u32>umin(s);
    if (is32) {
      setS32Range(d, s32min(d) >> by, s32max(d) >> by);
      tnum_arshift(av & 0xffffffff, am & 0xffffffff, by, 32);
      setTnum(d, tv, tm);
      setU32Range(d, 0, u32.MAX_VALUE);
      unbound64(d);
      fromTnum32(d);
    } else {
      setS64Range(d, smin(d) >> by, smax(d) >> by);
      tnum_arshift(av, am, by, 64);
      setTnum(d, tv, tm);
      setU64Range(d, 0, u64.MAX_VALUE);
      unbound32(d);
      fromTnum(d);
    }
  }
  if (is32) zext(d);
  else bounds_sync(d);
}

/**
 * Variable part of pointer + scalar: 64-bit ranges and tnum of d from p (d itself or another register) and s; 32-bit
 * ranges are unknown. The caller syncs.
 */
export function ptr_add(d: u32, p: u32, s: u32): void {
  tnum_add(value(p), mask(p), value(s), mask(s));
  const slo = smin(p) + smin(s);
  const shi = smax(p) + smax(s);
  const swraps = addOverflowsS64(smin(p), smin(s), slo) || addOverflowsS64(smax(p), smax(s), shi);
  const ulo = umin(p) + umin(s);
  const uhi = umax(p) + umax(s);
  const uwraps = ulo < umin(p) || uhi < umax(p);
  setTnum(d, tv, tm);
  if (swraps) setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
  else setS64Range(d, slo, shi);
  if (uwraps) setU64Range(d, 0, u64.MAX_VALUE);
  else setU64Range(d, ulo, uhi);
  unbound32(d);
}

/** The same for pointer - scalar. */
export function ptr_sub(d: u32, p: u32, s: u32): void {
  tnum_sub(value(p), mask(p), value(s), mask(s));
  const slo = smin(p) - smax(s);
  const shi = smax(p) - smin(s);
  const swraps = subOverflowsS64(smin(p), smax(s), slo) || subOverflowsS64(smax(p), smin(s), shi);
  const uwraps = umin(p) < umax(s);
  const ulo = umin(p) - umax(s);
  const uhi = umax(p) - umin(s);
  setTnum(d, tv, tm);
  if (swraps) setS64Range(d, i64.MIN_VALUE, i64.MAX_VALUE);
  else setS64Range(d, slo, shi);
  if (uwraps) setU64Range(d, 0, u64.MAX_VALUE);
  else setU64Range(d, ulo, uhi);
  unbound32(d);
}

/** 64-bit ranges and tnum of d become those of s; 32-bit ranges unknown. */
export function ptr_keep(d: u32, s: u32): void {
  const v = value(s);
  const m = mask(s);
  setS64Range(d, smin(s), smax(s));
  setU64Range(d, umin(s), umax(s));
  setTnum(d, v, m);
  unbound32(d);
}

/** Adds a constant to a linked scalar: ranges and tnum only, without sync. */
export function linked_add(d: u32, s: u32): void {
  const av = value(d);
  const am = mask(d);
  add32(d, s);
  add64(d, s);
  tnum_add(av, am, value(s), mask(s));
  setTnum(d, tv, tm);
}

/** BPF_END: swap says whether bytes change places; 16 and 32 bits clear what is above. */
export function byte_swap(r: u32, bits: u32, swap: bool): void {
  if (swap) {
    let v = value(r);
    let m = mask(r);
    let rv: u64 = 0;
    let rm: u64 = 0;
    for (let i: u32 = 0; i < bits; i += 8) {
      rv = (rv << 8) | (v & 0xff);
      rm = (rm << 8) | (m & 0xff);
      v >>= 8;
      m >>= 8;
    }
    setTnum(r, rv, rm);
    unbound(r);
  }
  if (bits < 64) coerce(r, bits >> 3);
  bounds_sync(r);
}
