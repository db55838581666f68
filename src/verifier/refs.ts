/**
 * References a program must give back, and locks it must release (struct bpf_reference_state, one list per state).
 *
 * Acquiring adds an entry with a fresh id; registers that hold the object carry it in ref_obj_id. Releasing removes the
 * entry and makes every register with that id unusable. At the exit of the program nothing may be left.
 */
import { EINVAL } from "../abi/errno.ts";
import { MEM_ALLOC, MEM_RCU, NON_OWN_REF } from "../helpers/types.ts";
import type { VerifierEnv } from "./env.ts";
import { F_FRAMENO } from "./layout.ts";
import { forEachReg, markRegInvalid } from "./regs.ts";
import { REF_TYPE_IRQ, REF_TYPE_LOCK_MASK, REF_TYPE_PTR, type Ref, type VState } from "./state.ts";

/** Adds a reference; returns its id. */
export function acquireReference(env: VerifierEnv, insnIdx: number): number {
  const id = ++env.idGen;
  env.cur.refs = [...env.cur.refs, { type: REF_TYPE_PTR, id, insnIdx, ptr: 0 }];
  return id;
}

export function findReference(state: VState, id: number): Ref | undefined {
  return state.refs.find((r) => r.type === REF_TYPE_PTR && r.id === id);
}

/** Drops the entry only; false when there is none. */
export function releaseReferenceNoMark(state: VState, id: number): boolean {
  const at = state.refs.findIndex((r) => r.type === REF_TYPE_PTR && r.id === id);
  if (at < 0) return false;
  state.refs = state.refs.filter((_, i) => i !== at);
  return true;
}

/** Drops the entry and all registers that hold the object; false when there is no such reference. */
export function releaseReference(env: VerifierEnv, id: number): boolean {
  if (!releaseReferenceNoMark(env.cur, id)) return false;
  forEachReg(env, env.cur, (r) => {
    if (env.R.refObjId(r) === id) markRegInvalid(env, r);
  });
  return true;
}

/** PTR_TO_BTF_ID of an allocated object inside a list or tree: valid only until the lock is released. */
export function isNonOwningRef(type: number): boolean {
  return (type & MEM_ALLOC) !== 0 && (type & NON_OWN_REF) !== 0;
}

export function isOwningRef(type: number): boolean {
  return (type & MEM_ALLOC) !== 0 && (type & NON_OWN_REF) === 0;
}

/** What was borrowed under a lock ends with the lock. */
export function invalidateNonOwningRefs(env: VerifierEnv): void {
  forEachReg(env, env.cur, (r) => {
    if (isNonOwningRef(env.R.type(r))) markRegInvalid(env, r);
  });
}

/** On leaving an RCU section: pointers that it protected are not trusted any more. */
export function invalidateRcuPointers(env: VerifierEnv, demote: (type: number) => number): void {
  forEachReg(env, env.cur, (r) => {
    const type = env.R.type(r);
    if (type & MEM_RCU) env.R.setType(r, demote(type));
  });
}

export function acquireLock(env: VerifierEnv, insnIdx: number, type: number, id: number, ptr: number): void {
  const s = env.cur;
  s.refs = [...s.refs, { type, id, insnIdx, ptr }];
  s.activeLocks++;
  s.activeLockId = id;
  s.activeLockPtr = ptr;
}

/** First lock of one of the types, with this id and object; ptr 0 stands for any. */
export function findLock(state: VState, types: number, id: number, ptr: number): Ref | undefined {
  return state.refs.find((r) => (r.type & types) !== 0 && (ptr === 0 || (r.id === id && r.ptr === ptr)));
}

/** Drops the lock; the one taken before it is the active one again. */
export function releaseLock(env: VerifierEnv, type: number, id: number, ptr: number): boolean {
  const s = env.cur;
  let prev: Ref | undefined;
  for (let i = 0; i < s.refs.length; i++) {
    const r = s.refs[i];
    if (r.type === type && r.id === id && r.ptr === ptr) {
      s.refs = s.refs.filter((_, k) => k !== i);
      s.activeLocks--;
      s.activeLockId = prev?.id ?? 0;
      s.activeLockPtr = prev?.ptr ?? 0;
      return true;
    }
    if (r.type & REF_TYPE_LOCK_MASK) prev = r;
  }
  return false;
}

/** bpf_local_irq_save(): returns the id that the matching restore must carry. */
export function acquireIrq(env: VerifierEnv, insnIdx: number): number {
  const id = ++env.idGen;
  env.cur.refs = [...env.cur.refs, { type: REF_TYPE_IRQ, id, insnIdx, ptr: 0 }];
  env.cur.activeIrqId = id;
  return id;
}

/** @returns instruction of the save that must be restored first, or undefined when the release was in order */
export function releaseIrq(env: VerifierEnv, id: number): { readonly expectedInsn: number } | undefined {
  const s = env.cur;
  if (id !== s.activeIrqId) {
    return { expectedInsn: s.refs.find((r) => r.type === REF_TYPE_IRQ && r.id === s.activeIrqId)?.insnIdx ?? 0 };
  }
  let prevId = 0;
  s.refs = s.refs.filter((r) => {
    if (r.type === REF_TYPE_IRQ && r.id !== id) prevId = r.id;
    return !(r.type === REF_TYPE_IRQ && r.id === id);
  });
  s.activeIrqId = prevId;
  return undefined;
}

/**
 * Writes a line per reference that would be lost. Functions that were called leave theirs to the caller; a struct_ops
 * member may return one to the kernel.
 */
function hasReferenceLeak(env: VerifierEnv, exceptionExit: boolean): boolean {
  if (!exceptionExit && env.R.get(env.cur.frame, F_FRAMENO)) return false;
  const returned = env.facts.isStructOps && !exceptionExit ? env.R.refObjId(env.reg(0)) : 0;
  let lingering = false;
  for (const ref of env.cur.refs) {
    if (ref.type !== REF_TYPE_PTR || (returned && ref.id === returned)) continue;
    env.verbose(`Unreleased reference id=${ref.id} alloc_insn=${ref.insnIdx}\n`);
    lingering = true;
  }
  return lingering;
}

/**
 * Refuses to leave the program (exit, throw, tail call, legacy packet load) with anything held.
 * @param prefix  what leaves, as the message begins: "tail_call"
 */
export function checkResourceLeak(env: VerifierEnv, exceptionExit: boolean, checkLock: boolean, prefix: string): void {
  const s = env.cur;
  if (checkLock && s.activeLocks) env.reject(EINVAL, `${prefix} cannot be used inside bpf_spin_lock-ed region`);
  if (hasReferenceLeak(env, exceptionExit)) env.reject(EINVAL, `${prefix} would lead to reference leak`);
  if (checkLock && s.activeIrqId) env.reject(EINVAL, `${prefix} cannot be used inside bpf_local_irq_save-ed region`);
  if (checkLock && s.activeRcuLocks) env.reject(EINVAL, `${prefix} cannot be used inside bpf_rcu_read_lock-ed region`);
  if (checkLock && s.activePreemptLocks) {
    env.reject(EINVAL, `${prefix} cannot be used inside bpf_preempt_disable-ed region`);
  }
}
