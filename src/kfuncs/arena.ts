/**
 * Pages of arena maps.
 *
 * Source   kernel/bpf/arena.c.
 */
import { KF_ARENA_ARG2, KF_ARENA_RET, KF_SLEEPABLE, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const ARENA_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_arena_alloc_pages: KF_TRUSTED_ARGS | KF_SLEEPABLE | KF_ARENA_RET | KF_ARENA_ARG2,
      bpf_arena_free_pages: KF_TRUSTED_ARGS | KF_SLEEPABLE | KF_ARENA_ARG2,
      bpf_arena_reserve_pages: KF_TRUSTED_ARGS | KF_ARENA_ARG2,
    },
  }),
];
