/* Functions: global ones checked alone, callbacks, results of programs, constant strings. */
#include "verdict.h"

#define __arg(tag) __attribute__((btf_decl_tag("arg:" #tag)))

struct task_struct {
	int pid;
} core;

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_throw(__u64 cookie) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

struct pair {
	int a, b;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct pair);
} map SEC(".maps");

char room[16];
int zero;

__noinline int reads(struct pair *p)
{
	return p ? p->a : 0;
}

SEC("tc")
int pointer_given(struct __sk_buff *skb)
{
	struct pair p = { 1, 2 };

	return reads(&p);
}

SEC("tc")
int null_given(struct __sk_buff *skb)
{
	return reads(0);
}

SEC("tc")
REFUSED("Caller passes invalid args into func#1 ('reads')")
int too_little_given(struct __sk_buff *skb)
{
	int one = 1;

	return reads((void *)&one);
}

SEC("tc")
REFUSED("Caller passes invalid args into func#1 ('reads')")
int number_given(struct __sk_buff *skb)
{
	return reads((void *)(long)skb->len);
}

__noinline int does_not_ask(struct pair *p)
{
	return p->a;
}

SEC("tc")
REFUSED("R1 invalid mem access 'mem_or_null'")
int argument_not_checked(struct __sk_buff *skb)
{
	struct pair p = {};

	return does_not_ask(&p);
}

__noinline int never_null(struct pair *p __arg(nonnull))
{
	return p->a;
}

SEC("tc")
int nonnull_given(struct __sk_buff *skb)
{
	struct pair p = { 1, 2 };

	return never_null(&p);
}

SEC("tc")
REFUSED("Caller passes invalid args into func#1 ('never_null')")
int perhaps_null_for_nonnull(struct __sk_buff *skb)
{
	__u32 key = 0;

	return never_null(bpf_map_lookup_elem(&map, &key));
}

__noinline int of_context(void *ctx __arg(ctx))
{
	return bpf_get_hash_recalc(ctx);
}

SEC("tc")
int context_given(struct __sk_buff *skb)
{
	return of_context(skb);
}

SEC("tc")
REFUSED("Caller passes invalid args into func#1 ('of_context')")
int stack_for_context(struct __sk_buff *skb)
{
	struct pair p = {};

	return of_context(&p);
}

__noinline int of_task(struct task_struct *t __arg(trusted) __arg(nullable))
{
	return t ? t->pid : 0;
}

SEC("syscall")
int task_given(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);
	int pid = of_task(t);

	if (t)
		bpf_task_release(t);
	return pid;
}

SEC("tc")
REFUSED("Caller passes invalid args into func#1 ('of_task')")
int map_value_for_task(struct __sk_buff *skb)
{
	__u32 key = 0;

	return of_task(bpf_map_lookup_elem(&map, &key));
}

__noinline int index_of(int i)
{
	opaque(i);
	return i;
}

SEC("tc")
REFUSED("value -2147483648 makes map_value pointer be out of bounds")
int result_not_bounded(struct __sk_buff *skb)
{
	return room[index_of(1)];
}

SEC("tc")
int result_bounded(struct __sk_buff *skb)
{
	unsigned int i = index_of(1);

	return i < 16 ? room[i] : 0;
}

__noinline int bad_anyway(int i)
{
	return room[i];
}

SEC("tc")
REFUSED("value -2147483648 makes map_value pointer be out of bounds")
int argument_unbounded(struct __sk_buff *skb)
{
	return bad_anyway(1);
}

__noinline int deep(int i)
{
	char big[300], *p = big;

	opaque(p);
	*p = i;
	return *p;
}

SEC("tc")
REFUSED("combined stack size of 2 calls is 608. Too large")
int stack_too_deep(struct __sk_buff *skb)
{
	char big[300], *p = big;

	opaque(p);
	*p = deep(1);
	return *p;
}

__noinline int changes(struct __sk_buff *skb)
{
	return bpf_skb_pull_data(skb, 0);
}

SEC("tc")
REFUSED("R6 invalid mem access 'scalar'")
int packet_after_change(struct __sk_buff *skb)
{
	char *data = (void *)(long)skb->data;

	if (data + 1 > (char *)(long)skb->data_end)
		return 0;
	changes(skb);
	return *(volatile char *)data;
}

static long on_loop(__u64 i, int *sum)
{
	*sum += i;
	return i > 5;
}

SEC("tc")
int looped(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_loop(10, on_loop, &sum, 0);
	return sum;
}

static long on_loop_2(__u64 i, int *sum)
{
	return 2;
}

SEC("tc")
REFUSED("At callback return the register R0 has smin=2 smax=2 should have been in [0, 1]")
int looped_with_2(struct __sk_buff *skb)
{
	bpf_loop(10, on_loop_2, 0, 0);
	return 0;
}

static long on_loop_null(__u64 i, int *sum)
{
	return *sum;
}

SEC("tc")
REFUSED("R2 invalid mem access 'scalar'")
int looped_with_null(struct __sk_buff *skb)
{
	bpf_loop(10, on_loop_null, 0, 0);
	return 0;
}

static long on_loop_index(__u64 i, int *at)
{
	room[*at] = 1;
	*at += 1;
	return 0;
}

SEC("tc")
REFUSED("value -2147483648 makes map_value pointer be out of bounds")
int looped_beyond(struct __sk_buff *skb)
{
	int at = 0;

	bpf_loop(100, on_loop_index, &at, 0);
	return 0;
}

static long on_loop_write(__u64 i, struct pair *p)
{
	p->a = 20;
	return 0;
}

SEC("tc")
REFUSED("R2 min value is outside of the allowed memory range")
int changed_in_loop(struct __sk_buff *skb)
{
	struct pair p = {};

	bpf_loop(1, on_loop_write, &p, 0);
	return room[p.a];
}

static long on_element(void *m, __u32 *key, struct pair *v, int *sum)
{
	*sum += v->a + *key;
	return 0;
}

SEC("tc")
int each_element(struct __sk_buff *skb)
{
	int sum = 0;

	bpf_for_each_map_elem(&map, on_element, &sum, 0);
	return sum;
}

static long on_element_key(void *m, __u32 *key, struct pair *v, int *sum)
{
	*(volatile __u32 *)key = 1;
	return 0;
}

SEC("tc")
REFUSED("write to change key R2 not allowed")
int key_written(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&map, on_element_key, 0, 0);
	return 0;
}

static long on_element_beyond(void *m, __u32 *key, struct pair *v, int *sum)
{
	return ((volatile int *)v)[2] & 1;
}

SEC("tc")
REFUSED("R3 min value is outside of the allowed memory range")
int element_beyond(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&map, on_element_beyond, 0, 0);
	return 0;
}

static long on_loop_rcu(__u64 i, void *ctx)
{
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog cannot be used inside bpf_rcu_read_lock-ed region")
int unlocked_in_callback(struct __sk_buff *skb)
{
	bpf_rcu_read_lock();
	bpf_loop(1, on_loop_rcu, 0, 0);
	return 0;
}

SEC("tc")
int thrown(struct __sk_buff *skb)
{
	if (skb->len > 100)
		bpf_throw(1);
	return 0;
}

SEC("syscall")
REFUSED("bpf_throw would lead to reference leak")
int thrown_with_reference(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);

	if (!t)
		return 0;
	bpf_throw(1);
	bpf_task_release(t);
	return 0;
}

SEC("cgroup/sock_create")
REFUSED("At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]")
int verdict_of_2(void *ctx)
{
	return 2;
}

SEC("cgroup/sock_create")
int verdict_of_1(void *ctx)
{
	return 1;
}

SEC("tc")
int format(struct __sk_buff *skb)
{
	static const char fmt[] = "%d %s";
	__u64 args[2] = { 1, 0 };

	return bpf_snprintf(room, 16, fmt, args, 16);
}

SEC("tc")
REFUSED("Invalid format string")
int format_too_long_a_specifier(struct __sk_buff *skb)
{
	static const char fmt[] = "%llllx";
	__u64 args[1] = {};

	return bpf_snprintf(room, 16, fmt, args, 8);
}

SEC("tc")
REFUSED("Invalid format string")
int format_without_arguments(struct __sk_buff *skb)
{
	static const char fmt[] = "%d %d";
	__u64 args[1] = {};

	return bpf_snprintf(room, 16, fmt, args, 8);
}

SEC("tc")
REFUSED("R3 does not point to a readonly map'")
int format_not_constant(struct __sk_buff *skb)
{
	__u64 args[1] = {};

	return bpf_snprintf(room, 16, room, args, 8);
}
