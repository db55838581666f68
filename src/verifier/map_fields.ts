/**
 * Arguments that name a special field of a map value: timers, work queues, kernel pointers; and direct loads and stores
 * that touch one.
 *
 * Source   process_timer_func(), process_wq_func(), process_kptr_func(), check_map_access(), check_map_kptr_access() in
 *          kernel/bpf/verifier.c.
 */
import { EACCES, EINVAL } from "../abi/errno.ts";
import { MEM_ALLOC, MEM_PERCPU, MEM_RCU, NON_OWN_REF, PTR_MAYBE_NULL, PTR_UNTRUSTED } from "../helpers/types.ts";
import { markBtfLoad } from "./btf_load.ts";
import { type BtfField, fieldAt, fieldOffset, hasField, hasKptr, isKptrKind } from "./btf_record.ts";
import type { VerifierEnv } from "./env.ts";
import { R_UMAX } from "./layout.ts";
import { inRcuSection, regRecord } from "./locks.ts";
import type { VerifierMap } from "./platform.ts";
import { markChainPrecision } from "./precision.ts";
import { matchKptr } from "./reg_match.ts";
import { baseType, PTR_TO_BTF_ID, PTR_TO_MAP_VALUE, PTR_TO_MEM } from "./reg_type.ts";
import { markRegKnownZero } from "./regs.ts";

/** What such an argument tells the rest of the call. */
export interface FieldMeta {
  map: VerifierMap | undefined;
  mapUid: number;
  kptrField?: BtfField | undefined;
}

const FIELD_LABEL = { timer: "bpf_timer", wq: "bpf_wq", task_work: "bpf_task_work" } as const;

/** A pointer exactly to the timer, work queue or task work of a map value. */
export function processMapField(
  env: VerifierEnv,
  regno: number,
  meta: FieldMeta,
  kind: keyof typeof FIELD_LABEL,
): void {
  const R = env.R;
  const r = env.reg(regno);
  const label = FIELD_LABEL[kind];
  if (!R.isConst(r)) {
    env.reject(EINVAL, `R${regno} doesn't have constant offset. ${label} has to be at the constant offset`);
  }
  const map = env.mapOf(r);
  if (!map.btf) env.reject(EINVAL, `map '${map.name}' has to have BTF in order to use ${label}`);
  const at = fieldOffset(env.facts.mapRecord(map), kind);
  if (at < 0) env.reject(EINVAL, `map '${map.name}' has no valid ${label}`);
  const off = R.value(r) + R.off(r);
  if (off !== at) env.reject(EINVAL, `off ${off} doesn't point to 'struct ${label}' that is at ${at}`);
  meta.map = map;
  meta.mapUid = R.mapUid(r);
}

export function processTimer(env: VerifierEnv, regno: number, meta: FieldMeta): void {
  processMapField(env, regno, meta, "timer");
}

/** The destination of bpf_kptr_xchg(): a referenced kptr field of a map value or an allocated object. */
export function processKptrDest(env: VerifierEnv, regno: number, meta: FieldMeta): void {
  const R = env.R;
  const r = env.reg(regno);
  if (baseType(R.type(r)) === PTR_TO_MAP_VALUE) {
    const map = env.mapOf(r);
    if (!map.btf) env.reject(EINVAL, `map '${map.name}' has to have BTF in order to use bpf_kptr_xchg`);
    meta.map = map;
  }
  if (!R.isConst(r)) {
    env.reject(EINVAL, `R${regno} doesn't have constant offset. kptr has to be at the constant offset`);
  }
  const record = regRecord(env, r);
  if (!hasKptr(record)) env.reject(EINVAL, `R${regno} has no valid kptr`);
  const off = R.off(r) + R.value(r);
  const field = fieldAt(record, off);
  if (!field || !isKptrKind(field.kind)) env.reject(EACCES, `off=${off} doesn't point to kptr`);
  if (field.kind !== "kptr_ref" && field.kind !== "kptr_percpu") {
    env.reject(EACCES, `off=${off} kptr isn't referenced kptr`);
  }
  meta.kptrField = field;
}

/** Kernel types whose objects are freed by RCU, so that a kptr to them may be looked at under RCU. */
const RCU_PROTECTED = new Set(["prog_test_ref_kfunc", "cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx"]);

/** Flags of a pointer loaded from a kptr field. */
function kptrLoadFlags(env: VerifierEnv, field: BtfField): number {
  const kptr = field.kptr!;
  if (field.kind === "uptr") return PTR_MAYBE_NULL;
  const rcuSafe =
    field.kind === "kptr_percpu" ||
    (field.kind === "kptr_ref" && (!kptr.kernel || RCU_PROTECTED.has(kptr.btf.nameOf(kptr.btfId))));
  if (!rcuSafe || !inRcuSection(env)) return PTR_MAYBE_NULL | PTR_UNTRUSTED;
  let flags = PTR_MAYBE_NULL | MEM_RCU;
  if (field.kind === "kptr_percpu") flags |= MEM_PERCPU;
  else if (!kptr.kernel) flags |= MEM_ALLOC;
  if (!kptr.kernel && hasField(env.facts.structRecord(kptr.btf, kptr.btfId), "list_node", "rb_node")) {
    flags |= NON_OWN_REF;
  }
  return flags;
}

const BPF_CLASS_LDX = 1;
const BPF_CLASS_ST = 2;
const BPF_CLASS_STX = 3;
const BPF_MODE_MEM = 0x60;

/** A load or store of exactly one kptr field; a load makes the register a pointer. */
export function checkKptrAccess(env: VerifierEnv, valueRegno: number, insnIdx: number, field: BtfField): void {
  const code = env.insns.code[insnIdx];
  const cls = code & 7;
  if ((code & 0xe0) !== BPF_MODE_MEM) {
    env.reject(EACCES, "kptr in map can only be accessed using BPF_MEM instruction mode");
  }
  if (cls !== BPF_CLASS_LDX && (field.kind === "kptr_ref" || field.kind === "kptr_percpu")) {
    env.reject(EACCES, "store to referenced kptr disallowed");
  }
  if (cls !== BPF_CLASS_LDX && field.kind === "uptr") env.reject(EACCES, "store to uptr disallowed");
  const kptr = field.kptr!;
  switch (cls) {
    case BPF_CLASS_LDX:
      if (field.kind === "uptr") {
        markUptrLoad(env, valueRegno, field);
        return;
      }
      markBtfLoad(env, valueRegno, PTR_TO_BTF_ID, kptr.btf, kptr.btfId, kptrLoadFlags(env, field));
      return;
    case BPF_CLASS_STX:
      if (env.R.isNull(env.reg(valueRegno))) markChainPrecision(env, valueRegno);
      else matchKptr(env, field, valueRegno, EACCES);
      return;
    case BPF_CLASS_ST:
      if (env.insns.imm[insnIdx]) {
        env.reject(EACCES, `BPF_ST imm must be 0 when storing to kptr at off=${field.offset}`);
      }
      return;
    default:
      env.reject(EACCES, "kptr in map can only be accessed using BPF_LDX/BPF_STX/BPF_ST");
  }
}

/** A user page mapped into the kernel: plain memory of the struct's size. */
function markUptrLoad(env: VerifierEnv, regno: number, field: BtfField): void {
  const R = env.R;
  const r = env.reg(regno);
  markRegKnownZero(env, r);
  R.setType(r, PTR_TO_MEM | PTR_MAYBE_NULL);
  R.setMemSize(r, field.kptr!.btf.size(field.kptr!.btfId));
  R.setId(r, ++env.idGen);
}

/**
 * A direct or helper access of [off, off+size) plus the register's variable part must not touch a special field; an exact
 * load or store of a kptr field may go on to checkKptrAccess().
 * @param byHelper  the access is not a load or store but a helper's
 */
export function checkMapRecordAccess(
  env: VerifierEnv,
  regno: number,
  map: VerifierMap,
  off: number,
  size: number,
  byHelper: boolean,
): void {
  const record = env.facts.mapRecord(map);
  if (!record) return;
  const R = env.R;
  const r = env.reg(regno);
  const lo = R.smin(r) + off;
  const hi = R.u64(r + R_UMAX) + off + size;
  for (const f of record.fields) {
    if (!(lo < f.offset + f.size && f.offset < hi)) continue;
    if (isKptrKind(f.kind)) {
      if (byHelper) env.reject(EACCES, "kptr cannot be accessed indirectly by helper");
      if (!R.isConst(r)) env.reject(EACCES, "kptr access cannot have variable offset");
      if (f.offset !== off + R.value(r)) {
        env.reject(EACCES, `kptr access misaligned expected=${f.offset} off=${off + R.value(r)}`);
      }
      if (size !== 8) env.reject(EACCES, "kptr access size must be BPF_DW");
      continue;
    }
    env.reject(EACCES, `${FIELD_NAMES[f.kind]} cannot be accessed directly by load/store`);
  }
}

/** btf_field_type_name(). */
export const FIELD_NAMES: Readonly<Record<BtfField["kind"], string>> = {
  spin_lock: "bpf_spin_lock",
  res_spin_lock: "bpf_res_spin_lock",
  timer: "bpf_timer",
  wq: "bpf_wq",
  task_work: "bpf_task_work",
  kptr_unref: "kptr",
  kptr_ref: "kptr",
  kptr_percpu: "percpu_kptr",
  uptr: "uptr",
  list_head: "bpf_list_head",
  list_node: "bpf_list_node",
  rb_root: "bpf_rb_root",
  rb_node: "bpf_rb_node",
  refcount: "bpf_refcount",
};

/** The kptr field that a direct access of a map value hits exactly; the access was checked before. */
export function kptrFieldOfAccess(env: VerifierEnv, regno: number, off: number): BtfField | undefined {
  const R = env.R;
  const r = env.reg(regno);
  if (!R.isConst(r)) return undefined;
  const field = fieldAt(env.facts.mapRecord(env.mapOf(r)), off + R.value(r));
  return field && isKptrKind(field.kind) ? field : undefined;
}
