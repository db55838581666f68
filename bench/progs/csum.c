/* The internet checksum of 1500 bytes, 4 at a time. */
#include "common.h"

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u32 *p = PACKET_OR_RETURN(ctx);
	__u64 sum = 0;

	for (int i = 0; i < PACKET / 4; i++)
		sum += p[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}
