/**
 * Linked lists and red-black trees of allocated objects.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { KF_ACQUIRE, KF_RET_NULL, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const GRAPH_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tracing", "tc", "xdp", "struct_ops", "syscall", "cgroup"],
    funcs: {
      bpf_list_push_front_impl: 0,
      bpf_list_push_back_impl: 0,
      bpf_list_pop_front: KF_ACQUIRE | KF_RET_NULL,
      bpf_list_pop_back: KF_ACQUIRE | KF_RET_NULL,
      bpf_list_front: KF_RET_NULL,
      bpf_list_back: KF_RET_NULL,
      bpf_rbtree_remove: KF_ACQUIRE | KF_RET_NULL,
      bpf_rbtree_add_impl: 0,
      bpf_rbtree_first: KF_RET_NULL,
      bpf_rbtree_root: KF_RET_NULL,
      bpf_rbtree_left: KF_RET_NULL,
      bpf_rbtree_right: KF_RET_NULL,
    },
  }),
];
