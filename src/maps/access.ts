/** How bpf(2) reads and writes the elements of a map: one strategy per kind of storage. */
import { EINVAL, ENOENT, ENOTSUPP, EOPNOTSUPP, type Errno } from "../abi/errno.ts";
import type { BpfMap } from "./bpf_map.ts";
import type { MapAccess } from "./map_type.ts";

/** Values in arrays, hash tables and tries. */
export const elemAccess: MapAccess = {
  lookup(map, key) {
    const addr = map.core.map_sys_lookup(map.addr, map.putKey(key)) >>> 0;
    return addr === 0 ? undefined : map.readValue(addr);
  },
  update(map, key, value, flags) {
    const err = map.withValue(value, (addr) => map.core.map_sys_update(map.addr, map.putKey(key), addr, flags));
    map.checkErr(err, "update");
  },
  delete(map, key) {
    map.checkErr(map.core.map_delete_elem(map.addr, map.putKey(key)), "delete");
  },
};

/** As elemAccess, for the tables that can also look up and delete at once. */
export const hashAccess: MapAccess = {
  ...elemAccess,
  lookupAndDelete(map, key) {
    const value = elemAccess.lookup(map, key);
    if (value) elemAccess.delete(map, key);
    return value;
  },
};

/** Queues and stacks: no keys; update pushes, lookup peeks. */
export const queueAccess: MapAccess = {
  lookup: (map) => popped(map, map.core.map_peek_elem),
  update(map, _key, value, flags) {
    map.checkErr(
      map.withValue(value, (addr) => map.core.map_sys_push(map.addr, addr, flags)),
      "push",
    );
  },
  delete(map) {
    throw map.error(EINVAL, "no delete");
  },
  lookupAndDelete: (map) => popped(map, map.core.map_pop_elem),
};

function popped(map: BpfMap, take: (map: number, value: number) => number): Uint8Array | undefined {
  return map.withValue(new Uint8Array(map.valueSize), (addr) => {
    const err = take(map.addr, addr);
    if (err === -ENOENT) return undefined;
    map.checkErr(err, "pop");
    return map.readValue(addr);
  });
}

/** Bloom filters: update adds, lookup tests the value given. */
export const bloomAccess: MapAccess = {
  lookup(map, _key, value) {
    if (value?.length !== map.valueSize) throw map.error(EINVAL, "lookup needs the value to test");
    const err = map.withValue(value, (addr) => map.core.map_peek_elem(map.addr, addr));
    if (err === -ENOENT) return undefined;
    map.checkErr(err, "peek");
    return value;
  },
  update: queueAccess.update,
  delete(map) {
    throw map.error(EOPNOTSUPP, "no delete");
  },
};

export interface EmptyRules {
  readonly lookup: (map: BpfMap) => Errno;
  /** May ask `map.slots` about the value, which throws. */
  readonly update: (map: BpfMap, flags: number, key: Uint8Array, value: Uint8Array) => Errno;
  readonly delete: (map: BpfMap, key: Uint8Array) => Errno;
  /** "array": indexes go up whatever the slots hold. */
  readonly next: "array" | Errno;
  readonly lookupAndDelete?: Errno;
}

/** Types that never hold an element: commands fail as Linux's do on an empty map, and an update for our reason. */
export function emptyAccess(rules: EmptyRules): MapAccess {
  const refuse = (map: BpfMap, errno: Errno, what: string): undefined => {
    if (errno === ENOENT) return undefined;
    throw map.error(errno, map.type.unsupported ? `${what}: ${map.type.unsupported.reason}` : `no ${what}`);
  };
  const must = (map: BpfMap, errno: Errno, what: string): never => {
    refuse(map, errno, what);
    throw map.error(errno, `${what}: no such element`);
  };
  const { lookupAndDelete } = rules;
  return {
    lookup: (map) => refuse(map, rules.lookup(map), "lookup"),
    update: (map, key, value, flags) => must(map, rules.update(map, flags, key, value), "update"),
    delete: (map, key) => must(map, rules.delete(map, key), "delete"),
    next(map, key) {
      if (rules.next !== "array") return refuse(map, rules.next, "get_next_key");
      const index = key ? new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true) : 0xffffffff;
      if (index === map.maxEntries - 1) return undefined;
      const next = new Uint8Array(4);
      new DataView(next.buffer).setUint32(0, index >= map.maxEntries ? 0 : index + 1, true);
      return next;
    },
    ...(lookupAndDelete ? { lookupAndDelete: (map) => refuse(map, lookupAndDelete, "lookup-and-delete") } : {}),
  };
}

/** Every command fails with one errno. */
export function noAccess(errno: Errno): MapAccess {
  return emptyAccess({ lookup: () => errno, update: () => errno, delete: () => errno, next: errno });
}

export const ringAccess = noAccess(ENOTSUPP);
