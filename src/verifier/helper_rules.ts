/**
 * Which helpers a program may call, where that depends on more than its type: attach target, license, kind of tracing.
 *
 * Source   get_func_proto() of the program types: kernel/trace/bpf_trace.c, kernel/bpf/bpf_lsm.c, net/ipv4/bpf_tcp_ca.c.
 */
import {
  BPF_FUNC_get_attach_cookie,
  BPF_FUNC_get_func_arg,
  BPF_FUNC_get_func_arg_cnt,
  BPF_FUNC_get_func_ret,
  BPF_FUNC_get_local_storage,
  BPF_FUNC_get_retval,
  BPF_FUNC_getsockopt,
  BPF_FUNC_ktime_get_coarse_ns,
  BPF_FUNC_seq_printf,
  BPF_FUNC_seq_printf_btf,
  BPF_FUNC_seq_write,
  BPF_FUNC_set_retval,
  BPF_FUNC_setsockopt,
  BPF_FUNC_sk_storage_delete,
  BPF_FUNC_sk_storage_get,
  BPF_FUNC_tcp_send_ack,
  BPF_LSM_CGROUP,
  BPF_PROG_TYPE_LSM,
  BPF_PROG_TYPE_STRUCT_OPS,
  BPF_PROG_TYPE_TRACING,
  BPF_TRACE_ITER,
  BPF_TRACE_RAW_TP,
} from "../abi/bpf.ts";
import { SLEEPABLE_LSM_HOOKS, SOCKOPT_LSM_HOOKS } from "../progs/lsm_hooks.ts";
import type { ProgFacts } from "./prog_facts.ts";

type Rule = (facts: ProgFacts) => boolean;

const isIter: Rule = (f) => f.expectedAttachType === BPF_TRACE_ITER;
const hasTrampoline: Rule = (f) => f.hasTrampoline;
const sockIter: Rule = (f) => isIter(f) && /^bpf_iter_(tcp|unix)$/.test(f.attach?.name ?? "");

/** Tracing: more than the sets of helper_sets.ts, or less. */
const TRACING_RULES: ReadonlyMap<number, Rule> = new Map([
  [BPF_FUNC_seq_printf, isIter],
  [BPF_FUNC_seq_write, isIter],
  [BPF_FUNC_seq_printf_btf, isIter],
  [BPF_FUNC_get_func_arg, hasTrampoline],
  [BPF_FUNC_get_func_ret, hasTrampoline],
  [BPF_FUNC_get_func_arg_cnt, hasTrampoline],
  [BPF_FUNC_get_attach_cookie, (f) => f.hasTrampoline || f.expectedAttachType === BPF_TRACE_RAW_TP],
  [BPF_FUNC_setsockopt, sockIter],
  [BPF_FUNC_getsockopt, sockIter],
]);

const lsmCgroup: Rule = (f) => f.expectedAttachType === BPF_LSM_CGROUP;
const lsmSockopt: Rule = (f) => lsmCgroup(f) && SOCKOPT_LSM_HOOKS.has(lsmHook(f));

const LSM_RULES: ReadonlyMap<number, Rule> = new Map([
  [BPF_FUNC_setsockopt, lsmSockopt],
  [BPF_FUNC_getsockopt, lsmSockopt],
  [BPF_FUNC_get_local_storage, lsmCgroup],
  [BPF_FUNC_get_retval, lsmCgroup],
  [BPF_FUNC_set_retval, lsmCgroup],
  [BPF_FUNC_get_func_arg, hasTrampoline],
  [BPF_FUNC_get_func_ret, hasTrampoline],
  [BPF_FUNC_get_func_arg_cnt, hasTrampoline],
]);

/** struct_ops by the struct: what beyond the helpers that everyone has. */
const STRUCT_OPS_RULES: Readonly<Record<string, ReadonlyMap<number, Rule>>> = {
  tcp_congestion_ops: new Map<number, Rule>([
    [BPF_FUNC_tcp_send_ack, () => true],
    [BPF_FUNC_sk_storage_get, () => true],
    [BPF_FUNC_sk_storage_delete, () => true],
    [BPF_FUNC_ktime_get_coarse_ns, () => true],
    // release() runs while the algorithm is being retired.
    [BPF_FUNC_setsockopt, (f) => f.attach?.structOps?.member !== "release"],
    [BPF_FUNC_getsockopt, (f) => f.attach?.structOps?.member !== "release"],
  ]),
};

function lsmHook(facts: ProgFacts): string {
  return (facts.attach?.name ?? "").replace(/^bpf_lsm_/, "");
}

/** Is the helper offered to this program? Argument checks come later. */
export function mayCallHelper(facts: ProgFacts, id: number): boolean {
  const { platform, caps } = facts.input;
  if (!caps.bpf && platform.bpfHelpers?.has(id)) return false;
  if (!caps.perfmon && platform.perfmonHelpers?.has(id)) return false;
  const rule =
    facts.type === BPF_PROG_TYPE_TRACING
      ? TRACING_RULES.get(id)
      : facts.type === BPF_PROG_TYPE_LSM
        ? LSM_RULES.get(id)
        : facts.type === BPF_PROG_TYPE_STRUCT_OPS
          ? STRUCT_OPS_RULES[facts.attach?.structOps?.struct ?? ""]?.get(id)
          : undefined;
  if (rule) return rule(facts);
  return platform.baseHelpers.has(id) || (platform.typeHelpers.get(facts.key)?.has(id) ?? false);
}

/** proto->allowed(): bpf_d_path may run only where a path's locks are not held; IMA hashes only in sleepable hooks. */
export function helperAllowedHere(facts: ProgFacts, name: string): boolean {
  if (name === "ima_inode_hash" || name === "ima_file_hash") return SLEEPABLE_LSM_HOOKS.has(lsmHook(facts));
  if (name === "d_path") {
    if (isIter(facts)) return true;
    if (facts.type === BPF_PROG_TYPE_LSM) return SLEEPABLE_LSM_HOOKS.has(lsmHook(facts));
    return D_PATH_FUNCS.has(facts.attach?.name ?? "");
  }
  return true;
}

const D_PATH_FUNCS = new Set([
  "security_file_permission",
  "security_inode_getattr",
  "security_file_open",
  "security_path_truncate",
  "vfs_truncate",
  "vfs_fallocate",
  "dentry_open",
  "vfs_getattr",
  "filp_close",
]);
