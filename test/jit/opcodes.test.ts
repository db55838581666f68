/** Every instruction, on values at the edges of its width, against the model. */
import { describe, expect, test } from "vitest";
import { disasm } from "../../src/isa/disasm.ts";
import { type Insns, newInsns } from "../../src/isa/insns.ts";
import { OPCODES, type Opcode } from "../../src/isa/opcodes.ts";
import { type JitOptions, jit } from "../../src/jit/jit.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { bed, imageOf, run64 } from "./harness.ts";
import { model } from "./model.ts";

const VALUES = [
  0n,
  1n,
  2n,
  63n,
  64n,
  0x7fn,
  0x80n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x8000000080000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0x0123456789abcdefn,
  0xfffffffffffffffen,
];
const IMMS = [0, 1, -1, 7, 31, 32, 33, 63, 0x7fffffff, -0x80000000, 0x1234];

type Slot = readonly [code: number, dst: number, src: number, off: number, imm: number];

function program(slots: readonly Slot[]): Insns {
  const insns = newInsns(slots.length);
  slots.forEach(([code, dst, src, off, imm], i) => {
    insns.code[i] = code;
    insns.dst[i] = dst;
    insns.src[i] = src;
    insns.off[i] = off;
    insns.imm[i] = imm;
  });
  return insns;
}

const EXIT: Slot = [0x95, 0, 0, 0, 0];
/** r2 and r3 from the context, r0 = 9. */
const START: Slot[] = [
  [0x79, 2, 1, 0, 0],
  [0x79, 3, 1, 8, 0],
  [0xb7, 0, 0, 0, 9],
];
/** r0 = 31 * r0 + r for each of the registers: one number that shows a change of any. */
const mix = (...regs: number[]): Slot[] =>
  regs.flatMap((r): Slot[] => [
    [0x27, 0, 0, 0, 31],
    [0x0f, 0, r, 0, 0],
  ]);

/** Programs that exercise one opcode on the two values of the context. */
function programs(o: Opcode): Slot[][] {
  const imms = o.imm !== undefined || o.srcReg ? [o.imm ?? 0] : IMMS;
  const off = o.off ?? 0;
  const src = o.srcReg ? 3 : 0;
  switch (o.kind) {
    case "alu":
    case "neg":
    case "mov":
    case "movsx":
    case "end":
    case "addr_space_cast":
      return imms.flatMap((imm): Slot[][] => [
        [...START, [o.code, 2, src, off, imm], ...mix(2, 3), EXIT],
        [...START, [o.code, 2, o.srcReg ? 2 : 0, off, imm], ...mix(2, 3), EXIT],
        // operands that are known to be zero-extended
        [
          ...START,
          [0xbc, 2, 2, 0, 0],
          [0xbc, 3, 3, 0, 0],
          [o.code, 2, src, off, imm],
          ...mix(2),
          [0xbc, 4, 2, 0, 0],
          ...mix(4),
          EXIT,
        ],
      ]);
    case "jmp":
      return imms.map((imm) => [...START, [o.code, 2, src, 1, imm], [0xb7, 0, 0, 0, 77], ...mix(2, 3), EXIT]);
    case "ldx":
    case "ldxsx":
    case "load_acquire":
      return [
        [
          ...START,
          [0x7b, 10, 2, -16, 0],
          [0x7b, 10, 3, -8, 0],
          [o.code, 2, 10, -13, o.imm ?? 0],
          // through another register, before and after it
          [0xbf, 4, 10, 0, 0],
          [0x07, 4, 0, 0, -24],
          [o.code, 3, 4, 9, o.imm ?? 0],
          [0x07, 4, 0, 0, 40],
          [o.code, 4, 4, -27, o.imm ?? 0],
          ...mix(2, 3, 4),
          EXIT,
        ],
      ];
    case "st":
    case "stx":
    case "store_release":
    case "atomic":
      // aligned, since real atomics trap otherwise; the second time in a cmpxchg r0 is what is there
      return imms.map((imm) => [
        ...START,
        [0x7b, 10, 2, -16, 0],
        [0x7b, 10, 2, -8, 0],
        [o.code, 10, src, -16, imm],
        ...mix(0, 3),
        [0xbf, 0, 2, 0, 0],
        [0xbf, 4, 10, 0, 0],
        [0x07, 4, 0, 0, -24],
        [o.code, 4, src, 16, imm],
        [0x79, 5, 10, -16, 0],
        [0x79, 4, 10, -8, 0],
        ...mix(0, 3, 4, 5),
        EXIT,
      ]);
    case "ld_imm64":
      return VALUES.map((v) => [
        [0x18, 0, 0, 0, Number(BigInt.asIntN(32, v))],
        [0, 0, 0, 0, Number(BigInt.asIntN(32, v >> 32n))],
        EXIT,
      ]);
    case "ja":
      return [[...START, [o.code, 0, 0, o.width === 64 ? 1 : 0, o.width === 64 ? 0 : 1], [0xb7, 0, 0, 0, 2], EXIT]];
    case "exit":
      return [[...START, EXIT]];
    default:
      return [];
  }
}

/** Calls, packet loads and may_goto need more than registers and stack: calls.test.ts has them. */
const ELSEWHERE = new Set(["call", "call_local", "call_kfunc", "callx", "ld_abs", "ld_ind", "may_goto"]);

const b = bed();
const ctx = b.memory.alloc(16);

function check(slots: readonly Slot[], options: JitOptions): void {
  const image = imageOf(program(slots));
  const prog = jit(image, b.env, options);
  for (const v of VALUES) {
    for (const w of VALUES) {
      b.memory.writeU64(ctx, v);
      b.memory.writeU64(ctx + 8, w);
      const regs = new Array<bigint>(11).fill(0n);
      regs[1] = BigInt(ctx);
      regs[10] = BigInt(b.memory.readU32(b.memory.cpuCtx + CPU_CTX.stackTop));
      const want = model(image, b.memory.view, regs);
      const got = run64(b, prog, ctx);
      if (got !== want) {
        const text = disasm(image.insns).join("; ");
        expect({ text, v, w, r0: got }).toEqual({ text, v, w, r0: want });
      }
    }
  }
  prog.dispose();
}

describe("each opcode computes what the model computes", () => {
  test("every opcode has programs, here or in calls.test.ts", () => {
    for (const o of OPCODES) expect(programs(o).length > 0 || ELSEWHERE.has(o.kind), o.name).toBe(true);
  });

  const kinds = [...new Set(OPCODES.map((o) => o.kind))].filter((kind) => !ELSEWHERE.has(kind));
  test.each(kinds)("%s", (kind) => {
    for (const o of OPCODES) if (o.kind === kind) for (const slots of programs(o)) check(slots, {});
  });

  test.each(["atomic", "store_release"])("%s, with real atomics", (kind) => {
    for (const o of OPCODES) {
      if (o.kind === kind) for (const slots of programs(o)) check(slots, { shared: true });
    }
  });
});
