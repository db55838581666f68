/** Runs scenarios on BpfMap; results have the shape of linux_maps.py. */
import { BpfError, EBADF, EINVAL } from "../../src/abi/errno.ts";
import { deleteBatch, lookupBatch, updateBatch } from "../../src/maps/batch.ts";
import { BpfMap } from "../../src/maps/bpf_map.ts";
import { mapMetaEqual } from "../../src/maps/create.ts";
import type { SlotHooks } from "../../src/maps/map_type.ts";
import { Memory } from "../../src/memory/memory.ts";
import type { Command, Scenario } from "./scenarios.ts";

export type Result = { readonly errno: number; readonly [field: string]: unknown };

/** EPERM, EINVAL, ENOTSUPP: Linux leaves the count of a batch alone, or not; nobody may look. */
const BATCH_FAILED: readonly number[] = [1, 22, 524];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string | number | undefined): Uint8Array => new Uint8Array(Buffer.from(String(text ?? ""), "hex"));

export function runScenario(scenario: Scenario): Result[] {
  const memory = new Memory({ cpus: scenario.cpus ?? 2, initialPages: 64 });
  const before = memory.allocatedBytes;
  const maps: (BpfMap | undefined)[] = [];
  const results = scenario.commands.map((command): Result => {
    try {
      const result: Result = { errno: 0, ...runCommand(memory, maps, command) };
      return BATCH_FAILED.includes(result.errno) ? { errno: result.errno } : result;
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      return { errno: error.errno };
    }
  });
  for (const map of maps) map?.free();
  if (memory.allocatedBytes !== before)
    throw new Error(`${scenario.name}: leaked ${memory.allocatedBytes - before} bytes`);
  if (memory.core.heap_check() !== 0) throw new Error(`${scenario.name}: heap is broken`);
  return results;
}

/** The kernel's part: fds are numbers of maps here, devices and programs are taken as they come. */
function hooks(maps: (BpfMap | undefined)[]): SlotHooks {
  return {
    set(map, _key, value) {
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      if (map.type.lookup !== "map") {
        if (map.type.name === "devmap" || map.type.name === "devmap_hash" || map.type.name === "cpumap") {
          return { lo: view.getUint32(0, true), hi: 0 };
        }
        // The fd is 0, and the recorder's stdin is a socket.
        if (/^sock(map|hash)$/.test(map.type.name)) return { lo: 0, hi: 0 };
        throw new BpfError(EBADF, "no such fd");
      }
      const inner = maps[view.getUint32(0, true) - 1];
      if (!inner) throw new BpfError(EBADF, "no such fd");
      if (!mapMetaEqual(map.attr.inner!, inner)) throw new BpfError(EINVAL, "inner map differs");
      return { lo: inner.addr, hi: 0 };
    },
    clear() {},
    read(map, lo) {
      const out = new Uint8Array(map.valueSize);
      const id = maps.findIndex((inner) => inner?.addr === lo);
      new DataView(out.buffer).setUint32(0, map.type.lookup === "map" ? id : lo, true);
      return out;
    },
  };
}

function runCommand(memory: Memory, maps: (BpfMap | undefined)[], c: Command): object {
  if (c.op === "create") {
    maps.push(undefined);
    const attr = {
      type: c.type!,
      keySize: c.key as number,
      valueSize: c.value as number,
      maxEntries: c.max!,
      flags: c.flags,
      mapExtra: BigInt(c.extra ?? 0),
      inner: c.inner === undefined ? undefined : maps[c.inner],
    };
    if (c.inner !== undefined && !maps[c.inner]) throw new BpfError(EBADF, "no inner map");
    const map = new BpfMap(memory, attr, { slots: hooks(maps) });
    if (c.probe) map.free();
    else maps[maps.length - 1] = map;
    return {};
  }
  const map = maps[c.map!];
  if (!map) throw new BpfError(EBADF, "no such map");
  const flags = c.flags ?? 0;
  // A missing key is a null pointer: EINVAL or EFAULT by type; only get_next_key and keyless maps may do without.
  const key = unhex(c.key);
  const padded = (bytes: Uint8Array, size: number): Uint8Array => {
    const out = new Uint8Array(size);
    out.set(bytes.subarray(0, size));
    return out;
  };
  switch (c.op) {
    case "lookup": {
      const value = map.lookup(key, flags, padded(unhex(c.value), map.sysValueSize));
      return value ? { data: hex(value) } : { errno: 2 };
    }
    case "lookupAndDelete": {
      const value = map.lookupAndDelete(key, flags);
      return value ? { data: hex(value) } : { errno: 2 };
    }
    case "update": {
      const value = padded(unhex(c.value), map.sysValueSize);
      if (c.fd !== undefined) new DataView(value.buffer).setUint32(0, c.fd + 1, true);
      map.update(key, value, flags);
      return {};
    }
    case "delete":
      map.delete(key);
      return {};
    case "next": {
      const next = map.getNextKey(c.key === undefined || map.keySize === 0 ? undefined : key);
      return next ? { data: hex(next) } : { errno: 2 };
    }
    case "freeze":
      map.freeze();
      return {};
    case "lookupBatch": {
      const read = lookupBatch(map, c.in === undefined ? undefined : unhex(c.in), c.count!, flags, c.remove);
      return { errno: read.errno, count: read.count, keys: hex(read.keys), values: hex(read.values) };
    }
    case "updateBatch": {
      const values = unhex(c.values);
      return { ...updateBatch(map, unhex(c.keys), values, c.count!, flags) };
    }
    case "deleteBatch":
      return { ...deleteBatch(map, unhex(c.keys), c.count!, flags) };
  }
}
