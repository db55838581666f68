/**
 * Running an attached tracing program: cookie, recursion rules, the whole of r0.
 *
 * Recursion  a program attached to a raw tracepoint or by a trampoline does not run inside itself (prog->active); kprobes,
 *            uprobes, tracepoints and perf events do not run while another of these runs (bpf_prog_active). What does not
 *            run for that counts as a miss of the program.
 * Source     kernel/bpf/trampoline.c, kernel/trace/bpf_trace.c.
 */
import { TRACE_CTX } from "../../helpers/trace_layout.ts";
import { RunFault } from "../../interp/image.ts";
import { CPU_CTX } from "../../memory/cpu_ctx.ts";
import type { VAddr } from "../../memory/memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Prog } from "../prog.ts";

/** One program at one place. */
export interface Slot {
  readonly prog: Prog;
  readonly cookie: bigint;
}

/** What bpf_session_is_return() and bpf_session_cookie() tell. */
export interface Session {
  readonly isReturn: boolean;
  /** Address of a u64 that the entry run and the return run share. */
  readonly cookie: VAddr;
}

/** recursive: never refused (lsm, iterators, struct_ops). */
export type Recursion = "self" | "any" | "recursive";

/** struct bpf_perf_event_value. */
export interface PerfCounter {
  readonly counter: bigint;
  readonly enabled: bigint;
  readonly running: bigint;
}

export class TraceRunner {
  readonly #kernel: Kernel;
  readonly #running = new Set<Prog>();
  #anyActive = false;
  #session: Session | undefined;
  #perfCounter: PerfCounter | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** The session whose program runs now. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The counter of the perf event whose program runs now. */
  get perfCounter(): PerfCounter | undefined {
    return this.#perfCounter;
  }

  asPerfEvent<T>(counter: PerfCounter, body: () => T): T {
    const outer = this.#perfCounter;
    this.#perfCounter = counter;
    try {
      return body();
    } finally {
      this.#perfCounter = outer;
    }
  }

  /** Runs a program on a context; undefined when recursion forbids it. @returns r0, signed; 0 after a fault */
  run(slot: Slot, ctx: VAddr, rule: Recursion, session?: Session): bigint | undefined {
    const { prog } = slot;
    // Unloaded while the function that it is at the end of was running.
    if (prog.refs === 0) return undefined;
    const busy = rule === "self" ? this.#running.has(prog) : rule === "any" && this.#anyActive;
    if (busy) {
      prog.recursionMisses++;
      return undefined;
    }
    const { memory } = this.#kernel;
    memory.writeU64(ctx + TRACE_CTX.cookie, slot.cookie);
    const outerSession = this.#session;
    this.#session = session;
    if (rule === "self") this.#running.add(prog);
    else if (rule === "any") this.#anyActive = true;
    try {
      return this.#kernel.running(() => {
        const lo = prog.run(ctx);
        return BigInt.asIntN(64, (BigInt(memory.readU32(memory.cpuCtx + CPU_CTX.retHi)) << 32n) | BigInt(lo));
      });
    } catch (e) {
      // The program ends, with what it said to its stderr; whoever called the traced function goes on.
      if (e instanceof RunFault) return 0n;
      throw e;
    } finally {
      this.#session = outerSession;
      if (rule === "self") this.#running.delete(prog);
      else if (rule === "any") this.#anyActive = false;
    }
  }
}
