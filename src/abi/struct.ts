/**
 * C structs as tables: members in order give a layout, a layout packs and unpacks bytes.
 *
 * Sizes  "u32", "s32" are numbers; "u64" and "ptr" are bigints when unpacked; "ptr" is packed from an address or from
 *        bytes, whose address the caller knows; a number n is n bytes of text with NULs behind, one character
 *        a byte (names are Latin-1 to Linux). Members are aligned as C does.
 */
/** Where the bytes that a "ptr" points to lie, for whoever reads the struct: a process on Linux, or a UserMemory. */
export interface Addresses {
  addressOf(bytes: Uint8Array): number;
}

export type Kind = "u8" | "u16" | "u32" | "s32" | "u64" | "ptr" | number;

export type Members = Readonly<Record<string, Kind>>;

/** What a member is packed from. Bytes stand for their address. */
type Packed<K> = K extends "u64"
  ? bigint | number
  : K extends "ptr"
    ? Uint8Array | number | bigint
    : K extends number
      ? string
      : number;

type Unpacked<K> = K extends "u64" | "ptr" ? bigint : K extends number ? string : number;

export type Fields<M extends Members> = { readonly [N in keyof M]?: Packed<M[N]> | undefined };

export interface Struct<M extends Members> {
  readonly size: number;
  /** Members in order. */
  readonly names: readonly (keyof M & string)[];
  kindOf(member: keyof M & string): Kind;
  pack(at: Addresses, fields: Fields<M>): Uint8Array<ArrayBuffer>;
  /** Members beyond the bytes are 0: an older kernel knows a shorter struct. */
  unpack(bytes: Uint8Array): { readonly [N in keyof M]: Unpacked<M[N]> };
  offsetOf(member: keyof M & string): number;
  /** Just behind the member (offsetofend). */
  endOf(member: keyof M & string): number;
  /** Writes members in place. */
  put(bytes: Uint8Array, at: Addresses, fields: Fields<M>): void;
}

const SIZES = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8, ptr: 8 } as const;

/** For a character that is no byte: no name may have it. */
const NO_CHAR = 0x1a;

function sizeOf(kind: Kind): number {
  return typeof kind === "number" ? kind : SIZES[kind];
}

export function struct<const M extends Members>(members: M): Struct<M> {
  let end = 0;
  let align = 1;
  const layout = Object.entries(members).map(([name, kind]) => {
    const size = sizeOf(kind);
    const alignment = typeof kind === "number" ? 1 : size;
    const off = Math.ceil(end / alignment) * alignment;
    align = Math.max(align, alignment);
    end = off + size;
    return { name, kind, off };
  });
  const byName = new Map(layout.map((m) => [m.name, m]));
  const size = Math.ceil(end / align) * align;
  const putAll = (bytes: Uint8Array, at: Addresses, fields: Fields<M>): void => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const name in fields) {
      const value = fields[name] as unknown;
      const member = byName.get(name);
      if (value !== undefined && member) put(at, view, member.off, member.kind, value);
    }
  };
  return {
    size,
    names: layout.map((m) => m.name),
    kindOf: (member) => byName.get(member)!.kind,
    pack(at, fields) {
      const out = new Uint8Array(size);
      putAll(out, at, fields);
      return out;
    },
    unpack(bytes) {
      const whole = new Uint8Array(size);
      whole.set(bytes.subarray(0, size));
      const view = new DataView(whole.buffer);
      const out: Record<string, unknown> = {};
      for (const { name, kind, off } of layout) out[name] = take(view, off, kind);
      return out as ReturnType<Struct<M>["unpack"]>;
    },
    offsetOf: (member) => byName.get(member)!.off,
    endOf(member) {
      const { off, kind } = byName.get(member)!;
      return off + sizeOf(kind);
    },
    put: putAll,
  };
}

function put(at: Addresses, view: DataView, off: number, kind: Kind, value: unknown): void {
  if (typeof kind === "number") {
    const text = value as string;
    for (let n = 0; n < Math.min(kind, text.length); n++) {
      const c = text.charCodeAt(n);
      view.setUint8(off + n, c > 0xff ? NO_CHAR : c);
    }
    return;
  }
  if (kind === "u8") view.setUint8(off, value as number);
  else if (kind === "u16") view.setUint16(off, value as number, true);
  else if (kind === "u64" || kind === "ptr") putU64(at, view, off, value as number | bigint | Uint8Array);
  else view.setUint32(off, value as number, true);
}

function putU64(at: Addresses, view: DataView, off: number, value: number | bigint | Uint8Array): void {
  if (typeof value === "bigint") {
    view.setBigUint64(off, value, true);
    return;
  }
  const n = typeof value === "number" ? value : at.addressOf(value);
  view.setUint32(off, n >>> 0, true);
  view.setUint32(off + 4, Math.floor(n / 2 ** 32), true);
}

function take(view: DataView, off: number, kind: Kind): unknown {
  if (typeof kind === "number") {
    const bytes = new Uint8Array(view.buffer, off, kind);
    const end = bytes.indexOf(0);
    return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
  }
  switch (kind) {
    case "u8":
      return view.getUint8(off);
    case "u16":
      return view.getUint16(off, true);
    case "u32":
      return view.getUint32(off, true);
    case "s32":
      return view.getInt32(off, true);
    case "u64":
    case "ptr":
      return view.getBigUint64(off, true);
    default:
      return kind satisfies never;
  }
}
