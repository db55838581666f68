/**
 * ELF64 little-endian reader: header, sections, symbols, relocations, strings. Knows no eBPF.
 *
 * Everything is checked against the bytes when it is read: any bytes end in an Elf or a BpfError that names the file,
 * the thing, the value seen and the value wanted. Section bytes are views of the input, never copies.
 * Errors   ENOEXEC for bytes that are no object of this kind, EINVAL for a corrupt or truncated one.
 * Source   System V ABI, chapters "Object Files" and "Sections".
 */
import { BpfError, EINVAL, ENOEXEC } from "../abi/errno.ts";
import { ByteReader } from "../bytes/reader.ts";

export const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
const SHT_RELA = 4;
export const SHT_NOBITS = 8;
const SHT_REL = 9;
export const SHF_EXECINSTR = 4;
export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STV_INTERNAL = 1;
export const STV_HIDDEN = 2;
export const EM_BPF = 247;

export interface Elf {
  /** File name of the errors. */
  readonly name: string;
  /** ET_*. */
  readonly type: number;
  /** EM_*. */
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  /** By section index; [0] is the null section. */
  readonly sections: readonly ElfSection[];
  /** By symbol index; [0] is the null symbol. Empty without a symbol table. */
  readonly symbols: readonly ElfSymbol[];
  /** Relocations by index of the section that they change, in file order. */
  readonly relocs: ReadonlyMap<number, readonly ElfReloc[]>;
}

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** SHT_*. */
  readonly type: number;
  readonly flags: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  /** View of the file; empty for SHT_NOBITS. */
  readonly bytes: Uint8Array;
}

export interface ElfSymbol {
  readonly index: number;
  /** Name in the symbol table; for a section symbol without one, the section's name. */
  readonly name: string;
  /** STT_*. */
  readonly type: number;
  /** STB_*. */
  readonly bind: number;
  /** STV_*. */
  readonly visibility: number;
  /** Section index or SHN_*. */
  readonly shndx: number;
  /** Offset in its section, in an object file. */
  readonly value: number;
  readonly size: number;
}

export interface ElfReloc {
  /** In the section that is changed. */
  readonly offBytes: number;
  readonly symIdx: number;
  readonly type: number;
  /** 0 for SHT_REL, whose addends are in the bytes that it changes. */
  readonly addend: bigint;
}

const MACHINES: Readonly<Record<number, string>> = {
  3: "EM_386",
  8: "EM_MIPS",
  20: "EM_PPC",
  21: "EM_PPC64",
  22: "EM_S390",
  40: "EM_ARM",
  62: "EM_X86_64",
  183: "EM_AARCH64",
  [EM_BPF]: "EM_BPF",
  243: "EM_RISCV",
  258: "EM_LOONGARCH",
};

const EHDR_SIZE = 64;
const SHDR_SIZE = 64;
const SYM_SIZE = 24;

/** @param name of the file, for errors */
export function readElf(bytes: Uint8Array, name: string): Elf {
  checkIdent(bytes, name);
  const r = new ByteReader(bytes, name);
  if (bytes.length < EHDR_SIZE) {
    throw bad(name, `ELF header is truncated: file has ${bytes.length} bytes, wanted at least ${EHDR_SIZE}`);
  }
  const sections = readSections(r, name);
  const symbols = readSymbols(sections, name);
  return {
    name,
    type: r.u16(16),
    machine: r.u16(18),
    entry: r.u64(24),
    flags: r.u32(48),
    sections,
    symbols,
    relocs: readRelocs(sections, symbols, name),
  };
}

/** Throws unless the object was compiled for `machine`. */
export function expectMachine(elf: Elf, machine: number): void {
  if (elf.machine === machine) return;
  const show = (m: number) => `${MACHINES[m] ?? "machine"} (${m})`;
  throw new BpfError(ENOEXEC, `${elf.name}: wrong machine ${show(elf.machine)}; wanted ${show(machine)}`, {
    machine: elf.machine,
  });
}

function checkIdent(bytes: Uint8Array, name: string): void {
  const magic = [0x7f, 0x45, 0x4c, 0x46];
  if (magic.some((b, i) => bytes[i] !== b)) {
    const seen = Array.from(bytes.subarray(0, 4), (b) => b.toString(16).padStart(2, "0")).join(" ");
    throw wrong(name, `not an ELF file: it starts with ${seen || "nothing"}; wanted 7f 45 4c 46`);
  }
  const [, , , , cls, data, version] = bytes;
  if (cls === 1) throw wrong(name, "32-bit object; wanted 64-bit (ELFCLASS64)");
  if (cls !== 2) throw wrong(name, `ELF class ${cls ?? "missing"}; wanted 2 (ELFCLASS64)`);
  if (data === 2) throw wrong(name, "big-endian object; wanted little-endian (bpfel)");
  if (data !== 1) throw wrong(name, `ELF data encoding ${data ?? "missing"}; wanted 1 (little-endian)`);
  if (version !== 1) throw wrong(name, `ELF version ${version ?? "missing"}; wanted 1`);
}

function readSections(r: ByteReader, name: string): ElfSection[] {
  const shoff = u64(r, 40);
  const shentsize = r.u16(58);
  if (shoff === 0) return [];
  if (shentsize !== SHDR_SIZE) throw bad(name, `section header size ${shentsize}; wanted ${SHDR_SIZE}`);
  if (shoff + SHDR_SIZE > r.length) throw truncated(name, "section headers", shoff, SHDR_SIZE, r.length);
  // More than 65279 sections: the real numbers are in section header 0.
  const shnum = r.u16(60) || u64(r, shoff + 32);
  const shstrndx = r.u16(62) === 0xffff ? r.u32(shoff + 40) : r.u16(62);
  if (shoff + shnum * SHDR_SIZE > r.length) {
    throw truncated(name, "section headers", shoff, shnum * SHDR_SIZE, r.length);
  }

  const nameOffs: number[] = [];
  const raw = Array.from({ length: shnum }, (_, index) => {
    const at = shoff + index * SHDR_SIZE;
    nameOffs.push(r.u32(at));
    return {
      index,
      type: r.u32(at + 4),
      flags: u64(r, at + 8),
      offBytes: u64(r, at + 24),
      size: u64(r, at + 32),
      link: r.u32(at + 40),
      info: r.u32(at + 44),
      align: u64(r, at + 48),
    };
  });
  const inFile = (s: (typeof raw)[number]) => s.type !== SHT_NOBITS && s.index !== 0;
  const nameTable = raw[shstrndx];
  if (shnum > 0 && !nameTable)
    throw bad(name, `section name table is section ${shstrndx}; there are ${shnum} sections`);
  if (nameTable && inFile(nameTable) && nameTable.offBytes + nameTable.size > r.length) {
    throw truncated(name, `section ${shstrndx} (section names)`, nameTable.offBytes, nameTable.size, r.length);
  }
  const names = new ByteReader(nameTable && inFile(nameTable) ? r.slice(nameTable.offBytes, nameTable.size) : none, "");
  return raw.map((s) => {
    const { offBytes, ...rest } = s;
    const sectionName = s.index === 0 ? "" : stringAt(names, nameOffs[s.index], name, `name of section ${s.index}`);
    if (!inFile(s)) return { ...rest, name: sectionName, bytes: none };
    if (offBytes + s.size > r.length) {
      throw truncated(name, `section ${s.index} '${sectionName}'`, offBytes, s.size, r.length);
    }
    return { ...rest, name: sectionName, bytes: r.slice(offBytes, s.size) };
  });
}

const none = new Uint8Array(0);

function readSymbols(sections: readonly ElfSection[], name: string): ElfSymbol[] {
  const tables = sections.filter((s) => s.type === SHT_SYMTAB);
  if (tables.length === 0) return [];
  if (tables.length > 1) {
    throw bad(name, `sections ${tables.map((s) => s.index).join(" and ")} are symbol tables; wanted one`);
  }
  const table = tables[0];
  const what = `symbol table '${table.name}'`;
  const strings = sections[table.link];
  if (strings?.type !== SHT_STRTAB) {
    throw bad(name, `${what} names section ${table.link} as its strings; wanted a string table`);
  }
  if (table.size % SYM_SIZE) throw bad(name, `${what} has ${table.size} bytes; wanted a multiple of ${SYM_SIZE}`);
  const r = new ByteReader(table.bytes, what);
  const names = new ByteReader(strings.bytes, "");
  return Array.from({ length: table.size / SYM_SIZE }, (_, index) => {
    const at = index * SYM_SIZE;
    const info = r.u8(at + 4);
    const shndx = r.u16(at + 6);
    const type = info & 15;
    if (shndx < SHN_LORESERVE && shndx >= sections.length) {
      throw bad(name, `symbol ${index} is in section ${shndx}; there are ${sections.length} sections`);
    }
    const own = stringAt(names, r.u32(at), name, `name of symbol ${index}`);
    return {
      index,
      name: own === "" && type === STT_SECTION ? (sections[shndx]?.name ?? "") : own,
      type,
      bind: info >> 4,
      visibility: r.u8(at + 5) & 3,
      shndx,
      value: u64(r, at + 8),
      size: u64(r, at + 16),
    };
  });
}

function readRelocs(
  sections: readonly ElfSection[],
  symbols: readonly ElfSymbol[],
  name: string,
): Map<number, ElfReloc[]> {
  const out = new Map<number, ElfReloc[]>();
  for (const s of sections) {
    if (s.type !== SHT_REL && s.type !== SHT_RELA) continue;
    const what = `relocation section '${s.name}'`;
    const step = s.type === SHT_REL ? 16 : 24;
    const target = sections[s.info];
    if (!target || s.info === 0) {
      throw bad(name, `${what} changes section ${s.info}; wanted one of 1 to ${sections.length - 1}`);
    }
    if (s.size % step) throw bad(name, `${what} has ${s.size} bytes; wanted a multiple of ${step}`);
    const r = new ByteReader(s.bytes, what);
    const list = out.get(s.info) ?? [];
    out.set(s.info, list);
    for (let at = 0; at < s.size; at += step) {
      const offBytes = u64(r, at);
      const symIdx = r.u32(at + 12);
      if (offBytes >= target.size) {
        throw bad(name, `${what}: offset ${offBytes}; wanted less than the ${target.size} bytes of '${target.name}'`);
      }
      if (symIdx >= symbols.length) {
        throw bad(name, `${what}: symbol ${symIdx} at offset ${offBytes}; there are ${symbols.length} symbols`);
      }
      const addend = step === 24 ? BigInt.asIntN(64, r.u64(at + 16)) : 0n;
      list.push({ offBytes, symIdx, type: r.u32(at + 8), addend });
    }
  }
  return out;
}

function stringAt(r: ByteReader, off: number, name: string, what: string): string {
  if (off === 0) return "";
  if (off >= r.length) throw bad(name, `${what}: string offset ${off}; the string table has ${r.length} bytes`);
  if (r.bytes.indexOf(0, off) < 0) throw bad(name, `${what}: string at offset ${off} has no end`);
  return r.cstr(off);
}

/** A u64 as a number; values past 2^53 lose bits, but stay larger than any file, which is all that checks ask. */
function u64(r: ByteReader, off: number): number {
  return Number(r.u64(off));
}

function truncated(name: string, what: string, offBytes: number, size: number, have: number): BpfError {
  const where = `offset ${offBytes} with ${size} bytes`;
  return bad(name, `${what} is truncated: it lies at ${where}, but the file has ${have} bytes`);
}

function wrong(name: string, message: string): BpfError {
  return new BpfError(ENOEXEC, `${name}: ${message}`);
}

function bad(name: string, message: string): BpfError {
  return new BpfError(EINVAL, `${name}: ${message}`);
}
