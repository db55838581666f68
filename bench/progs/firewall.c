/* A 16-byte flow looked up among 65536, and a counter of this CPU. */
#include "common.h"

struct flow {
	__u32 saddr, daddr;
	__u16 sport, dport;
	__u32 proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u8 *p = PACKET_OR_RETURN(ctx);
	struct flow flow = {
		.saddr = *(__u32 *)(p + 26),
		.daddr = *(__u32 *)(p + 30),
		.sport = *(__u16 *)(p + 34),
		.dport = *(__u16 *)(p + 36),
		.proto = p[23],
	};
	__u64 *allowed = bpf_map_lookup_elem(&flows, &flow);
	__u32 action = allowed ? 2 : 1;
	__u64 *count = bpf_map_lookup_elem(&counters, &action);

	if (count)
		*count += 1;
	return action;
}
