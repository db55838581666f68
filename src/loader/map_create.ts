/**
 * Makes the kernel's maps of an object: reuse of pins, creation with BTF, initial contents, freezing, pinning.
 *
 * Source  libbpf's bpf_object__create_maps. A map whose BTF the kernel refuses is created again without it.
 */

import * as bpfAbi from "../abi/bpf.ts";
import { BpfError, EEXIST, EINVAL, ENOENT } from "../abi/errno.ts";
import type { Bpf, Fd, MapCreateAttr } from "../kernel/bpf.ts";
import { MAP_TYPES } from "../maps/table.ts";
import type { MapSpec } from "../object/spec.ts";
import { pinAt } from "./pin.ts";

/** What a caller may still change about a map before it is created. */
export interface MapPlan {
  readonly spec: MapSpec;
  readonly maxEntries: number;
  readonly valueSize: number;
  readonly mapFlags: number;
  readonly numaNode: number;
  readonly mapExtra: bigint;
  /** Kernel type of a struct_ops map's value. */
  readonly vmlinuxValueTypeId: number;
  readonly pinPath: string | undefined;
  /** Initial contents of global data. */
  readonly initial: Uint8Array | undefined;
}

export interface CreatedMap {
  readonly fd: Fd;
  /** It was there before: a pin with the same parameters. */
  readonly reused: boolean;
  /** We pinned it, and must unpin it when loading fails. */
  readonly pinnedByUs: boolean;
}

/** Map types whose keys and values have no BTF in the kernel. */
const WITHOUT_BTF: ReadonlySet<number> = new Set([
  bpfAbi.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  bpfAbi.BPF_MAP_TYPE_CGROUP_ARRAY,
  bpfAbi.BPF_MAP_TYPE_STACK_TRACE,
  bpfAbi.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  bpfAbi.BPF_MAP_TYPE_HASH_OF_MAPS,
  bpfAbi.BPF_MAP_TYPE_DEVMAP,
  bpfAbi.BPF_MAP_TYPE_DEVMAP_HASH,
  bpfAbi.BPF_MAP_TYPE_CPUMAP,
  bpfAbi.BPF_MAP_TYPE_XSKMAP,
  bpfAbi.BPF_MAP_TYPE_SOCKMAP,
  bpfAbi.BPF_MAP_TYPE_SOCKHASH,
  bpfAbi.BPF_MAP_TYPE_QUEUE,
  bpfAbi.BPF_MAP_TYPE_STACK,
  bpfAbi.BPF_MAP_TYPE_ARENA,
  bpfAbi.BPF_MAP_TYPE_STRUCT_OPS,
]);

/** @param where names the map in errors: "firewall.o: map 'blocked'" */
export function createMap(bpf: Bpf, plan: MapPlan, btfFd: Fd | undefined, where: string): CreatedMap {
  const { pinPath } = plan;
  if (pinPath === undefined) return { fd: makeNew(bpf, plan, btfFd, where), reused: false, pinnedByUs: false };
  const pinned = reusePin(bpf, plan, pinPath, where);
  if (pinned !== undefined) return { fd: pinned, reused: true, pinnedByUs: false };
  const fd = makeNew(bpf, plan, btfFd, where);
  try {
    pinAt(bpf, fd, pinPath);
    return { fd, reused: false, pinnedByUs: true };
  } catch (e) {
    bpf.close(fd);
    // Somebody else pinned theirs in the meantime: use that one.
    const theirs = e instanceof BpfError && e.errno === EEXIST ? reusePin(bpf, plan, pinPath, where) : undefined;
    if (theirs === undefined) throw inMap(where, `cannot be pinned at '${pinPath}'`, e);
    return { fd: theirs, reused: true, pinnedByUs: false };
  }
}

/** Throws with what differs unless a map may stand in for the planned one. */
export function checkCompatible(bpf: Bpf, plan: MapPlan, fd: Fd, where: string): void {
  const info = bpf.mapInfo(fd);
  const { type } = plan.spec;
  const flags = info.mapFlags & ~(MAP_TYPES[type]?.addedFlags ?? 0);
  const facts: readonly (readonly [string, number | bigint, number | bigint])[] = [
    ["type", info.type, type],
    ["key size", info.keySize, plan.spec.keySize],
    ["value size", info.valueSize, plan.valueSize],
    ["max_entries", info.maxEntries, plan.maxEntries],
    ["flags", flags, plan.mapFlags],
    ["map_extra", info.mapExtra, plan.mapExtra],
  ];
  const wrong = facts.find(([, seen, wanted]) => seen !== wanted);
  if (!wrong) return;
  const [what, seen, wanted] = wrong;
  throw new BpfError(EINVAL, `${where}: cannot be reused: its ${what} is ${seen}; wanted ${wanted}`, {
    what,
    seen,
    wanted,
  });
}

function reusePin(bpf: Bpf, plan: MapPlan, path: string, where: string): Fd | undefined {
  let fd: Fd;
  try {
    fd = bpf.objGet(path);
  } catch (e) {
    if (e instanceof BpfError && e.errno === ENOENT) return undefined;
    throw inMap(where, `pin '${path}' cannot be opened`, e);
  }
  try {
    checkCompatible(bpf, plan, fd, `${where}: pin '${path}'`);
    return fd;
  } catch (e) {
    bpf.close(fd);
    throw e;
  }
}

function makeNew(bpf: Bpf, plan: MapPlan, btfFd: Fd | undefined, where: string): Fd {
  const { spec } = plan;
  const useBtf = btfFd !== undefined && !WITHOUT_BTF.has(spec.type);
  const innerMapFd = spec.inner && makeInner(bpf, spec.inner, btfFd, where);
  // A struct_ops map has the BTF of its programs, too, though its value's type is the kernel's.
  const ofStructOps = plan.vmlinuxValueTypeId && btfFd !== undefined ? { btfFd } : {};
  const attr: MapCreateAttr = {
    mapType: spec.type,
    keySize: spec.keySize,
    valueSize: plan.valueSize,
    maxEntries: plan.maxEntries,
    mapFlags: plan.mapFlags,
    name: spec.name.slice(0, bpfAbi.BPF_OBJ_NAME_LEN - 1),
    numaNode: plan.numaNode,
    mapExtra: plan.mapExtra,
    ...(innerMapFd !== undefined && { innerMapFd }),
    ...(plan.vmlinuxValueTypeId && { btfVmlinuxValueTypeId: plan.vmlinuxValueTypeId, ...ofStructOps }),
  };
  const withBtf = useBtf && { btfFd, btfKeyTypeId: spec.keyTypeId, btfValueTypeId: spec.valueTypeId };
  try {
    let fd: Fd;
    try {
      fd = bpf.mapCreate({ ...attr, ...withBtf });
    } catch (e) {
      if (!withBtf || !(e instanceof BpfError) || !(spec.keyTypeId || spec.valueTypeId)) throw e;
      fd = bpf.mapCreate(attr);
    }
    try {
      initialize(bpf, plan, fd);
    } catch (e) {
      bpf.close(fd);
      throw e;
    }
    return fd;
  } catch (e) {
    const name = MAP_TYPES[spec.type]?.name ?? `type ${spec.type}`;
    const sizes = `key size ${spec.keySize}, value size ${plan.valueSize}, max_entries ${plan.maxEntries}`;
    throw inMap(where, `cannot be created (${name}, ${sizes})`, e);
  } finally {
    // the outer map has copied what it needs to know
    if (innerMapFd !== undefined) bpf.close(innerMapFd);
  }
}

function makeInner(bpf: Bpf, inner: MapSpec, btfFd: Fd | undefined, where: string): Fd {
  const plan: MapPlan = {
    spec: inner,
    maxEntries: defaultEntries(bpf, inner.type, inner.maxEntries),
    valueSize: inner.valueSize,
    mapFlags: inner.mapFlags,
    numaNode: inner.numaNode,
    mapExtra: inner.mapExtra,
    vmlinuxValueTypeId: 0,
    pinPath: undefined,
    initial: undefined,
  };
  return makeNew(bpf, plan, btfFd, `${where}: inner map`);
}

/** A perf event array without a size gets one slot per CPU. */
export function defaultEntries(bpf: Bpf, type: number, maxEntries: number): number {
  return type === bpfAbi.BPF_MAP_TYPE_PERF_EVENT_ARRAY && maxEntries === 0 ? bpf.possibleCpus : maxEntries;
}

function initialize(bpf: Bpf, plan: MapPlan, fd: Fd): void {
  const kind = plan.spec.global?.kind;
  // an arena's variables are filled in through its memory, not through elements
  if (!kind || !plan.initial || plan.spec.type === bpfAbi.BPF_MAP_TYPE_ARENA) return;
  bpf.mapUpdateElem(fd, new Uint8Array(4), plan.initial);
  if (kind === "rodata" || kind === "kconfig") bpf.mapFreeze(fd);
}

function inMap(where: string, what: string, e: unknown): unknown {
  if (!(e instanceof BpfError)) return e;
  if (e.message.startsWith(where)) return e;
  const message = e.message.replace(/: [A-Z0-9]+$/, "");
  return new BpfError(e.errno, `${where}: ${what}: ${message}`, e.context, e);
}
