/**
 * Applies CO-RE relocations to the instructions of a linked program.
 *
 * What a relocation patches, by class of instruction:
 *     rX = imm, rX op= imm         imm
 *     load, store                  off, and the width when the field's size changed
 *     rX = imm64                   both halves
 * A relocation that cannot be resolved poisons its instruction: it becomes a call of a helper that does not exist, which
 * is harmless in code that the verifier finds dead. Values in the file are compared with what the compiler must have
 * written, so that a relocation never lands on a wrong instruction.
 * Errors   EINVAL, or ERANGE for an offset that no instruction can hold.
 * Source   behaviour of libbpf's bpf_core_patch_insn.
 */
import { BpfError, EINVAL, ERANGE, type Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { type CoreRes, type CoreTargets, calcCoreRelo, formatCoreSpec } from "../btf/core_relo.ts";
import { imm64 } from "../isa/codec.ts";
import type { Insns } from "../isa/insns.ts";
import * as isa from "../isa/opcodes.ts";
import type { CoreReloSpec } from "./spec.ts";

/** imm of poisoned instructions; the verifier says "invalid func unknown#195896080" (0xbad2310) if it meets one. */
export const POISON_CORE = 195896080;

export interface Poisoned {
  readonly insnIdx: number;
  /** The relocation as libbpf prints it: "<byte_off> [12] struct foo.bar (0:1 @ offset 4)". */
  readonly relo: string;
  /** Why it could not be resolved. */
  readonly reason: string;
}

/** Applies relocations of one object against one kernel; keeps results, since programs share subprograms. */
export class CoreApplier {
  readonly #local: Btf;
  readonly #targets: CoreTargets;
  readonly #results = new Map<string, CoreRes>();

  constructor(local: Btf, targets: CoreTargets) {
    this.#local = local;
    this.#targets = targets;
  }

  /**
   * Patches `insns` in place.
   * @param what names the program in errors: "firewall.o: program 'xdp_main'"
   */
  apply(insns: Insns, relos: readonly CoreReloSpec[], what: string): Poisoned[] {
    return relos.flatMap((relo) => {
      const result = this.#result(relo, what);
      return patch(insns, relo, result, what) ? [] : [poison(insns, relo, result)];
    });
  }

  #result(relo: CoreReloSpec, what: string): CoreRes {
    const key = `${relo.kind} ${relo.typeId} ${relo.access}`;
    let result = this.#results.get(key);
    if (!result) {
      const { typeId, access: accessStr, kind } = relo;
      try {
        result = calcCoreRelo(this.#local, { insnOff: 8 * relo.insnIdx, typeId, accessStr, kind }, this.#targets);
      } catch (e) {
        if (!(e instanceof BpfError)) throw e;
        const message = e.message.replace(/: [A-Z0-9]+$/, "");
        throw new BpfError(e.errno, `${what}: insn ${relo.insnIdx}: ${message}`, e.context, e);
      }
      this.#results.set(key, result);
    }
    return result;
  }
}

/** @returns false when the instruction must be poisoned */
function patch(insns: Insns, relo: CoreReloSpec, r: CoreRes, what: string): boolean {
  const i = relo.insnIdx;
  const code = insns.code[i];
  const bad = (message: string, errno: Errno = EINVAL) =>
    new BpfError(errno, `${what}: insn ${i}: CO-RE relocation ${formatCoreSpec(r.local)}: ${message}`, { insnIdx: i });
  const expect = (seen: number | bigint) => {
    if (r.validate && BigInt.asUintN(64, BigInt(seen)) !== r.origVal) {
      throw bad(`instruction holds ${seen}; wanted ${r.origVal} (to become ${r.newVal})`);
    }
  };
  switch (isa.BPF_CLASS(code)) {
    case isa.BPF_ALU:
    case isa.BPF_ALU64:
      if (isa.BPF_SRC(code) !== isa.BPF_K) break;
      if (r.poison) return false;
      expect(insns.imm[i]);
      insns.imm[i] = Number(BigInt.asIntN(32, r.newVal));
      return true;
    case isa.BPF_LDX:
    case isa.BPF_ST:
    case isa.BPF_STX:
      if (r.poison) return false;
      expect(insns.off[i]);
      if (r.newVal > 0x7fffn) throw bad(`offset ${r.newVal} in the target; wanted at most 32767`, ERANGE);
      if (r.failMemSizeAdjust) return false;
      insns.off[i] = Number(r.newVal);
      if (r.newSize !== r.origSize) {
        const size = isa.sizeBytes(code);
        if (size !== r.origSize) throw bad(`instruction accesses ${size} bytes; wanted ${r.origSize}`);
        const bits = SIZE_BITS[r.newSize];
        if (bits === undefined) throw bad(`field has ${r.newSize} bytes in the target; wanted 1, 2, 4 or 8`);
        insns.code[i] = isa.BPF_MODE(code) | bits | isa.BPF_CLASS(code);
      }
      return true;
    case isa.BPF_LD:
      if (code !== (isa.BPF_LD | isa.BPF_IMM | isa.BPF_DW) || i + 1 >= insns.length) break;
      if (
        insns.src[i] ||
        insns.off[i] ||
        insns.code[i + 1] ||
        insns.dst[i + 1] ||
        insns.src[i + 1] ||
        insns.off[i + 1]
      ) {
        throw bad("64-bit immediate load has an unexpected form; wanted src 0 and off 0");
      }
      if (r.poison) return false;
      expect(imm64(insns, i));
      insns.imm[i] = Number(BigInt.asIntN(32, r.newVal));
      insns.imm[i + 1] = Number(BigInt.asIntN(32, r.newVal >> 32n));
      return true;
  }
  throw bad(`opcode 0x${code.toString(16)} cannot be relocated`);
}

const SIZE_BITS: Readonly<Record<number, number>> = { 1: isa.BPF_B, 2: isa.BPF_H, 4: isa.BPF_W, 8: isa.BPF_DW };

function poison(insns: Insns, relo: CoreReloSpec, r: CoreRes): Poisoned {
  const slots = insns.code[relo.insnIdx] === (isa.BPF_LD | isa.BPF_IMM | isa.BPF_DW) ? 2 : 1;
  for (let i = relo.insnIdx; i < relo.insnIdx + slots; i++) poisonInsn(insns, i, POISON_CORE);
  const sizes = `accesses a field of ${r.origSize} bytes that has ${r.newSize} in the target`;
  return { insnIdx: relo.insnIdx, relo: formatCoreSpec(r.local), reason: r.missing ?? sizes };
}

/** Turns one slot into a call of a helper that does not exist. */
export function poisonInsn(insns: Insns, i: number, imm: number): void {
  insns.code[i] = isa.BPF_JMP | isa.BPF_CALL;
  insns.dst[i] = 0;
  insns.src[i] = 0;
  insns.off[i] = 0;
  insns.imm[i] = imm;
}
