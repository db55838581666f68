/* A program that is traced: its main function and a global one. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

__attribute__((noinline)) int weigh(int a, unsigned int b)
{
	return a * 2 + b;
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	return weigh(ctx->data_end - ctx->data, 5) > 100 ? XDP_PASS : XDP_DROP;
}
