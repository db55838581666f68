/**
 * The two sections of a BTF: the header that says where they are, and the first pass over the types.
 *
 * Works on the words of the type section, for speed: a kernel has 130,000 types. What passes here is well-formed: kinds
 * are known, records end where the next begins, string offsets and type ids are in range, references do not run in a
 * circle. What C or Linux ask beyond that is checkBtf's.
 */

import { BpfError, E2BIG, EEXIST, EINVAL, ENOTSUPP, type Errno } from "../abi/errno.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
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
  kindName,
} from "./kinds.ts";

export const BTF_MAGIC = 0xeb9f;
export const BTF_HEADER_BYTES = 24;
/** The kernel's limits on ids and on string offsets (BTF_MAX_TYPE, BTF_MAX_NAME_OFFSET). */
export const BTF_MAX_TYPE = 0x0fffff;
export const BTF_MAX_NAME_OFFSET = 0xffffff;

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
  [BTF_KIND_DECL_TAG]: 1,
  [BTF_KIND_ARRAY]: 1,
});
/** Bit n set: n bytes is a size that the kind may have. */
const SIZES_FLOAT = (1 << 2) | (1 << 4) | (1 << 8) | (1 << 12) | (1 << 16);
/** 0 is how clang writes a forward declaration of an enum. */
const SIZES_ENUM = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 4) | (1 << 8);

/** A table by kind number. */
export function kindTable(entries: Record<number, number>, other = 0): Int8Array {
  const table = new Int8Array(32).fill(other);
  for (const [kind, value] of Object.entries(entries)) table[Number(kind)] = value;
  return table;
}

/** "type 12 (STRUCT)". */
export function describe(id: number, kind: number): string {
  return `BTF type ${id} (${kindName(kind)})`;
}

/** Offsets count from the start of the bytes. */
export interface Header {
  readonly typeOff: number;
  readonly typeLen: number;
  readonly strOff: number;
  readonly strLen: number;
}

export function readHeader(bytes: Uint8Array, hasBase: boolean): Header {
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
  if (strLen === 0 && !hasBase) bad("str_len", 0, "at least 1");
  const first = bytes[hdrLen + strOff];
  const last = bytes[hdrLen + strOff + strLen - 1];
  if (strLen > 0 && !hasBase && first !== 0) bad("first byte of the strings", first, "0");
  if (strLen > 0 && last !== 0) bad("last byte of the strings", last, "0");
  return { typeOff: hdrLen + typeOff, typeLen, strOff: hdrLen + strOff, strLen };
}

/** Finds the start of each type, and checks what a type says about itself: kind, extent, sizes, string offsets. */
export function indexTypes(words: Uint32Array, firstId: number, strEnd: number): Uint32Array {
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

/** Proves that every type id is one of this BTF or of its base. @param starts the word where each type starts */
export function checkIds(words: Uint32Array, starts: Uint32Array, firstId: number): void {
  const limit = firstId + starts.length;
  for (let i = 0; i < starts.length; i++) {
    const at = starts[i];
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
      const id = firstId + i;
      throw new BpfError(EINVAL, `${describe(id, kind)}: refers to type ${bad}, wanted an id below ${limit}`, { id });
    }
  }
}

/** Walks every chain of pointers, typedefs, modifiers, arrays once; a chain that meets itself is an error. */
export function checkLinks(words: Uint32Array, starts: Uint32Array, firstId: number): void {
  const seen = new Uint8Array(starts.length); // 1 on the chain being walked, 2 known to end
  const next = (i: number): number => {
    const at = starts[i];
    const kind = (words[at + 1] >>> 24) & 31;
    if (!IS_LINK[kind]) return -1;
    return words[kind === BTF_KIND_ARRAY ? at + 3 : at + 2] - firstId;
  };
  for (let start = 0; start < seen.length; start++) {
    let i = start;
    while (i >= 0 && seen[i] === 0) {
      seen[i] = 1;
      i = next(i);
    }
    if (i >= 0 && seen[i] === 1) {
      const id = firstId + i;
      throw new BpfError(EEXIST, `${describe(id, (words[starts[i] + 1] >>> 24) & 31)}: refers to itself in a circle`, {
        id,
      });
    }
    for (i = start; i >= 0 && seen[i] === 1; i = next(i)) seen[i] = 2;
  }
}
