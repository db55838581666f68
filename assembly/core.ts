/** core.wasm: everything of the kernel that is hot and lives in linear memory. */
export * from "./memory/heap";
export { rcu_pending, rcu_quiescent } from "./memory/rcu";
export * from "./maps/dispatch";
export { pool_clear } from "./maps/pool";
export {
  array_clear, array_lookup_elem, array_update_elem, percpu_array_lookup_elem, percpu_array_lookup_percpu_elem,
  percpu_array_update_elem,
} from "./maps/array";
export {
  htab_bucket_count, htab_bucket_elem, htab_clear, htab_delete_elem, htab_init, htab_lookup_elem,
  htab_of_maps_lookup_elem, htab_update_elem, lru_htab_delete_elem, lru_htab_lookup_elem, lru_htab_update_elem,
  lru_percpu_htab_lookup_elem, lru_percpu_htab_lookup_percpu_elem, lru_percpu_htab_update_elem, percpu_htab_lookup_elem,
  percpu_htab_lookup_percpu_elem, percpu_htab_update_elem,
} from "./maps/hashtab";
export { trie_clear, trie_delete_elem, trie_lookup_elem, trie_update_elem } from "./maps/lpm_trie";
export { array_of_maps_lookup_elem, slot_lookup_elem } from "./maps/slots";
export {
  queue_peek_elem, queue_pop_elem, queue_stack_push_elem, stack_peek_elem, stack_pop_elem,
} from "./maps/queue_stack_maps";
export { bloom_peek_elem, bloom_push_elem } from "./maps/bloom_filter";
export {
  ringbuf_discard, ringbuf_init, ringbuf_output, ringbuf_query, ringbuf_reserve, ringbuf_submit,
} from "./maps/ringbuf";
export { user_ringbuf_peek, user_ringbuf_release } from "./maps/user_ringbuf";
export { perf_event_output } from "./maps/perf_event_array";
export * from "./net/batch";
export * from "./net/csum";
export * from "./net/skb";
export * from "./net/xdp";
export * from "./helpers/cpu";
export * from "./helpers/probe";
export * from "./helpers/dynptr";
export * from "./helpers/spin_lock";
export * from "./helpers/perf";
export * from "./helpers/redirect_map";
export * from "./helpers/ringbuf";
export * from "./helpers/kfuncs";
export * from "./helpers/graph";
export * from "./helpers/bits";
