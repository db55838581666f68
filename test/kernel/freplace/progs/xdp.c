// XDP programs without functions that can be replaced twice, and a device-map program.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

__noinline int stage0(struct xdp_md *ctx)
{
	volatile int r = 3;

	return ctx ? r : 1;
}

SEC("xdp/devmap")
int at_device(struct xdp_md *ctx)
{
	return stage0(ctx);
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
