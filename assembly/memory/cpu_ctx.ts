/** The CPU context record; mirror of src/memory/cpu_ctx.ts. Offsets in bytes from CPU_CTX_ADDR. */

// @ts-ignore: decorator
@external("env", "cpu_ctx")
export declare const CPU_CTX_ADDR: u32;

export const CTX_CPU: usize = 0;
export const CTX_STACK_TOP: usize = 4;
export const CTX_TAIL_CALLS: usize = 8;
export const CTX_RET_HI: usize = 12;
export const CTX_POSSIBLE_CPUS: usize = 16;
export const CTX_FUEL: usize = 20;
export const CTX_FAULT: usize = 24;
export const CTX_FRAME_PTR: usize = 28;
export const CTX_REDIRECT_KIND: usize = 64;
export const CTX_REDIRECT_IFINDEX: usize = 68;
export const CTX_REDIRECT_MAP: usize = 72;
export const CTX_REDIRECT_FLAGS: usize = 80;
export const CTX_REDIRECT_INDEX: usize = 88;
export const CTX_REDIRECT_TARGET: usize = 92;

/** Number of the CPU that this instance runs. */
// @ts-ignore: decorator
@inline
export function currentCpu(): u32 {
  return load<u32>(CPU_CTX_ADDR, CTX_CPU);
}

// @ts-ignore: decorator
@inline
export function possibleCpus(): u32 {
  return load<u32>(CPU_CTX_ADDR, CTX_POSSIBLE_CPUS);
}
