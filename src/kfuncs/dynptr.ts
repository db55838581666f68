/**
 * Dynamic pointers.
 *
 * Source   kernel/bpf/helpers.c, kernel/trace/bpf_trace.c.
 */
import { KF_RET_NULL, KF_SLEEPABLE, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const DYNPTR_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_dynptr_slice: KF_RET_NULL,
      bpf_dynptr_slice_rdwr: KF_RET_NULL,
      bpf_dynptr_adjust: 0,
      bpf_dynptr_is_null: 0,
      bpf_dynptr_is_rdonly: 0,
      bpf_dynptr_size: 0,
      bpf_dynptr_clone: 0,
      bpf_dynptr_copy: 0,
      bpf_dynptr_memset: 0,
      bpf_probe_read_user_dynptr: 0,
      bpf_probe_read_kernel_dynptr: 0,
      bpf_probe_read_user_str_dynptr: 0,
      bpf_probe_read_kernel_str_dynptr: 0,
      bpf_copy_from_user_dynptr: KF_SLEEPABLE,
      bpf_copy_from_user_str_dynptr: KF_SLEEPABLE,
      bpf_copy_from_user_task_dynptr: KF_SLEEPABLE | KF_TRUSTED_ARGS,
      bpf_copy_from_user_task_str_dynptr: KF_SLEEPABLE | KF_TRUSTED_ARGS,
    },
  }),
];
