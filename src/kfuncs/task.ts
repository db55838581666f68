/**
 * Tasks and signals.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { KF_ACQUIRE, KF_RCU, KF_RELEASE, KF_RET_NULL, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const TASK_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tracing", "tc", "xdp", "struct_ops", "syscall", "cgroup"],
    funcs: {
      bpf_task_acquire: KF_ACQUIRE | KF_RCU | KF_RET_NULL,
      bpf_task_release: KF_RELEASE,
      bpf_task_under_cgroup: KF_RCU,
      bpf_task_get_cgroup1: KF_ACQUIRE | KF_RCU | KF_RET_NULL,
      bpf_task_from_pid: KF_ACQUIRE | KF_RET_NULL,
      bpf_task_from_vpid: KF_ACQUIRE | KF_RET_NULL,
      bpf_send_signal_task: KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_task_work_schedule_signal_impl: KF_TRUSTED_ARGS,
      bpf_task_work_schedule_resume_impl: KF_TRUSTED_ARGS,
    },
  }),
];
