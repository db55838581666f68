import { describe, expect, it } from "vitest";
import { BpfError, E2BIG, EEXIST, EINVAL, ENOTSUPP, type Errno } from "../../src/abi/errno.ts";
import { type Btf, parseBtf } from "../../src/btf/btf.ts";
import { BtfBuilder } from "../../src/btf/build.ts";
import { checkBtf } from "../../src/btf/check.ts";
import type * as K from "../../src/btf/kinds.ts";
import { fixtureBytes, fixtureText } from "./fixture.ts";
import { mutateTypes } from "./mutate.ts";

function built(make: (b: BtfBuilder, int: number) => void): Btf {
  const b = new BtfBuilder();
  make(b, b.signedInt("int", 4));
  return b.parse();
}

const member = (name: string, type: number, bitOffset = 0, bitfieldSize = 0): K.BtfMember => ({
  name,
  type,
  bitOffset,
  bitfieldSize,
});

describe("refusals", () => {
  const cases: [name: string, btf: () => Btf, message: string, errno?: Errno][] = [
    ["typedef without a name", () => built((b, int) => b.typedef("", int)), "BTF [2] TYPEDEF (anon): Invalid name"],
    ["name that is no identifier", () => built((b) => b.struct("a-b", 0, [])), "BTF [2] STRUCT a-b: Invalid name"],
    ["two encodings", () => built((b) => b.int("i", 4, 3)), "BTF [2] INT i: Unsupported encoding", ENOTSUPP],
    [
      "member of void",
      () => built((b) => b.struct("s", 4, [member("m", 0)])),
      "member m type_id=0 bits_offset=0: Invalid type_id",
    ],
    ["member outside", () => built((b, int) => b.struct("s", 4, [member("m", int, 16)])), "Member exceeds struct_size"],
    [
      "members out of order",
      () => built((b, int) => b.struct("s", 8, [member("m", int, 32), member("n", int)])),
      "Invalid member bits_offset",
    ],
    [
      "union member at an offset",
      () => built((b, int) => b.union("u", 8, [member("m", int, 32)])),
      "Invalid member bits_offset",
    ],
    [
      "wide bitfield",
      () => built((b, int) => b.struct("s", 8, [member("m", int, 0, 33)])),
      "Invalid member bitfield_size",
    ],
    [
      "bitfield of a pointer",
      () => built((b, int) => b.struct("s", 8, [member("m", b.ptr(int), 0, 3)])),
      "Invalid member bitfield_size",
    ],
    [
      "unaligned pointer",
      () => built((b, int) => b.struct("s", 16, [member("m", b.ptr(int), 4)])),
      "Member is not byte aligned",
    ],
    [
      "unaligned float",
      () => built((b) => b.struct("s", 16, [member("m", b.float("f", 4), 8)])),
      "Member is not properly aligned",
    ],
    ["member only declared", () => built((b) => b.struct("s", 8, [member("m", b.fwd("f"))])), "Invalid member"],
    ["struct in itself", () => built((b) => b.struct("s", 8, [member("m", 2)])), "Loop detected", EEXIST],
    ["array of void", () => built((b, int) => b.array(0, 2, int)), "Invalid elem"],
    ["array index of no int", () => built((b, int) => b.array(int, 2, b.ptr(int))), "Invalid index"],
    ["array of 4 GiB", () => built((b, int) => b.array(int, 0x40000000, int)), "Array size overflows U32_MAX"],
    ["enumerator without a name", () => built((b) => b.enum("e", { "": 1 })), "Invalid name"],
    ["func of no prototype", () => built((b, int) => b.func("f", int)), "BTF [2] FUNC f: Invalid type_id"],
    [
      "func with a nameless argument",
      () => built((b, int) => b.func("f", b.funcProto(0, [{ name: "", type: int }]))),
      "Invalid arg#1",
    ],
    ["external func", () => built((b) => b.func("f", b.funcProto(0, []), 2)), "Invalid func linkage"],
    ["pointer to a variable", () => built((b, int) => b.ptr(b.var("v", int))), "BTF [3] PTR (anon): Invalid type_id"],
    ["variable without a size", () => built((b) => b.var("v", b.funcProto(0, []))), "BTF [3] VAR v: Invalid type_id"],
    ["section of size 0", () => built((b) => b.datasec(".data", 0, [])), "size == 0"],
    [
      "section of an int",
      () => built((b, int) => b.datasec(".data", 4, [{ type: int, offset: 0, size: 4 }])),
      "Not a VAR kind member",
    ],
    [
      "section entries overlap",
      () =>
        built((b, int) => {
          const v = { type: b.var("v", int), offset: 0, size: 4 };
          b.datasec(".data", 8, [v, { ...v, offset: 2 }]);
        }),
      "Invalid offset",
    ],
    [
      "section entry too small",
      () => built((b, int) => b.datasec(".d", 8, [{ type: b.var("v", int), offset: 0, size: 2 }])),
      "Invalid size",
    ],
    ["tag of a pointer", () => built((b, int) => b.declTag("t", b.ptr(int))), "Invalid type_id"],
    [
      "tag of a member that is not there",
      () => built((b) => b.declTag("t", b.struct("s", 0, []), 0)),
      "Invalid component_idx",
    ],
    [
      "type tag after a modifier",
      () => built((b, int) => b.ptr(b.const(b.typeTag("t", int)))),
      "Type tags don't precede modifiers",
    ],
    [
      "33 pointers in a row",
      () =>
        built((b) => {
          for (let i = 0; i < 33; i++) b.ptr(b.nextId + 1);
          b.ptr(0);
        }),
      "Exceeded max resolving depth:32",
      E2BIG,
    ],
    ["no types", () => new BtfBuilder().parse(), "No type found"],
    [
      "bytes after the strings",
      () => parseBtf(Uint8Array.of(...fixtureBytes("base.btf"), 0)),
      "String section is not at the end",
    ],
  ];
  it.each(cases)("%s", (_, make, message, errno = EINVAL) => {
    const btf = make();
    let error: unknown;
    try {
      checkBtf(btf);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(BpfError);
    expect((error as BpfError).message).toContain(message);
    expect((error as BpfError).errno).toBe(errno);
  });
});

// verdicts.txt is the errno of BPF_BTF_LOAD on Linux 6.18 for mutateTypes(base.btf, 0), (…, 1), ...
it("agrees with Linux on damaged BTF", () => {
  const bytes = fixtureBytes("base.btf");
  expect(() => checkBtf(parseBtf(bytes))).not.toThrow();
  const verdicts = fixtureText("verdicts.txt").trim().split(/\s+/).map(Number);
  expect(verdicts).toHaveLength(2000);
  const differing: string[] = [];
  verdicts.forEach((linux, seed) => {
    let ours = 0;
    try {
      checkBtf(parseBtf(mutateTypes(bytes, seed)));
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      ours = error.errno;
    }
    // Where several things are wrong, the first found may be another one than Linux's.
    if ((ours === 0) !== (linux === 0)) differing.push(`seed ${seed}: Linux ${linux}, here ${ours}`);
  });
  expect(differing).toEqual([]);
});
