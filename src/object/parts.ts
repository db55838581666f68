/**
 * Sorts the sections of a BPF object by what they mean: code, global data, maps, struct_ops, BTF.
 *
 * Sections that mean nothing here (DWARF, .llvm_addrsig, unknown data) are left out, as libbpf skips them.
 */
import { BpfError, EINVAL, ENOENT, EOPNOTSUPP, type Errno } from "../abi/errno.ts";
import * as elf from "../elf/elf.ts";
import type { GlobalKind } from "./spec.ts";

export interface Parts {
  readonly file: string;
  readonly elf: elf.Elf;
  /** Section .text, home of subprograms. */
  readonly text: elf.ElfSection | undefined;
  /** Sections with instructions, .text among them, in file order. */
  readonly code: readonly elf.ElfSection[];
  readonly globals: readonly { readonly section: elf.ElfSection; readonly kind: GlobalKind }[];
  readonly maps: elf.ElfSection | undefined;
  readonly structOps: readonly elf.ElfSection[];
  /** Section .addr_space.1: variables inside the arena. */
  readonly arena: elf.ElfSection | undefined;
  readonly btf: elf.ElfSection | undefined;
  readonly btfExt: elf.ElfSection | undefined;
  readonly license: string | undefined;
  readonly kernVersion: number;
}

/** @throws EOPNOTSUPP for a legacy `maps` section, ENOENT without a symbol table */
export function findParts(file: string, object: elf.Elf): Parts {
  if (object.symbols.length === 0) {
    throw objectError(file, ENOENT, "no symbol table; wanted an unstripped object (keep .symtab and .BTF)");
  }
  const named = (name: string) => object.sections.find((s) => s.name === name && !isSkipped(s));
  const progbits = object.sections.filter((s) => s.type === elf.SHT_PROGBITS && s.size > 0 && !isSkipped(s));
  if (named("maps")) {
    const wanted = "wanted BTF-defined maps in section '.maps'";
    throw objectError(file, EOPNOTSUPP, `section 'maps': legacy map definitions are not supported; ${wanted}`);
  }
  const code = progbits.filter((s) => s.flags & elf.SHF_EXECINSTR && !SPECIAL.has(s.name));
  const globals = object.sections.flatMap((section) => {
    const kind = globalKind(section);
    return kind && section.size > 0 ? [{ section, kind }] : [];
  });
  const data = progbits.filter((s) => !(s.flags & elf.SHF_EXECINSTR));
  return {
    file,
    elf: object,
    text: code.find((s) => s.name === ".text"),
    code,
    globals,
    maps: named(".maps"),
    structOps: data.filter((s) => /^\??\.struct_ops(\.link)?$/.test(s.name)),
    arena: data.find((s) => s.name === ".addr_space.1"),
    btf: progbits.find((s) => s.name === ".BTF"),
    btfExt: progbits.find((s) => s.name === ".BTF.ext"),
    license: readLicense(named("license")),
    kernVersion: readVersion(file, named("version")),
  };
}

/** An error about an object file: its name comes first. */
export function objectError(file: string, errno: Errno, message: string, cause?: unknown): BpfError {
  return new BpfError(errno, `${file}: ${message}`, {}, cause);
}

/** Symbols whose definition is elsewhere: the kernel, its configuration. */
export function isExtern(s: elf.ElfSymbol): boolean {
  return s.shndx === elf.SHN_UNDEF && s.bind !== elf.STB_LOCAL && s.type === elf.STT_NOTYPE && s.name !== "";
}

/** Global in ELF, but not for other objects: the verifier may treat the function or variable as static. */
export function isHidden(s: elf.ElfSymbol): boolean {
  return s.visibility === elf.STV_HIDDEN || s.visibility === elf.STV_INTERNAL;
}

const SPECIAL: ReadonlySet<string> = new Set(["license", "version", "maps", ".maps", ".BTF", ".BTF.ext"]);

function isSkipped(s: elf.ElfSection): boolean {
  return s.type === elf.SHT_STRTAB || s.name.startsWith(".debug_");
}

function globalKind(s: elf.ElfSection): GlobalKind | undefined {
  const is = (base: string) => s.name === base || s.name.startsWith(`${base}.`);
  if (s.type === elf.SHT_NOBITS) return is(".bss") ? "bss" : undefined;
  if (s.type !== elf.SHT_PROGBITS || s.flags & elf.SHF_EXECINSTR) return undefined;
  return is(".data") ? "data" : is(".rodata") ? "rodata" : undefined;
}

function readLicense(s: elf.ElfSection | undefined): string | undefined {
  if (!s) return undefined;
  const end = s.bytes.indexOf(0);
  // libbpf keeps at most 63 bytes
  return new TextDecoder().decode(s.bytes.subarray(0, Math.min(end < 0 ? s.size : end, 63)));
}

function readVersion(file: string, s: elf.ElfSection | undefined): number {
  if (!s) return 0;
  if (s.bytes.length !== 4) throw objectError(file, EINVAL, `section 'version' has ${s.size} bytes; wanted 4`);
  return new DataView(s.bytes.buffer, s.bytes.byteOffset).getUint32(0, true);
}
