/** Random programs give the same r0 and leave the same memory on both engines. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { loadInterp } from "../../src/interp/interp.ts";
import { disasm } from "../../src/isa/disasm.ts";
import { type Insns, newInsns } from "../../src/isa/insns.ts";
import { OPCODES, type Opcode } from "../../src/isa/opcodes.ts";
import { jit } from "../../src/jit/jit.ts";
import { bed, imageOf } from "../jit/harness.ts";

/** r6 holds the address of 64 bytes; r0 .. r5 and r7 .. r9 are data. */
const BASE = 6;
const DATA = [0, 1, 2, 3, 4, 5, 7, 8, 9];
const KINDS = new Set([
  "alu",
  "mov",
  "movsx",
  "neg",
  "end",
  "ldx",
  "ldxsx",
  "st",
  "stx",
  "atomic",
  "load_acquire",
  "store_release",
  "jmp",
  "ja",
  "ld_imm64",
]);
const some = OPCODES.filter((o) => KINDS.has(o.kind) && (o.kind !== "ld_imm64" || o.name === "imm64"));
const byBase = new Set(["st", "stx", "atomic", "store_release"]);
const loads = new Set(["ldx", "ldxsx", "load_acquire"]);

const edge = fc.constantFrom(
  0,
  1,
  -1,
  2,
  7,
  31,
  32,
  63,
  64,
  0x7f,
  0x80,
  0xff,
  0x8000,
  0x7fffffff,
  -0x80000000,
  0x12345678,
);
const step = fc.record({
  o: fc.constantFrom(...some),
  dst: fc.constantFrom(...DATA),
  src: fc.constantFrom(...DATA),
  imm: fc.oneof(edge, fc.integer({ min: -0x80000000, max: 0x7fffffff })),
  hi: edge,
  at: fc.integer({ min: 0, max: 7 }),
  skip: fc.integer({ min: 0, max: 5 }),
});

type Step = { o: Opcode; dst: number; src: number; imm: number; hi: number; at: number; skip: number };

function build(inits: readonly (readonly [number, number])[], steps: readonly Step[]): Insns {
  const sizes = steps.map((s) => (s.o.kind === "ld_imm64" ? 2 : 1));
  const insns = newInsns(1 + 2 * inits.length + sizes.reduce((a, b) => a + b, 0) + 3 * (DATA.length - 1) + 1);
  let i = 0;
  const put = (code: number, dst: number, src: number, off: number, imm: number) => {
    insns.code[i] = code;
    insns.dst[i] = dst;
    insns.src[i] = src;
    insns.off[i] = off;
    insns.imm[i++] = imm;
  };
  put(0xbf, BASE, 1, 0, 0);
  inits.forEach(([lo, hi], n) => {
    put(0x18, DATA[n], 0, 0, lo);
    put(0, 0, 0, 0, hi);
  });
  steps.forEach(({ o, dst, src, imm, hi, at, skip }, n) => {
    // jumps go forward over whole instructions
    const over = sizes.slice(n + 1, n + 1 + skip).reduce((a, b) => a + b, 0);
    const jumps = o.kind === "jmp" || (o.kind === "ja" && o.width === 64);
    put(
      o.code,
      o.dst ?? (byBase.has(o.kind) ? BASE : dst),
      o.src ?? (loads.has(o.kind) ? BASE : o.srcReg ? src : 0),
      o.off ?? (jumps ? over : o.size ? 8 * at : 0),
      o.imm ?? (o.kind === "ja" ? over : imm),
    );
    if (o.kind === "ld_imm64") put(0, 0, 0, 0, hi);
  });
  // everything ends up in r0
  for (const r of DATA.slice(1)) {
    put(0x27, 0, 0, 0, 31);
    put(0x0f, 0, r, 0, 0);
    put(0xa7, 0, 0, 0, 0x55aa);
  }
  put(0x95, 0, 0, 0, 0);
  return insns;
}

it("random programs", () => {
  const b = bed();
  const ctx = b.memory.alloc(80);
  const fill = Uint8Array.from({ length: 80 }, (_, i) => (i * 37) & 0xff);
  const inits = fc.array(fc.tuple(edge, edge), { minLength: DATA.length, maxLength: DATA.length });
  fc.assert(
    fc.property(inits, fc.array(step, { minLength: 1, maxLength: 40 }), (init, steps) => {
      const image = imageOf(build(init, steps));
      const results = [loadInterp(image, b.env), jit(image, b.env)].map((prog) => {
        b.memory.writeBytes(ctx, fill);
        const lo = prog.run(ctx);
        const r0 = `${b.memory.readU32(b.memory.cpuCtx + 12).toString(16)}:${(lo >>> 0).toString(16)}`;
        prog.dispose();
        return { r0, memory: b.memory.readBytes(ctx, 80) };
      });
      expect(results[0], disasm(image.insns).join("\n")).toEqual(results[1]);
    }),
    { numRuns: 1500 },
  );
});
