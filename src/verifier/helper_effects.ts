/**
 * What a helper does besides returning something: releases, callbacks, ends of programs.
 *
 * One entry per helper with an effect of its own. Source: check_helper_call() in kernel/bpf/verifier.c.
 */
import { BPF_LSM_CGROUP, BPF_PROG_TYPE_LSM } from "../abi/bpf.ts";
import { EACCES, EFAULT, EINVAL } from "../abi/errno.ts";
import { ARG_PTR_TO_DYNPTR, MEM_ALLOC, MEM_PERCPU, MEM_RCU } from "../helpers/types.ts";
import {
  pushCallbackCall,
  setFindVmaState,
  setLoopState,
  setMapElemState,
  setTimerState,
  setUserRingbufState,
} from "./callback.ts";
import { bprintfFormatOk, constString } from "./const_str.ts";
import { BPF_DYNPTR_TYPE_SKB, BPF_DYNPTR_TYPE_SKB_META, dynptrRecord, unmarkStackSlotsDynptr } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import type { CallMeta } from "./helper_call.ts";
import { F_CALLBACK_DEPTH, R_UMAX } from "./layout.ts";
import { inRcuSection } from "./locks.ts";
import { BPF_LOG_LEVEL2 } from "./log.ts";
import { markChainPrecision } from "./precision.ts";
import { checkResourceLeak, releaseReference, releaseReferenceNoMark } from "./refs.ts";
import { baseType, PTR_TO_MAP_VALUE, regTypeStr } from "./reg_type.ts";
import { forEachReg, markRegInvalid } from "./regs.ts";

type Effect = (env: VerifierEnv, meta: CallMeta) => void;

export function applyHelperEffects(env: VerifierEnv, meta: CallMeta): void {
  if (meta.releaseRegno) release(env, meta);
  EFFECTS[meta.func]?.(env, meta);
}

function release(env: VerifierEnv, meta: CallMeta): void {
  const r = env.reg(meta.releaseRegno);
  let ok = false;
  if (baseType(meta.proto.args[meta.releaseRegno - 1]) === ARG_PTR_TO_DYNPTR) ok = unmarkStackSlotsDynptr(env, r);
  else if (meta.func === "kptr_xchg" && meta.refObjId) ok = giveToMap(env, meta.refObjId);
  else if (meta.refObjId) ok = releaseReference(env, meta.refObjId);
  else ok = env.R.isNull(r);
  if (!ok) {
    env.reject(EINVAL, `func bpf_${meta.func}#${meta.helper.id} reference has not been acquired before`);
  }
}

/** bpf_kptr_xchg(): the map owns the object now; per-CPU ones may still be looked at under RCU. */
function giveToMap(env: VerifierEnv, refObjId: number): boolean {
  const R = env.R;
  if (!releaseReferenceNoMark(env.cur, refObjId)) return false;
  const inRcu = inRcuSection(env);
  forEachReg(env, env.cur, (r) => {
    if (R.refObjId(r) !== refObjId) return;
    const type = R.type(r);
    if (inRcu && type & MEM_ALLOC && type & MEM_PERCPU) {
      R.setRefObjId(r, 0);
      R.setType(r, (type & ~MEM_ALLOC) | MEM_RCU);
    } else {
      markRegInvalid(env, r);
    }
  });
  return true;
}

const EFFECTS: Readonly<Record<string, Effect>> = {
  tail_call(env) {
    checkResourceLeak(env, false, true, "tail_call");
  },
  get_local_storage(env) {
    if (!env.R.isNull(env.reg(2))) env.reject(EINVAL, "get_local_storage() doesn't support non-zero flags");
    markChainPrecision(env, 2);
  },
  for_each_map_elem(env, meta) {
    pushCallbackCall(env, meta.insnIdx, meta.subprogno, setMapElemState);
  },
  timer_set_callback(env, meta) {
    pushCallbackCall(env, meta.insnIdx, meta.subprogno, setTimerState, { async: true, sleepable: false });
  },
  find_vma(env, meta) {
    pushCallbackCall(env, meta.insnIdx, meta.subprogno, setFindVmaState);
  },
  user_ringbuf_drain(env, meta) {
    pushCallbackCall(env, meta.insnIdx, meta.subprogno, setUserRingbufState);
  },
  snprintf(env) {
    const R = env.R;
    const bytes = R.value(env.reg(5));
    if (bytes % 8) env.rejectSilently(EINVAL);
    if (!bprintfFormatOk(constString(env, 3), bytes / 8)) env.reject(EINVAL, "Invalid format string");
  },
  loop(env, meta) {
    const R = env.R;
    const frame = env.cur.frame;
    // A loop whose flags and callback are fixed is inlined; its flags then are a constant that must stay one.
    if (R.isNull(env.reg(4))) markChainPrecision(env, 4);
    markChainPrecision(env, 1);
    if (R.get(frame, F_CALLBACK_DEPTH) < R.u64(env.reg(1) + R_UMAX)) {
      pushCallbackCall(env, meta.insnIdx, meta.subprogno, setLoopState);
      return;
    }
    R.set(frame, F_CALLBACK_DEPTH, 0);
    if (env.log.level & BPF_LOG_LEVEL2) env.verbose(`frame${env.cur.curframe} bpf_loop iteration limit reached\n`);
  },
  dynptr_from_mem(env) {
    const type = env.R.type(env.reg(1));
    if (type !== PTR_TO_MAP_VALUE) {
      env.reject(EACCES, `Unsupported reg type ${regTypeStr(type)} for bpf_dynptr_from_mem data`);
    }
  },
  set_retval(env) {
    const f = env.facts;
    if (f.type === BPF_PROG_TYPE_LSM && f.expectedAttachType === BPF_LSM_CGROUP && f.attachReturnsVoid) {
      env.reject(EINVAL, "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!");
    }
  },
  dynptr_data(env, meta) {
    const rec = dynptrRecord(env, env.reg(1));
    if (meta.refObjId) env.reject(EFAULT, "meta.ref_obj_id already set");
    meta.dynptrId = env.R.id(rec);
    meta.refObjId = env.R.refObjId(rec);
  },
  dynptr_write(env, meta) {
    const type = env.R.dynptrType(dynptrRecord(env, env.reg(1)));
    // The helper may move the packet: slices of it end.
    if (type === BPF_DYNPTR_TYPE_SKB || type === BPF_DYNPTR_TYPE_SKB_META) meta.changesData = true;
  },
};
