/* SipHash-2-4 over 1500 bytes: additions, exclusive ors and rotations. */
#include "common.h"

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

#define ROUND                                                             \
	do {                                                              \
		v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32); \
		v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2;                    \
		v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0;                    \
		v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32); \
	} while (0)

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u8 *p = PACKET_OR_RETURN(ctx);
	__u64 k0 = 0x0706050403020100, k1 = 0x0f0e0d0c0b0a0908;
	__u64 v0 = 0x736f6d6570736575 ^ k0, v1 = 0x646f72616e646f6d ^ k1;
	__u64 v2 = 0x6c7967656e657261 ^ k0, v3 = 0x7465646279746573 ^ k1;
	__u64 m;

	for (int i = 0; i < PACKET / 8; i++) {
		m = *(__u64 *)(p + 8 * i);
		v3 ^= m;
		ROUND;
		ROUND;
		v0 ^= m;
	}
	m = ((__u64)PACKET << 56) | *(__u32 *)(p + PACKET / 8 * 8);
	v3 ^= m;
	ROUND;
	ROUND;
	v0 ^= m;
	v2 ^= 0xff;
	ROUND;
	ROUND;
	ROUND;
	ROUND;
	m = v0 ^ v1 ^ v2 ^ v3;
	return m ^ m >> 32;
}
