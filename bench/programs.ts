/** The programs of the bench, the packet they get, and what their maps hold: the same bytes on every engine. */
import { readFileSync } from "node:fs";
import { openSpec } from "../src/object/open.ts";
import type { MapSpec, ProgSpec } from "../src/object/spec.ts";
import { sourceFile } from "./source_file.ts";

export interface BenchProgram {
  readonly name: string;
  readonly title: string;
  /** The object. */
  readonly file: string;
  readonly prog: ProgSpec;
  readonly maps: readonly MapSpec[];
  /** By position in `maps`. */
  readonly elements: readonly Elements[];
}

/** Keys and values one after the other. */
export interface Elements {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

export const PACKET_BYTES = 1500;
/** IPv4 destination of the packet. */
const DST = [10, 1, 2, 3];

/** Numbers that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export function packet(): Uint8Array {
  const next = random(1);
  const bytes = Uint8Array.from({ length: PACKET_BYTES }, () => next() & 0xff);
  bytes[23] = 17;
  bytes.set(DST, 30);
  return bytes;
}

/** 65536 flows; the packet's is one of them. */
function flows(): Elements {
  const next = random(2);
  const count = 65536;
  const keys = new Uint8Array(count * 16);
  const view = new DataView(keys.buffer);
  for (let n = 0; n < count * 4; n++) view.setUint32(4 * n, next(), true);
  const p = packet();
  keys.set(p.subarray(26, 38), 16 * 1000);
  view.setUint32(16 * 1000 + 12, p[23], true);
  return { keys, values: new Uint8Array(count * 8).fill(1) };
}

/** 10000 prefixes of 8 to 32 bits, mostly 16 to 24, some of them around the packet's destination. */
function routes(): Elements {
  const next = random(3);
  const seen = new Map<string, readonly [number, number]>();
  for (const bits of [8, 16, 24]) {
    const addr = DST.map((byte, n) => (8 * n < bits ? byte : 0));
    const number = addr.reduce((a, b) => (a << 8) | b, 0) >>> 0;
    seen.set(`${bits}:${number}`, [bits, number]);
  }
  while (seen.size < 10000) {
    const draw = next() % 100;
    const bits = draw < 5 ? 8 + (next() % 8) : draw < 90 ? 16 + (next() % 9) : 25 + (next() % 8);
    const number = (next() & (-1 << (32 - bits))) >>> 0;
    seen.set(`${bits}:${number}`, [bits, number]);
  }
  const keys = new DataView(new ArrayBuffer(8 * seen.size));
  const values = new DataView(new ArrayBuffer(4 * seen.size));
  [...seen.values()].forEach(([bits, number], n) => {
    keys.setUint32(8 * n, bits, true);
    keys.setUint32(8 * n + 4, number);
    values.setUint32(4 * n, n + 1, true);
  });
  return { keys: new Uint8Array(keys.buffer), values: new Uint8Array(values.buffer) };
}

const NOTHING: Elements = { keys: new Uint8Array(), values: new Uint8Array() };

const CONTENTS: Record<string, () => Elements> = { flows, routes };

/** [file, title]; "empty" is what a run costs an engine that has nothing to do. */
const PROGRAMS = [
  ["empty", "empty"],
  ["prime", "prime count"],
  ["fnv", "FNV-1a over 1500 B"],
  ["siphash", "SipHash over 1500 B"],
  ["csum", "internet checksum over 1500 B"],
  ["firewall", "firewall: 64k-entry hash + per-CPU array"],
  ["lpm", "LPM lookup, 10k routes"],
  ["histogram", "histogram, 64 array updates"],
] as const;

export function openPrograms(): BenchProgram[] {
  return PROGRAMS.map(([name, title]) => {
    const file = sourceFile(`progs/${name}.o`);
    const { maps, progs } = openSpec(readFileSync(file), file);
    return { name, title, file, prog: progs[0], maps, elements: maps.map((m) => CONTENTS[m.name]?.() ?? NOTHING) };
  });
}
