/**
 * Bytes of a program to parallel arrays and back. Any multiple of 8 bytes decodes; validity is opcodeOf's business, so a
 * round trip keeps every bit.
 */
import { BpfError, EINVAL } from "../abi/errno.ts";
import { type Insns, newInsns } from "./insns.ts";
import { INSN_SIZE, isLdImm64 } from "./opcodes.ts";

/**
 * @param bytes little-endian instructions; not kept
 * @param what names the program in the error
 * @throws BpfError EINVAL when the length is no multiple of 8
 */
export function decode(bytes: Uint8Array, what = "program"): Insns {
  if (bytes.length % INSN_SIZE) {
    throw new BpfError(EINVAL, `${what}: instructions take a multiple of 8 bytes, saw ${bytes.length}`, {
      length: bytes.length,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const insns = newInsns(bytes.length / INSN_SIZE);
  for (let i = 0, at = 0; i < insns.length; i++, at += INSN_SIZE) {
    insns.code[i] = bytes[at];
    insns.dst[i] = bytes[at + 1] & 0xf;
    insns.src[i] = bytes[at + 1] >> 4;
    insns.off[i] = view.getInt16(at + 2, true);
    insns.imm[i] = view.getInt32(at + 4, true);
  }
  return insns;
}

export function encode(insns: Insns): Uint8Array {
  const bytes = new Uint8Array(insns.length * INSN_SIZE);
  const view = new DataView(bytes.buffer);
  for (let i = 0, at = 0; i < insns.length; i++, at += INSN_SIZE) {
    bytes[at] = insns.code[i];
    bytes[at + 1] = (insns.src[i] << 4) | (insns.dst[i] & 0xf);
    view.setInt16(at + 2, insns.off[i], true);
    view.setInt32(at + 4, insns.imm[i], true);
  }
  return bytes;
}

/** The 64-bit value of the ld_imm64 in slots i and i + 1, as unsigned. */
export function imm64(insns: Insns, i: number): bigint {
  return (BigInt(insns.imm[i + 1] >>> 0) << 32n) | BigInt(insns.imm[i] >>> 0);
}

/** A copy that may be patched without touching the original. */
export function cloneInsns(insns: Insns): Insns {
  return {
    length: insns.length,
    code: insns.code.slice(),
    dst: insns.dst.slice(),
    src: insns.src.slice(),
    off: insns.off.slice(),
    imm: insns.imm.slice(),
  };
}

/** Calls `visit` with the index of each instruction, stepping over the second half of ld_imm64. */
export function forEachInsn(insns: Insns, visit: (i: number) => void): void {
  for (let i = 0; i < insns.length; i += isLdImm64(insns, i) ? 2 : 1) visit(i);
}
