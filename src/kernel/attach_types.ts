/**
 * Attach types of BPF_PROG_ATTACH, DETACH and QUERY: which programs go there, and what kind of place it is.
 *
 * Source   attach_type_to_prog_type(), bpf_prog_attach(), bpf_prog_detach(), bpf_prog_query() in kernel/bpf/syscall.c.
 */
import * as abi from "../abi/bpf.ts";

/** "mprog": devices, with an order; "none": Linux knows the type, but programs go there by links alone. */
export type AttachFamily = "cgroup" | "mprog" | "netns" | "sockmap" | "none";

export interface AttachPlace {
  /** BPF_PROG_TYPE_*. */
  readonly progType: number;
  readonly family: AttachFamily;
  /** BPF_PROG_ATTACH can; absent: yes. */
  readonly attach?: false;
}

const places = (
  family: AttachFamily,
  progType: number,
  attachTypes: readonly number[],
): readonly (readonly [number, AttachPlace])[] => attachTypes.map((type) => [type, { progType, family }]);

/** By attach type. */
export const ATTACH_PLACES: ReadonlyMap<number, AttachPlace> = new Map([
  ...places("cgroup", abi.BPF_PROG_TYPE_CGROUP_SKB, [abi.BPF_CGROUP_INET_INGRESS, abi.BPF_CGROUP_INET_EGRESS]),
  ...places("cgroup", abi.BPF_PROG_TYPE_CGROUP_SOCK, [
    abi.BPF_CGROUP_INET_SOCK_CREATE,
    abi.BPF_CGROUP_INET_SOCK_RELEASE,
    abi.BPF_CGROUP_INET4_POST_BIND,
    abi.BPF_CGROUP_INET6_POST_BIND,
  ]),
  ...places("cgroup", abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, [
    abi.BPF_CGROUP_INET4_BIND,
    abi.BPF_CGROUP_INET6_BIND,
    abi.BPF_CGROUP_INET4_CONNECT,
    abi.BPF_CGROUP_INET6_CONNECT,
    abi.BPF_CGROUP_UNIX_CONNECT,
    abi.BPF_CGROUP_INET4_GETPEERNAME,
    abi.BPF_CGROUP_INET6_GETPEERNAME,
    abi.BPF_CGROUP_UNIX_GETPEERNAME,
    abi.BPF_CGROUP_INET4_GETSOCKNAME,
    abi.BPF_CGROUP_INET6_GETSOCKNAME,
    abi.BPF_CGROUP_UNIX_GETSOCKNAME,
    abi.BPF_CGROUP_UDP4_SENDMSG,
    abi.BPF_CGROUP_UDP6_SENDMSG,
    abi.BPF_CGROUP_UNIX_SENDMSG,
    abi.BPF_CGROUP_UDP4_RECVMSG,
    abi.BPF_CGROUP_UDP6_RECVMSG,
    abi.BPF_CGROUP_UNIX_RECVMSG,
  ]),
  ...places("cgroup", abi.BPF_PROG_TYPE_SOCK_OPS, [abi.BPF_CGROUP_SOCK_OPS]),
  ...places("cgroup", abi.BPF_PROG_TYPE_CGROUP_DEVICE, [abi.BPF_CGROUP_DEVICE]),
  ...places("cgroup", abi.BPF_PROG_TYPE_CGROUP_SYSCTL, [abi.BPF_CGROUP_SYSCTL]),
  ...places("cgroup", abi.BPF_PROG_TYPE_CGROUP_SOCKOPT, [abi.BPF_CGROUP_GETSOCKOPT, abi.BPF_CGROUP_SETSOCKOPT]),
  ...places("cgroup", abi.BPF_PROG_TYPE_LSM, [abi.BPF_LSM_CGROUP]),
  ...places("mprog", abi.BPF_PROG_TYPE_SCHED_CLS, [
    abi.BPF_TCX_INGRESS,
    abi.BPF_TCX_EGRESS,
    abi.BPF_NETKIT_PRIMARY,
    abi.BPF_NETKIT_PEER,
  ]),
  ...places("netns", abi.BPF_PROG_TYPE_FLOW_DISSECTOR, [abi.BPF_FLOW_DISSECTOR]),
  [abi.BPF_SK_LOOKUP, { progType: abi.BPF_PROG_TYPE_SK_LOOKUP, family: "netns", attach: false }],
  ...places("sockmap", abi.BPF_PROG_TYPE_SK_MSG, [abi.BPF_SK_MSG_VERDICT]),
  ...places("sockmap", abi.BPF_PROG_TYPE_SK_SKB, [
    abi.BPF_SK_SKB_STREAM_PARSER,
    abi.BPF_SK_SKB_STREAM_VERDICT,
    abi.BPF_SK_SKB_VERDICT,
  ]),
  ...places("none", abi.BPF_PROG_TYPE_TRACING, [
    abi.BPF_TRACE_ITER,
    abi.BPF_TRACE_RAW_TP,
    abi.BPF_TRACE_FENTRY,
    abi.BPF_TRACE_FEXIT,
    abi.BPF_MODIFY_RETURN,
  ]),
  ...places("none", abi.BPF_PROG_TYPE_LSM, [abi.BPF_LSM_MAC]),
  ...places("none", abi.BPF_PROG_TYPE_XDP, [abi.BPF_XDP]),
  ...places("none", abi.BPF_PROG_TYPE_LIRC_MODE2, [abi.BPF_LIRC_MODE2]),
]);

/** The attach types that programs of a type go to. */
export function attachTypesOf(progType: number): readonly number[] {
  return [...ATTACH_PLACES].filter(([, place]) => place.progType === progType).map(([type]) => type);
}
