/* Kernel objects: references, RCU, kernel pointers in maps, lists, trees, allocation, iterators. */
#include "verdict.h"

struct task_struct {
	int pid;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
} core;

struct cgroup {
	int level;
} core;

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *c) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *kptr, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

#define new(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))
#define bpf_core_type_id_local(type) __builtin_btf_type_id(*(type *)0, 0)
#define drop(p) bpf_obj_drop_impl(p, 0)

struct item {
	long key;
	struct bpf_list_node node;
};

struct leaf {
	long key;
	struct bpf_rb_node node;
	struct bpf_refcount ref;
};

struct slot {
	struct task_struct __attribute__((btf_type_tag("kptr"))) *task;
	struct task_struct __attribute__((btf_type_tag("kptr_untrusted"))) *loose;
	long x;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_list_head list __contains(item, node);
private(A) struct bpf_rb_root tree __contains(leaf, node);
private(B) struct bpf_spin_lock other_lock;

int zero, limit = 10, sum;

static __always_inline struct slot *slot(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&slots, &key);
}

SEC("syscall")
int task(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);
	int pid;

	if (!t)
		return 0;
	pid = t->pid;
	bpf_task_release(t);
	return pid;
}

SEC("syscall")
REFUSED("BPF_EXIT instruction in main prog would lead to reference leak")
int task_kept(void *ctx)
{
	bpf_task_from_pid(1);
	return 0;
}

SEC("syscall")
REFUSED("Possibly NULL pointer passed to trusted arg0")
int task_may_be_null(void *ctx)
{
	bpf_task_release(bpf_task_from_pid(1));
	return 0;
}

SEC("syscall")
REFUSED("arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar")
int task_released_twice(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);

	if (!t)
		return 0;
	bpf_task_release(t);
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
REFUSED("R6 invalid mem access 'scalar'")
int task_used_after(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);

	if (!t)
		return 0;
	bpf_task_release(t);
	return t->pid;
}

SEC("syscall")
REFUSED("only read is supported")
int task_written(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);

	if (!t)
		return 0;
	t->pid = 1;
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
REFUSED("R1 must be a rcu pointer")
int untrusted_acquired(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1), *p;

	if (!t)
		return 0;
	p = bpf_task_acquire(t->real_parent->group_leader);
	if (p)
		bpf_task_release(p);
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
int parent_under_rcu(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1), *p, *q;

	if (!t)
		return 0;
	bpf_rcu_read_lock();
	p = t->real_parent;
	if (p) {
		q = bpf_task_acquire(p);
		if (q)
			bpf_task_release(q);
	}
	bpf_rcu_read_unlock();
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
REFUSED("R1 must be a rcu pointer")
int parent_after_rcu(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1), *p, *q;

	if (!t)
		return 0;
	bpf_rcu_read_lock();
	p = t->real_parent;
	bpf_rcu_read_unlock();
	if (p) {
		q = bpf_task_acquire(p);
		if (q)
			bpf_task_release(q);
	}
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
REFUSED("kernel function bpf_cgroup_acquire args#0 expected pointer to STRUCT cgroup but R1 has a p")
int another_type(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1);

	if (!t)
		return 0;
	bpf_cgroup_acquire((void *)t);
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
REFUSED("arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar")
int a_number(void *ctx)
{
	bpf_task_release((void *)4096L);
	return 0;
}

SEC("syscall")
REFUSED("arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar")
int the_stack(void *ctx)
{
	struct bpf_iter_num room = {};

	bpf_task_release((void *)&room);
	return 0;
}

SEC("syscall")
int exchanged(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1), *old;
	struct slot *s = slot();

	if (!t)
		return 0;
	if (!s) {
		bpf_task_release(t);
		return 0;
	}
	old = bpf_kptr_xchg(&s->task, t);
	if (old)
		bpf_task_release(old);
	return 0;
}

SEC("syscall")
REFUSED("BPF_EXIT instruction in main prog would lead to reference leak")
int exchanged_and_kept(void *ctx)
{
	struct slot *s = slot();

	if (s)
		bpf_kptr_xchg(&s->task, 0);
	return 0;
}

SEC("syscall")
REFUSED("arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar")
int exchanged_and_used(void *ctx)
{
	struct task_struct *t = bpf_task_from_pid(1), *old;
	struct slot *s = slot();

	if (!t)
		return 0;
	if (!s) {
		bpf_task_release(t);
		return 0;
	}
	old = bpf_kptr_xchg(&s->task, t);
	if (old)
		bpf_task_release(old);
	bpf_task_release(t);
	return 0;
}

SEC("syscall")
REFUSED("off=16 doesn't point to kptr")
int exchanged_elsewhere(void *ctx)
{
	struct slot *s = slot();
	void *old = s ? bpf_kptr_xchg(&s->x, 0) : 0;

	return old != 0;
}

SEC("syscall")
REFUSED("store to referenced kptr disallowed")
int kernel_pointer_written(void *ctx)
{
	struct slot *s = slot();

	if (s)
		*(volatile long *)&s->task = 1;
	return 0;
}

SEC("syscall")
REFUSED("kptr access size must be BPF_DW")
int kernel_pointer_halved(void *ctx)
{
	struct slot *s = slot();

	return s ? *(volatile int *)&s->task : 0;
}

SEC("syscall")
REFUSED("R1 invalid mem access 'untrusted_ptr_or_null_'")
int loose_pointer_not_checked(void *ctx)
{
	struct slot *s = slot();

	return s ? s->loose->pid : 0;
}

SEC("syscall")
int loose_pointer_read(void *ctx)
{
	struct slot *s = slot();
	struct task_struct *t = s ? s->loose : 0;

	return t ? t->pid : 0;
}

SEC("syscall")
REFUSED("R1 must be referenced or trusted")
int loose_pointer_released(void *ctx)
{
	struct slot *s = slot();
	struct task_struct *t = s ? s->loose : 0;

	if (t)
		bpf_task_release(t);
	return 0;
}

SEC("tc")
int pushed_and_popped(struct __sk_buff *skb)
{
	struct item *n = new(struct item);
	struct bpf_list_node *p;

	if (!n)
		return 0;
	n->key = 1;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl(&list, &n->node, 0, 0);
	p = bpf_list_pop_front(&list);
	bpf_spin_unlock(&lock);
	if (p)
		drop(container_of(p, struct item, node));
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog would lead to reference leak")
int object_kept(struct __sk_buff *skb)
{
	new(struct item);
	return 0;
}

SEC("tc")
REFUSED("R0 invalid mem access 'ptr_or_null_'")
int object_not_checked(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	n->key = 1;
	return 0;
}

SEC("tc")
REFUSED("access beyond struct item at off 32 size 8")
int object_beyond(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (!n)
		return 0;
	*(volatile long *)(n + 1) = 1;
	drop(n);
	return 0;
}

SEC("tc")
REFUSED("direct access to bpf_list_node is disallowed")
int node_written(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (!n)
		return 0;
	*(volatile long *)&n->node = 1;
	drop(n);
	return 0;
}

SEC("tc")
REFUSED("bpf_spin_lock at off=0 must be held for bpf_list_head")
int pushed_without_lock(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (n)
		bpf_list_push_front_impl(&list, &n->node, 0, 0);
	return 0;
}

SEC("tc")
REFUSED("bpf_spin_lock at off=0 must be held for bpf_list_head")
int pushed_under_another_lock(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (!n)
		return 0;
	bpf_spin_lock(&other_lock);
	bpf_list_push_front_impl(&list, &n->node, 0, 0);
	bpf_spin_unlock(&other_lock);
	return 0;
}

SEC("tc")
REFUSED("arg#1 expected pointer to allocated object")
int pushed_twice(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (!n)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl(&list, &n->node, 0, 0);
	bpf_list_push_front_impl(&list, &n->node, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
REFUSED("R6 invalid mem access 'scalar'")
int pushed_and_used(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (!n)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl(&list, &n->node, 0, 0);
	bpf_spin_unlock(&lock);
	n->key = 1;
	return 0;
}

SEC("tc")
REFUSED("bpf_list_node not found at offset=8")
int node_of_another(struct __sk_buff *skb)
{
	struct leaf *n = new(struct leaf);

	if (!n)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl(&list, (void *)&n->node, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
REFUSED("bpf_list_head not found at offset=24")
int root_of_another(struct __sk_buff *skb)
{
	struct item *n = new(struct item);

	if (!n)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl((void *)&tree, &n->node, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, node)->key < container_of(b, struct leaf, node)->key;
}

SEC("tc")
int added_and_removed(struct __sk_buff *skb)
{
	struct leaf *n = new(struct leaf);
	struct bpf_rb_node *p;

	if (!n)
		return 0;
	bpf_spin_lock(&lock);
	bpf_rbtree_add_impl(&tree, &n->node, less, 0, 0);
	p = bpf_rbtree_first(&tree);
	if (p)
		p = bpf_rbtree_remove(&tree, p);
	bpf_spin_unlock(&lock);
	if (p)
		drop(container_of(p, struct leaf, node));
	return 0;
}

SEC("tc")
REFUSED("R6 invalid mem access 'scalar'")
int first_after_unlock(struct __sk_buff *skb)
{
	struct bpf_rb_node *p;

	bpf_spin_lock(&lock);
	p = bpf_rbtree_first(&tree);
	bpf_spin_unlock(&lock);
	return p ? container_of(p, struct leaf, node)->key : 0;
}

static bool less_with_helper(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return bpf_get_prandom_u32() & 1;
}

SEC("tc")
REFUSED("function calls are not allowed while holding a lock")
int helper_in_less(struct __sk_buff *skb)
{
	struct leaf *n = new(struct leaf);

	if (!n)
		return 0;
	bpf_spin_lock(&lock);
	bpf_rbtree_add_impl(&tree, &n->node, less_with_helper, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int counted(struct __sk_buff *skb)
{
	struct leaf *n = new(struct leaf), *m;

	if (!n)
		return 0;
	m = bpf_refcount_acquire_impl(n, 0);
	m->key = 1;
	drop(m);
	drop(n);
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog would lead to reference leak")
int counted_once(struct __sk_buff *skb)
{
	struct leaf *n = new(struct leaf);

	if (!n)
		return 0;
	bpf_refcount_acquire_impl(n, 0);
	drop(n);
	return 0;
}

SEC("tc")
REFUSED("arg#0 doesn't point to a type with bpf_refcount field")
int count_of_none(struct __sk_buff *skb)
{
	struct item *n = new(struct item), *m;

	if (!n)
		return 0;
	m = bpf_refcount_acquire_impl(n, 0);
	drop(n);
	return m != 0;
}

SEC("tc")
int iterated(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it)))
		sum += *v;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
REFUSED("BPF_EXIT instruction in main prog would lead to reference leak")
int iterator_not_destroyed(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	return 0;
}

SEC("tc")
REFUSED("expected an initialized iter_num as arg #0")
int iterator_never_made(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_next(&it);
	return 0;
}

SEC("tc")
REFUSED("expected uninitialized iter_num as arg #0")
int iterator_made_twice(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
REFUSED("expected an initialized iter_num as arg #0")
int iterator_written(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	*(volatile long *)&it = 0;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
REFUSED("expected an initialized iter_num as arg #0")
int iterator_after_destroy(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_next(&it);
	return 0;
}

SEC("tc")
REFUSED("R0 invalid mem access 'scalar'")
int element_not_checked(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	sum += *bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
REFUSED("R0 cannot write into rdonly_mem")
int element_written(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	volatile int *v;

	bpf_iter_num_new(&it, 0, 10);
	v = bpf_iter_num_next(&it);
	if (v)
		*v = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

char room[16];

SEC("tc")
REFUSED("R2 min value is outside of the allowed memory range")
int loop_index_unbounded(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int i = 0;

	bpf_iter_num_new(&it, 0, 10);
	while (bpf_iter_num_next(&it)) {
		room[i]++;
		i++;
		opaque(i);
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int index_from_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 16);
	while ((v = bpf_iter_num_next(&it)))
		if (*v >= 0 && *v < 16)
			room[*v]++;
	bpf_iter_num_destroy(&it);
	return 0;
}
