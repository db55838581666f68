/** One fuzzed program, as it is generated, kept in test/fixtures/fuzz and replayed. */
import { fromHex, toHex } from "../../src/bytes/hex.ts";

/** Maps that every fuzzed program may use, by number; the same are created on Linux. */
export interface FuzzMap {
  readonly type: number;
  readonly key: number;
  readonly value: number;
  readonly max: number;
  readonly flags?: number;
}

export interface FuzzCase {
  readonly progType: number;
  /** BPF_F_*. */
  readonly flags: number;
  /** 8 bytes per slot; imm of map references is 0. */
  readonly insns: Uint8Array;
  /** Slot of a ld_imm64, number of its map. */
  readonly mapRefs: readonly (readonly [number, number])[];
  /** Loads with CAP_BPF and CAP_NET_ADMIN only. */
  readonly noPerfmon?: boolean;
}

export interface SavedCase {
  readonly why: string;
  readonly progType: number;
  readonly flags: number;
  readonly insns: string;
  readonly mapRefs: readonly (readonly [number, number])[];
  readonly noPerfmon?: boolean;
  readonly maps: readonly FuzzMap[];
  /** Seed of the inputs it was run with. */
  readonly inputSeed: number;
}

export function saveCase(c: FuzzCase, maps: readonly FuzzMap[], why: string, inputSeed: number): SavedCase {
  return { why, ...c, insns: toHex(c.insns), maps, inputSeed };
}

export function openCase({ insns, maps: _maps, why: _why, inputSeed: _seed, ...rest }: SavedCase): FuzzCase {
  return { ...rest, insns: fromHex(insns) };
}

/** Instructions with map references filled in. */
export function resolved(c: FuzzCase, fds: readonly number[]): Uint8Array {
  const out = c.insns.slice();
  const view = new DataView(out.buffer);
  for (const [slot, map] of c.mapRefs) view.setInt32(8 * slot + 4, fds[map], true);
  return out;
}

/** mulberry32: numbers that a seed repeats. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 .. n-1. */
  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }

  chance(p: number): boolean {
    return this.u32() / 0x1_0000_0000 < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Numbers at which ranges and widths change. */
  imm(): number {
    const kind = this.below(10);
    if (kind < 4) return this.below(17);
    if (kind < 6) return -this.below(17);
    if (kind < 8) return (1 << this.below(32)) + this.below(3) - 1;
    if (kind < 9) return this.pick(EDGES);
    return this.u32() | 0;
  }
}

const EDGES = [0x7fffffff, -0x80000000, -1, 0xff, 0x100, 0xffff, 0x10000, 0x7fff, 0x8000, 0x80, 0x7f, 0x7ffffff0];
