import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BpfError } from "../../src/abi/errno.ts";
import { EM_BPF, expectMachine, readElf, SHT_NOBITS, STB_GLOBAL, STT_FUNC } from "../../src/elf/elf.ts";
import { fixtureBytes } from "../object/fixture.ts";

const bytes = fixtureBytes("object/programs.o");

function changed(edit: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  edit(new DataView(copy.buffer), copy);
  return copy;
}

describe("readElf", () => {
  test("sections, symbols and relocations", () => {
    const elf = readElf(bytes, "programs.o");
    expect(elf.machine).toBe(EM_BPF);
    expect(elf.type).toBe(1);
    const text = elf.sections.find((s) => s.name === ".text")!;
    expect(text.bytes.length).toBe(text.size);
    const bss = elf.sections.find((s) => s.name === ".bss")!;
    expect([bss.type, bss.bytes.length, bss.size > 0]).toEqual([SHT_NOBITS, 0, true]);
    const first = elf.symbols.find((s) => s.name === "first")!;
    expect([first.type, first.bind, elf.sections[first.shndx].name]).toEqual([STT_FUNC, STB_GLOBAL, "xdp"]);
    const relocs = elf.relocs.get(first.shndx)!;
    expect(relocs.map((r) => elf.symbols[r.symIdx].name)).toContain("seen");
  });

  test.each([
    {
      name: "no bytes",
      bytes: new Uint8Array(0),
      message: "x.o: not an ELF file: it starts with nothing; wanted 7f 45 4c 46",
    },
    { name: "text", bytes: new TextEncoder().encode("hello world"), message: "it starts with 68 65 6c 6c" },
    {
      name: "cut in the header",
      bytes: bytes.slice(0, 40),
      message: "ELF header is truncated: file has 40 bytes, wanted at least 64",
    },
    { name: "32-bit", bytes: changed((v) => v.setUint8(4, 1)), message: "32-bit object; wanted 64-bit" },
    {
      name: "big-endian",
      bytes: changed((v) => v.setUint8(5, 2)),
      message: "big-endian object; wanted little-endian (bpfel)",
    },
    {
      name: "cut in the section headers",
      bytes: bytes.slice(0, -1),
      message: "section headers is truncated: it lies at offset",
    },
    {
      name: "section past the end",
      bytes: changed((v) => v.setBigUint64(Number(v.getBigUint64(40, true)) + 64 * 2 + 24, 1_000_000n, true)),
      message: /section 2 '.*' is truncated: it lies at offset 1000000 with \d+ bytes, but the file has \d+ bytes/,
    },
    {
      name: "header size",
      bytes: changed((v) => v.setUint16(58, 40, true)),
      message: "section header size 40; wanted 64",
    },
  ])("$name", ({ bytes, message }) => {
    expect(() => readElf(bytes, "x.o")).toThrow(message);
    expect(() => readElf(bytes, "x.o")).toThrow(BpfError);
  });

  test("wrong machine", () => {
    const elf = readElf(
      changed((v) => v.setUint16(18, 62, true)),
      "x.o",
    );
    expect(() => expectMachine(elf, EM_BPF)).toThrow("x.o: wrong machine EM_X86_64 (62); wanted EM_BPF (247): ENOEXEC");
  });

  test("a file cut anywhere ends in a value or an error", () => {
    for (let n = 0; n < bytes.length; n += 7) expectValueOrError(bytes.slice(0, n));
  });

  test("any bytes end in a value or an error", () => {
    const header = fc.uint8Array({ maxLength: 300 }).map((tail) => new Uint8Array([...bytes.slice(0, 20), ...tail]));
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), header), expectValueOrError), { numRuns: 300 });
  });
});

function expectValueOrError(input: Uint8Array): void {
  try {
    readElf(input, "fuzz.o");
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
  }
}
