/**
 * CPU masks.
 *
 * Source   kernel/bpf/cpumask.c.
 */
import { KF_ACQUIRE, KF_RCU, KF_RELEASE, KF_RET_NULL, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const CPUMASK_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tracing", "struct_ops", "syscall"],
    funcs: {
      bpf_cpumask_create: KF_ACQUIRE | KF_RET_NULL,
      bpf_cpumask_release: KF_RELEASE,
      bpf_cpumask_acquire: KF_ACQUIRE | KF_TRUSTED_ARGS,
      bpf_cpumask_first: KF_RCU,
      bpf_cpumask_first_zero: KF_RCU,
      bpf_cpumask_first_and: KF_RCU,
      bpf_cpumask_set_cpu: KF_RCU,
      bpf_cpumask_clear_cpu: KF_RCU,
      bpf_cpumask_test_cpu: KF_RCU,
      bpf_cpumask_test_and_set_cpu: KF_RCU,
      bpf_cpumask_test_and_clear_cpu: KF_RCU,
      bpf_cpumask_setall: KF_RCU,
      bpf_cpumask_clear: KF_RCU,
      bpf_cpumask_and: KF_RCU,
      bpf_cpumask_or: KF_RCU,
      bpf_cpumask_xor: KF_RCU,
      bpf_cpumask_equal: KF_RCU,
      bpf_cpumask_intersects: KF_RCU,
      bpf_cpumask_subset: KF_RCU,
      bpf_cpumask_empty: KF_RCU,
      bpf_cpumask_full: KF_RCU,
      bpf_cpumask_copy: KF_RCU,
      bpf_cpumask_any_distribute: KF_RCU,
      bpf_cpumask_any_and_distribute: KF_RCU,
      bpf_cpumask_weight: KF_RCU,
      bpf_cpumask_populate: KF_RCU,
    },
  }),
];
