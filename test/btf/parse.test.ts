import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BpfError, E2BIG, EEXIST, EINVAL, ENOTSUPP, type Errno } from "../../src/abi/errno.ts";
import { type Btf, parseBtf } from "../../src/btf/btf.ts";
import { BtfBuilder } from "../../src/btf/build.ts";
import { btfFromC } from "../../src/btf/c_parse.ts";
import { checkBtf } from "../../src/btf/check.ts";
import { compileCodec } from "../../src/btf/codec.ts";
import { dumpC } from "../../src/btf/dump_c.ts";
import { dumpJson, dumpRaw } from "../../src/btf/dump_raw.ts";
import { parseBtfExt } from "../../src/btf/ext.ts";
import { valueNode } from "../../src/btf/format_value.ts";
import * as K from "../../src/btf/kinds.ts";
import { btfOf, fixtureBytes, sectionOf, vmlinuxBytes } from "./fixture.ts";
import { mutateTypes } from "./mutate.ts";

function refusal(run: () => unknown): BpfError {
  try {
    run();
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
  throw new Error("wanted a BpfError");
}

describe("header", () => {
  const set =
    (off: number, ...bytes: number[]) =>
    (b: Uint8Array): void =>
      b.set(bytes, off);
  const cases: [name: string, change: (b: Uint8Array) => void, message: string, errno: Errno][] = [
    ["magic", set(0, 0x7f, 0x45), "magic is 0x457f, wanted 0xeb9f", EINVAL],
    ["big-endian", set(0, 0xeb, 0x9f), "magic is 0xeb9f in big-endian order, wanted little-endian BTF", EINVAL],
    ["version", set(2, 2), "version is 2, wanted 1", ENOTSUPP],
    ["flags", set(3, 1), "flags is 0x1, wanted 0", ENOTSUPP],
    ["hdr_len", set(4, 23), "hdr_len is 23, wanted 24 to 1445", EINVAL],
    ["hdr_len beyond", set(4, 0xff, 0xff), "hdr_len is 65535, wanted 24 to 1445", EINVAL],
    ["longer header", set(4, 28), "byte 24 is 1, wanted 0 (unknown field)", E2BIG],
    ["type_off", set(8, 2), "type_off is 2, wanted a multiple of 4", EINVAL],
    ["type_len", set(14, 1), "type_off + type_len is", EINVAL],
    ["str_off", set(16, 4, 0), "str_off is 4, wanted at least type_off + type_len", EINVAL],
    ["str_len", set(22, 1), "str_off + str_len is", EINVAL],
    ["strings without end", (b) => b.fill(65, b.length - 1), "last byte of the strings is 65, wanted 0", EINVAL],
  ];
  it.each(cases)("%s", (_, change, message, errno) => {
    const bytes = fixtureBytes("base.btf");
    change(bytes);
    const error = refusal(() => parseBtf(bytes));
    expect(error.message).toContain(message);
    expect(error.errno).toBe(errno);
  });

  it("accepts bytes at any alignment", () => {
    const bytes = fixtureBytes("base.btf");
    const moved = new Uint8Array(bytes.length + 3);
    moved.set(bytes, 3);
    expect(parseBtf(moved.subarray(3)).byName("node", K.BTF_KIND_STRUCT)).toBeGreaterThan(0);
  });
});

describe("types", () => {
  const build = (make: (b: BtfBuilder) => void): Uint8Array => {
    const b = new BtfBuilder();
    make(b);
    return b.build();
  };
  const patched = (bytes: Uint8Array, word: number, value: number): Uint8Array => {
    new DataView(bytes.buffer).setUint32(24 + 4 * word, value, true);
    return bytes;
  };
  const int = (): Uint8Array => build((b) => b.signedInt("int", 4));
  const cases: [name: string, bytes: () => Uint8Array, message: string, errno: Errno][] = [
    ["unknown kind", () => patched(int(), 1, 20 << 24), "BTF type 1 at word 0: kind 20, wanted 1 to 19", EINVAL],
    ["kind 0", () => patched(int(), 1, 0), "kind 0, wanted 1 to 19", EINVAL],
    ["name outside", () => patched(int(), 0, 5), "BTF type 1 at word 0: name_off 5, wanted below 5", EINVAL],
    [
      "too many members",
      () => patched(int(), 1, (4 << 24) | 9),
      "STRUCT with vlen 9 needs 120 bytes, 16 are left",
      EINVAL,
    ],
    ["INT wider than its bytes", () => patched(int(), 3, 33), "INT of 33 bits at bit 0 in 4 bytes", EINVAL],
    ["half a record", () => build((b) => b.ptr(0)).fill(8, 12, 13), "8 bytes left, wanted at least 12", EINVAL],
    [
      "reference outside",
      () => build((b) => b.ptr(2)),
      "BTF type 1 (PTR): refers to type 2, wanted an id below 2",
      EINVAL,
    ],
    ["pointer to itself", () => build((b) => b.ptr(1)), "BTF type 1 (PTR): refers to itself in a circle", EEXIST],
    [
      "typedef circle through an array",
      () =>
        build((b) => {
          b.typedef("t", 2);
          b.array(1, 2, 3);
          b.int("u", 4);
        }),
      "refers to itself in a circle",
      EEXIST,
    ],
  ];
  it.each(cases)("%s", (name, bytes, message, errno) => {
    const b = bytes();
    // "half a record" cuts the type section, so that the strings move up.
    const data = name === "half a record" ? cutTypes(b, 8) : b;
    const error = refusal(() => parseBtf(data));
    expect(error.message).toContain(message);
    expect(error.errno).toBe(errno);
  });

  function cutTypes(bytes: Uint8Array, typeLen: number): Uint8Array {
    const view = new DataView(bytes.buffer);
    view.setUint32(12, typeLen, true);
    return bytes;
  }

  it("type() names an id that does not exist", () => {
    expect(refusal(() => parseBtf(int()).type(7)).message).toBe("BTF type id 7: wanted an id below 2: EINVAL");
  });

  it("decodes every kind once", () => {
    const btf = btfOf("layout.o");
    const kinds = new Set(Array.from({ length: btf.typeCount }, (_, id) => btf.type(id).kind));
    expect([...kinds].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, kind) => kind));
    expect(btf.type(5)).toBe(btf.type(5));
  });
});

describe("lookup", () => {
  const btf = btfFromC(`
    typedef unsigned int u32;
    struct dup { int a; };
    enum e { A, B };
    typedef int dup;
    struct s {
      const volatile u32 *p;
      u32 x : 5, y : 11;
      union { struct { int deep; char name[8]; }; long whole; };
      struct dup list[3];
      int grid[2][4];
    };
    struct s_rcu { struct s __rcu *next; struct dup___old *old; };
    struct dup___old { int a; };
  `);
  const s = btf.byName("s", K.BTF_KIND_STRUCT);

  it("by name", () => {
    expect(btf.allByName("dup").map((id) => btf.kind(id))).toEqual([K.BTF_KIND_STRUCT, K.BTF_KIND_TYPEDEF]);
    expect(btf.kind(btf.byName("dup", K.BTF_KIND_TYPEDEF))).toBe(K.BTF_KIND_TYPEDEF);
    expect(btf.byName("missing")).toBe(0);
    expect(btf.byName("")).toBe(0);
    expect(btf.byName("dup", K.BTF_KIND_UNION)).toBe(0);
    expect(btf.flavorsOf("dup").map((id) => btf.nameOf(id))).toEqual(["dup___old"]);
  });

  it.each([
    ["p", { bitOffset: 0, bitfieldSize: 0 }],
    ["x", { bitOffset: 64, bitfieldSize: 5 }],
    ["y", { bitOffset: 69, bitfieldSize: 11 }],
    ["deep", { bitOffset: 128, bitfieldSize: 0 }],
    ["name[3]", { bitOffset: 128 + 32 + 24, bitfieldSize: 0 }],
    ["whole", { bitOffset: 128, bitfieldSize: 0 }],
    ["list[2].a", { bitOffset: 256 + 64, bitfieldSize: 0 }],
    ["grid[1][2]", { bitOffset: 8 * (32 + 12 + 24), bitfieldSize: 0 }],
  ])("findMember %s", (path, want) => {
    expect(btf.findMember(s, path)).toMatchObject(want);
  });

  it.each(["nope", "list[3]", "p.x", "list.a", "name[3][1]"])("findMember %s is not there", (path) => {
    expect(btf.findMember(s, path)).toBeUndefined();
  });

  it("sizes, alignment, tags", () => {
    expect([btf.size(s), btf.align(s)]).toEqual([80, 8]);
    expect(btf.size(0)).toBe(-1);
    const next = btf.findMember(btf.byName("s_rcu"), "next")!;
    expect(btf.size(next.type)).toBe(8);
    expect(btf.typeTags(btf.ref(next.type))).toEqual(["rcu"]);
    expect(btf.resolve(btf.ref(next.type))).toBe(s);
    const layout = btfOf("layout.o");
    const tagged = layout.byName("tagged");
    expect(layout.declTags(tagged)).toEqual(["a type"]);
    expect(layout.declTags(tagged, 1)).toEqual(["contains:node:next"]);
    expect(layout.declTags(tagged, 0)).toEqual([]);
  });

  it("an array of 4 GiB has no size", () => {
    const b = new BtfBuilder();
    const int = b.int("u", 4);
    expect(b.parse().size(int)).toBe(4);
    const big = b.array(int, 0x40000000, int);
    expect(b.parse().size(big)).toBe(-1);
  });
});

describe("split BTF", () => {
  const base = btfFromC("struct base { int a; }; struct only_base { long x; };");
  const split = btfFromC("struct top { struct base b; struct only_base *p; }; struct base___v2 { int a; };", base);

  it("continues ids and strings", () => {
    expect(split.firstId).toBe(base.typeCount);
    const top = split.type(split.byName("top"));
    expect(top).toMatchObject({ name: "top", size: 16 });
    expect(split.members(top.id)[0].type).toBe(base.byName("base"));
    expect(split.type(split.byName("base"))).toBe(base.type(base.byName("base")));
    expect(split.nameOf(1)).toBe(base.nameOf(1));
    expect(parseBtf(split.bytes, { base }).typeCount).toBe(split.typeCount);
  });

  it("is refused without its base", () => {
    expect(() => parseBtf(split.bytes)).toThrow(BpfError);
  });
});

describe("any bytes", () => {
  /** Everything that reads a Btf, on one that may be nonsense; only BpfErrors may come out. */
  function useAll(btf: Btf): void {
    const attempt = (run: () => unknown): void => {
      try {
        run();
      } catch (error) {
        if (!(error instanceof BpfError)) throw error;
      }
    };
    attempt(() => checkBtf(btf));
    attempt(() => dumpC(btf));
    attempt(() => dumpRaw(btf));
    attempt(() => dumpJson(btf));
    for (let id = 0; id < btf.typeCount; id++) {
      btf.type(id);
      btf.align(id);
      btf.declTags(id);
      btf.typeTags(id);
      btf.members(id);
      const size = btf.size(id);
      if (size > 4096) continue;
      attempt(() => valueNode(btf, id, new Uint8Array(Math.max(size, 0))));
      attempt(() => compileCodec(btf, id).decode(new Uint8Array(Math.max(size, 0))));
    }
  }

  it("mutations of a BTF end in a value or a BpfError", () => {
    const bytes = fixtureBytes("base.btf");
    let parsed = 0;
    fc.assert(
      fc.property(fc.nat(0x7fffffff), (seed) => {
        let btf: Btf;
        try {
          btf = parseBtf(mutateTypes(bytes, seed));
        } catch (error) {
          return error instanceof BpfError;
        }
        parsed++;
        useAll(btf);
        return true;
      }),
      { numRuns: 800 },
    );
    expect(parsed).toBeGreaterThan(50);
  });

  it("mutations of header and strings, truncations, random bytes", () => {
    const bytes = fixtureBytes("base.btf");
    const edit = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    const mutated = fc.tuple(fc.array(edit, { maxLength: 8 }), fc.nat(bytes.length)).map(([edits, length]) => {
      const out = bytes.slice(0, length < 100 ? length : bytes.length - (length % 7));
      for (const [at, byte] of edits) if (at < out.length) out[at] = byte;
      return out;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (data) => {
        try {
          useAll(parseBtf(data));
        } catch (error) {
          return error instanceof BpfError;
        }
        return true;
      }),
      { numRuns: 600 },
    );
  });

  it(".BTF.ext", () => {
    const btf = btfOf("core_local.o");
    const bytes = sectionOf("core_local.o", ".BTF.ext");
    const edit = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(bytes.length), (edits, length) => {
        const out = bytes.slice(0, Math.max(length, bytes.length >> 1));
        for (const [at, byte] of edits) if (at < out.length) out[at] = byte;
        try {
          parseBtfExt(out, btf);
        } catch (error) {
          return error instanceof BpfError;
        }
        return true;
      }),
      { numRuns: 600 },
    );
  });

  it("structs that contain themselves many times over end quickly", () => {
    const b = new BtfBuilder();
    const self = b.reserve();
    const member = (name: string) => ({ name, type: self, bitOffset: 0, bitfieldSize: 0 });
    b.define(self, { kind: K.BTF_KIND_STRUCT, name: "s", size: 8, members: [member("a"), member("b"), member("")] });
    const anon = b.reserve();
    const inner = (name: string) => ({ name, type: anon, bitOffset: 0, bitfieldSize: 0 });
    b.define(anon, { kind: K.BTF_KIND_UNION, name: "", size: 0, members: [inner(""), inner("")] });
    let id = b.int("int", 4);
    for (let i = 0; i < 60; i++) {
      const last = id;
      const part = (name: string) => ({ name, type: last, bitOffset: 0, bitfieldSize: 0 });
      id = b.struct("", 4, [part("x"), part("y"), part("")]);
    }
    useAll(b.parse());
  });
});

describe("the kernel's BTF", () => {
  const bytes = vmlinuxBytes();
  it.skipIf(!bytes)("opens and answers (skipped without /sys/kernel/btf/vmlinux)", () => {
    const btf = parseBtf(bytes!);
    const task = btf.byName("task_struct", K.BTF_KIND_STRUCT);
    expect(btf.size(task)).toBeGreaterThan(1000);
    expect(btf.findMember(task, "comm")).toBeDefined();
    expect(btf.findMember(task, "thread_info.flags")?.bitOffset).toBeGreaterThanOrEqual(0);
  });
});
