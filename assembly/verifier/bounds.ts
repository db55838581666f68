// What one view of a scalar (tnum; signed and unsigned range; 64 and 32 bits) tells the others.

import {
  mask, s32max, s32min, setS32Range, setS64Range, setTnum, setU32Range, setU64Range, smax, smin, u32max, u32min, umax, umin, value,
  R_S32_MAX, R_S32_MIN, R_SMAX, R_SMIN, R_U32_MAX, R_U32_MIN, R_UMAX, R_UMIN, R_MASK, R_VALUE,
} from "./layout";
import { tm, tnum_intersect, tnum_range, tnum_step, tv } from "./tnum";

// @ts-ignore: decorator
@inline function raiseU64(r: u32, x: u64): void { if (x > umin(r)) store<u64>(r, x, 56); }
// @ts-ignore: decorator
@inline function lowerU64(r: u32, x: u64): void { if (x < umax(r)) store<u64>(r, x, 64); }
// @ts-ignore: decorator
@inline function raiseS64(r: u32, x: i64): void { if (x > smin(r)) store<i64>(r, x, 40); }
// @ts-ignore: decorator
@inline function lowerS64(r: u32, x: i64): void { if (x < smax(r)) store<i64>(r, x, 48); }
// @ts-ignore: decorator
@inline function raiseU32(r: u32, x: u32): void { if (x > u32min(r)) store<u32>(r, x, 80); }
// @ts-ignore: decorator
@inline function lowerU32(r: u32, x: u32): void { if (x < u32max(r)) store<u32>(r, x, 84); }
// @ts-ignore: decorator
@inline function raiseS32(r: u32, x: i32): void { if (x > s32min(r)) store<i32>(r, x, 72); }
// @ts-ignore: decorator
@inline function lowerS32(r: u32, x: i32): void { if (x < s32max(r)) store<i32>(r, x, 76); }

export function unbound64(r: u32): void {
  setS64Range(r, i64.MIN_VALUE, i64.MAX_VALUE);
  setU64Range(r, 0, u64.MAX_VALUE);
}

export function unbound32(r: u32): void {
  setS32Range(r, i32.MIN_VALUE, i32.MAX_VALUE);
  setU32Range(r, 0, u32.MAX_VALUE);
}

export function unbound(r: u32): void {
  unbound64(r);
  unbound32(r);
}

/** All views become the constant. */
export function setKnown(r: u32, x: u64): void {
  setTnum(r, x, 0);
  setS64Range(r, <i64>x, <i64>x);
  setU64Range(r, x, x);
  setS32Range(r, <i32>x, <i32>x);
  setU32Range(r, <u32>x, <u32>x);
}

/** The low half becomes the constant; 64-bit ranges are not touched. */
export function setKnown32(r: u32, x: u32): void {
  setTnum(r, (value(r) & ~0xffffffff) | <u64>x, mask(r) & ~0xffffffff);
  setS32Range(r, <i32>x, <i32>x);
  setU32Range(r, x, x);
}

export function fromTnum32(r: u32): void {
  const v = <u32>value(r);
  const m = <u32>mask(r);
  raiseS32(r, <i32>(v | (m & 0x80000000)));
  lowerS32(r, <i32>(v | (m & 0x7fffffff)));
  raiseU32(r, v);
  lowerU32(r, v | m);
}

export function fromTnum64(r: u32): void {
  const v = value(r);
  const m = mask(r);
  raiseS64(r, <i64>(v | (m & 0x8000000000000000)));
  lowerS64(r, <i64>(v | (m & 0x7fffffffffffffff)));
  raiseU64(r, v);
  const top = v | m;
  lowerU64(r, top);
  // Does the unsigned range hold just one member of the tnum?
  const lo = umin(r);
  const hi = umax(r);
  if (m == 0) {
    if (lo != v || hi != v) setKnown(r, v);
    return;
  }
  const next = tnum_step(v, m, lo);
  if ((lo & ~m) == v) {
    if (next > hi) setKnown(r, lo);
  } else if (next == top) {
    setKnown(r, top);
  } else if (next <= hi && tnum_step(v, m, next) > hi) {
    setKnown(r, next);
  }
}

export function fromTnum(r: u32): void {
  fromTnum32(r);
  fromTnum64(r);
}

/** 32-bit ranges, from 64-bit ranges and from each other. */
function deduce32(r: u32): void {
  const ulo = umin(r);
  const uhi = umax(r);
  const slo = smin(r);
  const shi = smax(r);
  if (ulo >> 32 == uhi >> 32) {
    // One common upper half: the low halves are a range as well.
    raiseU32(r, <u32>ulo);
    lowerU32(r, <u32>uhi);
    if (<i32>ulo <= <i32>uhi) {
      raiseS32(r, <i32>ulo);
      lowerS32(r, <i32>uhi);
    }
  }
  if (slo >> 32 == shi >> 32) {
    if (<u32>slo <= <u32>shi) {
      raiseU32(r, <u32>slo);
      lowerU32(r, <u32>shi);
    }
    if (<i32>slo <= <i32>shi) {
      raiseS32(r, <i32>slo);
      lowerS32(r, <i32>shi);
    }
  }
  // Neighbouring upper halves with the low halves around zero: a range that crosses 0 in signed order.
  if (<u32>(ulo >> 32) + 1 == <u32>(uhi >> 32) && <i32>ulo < 0 && <i32>uhi >= 0) {
    raiseS32(r, <i32>ulo);
    lowerS32(r, <i32>uhi);
  }
  if (<u32>(slo >> 32) + 1 == <u32>(shi >> 32) && <i32>slo < 0 && <i32>shi >= 0) {
    raiseS32(r, <i32>slo);
    lowerS32(r, <i32>shi);
  }
  if (<i32>u32min(r) <= <i32>u32max(r)) {
    raiseS32(r, <i32>u32min(r));
    lowerS32(r, <i32>u32max(r));
  }
  if (<u32>s32min(r) <= <u32>s32max(r)) {
    raiseU32(r, <u32>s32min(r));
    lowerU32(r, <u32>s32max(r));
  } else if (u32max(r) < <u32>s32min(r)) {
    // The signed range wraps in unsigned order, and the unsigned range meets only its non-negative part ...
    store<i32>(r, <i32>u32min(r), R_S32_MIN);
    lowerU32(r, <u32>s32max(r));
  } else if (<u32>s32max(r) < u32min(r)) {
    // ... or only its negative part.
    store<i32>(r, <i32>u32max(r), R_S32_MAX);
    raiseU32(r, <u32>s32min(r));
  }
}

function deduce64(r: u32): void {
  if (<i64>umin(r) <= <i64>umax(r)) {
    raiseS64(r, <i64>umin(r));
    lowerS64(r, <i64>umax(r));
  }
  if (<u64>smin(r) <= <u64>smax(r)) {
    raiseU64(r, <u64>smin(r));
    lowerU64(r, <u64>smax(r));
  } else if (umax(r) < <u64>smin(r)) {
    store<i64>(r, <i64>umin(r), R_SMIN);
    lowerU64(r, <u64>smax(r));
  } else if (<u64>smax(r) < umin(r)) {
    store<i64>(r, <i64>umax(r), R_SMAX);
    raiseU64(r, <u64>smin(r));
  }
}

/** 64-bit ranges from the 32-bit ones. */
function deduceMixed(r: u32): void {
  const HI: u64 = 0xffffffff00000000;
  let lo: u64 = u32min(r);
  let hi: u64 = u32max(r);
  const ulo = umin(r);
  const uhi = umax(r);
  raiseU64(r, (ulo & HI) | lo);
  lowerU64(r, (uhi & HI) | hi);
  raiseS64(r, <i64>((<u64>smin(r) & HI) | lo));
  lowerS64(r, <i64>((<u64>smax(r) & HI) | hi));
  if (<u32>s32min(r) <= <u32>s32max(r)) {
    // Loaded as u32: the compiler sign-extends <u64>(<u32>x) of an inlined i32.
    lo = load<u32>(r, 72);
    hi = load<u32>(r, 76);
    raiseU64(r, (umin(r) & HI) | lo);
    lowerU64(r, (umax(r) & HI) | hi);
    raiseS64(r, <i64>((<u64>smin(r) & HI) | lo));
    lowerS64(r, <i64>((<u64>smax(r) & HI) | hi));
  }
  // A sign-extended 32-bit number that is not negative: 64 bits say the same as 32.
  if (s32min(r) >= 0 && smin(r) >= <i64>i32.MIN_VALUE && smax(r) <= <i64>i32.MAX_VALUE) {
    const a = <i64>s32min(r);
    const b = <i64>s32max(r);
    setS64Range(r, a, b);
    setU64Range(r, <u64>a, <u64>b);
    tnum_range(<u64>a, <u64>b);
    tnum_intersect(value(r), mask(r), tv, tm);
    setTnum(r, tv, tm);
  }
}

function deduce(r: u32): void {
  deduce32(r);
  deduce64(r);
  deduceMixed(r);
}

/** The tnum, from the unsigned ranges. */
function tnumFromBounds(r: u32): void {
  tnum_range(umin(r), umax(r));
  tnum_intersect(value(r), mask(r), tv, tm);
  const v = tv;
  const m = tm;
  tnum_range(<u64>u32min(r), <u64>u32max(r));
  tnum_intersect(v & 0xffffffff, m & 0xffffffff, tv, tm);
  setTnum(r, (v & ~0xffffffff) | tv, (m & ~0xffffffff) | tm);
}

/** A constant that every range agrees on: nothing can be deduced. */
function settled(r: u32): bool {
  const v = value(r);
  return (
    mask(r) == 0 &&
    umin(r) == v && umax(r) == v && smin(r) == <i64>v && smax(r) == <i64>v &&
    u32min(r) == <u32>v && u32max(r) == <u32>v && s32min(r) == <i32>v && s32max(r) == <i32>v
  );
}

/** One round of deduction. Did it change anything? Most registers settle at once, and the other rounds cost 100 ns. */
function round(r: u32): bool {
  const a = load<u64>(r, 24);
  const b = load<u64>(r, 32);
  const c = load<u64>(r, 40);
  const d = load<u64>(r, 48);
  const e = load<u64>(r, 56);
  const f = load<u64>(r, 64);
  const g = load<u64>(r, 72);
  const h = load<u64>(r, 80);
  deduce(r);
  return (
    a != load<u64>(r, 24) || b != load<u64>(r, 32) || c != load<u64>(r, 40) || d != load<u64>(r, 48) ||
    e != load<u64>(r, 56) || f != load<u64>(r, 64) || g != load<u64>(r, 72) || h != load<u64>(r, 80)
  );
}

/** reg_bounds_sync(): three rounds of deduction between what the tnum tells the ranges and what they tell it. */
export function bounds_sync(r: u32): void {
  if (settled(r)) return;
  fromTnum(r);
  let changed = round(r);
  if (changed && round(r)) deduce(r);
  const v = value(r);
  const m = mask(r);
  tnumFromBounds(r);
  if (changed || v != value(r) || m != mask(r)) fromTnum(r);
}

/** 0 = consistent, 1 = a range is empty, 2 = constant tnum and ranges differ, 3 = the same in the low half. */
export function bounds_violation(r: u32): i32 {
  if (umin(r) > umax(r) || smin(r) > smax(r) || u32min(r) > u32max(r) || s32min(r) > s32max(r)) return 1;
  const v = value(r);
  if (mask(r) == 0 && (umin(r) != v || umax(r) != v || smin(r) != <i64>v || smax(r) != <i64>v)) return 2;
  if (<u32>mask(r) == 0) {
    const w = <u32>v;
    if (u32min(r) != w || u32max(r) != w || s32min(r) != <i32>w || s32max(r) != <i32>w) return 3;
  }
  return 0;
}

/** The value of a 32-bit operation: upper half zero. zext_32_to_64(). */
export function zext(r: u32): void {
  setTnum(r, value(r) & 0xffffffff, mask(r) & 0xffffffff);
  setU64Range(r, <u64>u32min(r), <u64>u32max(r));
  if (s32min(r) >= 0 && s32max(r) >= 0) setS64Range(r, <i64>s32min(r), <i64>s32max(r));
  else setS64Range(r, 0, 0xffffffff);
  bounds_sync(r);
}

/** Keeps the low `size` bytes (1, 2, 4), zero-extended. coerce_reg_to_size(). */
export function coerce(r: u32, size: u32): void {
  const keep: u64 = (<u64>1 << (size * 8)) - 1;
  setTnum(r, value(r) & keep, mask(r) & keep);
  if ((umin(r) & ~keep) == (umax(r) & ~keep)) setU64Range(r, umin(r) & keep, umax(r) & keep);
  else setU64Range(r, 0, keep);
  setS64Range(r, <i64>umin(r), <i64>umax(r));
  if (size < 4) unbound32(r);
  bounds_sync(r);
}

// @ts-ignore: decorator
@inline function sext(x: i64, size: u32): i64 {
  const by: i64 = 64 - <i64>size * 8;
  return (x << by) >> by;
}

/** Keeps the low `size` bytes, sign-extended to 64 bits. coerce_reg_to_size_sx(). */
export function coerce_sx(r: u32, size: u32): void {
  if (mask(r) == 0) {
    setKnown(r, <u64>sext(<i64>value(r), size));
    return;
  }
  const bits = size * 8;
  if (<u64>smin(r) >> bits == <u64>smax(r) >> bits) {
    const a = sext(smin(r), size);
    const b = sext(smax(r), size);
    const lo = min(a, b);
    const hi = max(a, b);
    if (lo >= 0 == hi >= 0) {
      setS64Range(r, lo, hi);
      setU64Range(r, <u64>lo, <u64>hi);
      setS32Range(r, <i32>lo, <i32>hi);
      setU32Range(r, <u32>lo, <u32>hi);
      tnum_range(<u64>lo, <u64>hi);
      setTnum(r, tv, tm);
      return;
    }
  }
  const half: i64 = (<i64>1 << (bits - 1));
  setS64Range(r, -half, half - 1);
  setS32Range(r, <i32>-half, <i32>(half - 1));
  setU64Range(r, 0, u64.MAX_VALUE);
  setU32Range(r, 0, u32.MAX_VALUE);
  setTnum(r, 0, u64.MAX_VALUE);
}

/** Keeps the low `size` bytes (1, 2), sign-extended to 32 bits; 64-bit ranges stay for zext(). coerce_subreg_to_size_sx(). */
export function coerce_sx32(r: u32, size: u32): void {
  if (mask(r) == 0) {
    const x = <i32>sext(<i64>value(r), size);
    setTnum(r, <u64>(<i64>x), 0);
    setS32Range(r, x, x);
    setU32Range(r, <u32>x, <u32>x);
    return;
  }
  const bits = size * 8;
  if (<u32>s32min(r) >> bits == <u32>s32max(r) >> bits) {
    const a = <i32>sext(<i64>s32min(r), size);
    const b = <i32>sext(<i64>s32max(r), size);
    const lo = min(a, b);
    const hi = max(a, b);
    if (lo >= 0 == hi >= 0) {
      setS32Range(r, lo, hi);
      setU32Range(r, <u32>lo, <u32>hi);
      tnum_range(<u64>(<i64>lo), <u64>(<i64>hi));
      setTnum(r, tv & 0xffffffff, tm & 0xffffffff);
      return;
    }
  }
  const half: i32 = 1 << (bits - 1);
  setS32Range(r, -half, half - 1);
  setU32Range(r, 0, u32.MAX_VALUE);
  setTnum(r, 0, 0xffffffff);
}
