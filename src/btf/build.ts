/**
 * BtfBuilder: types in, BTF bytes out.
 *
 * Ids are given in the order of adding, from 1, or from the base's typeCount when there is a base. Types may refer to
 * ids that are added later; `reserve` gives an id whose type follows. Equal strings are stored once; strings that the
 * base has are not looked for there.
 */

import { BpfError, E2BIG, EINVAL } from "../abi/errno.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { type Btf, parseBtf } from "./btf.ts";
import {
  BTF_INT_BOOL,
  BTF_INT_CHAR,
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
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
  BTF_LINKAGE_GLOBAL,
  type BtfMember,
  type BtfParam,
  type BtfSecInfo,
  type BtfType,
  kindName,
} from "./kinds.ts";
import { BTF_HEADER_BYTES, BTF_MAGIC, BTF_MAX_NAME_OFFSET, BTF_MAX_TYPE } from "./sections.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
/** A type before it has an id. */
export type NewBtfType = WithoutId<BtfType>;

export class BtfBuilder {
  readonly #firstId: number;
  readonly #strStart: number;
  readonly #base: Btf | undefined;
  readonly #types: (NewBtfType | undefined)[] = [];

  constructor(base?: Btf) {
    this.#base = base;
    this.#firstId = base ? base.typeCount : 1;
    this.#strStart = base ? base.strEnd : 0;
  }

  /** The id that the next type gets. */
  get nextId(): number {
    return this.#firstId + this.#types.length;
  }

  add(type: NewBtfType): number {
    this.#types.push(type);
    return this.nextId - 1;
  }

  /** An id whose type is given later, by define. */
  reserve(): number {
    this.#types.push(undefined);
    return this.nextId - 1;
  }

  define(id: number, type: NewBtfType): void {
    this.#types[id - this.#firstId] = type;
  }

  /** @param encoding BTF_INT_* bits */
  int(name: string, size: number, encoding = 0, bits = 8 * size, bitOffset = 0): number {
    return this.add({ kind: BTF_KIND_INT, name, size, encoding, bits, bitOffset });
  }

  signedInt(name: string, size: number): number {
    return this.int(name, size, BTF_INT_SIGNED);
  }

  bool(name = "_Bool"): number {
    return this.int(name, 1, BTF_INT_BOOL);
  }

  /** A `char` as clang writes it: signed, without BTF_INT_CHAR unless asked. */
  char(name = "char", encoding = BTF_INT_SIGNED | BTF_INT_CHAR): number {
    return this.int(name, 1, encoding);
  }

  float(name: string, size: number): number {
    return this.add({ kind: BTF_KIND_FLOAT, name, size });
  }

  ptr(type: number): number {
    return this.add({ kind: BTF_KIND_PTR, name: "", type });
  }

  const(type: number): number {
    return this.add({ kind: BTF_KIND_CONST, name: "", type });
  }

  volatile(type: number): number {
    return this.add({ kind: BTF_KIND_VOLATILE, name: "", type });
  }

  restrict(type: number): number {
    return this.add({ kind: BTF_KIND_RESTRICT, name: "", type });
  }

  typedef(name: string, type: number): number {
    return this.add({ kind: BTF_KIND_TYPEDEF, name, type });
  }

  typeTag(name: string, type: number, attribute = false): number {
    return this.add({ kind: BTF_KIND_TYPE_TAG, name, type, attribute });
  }

  declTag(name: string, type: number, componentIdx = -1, attribute = false): number {
    return this.add({ kind: BTF_KIND_DECL_TAG, name, type, componentIdx, attribute });
  }

  array(elemType: number, nelems: number, indexType: number): number {
    return this.add({ kind: BTF_KIND_ARRAY, name: "", elemType, indexType, nelems });
  }

  struct(name: string, size: number, members: readonly BtfMember[]): number {
    return this.add({ kind: BTF_KIND_STRUCT, name, size, members });
  }

  union(name: string, size: number, members: readonly BtfMember[]): number {
    return this.add({ kind: BTF_KIND_UNION, name, size, members });
  }

  enum(name: string, values: Readonly<Record<string, number>>, size = 4): number {
    const list = Object.entries(values).map(([name, value]) => ({ name, value }));
    return this.add({ kind: BTF_KIND_ENUM, name, size, signed: list.some((v) => v.value < 0), values: list });
  }

  enum64(name: string, values: Readonly<Record<string, bigint>>, signed = false): number {
    const list = Object.entries(values).map(([name, value]) => ({ name, value }));
    return this.add({ kind: BTF_KIND_ENUM64, name, size: 8, signed, values: list });
  }

  fwd(name: string, union = false): number {
    return this.add({ kind: BTF_KIND_FWD, name, union });
  }

  funcProto(retType: number, params: readonly BtfParam[]): number {
    return this.add({ kind: BTF_KIND_FUNC_PROTO, name: "", retType, params });
  }

  func(name: string, type: number, linkage = BTF_LINKAGE_GLOBAL): number {
    return this.add({ kind: BTF_KIND_FUNC, name, type, linkage });
  }

  var(name: string, type: number, linkage = BTF_LINKAGE_GLOBAL): number {
    return this.add({ kind: BTF_KIND_VAR, name, type, linkage });
  }

  datasec(name: string, size: number, vars: readonly BtfSecInfo[]): number {
    return this.add({ kind: BTF_KIND_DATASEC, name, size, vars });
  }

  /** Adds all types of another BTF that has the same base (or none); ids shift by the value returned. */
  addAll(btf: Btf): number {
    const shift = this.nextId - Math.max(btf.firstId, 1);
    const move = (id: number): number => (id < Math.max(btf.firstId, 1) ? id : id + shift);
    for (let id = Math.max(btf.firstId, 1); id < btf.typeCount; id++) this.add(mapIds(btf.type(id), move));
    return shift;
  }

  /** The bytes. Throws EINVAL for what BTF cannot express and for an id reserved and never defined. */
  build(): Uint8Array {
    if (this.nextId > BTF_MAX_TYPE) {
      throw new BpfError(E2BIG, `BTF of ${this.nextId} types, wanted at most ${BTF_MAX_TYPE}`, { types: this.nextId });
    }
    const strings = new StringTable(this.#strStart);
    const types = new ByteWriter(16 * this.#types.length + 16);
    this.#types.forEach((type, i) => {
      const id = this.#firstId + i;
      if (!type) throw new BpfError(EINVAL, `BTF type ${id}: reserved, but never defined`, { id });
      writeType(types, type, id, strings);
    });
    const typeBytes = types.finish();
    const strBytes = strings.finish();
    const out = new ByteWriter(BTF_HEADER_BYTES + typeBytes.length + strBytes.length);
    out.u16(BTF_MAGIC).u8(1).u8(0).u32(BTF_HEADER_BYTES);
    out.u32(0).u32(typeBytes.length).u32(typeBytes.length).u32(strBytes.length);
    return out.bytes(typeBytes).bytes(strBytes).finish();
  }

  parse(): Btf {
    return parseBtf(this.build(), this.#base ? { base: this.#base } : {});
  }
}

/** The same type with every id in it passed through `move`. */
export function mapIds(type: BtfType, move: (id: number) => number): NewBtfType {
  switch (type.kind) {
    case BTF_KIND_ARRAY:
      return { ...type, elemType: move(type.elemType), indexType: move(type.indexType) };
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return { ...type, members: type.members.map((m) => ({ ...m, type: move(m.type) })) };
    case BTF_KIND_FUNC_PROTO:
      return { ...type, retType: move(type.retType), params: type.params.map((p) => ({ ...p, type: move(p.type) })) };
    case BTF_KIND_DATASEC:
      return { ...type, vars: type.vars.map((v) => ({ ...v, type: move(v.type) })) };
    case BTF_KIND_UNKN:
    case BTF_KIND_INT:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_FWD:
    case BTF_KIND_FLOAT:
      return type;
    default:
      return { ...type, type: move(type.type) };
  }
}

class StringTable {
  readonly #start: number;
  readonly #offsets = new Map<string, number>();
  readonly #out = new ByteWriter(4096);

  constructor(start: number) {
    this.#start = start;
    this.#out.u8(0);
    // Offset 0 is the empty name in a base and in a split BTF alike.
    this.#offsets.set("", 0);
  }

  offset(text: string): number {
    let off = this.#offsets.get(text);
    if (off === undefined) {
      off = this.#start + this.#out.length;
      if (text.includes("\0")) throw new BpfError(EINVAL, `BTF name '${text}': wanted a name without NUL`, { text });
      if (off > BTF_MAX_NAME_OFFSET) throw new BpfError(E2BIG, "BTF strings exceed 16 MiB", { off });
      this.#out.bytes(utf8.encode(text)).u8(0);
      this.#offsets.set(text, off);
    }
    return off;
  }

  finish(): Uint8Array {
    return this.#out.finish();
  }
}

const utf8 = new TextEncoder();

function writeType(out: ByteWriter, type: NewBtfType, id: number, strings: StringTable): void {
  const common = (vlen: number, kflag: boolean, sizeOrType: number): ByteWriter => {
    if (vlen > 0xffff) {
      throw new BpfError(EINVAL, `BTF type ${id} (${kindName(type.kind)}): ${vlen} items, wanted at most 65535`, {
        id,
      });
    }
    out.u32(strings.offset(type.name));
    return out.u32(((kflag ? 0x80000000 : 0) | (type.kind << 24) | vlen) >>> 0).u32(sizeOrType);
  };
  switch (type.kind) {
    case BTF_KIND_UNKN:
      throw new BpfError(EINVAL, `BTF type ${id}: void is no type to add`, { id });
    case BTF_KIND_INT:
      common(0, false, type.size).u32(((type.encoding << 24) | (type.bitOffset << 16) | type.bits) >>> 0);
      return;
    case BTF_KIND_PTR:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
      common(0, false, type.type);
      return;
    case BTF_KIND_TYPE_TAG:
      common(0, type.attribute, type.type);
      return;
    case BTF_KIND_ARRAY:
      common(0, false, 0).u32(type.elemType).u32(type.indexType).u32(type.nelems);
      return;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: {
      const kflag = type.members.some((m) => m.bitfieldSize !== 0);
      common(type.members.length, kflag, type.size);
      for (const m of type.members) {
        if (kflag && m.bitOffset > 0xffffff) {
          const name = `${type.name}.${m.name}`;
          throw new BpfError(EINVAL, `BTF member ${name}: bit offset ${m.bitOffset} beside a bitfield`, { id });
        }
        const off = kflag ? ((m.bitfieldSize << 24) | m.bitOffset) >>> 0 : m.bitOffset;
        out.u32(strings.offset(m.name)).u32(m.type).u32(off);
      }
      return;
    }
    case BTF_KIND_ENUM:
      common(type.values.length, type.signed, type.size);
      for (const v of type.values) out.u32(strings.offset(v.name)).u32(v.value >>> 0);
      return;
    case BTF_KIND_ENUM64:
      common(type.values.length, type.signed, type.size);
      for (const v of type.values) {
        const value = BigInt.asUintN(64, v.value);
        out
          .u32(strings.offset(v.name))
          .u32(Number(value & 0xffffffffn))
          .u32(Number(value >> 32n));
      }
      return;
    case BTF_KIND_FWD:
      common(0, type.union, 0);
      return;
    case BTF_KIND_FUNC:
      common(type.linkage, false, type.type);
      return;
    case BTF_KIND_FUNC_PROTO:
      common(type.params.length, false, type.retType);
      for (const p of type.params) out.u32(strings.offset(p.name)).u32(p.type);
      return;
    case BTF_KIND_VAR:
      common(0, false, type.type).u32(type.linkage);
      return;
    case BTF_KIND_DATASEC:
      common(type.vars.length, false, type.size);
      for (const v of type.vars) out.u32(v.type).u32(v.offset).u32(v.size);
      return;
    case BTF_KIND_FLOAT:
      common(0, false, type.size);
      return;
    case BTF_KIND_DECL_TAG:
      common(0, type.attribute, type.type).u32(type.componentIdx >>> 0);
      return;
    default:
      throw new Error(`unreachable BTF kind ${type satisfies never}`);
  }
}
