/**
 * Calls of kernel functions: where they are allowed, what they do to the state, what they return.
 *
 * Source   check_kfunc_call() in kernel/bpf/verifier.c, Linux 6.18.
 */
import { EACCES, EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import { BTF_KIND_PTR, BTF_KIND_UNKN, kindName } from "../btf/kinds.ts";
import {
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../helpers/types.ts";
import {
  KF_ACQUIRE,
  KF_DESTRUCTIVE,
  KF_ITER_NEXT,
  KF_RCU_PROTECTED,
  KF_RET_NULL,
  KF_SLEEPABLE,
} from "../kfuncs/kfunc.ts";
import { MAX_ERRNO } from "../progs/lsm_hooks.ts";
import { pushStack } from "./branch.ts";
import { hasField } from "./btf_record.ts";
import { isScalarStruct, isScalarType } from "./btf_walk.ts";
import { callFacts, isKfuncCall } from "./call_facts.ts";
import { pushCallbackCall, setRbtreeAddState, setTaskWorkState, setTimerState } from "./callback.ts";
import { dynptrTypeFlag } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { convertOwningToNonOwning, markGraphNode, setNonOwning } from "./graph.ts";
import { iterSlot, processIterNext } from "./iter.ts";
import { checkKfuncArgs } from "./kfunc_args.ts";
import { fetchKfuncMeta, type KfuncMeta } from "./kfunc_meta.ts";
import { inRbtreeLockRequiredCb, inRcuSection, inSleepable, regRecord } from "./locks.ts";
import { mayAccessDirectPktData } from "./mem.ts";
import { acquireReference, releaseReference } from "./refs.ts";
import { BPF_WRITE, PTR_TO_BTF_ID, PTR_TO_MEM, STACK_ITER } from "./reg_type.ts";
import {
  CALLER_SAVED,
  clearAllPktPointers,
  forEachReg,
  markRegConstZero,
  markRegKnownZero,
  markRegNotInit,
  markRegUnknown,
  narrowS32,
} from "./regs.ts";
import { checkReturnCode } from "./return_range.ts";
import type { Reg } from "./state.ts";

export { addKfuncCalls } from "./kfunc_meta.ts";

/** bpf_percpu_obj_new() allocates at most this many bytes. */
const PERCPU_OBJ_MAX = 512;

const ALLOWED_WHILE_LOCKED = /^bpf_(list_|rbtree_|refcount_acquire_impl|iter_num_|res_spin_|arena_|stream_)/;
const INSERTS = new Set(["bpf_list_push_front_impl", "bpf_list_push_back_impl", "bpf_rbtree_add_impl"]);
const LENDS = new Set([
  "bpf_rbtree_first",
  "bpf_rbtree_root",
  "bpf_rbtree_left",
  "bpf_rbtree_right",
  "bpf_list_front",
  "bpf_list_back",
]);
const RES_LOCKS = new Set(["bpf_res_spin_lock", "bpf_res_spin_lock_irqsave"]);
const NEW_OBJECT = new Set(["bpf_obj_new_impl", "bpf_percpu_obj_new_impl", "bpf_refcount_acquire_impl"]);

/** Calls of weak kfuncs that do not exist must have been behind branches that are never taken. */
export function checkUnresolvedKfuncs(env: VerifierEnv): void {
  const { imm, off, length } = env.insns;
  for (let i = 0; i < length; i++) {
    if (!env.seen[i] || !isKfuncCall(env, i) || imm[i] !== 0 || off[i] !== 0) continue;
    env.reject(EINVAL, "invalid kernel function call not eliminated in verifier pass");
  }
}

/** Checks a BPF_PSEUDO_KFUNC_CALL; leaves the state as it is after the call. */
export function checkKfuncCall(env: VerifierEnv, insnIdx: number): void {
  const { insns } = env;
  // imm 0: an unresolved weak kfunc. checkUnresolvedKfuncs() refuses it when the call stays in the program.
  if (insns.imm[insnIdx] === 0 && insns.off[insnIdx] === 0) return;
  const early = callFacts(env, insnIdx);
  if (env.cur.activeLocks && !ALLOWED_WHILE_LOCKED.test(early?.name ?? "")) {
    env.reject(EINVAL, "function calls are not allowed while holding a lock");
  }
  const meta = fetchKfuncMeta(env, insnIdx);
  if (meta.flags & KF_DESTRUCTIVE && !env.input.caps.sysAdmin) {
    env.reject(EACCES, "destructive kfunc calls require CAP_SYS_BOOT capability");
  }
  const sleepable = (meta.flags & KF_SLEEPABLE) !== 0;
  if (sleepable && !inSleepable(env)) {
    env.reject(EACCES, `program must be sleepable to call sleepable kfunc ${meta.name}`);
  }
  checkKfuncArgs(env, meta);
  if (RES_LOCKS.has(meta.name)) pushFailedLock(env, insnIdx);
  pushCallbacks(env, meta);
  enterLeaveRegions(env, meta, sleepable);
  releaseArgs(env, meta);
  if (meta.name === "bpf_throw" && !env.exceptionCallbackSubprog) checkReturnCode(env, 1, "R1");
  if (meta.name === "__bpf_trap") env.reject(EFAULT, "unexpected __bpf_trap() due to uninitialized variable?");

  for (const regno of CALLER_SAVED) markRegNotInit(env, env.reg(regno));
  setResult(env, meta);
  if (meta.name === "bpf_xdp_pull_data") clearAllPktPointers(env);
  if (meta.flags & KF_ITER_NEXT) processIterNext(env, insnIdx, meta.iter!);
}

/** The path on which the lock was not taken: r0 is an errno. */
function pushFailedLock(env: VerifierEnv, insnIdx: number): void {
  const state = pushStack(env, insnIdx + 1, insnIdx, false, ENOMEM);
  // The lock itself was recorded while its argument was checked; the queued path does without.
  const last = state.refs[state.refs.length - 1];
  state.refs = state.refs.filter((r) => r !== last);
  state.activeLocks--;
  const prev = [...state.refs].reverse().find((r) => (r.type & LOCK_TYPES) !== 0);
  state.activeLockId = prev?.id ?? 0;
  state.activeLockPtr = prev?.ptr ?? 0;
  const frame = state.frames[state.curframe];
  for (const regno of CALLER_SAVED) markRegNotInit(env, env.R.regAt(frame, regno));
  const r0 = env.R.regAt(frame, 0);
  markRegUnknown(env, r0);
  narrowS32(env, r0, -MAX_ERRNO, -1, "res_spin_lock");
}

const LOCK_TYPES = (1 << 3) | (1 << 4) | (1 << 5);

function pushCallbacks(env: VerifierEnv, meta: KfuncMeta): void {
  const { insnIdx, subprogno } = meta;
  if (meta.name === "bpf_rbtree_add_impl") pushCallbackCall(env, insnIdx, subprogno, setRbtreeAddState);
  else if (meta.name === "bpf_wq_set_callback_impl") {
    pushCallbackCall(env, insnIdx, subprogno, setTimerState, { async: true, sleepable: true });
  } else if (meta.name.startsWith("bpf_task_work_schedule_")) {
    pushCallbackCall(env, insnIdx, subprogno, setTaskWorkState, { async: true, sleepable: true });
  }
}

/** RCU read sections, preemption: opened and closed by kfuncs; what may sleep is refused inside. */
function enterLeaveRegions(env: VerifierEnv, meta: KfuncMeta, sleepable: boolean): void {
  const s = env.cur;
  const { name } = meta;
  if (/^bpf_rcu_read_(un)?lock$/.test(name) && s.activeRcuLocks && inRbtreeLockRequiredCb(env)) {
    env.reject(EACCES, "Calling bpf_rcu_read_{lock,unlock} in unnecessary rbtree callback");
  }
  if (name === "bpf_rcu_read_lock") {
    if (s.activeRcuLocks) env.reject(EINVAL, `nested rcu read lock (kernel function ${name})`);
    s.activeRcuLocks++;
  } else if (name === "bpf_rcu_read_unlock") {
    if (!s.activeRcuLocks) env.reject(EINVAL, `unmatched rcu read unlock (kernel function ${name})`);
    if (--s.activeRcuLocks === 0) endRcu(env);
  } else if (sleepable && s.activeRcuLocks) {
    env.reject(EACCES, `kernel func ${name} is sleepable within rcu_read_lock region`);
  }
  if (name === "bpf_preempt_disable") {
    s.activePreemptLocks++;
  } else if (name === "bpf_preempt_enable") {
    if (!s.activePreemptLocks) {
      env.reject(EINVAL, `unmatched attempt to enable preemption (kernel function ${name})`);
    }
    s.activePreemptLocks--;
  } else if (sleepable && s.activePreemptLocks) {
    env.reject(EACCES, `kernel func ${name} is sleepable within non-preemptible region`);
  }
  if (sleepable && s.activeIrqId) {
    env.reject(EACCES, `kernel func ${name} is sleepable within IRQ-disabled region`);
  }
  if (meta.flags & KF_RCU_PROTECTED && !inRcuSection(env)) {
    env.reject(EACCES, `kernel func ${name} requires RCU critical section protection`);
  }
}

/** Pointers that RCU protected may be stale now; iterators too. */
function endRcu(env: VerifierEnv): void {
  const R = env.R;
  const demote = (r: Reg): void => {
    const type = R.type(r);
    if (type & MEM_RCU) R.setType(r, (type & ~(MEM_RCU | PTR_MAYBE_NULL)) | PTR_UNTRUSTED);
  };
  forEachReg(env, env.cur, demote);
  for (let f = 0; f <= env.cur.curframe; f++) {
    const frame = env.cur.frames[f];
    for (let spi = 0; spi < R.stackSlots(frame); spi++) {
      if (R.slotType(frame, spi, 7) === STACK_ITER) demote(R.slotAt(frame, spi));
    }
  }
}

function releaseArgs(env: VerifierEnv, meta: KfuncMeta): void {
  const R = env.R;
  const missing = `kfunc ${meta.name}#${meta.funcId} reference has not been acquired before`;
  if (meta.releaseRegno) {
    const id = R.refObjId(env.reg(meta.releaseRegno));
    if (!releaseReference(env, id)) env.reject(EINVAL, missing);
  }
  if (!INSERTS.has(meta.name)) return;
  const id = R.refObjId(env.reg(2));
  if (!convertOwningToNonOwning(env, id)) {
    env.reject(EFAULT, `kfunc ${meta.name}#${meta.funcId} conversion of owning ref to non-owning failed`);
  }
  if (!releaseReference(env, id)) env.reject(EINVAL, missing);
}

function setResult(env: VerifierEnv, meta: KfuncMeta): void {
  const R = env.R;
  const { btf } = meta;
  const r0 = env.reg(0);
  const ret = btf.resolve(btf.ref(meta.protoId));
  const isPtr = btf.kind(ret) === BTF_KIND_PTR;
  const target = isPtr ? btf.resolve(btf.ref(ret)) : 0;
  const acquire = (meta.flags & KF_ACQUIRE) !== 0;
  if (acquire && !(isPtr && btf.isComposite(target)) && !NEW_OBJECT.has(meta.name)) {
    env.reject(EINVAL, "acquire kernel function does not return PTR_TO_BTF_ID");
  }
  if (isScalarType(btf, ret)) {
    markRegUnknown(env, r0);
    R.setSubregDef(r0, btf.ref(ret) === 8 ? 0 : meta.insnIdx + 1);
    if (RES_LOCKS.has(meta.name)) markRegConstZero(env, r0);
    return;
  }
  if (!isPtr) return;

  const special = SPECIAL_RESULTS[meta.name];
  if (special) special(env, meta, r0);
  else if (btf.kind(target) === BTF_KIND_UNKN) markRegUnknown(env, r0);
  else if (!btf.isComposite(target)) memResult(env, meta, r0, target);
  else structResult(env, meta, r0, target);

  const retNull = (meta.flags & KF_RET_NULL) !== 0 && !(meta.name === "bpf_refcount_acquire_impl" && meta.argOwningRef);
  if (retNull) {
    R.setType(r0, R.type(r0) | PTR_MAYBE_NULL);
    R.setId(r0, ++env.idGen);
  }
  if (acquire) {
    const id = acquireReference(env, meta.insnIdx);
    if (retNull) R.setId(r0, id);
    R.setRefObjId(r0, id);
  } else if (LENDS.has(meta.name)) {
    setNonOwning(env, r0);
  }
  if (!R.id(r0) && hasField(regRecord(env, r0), "spin_lock", "res_spin_lock")) R.setId(r0, ++env.idGen);
}

function memResult(env: VerifierEnv, meta: KfuncMeta, r0: Reg, target: number): void {
  const R = env.R;
  const { btf } = meta;
  let size = meta.r0Size;
  let rdonly = meta.r0Rdonly;
  if (meta.name === "bpf_session_cookie") {
    size = 8;
    rdonly = false;
  }
  if (!size) {
    size = Math.max(0, btf.size(target));
    rdonly = true;
  }
  if (!size) {
    const what = `${kindName(btf.kind(target))} ${btf.nameOf(target)}`;
    env.reject(EINVAL, `kernel function ${meta.name} returns pointer type ${what} is not supported`);
  }
  markRegKnownZero(env, r0);
  R.setType(r0, PTR_TO_MEM | (rdonly ? MEM_RDONLY : 0));
  R.setMemSize(r0, size);
  if (meta.refObjId) R.setRefObjId(r0, meta.refObjId);
}

function structResult(env: VerifierEnv, meta: KfuncMeta, r0: Reg, target: number): void {
  const R = env.R;
  markRegKnownZero(env, r0);
  R.setType(r0, PTR_TO_BTF_ID);
  R.setBtf(r0, env.btfIndex(meta.btf), target);
  if (!(meta.flags & KF_ITER_NEXT) || !meta.iter) return;
  const slotType = R.type(iterSlot(env, env.cur, meta.iter));
  R.setType(r0, PTR_TO_BTF_ID | (slotType & MEM_RCU ? MEM_RCU : PTR_TRUSTED));
}

type Result = (env: VerifierEnv, meta: KfuncMeta, r0: Reg) => void;

function objNew(perCpu: boolean): Result {
  return (env, meta, r0) => {
    const constant = meta.constant;
    const { btf } = env.input;
    if (!constant?.fits32) return env.reject(EINVAL, "local type ID argument must be in range [0, U32_MAX]");
    if (!btf) return env.reject(EINVAL, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF");
    const id = constant.value;
    if (id >= btf.typeCount || !btf.isComposite(id)) {
      env.reject(EINVAL, "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct");
    }
    if (perCpu) {
      const size = btf.ref(id);
      if (size > PERCPU_OBJ_MAX) {
        env.reject(EINVAL, `bpf_percpu_obj_new type size (${size}) is greater than ${PERCPU_OBJ_MAX}`);
      }
      if (!isScalarStruct(btf, id)) {
        env.reject(EINVAL, "bpf_percpu_obj_new type ID argument must be of a struct of scalars");
      }
      if (env.facts.structRecord(btf, id)) {
        env.reject(EINVAL, "bpf_percpu_obj_new type ID argument must not contain special fields");
      }
    }
    markRegKnownZero(env, r0);
    env.R.setType(r0, PTR_TO_BTF_ID | MEM_ALLOC | (perCpu ? MEM_PERCPU : 0));
    env.R.setBtf(r0, env.btfIndex(btf), id);
  };
}

const graphResult: Result = (env, meta, r0) => markGraphNode(env, r0, meta.root!);

function slice(writable: boolean): Result {
  return (env, meta, r0) => {
    const dynptr = meta.dynptr;
    if (!meta.constant || !dynptr) {
      return env.reject(EFAULT, "verifier internal error: bpf_dynptr_slice(_rdwr) no constant size");
    }
    markRegKnownZero(env, r0);
    env.R.setMemSize(r0, meta.constant.value);
    env.R.setType(r0, PTR_TO_MEM | dynptrTypeFlag(dynptr.type) | (writable ? 0 : MEM_RDONLY));
    if (writable && !mayAccessDirectPktData(env, undefined, BPF_WRITE)) {
      env.reject(EINVAL, "the prog does not allow writes to packet data");
    }
    env.R.setDynptrId(r0, dynptr.id);
  };
}

/** Kfuncs whose result is not what the BTF says. */
const SPECIAL_RESULTS: Readonly<Record<string, Result>> = {
  bpf_obj_new_impl: objNew(false),
  bpf_percpu_obj_new_impl: objNew(true),
  bpf_refcount_acquire_impl(env, meta, r0) {
    markRegKnownZero(env, r0);
    env.R.setType(r0, PTR_TO_BTF_ID | MEM_ALLOC);
    env.R.setBtf(r0, env.btfIndex(meta.argBtf!), meta.argBtfId);
  },
  bpf_list_pop_front: graphResult,
  bpf_list_pop_back: graphResult,
  bpf_list_front: graphResult,
  bpf_list_back: graphResult,
  bpf_rbtree_remove: graphResult,
  bpf_rbtree_first: graphResult,
  bpf_rbtree_root: graphResult,
  bpf_rbtree_left: graphResult,
  bpf_rbtree_right: graphResult,
  bpf_cast_to_kern_ctx(env, meta, r0) {
    markRegKnownZero(env, r0);
    env.R.setType(r0, PTR_TO_BTF_ID | PTR_TRUSTED);
    env.R.setBtf(r0, env.btfIndex(meta.btf), meta.retBtfId);
  },
  bpf_rdonly_cast(env, meta, r0) {
    const { btf } = meta;
    const id = meta.constant!.value;
    if (!meta.constant!.fits32 || id >= btf.typeCount) {
      env.reject(EINVAL, `Unknown type ID ${id} passed to kfunc bpf_rdonly_cast`);
    }
    markRegKnownZero(env, r0);
    if (btf.isComposite(id)) {
      env.R.setType(r0, PTR_TO_BTF_ID | PTR_UNTRUSTED);
      env.R.setBtf(r0, env.btfIndex(btf), id);
    } else if (btf.kind(id) === BTF_KIND_UNKN) {
      env.R.setType(r0, PTR_TO_MEM | MEM_RDONLY | PTR_UNTRUSTED);
      env.R.setMemSize(r0, 0);
    } else {
      env.reject(EINVAL, "kfunc bpf_rdonly_cast type ID argument must be of a struct or void");
    }
  },
  bpf_dynptr_slice: slice(false),
  bpf_dynptr_slice_rdwr: slice(true),
};
