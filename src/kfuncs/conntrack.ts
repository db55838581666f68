/**
 * Connection tracking and NAT.
 *
 * Source   net/netfilter/nf_conntrack_bpf.c.
 */
import { KF_ACQUIRE, KF_RELEASE, KF_RET_NULL, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const CONNTRACK_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["xdp", "tc"],
    funcs: {
      bpf_xdp_ct_alloc: KF_ACQUIRE | KF_RET_NULL,
      bpf_xdp_ct_lookup: KF_ACQUIRE | KF_RET_NULL,
      bpf_skb_ct_alloc: KF_ACQUIRE | KF_RET_NULL,
      bpf_skb_ct_lookup: KF_ACQUIRE | KF_RET_NULL,
      bpf_ct_insert_entry: KF_ACQUIRE | KF_RET_NULL | KF_RELEASE,
      bpf_ct_release: KF_RELEASE,
      bpf_ct_set_timeout: KF_TRUSTED_ARGS,
      bpf_ct_change_timeout: KF_TRUSTED_ARGS,
      bpf_ct_set_status: KF_TRUSTED_ARGS,
      bpf_ct_change_status: KF_TRUSTED_ARGS,
      bpf_ct_set_nat_info: KF_TRUSTED_ARGS,
    },
  }),
];
