/**
 * Functions of user space as places that uprobes attach to: executable files, the functions in them by file offset, and the
 * calls that simulated processes make.
 *
 * Order      newest first, at the entry and at the return.
 * Errors     ENOENT no such file or symbol, EINVAL an offset beyond the file.
 * Source     kernel/events/uprobes.c, bpf_uprobe_multi_link_attach() of kernel/trace/bpf_trace.c.
 */
import { BpfError, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { VAddr } from "../../memory/memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { withEntryRegs, withReturnRegs } from "./context.ts";
import type { Slot } from "./run.ts";

export type UprobeHook = "uprobe" | "uretprobe" | "session";

export interface UprobeSlot extends Slot {
  readonly hook: UprobeHook;
  /** Only calls of this process. */
  readonly pid: number | undefined;
}

interface UserFile {
  readonly sizeBytes: number;
  /** File offsets of functions. */
  readonly symbols: ReadonlyMap<string, number>;
  /** By file offset, newest first. */
  readonly slots: Map<number, readonly UprobeSlot[]>;
}

/** Where the text of position-independent programs is mapped. */
const TEXT_BASE = 0x555555554000n;

export class Uprobes {
  readonly #kernel: Kernel;
  readonly #files = new Map<string, UserFile>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** An executable or library of the simulated machine. */
  define(path: string, symbols: Readonly<Record<string, number>>, sizeBytes = 1 << 20): void {
    const slots = this.#files.get(path)?.slots ?? new Map();
    this.#files.set(path, { sizeBytes, symbols: new Map(Object.entries(symbols)), slots });
  }

  /** @throws ENOENT */
  #file(path: string): UserFile {
    const file = this.#files.get(path);
    if (!file) throw new BpfError(ENOENT, `uprobe: there is no file ${path}`, { path });
    return file;
  }

  /** File offset of a function. @throws ENOENT */
  offsetOf(path: string, symbol: string): number {
    const offset = this.#file(path).symbols.get(symbol);
    if (offset === undefined) throw new BpfError(ENOENT, `${path}: no symbol '${symbol}'`, { path, symbol });
    return offset;
  }

  /** @throws ENOENT, EINVAL */
  check(path: string, offset: number): void {
    const { sizeBytes } = this.#file(path);
    if (offset < 0 || offset >= sizeBytes) {
      throw new BpfError(EINVAL, `uprobe: ${path} has ${sizeBytes} bytes; wanted an offset in it, not ${offset}`, {
        offset,
      });
    }
  }

  /** @returns what takes it away again @throws ENOENT, EINVAL */
  attach(path: string, offset: number, slot: UprobeSlot): () => void {
    this.check(path, offset);
    const { slots } = this.#file(path);
    slots.set(offset, [slot, ...(slots.get(offset) ?? [])]);
    return () => {
      const left = (slots.get(offset) ?? []).filter((s) => s !== slot);
      if (left.length) slots.set(offset, left);
      else slots.delete(offset);
    };
  }

  /** A process calls a function of user space. @returns its result @throws ENOENT */
  call(task: Task, path: string, symbol: string, args: readonly bigint[], body: () => bigint): bigint {
    const offset = this.offsetOf(path, symbol);
    const slots = this.#file(path).slots.get(offset);
    if (!slots) return body();
    return task.as(() => this.#traced(slots, TEXT_BASE + BigInt(offset), task.pid, args, body));
  }

  #traced(slots: readonly UprobeSlot[], ip: bigint, pid: number, args: readonly bigint[], body: () => bigint): bigint {
    const { memory, traceHooks } = this.#kernel;
    const { runner } = traceHooks;
    const mine = slots.filter((s) => s.pid === undefined || s.pid === pid);
    const sessions = new Map<UprobeSlot, VAddr>();
    try {
      for (const slot of mine) {
        if (slot.hook === "uretprobe") continue;
        const cookie = slot.hook === "session" ? memory.alloc(8) : undefined;
        if (cookie !== undefined) sessions.set(slot, cookie);
        const session = cookie === undefined ? undefined : { isReturn: false, cookie };
        const r0 = withEntryRegs(memory, ip, args, (ctx) => runner.run(slot, ctx, "recursive", session));
        if (cookie !== undefined && r0) {
          sessions.delete(slot);
          memory.free(cookie);
        }
      }
      const ret = body();
      for (const slot of mine) {
        const cookie = sessions.get(slot);
        if (slot.hook !== "uretprobe" && cookie === undefined) continue;
        const session = cookie === undefined ? undefined : { isReturn: true, cookie };
        withReturnRegs(memory, ip, ret, (ctx) => runner.run(slot, ctx, "recursive", session));
      }
      return ret;
    } finally {
      for (const cookie of sessions.values()) memory.free(cookie);
    }
  }
}
