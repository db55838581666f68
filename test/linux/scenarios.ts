/** Scenarios of test/maps on a `Bpf`; results have the shape of linux_maps.py. */
import { BpfError, EBADF } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { MAP_TYPES } from "../../src/maps/table.ts";
import type { Result } from "../maps/run.ts";
import type { Command, Scenario } from "../maps/scenarios.ts";

/** EPERM, EINVAL, ENOTSUPP: Linux leaves the count of a batch alone, or not; nobody may look. */
const BATCH_FAILED: readonly number[] = [1, 22, 524];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string | number | undefined): Uint8Array => new Uint8Array(Buffer.from(String(text ?? ""), "hex"));

interface Made {
  readonly fd: Fd;
  readonly keySize: number;
  readonly valueSize: number;
}

export function runOnBpf(bpf: Bpf, scenario: Scenario): Result[] {
  const maps: (Made | undefined)[] = [];
  const results = scenario.commands.map((command): Result => {
    try {
      return { errno: 0, ...runCommand(bpf, maps, command) };
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      const { count } = error.context as { count?: number };
      const batch = command.op.endsWith("Batch") && count !== undefined && !BATCH_FAILED.includes(error.errno);
      return { errno: error.errno, ...(batch ? { count } : {}) };
    }
  });
  for (const map of maps) if (map) bpf.close(map.fd);
  return results;
}

function runCommand(bpf: Bpf, maps: (Made | undefined)[], c: Command): object {
  if (c.op === "create") {
    maps.push(undefined);
    const inner = c.inner === undefined ? undefined : maps[c.inner];
    if (c.inner !== undefined && !inner) throw new BpfError(EBADF, "no inner map");
    const fd = bpf.mapCreate({
      mapType: c.type!,
      keySize: c.key as number,
      valueSize: c.value as number,
      maxEntries: c.max!,
      mapFlags: c.flags ?? 0,
      mapExtra: BigInt(c.extra ?? 0),
      ...(inner && { innerMapFd: inner.fd }),
    });
    if (c.probe) bpf.close(fd);
    else {
      const { keySize, valueSize } = bpf.mapInfo(fd);
      const all = MAP_TYPES[c.type!]?.percpu ? ((valueSize + 7) & ~7) * bpf.possibleCpus : valueSize;
      maps[maps.length - 1] = { fd, keySize, valueSize: all };
    }
    return {};
  }
  const map = maps[c.map!];
  if (!map) throw new BpfError(EBADF, "no such map");
  const { fd, valueSize } = map;
  const flags = BigInt(c.flags ?? 0);
  const key = unhex(c.key);
  const padded = (bytes: Uint8Array): Uint8Array => {
    const out = new Uint8Array(valueSize);
    out.set(bytes.subarray(0, valueSize));
    return out;
  };
  switch (c.op) {
    case "lookup":
      return { data: hex(bpf.mapLookupElem(fd, map.keySize ? key : unhex(c.value), flags)) };
    case "lookupAndDelete":
      return { data: hex(bpf.mapLookupAndDeleteElem(fd, key, flags)) };
    case "update": {
      const value = padded(unhex(c.value));
      if (c.fd !== undefined) new DataView(value.buffer).setInt32(0, maps[c.fd]?.fd ?? -1, true);
      bpf.mapUpdateElem(fd, key, value, flags);
      return {};
    }
    case "delete":
      bpf.mapDeleteElem(fd, key);
      return {};
    case "next": {
      const next = bpf.mapGetNextKey(fd, c.key === undefined || map.keySize === 0 ? undefined : key);
      return next ? { data: hex(next) } : { errno: 2 };
    }
    case "freeze":
      bpf.mapFreeze(fd);
      return {};
    case "lookupBatch": {
      const attr = { count: c.count!, elemFlags: flags, from: c.in === undefined ? undefined : unhex(c.in) };
      const read = c.remove ? bpf.mapLookupAndDeleteBatch(fd, attr) : bpf.mapLookupBatch(fd, attr);
      const { count, keys, values, next } = read;
      return { errno: next || c.count === 0 ? 0 : 2, count, keys: hex(keys), values: hex(values) };
    }
    case "updateBatch":
      return { count: bpf.mapUpdateBatch(fd, unhex(c.keys), unhex(c.values), c.count!, flags) };
    case "deleteBatch":
      return { count: bpf.mapDeleteBatch(fd, unhex(c.keys), c.count!, flags) };
  }
}
