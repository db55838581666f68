/**
 * How a run of compiled code ends early: codes that generated code leaves in CPU_CTX.fault before it traps, and the way
 * from a WebAssembly trap back to the instruction.
 */
import { RunFault } from "../interp/image.ts";

export const FAULT = { none: 0, fuel: 1, address: 2, stack: 3, dead: 4, callx: 5, insn: 6 } as const;
export type FaultCode = (typeof FAULT)[keyof typeof FAULT];

const MESSAGES: Record<number, string> = {
  [FAULT.fuel]: "out of fuel",
  [FAULT.address]: "access outside the memory that programs may use",
  [FAULT.stack]: "stack overflow: more than 8 frames",
  [FAULT.insn]: "no valid instruction, or one that writes r10",
  [FAULT.callx]: "callx of a register that names no helper",
  [FAULT.dead]: "reached an instruction that has no way on",
};

/** Where a module's functions lie, for naming the instruction of a trap. */
export interface SourceMap {
  /** Ascending byte offsets in the module, and the instruction that starts there. */
  readonly offsets: Uint32Array;
  readonly insns: Uint32Array;
}

/**
 * @param prefix starts the names of the program's functions, as a stack trace shows them
 * @returns the RunFault for what a run threw; a value that is no trap (a bug in a helper body, a RunFault of a nested run) is
 * given back as it is.
 */
export function runFault(error: unknown, fault: number, name: string, prefix: string, map: SourceMap): unknown {
  const trapped = error instanceof WebAssembly.RuntimeError;
  const overflowed = error instanceof RangeError && /call stack/i.test(error.message);
  if (!trapped && !overflowed) return error;
  const insn = trapped ? insnOf(error, prefix, map) : undefined;
  const why = overflowed ? "stack overflow" : (MESSAGES[fault] ?? error.message);
  const where = insn === undefined ? "" : ` at insn ${insn}`;
  return new RunFault(`${name}: ${why}${where}`, insn, error);
}

/**
 * V8 and SpiderMonkey write a frame as FUNCTION ...wasm-function[3]:0x1a2, an offset in the module. The innermost frame of
 * the program counts: the trap itself, or the call of the helper that trapped.
 */
function insnOf(error: Error, prefix: string, { offsets, insns }: SourceMap): number | undefined {
  const line = error.stack?.split("\n").find((l) => l.includes(prefix));
  const frame = /wasm-function\[\d+\]:0x([0-9a-f]+)/.exec(line ?? "");
  if (!frame) return undefined;
  const at = Number.parseInt(frame[1], 16);
  let lo = 0;
  let hi = offsets.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (offsets[mid] <= at) lo = mid + 1;
    else hi = mid;
  }
  return lo > 0 ? insns[lo - 1] : undefined;
}
