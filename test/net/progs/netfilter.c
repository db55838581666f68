/* Writes down where a packet met it and what it saw; the verdict for each hook is in an array. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define NF_ACCEPT 1
#define MAX_NOTES 64

struct net_device {
	int ifindex;
} __attribute__((preserve_access_index));

struct nf_hook_state {
	__u8 hook;
	__u8 pf;
	struct net_device *in;
	struct net_device *out;
} __attribute__((preserve_access_index));

struct sk_buff {
	unsigned int len;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};

extern int bpf_dynptr_from_skb(struct sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr__uninit) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 buffer__szk) __ksym;

struct note {
	__u32 who;
	__u32 hook;
	__u32 pf;
	__u32 len;
	__u32 port;
	__u32 in;
	__u32 out;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_NOTES);
	__type(key, __u32);
	__type(value, struct note);
} notes SEC(".maps");

/* By hook, then by program: drop. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 10);
	__type(key, __u32);
	__type(value, __u32);
} drops SEC(".maps");

__u32 count;

static __always_inline int met(struct bpf_nf_ctx *ctx, __u32 who)
{
	const struct nf_hook_state *state = ctx->state;
	struct net_device *in = state->in, *out = state->out;
	__u8 room[sizeof(struct iphdr) + sizeof(struct udphdr)] = {};
	struct bpf_dynptr packet;
	__u32 at = count, hook = state->hook, key = hook * 2 + who;
	__u32 *drop = bpf_map_lookup_elem(&drops, &key);
	const __u8 *head;
	struct note *note;

	if (bpf_dynptr_from_skb(ctx->skb, 0, &packet))
		return NF_ACCEPT;
	head = bpf_dynptr_slice(&packet, 0, room, sizeof(room));
	/* Linux itself speaks in a new namespace: notes are of UDP over IPv4. */
	if (!head || head[0] != 0x45 || head[9] != IPPROTO_UDP)
		return NF_ACCEPT;
	note = bpf_map_lookup_elem(&notes, &at);
	if (note) {
		note->who = who;
		note->hook = hook;
		note->pf = state->pf;
		note->len = ctx->skb->len;
		note->port = head[22] << 8 | head[23];
		note->in = in ? in->ifindex : 0;
		note->out = out ? out->ifindex : 0;
		count = at + 1;
	}
	return drop && *drop ? 0 : NF_ACCEPT;
}

SEC("netfilter")
int first(struct bpf_nf_ctx *ctx)
{
	return met(ctx, 0);
}

SEC("netfilter")
int second(struct bpf_nf_ctx *ctx)
{
	return met(ctx, 1);
}
