/**
 * The verifier's WebAssembly module: what it exports, and one instance of it.
 *
 * Arguments named reg, dst, src are addresses of register records (layout.ts); 64-bit constants pass as (lo, hi).
 */
import { VERIFIER_WASM } from "../generated/verifier_wasm.ts";

export interface VerifierWasm {
  readonly memory: WebAssembly.Memory;
  frame_alloc(capacity: number): number;
  frame_free(frame: number): void;
  frame_copy(dst: number, src: number): void;
  reg_unknown_bounds(reg: number): void;
  reg_const_bounds(reg: number, lo: number, hi: number): void;
}
