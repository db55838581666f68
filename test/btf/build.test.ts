import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BtfBuilder } from "../../src/btf/build.ts";
import { btfFromC, CTypes } from "../../src/btf/c_parse.ts";
import { dumpC } from "../../src/btf/dump_c.ts";
import { dumpRaw } from "../../src/btf/dump_raw.ts";
import * as K from "../../src/btf/kinds.ts";
import { btfOf, fixtureText } from "./fixture.ts";

describe("builder", () => {
  it.each(["layout.o", "core_local.o", "values.o"])("builds %s again", (name) => {
    const btf = btfOf(name);
    const b = new BtfBuilder();
    expect(b.addAll(btf)).toBe(0);
    expect(dumpRaw(b.parse())).toBe(dumpRaw(btf));
  });

  it("appends one BTF to another", () => {
    const [first, second] = [btfOf("values.o"), btfOf("core_target.o")];
    const b = new BtfBuilder();
    b.addAll(first);
    const shift = b.addAll(second);
    const both = b.parse();
    expect(both.typeCount).toBe(first.typeCount + second.typeCount - 1);
    const thing = second.byName("thing", K.BTF_KIND_STRUCT);
    expect(both.members(thing + shift).map((m) => both.size(m.type))).toEqual(
      second.members(thing).map((m) => second.size(m.type)),
    );
  });

  it("stores equal strings once", () => {
    const b = new BtfBuilder();
    for (let i = 0; i < 50; i++) b.fwd("the_same_name");
    expect(b.build().length).toBe(24 + 50 * 12 + 1 + 14);
  });

  it.each([
    ["reserved and forgotten", (b: BtfBuilder) => b.reserve(), "BTF type 1: reserved, but never defined"],
    ["NUL in a name", (b: BtfBuilder) => b.fwd("a\0b"), "wanted a name without NUL"],
    [
      "bitfield beyond 2 MiB",
      (b: BtfBuilder) => b.struct("s", 1 << 28, [{ name: "m", type: 0, bitOffset: 1 << 24, bitfieldSize: 1 }]),
      "BTF member s.m: bit offset 16777216 beside a bitfield",
    ],
    [
      "too many values",
      (b: BtfBuilder) => b.enum("e", Object.fromEntries(Array.from({ length: 65536 }, (_, i) => [`v${i}`, i]))),
      "65536 items, wanted at most 65535",
    ],
  ])("%s", (_, make, message) => {
    const b = new BtfBuilder();
    make(b);
    expect(() => b.build()).toThrow(message);
  });

  it("whatever is built parses to the same types", () => {
    const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/);
    const anyName = fc.option(name, { nil: "" });
    const ref = fc.nat(20);
    const member = fc.record({ name: anyName, type: ref, bitOffset: fc.nat(0xffff), bitfieldSize: fc.nat(32) });
    const plain = fc.record({ name: anyName, type: ref, bitOffset: fc.nat(0x7fffffff), bitfieldSize: fc.constant(0) });
    const type = fc.oneof(
      fc.record({
        kind: fc.constant(K.BTF_KIND_INT),
        name,
        size: fc.constantFrom(1, 2, 4, 8, 16),
        encoding: fc.nat(7),
        bitOffset: fc.constant(0),
        bits: fc.nat(8),
      }),
      fc.record({
        kind: fc.constantFrom(K.BTF_KIND_STRUCT, K.BTF_KIND_UNION),
        name: anyName,
        size: fc.nat(0xffffffff),
        members: fc.oneof(fc.array(member, { maxLength: 4 }), fc.array(plain, { maxLength: 4 })),
      }),
      fc.record({
        kind: fc.constant(K.BTF_KIND_ENUM),
        name: anyName,
        size: fc.constantFrom(1, 2, 4, 8),
        signed: fc.constant(true),
        values: fc.array(fc.record({ name, value: fc.integer() }), { maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant(K.BTF_KIND_ENUM64),
        name: anyName,
        size: fc.constant(8),
        signed: fc.constant(false),
        values: fc.array(fc.record({ name, value: fc.bigInt(0n, (1n << 64n) - 1n) }), { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant(K.BTF_KIND_FWD), name, union: fc.boolean() }),
      fc.record({
        kind: fc.constant(K.BTF_KIND_FUNC_PROTO),
        name: fc.constant(""),
        retType: ref,
        params: fc.array(fc.record({ name: anyName, type: ref }), { maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant(K.BTF_KIND_DATASEC),
        name,
        size: fc.nat(),
        vars: fc.array(fc.record({ type: ref, offset: fc.nat(), size: fc.nat() }), { maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant(K.BTF_KIND_DECL_TAG),
        name,
        type: fc.constant(0),
        componentIdx: fc.integer({ min: -1, max: 5 }),
        attribute: fc.boolean(),
      }),
      fc.record({ kind: fc.constant(K.BTF_KIND_FLOAT), name, size: fc.constantFrom(2, 4, 8, 12, 16) }),
    );
    fc.assert(
      fc.property(fc.array(type, { minLength: 21, maxLength: 30 }), (types) => {
        const b = new BtfBuilder();
        for (const t of types) b.add(t);
        const btf = b.parse();
        types.forEach((t, i) => {
          expect(btf.type(i + 1)).toEqual({ ...t, id: i + 1 });
        });
      }),
      { numRuns: 150 },
    );
  });
});

describe("C declarations", () => {
  it("what the C dump writes reads back as the same types", () => {
    const original = btfOf("layout.o");
    const text = fixtureText("layout.h")
      .split("\n")
      .filter((line) => !line.startsWith("#"))
      .join("\n");
    const btf = btfFromC(text);
    // Not `bits`: libbpf counts on an alignment that a bitfield after a byte does not have.
    for (const name of ["packed", "holes", "node", "mixed", "tagged"]) {
      const was = original.allByName(name).find((id) => original.isComposite(id))!;
      const is = btf.allByName(name).find((id) => btf.isComposite(id))!;
      expect([name, btf.size(is)]).toEqual([name, original.size(was)]);
      expect(btf.members(is).map((m) => [m.name, m.bitOffset, m.bitfieldSize])).toEqual(
        original.members(was).map((m) => [m.name, m.bitOffset, m.bitfieldSize]),
      );
    }
    expect(dumpC(btf, { roots: [btf.byName("node")] })).toContain("int (* (*lookup)(const char *))[4];");
  });

  it.each([
    ["int x : 3; int y : 30; char z;", 12, [0, 32, 64]],
    ["char a; int b : 20; int c : 10; char d;", 8, [0, 8, 32, 48]],
    ["long a : 40; int b : 20; int c;", 16, [0, 40, 64]],
    ["char a; int : 0; char b;", 5, [0, 32]],
    ["char a; int : 5; char b;", 3, [0, 16]],
    ["char a; long b __attribute__((packed)); ", 16, [0, 64]],
    ["char a; short b[3]; double d;", 16, [0, 16, 64]],
    ["char a; __int128 b;", 32, [0, 128]],
    ["struct { char a; } in; union { short b; int c; };", 8, [0, 32]],
  ])("struct { %s }", (fields, size, offsets) => {
    const btf = btfFromC(`struct s { ${fields} };`);
    const s = btf.byName("s");
    expect([btf.size(s), btf.members(s).map((m) => m.bitOffset)]).toEqual([size, offsets]);
  });

  it("attributes, constants, functions, variables, tags", () => {
    const types = new CTypes(new BtfBuilder());
    types.declare(`
      enum { N = 1 << 2, M = (N | 1) + 2 * 3, K = -1, Z = ~0 };
      typedef struct { char c; int i; } __packed pair;   // 5 bytes
      struct wide { char c; } __attribute__((aligned(16)));
      int table[M][sizeof(pair)];
      __bpf_kfunc const struct wide *get(struct wide __rcu *w, void (*cb)(int), char text[8], ...);
      extern void gone(void);
      static long counter;
      enum tiny { T } __attribute__((mode(byte)));
    `);
    expect(() => types.typeOf("struct wide **x y")).toThrow("type 'struct wide **x y':1: unexpected 'y'");
    const ptr = types.typeOf("struct wide *[3]");
    const btf = types.finish().parse();
    expect(btf.size(ptr)).toBe(24);
    expect(btf.size(btf.byName("pair"))).toBe(5);
    expect(btf.size(btf.byName("wide"))).toBe(16);
    expect(btf.size(btf.byName("tiny"))).toBe(1);
    expect(btf.size(btf.byName("table"))).toBe(11 * 5 * 4);
    const get = btf.byName("get", K.BTF_KIND_FUNC);
    expect(btf.declTags(get)).toEqual(["bpf_kfunc"]);
    expect(dumpC(btf, { kfuncs: true })).toContain(
      'const struct wide *get(struct wide __attribute__((btf_type_tag("rcu"))) *w, void (*cb)(int), char *text, ...)',
    );
    expect(btf.type(btf.byName("gone"))).toMatchObject({ linkage: K.BTF_LINKAGE_EXTERN });
    expect(types.variables.get("counter")?.size).toBe(8);
  });

  it.each([
    ["struct s { int x }", "C types:1: wanted ';', saw '}'"],
    ["\n\nfoo x;", "C types:3: unknown type 'foo'"],
    ["struct s { struct t t; };", "member 't' has an incomplete type"],
    ["struct s { int a; }; struct s { int a; };", "'struct s' is defined twice"],
    ["int a[NOPE];", "unknown constant 'NOPE'"],
    ["struct s { int b : 33; };", "member 'b' of 33 bits is too wide"],
    ["long short x;", "no integer type 'long short'"],
    ["int x @;", "C types:1: unexpected '@' in C declarations"],
    ["struct s { int a; } __attribute__((weird));", "unknown attribute 'weird'"],
    ["int (*f", "wanted ')'"],
    ["struct {", "wanted a type, saw 'end of text'"],
  ])("%s", (text, message) => {
    expect(() => btfFromC(text)).toThrow(message);
  });
});
