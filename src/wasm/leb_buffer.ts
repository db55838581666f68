/**
 * A growing byte buffer that writes WebAssembly's LEB128 numbers.
 *
 * 64-bit numbers are given as two int32 halves, so that no BigInt is made per constant.
 */
export class LebBuffer {
  #bytes: Uint8Array;
  #len = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#len;
  }

  #room(n: number): void {
    if (this.#len + n <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#len + n));
    grown.set(this.#bytes.subarray(0, this.#len));
    this.#bytes = grown;
  }

  u8(v: number): void {
    this.#room(1);
    this.#bytes[this.#len++] = v;
  }

  /** Unsigned LEB128 of a u32. */
  u32(v: number): void {
    this.#room(5);
    let rest = v >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.#len++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#len++] = rest;
  }

  /** Signed LEB128 of an int32. */
  s32(v: number): void {
    this.#room(5);
    let rest = v | 0;
    while (rest < -64 || rest > 63) {
      this.#bytes[this.#len++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.#bytes[this.#len++] = rest & 0x7f;
  }

  /** Signed LEB128 of the 64-bit number hi:lo. */
  s64(lo: number, hi: number): void {
    let low = lo | 0;
    let high = hi | 0;
    if (high === low >> 31) {
      this.s32(low);
      return;
    }
    this.#room(10);
    while (!(high === low >> 31 && low >= -64 && low <= 63)) {
      this.#bytes[this.#len++] = (low & 0x7f) | 0x80;
      low = (low >>> 7) | (high << 25);
      high >>= 7;
    }
    this.#bytes[this.#len++] = low & 0x7f;
  }

  bytes(v: Uint8Array): void {
    this.#room(v.length);
    this.#bytes.set(v, this.#len);
    this.#len += v.length;
  }

  /** A length-prefixed UTF-8 name. */
  name(text: string): void {
    const utf8 = new TextEncoder().encode(text);
    this.u32(utf8.length);
    this.bytes(utf8);
  }

  /** Overwrites one byte that was written before. */
  patch(index: number, byte: number): void {
    this.#bytes[index] = byte;
  }

  /** What was written so far, not a copy: valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#len);
  }
}
