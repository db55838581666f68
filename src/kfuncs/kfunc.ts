/**
 * One kernel function that programs may call: KF_ flags and where it is registered.
 *
 * The prototype is the kernel BTF's; argument conventions are in parameter names (`__sz`, `__k`, `__nullable`, ...) and
 * are read by the verifier. Bodies are attached by the kernel that runs programs.
 * Source   include/linux/btf.h (KF_*), bpf_prog_type_to_kfunc_hook() in kernel/bpf/btf.c.
 */
import * as bpf from "../abi/bpf.ts";

export const KF_ACQUIRE = 1 << 0;
export const KF_RELEASE = 1 << 1;
export const KF_RET_NULL = 1 << 2;
export const KF_TRUSTED_ARGS = 1 << 4;
export const KF_SLEEPABLE = 1 << 5;
export const KF_DESTRUCTIVE = 1 << 6;
export const KF_RCU = 1 << 7;
export const KF_ITER_NEW = 1 << 8;
export const KF_ITER_NEXT = 1 << 9;
export const KF_ITER_DESTROY = 1 << 10;
export const KF_RCU_PROTECTED = 1 << 11;
export const KF_FASTCALL = 1 << 12;
export const KF_ARENA_RET = 1 << 13;
export const KF_ARENA_ARG1 = 1 << 14;
export const KF_ARENA_ARG2 = 1 << 15;

/** Where a set of kfuncs is registered; several program types share a hook. "common" is every program. */
export type KfuncHook =
  | "common"
  | "xdp"
  | "tc"
  | "struct_ops"
  | "tracing"
  | "syscall"
  | "fmodret"
  | "cgroup"
  | "sched_act"
  | "sk_skb"
  | "socket_filter"
  | "lwt"
  | "netfilter"
  | "kprobe";

const HOOK_OF: Readonly<Record<number, KfuncHook>> = {
  [bpf.BPF_PROG_TYPE_XDP]: "xdp",
  [bpf.BPF_PROG_TYPE_SCHED_CLS]: "tc",
  [bpf.BPF_PROG_TYPE_STRUCT_OPS]: "struct_ops",
  [bpf.BPF_PROG_TYPE_TRACING]: "tracing",
  [bpf.BPF_PROG_TYPE_TRACEPOINT]: "tracing",
  [bpf.BPF_PROG_TYPE_PERF_EVENT]: "tracing",
  [bpf.BPF_PROG_TYPE_LSM]: "tracing",
  [bpf.BPF_PROG_TYPE_SYSCALL]: "syscall",
  [bpf.BPF_PROG_TYPE_CGROUP_SKB]: "cgroup",
  [bpf.BPF_PROG_TYPE_CGROUP_SOCK]: "cgroup",
  [bpf.BPF_PROG_TYPE_CGROUP_DEVICE]: "cgroup",
  [bpf.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: "cgroup",
  [bpf.BPF_PROG_TYPE_CGROUP_SOCKOPT]: "cgroup",
  [bpf.BPF_PROG_TYPE_CGROUP_SYSCTL]: "cgroup",
  [bpf.BPF_PROG_TYPE_SOCK_OPS]: "cgroup",
  [bpf.BPF_PROG_TYPE_SCHED_ACT]: "sched_act",
  [bpf.BPF_PROG_TYPE_SK_SKB]: "sk_skb",
  [bpf.BPF_PROG_TYPE_SOCKET_FILTER]: "socket_filter",
  [bpf.BPF_PROG_TYPE_LWT_IN]: "lwt",
  [bpf.BPF_PROG_TYPE_LWT_OUT]: "lwt",
  [bpf.BPF_PROG_TYPE_LWT_XMIT]: "lwt",
  [bpf.BPF_PROG_TYPE_LWT_SEG6LOCAL]: "lwt",
  [bpf.BPF_PROG_TYPE_NETFILTER]: "netfilter",
  [bpf.BPF_PROG_TYPE_KPROBE]: "kprobe",
};

/** Hook of a program type; undefined for types that may call common kfuncs only. */
export function kfuncHook(progType: number): KfuncHook | undefined {
  return HOOK_OF[progType];
}

export interface Kfunc {
  readonly name: string;
  /** KF_*. */
  readonly flags: number;
  readonly hooks: readonly KfuncHook[];
  /** Further narrowing inside the hooks: programs of these types only, or of these expected attach types only. */
  readonly progTypes?: readonly number[];
  readonly attachTypes?: readonly number[];
  /** For programs bound to a device only (BPF_F_XDP_DEV_BOUND_ONLY). */
  readonly devBound?: boolean;
}

export interface KfuncSet {
  readonly hooks: readonly KfuncHook[];
  readonly progTypes?: readonly number[];
  readonly attachTypes?: readonly number[];
  readonly devBound?: boolean;
  /** Name to flags. */
  readonly funcs: Readonly<Record<string, number>>;
}

export function kfuncsOf(set: KfuncSet): Kfunc[] {
  const { hooks, progTypes, attachTypes, devBound } = set;
  return Object.entries(set.funcs).map(([name, flags]) => ({
    name,
    flags,
    hooks,
    ...(progTypes && { progTypes }),
    ...(attachTypes && { attachTypes }),
    ...(devBound && { devBound }),
  }));
}

/** May programs of this type call it? */
export function kfuncAllowed(kfunc: Kfunc, progType: number, expectedAttachType: number): boolean {
  const hook = kfuncHook(progType);
  if (!kfunc.hooks.includes("common") && (hook === undefined || !kfunc.hooks.includes(hook))) return false;
  if (kfunc.progTypes && !kfunc.progTypes.includes(progType)) return false;
  return !kfunc.attachTypes || kfunc.attachTypes.includes(expectedAttachType);
}
