/**
 * Linked lists and red-black trees: roots and nodes inside objects, what is lent out under the lock and what is given away.
 *
 * Source   __process_kf_arg_ptr_to_graph_root(), __process_kf_arg_ptr_to_graph_node(), ref_set_non_owning(),
 *          ref_convert_owning_non_owning() in kernel/bpf/verifier.c.
 */
import { EFAULT, EINVAL } from "../abi/errno.ts";
import { MEM_ALLOC, MEM_RCU, NON_OWN_REF } from "../helpers/types.ts";
import { type BtfField, fieldAt, fieldOffset, hasField } from "./btf_record.ts";
import { structIdsMatch } from "./btf_walk.ts";
import type { VerifierEnv } from "./env.ts";
import { lockObject, regRecord } from "./locks.ts";
import { FIELD_NAMES } from "./map_fields.ts";
import { findReference } from "./refs.ts";
import { PTR_TO_BTF_ID } from "./reg_type.ts";
import { forEachReg, markRegKnownZero } from "./regs.ts";
import type { Reg } from "./state.ts";

export type RootKind = "list_head" | "rb_root";
const NODE_KIND = { list_head: "list_node", rb_root: "rb_node" } as const;

/** A pointer to the node inside an element of this list or tree. */
export function markGraphNode(env: VerifierEnv, r: Reg, field: BtfField): void {
  const root = field.root!;
  markRegKnownZero(env, r);
  env.R.setType(r, PTR_TO_BTF_ID | MEM_ALLOC);
  env.R.setBtf(r, env.btfIndex(root.btf), root.valueId);
  env.R.setOff(r, root.nodeOffset);
}

/** Lent: valid while the lock is held; counted objects also under RCU. */
export function setNonOwning(env: VerifierEnv, r: Reg): void {
  if (!env.cur.activeLocks) env.reject(EFAULT, "verifier internal error: ref_set_non_owning w/o active lock");
  const counted = hasField(regRecord(env, r), "refcount");
  env.R.setType(r, env.R.type(r) | NON_OWN_REF | (counted ? MEM_RCU : 0));
}

/** The object went into a list or tree: registers that owned it now borrow it. */
export function convertOwningToNonOwning(env: VerifierEnv, refObjId: number): boolean {
  if (!refObjId || !findReference(env.cur, refObjId)) return false;
  forEachReg(env, env.cur, (r) => {
    if (env.R.refObjId(r) !== refObjId) return;
    env.R.setRefObjId(r, 0);
    setNonOwning(env, r);
  });
  return true;
}

/** The object of the root must be locked, and be the one whose lock is held. */
function checkLocked(env: VerifierEnv, r: Reg, message: string): void {
  const s = env.cur;
  if (!s.activeLocks) env.reject(EINVAL, message);
  const obj = lockObject(env, r);
  const id = env.R.id(r);
  const held = s.refs.some((ref) => (ref.type & LOCKS) !== 0 && ref.id === id && ref.ptr === obj);
  if (!held) env.reject(EINVAL, `held lock and object are not in the same allocation\n${message}`);
}

const LOCKS = (1 << 3) | (1 << 4) | (1 << 5);

/** A list head or tree root argument; returns its field. */
export function processGraphRoot(env: VerifierEnv, regno: number, kind: RootKind): BtfField {
  const R = env.R;
  const r = env.reg(regno);
  const name = FIELD_NAMES[kind];
  if (!R.isConst(r)) {
    env.reject(EINVAL, `R${regno} doesn't have constant offset. ${name} has to be at the constant offset`);
  }
  const record = regRecord(env, r);
  const off = R.off(r) + R.value(r);
  const field = fieldAt(record, off);
  if (field?.kind !== kind) env.reject(EINVAL, `${name} not found at offset=${off}`);
  const lockOff = Math.max(fieldOffset(record, "spin_lock"), fieldOffset(record, "res_spin_lock"));
  checkLocked(env, r, `bpf_spin_lock at off=${lockOff} must be held for ${name}`);
  return field;
}

/** A node argument that must be of the list's or tree's element type, at the right place in it. */
export function processGraphNode(env: VerifierEnv, regno: number, kind: RootKind, root: BtfField): void {
  const R = env.R;
  const r = env.reg(regno);
  const nodeKind = NODE_KIND[kind];
  const nodeName = FIELD_NAMES[nodeKind];
  if (!R.isConst(r)) {
    env.reject(EINVAL, `R${regno} doesn't have constant offset. ${nodeName} has to be at the constant offset`);
  }
  const off = R.off(r) + R.value(r);
  if (fieldAt(regRecord(env, r), off)?.kind !== nodeKind) {
    env.reject(EINVAL, `${nodeName} not found at offset=${off}`);
  }
  const { btf, valueId, nodeOffset } = root.root!;
  const have = env.btfOf(r);
  if (!structIdsMatch(have, R.btfId(r), 0, btf, valueId, true, !(R.type(r) & MEM_ALLOC))) {
    env.reject(
      EINVAL,
      `operation on ${FIELD_NAMES[kind]} expects arg#1 ${nodeName} at offset=${nodeOffset} in struct ` +
        `${btf.nameOf(valueId)}, but arg is at offset=${off} in struct ${have.nameOf(R.btfId(r))}`,
    );
  }
  if (off !== nodeOffset) {
    env.reject(
      EINVAL,
      `arg#1 offset=${off}, but expected ${nodeName} at offset=${nodeOffset} in struct ${btf.nameOf(valueId)}`,
    );
  }
}
