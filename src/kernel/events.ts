/**
 * Change notifications: what happened to objects, who did it, in order, numbered.
 *
 * A listener is called at once. A subscription is read when its reader likes: it keeps `capacity` events and counts what
 * it had to drop, so that nothing is lost silently.
 */
import type { BpfEvent, EventSubscription } from "./bpf.ts";

const DEFAULT_CAPACITY = 1024;

interface Actor {
  readonly pid: number;
  readonly comm: string;
}

export class Events {
  readonly #listeners = new Set<(event: BpfEvent) => void>();
  readonly #actor: () => Actor | undefined;
  #seq = 0;

  /** @param actor the process on whose behalf things happen now; undefined = the kernel */
  constructor(actor: () => Actor | undefined) {
    this.#actor = actor;
  }

  emit(event: Omit<BpfEvent, "seq" | "pid" | "comm">): void {
    const actor = this.#actor();
    const numbered = { seq: ++this.#seq, pid: actor?.pid ?? 0, comm: actor?.comm ?? "", ...event };
    for (const listener of [...this.#listeners]) listener(numbered);
  }

  /** @param visible events that the listener may know of */
  on(listener: (event: BpfEvent) => void, visible: Visible = all): () => void {
    const hear = (event: BpfEvent) => {
      if (visible(event)) listener(event);
    };
    this.#listeners.add(hear);
    return () => this.#listeners.delete(hear);
  }

  subscribe(capacity = DEFAULT_CAPACITY, visible: Visible = all): EventSubscription {
    return new Subscription(this, capacity, visible);
  }
}

type Visible = (event: BpfEvent) => boolean;
const all: Visible = () => true;

class Subscription implements EventSubscription {
  readonly #capacity: number;
  readonly #queue: BpfEvent[] = [];
  readonly #stop: () => void;
  #missed = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(events: Events, capacity: number, visible: Visible) {
    this.#capacity = capacity;
    this.#stop = events.on((event) => {
      if (this.#queue.length < this.#capacity) this.#queue.push(event);
      else this.#missed++;
      this.#wake?.();
    }, visible);
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
