// SPDX-License-Identifier: Apache-2.0
/*
 * A rate limiter at the tc ingress hook: one token bucket for each source address, under a spin lock, refilled as time
 * passes. Packets over the rate are dropped; addresses never seen before start with a full bucket.
 *
 *   buckets  hash     IPv4 address -> tokens and the time of the last refill
 *   totals   array    packets accepted and refused
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NS_PER_SECOND 1000000000ULL

struct bucket {
	struct bpf_spin_lock lock;
	__u32 tokens;
	__u64 refilled_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

enum total {
	ACCEPTED,
	REFUSED,
	TOTALS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TOTALS);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

/* Set before loading. */
const volatile __u32 packets_per_second = 10;
const volatile __u32 burst = 20;

static __always_inline int decide(__u32 which, int verdict)
{
	__u64 *n = bpf_map_lookup_elem(&totals, &which);

	if (n)
		__sync_fetch_and_add(n, 1);
	return verdict;
}

SEC("tc")
int rate_limiter(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u64 now = bpf_ktime_get_ns(), fresh;
	struct bucket *bucket;
	int accepted = 0;
	__be32 saddr;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	saddr = ip->saddr;
	bucket = bpf_map_lookup_elem(&buckets, &saddr);
	if (!bucket) {
		struct bucket full = { .tokens = burst, .refilled_ns = now };

		bpf_map_update_elem(&buckets, &saddr, &full, BPF_NOEXIST);
		bucket = bpf_map_lookup_elem(&buckets, &saddr);
		if (!bucket)
			return decide(REFUSED, TC_ACT_SHOT);
	}

	bpf_spin_lock(&bucket->lock);
	fresh = (now - bucket->refilled_ns) * packets_per_second / NS_PER_SECOND;
	if (fresh > 0) {
		bucket->tokens = bucket->tokens + fresh > burst ? burst : bucket->tokens + fresh;
		bucket->refilled_ns = now;
	}
	if (bucket->tokens > 0) {
		bucket->tokens--;
		accepted = 1;
	}
	bpf_spin_unlock(&bucket->lock);

	return accepted ? decide(ACCEPTED, TC_ACT_OK) : decide(REFUSED, TC_ACT_SHOT);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
