/* 64 bytes of the packet counted in an array of 256. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} histogram SEC(".maps");

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u8 *p = PACKET_OR_RETURN(ctx);

	for (int i = 0; i < 64; i++) {
		__u32 bucket = p[i];
		__u64 *count = bpf_map_lookup_elem(&histogram, &bucket);

		if (count)
			*count += 1;
	}
	return 2;
}
