import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assemble } from "../../src/isa/assemble.ts";
import { decode, encode } from "../../src/isa/codec.ts";
import { disasm, disasmInsn } from "../../src/isa/disasm.ts";
import { newInsns } from "../../src/isa/insns.ts";
import { OPCODES, type Opcode, opcodeOf } from "../../src/isa/opcodes.ts";

/** The instruction with free fields taken from `f`. */
function make(o: Opcode, f: { dst: number; src: number; off: number; imm: number; hi: number }) {
  const insns = newInsns(o.kind === "ld_imm64" ? 2 : 1);
  insns.code[0] = o.code;
  insns.dst[0] = o.dst ?? f.dst;
  insns.src[0] = o.src ?? f.src;
  insns.off[0] = o.off ?? f.off;
  insns.imm[0] = o.imm ?? f.imm;
  // values by name of map or function have no second word
  if (insns.length > 1 && !["map_fd", "map_idx", "func"].includes(o.name)) insns.imm[1] = f.hi;
  return insns;
}

const reg = fc.integer({ min: 0, max: 10 });
const fields = fc.record({
  dst: reg,
  src: reg,
  off: fc.integer({ min: -0x8000, max: 0x7fff }),
  imm: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  hi: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
});

describe("every valid instruction", () => {
  it("has exactly one table entry", () => {
    fc.assert(
      fc.property(fc.constantFrom(...OPCODES), fields, (o, f) => {
        expect(opcodeOf(make(o, f), 0)).toBe(o);
      }),
      { numRuns: 2000 },
    );
  });

  // the kernel's text leaves out what src of calls and ld_imm64 says
  const kernelSays = (o: Opcode) =>
    !["call_kfunc", "callx"].includes(o.kind) && !(o.kind === "ld_imm64" && o.name !== "imm64");
  for (const style of ["asm", "mnemonic", "kernel"] as const) {
    it(`goes to ${style} text and back`, () => {
      const some = OPCODES.filter((o) => style !== "kernel" || kernelSays(o));
      fc.assert(
        fc.property(fc.constantFrom(...some), fields, (o, f) => {
          const insns = make(o, f);
          const text = disasmInsn(insns, 0, { style });
          expect(encode(assemble(text, { syntax: style === "mnemonic" ? "mnemonic" : "kernel" }).insns), text).toEqual(
            encode(insns),
          );
        }),
        { numRuns: 6000 },
      );
    });
  }
});

describe("any bytes", () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 64 }).map((b) => b.slice(0, b.length & ~7));

  it("decode and encode back", () => {
    fc.assert(
      fc.property(bytes, (b) => {
        expect(encode(decode(b))).toEqual(b);
      }),
    );
  });

  it("go to asm text and back, and every style prints them", () => {
    fc.assert(
      fc.property(bytes, (b) => {
        const insns = decode(b);
        expect(encode(assemble(disasm(insns).join("\n"), { syntax: "kernel" }).insns)).toEqual(b);
        for (const style of ["llvm", "kernel", "mnemonic"] as const) disasm(insns, { style });
      }),
      { numRuns: 2000 },
    );
  });

  it("a length that is no multiple of 8 is an error", () => {
    expect(() => decode(new Uint8Array(9), "prog 'x'")).toThrow(
      "prog 'x': instructions take a multiple of 8 bytes, saw 9: EINVAL",
    );
  });
});

it("any text assembles or is an AsmError", () => {
  const piece = fc.constantFrom(
    "r0",
    "w1",
    "r11",
    "=",
    "+=",
    "*(",
    "u32",
    "*)",
    "(",
    ")",
    "r1 + 4",
    "-",
    "0x10",
    "99999999999999999999",
    "ll",
    "if",
    "goto",
    "L",
    "L:",
    "1:",
    "1f",
    "call",
    "lock",
    "exit",
    ";",
    "\n",
    "mov32",
    "ldxw",
    "[",
    "]",
    ",",
    "%r1",
    "//",
    "/*",
    "#",
    ".8byte",
    "be16",
    "@",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (words) => {
      try {
        assemble(words.join(" "));
      } catch (e) {
        expect((e as Error).name).toBe("AsmError");
      }
    }),
    { numRuns: 2000 },
  );
});
