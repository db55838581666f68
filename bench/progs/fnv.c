/* FNV-1a, 64 bits, over 1500 bytes: one multiplication per byte, each waits for the last. */
#include "common.h"

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u8 *p = PACKET_OR_RETURN(ctx);
	__u64 hash = 0xcbf29ce484222325;

	for (int i = 0; i < PACKET; i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	return hash ^ hash >> 32;
}
