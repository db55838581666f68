/* SPDX-License-Identifier: Apache-2.0 */
/* The map that both objects share: socket buffers that were allocated and not yet freed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sk_buff;
struct sock;

/* struct sk_buff * -> nanoseconds since boot, at its allocation */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} live SEC(".maps");
