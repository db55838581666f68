import { describe, expect, it } from "vitest";
import { BtfBuilder } from "../../src/btf/build.ts";
import { btfFromC } from "../../src/btf/c_parse.ts";
import { dumpC, typeText } from "../../src/btf/dump_c.ts";
import { dumpJson, dumpRaw } from "../../src/btf/dump_raw.ts";
import { btfOf, fixtureText } from "./fixture.ts";

// layout.h, layout.txt and layout.json are what bpftool printed for layout.o.
describe("as bpftool", () => {
  const btf = btfOf("layout.o");
  it("format c", () => {
    expect(dumpC(btf)).toBe(fixtureText("layout.h"));
  });
  it("format c of bpftool 7.5: sorted, with kfuncs", () => {
    expect(dumpC(btf, { sorted: true, kfuncs: true })).toBe(fixtureText("layout_sorted.h"));
  });
  it("format raw", () => {
    expect(dumpRaw(btf)).toBe(fixtureText("layout.txt"));
  });
  it("format raw, JSON", () => {
    expect(`${dumpJson(btf)}\n`).toBe(fixtureText("layout.json"));
  });
});

describe("C dump", () => {
  it("kfuncs are declared when asked", () => {
    const btf = btfFromC(
      "struct t; __bpf_kfunc int get(struct t *t, int n); __bpf_kfunc void put(void); void no(void);",
    );
    expect(dumpC(btf, { kfuncs: true })).toContain(
      "#ifndef BPF_NO_KFUNC_PROTOTYPES\nextern int get(struct t *t, int n) __weak __ksym;\nextern void put(void) __weak __ksym;\n#endif\n",
    );
  });

  it("roots bring what they need", () => {
    const btf = btfFromC("struct a { int x; }; struct b { struct a a; struct c *c; }; struct d { int y; };");
    const text = dumpC(btf, { roots: [btf.byName("b")] });
    expect(text).toContain("struct a {");
    expect(text).toContain("struct c;");
    expect(text).not.toContain("struct d");
  });

  it("one-byte and forced 8-byte enums", () => {
    const b = new BtfBuilder();
    b.enum("tiny", { T: 1 }, 1);
    b.enum("word", { W: 1 }, 8);
    b.enum64("natural", { N: 1n << 40n });
    b.enum64("forced", { F: -1n, G: 1n }, true);
    b.enum64("narrow", { H: 1n });
    const text = dumpC(b.parse());
    expect(text).toContain("enum tiny {\n\tT = 1,\n} __attribute__((mode(byte)));");
    expect(text).toContain("enum word {\n\tW = 1,\n} __attribute__((mode(word)));");
    expect(text).toContain("enum natural {\n\tN = 1099511627776ULL,\n};");
    expect(text).toContain("enum forced {\n\tF = -1LL,\n\tG = 1LL,\n};");
    expect(text).toContain("enum narrow {\n\tH = 1ULL,\n} __attribute__((mode(word)));");
  });

  it("a struct that embeds itself is an error", () => {
    const b = new BtfBuilder();
    b.struct("s", 8, [{ name: "s", type: 1, bitOffset: 0, bitfieldSize: 0 }]);
    expect(() => dumpC(b.parse())).toThrow("BTF type 1 ('s') embeds itself: it makes no C: ELOOP");
  });

  it("typeText writes one declaration", () => {
    const btf = btfFromC("struct s { int (*f[2])(const char *name, ...); };");
    expect(typeText(btf, btf.members(btf.byName("s"))[0].type, "f")).toBe("int (*f[2])(const char *name, ...)");
    expect(typeText(btf, btf.byName("s"))).toBe("struct s");
  });

  it("pretty JSON", () => {
    const btf = new BtfBuilder();
    btf.enum("e", { A: 0 });
    expect(dumpJson(btf.parse(), [1], true)).toBe(`{
    "types": [{
            "id": 1,
            "kind": "ENUM",
            "name": "e",
            "encoding": "UNSIGNED",
            "size": 4,
            "vlen": 1,
            "values": [{
                    "name": "A",
                    "val": 0
                }
            ]
        }
    ]
}`);
  });
});
