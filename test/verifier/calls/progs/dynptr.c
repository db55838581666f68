/* Dynptrs: on the stack, in callbacks, of packets, and slices of them. */
#include "verdict.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_rb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[64]);
} arr SEC(".maps");

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 off, void *buf, __u32 buf__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, __u32 off, void *buf, __u32 buf__szk) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;

char out[8];
int sum;

SEC("tc")
int record(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u64 *p;

	if (!bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d)) {
		p = bpf_dynptr_data(&d, 8, 8);
		if (p)
			*p = 1;
	}
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("would lead to reference leak")
int record_kept(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	return 0;
}

SEC("tc")
REFUSED("arg 1 is an unacquired reference")
int record_twice(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	bpf_ringbuf_submit_dynptr(&d, 0);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("R6 invalid mem access 'scalar'")
int data_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u64 *p;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	p = bpf_dynptr_data(&d, 0, 8);
	bpf_ringbuf_submit_dynptr(&d, 0);
	if (p)
		*(volatile __u64 *)p = 1;
	return 0;
}

SEC("tc")
REFUSED("R0 invalid mem access 'mem_or_null'")
int data_not_checked(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u64 *p;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	p = bpf_dynptr_data(&d, 0, 8);
	*(volatile __u64 *)p = 1;
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("R0 min value is outside of the allowed memory range")
int data_beyond(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	volatile __u64 *p;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	p = bpf_dynptr_data(&d, 0, 8);
	if (p)
		p[1] = 1;
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("R3 is not a known constant'")
int data_length_unknown(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	bpf_dynptr_data(&d, 0, skb->len);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("cannot overwrite referenced dynptr")
int reserved_over_itself(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("cannot overwrite referenced dynptr")
int overwritten(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	((volatile __u64 *)&d)[1] = 1;
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

SEC("tc")
REFUSED("Expected an initialized dynptr as arg #0")
int overwritten_local(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u32 key = 0;
	void *v = bpf_map_lookup_elem(&arr, &key);

	if (!v)
		return 0;
	bpf_dynptr_from_mem(v, 64, 0, &d);
	((volatile __u64 *)&d)[0] = 1;
	return bpf_dynptr_write(&d, 0, out, 8, 0);
}

SEC("tc")
REFUSED("Expected an initialized dynptr as arg #2")
int never_made(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	return bpf_dynptr_read(out, 8, &d, 0, 0);
}

SEC("tc")
REFUSED("invalid read from stack off -16+0 size 8")
int read_as_memory(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(skb, 0, &d);
	return ((volatile __u64 *)&d)[0];
}

SEC("tc")
REFUSED("Dynptr has to be an uninitialized dynptr")
int at_odd_offset(struct __sk_buff *skb)
{
	char room[24] __attribute__((aligned(8)));

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, (void *)&room[4]);
	bpf_ringbuf_submit_dynptr((void *)&room[4], 0);
	return 0;
}

SEC("tc")
REFUSED("Expected an initialized dynptr as arg #2")
int at_unknown_offset(struct __sk_buff *skb)
{
	char room[64] __attribute__((aligned(8))) = {};

	return bpf_dynptr_read(out, 8, (void *)&room[skb->len & 16], 0, 0);
}

SEC("tc")
REFUSED("Unsupported reg type fp for bpf_dynptr_from_mem data")
int of_the_stack(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	char mem[16] = {};

	bpf_dynptr_from_mem(mem, 16, 0, &d);
	return 0;
}

SEC("tc")
int skb_slice(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	char buf[8];
	char *p;

	bpf_dynptr_from_skb(skb, 0, &d);
	p = bpf_dynptr_slice(&d, 0, buf, 8);
	return p ? p[7] : 0;
}

SEC("tc")
REFUSED("R0 min value is outside of the allowed memory range")
int slice_beyond(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	char buf[8];
	volatile char *p;

	bpf_dynptr_from_skb(skb, 0, &d);
	p = bpf_dynptr_slice(&d, 0, buf, 8);
	return p ? p[8] : 0;
}

SEC("tc")
REFUSED("arg#2 arg#3 memory, len pair leads to invalid memory access")
int slice_buffer_too_short(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	char buf[8] __attribute__((aligned(8)));

	bpf_dynptr_from_skb(skb, 0, &d);
	bpf_dynptr_slice(&d, 0, buf, 9);
	return 0;
}

SEC("tc")
REFUSED("R4 must be a known constant")
int slice_length_unknown(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	char buf[8] __attribute__((aligned(8)));

	bpf_dynptr_from_skb(skb, 0, &d);
	bpf_dynptr_slice(&d, 0, buf, skb->len & 7);
	return 0;
}

SEC("tc")
REFUSED("R0 cannot write into rdonly_mem")
int slice_written(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	volatile char *p;
	char buf[8];

	bpf_dynptr_from_skb(skb, 0, &d);
	p = bpf_dynptr_slice(&d, 0, buf, 8);
	if (p)
		p[0] = 1;
	return 0;
}

SEC("tc")
int slice_rdwr_written(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	volatile char *p;
	char buf[8];

	bpf_dynptr_from_skb(skb, 0, &d);
	p = bpf_dynptr_slice_rdwr(&d, 0, buf, 8);
	if (p)
		p[0] = 1;
	return 0;
}

SEC("cgroup_skb/egress")
REFUSED("the prog does not allow writes to packet data")
int slice_rdwr_not_here(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	char buf[8];

	bpf_dynptr_from_skb(skb, 0, &d);
	bpf_dynptr_slice_rdwr(&d, 0, buf, 8);
	return 1;
}

SEC("tc")
REFUSED("R8 invalid mem access 'scalar'")
int slice_after_pull(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	volatile char *p;
	char buf[8];

	bpf_dynptr_from_skb(skb, 0, &d);
	p = bpf_dynptr_slice(&d, 0, buf, 8);
	bpf_skb_pull_data(skb, 0);
	return p ? p[0] : 0;
}

SEC("tc")
REFUSED("R7 invalid mem access 'scalar'")
int slice_after_write(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	volatile char *p;
	char buf[8];

	bpf_dynptr_from_skb(skb, 0, &d);
	p = bpf_dynptr_slice(&d, 0, buf, 8);
	bpf_dynptr_write(&d, 0, out, 8, 0);
	return p ? p[0] : 0;
}

SEC("xdp")
int xdp_write(struct xdp_md *xdp)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_xdp(xdp, 0, &d);
	bpf_dynptr_write(&d, 0, out, 8, 0);
	return bpf_dynptr_size(&d) ? 2 : 1;
}

SEC("xdp")
REFUSED("R8 invalid mem access 'scalar'")
int packet_after_write(struct xdp_md *xdp)
{
	char *data = (void *)(long)xdp->data;
	struct bpf_dynptr d;

	if (data + 1 > (char *)(long)xdp->data_end)
		return 0;
	bpf_dynptr_from_xdp(xdp, 0, &d);
	bpf_dynptr_slice_rdwr(&d, 0, (void *)0, 8);
	bpf_xdp_adjust_head(xdp, 1);
	return *(volatile char *)data;
}

SEC("xdp")
REFUSED("calling kernel function bpf_dynptr_from_skb is not allowed")
int skb_of_xdp(struct xdp_md *xdp)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb((void *)xdp, 0, &d);
	return 0;
}

SEC("tc")
int packet_data(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(skb, 0, &d);
	bpf_dynptr_data(&d, 0, 8);
	return 0;
}

SEC("tc")
int cloned(struct __sk_buff *skb)
{
	struct bpf_dynptr d, c;

	bpf_dynptr_from_skb(skb, 0, &d);
	bpf_dynptr_clone(&d, &c);
	bpf_dynptr_adjust(&c, 1, 2);
	return bpf_dynptr_size(&c);
}

SEC("tc")
REFUSED("Expected an initialized dynptr as arg #0")
int clone_of_a_submitted(struct __sk_buff *skb)
{
	struct bpf_dynptr d, c;

	bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
	bpf_dynptr_clone(&d, &c);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return bpf_dynptr_size(&c);
}

static long drain(struct bpf_dynptr *d, void *ctx)
{
	return bpf_dynptr_read(out, 8, d, 0, 0) != 0;
}

SEC("tc")
int drained(struct __sk_buff *skb)
{
	bpf_user_ringbuf_drain(&user_rb, drain, 0, 0);
	return 0;
}

static long drain_release(struct bpf_dynptr *d, void *ctx)
{
	bpf_ringbuf_discard_dynptr(d, 0);
	return 0;
}

SEC("tc")
REFUSED("cannot release unowned const bpf_dynptr")
int drained_released(struct __sk_buff *skb)
{
	bpf_user_ringbuf_drain(&user_rb, drain_release, 0, 0);
	return 0;
}

static long drain_write(struct bpf_dynptr *d, void *ctx)
{
	return bpf_dynptr_from_mem(out, 8, 0, d);
}

SEC("tc")
REFUSED("Dynptr has to be an uninitialized dynptr")
int drained_made_anew(struct __sk_buff *skb)
{
	bpf_user_ringbuf_drain(&user_rb, drain_write, 0, 0);
	return 0;
}

static long drain_result(struct bpf_dynptr *d, void *ctx)
{
	return 2;
}

SEC("tc")
REFUSED("At callback return the register R0 has smin=2 smax=2 should have been in [0, 1]")
int drained_with_2(struct __sk_buff *skb)
{
	bpf_user_ringbuf_drain(&user_rb, drain_result, 0, 0);
	return 0;
}
