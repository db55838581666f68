import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIpv6, parseIpv6 } from "../../src/btf/addr_text.ts";
import { BtfBuilder } from "../../src/btf/build.ts";
import { btfFromC } from "../../src/btf/c_parse.ts";
import { compileCodec, decodeValue, encodeValue, rawCodec } from "../../src/btf/codec.ts";
import { formatValue } from "../../src/btf/format_value.ts";
import * as K from "../../src/btf/kinds.ts";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { btfOf, fixtureText } from "./fixture.ts";

const btf = btfFromC(`
  typedef unsigned char u8; typedef signed char s8; typedef unsigned short u16; typedef short s16;
  typedef unsigned int u32; typedef int s32; typedef unsigned long u64; typedef long s64;
  typedef u32 __be32; typedef _Bool bool; typedef unsigned __int128 u128; typedef __int128 s128;
  typedef u8 bytes4[4]; typedef char text8[8]; typedef u8 mac6[6]; typedef u8 v6[16]; typedef __be32 v6words[4];
  typedef int grid[2][3]; typedef text8 names[2]; typedef void *ptr; typedef float f32; typedef double f64;
  typedef enum { NONE, SOME = 5, LESS = -1 } en; typedef enum { BIG = 0x100000000 } en64; typedef enum { T = 3 } __attribute__((mode(byte))) en8;
  struct in_addr { __be32 s_addr; };
  struct in6_addr { union { u8 u6_addr8[16]; __be32 u6_addr32[4]; } in6_u; };
  struct flow { struct in_addr src; __be32 dst; u16 sport, dport; u8 proto; };
  struct bits { u32 a : 3; s32 b : 7; u64 c : 50; en d : 4; bool e : 1; s64 f : 63; };
  struct anon { int kind; union { u32 num; struct { u16 lo, hi; }; u8 raw[4]; }; };
  struct flex { u32 n; u32 items[]; };
`);
const id = (name: string): number => btf.byName(name);

describe("values", () => {
  const cases: [type: string, value: unknown, hex: string, back?: unknown][] = [
    ["u8", 255, "ff"],
    ["s8", -1, "ff"],
    ["u16", 0x1234, "3412"],
    ["s16", -2, "feff"],
    ["u32", 0xfffffffe, "feffffff"],
    ["s32", -2, "feffffff"],
    ["u64", 2n ** 64n - 1n, "ffffffffffffffff"],
    ["u64", 5, "0500000000000000", 5n],
    ["u64", "0x10", "1000000000000000", 16n],
    ["s64", -1n, "ffffffffffffffff"],
    ["s32", "-7", "f9ffffff", -7],
    ["u128", 2n ** 127n, "00000000000000000000000000000080"],
    ["s128", -1n, "ffffffffffffffffffffffffffffffff"],
    ["bool", true, "01"],
    ["bool", 0, "00", false],
    ["ptr", 0xffff888012345678n, "7856341280 88ffff"],
    ["f32", 1.5, "0000c03f"],
    ["f64", -2, "00000000000000c0"],
    ["en", "SOME", "05000000"],
    ["en", -1, "ffffffff", "LESS"],
    ["en", 77, "4d000000"],
    ["en64", "BIG", "0000000001000000"],
    ["en64", 3n, "0300000000000000"],
    ["en8", "T", "03"],
    ["text8", "hi", "6869000000000000"],
    ["text8", "12345678", "3132333435363738"],
    ["text8", "é", "c3a9000000000000"],
    ["text8", [65, 66], "4142000000000000", "AB"],
    ["names", ["a", "b"], "61000000000000006200000000000000"],
    ["bytes4", [1, 2], "01020000", [1, 2, 0, 0]],
    ["bytes4", new Uint8Array([9, 8, 7, 6]), "09080706", [9, 8, 7, 6]],
    [
      "grid",
      [[1, 2, 3], [4]],
      "010000000200000003000000040000000000000000000000",
      [
        [1, 2, 3],
        [4, 0, 0],
      ],
    ],
    ["u32", "10.0.0.1", "0a000001", 0x0100000a],
    ["__be32", "255.255.255.0", "ffffff00", 0x00ffffff],
    ["in_addr", "1.2.3.4", "01020304", { s_addr: 0x04030201 }],
    ["in_addr", { s_addr: "1.2.3.4" }, "01020304", { s_addr: 0x04030201 }],
    ["in_addr", 1, "01000000", { s_addr: 1 }],
    ["mac6", "02:00:5e:10:00:ff", "02005e1000ff", [2, 0, 0x5e, 16, 0, 255]],
    ["v6", "::1", "00000000000000000000000000000001", [...Array(15).fill(0), 1]],
    ["v6words", "2001:db8::", "20010db8000000000000000000000000", [0xb80d0120, 0, 0, 0]],
    [
      "flow",
      { src: "10.0.0.1", dport: 80 },
      "0a000001 00000000 0000 5000 00 000000",
      { src: { s_addr: 0x0100000a }, dst: 0, sport: 0, dport: 80, proto: 0 },
    ],
    [
      "bits",
      { a: 5, b: -3, c: 0x3ffffffff1234n, d: "SOME", e: true, f: -2n },
      "ed03000000000000 3412ffffffff5701 feffffffffffff7f",
    ],
    [
      "anon",
      { kind: 1, lo: 0x1122, hi: 0x3344 },
      "0100000022114433",
      { kind: 1, num: 0x33441122, lo: 0x1122, hi: 0x3344, raw: [0x22, 0x11, 0x44, 0x33] },
    ],
    ["flex", { n: 3 }, "03000000", { n: 3, items: [] }],
  ];
  it.each(cases)("%s %s", (type, value, hex, back = value) => {
    const bytes = encodeValue(btf, id(type), value);
    if (type === "bits") {
      expect(bytes.length).toBe(btf.size(id(type)));
    } else {
      expect(toHex(bytes)).toBe(hex.replaceAll(" ", ""));
    }
    expect(decodeValue(btf, id(type), bytes)).toEqual(back);
    expect(toHex(encodeValue(btf, id(type), decodeValue(btf, id(type), bytes)))).toBe(toHex(bytes));
  });

  const bad: [type: string, value: unknown, message: string][] = [
    ["u8", 256, "value: wanted an integer from 0 to 255, saw 256: EINVAL"],
    ["u8", -1, "value: wanted an integer from 0 to 255, saw -1"],
    ["s16", 1.5, "wanted an integer from -32768 to 32767, saw 1.5"],
    ["u64", "ten", "wanted an integer from 0 to 18446744073709551615, saw 'ten'"],
    ["u32", "10.0.0", "value: wanted an IPv4 address, saw '10.0.0'"],
    ["u32", "10.0.0.256", "value: wanted an IPv4 address, saw '10.0.0.256'"],
    ["u32", null, "wanted an integer from 0 to 4294967295, saw null"],
    ["bool", 2, "wanted true or false, saw 2"],
    ["en", "NOPE", "wanted a name of enum (anonymous), or a number, saw 'NOPE'"],
    ["text8", "123456789", "wanted text of at most 8 bytes, saw '123456789'"],
    ["bytes4", [1, 2, 3, 4, 5], "wanted an array of at most 4, saw an array of 5"],
    ["bytes4", [1, 999], "value[1]: wanted an integer from 0 to 255, saw 999"],
    ["bytes4", new Uint8Array(3), "wanted 4 bytes, saw 3 bytes"],
    ["grid", [[1], [2, "x"]], "value[1][1]: wanted an integer from -2147483648 to 2147483647, saw 'x'"],
    ["mac6", "02:00", "wanted a MAC address, saw '02:00'"],
    ["v6", "1::2::3", "wanted an IPv6 address, saw '1::2::3'"],
    ["flow", { src: "10.0.0" }, "value.src: wanted an IPv4 address, saw '10.0.0'"],
    ["flow", { src: { s_addr: {} } }, "value.src.s_addr: wanted an integer from 0 to 4294967295, saw an object"],
    ["flow", { port: 1 }, "value: no member 'port' in struct flow; it has src, dst, sport, dport, proto"],
    ["flow", 7, "value: wanted an object (struct flow), saw 7"],
    ["flow", [1], "value: wanted an object (struct flow), saw an array of 1"],
    ["bits", { a: 8 }, "value.a: wanted an integer from 0 to 7, saw 8"],
    ["bits", { b: -65 }, "value.b: wanted an integer from -64 to 63, saw -65"],
  ];
  it.each(bad)("%s %s", (type, value, message) => {
    expect(() => encodeValue(btf, id(type), value)).toThrow(message);
  });

  it("types without values", () => {
    expect(() => compileCodec(btf, 0)).toThrow("BTF type 0 (UNKNOWN ''): has no values: EINVAL");
    const b = new BtfBuilder();
    b.struct("s", 8, [{ name: "s", type: 1, bitOffset: 0, bitfieldSize: 0 }]);
    b.struct("t", 2, [{ name: "i", type: b.signedInt("int", 4) - 0, bitOffset: 0, bitfieldSize: 0 }]);
    expect(() => compileCodec(b.parse(), 1)).toThrow("nests deeper than 64");
    const t = b.parse().byName("t");
    expect(() => compileCodec(b.parse(), t)).toThrow("member 'i' lies outside its 2 bytes");
  });

  it("decoding wants enough bytes", () => {
    expect(() => decodeValue(btf, id("u64"), new Uint8Array(7))).toThrow("value: wanted 8 bytes, saw 7: EINVAL");
    expect(() => compileCodec(btf, id("u32")).encodeInto(1, new Uint8Array(6), 4)).toThrow("wanted 4 bytes, saw 2");
  });

  it("addresses as text, enums as numbers, on request", () => {
    const flow = encodeValue(btf, id("flow"), { src: "10.0.0.1", dst: "1.2.3.4" });
    expect(decodeValue(btf, id("flow"), flow, { addresses: true })).toMatchObject({ src: "10.0.0.1", dst: "1.2.3.4" });
    const v6 = encodeValue(btf, id("in6_addr"), "2001:db8::2");
    expect(decodeValue(btf, id("in6_addr"), v6, { addresses: true })).toBe("2001:db8::2");
    expect(decodeValue(btf, id("en"), fromHex("05000000"), { enumNumbers: true })).toBe(5);
  });

  it("patch keeps what is not mentioned; an error changes nothing", () => {
    const codec = compileCodec(btf, id("flow"));
    const bytes = new Uint8Array(40);
    codec.encodeInto({ sport: 1, dport: 2, proto: 6 }, bytes, 8);
    codec.patch({ dport: 3 }, bytes, 8);
    expect(codec.decode(bytes, 8)).toMatchObject({ sport: 1, dport: 3, proto: 6 });
    codec.encodeInto({ sport: 9 }, bytes, 8);
    expect(codec.decode(bytes, 8)).toMatchObject({ sport: 9, dport: 0, proto: 0 });
    const before = toHex(bytes);
    expect(() => codec.encodeInto({ sport: 1, dport: -1 }, bytes, 8, "key")).toThrow("key.dport: wanted");
    expect(toHex(bytes)).toBe(before);
    // Views of shared and of other buffers are read where they lie.
    const shared = new Uint8Array(new SharedArrayBuffer(32)).subarray(8);
    codec.encodeInto({ sport: 5 }, shared, 0);
    expect(codec.decode(shared)).toMatchObject({ sport: 5 });
  });

  it("data sections by variable", () => {
    const b = new BtfBuilder();
    const int = b.signedInt("int", 4);
    const vars = [
      { type: b.var("first", int), offset: 0, size: 4 },
      { type: b.var("second", int), offset: 8, size: 4 },
    ];
    const sec = b.datasec(".data", 16, vars);
    const codec = compileCodec(b.parse(), sec);
    const bytes = codec.encode({ first: 1, second: -1 });
    expect(toHex(bytes)).toBe("0100000000000000ffffffff00000000");
    expect(codec.decode(bytes)).toEqual({ first: 1, second: -1 });
    expect(formatValue(b.parse(), sec, bytes)).toBe('{".data":[{"first":1},{"second":-1}]}');
  });

  it("any bytes decode to a value that encodes to the same bytes", () => {
    const codec = compileCodec(btf, id("bits"));
    const flow = compileCodec(btf, id("flow"));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (bytes) => {
        const value = codec.decode(bytes) as object;
        expect(codec.decode(codec.encode(value))).toEqual(value);
        const padless = flow.encode(flow.decode(bytes));
        expect(padless.subarray(0, 13)).toEqual(bytes.subarray(0, 13));
      }),
      { numRuns: 200 },
    );
  });
});

describe("raw bytes", () => {
  it.each<[number, unknown, string, unknown]>([
    [1, 7, "07", 7],
    [2, 0x1234, "3412", 0x1234],
    [4, "10.0.0.1", "0a000001", 0x0100000a],
    [4, "0a 00 00 01", "0a000001", 0x0100000a],
    [4, -1, "ffffffff", 0xffffffff],
    [8, 5, "0500000000000000", 5n],
    [8, [1, 2, 3, 4, 5, 6, 7, 8], "0102030405060708", 0x0807060504030201n],
    [3, "0x010203", "010203", "010203"],
    [3, "01 02 03", "010203", "010203"],
    [3, new Uint8Array([1, 2, 3]), "010203", "010203"],
    [0, "", "", ""],
  ])("%i bytes of %s", (size, value, hex, back) => {
    const bytes = rawCodec(size).encode(value);
    expect(toHex(bytes)).toBe(hex);
    expect(rawCodec(size).decode(bytes)).toEqual(back);
  });
  it.each([
    [4, 2 ** 32, "value: wanted an integer from 0 to 4294967295, saw 4294967296"],
    [3, "0102", "value: wanted 3 bytes, as hex text or an array, saw '0102'"],
    [3, 7, "value: wanted 3 bytes, as hex text or an array, saw 7"],
  ])("%i bytes of %s", (size, value, message) => {
    expect(() => rawCodec(size).encode(value)).toThrow(message);
  });
});

describe("addresses", () => {
  it.each([
    ["::", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ])("%s is %s", (text, canonical) => {
    expect(formatIpv6(parseIpv6(text)!)).toBe(canonical);
  });
  it.each([
    "",
    ":",
    "1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::1::",
    "12345::",
    "g::",
    "1.2.3.4",
    ":1:2:3:4:5:6:7",
  ])("'%s' is none", (text) => {
    expect(parseIpv6(text)).toBeUndefined();
  });
});

// values.json and values.txt are what bpftool map dump showed for the bytes of values.hex (pointers quoted, as newer ones do).
describe("values as bpftool shows them", () => {
  const values = btfOf("values.o");
  const type = values.byName("value", K.BTF_KIND_STRUCT);
  const bytes = fromHex(fixtureText("values.hex"));
  it("JSON", () => expect(`${formatValue(values, type, bytes)}\n`).toBe(fixtureText("values.json")));
  it("plain", () => {
    expect(`${formatValue(values, type, bytes, { plain: true, pretty: true })}\n`).toBe(fixtureText("values.txt"));
  });
  it("the codec reads them too", () => {
    expect(decodeValue(values, type, bytes)).toMatchObject({
      number: -5,
      letter: 120,
      yes: true,
      color: "GREEN",
      unnamed_color: 77,
      big: "HUGE_ONE",
      text: 'he "o!',
      not_text: "abcd",
      grid: [
        [1, -2],
        [3, -4],
      ],
      bits: { low: 5, mid: -3, high: 0x3ffffffff1234n },
      whole: 0x01020304,
      part: 4,
      ptr: 0xffff888012345678n,
      huge: (0x99n << 64n) | 0x1122334455667788n,
    });
  });
  it("too few bytes", () => {
    expect(() => formatValue(values, type, bytes.subarray(1))).toThrow(
      "(STRUCT 'value'): wanted 160 bytes, saw 159 bytes: EINVAL",
    );
  });
});
