/** Random commands on each map type against a model in plain TypeScript; afterwards no memory is left allocated. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as bpf from "../../src/abi/bpf.ts";
import { BpfError, E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC } from "../../src/abi/errno.ts";
import { lookupBatch } from "../../src/maps/batch.ts";
import { BpfMap } from "../../src/maps/bpf_map.ts";
import type { MapAttr } from "../../src/maps/map_type.ts";
import { Memory } from "../../src/memory/memory.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

/** A key of keySize bytes for a small number, all bytes depending on it. */
function keyOf(n: number, keySize: number): Uint8Array {
  return Uint8Array.from({ length: keySize }, (_, i) => (n * (i + 1) + (i === keySize - 1 ? n : 0)) & 255);
}

function errnoOf(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (error instanceof BpfError) return error.errno;
    throw error;
  }
}

interface Model {
  /** The errno of an update; on 0 the model has the value. */
  update(key: string, value: string, flags: number): number;
  delete(key: string): number;
  readonly entries: Map<string, string>;
}

function hashModel(max: number): Model {
  const entries = new Map<string, string>();
  return {
    entries,
    update(key, value, flags) {
      if (flags === bpf.BPF_NOEXIST && entries.has(key)) return EEXIST;
      if (flags === bpf.BPF_EXIST && !entries.has(key)) return ENOENT;
      if (!entries.has(key) && entries.size >= max) return E2BIG;
      entries.set(key, value);
      return 0;
    },
    delete: (key) => (entries.delete(key) ? 0 : ENOENT),
  };
}

type Command = { op: "update" | "delete" | "lookup" | "take"; key: number; value: number; flags: number };

const commands = (keys: number): fc.Arbitrary<Command[]> =>
  fc.array(
    fc.record({
      op: fc.constantFrom("update", "update", "update", "delete", "lookup", "take"),
      key: fc.nat(keys),
      value: fc.nat(255),
      flags: fc.constantFrom(0, 0, 0, 1, 2),
    }) as fc.Arbitrary<Command>,
    { maxLength: 150 },
  );

const TABLES: readonly { name: string; attr: MapAttr; cpus?: number }[] = [
  { name: "hash, 4-byte keys", attr: { type: bpf.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 12 } },
  { name: "hash, 5-byte keys", attr: { type: bpf.BPF_MAP_TYPE_HASH, keySize: 5, valueSize: 3, maxEntries: 12 } },
  { name: "hash, 16-byte keys", attr: { type: bpf.BPF_MAP_TYPE_HASH, keySize: 16, valueSize: 100, maxEntries: 12 } },
  { name: "hash, 39-byte keys", attr: { type: bpf.BPF_MAP_TYPE_HASH, keySize: 39, valueSize: 8, maxEntries: 12 } },
  {
    name: "hash, not preallocated",
    attr: { type: bpf.BPF_MAP_TYPE_HASH, keySize: 8, valueSize: 20, maxEntries: 12, flags: bpf.BPF_F_NO_PREALLOC },
  },
  {
    name: "per-CPU hash",
    cpus: 3,
    attr: { type: bpf.BPF_MAP_TYPE_PERCPU_HASH, keySize: 4, valueSize: 5, maxEntries: 12 },
  },
  {
    name: "per-CPU hash, not preallocated",
    cpus: 3,
    attr: {
      type: bpf.BPF_MAP_TYPE_PERCPU_HASH,
      keySize: 4,
      valueSize: 5,
      maxEntries: 12,
      flags: bpf.BPF_F_NO_PREALLOC,
    },
  },
];

describe("hash tables do what a Map with a limit does", () => {
  for (const { name, attr, cpus = 1 } of TABLES) {
    it(name, () => {
      const memory = new Memory({ initialPages: 16, cpus });
      const base = memory.allocatedBytes;
      fc.assert(
        fc.property(commands(20), fc.nat(0xffffffff), (steps, seed) => {
          const map = new BpfMap(memory, attr, { random32: () => seed });
          const model = hashModel(attr.maxEntries);
          for (const { op, key: n, value: v, flags } of steps) {
            const key = keyOf(n, attr.keySize);
            const value = Uint8Array.from({ length: map.sysValueSize }, (_, i) =>
              i % 8 < attr.valueSize || cpus === 1 ? v ^ i : 0,
            );
            const want = model.entries.get(hex(key));
            if (op === "update") {
              expect(errnoOf(() => map.update(key, value, flags))).toBe(model.update(hex(key), hex(value), flags));
            } else if (op === "delete") {
              expect(errnoOf(() => map.delete(key))).toBe(model.delete(hex(key)));
            } else if (op === "lookup") {
              const got = map.lookup(key);
              expect(got && hex(got)).toBe(want);
            } else {
              const got = map.lookupAndDelete(key);
              expect(got && hex(got)).toBe(want);
              model.entries.delete(hex(key));
            }
            expect(map.count).toBe(model.entries.size);
          }
          const sorted = (entries: Iterable<[string, string]>): unknown => [...entries].sort();
          const all = [...map].map(([key, value]): [string, string] => [hex(key), hex(value)]);
          expect(sorted(all)).toEqual(sorted(model.entries));
          const batch = lookupBatch(map, undefined, 40);
          expect([batch.errno, batch.count]).toEqual([ENOENT, model.entries.size]);
          map.free();
          memory.exports<{ rcu_quiescent(): void }>().rcu_quiescent();
          expect(memory.allocatedBytes).toBe(base);
        }),
        { numRuns: 60 },
      );
      expect(memory.core.heap_check()).toBe(0);
    });
  }

  it("iteration with deletion of each key met sees every key once", () => {
    const memory = new Memory({ initialPages: 16 });
    for (const flags of [0, bpf.BPF_F_NO_PREALLOC]) {
      const map = new BpfMap(memory, { type: bpf.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 4, maxEntries: 500, flags });
      for (let n = 0; n < 500; n++) map.update(keyOf(n, 4), new Uint8Array(4));
      const cursor = memory.alloc(16);
      const core = map.core;
      const before = new Set([...map].map(([key]) => hex(key)));
      const seen = new Set<string>();
      while (core.map_for_each_step(map.addr, cursor) !== 0) {
        const key = memory.readBytes(memory.readU32(cursor + 8), 4);
        expect(seen.has(hex(key))).toBe(false);
        seen.add(hex(key));
        map.delete(key);
      }
      expect(seen).toEqual(before);
      expect(map.count).toBe(0);
      memory.free(cursor);
      map.free();
    }
  });
});

describe("LRU hashes", () => {
  for (const flags of [0, bpf.BPF_F_NO_COMMON_LRU]) {
    it(`never refuse a key, never hold more than they may, and forget only old keys; flags ${flags}`, () => {
      const memory = new Memory({ initialPages: 16 });
      const base = memory.allocatedBytes;
      fc.assert(
        fc.property(commands(60), (steps) => {
          const map = new BpfMap(memory, {
            type: bpf.BPF_MAP_TYPE_LRU_HASH,
            keySize: 4,
            valueSize: 4,
            maxEntries: 16,
            flags,
          });
          const written = new Map<string, string>();
          let last: string | undefined;
          for (const { op, key: n, value: v } of steps) {
            const key = keyOf(n, 4);
            if (op === "delete") {
              const known = map.lookup(key) !== undefined;
              expect(errnoOf(() => map.delete(key))).toBe(known ? 0 : ENOENT);
              written.delete(hex(key));
              if (last === hex(key)) last = undefined;
            } else {
              const value = Uint8Array.of(v, n, 1, 2);
              map.update(key, value);
              written.set(hex(key), hex(value));
              last = hex(key);
            }
            if (last !== undefined) expect(map.lookup(unhex(last))).toBeDefined();
            const held = [...map];
            expect(held.length).toBe(map.count);
            expect(held.length).toBeLessThanOrEqual(16);
            for (const [k, value] of held) expect(hex(value)).toBe(written.get(hex(k)));
          }
          map.free();
          expect(memory.allocatedBytes).toBe(base);
        }),
        { numRuns: 40 },
      );
    });
  }

  it("keep what programs look up", () => {
    const memory = new Memory({ initialPages: 16 });
    const map = new BpfMap(memory, { type: bpf.BPF_MAP_TYPE_LRU_HASH, keySize: 4, valueSize: 4, maxEntries: 512 });
    const hot = keyOf(7, 4);
    const hotAddr = memory.alloc(4);
    memory.writeBytes(hotAddr, hot);
    map.update(hot, new Uint8Array(4));
    for (let n = 0; n < 5000; n++) {
      map.update(new Uint8Array(Uint32Array.of(n + 1_000_000).buffer), new Uint8Array(4));
      expect(map.core.map_lookup_elem(map.addr, hotAddr)).not.toBe(0);
    }
  });
});

describe("LPM trie", () => {
  const prefix = (bits: number, data: readonly number[], keySize: number): Uint8Array => {
    const key = new Uint8Array(keySize);
    new DataView(key.buffer).setUint32(0, bits, true);
    key.set(data.slice(0, keySize - 4), 4);
    return key;
  };
  const bitsOf = (key: Uint8Array, n: number): string =>
    [...key.subarray(4)]
      .map((byte) => byte.toString(2).padStart(8, "0"))
      .join("")
      .slice(0, n);

  for (const keySize of [5, 8, 12, 15, 20, 24, 40]) {
    it(`finds the longest prefix and walks in postorder, ${keySize - 4} bytes of data`, () => {
      const width = (keySize - 4) * 8;
      const memory = new Memory({ initialPages: 16 });
      const base = memory.allocatedBytes;
      // Few distinct bytes, so that prefixes nest and part at many lengths.
      const data = fc.array(fc.constantFrom(0, 0, 1, 128, 255), { minLength: keySize - 4, maxLength: keySize - 4 });
      const step = fc.record({
        op: fc.constantFrom("update", "update", "delete", "lookup"),
        bits: fc.nat(width),
        data,
        value: fc.nat(255),
        flags: fc.constantFrom(0, 0, 1, 2),
      });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
          const map = new BpfMap(memory, {
            type: bpf.BPF_MAP_TYPE_LPM_TRIE,
            keySize,
            valueSize: 2,
            maxEntries: 30,
            flags: bpf.BPF_F_NO_PREALLOC,
          });
          const model = new Map<string, number>();
          const name = (key: Uint8Array, bits: number): string => `${bits}/${bitsOf(key, bits)}`;
          for (const { op, bits, data: bytes, value, flags } of steps) {
            const key = prefix(bits, bytes, keySize);
            const id = name(key, bits);
            if (op === "update") {
              const known = model.has(id);
              const refused = known ? (flags === 1 ? EEXIST : 0) : flags === 2 ? ENOENT : model.size >= 30 ? ENOSPC : 0;
              expect(errnoOf(() => map.update(key, Uint8Array.of(value, bits), flags))).toBe(refused);
              if (refused === 0) model.set(id, value);
            } else if (op === "delete") {
              expect(errnoOf(() => map.delete(key))).toBe(model.delete(id) ? 0 : ENOENT);
            } else {
              let best: number | undefined;
              for (let len = 0; len <= bits; len++) best = model.get(name(key, len)) ?? best;
              expect(map.lookup(key)?.[0]).toBe(best);
            }
            expect(map.count).toBe(model.size);
          }
          const order = [...map].map(([key]) => {
            const bits = new DataView(key.buffer).getUint32(0, true);
            return bitsOf(key, bits);
          });
          // More specific prefixes before what they extend, zeros before ones.
          const postorder = [...model.keys()]
            .map((id) => id.slice(id.indexOf("/") + 1))
            .sort((a, b) => {
              if (a.startsWith(b)) return -1;
              if (b.startsWith(a)) return 1;
              return a < b ? -1 : 1;
            });
          expect(order).toEqual(postorder);
          map.free();
          memory.exports<{ rcu_quiescent(): void }>().rcu_quiescent();
          expect(memory.allocatedBytes).toBe(base);
        }),
        { numRuns: 40 },
      );
      expect(memory.core.heap_check()).toBe(0);
    });
  }
});

describe("large LPM tries", () => {
  it("find the same through the table over the first bits, while they grow and shrink", () => {
    const memory = new Memory();
    const base = memory.allocatedBytes;
    const map = new BpfMap(memory, {
      type: bpf.BPF_MAP_TYPE_LPM_TRIE,
      keySize: 8,
      valueSize: 4,
      maxEntries: 10_000,
      flags: bpf.BPF_F_NO_PREALLOC,
    });
    const model = new Map<string, number>();
    let seed = 4711;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % n;
    };
    const mask = (bits: number): number => (bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0);
    // Addresses in few networks, so that prefixes of every length nest.
    const address = (): number => ((random(6) << 29) ^ (random(40) << 20) ^ random(1 << 20)) >>> 0;
    const key = (bits: number, addr: number): Uint8Array => {
      const out = new Uint8Array(8);
      new DataView(out.buffer).setUint32(0, bits, true);
      new DataView(out.buffer).setUint32(4, addr, false);
      return out;
    };
    const expected = (addr: number, bits = 32): number | undefined => {
      for (let len = bits; len >= 0; len--) {
        const value = model.get(`${len}/${(addr & mask(len)) >>> 0}`);
        if (value !== undefined) return value;
      }
      return undefined;
    };
    const check = (times: number): void => {
      for (let n = 0; n < times; n++) {
        const addr = address();
        const bits = n % 4 === 0 ? random(33) : 32;
        const got = map.lookup(key(bits, addr));
        expect(got && new DataView(got.buffer).getUint32(0, true)).toBe(expected(addr, bits));
      }
    };
    for (const target of [14, 40, 500, 530, 4000, 5000, 4090, 300, 10, 600]) {
      for (let n = 0; model.size !== target; n++) {
        const bits = [0, 4, 7, 8, 9, 11, 12, 13, 15, 16, 17, 20, 24, 24, 28, 32, 32, 32][random(18)]!;
        if (model.size < target) {
          const addr = address();
          map.update(key(bits, addr), new Uint8Array(Uint32Array.of(n).buffer));
          model.set(`${bits}/${(addr & mask(bits)) >>> 0}`, n);
        } else {
          const [id] = [...model.keys()].slice(random(Math.min(model.size, 50)));
          const [len, addr] = id!.split("/").map(Number);
          map.delete(key(len!, addr!));
          model.delete(id!);
        }
      }
      check(400);
    }
    map.free();
    map.core.rcu_quiescent();
    expect(memory.allocatedBytes).toBe(base);
  });
});

describe("queues and stacks", () => {
  for (const type of [bpf.BPF_MAP_TYPE_QUEUE, bpf.BPF_MAP_TYPE_STACK]) {
    it(`type ${type} does what an array does`, () => {
      const memory = new Memory({ initialPages: 16 });
      const none = new Uint8Array(0);
      const take = (items: number[], remove: boolean): number | undefined => {
        const at = type === bpf.BPF_MAP_TYPE_QUEUE ? 0 : items.length - 1;
        return remove ? items.splice(at, 1)[0] : items[at];
      };
      fc.assert(
        fc.property(
          fc.array(fc.constantFrom("push", "push", "force", "pop", "peek", "bad"), { maxLength: 60 }),
          (steps) => {
            const map = new BpfMap(memory, { type, keySize: 0, valueSize: 3, maxEntries: 5 });
            const items: number[] = [];
            steps.forEach((step, n) => {
              const value = Uint8Array.of(n, 1, 2);
              if (step === "push") {
                const full = items.length === 5;
                expect(errnoOf(() => map.update(none, value))).toBe(full ? E2BIG : 0);
                if (!full) items.push(n);
              } else if (step === "force") {
                map.update(none, value, bpf.BPF_EXIST);
                if (items.length === 5) items.shift();
                items.push(n);
              } else if (step === "bad") {
                expect(errnoOf(() => map.update(none, value, bpf.BPF_NOEXIST))).toBe(EINVAL);
              } else {
                const got = step === "pop" ? map.lookupAndDelete(none) : map.lookup(none);
                expect(got?.[0]).toBe(take(items, step === "pop"));
              }
              expect(map.count).toBe(items.length);
            });
            map.free();
          },
        ),
        { numRuns: 100 },
      );
    });
  }
});
