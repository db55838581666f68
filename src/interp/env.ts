import type { Runtime } from "../helpers/helper.ts";
import type { Runnable } from "./image.ts";

/**
 * What both engines take beside the image: the runtime of one CPU of one kernel, and the services that only the kernel has.
 *
 * The linear memory, the function table and core.wasm's exports are rt.memory's. One EngineEnv per CPU; every program
 * of the kernel that runs there shares it.
 */
export interface EngineEnv {
  readonly rt: Runtime;
  /**
   * Helper 12: the program in slot `index` of the prog array at address `mapAddr`; undefined for an empty slot or an index
   * out of range. The JIT may instead read the slot's table index (Runnable.tailEntry) from the map's storage.
   */
  resolveTailCall(mapAddr: number, index: number): Runnable | undefined;
  /**
   * BPF_LD_ABS and BPF_LD_IND: `size` bytes at signed offset `off` of the packet that `ctx` describes, as the big-endian
   * number (0 .. 2^32-1), or -1 when they lie outside the packet: the program then exits with r0 = 0.
   * Absent for program types that have no packet.
   */
  readonly packetLoad?: (ctx: number, off: number, size: number) => number;
  /**
   * The program that runs now: Runnable.run sets it and restores it. Runtime.callback(fn, ...) is
   * `env.current.callback(fn, ...)`; when undefined (a batch run inside wasm), fn is an index of Memory.table.
   */
  current: Runnable | undefined;
}

/** Linux's MAX_TAIL_CALL_CNT: the 34th tail call of one run falls through with r0 unchanged. */
export const MAX_TAIL_CALL_CNT = 33;

/** Linux's MAX_CALL_FRAMES: depth of bpf-to-bpf calls. */
export const MAX_CALL_FRAMES = 8;

/** Addresses below this are never handed out; an access there is a fault. */
export const FIRST_VADDR = 0x10000;

/** Bytes of BPF stack a run may use across all its frames (Linux: MAX_BPF_STACK), per program of a tail-call chain. */
export const MAX_BPF_STACK = 512;
