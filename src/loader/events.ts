/**
 * Events from a ring buffer or perf event array, decoded, as they come.
 *
 * `read` drains what is there; the async iterator waits for more until the reader is closed. Records shorter than the
 * type are given as bytes.
 */
import type { Codec } from "../btf/codec.ts";
import type { MapReader, MapRecord } from "../kernel/bpf.ts";

// biome-ignore lint/suspicious/noExplicitAny: what an event is only the object file knows; callers may name it
export class EventReader<V = any> {
  readonly #reader: MapReader;
  readonly #codec: Codec | undefined;
  #wake: (() => void) | undefined;
  #closed = false;
  /** Records that a perf event array dropped so far. */
  lost = 0;

  constructor(reader: MapReader, codec: Codec | undefined) {
    this.#reader = reader;
    this.#codec = codec;
  }

  /** The oldest events, at most `max`. */
  read(max?: number): V[] {
    return this.#reader.read(max).map((r) => this.#decode(r));
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<V> {
    this.#reader.onData(() => this.#wake?.());
    while (!this.#closed) {
      // armed before reading, so that what arrives in between is not slept through
      const more = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const events = this.read();
      yield* events;
      if (events.length === 0 && !this.#closed) await more;
    }
  }

  /** Ends a waiting iterator. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.close();
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #decode(record: MapRecord): V {
    this.lost += record.lost;
    const codec = this.#codec;
    return (codec && record.data.length >= codec.size ? codec.decode(record.data) : record.data) as V;
  }
}
