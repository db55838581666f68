/**
 * A value's bytes as JSON, as `bpftool map dump` shows a key or value that has BTF: enums by name, char arrays that
 * hold a string as text, bitfields in hex.
 *
 * Errors  EINVAL when the bytes are fewer than the type's size, or the type has no values (void, functions).
 */

import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";
import { type JsonNode, jsonString, jsonText } from "./json_text.ts";
import {
  BTF_INT_BOOL,
  BTF_INT_CHAR,
  BTF_INT_SIGNED,
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  type BtfInt,
  kindName,
} from "./kinds.ts";

export interface FormatOptions {
  /** As without -j: 128-bit integers and bitfields unquoted, pointers in hex. */
  readonly plain?: boolean;
  /** Members on lines of their own. */
  readonly pretty?: boolean;
}

export function formatValue(btf: Btf, typeId: number, bytes: Uint8Array, options: FormatOptions = {}): string {
  return jsonText(valueNode(btf, typeId, bytes, options), options.pretty);
}

/** The value as a node, to be put into larger JSON. */
export function valueNode(btf: Btf, typeId: number, bytes: Uint8Array, options: FormatOptions = {}): JsonNode {
  const size = btf.size(typeId);
  if (size < 0 || size > bytes.length) {
    const what = `BTF type ${typeId} (${kindName(btf.kind(typeId))} '${btf.nameOf(typeId)}')`;
    const wanted = size < 0 ? "a type with a size" : `${size} bytes`;
    throw new BpfError(EINVAL, `${what}: wanted ${wanted}, saw ${bytes.length} bytes`, { typeId });
  }
  return new Formatter(btf, bytes, options.plain === true).node(typeId, 0, 0);
}

const MAX_DEPTH = 64;

class Formatter {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #plain: boolean;
  /** Members may share bytes, but in broken BTF (structs that hold each other many times over) without end. */
  readonly #maxNodes: number;
  #nodes = 0;

  constructor(btf: Btf, bytes: Uint8Array, plain: boolean) {
    this.#btf = btf;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#plain = plain;
    this.#maxNodes = 10_000 + 16 * bytes.length;
  }

  node(id: number, bit: number, depth: number): JsonNode {
    const btf = this.#btf;
    const resolved = btf.resolve(id);
    const type = btf.type(resolved);
    const at = Math.floor(bit / 8);
    this.#check(resolved, at, Math.max(btf.size(resolved), 0), depth);
    switch (type.kind) {
      case BTF_KIND_INT:
        return this.#int(type, bit);
      case BTF_KIND_FLOAT:
        if (type.size === 4) return `${this.#view.getFloat32(at, true)}`;
        if (type.size === 8) return `${this.#view.getFloat64(at, true)}`;
        return this.#hex(this.#bits(bit, 8 * type.size));
      case BTF_KIND_PTR: {
        const value = this.#bits(8 * at, 64);
        if (!this.#plain) return `${value}`;
        return value === 0n ? '"(nil)"' : `"0x${value.toString(16)}"`;
      }
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64: {
        const value = BigInt.asIntN(8 * type.size, this.#bits(8 * at, 8 * type.size));
        for (const v of type.values) {
          // A 4-byte enumerator counts as signed here, whatever the enum says.
          if (BigInt.asIntN(type.kind === BTF_KIND_ENUM ? 32 : 64, BigInt(v.value)) === value)
            return jsonString(v.name);
        }
        return `${value}`;
      }
      case BTF_KIND_ARRAY: {
        const text = this.#string(resolved, at);
        if (text !== undefined) return jsonString(text);
        const size = btf.size(type.elemType);
        const n = size > 0 ? type.nelems : 0;
        return Array.from({ length: n }, (_, i) => this.node(type.elemType, 8 * (at + i * size), depth + 1));
      }
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        return {
          members: type.members.map((m) => {
            const start = 8 * at + m.bitOffset;
            const value = m.bitfieldSize ? this.#bitfield(start, m.bitfieldSize) : this.node(m.type, start, depth + 1);
            return [m.name, value] as const;
          }),
        };
      case BTF_KIND_VAR:
        return { members: [[type.name, this.node(type.type, bit, depth + 1)]] };
      case BTF_KIND_DATASEC:
        return { members: [[type.name, type.vars.map((v) => this.node(v.type, 8 * v.offset, depth + 1))]] };
      default:
        throw new BpfError(EINVAL, `BTF type ${resolved} (${kindName(type.kind)} '${type.name}') has no values`, {
          id,
        });
    }
  }

  #check(id: number, at: number, size: number, depth: number): void {
    if (at + size > this.#bytes.length || depth > MAX_DEPTH || ++this.#nodes > this.#maxNodes) {
      const where = `${size} bytes at ${at} of ${this.#bytes.length}`;
      throw new BpfError(EINVAL, `BTF type ${id} ('${this.#btf.nameOf(id)}'): lies outside its struct (${where})`, {
        id,
      });
    }
  }

  #int(type: BtfInt, bit: number): string {
    const at = Math.floor(bit / 8);
    const isPlainWidth = type.bits === 8 || type.bits === 16 || type.bits === 32 || type.bits === 64;
    if (bit % 8 || type.bitOffset || type.bits % 8) return this.#bitfield(bit + type.bitOffset, type.bits);
    const value = this.#bits(8 * at, type.bits);
    if (type.bits === 128) return this.#hex(value);
    if (type.encoding === BTF_INT_BOOL) return this.#bytes[at] ? "true" : "false";
    if (type.encoding === BTF_INT_CHAR) {
      const c = this.#bytes[at];
      if (c >= 0x20 && c < 0x7f) return jsonString(String.fromCharCode(c));
      const hex = c.toString(16);
      return this.#plain ? `0x${hex}` : `"\\u00${hex.padStart(2, "0")}"`;
    }
    if (!isPlainWidth) return this.#hex(value);
    return `${type.encoding & BTF_INT_SIGNED ? BigInt.asIntN(type.bits, value) : value}`;
  }

  #bitfield(bit: number, bits: number): string {
    this.#check(0, Math.floor(bit / 8), Math.ceil(((bit % 8) + bits) / 8), 0);
    return this.#hex(this.#bits(bit, bits));
  }

  #hex(value: bigint): string {
    return this.#plain ? `0x${value.toString(16)}` : `"0x${value.toString(16)}"`;
  }

  #bits(bit: number, bits: number): bigint {
    const at = Math.floor(bit / 8);
    let raw = 0n;
    for (let i = Math.ceil(((bit % 8) + bits) / 8) - 1; i >= 0; i--) raw = (raw << 8n) | BigInt(this.#bytes[at + i]);
    return BigInt.asUintN(bits, raw >> BigInt(bit % 8));
  }

  /** The text of a char array that holds printable characters up to a NUL; a typedef of char does not count. */
  #string(arrayId: number, at: number): string | undefined {
    const btf = this.#btf;
    const elem = btf.skipModifiers(btf.elemType(arrayId));
    if (btf.kind(elem) !== BTF_KIND_INT || btf.size(elem) !== 1) return undefined;
    if (btf.intEncoding(elem) !== BTF_INT_CHAR && btf.nameOf(elem) !== "char") return undefined;
    let text = "";
    for (let i = 0; i < btf.nelems(arrayId); i++) {
      const c = this.#bytes[at + i];
      if (c === 0) return text;
      if (c < 0x20 || c > 0x7e) return undefined;
      text += String.fromCharCode(c);
    }
    return undefined;
  }
}
