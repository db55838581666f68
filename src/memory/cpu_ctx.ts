/**
 * The CPU context record: per-CPU state that programs, helpers and engines share in linear memory.
 *
 * Mirrored by assembly/memory/cpu_ctx.ts. Offsets in bytes.
 */
export const CPU_CTX = {
  cpu: 0,
  stackTop: 4,
  tailCalls: 8,
  /** Upper half of a 64-bit result of a TypeScript helper. */
  retHi: 12,
  possibleCpus: 16,
  /** Steps left for bounded runs; 0xffffffff is unbounded. */
  fuel: 20,
  fault: 24,
  /** r10 of the program function that made the last helper call. */
  framePtr: 28,
  redirectKind: 64,
  redirectIfindex: 68,
  redirectMap: 72,
  redirectFlags: 80,
  redirectIndex: 88,
  redirectTarget: 92,
} as const;

export const CPU_CTX_SIZE = 256;
