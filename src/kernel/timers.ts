/**
 * bpf_timer: callbacks that run when the kernel's clock passes their time; and deadlines of the kernel itself.
 *
 * The 16 bytes in the map value only say that a timer is there; what it will do is kept here, by the address of those
 * bytes. When the value dies (memory.hooks.freeFields), its timer is cancelled and forgotten.
 */
import type { TimerService } from "../helpers/timer.ts";
import type { Runnable } from "../interp/image.ts";
import type { Kernel } from "./kernel.ts";

interface Timer {
  readonly map: number;
  fn: number | undefined;
  runnable: Runnable | undefined;
  dueNs: bigint | undefined;
  running: boolean;
}

interface Deadline {
  readonly dueNs: bigint;
  readonly run: () => void;
}

export class Timers implements TimerService {
  readonly #kernel: Kernel;
  readonly #timers = new Map<number, Timer>();
  /** Deadlines of the kernel itself. */
  readonly #deadlines = new Set<Deadline>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  has(addr: number): boolean {
    return this.#timers.has(addr);
  }

  init(addr: number, map: number): void {
    this.#timers.set(addr, { map, fn: undefined, runnable: undefined, dueNs: undefined, running: false });
  }

  setCallback(addr: number, fn: number): void {
    const timer = this.#timers.get(addr)!;
    timer.fn = fn;
    timer.runnable = this.#kernel.runtime.env.current;
  }

  start(addr: number, ns: bigint, absolute: boolean): boolean {
    const timer = this.#timers.get(addr);
    if (timer?.fn === undefined) return false;
    timer.dueNs = absolute ? ns : this.#kernel.nowNs() + ns;
    return true;
  }

  /** 1 when it was waiting, 0 when not, -1 when it is the one that runs. */
  cancel(addr: number): 0 | 1 | -1 {
    const timer = this.#timers.get(addr)!;
    if (timer.running) return -1;
    const active = timer.dueNs !== undefined;
    timer.dueNs = undefined;
    return active ? 1 : 0;
  }

  forget(addr: number): void {
    this.#timers.delete(addr);
  }

  /** Runs `run` once, when the clock passes dueNs. @returns what cancels it */
  at(dueNs: bigint, run: () => void): () => void {
    const deadline: Deadline = { dueNs, run };
    this.#deadlines.add(deadline);
    return () => this.#deadlines.delete(deadline);
  }

  /** Runs due timers in order of time; `at` is told each one's time before it runs. */
  runUntil(endNs: bigint, at: (dueNs: bigint) => void): void {
    for (let first = this.#first(endNs); first; first = this.#first(endNs)) {
      at(first.dueNs);
      first.run();
    }
  }

  #first(endNs: bigint): Deadline | undefined {
    let first: Deadline | undefined;
    for (const [addr, timer] of this.#timers) {
      const { dueNs } = timer;
      if (dueNs !== undefined && dueNs <= endNs && (!first || dueNs < first.dueNs)) {
        first = { dueNs, run: () => this.#fire(addr, timer) };
      }
    }
    for (const deadline of this.#deadlines) {
      if (deadline.dueNs > endNs || (first && deadline.dueNs >= first.dueNs)) continue;
      first = {
        dueNs: deadline.dueNs,
        run: () => {
          this.#deadlines.delete(deadline);
          deadline.run();
        },
      };
    }
    return first;
  }

  #fire(addr: number, timer: Timer): void {
    timer.dueNs = undefined;
    const map = this.#kernel.mapAt(timer.map);
    const elem = map?.elementOf(addr);
    if (!map || !elem || timer.fn === undefined || !timer.runnable) return;
    timer.running = true;
    try {
      this.#kernel.running(() => timer.runnable!.callback(timer.fn!, timer.map, elem.key, elem.value, 0, 0));
    } finally {
      timer.running = false;
      elem.done();
    }
  }
}
