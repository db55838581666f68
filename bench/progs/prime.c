/* How many odd primes lie below LIMIT, by trial division. */
#include "common.h"

#define LIMIT 650

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	int primes = 0;

	for (__u32 n = 3; n < LIMIT; n += 2) {
		int prime = 1;

		for (__u32 d = 3; d * d <= n; d += 2) {
			if (n % d == 0) {
				prime = 0;
				break;
			}
		}
		primes += prime;
	}
	return primes;
}
