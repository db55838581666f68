/**
 * bpf_map_elem: the elements of an array or a hash, with values that the program may change.
 *
 * Errors   EBADF no map, EINVAL a map of another type, EACCES the program reads or writes more than there is.
 * Differs  the keys of a hash are those that it had when the file was first read; what was deleted since is left out.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EACCES, EBADF, EINVAL } from "../../abi/errno.ts";
import type { KMap } from "../map.ts";
import { mapStruct } from "../structs/bpf_objects.ts";
import type { StructScope } from "../structs/scope.ts";
import type { Element, IterTarget, Walk } from "./target.ts";

const WALKED: ReadonlySet<number> = new Set([
  abi.BPF_MAP_TYPE_HASH,
  abi.BPF_MAP_TYPE_LRU_HASH,
  abi.BPF_MAP_TYPE_ARRAY,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
]);

export const mapElemTarget: IterTarget = {
  resched: false,
  attach(proc, prog, { mapFd }) {
    if (!mapFd) throw new BpfError(EBADF, `iterator '${prog.name}': no map is given`, {});
    const map = proc.mapAt(mapFd);
    if (!WALKED.has(map.type)) {
      throw map.map.error(EINVAL, "its elements cannot be walked; wanted an array or a hash");
    }
    const { rdonly, rdwr } = prog.verified.bufAccess;
    if (rdonly > map.keySize || rdwr > map.map.sysValueSize) {
      const has = `${map.keySize} and ${map.map.sysValueSize}`;
      throw map.map.error(
        EACCES,
        `the iterator '${prog.name}' uses ${rdonly} bytes of keys and ${rdwr} of values, not ${has}`,
      );
    }
    return { held: [map], info: { mapId: map.id }, open: () => new MapWalk(map) };
  },
};

interface Elem extends Element {
  readonly key: Uint8Array;
}

class MapWalk implements Walk {
  readonly #map: KMap;
  #keys: readonly Uint8Array[] | undefined;

  constructor(map: KMap) {
    this.#map = map;
  }

  #allKeys(): Uint8Array[] {
    const { map } = this.#map;
    const keys: Uint8Array[] = [];
    for (let key = map.getNextKey(); key; key = map.getNextKey(key)) keys.push(key);
    return keys;
  }

  start(pos: number): Elem | undefined {
    this.#keys ??= this.#allKeys();
    for (let at = pos; at < this.#keys.length; at++) {
      const key = this.#keys[at]!;
      if (this.#map.map.lookup(key)) return { pos: at, key };
    }
    return undefined;
  }

  next(elem: Element): Elem | undefined {
    return this.start(elem.pos + 1);
  }

  words(scope: StructScope, elem: Element | undefined): bigint[] {
    const map = BigInt(mapStruct(scope, this.#map));
    if (!elem) return [map, 0n, 0n];
    const { key } = elem as Elem;
    return [map, BigInt(scope.bytes(key)), BigInt(this.#value(scope, key))];
  }

  /** The value itself, or the values of all CPUs one after the other. */
  #value(scope: StructScope, key: Uint8Array): number {
    const { map } = this.#map;
    const keyAt = scope.bytes(key);
    const value = map.core.map_lookup_elem(map.addr, keyAt) >>> 0;
    if (!map.type.percpu) return value;
    return value ? scope.bytes(map.readValue(value)) : 0;
  }
}
