/**
 * Loads and stores through pointers to kernel structs and allocated objects, and loads through map pointers.
 *
 * What a loaded pointer is worth depends on where it came from: fields that the kernel lists as safe (structs named
 * T__safe_rcu, T__safe_trusted, ... in its BTF) stay trusted; others become plain or untrusted pointers, whose loads are
 * guarded and whose use as arguments is limited.
 * Source   check_ptr_to_btf_access(), check_ptr_to_map_access() in kernel/bpf/verifier.c, btf_struct_access() in
 *          kernel/bpf/btf.c, btf_struct_access callbacks in net/.
 */
import * as abi from "../abi/bpf.ts";
import { EACCES, EFAULT, EINVAL, ENOTSUPP, EPERM } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_STRUCT } from "../btf/kinds.ts";
import {
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_USER,
  NON_OWN_REF,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../helpers/types.ts";
import { markBtfLoad } from "./btf_load.ts";
import { structWalk, type WalkFlags } from "./btf_walk.ts";
import type { VerifierEnv } from "./env.ts";
import { isRcuReg, isTrustedReg } from "./kfunc_args.ts";
import { inRcuSection } from "./locks.ts";
import { FIELD_NAMES } from "./map_fields.ts";
import { tnumStr } from "./print_state.ts";
import { BPF_READ, BPF_WRITE, PTR_TO_BTF_ID, SCALAR_VALUE } from "./reg_type.ts";
import type { Reg } from "./state.ts";

interface Access {
  readonly type: number;
  readonly id: number;
  readonly flags: number;
  readonly field: string;
}

/** Dives to the scalar or pointer at `off`; refuses what lies across members. */
function structAccess(env: VerifierEnv, btf: Btf, id: number, regType: number, off: number, size: number): Access {
  const alloc = (regType & MEM_ALLOC) !== 0;
  if (alloc) {
    for (const f of env.facts.structRecord(btf, id)?.fields ?? []) {
      if (off < f.offset + f.size && f.offset < off + size) {
        env.reject(EACCES, `direct access to ${FIELD_NAMES[f.kind]} is disallowed`);
      }
    }
  }
  const out: WalkFlags = { flags: 0 };
  for (;;) {
    const step = structWalk(btf, id, off, size, out, !alloc);
    switch (step.kind) {
      case "error":
        env.reject(step.errno, step.message);
        break;
      case "scalar":
        return { type: SCALAR_VALUE, id: 0, flags: 0, field: "" };
      case "ptr":
        // A local object's pointers are numbers: nobody vouches for them.
        if (alloc) return { type: SCALAR_VALUE, id: 0, flags: 0, field: "" };
        return { type: PTR_TO_BTF_ID, id: step.id, flags: out.flags, field: step.field };
      case "struct":
        id = step.id;
        off = 0;
    }
  }
}

/** Does the kernel list this field among the safe ones: a struct named TYPE+suffix has it, with the same type? */
function listedSafe(btf: Btf, id: number, field: string, targetId: number, suffix: string): boolean {
  const list = btf.byName(`${btf.nameOf(id)}${suffix}`, BTF_KIND_STRUCT);
  if (!list) return false;
  for (let i = 0; i < btf.vlen(list); i++) {
    if (btf.memberName(list, i) !== field) continue;
    const ptr = btf.resolve(btf.memberType(list, i));
    return btf.resolve(btf.ref(ptr)) === targetId;
  }
  return false;
}

/** Flags of a pointer loaded from a field of what `r` points to. */
function loadedFlags(env: VerifierEnv, r: Reg, a: Access): number {
  const R = env.R;
  const type = R.type(r);
  if (type & PTR_UNTRUSTED) return PTR_UNTRUSTED;
  const clear = (flags: number): number => flags & ~(PTR_TRUSTED | MEM_RCU | MEM_ALLOC | NON_OWN_REF);
  if (!isTrustedReg(env, r) && !isRcuReg(type)) return clear(a.flags);
  const btf = env.btfOf(r);
  const id = R.btfId(r);
  const safe = (suffix: string): boolean => listedSafe(btf, id, a.field, a.id, suffix);
  if (safe("__safe_trusted")) return a.flags | PTR_TRUSTED;
  if (safe("__safe_trusted_or_null")) return a.flags | PTR_TRUSTED | PTR_MAYBE_NULL;
  if (!inRcuSection(env) || type & PTR_MAYBE_NULL) return PTR_UNTRUSTED;
  if (safe("__safe_rcu")) return a.flags | MEM_RCU;
  const rcuOrNull = safe("__safe_rcu_or_null");
  if (a.flags & MEM_RCU || rcuOrNull) {
    const flags = a.flags | MEM_RCU | PTR_MAYBE_NULL;
    return rcuOrNull ? flags & ~PTR_UNTRUSTED : flags;
  }
  return a.flags & (MEM_PERCPU | MEM_USER) ? a.flags : clear(a.flags);
}

/** Fields of a kernel struct that programs of some type may write. */
interface WritableFields {
  readonly structs: readonly string[];
  /** Printed where there is no such field. */
  readonly label: string;
  /** Member paths. */
  readonly fields: readonly string[];
}

const NF_CONN_FIELDS: WritableFields = { structs: ["nf_conn", "nf_conn___init"], label: "nf_conn", fields: ["mark"] };
const TCP_SOCK_FIELDS: WritableFields = {
  structs: ["tcp_sock"],
  label: "tcp_sock",
  fields: [
    "inet_conn.icsk_inet.sk.sk_pacing_rate",
    "inet_conn.icsk_inet.sk.sk_pacing_status",
    "inet_conn.icsk_ca_priv",
    "inet_conn.icsk_ack.pending",
    "snd_cwnd",
    "snd_cwnd_cnt",
    "snd_cwnd_stamp",
    "snd_ssthresh",
    "ecn_flags",
    "app_limited",
  ],
};

/** Programs that may write into some kernel structs, or undefined. */
function writable(env: VerifierEnv): WritableFields | "dummy_ops" | undefined {
  const { type, attach } = env.facts;
  if (type === abi.BPF_PROG_TYPE_XDP || type === abi.BPF_PROG_TYPE_SCHED_CLS || type === abi.BPF_PROG_TYPE_SCHED_ACT) {
    return NF_CONN_FIELDS;
  }
  if (attach?.structOps?.struct === "tcp_congestion_ops") return TCP_SOCK_FIELDS;
  if (attach?.structOps?.struct === "bpf_dummy_ops") return "dummy_ops";
  return undefined;
}

function checkWrite(env: VerifierEnv, rule: WritableFields | "dummy_ops", r: Reg, off: number, size: number): void {
  const btf = env.btfOf(r);
  const id = env.R.btfId(r);
  const name = btf.nameOf(id);
  if (rule === "dummy_ops") {
    if (name !== "bpf_dummy_ops_state") env.reject(EACCES, "only access to bpf_dummy_ops_state is supported");
    if (off + size > btf.ref(id)) env.reject(EACCES, `write access at off ${off} with size ${size}`);
    return;
  }
  if (!rule.structs.includes(name)) env.reject(EACCES, "only read is supported");
  const holder = name.endsWith("___init") ? btf.byName(rule.label, BTF_KIND_STRUCT) : id;
  for (const path of rule.fields) {
    const member = btf.findMember(holder, path);
    if (!member) continue;
    const start = member.bitOffset / 8;
    const end = start + btf.size(member.type);
    // Private data of a congestion control may be entered anywhere; other members at their start.
    const inside = path.endsWith("_priv") ? off >= start && off < end : off === start;
    if (!inside) continue;
    if (off + size <= end) return;
    env.reject(
      EACCES,
      `write access at off ${off} with size ${size} beyond the member of ${rule.label} ended at ${end}`,
    );
  }
  env.reject(EACCES, `no write support to ${rule.label} at off ${off}`);
}

/** @param valueRegno register loaded or stored; -1 = none (a helper reads the memory) */
export function checkPtrToBtfAccess(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  t: number,
  valueRegno: number,
): void {
  const R = env.R;
  const r = env.reg(regno);
  const type = R.type(r);
  const btf = env.btfOf(r);
  const id = R.btfId(r);
  const name = btf.nameOf(id);
  const kernel = env.facts.isKernelBtf(btf);
  if (!env.allowPtrLeaks) {
    env.reject(EPERM, `'struct ${name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`);
  }
  if (!env.facts.gpl && kernel) {
    env.reject(EINVAL, `Cannot access kernel 'struct ${name}' from non-GPL compatible program`);
  }
  if (off < 0) env.reject(EACCES, `R${regno} is ptr_${name} invalid negative access: off=${off}`);
  if (!R.isConst(r) || R.value(r) !== 0) {
    env.reject(EACCES, `R${regno} is ptr_${name} invalid variable offset: off=${off}, var_off=${tnumStr(env, r)}`);
  }
  if (type & MEM_USER) env.reject(EACCES, `R${regno} is ptr_${name} access user memory: off=${off}`);
  if (type & MEM_PERCPU) env.reject(EACCES, `R${regno} is ptr_${name} access percpu memory: off=${off}`);
  if (t !== BPF_READ && type & PTR_UNTRUSTED) env.reject(EACCES, "only read is supported");

  const alloc = (type & MEM_ALLOC) !== 0;
  const rule = t === BPF_WRITE && !alloc ? writable(env) : undefined;
  if (rule) {
    if (!kernel) env.reject(EFAULT, "verifier internal error: reg->btf must be kernel btf");
    checkWrite(env, rule, r, off, size);
    return;
  }
  if (t !== BPF_READ && !alloc) env.reject(EACCES, "only read is supported");
  if (alloc && !(type & (NON_OWN_REF | MEM_RCU)) && !R.refObjId(r)) {
    env.reject(EFAULT, "verifier internal error: ref_obj_id for allocated object must be non-zero");
  }
  const a = structAccess(env, btf, id, type, off, size);
  if (kernel && t === BPF_READ) env.probeMem[env.insnIdx] = 1;
  if (t !== BPF_READ || valueRegno < 0) return;
  const flags = a.type === PTR_TO_BTF_ID ? loadedFlags(env, r, a) : 0;
  markBtfLoad(env, valueRegno, a.type, btf, a.id, flags);
}

/** Kernel struct behind a map pointer, by map type; types not listed are struct bpf_array. */
const STRUCT_OF_MAP: Readonly<Record<number, string>> = {
  [abi.BPF_MAP_TYPE_HASH]: "bpf_htab",
  [abi.BPF_MAP_TYPE_PERCPU_HASH]: "bpf_htab",
  [abi.BPF_MAP_TYPE_LRU_HASH]: "bpf_htab",
  [abi.BPF_MAP_TYPE_LRU_PERCPU_HASH]: "bpf_htab",
  [abi.BPF_MAP_TYPE_HASH_OF_MAPS]: "bpf_htab",
  [abi.BPF_MAP_TYPE_STACK_TRACE]: "bpf_stack_map",
  [abi.BPF_MAP_TYPE_LPM_TRIE]: "lpm_trie",
  [abi.BPF_MAP_TYPE_DEVMAP]: "bpf_dtab",
  [abi.BPF_MAP_TYPE_DEVMAP_HASH]: "bpf_dtab",
  [abi.BPF_MAP_TYPE_SOCKMAP]: "bpf_stab",
  [abi.BPF_MAP_TYPE_SOCKHASH]: "bpf_shtab",
  [abi.BPF_MAP_TYPE_CPUMAP]: "bpf_cpu_map",
  [abi.BPF_MAP_TYPE_XSKMAP]: "xsk_map",
  [abi.BPF_MAP_TYPE_CGROUP_STORAGE]: "bpf_cgroup_storage_map",
  [abi.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE]: "bpf_cgroup_storage_map",
  [abi.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY]: "reuseport_array",
  [abi.BPF_MAP_TYPE_QUEUE]: "bpf_queue_stack",
  [abi.BPF_MAP_TYPE_STACK]: "bpf_queue_stack",
  [abi.BPF_MAP_TYPE_SK_STORAGE]: "bpf_local_storage_map",
  [abi.BPF_MAP_TYPE_INODE_STORAGE]: "bpf_local_storage_map",
  [abi.BPF_MAP_TYPE_TASK_STORAGE]: "bpf_local_storage_map",
  [abi.BPF_MAP_TYPE_CGRP_STORAGE]: "bpf_local_storage_map",
  [abi.BPF_MAP_TYPE_STRUCT_OPS]: "bpf_struct_ops_map",
  [abi.BPF_MAP_TYPE_RINGBUF]: "bpf_ringbuf_map",
  [abi.BPF_MAP_TYPE_USER_RINGBUF]: "bpf_ringbuf_map",
  [abi.BPF_MAP_TYPE_BLOOM_FILTER]: "bpf_bloom_filter",
  [abi.BPF_MAP_TYPE_ARENA]: "bpf_arena",
};

/** A load through a map pointer: fields of the kernel's map object. */
export function checkPtrToMapAccess(
  env: VerifierEnv,
  regno: number,
  off: number,
  size: number,
  t: number,
  valueRegno: number,
): void {
  const { btf } = env.platform;
  if (!btf) env.reject(ENOTSUPP, "map_ptr access not supported without CONFIG_DEBUG_INFO_BTF");
  const map = env.mapOf(env.reg(regno));
  const name = STRUCT_OF_MAP[map.type] ?? "bpf_array";
  const id = btf.byName(name, BTF_KIND_STRUCT);
  if (!id) env.reject(ENOTSUPP, `map_ptr access not supported for map type ${map.type}`);
  if (!env.allowPtrLeaks) {
    env.reject(EPERM, `'struct ${name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`);
  }
  if (off < 0) env.reject(EACCES, `R${regno} is ${name} invalid negative access: off=${off}`);
  if (t !== BPF_READ) env.reject(EACCES, `only read from ${name} is supported`);
  const a = structAccess(env, btf, id, PTR_TO_BTF_ID, off, size);
  env.probeMem[env.insnIdx] = 1;
  if (valueRegno >= 0) markBtfLoad(env, valueRegno, a.type, btf, a.id, a.flags);
}
