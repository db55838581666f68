/**
 * Functions that exist for tests, and functions whose result fmod_ret programs may change.
 *
 * Source   net/bpf/test_run.c, net/mptcp/bpf.c.
 */
import { KF_RELEASE, KF_SLEEPABLE, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const TEST_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tc", "tracing", "syscall"],
    funcs: {
      bpf_kfunc_call_test_release: KF_RELEASE,
      bpf_kfunc_call_memb_release: KF_RELEASE,
    },
  }),
  ...kfuncsOf({
    hooks: ["fmodret"],
    funcs: {
      bpf_modify_return_test: 0,
      bpf_modify_return_test2: 0,
      bpf_fentry_test1: KF_SLEEPABLE,
      update_socket_protocol: 0,
    },
  }),
  ...kfuncsOf({
    hooks: ["common", "fmodret"],
    funcs: {
      bpf_modify_return_test_tp: 0,
    },
  }),
];
