/** Any bytes given to execProgram end in a result or an error, soon, and in the same one on both engines. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { toHex } from "../../src/bytes/hex.ts";
import { decode, encode } from "../../src/isa/codec.ts";
import { disasm } from "../../src/isa/disasm.ts";
import { newInsns } from "../../src/isa/insns.ts";
import { OPCODES } from "../../src/isa/opcodes.ts";
import { execProgram } from "../../src/kernel/exec.ts";

const EXPECTED = new Set(["BpfError", "RunFault"]);

function outcome(engine: "jit" | "interp", bytes: Uint8Array): string {
  try {
    const { r0, memory } = execProgram(bytes, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), { engine, fuel: 500 });
    return `${r0.toString(16)} ${toHex(memory)}`;
  } catch (e) {
    const { name, message } = e as Error;
    if (!EXPECTED.has(name)) throw e;
    // the engines charge fuel at other places, and notice an overflow of the stack later or earlier
    return /fuel|overflow/.test(message) ? "stopped" : name;
  }
}

/** Helpers that take addresses, and the ones called instead. */
const HELPERS_OF_MEMORY = new Map([
  [1, 2],
  [4, 3],
]);

const small = fc.integer({ min: -3, max: 6 });
const reg = fc.integer({ min: 0, max: 9 });
const slot = fc.record({
  o: fc.constantFrom(...OPCODES),
  dst: fc.oneof(reg, fc.constant(10)),
  src: fc.oneof(reg, fc.constant(10)),
  off: small,
  imm: fc.oneof(small, fc.integer()),
});

it("instructions thrown together", () => {
  fc.assert(
    fc.property(fc.array(slot, { minLength: 1, maxLength: 12 }), (slots) => {
      const insns = newInsns(slots.length + 1);
      slots.forEach(({ o, dst, src, off, imm }, i) => {
        insns.code[i] = o.code;
        insns.dst[i] = o.dst ?? dst;
        insns.src[i] = o.src ?? src;
        insns.off[i] = o.off ?? off;
        insns.imm[i] = o.imm ?? imm;
        // memfrob and strcmp reach past the program's memory into what only one engine has there.
        if (o.name === "call") insns.imm[i] = HELPERS_OF_MEMORY.get(imm) ?? insns.imm[i];
      });
      insns.code[slots.length] = 0x95;
      const bytes = encode(insns);
      const [a, b] = [outcome("interp", bytes), outcome("jit", bytes)];
      if (a !== "stopped" && b !== "stopped") expect(a, disasm(insns).join("\n")).toBe(b);
    }),
    { numRuns: 400 },
  );
});

it("bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      outcome("interp", bytes);
      outcome("jit", bytes);
      if (bytes.length % 8 === 0) expect(encode(decode(bytes))).toEqual(bytes);
    }),
    { numRuns: 200 },
  );
});
