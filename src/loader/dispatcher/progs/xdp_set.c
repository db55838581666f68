/* SPDX-License-Identifier: Apache-2.0 */
/* A dispatcher that stays while its set of programs changes: the actions after which the chain goes on come from a
 * function, which is exchanged together with the programs, in one step. */
#include "xdp_dispatcher.h"

static volatile const struct xdp_dispatcher_config conf = {};

__noinline __u32 chain(__u32 slot)
{
	volatile __u32 always = 1U << EMPTY;

	return slot < SLOTS ? always : 0;
}

#define RUN(n)                                  \
	do {                                    \
		ret = prog##n(ctx) & 31;        \
		if (!((1U << ret) & chain(n)))  \
			return ret;             \
	} while (0)

SEC("xdp")
int xdp_set(struct xdp_md *ctx)
{
	int ret;

	RUN(0);
	RUN(1);
	RUN(2);
	RUN(3);
	RUN(4);
	RUN(5);
	RUN(6);
	RUN(7);
	RUN(8);
	RUN(9);
	return XDP_PASS;
}

SEC("?freplace/chain")
__u32 chain_of_set(__u32 slot)
{
	return slot < SLOTS ? conf.chain_call_actions[slot] | 1U << EMPTY : 0;
}

char _license[] SEC("license") = "Apache-2.0";
