import { describe, expect, it } from "vitest";
import type { Btf } from "../../src/btf/btf.ts";
import { BtfBuilder } from "../../src/btf/build.ts";
import { btfFromC } from "../../src/btf/c_parse.ts";
import * as R from "../../src/btf/core_relo.ts";
import { parseBtfExt } from "../../src/btf/ext.ts";
import { essentialName } from "../../src/btf/flavor.ts";
import { BTF_KIND_STRUCT } from "../../src/btf/kinds.ts";
import { btfOf, fixtureText, sectionOf } from "./fixture.ts";

/** One relocation of `local` against `target`; the root is the type named `root`. */
function relocate(local: Btf, target: Btf | R.CoreTargets, root: string, accessStr: string, kind: number): R.CoreRes {
  const targets = target instanceof R.CoreTargets ? target : new R.CoreTargets(target);
  return R.calcCoreRelo(local, { insnOff: 8, typeId: local.byName(root), accessStr, kind }, targets);
}

// Each line of core_local.txt is what libbpf said: the local spec, the candidate that it chose, the new value.
describe("as libbpf", () => {
  const local = btfOf("core_local.o");
  const targets = new R.CoreTargets(btfOf("core_target.o"));
  const relos = [...parseBtfExt(sectionOf("core_local.o", ".BTF.ext"), local).coreRelos.values()].flat();
  const lines = fixtureText("core_local.txt").trimEnd().split("\n");
  it.each(lines.map((line, i) => [i, line] as const))("relo #%i: %s", (i, line) => {
    const res = R.calcCoreRelo(local, relos[i], targets);
    const target = res.target ? R.formatCoreSpec(res.target) : "-";
    expect(`${R.formatCoreSpec(res.local)} | ${target} | ${res.poison ? "poison" : res.newVal}`).toBe(line);
  });
  it("each of them", () => expect(relos).toHaveLength(lines.length));
});

describe("fields", () => {
  const local = btfFromC(`
    typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long u64;
    enum color { RED }; enum shade { DARK };
    struct in { int deep; };
    struct s {
      int id; u32 u; char *name; struct in in; int arr[4]; enum color color; float f; struct { int anon; };
      void (*fn)(void); u64 flex[];
    };
    typedef struct s s_t;
  `);
  const EXISTS = R.BPF_CORE_FIELD_EXISTS;
  const cases: [name: string, target: string, access: string, found: boolean][] = [
    ["an int is any int", "struct s { char id; };", "0:0", true],
    ["an int is no pointer", "struct s { void *id; };", "0:0", false],
    ["any two pointers", "struct s { struct z *name; };", "0:2", true],
    ["a struct is any struct", "struct o { int x; }; struct s { struct o in; };", "0:3", true],
    ["but its member must be there", "struct o { int x; }; struct s { struct o in; };", "0:3:0", false],
    ["members are found through anonymous members", "struct s { union { struct { int id; }; }; };", "0:0", true],
    ["of arrays the elements are compared", "struct s { long arr[9]; };", "0:4", true],
    ["an index inside the target's array", "struct s { int arr[3]; };", "0:4:2", true],
    ["an index outside it", "struct s { int arr[3]; };", "0:4:3", false],
    ["a flexible array takes any index", "struct s { int n; int arr[0]; };", "0:4:3", true],
    ["but only at the end", "struct s { int arr[0]; int n; };", "0:4:3", false],
    ["enums by name", "enum color { A }; struct s { enum color color; };", "0:5", true],
    ["enums of another name", "enum shade { A }; struct s { enum shade color; };", "0:5", false],
    ["enum flavours", "enum color___x { A }; struct s { enum color___x color; };", "0:5", true],
    ["anonymous enums", "struct s { enum { A } color; };", "0:5", true],
    ["enum64 for enum", "enum color { A = 0x100000000 }; struct s { enum color color; };", "0:5", true],
    ["floats", "struct s { double f; };", "0:6", true],
    ["typedefs and qualifiers do not matter", "typedef int t; struct s { const volatile t id; };", "0:0", true],
    ["a union of the same name is another type", "union s { int id; };", "0:0", false],
    ["the flavour of the target does not matter", "struct s___v5 { int id; };", "0:0", true],
  ];
  it.each(cases)("%s", (_, target, access, found) => {
    expect(relocate(local, btfFromC(target), "s", access, EXISTS).newVal).toBe(found ? 1n : 0n);
  });

  it("whole elements are stepped over", () => {
    const res = relocate(local, btfFromC("struct s { long a; int id; };"), "s", "2:0", R.BPF_CORE_FIELD_BYTE_OFFSET);
    expect([res.newVal, res.poison]).toEqual([40n, false]);
  });

  it("a typedef root has candidates among typedefs", () => {
    const target = btfFromC("struct x { int pad; int id; }; typedef struct x s_t; struct s { int id; };");
    expect(relocate(local, target, "s_t", "0:0", R.BPF_CORE_FIELD_BYTE_OFFSET).newVal).toBe(4n);
  });

  it("a missing field poisons, and says what was missing", () => {
    const target = btfFromC("struct s { int other; };");
    const res = relocate(local, target, "s", "0:3:0", R.BPF_CORE_FIELD_BYTE_OFFSET);
    expect(res).toMatchObject({
      poison: true,
      origVal: 16n,
      missing: "struct s has no member 'in.deep' of a compatible type in the target BTF",
    });
    const none = relocate(local, btfFromC("struct z { int a; };"), "s", "0:0", R.BPF_CORE_FIELD_BYTE_SIZE);
    expect(none).toMatchObject({ poison: true, missing: "the target BTF has no struct s" });
  });

  it.each([
    ["unsigned to wider", "0:1", "struct s { unsigned long u; };", false],
    ["pointers", "0:2", "struct s { char *name; };", false],
    ["signed to wider", "0:0", "struct s { long id; };", true],
    ["same size", "0:0", "struct s { int id; };", false],
    ["struct sizes differ", "0:3", "struct in { long deep; }; struct s { struct in in; };", true],
  ])("load width: %s", (_, access, target, fails) => {
    expect(relocate(local, btfFromC(target), "s", access, R.BPF_CORE_FIELD_BYTE_OFFSET).failMemSizeAdjust).toBe(fails);
  });

  const bits = btfFromC("struct b { unsigned a : 3; int b : 5; unsigned long wide : 40; unsigned plain; };");
  const moved = btfFromC(`struct b {
    unsigned char pad; unsigned a : 7; int b; unsigned long w0 : 30; unsigned long wide : 34; unsigned plain : 20; };`);
  it.each<[string, number, Record<string, bigint>]>([
    ["byte_off", R.BPF_CORE_FIELD_BYTE_OFFSET, { "0:0": 0n, "0:1": 4n, "0:2": 8n }],
    ["byte_sz", R.BPF_CORE_FIELD_BYTE_SIZE, { "0:0": 4n, "0:1": 4n, "0:2": 8n }],
    ["signed", R.BPF_CORE_FIELD_SIGNED, { "0:0": 0n, "0:1": 1n, "0:2": 0n }],
    ["lshift", R.BPF_CORE_FIELD_LSHIFT_U64, { "0:0": 49n, "0:1": 32n, "0:2": 0n }],
    ["rshift", R.BPF_CORE_FIELD_RSHIFT_U64, { "0:0": 57n, "0:1": 32n, "0:2": 30n }],
  ])("bitfields: %s", (_, kind, wants) => {
    for (const [access, want] of Object.entries(wants)) {
      expect([access, relocate(bits, moved, "b", access, kind).newVal]).toEqual([access, want]);
    }
    const { validate } = relocate(bits, moved, "b", "0:0", kind);
    expect(validate).toBe(kind === R.BPF_CORE_FIELD_SIGNED || kind === R.BPF_CORE_FIELD_RSHIFT_U64);
  });
});

describe("types", () => {
  const local = btfFromC(`
    struct s { int a; struct p *ptr; }; struct p { int x; }; struct s___v2 { int a; };
    typedef int (*fn)(int a, struct s *s); typedef int number; enum e { A, B }; union u { int a; };
    typedef int arr[4];
  `);
  const cases: [name: string, root: string, target: string, exists: boolean, matches: boolean][] = [
    ["equal", "s", "struct p { long other; }; struct s { int a; struct p *ptr; };", true, true],
    ["members in another order, and more of them", "s", "struct s { char c; struct p *ptr; int a; };", true, true],
    ["a member less", "s", "struct s { int a; };", true, false],
    ["a member of another size", "s", "struct s { long a; struct p *ptr; };", true, false],
    ["a member of another sign", "s", "struct s { unsigned a; struct p *ptr; };", true, false],
    ["behind a pointer names count, not contents", "s", "struct q; struct s { int a; struct q *ptr; };", true, false],
    ["another kind", "s", "union s { int a; };", false, false],
    ["only declared", "s", "struct t { struct s *s; };", false, false],
    ["the local flavour is dropped", "s___v2", "struct s { int a; };", true, true],
    ["function pointers", "fn", "struct s { int q; }; typedef int (*fn)(int, struct s *);", true, true],
    ["function pointers of other arity", "fn", "typedef int (*fn)(int);", false, false],
    ["function pointers of another kind", "fn", "typedef int (*fn)(int, int);", false, false],
    ["typedefs", "number", "typedef long number;", true, false],
    ["enums with more values", "e", "enum e { B = 7, A, C };", true, true],
    ["enums with fewer", "e", "enum e { A };", true, false],
    ["unions", "u", "union u { int a; char b; };", true, true],
    ["arrays of another length", "arr", "typedef int arr[5];", true, false],
  ];
  it.each(cases)("%s", (_, root, target, exists, matches) => {
    const btf = btfFromC(target);
    expect(relocate(local, btf, root, "0", R.BPF_CORE_TYPE_EXISTS).newVal).toBe(exists ? 1n : 0n);
    expect(relocate(local, btf, root, "0", R.BPF_CORE_TYPE_MATCHES).newVal).toBe(matches ? 1n : 0n);
  });

  it("ids and sizes", () => {
    const target = btfFromC("int pad; struct s { long a[3]; };");
    const id = target.byName("s");
    expect(relocate(local, target, "s", "0", R.BPF_CORE_TYPE_ID_TARGET)).toMatchObject({
      newVal: BigInt(id),
      validate: false,
    });
    const own = BigInt(local.byName("s"));
    expect(relocate(local, target, "s", "0", R.BPF_CORE_TYPE_ID_LOCAL)).toMatchObject({ origVal: own, newVal: own });
    expect(relocate(local, target, "s", "0", R.BPF_CORE_TYPE_SIZE).newVal).toBe(24n);
    expect(relocate(local, target, "p", "0", R.BPF_CORE_TYPE_SIZE)).toMatchObject({ newVal: 0n, poison: false });
  });
});

describe("enumerators", () => {
  const local = btfFromC("enum e { A = 1, B___old = 2, GONE = 3 }; enum w { W = 0x100000000 };");
  const target = btfFromC("enum e { X, B, A = -2 }; enum w { W = 0x200000003 };");
  it.each([
    ["e", "0", 1n, 0xfffffffffffffffen],
    ["e", "1", 1n, 1n],
    ["w", "0", 1n, 0x200000003n],
  ])("%s %s", (root, access, exists, value) => {
    expect(relocate(local, target, root, access, R.BPF_CORE_ENUMVAL_EXISTS).newVal).toBe(exists);
    expect(relocate(local, target, root, access, R.BPF_CORE_ENUMVAL_VALUE).newVal).toBe(value);
  });
  it("missing", () => {
    expect(relocate(local, target, "e", "2", R.BPF_CORE_ENUMVAL_EXISTS)).toMatchObject({ newVal: 0n, poison: false });
    const res = relocate(local, target, "e", "2", R.BPF_CORE_ENUMVAL_VALUE);
    expect(res).toMatchObject({ poison: true, origVal: 3n, missing: "enum e has no value 'GONE'" });
  });
});

describe("candidates", () => {
  const local = btfFromC("struct s { int a; int b; }; struct m { int x; };");

  it("that agree are no problem, and those without the field are out for good", () => {
    const two = btfFromC("struct s { int b; int a; }; struct s___x { long q; int b; };");
    const targets = new R.CoreTargets(two);
    expect(relocate(local, targets, "s", "0:0", R.BPF_CORE_FIELD_BYTE_OFFSET).newVal).toBe(4n);
    expect(relocate(local, targets, "s", "0:1", R.BPF_CORE_FIELD_BYTE_OFFSET).newVal).toBe(0n);
  });

  it("that disagree are an error", () => {
    const two = btfFromC("struct s { int b; int a; }; struct s___x { long q; int b; };");
    expect(() => relocate(local, two, "s", "0:1", R.BPF_CORE_FIELD_BYTE_OFFSET)).toThrow(
      "CO-RE relocation <byte_off> [1] struct s at byte 8: field offset ambiguity: 64 != 0 (types [3] and [1]): EINVAL",
    );
    const sizes = btfFromC("struct s { int b; }; struct s___x { long b; };");
    expect(() => relocate(local, sizes, "s", "0:1", R.BPF_CORE_FIELD_BYTE_SIZE)).toThrow(
      "relocation decision ambiguity: success 8 != success 4",
    );
  });

  it("modules are asked when the kernel has none", () => {
    const kernel = btfFromC("struct s { int b; int a; };");
    const module = btfFromC("struct m { char pad[12]; int x; }; struct s { long z[9]; int a; };", kernel);
    const targets = new R.CoreTargets(kernel, [module]);
    expect(relocate(local, targets, "m", "0:0", R.BPF_CORE_FIELD_BYTE_OFFSET).newVal).toBe(12n);
    expect(relocate(local, targets, "m", "0", R.BPF_CORE_TYPE_ID_TARGET).target?.btf).toBe(module);
    expect(relocate(local, targets, "s", "0:0", R.BPF_CORE_FIELD_BYTE_OFFSET).newVal).toBe(4n);
  });
});

describe("malformed relocations", () => {
  const local = btfFromC("struct s { int a; struct { int b[2]; }; }; enum e { A }; struct t { struct s *p; };");
  const target = local;
  const cases: [root: string, access: string, kind: number, message: string][] = [
    ["s", "", 0, "access string '', wanted one like '0:1:2'"],
    ["s", "0:x", 0, "access string '0:x'"],
    ["s", "0:5", 0, "member 5 of struct s, which has 2"],
    ["s", "0:0:0", 0, "index 0 into int int, wanted a struct, union or array"],
    ["s", "0:1:0:2", 0, "element 2 of an array of 2"],
    ["t", "0:0:0", 0, "index 0 into ptr <anon>, wanted a struct, union or array"],
    ["s", "0:1", 8, "access string '0:1', wanted '0'"],
    ["s", "0", 11, "STRUCT root, wanted an ENUM"],
    ["e", "1", 11, "access string '1', wanted one index below 1"],
    ["s", "0", 13, "unrecognized CO-RE relocation kind 13"],
    ["s", "0:1:0:1", 3, "signed can't be applied to array access"],
    ["s", Array(70).fill("0").join(":"), 0, "access string of 70 indices, wanted at most 64"],
  ];
  it.each(cases)("%s %s kind %i", (root, access, kind, message) => {
    expect(() => relocate(local, target, root, access, kind)).toThrow(message);
  });

  it("anonymous roots", () => {
    const b = new BtfBuilder();
    const int = b.signedInt("int", 4);
    b.struct("", 4, [{ name: "a", type: int, bitOffset: 0, bitfieldSize: 0 }]);
    const btf = b.parse();
    const relo = { insnOff: 0, typeId: 2, accessStr: "0:0", kind: 0 };
    expect(() => R.calcCoreRelo(btf, relo, new R.CoreTargets(btf))).toThrow(
      "doesn't support anonymous types: EOPNOTSUPP",
    );
    expect(btf.type(2).kind).toBe(BTF_KIND_STRUCT);
    expect(() => R.calcCoreRelo(btf, { ...relo, typeId: 9 }, new R.CoreTargets(btf))).toThrow(
      "type id 9, wanted below 3",
    );
  });
});

it.each([
  ["a___b", "a"],
  ["a___b___c", "a___b"],
  ["a__b", "a__b"],
  ["___b", "___b"],
  ["a___", "a___"],
  ["a____b", "a____b"],
  ["a", "a"],
  ["", ""],
])("essential name of '%s'", (name, essential) => {
  expect(essentialName(name)).toBe(essential);
});
