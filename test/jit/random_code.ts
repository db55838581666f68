/** Random straight code: arithmetic, moves, byte swaps and stack accesses, with many a rotation among them. */
import fc from "fast-check";
import { type Insns, newInsns } from "../../src/isa/insns.ts";

type Slot = readonly [code: number, dst: number, src: number, off: number, imm: number];

const reg = fc.integer({ min: 0, max: 9 });
const few = fc.integer({ min: 0, max: 3 });
const imm = fc.oneof(fc.integer({ min: -0x80000000, max: 0x7fffffff }), fc.constantFrom(0, 1, -1, 7, 32, 0x7fffffff));
const wide = fc.constantFrom(0x04, 0x07);

/** Moves, shifts and ors among few registers: the stuff that rotations are made of. */
const rotation: fc.Arbitrary<Slot> = fc
  .tuple(
    wide,
    fc.constantFrom(0xbc, 0x64, 0x74, 0x4c, 0xac, 0x0c),
    few,
    few,
    fc.constantFrom(1, 5, 13, 16, 19, 27, 31, 51, 59),
  )
  .map(([cls, op, dst, src, bits]): Slot => {
    const code = (op & ~7) | cls;
    const isShift = op === 0x64 || op === 0x74;
    return [code, dst, isShift ? 0 : src, 0, isShift ? (cls === 4 ? bits & 31 : bits) : 0];
  });

const alu: fc.Arbitrary<Slot> = fc
  .tuple(wide, fc.constantFrom(0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x90, 0xa0, 0xb0), fc.boolean(), reg, reg, imm)
  .map(([cls, op, x, dst, src, k]): Slot => [cls | op | (x ? 8 : 0), dst, x ? src : 0, 0, x ? 0 : k || 3]); // Linux refuses a division by the constant 0

const width = fc.constantFrom<readonly [bits: number, size: number]>([0x10, 1], [0x08, 2], [0x00, 4], [0x18, 8]);

/** Loads and stores of 32 bytes of stack, through r10. */
const memory: fc.Arbitrary<Slot> = fc
  .tuple(width, fc.constantFrom(0x61, 0x62, 0x63), fc.integer({ min: 0, max: 24 }), reg, imm)
  .map(([[bits, size], op, any, r, k]): Slot => {
    // Linux wants stack accesses aligned
    const at = any & -size;
    const code = (op & 7) | 0x60 | bits;
    return op === 0x61
      ? [code, r, 10, at - 32, 0]
      : op === 0x62
        ? [code, 10, 0, at - 32, k]
        : [code, 10, r, at - 32, 0];
  });

const movsx: fc.Arbitrary<Slot> = fc
  .tuple(wide, fc.constantFrom(8, 16), reg, reg)
  .map(([cls, bits, dst, src]): Slot => [cls | 0xb8, dst, src, bits, 0]);

const swap: fc.Arbitrary<Slot> = fc
  .tuple(fc.constantFrom(0xd4, 0xdc, 0xd7), fc.constantFrom(16, 32, 64), reg)
  .map(([code, bits, dst]): Slot => [code, dst, 0, 0, bits]);

/** Bodies of programs. */
export const slots = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: rotation },
    { weight: 4, arbitrary: alu },
    { weight: 2, arbitrary: memory },
    movsx,
    swap,
  ),
  {
    minLength: 1,
    maxLength: 60,
  },
);

/** The body between values of registers and stack, and a sum of all registers in r0, its halves folded. */
export function program(body: readonly Slot[], seeds: readonly bigint[]): Insns {
  const all: Slot[] = [];
  for (let at = -32; at < 0; at += 8) all.push([0x7a, 10, 0, at, at * 77]);
  seeds.forEach((v, r) => {
    all.push([0x18, r, 0, 0, Number(BigInt.asIntN(32, v))], [0, 0, 0, 0, Number(BigInt.asIntN(32, v >> 32n))]);
  });
  all.push(...body);
  for (let r = 1; r < 10; r++) all.push([0x27, 0, 0, 0, 31], [0x0f, 0, r, 0, 0]);
  // retval is 32 bits on Linux
  all.push([0xbf, 1, 0, 0, 0], [0x77, 1, 0, 0, 32], [0xaf, 0, 1, 0, 0], [0x95, 0, 0, 0, 0]);
  const insns = newInsns(all.length);
  all.forEach(([code, dst, src, off, k], i) => {
    insns.code[i] = code;
    insns.dst[i] = dst;
    insns.src[i] = src;
    insns.off[i] = off;
    insns.imm[i] = k;
  });
  return insns;
}

/** Values of r0 .. r9. */
export const seeds = fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { minLength: 10, maxLength: 10 });
