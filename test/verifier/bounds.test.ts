/**
 * Abstract arithmetic is sound: whatever the concrete operands, the concrete result lies in the abstract result, and a
 * branch that is called decided goes that way. Small widths exhaustively, 64 bits at random.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  R_MASK,
  R_S32_MAX,
  R_S32_MIN,
  R_SMAX,
  R_SMIN,
  R_U32_MAX,
  R_U32_MIN,
  R_UMAX,
  R_UMIN,
  R_VALUE,
} from "../../src/verifier/layout.ts";
import { type Reg, StateMem } from "../../src/verifier/state.ts";
import { newVerifierWasm } from "../../src/verifier/wasm.ts";

const wasm = newVerifierWasm();
const R = new StateMem(wasm);
const frame = R.allocFrame(0);
const [A, B] = [R.regAt(frame, 0), R.regAt(frame, 1)];

const U64 = (1n << 64n) - 1n;
const u64 = (x: bigint) => BigInt.asUintN(64, x);
const s64 = (x: bigint) => BigInt.asIntN(64, x);
const u32 = (x: bigint) => BigInt.asUintN(32, x);
const s32 = (x: bigint) => BigInt.asIntN(32, x);

function put64(at: number, v: bigint): void {
  R.u32[at >> 2] = Number(u32(v));
  R.u32[(at + 4) >> 2] = Number(u64(v) >> 32n);
}

/** A scalar with the tnum and whatever else that implies. */
function setTnum(reg: Reg, value: bigint, mask: bigint): void {
  wasm.reg_unknown(reg, 0);
  put64(reg + R_VALUE, value & ~mask);
  put64(reg + R_MASK, mask);
  wasm.bounds_sync(reg);
}

/** Why x is not in the register, or undefined when it is. */
function missing(reg: Reg, x: bigint): string | undefined {
  const value = R.big(reg + R_VALUE, false);
  const mask = R.big(reg + R_MASK, false);
  if ((u64(x) & ~mask & U64) !== value) return `tnum (${value.toString(16)}; ${mask.toString(16)})`;
  if (u64(x) < R.big(reg + R_UMIN, false) || u64(x) > R.big(reg + R_UMAX, false)) return "u64";
  if (s64(x) < R.big(reg + R_SMIN, true) || s64(x) > R.big(reg + R_SMAX, true)) return "s64";
  const lo = Number(u32(x));
  if (lo < R.u32[(reg + R_U32_MIN) >> 2] || lo > R.u32[(reg + R_U32_MAX) >> 2]) return "u32";
  if ((lo | 0) < R.i32[(reg + R_S32_MIN) >> 2] || (lo | 0) > R.i32[(reg + R_S32_MAX) >> 2]) return "s32";
  return undefined;
}

const OPS: Record<string, { code: number; run: (a: bigint, b: bigint, bits: bigint) => bigint; shift?: boolean }> = {
  add: { code: 0x00, run: (a, b) => a + b },
  sub: { code: 0x10, run: (a, b) => a - b },
  mul: { code: 0x20, run: (a, b) => a * b },
  or: { code: 0x40, run: (a, b) => a | b },
  and: { code: 0x50, run: (a, b) => a & b },
  xor: { code: 0xa0, run: (a, b) => a ^ b },
  lsh: { code: 0x60, run: (a, b) => a << b, shift: true },
  rsh: { code: 0x70, run: (a, b) => a >> b, shift: true },
  arsh: { code: 0xc0, run: (a, b, bits) => BigInt.asIntN(Number(bits), a) >> b, shift: true },
};

/** What the machine computes. */
function concrete(op: string, is32: boolean, a: bigint, b: bigint): bigint {
  const cut = is32 ? u32 : u64;
  return cut(OPS[op].run(cut(a), cut(b), is32 ? 32n : 64n));
}

const JUMPS: Record<string, { code: number; holds: (a: bigint, b: bigint, sa: bigint, sb: bigint) => boolean }> = {
  jeq: { code: 0x10, holds: (a, b) => a === b },
  jgt: { code: 0x20, holds: (a, b) => a > b },
  jge: { code: 0x30, holds: (a, b) => a >= b },
  jset: { code: 0x40, holds: (a, b) => (a & b) !== 0n },
  jne: { code: 0x50, holds: (a, b) => a !== b },
  jsgt: { code: 0x60, holds: (_a, _b, a, b) => a > b },
  jsge: { code: 0x70, holds: (_a, _b, a, b) => a >= b },
  jlt: { code: 0xa0, holds: (a, b) => a < b },
  jle: { code: 0xb0, holds: (a, b) => a <= b },
  jslt: { code: 0xc0, holds: (_a, _b, a, b) => a < b },
  jsle: { code: 0xd0, holds: (_a, _b, a, b) => a <= b },
};

function jumps(op: string, is32: boolean, a: bigint, b: bigint): boolean {
  return is32 ? JUMPS[op].holds(u32(a), u32(b), s32(a), s32(b)) : JUMPS[op].holds(u64(a), u64(b), s64(a), s64(b));
}

/** All tnums of `bits` bits, and their members. */
function smallTnums(bits: number): { value: bigint; mask: bigint; members: bigint[] }[] {
  const out = [];
  for (let mask = 0; mask < 1 << bits; mask++) {
    for (let value = 0; value < 1 << bits; value++) {
      if (value & mask) continue;
      const members = [];
      for (let x = 0; x < 1 << bits; x++) if ((x & ~mask) === value) members.push(BigInt(x));
      out.push({ value: BigInt(value), mask: BigInt(mask), members });
    }
  }
  return out;
}

describe("small tnums, exhaustively", () => {
  const tnums = smallTnums(3);
  for (const op of Object.keys(OPS)) {
    it(op, () => {
      for (const is32 of [false, true]) {
        for (const a of tnums) {
          for (const b of tnums) {
            if (OPS[op].shift && b.mask) continue;
            setTnum(A, a.value, a.mask);
            setTnum(B, b.value, b.mask);
            wasm.alu(OPS[op].code, is32, A, B);
            for (const x of a.members) {
              for (const y of b.members) {
                const why = missing(A, concrete(op, is32, x, y));
                if (why) expect.fail(`${x} ${op}${is32 ? 32 : 64} ${y} is not in ${why}`);
              }
            }
          }
        }
      }
    });
  }
});

/** Interesting 64-bit numbers: near powers of two, small, negative, anything. */
const num = fc
  .oneof(
    fc.bigInt({ min: -300n, max: 300n }),
    fc
      .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -3, max: 3 }))
      .map(([k, d]) => (1n << BigInt(k)) + BigInt(d)),
    fc.bigInt({ min: 0n, max: U64 }),
  )
  .map(u64);

/** A scalar around a number: unknown bits, and ends of ranges that may lie anywhere on their side. */
const around = fc.record({
  x: num,
  mask: fc.oneof(fc.constant(0n), fc.constant(U64), fc.constant(0xffffffffn), num),
  ends: fc.array(num, { minLength: 8, maxLength: 8 }),
});
type Around = { x: bigint; mask: bigint; ends: bigint[] };

function setAround(reg: Reg, { x, mask, ends }: Around): void {
  wasm.reg_unknown(reg, 0);
  put64(reg + R_VALUE, x & ~mask & U64);
  put64(reg + R_MASK, mask);
  const min = (a: bigint, b: bigint) => (a < b ? a : b);
  const max = (a: bigint, b: bigint) => (a > b ? a : b);
  put64(reg + R_UMIN, min(x, ends[0]));
  put64(reg + R_UMAX, max(x, ends[1]));
  put64(reg + R_SMIN, min(s64(x), s64(ends[2])));
  put64(reg + R_SMAX, max(s64(x), s64(ends[3])));
  R.u32[(reg + R_U32_MIN) >> 2] = Number(min(u32(x), u32(ends[4])));
  R.u32[(reg + R_U32_MAX) >> 2] = Number(max(u32(x), u32(ends[5])));
  R.i32[(reg + R_S32_MIN) >> 2] = Number(min(s32(x), s32(ends[6])));
  R.i32[(reg + R_S32_MAX) >> 2] = Number(max(s32(x), s32(ends[7])));
  wasm.bounds_sync(reg);
}

const RUNS = { numRuns: 3000 };

describe("64 bits, at random", () => {
  it("deduction keeps the number", () => {
    fc.assert(
      fc.property(around, (a) => {
        setAround(A, a);
        expect(missing(A, a.x)).toBeUndefined();
        expect(wasm.bounds_violation(A)).toBe(0);
      }),
      RUNS,
    );
  });

  for (const op of Object.keys(OPS)) {
    it(op, () => {
      fc.assert(
        fc.property(around, around, fc.boolean(), (a, b, is32) => {
          const by = OPS[op].shift
            ? { x: b.x % (is32 ? 32n : 64n), mask: 0n, ends: b.ends.map(() => b.x % (is32 ? 32n : 64n)) }
            : b;
          setAround(A, a);
          setAround(B, by);
          wasm.alu(OPS[op].code, is32, A, B);
          expect(missing(A, concrete(op, is32, a.x, by.x))).toBeUndefined();
          expect(missing(B, by.x)).toBeUndefined();
        }),
        RUNS,
      );
    });
  }

  it("an operand may be its own source", () => {
    fc.assert(
      fc.property(around, fc.constantFrom("add", "sub", "mul", "or", "and", "xor"), fc.boolean(), (a, op, is32) => {
        setAround(A, a);
        wasm.alu(OPS[op].code, is32, A, A);
        expect(missing(A, concrete(op, is32, a.x, a.x))).toBeUndefined();
      }),
      RUNS,
    );
  });

  it("neg", () => {
    fc.assert(
      fc.property(around, fc.boolean(), (a, is32) => {
        setAround(A, a);
        wasm.alu(0x80, is32, A, A);
        expect(missing(A, is32 ? u32(-a.x) : u64(-a.x))).toBeUndefined();
      }),
      RUNS,
    );
  });

  it("truncation and sign extension", () => {
    fc.assert(
      fc.property(around, fc.constantFrom(1, 2, 4), (a, size) => {
        const bits = size * 8;
        setAround(A, a);
        wasm.coerce(A, size);
        expect(missing(A, BigInt.asUintN(bits, a.x))).toBeUndefined();
        setAround(A, a);
        wasm.coerce_sx(A, size);
        expect(missing(A, u64(BigInt.asIntN(bits, a.x)))).toBeUndefined();
        if (size === 4) return;
        setAround(A, a);
        wasm.coerce_sx32(A, size);
        wasm.zext(A);
        expect(missing(A, u32(BigInt.asIntN(bits, a.x)))).toBeUndefined();
      }),
      RUNS,
    );
  });

  it("byte swaps", () => {
    const swapped = (x: bigint, bits: number) => {
      let out = 0n;
      for (let i = 0; i < bits; i += 8) out = (out << 8n) | ((x >> BigInt(i)) & 0xffn);
      return out;
    };
    fc.assert(
      fc.property(around, fc.constantFrom(16, 32, 64), fc.boolean(), (a, bits, swap) => {
        setAround(A, a);
        wasm.byte_swap(A, bits, swap);
        const cut = BigInt.asUintN(bits, a.x);
        expect(missing(A, swap ? swapped(cut, bits) : cut)).toBeUndefined();
      }),
      RUNS,
    );
  });

  for (const op of Object.keys(JUMPS)) {
    it(`${op}: decided branches, and what each way tells`, () => {
      fc.assert(
        fc.property(around, around, fc.boolean(), fc.boolean(), (a, b, is32, equal) => {
          const other = equal ? { ...b, x: a.x } : b;
          const taken = jumps(op, is32, a.x, other.x);
          setAround(A, a);
          setAround(B, other);
          const said = wasm.branch_taken(A, B, JUMPS[op].code, is32);
          expect(said === -1 || said === (taken ? 1 : 0)).toBe(true);
          wasm.refine(A, B, JUMPS[op].code, is32, taken);
          expect(missing(A, a.x)).toBeUndefined();
          expect(missing(B, other.x)).toBeUndefined();
        }),
        RUNS,
      );
    });
  }
});

describe("precision", () => {
  it("constants stay constants", () => {
    fc.assert(
      fc.property(num, num, fc.constantFrom(...Object.keys(OPS)), fc.boolean(), (x, y, op, is32) => {
        const by = OPS[op].shift ? y % (is32 ? 32n : 64n) : y;
        setTnum(A, x, 0n);
        setTnum(B, by, 0n);
        wasm.alu(OPS[op].code, is32, A, B);
        expect(R.isConst(A)).toBe(true);
        expect(R.big(A + R_VALUE, false)).toBe(concrete(op, is32, x, by));
      }),
      RUNS,
    );
  });
});
