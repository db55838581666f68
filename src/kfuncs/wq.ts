/**
 * Work queues in map values.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { type Kfunc, kfuncsOf } from "./kfunc.ts";

export const WQ_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_wq_init: 0,
      bpf_wq_set_callback_impl: 0,
      bpf_wq_start: 0,
    },
  }),
];
