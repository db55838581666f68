/**
 * Parts of the built-in congestion controls, for struct_ops programs.
 *
 * Source   net/ipv4/bpf_tcp_ca.c, net/ipv4/tcp_bbr.c, net/ipv4/tcp_cubic.c.
 */
import { type Kfunc, kfuncsOf } from "./kfunc.ts";

export const TCP_CA_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["struct_ops"],
    funcs: {
      tcp_reno_ssthresh: 0,
      tcp_reno_cong_avoid: 0,
      tcp_reno_undo_cwnd: 0,
      tcp_slow_start: 0,
      tcp_cong_avoid_ai: 0,
      bbr_init: 0,
      bbr_main: 0,
      bbr_sndbuf_expand: 0,
      bbr_undo_cwnd: 0,
      bbr_cwnd_event: 0,
      bbr_ssthresh: 0,
      bbr_min_tso_segs: 0,
      bbr_set_state: 0,
      cubictcp_init: 0,
      cubictcp_recalc_ssthresh: 0,
      cubictcp_cong_avoid: 0,
      cubictcp_state: 0,
      cubictcp_cwnd_event: 0,
      cubictcp_acked: 0,
    },
  }),
];
