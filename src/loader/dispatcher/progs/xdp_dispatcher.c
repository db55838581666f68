/* SPDX-License-Identifier: Apache-2.0 */
/* Up to ten XDP programs on one device: each slot is a function that freplace gives to a program. The configuration is
 * constant, so a change of the set is a new dispatcher. */
#include "xdp_dispatcher.h"

static volatile const struct xdp_dispatcher_config conf = {};

__noinline int compat_test(struct xdp_md *ctx)
{
	volatile int ret = EMPTY;

	if (!ctx)
		return XDP_ABORTED;
	return ret;
}

#define RUN(n)                                                     \
	do {                                                       \
		if (conf.num_progs_enabled < n + 1)                \
			goto out;                                  \
		ret = prog##n(ctx) & 31;                           \
		if (!((1U << ret) & conf.chain_call_actions[n]))   \
			return ret;                                \
	} while (0)

SEC("xdp")
int xdp_dispatcher(struct xdp_md *ctx)
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
	/* only the check whether a kernel knows freplace uses this function; it must stay */
	if (conf.num_progs_enabled > SLOTS)
		return compat_test(ctx);
out:
	return XDP_PASS;
}

SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Apache-2.0";
__uint(dispatcher_version, 2) SEC("xdp_metadata");
