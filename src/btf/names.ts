/**
 * Name -> type ids of one BTF: a chained hash table over the bytes of the string section.
 *
 * Made of two typed arrays and no strings, since a kernel has 100,000 names and a user asks for a few. Chains are in
 * ascending order of ids.
 */

export class NameIndex {
  readonly #heads: Uint32Array;
  readonly #next: Uint32Array;
  readonly #words: Uint32Array;
  readonly #at: Uint32Array;
  readonly #firstId: number;
  readonly #text: (off: number) => string;

  /**
   * @param words the type section, `at` the word where each type starts, by id - firstId
   * @param text  the string at an offset; offsets below strStart belong to the base
   */
  constructor(
    words: Uint32Array,
    at: Uint32Array,
    firstId: number,
    strings: Uint8Array,
    strStart: number,
    text: (off: number) => string,
  ) {
    this.#words = words;
    this.#at = at;
    this.#firstId = firstId;
    this.#text = text;
    let size = 16;
    while (size < at.length) size *= 2;
    this.#heads = new Uint32Array(size);
    this.#next = new Uint32Array(at.length);
    // From the last id down, so that each chain begins with the lowest.
    for (let i = at.length - 1; i >= 0; i--) {
      const off = words[at[i]];
      if (off === 0) continue;
      let hash: number;
      if (off < strStart) hash = hashText(text(off));
      else hash = hashBytes(strings, off - strStart);
      const slot = hash & (size - 1);
      this.#next[i] = this.#heads[slot];
      this.#heads[slot] = firstId + i;
    }
  }

  /** Lowest id with this name, 0 when there is none. */
  first(name: string): number {
    if (name === "") return 0;
    return this.#match(this.#heads[hashText(name) & (this.#heads.length - 1)], name);
  }

  /** The id with this name that follows `id`. */
  next(id: number, name: string): number {
    return this.#match(this.#next[id - this.#firstId], name);
  }

  #match(id: number, name: string): number {
    while (id !== 0 && this.#text(this.#words[this.#at[id - this.#firstId]]) !== name) {
      id = this.#next[id - this.#firstId];
    }
    return id;
  }
}

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function hashBytes(bytes: Uint8Array, at: number): number {
  let hash = FNV_BASIS;
  for (let i = at; bytes[i] !== 0; i++) hash = Math.imul(hash ^ bytes[i], FNV_PRIME);
  return hash ^ (hash >>> 15);
}

const encoder = new TextEncoder();

function hashText(text: string): number {
  const bytes = encoder.encode(text);
  let hash = FNV_BASIS;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash ^ (hash >>> 15);
}
