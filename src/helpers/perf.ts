/**
 * Perf events, stack traces and branch records.
 *
 * Source   kernel/trace/bpf_trace.c, kernel/bpf/stackmap.c.
 */
import {
  BPF_FUNC_get_branch_snapshot,
  BPF_FUNC_get_stack,
  BPF_FUNC_get_stackid,
  BPF_FUNC_get_task_stack,
  BPF_FUNC_perf_event_output,
  BPF_FUNC_perf_event_read,
  BPF_FUNC_perf_event_read_value,
  BPF_FUNC_perf_prog_read_value,
  BPF_FUNC_read_branch_records,
  BPF_FUNC_skb_output,
  BPF_FUNC_xdp_output,
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_LSM,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_LWT_SEG6LOCAL,
  BPF_PROG_TYPE_LWT_XMIT,
  BPF_PROG_TYPE_PERF_EVENT,
  BPF_PROG_TYPE_RAW_TRACEPOINT,
  BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
  BPF_PROG_TYPE_SCHED_ACT,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SK_SKB,
  BPF_PROG_TYPE_SOCKET_FILTER,
  BPF_PROG_TYPE_SYSCALL,
  BPF_PROG_TYPE_TRACING,
  BPF_PROG_TYPE_XDP,
} from "../abi/bpf.ts";
import { EINVAL, EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_MEM_OR_NULL,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_RDONLY,
  MEM_WRITE,
  RET_INTEGER,
} from "./types.ts";

/** Their context is an skb. */
const SKB_PROGS = [
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_LWT_XMIT,
  BPF_PROG_TYPE_LWT_SEG6LOCAL,
  BPF_PROG_TYPE_SCHED_ACT,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SOCKET_FILTER,
  BPF_PROG_TYPE_SK_SKB,
];

export const perf_event_read: Helper = {
  id: BPF_FUNC_perf_event_read,
  name: "perf_event_read",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "pq:q",
  unsupported: { errno: EOPNOTSUPP, reason: "perf counters are not modelled" },
};

export const perf_event_read_value: Helper = {
  id: BPF_FUNC_perf_event_read_value,
  name: "perf_event_read_value",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "pqpp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "perf counters are not modelled" },
};

export const perf_event_output: Helper = {
  id: BPF_FUNC_perf_event_output,
  name: "perf_event_output",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "ppqpq:i",
  core: "bpf_perf_event_output",
  variants: [
    { progs: [BPF_PROG_TYPE_XDP], core: "xdp_event_output" },
    { progs: SKB_PROGS, core: "skb_event_output" },
  ],
};

export const perf_prog_read_value: Helper = {
  id: BPF_FUNC_perf_prog_read_value,
  name: "perf_prog_read_value",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER, gplOnly: true },
  abi: "ppp:i",
  call: perfProgReadValue,
};

export const skb_output: Helper = {
  id: BPF_FUNC_skb_output,
  name: "skb_output",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    argBtf: ["sk_buff"],
    gplOnly: true,
  },
  abi: "ppqpq:i",
  core: "skb_event_output",
};

export const xdp_output: Helper = {
  id: BPF_FUNC_xdp_output,
  name: "xdp_output",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_CONST_MAP_PTR, ARG_ANYTHING, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    argBtf: ["xdp_buff"],
    gplOnly: true,
  },
  abi: "ppqpq:i",
  core: "xdp_event_output",
};

export const get_stackid: Helper = {
  id: BPF_FUNC_get_stackid,
  name: "get_stackid",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  variants: [
    {
      progs: [BPF_PROG_TYPE_PERF_EVENT],
      proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER },
    },
  ],
  abi: "ppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "stacks and branch records are not modelled" },
};

export const get_stack: Helper = {
  id: BPF_FUNC_get_stack,
  name: "get_stack",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  variants: [
    {
      progs: [
        BPF_PROG_TYPE_RAW_TRACEPOINT,
        BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
        BPF_PROG_TYPE_SYSCALL,
        BPF_PROG_TYPE_TRACING,
        BPF_PROG_TYPE_LSM,
      ],
      proto: {
        args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
        ret: RET_INTEGER,
        gplOnly: true,
      },
    },
  ],
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "stacks and branch records are not modelled" },
};

export const get_task_stack: Helper = {
  id: BPF_FUNC_get_task_stack,
  name: "get_task_stack",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
    argBtf: ["task_struct"],
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "stacks and branch records are not modelled" },
};

export const read_branch_records: Helper = {
  id: BPF_FUNC_read_branch_records,
  name: "read_branch_records",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM_OR_NULL | MEM_WRITE, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "stacks and branch records are not modelled" },
};

export const get_branch_snapshot: Helper = {
  id: BPF_FUNC_get_branch_snapshot,
  name: "get_branch_snapshot",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO], ret: RET_INTEGER, gplOnly: true },
  abi: "ppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "stacks and branch records are not modelled" },
};

declare module "./helper.ts" {
  interface RuntimeServices {
    /** The perf event whose program runs. */
    readonly perfEvent: { counter(): { counter: bigint; enabled: bigint; running: bigint } | undefined };
  }
}

/** sizeof(struct bpf_perf_event_value). */
const PERF_EVENT_VALUE = 24;

function perfProgReadValue(rt: Runtime, _ctx: number, buf: number, size: number): number {
  const { memory, services } = rt;
  const at = buf >>> 0;
  memory.fill(at, 0, size >>> 0);
  const value = services.perfEvent.counter();
  if (size >>> 0 !== PERF_EVENT_VALUE || !value) return -EINVAL;
  memory.writeU64(at, value.counter);
  memory.writeU64(at + 8, value.enabled);
  memory.writeU64(at + 16, value.running);
  return 0;
}
