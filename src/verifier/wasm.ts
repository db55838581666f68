/**
 * The verifier's WebAssembly module: what it exports, and new instances of it (workspace.ts keeps them).
 *
 * Arguments named reg, dst, src are addresses of register records (layout.ts); 64-bit constants pass as (lo, hi).
 */
import { VERIFIER_WASM } from "../generated/verifier_wasm.ts";

export interface VerifierWasm {
  readonly memory: WebAssembly.Memory;
  frame_alloc(capacity: number): number;
  /** A copy with just the room that the used slots need. */
  frame_clone(src: number): number;
  frame_free(frame: number): void;
  frame_copy(dst: number, src: number): void;
  /** Zeroes everything but the capacity. */
  frame_clear(frame: number): void;
  /** Frees every frame; for the next verification with the same instance. */
  frames_reset(): void;
  reg_copy(dst: number, src: number): void;
  reg_zero(reg: number): void;
  reg_unknown(reg: number, precise: number): void;
  reg_unknown_bounds(reg: number): void;
  reg_const_bounds(reg: number, lo: number, hi: number): void;
  reg_const32(reg: number, value: number): void;
  bounds_sync(reg: number): void;
  /** 0 = consistent, 1 = empty range, 2 = constant differs from the ranges, 3 = the same in the low half. */
  bounds_violation(reg: number): number;
  coerce(reg: number, size: number): void;
  coerce_sx(reg: number, size: number): void;
  coerce_sx32(reg: number, size: number): void;
  zext(reg: number): void;
  /** op is the high nibble of the opcode (opcode & 0xf0). */
  alu(op: number, is32: boolean, dst: number, src: number): void;
  /** Variable part of pointer p + scalar s into d; ptr_keep: no change but unknown 32-bit ranges. Sync afterwards. */
  ptr_add(d: number, p: number, s: number): void;
  ptr_sub(d: number, p: number, s: number): void;
  ptr_keep(d: number, s: number): void;
  linked_add(d: number, s: number): void;
  byte_swap(reg: number, bits: number, swap: boolean): void;
  /** 1 taken, 0 not, -1 either. */
  branch_taken(a: number, b: number, op: number, is32: boolean): number;
  refine(a: number, b: number, op: number, is32: boolean, taken: boolean): void;
  idmap_reset(idGen: number): void;
  check_ids(old: number, cur: number): number;
  frames_equal(
    old: number,
    cur: number,
    liveRegs: number,
    exact: number,
    allowUninit: boolean,
    strictScalars: boolean,
  ): number;
  maybe_looping(old: number, cur: number): number;
  regs_same(old: number, cur: number): number;
  frame_clean(frame: number, liveRegs: number, slotsLo: number, slotsHi: number, precise: number): void;
  frame_imprecise(frame: number): void;
  frame_precise(frame: number): void;
  /** Address of three words: registers (bits 0..9), slots 0..31, slots 32..63 that hold precise scalars. */
  precise_scalars(frame: number): number;
}

/** states_equal() modes; the numbers of assembly/verifier/compare.ts. */
export const NOT_EXACT = 0;
export const EXACT = 1;
export const RANGE_WITHIN = 2;

/** The compiled module: the same for everyone, and made when it is first needed. */
let compiled: WebAssembly.Module | undefined;

function decode(text: string): Uint8Array<ArrayBuffer> {
  const bin = atob(text);
  const bytes = new Uint8Array(bin.length);
  for (let i = 0; i < bin.length; i++) bytes[i] = bin.charCodeAt(i);
  return bytes;
}

export function newVerifierWasm(): VerifierWasm {
  compiled ??= new WebAssembly.Module(decode(VERIFIER_WASM));
  return new WebAssembly.Instance(compiled, { env: { abort() {} } }).exports as unknown as VerifierWasm;
}
