/* The route of an IPv4 address among 10000. */
#include "common.h"

struct prefix {
	__u32 bits;
	__u32 addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 10000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u8 *p = PACKET_OR_RETURN(ctx);
	struct prefix key = { .bits = 32, .addr = *(__u32 *)(p + 30) };
	__u32 *route = bpf_map_lookup_elem(&routes, &key);

	return route ? *route : 0;
}
