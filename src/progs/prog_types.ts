/**
 * Program types: context, packet access, results, sleeping, test runs. One entry per BPF_PROG_TYPE_*.
 *
 * A type may differ by expected attach type; `variants` gives the key under which ctx_access.ts and helper_sets.ts know
 * it ("cgroup_sock_addr/bind4"). What depends on an attach target (tracing, lsm, struct_ops) is decided by the verifier.
 *
 * Source   include/linux/bpf_types.h, net/core/filter.c, kernel/bpf/cgroup.c, kernel/trace/bpf_trace.c, check_return_code()
 *          and may_access_direct_pkt_data() in kernel/bpf/verifier.c; names as bpftool prints them.
 */
import * as bpf from "../abi/bpf.ts";

/** What a load from a context field gives, when that is not a number. */
export type CtxPtrKind =
  | "pkt"
  | "pkt_meta"
  | "pkt_end"
  | "flow_keys"
  | "sock"
  | "sock_or_null"
  | "sock_common_or_null"
  | "tp_buffer"
  /** A trusted pointer to the kernel struct named by CtxPtr.btf. */
  | "btf";

export interface CtxPtr {
  /** Bytes; the field is as wide as the only size at which ctx_access.ts lists it. */
  readonly off: number;
  readonly kind: CtxPtrKind;
  readonly btf?: string;
}

export type CtxRule =
  /** Listed in CTX_ACCESS under the variant's key. */
  | { readonly kind: "fields" }
  /** Any aligned access inside [start, end); writes only where said; `wide` ends the part that takes 8-byte loads only. */
  | {
      readonly kind: "range";
      readonly start: number;
      readonly end: number;
      readonly write: boolean;
      readonly wideUntil?: number;
    }
  /** Arguments of the function attached to, by BTF. */
  | { readonly kind: "btf" };

/** Inclusive range of results; the program's exit is checked against it. */
export interface RetRange {
  readonly min: number;
  readonly max: number;
}

export type TestRunKind =
  | "skb"
  | "xdp"
  | "flow_dissector"
  | "raw_tp"
  | "tracing"
  | "sk_lookup"
  | "syscall"
  | "nf"
  | "struct_ops";

/** Direct access to packet bytes; "data" types let helpers read packets always, not only helpers with pktAccess. */
export type PktAccess = "none" | "read" | "write" | "data";

export interface ProgType {
  readonly type: number;
  readonly name: string;
  /** Struct (or typedef) of the context in programs, and in the kernel. */
  readonly ctxStruct: string;
  readonly kernCtx: string;
  readonly ctx: CtxRule;
  readonly ctxPtrs?: readonly CtxPtr[];
  /** Bytes of the context, end exclusive, that only CAP_BPF may touch; `write`: only writes need it. */
  readonly ctxNeedsBpf?: readonly { readonly start: number; readonly end: number; readonly write?: true }[];
  /** Keys of ctx_access.ts and helper_sets.ts by expected attach type; absent = the type's name. */
  readonly variants?: { readonly byAttach: Readonly<Record<number, string>>; readonly other: string };
  readonly pkt: PktAccess;
  /** Results checked at exit; absent = any. */
  readonly ret?: { readonly byAttach?: Readonly<Record<number, RetRange>>; readonly other: RetRange | undefined };
  /** Legacy BPF_LD_ABS and BPF_LD_IND are allowed. */
  readonly ldAbs?: boolean;
  readonly sleepable?: "may" | "must";
  /** Loads need attach_btf_id (or an attached program). */
  readonly attachBtf?: boolean;
  readonly testRun?: TestRunKind;
}

const BOOL: RetRange = { min: 0, max: 1 };
const ZERO: RetRange = { min: 0, max: 0 };
const ONE: RetRange = { min: 1, max: 1 };
const TWO_BITS: RetRange = { min: 0, max: 3 };

const FIELDS: CtxRule = { kind: "fields" };
const BTF: CtxRule = { kind: "btf" };

const SKB_SK: CtxPtr = { off: 168, kind: "sock_common_or_null" };
const SKB_DATA: CtxPtr = { off: 76, kind: "pkt" };
const SKB_DATA_END: CtxPtr = { off: 80, kind: "pkt_end" };
const SKB_DATA_META: CtxPtr = { off: 140, kind: "pkt_meta" };
const SKB = { ctxStruct: "__sk_buff", kernCtx: "sk_buff", ctx: FIELDS } as const;
const LWT = { ...SKB, ctxPtrs: [SKB_DATA, SKB_DATA_END, SKB_SK], testRun: "skb" } as const;
const TC = {
  ...SKB,
  ctxPtrs: [SKB_DATA, SKB_DATA_END, SKB_DATA_META, SKB_SK],
  pkt: "write",
  ldAbs: true,
  testRun: "skb",
} as const;
const NO_CTX = { ctxStruct: "void", kernCtx: "void" } as const;
const RAW_TP_ARGS = { kind: "range", start: 0, end: 96, write: false } as const;
/** MAX_BPF_FUNC_ARGS u64 words. */
export const TRACING_CTX_BYTES = 96;

const TYPES: readonly ProgType[] = [
  {
    ...SKB,
    type: bpf.BPF_PROG_TYPE_SOCKET_FILTER,
    name: "socket_filter",
    ctxPtrs: [SKB_SK],
    pkt: "none",
    ldAbs: true,
    testRun: "skb",
  },
  {
    type: bpf.BPF_PROG_TYPE_KPROBE,
    name: "kprobe",
    ctxStruct: "bpf_user_pt_regs_t",
    kernCtx: "pt_regs",
    ctx: { kind: "range", start: 0, end: 168, write: false },
    pkt: "none",
    ret: { byAttach: { [bpf.BPF_TRACE_KPROBE_SESSION]: BOOL, [bpf.BPF_TRACE_UPROBE_SESSION]: BOOL }, other: undefined },
    sleepable: "may",
  },
  { ...TC, type: bpf.BPF_PROG_TYPE_SCHED_CLS, name: "sched_cls" },
  { ...TC, type: bpf.BPF_PROG_TYPE_SCHED_ACT, name: "sched_act" },
  {
    type: bpf.BPF_PROG_TYPE_TRACEPOINT,
    name: "tracepoint",
    ctxStruct: "__u64",
    kernCtx: "u64",
    ctx: { kind: "range", start: 8, end: 8192, write: false },
    pkt: "none",
  },
  {
    type: bpf.BPF_PROG_TYPE_XDP,
    name: "xdp",
    ctxStruct: "xdp_md",
    kernCtx: "xdp_buff",
    ctx: FIELDS,
    ctxPtrs: [
      { off: 0, kind: "pkt" },
      { off: 4, kind: "pkt_end" },
      { off: 8, kind: "pkt_meta" },
    ],
    variants: { byAttach: { [bpf.BPF_XDP_DEVMAP]: "xdp/devmap" }, other: "xdp" },
    pkt: "write",
    testRun: "xdp",
  },
  {
    type: bpf.BPF_PROG_TYPE_PERF_EVENT,
    name: "perf_event",
    ctxStruct: "bpf_perf_event_data",
    kernCtx: "bpf_perf_event_data_kern",
    ctx: { kind: "range", start: 0, end: 184, write: false, wideUntil: 168 },
    pkt: "none",
  },
  {
    ...SKB,
    type: bpf.BPF_PROG_TYPE_CGROUP_SKB,
    name: "cgroup_skb",
    ctxPtrs: [SKB_DATA, SKB_DATA_END, SKB_SK],
    // data and data_end; tstamp
    ctxNeedsBpf: [
      { start: 76, end: 84 },
      { start: 152, end: 160, write: true },
    ],
    variants: { byAttach: { [bpf.BPF_CGROUP_INET_EGRESS]: "cgroup_skb/egress" }, other: "cgroup_skb/ingress" },
    pkt: "read",
    ret: { byAttach: { [bpf.BPF_CGROUP_INET_EGRESS]: TWO_BITS }, other: BOOL },
    testRun: "skb",
  },
  {
    type: bpf.BPF_PROG_TYPE_CGROUP_SOCK,
    name: "cgroup_sock",
    ctxStruct: "bpf_sock",
    kernCtx: "sock",
    ctx: FIELDS,
    variants: {
      byAttach: {
        [bpf.BPF_CGROUP_INET4_POST_BIND]: "cgroup_sock/post_bind4",
        [bpf.BPF_CGROUP_INET6_POST_BIND]: "cgroup_sock/post_bind6",
        [bpf.BPF_CGROUP_INET_SOCK_RELEASE]: "cgroup_sock/release",
      },
      other: "cgroup_sock/create",
    },
    pkt: "none",
    ret: { other: BOOL },
  },
  { ...LWT, type: bpf.BPF_PROG_TYPE_LWT_IN, name: "lwt_in", pkt: "read" },
  { ...LWT, type: bpf.BPF_PROG_TYPE_LWT_OUT, name: "lwt_out", pkt: "read" },
  { ...LWT, type: bpf.BPF_PROG_TYPE_LWT_XMIT, name: "lwt_xmit", pkt: "write" },
  {
    type: bpf.BPF_PROG_TYPE_SOCK_OPS,
    name: "sock_ops",
    ctxStruct: "bpf_sock_ops",
    kernCtx: "bpf_sock_ops_kern",
    ctx: FIELDS,
    ctxPtrs: [
      { off: 184, kind: "sock_or_null" },
      { off: 192, kind: "pkt" },
      { off: 200, kind: "pkt_end" },
    ],
    pkt: "none",
    ret: { other: BOOL },
  },
  { ...SKB, type: bpf.BPF_PROG_TYPE_SK_SKB, name: "sk_skb", ctxPtrs: [SKB_DATA, SKB_DATA_END, SKB_SK], pkt: "write" },
  {
    type: bpf.BPF_PROG_TYPE_CGROUP_DEVICE,
    name: "cgroup_device",
    ctxStruct: "bpf_cgroup_dev_ctx",
    kernCtx: "bpf_cgroup_dev_ctx",
    ctx: FIELDS,
    pkt: "none",
    ret: { other: BOOL },
  },
  {
    type: bpf.BPF_PROG_TYPE_SK_MSG,
    name: "sk_msg",
    ctxStruct: "sk_msg_md",
    kernCtx: "sk_msg",
    ctx: FIELDS,
    ctxPtrs: [
      { off: 0, kind: "pkt" },
      { off: 8, kind: "pkt_end" },
      { off: 72, kind: "sock" },
    ],
    pkt: "write",
  },
  {
    type: bpf.BPF_PROG_TYPE_RAW_TRACEPOINT,
    name: "raw_tracepoint",
    ctxStruct: "bpf_raw_tracepoint_args",
    kernCtx: "u64",
    ctx: RAW_TP_ARGS,
    pkt: "none",
    testRun: "raw_tp",
  },
  {
    type: bpf.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    name: "cgroup_sock_addr",
    ctxStruct: "bpf_sock_addr",
    kernCtx: "bpf_sock_addr_kern",
    ctx: FIELDS,
    ctxPtrs: [{ off: 64, kind: "sock" }],
    variants: {
      byAttach: {
        [bpf.BPF_CGROUP_INET4_BIND]: "cgroup_sock_addr/bind4",
        [bpf.BPF_CGROUP_INET6_BIND]: "cgroup_sock_addr/bind6",
        [bpf.BPF_CGROUP_INET4_CONNECT]: "cgroup_sock_addr/connect4",
        [bpf.BPF_CGROUP_INET6_CONNECT]: "cgroup_sock_addr/connect6",
        [bpf.BPF_CGROUP_UNIX_CONNECT]: "cgroup_sock_addr/unix_send",
        [bpf.BPF_CGROUP_UDP4_SENDMSG]: "cgroup_sock_addr/sendmsg4",
        [bpf.BPF_CGROUP_UDP6_SENDMSG]: "cgroup_sock_addr/sendmsg6",
        [bpf.BPF_CGROUP_UNIX_SENDMSG]: "cgroup_sock_addr/unix_send",
        [bpf.BPF_CGROUP_UDP4_RECVMSG]: "cgroup_sock_addr/recvmsg4",
        [bpf.BPF_CGROUP_UDP6_RECVMSG]: "cgroup_sock_addr/recvmsg6",
        [bpf.BPF_CGROUP_INET4_GETPEERNAME]: "cgroup_sock_addr/recvmsg4",
        [bpf.BPF_CGROUP_INET6_GETPEERNAME]: "cgroup_sock_addr/recvmsg6",
        [bpf.BPF_CGROUP_INET4_GETSOCKNAME]: "cgroup_sock_addr/recvmsg4",
        [bpf.BPF_CGROUP_INET6_GETSOCKNAME]: "cgroup_sock_addr/recvmsg6",
      },
      other: "cgroup_sock_addr/unix_recv",
    },
    pkt: "none",
    ret: {
      byAttach: {
        [bpf.BPF_CGROUP_INET4_BIND]: TWO_BITS,
        [bpf.BPF_CGROUP_INET6_BIND]: TWO_BITS,
        [bpf.BPF_CGROUP_UDP4_RECVMSG]: ONE,
        [bpf.BPF_CGROUP_UDP6_RECVMSG]: ONE,
        [bpf.BPF_CGROUP_UNIX_RECVMSG]: ONE,
        [bpf.BPF_CGROUP_INET4_GETPEERNAME]: ONE,
        [bpf.BPF_CGROUP_INET6_GETPEERNAME]: ONE,
        [bpf.BPF_CGROUP_UNIX_GETPEERNAME]: ONE,
        [bpf.BPF_CGROUP_INET4_GETSOCKNAME]: ONE,
        [bpf.BPF_CGROUP_INET6_GETSOCKNAME]: ONE,
        [bpf.BPF_CGROUP_UNIX_GETSOCKNAME]: ONE,
      },
      other: BOOL,
    },
  },
  { ...LWT, type: bpf.BPF_PROG_TYPE_LWT_SEG6LOCAL, name: "lwt_seg6local", pkt: "read" },
  {
    type: bpf.BPF_PROG_TYPE_LIRC_MODE2,
    name: "lirc_mode2",
    ctxStruct: "__u32",
    kernCtx: "u32",
    ctx: { kind: "range", start: 0, end: 4, write: false },
    pkt: "none",
  },
  {
    type: bpf.BPF_PROG_TYPE_SK_REUSEPORT,
    name: "sk_reuseport",
    ctxStruct: "sk_reuseport_md",
    kernCtx: "sk_reuseport_kern",
    ctx: FIELDS,
    ctxPtrs: [
      { off: 0, kind: "pkt" },
      { off: 8, kind: "pkt_end" },
      { off: 40, kind: "sock" },
      { off: 48, kind: "sock_common_or_null" },
    ],
    pkt: "read",
  },
  {
    type: bpf.BPF_PROG_TYPE_FLOW_DISSECTOR,
    name: "flow_dissector",
    ctxStruct: "__sk_buff",
    kernCtx: "bpf_flow_dissector",
    ctx: FIELDS,
    ctxPtrs: [SKB_DATA, SKB_DATA_END, { off: 144, kind: "flow_keys" }],
    pkt: "read",
    testRun: "flow_dissector",
  },
  {
    type: bpf.BPF_PROG_TYPE_CGROUP_SYSCTL,
    name: "cgroup_sysctl",
    ctxStruct: "bpf_sysctl",
    kernCtx: "bpf_sysctl_kern",
    ctx: FIELDS,
    pkt: "none",
    ret: { other: BOOL },
  },
  {
    type: bpf.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
    name: "raw_tracepoint_writable",
    ctxStruct: "bpf_raw_tracepoint_args",
    kernCtx: "u64",
    ctx: RAW_TP_ARGS,
    ctxPtrs: [{ off: 0, kind: "tp_buffer" }],
    pkt: "none",
  },
  {
    type: bpf.BPF_PROG_TYPE_CGROUP_SOCKOPT,
    name: "cgroup_sockopt",
    ctxStruct: "bpf_sockopt",
    kernCtx: "bpf_sockopt_kern",
    ctx: FIELDS,
    ctxPtrs: [
      { off: 0, kind: "sock" },
      { off: 8, kind: "pkt" },
      { off: 16, kind: "pkt_end" },
    ],
    variants: { byAttach: { [bpf.BPF_CGROUP_GETSOCKOPT]: "cgroup_sockopt/get" }, other: "cgroup_sockopt/set" },
    pkt: "data",
    ret: { other: BOOL },
  },
  {
    ...NO_CTX,
    type: bpf.BPF_PROG_TYPE_TRACING,
    name: "tracing",
    ctx: BTF,
    pkt: "none",
    ret: {
      byAttach: { [bpf.BPF_TRACE_FENTRY]: ZERO, [bpf.BPF_TRACE_FEXIT]: ZERO, [bpf.BPF_TRACE_ITER]: BOOL },
      other: undefined,
    },
    sleepable: "may",
    attachBtf: true,
    testRun: "tracing",
  },
  {
    ...NO_CTX,
    type: bpf.BPF_PROG_TYPE_STRUCT_OPS,
    name: "struct_ops",
    ctx: BTF,
    pkt: "none",
    sleepable: "may",
    attachBtf: true,
    testRun: "struct_ops",
  },
  { ...NO_CTX, type: bpf.BPF_PROG_TYPE_EXT, name: "ext", ctx: BTF, pkt: "none", attachBtf: true },
  { ...NO_CTX, type: bpf.BPF_PROG_TYPE_LSM, name: "lsm", ctx: BTF, pkt: "none", sleepable: "may", attachBtf: true },
  {
    type: bpf.BPF_PROG_TYPE_SK_LOOKUP,
    name: "sk_lookup",
    ctxStruct: "bpf_sk_lookup",
    kernCtx: "bpf_sk_lookup_kern",
    ctx: FIELDS,
    ctxPtrs: [{ off: 0, kind: "sock_or_null" }],
    pkt: "none",
    ret: { other: BOOL },
    testRun: "sk_lookup",
  },
  {
    ...NO_CTX,
    type: bpf.BPF_PROG_TYPE_SYSCALL,
    name: "syscall",
    // Linux takes any offset below U16_MAX; the loader says how long the context really is.
    ctx: { kind: "range", start: 0, end: 65535, write: true },
    pkt: "none",
    sleepable: "must",
    testRun: "syscall",
  },
  {
    type: bpf.BPF_PROG_TYPE_NETFILTER,
    name: "netfilter",
    ctxStruct: "bpf_nf_ctx",
    kernCtx: "bpf_nf_ctx",
    ctx: FIELDS,
    ctxPtrs: [
      { off: 0, kind: "btf", btf: "nf_hook_state" },
      { off: 8, kind: "btf", btf: "sk_buff" },
    ],
    pkt: "none",
    ret: { other: BOOL },
    testRun: "nf",
  },
];

/** Index is the BPF_PROG_TYPE_* number. */
export const PROG_TYPES: readonly (ProgType | undefined)[] = (() => {
  const table: (ProgType | undefined)[] = [];
  for (const t of TYPES) table[t.type] = t;
  return table;
})();

/** Key of this program in ctx_access.ts and helper_sets.ts. */
export function variantKey(type: ProgType, expectedAttachType: number): string {
  return type.variants ? (type.variants.byAttach[expectedAttachType] ?? type.variants.other) : type.name;
}
