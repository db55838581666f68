/**
 * Whether the BTF types of a map's key and value fit it: map_check_btf(), and the rules of each kind of map.
 *
 * Errors   EINVAL types that do not fit, ENOTSUPP a map whose elements have no types, EACCES a BTF of the kernel.
 */
import { BPF_MAP_TYPE_ARRAY } from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_DATASEC, BTF_KIND_INT, BTF_KIND_STRUCT } from "../btf/kinds.ts";
import type { MapBtfRule } from "../maps/map_type.ts";
import type { MapCreateAttr } from "./bpf.ts";

type Rule = (btf: Btf, keyId: number, valueId: number, attr: MapCreateAttr) => boolean;

/** An int of 32 bits: what numbers the elements. */
const isIndex = (btf: Btf, id: number): boolean =>
  id !== 0 && btf.kind(id) === BTF_KIND_INT && btf.intBits(id) === 32 && (btf.extra(id, 0) & 0xff0000) === 0;

const RULES: Readonly<Record<Exclude<MapBtfRule, "none">, Rule>> = {
  any: () => true,
  /** The sections .data, .bss and .rodata are arrays without a key type. */
  array: (btf, keyId, valueId, attr) =>
    keyId === 0
      ? attr.mapType === BPF_MAP_TYPE_ARRAY && attr.maxEntries === 1 && btf.kind(valueId) === BTF_KIND_DATASEC
      : isIndex(btf, keyId),
  trie: (btf, keyId) => keyId !== 0 && btf.kind(keyId) === BTF_KIND_STRUCT,
  index: (btf, keyId) => isIndex(btf, keyId),
};

/** @param rule of the map's type; without one, keys must have a type */
export function checkMapBtf(attr: MapCreateAttr, rule: MapBtfRule | undefined, btf: Btf): void {
  const { keySize, valueSize, btfKeyTypeId = 0, btfValueTypeId = 0, name = "" } = attr;
  const fail = (what: string): never => {
    throw new BpfError(EINVAL, `map '${name}': ${what}`, { btfKeyTypeId, btfValueTypeId });
  };
  const sized = (id: number, what: string, size: number): number => {
    const known = id < btf.typeCount ? btf.size(id) : -1;
    if (known !== size) fail(`the BTF type of its ${what} has ${known} bytes; wanted ${size}`);
    return btf.resolve(id);
  };
  const keyId = btfKeyTypeId ? sized(btfKeyTypeId, "key", keySize) : 0;
  if (!keyId && !rule) fail("its keys have no BTF type");
  const valueId = sized(btfValueTypeId, "value", valueSize);
  if (rule === "none") {
    throw new BpfError(ENOTSUPP, `map '${name}': elements of this type of map have no BTF types`, { name });
  }
  if (rule && !RULES[rule](btf, keyId, valueId, attr)) fail("the BTF type of its key does not fit the type of map");
}
