/* Locks, RCU, preemption and interrupts: what must be paired, and what must not be done in between. */
#include "verdict.h"

struct elem {
	__u64 count;
	struct bpf_spin_lock lock;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct elem);
} arr SEC(".maps");

struct bpf_res_spin_lock { __u32 val; };

private(A) struct bpf_res_spin_lock res;
private(B) struct bpf_res_spin_lock res2;

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *flags__irq_flag) __ksym;
extern void bpf_local_irq_restore(unsigned long *flags__irq_flag) __ksym;
extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_copy_from_user_str(void *dst, __u32 dst__sz, const void *unsafe_ptr__ign, __u64 flags) __ksym;

static __always_inline struct elem *at(__u32 key)
{
	return bpf_map_lookup_elem(&arr, &key);
}

SEC("tc")
int locked(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	e->count++;
	bpf_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region")
int not_unlocked(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (e)
		bpf_spin_lock(&e->lock);
	return 0;
}

SEC("tc")
REFUSED("bpf_spin_unlock without taking a lock")
int not_locked(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (e)
		bpf_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
REFUSED("function calls are not allowed while holding a lock")
int locked_twice(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	bpf_spin_lock(&e->lock);
	bpf_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
REFUSED("bpf_spin_unlock of different lock")
int another_unlocked(struct __sk_buff *skb)
{
	struct elem *e = at(0), *f = at(1);

	if (!e || !f)
		return 0;
	bpf_spin_lock(&e->lock);
	bpf_spin_unlock(&f->lock);
	return 0;
}

SEC("tc")
REFUSED("function calls are not allowed while holding a lock")
int helper_under_lock(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	e->count = bpf_ktime_get_ns();
	bpf_spin_unlock(&e->lock);
	return 0;
}

static __noinline int sub(struct elem *e)
{
	e->count++;
	return 0;
}

SEC("tc")
int function_under_lock(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	sub(e);
	bpf_spin_unlock(&e->lock);
	return 0;
}

__noinline int global_sub(int x)
{
	opaque(x);
	return x;
}

SEC("tc")
REFUSED("use static function instead")
int global_function_under_lock(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	global_sub(1);
	bpf_spin_unlock(&e->lock);
	return 0;
}

SEC("tc")
REFUSED("bpf_spin_lock cannot be accessed directly by load/store")
int lock_written(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (e)
		*(volatile __u32 *)&e->lock = 1;
	return 0;
}

SEC("tc")
REFUSED("bpf_spin_lock cannot be accessed directly by load/store")
int lock_as_key(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	return e && bpf_map_lookup_elem(&arr, &e->lock);
}

SEC("tc")
REFUSED("off 0 doesn't point to 'struct bpf_spin_lock' that is at 8")
int not_a_lock(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock((void *)&e->count);
	bpf_spin_unlock((void *)&e->count);
	return 0;
}

SEC("socket")
REFUSED("socket filter progs cannot use bpf_spin_lock yet")
int lock_in_socket_filter(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	if (!e)
		return 0;
	bpf_spin_lock(&e->lock);
	bpf_spin_unlock(&e->lock);
	return 0;
}

SEC("kprobe")
REFUSED("tracing progs cannot use bpf_spin_lock yet")
int timer_in_kprobe(void *ctx)
{
	struct elem *e = at(0);

	return e ? bpf_timer_cancel(&e->timer) : 0;
}

SEC("tc")
REFUSED("R2 type=map_value expected=map_ptr")
int timer_of_another_map(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	return e ? bpf_timer_init(&e->timer, e, 1) : 0;
}

SEC("tc")
REFUSED("off 0 doesn't point to 'struct bpf_timer' that is at 16")
int not_a_timer(struct __sk_buff *skb)
{
	struct elem *e = at(0);

	return e ? bpf_timer_cancel((void *)&e->count) : 0;
}

SEC("tc")
int res_locked(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&res))
		return 0;
	bpf_res_spin_unlock(&res);
	return 0;
}

SEC("tc")
REFUSED("bpf_res_spin_unlock without taking a lock")
int res_not_asked(struct __sk_buff *skb)
{
	bpf_res_spin_lock(&res);
	bpf_res_spin_unlock(&res);
	return 0;
}

SEC("tc")
REFUSED("bpf_res_spin_unlock cannot be out of order")
int res_out_of_order(struct __sk_buff *skb)
{
	if (bpf_res_spin_lock(&res))
		return 0;
	if (bpf_res_spin_lock(&res2)) {
		bpf_res_spin_unlock(&res);
		return 0;
	}
	bpf_res_spin_unlock(&res);
	bpf_res_spin_unlock(&res2);
	return 0;
}

SEC("tc")
int rcu(struct __sk_buff *skb)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc")
REFUSED("nested rcu read lock (kernel function bpf_rcu_read_lock)")
int rcu_nested(struct __sk_buff *skb)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc")
int preempt_nested(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_preempt_enable();
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog cannot be used inside bpf_rcu_read_lock-ed region")
int rcu_not_unlocked(struct __sk_buff *skb)
{
	bpf_rcu_read_lock();
	return 0;
}

SEC("tc")
REFUSED("unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)")
int rcu_not_locked(struct __sk_buff *skb)
{
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog cannot be used inside bpf_preempt_disable-ed region")
int preempt_not_enabled(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	return 0;
}

SEC("tc")
REFUSED("unmatched attempt to enable preemption (kernel function bpf_preempt_enable)")
int preempt_not_disabled(struct __sk_buff *skb)
{
	bpf_preempt_enable();
	return 0;
}

SEC("syscall")
REFUSED("sleepable helper bpf_copy_from_user#148 in non-preemptible region")
int sleeps_in_preempt(void *ctx)
{
	char buf[8];

	bpf_preempt_disable();
	bpf_copy_from_user(buf, 8, 0);
	bpf_preempt_enable();
	return 0;
}

SEC("syscall")
REFUSED("sleepable helper bpf_copy_from_user#148 in rcu_read_lock region")
int sleeps_in_rcu(void *ctx)
{
	char buf[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user(buf, 8, 0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
REFUSED("kernel func bpf_copy_from_user_str is sleepable within rcu_read_lock region")
int kfunc_sleeps_in_rcu(void *ctx)
{
	char buf[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user_str(buf, 8, 0, 0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int sleeps(void *ctx)
{
	char buf[8];

	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return bpf_copy_from_user(buf, 8, 0);
}

SEC("tc")
REFUSED("program must be sleepable to call sleepable kfunc bpf_copy_from_user_str")
int sleeps_in_tc(struct __sk_buff *skb)
{
	char buf[8];

	return bpf_copy_from_user_str(buf, 8, 0, 0);
}

SEC("tc")
int irq(struct __sk_buff *skb)
{
	unsigned long a, b;

	bpf_local_irq_save(&a);
	bpf_local_irq_save(&b);
	bpf_local_irq_restore(&b);
	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog cannot be used inside bpf_local_irq_save-ed region")
int irq_not_restored(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	return 0;
}

SEC("tc")
REFUSED("cannot restore irq state out of order, expected id=2 acquired at insn_idx=7")
int irq_out_of_order(struct __sk_buff *skb)
{
	unsigned long a, b;

	bpf_local_irq_save(&a);
	bpf_local_irq_save(&b);
	bpf_local_irq_restore(&a);
	bpf_local_irq_restore(&b);
	return 0;
}

SEC("tc")
REFUSED("expected an initialized irq flag as arg#0")
int irq_never_saved(struct __sk_buff *skb)
{
	unsigned long a = 0;

	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
REFUSED("expected an initialized irq flag as arg#0")
int irq_flags_written(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	*(volatile unsigned long *)&a = 0;
	bpf_local_irq_restore(&a);
	return 0;
}
