/**
 * The kernel's functions and tracepoints as places that programs attach to. The simulated kernel calls its functions through
 * call() and reports its tracepoints through tracepoint(); where nothing is attached, each costs one lookup.
 *
 * Order      of a function: kprobes (newest first), kprobe.multi and sessions (newest first), fentry, fmod_ret (newest first,
 *            until one gives a result), the function, fexit (newest first), kprobe.multi at the return (as at the entry),
 *            kretprobes (oldest first). A probe sits on the function's first instruction, before the trampoline, and at the
 *            return the trampoline comes back first.
 * Source     kernel/bpf/trampoline.c, kernel/trace/{fprobe,rethook,bpf_trace}.c, kernel/kprobes.c.
 * Differs    kprobes run before kprobe.multi; on Linux the kind that came into use last on the machine does.
 */

import { BTF_KIND_TYPEDEF } from "../../btf/kinds.ts";
import type { VAddr } from "../../memory/memory.ts";
import type { Kernel } from "../kernel.ts";
import { StructScope } from "../structs/scope.ts";
import type { Task } from "../task.ts";
import { withArgs, withContext, withEntryRegs, withReturnRegs, wordBytes } from "./context.ts";
import { Kallsyms } from "./kallsyms.ts";
import { type Session, type Slot, TraceRunner } from "./run.ts";
import { findTracepoint, PRINTK, TRACEPOINTS, type Tracepoint, writeRecord } from "./tracepoints.ts";

/** Raw tracepoints are typedefs of this prefix in the BTF. */
export const BTF_TRACE = "btf_trace_";

/** Arguments, or what makes them when somebody looks. */
export type TraceArgs = readonly bigint[] | (() => readonly bigint[]);

/** Ways to attach to a function. */
export type FuncHook =
  | "kprobe"
  | "kretprobe"
  | "multi"
  | "multi_ret"
  | "session"
  | "fentry"
  | "fmod_ret"
  | "fexit"
  | "lsm"
  | "lsm_void";

interface FuncSlot extends Slot {
  readonly hook: FuncHook;
}

interface TracepointSlot extends Slot {
  /** perf: with the record of the event's format; else with the tracepoint's arguments. */
  readonly perf: boolean;
}

const TRAMPOLINE_RULE = {
  fentry: "self",
  fmod_ret: "self",
  fexit: "self",
  lsm: "recursive",
  lsm_void: "recursive",
} as const;

export class TraceHooks {
  readonly kallsyms: Kallsyms;
  readonly runner: TraceRunner;
  /** Processes in a system call: calls that it makes in turn are its own. */
  readonly inSyscall = new Set<Task>();
  readonly kernel: Kernel;
  readonly #defined = new Set<string>();
  /** By function, newest first. */
  readonly #funcs = new Map<string, FuncSlot[]>();
  /** By tracepoint, oldest first. */
  readonly #tracepoints = new Map<string, TracepointSlot[]>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.runner = new TraceRunner(kernel);
    this.kallsyms = new Kallsyms(() => kernel.platform.btf);
  }

  /** The simulated kernel has a function that its BTF does not name. */
  define(func: string): void {
    this.kallsyms.define(func);
  }

  /** The simulated kernel has a raw tracepoint that neither its BTF nor the table of events names. */
  defineTracepoint(name: string): void {
    this.#defined.add(name);
  }

  hasTracepoint(name: string): boolean {
    if (this.#defined.has(name) || (this.kernel.platform.btf?.byName(BTF_TRACE + name, BTF_KIND_TYPEDEF) ?? 0) > 0) {
      return true;
    }
    for (const event of TRACEPOINTS.values()) if (event.name === name && event.category !== "syscalls") return true;
    return false;
  }

  /** Arguments of a raw tracepoint, its data not counted; undefined where the BTF does not tell. */
  tracepointArgs(name: string): number | undefined {
    const { btf } = this.kernel.platform;
    const typedef = btf?.byName(BTF_TRACE + name, BTF_KIND_TYPEDEF) ?? 0;
    return btf && typedef ? btf.vlen(btf.ref(btf.ref(typedef))) - 1 : undefined;
  }

  /** No program is attached to any function or tracepoint. */
  get idle(): boolean {
    return this.#funcs.size === 0 && this.#tracepoints.size === 0;
  }

  /** Whether a program is attached there. */
  watched(func: string): boolean {
    return this.#funcs.has(func);
  }

  /** Whether a program is attached to the tracepoint, in whichever way. */
  watchedTracepoint(name: string): boolean {
    return this.#tracepoints.has(name);
  }

  /** The programs at a function, newest first. */
  at(func: string): readonly FuncSlot[] {
    return this.#funcs.get(func) ?? [];
  }

  /** @returns what takes it away again */
  attach(func: string, hook: FuncHook, slot: Slot): () => void {
    const own: FuncSlot = { hook, prog: slot.prog, cookie: slot.cookie };
    return addTo(this.#funcs, func, (slots) => [own, ...slots], own);
  }

  /** Perf events of one tracepoint run together, where the first of them was registered. */
  attachTracepoint(name: string, slot: Slot, perf: boolean): () => void {
    const own: TracepointSlot = { perf, prog: slot.prog, cookie: slot.cookie };
    const insert = (slots: readonly TracepointSlot[]) => {
      const last = perf ? slots.findLastIndex((s) => s.perf) : -1;
      const at = last < 0 ? slots.length : last + 1;
      return [...slots.slice(0, at), own, ...slots.slice(at)];
    };
    return addTo(this.#tracepoints, name, insert, own);
  }

  /** A program on a perf event of a tracepoint. */
  attachEvent(category: string, name: string, slot: Slot): () => void {
    if (!findTracepoint(category, name)) throw new Error(`no event ${category}/${name}`);
    return this.attachTracepoint(name, slot, true);
  }

  /** How many programs are on the perf events of a tracepoint. */
  eventProgs(name: string): number {
    return (this.#tracepoints.get(name) ?? []).filter((s) => s.perf).length;
  }

  /** A function of the kernel is called. @returns its result, or what a program put in its place */
  call(func: string, args: TraceArgs, body: () => bigint): bigint {
    const slots = this.#funcs.get(func);
    return slots ? this.#traced(func, slots, wordsOf(args), body) : body();
  }

  #traced(func: string, slots: readonly FuncSlot[], args: readonly bigint[], body: () => bigint): bigint {
    const ip = this.kallsyms.addressOf(func);
    const sessions = new Map<FuncSlot, VAddr>();
    try {
      this.#entryProbes(ip, slots, args, sessions);
      const ret = this.#trampoline(ip, slots, args, body);
      this.#returnProbes(ip, slots, ret, sessions);
      return ret;
    } finally {
      for (const cookie of sessions.values()) this.kernel.memory.free(cookie);
    }
  }

  #entryProbes(ip: bigint, slots: readonly FuncSlot[], args: readonly bigint[], sessions: Map<FuncSlot, VAddr>): void {
    const { memory } = this.kernel;
    const probe = (slot: FuncSlot, session?: Session) =>
      withEntryRegs(memory, ip, args, (ctx) => this.runner.run(slot, ctx, "any", session));
    for (const slot of slots) if (slot.hook === "kprobe") probe(slot);
    for (const slot of slots) {
      if (slot.hook === "multi") probe(slot);
      if (slot.hook !== "session") continue;
      const cookie = memory.alloc(8);
      sessions.set(slot, cookie);
      // A result other than 0 says that the return is of no interest.
      if (probe(slot, { isReturn: false, cookie })) {
        sessions.delete(slot);
        memory.free(cookie);
      }
    }
  }

  #trampoline(ip: bigint, slots: readonly FuncSlot[], args: readonly bigint[], body: () => bigint): bigint {
    if (!slots.some((s) => s.hook in TRAMPOLINE_RULE)) return body();
    const run = (slot: FuncSlot, words: readonly bigint[]): bigint =>
      withArgs(
        this.kernel.memory,
        wordBytes(words),
        args.length,
        (ctx) => this.runner.run(slot, ctx, TRAMPOLINE_RULE[slot.hook as keyof typeof TRAMPOLINE_RULE]) ?? 0n,
        ip,
      );
    for (const slot of slots) if (slot.hook === "fentry") run(slot, args);
    let ret = 0n;
    for (const slot of slots) {
      if (slot.hook !== "fmod_ret" && slot.hook !== "lsm") continue;
      ret = run(slot, [...args, ret]);
      if (ret) break;
    }
    if (!ret) ret = body();
    for (const slot of slots) if (slot.hook === "fexit" || slot.hook === "lsm_void") run(slot, [...args, ret]);
    return ret;
  }

  #returnProbes(ip: bigint, slots: readonly FuncSlot[], ret: bigint, sessions: ReadonlyMap<FuncSlot, VAddr>): void {
    const probe = (slot: FuncSlot, session?: Session) =>
      withReturnRegs(this.kernel.memory, ip, ret, (ctx) => this.runner.run(slot, ctx, "any", session));
    for (const slot of slots) {
      const cookie = sessions.get(slot);
      if (slot.hook === "multi_ret") probe(slot);
      else if (cookie !== undefined) probe(slot, { isReturn: true, cookie });
    }
    for (const slot of slots.toReversed()) if (slot.hook === "kretprobe") probe(slot);
  }

  /**
   * The kernel passes a tracepoint. `args` are those of the tracepoint's prototype, without its data: what raw tracepoints
   * get as words; records for perf events are filled from them.
   * @param nArgs  how many of the words raw tracepoints get; default all
   */
  tracepoint(category: string, name: string, args: TraceArgs, nArgs?: number): void {
    const slots = this.#tracepoints.get(name);
    if (!slots) return;
    const words = wordsOf(args);
    const entry = findTracepoint(category, name);
    for (const slot of slots) {
      if (slot.perf) this.#runPerf(slot, entry, words);
      else this.#runRaw(slot, words.slice(0, nArgs));
    }
  }

  /** bpf_trace_printk() and others pass a tracepoint with their text. */
  printk(line: string): void {
    if (!this.#tracepoints.has(PRINTK.name)) return;
    using scope = new StructScope(this.kernel);
    this.tracepoint(PRINTK.category, PRINTK.name, [BigInt(scope.text(line))]);
  }

  #runRaw(slot: Slot, words: readonly bigint[]): void {
    const { memory } = this.kernel;
    withArgs(memory, wordBytes(words), words.length, (ctx) => this.runner.run(slot, ctx, "self"));
  }

  /** The first 8 bytes of the record are Linux's pointer to the registers, which programs cannot read. */
  #runPerf(slot: Slot, entry: Tracepoint | undefined, words: readonly bigint[]): void {
    if (!entry) return;
    const { memory } = this.kernel;
    const record = writeRecord(this.kernel, entry, words);
    withContext(memory, record.length, {}, (ctx) => {
      memory.writeBytes(ctx, record);
      return this.runner.run(slot, ctx, "any");
    });
  }
}

function wordsOf(args: TraceArgs): readonly bigint[] {
  return typeof args === "function" ? args() : args;
}

/** Lists are replaced, never changed: whoever walks one may attach and detach meanwhile. */
function addTo<S>(map: Map<string, S[]>, key: string, insert: (slots: readonly S[]) => S[], own: S): () => void {
  map.set(key, insert(map.get(key) ?? []));
  return () => {
    const left = (map.get(key) ?? []).filter((s) => s !== own);
    if (left.length) map.set(key, left);
    else map.delete(key);
  };
}
