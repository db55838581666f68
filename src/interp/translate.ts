/**
 * An ExecImage as the bytes that interp.wasm runs: the encoded instructions, plus what the loop relies on.
 *
 *   - jumps and bpf-to-bpf calls land on an instruction of the program (else BpfError EINVAL);
 *   - what is no instruction, or was never reached by the verifier, becomes code 0, which faults;
 *   - a slot of code 0 follows the last instruction;
 *   - loads that may fault have Linux's mode BPF_PROBE_MEM (0x20) or BPF_PROBE_MEMSX (0x40);
 *   - BPF_PSEUDO_FUNC values are FUNC_BASE + subprogram number.
 */
import { BPF_PSEUDO_FUNC } from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import { encode } from "../isa/codec.ts";
import { INSN_SIZE, isLdImm64, MAX_BPF_REG, type Opcode, opcodeOf } from "../isa/opcodes.ts";
import type { ExecImage } from "./image.ts";

/** Function pointers start here, above the helper ids that a callx of an unverified program may name. */
export const FUNC_BASE = 4096;

/** Flips the mode of LDX: MEM 0x60 to 0x20, MEMSX 0x80 to 0x40. */
const PROBE_MODE: Readonly<Record<number, number>> = { 96: 0x20, 128: 0x40 };

/** @returns one slot more than the program has */
export function translate(image: ExecImage): Uint8Array {
  const { insns } = image;
  const bytes = new Uint8Array((insns.length + 1) * INSN_SIZE);
  bytes.set(encode(insns));
  const view = new DataView(bytes.buffer);
  const numberOf = new Map(image.subprogs.map((sub, n) => [sub.start, n]));
  const drop = (i: number) => bytes.fill(0, i * INSN_SIZE, (i + 1) * INSN_SIZE);
  for (let i = 0; i < insns.length; i++) {
    const o = image.seen?.[i] === 0 ? undefined : valid(image, i);
    const wide = isLdImm64(insns, i);
    if (!o) {
      drop(i);
      if (wide && i + 1 < insns.length) drop(++i);
      continue;
    }
    if (o.kind === "ja" || o.kind === "jmp" || o.kind === "may_goto") {
      const to = i + 1 + (o.kind === "ja" && o.width === 32 ? insns.imm[i] : insns.off[i]);
      if (!(to >= 0 && to < insns.length)) {
        throw new BpfError(EINVAL, `${image.name}: jump at insn ${i} goes to ${to}, wanted 0..${insns.length - 1}`, {
          insn: i,
        });
      }
    } else if (o.kind === "call_local") {
      subprogAt(image, numberOf, i, i + 1 + insns.imm[i]);
    } else if (o.name === "func") {
      const n = subprogAt(image, numberOf, i, i + 1 + insns.imm[i]);
      view.setInt32(i * INSN_SIZE + 4, FUNC_BASE + n, true);
    } else if (image.probeMem?.[i] && (o.kind === "ldx" || o.kind === "ldxsx")) {
      const code = insns.code[i];
      bytes[i * INSN_SIZE] = (code & 0x1f) | PROBE_MODE[code & 0xe0];
    }
    if (wide) i++;
  }
  return bytes;
}

function valid({ insns }: ExecImage, i: number): Opcode | undefined {
  const o = opcodeOf(insns, i);
  if (!o || insns.dst[i] >= MAX_BPF_REG || insns.src[i] >= MAX_BPF_REG) return undefined;
  return o.kind === "ld_imm64" && i + 1 >= insns.length ? undefined : o;
}

function subprogAt(image: ExecImage, numberOf: ReadonlyMap<number, number>, i: number, to: number): number {
  const n = numberOf.get(to);
  if (n !== undefined) return n;
  const what = image.insns.src[i] === BPF_PSEUDO_FUNC && isLdImm64(image.insns, i) ? "function reference" : "call";
  throw new BpfError(EINVAL, `${image.name}: ${what} at insn ${i} goes to ${to}, which starts no function`, {
    insn: i,
    to,
  });
}
