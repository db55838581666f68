/** What is special to one kind of map: fields in values, slots and references, limits, helpers that may be given it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as bpf from "../../src/abi/bpf.ts";
import { BpfError, E2BIG, EACCES, EBADF, EINVAL, EOPNOTSUPP, EPERM } from "../../src/abi/errno.ts";
import { BpfMap } from "../../src/maps/bpf_map.ts";
import type { MapAttr, MapField, SlotHooks } from "../../src/maps/map_type.ts";
import { MAP_RECORD } from "../../src/maps/record.ts";
import { dropSlots, readSlotWords } from "../../src/maps/slots.ts";
import { MAP_TYPES, mapTypeAllows, mapTypeByName } from "../../src/maps/table.ts";
import { Memory, type VAddr } from "../../src/memory/memory.ts";
import { TYPES } from "./scenarios.ts";

const u32 = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer);

describe("special fields of values", () => {
  const LOCK: MapField = { offset: 4, size: 4, kind: "spin_lock" };
  const KPTR: MapField = { offset: 8, size: 8, kind: "kptr_ref" };
  const types = [bpf.BPF_MAP_TYPE_ARRAY, bpf.BPF_MAP_TYPE_HASH];

  for (const type of types) {
    it(`${MAP_TYPES[type]!.name}: an update leaves a lock alone, a lookup reads it as zero`, () => {
      const memory = new Memory();
      const map = new BpfMap(memory, { type, keySize: 4, valueSize: 12, maxEntries: 2, fields: [LOCK] });
      map.update(u32(0), new Uint8Array(12).fill(0x55));
      const addr = map.core.map_sys_lookup(map.addr, map.putKey(u32(0)));
      expect([...memory.readBytes(addr, 12)]).toEqual([...Array(4).fill(0x55), 0, 0, 0, 0, ...Array(4).fill(0x55)]);
      memory.writeU32(addr + 4, 1);
      map.update(u32(0), new Uint8Array(12).fill(0x66), bpf.BPF_F_LOCK);
      expect(memory.readU32(addr + 4)).toBe(1);
      expect([...map.lookup(u32(0), bpf.BPF_F_LOCK)!.subarray(3, 9)]).toEqual([0x66, 0, 0, 0, 0, 0x66]);
      expect(() => map.freeze()).toThrow("ENOTSUPP");
    });

    it(`${MAP_TYPES[type]!.name}: what a value owns is given back on overwrite, delete and free`, () => {
      const memory = new Memory();
      const freed: number[] = [];
      memory.hooks.freeFields = (map: VAddr, value: VAddr) => {
        expect(map).toBe(live.addr);
        if (memory.readU32(value + 8) !== 0) freed.push(memory.readU32(value + 8));
        memory.writeU64(value + 8, 0n);
      };
      const live = new BpfMap(memory, { type, keySize: 4, valueSize: 16, maxEntries: 3, fields: [KPTR] });
      const own = (n: number): void => {
        memory.writeU32(live.core.map_sys_lookup(live.addr, live.putKey(u32(n))) + 8, 100 + n);
      };
      for (const n of [0, 1, 2]) live.update(u32(n), new Uint8Array(16));
      for (const n of [0, 1, 2]) own(n);
      live.update(u32(1), new Uint8Array(16).fill(9));
      expect(freed).toEqual([101]);
      if (type === bpf.BPF_MAP_TYPE_HASH) {
        live.delete(u32(0));
        expect(freed).toEqual([101, 100]);
      }
      live.free();
      expect(freed.sort()).toEqual([100, 101, 102]);
    });
  }

  it("are refused where Linux refuses them", () => {
    const memory = new Memory();
    const make = (type: number, field: MapField, flags = 0): (() => BpfMap) => {
      const attr: MapAttr = { type, keySize: 4, valueSize: 16, maxEntries: 2, flags, fields: [field] };
      return () => new BpfMap(memory, attr);
    };
    const errno = (run: () => unknown): number => {
      try {
        run();
        return 0;
      } catch (error) {
        return (error as BpfError).errno;
      }
    };
    expect(errno(make(bpf.BPF_MAP_TYPE_PERCPU_ARRAY, LOCK))).toBe(EOPNOTSUPP);
    expect(errno(make(bpf.BPF_MAP_TYPE_LRU_HASH, LOCK))).toBe(EOPNOTSUPP);
    expect(errno(make(bpf.BPF_MAP_TYPE_LRU_HASH, KPTR))).toBe(0);
    expect(errno(make(bpf.BPF_MAP_TYPE_HASH, LOCK, bpf.BPF_F_RDONLY_PROG))).toBe(EACCES);
  });
});

describe("slots", () => {
  it("count references: taken on store, dropped on overwrite, delete, failed store and free", () => {
    const memory = new Memory();
    const inner = new BpfMap(memory, { type: bpf.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    for (const type of [bpf.BPF_MAP_TYPE_ARRAY_OF_MAPS, bpf.BPF_MAP_TYPE_HASH_OF_MAPS]) {
      const refs = new Map<number, number>();
      const count = (lo: number, by: number): void => void refs.set(lo, (refs.get(lo) ?? 0) + by);
      const slots: SlotHooks = {
        set(_map, _key, value) {
          const lo = new DataView(value.buffer).getUint32(0, true);
          if (lo === 0xbad) throw new BpfError(EBADF, "no such fd");
          count(lo, 1);
          return { lo, hi: 0 };
        },
        clear: (_map, lo) => count(lo, -1),
        read: (_map, lo) => u32(lo),
      };
      const map = new BpfMap(memory, { type, keySize: 4, valueSize: 4, maxEntries: 2, inner }, { slots });
      map.update(u32(0), u32(111));
      map.update(u32(0), u32(222));
      map.update(u32(1), u32(111));
      expect(() => map.update(u32(1), u32(0xbad))).toThrow("EBADF");
      expect(() => map.update(u32(7), u32(333))).toThrow("E2BIG");
      expect(readSlotWords(map, u32(0))).toEqual({ lo: 222, hi: 0 });
      expect([...refs].filter(([, n]) => n !== 0)).toEqual([
        [111, 1],
        [222, 1],
      ]);
      expect(map.lookup(u32(1))).toEqual(u32(111));
      expect(map.core.map_lookup_elem(map.addr, map.putKey(u32(1)))).toBe(111);
      dropSlots(map, (lo) => lo === 111);
      expect(map.lookup(u32(1))).toBeUndefined();
      map.free();
      expect([...refs.values()].every((n) => n === 0)).toBe(true);
    }
  });

  it("devmap: a program's lookup gives the slot, or NULL when it is empty", () => {
    const memory = new Memory();
    for (const type of [bpf.BPF_MAP_TYPE_DEVMAP, bpf.BPF_MAP_TYPE_DEVMAP_HASH]) {
      const map = new BpfMap(memory, { type, keySize: 4, valueSize: 8, maxEntries: 4 });
      map.update(u32(2), new Uint8Array(Uint32Array.of(5, 77).buffer));
      const at = map.core.map_lookup_elem(map.addr, map.putKey(u32(2)));
      expect([memory.readU32(at), memory.readU32(at + 4)]).toEqual([5, 77]);
      expect(map.core.map_lookup_elem(map.addr, map.putKey(u32(1)))).toBe(0);
      expect(map.flags).toBe(bpf.BPF_F_RDONLY_PROG);
      map.free();
    }
  });
});

describe("maps", () => {
  it("free what they allocate, whatever the type", () => {
    const memory = new Memory({ cpus: 3 });
    const inner = new BpfMap(memory, { type: bpf.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    const base = memory.allocatedBytes;
    for (const [number, type] of Object.entries(MAP_TYPES)) {
      const sizes = [
        { keySize: 4, valueSize: 4, maxEntries: 4 },
        { keySize: 4, valueSize: 64, maxEntries: 4 },
        { keySize: 8, valueSize: 8, maxEntries: 4, flags: bpf.BPF_F_NO_PREALLOC },
        { keySize: 0, valueSize: 8, maxEntries: 4 },
        { keySize: 0, valueSize: 0, maxEntries: 4096 },
        { keySize: 0, valueSize: 0, maxEntries: 4, flags: bpf.BPF_F_MMAPABLE },
        { keySize: 16, valueSize: 8, maxEntries: 0 },
        { keySize: 4, valueSize: 8, maxEntries: 0, flags: bpf.BPF_F_NO_PREALLOC, btfKeyTypeId: 1, btfValueTypeId: 2 },
        { keySize: 4, valueSize: 8, maxEntries: 1, btfVmlinuxValueTypeId: 3 },
      ];
      let made = 0;
      for (const size of sizes) {
        let map: BpfMap;
        try {
          map = new BpfMap(memory, { type: Number(number), inner, name: "m", ...size });
        } catch (error) {
          expect(error).toBeInstanceOf(BpfError);
          continue;
        }
        made++;
        expect(memory.readU32(map.addr + MAP_RECORD.type)).toBe(Number(number));
        map.free();
      }
      expect({ type: type.name, made: made > 0 }).toEqual({ type: type.name, made: true });
      expect({ type: type.name, bytes: memory.allocatedBytes }).toEqual({ type: type.name, bytes: base });
    }
    expect(memory.core.heap_check()).toBe(0);
  });

  it("any attributes give a map or a BpfError, and lose no memory", () => {
    const memory = new Memory({ cpus: 2, maxPages: 2048 });
    const inner = new BpfMap(memory, { type: bpf.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    const base = memory.allocatedBytes;
    const size = fc.oneof(
      fc.nat(20),
      fc.constantFrom(64, 4096, 32768, 65535, 1 << 22, 0x7fffffff, 0x80000000, 0xffffffff),
    );
    // A map of some type that can be made, with some of its numbers changed.
    const attrs = fc
      .record({
        valid: fc.constantFrom(...TYPES),
        keySize: fc.option(size, { freq: 2 }),
        valueSize: fc.option(size, { freq: 2 }),
        maxEntries: fc.option(size, { freq: 2 }),
        flags: fc.option(fc.nat(0x7ffff), { freq: 3 }),
        mapExtra: fc.constantFrom(0n, 0n, 0n, 3n, 4096n, 1n << 40n),
        inner: fc.constantFrom(undefined, inner),
      })
      .map(({ valid: [type, keySize, valueSize, maxEntries, flags], ...changed }) => ({
        type,
        keySize: changed.keySize ?? keySize,
        valueSize: changed.valueSize ?? valueSize,
        maxEntries: changed.maxEntries ?? maxEntries,
        flags: changed.flags ?? flags,
        mapExtra: changed.mapExtra,
        inner: changed.inner,
      }));
    let made = 0;
    fc.assert(
      fc.property(attrs, (attr) => {
        try {
          const map = new BpfMap(memory, attr);
          made++;
          map.free();
        } catch (error) {
          expect(error).toBeInstanceOf(BpfError);
        }
        expect(memory.allocatedBytes).toBe(base);
      }),
      { numRuns: 1500 },
    );
    expect(made).toBeGreaterThan(50);
    expect(memory.core.heap_check()).toBe(0);
  });

  it("too large: E2BIG where Linux says so, else ENOMEM, and nothing is lost", () => {
    const memory = new Memory();
    const base = memory.allocatedBytes;
    const make = (attr: MapAttr): BpfMap => new BpfMap(memory, attr);
    expect(() => make({ type: bpf.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 0x80000001 })).toThrow(
      "E2BIG",
    );
    expect(() => make({ type: bpf.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 0x10000000 })).toThrow(
      "E2BIG",
    );
    expect(() => make({ type: bpf.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 64, maxEntries: 0x8000000 })).toThrow(
      "ENOMEM",
    );
    expect(() => make({ type: bpf.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 0x80000000 })).toThrow(
      "ENOMEM",
    );
    expect(() => make({ type: bpf.BPF_MAP_TYPE_QUEUE, keySize: 0, valueSize: 8, maxEntries: 0x80000000 })).toThrow(
      "E2BIG",
    );
    expect(() => make({ type: bpf.BPF_MAP_TYPE_RINGBUF, keySize: 0, valueSize: 0, maxEntries: 0x80000000 })).toThrow(
      "ENOMEM",
    );
    expect(memory.allocatedBytes).toBe(base);
  });

  it("errors name the map and what was wrong", () => {
    const memory = new Memory();
    const attr: MapAttr = { name: "blocked", type: bpf.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 1 };
    const map = new BpfMap(memory, attr);
    expect(() => map.update(new Uint8Array(3), new Uint8Array(8))).toThrow(
      "map 'blocked' (hash): key of 3 bytes, wanted 4: EINVAL",
    );
    expect(() => map.update(u32(1), new Uint8Array(4))).toThrow(
      "map 'blocked' (hash): value of 4 bytes, wanted 8: EINVAL",
    );
    map.update(u32(1), new Uint8Array(8));
    expect(() => map.update(u32(2), new Uint8Array(8))).toThrow(expect.objectContaining({ errno: E2BIG }));
    map.freeze();
    expect(() => map.delete(u32(1))).toThrow(expect.objectContaining({ errno: EPERM }));
    expect(() => new BpfMap(memory, { ...attr, type: 77 })).toThrow(expect.objectContaining({ errno: EINVAL }));
  });

  it("a program's update writes only its CPU's value", () => {
    const memory = new Memory({ cpus: 2, cpu: 1 });
    for (const type of [
      bpf.BPF_MAP_TYPE_PERCPU_ARRAY,
      bpf.BPF_MAP_TYPE_PERCPU_HASH,
      bpf.BPF_MAP_TYPE_LRU_PERCPU_HASH,
    ]) {
      const map = new BpfMap(memory, { type, keySize: 4, valueSize: 4, maxEntries: 2 });
      const core = memory.exports<{ map_update_elem(m: number, k: number, v: number, flags: bigint): number }>();
      const value = memory.alloc(8);
      memory.writeU32(value, 42);
      expect(core.map_update_elem(map.addr, map.putKey(u32(1)), value, 0n)).toBe(0);
      expect([...new Uint32Array(map.lookup(u32(1))!.buffer)]).toEqual([0, 0, 42, 0]);
      expect(memory.readU32(map.core.map_lookup_elem(map.addr, map.putKey(u32(1))))).toBe(42);
      map.free();
      memory.free(value);
    }
  });

  it("memory stays flat when a program inserts and deletes for ever", () => {
    const memory = new Memory();
    for (const type of [bpf.BPF_MAP_TYPE_HASH, bpf.BPF_MAP_TYPE_LPM_TRIE]) {
      const map = new BpfMap(memory, {
        type,
        keySize: 8,
        valueSize: 40,
        maxEntries: 1000,
        flags: bpf.BPF_F_NO_PREALLOC,
      });
      const round = (): void => {
        for (let n = 0; n < 1000; n++) map.update(new Uint8Array(Uint32Array.of(32, n).buffer), new Uint8Array(40));
        for (let n = 0; n < 1000; n++) map.delete(new Uint8Array(Uint32Array.of(32, n).buffer));
        map.core.rcu_quiescent();
      };
      round();
      const [bytes, size] = [memory.allocatedBytes, memory.u8.length];
      for (let n = 0; n < 20; n++) round();
      expect([memory.allocatedBytes, memory.u8.length]).toEqual([bytes, size]);
      map.free();
    }
  });
});

describe("map types", () => {
  it("say which helpers may be given them", () => {
    const { BPF_MAP_TYPE_HASH: HASH, BPF_MAP_TYPE_PROG_ARRAY: PROGS, BPF_MAP_TYPE_RINGBUF: RINGBUF } = bpf;
    expect(mapTypeAllows(HASH, "map_update_elem")).toBe(true);
    expect(mapTypeAllows(HASH, "for_each_map_elem")).toBe(true);
    expect(mapTypeAllows(HASH, "tail_call")).toBe(false);
    expect(mapTypeAllows(HASH, "map_lookup_percpu_elem")).toBe(false);
    expect(mapTypeAllows(bpf.BPF_MAP_TYPE_PERCPU_HASH, "map_lookup_percpu_elem")).toBe(true);
    expect(mapTypeAllows(PROGS, "tail_call")).toBe(true);
    expect(mapTypeAllows(PROGS, "map_lookup_elem")).toBe(false);
    expect(mapTypeAllows(RINGBUF, "map_push_elem")).toBe(false);
    expect(mapTypeAllows(bpf.BPF_MAP_TYPE_BLOOM_FILTER, "map_pop_elem")).toBe(false);
    expect(mapTypeAllows(bpf.BPF_MAP_TYPE_SK_STORAGE, "kptr_xchg")).toBe(true);
  });

  it("list the flags that they accept", () => {
    const memory = new Memory();
    const inner = new BpfMap(memory, { type: bpf.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    for (const [type, keySize, valueSize, maxEntries, base] of TYPES) {
      const { flags: known, name } = MAP_TYPES[type]!;
      const accepted = (flags: number): boolean => {
        const btf = maxEntries === 0 ? { btfKeyTypeId: 1, btfValueTypeId: 2 } : {};
        const vmlinux = name === "struct_ops" ? { btfVmlinuxValueTypeId: 3 } : {};
        try {
          new BpfMap(memory, { type, keySize, valueSize, maxEntries, flags, inner, ...btf, ...vmlinux }).free();
          return true;
        } catch {
          return false;
        }
      };
      expect({ name, ok: accepted(base) }).toEqual({ name, ok: true });
      for (let bit = 0; bit < 20; bit++) {
        const flags = base | (1 << bit);
        expect({ name, bit, ok: accepted(flags) }).toEqual({ name, bit, ok: (known & (1 << bit)) !== 0 });
      }
    }
  });

  it("have the names that bpftool prints", () => {
    expect(mapTypeByName("lru_percpu_hash")).toBe(bpf.BPF_MAP_TYPE_LRU_PERCPU_HASH);
    expect(mapTypeByName("nonsense")).toBeUndefined();
    expect(Object.values(MAP_TYPES).map((type) => type.name)).toEqual([
      ...new Set(Object.values(MAP_TYPES).map((t) => t.name)),
    ]);
  });
});
