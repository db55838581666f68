/**
 * Completes the BTF of an object with what only its ELF symbols know, so that a kernel accepts it.
 *
 *  - clang leaves sizes of DATASECs and offsets of their variables 0: they come from sections and symbols, then the
 *    entries are sorted by offset;
 *  - hidden variables and functions become static;
 *  - .kconfig and .ksyms externs become allocated variables: a .kconfig one at its place in the map, a .ksyms one as an
 *    int at 4 bytes each, and functions there are replaced by one dummy variable.
 *
 * Ids of existing types do not change; new types (the dummy) are appended.
 */
import { ENOENT } from "../abi/errno.ts";
import { BTF_HEADER_BYTES, type Btf, parseBtf } from "../btf/btf.ts";
import * as kinds from "../btf/kinds.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { type ElfSymbol, STB_LOCAL, STT_FUNC, STT_OBJECT } from "../elf/elf.ts";
import type { Externs } from "./externs.ts";
import { isHidden, objectError, type Parts } from "./parts.ts";

export function fixupBtf(parts: Parts, btf: Btf, externs: Externs): Btf {
  const patch = new BtfPatch(btf);
  const symbols = globalSymbols(parts.elf.symbols);
  const kconfigOff = new Map(externs.list.flatMap((e) => (e.kind === "kconfig" ? [[e.name, e.off]] : [])));
  for (let id = 1; id < btf.typeCount; id++) {
    const kind = btf.kind(id);
    if (kind === kinds.BTF_KIND_FUNC) {
      const sym = symbols.get(btf.nameOf(id));
      const global = btf.vlen(id) === kinds.BTF_LINKAGE_GLOBAL;
      const subprog = sym?.type === STT_FUNC && sym.shndx === parts.text?.index;
      if (global && subprog && isHidden(sym)) patch.setVlen(id, kinds.BTF_LINKAGE_STATIC);
    } else if (kind === kinds.BTF_KIND_DATASEC) {
      const name = btf.nameOf(id);
      if (name === ".ksyms") fixKsyms(btf, patch, id);
      else if (name === ".kconfig") fixKconfig(btf, patch, id, kconfigOff);
      else fixDatasec(parts, btf, patch, id, symbols);
      patch.sortDatasec(id);
    }
  }
  return parseBtf(patch.finish());
}

function globalSymbols(symbols: readonly ElfSymbol[]): Map<string, ElfSymbol> {
  const out = new Map<string, ElfSymbol>();
  for (const s of symbols) {
    const named = s.type === STT_OBJECT || s.type === STT_FUNC;
    if (named && s.bind !== STB_LOCAL && !out.has(s.name)) out.set(s.name, s);
  }
  return out;
}

function fixDatasec(
  parts: Parts,
  btf: Btf,
  patch: BtfPatch,
  id: number,
  symbols: ReadonlyMap<string, ElfSymbol>,
): void {
  const name = btf.nameOf(id);
  // a statically linked object has its sizes and offsets already
  const fixOffsets = btf.size(id) === 0;
  if (fixOffsets) {
    const section = parts.elf.sections.find((s) => s.name === name);
    if (!section?.size) {
      const seen = section ? "is empty" : "is missing";
      throw objectError(parts.file, ENOENT, `section '${name}' ${seen}, but .BTF lists its variables`);
    }
    patch.setSize(id, section.size);
  }
  for (let i = 0; i < btf.vlen(id); i++) {
    const varId = btf.extra(id, 3 * i);
    if (btf.kind(varId) !== kinds.BTF_KIND_VAR || btf.extra(varId, 0) !== kinds.BTF_LINKAGE_GLOBAL) continue;
    const sym = symbols.get(btf.nameOf(varId));
    if (!sym) {
      throw objectError(parts.file, ENOENT, `variable '${btf.nameOf(varId)}' of section '${name}' has no ELF symbol`);
    }
    if (fixOffsets) patch.setSecInfo(id, i, varId, sym.value, btf.extra(id, 3 * i + 2));
    if (isHidden(sym)) patch.setLinkage(varId, kinds.BTF_LINKAGE_STATIC);
  }
}

function fixKconfig(btf: Btf, patch: BtfPatch, id: number, offs: ReadonlyMap<string, number>): void {
  let size = 0;
  for (let i = 0; i < btf.vlen(id); i++) {
    const varId = btf.extra(id, 3 * i);
    const off = offs.get(btf.nameOf(varId)) ?? 0;
    const bytes = btf.extra(id, 3 * i + 2);
    size = Math.max(size, off + bytes);
    patch.setLinkage(varId, kinds.BTF_LINKAGE_GLOBAL);
    patch.setSecInfo(id, i, varId, off, bytes);
  }
  patch.setSize(id, size);
}

function fixKsyms(btf: Btf, patch: BtfPatch, id: number): void {
  const intId = patch.int32();
  const n = btf.vlen(id);
  for (let i = 0; i < n; i++) {
    const member = btf.extra(id, 3 * i);
    if (btf.kind(member) === kinds.BTF_KIND_FUNC) {
      patch.nameParams(btf.ref(member));
      patch.setVlen(member, kinds.BTF_LINKAGE_GLOBAL);
      patch.setSecInfo(id, i, patch.dummy(), 4 * i, 4);
    } else {
      patch.setLinkage(member, kinds.BTF_LINKAGE_GLOBAL);
      patch.setRef(member, intId);
      patch.setSecInfo(id, i, member, 4 * i, 4);
    }
  }
  patch.setSize(id, 4 * n);
}

/** Writes into a copy of BTF bytes; appends types and strings. */
class BtfPatch {
  readonly #btf: Btf;
  readonly #types: Uint8Array;
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  /** Byte offset of each type's record. */
  readonly #at: number[] = [0];
  readonly #more = new ByteWriter();
  readonly #moreStrings = new ByteWriter();
  #nextId: number;
  #int32 = 0;
  #dummy = 0;
  #dummyName = 0;

  constructor(btf: Btf) {
    this.#btf = btf;
    const header = new DataView(btf.bytes.buffer, btf.bytes.byteOffset, BTF_HEADER_BYTES);
    const base = header.getUint32(4, true);
    const cut = (at: number) => {
      const off = base + header.getUint32(at, true);
      return btf.bytes.slice(off, off + header.getUint32(at + 4, true));
    };
    this.#types = cut(8);
    this.#strings = cut(16);
    this.#view = new DataView(this.#types.buffer);
    this.#nextId = btf.typeCount;
    let at = 0;
    for (let id = 1; id < btf.typeCount; id++) {
      this.#at.push(at);
      at += 12 + recordTail(btf.kind(id), btf.vlen(id));
    }
  }

  #word(id: number, word: number): number {
    return this.#view.getUint32(this.#at[id] + 4 * word, true);
  }

  #setWord(id: number, word: number, value: number): void {
    this.#view.setUint32(this.#at[id] + 4 * word, value, true);
  }

  setVlen(id: number, vlen: number): void {
    this.#setWord(id, 1, (this.#word(id, 1) & 0xffff0000) | vlen);
  }

  setSize(id: number, size: number): void {
    this.#setWord(id, 2, size);
  }

  setRef(id: number, type: number): void {
    this.#setWord(id, 2, type);
  }

  setLinkage(varId: number, linkage: number): void {
    if (this.#btf.kind(varId) === kinds.BTF_KIND_VAR) this.#setWord(varId, 3, linkage);
  }

  setSecInfo(id: number, i: number, type: number, off: number, size: number): void {
    this.#setWord(id, 3 + 3 * i, type);
    this.#setWord(id, 4 + 3 * i, off);
    this.#setWord(id, 5 + 3 * i, size);
  }

  sortDatasec(id: number): void {
    const n = this.#btf.vlen(id);
    const entries = Array.from({ length: n }, (_, i) => [0, 1, 2].map((w) => this.#word(id, 3 + 3 * i + w)));
    entries.sort((a, b) => a[1] - b[1]);
    entries.forEach(([type, off, size], i) => {
      this.setSecInfo(id, i, type, off, size);
    });
  }

  /** Gives parameters without a name one: the kernel wants names in the prototype of an allocated function. */
  nameParams(protoId: number): void {
    if (this.#btf.kind(protoId) !== kinds.BTF_KIND_FUNC_PROTO) return;
    this.dummy();
    for (let i = 0; i < this.#btf.vlen(protoId); i++) {
      const [name, type] = [this.#word(protoId, 3 + 2 * i), this.#word(protoId, 4 + 2 * i)];
      if (type !== 0 && name === 0) this.#setWord(protoId, 3 + 2 * i, this.#dummyName);
    }
  }

  /** A 32-bit integer type, made when there is none. */
  int32(): number {
    for (let id = 1; this.#int32 === 0 && id < this.#btf.typeCount; id++) {
      if (this.#btf.kind(id) === kinds.BTF_KIND_INT && this.#btf.intBits(id) === 32) this.#int32 = id;
    }
    if (this.#int32 === 0) {
      this.#more
        .u32(this.#addString("int"))
        .u32(kinds.BTF_KIND_INT << 24)
        .u32(4)
        .u32((kinds.BTF_INT_SIGNED << 24) | 32);
      this.#int32 = this.#nextId++;
    }
    return this.#int32;
  }

  /** The variable that stands for functions in .ksyms. */
  dummy(): number {
    if (this.#dummy === 0) {
      const intId = this.int32();
      this.#dummyName = this.#addString("dummy_ksym");
      this.#more
        .u32(this.#dummyName)
        .u32(kinds.BTF_KIND_VAR << 24)
        .u32(intId)
        .u32(kinds.BTF_LINKAGE_GLOBAL);
      this.#dummy = this.#nextId++;
    }
    return this.#dummy;
  }

  #addString(text: string): number {
    const off = this.#strings.length + this.#moreStrings.length;
    this.#moreStrings.bytes(new TextEncoder().encode(text)).u8(0);
    return off;
  }

  finish(): Uint8Array {
    const typeLen = this.#types.length + this.#more.length;
    const strLen = this.#strings.length + this.#moreStrings.length;
    const w = new ByteWriter(BTF_HEADER_BYTES + typeLen + strLen);
    w.u16(0xeb9f).u8(1).u8(0).u32(BTF_HEADER_BYTES).u32(0).u32(typeLen).u32(typeLen).u32(strLen);
    w.bytes(this.#types).bytes(this.#more.finish()).bytes(this.#strings).bytes(this.#moreStrings.finish());
    return w.finish();
  }
}

/** Bytes of a type record after its first three words. */
function recordTail(kind: number, vlen: number): number {
  const each: Readonly<Record<number, number>> = {
    [kinds.BTF_KIND_STRUCT]: 12,
    [kinds.BTF_KIND_UNION]: 12,
    [kinds.BTF_KIND_ENUM]: 8,
    [kinds.BTF_KIND_ENUM64]: 12,
    [kinds.BTF_KIND_FUNC_PROTO]: 8,
    [kinds.BTF_KIND_DATASEC]: 12,
  };
  const fixed: Readonly<Record<number, number>> = {
    [kinds.BTF_KIND_INT]: 4,
    [kinds.BTF_KIND_ARRAY]: 12,
    [kinds.BTF_KIND_VAR]: 4,
    [kinds.BTF_KIND_DECL_TAG]: 4,
  };
  return (each[kind] ?? 0) * vlen + (fixed[kind] ?? 0);
}
