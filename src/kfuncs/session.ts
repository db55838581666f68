/**
 * Kprobe and uprobe sessions.
 *
 * Source   kernel/trace/bpf_trace.c.
 */
import { BPF_TRACE_KPROBE_SESSION, BPF_TRACE_UPROBE_SESSION } from "../abi/bpf.ts";
import { type Kfunc, kfuncsOf } from "./kfunc.ts";

export const SESSION_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["kprobe"],
    attachTypes: [BPF_TRACE_KPROBE_SESSION, BPF_TRACE_UPROBE_SESSION],
    funcs: {
      bpf_session_is_return: 0,
      bpf_session_cookie: 0,
    },
  }),
];
