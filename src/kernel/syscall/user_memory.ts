/**
 * The memory of the process that calls bpf(2): what pointers in its attr lead to.
 *
 * A client in another process (a daemon's) brings its own UserMemory; UserBuffers is the one of a caller in this page,
 * which hands out addresses for byte arrays.
 *
 * Errors   EFAULT for what is not wholly in memory.
 */

import { BpfError, EFAULT } from "../../abi/errno.ts";
import type { Addresses } from "../../abi/struct.ts";

export interface UserMemory {
  /** A copy of `len` bytes. @throws EFAULT */
  read(addr: bigint, len: number): Uint8Array;
  /** @throws EFAULT */
  write(addr: bigint, bytes: Uint8Array): void;
}

interface Region {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Where the first buffer lies; between two buffers are addresses that are in none. */
const FIRST = 0x10_0000_0000;
const GUARD = 0x1000;

/** Byte arrays as memory: each is given an address when it is first asked for, and is read and written in place. */
export class UserBuffers implements UserMemory, Addresses {
  /** By ascending start. */
  readonly #regions: Region[] = [];
  readonly #starts = new Map<Uint8Array, number>();
  #next = FIRST;

  addressOf(bytes: Uint8Array): number {
    let start = this.#starts.get(bytes);
    if (start === undefined) {
      start = this.#next;
      this.#starts.set(bytes, start);
      this.#regions.push({ start, bytes });
      this.#next = Math.ceil((start + bytes.length + GUARD) / GUARD) * GUARD;
    }
    return start;
  }

  read(addr: bigint, len: number): Uint8Array {
    return this.#at(addr, len).slice();
  }

  write(addr: bigint, bytes: Uint8Array): void {
    this.#at(addr, bytes.length).set(bytes);
  }

  #at(addr: bigint, len: number): Uint8Array {
    const at = Number(addr);
    let [low, high] = [0, this.#regions.length];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.#regions[mid]!.start <= at) low = mid + 1;
      else high = mid;
    }
    const region = this.#regions[low - 1];
    if (!region || at + len > region.start + region.bytes.length) throw fault(addr, len);
    return region.bytes.subarray(at - region.start, at - region.start + len);
  }
}

export function fault(addr: bigint, len: number): BpfError {
  return new BpfError(EFAULT, `no memory of ${len} bytes at 0x${addr.toString(16)}`, { addr, len });
}

const CHUNK = 64;

/**
 * Text up to a NUL, of at most `max` bytes (strncpy_from_user()): memory behind the NUL need not be there.
 * @throws EFAULT
 */
export function readText(mem: UserMemory, addr: bigint, max: number): Uint8Array {
  const out: number[] = [];
  while (out.length < max) {
    const n = Math.min(CHUNK, max - out.length);
    for (const byte of readSome(mem, addr + BigInt(out.length), n)) {
      if (byte === 0) return Uint8Array.from(out);
      out.push(byte);
    }
  }
  return Uint8Array.from(out);
}

/** As many of `len` bytes as there are; at least one. */
function readSome(mem: UserMemory, addr: bigint, len: number): Uint8Array {
  for (let n = len; ; n >>= 1) {
    try {
      return mem.read(addr, n);
    } catch (e) {
      if (n <= 1) throw e;
    }
  }
}
