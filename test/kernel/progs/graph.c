/* Objects that programs own: a tree and a list of them, reference counts, kernel pointers in map values. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct bpf_list_head {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_list_node {
	__u64 opaque[3];
} __attribute__((aligned(8)));

struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));

struct bpf_refcount {
	__u32 opaque[1];
} __attribute__((aligned(4)));

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __attribute__((aligned(8)))
#define __kptr __attribute__((btf_type_tag("kptr")))
#undef container_of
#define container_of(ptr, type, member) ((type *)((void *)(ptr) - __builtin_offsetof(type, member)))

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *obj, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *obj, void *meta) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       _Bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;

#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))
#define bpf_core_type_id_local(type) __builtin_btf_type_id(*(type *)0, 0)

struct item {
	struct bpf_rb_node tree;
	struct bpf_list_node list;
	struct bpf_refcount refs;
	__u64 key;
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root root __contains(item, tree);
private(A) struct bpf_list_head head __contains(item, list);

struct slot {
	struct item __kptr *item;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

static _Bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct item, tree)->key < container_of(b, struct item, tree)->key;
}

SEC("tc")
int insert(struct __sk_buff *skb)
{
	struct item *item = bpf_obj_new(struct item), *both;

	if (!item)
		return -1;
	item->key = skb->mark;
	both = bpf_refcount_acquire_impl(item, 0);
	if (!both) {
		bpf_obj_drop_impl(item, 0);
		return -2;
	}
	bpf_spin_lock(&lock);
	bpf_rbtree_add_impl(&root, &item->tree, less, 0, 0);
	bpf_list_push_back_impl(&head, &both->list, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int take_least(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	struct item *item;
	int key;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&root);
	if (!node) {
		bpf_spin_unlock(&lock);
		return -1;
	}
	node = bpf_rbtree_remove(&root, node);
	bpf_spin_unlock(&lock);
	if (!node)
		return -2;
	item = container_of(node, struct item, tree);
	key = item->key;
	bpf_obj_drop_impl(item, 0);
	return key;
}

SEC("tc")
int take_oldest(struct __sk_buff *skb)
{
	struct bpf_list_node *node;
	struct item *item;
	int key;

	bpf_spin_lock(&lock);
	node = bpf_list_pop_front(&head);
	bpf_spin_unlock(&lock);
	if (!node)
		return -1;
	item = container_of(node, struct item, list);
	key = item->key;
	bpf_obj_drop_impl(item, 0);
	return key;
}

SEC("tc")
int stash(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct slot *slot = bpf_map_lookup_elem(&slots, &zero);
	struct item *item = bpf_obj_new(struct item), *old;

	if (!item)
		return -1;
	if (!slot) {
		bpf_obj_drop_impl(item, 0);
		return -2;
	}
	item->key = skb->mark;
	old = bpf_kptr_xchg(&slot->item, item);
	if (old) {
		int key = old->key;

		bpf_obj_drop_impl(old, 0);
		return key;
	}
	return 0;
}
