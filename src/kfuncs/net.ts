/**
 * Packets, sockets and XDP metadata.
 *
 * Source   net/core/filter.c, net/core/xdp.c.
 */
import {
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  BPF_PROG_TYPE_SOCK_OPS,
  BPF_PROG_TYPE_TRACING,
  BPF_TRACE_ITER,
} from "../abi/bpf.ts";
import { KF_ACQUIRE, KF_RELEASE, KF_RET_NULL, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const NET_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tc", "sched_act", "sk_skb", "socket_filter", "cgroup", "lwt", "netfilter", "tracing"],
    funcs: {
      bpf_dynptr_from_skb: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["tc", "sched_act"],
    funcs: {
      bpf_dynptr_from_skb_meta: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["xdp"],
    funcs: {
      bpf_dynptr_from_xdp: 0,
      bpf_xdp_pull_data: 0,
    },
  }),
  ...kfuncsOf({
    hooks: ["cgroup"],
    progTypes: [BPF_PROG_TYPE_CGROUP_SOCK_ADDR],
    funcs: {
      bpf_sock_addr_set_sun_path: 0,
    },
  }),
  ...kfuncsOf({
    hooks: ["cgroup"],
    progTypes: [BPF_PROG_TYPE_SOCK_OPS],
    funcs: {
      bpf_sock_ops_enable_tx_tstamp: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["tc"],
    funcs: {
      bpf_sk_assign_tcp_reqsk: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["tracing"],
    progTypes: [BPF_PROG_TYPE_TRACING],
    attachTypes: [BPF_TRACE_ITER],
    funcs: {
      bpf_sock_destroy: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["xdp"],
    devBound: true,
    funcs: {
      bpf_xdp_metadata_rx_timestamp: KF_TRUSTED_ARGS,
      bpf_xdp_metadata_rx_hash: KF_TRUSTED_ARGS,
      bpf_xdp_metadata_rx_vlan_tag: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["xdp"],
    funcs: {
      bpf_xdp_get_xfrm_state: KF_RET_NULL | KF_ACQUIRE,
      bpf_xdp_xfrm_state_release: KF_RELEASE,
    },
  }),
];
