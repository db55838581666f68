// Programs for dispatchers: each leaves the number of its set in the packet and says what it is told to.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XDP_RUN_CONFIG(f) _##f SEC(".xdp_run_config")

const volatile __u32 set = 1;
const volatile __u32 slot = 0;
const volatile __u32 verdict = XDP_PASS;

static __always_inline int stamped(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 at = 14 + 4 * (slot & 15);
	__u32 *p = data + at;

	if ((void *)(p + 1) > end)
		return XDP_ABORTED;
	*p = set;
	/* A packet may ask for a moment in its middle. */
	if (data + 61 <= end && *(__u8 *)(data + 60) == slot + 1)
		bpf_printk("slot %d", slot);
	return verdict;
}

struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
	__uint(XDP_DROP, 1);
} XDP_RUN_CONFIG(early);

SEC("xdp")
int early(struct xdp_md *ctx)
{
	return stamped(ctx);
}

SEC("xdp")
int middle(struct xdp_md *ctx)
{
	return stamped(ctx);
}

struct {
	__uint(XDP_PASS, 0);
	__uint(XDP_TX, 1);
	__uint(priority, 90);
} XDP_RUN_CONFIG(late_with_a_long_name);

SEC("xdp")
int late_with_a_long_name(struct xdp_md *ctx)
{
	return stamped(ctx);
}

SEC("xdp.frags")
int with_frags(struct xdp_md *ctx)
{
	return stamped(ctx);
}

SEC("xdp")
int moves_head(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, 0) ? XDP_ABORTED : stamped(ctx);
}

SEC("xdp")
int is_refused(struct xdp_md *ctx)
{
	return *(__u32 *)(long)ctx->data;
}

char _license[] SEC("license") = "GPL";
