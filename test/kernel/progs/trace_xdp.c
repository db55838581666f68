/* What programs on the functions of another program see. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct net_device {
	int ifindex;
} __attribute__((preserve_access_index));

struct xdp_rxq_info {
	struct net_device *dev;
} __attribute__((preserve_access_index));

struct xdp_buff {
	void *data;
	void *data_end;
	struct xdp_rxq_info *rxq;
} __attribute__((preserve_access_index));

__u64 order;
__u64 packet_bytes, first_byte, ifindex;
__u64 a_seen, b_seen, weight, verdict;

SEC("fentry/entry")
int BPF_PROG(before, struct xdp_buff *xdp)
{
	order = order << 4 | 1;
	packet_bytes = (long)xdp->data_end - (long)xdp->data;
	bpf_probe_read_kernel(&first_byte, 1, xdp->data);
	ifindex = xdp->rxq->dev->ifindex;
	return 0;
}

SEC("fexit/entry")
int BPF_PROG(after, struct xdp_buff *xdp, int ret)
{
	order = order << 4 | 4;
	verdict = ret;
	return 0;
}

SEC("fentry/weigh")
int BPF_PROG(before_weigh, int a, unsigned int b)
{
	order = order << 4 | 2;
	a_seen = a;
	b_seen = b;
	return 0;
}

SEC("fexit/weigh")
int BPF_PROG(after_weigh, int a, unsigned int b, int ret)
{
	order = order << 4 | 3;
	weight = ret;
	return 0;
}
