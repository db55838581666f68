/**
 * Conditional jumps: is the way decided; what each way tells about ranges, null pointers, packet bounds and linked
 * scalars; may_goto.
 *
 * Source   kernel/bpf/verifier.c: check_cond_jmp_op, is_branch_taken, reg_set_min_max, sync_linked_regs,
 *          find_good_pkt_pointers, mark_ptr_or_null_regs.
 */
import { EACCES, EINVAL, ENOMEM } from "../abi/errno.ts";
import { PTR_MAYBE_NULL } from "../helpers/types.ts";
import { pushStack } from "./branch.ts";
import { hasField } from "./btf_record.ts";
import { findPrevEntry, widenImpreciseScalars } from "./converge.ts";
import type { VerifierEnv } from "./env.ts";
import {
  addLinked,
  INSN_F_DST_REG_STACK,
  INSN_F_SRC_REG_STACK,
  type LinkedRegs,
  MAX_LINKED,
  pushJmpHistory,
} from "./jmp_history.ts";
import { BPF_ADD_CONST, BPF_ADD_CONST32 } from "./layout.ts";
import { regRecord } from "./locks.ts";
import { markChainPrecision } from "./precision.ts";
import { logOn, printInsnState } from "./print_state.ts";
import { releaseReferenceNoMark } from "./refs.ts";
import {
  baseType,
  PTR_TO_BTF_ID,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  SCALAR_VALUE,
  STACK_SPILL,
  typeMayBeNull,
} from "./reg_type.ts";
import {
  boundsSanityCheck,
  checkRegArg,
  clearScalarId,
  forEachReg,
  isPointerValue,
  markPtrNotNull,
  markRegConst,
  regNotNull,
  SRC_OP,
} from "./regs.ts";
import { sanitizeSpeculativePath } from "./sanitize.ts";
import { frameInsnIdx } from "./scc.ts";
import type { Reg, VState } from "./state.ts";

const JEQ = 0x10;
const JGT = 0x20;
const JGE = 0x30;
const JNE = 0x50;
const JLT = 0xa0;
const JLE = 0xb0;
const JCOND = 0xe0;

const FLIPPED: Readonly<Record<number, number>> = {
  [JEQ]: JEQ,
  [JNE]: JNE,
  64: 0x40,
  [JGE]: JLE,
  [JGT]: JLT,
  [JLE]: JGE,
  [JLT]: JGT,
  112: 0xd0,
  96: 0xc0,
  208: 0x70,
  192: 0x60,
};

const AT_PKT_END = -1;
const BEYOND_PKT_END = -2;
const MAX_PACKET_OFF = 0xffff;

function isPktAny(type: number): boolean {
  return type === PTR_TO_PACKET || type === PTR_TO_PACKET_META || type === PTR_TO_PACKET_END;
}

/** A packet pointer compared with the packet's end before: -1 = not known. */
function pktBranchTaken(env: VerifierEnv, dreg: Reg, sreg: Reg, op: number): number {
  const R = env.R;
  let pkt: Reg;
  let o = op;
  if (R.type(sreg) === PTR_TO_PACKET_END) {
    pkt = dreg;
  } else if (R.type(dreg) === PTR_TO_PACKET_END) {
    pkt = sreg;
    o = FLIPPED[op];
  } else {
    return -1;
  }
  const range = R.range(pkt);
  if (range >= 0) return -1;
  if (o === JLE || o === JGT) {
    if (range === BEYOND_PKT_END) return o === JGT ? 1 : 0;
  } else if (o === JLT || o === JGE) {
    if (range === BEYOND_PKT_END || range === AT_PKT_END) return o === JGE ? 1 : 0;
  }
  return -1;
}

/** is_branch_taken(): 1 taken, 0 not, -1 either. */
function branchTaken(env: VerifierEnv, dreg: Reg, sreg: Reg, op: number, is32: boolean): number {
  const R = env.R;
  if (isPktAny(R.type(dreg)) && isPktAny(R.type(sreg)) && !is32) return pktBranchTaken(env, dreg, sreg, op);
  if (R.type(dreg) !== SCALAR_VALUE || R.type(sreg) !== SCALAR_VALUE) {
    // Linux takes the low half of a pointer that is not NULL for not 0, too.
    const known = (r: Reg) => R.type(r) === SCALAR_VALUE && (is32 ? R.isConst32(r) : R.isConst(r));
    const [ptr, num] = known(sreg) ? [dreg, sreg] : [sreg, dreg];
    if (!known(num) || !regNotNull(env, ptr) || (is32 ? R.valueLo(num) : R.value(num)) !== 0) return -1;
    return op === JEQ ? 0 : op === JNE ? 1 : -1;
  }
  return R.wasm.branch_taken(dreg, sreg, op, is32);
}

/** Live registers, and slots, with the same id: at most six; others lose the id. collect_linked_regs(). */
function collectLinked(env: VerifierEnv, state: VState, id: number, linked: LinkedRegs): void {
  const R = env.R;
  const base = (id & ~BPF_ADD_CONST) >>> 0;
  const take = (reg: Reg, frameno: number, n: number, isReg: boolean) => {
    if (R.type(reg) !== SCALAR_VALUE || (R.id(reg) & ~BPF_ADD_CONST) >>> 0 !== base) return;
    if (linked.count < MAX_LINKED) addLinked(linked, frameno, n, isReg);
    else clearScalarId(env, reg);
  };
  for (let f = state.curframe; f >= 0; f--) {
    const frame = state.frames[f];
    const live = env.liveRegs[frameInsnIdx(env, state, f)];
    for (let i = 0; i < 10; i++) if (live & (1 << i)) take(R.regAt(frame, i), f, i, true);
    const slots = R.stackSlots(frame);
    for (let spi = 0; spi < slots; spi++) {
      if (R.slotType(frame, spi, 7) === STACK_SPILL) take(R.slotAt(frame, spi), f, spi, false);
    }
  }
}

/** What was learnt of `known` holds for the registers linked to it. sync_linked_regs(). */
function syncLinked(env: VerifierEnv, state: VState, known: Reg, linked: LinkedRegs): void {
  const R = env.R;
  for (let i = 0; i < linked.count; i++) {
    const e = (i < 3 ? linked.word0 >>> (10 * i) : linked.word1 >>> (10 * (i - 3))) & 0x3ff;
    const frame = state.frames[e & 7];
    const n = (e >>> 3) & 63;
    const reg = e & (1 << 9) ? R.regAt(frame, n) : R.slotAt(frame, n);
    if (R.type(reg) !== SCALAR_VALUE || reg === known) continue;
    const id = R.id(reg);
    const kid = R.id(known);
    if ((id & ~BPF_ADD_CONST) !== (kid & ~BPF_ADD_CONST)) continue;
    // A distance in 32 bits says nothing about one in 64.
    if (((id ^ kid) & BPF_ADD_CONST) >>> 0 === BPF_ADD_CONST) continue;
    const subreg = R.subregDef(reg);
    const off = R.off(reg);
    if ((!(id & BPF_ADD_CONST) && !(kid & BPF_ADD_CONST)) || off === R.off(known)) {
      R.copyReg(reg, known);
    } else {
      const delta = env.fakeReg[2];
      R.zeroReg(delta);
      markRegConst(env, delta, off - R.off(known));
      R.copyReg(reg, known);
      R.setOff(reg, off);
      R.setId(reg, id);
      R.wasm.linked_add(reg, delta);
      if ((id | kid) & BPF_ADD_CONST32) R.wasm.zext(reg);
      else R.wasm.bounds_sync(reg);
    }
    R.setSubregDef(reg, subreg);
  }
}

/** mark_ptr_or_null_regs(): every copy of the pointer with this id was found (not) to be NULL. */
export function markPtrOrNullRegs(env: VerifierEnv, state: VState, id: number, isNull: boolean): void {
  const R = env.R;
  forEachReg(env, state, (reg) => {
    if (!typeMayBeNull(R.type(reg)) || R.id(reg) !== id) return;
    if (isNull) {
      // The value is 0 now; ranges were those of 0 already.
      R.setType(reg, SCALAR_VALUE);
      R.setId(reg, 0);
      R.setRefObjId(reg, 0);
      return;
    }
    markPtrNotNull(env, reg);
    // The id tells apart objects that may be locked.
    if (!mayPointToSpinLock(env, reg)) R.setId(reg, 0);
  });
}

function mayPointToSpinLock(env: VerifierEnv, reg: Reg): boolean {
  return hasField(regRecord(env, reg), "spin_lock", "res_spin_lock");
}

function markNullBranch(env: VerifierEnv, state: VState, id: number, refObjId: number, isNull: boolean): void {
  // A reference that is NULL is none.
  if (refObjId && refObjId === id && isNull) releaseReferenceNoMark(state, id);
  markPtrOrNullRegs(env, state, id, isNull);
}

/** All pointers with the id of `reg` may be read up to its offset. find_good_pkt_pointers(). */
function findGoodPktPointers(env: VerifierEnv, state: VState, reg: Reg, rightOpen: boolean): void {
  const R = env.R;
  const off = R.off(reg);
  const type = R.type(reg);
  const id = R.id(reg);
  if (off < 0 || (off === 0 && rightOpen)) return;
  if (R.umax(reg) > MAX_PACKET_OFF || R.umax(reg) + off > MAX_PACKET_OFF) return;
  const range = rightOpen ? off + 1 : off;
  forEachReg(env, state, (r) => {
    if (R.type(r) === type && R.id(r) === id && R.range(r) < range) R.setRange(r, range);
  });
}

/** mark_pkt_end(): the pointer was found at (or beyond) the end. */
function markPktEnd(env: VerifierEnv, state: VState, regno: number, beyond: boolean): void {
  const R = env.R;
  const reg = R.regAt(state.frames[state.curframe], regno);
  if (R.type(reg) !== PTR_TO_PACKET) return;
  R.setRange(reg, beyond ? BEYOND_PKT_END : AT_PKT_END);
}

/** Comparison of a packet pointer with data_end, or of data_meta with data. try_match_pkt_pointers(). */
function tryMatchPkt(env: VerifierEnv, i: number, dreg: Reg, sreg: Reg, other: VState): boolean {
  const { code, dst, src } = env.insns;
  const c = code[i];
  if (!(c & 8) || (c & 7) === 6) return false;
  const op = c & 0xf0;
  if (op !== JGT && op !== JLT && op !== JGE && op !== JLE) return false;
  const R = env.R;
  const init = (r: Reg) => R.type(r) === PTR_TO_PACKET && R.off(r) === 0 && R.isConst(r) && R.value(r) === 0;
  const dt = R.type(dreg);
  const st = R.type(sreg);
  let pktRegno: number;
  let onLeft: boolean;
  if ((dt === PTR_TO_PACKET && st === PTR_TO_PACKET_END) || (dt === PTR_TO_PACKET_META && init(sreg))) {
    pktRegno = dst[i];
    onLeft = true;
  } else if ((dt === PTR_TO_PACKET_END && st === PTR_TO_PACKET) || (init(dreg) && st === PTR_TO_PACKET_META)) {
    pktRegno = src[i];
    onLeft = false;
  } else {
    return false;
  }
  const pkt = onLeft ? dreg : sreg;
  // Written with the packet pointer on the left: p > end, p < end, p >= end, p <= end.
  const o = onLeft ? op : FLIPPED[op];
  const { cur } = env;
  switch (o) {
    case JGT: // here p <= end, there p > end
      findGoodPktPointers(env, cur, pkt, false);
      markPktEnd(env, other, pktRegno, true);
      break;
    case JLT: // there p < end, here p >= end
      findGoodPktPointers(env, other, pkt, true);
      markPktEnd(env, cur, pktRegno, false);
      break;
    case JGE: // here p < end, there p >= end
      findGoodPktPointers(env, cur, pkt, true);
      markPktEnd(env, other, pktRegno, false);
      break;
    default: // there p <= end, here p > end
      findGoodPktPointers(env, other, pkt, false);
      markPktEnd(env, cur, pktRegno, true);
  }
  return true;
}

/** may_goto: both ways, the loop's with a depth of its own so that it can be found equal. */
function checkMayGoto(env: VerifierEnv, i: number): void {
  const { code, dst, src, off, imm } = env.insns;
  if (code[i] !== 0xe5 || src[i] !== 0 || dst[i] || imm[i]) {
    env.reject(EINVAL, `invalid may_goto imm ${imm[i]}`);
  }
  const prev = env.cur.parent && findPrevEntry(env, env.cur.parent, i);
  const queued = pushStack(env, i + 1, i, false, ENOMEM);
  queued.mayGotoDepth++;
  if (prev) widenImpreciseScalars(env, prev, queued);
  env.insnIdx = i + off[i] + 1;
}

function narrow(env: VerifierEnv, a: Reg, b: Reg, op: number, is32: boolean, taken: boolean): void {
  env.R.wasm.refine(a, b, op, is32, taken);
}

/**
 * check_cond_jmp_op(). Sets env.insnIdx to the instruction to go on with; the other way is pushed.
 */
export function checkCondJmp(env: VerifierEnv, i: number): void {
  const { code, dst, src, off, imm } = env.insns;
  const R = env.R;
  const c = code[i];
  const op = c & 0xf0;
  if (op === 0 || op > JCOND) env.reject(EINVAL, `invalid BPF_JMP/JMP32 opcode ${op.toString(16)}`);
  if (op === JCOND) {
    checkMayGoto(env, i);
    return;
  }
  const d = dst[i];
  const s = src[i];
  checkRegArg(env, d, SRC_OP);
  const dreg = env.reg(d);
  const byReg = (c & 8) !== 0;
  let sreg: Reg;
  let flags = 0;
  if (byReg) {
    if (imm[i] !== 0) env.reject(EINVAL, "BPF_JMP/JMP32 uses reserved fields");
    checkRegArg(env, s, SRC_OP);
    sreg = env.reg(s);
    if (!(isPktAny(R.type(dreg)) && isPktAny(R.type(sreg))) && isPointerValue(env, s)) {
      env.reject(EACCES, `R${s} pointer comparison prohibited`);
    }
    if (R.type(sreg) === PTR_TO_STACK) flags |= INSN_F_SRC_REG_STACK;
  } else {
    if (s !== 0) env.reject(EINVAL, "BPF_JMP/JMP32 uses reserved fields");
    sreg = env.fakeReg[0];
    R.zeroReg(sreg);
    R.setType(sreg, SCALAR_VALUE);
    R.setConst(sreg, imm[i]);
  }
  if (R.type(dreg) === PTR_TO_STACK) flags |= INSN_F_DST_REG_STACK;
  if (flags) pushJmpHistory(env, env.cur, flags);

  const is32 = (c & 7) === 6;
  const pred = branchTaken(env, dreg, sreg, op, is32);
  if (pred >= 0) {
    // The decision rests on these numbers.
    if (R.type(dreg) === SCALAR_VALUE) markChainPrecision(env, d);
    if (byReg && R.type(sreg) === SCALAR_VALUE) markChainPrecision(env, s);
    if (!env.bypassSpecV1) {
      const wrong = pred === 1 ? i + 1 : i + off[i] + 1;
      sanitizeSpeculativePath(env, i, wrong, i);
    }
    if (logOn(env)) printInsnState(env, env.cur, env.cur.curframe);
    env.insnIdx = pred === 1 ? i + off[i] + 1 : i + 1;
    return;
  }

  const linked: LinkedRegs = { count: 0, word0: 0, word1: 0 };
  if (byReg && R.type(sreg) === SCALAR_VALUE && R.id(sreg)) collectLinked(env, env.cur, R.id(sreg), linked);
  if (R.type(dreg) === SCALAR_VALUE && R.id(dreg)) collectLinked(env, env.cur, R.id(dreg), linked);
  if (linked.count > 1) pushJmpHistory(env, env.cur, 0, linked);

  const other = pushStack(env, i + off[i] + 1, i, false);
  const oframe = other.frames[other.curframe];
  const odreg = R.regAt(oframe, d);
  const osreg = byReg ? R.regAt(oframe, s) : env.fakeReg[1];
  if (!byReg) R.copyReg(osreg, sreg);
  if (R.type(dreg) === SCALAR_VALUE && R.type(sreg) === SCALAR_VALUE) {
    narrow(env, dreg, sreg, op, is32, false);
    narrow(env, odreg, osreg, op, is32, true);
    boundsSanityCheck(env, odreg, "true_reg1");
    boundsSanityCheck(env, osreg, "true_reg2");
    boundsSanityCheck(env, dreg, "false_reg1");
    boundsSanityCheck(env, sreg, "false_reg2");
  }
  if (linked.count) {
    if (byReg && R.type(sreg) === SCALAR_VALUE && R.id(sreg)) {
      syncLinked(env, env.cur, sreg, linked);
      syncLinked(env, other, osreg, linked);
    }
    if (R.type(dreg) === SCALAR_VALUE && R.id(dreg)) {
      syncLinked(env, env.cur, dreg, linked);
      syncLinked(env, other, odreg, linked);
    }
  }

  // Equal to a pointer that is not NULL: not NULL.
  const ptrs = byReg && !is32 && R.type(sreg) !== SCALAR_VALUE && R.type(dreg) !== SCALAR_VALUE;
  if (ptrs && baseType(R.type(sreg)) !== PTR_TO_BTF_ID && baseType(R.type(dreg)) !== PTR_TO_BTF_ID) {
    const [eqD, eqS] = op === JEQ ? [odreg, osreg] : op === JNE ? [dreg, sreg] : [0, 0];
    if (eqD) {
      if (regNotNull(env, dreg) && typeMayBeNull(R.type(sreg))) markPtrNotNull(env, eqS);
      if (regNotNull(env, sreg) && typeMayBeNull(R.type(dreg))) markPtrNotNull(env, eqD);
    }
  }

  if (!is32 && !byReg && imm[i] === 0 && (op === JEQ || op === JNE) && R.type(dreg) & PTR_MAYBE_NULL) {
    const id = R.id(dreg);
    const refObjId = R.refObjId(dreg);
    markNullBranch(env, env.cur, id, refObjId, op === JNE);
    markNullBranch(env, other, id, refObjId, op === JEQ);
  } else if (!tryMatchPkt(env, i, dreg, sreg, other) && isPointerValue(env, d)) {
    env.reject(EACCES, `R${d} pointer comparison prohibited`);
  }
  if (logOn(env)) printInsnState(env, env.cur, env.cur.curframe);
  env.insnIdx = i + 1;
}
