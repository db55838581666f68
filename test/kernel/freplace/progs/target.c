// A program whose global functions are replaced.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

__noinline int stage0(struct xdp_md *ctx)
{
	volatile int r = 0;

	/* an argument that nobody uses would not be passed */
	return ctx ? r : 1;
}

__noinline int stage1(struct xdp_md *ctx)
{
	volatile int r = 0;

	/* an argument that nobody uses would not be passed */
	return ctx ? r : 1;
}

__noinline int stage2(struct xdp_md *ctx)
{
	volatile int r = 0;

	bpf_xdp_adjust_meta(ctx, 0);
	return r;
}

__noinline __u64 scale(__u64 value, __u32 by)
{
	return value * by;
}

static __noinline int local(struct xdp_md *ctx)
{
	volatile int r = 1;
	return r + ctx->rx_queue_index;
}

SEC("xdp")
int target(struct xdp_md *ctx)
{
	int sum = stage0(ctx) + 10 * stage1(ctx) + 100 * stage2(ctx) + 1000 * local(ctx);
	__u32 zero = 0;
	__u64 *v = bpf_map_lookup_elem(&seen, &zero);

	if (v)
		*v = scale(0x100000001ULL, 2);
	return sum;
}

char _license[] SEC("license") = "GPL";
