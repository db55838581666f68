// Conditional jumps on two scalars: which way they go, and what each way tells.

import {
  mask, s32max, s32min, setTnum, smax, smin, u32max, u32min, umax, umin, value,
  R_S32_MAX, R_S32_MIN, R_SMAX, R_SMIN, R_U32_MAX, R_U32_MIN, R_UMAX, R_UMIN,
} from "./layout";
import { bounds_sync, unbound } from "./bounds";
import { tm, tnum_and, tnum_intersect, tnum_or, tv } from "./tnum";

const JEQ: u32 = 0x10;
const JGT: u32 = 0x20;
const JGE: u32 = 0x30;
const JSET: u32 = 0x40;
const JNE: u32 = 0x50;
const JSGT: u32 = 0x60;
const JSGE: u32 = 0x70;
const JLT: u32 = 0xa0;
const JLE: u32 = 0xb0;
const JSLT: u32 = 0xc0;
const JSLE: u32 = 0xd0;
/** "None of the bits is set": what holds when JSET does not jump. */
const JNSET: u32 = 0x48;

const LOW: u64 = 0xffffffff;

/** 1 = a and b differ surely, 0 = equal surely, -1 = it depends. */
function differ(a: u32, b: u32, is32: bool): i32 {
  let av = value(a);
  let am = mask(a);
  let bv = value(b);
  let bm = mask(b);
  if (is32) {
    av &= LOW;
    am &= LOW;
    bv &= LOW;
    bm &= LOW;
  }
  if (am == 0 && bm == 0) return i32(av != bv);
  const known = ~am & ~bm;
  if ((av & known) != (bv & known)) return 1;
  if (!is32) {
    if (umin(a) > umax(b) || umax(a) < umin(b)) return 1;
    if (smin(a) > smax(b) || smax(a) < smin(b)) return 1;
  }
  // The low halves alone can rule equality out.
  if (u32min(a) > u32max(b) || u32max(a) < u32min(b)) return 1;
  if (s32min(a) > s32max(b) || s32max(a) < s32min(b)) return 1;
  return -1;
}

/** a > b: 1 yes, 0 no, -1 it depends. */
function greaterU(a: u32, b: u32, is32: bool): i32 {
  if (is32) return u32min(a) > u32max(b) ? 1 : u32max(a) <= u32min(b) ? 0 : -1;
  return umin(a) > umax(b) ? 1 : umax(a) <= umin(b) ? 0 : -1;
}

function greaterS(a: u32, b: u32, is32: bool): i32 {
  if (is32) return s32min(a) > s32max(b) ? 1 : s32max(a) <= s32min(b) ? 0 : -1;
  return smin(a) > smax(b) ? 1 : smax(a) <= smin(b) ? 0 : -1;
}

// @ts-ignore: decorator
@inline function not(x: i32): i32 {
  return x < 0 ? -1 : 1 - x;
}

/** is_scalar_branch_taken(): 1 taken, 0 not, -1 either. op is the high nibble of the opcode. */
export function branch_taken(a: u32, b: u32, op: u32, is32: bool): i32 {
  if (op == JEQ) return not(differ(a, b, is32));
  if (op == JNE) return differ(a, b, is32);
  if (op == JGT) return greaterU(a, b, is32);
  if (op == JLE) return not(greaterU(a, b, is32));
  if (op == JLT) return greaterU(b, a, is32);
  if (op == JGE) return not(greaterU(b, a, is32));
  if (op == JSGT) return greaterS(a, b, is32);
  if (op == JSLE) return not(greaterS(a, b, is32));
  if (op == JSLT) return greaterS(b, a, is32);
  if (op == JSGE) return not(greaterS(b, a, is32));
  if (op == JSET) {
    const keep: u64 = is32 ? LOW : u64.MAX_VALUE;
    if (mask(b) & keep) {
      const t = a;
      a = b;
      b = t;
    }
    if (mask(b) & keep) return -1;
    const bits = value(b) & keep;
    if (value(a) & bits) return 1;
    if (!((value(a) | mask(a)) & bits)) return 0;
  }
  return -1;
}

function meetEqual(a: u32, b: u32, is32: bool): void {
  if (is32) {
    const ul = max(u32min(a), u32min(b));
    const uh = min(u32max(a), u32max(b));
    const sl = max(s32min(a), s32min(b));
    const sh = min(s32max(a), s32max(b));
    store<u32>(a, ul, R_U32_MIN);
    store<u32>(b, ul, R_U32_MIN);
    store<u32>(a, uh, R_U32_MAX);
    store<u32>(b, uh, R_U32_MAX);
    store<i32>(a, sl, R_S32_MIN);
    store<i32>(b, sl, R_S32_MIN);
    store<i32>(a, sh, R_S32_MAX);
    store<i32>(b, sh, R_S32_MAX);
    tnum_intersect(value(a) & LOW, mask(a) & LOW, value(b) & LOW, mask(b) & LOW);
    setTnum(a, (value(a) & ~LOW) | tv, (mask(a) & ~LOW) | tm);
    setTnum(b, (value(b) & ~LOW) | tv, (mask(b) & ~LOW) | tm);
  } else {
    const ul = max(umin(a), umin(b));
    const uh = min(umax(a), umax(b));
    const sl = max(smin(a), smin(b));
    const sh = min(smax(a), smax(b));
    store<u64>(a, ul, R_UMIN);
    store<u64>(b, ul, R_UMIN);
    store<u64>(a, uh, R_UMAX);
    store<u64>(b, uh, R_UMAX);
    store<i64>(a, sl, R_SMIN);
    store<i64>(b, sl, R_SMIN);
    store<i64>(a, sh, R_SMAX);
    store<i64>(b, sh, R_SMAX);
    tnum_intersect(value(a), mask(a), value(b), mask(b));
    setTnum(a, tv, tm);
    setTnum(b, tv, tm);
  }
}

/** A constant at the edge of the range cuts it off. */
function exclude(a: u32, x: u64, is32: bool): void {
  if (is32) {
    const w = <u32>x;
    if (u32min(a) == w) store<u32>(a, w + 1, R_U32_MIN);
    if (u32max(a) == w) store<u32>(a, w - 1, R_U32_MAX);
    if (s32min(a) == <i32>w) store<i32>(a, <i32>w + 1, R_S32_MIN);
    if (s32max(a) == <i32>w) store<i32>(a, <i32>w - 1, R_S32_MAX);
  } else {
    if (umin(a) == x) store<u64>(a, x + 1, R_UMIN);
    if (umax(a) == x) store<u64>(a, x - 1, R_UMAX);
    if (smin(a) == <i64>x) store<i64>(a, <i64>x + 1, R_SMIN);
    if (smax(a) == <i64>x) store<i64>(a, <i64>x - 1, R_SMAX);
  }
}

/** a <= b (strict: a < b) holds. */
function lessU(a: u32, b: u32, strict: u32, is32: bool): void {
  if (is32) {
    store<u32>(a, min(u32max(a), u32max(b) - strict), R_U32_MAX);
    store<u32>(b, max(u32min(a) + strict, u32min(b)), R_U32_MIN);
  } else {
    store<u64>(a, min(umax(a), umax(b) - strict), R_UMAX);
    store<u64>(b, max(umin(a) + strict, umin(b)), R_UMIN);
  }
}

function lessS(a: u32, b: u32, strict: i32, is32: bool): void {
  if (is32) {
    store<i32>(a, min(s32max(a), s32max(b) - strict), R_S32_MAX);
    store<i32>(b, max(s32min(a) + strict, s32min(b)), R_S32_MIN);
  } else {
    store<i64>(a, min(smax(a), smax(b) - strict), R_SMAX);
    store<i64>(b, max(smin(a) + strict, smin(b)), R_SMIN);
  }
}

function learn(a: u32, b: u32, op: u32, is32: bool): void {
  if (op == JEQ) meetEqual(a, b, is32);
  else if (op == JLE) lessU(a, b, 0, is32);
  else if (op == JLT) lessU(a, b, 1, is32);
  else if (op == JGE) lessU(b, a, 0, is32);
  else if (op == JGT) lessU(b, a, 1, is32);
  else if (op == JSLE) lessS(a, b, 0, is32);
  else if (op == JSLT) lessS(a, b, 1, is32);
  else if (op == JSGE) lessS(b, a, 0, is32);
  else if (op == JSGT) lessS(b, a, 1, is32);
  else {
    const keep: u64 = is32 ? LOW : u64.MAX_VALUE;
    if (mask(b) & keep) {
      const t = a;
      a = b;
      b = t;
    }
    if (mask(b) & keep) return;
    const x = value(b) & keep;
    if (op == JNE) {
      exclude(a, x, is32);
    } else if (op == JSET) {
      // Only a single bit tells which one is set.
      if (popcnt(x) != 1) return;
      tnum_or(value(a), mask(a), x, 0);
      setTnum(a, tv, tm);
    } else if (op == JNSET) {
      // On a path that cannot be, ranges and bits would contradict; start from the bits alone.
      unbound(a);
      const clear = is32 ? ~x | ~LOW : ~x;
      tnum_and(value(a), mask(a), clear, 0);
      setTnum(a, tv, tm);
    }
  }
}

function reverse(op: u32): u32 {
  if (op == JEQ) return JNE;
  if (op == JNE) return JEQ;
  if (op == JSET) return JNSET;
  if (op == JGE) return JLT;
  if (op == JGT) return JLE;
  if (op == JLE) return JGT;
  if (op == JLT) return JGE;
  if (op == JSGE) return JSLT;
  if (op == JSGT) return JSLE;
  if (op == JSLE) return JSGT;
  return JSGE;
}

/** regs_refine_cond_op() and sync: narrows a and b for the way where `a op b` holds (taken) or does not. */
export function refine(a: u32, b: u32, op: u32, is32: bool, taken: bool): void {
  learn(a, b, taken ? op : reverse(op), is32);
  bounds_sync(a);
  bounds_sync(b);
}
