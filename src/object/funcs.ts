/**
 * Functions of an object and what their relocations refer to, before linking.
 *
 * A function outside .text is a program of its own (an entry); functions in .text are subprograms. Relocations that
 * lie in no function belong to weak functions that the static linker overrode, and are dropped.
 */
import { EINVAL, EOPNOTSUPP } from "../abi/errno.ts";
import * as elf from "../elf/elf.ts";
import { decode } from "../isa/codec.ts";
import type { Insns } from "../isa/insns.ts";
import { BPF_CALL, BPF_DW, BPF_IMM, BPF_JMP, BPF_LD } from "../isa/opcodes.ts";
import type { Externs } from "./externs.ts";
import type { Maps } from "./maps.ts";
import { isExtern, isHidden, objectError, type Parts } from "./parts.ts";

export const LD_IMM64 = BPF_LD | BPF_IMM | BPF_DW;
export const CALL = BPF_JMP | BPF_CALL;

export interface Func {
  readonly name: string;
  readonly section: elf.ElfSection;
  /** Position in its section, in instructions. */
  readonly start: number;
  readonly insns: Insns;
  /** Not in .text: can be loaded. */
  readonly isEntry: boolean;
  /** Visible to other objects and not hidden. */
  readonly global: boolean;
}

/** What the relocation of an instruction refers to; `insnIdx` counts from the function's start. */
export type FuncReloc =
  | { readonly insnIdx: number; readonly kind: "map"; readonly map: number }
  | { readonly insnIdx: number; readonly kind: "map_value"; readonly map: number; readonly off: number }
  | { readonly insnIdx: number; readonly kind: "extern" | "kfunc"; readonly extern: number }
  /** Offsets in .text, bytes. */
  | { readonly insnIdx: number; readonly kind: "subprog_call" | "subprog_addr"; readonly off: number };

/** In order of section and position. */
export function findFuncs(parts: Parts): Func[] {
  const bySection = new Map(parts.code.map((s) => [s.index, s]));
  const funcs = parts.elf.symbols.flatMap((sym): Func[] => {
    const section = bySection.get(sym.shndx);
    if (!section || sym.type !== elf.STT_FUNC) return [];
    const isEntry = section.name !== ".text";
    const what = `section '${section.name}': function '${sym.name}'`;
    if (sym.value + sym.size > section.bytes.length) {
      const where = `lies at bytes ${sym.value} to ${sym.value + sym.size}`;
      throw objectError(parts.file, EINVAL, `${what} ${where}; the section has ${section.bytes.length}`);
    }
    if (sym.size === 0 || sym.size % 8 || sym.value % 8) {
      const seen = `has ${sym.size} bytes at offset ${sym.value}`;
      throw objectError(parts.file, EINVAL, `${what} ${seen}; wanted a positive multiple of 8 at a multiple of 8`);
    }
    if (isEntry && sym.bind === elf.STB_LOCAL) {
      throw objectError(parts.file, EOPNOTSUPP, `${what} is static; wanted a global function (no 'static')`);
    }
    return [
      {
        name: sym.name,
        section,
        start: sym.value / 8,
        insns: decode(section.bytes.subarray(sym.value, sym.value + sym.size), sym.name),
        isEntry,
        global: sym.bind !== elf.STB_LOCAL && !isHidden(sym),
      },
    ];
  });
  return funcs.sort((a, b) => a.section.index - b.section.index || a.start - b.start);
}

/** Finds functions by position. */
export class FuncIndex {
  readonly #bySection = new Map<number, Func[]>();

  constructor(funcs: readonly Func[]) {
    for (const f of funcs) {
      const list = this.#bySection.get(f.section.index) ?? [];
      this.#bySection.set(f.section.index, list);
      list.push(f);
    }
  }

  /** The function with instruction `insnIdx` of a section. */
  at(sectionIdx: number, insnIdx: number): Func | undefined {
    const list = this.#bySection.get(sectionIdx) ?? [];
    let [low, high] = [0, list.length];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (list[mid].start <= insnIdx) low = mid + 1;
      else high = mid;
    }
    const func = list[low - 1];
    return func && insnIdx < func.start + func.insns.length ? func : undefined;
  }
}

/** Relocations of each function, sorted by instruction. */
export function readFuncRelocs(
  parts: Parts,
  index: FuncIndex,
  maps: Maps,
  externs: Externs,
): Map<Func, readonly FuncReloc[]> {
  const out = new Map<Func, FuncReloc[]>();
  for (const section of parts.code) {
    for (const r of parts.elf.relocs.get(section.index) ?? []) {
      if (r.offBytes % 8) {
        const seen = `relocation at offset ${r.offBytes}`;
        throw objectError(parts.file, EINVAL, `section '${section.name}': ${seen}; wanted a multiple of 8`);
      }
      const func = index.at(section.index, r.offBytes / 8);
      if (!func) continue;
      const list = out.get(func) ?? [];
      out.set(func, list);
      list.push(classify(parts, func, r.offBytes / 8 - func.start, parts.elf.symbols[r.symIdx], maps, externs));
    }
  }
  for (const list of out.values()) list.sort((a, b) => a.insnIdx - b.insnIdx);
  return out;
}

function classify(
  parts: Parts,
  func: Func,
  insnIdx: number,
  sym: elf.ElfSymbol,
  maps: Maps,
  externs: Externs,
): FuncReloc {
  const { insns } = func;
  const bad = (message: string) =>
    objectError(
      parts.file,
      EINVAL,
      `function '${func.name}': insn ${insnIdx}: relocation against '${sym.name}' ${message}`,
    );
  const code = insns.code[insnIdx];
  if (code !== CALL && code !== LD_IMM64) {
    throw bad(`changes opcode 0x${code.toString(16)}; wanted a call or a 64-bit immediate load`);
  }
  if (code === LD_IMM64 && insnIdx + 1 >= insns.length) throw bad("changes an immediate load that is cut off");

  if (isExtern(sym)) {
    const extern = externs.bySymbol.get(sym.index);
    if (extern === undefined) throw bad("refers to an extern without BTF");
    return { insnIdx, kind: code === CALL ? "kfunc" : "extern", extern };
  }
  const home = parts.elf.sections[sym.shndx];
  if (code === CALL) {
    if (insns.src[insnIdx] !== 1)
      throw bad(`changes a call with src ${insns.src[insnIdx]}; wanted 1 (BPF_PSEUDO_CALL)`);
    if (!parts.text || home?.index !== parts.text.index) {
      throw bad(`calls into section '${home?.name || sym.shndx}'; wanted a function in .text`);
    }
    if (sym.value % 8) throw bad(`calls offset ${sym.value}; wanted a multiple of 8`);
    return { insnIdx, kind: "subprog_call", off: sym.value };
  }
  if (sym.shndx === elf.SHN_UNDEF || sym.shndx >= elf.SHN_LORESERVE) {
    throw bad(`is in special section 0x${sym.shndx.toString(16)}; wanted a defined, initialised variable`);
  }
  if (isSubprog(sym, parts)) {
    const off = sym.value + insns.imm[insnIdx];
    if (off % 8) throw bad(`takes the address of offset ${off}; wanted a multiple of 8`);
    return { insnIdx, kind: "subprog_addr", off };
  }
  if (parts.arena && sym.shndx === parts.arena.index) {
    return { insnIdx, kind: "map_value", map: maps.arena, off: sym.value + insns.imm[insnIdx] };
  }
  if (parts.maps && sym.shndx === parts.maps.index) {
    const map = maps.byOffset.get(sym.value);
    if (map === undefined) throw bad(`names offset ${sym.value} of section '.maps', where no map begins`);
    return { insnIdx, kind: "map", map };
  }
  const map = maps.bySection.get(sym.shndx);
  if (map === undefined) throw bad(`is in section '${home.name}'; wanted .maps, .data, .rodata, .bss or .text`);
  return { insnIdx, kind: "map_value", map, off: (sym.value + insns.imm[insnIdx]) | 0 };
}

function isSubprog(sym: elf.ElfSymbol, parts: Parts): boolean {
  if (!parts.text || sym.shndx !== parts.text.index) return false;
  return sym.bind === elf.STB_LOCAL ? sym.type === elf.STT_SECTION : sym.type === elf.STT_FUNC;
}
