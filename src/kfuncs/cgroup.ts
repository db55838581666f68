/**
 * Cgroups.
 *
 * Source   kernel/bpf/helpers.c, kernel/cgroup/rstat.c.
 */
import { KF_ACQUIRE, KF_RCU, KF_RELEASE, KF_RET_NULL, KF_SLEEPABLE, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const CGROUP_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tracing", "tc", "xdp", "struct_ops", "syscall", "cgroup"],
    funcs: {
      bpf_cgroup_acquire: KF_ACQUIRE | KF_RCU | KF_RET_NULL,
      bpf_cgroup_release: KF_RELEASE,
      bpf_cgroup_ancestor: KF_ACQUIRE | KF_RCU | KF_RET_NULL,
      bpf_cgroup_from_id: KF_ACQUIRE | KF_RET_NULL,
    },
  }),
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_cgroup_read_xattr: KF_RCU,
    },
  }),
  ...kfuncsOf({
    hooks: ["tracing"],
    funcs: {
      css_rstat_updated: 0,
      css_rstat_flush: KF_SLEEPABLE,
    },
  }),
];
