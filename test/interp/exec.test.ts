import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fromHex } from "../../src/bytes/hex.ts";
import { decode } from "../../src/isa/codec.ts";
import { OPCODES, opcodeOf } from "../../src/isa/opcodes.ts";
import { execProgram } from "../../src/kernel/exec.ts";
import { parseData } from "./data.ts";

const tests = ["conformance.data", "regressions.data"].flatMap((file) =>
  parseData(readFileSync(join(import.meta.dirname, file), "utf8")),
);

describe.each(["interp", "jit"] as const)("%s", (engine) => {
  it.each(tests.map((t) => [t.name, t] as const))("%s", (_, { bytes, memory, result, error, asm }) => {
    const run = () => execProgram(bytes, memory, { engine, fuel: 1_000_000 }).r0;
    if (error !== undefined) expect(run, asm).toThrow(error);
    else expect(`0x${run().toString(16)}`, asm).toBe(`0x${(result ?? 0n).toString(16)}`);
  });
});

it("covers every instruction that needs no kernel", () => {
  const seen = new Set<unknown>();
  for (const { bytes } of tests) {
    const insns = decode(bytes);
    for (let i = 0; i < insns.length; i++) seen.add(opcodeOf(insns, i));
  }
  const kernelOnly = new Set(["map_fd", "map_value", "btf_id", "map_idx", "map_idx_value", "ld_abs", "ld_ind"]);
  expect(OPCODES.filter((o) => !seen.has(o) && !kernelOnly.has(o.name)).map((o) => `${o.name}/${o.width}`)).toEqual([]);
});

it.each([
  ["0100", "program: instructions take a multiple of 8 bytes, saw 2: EINVAL"],
  ["ff000000000000009500000000000000", "program: insn 0 is no instruction: .8byte 0x00000000000000ff: EINVAL"],
  ["b70f0000010000009500000000000000", "program: insn 0 is no instruction"],
  ["1801000000000000", "program: insn 0 lacks its second half"],
  ["", "program: insn -1 goes to insn 0"],
])("bad bytes %s", (hex, message) => {
  expect(() => execProgram(fromHex(hex), new Uint8Array())).toThrow(message);
});

it("gives back the memory", () => {
  // *(u8 *)(r1 + 1) = 9; exit
  expect(execProgram(fromHex("720101000900000095000000 00000000"), fromHex("0102")).memory).toEqual(fromHex("0109"));
});
