// Module `verifier`: abstract registers, bounds, frames, comparison of states. src/verifier/wasm.ts lists the exports.

export { frame_alloc, frame_clone, frame_free, frame_copy, frame_clear, frames_reset, reg_copy, reg_zero, reg_unknown, reg_unknown_bounds, reg_const_bounds } from "./verifier/frames";
export { bounds_sync, bounds_violation, coerce, coerce_sx, coerce_sx32, zext, setKnown32 as reg_const32 } from "./verifier/bounds";
export { alu, ptr_add, ptr_sub, ptr_keep, linked_add, byte_swap } from "./verifier/alu";
export { branch_taken, refine } from "./verifier/branch";
export { idmap_reset, check_ids, frames_equal, maybe_looping, regs_same, frame_clean, frame_imprecise, frame_precise, precise_scalars } from "./verifier/compare";
