import { describe, expect, test } from "vitest";
import { btfFromC } from "../../src/btf/c_parse.ts";
import { CoreTargets } from "../../src/btf/core_relo.ts";
import { cloneInsns } from "../../src/isa/codec.ts";
import { disasm } from "../../src/isa/disasm.ts";
import { CoreApplier, POISON_CORE } from "../../src/object/core.ts";
import { fixtureBytes, fixtureSpec, progOf } from "./fixture.ts";

const spec = fixtureSpec("core_relo");

/** A kernel whose types moved and grew. */
const MOVED = `
  struct thing { void *next; char pad[100]; unsigned long long count; unsigned long long wide; int signed_one; };
  enum color { BLUE, GREEN = 77 };
  enum wide_enum { BIG = 0x300000000ULL };
`;

function relocate(prog: string, kernel: string) {
  const p = progOf(spec, prog);
  const insns = cloneInsns(p.insns);
  const applier = new CoreApplier(spec.btf!, new CoreTargets(btfFromC(kernel)));
  const poisoned = applier.apply(insns, p.coreRelos, `core_relo.o: program '${prog}'`);
  return { insns, poisoned, text: disasm(insns, { style: "llvm" }) };
}

describe("CO-RE relocations in instructions", () => {
  test("a load gets the new offset and the new width", () => {
    expect(relocate("loads", MOVED).text[0]).toContain("r0 = *(u64 *)(r1 + 0x70)");
  });

  test("immediates: size, existence, offset, enum value", () => {
    const { insns } = relocate("immediates", MOVED);
    expect([0, 1, 3, 6].map((i) => insns.imm[i])).toEqual([136, 1, 77, 0]);
  });

  test("a 64-bit immediate gets both halves", () => {
    const { insns } = relocate("wide_value", MOVED);
    expect([insns.imm[0], insns.imm[1]]).toEqual([0, 3]);
  });

  test("what does not exist poisons its instruction; existence reads 0", () => {
    const { insns, poisoned } = relocate("guarded", MOVED);
    expect(insns.imm[1]).toBe(0);
    expect(poisoned).toEqual([
      {
        insnIdx: 3,
        relo: "<byte_off> [16] struct gone.x (0:0 @ offset 0)",
        reason: "the target BTF has no struct gone",
      },
    ]);
    expect([insns.code[3], insns.src[3], insns.imm[3]]).toEqual([0x85, 0, POISON_CORE]);
  });

  test("a poisoned 64-bit immediate is two calls", () => {
    const { insns } = relocate("wide_value", "enum other { A };");
    expect([insns.code[0], insns.imm[0], insns.code[1], insns.imm[1]]).toEqual([0x85, POISON_CORE, 0x85, POISON_CORE]);
  });

  test("a signed field of another size poisons its load", () => {
    const { poisoned } = relocate("signed_resize", "struct thing { long long signed_one; };");
    expect(poisoned[0].reason).toBe("accesses a field of 4 bytes that has 8 in the target");
  });

  test("an offset that no instruction holds is an error", () => {
    const far = "struct thing { char far[40000]; unsigned int count; };";
    expect(() => relocate("loads", far)).toThrow(
      "core_relo.o: program 'loads': insn 0: CO-RE relocation <byte_off> [2] struct thing.count (0:1 @ offset 4): " +
        "offset 40000 in the target; wanted at most 32767: ERANGE",
    );
  });

  test("an instruction that does not hold what the compiler wrote is an error", () => {
    const p = progOf(spec, "loads");
    const insns = cloneInsns(p.insns);
    insns.off[0] = 8;
    const applier = new CoreApplier(spec.btf!, new CoreTargets(btfFromC(MOVED)));
    expect(() => applier.apply(insns, p.coreRelos, "x")).toThrow(
      "instruction holds 8; wanted 4 (to become 112): EINVAL",
    );
  });

  /** Linux 6.18 has none of these types: libbpf poisoned the same instructions. */
  test("poison agrees with libbpf", () => {
    const rows = new TextDecoder().decode(fixtureBytes("object/libbpf.jsonl")).trim().split("\n");
    for (const line of rows) {
      const row = JSON.parse(line) as { file: string; prog: string; insns: string };
      if (row.file !== "core_relo.o") continue;
      const poison = "850000001023ad0b";
      const wanted = row.insns.match(/.{16}/g)!.flatMap((word, i) => (word === poison ? [i] : []));
      const { insns } = relocate(row.prog, "struct unrelated { int x; };");
      const seen = Array.from(insns.imm).flatMap((imm, i) =>
        imm === POISON_CORE && insns.code[i] === 0x85 ? [i] : [],
      );
      expect([row.prog, seen]).toEqual([row.prog, wanted]);
    }
  });
});
