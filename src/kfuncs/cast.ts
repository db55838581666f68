/**
 * Casts between kernel types.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { KF_FASTCALL, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const CAST_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_cast_to_kern_ctx: KF_FASTCALL,
      bpf_rdonly_cast: KF_FASTCALL,
    },
  }),
];
