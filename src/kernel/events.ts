/** Tells listeners what happened to objects, in order, numbered so that a reader can see what it missed. */
import type { BpfEvent } from "./bpf.ts";

export class Events {
  readonly #listeners = new Set<(event: BpfEvent) => void>();
  #seq = 0;

  emit(event: Omit<BpfEvent, "seq">): void {
    const numbered = { seq: ++this.#seq, ...event };
    for (const listener of this.#listeners) listener(numbered);
  }

  on(listener: (event: BpfEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
