/**
 * Bounds-checked little-endian reader over bytes somebody else made.
 *
 * A read outside the bytes throws BytesRangeError with what was read, where, and how much there is; parsers turn that
 * into their own error. Offsets are bytes from the start of the reader.
 */

export class BytesRangeError extends RangeError {
  override readonly name = "BytesRangeError";
  readonly what: string;
  readonly offBytes: number;
  readonly wantBytes: number;
  readonly haveBytes: number;

  constructor(what: string, offBytes: number, wantBytes: number, haveBytes: number) {
    super(`${what}: wanted ${wantBytes} bytes at offset ${offBytes}, but there are ${haveBytes} bytes in all`);
    this.what = what;
    this.offBytes = offBytes;
    this.wantBytes = wantBytes;
    this.haveBytes = haveBytes;
  }
}

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly what: string;
  readonly #view: DataView;

  /** @param what names the bytes in errors ("section .BTF") */
  constructor(bytes: Uint8Array, what: string) {
    // a Buffer of Node is a Uint8Array whose slice() does not copy: nobody behind this reader should meet one
    const plain =
      bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.bytes = plain;
    this.what = what;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Throws unless [off, off+size) lies inside. */
  check(off: number, size: number): void {
    if (!(off >= 0 && size >= 0 && off + size <= this.bytes.length)) {
      throw new BytesRangeError(this.what, off, size, this.bytes.length);
    }
  }

  u8(off: number): number {
    this.check(off, 1);
    return this.bytes[off];
  }

  u16(off: number): number {
    this.check(off, 2);
    return this.#view.getUint16(off, true);
  }

  u32(off: number): number {
    this.check(off, 4);
    return this.#view.getUint32(off, true);
  }

  i32(off: number): number {
    this.check(off, 4);
    return this.#view.getInt32(off, true);
  }

  u64(off: number): bigint {
    this.check(off, 8);
    return this.#view.getBigUint64(off, true);
  }

  /** A u64 that must be a safe integer, as file offsets and sizes are; larger values throw BytesRangeError. */
  size64(off: number): number {
    const v = this.u64(off);
    if (v > BigInt(Number.MAX_SAFE_INTEGER)) throw new BytesRangeError(this.what, off, Number(v), this.bytes.length);
    return Number(v);
  }

  /** The bytes themselves, not a copy. */
  slice(off: number, size: number): Uint8Array {
    this.check(off, size);
    return this.bytes.subarray(off, off + size);
  }

  /** NUL-terminated string at off. */
  cstr(off: number): string {
    this.check(off, 1);
    const end = this.bytes.indexOf(0, off);
    if (end < 0) throw new BytesRangeError(`${this.what} (unterminated string)`, off, 1, this.bytes.length);
    return utf8.decode(this.bytes.subarray(off, end));
  }
}

const utf8 = new TextDecoder();
