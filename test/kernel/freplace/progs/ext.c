// Extensions of target.c, good and bad ones.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile int value = 1;

SEC("freplace/stage0")
int set0(struct xdp_md *ctx)
{
	return value;
}

SEC("freplace/stage1")
int set1(struct xdp_md *ctx)
{
	return value + 1;
}

SEC("freplace/scale")
__u64 add(__u64 n, __u32 by)
{
	return n + ((__u64)by << 32);
}

SEC("freplace/target")
int whole(struct xdp_md *ctx)
{
	return 77;
}

SEC("?freplace/stage0")
int changes_packet(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, 0);
}

SEC("?freplace/stage0")
int two_args(struct xdp_md *ctx, int more)
{
	return more;
}

SEC("?freplace/stage0")
int other_context(struct __sk_buff *ctx)
{
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} jump SEC(".maps");

SEC("?freplace/stage2")
int tail(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jump, 0);
	return 5;
}

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 8);
} out SEC(".maps");

SEC("?freplace/stage0")
int redirects(struct xdp_md *ctx)
{
	return bpf_redirect_map(&out, 0, 0);
}

SEC("?freplace/stage0")
int talks(struct xdp_md *ctx)
{
	bpf_printk("in the middle");
	return 9;
}

char _license[] SEC("license") = "GPL";
