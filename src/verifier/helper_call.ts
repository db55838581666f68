/**
 * Calls of helper functions: may this program call it here, do the registers hold what it wants, and what comes back.
 *
 * Arguments are checked in order from r1, so that a map argument is known when its key and value are looked at. Then the
 * effects: buffers the helper fills become initialised, references are released, callbacks are queued, r0 gets its type
 * and r1 to r5 are gone.
 * Source   check_helper_call(), check_func_arg() in kernel/bpf/verifier.c.
 */
import * as abi from "../abi/bpf.ts";
import { EACCES, EINVAL, ENOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Helper } from "../helpers/helper.ts";
import { protoFor } from "../helpers/table.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_ALLOC_SIZE_OR_ZERO,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_DONTCARE,
  ARG_KPTR_XCHG_DEST,
  ARG_PTR_TO_BTF_ID_SOCK_COMMON,
  ARG_PTR_TO_CONST_STR,
  ARG_PTR_TO_DYNPTR,
  ARG_PTR_TO_FUNC,
  ARG_PTR_TO_MAP_KEY,
  ARG_PTR_TO_MAP_VALUE,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_PERCPU_BTF_ID,
  ARG_PTR_TO_SPIN_LOCK,
  ARG_PTR_TO_TIMER,
  MEM_ALIGNED,
  MEM_FIXED_SIZE,
  MEM_RCU,
  MEM_UNINIT,
  MEM_WRITE,
  OBJ_RELEASE,
  type Proto,
  PTR_MAYBE_NULL,
} from "../helpers/types.ts";
import { pushStack } from "./branch.ts";
import type { BtfField } from "./btf_record.ts";
import { checkRegConstStr } from "./const_str.ts";
import { dynptrSpi, processDynptrArg } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { applyHelperEffects } from "./helper_effects.ts";
import { setHelperResult } from "./helper_ret.ts";
import { helperAllowedHere } from "./helper_rules.ts";
import { R_VALUE } from "./layout.ts";
import { inRbtreeLockRequiredCb, inSleepable, processSpinLock } from "./locks.ts";
import { checkMapFuncCompatibility } from "./map_compat.ts";
import { processKptrDest, processTimer } from "./map_fields.ts";
import { constantMapKey } from "./map_key.ts";
import {
  checkHelperMemAccess,
  checkMemAccess,
  checkMemSizeReg,
  checkPtrAlignment,
  mayAccessDirectPktData,
  type RawMode,
} from "./mem.ts";
import type { VerifierMap } from "./platform.ts";
import { markChainPrecision } from "./precision.ts";
import { checkArgRegOff, checkRegType, kernelStruct, type MatchCall, type WantedBtf } from "./reg_match.ts";
import { BPF_READ, BPF_WRITE, baseType, isPktPointer, PTR_TO_STACK, SCALAR_VALUE } from "./reg_type.ts";
import { checkRegArg, clearAllPktPointers, isPointerValue, markRegUnknown } from "./regs.ts";
import { prepareFuncExit } from "./subprog_call.ts";

const BPF_B = 0x10;
const BPF_F_RDONLY_PROG = 1 << 7;

/** What the arguments of one call have shown (struct bpf_call_arg_meta). */
export interface CallMeta extends RawMode, MatchCall {
  readonly func: string;
  readonly helper: Helper;
  readonly proto: Proto;
  readonly insnIdx: number;
  readonly pktAccess: boolean;
  map: VerifierMap | undefined;
  mapUid: number;
  /** Constant key given to a lookup; -1 = not known. */
  constKey: number;
  releaseRegno: number;
  /** Argument 1.. that carries a reference. */
  refObjId: number;
  dynptrId: number;
  /** Result of an allocation: its size. */
  memSize: number;
  /** Upper bound of the last size argument. */
  msizeMax: number;
  subprogno: number;
  retBtf: Btf | undefined;
  retBtfId: number;
  kptrField: BtfField | undefined;
  changesData: boolean;
  /** bpf_per_cpu_ptr() and bpf_this_cpu_ptr() on an object that the program allocated. */
  perCpuObject: boolean;
}

/** Name as messages print it. */
export function helperName(env: VerifierEnv, id: number): string {
  const helper = env.platform.helpers[id];
  if (id === 0) return "bpf_unspec";
  return helper ? `bpf_${helper.name}` : "unknown";
}

/** Checks a BPF_CALL of a helper; leaves the state as it is after the call. */
export function checkHelperCall(env: VerifierEnv, insnIdx: number): void {
  const id = env.insns.imm[insnIdx];
  const helper = env.platform.helpers[id];
  const label = `${helperName(env, id)}#${id}`;
  if (env.cur.activeLocks && helper?.name !== "spin_unlock") {
    env.reject(EINVAL, "function calls are not allowed while holding a lock");
  }
  if (id < 0 || id > abi.BPF_FUNC_cgrp_storage_delete) env.reject(EINVAL, `invalid func ${label}`);
  if (!helper || !env.facts.mayCall(id)) env.reject(EINVAL, `program of this type cannot use helper ${label}`);
  const proto = protoFor(helper, env.facts.type);
  checkContext(env, helper, proto, label);

  const meta: CallMeta = {
    rawMode: false,
    regno: 0,
    accessSize: 0,
    func: helper.name,
    helper,
    proto,
    insnIdx,
    pktAccess: proto.pktAccess === true,
    map: undefined,
    mapUid: 0,
    constKey: -1,
    releaseRegno: 0,
    refObjId: 0,
    dynptrId: 0,
    memSize: 0,
    msizeMax: 0,
    subprogno: 0,
    retBtf: undefined,
    retBtfId: 0,
    kptrField: undefined,
    changesData: proto.changesPktData === true,
    perCpuObject: false,
  };
  for (let i = 0; i < proto.args.length; i++) checkFuncArg(env, i, meta);
  recordFuncMap(env, meta);

  // The helper writes the buffer byte by byte, as far as this analysis is concerned.
  for (let i = 0; i < meta.accessSize; i++) {
    checkMemAccess(env, insnIdx, meta.regno, i, BPF_B, BPF_WRITE, -1, false, false);
  }
  applyHelperEffects(env, meta);
  setHelperResult(env, meta);
  if (meta.map) checkMapFuncCompatibility(env, meta.map, helper);
  if (helper.name === "get_func_ip") checkGetFuncIp(env, id);
  if (helper.name === "tail_call") leaveByTailCall(env, insnIdx);
  else if (meta.changesData) clearAllPktPointers(env);
}

/**
 * A tail call that works never comes back: for a function that was called, whoever called it goes on with the other
 * program's result. The path on which it fails is queued.
 */
function leaveByTailCall(env: VerifierEnv, insnIdx: number): void {
  if (env.cur.curframe === 0) return;
  pushStack(env, insnIdx + 1, insnIdx, false);
  clearAllPktPointers(env);
  env.scratchedRegs |= 1;
  markRegUnknown(env, env.reg(0));
  env.stackLive.update(env);
  prepareFuncExit(env);
}

function checkContext(env: VerifierEnv, helper: Helper, proto: Proto, label: string): void {
  const s = env.cur;
  if (!env.facts.gpl && proto.gplOnly) {
    env.reject(EINVAL, "cannot call GPL-restricted function from non-GPL compatible program");
  }
  if (!helperAllowedHere(env.facts, helper.name)) env.reject(EINVAL, "helper call is not allowed in probe");
  if (!proto.mightSleep) return;
  if (!inSleepable(env)) env.reject(EINVAL, "helper call might sleep in a non-sleepable prog");
  if (s.activeRcuLocks) env.reject(EINVAL, `sleepable helper ${label} in rcu_read_lock region`);
  if (s.activePreemptLocks) env.reject(EINVAL, `sleepable helper ${label} in non-preemptible region`);
  if (s.activeIrqId) env.reject(EINVAL, `sleepable helper ${label} in IRQ-disabled region`);
}

/** Argument type after the map had its say: socket maps take sockets for values, bloom filters peek by value. */
function resolveMapArg(env: VerifierEnv, argType: number, meta: CallMeta): number {
  if (!meta.map) env.reject(EACCES, "invalid map_ptr to access map->type");
  const { type } = meta.map;
  if (type === abi.BPF_MAP_TYPE_SOCKMAP || type === abi.BPF_MAP_TYPE_SOCKHASH) {
    if (argType !== ARG_PTR_TO_MAP_VALUE) env.reject(EINVAL, "invalid arg_type for sockmap/sockhash");
    return ARG_PTR_TO_BTF_ID_SOCK_COMMON;
  }
  if (type === abi.BPF_MAP_TYPE_BLOOM_FILTER && meta.func === "map_peek_elem") return ARG_PTR_TO_MAP_VALUE;
  return argType;
}

function wantedBtf(env: VerifierEnv, i: number, meta: CallMeta): WantedBtf | undefined {
  const name = meta.proto.argBtf?.[i];
  return name === undefined ? undefined : kernelStruct(env, name);
}

function checkFuncArg(env: VerifierEnv, i: number, meta: CallMeta): void {
  const R = env.R;
  const regno = i + 1;
  const r = env.reg(regno);
  let argType = meta.proto.args[i];
  if (argType === ARG_DONTCARE) return;
  checkRegArg(env, regno, 0);
  if (argType === ARG_ANYTHING) {
    if (isPointerValue(env, regno)) env.reject(EACCES, `R${regno} leaks addr into helper function`);
    return;
  }
  if (isPktPointer(R.type(r)) && !mayAccessDirectPktData(env, meta, BPF_READ)) {
    env.reject(EACCES, "helper access to the packet is not allowed");
  }
  if (baseType(argType) === ARG_PTR_TO_MAP_VALUE) argType = resolveMapArg(env, argType, meta);

  const isNull = R.isNull(r);
  if (isNull && argType & PTR_MAYBE_NULL) {
    markChainPrecision(env, regno);
  } else {
    checkRegType(env, regno, argType, wantedBtf(env, i, meta), meta);
    checkArgRegOff(env, r, regno, argType);
  }
  if (argType & OBJ_RELEASE) checkReleaseArg(env, regno, argType, meta);
  if (R.refObjId(r) && baseType(argType) !== ARG_KPTR_XCHG_DEST) {
    if (meta.refObjId) {
      env.reject(EACCES, `more than one arg with ref_obj_id R${regno} ${R.refObjId(r)} ${meta.refObjId}`);
    }
    meta.refObjId = R.refObjId(r);
  }
  ARG_CHECKS[baseType(argType)]?.(env, regno, argType, meta);
}

function checkReleaseArg(env: VerifierEnv, regno: number, argType: number, meta: CallMeta): void {
  const R = env.R;
  const r = env.reg(regno);
  if (baseType(argType) === ARG_PTR_TO_DYNPTR) {
    if (R.type(r) !== PTR_TO_STACK) env.reject(EINVAL, "cannot release unowned const bpf_dynptr");
    if (!isAcquiredDynptr(env, regno)) env.reject(EINVAL, `arg ${regno} is an unacquired reference`);
  } else if (!R.refObjId(r) && !R.isNull(r)) {
    env.reject(EINVAL, `R${regno} must be referenced when passed to release function`);
  }
  meta.releaseRegno = regno;
}

function isAcquiredDynptr(env: VerifierEnv, regno: number): boolean {
  const R = env.R;
  const r = env.reg(regno);
  const spi = dynptrSpi(env, r);
  return spi >= 0 && R.refObjId(R.slotAt(env.cur.frames[R.regFrameno(r)], spi)) !== 0;
}

type ArgCheck = (env: VerifierEnv, regno: number, argType: number, meta: CallMeta) => void;

function access(argType: number): 1 | 2 {
  return argType & MEM_WRITE ? BPF_WRITE : BPF_READ;
}

function checkSize(env: VerifierEnv, regno: number, meta: CallMeta, zeroOk: boolean): void {
  const r = env.reg(regno);
  meta.msizeMax = env.R.umax(r);
  checkMemSizeReg(env, r, regno, access(meta.proto.args[regno - 2]), zeroOk, meta);
}

/** By base argument type; types that are not here have nothing to check beyond the register's type. */
const ARG_CHECKS: Readonly<Record<number, ArgCheck>> = {
  [ARG_CONST_MAP_PTR](env, regno, _argType, meta) {
    const r = env.reg(regno);
    const map = env.mapOf(r);
    const uid = env.R.mapUid(r);
    if (meta.map && (meta.map !== map || meta.mapUid !== uid)) {
      env.reject(EINVAL, `timer pointer in R1 map_uid=${meta.mapUid} doesn't match map pointer in R2 map_uid=${uid}`);
    }
    meta.map = map;
    meta.mapUid = uid;
  },
  [ARG_PTR_TO_MAP_KEY](env, regno, _argType, meta) {
    if (!meta.map) return env.reject(EACCES, "invalid map_ptr to access map->key");
    checkHelperMemAccess(env, regno, meta.map.keySize, BPF_READ, false);
    meta.constKey = constantMapKey(env, regno, meta.map);
  },
  [ARG_PTR_TO_MAP_VALUE](env, regno, argType, meta) {
    if (argType & PTR_MAYBE_NULL && env.R.isNull(env.reg(regno))) return;
    if (!meta.map) return env.reject(EACCES, "invalid map_ptr to access map->value");
    meta.rawMode = (argType & MEM_UNINIT) !== 0;
    checkHelperMemAccess(env, regno, meta.map.valueSize, access(argType), false, meta);
  },
  [ARG_PTR_TO_PERCPU_BTF_ID](env, regno, _argType, meta) {
    const r = env.reg(regno);
    if (!env.R.btfId(r)) env.reject(EACCES, `Helper has invalid btf_id in R${regno}`);
    meta.retBtf = env.btfOf(r);
    meta.retBtfId = env.R.btfId(r);
    meta.perCpuObject = (env.R.type(r) & MEM_RCU) !== 0;
  },
  [ARG_PTR_TO_SPIN_LOCK](env, regno, _argType, meta) {
    if (inRbtreeLockRequiredCb(env)) env.reject(EACCES, "can't spin_{lock,unlock} in rbtree cb");
    processSpinLock(env, regno, "spin", meta.func === "spin_lock");
  },
  [ARG_PTR_TO_TIMER](env, regno, _argType, meta) {
    processTimer(env, regno, meta);
  },
  [ARG_PTR_TO_FUNC](env, regno, _argType, meta) {
    meta.subprogno = env.R.subprogno(env.reg(regno));
  },
  [ARG_PTR_TO_MEM](env, regno, argType, meta) {
    meta.rawMode = (argType & MEM_UNINIT) !== 0;
    if (!(argType & MEM_FIXED_SIZE)) return;
    const size = meta.proto.sizes?.[regno - 1] ?? 0;
    checkHelperMemAccess(env, regno, size, access(argType), false, meta);
    if (argType & MEM_ALIGNED) checkPtrAlignment(env, env.reg(regno), 0, size, true);
  },
  [ARG_CONST_SIZE](env, regno, _argType, meta) {
    checkSize(env, regno, meta, false);
  },
  [ARG_CONST_SIZE_OR_ZERO](env, regno, _argType, meta) {
    checkSize(env, regno, meta, true);
  },
  [ARG_PTR_TO_DYNPTR](env, regno, argType, meta) {
    processDynptrArg(env, regno, meta.insnIdx, argType);
  },
  [ARG_CONST_ALLOC_SIZE_OR_ZERO](env, regno, _argType, meta) {
    const r = env.reg(regno);
    if (!env.R.isConst(r)) env.reject(EACCES, `R${regno} is not a known constant'`);
    meta.memSize = env.R.value(r);
    markChainPrecision(env, regno);
  },
  [ARG_PTR_TO_CONST_STR](env, regno) {
    checkRegConstStr(env, regno);
  },
  [ARG_KPTR_XCHG_DEST](env, regno, _argType, meta) {
    processKptrDest(env, regno, meta);
  },
};

const MAP_RECORDED = new Set([
  "tail_call",
  "map_lookup_elem",
  "map_update_elem",
  "map_delete_elem",
  "map_push_elem",
  "map_pop_elem",
  "map_peek_elem",
  "for_each_map_elem",
  "redirect_map",
  "map_lookup_percpu_elem",
]);
const MAP_WRITERS = new Set(["map_delete_elem", "map_update_elem", "map_push_elem", "map_pop_elem"]);

/** Remembers which map the call got, for callbacks and engines; -1 = more than one. */
function recordFuncMap(env: VerifierEnv, meta: CallMeta): void {
  if (!MAP_RECORDED.has(meta.func) || !meta.map) return;
  if (meta.map.mapFlags & BPF_F_RDONLY_PROG && MAP_WRITERS.has(meta.func)) {
    env.reject(EACCES, "write into map forbidden");
  }
  const idx = env.mapIndex(meta.map);
  const at = env.callMap;
  if (at[meta.insnIdx] === 0) at[meta.insnIdx] = idx;
  else if (at[meta.insnIdx] !== idx) at[meta.insnIdx] = -1;
  if (meta.map.unprivileged) env.callMapMasked[meta.insnIdx] = 1;
  if (meta.func === "tail_call") {
    if (meta.map.type !== abi.BPF_MAP_TYPE_PROG_ARRAY) env.reject(EINVAL, "expected prog array map for tail call");
    // A constant index makes a direct jump of it: then states with another index are not the same.
    const key = env.reg(3);
    const known = env.R.type(key) === SCALAR_VALUE && env.R.isConst(key);
    if (known && env.R.u64(key + R_VALUE) < meta.map.maxEntries) markChainPrecision(env, 3);
  }
}

/** Index masks of a prog array made without privileges are those of one map: only a known map may be jumped through. */
export function checkTailCallMaps(env: VerifierEnv): void {
  const { code, src, imm, length } = env.insns;
  for (let i = 0; i < length; i++) {
    if (code[i] !== 0x85 || src[i] !== 0 || imm[i] !== abi.BPF_FUNC_tail_call || !env.seen[i]) continue;
    if (env.callMap[i] === -1 && env.callMapMasked[i]) env.reject(EINVAL, "tail_call abusing map_ptr");
  }
}

function checkGetFuncIp(env: VerifierEnv, id: number): void {
  const { type } = env.facts;
  if (type === abi.BPF_PROG_TYPE_KPROBE) return;
  const label = `bpf_get_func_ip#${id}`;
  if (type !== abi.BPF_PROG_TYPE_TRACING) {
    env.reject(ENOTSUPP, `func ${label} not supported for program type ${type}`);
  }
  if (!env.facts.hasTrampoline) {
    env.reject(ENOTSUPP, `func ${label} supported only for fentry/fexit/fmod_ret programs`);
  }
}
