/**
 * A program as parallel arrays, one element per 8-byte slot: what the verifier, the engines and the disassembler walk.
 *
 * ld_imm64 takes two slots: the second has code 0 and carries the upper 32 bits in imm.
 * Source: RFC 9669, section 3.
 */
export interface Insns {
  /** Number of 8-byte slots. */
  readonly length: number;
  readonly code: Uint8Array;
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
  readonly off: Int16Array;
  readonly imm: Int32Array;
}

/** @param length number of 8-byte slots */
export function newInsns(length: number): Insns {
  return {
    length,
    code: new Uint8Array(length),
    dst: new Uint8Array(length),
    src: new Uint8Array(length),
    off: new Int16Array(length),
    imm: new Int32Array(length),
  };
}
