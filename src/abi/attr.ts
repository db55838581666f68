/**
 * union bpf_attr and the info structs of bpf(2), one layout per command. Names are those of include/uapi/linux/bpf.h.
 *
 * The kernel takes a longer attr than it knows as long as the rest is zero, so one layout serves all versions.
 */
import { struct } from "./struct.ts";

export const MAP_CREATE = struct({
  map_type: "u32",
  key_size: "u32",
  value_size: "u32",
  max_entries: "u32",
  map_flags: "u32",
  inner_map_fd: "u32",
  numa_node: "u32",
  map_name: 16,
  map_ifindex: "u32",
  btf_fd: "u32",
  btf_key_type_id: "u32",
  btf_value_type_id: "u32",
  btf_vmlinux_value_type_id: "u32",
  map_extra: "u64",
  value_type_btf_obj_fd: "s32",
  map_token_fd: "s32",
  excl_prog_hash: "ptr",
  excl_prog_hash_size: "u32",
});

/** LOOKUP, UPDATE, DELETE, GET_NEXT_KEY (value = next_key), LOOKUP_AND_DELETE, FREEZE (map_fd alone). */
export const MAP_ELEM = struct({ map_fd: "u32", key: "ptr", value: "ptr", flags: "u64" });

export const MAP_BATCH = struct({
  in_batch: "ptr",
  out_batch: "ptr",
  keys: "ptr",
  values: "ptr",
  count: "u32",
  map_fd: "u32",
  elem_flags: "u64",
  flags: "u64",
});

export const PROG_LOAD = struct({
  prog_type: "u32",
  insn_cnt: "u32",
  insns: "ptr",
  license: "ptr",
  log_level: "u32",
  log_size: "u32",
  log_buf: "ptr",
  kern_version: "u32",
  prog_flags: "u32",
  prog_name: 16,
  prog_ifindex: "u32",
  expected_attach_type: "u32",
  prog_btf_fd: "u32",
  func_info_rec_size: "u32",
  func_info: "ptr",
  func_info_cnt: "u32",
  line_info_rec_size: "u32",
  line_info: "ptr",
  line_info_cnt: "u32",
  attach_btf_id: "u32",
  /** Also attach_btf_obj_fd. */
  attach_prog_fd: "u32",
  core_relo_cnt: "u32",
  fd_array: "ptr",
  core_relos: "ptr",
  core_relo_rec_size: "u32",
  log_true_size: "u32",
  prog_token_fd: "s32",
  fd_array_cnt: "u32",
  signature: "ptr",
  signature_size: "u32",
  keyring_id: "s32",
});

/** OBJ_PIN, OBJ_GET. */
export const OBJ = struct({ pathname: "ptr", bpf_fd: "u32", file_flags: "u32", path_fd: "s32" });

/** PROG_ATTACH, PROG_DETACH. */
export const PROG_ATTACH = struct({
  /** Also target_ifindex. */
  target_fd: "u32",
  attach_bpf_fd: "u32",
  attach_type: "u32",
  attach_flags: "u32",
  replace_bpf_fd: "u32",
  /** Also relative_id. */
  relative_fd: "u32",
  expected_revision: "u64",
});

export const TEST_RUN = struct({
  prog_fd: "u32",
  retval: "u32",
  data_size_in: "u32",
  data_size_out: "u32",
  data_in: "ptr",
  data_out: "ptr",
  repeat: "u32",
  duration: "u32",
  ctx_size_in: "u32",
  ctx_size_out: "u32",
  ctx_in: "ptr",
  ctx_out: "ptr",
  flags: "u32",
  cpu: "u32",
  batch_size: "u32",
});

/** GET_NEXT_ID (start_id), GET_FD_BY_ID (start_id is the id). */
export const GET_ID = struct({ start_id: "u32", next_id: "u32", open_flags: "u32", fd_by_id_token_fd: "s32" });

export const INFO_BY_FD = struct({ bpf_fd: "u32", info_len: "u32", info: "ptr" });

export const PROG_QUERY = struct({
  /** Also target_ifindex. */
  target_fd: "u32",
  attach_type: "u32",
  query_flags: "u32",
  attach_flags: "u32",
  prog_ids: "ptr",
  count: "u32",
  pad: "u32",
  prog_attach_flags: "ptr",
  link_ids: "ptr",
  link_attach_flags: "ptr",
  revision: "u64",
});

export const RAW_TRACEPOINT = struct({ name: "ptr", prog_fd: "u32", pad: "u32", cookie: "u64" });

export const BTF_LOAD = struct({
  btf: "ptr",
  btf_log_buf: "ptr",
  btf_size: "u32",
  btf_log_size: "u32",
  btf_log_level: "u32",
  btf_log_true_size: "u32",
  btf_flags: "u32",
  btf_token_fd: "s32",
});

export const TASK_FD_QUERY = struct({
  pid: "u32",
  fd: "u32",
  flags: "u32",
  buf_len: "u32",
  buf: "ptr",
  prog_id: "u32",
  fd_type: "u32",
  probe_offset: "u64",
  probe_addr: "u64",
});

/** The 16 bytes before the part that depends on the attach type. */
const LINK_HEAD = {
  /** Also map_fd. */
  prog_fd: "u32",
  /** Also target_ifindex. */
  target_fd: "u32",
  attach_type: "u32",
  flags: "u32",
} as const;

/** LINK_CREATE, by what follows; all are as long as the longest, so that unknown bytes are zero. */
export const LINK_CREATE = {
  tracing: struct({ ...LINK_HEAD, target_btf_id: "u32", cookie: "u64", pad: 32 }),
  iter: struct({ ...LINK_HEAD, iter_info: "ptr", iter_info_len: "u32", pad: 32 }),
  perf_event: struct({ ...LINK_HEAD, bpf_cookie: "u64", pad: 40 }),
  kprobe_multi: struct({
    ...LINK_HEAD,
    multi_flags: "u32",
    cnt: "u32",
    syms: "ptr",
    addrs: "ptr",
    cookies: "ptr",
    pad: 16,
  }),
  uprobe_multi: struct({
    ...LINK_HEAD,
    path: "ptr",
    offsets: "ptr",
    ref_ctr_offsets: "ptr",
    cookies: "ptr",
    cnt: "u32",
    multi_flags: "u32",
    pid: "u32",
  }),
  netfilter: struct({ ...LINK_HEAD, pf: "u32", hooknum: "u32", priority: "s32", nf_flags: "u32", pad: 32 }),
  /** tcx, netkit, cgroup. */
  mprog: struct({ ...LINK_HEAD, relative_fd: "u32", expected_revision: "u64", pad: 32 }),
} as const;

export const LINK_UPDATE = struct({ link_fd: "u32", new_prog_fd: "u32", flags: "u32", old_prog_fd: "u32" });
export const LINK_DETACH = struct({ link_fd: "u32" });
export const ENABLE_STATS = struct({ type: "u32" });
export const ITER_CREATE = struct({ link_fd: "u32", flags: "u32" });
export const TOKEN_CREATE = struct({ flags: "u32", bpffs_fd: "u32" });
export const PROG_STREAM_READ = struct({ stream_buf: "ptr", stream_buf_len: "u32", stream_id: "u32", prog_fd: "u32" });
export const PROG_BIND_MAP = struct({ prog_fd: "u32", map_fd: "u32", flags: "u32" });

// --- struct bpf_*_info

export const PROG_INFO = struct({
  type: "u32",
  id: "u32",
  tag_lo: "u32",
  tag_hi: "u32",
  jited_prog_len: "u32",
  xlated_prog_len: "u32",
  jited_prog_insns: "ptr",
  xlated_prog_insns: "ptr",
  load_time: "u64",
  created_by_uid: "u32",
  nr_map_ids: "u32",
  map_ids: "ptr",
  name: 16,
  ifindex: "u32",
  gpl_compatible: "u32",
  netns_dev: "u64",
  netns_ino: "u64",
  nr_jited_ksyms: "u32",
  nr_jited_func_lens: "u32",
  jited_ksyms: "ptr",
  jited_func_lens: "ptr",
  btf_id: "u32",
  func_info_rec_size: "u32",
  func_info: "ptr",
  nr_func_info: "u32",
  nr_line_info: "u32",
  line_info: "ptr",
  jited_line_info: "ptr",
  nr_jited_line_info: "u32",
  line_info_rec_size: "u32",
  jited_line_info_rec_size: "u32",
  nr_prog_tags: "u32",
  prog_tags: "ptr",
  run_time_ns: "u64",
  run_cnt: "u64",
  recursion_misses: "u64",
  verified_insns: "u32",
  attach_btf_obj_id: "u32",
  attach_btf_id: "u32",
});

export const MAP_INFO = struct({
  type: "u32",
  id: "u32",
  key_size: "u32",
  value_size: "u32",
  max_entries: "u32",
  map_flags: "u32",
  name: 16,
  ifindex: "u32",
  btf_vmlinux_value_type_id: "u32",
  netns_dev: "u64",
  netns_ino: "u64",
  btf_id: "u32",
  btf_key_type_id: "u32",
  btf_value_type_id: "u32",
  btf_vmlinux_id: "u32",
  map_extra: "u64",
  hash: "ptr",
  hash_size: "u32",
});

export const BTF_INFO = struct({
  btf: "ptr",
  btf_size: "u32",
  id: "u32",
  name: "ptr",
  name_len: "u32",
  kernel_btf: "u32",
});

const LINK_INFO_HEAD = { type: "u32", id: "u32", prog_id: "u32" } as const;
/** kind: BPF_PERF_EVENT_*. */
const PERF_HEAD = { ...LINK_INFO_HEAD, pad: "u32", kind: "u32" } as const;

/** struct bpf_link_info by link type; in the union, members begin at 16. */
export const LINK_INFO = {
  head: struct({ ...LINK_INFO_HEAD }),
  raw_tracepoint: struct({ ...LINK_INFO_HEAD, tp_name: "ptr", tp_name_len: "u32", cookie: "u64" }),
  tracing: struct({
    ...LINK_INFO_HEAD,
    pad: "u32",
    attach_type: "u32",
    target_obj_id: "u32",
    target_btf_id: "u32",
    cookie: "u64",
  }),
  cgroup: struct({ ...LINK_INFO_HEAD, cgroup_id: "u64", attach_type: "u32" }),
  iter: struct({
    ...LINK_INFO_HEAD,
    target_name: "ptr",
    target_name_len: "u32",
    map_id: "u32",
    /** Tasks: tid, and pid in the upper half. */
    cgroup_id: "u64",
    order: "u32",
  }),
  netns: struct({ ...LINK_INFO_HEAD, pad: "u32", netns_ino: "u32", attach_type: "u32" }),
  xdp: struct({ ...LINK_INFO_HEAD, pad: "u32", ifindex: "u32" }),
  struct_ops: struct({ ...LINK_INFO_HEAD, pad: "u32", map_id: "u32" }),
  netfilter: struct({ ...LINK_INFO_HEAD, pad: "u32", pf: "u32", hooknum: "u32", priority: "s32", flags: "u32" }),
  perf: struct({ ...PERF_HEAD }),
  perf_uprobe: struct({ ...PERF_HEAD, name: "ptr", name_len: "u32", offset: "u32", cookie: "u64", ref_ctr: "u64" }),
  perf_kprobe: struct({
    ...PERF_HEAD,
    name: "ptr",
    name_len: "u32",
    offset: "u32",
    addr: "u64",
    missed: "u64",
    cookie: "u64",
  }),
  perf_tracepoint: struct({ ...PERF_HEAD, name: "ptr", name_len: "u32", cookie: "u64" }),
  perf_event: struct({ ...PERF_HEAD, config: "u64", event_type: "u32", cookie: "u64" }),
  kprobe_multi: struct({
    ...LINK_INFO_HEAD,
    addrs: "ptr",
    count: "u32",
    flags: "u32",
    missed: "u64",
    cookies: "ptr",
  }),
  uprobe_multi: struct({
    ...LINK_INFO_HEAD,
    path: "ptr",
    offsets: "ptr",
    ref_ctr_offsets: "ptr",
    cookies: "ptr",
    path_size: "u32",
    count: "u32",
    flags: "u32",
    pid: "u32",
  }),
  /** tcx, netkit. */
  device: struct({ ...LINK_INFO_HEAD, pad: "u32", ifindex: "u32", attach_type: "u32" }),
  sockmap: struct({ ...LINK_INFO_HEAD, pad: "u32", map_id: "u32", attach_type: "u32" }),
} as const;

/** Room for every struct bpf_link_info, with kernels to come. */
export const LINK_INFO_ROOM = 128;
