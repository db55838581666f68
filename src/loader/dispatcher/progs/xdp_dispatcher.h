/* SPDX-License-Identifier: Apache-2.0 */
/* What libxdp, bpfman and skep agree on: the layout of a dispatcher's configuration. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SLOTS 10
/* A slot that nobody has replaced; the highest action of a mask, so that the chain always goes on behind it. */
#define EMPTY 31

struct xdp_dispatcher_config {
	__u8 magic;
	__u8 dispatcher_version;
	__u8 num_progs_enabled;
	__u8 is_xdp_frags;
	__u32 chain_call_actions[SLOTS];
	__u32 run_prios[SLOTS];
	__u32 program_flags[SLOTS];
};

/* The verifier must believe that a slot may return anything and may change the packet: then a program that does may
 * take its place. */
#define SLOT(n)                                     \
	__noinline int prog##n(struct xdp_md *ctx)  \
	{                                           \
		volatile int ret = EMPTY;           \
                                                    \
		if (!ctx)                           \
			return XDP_ABORTED;         \
		if (ret != EMPTY)                   \
			bpf_xdp_adjust_tail(ctx, 0); \
		return ret;                         \
	}

SLOT(0)
SLOT(1)
SLOT(2)
SLOT(3)
SLOT(4)
SLOT(5)
SLOT(6)
SLOT(7)
SLOT(8)
SLOT(9)
