/** A growing little-endian byte buffer. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #len = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#len;
  }

  /** Makes room for n more bytes and returns where they start. May replace #view: read that afterwards. */
  #room(n: number): number {
    const at = this.#len;
    if (at + n > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, at + n));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#len = at + n;
    return at;
  }

  u8(v: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, v);
    return this;
  }

  u16(v: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, v, true);
    return this;
  }

  u32(v: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, v, true);
    return this;
  }

  u64(v: bigint): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, v, true);
    return this;
  }

  bytes(v: Uint8Array | readonly number[]): this {
    const at = this.#room(v.length);
    this.#bytes.set(v, at);
    return this;
  }

  /** Pads with zeros to a multiple of n. */
  align(n: number): this {
    this.#room((n - (this.#len % n)) % n);
    return this;
  }

  setU32(off: number, v: number): void {
    this.#view.setUint32(off, v, true);
  }

  /** What was written, as a copy of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#len);
  }
}
