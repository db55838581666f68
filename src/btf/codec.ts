/**
 * JavaScript values <-> the bytes of a C type, by BTF. A codec is compiled once per type and then used for every key
 * and value of a map.
 *
 *   C                                   to JavaScript            from JavaScript, besides what it gives
 *   integers to 32 bits                 number                   bigint, "12", "0x0c"
 *   64- and 128-bit integers, pointers  bigint                   integer number, numeric text
 *   _Bool                               boolean                  0, 1
 *   enum                                name, or number          either
 *   char[n]                             string up to the NUL     byte array
 *   struct, union                       object                   left-out members are 0; unknown ones are errors
 *   anonymous members                   as the parent's own
 *   arrays                              array                    shorter arrays: the rest is 0
 *   unsigned 32-bit, struct in_addr     number / object          "10.0.0.1", stored in network order
 *   16 bytes in an array, in6_addr      array / object           "2001:db8::1"
 *   unsigned char[6]                    array                    "02:00:00:00:00:01"
 *   DATASEC                             object by variable
 *   anything                                                     Uint8Array of exactly its size
 *
 * All members of a union that are given are written in the object's order. With `addresses`, what is declared as
 * __be32, in_addr or in6_addr is decoded as text.
 *
 * Errors  EINVAL naming the path: "key.saddr: wanted an IPv4 address, saw '10.0.0'".
 */

import { BpfError, EINVAL } from "../abi/errno.ts";
import { toHex } from "../bytes/hex.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6, parseMac } from "./addr_text.ts";
import type { Btf } from "./btf.ts";
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
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  type BtfEnum,
  type BtfEnum64,
  kindName,
} from "./kinds.ts";

export interface CodecOptions {
  /** Decode __be32, struct in_addr and struct in6_addr as text. */
  readonly addresses?: boolean;
  /** Decode enums as numbers even where a name exists. */
  readonly enumNumbers?: boolean;
}

export interface Codec {
  /** Bytes of an encoded value. */
  readonly size: number;
  /** @param path names the value in errors */
  encode(value: unknown, path?: string): Uint8Array;
  /** Writes size bytes; what the value does not mention becomes 0. */
  encodeInto(value: unknown, bytes: Uint8Array, offset: number, path?: string): void;
  /** Changes only what the value mentions. */
  patch(value: unknown, bytes: Uint8Array, offset: number, path?: string): void;
  decode(bytes: Uint8Array, offset?: number): unknown;
}

/** Compiles the codec of a type. Throws EINVAL for types without a size, and for a struct that contains itself. */
export function compileCodec(btf: Btf, typeId: number, options: CodecOptions = {}): Codec {
  return new NodeCodec(new Compiler(btf, options).node(typeId, 0));
}

export function encodeValue(btf: Btf, typeId: number, value: unknown, path = "value"): Uint8Array {
  return compileCodec(btf, typeId).encode(value, path);
}

export function decodeValue(btf: Btf, typeId: number, bytes: Uint8Array, options: CodecOptions = {}): unknown {
  return compileCodec(btf, typeId, options).decode(bytes);
}

/**
 * Codec of bytes that no BTF describes: numbers for 1, 2 and 4 bytes, bigint for 8, else hex text. Encodes numbers,
 * hex text, byte arrays, and IPv4 text for 4 bytes.
 */
export function rawCodec(size: number): Codec {
  return new NodeCodec(rawNode(size));
}

/** What went wrong inside a value; the containers on the way out prefix where. */
class ValueError extends Error {
  path = "";
  within(step: string): this {
    this.path = step + this.path;
    return this;
  }
}

function reject(wanted: string, value: unknown): never {
  throw new ValueError(`wanted ${wanted}, saw ${show(value)}`);
}

function show(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "boolean") return `${value}`;
  if (value === null || value === undefined) return `${value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** A compiled type. Offsets are bytes in the view's buffer; callers have checked that size bytes are there. */
interface Node {
  readonly size: number;
  /** How many leaves a read makes; 1 if not given. */
  readonly leaves?: number;
  read(view: DataView, at: number): unknown;
  write(view: DataView, at: number, value: unknown): void;
}

class NodeCodec implements Codec {
  readonly #node: Node;
  /** Of the last buffer seen: the keys and values of a map all lie in one, and a new view costs more than a read. */
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(node: Node) {
    this.#node = node;
  }

  get size(): number {
    return this.#node.size;
  }

  encode(value: unknown, path = "value"): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.patch(value, bytes, 0, path);
    return bytes;
  }

  encodeInto(value: unknown, bytes: Uint8Array, offset: number, path = "value"): void {
    // Written aside first, so that a value with an error in it changes nothing.
    const own = this.encode(value, path);
    this.#check(bytes, offset, path);
    bytes.set(own, offset);
  }

  patch(value: unknown, bytes: Uint8Array, offset: number, path = "value"): void {
    this.#check(bytes, offset, path);
    try {
      writeNode(this.#node, this.#viewOf(bytes), bytes.byteOffset + offset, value);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new BpfError(EINVAL, `${path}${error.path}: ${error.message}`, { path: path + error.path });
    }
  }

  decode(bytes: Uint8Array, offset = 0): unknown {
    this.#check(bytes, offset, "value");
    return this.#node.read(this.#viewOf(bytes), bytes.byteOffset + offset);
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (this.#view.buffer !== bytes.buffer || this.#view.byteLength !== bytes.buffer.byteLength) {
      this.#view = new DataView(bytes.buffer);
    }
    return this.#view;
  }

  #check(bytes: Uint8Array, offset: number, path: string): void {
    if (offset >= 0 && offset + this.size <= bytes.length) return;
    const have = Math.max(0, bytes.length - offset);
    throw new BpfError(EINVAL, `${path}: wanted ${this.size} bytes, saw ${have}`, { size: this.size, have });
  }
}

/** Any node takes a Uint8Array of its size. */
function writeNode(node: Node, view: DataView, at: number, value: unknown): void {
  if (value instanceof Uint8Array) {
    if (value.length !== node.size) reject(`${node.size} bytes`, value);
    bytesOf(view, at, node.size).set(value);
  } else {
    node.write(view, at, value);
  }
}

function bytesOf(view: DataView, at: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, size);
}

// ---- leaves ----

const NUMERIC = /^[+-]?(0[xX][0-9a-fA-F]+|\d+)$/;

/** A number, bigint or numeric text as a bigint in [min, max]. */
function toBigint(value: unknown, min: bigint, max: bigint): bigint {
  let n: bigint | undefined;
  if (typeof value === "bigint") n = value;
  else if (typeof value === "number" && Number.isInteger(value)) n = BigInt(value);
  else if (typeof value === "boolean") n = value ? 1n : 0n;
  else if (typeof value === "string" && NUMERIC.test(value.trim())) n = textToBigint(value.trim());
  if (n === undefined || n < min || n > max) reject(`an integer from ${min} to ${max}`, value);
  return n;
}

function textToBigint(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text.replace("+", ""));
}

function toNumber(value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  return Number(toBigint(value, BigInt(min), BigInt(max)));
}

function range(bits: number, signed: boolean): { min: bigint; max: bigint } {
  const half = 1n << BigInt(Math.max(bits - 1, 0));
  return { min: signed ? -half : 0n, max: signed ? half - 1n : 2n * half - 1n };
}

const INT_ACCESS: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  u1: (view, at) => view.getUint8(at),
  s1: (view, at) => view.getInt8(at),
  u2: (view, at) => view.getUint16(at, true),
  s2: (view, at) => view.getInt16(at, true),
  u4: (view, at) => view.getUint32(at, true),
  s4: (view, at) => view.getInt32(at, true),
};
const INT_STORE: Readonly<Record<number, (view: DataView, at: number, v: number) => void>> = {
  1: (view, at, v) => view.setUint8(at, v),
  2: (view, at, v) => view.setUint16(at, v, true),
  4: (view, at, v) => view.setUint32(at, v, true),
};

function intNode(size: number, signed: boolean): Node {
  const { min, max } = range(8 * size, signed);
  if (size <= 4) {
    const read = INT_ACCESS[`${signed ? "s" : "u"}${size}`];
    const store = INT_STORE[size];
    const [lo, hi] = [Number(min), Number(max)];
    return { size, read, write: (view, at, value) => store(view, at, toNumber(value, lo, hi)) };
  }
  if (size === 8) {
    return {
      size,
      read: signed ? (view, at) => view.getBigInt64(at, true) : (view, at) => view.getBigUint64(at, true),
      write: (view, at, value) => view.setBigUint64(at, BigInt.asUintN(64, toBigint(value, min, max)), true),
    };
  }
  return {
    size,
    read: (view, at) => {
      const raw = view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n);
      return signed ? BigInt.asIntN(128, raw) : raw;
    },
    write: (view, at, value) => {
      const raw = BigInt.asUintN(128, toBigint(value, min, max));
      view.setBigUint64(at, BigInt.asUintN(64, raw), true);
      view.setBigUint64(at + 8, raw >> 64n, true);
    },
  };
}

/** Unsigned 32 bits also take an IPv4 address. */
function u32Node(asText: boolean): Node {
  const int = intNode(4, false);
  return {
    size: 4,
    read: asText ? (view, at) => formatIpv4(bytesOf(view, at, 4)) : int.read,
    write: (view, at, value) => {
      if (typeof value === "string" && !NUMERIC.test(value.trim())) {
        bytesOf(view, at, 4).set(parseIpv4(value) ?? reject("an IPv4 address", value));
      } else {
        int.write(view, at, value);
      }
    },
  };
}

const boolNode: Node = {
  size: 1,
  read: (view, at) => view.getUint8(at) !== 0,
  write: (view, at, value) => {
    if (value !== true && value !== false && value !== 0 && value !== 1) reject("true or false", value);
    view.setUint8(at, Number(value));
  },
};

function floatNode(size: number): Node {
  const number = (value: unknown): number => (typeof value === "number" ? value : reject("a number", value));
  if (size === 4) {
    const read = (view: DataView, at: number): number => view.getFloat32(at, true);
    return { size, read, write: (view, at, value) => view.setFloat32(at, number(value), true) };
  }
  if (size === 8) {
    const read = (view: DataView, at: number): number => view.getFloat64(at, true);
    return { size, read, write: (view, at, value) => view.setFloat64(at, number(value), true) };
  }
  return opaqueNode(size);
}

/** Bytes without a meaning here: hex text. */
function opaqueNode(size: number): Node {
  return {
    size,
    read: (view, at) => toHex(bytesOf(view, at, size)),
    write: (view, at, value) => bytesOf(view, at, size).set(hexBytes(value, size)),
  };
}

function hexBytes(value: unknown, size: number): Uint8Array | readonly number[] {
  if (Array.isArray(value) && value.length === size) return value.map((v) => toNumber(v, 0, 255));
  const digits = typeof value === "string" ? value.replace(/^0x|[\s:]/g, "") : "";
  if (!/^[0-9a-fA-F]*$/.test(digits) || digits.length !== 2 * size || typeof value !== "string") {
    reject(`${size} bytes, as hex text or an array`, value);
  }
  return Array.from({ length: size }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

function rawNode(size: number): Node {
  const opaque = opaqueNode(size);
  const int = size === 4 ? u32Node(false) : size === 1 || size === 2 || size === 8 ? intNode(size, false) : undefined;
  if (!int) return opaque;
  return {
    size,
    read: int.read,
    write: (view, at, value) => {
      const isHexDump = typeof value === "string" && /[\s]/.test(value.trim());
      if (Array.isArray(value) || isHexDump) opaque.write(view, at, value);
      else if (typeof value === "number" && value < 0) int.write(view, at, BigInt.asUintN(8 * size, BigInt(value)));
      else int.write(view, at, value);
    },
  };
}

/** Bits of any width to 64 at any place; the bytes touched lie inside the struct. */
function bitfieldAccess(bits: number, shift: number, signed: boolean, wide: boolean): Omit<Node, "size"> {
  const nBytes = Math.ceil((shift + bits) / 8);
  const { min, max } = range(bits, signed);
  const load = (view: DataView, at: number): bigint => {
    let raw = 0n;
    for (let i = nBytes - 1; i >= 0; i--) raw = (raw << 8n) | BigInt(view.getUint8(at + i));
    return raw;
  };
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
  const read = (view: DataView, at: number): bigint | number => {
    const raw = (load(view, at) & mask) >> BigInt(shift);
    const value = signed ? BigInt.asIntN(bits, raw) : raw;
    return wide ? value : Number(value);
  };
  return {
    // Up to 4 bytes, numbers do; bigints cost ten times as much.
    read:
      nBytes > 4 || wide
        ? read
        : (view, at) => {
            let raw = 0;
            for (let i = nBytes - 1; i >= 0; i--) raw = (raw << 8) | view.getUint8(at + i);
            const up = 32 - shift - bits;
            return signed ? (raw << up) >> (32 - bits) : (raw << up) >>> (32 - bits);
          },
    write: (view, at, value) => {
      const field = BigInt.asUintN(bits, toBigint(value, min, max)) << BigInt(shift);
      let raw = (load(view, at) & ~mask) | field;
      for (let i = 0; i < nBytes; i++, raw >>= 8n) view.setUint8(at + i, Number(raw & 0xffn));
    },
  };
}

// ---- containers ----

interface Field {
  readonly name: string;
  readonly at: number;
  readonly node: Node;
}

function recordNode(size: number, fields: readonly Field[], what: string): Node {
  const byName = new Map(fields.map((f) => [f.name, f]));
  return {
    size,
    leaves: fields.reduce((sum, f) => sum + (f.node.leaves ?? 1), 0),
    read: (view, at) => {
      const out: Record<string, unknown> = {};
      for (const f of fields) out[f.name] = f.node.read(view, at + f.at);
      return out;
    },
    write: (view, at, value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        // A struct around a single member is as good as the member: { value: 1 } and 1.
        if (fields.length === 1) writeNode(fields[0].node, view, at + fields[0].at, value);
        else reject(`an object (${what})`, value);
        return;
      }
      for (const [name, inner] of Object.entries(value)) {
        if (inner === undefined) continue;
        const field = byName.get(name);
        if (!field) throw new ValueError(`no member '${name}' in ${what}; it has ${names(fields)}`);
        try {
          writeNode(field.node, view, at + field.at, inner);
        } catch (error) {
          throw error instanceof ValueError ? error.within(`.${name}`) : error;
        }
      }
    },
  };
}

function names(fields: readonly Field[]): string {
  const list = fields.slice(0, 12).map((f) => f.name);
  return list.join(", ") + (fields.length > list.length ? ", ..." : "");
}

function arrayNode(elem: Node, nelems: number): Node {
  return {
    size: elem.size * nelems,
    leaves: (elem.leaves ?? 1) * nelems,
    read: (view, at) => {
      const out: unknown[] = new Array(nelems);
      for (let i = 0; i < nelems; i++) out[i] = elem.read(view, at + i * elem.size);
      return out;
    },
    write: (view, at, value) => {
      if (!Array.isArray(value) || value.length > nelems) reject(`an array of at most ${nelems}`, value);
      value.forEach((item, i) => {
        try {
          writeNode(elem, view, at + i * elem.size, item);
        } catch (error) {
          throw error instanceof ValueError ? error.within(`[${i}]`) : error;
        }
      });
    },
  };
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();

/** char[n]: the text must fit; a NUL is not needed when it fills the array, as in C. */
function textNode(size: number, array: Node): Node {
  return {
    size,
    read: (view, at) => {
      const bytes = bytesOf(view, at, size);
      const end = bytes.indexOf(0);
      // A copy: TextDecoder refuses shared memory.
      return utf8Decoder.decode(bytes.slice(0, end < 0 ? size : end));
    },
    write: (view, at, value) => {
      if (typeof value !== "string") {
        array.write(view, at, value);
        return;
      }
      const text = utf8Encoder.encode(value);
      if (text.length > size) reject(`text of at most ${size} bytes`, value);
      const bytes = bytesOf(view, at, size);
      bytes.fill(0);
      bytes.set(text);
    },
  };
}

/** Also takes text that `parse` understands. */
function orText(node: Node, wanted: string, parse: (text: string) => Uint8Array | undefined): Node {
  return {
    size: node.size,
    read: node.read,
    write: (view, at, value) => {
      if (typeof value === "string") bytesOf(view, at, node.size).set(parse(value) ?? reject(wanted, value));
      else node.write(view, at, value);
    },
  };
}

// ---- types -> nodes ----

const MAX_DEPTH = 64;

class Compiler {
  readonly #btf: Btf;
  readonly #options: CodecOptions;
  /** Nodes of structs: shared between members, and what ends the work on types that fan out. */
  readonly #nodes = new Map<number, Node>();

  constructor(btf: Btf, options: CodecOptions) {
    this.#btf = btf;
    this.#options = options;
  }

  node(id: number, depth: number): Node {
    const btf = this.#btf;
    if (depth > MAX_DEPTH) this.#fail(id, `nests deeper than ${MAX_DEPTH}`);
    const declared = btf.skipModifiers(id);
    const resolved = btf.resolve(btf.kind(declared) === BTF_KIND_VAR ? btf.ref(declared) : declared);
    const isBe32 = btf.kind(declared) === BTF_KIND_TYPEDEF && btf.nameOf(declared) === "__be32";
    const type = btf.type(resolved);
    switch (type.kind) {
      case BTF_KIND_INT:
        if (type.encoding & BTF_INT_BOOL && type.size === 1) return boolNode;
        // Broken or exotic: a BTF may hold integers of any size.
        if (![1, 2, 4, 8, 16].includes(type.size)) return opaqueNode(type.size);
        if (type.size === 4 && !(type.encoding & BTF_INT_SIGNED)) {
          return u32Node(isBe32 && this.#options.addresses === true);
        }
        return intNode(type.size, (type.encoding & BTF_INT_SIGNED) !== 0);
      case BTF_KIND_FLOAT:
        return floatNode(type.size);
      case BTF_KIND_PTR:
        return intNode(8, false);
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
        if (type.size === 0) this.#fail(resolved, "is only declared");
        return this.#enum(type, intNode(type.size, type.signed));
      case BTF_KIND_ARRAY:
        return this.#array(resolved, depth);
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION: {
        let node = this.#nodes.get(resolved);
        if (!node) {
          node = this.#composite(resolved, depth);
          this.#nodes.set(resolved, node);
        }
        return node;
      }
      case BTF_KIND_DATASEC: {
        const fields = type.vars.map((v) => ({
          name: btf.nameOf(v.type),
          at: v.offset,
          node: this.node(v.type, depth + 1),
        }));
        for (const f of fields) if (f.at + f.node.size > type.size) this.#fail(resolved, `'${f.name}' lies outside`);
        return recordNode(type.size, fields, `section ${type.name}`);
      }
      default:
        return this.#fail(resolved, "has no values");
    }
  }

  #fail(id: number, why: string): never {
    const btf = this.#btf;
    const what = `BTF type ${id} (${kindName(btf.kind(id))} '${btf.nameOf(id)}')`;
    throw new BpfError(EINVAL, `${what}: ${why}`, { id });
  }

  #enum(type: BtfEnum | BtfEnum64, int: Node): Node {
    // Values as the node reads them: bigint for an 8-byte enum of either kind.
    const byValue = new Map<unknown, string>();
    for (const v of type.values) {
      const value = type.size === 8 ? BigInt(v.value) : v.value;
      if (!byValue.has(value)) byValue.set(value, v.name);
    }
    const byName = new Map(type.values.map((v) => [v.name, v.value]));
    const { enumNumbers } = this.#options;
    return {
      size: int.size,
      read: enumNumbers
        ? int.read
        : (view, at) => {
            const value = int.read(view, at);
            return byValue.get(value) ?? value;
          },
      write: (view, at, value) => {
        const named = typeof value === "string" ? byName.get(value) : undefined;
        if (typeof value === "string" && named === undefined && !NUMERIC.test(value.trim())) {
          reject(`a name of enum ${type.name || "(anonymous)"}, or a number`, value);
        }
        int.write(view, at, named ?? value);
      },
    };
  }

  #array(id: number, depth: number): Node {
    const btf = this.#btf;
    const nelems = btf.nelems(id);
    const elemId = btf.resolve(btf.elemType(id));
    const elem = this.node(btf.elemType(id), depth + 1);
    if (elem.size === 0) return arrayNode(elem, 0);
    if (!Number.isSafeInteger(elem.size * nelems)) this.#fail(id, `of ${nelems} elements is too large`);
    const array = arrayNode(elem, nelems);
    if (btf.kind(elemId) !== BTF_KIND_INT) return array;
    if (elem.size === 1) {
      if (btf.nameOf(elemId) === "char" || btf.intEncoding(elemId) & BTF_INT_CHAR) return textNode(nelems, array);
      if (nelems === 6) return orText(array, "a MAC address", parseMac);
    }
    return array.size === 16 ? orText(array, "an IPv6 address", parseIpv6) : array;
  }

  #composite(id: number, depth: number): Node {
    const btf = this.#btf;
    const size = btf.size(id);
    const name = btf.nameOf(id);
    const what = `${kindName(btf.kind(id)).toLowerCase()} ${name || "(anonymous)"}`;
    const fields = this.#fields(id, 0, depth, { left: 65535 });
    for (const f of fields) {
      if (f.at + f.node.size > size) this.#fail(id, `member '${f.name}' lies outside its ${size} bytes`);
    }
    const record = recordNode(size, fields, what);
    // Members may share bytes, but not in broken BTF's numbers, where structs hold each other many times over.
    if (record.leaves! > 10_000 + 16 * size) this.#fail(id, "has too many members");
    if (size === 16 && name === "in6_addr") {
      const node = orText(record, "an IPv6 address", parseIpv6);
      return this.#options.addresses ? { ...node, read: (v, at) => formatIpv6(bytesOf(v, at, 16)) } : node;
    }
    if (size === 4 && name === "in_addr") {
      const node = orText(record, "an IPv4 address", parseIpv4);
      return this.#options.addresses ? { ...node, read: (v, at) => formatIpv4(bytesOf(v, at, 4)) } : node;
    }
    return record;
  }

  /** Members with those of anonymous members among them. @param budget bounds what broken BTF can fan out to */
  #fields(id: number, baseBits: number, depth: number, budget: { left: number }): Field[] {
    const btf = this.#btf;
    return btf.members(id).flatMap((m): Field[] => {
      if (--budget.left < 0 || depth > MAX_DEPTH) this.#fail(id, "has too many members");
      const bit = baseBits + m.bitOffset;
      const inner = btf.resolve(m.type);
      if (m.name === "" && btf.isComposite(inner)) return this.#fields(inner, bit, depth + 1, budget);
      if (m.name === "") return [];
      const at = Math.floor(bit / 8);
      const narrow = btf.kind(inner) === BTF_KIND_INT && btf.intBits(inner) < 8 * btf.size(inner);
      const bits = m.bitfieldSize || (narrow && !(btf.intEncoding(inner) & BTF_INT_BOOL) ? btf.intBits(inner) : 0);
      if (bits === 0 && bit % 8 === 0) return [{ name: m.name, at, node: this.node(m.type, depth + 1) }];
      const outside = Math.ceil((bit + bits) / 8) > btf.size(id) + Math.floor(baseBits / 8);
      if (bits === 0 || bits > 64 || outside) this.#fail(id, `member '${m.name}' of ${bits} bits at bit ${bit}`);
      return [{ name: m.name, at, node: this.#bitfield(inner, bits, bit % 8) }];
    });
  }

  #bitfield(id: number, bits: number, shift: number): Node {
    const btf = this.#btf;
    const wide = btf.size(id) > 4;
    // No whole bytes of its own, so none to be set by a Uint8Array.
    const access = { size: 0, ...bitfieldAccess(bits, shift, btf.isSigned(id), wide) };
    const type = btf.type(id);
    if (type.kind === BTF_KIND_ENUM || type.kind === BTF_KIND_ENUM64) return this.#enum(type, access);
    if (type.kind !== BTF_KIND_INT) this.#fail(id, "is no type of a bitfield");
    if (!(type.encoding & BTF_INT_BOOL)) return access;
    return { ...access, read: (view, at) => access.read(view, at) !== 0 };
  }
}
