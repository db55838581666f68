/* Timers in array and hash values, text helpers, copies through dynptrs, numbers iterator. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct elem {
	__u64 fired;
	struct bpf_timer timer;
	__u32 key_seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct elem);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct elem);
} hash SEC(".maps");

#define CLOCK_MONOTONIC 1
#define BPF_F_TIMER_ABS 1

static int on_timer(void *map, __u32 *key, struct elem *e)
{
	e->fired = bpf_ktime_get_ns();
	e->key_seen = *key;
	return 0;
}

static int again(void *map, __u32 *key, struct elem *e)
{
	e->fired++;
	if (e->fired < 5)
		bpf_timer_start(&e->timer, 1000, 0);
	return 0;
}

SEC("tc")
int start_array(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct elem *e = bpf_map_lookup_elem(&array, &key);

	if (!e)
		return -1;
	if (bpf_timer_start(&e->timer, 1, 0) != -22)
		return -2;
	if (bpf_timer_init(&e->timer, &array, CLOCK_MONOTONIC))
		return -3;
	if (bpf_timer_init(&e->timer, &array, CLOCK_MONOTONIC) != -16)
		return -4;
	if (bpf_timer_start(&e->timer, 1, 0) != -22)
		return -5;
	if (bpf_timer_set_callback(&e->timer, on_timer))
		return -6;
	return bpf_timer_start(&e->timer, 5000, 0);
}

SEC("tc")
int start_hash(struct __sk_buff *skb)
{
	struct elem zero = {}, *e;
	__u32 key = skb->mark;

	bpf_map_update_elem(&hash, &key, &zero, 0);
	e = bpf_map_lookup_elem(&hash, &key);
	if (!e)
		return -1;
	bpf_timer_init(&e->timer, &hash, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&e->timer, key == 9 ? again : on_timer);
	return bpf_timer_start(&e->timer, 1000 * key, 0);
}

SEC("tc")
int cancel_hash(struct __sk_buff *skb)
{
	__u32 key = skb->mark;
	struct elem *e = bpf_map_lookup_elem(&hash, &key);

	return e ? bpf_timer_cancel(&e->timer) : -1;
}

char text[64];
__u32 text_len;
int cmp_less, cmp_same;

SEC("tc")
int format(struct __sk_buff *skb)
{
	static const char fmt[] = "%s has %d of %llu (%x) %pI4 %c|%5d|%-5u|%05d";
	char who[] = "bee";
	__u8 ip[4] = { 10, 0, 0, 1 };
	__u64 args[] = { (unsigned long)who, (__u64)-3, 1ULL << 40, 0xbeef, (unsigned long)ip, 'x', 42, 7, -12 };

	text_len = bpf_snprintf(text, sizeof(text), fmt, args, sizeof(args));
	cmp_less = bpf_strncmp(who, sizeof(who), "bef");
	cmp_same = bpf_strncmp(who, sizeof(who), "bee");
	return 0;
}

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

SEC("tc")
int count(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v, sum = 0;

	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it)))
		sum += *v;
	bpf_iter_num_destroy(&it);
	return sum;
}

extern int bpf_dynptr_from_skb(struct __sk_buff *s, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buf, __u32 buf__szk) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;

SEC("tc")
int slice(struct __sk_buff *skb)
{
	struct bpf_dynptr p;
	__u8 buf[2], *b;

	if (bpf_dynptr_from_skb(skb, 0, &p))
		return -1;
	if (bpf_dynptr_size(&p) != skb->len)
		return -2;
	if (bpf_dynptr_adjust(&p, 12, 20))
		return -3;
	if (bpf_dynptr_size(&p) != 8)
		return -4;
	b = bpf_dynptr_slice(&p, 7, buf, 2);
	if (b)
		return -5;
	b = bpf_dynptr_slice(&p, 0, buf, 2);
	if (!b)
		return -6;
	return b[0] << 8 | b[1];
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} five SEC(".maps");

static long each(void *map, __u32 *key, __u64 *value, __u64 *sum)
{
	*sum += *key;
	return *key == 3;
}

SEC("tc")
int walk(struct __sk_buff *skb)
{
	__u64 sum = 0;
	long n = bpf_for_each_map_elem(&five, each, &sum, 0);

	if (bpf_for_each_map_elem(&five, each, &sum, 1) != -22)
		return -1;
	return n << 8 | sum;
}

static long body(__u32 i, __u64 *sum)
{
	*sum += i;
	return i == 6;
}

SEC("tc")
int loops(struct __sk_buff *skb)
{
	__u64 sum = 0;
	long n = bpf_loop(10, body, &sum, 0);

	if (bpf_loop(10, body, &sum, 1) != -22)
		return -1;
	if (bpf_loop((1 << 23) + 1, body, &sum, 0) != -7)
		return -2;
	return n << 8 | sum;
}
