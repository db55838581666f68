/** Which special fields the values of a map type may have: map_check_btf(). */
import { FIELD_KINDS, type FieldKind } from "./record.ts";

/** ARRAY and HASH hold every kind, except nodes, which live in allocated objects only. */
export const ANY_FIELD: readonly FieldKind[] = (Object.keys(FIELD_KINDS) as FieldKind[]).filter(
  (kind) => kind !== "list_node" && kind !== "rb_node" && kind !== "uptr",
);
/** LRU_HASH: no locks. */
export const LRU_FIELDS: readonly FieldKind[] = ANY_FIELD.filter(
  (kind) => kind !== "spin_lock" && kind !== "res_spin_lock",
);
export const KPTR_FIELDS: readonly FieldKind[] = ["kptr_unref", "kptr_ref", "kptr_percpu", "refcount"];
/** Local storage of sockets, tasks, inodes, cgroups. */
export const STORAGE_FIELDS: readonly FieldKind[] = ["spin_lock", "res_spin_lock", ...KPTR_FIELDS];
