/**
 * BTF, the type format of BPF objects and kernels: parsing and lookup by id and by name.
 *
 * Parsing makes one pass over the type section: it records where each type starts and proves that every string offset
 * and every type id is in range and that no chain of references runs in a circle. Nothing is decoded; `type(id)` makes
 * (and keeps) an object, the other accessors read the words directly and allocate nothing.
 *
 * Ids      0 is void. A split BTF (a module's) continues the ids and the string offsets of its base; every accessor
 *          accepts ids of the base. An id outside the BTF looks like void to the plain accessors; `type` throws.
 * Errors   EINVAL, or EEXIST for a circle, naming the header field or type id, the value seen and the value wanted.
 * Source   Documentation/bpf/btf.rst, include/uapi/linux/btf.h.
 */

import { BpfError, EINVAL } from "../abi/errno.ts";
import { decodeType } from "./decode.ts";
import { essentialName } from "./flavor.ts";
import {
  BTF_INT_SIGNED,
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
  type BtfMember,
  type BtfType,
} from "./kinds.ts";
import { alignOf } from "./layout.ts";
import { NameIndex } from "./names.ts";
import { checkIds, checkLinks, indexTypes, kindTable, readHeader } from "./sections.ts";
import { decodeName, findFlavors } from "./strings.ts";

export { BTF_HEADER_BYTES, BTF_MAGIC } from "./sections.ts";

/** Where a member path ends, as findMember gives it. */
export interface FoundMember {
  readonly type: number;
  readonly bitOffset: number;
  /** Width of a bitfield; 0 for an ordinary member. */
  readonly bitfieldSize: number;
}

const IS_MODIFIER = kindTable({
  [BTF_KIND_VOLATILE]: 1,
  [BTF_KIND_CONST]: 1,
  [BTF_KIND_RESTRICT]: 1,
  [BTF_KIND_TYPE_TAG]: 1,
});
const IS_TRANSPARENT = kindTable({
  [BTF_KIND_TYPEDEF]: 1,
  [BTF_KIND_VOLATILE]: 1,
  [BTF_KIND_CONST]: 1,
  [BTF_KIND_RESTRICT]: 1,
  [BTF_KIND_TYPE_TAG]: 1,
});

/**
 * Parses BTF bytes (of a section .BTF, of /sys/kernel/btf/*). The bytes are copied as far as they are needed.
 * @param options.base  the BTF that this one continues; for a module, vmlinux
 */
export function parseBtf(bytes: Uint8Array, options: { readonly base?: Btf } = {}): Btf {
  return new Btf(bytes, options.base);
}

export class Btf {
  readonly base: Btf | undefined;
  /** First id of this BTF: 0 (void) without a base, else the base's typeCount. */
  readonly firstId: number;
  /** Ids run from 0 to typeCount - 1, base included. */
  readonly typeCount: number;
  /** The whole of what was parsed, header included. */
  readonly bytes: Uint8Array;

  readonly #words: Uint32Array;
  /** Word index of each type, by id - firstId. */
  readonly #at: Uint32Array;
  readonly #strings: Uint8Array;
  readonly #strStart: number;
  /** String offset one past the last, base included. */
  readonly strEnd: number;

  readonly #text = new Map<number, string>();
  readonly #types = new Map<number, BtfType>();
  readonly #aligns = new Map<number, number>();
  #names: NameIndex | undefined;
  #flavors: Map<string, number[]> | undefined;
  #tagsOf: Map<number, number[]> | undefined;

  constructor(bytes: Uint8Array, base?: Btf) {
    const { typeOff, typeLen, strOff, strLen } = readHeader(bytes, base !== undefined);
    this.bytes = bytes;
    this.base = base;
    this.firstId = base ? base.typeCount : 0;
    this.#strings = bytes.slice(strOff, strOff + strLen);
    this.#strStart = base ? base.strEnd : 0;
    this.strEnd = this.#strStart + strLen;
    // Three zero words before the first type are the record of void, so that no accessor needs a special case.
    const lead = base ? 0 : 3;
    this.#words = new Uint32Array(lead + typeLen / 4);
    new Uint8Array(this.#words.buffer, 4 * lead).set(bytes.subarray(typeOff, typeOff + typeLen));
    this.#at = indexTypes(this.#words, this.firstId, this.strEnd);
    this.typeCount = this.firstId + this.#at.length;
    checkIds(this.#words, this.#at, this.firstId);
    checkLinks(this.#words, this.#at, this.firstId);
  }

  // ---- plain accessors: no allocation, ids of the base welcome ----

  /** BTF_KIND_*. */
  kind(id: number): number {
    return id >= this.firstId ? (this.#words[this.#at[id - this.firstId] + 1] >>> 24) & 31 : this.base!.kind(id);
  }

  /** Number of members, values, parameters or section entries; linkage of a FUNC. */
  vlen(id: number): number {
    return id >= this.firstId ? this.#words[this.#at[id - this.firstId] + 1] & 0xffff : this.base!.vlen(id);
  }

  kflag(id: number): boolean {
    return id >= this.firstId ? this.#words[this.#at[id - this.firstId] + 1] >>> 31 === 1 : this.base!.kflag(id);
  }

  /** The type that a reference (PTR, TYPEDEF, modifier, FUNC, VAR, tag) refers to, or what a FUNC_PROTO returns. */
  ref(id: number): number {
    return id >= this.firstId ? this.#words[this.#at[id - this.firstId] + 2] : this.base!.ref(id);
  }

  /** The word n of the record, counted after the common three; see btf.rst. */
  extra(id: number, n: number): number {
    return id >= this.firstId ? this.#words[this.#at[id - this.firstId] + 3 + n] : this.base!.extra(id, n);
  }

  /** The info word: vlen, kind, kflag. */
  info(id: number): number {
    return id >= this.firstId ? this.#words[this.#at[id - this.firstId] + 1] : this.base!.info(id);
  }

  nameOff(id: number): number {
    return id >= this.firstId ? this.#words[this.#at[id - this.firstId]] : this.base!.nameOff(id);
  }

  /** "" when anonymous. */
  nameOf(id: number): string {
    return this.str(this.nameOff(id));
  }

  /** The string at an offset of the string section. */
  str(off: number): string {
    if (off < this.#strStart) return this.base!.str(off);
    let text = this.#text.get(off);
    if (text === undefined) {
      text = decodeName(this.#strings, off - this.#strStart);
      this.#text.set(off, text);
    }
    return text;
  }

  /** Strips const, volatile, restrict and type tags. */
  skipModifiers(id: number): number {
    while (IS_MODIFIER[this.kind(id)]) id = this.ref(id);
    return id;
  }

  /** Strips typedefs and modifiers. */
  resolve(id: number): number {
    while (IS_TRANSPARENT[this.kind(id)]) id = this.ref(id);
    return id;
  }

  isModifier(id: number): boolean {
    return IS_MODIFIER[this.kind(id)] === 1;
  }

  /** STRUCT or UNION. */
  isComposite(id: number): boolean {
    const kind = this.kind(id);
    return kind === BTF_KIND_STRUCT || kind === BTF_KIND_UNION;
  }

  /**
   * Size in bytes, after stripping typedefs, modifiers and variables; pointers count 8. -1 for what has none (void,
   * functions, forward declarations) and for an array of 4 GiB and more.
   */
  size(id: number): number {
    for (let n = 1; ; ) {
      const kind = this.kind(id);
      switch (kind) {
        case BTF_KIND_INT:
        case BTF_KIND_STRUCT:
        case BTF_KIND_UNION:
        case BTF_KIND_ENUM:
        case BTF_KIND_ENUM64:
        case BTF_KIND_FLOAT:
        case BTF_KIND_DATASEC:
          return bounded(n * this.ref(id));
        case BTF_KIND_PTR:
          return bounded(n * 8);
        case BTF_KIND_ARRAY:
          n *= this.nelems(id);
          id = this.elemType(id);
          break;
        case BTF_KIND_TYPEDEF:
        case BTF_KIND_VOLATILE:
        case BTF_KIND_CONST:
        case BTF_KIND_RESTRICT:
        case BTF_KIND_TYPE_TAG:
        case BTF_KIND_VAR:
          id = this.ref(id);
          break;
        default:
          return -1;
      }
    }
  }

  /** Natural alignment in bytes; 1 for what has none and for packed structs. See layout.ts. */
  align(id: number): number {
    return alignOf(this, id, this.#aligns, 0);
  }

  elemType(arrayId: number): number {
    return this.extra(arrayId, 0);
  }

  indexType(arrayId: number): number {
    return this.extra(arrayId, 1);
  }

  nelems(arrayId: number): number {
    return this.extra(arrayId, 2);
  }

  intEncoding(intId: number): number {
    return this.extra(intId, 0) >>> 24;
  }

  intBitOffset(intId: number): number {
    return (this.extra(intId, 0) >>> 16) & 0xff;
  }

  intBits(intId: number): number {
    return this.extra(intId, 0) & 0xff;
  }

  /** Of an INT, ENUM or ENUM64 (not stripped); false for other kinds. */
  isSigned(id: number): boolean {
    const kind = this.kind(id);
    if (kind === BTF_KIND_INT) return (this.intEncoding(id) & BTF_INT_SIGNED) !== 0;
    return (kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64) && this.kflag(id);
  }

  memberName(id: number, i: number): string {
    return this.str(this.extra(id, 3 * i));
  }

  memberType(id: number, i: number): number {
    return this.extra(id, 3 * i + 1);
  }

  memberOffsetBits(id: number, i: number): number {
    const off = this.extra(id, 3 * i + 2);
    return this.kflag(id) ? off & 0xffffff : off;
  }

  /** Width of a bitfield member; 0 for an ordinary one. */
  memberBitfieldSize(id: number, i: number): number {
    return this.kflag(id) ? this.extra(id, 3 * i + 2) >>> 24 : 0;
  }

  paramName(protoId: number, i: number): string {
    return this.str(this.extra(protoId, 2 * i));
  }

  paramType(protoId: number, i: number): number {
    return this.extra(protoId, 2 * i + 1);
  }

  // ---- decoded types ----

  /** The decoded type; the same object at every call. Throws EINVAL for an id that does not exist. */
  type(id: number): BtfType {
    if (!(id >= 0 && id < this.typeCount)) {
      throw new BpfError(EINVAL, `BTF type id ${id}: wanted an id below ${this.typeCount}`, { id });
    }
    if (id < this.firstId) return this.base!.type(id);
    let type = this.#types.get(id);
    if (type === undefined) {
      type = decodeType(this, id);
      this.#types.set(id, type);
    }
    return type;
  }

  /** Members of a STRUCT or UNION (typedefs and modifiers stripped); [] for other kinds. */
  members(id: number): readonly BtfMember[] {
    const type = this.type(this.resolve(id));
    return type.kind === BTF_KIND_STRUCT || type.kind === BTF_KIND_UNION ? type.members : [];
  }

  // ---- lookup ----

  /** First id with this name (and kind); 0 when there is none. Ids of the base come first. */
  byName(name: string, kind?: number): number {
    const found = this.base?.byName(name, kind);
    if (found) return found;
    for (let id = this.#index().first(name); id !== 0; id = this.#index().next(id, name)) {
      if (kind === undefined || this.kind(id) === kind) return id;
    }
    return 0;
  }

  /** All ids with this name (and kind), ascending. */
  allByName(name: string, kind?: number): number[] {
    const ids = this.base?.allByName(name, kind) ?? [];
    for (let id = this.#index().first(name); id !== 0; id = this.#index().next(id, name)) {
      if (kind === undefined || this.kind(id) === kind) ids.push(id);
    }
    return ids;
  }

  /** Ids of this BTF (not of its base) whose names are flavours `name___x` of a name; ascending. */
  flavorsOf(name: string): readonly number[] {
    if (!this.#flavors) {
      this.#flavors = new Map();
      const offsets = findFlavors(this.#strings, this.#strStart);
      for (let id = Math.max(this.firstId, 1); offsets.size > 0 && id < this.typeCount; id++) {
        if (!offsets.has(this.nameOff(id))) continue;
        const flavored = this.nameOf(id);
        const plain = essentialName(flavored);
        if (plain === flavored) continue;
        const list = this.#flavors.get(plain);
        if (list) list.push(id);
        else this.#flavors.set(plain, [id]);
      }
    }
    return this.#flavors.get(name) ?? [];
  }

  /** Built on the first lookup. */
  #index(): NameIndex {
    this.#names ??= new NameIndex(this.#words, this.#at, this.firstId, this.#strings, this.#strStart, (off) =>
      this.str(off),
    );
    return this.#names;
  }

  /**
   * Follows a path like "a.b[2].c" from a struct, union or array; members of anonymous members are found by their
   * plain name, as in C. undefined when there is no such member or an index is outside its array.
   */
  findMember(id: number, path: string): FoundMember | undefined {
    let at: FoundMember = { type: id, bitOffset: 0, bitfieldSize: 0 };
    for (const step of path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)) {
      const inside = this.resolve(at.type);
      let next: FoundMember | undefined;
      if (step[1] !== undefined) {
        if (this.kind(inside) !== BTF_KIND_ARRAY) return undefined;
        const type = this.elemType(inside);
        const index = Number(step[1]);
        if (index >= this.nelems(inside)) return undefined;
        next = { type, bitOffset: 8 * index * Math.max(this.size(type), 0), bitfieldSize: 0 };
      } else {
        next = this.#memberNamed(inside, step[2], 0);
      }
      if (!next) return undefined;
      at = { ...next, bitOffset: at.bitOffset + next.bitOffset };
    }
    return at;
  }

  #memberNamed(id: number, name: string, depth: number): FoundMember | undefined {
    if (!this.isComposite(id) || depth > 32) return undefined;
    const n = this.vlen(id);
    for (let i = 0; i < n; i++) {
      const type = this.memberType(id, i);
      const bitOffset = this.memberOffsetBits(id, i);
      const own = this.memberName(id, i);
      if (own === name) return { type, bitOffset, bitfieldSize: this.memberBitfieldSize(id, i) };
      if (own === "") {
        const inner = this.#memberNamed(this.resolve(type), name, depth + 1);
        if (inner) return { ...inner, bitOffset: bitOffset + inner.bitOffset };
      }
    }
    return undefined;
  }

  /** Values of the btf_decl_tags on a type (componentIdx -1), or on its member or parameter componentIdx. */
  declTags(id: number, componentIdx = -1): string[] {
    const tags = id < this.firstId ? this.base!.declTags(id, componentIdx) : [];
    for (const tag of this.#tagIndex().get(id) ?? []) {
      if ((this.extra(tag, 0) | 0) === componentIdx) tags.push(this.nameOf(tag));
    }
    return tags;
  }

  #tagIndex(): Map<number, number[]> {
    if (!this.#tagsOf) {
      this.#tagsOf = new Map();
      for (let id = this.firstId; id < this.typeCount; id++) {
        if (this.kind(id) !== BTF_KIND_DECL_TAG) continue;
        const target = this.ref(id);
        const list = this.#tagsOf.get(target);
        if (list) list.push(id);
        else this.#tagsOf.set(target, [id]);
      }
    }
    return this.#tagsOf;
  }

  /** Names of the type tags met while stripping typedefs and modifiers from id; for a pointer's, pass ref(ptr). */
  typeTags(id: number): string[] {
    const tags: string[] = [];
    for (; IS_TRANSPARENT[this.kind(id)]; id = this.ref(id)) {
      if (this.kind(id) === BTF_KIND_TYPE_TAG) tags.push(this.nameOf(id));
    }
    return tags;
  }
}

function bounded(size: number): number {
  return size <= 0xffffffff ? size : -1;
}
