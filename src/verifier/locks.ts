/**
 * Sections in which less is allowed: spin locks, RCU read sections, disabled preemption and interrupts, programs that may
 * not sleep.
 *
 * Source   process_spin_lock(), in_rcu_cs(), in_sleepable(), in_rbtree_lock_required_cb() in kernel/bpf/verifier.c.
 */
import { EINVAL } from "../abi/errno.ts";
import { MEM_ALLOC } from "../helpers/types.ts";
import type { BtfRecord } from "./btf_record.ts";
import { fieldOffset } from "./btf_record.ts";
import { callFacts } from "./call_facts.ts";
import type { VerifierEnv } from "./env.ts";
import { F_CALLSITE, F_IN_CALLBACK } from "./layout.ts";
import { acquireLock, findLock, invalidateNonOwningRefs, releaseLock } from "./refs.ts";
import { baseType, PTR_TO_BTF_ID, PTR_TO_MAP_VALUE } from "./reg_type.ts";
import { REF_TYPE_LOCK, REF_TYPE_RES_LOCK, REF_TYPE_RES_LOCK_IRQ, type Reg } from "./state.ts";

/** May the program sleep here, as far as its kind goes (regions are checked apart)? */
export function inSleepable(env: VerifierEnv): boolean {
  return env.facts.sleepable || env.cur.inSleepable;
}

/** Objects freed by RCU stay while the program is here. */
export function inRcuSection(env: VerifierEnv): boolean {
  return env.cur.activeRcuLocks > 0 || env.cur.activeLocks > 0 || !inSleepable(env);
}

/** Special fields of what a register points to: a map value or an allocated object. */
export function regRecord(env: VerifierEnv, r: Reg): BtfRecord | undefined {
  const R = env.R;
  const type = R.type(r);
  if (baseType(type) === PTR_TO_MAP_VALUE) return env.facts.mapRecord(env.mapOf(r));
  if (baseType(type) === PTR_TO_BTF_ID && type & MEM_ALLOC) return env.facts.structRecord(env.btfOf(r), R.btfId(r));
  return undefined;
}

/** Identity of the object that holds a lock: maps count up from 1, BTFs down from -1. */
export function lockObject(env: VerifierEnv, r: Reg): number {
  return baseType(env.R.type(r)) === PTR_TO_MAP_VALUE ? env.R.mapIdx(r) : -env.R.btfIdx(r);
}

export type LockKind = "spin" | "res" | "res_irq";

const REF_TYPE_OF: Readonly<Record<LockKind, number>> = {
  spin: REF_TYPE_LOCK,
  res: REF_TYPE_RES_LOCK,
  res_irq: REF_TYPE_RES_LOCK_IRQ,
};

/** bpf_spin_lock(), bpf_res_spin_lock() and their unlocks. */
export function processSpinLock(env: VerifierEnv, regno: number, kind: LockKind, isLock: boolean): void {
  const R = env.R;
  const r = env.reg(regno);
  const name = kind === "spin" ? "bpf_spin" : "bpf_res_spin";
  if (!R.isConst(r)) {
    env.reject(EINVAL, `R${regno} doesn't have constant offset. ${name}_lock has to be at the constant offset`);
  }
  const map = R.type(r) === PTR_TO_MAP_VALUE ? env.mapOf(r) : undefined;
  if (map && !map.btf) env.reject(EINVAL, `map '${map.name}' has to have BTF in order to use ${name}_lock`);
  const lockOff = fieldOffset(regRecord(env, r), kind === "spin" ? "spin_lock" : "res_spin_lock");
  if (lockOff < 0) {
    env.reject(EINVAL, `${map ? "map" : "local"} '${map ? map.name : "kptr"}' has no valid ${name}_lock`);
  }
  const off = R.value(r) + R.off(r);
  if (off !== lockOff) env.reject(EINVAL, `off ${off} doesn't point to 'struct ${name}_lock' that is at ${lockOff}`);

  const obj = lockObject(env, r);
  const id = R.id(r);
  const type = REF_TYPE_OF[kind];
  const s = env.cur;
  if (isLock) {
    if (kind === "spin" && findLock(s, REF_TYPE_LOCK, 0, 0)) {
      env.reject(EINVAL, "Locking two bpf_spin_locks are not allowed");
    }
    if (kind !== "spin" && findLock(s, REF_TYPE_RES_LOCK | REF_TYPE_RES_LOCK_IRQ, id, obj)) {
      env.reject(EINVAL, "Acquiring the same lock again, AA deadlock detected");
    }
    acquireLock(env, env.insnIdx, type, id, obj);
    return;
  }
  if (!s.activeLocks) env.reject(EINVAL, `${name}_unlock without taking a lock`);
  if (!findLock(s, type, id, obj)) env.reject(EINVAL, `${name}_unlock of different lock`);
  if (id !== s.activeLockId || obj !== s.activeLockPtr) env.reject(EINVAL, `${name}_unlock cannot be out of order`);
  releaseLock(env, type, id, obj);
  invalidateNonOwningRefs(env);
}

/** Inside the comparison callback of bpf_rbtree_add(): the tree's lock stays taken. */
export function inRbtreeLockRequiredCb(env: VerifierEnv): boolean {
  for (let i = env.cur.curframe; i > 0; i--) {
    const frame = env.cur.frames[i];
    if (env.R.get(frame, F_IN_CALLBACK) && callFacts(env, env.R.get(frame, F_CALLSITE))?.name.startsWith("bpf_rbtree_"))
      return true;
  }
  return false;
}
