/**
 * Change notifications: what happened to objects, who did it, in order, numbered.
 *
 * A listener is called at once. A subscription is read when its reader likes: it keeps `capacity` events and counts what
 * it had to drop, so that nothing is lost silently.
 */
import type { BpfEvent, EventSubscription } from "./bpf.ts";

const DEFAULT_CAPACITY = 1024;

export class Events {
  readonly #listeners = new Set<(event: BpfEvent) => void>();
  readonly #actor: () => number;
  #seq = 0;

  /** @param actor the process on whose behalf things happen now; 0 = the kernel */
  constructor(actor: () => number) {
    this.#actor = actor;
  }

  emit(event: Omit<BpfEvent, "seq" | "pid">): void {
    const numbered = { seq: ++this.#seq, pid: this.#actor(), ...event };
    for (const listener of [...this.#listeners]) listener(numbered);
  }

  on(listener: (event: BpfEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  subscribe(capacity = DEFAULT_CAPACITY): EventSubscription {
    return new Subscription(this, capacity);
  }
}

class Subscription implements EventSubscription {
  readonly #capacity: number;
  readonly #queue: BpfEvent[] = [];
  readonly #stop: () => void;
  #missed = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(events: Events, capacity: number) {
    this.#capacity = capacity;
    this.#stop = events.on((event) => {
      if (this.#queue.length < this.#capacity) this.#queue.push(event);
      else this.#missed++;
      this.#wake?.();
    });
  }

  read(): { readonly missed: number; readonly events: readonly BpfEvent[] } {
    const missed = this.#missed;
    this.#missed = 0;
    return { events: this.#queue.splice(0), missed };
  }

  async *[Symbol.asyncIterator](): AsyncIterator<BpfEvent | { readonly missed: number }> {
    try {
      while (!this.#closed || this.#queue.length || this.#missed) {
        const { events, missed } = this.read();
        // What was dropped came after what was kept.
        yield* events;
        if (missed) yield { missed };
        if (events.length || missed || this.#closed) continue;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
