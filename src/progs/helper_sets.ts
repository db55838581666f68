/**
 * Which helper functions each program type may call: what Linux 6.18 accepts from a privileged loader.
 *
 * Types that attach to BTF (tracing, lsm, struct_ops, ext) depend on what they attach to; helper_rules.ts adds to these.
 * Source   asked of a running kernel, every type and helper (test/helpers compares the sets); sets that need an attach
 *          target from kernel/trace/bpf_trace.c, kernel/bpf/bpf_lsm.c.
 */

/** Every program type may call these. */
export const BASE_HELPERS = `
    map_lookup_elem map_update_elem map_delete_elem ktime_get_ns trace_printk get_prandom_u32 get_smp_processor_id
    tail_call get_current_pid_tgid get_current_uid_gid get_current_comm get_cgroup_classid perf_event_read
    get_current_task current_task_under_cgroup get_numa_node_id perf_event_read_value get_current_cgroup_id
    map_push_elem map_pop_elem map_peek_elem spin_lock spin_unlock strtol strtoul send_signal probe_read_user
    probe_read_kernel probe_read_user_str probe_read_kernel_str send_signal_thread jiffies64
    get_ns_current_pid_tgid get_current_ancestor_cgroup_id ktime_get_boot_ns ringbuf_output ringbuf_reserve
    ringbuf_submit ringbuf_discard ringbuf_query get_task_stack copy_from_user snprintf_btf per_cpu_ptr
    this_cpu_ptr task_storage_get task_storage_delete get_current_task_btf for_each_map_elem snprintf timer_init
    timer_set_callback timer_start timer_cancel task_pt_regs get_branch_snapshot trace_vprintk find_vma loop
    strncmp copy_from_user_task kptr_xchg map_lookup_percpu_elem dynptr_from_mem ringbuf_reserve_dynptr
    ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write dynptr_data ktime_get_tai_ns
    user_ringbuf_drain cgrp_storage_get cgrp_storage_delete`;

/** Of BASE_HELPERS, those that a loader without CAP_BPF has not (bpf_base_func_proto()). */
export const BPF_HELPERS = `
    spin_lock spin_unlock jiffies64 per_cpu_ptr this_cpu_ptr timer_init timer_set_callback timer_start timer_cancel
    kptr_xchg for_each_map_elem loop user_ringbuf_drain ringbuf_reserve_dynptr ringbuf_submit_dynptr
    ringbuf_discard_dynptr dynptr_from_mem dynptr_read dynptr_write dynptr_data cgrp_storage_get cgrp_storage_delete
    get_current_cgroup_id get_current_ancestor_cgroup_id current_task_under_cgroup task_storage_get task_storage_delete`;

/** Those that one without CAP_PERFMON has not; asked of a running kernel. */
export const PERFMON_HELPERS = `
    trace_printk get_current_comm perf_event_read get_current_task perf_event_read_value send_signal probe_read_user
    probe_read_kernel probe_read_user_str probe_read_kernel_str send_signal_thread get_task_stack copy_from_user
    snprintf_btf get_current_task_btf snprintf task_pt_regs get_branch_snapshot
    trace_vprintk find_vma copy_from_user_task skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
    skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock`;

/** What a type may call beyond BASE_HELPERS, in names without bpf_. */
export const TYPE_HELPERS: Readonly<Record<string, string>> = {
  socket_filter: `
    perf_event_output skb_load_bytes get_socket_cookie get_socket_uid skb_load_bytes_relative get_netns_cookie
    skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
    ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  kprobe: `
    probe_read perf_event_output get_stackid probe_read_str get_stack get_func_ip get_attach_cookie`,
  tracepoint: `
    probe_read perf_event_output get_stackid probe_read_str get_stack get_func_ip get_attach_cookie`,
  raw_tracepoint: `
    probe_read perf_event_output get_stackid probe_read_str get_stack get_func_ip get_attach_cookie`,
  raw_tracepoint_writable: `
    probe_read perf_event_output get_stackid probe_read_str get_stack get_func_ip get_attach_cookie`,
  sched_cls: `
    skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_vlan_push skb_vlan_pop skb_get_tunnel_key
    skb_set_tunnel_key redirect get_route_realm perf_event_output skb_load_bytes csum_diff skb_get_tunnel_opt
    skb_set_tunnel_opt skb_change_proto skb_change_type skb_under_cgroup get_hash_recalc skb_change_tail
    skb_pull_data csum_update set_hash_invalid skb_change_head get_socket_cookie get_socket_uid set_hash
    skb_adjust_room skb_get_xfrm_state skb_load_bytes_relative fib_lookup skb_cgroup_id skb_ancestor_cgroup_id
    sk_lookup_tcp sk_lookup_udp sk_release sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp
    tcp_check_syncookie sk_storage_get sk_storage_delete tcp_gen_syncookie get_netns_cookie sk_assign csum_level
    skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
    skb_cgroup_classid redirect_neigh redirect_peer ktime_get_coarse_ns check_mtu skc_to_unix_sock skb_set_tstamp
    skc_to_mptcp_sock tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
    tcp_raw_check_syncookie_ipv6`,
  sched_act: `
    skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_vlan_push skb_vlan_pop skb_get_tunnel_key
    skb_set_tunnel_key redirect get_route_realm perf_event_output skb_load_bytes csum_diff skb_get_tunnel_opt
    skb_set_tunnel_opt skb_change_proto skb_change_type skb_under_cgroup get_hash_recalc skb_change_tail
    skb_pull_data csum_update set_hash_invalid skb_change_head get_socket_cookie get_socket_uid set_hash
    skb_adjust_room skb_get_xfrm_state skb_load_bytes_relative fib_lookup skb_cgroup_id skb_ancestor_cgroup_id
    sk_lookup_tcp sk_lookup_udp sk_release sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp
    tcp_check_syncookie sk_storage_get sk_storage_delete tcp_gen_syncookie get_netns_cookie sk_assign csum_level
    skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
    skb_cgroup_classid redirect_neigh redirect_peer ktime_get_coarse_ns check_mtu skc_to_unix_sock skb_set_tstamp
    skc_to_mptcp_sock tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
    tcp_raw_check_syncookie_ipv6`,
  xdp: `
    redirect perf_event_output csum_diff xdp_adjust_head redirect_map xdp_adjust_meta xdp_adjust_tail fib_lookup
    sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp tcp_check_syncookie tcp_gen_syncookie skc_to_tcp6_sock
    skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns
    check_mtu skc_to_unix_sock xdp_get_buff_len xdp_load_bytes xdp_store_bytes skc_to_mptcp_sock
    tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
    tcp_raw_check_syncookie_ipv6`,
  "xdp/devmap": `
    redirect perf_event_output csum_diff xdp_adjust_head redirect_map xdp_adjust_meta xdp_adjust_tail fib_lookup
    sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp tcp_check_syncookie tcp_gen_syncookie skc_to_tcp6_sock
    skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns
    check_mtu skc_to_unix_sock xdp_get_buff_len xdp_load_bytes xdp_store_bytes skc_to_mptcp_sock
    tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
    tcp_raw_check_syncookie_ipv6`,
  perf_event: `
    probe_read perf_event_output get_stackid probe_read_str perf_prog_read_value get_stack read_branch_records
    get_func_ip get_attach_cookie`,
  "cgroup_skb/ingress": `
    perf_event_output skb_load_bytes get_socket_cookie get_socket_uid skb_load_bytes_relative skb_cgroup_id
    get_local_storage skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp sk_release sk_fullsock tcp_sock
    skb_ecn_set_ce get_listener_sock skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie sk_cgroup_id
    sk_ancestor_cgroup_id skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  "cgroup_skb/egress": `
    perf_event_output skb_load_bytes get_socket_cookie get_socket_uid skb_load_bytes_relative skb_cgroup_id
    get_local_storage skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp sk_release sk_fullsock tcp_sock
    skb_ecn_set_ce get_listener_sock skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie sk_cgroup_id
    sk_ancestor_cgroup_id skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  "cgroup_sock/create": `
    perf_event_output get_socket_cookie get_local_storage sk_storage_get get_netns_cookie ktime_get_coarse_ns
    get_retval set_retval`,
  "cgroup_sock/post_bind4": `
    perf_event_output get_socket_cookie get_local_storage sk_storage_get get_netns_cookie ktime_get_coarse_ns
    get_retval set_retval`,
  "cgroup_sock/post_bind6": `
    perf_event_output get_socket_cookie get_local_storage sk_storage_get get_netns_cookie ktime_get_coarse_ns
    get_retval set_retval`,
  "cgroup_sock/release": `
    perf_event_output get_socket_cookie get_local_storage sk_storage_get get_netns_cookie ktime_get_coarse_ns
    get_retval set_retval`,
  lwt_in: `
    get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup get_hash_recalc skb_pull_data
    lwt_push_encap skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  lwt_out: `
    get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup get_hash_recalc skb_pull_data
    skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
    ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  lwt_xmit: `
    skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_get_tunnel_key skb_set_tunnel_key redirect
    get_route_realm perf_event_output skb_load_bytes csum_diff skb_get_tunnel_opt skb_set_tunnel_opt
    skb_under_cgroup get_hash_recalc skb_change_tail skb_pull_data csum_update set_hash_invalid skb_change_head
    lwt_push_encap csum_level skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  sock_ops: `
    perf_event_output get_socket_cookie setsockopt sock_map_update getsockopt sock_ops_cb_flags_set
    sock_hash_update get_local_storage tcp_sock sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock
    skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock load_hdr_opt store_hdr_opt
    reserve_hdr_opt ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  sk_skb: `
    skb_store_bytes perf_event_output skb_load_bytes skb_change_tail skb_pull_data skb_change_head
    get_socket_cookie get_socket_uid skb_adjust_room sk_redirect_map sk_redirect_hash sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  cgroup_device: `
    perf_event_output get_local_storage get_retval set_retval`,
  sk_msg: `
    perf_event_output msg_redirect_map msg_apply_bytes msg_cork_bytes msg_pull_data msg_redirect_hash
    msg_push_data msg_pop_data sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    skc_to_mptcp_sock`,
  "cgroup_sock_addr/bind4": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/bind6": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/sendmsg4": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/sendmsg6": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/unix_send": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/connect4": `
    perf_event_output get_socket_cookie setsockopt getsockopt bind get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/connect6": `
    perf_event_output get_socket_cookie setsockopt getsockopt bind get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    get_retval set_retval skc_to_mptcp_sock`,
  "cgroup_sock_addr/recvmsg4": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    skc_to_mptcp_sock`,
  "cgroup_sock_addr/recvmsg6": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    skc_to_mptcp_sock`,
  "cgroup_sock_addr/unix_recv": `
    perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage sk_lookup_tcp sk_lookup_udp
    sk_release skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    skc_to_mptcp_sock`,
  lwt_seg6local: `
    get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup get_hash_recalc skb_pull_data
    lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
    skc_to_mptcp_sock`,
  sk_reuseport: `
    skb_load_bytes get_socket_cookie skb_load_bytes_relative sk_select_reuseport ktime_get_coarse_ns`,
  flow_dissector: `
    skb_load_bytes skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  cgroup_sysctl: `
    perf_event_output get_local_storage sysctl_get_name sysctl_get_current_value sysctl_get_new_value
    sysctl_set_new_value ktime_get_coarse_ns get_retval set_retval`,
  "cgroup_sockopt/get": `
    perf_event_output get_local_storage tcp_sock sk_storage_get sk_storage_delete get_netns_cookie get_retval
    set_retval`,
  "cgroup_sockopt/set": `
    perf_event_output setsockopt getsockopt get_local_storage tcp_sock sk_storage_get sk_storage_delete
    get_netns_cookie get_retval set_retval`,
  sk_lookup: `
    perf_event_output sk_release sk_assign skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
    skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock`,
  syscall: `
    probe_read perf_event_output get_stackid probe_read_str get_socket_cookie get_stack sk_storage_get
    sk_storage_delete skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
    skc_to_tcp_request_sock skc_to_udp6_sock d_path sock_from_file sys_bpf btf_find_by_name_kind sys_close
    get_func_ip skc_to_unix_sock kallsyms_lookup_name xdp_get_buff_len skc_to_mptcp_sock`,
  netfilter: "",
  tracing: `
    probe_read perf_event_output get_stackid probe_read_str get_socket_cookie get_stack sk_storage_get
    sk_storage_delete skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
    skc_to_tcp_request_sock skc_to_udp6_sock d_path sock_from_file get_func_ip get_attach_cookie skc_to_unix_sock
    xdp_get_buff_len skc_to_mptcp_sock`,
  lsm: `
    probe_read perf_event_output get_stackid probe_read_str get_socket_cookie get_stack sk_storage_get
    sk_storage_delete skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
    skc_to_tcp_request_sock skc_to_udp6_sock inode_storage_get inode_storage_delete d_path bprm_opts_set
    ima_inode_hash sock_from_file get_func_ip get_attach_cookie skc_to_unix_sock xdp_get_buff_len ima_file_hash
    skc_to_mptcp_sock`,
  lirc_mode2: "rc_repeat rc_keydown rc_pointer_rel",
  struct_ops: "",
  ext: "",
};
