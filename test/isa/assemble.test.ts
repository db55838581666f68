import { describe, expect, it } from "vitest";
import { toHex } from "../../src/bytes/hex.ts";
import { type AssembleOptions, assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import { disasm, disasmInsn } from "../../src/isa/disasm.ts";

const options: AssembleOptions = {
  call: (name) => (name === "bpf_kfunc" ? { src: 2, imm: 77, off: 1 } : undefined),
  symbol: (name, kind) => (name === "m" ? { src: kind === "map_value" ? 2 : 1, imm: 5 } : undefined),
};
const hex = (text: string) => toHex(encode(assemble(text, options).insns));

/** [text, the same instruction in mnemonic syntax, bytes]. Bytes are clang 19's where clang knows the instruction. */
const INSNS: readonly (readonly [string, string, string])[] = [
  ["r0 = 5", "mov %r0, 5", "b700000005000000"],
  ["w0 = -5", "mov32 %r0, -5", "b4000000fbffffff"],
  ["r1 += -8", "add64 r1, -8", "07010000f8ffffff"],
  ["r1 = 0x1122334455667788 ll", "lddw %r1, 0x1122334455667788", "18010000887766550000000044332211"],
  ["w1 = -w1", "neg32 %r1", "8401000000000000"],
  ["r1 = (s8)r2", "movsx864 %r1, %r2", "bf21080000000000"],
  ["w1 = (s16)w2", "movsx1632 %r1, %r2", "bc21100000000000"],
  ["r0 = be16 r0", "be16 %r0", "dc00000010000000"],
  ["r0 = bswap32 r0", "swap32 %r0", "d700000020000000"],
  ["r1 s/= r2", "sdiv %r1, %r2", "3f21010000000000"],
  ["w1 s%= 7", "smod32 %r1, 7", "9401010007000000"],
  ["r1 s>>= 63", "arsh %r1, 63", "c70100003f000000"],
  ["w1 = *(u32 *)(r1 + 4)", "ldxw %r1, [%r1+4]", "6111040000000000"],
  ["r1 = *(s16 *)(r10 - 8)", "ldxsh %r1, [%r10-8]", "89a1f8ff00000000"],
  ["*(u8 *)(r10 - 4) = -1", "stb [%r10-4], -1", "720afcffffffffff"],
  ["*(u16 *)(r10 - 16) = w1", "stxh [%r10-16], %r1", "6b1af0ff00000000"],
  ["lock *(u32 *)(r1 + 0) |= w2", "lock or32 [%r1], %r2", "c321000040000000"],
  ["r3 = atomic_fetch_add((u64 *)(r1 + 0), r3)", "lock fetch add [%r1], %r3", "db31000001000000"],
  ["w3 = xchg32_32(r1 + 8, w3)", "lock xchg32 [%r1+8], %r3", "c3310800e1000000"],
  ["r0 = cmpxchg_64(r1 + 8, r0, r3)", "lock cmpxchg [%r1+8], %r3", "db310800f1000000"],
  ["w2 = load_acquire((u8 *)(r1 + 3))", "ldacqb %r2, [%r1+3]", "d312030000010000"],
  ["store_release((u64 *)(r1 - 8), r2)", "streldw [%r1-8], %r2", "db21f8ff10010000"],
  ["if r1 s> r2 goto +3", "jsgt %r1, %r2, +3", "6d21030000000000"],
  ["if w1 == 5 goto +7", "jeq32 %r1, 5, +7", "1601070005000000"],
  ["if r1 & 8 goto +6", "jset %r1, 8, +6", "4501060008000000"],
  ["if r1 > 0xffffffff goto -2", "jgt %r1, 0xffffffff, -2", "2501feffffffffff"],
  ["goto +5", "ja +5", "0500050000000000"],
  ["gotol +4", "ja32 +4", "0600000004000000"],
  ["may_goto +3", "may_goto +3", "e500030000000000"],
  ["call 1", "call 1", "8500000001000000"],
  ["call map_lookup_elem", "call helper 1", "8500000001000000"],
  ["call bpf_kfunc", "call runtime 77 + 1", "852001004d000000"],
  ["call pc-1", "call local -1", "85100000ffffffff"],
  ["callx r3", "call %r3", "8d03000000000000"],
  ["r0 = addr_space_cast(r1, 0, 1)", "addr_space_cast %r0, %r1, 0, 1", "bf10010001000000"],
  ["r0 = *(u8 *)skb[4]", "ldabsb 4", "3000000004000000"],
  ["r0 = *(u32 *)skb[r1]", "ldindw %r1, 0", "4010000000000000"],
  ["r1 = map[m] ll", "lddw %r1, map_by_fd(m)", "18110000050000000000000000000000"],
  ["r1 = map[m][0]+8 ll", "lddw %r1, map_val(map_by_fd(m))+8", "18210000050000000000000008000000"],
  ["r1 = map_value[5]+8 ll", "lddw %r1, map_val(map_by_fd(5))+8", "18210000050000000000000008000000"],
  ["r1 = func[-3] ll", "lddw %r1, code_addr(-3)", "18410000fdffffff0000000000000000"],
  ["exit", "exit", "9500000000000000"],
];

describe("instructions", () => {
  it.each(INSNS)("%s", (kernel, mnemonic, bytes) => {
    expect(hex(kernel)).toBe(bytes);
    expect(toHex(encode(assemble(mnemonic, { ...options, syntax: "mnemonic" }).insns))).toBe(bytes);
  });
});

describe("programs", () => {
  it("resolves labels both ways, numeric ones, and calls", () => {
    const { insns, labels, lines } = assemble(`
        r1 = 3 ; // comments of each kind
      1: r1 += -1; if r1 != 0 goto 1b   # like so
        if r1 == 0 goto 1f
        call f                          /* local */
      1: r0 = f ll
        goto out_%=
      f: r0 = 1
        exit
      out_%=:
        exit`);
    expect(disasm(insns).map((l) => l.trim().replace("\t", " "))).toEqual([
      "0: r1 = 0x3",
      "1: r1 += -0x1",
      "2: if r1 != 0x0 goto -0x2",
      "3: if r1 == 0x0 goto +0x1",
      "4: call pc+0x3",
      "5: r0 = func[+0x2] ll",
      "7: goto +0x2",
      "8: r0 = 0x1",
      "9: exit",
      "10: exit",
    ]);
    expect(labels.get("f")).toBe(8);
    expect(lines[8]).toBe(8);
  });

  it("reads the suite's syntax: implicit exit label, comments, bare registers", () => {
    expect(hex("mov32 r0, 1 # one\njeq %r1, 2, exit\nadd %r0, 1\nexit\n")).toBe(
      "b4000000010000001501010002000000070000000100000095000000".padEnd(64, "0"),
    );
  });

  it("reads a kernel dump: prefixes fix the code", () => {
    const text = "   0: (18) r1 = 0x5\n   2: (b7) r2 = 5\n   3: (85) call bpf_map_lookup_elem#1\n   4: (95) exit";
    expect(hex(text)).toBe("18010000050000000000000000000000b70200000500000085000000010000009500000000000000");
  });
});

describe("errors name line, token and what was wanted", () => {
  it.each([
    ["r1 += ", "line 1, column 6: saw end of line, wanted a number or a register r0..r10"],
    ["r0 = 1\nr1 = *(u33 *)(r1+4)", "line 2, column 8: saw 'u33', wanted 'u8' or 's8' or 'u16'"],
    ["goto nowhere", "line 1, column 6: saw 'nowhere', wanted a label of this text"],
    ["call foo", "line 1, column 6: saw function 'foo', wanted a label or the name of a helper"],
    ["if r1 > 5 goto +100000", "line 1, column 16: saw +100000, wanted a number of 16 bits"],
    ["r11 = 4", "line 1, column 1: saw 'r11', wanted an instruction"],
    ["x: r0 = 1\nx: exit", "line 2, column 1: label 'x' is defined twice"],
    ["r1 = map[nope] ll", "line 1, column 10: saw map 'nope', which nothing defines"],
    ["r0 = be16 r1", "line 1, column 11: saw 'r1', wanted the register named before"],
    ["r1 = 0x100000000", "line 1, column 6: saw 0x100000000, wanted a number of 32 bits"],
    ["mov32 %r0, [1]", "line 1, column 12: saw '[', wanted a number or a register r0..r10"],
    ["r1 @ 2", "line 1, column 4: unexpected character '@'"],
  ])("%s", (text, message) => {
    expect(() => assemble(text, options)).toThrow(message);
  });
});

describe("kernel style", () => {
  const one = (text: string, i = 0, more = {}) =>
    disasmInsn(assemble(text, options).insns, i, { style: "kernel", ...more });

  it.each([
    ["r0 = 0", "(b7) r0 = 0"],
    ["r1 = 0x123456789 ll", "(18) r1 = 0x123456789"],
    ["call 1", "(85) call bpf_map_lookup_elem#1"],
    ["call 9999", "(85) call unknown#9999"],
    ["call pc+5", "(85) call pc+5"],
    ["call bpf_kfunc", "(85) call kernel-function#77"],
    ["if w1 s< -1 goto +2", "(c6) if w1 s< 0xffffffff goto pc+2"],
    ["*(u64 *)(r10 - 8) = -1", "(7a) *(u64 *)(r10 -8) = -1"],
    ["r1 = *(u8 *)(r2 + 0)", "(71) r1 = *(u8 *)(r2 +0)"],
    ["lock *(u32 *)(r1 + 4) += r2", "(c3) lock *(u32 *)(r1 +4) += r2"],
    ["w3 = atomic_fetch_xor((u32 *)(r1 - 8), w3)", "(c3) r3 = atomic_fetch_xor((u32 *)(r1 -8), r3)"],
    ["r0 = cmpxchg_64(r1 + 8, r0, r3)", "(db) r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r3)"],
    ["w2 = load_acquire((u32 *)(r1 + 0))", "(c3) r2 = load_acquire((u32 *)(r1 +0))"],
    [".8byte 0xff", "BUG_ff"],
    // reserved fields are printed as if they were right
    [".8byte 0x00000005000100b7", "(b7) r0 = 5"],
    [".8byte 0x0000000500012fbf", "(bf) r15 = addr_space_cast(r2, 0, 5)"],
  ])("%s", (text, want) => {
    expect(one(text)).toBe(want);
  });

  it("takes names from the caller", () => {
    expect(one("r1 = map[m] ll", 0, { imm64: () => "map[id:3]" })).toBe("(18) r1 = map[id:3]");
    expect(one("call pc+5", 0, { call: () => "pc+5#bpf_prog_f" })).toBe("(85) call pc+5#bpf_prog_f");
    expect(one("call bpf_kfunc", 0, { call: () => "bpf_kfunc" })).toBe("(85) call bpf_kfunc#77");
  });
});
