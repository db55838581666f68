/** Exports of core.wasm that maps use. Addresses and sizes are u32; errnos are negative i32. */
export interface MapExports {
  map_lookup_elem(map: number, key: number): number;
  map_delete_elem(map: number, key: number): number;
  map_pop_elem(map: number, value: number): number;
  map_peek_elem(map: number, value: number): number;
  map_get_next_key(map: number, key: number, next: number): number;
  map_sys_lookup(map: number, key: number): number;
  map_sys_update(map: number, key: number, value: number, flags: number): number;
  map_sys_push(map: number, value: number, flags: number): number;
  map_for_each_step(map: number, cursor: number): number;
  array_clear(map: number): void;
  htab_init(map: number): void;
  htab_clear(map: number): void;
  htab_bucket_count(map: number, bucket: number): number;
  htab_bucket_elem(map: number, bucket: number, n: number): number;
  trie_clear(map: number): void;
  pool_clear(map: number): void;
  ringbuf_init(map: number, mask: number): void;
  rcu_pending(): number;
  rcu_quiescent(): void;
}
