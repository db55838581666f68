/** Programs of compiled objects as they reach the verifier, to be mutated: those that need neither BTF nor kfuncs. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, EPERM } from "../../src/abi/errno.ts";
import type { Bpf, Fd, MapCreateAttr, ProgLoadAttr } from "../../src/kernel/bpf.ts";
import { loadAlone } from "../../src/loader/load_alone.ts";
import { createKernel } from "../../src/net/create.ts";
import { readFile } from "../../src/node/files.ts";
import { openSpec } from "../../src/object/open.ts";
import type { FuzzCase, FuzzMap } from "./case.ts";
import { MAPS } from "./generate.ts";
import type { Pool } from "./run.ts";

const PROG_TYPES: ReadonlySet<number> = new Set([
  abi.BPF_PROG_TYPE_SOCKET_FILTER,
  abi.BPF_PROG_TYPE_KPROBE,
  abi.BPF_PROG_TYPE_SCHED_CLS,
  abi.BPF_PROG_TYPE_SCHED_ACT,
  abi.BPF_PROG_TYPE_TRACEPOINT,
  abi.BPF_PROG_TYPE_XDP,
  abi.BPF_PROG_TYPE_CGROUP_SKB,
  abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
]);
const MAP_TYPES: ReadonlySet<number> = new Set([
  abi.BPF_MAP_TYPE_HASH,
  abi.BPF_MAP_TYPE_ARRAY,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
  abi.BPF_MAP_TYPE_LRU_HASH,
  abi.BPF_MAP_TYPE_LPM_TRIE,
  abi.BPF_MAP_TYPE_QUEUE,
  abi.BPF_MAP_TYPE_STACK,
  abi.BPF_MAP_TYPE_RINGBUF,
  abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
]);
/** Hooks that change nothing for the verifier. */
const PLAIN_ATTACH_TYPES: ReadonlySet<number> = new Set([0, abi.BPF_XDP, abi.BPF_TCX_INGRESS, abi.BPF_TCX_EGRESS]);
const MAX_MAPS = 200;
const MAX_INSNS = 400;
/** Entries that maps keep: what fits a fuzzer's memory. */
const MAX_ENTRIES = 64;
const MAX_VALUE = 4096;

/** @param dir searched with its folders for .o files; what cannot be opened or loaded is left out */
export function poolOf(dir: string): Pool {
  const maps: FuzzMap[] = [...MAPS];
  const cases: FuzzCase[] = [];
  for (const file of objectsIn(dir)) {
    try {
      const spec = openSpec(readFile(file), file);
      for (const prog of spec.progs) {
        const c = reached(spec, prog.name, maps);
        if (c) cases.push(c);
      }
    } catch (e) {
      if (!(e instanceof BpfError)) throw e;
    }
  }
  return { maps, cases };
}

function objectsIn(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((e) => e.isFile() && e.name.endsWith(".o"))
    .map((e) => join(e.parentPath, e.name))
    .sort();
}

/** What BPF_PROG_LOAD would be given, its maps among `maps`. */
function reached(spec: Parameters<typeof loadAlone>[0], name: string, maps: FuzzMap[]): FuzzCase | undefined {
  const proc = createKernel().spawn();
  const created = new Map<Fd, MapCreateAttr>();
  let asked: ProgLoadAttr | undefined;
  const bpf = new Proxy<Bpf>(proc, {
    get(target, key) {
      if (key === "mapCreate") {
        return (attr: MapCreateAttr) => {
          const fd = proc.mapCreate(attr);
          created.set(fd, attr);
          return fd;
        };
      }
      if (key === "progLoad") {
        return (attr: ProgLoadAttr) => {
          if (attr.name === name.slice(0, 15) || attr.insns.length > 16) asked = attr;
          throw new BpfError(EPERM, "only looking");
        };
      }
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  try {
    loadAlone(spec, name, bpf);
  } catch {
    // whatever a broken object does to the loader is the loader's tests' matter
    return undefined;
  }
  return asked && caseOf(asked, created, maps);
}

function caseOf(attr: ProgLoadAttr, created: ReadonlyMap<Fd, MapCreateAttr>, maps: FuzzMap[]): FuzzCase | undefined {
  if (!PROG_TYPES.has(attr.progType) || attr.attachBtfId) return undefined;
  if (!PLAIN_ATTACH_TYPES.has(attr.expectedAttachType ?? 0)) return undefined;
  const insns = attr.insns.slice();
  const count = insns.length / 8;
  if (count > MAX_INSNS) return undefined;
  const view = new DataView(insns.buffer);
  const mapRefs: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    const src = insns[8 * i + 1] >> 4;
    if (insns[8 * i] === 0x85 && src === 2) return undefined;
    if (insns[8 * i] !== 0x18) continue;
    if (src === 1 || src === 2) {
      const map = created.get(view.getInt32(8 * i + 4, true) as Fd);
      const n = map && numberOf(map, maps);
      if (n === undefined) return undefined;
      mapRefs.push([i, n]);
      view.setInt32(8 * i + 4, 0, true);
    } else if (src !== 0) return undefined;
    i++;
  }
  return { progType: attr.progType, flags: 0, insns, mapRefs };
}

function numberOf(attr: MapCreateAttr, maps: FuzzMap[]): number | undefined {
  if (!MAP_TYPES.has(attr.mapType) || attr.valueSize > MAX_VALUE) return undefined;
  const ring = attr.mapType === abi.BPF_MAP_TYPE_RINGBUF;
  const map: FuzzMap = {
    type: attr.mapType,
    key: attr.keySize,
    value: attr.valueSize,
    max: ring ? 4096 : Math.min(attr.maxEntries, MAX_ENTRIES),
    flags: attr.mapType === abi.BPF_MAP_TYPE_LPM_TRIE ? 1 : 0,
  };
  const same = maps.findIndex(
    (m) =>
      m.type === map.type &&
      m.key === map.key &&
      m.value === map.value &&
      m.max === map.max &&
      (m.flags ?? 0) === map.flags,
  );
  if (same >= 0) return same;
  if (maps.length >= MAX_MAPS) return undefined;
  return maps.push(map) - 1;
}
