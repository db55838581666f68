// SPDX-License-Identifier: Apache-2.0
/*
 * A firewall at the XDP hook: drops IPv4 packets from blocked hosts and networks, counts what it decides, and reports
 * each drop to user space.
 *
 *   blocked    hash      IPv4 address -> 1 drops, 0 passes whatever the networks say
 *   networks   LPM trie  {prefix length, address} -> 1 drops, 0 passes
 *   counters   per-CPU   packets and bytes, by verdict
 *   events     ringbuf   one record for each dropped packet
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum counter {
	PASSED,
	DROPPED_HOST,
	DROPPED_NETWORK,
	NOT_IPV4,
	COUNTERS,
};

struct network {
	__u32 prefixlen;
	__be32 addr;
};

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct event {
	__be32 saddr;
	__be32 daddr;
	__u16 sport;
	__u16 dport;
	__u8 protocol;
	__u8 verdict;
	__u16 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, __u8);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct network);
	__type(value, __u8);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, struct traffic);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} events SEC(".maps");

/* Keeps the type in the object's BTF, where readers of `events` look for it. */
const volatile struct event *const event_type = 0;

/* Set before loading: 0 keeps the ring buffer silent. */
const volatile _Bool report_drops = 1;

static __always_inline void count(__u32 which, __u64 bytes)
{
	struct traffic *t = bpf_map_lookup_elem(&counters, &which);

	if (t) {
		t->packets++;
		t->bytes += bytes;
	}
}

static __noinline void report(const struct iphdr *ip, __u16 sport, __u16 dport, __u8 verdict, __u16 length)
{
	struct event *e;

	if (!ip)
		return;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e)
		return;
	e->saddr = ip->saddr;
	e->daddr = ip->daddr;
	e->sport = bpf_ntohs(sport);
	e->dport = bpf_ntohs(dport);
	e->protocol = ip->protocol;
	e->verdict = verdict;
	e->length = length;
	bpf_ringbuf_submit(e, 0);
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	__u64 length = data_end - data;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct iphdr copy;
	struct network net;
	__u16 sport = 0, dport = 0;
	__u8 *rule;
	__u32 verdict = PASSED;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP)) {
		count(NOT_IPV4, length);
		return XDP_PASS;
	}

	rule = bpf_map_lookup_elem(&blocked, &ip->saddr);
	if (rule) {
		if (*rule)
			verdict = DROPPED_HOST;
	} else {
		net.prefixlen = 32;
		net.addr = ip->saddr;
		rule = bpf_map_lookup_elem(&networks, &net);
		if (rule && *rule)
			verdict = DROPPED_NETWORK;
	}
	count(verdict, length);
	if (verdict == PASSED)
		return XDP_PASS;

	if (report_drops) {
		if (ip->ihl == 5 && (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP)) {
			struct udphdr *ports = (void *)(ip + 1);

			if ((void *)(ports + 1) <= data_end) {
				sport = ports->source;
				dport = ports->dest;
			}
		}
		copy = *ip;
		report(&copy, sport, dport, verdict, length);
	}
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
