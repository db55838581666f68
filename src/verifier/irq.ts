/**
 * Saved interrupt state: one stack slot that bpf_local_irq_save() or bpf_res_spin_lock_irqsave() filled and that must be
 * restored by its partner, newest first.
 *
 * Source   process_irq_flag(), mark_stack_slot_irq_flag() in kernel/bpf/verifier.c.
 */
import { EACCES, EINVAL } from "../abi/errno.ts";
import { SPI_OUT_OF_RANGE, stackObjSpi } from "./dynptr.ts";
import type { VerifierEnv } from "./env.ts";
import { checkMemAccess } from "./mem.ts";
import { acquireIrq, releaseIrq } from "./refs.ts";
import { BPF_WRITE, PTR_TO_STACK, STACK_INVALID, STACK_IRQ_FLAG } from "./reg_type.ts";
import { markRegKnownZero, markRegNotInit } from "./regs.ts";

const BPF_DW = 0x18;
const CLASS_NAMES = ["bpf_local_irq", "bpf_res_spin_lock"];

export function processIrqFlag(env: VerifierEnv, regno: number, func: string): void {
  const R = env.R;
  const r = env.reg(regno);
  const save = func === "bpf_local_irq_save" || func === "bpf_res_spin_lock_irqsave";
  const cls = func.includes("res_spin") ? 1 : 0;
  const frame = env.cur.frames[R.regFrameno(r)];
  let spi = stackObjSpi(env, r, "irq_flag", 1);
  const isFlag = (): boolean => {
    for (let b = 0; b < 8; b++) if (R.slotType(frame, spi, b) !== STACK_IRQ_FLAG) return false;
    return true;
  };
  const hasFlagByte = (): boolean => {
    for (let b = 0; b < 8; b++) if (R.slotType(frame, spi, b) === STACK_IRQ_FLAG) return true;
    return false;
  };
  if (save) {
    if (spi !== SPI_OUT_OF_RANGE && (spi < 0 || hasFlagByte())) {
      env.reject(EINVAL, `expected uninitialized irq flag as arg#${regno - 1}`);
    }
    checkMemAccess(env, env.insnIdx, regno, 0, BPF_DW, BPF_WRITE, -1, false, false);
    spi = stackObjSpi(env, r, "irq_flag", 1);
    if (spi < 0) env.rejectSilently(EINVAL);
    const slot = R.slotAt(frame, spi);
    const id = acquireIrq(env, env.insnIdx);
    markRegKnownZero(env, slot);
    R.setType(slot, PTR_TO_STACK);
    R.setRefObjId(slot, id);
    R.setU(slot, 0, cls);
    R.fillSlot(frame, spi, STACK_IRQ_FLAG);
    env.stackLive.markWriteSlot(R.regFrameno(r), spi);
    env.scratchSlot(spi);
    return;
  }
  if (spi < 0 || !isFlag() || !R.refObjId(R.slotAt(frame, spi))) {
    env.reject(EINVAL, `expected an initialized irq flag as arg#${regno - 1}`);
  }
  env.stackLive.markReadSlot(env, R.regFrameno(r), env.insnIdx, spi);
  const slot = R.slotAt(frame, spi);
  const saved = R.u(slot, 0);
  if (saved !== cls) {
    env.reject(
      EINVAL,
      `irq flag acquired by ${CLASS_NAMES[saved]} kfuncs cannot be restored with ${CLASS_NAMES[cls]} kfuncs`,
    );
  }
  const wrong = releaseIrq(env, R.refObjId(slot));
  if (wrong) {
    env.reject(
      EACCES,
      `cannot restore irq state out of order, expected id=${env.cur.activeIrqId} acquired at insn_idx=${wrong.expectedInsn}`,
    );
  }
  markRegNotInit(env, slot);
  R.fillSlot(frame, spi, STACK_INVALID);
  env.stackLive.markWriteSlot(R.regFrameno(r), spi);
  env.scratchSlot(spi);
}
