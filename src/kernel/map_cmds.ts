/**
 * Commands on maps: create, elements, batches, freeze. Rights of the fd are checked here; element rules are the map's.
 *
 * Batches  errors carry how far the batch came in their context (`count`).
 */
import {
  BPF_F_RDONLY,
  BPF_F_WRONLY,
  BPF_MAP_CREATE,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_STRUCT_OPS,
} from "../abi/bpf.ts";
import { BpfError, EACCES, EINVAL, ENOENT, EOPNOTSUPP, EPERM } from "../abi/errno.ts";
import { type BatchRead, type BatchWrite, lookupBatch } from "../maps/batch.ts";
import { BpfMap } from "../maps/bpf_map.ts";
import { checkMapLate, checkMapType } from "../maps/create.ts";
import { mapRecord } from "../verifier/btf_record.ts";
import type { BatchAttr, BatchResult, Fd, MapCreateAttr, MapInfo } from "./bpf.ts";
import { KMap } from "./map.ts";
import { checkMapBtf } from "./map_btf.ts";
import { slotHooks } from "./map_slots.ts";
import { checkObjName } from "./names.ts";
import type { Process } from "./process.ts";
import { StructOpsMap } from "./struct_ops/map.ts";
import { capsWith, tokenFor } from "./token.ts";

/** Types of maps that a device may hold. */
const OFFLOADED: readonly number[] = [BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH];

/** The order of checks is map_create()'s: attr, type, token, capabilities, storage, name, BTF. */
export function mapCreate(proc: Process, attr: MapCreateAttr): Fd {
  const { kernel } = proc;
  const name = attr.name ?? "";
  const { btfKeyTypeId = 0, btfValueTypeId = 0, btfVmlinuxValueTypeId = 0 } = attr;
  const wanted = {
    type: attr.mapType,
    keySize: attr.keySize,
    valueSize: attr.valueSize,
    maxEntries: attr.maxEntries,
    flags: attr.mapFlags ?? 0,
    name,
    mapExtra: attr.mapExtra ?? 0n,
    numaNode: attr.numaNode,
    btfKeyTypeId,
    btfValueTypeId,
    btfVmlinuxValueTypeId,
  };
  const type = checkMapType(wanted, kernel.memory.cpus);
  const token = tokenFor(proc, attr.tokenFd, (t) => t.allowsCmd(BPF_MAP_CREATE) && t.allowsMap(attr.mapType));
  const caps = capsWith(proc, token);
  if (kernel.unprivilegedBpfDisabled && !caps.bpf) {
    const { unprivilegedBpfDisabled: sysctl } = kernel;
    throw new BpfError(EPERM, `map '${name}': needs CAP_BPF: kernel.unprivileged_bpf_disabled is ${sysctl}`, { name });
  }
  if (type.privilege === "bpf" && !caps.bpf) throw new BpfError(EPERM, `map '${name}': needs CAP_BPF`, { name });
  if (type.privilege === "net_admin" && !caps.netAdmin) {
    throw new BpfError(EPERM, `map '${name}': needs CAP_NET_ADMIN`, { name });
  }
  if (attr.mapIfindex) {
    const known = kernel.deviceExists(attr.mapIfindex);
    const errno = known && OFFLOADED.includes(attr.mapType) ? EOPNOTSUPP : EINVAL;
    throw new BpfError(errno, `map '${name}': device ${attr.mapIfindex} holds no maps`, { ifindex: attr.mapIfindex });
  }
  const inner = attr.innerMapFd === undefined ? undefined : proc.mapAt(attr.innerMapFd);
  checkMapLate(type, { ...wanted, inner: inner?.map }, kernel.memory.cpus);
  checkObjName(name, "map");
  const structOps = attr.mapType === BPF_MAP_TYPE_STRUCT_OPS ? new StructOpsMap(kernel, attr) : undefined;
  const btf = attr.btfFd === undefined ? undefined : proc.btfAt(attr.btfFd);
  if (btf?.kernelBtf) throw new BpfError(EACCES, `map '${name}': the BTF of the kernel is no map's`, { name });
  if (btf && btfValueTypeId) checkMapBtf(attr, type.btf, btf.btf);
  const record =
    btf && btfValueTypeId
      ? mapRecord({ name, type: attr.mapType, flags: attr.mapFlags ?? 0 }, btf.btf, btfValueTypeId, kernel.platform.btf)
      : undefined;
  if (record?.fields.length && attr.mapType === BPF_MAP_TYPE_STRUCT_OPS) {
    throw new BpfError(EINVAL, `map '${name}': struct_ops values have no special fields`, { name });
  }
  // Linux looks for the BTF at fd 0 then, which is none.
  if (structOps && !btf)
    throw new BpfError(EINVAL, `map '${name}': a struct_ops needs the BTF of its programs`, { name });
  const { exclProgHash } = attr;
  const map = new BpfMap(
    kernel.memory,
    {
      ...wanted,
      inner: inner?.map,
      fields: record?.fields,
    },
    { random32: () => kernel.runtime.random32(), slots: slotHooks(kernel, attr.mapType), access: structOps },
  );
  const obj = new KMap(kernel, map, {
    btf,
    btfKeyTypeId,
    btfValueTypeId,
    btfVmlinuxValueTypeId,
    record: record?.fields.length ? record : undefined,
    inner,
    structOps,
    uid: proc.uid,
    exclProgHash,
    unprivileged: !caps.perfmon,
  });
  kernel.events.emit({ what: "map_create", mapId: obj.id });
  return proc.installOwned(obj, obj.mapFlags & (BPF_F_RDONLY | BPF_F_WRONLY));
}

export function mapInfo(map: KMap): MapInfo {
  return {
    type: map.type,
    id: map.id,
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    mapFlags: map.mapFlags,
    name: map.name,
    ifindex: 0,
    btfId: map.facts.btf?.id ?? 0,
    btfKeyTypeId: map.btfKeyTypeId,
    btfValueTypeId: map.btfValueTypeId,
    btfVmlinuxValueTypeId: map.btfVmlinuxValueTypeId,
    mapExtra: map.mapExtra,
    frozen: map.frozen,
  };
}

export function mapLookupElem(map: KMap, key: Uint8Array, flags: bigint): Uint8Array {
  // maps without keys: what a bloom filter is asked for
  const asked = map.keySize === 0 ? padded(key, map.valueSize) : undefined;
  const value = map.map.lookup(asked ? new Uint8Array() : key, Number(flags), asked);
  if (!value) throw map.map.error(ENOENT, "no such key");
  return value;
}

export function mapLookupAndDelete(map: KMap, key: Uint8Array, flags: bigint): Uint8Array {
  const value = map.map.lookupAndDelete(key, Number(flags));
  if (!value) throw map.map.error(ENOENT, "no such key");
  return value;
}

export function mapLookupBatch(map: KMap, attr: BatchAttr, remove: boolean): BatchResult {
  const read = lookupBatch(map.map, attr.from, attr.count, Number(attr.elemFlags ?? 0n), remove);
  if (read.errno === ENOENT && read.count > 0) return { ...pick(read), next: undefined };
  if (read.errno) throw map.map.error(read.errno, "batch", { count: read.count });
  return { ...pick(read), next: read.outBatch };
}

const pick = ({ keys, values, count }: BatchRead) => ({ keys, values, count });

/** Stops at the first error, which then says how many were done. */
export function finishBatch(map: KMap, done: BatchWrite): number {
  if (done.errno) throw map.map.error(done.errno, `element ${done.count} of a batch`, { count: done.count });
  return done.count;
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(bytes.subarray(0, size));
  return out;
}
