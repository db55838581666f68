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

import { BpfError, E2BIG, EEXIST, EINVAL, ENOTSUPP, type Errno } from "../abi/errno.ts";
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
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_INT,
  BTF_KIND_MAX,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
  type BtfMember,
  type BtfType,
  kindName,
} from "./kinds.ts";
import { alignOf } from "./layout.ts";
import { NameIndex } from "./names.ts";

export const BTF_MAGIC = 0xeb9f;
export const BTF_HEADER_BYTES = 24;
/** The kernel's limits on ids and on string offsets (BTF_MAX_TYPE, BTF_MAX_NAME_OFFSET). */
export const BTF_MAX_TYPE = 0x0fffff;
export const BTF_MAX_NAME_OFFSET = 0xffffff;

/** Where a member path ends, as findMember gives it. */
export interface FoundMember {
  readonly type: number;
  readonly bitOffset: number;
  /** Width of a bitfield; 0 for an ordinary member. */
  readonly bitfieldSize: number;
}

/** Words of the record after the common three, per vlen or fixed; -1 marks a kind that does not exist. */
const FIXED_WORDS = kindTable({ [BTF_KIND_INT]: 1, [BTF_KIND_ARRAY]: 3, [BTF_KIND_VAR]: 1, [BTF_KIND_DECL_TAG]: 1 });
const WORDS_PER_ITEM = kindTable({
  [BTF_KIND_STRUCT]: 3,
  [BTF_KIND_UNION]: 3,
  [BTF_KIND_ENUM]: 2,
  [BTF_KIND_FUNC_PROTO]: 2,
  [BTF_KIND_DATASEC]: 3,
  [BTF_KIND_ENUM64]: 3,
});
/** Word 2 is a type id. */
const HAS_REF = kindTable({
  [BTF_KIND_PTR]: 1,
  [BTF_KIND_TYPEDEF]: 1,
  [BTF_KIND_VOLATILE]: 1,
  [BTF_KIND_CONST]: 1,
  [BTF_KIND_RESTRICT]: 1,
  [BTF_KIND_FUNC]: 1,
  [BTF_KIND_FUNC_PROTO]: 1,
  [BTF_KIND_VAR]: 1,
  [BTF_KIND_DECL_TAG]: 1,
  [BTF_KIND_TYPE_TAG]: 1,
});
/** In each item: index of the word with a type id, or -1; the same for a string offset. */
const ITEM_TYPE = kindTable(
  { [BTF_KIND_STRUCT]: 1, [BTF_KIND_UNION]: 1, [BTF_KIND_FUNC_PROTO]: 1, [BTF_KIND_DATASEC]: 0 },
  -1,
);
const ITEM_NAME = kindTable(
  { [BTF_KIND_STRUCT]: 0, [BTF_KIND_UNION]: 0, [BTF_KIND_FUNC_PROTO]: 0, [BTF_KIND_ENUM]: 0, [BTF_KIND_ENUM64]: 0 },
  -1,
);
/** Kinds that stand for another type: a circle of these alone has no meaning. Arrays are added by hand. */
const IS_LINK = kindTable({
  [BTF_KIND_PTR]: 1,
  [BTF_KIND_TYPEDEF]: 1,
  [BTF_KIND_VOLATILE]: 1,
  [BTF_KIND_CONST]: 1,
  [BTF_KIND_RESTRICT]: 1,
  [BTF_KIND_TYPE_TAG]: 1,
  [BTF_KIND_VAR]: 1,
  [BTF_KIND_FUNC]: 1,
  [BTF_KIND_ARRAY]: 1,
});
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
/** Bit n set: n bytes is a size that the kind may have. */
const SIZES_FLOAT = (1 << 2) | (1 << 4) | (1 << 8) | (1 << 12) | (1 << 16);
/** 0 is how clang writes a forward declaration of an enum. */
const SIZES_ENUM = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 4) | (1 << 8);

function kindTable(entries: Record<number, number>, other = 0): Int8Array {
  const table = new Int8Array(32).fill(other);
  for (const [kind, value] of Object.entries(entries)) table[Number(kind)] = value;
  return table;
}

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
    const { typeOff, typeLen, strOff, strLen } = readHeader(bytes, base);
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
    this.#checkIds();
    this.#checkLinks();
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
      type = this.#decode(id);
      this.#types.set(id, type);
    }
    return type;
  }

  /** Members of a STRUCT or UNION (typedefs and modifiers stripped); [] for other kinds. */
  members(id: number): readonly BtfMember[] {
    const type = this.type(this.resolve(id));
    return type.kind === BTF_KIND_STRUCT || type.kind === BTF_KIND_UNION ? type.members : [];
  }

  #decode(id: number): BtfType {
    const kind = this.kind(id) as BtfType["kind"];
    const name = this.nameOf(id);
    const n = this.vlen(id);
    const ref = this.ref(id);
    const kflag = this.kflag(id);
    const items = <T>(one: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => one(i));
    switch (kind) {
      case BTF_KIND_UNKN:
        return { kind, id, name };
      case BTF_KIND_INT: {
        const [encoding, bitOffset, bits] = [this.intEncoding(id), this.intBitOffset(id), this.intBits(id)];
        return { kind, id, name, size: ref, encoding, bitOffset, bits };
      }
      case BTF_KIND_PTR:
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_CONST:
      case BTF_KIND_RESTRICT:
        return { kind, id, name, type: ref };
      case BTF_KIND_TYPE_TAG:
        return { kind, id, name, type: ref, attribute: kflag };
      case BTF_KIND_ARRAY: {
        const [elemType, indexType, nelems] = [this.elemType(id), this.indexType(id), this.nelems(id)];
        return { kind, id, name, elemType, indexType, nelems };
      }
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION: {
        const members = items((i) => ({
          name: this.memberName(id, i),
          type: this.memberType(id, i),
          bitOffset: this.memberOffsetBits(id, i),
          bitfieldSize: this.memberBitfieldSize(id, i),
        }));
        return { kind, id, name, size: ref, members };
      }
      case BTF_KIND_ENUM: {
        const values = items((i) => {
          const raw = this.extra(id, 2 * i + 1);
          return { name: this.str(this.extra(id, 2 * i)), value: kflag ? raw | 0 : raw };
        });
        return { kind, id, name, size: ref, signed: kflag, values };
      }
      case BTF_KIND_ENUM64: {
        const values = items((i) => {
          const raw = BigInt(this.extra(id, 3 * i + 1)) | (BigInt(this.extra(id, 3 * i + 2)) << 32n);
          return { name: this.str(this.extra(id, 3 * i)), value: kflag ? BigInt.asIntN(64, raw) : raw };
        });
        return { kind, id, name, size: ref, signed: kflag, values };
      }
      case BTF_KIND_FWD:
        return { kind, id, name, union: kflag };
      case BTF_KIND_FUNC:
        return { kind, id, name, type: ref, linkage: n };
      case BTF_KIND_FUNC_PROTO: {
        const params = items((i) => ({ name: this.paramName(id, i), type: this.paramType(id, i) }));
        return { kind, id, name, retType: ref, params };
      }
      case BTF_KIND_VAR:
        return { kind, id, name, type: ref, linkage: this.extra(id, 0) };
      case BTF_KIND_DATASEC: {
        const vars = items((i) => ({
          type: this.extra(id, 3 * i),
          offset: this.extra(id, 3 * i + 1),
          size: this.extra(id, 3 * i + 2),
        }));
        return { kind, id, name, size: ref, vars };
      }
      case BTF_KIND_FLOAT:
        return { kind, id, name, size: ref };
      case BTF_KIND_DECL_TAG:
        return { kind, id, name, type: ref, componentIdx: this.extra(id, 0) | 0, attribute: kflag };
      default:
        throw new Error(`unreachable BTF kind ${kind satisfies never}`);
    }
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

  // ---- checks of the first pass that need the number of types ----

  #checkIds(): void {
    const words = this.#words;
    const limit = this.typeCount;
    for (let i = 0; i < this.#at.length; i++) {
      const at = this.#at[i];
      const info = words[at + 1];
      const kind = (info >>> 24) & 31;
      let bad = HAS_REF[kind] && words[at + 2] >= limit ? words[at + 2] : -1;
      const item = ITEM_TYPE[kind];
      if (item >= 0) {
        const step = WORDS_PER_ITEM[kind];
        const end = at + 3 + step * (info & 0xffff);
        for (let w = at + 3 + item; w < end; w += step) if (words[w] >= limit) bad = words[w];
      } else if (kind === BTF_KIND_ARRAY) {
        if (words[at + 3] >= limit) bad = words[at + 3];
        if (words[at + 4] >= limit) bad = words[at + 4];
      }
      if (bad >= 0) {
        const id = this.firstId + i;
        throw new BpfError(EINVAL, `${describe(id, kind)}: refers to type ${bad}, wanted an id below ${limit}`, { id });
      }
    }
  }

  /** Walks every chain of pointers, typedefs, modifiers, arrays once; a chain that meets itself is an error. */
  #checkLinks(): void {
    const seen = new Uint8Array(this.#at.length); // 1 on the chain being walked, 2 known to end
    const next = (i: number): number => {
      const at = this.#at[i];
      const kind = (this.#words[at + 1] >>> 24) & 31;
      if (!IS_LINK[kind]) return -1;
      return this.#words[kind === BTF_KIND_ARRAY ? at + 3 : at + 2] - this.firstId;
    };
    for (let start = 0; start < seen.length; start++) {
      let i = start;
      while (i >= 0 && seen[i] === 0) {
        seen[i] = 1;
        i = next(i);
      }
      if (i >= 0 && seen[i] === 1) {
        const id = this.firstId + i;
        throw new BpfError(EEXIST, `${describe(id, this.kind(id))}: refers to itself in a circle`, { id });
      }
      for (i = start; i >= 0 && seen[i] === 1; i = next(i)) seen[i] = 2;
    }
  }
}

function bounded(size: number): number {
  return size <= 0xffffffff ? size : -1;
}

/** "type 12 (STRUCT)". */
export function describe(id: number, kind: number): string {
  return `BTF type ${id} (${kindName(kind)})`;
}

interface Header {
  readonly typeOff: number;
  readonly typeLen: number;
  readonly strOff: number;
  readonly strLen: number;
}

/** Offsets in the result count from the start of the bytes. */
function readHeader(bytes: Uint8Array, base: Btf | undefined): Header {
  const bad = (field: string, seen: unknown, wanted: string, errno: Errno = EINVAL): never => {
    throw new BpfError(errno, `BTF header: ${field} is ${seen}, wanted ${wanted}`, { field, seen });
  };
  if (bytes.length < BTF_HEADER_BYTES) bad("size", `${bytes.length} bytes`, `at least ${BTF_HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint16(0, true);
  if (magic === 0x9feb) bad("magic", "0xeb9f in big-endian order", "little-endian BTF");
  if (magic !== BTF_MAGIC) bad("magic", `0x${magic.toString(16)}`, "0xeb9f");
  if (bytes[2] !== 1) bad("version", bytes[2], "1", ENOTSUPP);
  if (bytes[3] !== 0) bad("flags", `0x${bytes[3].toString(16)}`, "0", ENOTSUPP);
  const hdrLen = view.getUint32(4, true);
  if (hdrLen < BTF_HEADER_BYTES || hdrLen > bytes.length) {
    bad("hdr_len", hdrLen, `${BTF_HEADER_BYTES} to ${bytes.length}`);
  }
  for (let i = BTF_HEADER_BYTES; i < hdrLen; i++) {
    if (bytes[i] !== 0) bad(`byte ${i}`, bytes[i], "0 (unknown field)", E2BIG);
  }
  const room = bytes.length - hdrLen;
  const [typeOff, typeLen, strOff, strLen] = [8, 12, 16, 20].map((off) => view.getUint32(off, true));
  if (typeOff % 4) bad("type_off", typeOff, "a multiple of 4");
  if (typeLen % 4) bad("type_len", typeLen, "a multiple of 4");
  if (typeOff + typeLen > room) bad("type_off + type_len", typeOff + typeLen, `at most ${room}`);
  if (strOff + strLen > room) bad("str_off + str_len", strOff + strLen, `at most ${room}`);
  if (typeOff + typeLen > strOff) bad("str_off", strOff, `at least type_off + type_len (${typeOff + typeLen})`);
  if (strLen === 0 && !base) bad("str_len", 0, "at least 1");
  const first = bytes[hdrLen + strOff];
  const last = bytes[hdrLen + strOff + strLen - 1];
  if (strLen > 0 && !base && first !== 0) bad("first byte of the strings", first, "0");
  if (strLen > 0 && last !== 0) bad("last byte of the strings", last, "0");
  return { typeOff: hdrLen + typeOff, typeLen, strOff: hdrLen + strOff, strLen };
}

/** Finds the start of each type, and checks what a type says about itself: kind, extent, sizes, string offsets. */
function indexTypes(words: Uint32Array, firstId: number, strEnd: number): Uint32Array {
  const total = words.length;
  const at = new Uint32Array(Math.ceil(total / 3));
  let count = 0;
  for (let w = 0; w < total; count++) {
    const id = firstId + count;
    const bad = (what: string): never => {
      throw new BpfError(EINVAL, `BTF type ${id} at word ${firstId === 0 ? w - 3 : w}: ${what}`, { id });
    };
    if (w + 3 > total) bad(`${4 * (total - w)} bytes left, wanted at least 12`);
    const info = words[w + 1];
    const kind = (info >>> 24) & 31;
    const vlen = info & 0xffff;
    if (kind > BTF_KIND_MAX || (kind === BTF_KIND_UNKN && id !== 0)) bad(`kind ${kind}, wanted 1 to ${BTF_KIND_MAX}`);
    const step = WORDS_PER_ITEM[kind];
    const end = w + 3 + FIXED_WORDS[kind] + step * vlen;
    if (end > total)
      bad(`${kindName(kind)} with vlen ${vlen} needs ${4 * (end - w)} bytes, ${4 * (total - w)} are left`);
    if (words[w] >= strEnd && id !== 0) bad(`name_off ${words[w]}, wanted below ${strEnd}`);
    const item = ITEM_NAME[kind];
    if (item >= 0) {
      for (let i = w + 3 + item; i < end; i += step) {
        if (words[i] >= strEnd) bad(`${kindName(kind)} item name_off ${words[i]}, wanted below ${strEnd}`);
      }
    }
    if (kind === BTF_KIND_INT) {
      const bits = words[w + 3] & 0xff;
      const bitOffset = (words[w + 3] >>> 16) & 0xff;
      if (bits + bitOffset > 8 * words[w + 2]) bad(`INT of ${bits} bits at bit ${bitOffset} in ${words[w + 2]} bytes`);
    } else if (kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64) {
      if (!isSize(SIZES_ENUM, words[w + 2])) bad(`${kindName(kind)} of ${words[w + 2]} bytes, wanted 0, 1, 2, 4 or 8`);
    } else if (kind === BTF_KIND_FLOAT) {
      if (!isSize(SIZES_FLOAT, words[w + 2])) bad(`FLOAT of ${words[w + 2]} bytes, wanted 2, 4, 8, 12 or 16`);
    }
    at[count] = w;
    w = end;
  }
  return at.slice(0, count);
}

function isSize(set: number, size: number): boolean {
  return size <= 16 && ((set >>> size) & 1) === 1;
}

/** Offsets at which a string with "___" in it may begin. Strings may share tails, so each byte before it counts. */
function findFlavors(strings: Uint8Array, strStart: number): Set<number> {
  const offsets = new Set<number>();
  const underscore = 0x5f;
  let start = 0;
  for (let i = 0; i < strings.length; i++) {
    if (strings[i] === 0) start = i + 1;
    else if (strings[i] === underscore && strings[i + 1] === underscore && strings[i + 2] === underscore) {
      for (; start < i; start++) offsets.add(strStart + start);
    }
  }
  return offsets;
}

const utf8 = new TextDecoder();

/** NUL-terminated text; names are nearly always short and ASCII, where this is 5 times as fast as TextDecoder. */
function decodeName(bytes: Uint8Array, start: number): string {
  let text = "";
  for (let i = start; i < bytes.length; i++) {
    const c = bytes[i];
    if (c === 0) return text;
    if (c >= 0x80 || i - start > 64) return utf8.decode(bytes.subarray(start, bytes.indexOf(0, i)));
    text += String.fromCharCode(c);
  }
  return text;
}
