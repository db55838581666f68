// SPDX-License-Identifier: Apache-2.0
/*
 * The skb leak finder, first half: remembers each socket buffer at the return of __alloc_skb(). The map comes from user
 * space, which gives the same one to skb_free.o.
 */
#include "skb_leak.h"

SEC("fexit/__alloc_skb")
int BPF_PROG(on_alloc, unsigned int size, unsigned int gfp_mask, int flags, int node, struct sk_buff *skb)
{
	__u64 key = (unsigned long)skb, now = bpf_ktime_get_ns();

	if (key)
		bpf_map_update_elem(&live, &key, &now, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
