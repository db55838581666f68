/**
 * Map helpers on a map that is known at compile time: which export of core.wasm is the map type's own operation.
 *
 * Adding a map type is one line of OPS_OF_TYPE. A type or an operation without an entry takes the helper's general body.
 */
import {
  BPF_FUNC_map_delete_elem,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_lookup_percpu_elem,
  BPF_FUNC_map_peek_elem,
  BPF_FUNC_map_pop_elem,
  BPF_FUNC_map_push_elem,
  BPF_FUNC_map_update_elem,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_BLOOM_FILTER,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_LPM_TRIE,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_QUEUE,
  BPF_MAP_TYPE_STACK,
} from "../abi/bpf.ts";
import type { CallTarget } from "../interp/image.ts";

/** The helpers that are operations of one map, by the name of the operation. */
const OP_OF_HELPER: Record<number, string> = {
  [BPF_FUNC_map_lookup_elem]: "lookup_elem",
  [BPF_FUNC_map_update_elem]: "update_elem",
  [BPF_FUNC_map_delete_elem]: "delete_elem",
  [BPF_FUNC_map_push_elem]: "push_elem",
  [BPF_FUNC_map_pop_elem]: "pop_elem",
  [BPF_FUNC_map_peek_elem]: "peek_elem",
  [BPF_FUNC_map_lookup_percpu_elem]: "lookup_percpu_elem",
};

/** Exports are named FAMILY_OPERATION; operations that a type shares with another family are said apart. */
const OPS_OF_TYPE: Record<number, { readonly family: string; readonly shared?: Readonly<Record<string, string>> }> = {
  [BPF_MAP_TYPE_HASH]: { family: "htab" },
  [BPF_MAP_TYPE_PERCPU_HASH]: { family: "percpu_htab", shared: { delete_elem: "htab" } },
  [BPF_MAP_TYPE_LRU_HASH]: { family: "lru_htab" },
  [BPF_MAP_TYPE_LRU_PERCPU_HASH]: { family: "lru_percpu_htab", shared: { delete_elem: "lru_htab" } },
  [BPF_MAP_TYPE_ARRAY]: { family: "array" },
  [BPF_MAP_TYPE_PERCPU_ARRAY]: { family: "percpu_array" },
  [BPF_MAP_TYPE_LPM_TRIE]: { family: "trie" },
  [BPF_MAP_TYPE_ARRAY_OF_MAPS]: { family: "array_of_maps" },
  [BPF_MAP_TYPE_HASH_OF_MAPS]: { family: "htab_of_maps" },
  [BPF_MAP_TYPE_QUEUE]: { family: "queue", shared: { push_elem: "queue_stack" } },
  [BPF_MAP_TYPE_STACK]: { family: "stack", shared: { push_elem: "queue_stack" } },
  [BPF_MAP_TYPE_BLOOM_FILTER]: { family: "bloom" },
};

/** Name of the core.wasm export for a call on a map known at compile time; undefined when there is none. */
export function mapOpExport(target: CallTarget, exports: Readonly<Record<string, unknown>>): string | undefined {
  const op = OP_OF_HELPER[target.helper.id];
  const type = target.map && OPS_OF_TYPE[target.map.type];
  if (op === undefined || type === undefined) return undefined;
  const name = `${type.shared?.[op] ?? type.family}_${op}`;
  return name in exports ? name : undefined;
}
