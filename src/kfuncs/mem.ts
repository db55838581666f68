/**
 * User memory, strings, streams and map facts.
 *
 * Source   kernel/bpf/helpers.c, kernel/bpf/map_iter.c, kernel/bpf/stream.c.
 */
import { KF_SLEEPABLE, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const MEM_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_copy_from_user_str: KF_SLEEPABLE,
      bpf_copy_from_user_task_str: KF_SLEEPABLE,
      bpf_map_sum_elem_count: KF_TRUSTED_ARGS,
      bpf_stream_vprintk_impl: KF_TRUSTED_ARGS,
      __bpf_trap: 0,
      bpf_strcmp: 0,
      bpf_strcasecmp: 0,
      bpf_strchr: 0,
      bpf_strchrnul: 0,
      bpf_strnchr: 0,
      bpf_strrchr: 0,
      bpf_strlen: 0,
      bpf_strnlen: 0,
      bpf_strspn: 0,
      bpf_strcspn: 0,
      bpf_strstr: 0,
      bpf_strnstr: 0,
    },
  }),
];
