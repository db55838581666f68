/**
 * SEC() names: what the section of a program says about its type, attach type and load flags.
 *
 * A pattern that ends in `+` matches the bare name and `name/extras`; the others match exactly. The first match counts.
 * Source: libbpf's documented section names (docs.kernel.org, libbpf "program types") and its behaviour.
 */
import * as bpf from "../abi/bpf.ts";

/** How prog.attach() attaches a program without further words; "none" needs a target named by the caller. */
export type SecAttach =
  | "none"
  | "xdp"
  | "tcx"
  | "netkit"
  | "cgroup"
  | "netns"
  | "kprobe"
  | "kprobe_multi"
  | "uprobe"
  | "uprobe_multi"
  | "usdt"
  | "tracepoint"
  | "raw_tracepoint"
  | "tracing"
  | "lsm"
  | "iter"
  | "freplace"
  | "struct_ops"
  | "netfilter";

export interface SecDef {
  /** As written in the table: "kprobe+". */
  readonly pattern: string;
  /** BPF_PROG_TYPE_*. */
  readonly type: number;
  /** BPF_* attach type; 0 when there is none. */
  readonly attachType: number;
  readonly sleepable: boolean;
  /** BPF_F_* of prog_flags. */
  readonly progFlags: number;
  /** The target is a BTF id that must be known when the program is loaded. */
  readonly attachBtf: BtfTarget | undefined;
  readonly attach: SecAttach;
}

/** How the target's name is spelt in the kernel's BTF: prefix, and kind of the type. */
export interface BtfTarget {
  readonly prefix: string;
  readonly kind: "func" | "typedef";
  /** The target lives in another BPF program, not in the kernel. */
  readonly inProg: boolean;
}

const FUNC: BtfTarget = { prefix: "", kind: "func", inProg: false };
const RAW_TP: BtfTarget = { prefix: "btf_trace_", kind: "typedef", inProg: false };
const LSM: BtfTarget = { prefix: "bpf_lsm_", kind: "func", inProg: false };
const ITER: BtfTarget = { prefix: "bpf_iter_", kind: "func", inProg: false };
const PROG: BtfTarget = { prefix: "", kind: "func", inProg: true };

interface Options {
  readonly sleepable?: boolean;
  readonly frags?: boolean;
  readonly attachBtf?: BtfTarget;
}

function def(pattern: string, type: number, attachType: number, attach: SecAttach = "none", o: Options = {}): SecDef {
  const sleepable = o.sleepable ?? false;
  const progFlags = (sleepable ? bpf.BPF_F_SLEEPABLE : 0) | (o.frags ? bpf.BPF_F_XDP_HAS_FRAGS : 0);
  return { pattern, type, attachType, sleepable, progFlags, attachBtf: o.attachBtf, attach };
}

const sleepable = { sleepable: true };
const {
  BPF_PROG_TYPE_SOCKET_FILTER: SOCKET_FILTER,
  BPF_PROG_TYPE_SK_REUSEPORT: SK_REUSEPORT,
  BPF_PROG_TYPE_KPROBE: KPROBE,
  BPF_PROG_TYPE_SCHED_CLS: SCHED_CLS,
  BPF_PROG_TYPE_SCHED_ACT: SCHED_ACT,
  BPF_PROG_TYPE_TRACEPOINT: TRACEPOINT,
  BPF_PROG_TYPE_RAW_TRACEPOINT: RAW_TRACEPOINT,
  BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE: RAW_TRACEPOINT_WRITABLE,
  BPF_PROG_TYPE_TRACING: TRACING,
  BPF_PROG_TYPE_EXT: EXT,
  BPF_PROG_TYPE_LSM: LSM_TYPE,
  BPF_PROG_TYPE_SYSCALL: SYSCALL,
  BPF_PROG_TYPE_XDP: XDP,
  BPF_PROG_TYPE_PERF_EVENT: PERF_EVENT,
  BPF_PROG_TYPE_LWT_IN: LWT_IN,
  BPF_PROG_TYPE_LWT_OUT: LWT_OUT,
  BPF_PROG_TYPE_LWT_XMIT: LWT_XMIT,
  BPF_PROG_TYPE_LWT_SEG6LOCAL: LWT_SEG6LOCAL,
  BPF_PROG_TYPE_SOCK_OPS: SOCK_OPS,
  BPF_PROG_TYPE_SK_SKB: SK_SKB,
  BPF_PROG_TYPE_SK_MSG: SK_MSG,
  BPF_PROG_TYPE_LIRC_MODE2: LIRC_MODE2,
  BPF_PROG_TYPE_FLOW_DISSECTOR: FLOW_DISSECTOR,
  BPF_PROG_TYPE_CGROUP_SKB: CGROUP_SKB,
  BPF_PROG_TYPE_CGROUP_SOCK: CGROUP_SOCK,
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR: CGROUP_SOCK_ADDR,
  BPF_PROG_TYPE_CGROUP_SYSCTL: CGROUP_SYSCTL,
  BPF_PROG_TYPE_CGROUP_SOCKOPT: CGROUP_SOCKOPT,
  BPF_PROG_TYPE_CGROUP_DEVICE: CGROUP_DEVICE,
  BPF_PROG_TYPE_STRUCT_OPS: STRUCT_OPS,
  BPF_PROG_TYPE_SK_LOOKUP: SK_LOOKUP,
  BPF_PROG_TYPE_NETFILTER: NETFILTER,
} = bpf;

/** Every section name a program may have. */
export const SEC_DEFS: readonly SecDef[] = [
  def("socket", SOCKET_FILTER, 0),
  def("sk_reuseport/migrate", SK_REUSEPORT, bpf.BPF_SK_REUSEPORT_SELECT_OR_MIGRATE),
  def("sk_reuseport", SK_REUSEPORT, bpf.BPF_SK_REUSEPORT_SELECT),
  def("kprobe+", KPROBE, 0, "kprobe"),
  def("uprobe+", KPROBE, 0, "uprobe"),
  def("uprobe.s+", KPROBE, 0, "uprobe", sleepable),
  def("kretprobe+", KPROBE, 0, "kprobe"),
  def("uretprobe+", KPROBE, 0, "uprobe"),
  def("uretprobe.s+", KPROBE, 0, "uprobe", sleepable),
  def("kprobe.multi+", KPROBE, bpf.BPF_TRACE_KPROBE_MULTI, "kprobe_multi"),
  def("kretprobe.multi+", KPROBE, bpf.BPF_TRACE_KPROBE_MULTI, "kprobe_multi"),
  def("kprobe.session+", KPROBE, bpf.BPF_TRACE_KPROBE_SESSION, "kprobe_multi"),
  def("uprobe.multi+", KPROBE, bpf.BPF_TRACE_UPROBE_MULTI, "uprobe_multi"),
  def("uretprobe.multi+", KPROBE, bpf.BPF_TRACE_UPROBE_MULTI, "uprobe_multi"),
  def("uprobe.session+", KPROBE, bpf.BPF_TRACE_UPROBE_SESSION, "uprobe_multi"),
  def("uprobe.multi.s+", KPROBE, bpf.BPF_TRACE_UPROBE_MULTI, "uprobe_multi", sleepable),
  def("uretprobe.multi.s+", KPROBE, bpf.BPF_TRACE_UPROBE_MULTI, "uprobe_multi", sleepable),
  def("uprobe.session.s+", KPROBE, bpf.BPF_TRACE_UPROBE_SESSION, "uprobe_multi", sleepable),
  def("ksyscall+", KPROBE, 0, "kprobe"),
  def("kretsyscall+", KPROBE, 0, "kprobe"),
  // A kernel with multi-uprobe links gets USDT programs as such.
  def("usdt+", KPROBE, bpf.BPF_TRACE_UPROBE_MULTI, "usdt"),
  def("usdt.s+", KPROBE, bpf.BPF_TRACE_UPROBE_MULTI, "usdt", sleepable),
  def("tc/ingress", SCHED_CLS, bpf.BPF_TCX_INGRESS, "tcx"),
  def("tc/egress", SCHED_CLS, bpf.BPF_TCX_EGRESS, "tcx"),
  def("tcx/ingress", SCHED_CLS, bpf.BPF_TCX_INGRESS, "tcx"),
  def("tcx/egress", SCHED_CLS, bpf.BPF_TCX_EGRESS, "tcx"),
  def("tc", SCHED_CLS, 0, "tcx"),
  def("classifier", SCHED_CLS, 0, "tcx"),
  def("action", SCHED_ACT, 0),
  def("netkit/primary", SCHED_CLS, bpf.BPF_NETKIT_PRIMARY, "netkit"),
  def("netkit/peer", SCHED_CLS, bpf.BPF_NETKIT_PEER, "netkit"),
  def("tracepoint+", TRACEPOINT, 0, "tracepoint"),
  def("tp+", TRACEPOINT, 0, "tracepoint"),
  def("raw_tracepoint+", RAW_TRACEPOINT, 0, "raw_tracepoint"),
  def("raw_tp+", RAW_TRACEPOINT, 0, "raw_tracepoint"),
  def("raw_tracepoint.w+", RAW_TRACEPOINT_WRITABLE, 0, "raw_tracepoint"),
  def("raw_tp.w+", RAW_TRACEPOINT_WRITABLE, 0, "raw_tracepoint"),
  def("tp_btf+", TRACING, bpf.BPF_TRACE_RAW_TP, "tracing", { attachBtf: RAW_TP }),
  def("fentry+", TRACING, bpf.BPF_TRACE_FENTRY, "tracing", { attachBtf: FUNC }),
  def("fmod_ret+", TRACING, bpf.BPF_MODIFY_RETURN, "tracing", { attachBtf: FUNC }),
  def("fexit+", TRACING, bpf.BPF_TRACE_FEXIT, "tracing", { attachBtf: FUNC }),
  def("fentry.s+", TRACING, bpf.BPF_TRACE_FENTRY, "tracing", { attachBtf: FUNC, sleepable: true }),
  def("fmod_ret.s+", TRACING, bpf.BPF_MODIFY_RETURN, "tracing", { attachBtf: FUNC, sleepable: true }),
  def("fexit.s+", TRACING, bpf.BPF_TRACE_FEXIT, "tracing", { attachBtf: FUNC, sleepable: true }),
  def("freplace+", EXT, 0, "freplace", { attachBtf: PROG }),
  def("lsm+", LSM_TYPE, bpf.BPF_LSM_MAC, "lsm", { attachBtf: LSM }),
  def("lsm.s+", LSM_TYPE, bpf.BPF_LSM_MAC, "lsm", { attachBtf: LSM, sleepable: true }),
  def("lsm_cgroup+", LSM_TYPE, bpf.BPF_LSM_CGROUP, "cgroup", { attachBtf: LSM }),
  def("iter+", TRACING, bpf.BPF_TRACE_ITER, "iter", { attachBtf: ITER }),
  def("iter.s+", TRACING, bpf.BPF_TRACE_ITER, "iter", { attachBtf: ITER, sleepable: true }),
  def("syscall", SYSCALL, 0, "none", sleepable),
  def("xdp.frags/devmap", XDP, bpf.BPF_XDP_DEVMAP, "none", { frags: true }),
  def("xdp/devmap", XDP, bpf.BPF_XDP_DEVMAP),
  def("xdp.frags/cpumap", XDP, bpf.BPF_XDP_CPUMAP, "none", { frags: true }),
  def("xdp/cpumap", XDP, bpf.BPF_XDP_CPUMAP),
  def("xdp.frags", XDP, bpf.BPF_XDP, "xdp", { frags: true }),
  def("xdp", XDP, bpf.BPF_XDP, "xdp"),
  def("perf_event", PERF_EVENT, 0),
  def("lwt_in", LWT_IN, 0),
  def("lwt_out", LWT_OUT, 0),
  def("lwt_xmit", LWT_XMIT, 0),
  def("lwt_seg6local", LWT_SEG6LOCAL, 0),
  def("sockops", SOCK_OPS, bpf.BPF_CGROUP_SOCK_OPS, "cgroup"),
  def("sk_skb/stream_parser", SK_SKB, bpf.BPF_SK_SKB_STREAM_PARSER),
  def("sk_skb/stream_verdict", SK_SKB, bpf.BPF_SK_SKB_STREAM_VERDICT),
  def("sk_skb/verdict", SK_SKB, bpf.BPF_SK_SKB_VERDICT),
  def("sk_skb", SK_SKB, 0),
  def("sk_msg", SK_MSG, bpf.BPF_SK_MSG_VERDICT),
  def("lirc_mode2", LIRC_MODE2, bpf.BPF_LIRC_MODE2),
  def("flow_dissector", FLOW_DISSECTOR, bpf.BPF_FLOW_DISSECTOR, "netns"),
  def("cgroup_skb/ingress", CGROUP_SKB, bpf.BPF_CGROUP_INET_INGRESS, "cgroup"),
  def("cgroup_skb/egress", CGROUP_SKB, bpf.BPF_CGROUP_INET_EGRESS, "cgroup"),
  def("cgroup/skb", CGROUP_SKB, 0, "cgroup"),
  def("cgroup/sock_create", CGROUP_SOCK, bpf.BPF_CGROUP_INET_SOCK_CREATE, "cgroup"),
  def("cgroup/sock_release", CGROUP_SOCK, bpf.BPF_CGROUP_INET_SOCK_RELEASE, "cgroup"),
  def("cgroup/sock", CGROUP_SOCK, bpf.BPF_CGROUP_INET_SOCK_CREATE, "cgroup"),
  def("cgroup/post_bind4", CGROUP_SOCK, bpf.BPF_CGROUP_INET4_POST_BIND, "cgroup"),
  def("cgroup/post_bind6", CGROUP_SOCK, bpf.BPF_CGROUP_INET6_POST_BIND, "cgroup"),
  def("cgroup/bind4", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET4_BIND, "cgroup"),
  def("cgroup/bind6", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET6_BIND, "cgroup"),
  def("cgroup/connect4", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET4_CONNECT, "cgroup"),
  def("cgroup/connect6", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET6_CONNECT, "cgroup"),
  def("cgroup/connect_unix", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UNIX_CONNECT, "cgroup"),
  def("cgroup/sendmsg4", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UDP4_SENDMSG, "cgroup"),
  def("cgroup/sendmsg6", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UDP6_SENDMSG, "cgroup"),
  def("cgroup/sendmsg_unix", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UNIX_SENDMSG, "cgroup"),
  def("cgroup/recvmsg4", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UDP4_RECVMSG, "cgroup"),
  def("cgroup/recvmsg6", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UDP6_RECVMSG, "cgroup"),
  def("cgroup/recvmsg_unix", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UNIX_RECVMSG, "cgroup"),
  def("cgroup/getpeername4", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET4_GETPEERNAME, "cgroup"),
  def("cgroup/getpeername6", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET6_GETPEERNAME, "cgroup"),
  def("cgroup/getpeername_unix", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UNIX_GETPEERNAME, "cgroup"),
  def("cgroup/getsockname4", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET4_GETSOCKNAME, "cgroup"),
  def("cgroup/getsockname6", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_INET6_GETSOCKNAME, "cgroup"),
  def("cgroup/getsockname_unix", CGROUP_SOCK_ADDR, bpf.BPF_CGROUP_UNIX_GETSOCKNAME, "cgroup"),
  def("cgroup/sysctl", CGROUP_SYSCTL, bpf.BPF_CGROUP_SYSCTL, "cgroup"),
  def("cgroup/getsockopt", CGROUP_SOCKOPT, bpf.BPF_CGROUP_GETSOCKOPT, "cgroup"),
  def("cgroup/setsockopt", CGROUP_SOCKOPT, bpf.BPF_CGROUP_SETSOCKOPT, "cgroup"),
  def("cgroup/dev", CGROUP_DEVICE, bpf.BPF_CGROUP_DEVICE, "cgroup"),
  def("struct_ops+", STRUCT_OPS, 0, "struct_ops"),
  def("struct_ops.s+", STRUCT_OPS, 0, "struct_ops", sleepable),
  def("sk_lookup", SK_LOOKUP, bpf.BPF_SK_LOOKUP, "netns"),
  def("netfilter", NETFILTER, bpf.BPF_NETFILTER, "netfilter"),
];

/** @param section name without the leading `?` */
export function findSecDef(section: string): SecDef | undefined {
  return SEC_DEFS.find((d) => {
    if (!d.pattern.endsWith("+")) return d.pattern === section;
    const prefix = d.pattern.slice(0, -1);
    return section.startsWith(prefix) && (section.length === prefix.length || section[prefix.length] === "/");
  });
}
