/**
 * Open-coded iterators: bpf_iter_X_new(), _next(), _destroy() over a record on the stack.
 *
 * The record's slots are STACK_ITER; the first carries the reference that destroy gives back. At each next() the path
 * splits: one goes on with an element, the other finds the iterator drained and r0 NULL.
 * Source   mark_stack_slots_iter(), process_iter_arg(), process_iter_next_call() in kernel/bpf/verifier.c.
 */
import { EFAULT, EINVAL, ENOMEM, EPROTO } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_PTR } from "../btf/kinds.ts";
import { MEM_RCU, PTR_UNTRUSTED } from "../helpers/types.ts";
import { pushStack } from "./branch.ts";
import { findPrevEntry, widenImpreciseScalars } from "./converge.ts";
import { SPI_OUT_OF_RANGE, stackObjSpi } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { inRcuSection } from "./locks.ts";
import { checkMemAccess } from "./mem.ts";
import { acquireReference, releaseReference } from "./refs.ts";
import { BPF_WRITE, PTR_TO_STACK, STACK_INVALID, STACK_ITER } from "./reg_type.ts";
import { markPtrNotNull, markRegConstZero, markRegKnownZero, markRegNotInit } from "./regs.ts";
import type { Reg, VState } from "./state.ts";

// enum bpf_iter_state
const ACTIVE = 1;
const DRAINED = 2;
const BPF_DW = 0x18;

export type IterOp = "new" | "next" | "destroy" | "use";

/** Where the iterator of a call is. */
export interface IterPlace {
  readonly spi: number;
  readonly frameno: number;
  readonly refObjId: number;
}

/** Struct of an iterator argument; 0 when the parameter is no pointer to a `struct bpf_iter_*` of whole words. */
function iterStruct(btf: Btf, paramType: number): number {
  const ptr = btf.resolve(paramType);
  if (btf.kind(ptr) !== BTF_KIND_PTR) return 0;
  const id = btf.resolve(btf.ref(ptr));
  if (!btf.isComposite(id) || !btf.nameOf(id).startsWith("bpf_iter_")) return 0;
  const size = btf.ref(id);
  return size === 0 || size % 8 ? 0 : id;
}

/** Checks (and for new and destroy, changes) the iterator that argument `regno` points to. */
export function processIterArg(
  env: VerifierEnv,
  regno: number,
  insnIdx: number,
  op: IterOp,
  btf: Btf,
  paramType: number,
  func: { readonly name: string; readonly rcuProtected: boolean },
): IterPlace | undefined {
  const R = env.R;
  const r = env.reg(regno);
  if (R.type(r) !== PTR_TO_STACK) env.reject(EINVAL, `arg#${regno - 1} expected pointer to an iterator on stack`);
  const id = iterStruct(btf, paramType);
  if (!id) env.reject(EINVAL, `expected valid iter pointer as arg #${regno - 1}`);
  const nrSlots = btf.ref(id) / 8;
  const label = `iter_${btf.nameOf(id).replace(/^bpf_iter_/, "")}`;

  if (op === "new") {
    if (!isUninit(env, r, nrSlots)) env.reject(EINVAL, `expected uninitialized ${label} as arg #${regno - 1}`);
    for (let i = 0; i < nrSlots * 8; i += 8) {
      checkMemAccess(env, insnIdx, regno, i, BPF_DW, BPF_WRITE, -1, false, false);
    }
    markSlots(env, r, nrSlots, btf, id, insnIdx, func.rcuProtected);
    return undefined;
  }

  const state = initState(env, r, nrSlots, btf, id);
  if (state === "bad") env.reject(EINVAL, `expected an initialized ${label} as arg #${regno - 1}`);
  if (state === "no_rcu") env.reject(EPROTO, `expected an RCU CS when using ${func.name}`);
  const spi = stackObjSpi(env, r, "iter", nrSlots);
  const frame = env.cur.frames[R.regFrameno(r)];
  for (let i = 0; i < nrSlots; i++) {
    env.stackLive.markReadSlot(env, R.regFrameno(r), env.insnIdx, spi - i);
    env.scratchSlot(spi - i);
  }
  const place: IterPlace = { spi, frameno: R.regFrameno(r), refObjId: R.refObjId(R.slotAt(frame, spi)) };
  if (op === "destroy") unmarkSlots(env, r, spi, nrSlots);
  return place;
}

function isUninit(env: VerifierEnv, r: Reg, nrSlots: number): boolean {
  const R = env.R;
  const spi = stackObjSpi(env, r, "iter", nrSlots);
  if (spi === SPI_OUT_OF_RANGE) return true;
  if (spi < 0) return false;
  const frame = env.cur.frames[R.regFrameno(r)];
  for (let i = 0; i < nrSlots; i++) {
    for (let b = 0; b < 8; b++) if (R.slotType(frame, spi - i, b) === STACK_ITER) return false;
  }
  return true;
}

function initState(env: VerifierEnv, r: Reg, nrSlots: number, btf: Btf, id: number): "ok" | "bad" | "no_rcu" {
  const R = env.R;
  const spi = stackObjSpi(env, r, "iter", nrSlots);
  if (spi < 0) return "bad";
  const frame = env.cur.frames[R.regFrameno(r)];
  for (let i = 0; i < nrSlots; i++) {
    const slot = R.slotAt(frame, spi - i);
    if (R.slotType(frame, spi - i, 7) === STACK_ITER && R.type(slot) & PTR_UNTRUSTED) return "no_rcu";
    for (let b = 0; b < 8; b++) if (R.slotType(frame, spi - i, b) !== STACK_ITER) return "bad";
    if ((i === 0) !== (R.refObjId(slot) !== 0)) return "bad";
    if (R.btfIdx(slot) !== env.btfIndex(btf) || R.btfId(slot) !== id) return "bad";
  }
  return "ok";
}

function markSlots(
  env: VerifierEnv,
  r: Reg,
  nrSlots: number,
  btf: Btf,
  id: number,
  insnIdx: number,
  rcuProtected: boolean,
): void {
  const R = env.R;
  const spi = stackObjSpi(env, r, "iter", nrSlots);
  if (spi < 0) env.rejectSilently(EINVAL);
  const ref = acquireReference(env, insnIdx);
  const frame = env.cur.frames[R.regFrameno(r)];
  for (let i = 0; i < nrSlots; i++) {
    const slot = R.slotAt(frame, spi - i);
    markRegKnownZero(env, slot);
    R.setType(slot, PTR_TO_STACK | (rcuProtected ? (inRcuSection(env) ? MEM_RCU : PTR_UNTRUSTED) : 0));
    R.setRefObjId(slot, i === 0 ? ref : 0);
    R.setBtf(slot, env.btfIndex(btf), id);
    R.setIterState(slot, ACTIVE);
    R.setIterDepth(slot, 0);
    R.fillSlot(frame, spi - i, STACK_ITER);
    env.stackLive.markWriteSlot(R.regFrameno(r), spi - i);
    env.scratchSlot(spi - i);
  }
}

function unmarkSlots(env: VerifierEnv, r: Reg, spi: number, nrSlots: number): void {
  const R = env.R;
  const frame = env.cur.frames[R.regFrameno(r)];
  for (let i = 0; i < nrSlots; i++) {
    const slot = R.slotAt(frame, spi - i);
    if (i === 0) releaseReference(env, R.refObjId(slot));
    markRegNotInit(env, slot);
    R.fillSlot(frame, spi - i, STACK_INVALID);
    env.stackLive.markWriteSlot(R.regFrameno(r), spi - i);
    env.scratchSlot(spi - i);
  }
}

/** The record of a call's iterator in some state. */
export function iterSlot(env: VerifierEnv, state: VState, place: IterPlace): Reg {
  return env.R.slotAt(state.frames[place.frameno], place.spi);
}

/** After next(): queues the path on which an element came; this one goes on with the iterator drained. */
export function processIterNext(env: VerifierEnv, insnIdx: number, place: IterPlace): void {
  const R = env.R;
  const cur = env.cur;
  const slot = iterSlot(env, cur, place);
  if (R.iterState(slot) === ACTIVE) {
    const { parent } = cur;
    if (!parent || parent.insnIdx !== insnIdx) env.reject(EFAULT, "bug: bad parent state for iter next call");
    const prev = findPrevEntry(env, parent, insnIdx);
    const queued = pushStack(env, insnIdx + 1, insnIdx, false, ENOMEM);
    const queuedSlot = iterSlot(env, queued, place);
    R.setIterState(queuedSlot, ACTIVE);
    R.setIterDepth(queuedSlot, R.iterDepth(queuedSlot) + 1);
    if (prev) widenImpreciseScalars(env, prev, queued);
    markPtrNotNull(env, R.regAt(queued.frames[queued.curframe], 0));
  }
  R.setIterState(slot, DRAINED);
  markRegConstZero(env, env.reg(0));
}
