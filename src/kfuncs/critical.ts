/**
 * RCU read sections, preemption, interrupts and resilient spin locks.
 *
 * Source   kernel/bpf/helpers.c, kernel/bpf/rqspinlock.c.
 */
import { KF_RET_NULL, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const CRITICAL_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_rcu_read_lock: 0,
      bpf_rcu_read_unlock: 0,
      bpf_preempt_disable: 0,
      bpf_preempt_enable: 0,
      bpf_local_irq_save: 0,
      bpf_local_irq_restore: 0,
      bpf_res_spin_lock: KF_RET_NULL,
      bpf_res_spin_unlock: 0,
      bpf_res_spin_lock_irqsave: KF_RET_NULL,
      bpf_res_spin_unlock_irqrestore: 0,
    },
  }),
];
