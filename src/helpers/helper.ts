import type { VAddr } from "../memory/memory.ts";

/**
 * One helper function: prototype (for the verifier) and body (for the engines) side by side.
 *
 * Argument and return types are the verifier's words (enum bpf_arg_type, enum bpf_return_type), as string constants of
 * src/helpers/types.ts.
 */
export interface Helper {
  /** BPF_FUNC_*; kfuncs use their own table and a negative id here. */
  readonly id: number;
  readonly name: string;
  readonly proto: HelperProto;
  /** Program types for which the kernel has another function under the same id; read through protoFor() and bodyFor() of table.ts. */
  readonly variants?: readonly HelperVariant[];
  /** Letters of arguments and result; see docs/ARCHITECTURE.md, "Calling conventions". */
  readonly abi: string;
  /** Name of the core.wasm export that is the body. */
  readonly core?: string;
  /** Body in TypeScript. Returns a signed or unsigned 32-bit number. */
  readonly call?: (rt: Runtime, ...args: number[]) => number;
  /** May run program callbacks through rt.callback. */
  readonly callsBack?: boolean;
  /** No body: the call leaves all functions of the program, with its argument for the exception callback or as result. */
  readonly throws?: true;
  /** No body: calls return -errno, and the reason is printed in the support list. */
  readonly unsupported?: { readonly errno: number; readonly reason: string };
}

/** What differs in programs of these types: prototype, body, or both. */
export interface HelperVariant {
  readonly progs: readonly number[];
  readonly proto?: HelperProto;
  readonly core?: string;
  readonly call?: (rt: Runtime, ...args: number[]) => number;
}

/** Refined by src/helpers/types.ts. */
export type HelperProto = import("./types.ts").Proto;

/** What helper bodies may use of the kernel that runs the program. One per CPU. */
export interface Runtime {
  readonly memory: import("../memory/memory.ts").Memory;
  /** Address of this CPU's context record (CPU_CTX). */
  readonly cpuCtx: VAddr;
  readonly nCpus: number;
  /** Nanoseconds, as low and high half. */
  ktimeNs(): { lo: number; hi: number };
  random32(): number;
  /** One line of bpf_trace_printk, without the newline. */
  printk(line: string): void;
  /** Runs a program function; the result is r0's low half. */
  callback(fn: number, a1: number, a2: number, a3: number, a4: number, a5: number): number;
  /** Services of subsystems above helpers/ (devices, sockets, tasks), by the interface each helper family declares. */
  readonly services: RuntimeServices;
}

/** Extended by declaration merging in the helper families that need a service. */
// biome-ignore lint/suspicious/noEmptyInterface: merged into by the families
export interface RuntimeServices {}
