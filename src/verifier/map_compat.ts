/**
 * Which maps go with which helpers, and with which programs.
 *
 * Source   check_map_func_compatibility(), check_map_prog_compatibility() in kernel/bpf/verifier.c.
 */
import * as abi from "../abi/bpf.ts";
import { EINVAL } from "../abi/errno.ts";
import type { Helper } from "../helpers/helper.ts";
import { hasField } from "./btf_record.ts";
import type { VerifierEnv } from "./env.ts";
import type { VerifierMap } from "./platform.ts";

type Names = ReadonlySet<string>;

function names(list: string): Names {
  return new Set(list.split(" "));
}

/** Map types that only these helpers take (names without bpf_). Types not listed have generic operations. */
const HELPERS_OF_MAP: Readonly<Record<number, Names>> = {
  [abi.BPF_MAP_TYPE_PROG_ARRAY]: names("tail_call"),
  [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY]: names(
    "perf_event_read perf_event_output skb_output perf_event_read_value xdp_output",
  ),
  [abi.BPF_MAP_TYPE_RINGBUF]: names(
    "ringbuf_output ringbuf_reserve ringbuf_query ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr",
  ),
  [abi.BPF_MAP_TYPE_USER_RINGBUF]: names("user_ringbuf_drain"),
  [abi.BPF_MAP_TYPE_STACK_TRACE]: names("get_stackid"),
  [abi.BPF_MAP_TYPE_CGROUP_ARRAY]: names("skb_under_cgroup current_task_under_cgroup"),
  [abi.BPF_MAP_TYPE_CGROUP_STORAGE]: names("get_local_storage"),
  [abi.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE]: names("get_local_storage"),
  [abi.BPF_MAP_TYPE_DEVMAP]: names("redirect_map map_lookup_elem"),
  [abi.BPF_MAP_TYPE_DEVMAP_HASH]: names("redirect_map map_lookup_elem"),
  [abi.BPF_MAP_TYPE_CPUMAP]: names("redirect_map"),
  [abi.BPF_MAP_TYPE_XSKMAP]: names("redirect_map map_lookup_elem"),
  [abi.BPF_MAP_TYPE_ARRAY_OF_MAPS]: names("map_lookup_elem"),
  [abi.BPF_MAP_TYPE_HASH_OF_MAPS]: names("map_lookup_elem"),
  [abi.BPF_MAP_TYPE_SOCKMAP]: names(
    "sk_redirect_map sock_map_update msg_redirect_map sk_select_reuseport map_lookup_elem",
  ),
  [abi.BPF_MAP_TYPE_SOCKHASH]: names(
    "sk_redirect_hash sock_hash_update msg_redirect_hash sk_select_reuseport map_lookup_elem",
  ),
  [abi.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY]: names("sk_select_reuseport"),
  [abi.BPF_MAP_TYPE_QUEUE]: names("map_peek_elem map_pop_elem map_push_elem"),
  [abi.BPF_MAP_TYPE_STACK]: names("map_peek_elem map_pop_elem map_push_elem"),
  [abi.BPF_MAP_TYPE_SK_STORAGE]: names("sk_storage_get sk_storage_delete kptr_xchg"),
  [abi.BPF_MAP_TYPE_INODE_STORAGE]: names("inode_storage_get inode_storage_delete kptr_xchg"),
  [abi.BPF_MAP_TYPE_TASK_STORAGE]: names("task_storage_get task_storage_delete kptr_xchg"),
  [abi.BPF_MAP_TYPE_CGRP_STORAGE]: names("cgrp_storage_get cgrp_storage_delete kptr_xchg"),
  [abi.BPF_MAP_TYPE_BLOOM_FILTER]: names("map_peek_elem map_push_elem"),
};

/** Helpers that take only these map types. Helpers not listed take any that HELPERS_OF_MAP does not forbid. */
const MAPS_OF_HELPER: Readonly<Record<string, readonly number[]>> = {
  tail_call: [abi.BPF_MAP_TYPE_PROG_ARRAY],
  perf_event_read: [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY],
  perf_event_output: [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY],
  perf_event_read_value: [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY],
  skb_output: [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY],
  xdp_output: [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY],
  ringbuf_output: [abi.BPF_MAP_TYPE_RINGBUF],
  ringbuf_reserve: [abi.BPF_MAP_TYPE_RINGBUF],
  ringbuf_query: [abi.BPF_MAP_TYPE_RINGBUF],
  ringbuf_reserve_dynptr: [abi.BPF_MAP_TYPE_RINGBUF],
  ringbuf_submit_dynptr: [abi.BPF_MAP_TYPE_RINGBUF],
  ringbuf_discard_dynptr: [abi.BPF_MAP_TYPE_RINGBUF],
  user_ringbuf_drain: [abi.BPF_MAP_TYPE_USER_RINGBUF],
  get_stackid: [abi.BPF_MAP_TYPE_STACK_TRACE],
  current_task_under_cgroup: [abi.BPF_MAP_TYPE_CGROUP_ARRAY],
  skb_under_cgroup: [abi.BPF_MAP_TYPE_CGROUP_ARRAY],
  redirect_map: [
    abi.BPF_MAP_TYPE_DEVMAP,
    abi.BPF_MAP_TYPE_DEVMAP_HASH,
    abi.BPF_MAP_TYPE_CPUMAP,
    abi.BPF_MAP_TYPE_XSKMAP,
  ],
  sk_redirect_map: [abi.BPF_MAP_TYPE_SOCKMAP],
  msg_redirect_map: [abi.BPF_MAP_TYPE_SOCKMAP],
  sock_map_update: [abi.BPF_MAP_TYPE_SOCKMAP],
  sk_redirect_hash: [abi.BPF_MAP_TYPE_SOCKHASH],
  msg_redirect_hash: [abi.BPF_MAP_TYPE_SOCKHASH],
  sock_hash_update: [abi.BPF_MAP_TYPE_SOCKHASH],
  get_local_storage: [abi.BPF_MAP_TYPE_CGROUP_STORAGE, abi.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE],
  sk_select_reuseport: [abi.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, abi.BPF_MAP_TYPE_SOCKMAP, abi.BPF_MAP_TYPE_SOCKHASH],
  map_pop_elem: [abi.BPF_MAP_TYPE_QUEUE, abi.BPF_MAP_TYPE_STACK],
  map_peek_elem: [abi.BPF_MAP_TYPE_QUEUE, abi.BPF_MAP_TYPE_STACK, abi.BPF_MAP_TYPE_BLOOM_FILTER],
  map_push_elem: [abi.BPF_MAP_TYPE_QUEUE, abi.BPF_MAP_TYPE_STACK, abi.BPF_MAP_TYPE_BLOOM_FILTER],
  map_lookup_percpu_elem: [
    abi.BPF_MAP_TYPE_PERCPU_ARRAY,
    abi.BPF_MAP_TYPE_PERCPU_HASH,
    abi.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  ],
  sk_storage_get: [abi.BPF_MAP_TYPE_SK_STORAGE],
  sk_storage_delete: [abi.BPF_MAP_TYPE_SK_STORAGE],
  inode_storage_get: [abi.BPF_MAP_TYPE_INODE_STORAGE],
  inode_storage_delete: [abi.BPF_MAP_TYPE_INODE_STORAGE],
  task_storage_get: [abi.BPF_MAP_TYPE_TASK_STORAGE],
  task_storage_delete: [abi.BPF_MAP_TYPE_TASK_STORAGE],
  cgrp_storage_get: [abi.BPF_MAP_TYPE_CGRP_STORAGE],
  cgrp_storage_delete: [abi.BPF_MAP_TYPE_CGRP_STORAGE],
};

const SOCKET_MAPS: readonly number[] = [abi.BPF_MAP_TYPE_SOCKMAP, abi.BPF_MAP_TYPE_SOCKHASH];

/** Program types in which a socket map may be updated and deleted from with the generic helpers. */
const SOCKMAP_WRITERS: readonly number[] = [
  abi.BPF_PROG_TYPE_SOCKET_FILTER,
  abi.BPF_PROG_TYPE_SCHED_CLS,
  abi.BPF_PROG_TYPE_SCHED_ACT,
  abi.BPF_PROG_TYPE_XDP,
  abi.BPF_PROG_TYPE_SK_REUSEPORT,
  abi.BPF_PROG_TYPE_FLOW_DISSECTOR,
  abi.BPF_PROG_TYPE_SK_LOOKUP,
];

function mayUpdateSockmap(env: VerifierEnv, helper: string): boolean {
  if (helper !== "map_update_elem" && helper !== "map_delete_elem") return false;
  const { type, expectedAttachType } = env.facts;
  if (type === abi.BPF_PROG_TYPE_TRACING && expectedAttachType === abi.BPF_TRACE_ITER) return true;
  if (type === abi.BPF_PROG_TYPE_SOCK_OPS && helper === "map_delete_elem") return true;
  if (SOCKMAP_WRITERS.includes(type)) return true;
  env.verbose("cannot update sockmap in this context\n");
  return false;
}

/** Refuses a map that the helper does not work on. */
export function checkMapFuncCompatibility(env: VerifierEnv, map: VerifierMap, helper: Helper): void {
  const { name } = helper;
  const forMap = HELPERS_OF_MAP[map.type];
  const okForMap = !forMap || forMap.has(name) || (SOCKET_MAPS.includes(map.type) && mayUpdateSockmap(env, name));
  const forHelper = MAPS_OF_HELPER[name];
  if (okForMap && (!forHelper || forHelper.includes(map.type))) return;
  env.reject(EINVAL, `cannot pass map_type ${map.type} into func bpf_${name}#${helper.id}`);
}

const TRACING_TYPES: readonly number[] = [
  abi.BPF_PROG_TYPE_KPROBE,
  abi.BPF_PROG_TYPE_TRACEPOINT,
  abi.BPF_PROG_TYPE_PERF_EVENT,
  abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
  abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
];

/** Maps that sleepable programs may use. */
const SLEEPABLE_MAPS: readonly number[] = [
  abi.BPF_MAP_TYPE_HASH,
  abi.BPF_MAP_TYPE_LRU_HASH,
  abi.BPF_MAP_TYPE_ARRAY,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
  abi.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  abi.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  abi.BPF_MAP_TYPE_HASH_OF_MAPS,
  abi.BPF_MAP_TYPE_RINGBUF,
  abi.BPF_MAP_TYPE_USER_RINGBUF,
  abi.BPF_MAP_TYPE_INODE_STORAGE,
  abi.BPF_MAP_TYPE_SK_STORAGE,
  abi.BPF_MAP_TYPE_TASK_STORAGE,
  abi.BPF_MAP_TYPE_CGRP_STORAGE,
  abi.BPF_MAP_TYPE_QUEUE,
  abi.BPF_MAP_TYPE_STACK,
  abi.BPF_MAP_TYPE_ARENA,
];

/** Refuses a map that this program may not use at all. Called once per map, before the program is walked. */
export function checkMapProgCompatibility(env: VerifierEnv, map: VerifierMap): void {
  const { type } = env.facts;
  const record = env.facts.mapRecord(map);
  const isTracing = TRACING_TYPES.includes(type);

  if (hasField(record, "list_head", "rb_root") && isTracing) {
    env.reject(EINVAL, "tracing progs cannot use bpf_{list_head,rb_root} yet");
  }
  if (hasField(record, "spin_lock", "res_spin_lock")) {
    if (type === abi.BPF_PROG_TYPE_SOCKET_FILTER) {
      env.reject(EINVAL, "socket filter progs cannot use bpf_spin_lock yet");
    }
    if (isTracing) env.reject(EINVAL, "tracing progs cannot use bpf_spin_lock yet");
  }
  if (hasField(record, "timer") && isTracing) env.reject(EINVAL, "tracing progs cannot use bpf_timer yet");
  if (hasField(record, "wq") && isTracing) env.reject(EINVAL, "tracing progs cannot use bpf_wq yet");
  if (map.type === abi.BPF_MAP_TYPE_STRUCT_OPS) env.reject(EINVAL, "bpf_struct_ops map cannot be used in prog");
  if (env.facts.sleepable && !SLEEPABLE_MAPS.includes(map.type)) {
    env.reject(EINVAL, "Sleepable programs can only use array, hash, ringbuf and local storage maps");
  }
}
