/**
 * Allocated objects: creation, reference counts, exceptions.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { KF_ACQUIRE, KF_DESTRUCTIVE, KF_RCU, KF_RELEASE, KF_RET_NULL, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const OBJ_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tracing", "tc", "xdp", "struct_ops", "syscall", "cgroup"],
    funcs: {
      crash_kexec: KF_DESTRUCTIVE,
      bpf_obj_new_impl: KF_ACQUIRE | KF_RET_NULL,
      bpf_percpu_obj_new_impl: KF_ACQUIRE | KF_RET_NULL,
      bpf_obj_drop_impl: KF_RELEASE,
      bpf_percpu_obj_drop_impl: KF_RELEASE,
      bpf_refcount_acquire_impl: KF_ACQUIRE | KF_RET_NULL | KF_RCU,
      bpf_throw: 0,
    },
  }),
];
