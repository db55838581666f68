/* A TCP congestion control: one map that registers itself, two for links; and one that lacks what is needed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
	__u32 flags;
};

__u32 acks;

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(ssthresh, struct sock *sk)
{
	return 7;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	acks += acked;
}

SEC("struct_ops/undo_cwnd")
__u32 BPF_PROG(undo_cwnd, struct sock *sk)
{
	return 10;
}

#define CONG(map, cc) \
	struct tcp_congestion_ops map = { \
		.ssthresh = (void *)ssthresh, \
		.cong_avoid = (void *)cong_avoid, \
		.undo_cwnd = (void *)undo_cwnd, \
		.name = cc, \
	}

SEC(".struct_ops") CONG(plain, "skep_plain");
SEC(".struct_ops.link") CONG(first, "skep_link");
SEC(".struct_ops.link") CONG(second, "skep_link");
SEC(".struct_ops.link") CONG(other, "skep_other");

SEC(".struct_ops")
struct tcp_congestion_ops lacking = {
	.ssthresh = (void *)ssthresh,
	.name = "skep_lacking",
};
