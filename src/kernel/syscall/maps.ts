/** bpf(2) as bytes: creating maps, their elements, freezing. */

import { MAP_CREATE, MAP_ELEM } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { EFAULT, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { Fd } from "../fd.ts";
import type { KMap } from "../map.ts";
import type { Call } from "./call.ts";
import { type Command, checkFlags, command, refuse, type Unpacked } from "./command.ts";
import { mapAt } from "./fds.ts";

type Elem = Unpacked<typeof MAP_ELEM>;

export const MAP_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_MAP_CREATE]: command(MAP_CREATE, "excl_prog_hash_size", mapCreate),
  [abi.BPF_MAP_LOOKUP_ELEM]: command(MAP_ELEM, "flags", lookup),
  [abi.BPF_MAP_UPDATE_ELEM]: command(MAP_ELEM, "flags", update),
  [abi.BPF_MAP_DELETE_ELEM]: command(MAP_ELEM, "key", remove),
  [abi.BPF_MAP_GET_NEXT_KEY]: command(MAP_ELEM, "value", nextKey),
  [abi.BPF_MAP_LOOKUP_AND_DELETE_ELEM]: command(MAP_ELEM, "flags", lookupAndDelete),
  [abi.BPF_MAP_FREEZE]: command(MAP_ELEM, "map_fd", (call, a) => {
    call.proc.mapFreeze(a.map_fd as Fd);
    return 0;
  }),
};

/** Of a SHA-256. */
const HASH_BYTES = 32;

function mapCreate(call: Call, a: Unpacked<typeof MAP_CREATE>): number {
  const typed = a.btf_key_type_id || a.btf_value_type_id || a.btf_vmlinux_value_type_id;
  return call.proc.mapCreate({
    mapType: a.map_type,
    keySize: a.key_size,
    valueSize: a.value_size,
    maxEntries: a.max_entries,
    mapFlags: a.map_flags & ~abi.BPF_F_TOKEN_FD,
    ...(a.map_flags & abi.BPF_F_TOKEN_FD ? { tokenFd: a.map_token_fd as Fd } : {}),
    name: a.map_name,
    numaNode: a.numa_node,
    mapIfindex: a.map_ifindex,
    ...(INNER[a.map_type] ? { innerMapFd: a.inner_map_fd as Fd } : {}),
    ...(typed ? { btfFd: a.btf_fd as Fd } : {}),
    btfKeyTypeId: a.btf_key_type_id,
    btfValueTypeId: a.btf_value_type_id,
    btfVmlinuxValueTypeId: a.btf_vmlinux_value_type_id,
    mapExtra: a.map_extra,
    get exclProgHash() {
      if (a.excl_prog_hash === 0n && a.excl_prog_hash_size === 0) return undefined;
      if (a.excl_prog_hash === 0n || a.excl_prog_hash_size !== HASH_BYTES) {
        return refuse(EINVAL, `excl_prog_hash of ${a.excl_prog_hash_size} bytes; wanted ${HASH_BYTES}`);
      }
      return call.read(a.excl_prog_hash, HASH_BYTES);
    },
  });
}

/** inner_map_fd means something to these; 0 is an fd. */
const INNER: Readonly<Record<number, true>> = {
  [abi.BPF_MAP_TYPE_ARRAY_OF_MAPS]: true,
  [abi.BPF_MAP_TYPE_HASH_OF_MAPS]: true,
};

/** The key at an address; maps without keys take none. */
function keyAt(call: Call, map: KMap, addr: bigint): Uint8Array {
  if (map.keySize === 0 && addr !== 0n) refuse(EINVAL, `map '${map.name}' has no keys; one was given`);
  return call.read(addr, map.keySize);
}

/** A lookup in a bloom filter asks for the value that the caller's buffer holds. */
function askedFor(call: Call, map: KMap, a: Elem): Uint8Array {
  const key = keyAt(call, map, a.key);
  return map.type === abi.BPF_MAP_TYPE_BLOOM_FILTER ? call.read(a.value, map.map.sysValueSize) : key;
}

function lookup(call: Call, a: Elem): number {
  checkFlags("lookup", a.flags, abi.BPF_F_LOCK);
  const map = mapAt(call, a.map_fd, "read");
  map.map.checkLockFlag(Number(a.flags));
  const key = askedFor(call, map, a);
  const value = call.proc.mapLookupElem(a.map_fd as Fd, key, a.flags);
  // The answer of a bloom filter is the result alone.
  if (map.type !== abi.BPF_MAP_TYPE_BLOOM_FILTER) call.write(a.value, value);
  return 0;
}

function update(call: Call, a: Elem): number {
  const map = mapAt(call, a.map_fd, "write");
  map.map.checkLockFlag(Number(a.flags & 0xffffffffn));
  const key = keyAt(call, map, a.key);
  const value = call.read(a.value, map.map.sysValueSize);
  call.proc.mapUpdateElem(a.map_fd as Fd, key, value, a.flags);
  return 0;
}

function remove(call: Call, a: Elem): number {
  const map = mapAt(call, a.map_fd, "write");
  call.proc.mapDeleteElem(a.map_fd as Fd, keyAt(call, map, a.key));
  return 0;
}

function nextKey(call: Call, a: Elem): number {
  const map = mapAt(call, a.map_fd, "read");
  const key = a.key === 0n ? undefined : keyAt(call, map, a.key);
  const next = call.proc.mapGetNextKey(a.map_fd as Fd, key);
  if (!next) return refuse(ENOENT, `map '${map.name}': no key follows`);
  call.write(a.value, next);
  return 0;
}

function lookupAndDelete(call: Call, a: Elem): number {
  checkFlags("lookup and delete", a.flags, abi.BPF_F_LOCK);
  const map = mapAt(call, a.map_fd, "both");
  if (a.flags && map.keySize === 0) refuse(EINVAL, `map '${map.name}': no flags for queues and stacks`);
  map.map.checkLockFlag(Number(a.flags));
  const key = keyAt(call, map, a.key);
  const value = call.proc.mapLookupAndDeleteElem(a.map_fd as Fd, key, a.flags);
  if (a.value === 0n) refuse(EFAULT, "no room for the value");
  call.write(a.value, value);
  return 0;
}
