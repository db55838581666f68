// SPDX-License-Identifier: Apache-2.0
/*
 * The skb leak finder, second half: forgets socket buffers that are freed. The tracepoints, not the functions of the same
 * names: consume_skb() is also called to give up one of several references, and kfree_skb() is inlined.
 */
#include "skb_leak.h"

static __always_inline int forget(struct sk_buff *skb)
{
	__u64 key = (unsigned long)skb;

	bpf_map_delete_elem(&live, &key);
	return 0;
}

SEC("tp_btf/consume_skb")
int BPF_PROG(on_consume, struct sk_buff *skb, void *location)
{
	return forget(skb);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location)
{
	return forget(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
