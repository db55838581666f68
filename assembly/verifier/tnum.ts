// Tristate numbers: a value and a mask of unknown bits (value & mask == 0). Results come in the globals tv and tm.

/** Value of the last result. */
export let tv: u64 = 0;
/** Mask of the last result. */
export let tm: u64 = 0;

// @ts-ignore: decorator
@inline function give(v: u64, m: u64): void {
  tv = v;
  tm = m;
}

/** Bits below and at the highest set bit of x. */
// @ts-ignore: decorator
@inline function smear(x: u64): u64 {
  return x ? u64.MAX_VALUE >> clz(x) : 0;
}

export function tnum_const(v: u64): void {
  give(v, 0);
}

/** The smallest tnum that holds every number of lo..hi. */
export function tnum_range(lo: u64, hi: u64): void {
  const m = smear(lo ^ hi);
  give(lo & ~m, m);
}

export function tnum_add(av: u64, am: u64, bv: u64, bm: u64): void {
  const sum = av + bv;
  const m = ((am + bm + sum) ^ sum) | am | bm;
  give(sum & ~m, m);
}

export function tnum_sub(av: u64, am: u64, bv: u64, bm: u64): void {
  const diff = av - bv;
  const m = ((diff + am) ^ (diff - bm)) | am | bm;
  give(diff & ~m, m);
}

export function tnum_and(av: u64, am: u64, bv: u64, bm: u64): void {
  const v = av & bv;
  give(v, (av | am) & (bv | bm) & ~v);
}

export function tnum_or(av: u64, am: u64, bv: u64, bm: u64): void {
  const v = av | bv;
  give(v, (am | bm) & ~v);
}

export function tnum_xor(av: u64, am: u64, bv: u64, bm: u64): void {
  const m = am | bm;
  give((av ^ bv) & ~m, m);
}

/** Numbers that are in both, when there are any. */
export function tnum_intersect(av: u64, am: u64, bv: u64, bm: u64): void {
  const m = am & bm;
  give((av | bv) & ~m, m);
}

/** Numbers that are in either. */
export function tnum_union(av: u64, am: u64, bv: u64, bm: u64): void {
  const m = (av ^ bv) | am | bm;
  give(av & bv & ~m, m);
}

/** Long multiplication: an unknown bit of a joins "added" and "not added". */
export function tnum_mul(av: u64, am: u64, bv: u64, bm: u64): void {
  let rv: u64 = 0;
  let rm: u64 = 0;
  while (av | am) {
    if (av & 1) {
      tnum_add(rv, rm, bv, bm);
      rv = tv;
      rm = tm;
    } else if (am & 1) {
      tnum_add(rv, rm, bv, bm);
      tnum_union(rv, rm, tv, tm);
      rv = tv;
      rm = tm;
    }
    av >>= 1;
    am >>= 1;
    bv <<= 1;
    bm <<= 1;
  }
  give(rv, rm);
}

/** Arithmetic shift right of a 64-bit or (bits = 32) 32-bit number. */
export function tnum_arshift(av: u64, am: u64, by: u32, bits: u32): void {
  if (bits == 32) give(<u64>(<u32>(<i32>av >> by)), <u64>(<u32>(<i32>am >> by)));
  else give(<u64>(<i64>av >> by), <u64>(<i64>am >> by));
}

/** The smallest member greater than z; the largest member if there is none. */
export function tnum_step(v: u64, m: u64, z: u64): u64 {
  const top = v | m;
  if (z >= top) return top;
  if (z < v) return v;
  const near = v | (z & m);
  if (near > z) {
    // The highest fixed bit in which z is short: above it keep z, below it the least.
    const low = smear(near ^ z);
    return (near & ~low) | (v & low);
  }
  // Count up in the unknown bits above the highest fixed bit in which z exceeds: let carries run through all others.
  const low = smear(near ^ z);
  return v | (((near | ~m | low) + 1) & m);
}
