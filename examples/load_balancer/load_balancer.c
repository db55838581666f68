// SPDX-License-Identifier: Apache-2.0
/*
 * A layer-4 load balancer at the XDP hook. A packet to a virtual service is sent on to one of its backends, always the
 * same one for the same flow: the destination MAC and IPv4 address are rewritten, checksums are mended, and the packet
 * leaves through the device it came from (XDP_TX).
 *
 *   services   hash           {address, port, protocol} -> {first backend, number of backends}
 *   backends   array          address and MAC of each backend
 *   flows      LRU hash       5-tuple -> backend, so that a flow survives changes of the service
 *   stats      per-CPU array  packets for each backend
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_BACKENDS 256

struct service {
	__be32 addr;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct pool {
	__u32 first;
	__u32 count;
};

struct backend {
	__be32 addr;
	__u8 mac[6];
	__u16 pad;
};

struct flow {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 pad[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct service);
	__type(value, struct pool);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, __u32);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_BACKENDS);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

static __always_inline __u32 mix(__u32 h, __u32 v)
{
	h ^= v;
	h *= 0x9e3779b1;
	return h ^ (h >> 15);
}

/* One's complement sum of old and new 16-bit halves, RFC 1624. */
static __always_inline __u16 replace_in_checksum(__u16 check, __be32 from, __be32 to)
{
	__u32 sum = (__u16)~check;

	sum += (__u16)~(from & 0xffff);
	sum += (__u16)~(from >> 16);
	sum += (to & 0xffff);
	sum += (to >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("xdp")
int load_balancer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *ports = (void *)(ip + 1);
	struct service service = {};
	struct flow flow = {};
	struct backend *to;
	struct pool *pool;
	__u32 index, *known;
	__u64 *packets;
	__be32 before;

	if ((void *)(ports + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;

	service.addr = ip->daddr;
	service.port = ports->dest;
	service.protocol = ip->protocol;
	pool = bpf_map_lookup_elem(&services, &service);
	if (!pool || pool->count == 0)
		return XDP_PASS;

	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.sport = ports->source;
	flow.dport = ports->dest;
	flow.protocol = ip->protocol;
	known = bpf_map_lookup_elem(&flows, &flow);
	if (known) {
		index = *known;
	} else {
		__u32 hash = mix(mix(mix(0, flow.saddr), flow.daddr), flow.sport << 16 | flow.dport);

		index = pool->first + hash % pool->count;
		bpf_map_update_elem(&flows, &flow, &index, BPF_ANY);
	}
	to = bpf_map_lookup_elem(&backends, &index);
	if (!to)
		return XDP_DROP;

	before = ip->daddr;
	ip->daddr = to->addr;
	ip->check = replace_in_checksum(ip->check, before, to->addr);
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip + 1);

		if ((void *)(tcp + 1) > data_end)
			return XDP_DROP;
		tcp->check = replace_in_checksum(tcp->check, before, to->addr);
	} else if (ports->check) {
		ports->check = replace_in_checksum(ports->check, before, to->addr);
	}
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, to->mac, ETH_ALEN);

	packets = bpf_map_lookup_elem(&stats, &index);
	if (packets)
		++*packets;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
