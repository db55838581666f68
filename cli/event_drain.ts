/** Reads ring buffers and perf event arrays while a program runs, so that they do not fill up; prints those asked for. */
import { BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_RINGBUF } from "../src/abi/bpf.ts";
import type { EventReader } from "../src/loader/events.ts";
import type { BpfObject } from "../src/loader/object.ts";
import { textOf } from "./map_view.ts";
import { colors, formatCount, type Io } from "./output.ts";

interface Source {
  readonly name: string;
  readonly reader: EventReader<unknown>;
  readonly show: boolean;
  count: number;
}

export class EventDrain {
  /** Records of the maps that were asked for, by map; only with --json. */
  readonly records: Record<string, unknown[]> = {};
  readonly #sources: Source[];
  readonly #json: boolean;
  readonly #io: Io;

  constructor(object: BpfObject, shown: readonly string[], json: boolean, io: Io) {
    this.#json = json;
    this.#io = io;
    const isEvents = (type: number) => type === BPF_MAP_TYPE_RINGBUF || type === BPF_MAP_TYPE_PERF_EVENT_ARRAY;
    this.#sources = Object.values(object.maps)
      .filter((map) => map.isLoaded && isEvents(map.type))
      .map((map) => ({ name: map.name, reader: map.events(), show: shown.includes(map.name), count: 0 }));
    for (const s of this.#sources) if (s.show) this.records[s.name] = [];
  }

  drain(): void {
    for (const source of this.#sources) {
      const events = source.reader.read();
      source.count += events.length;
      if (!source.show) continue;
      if (this.#json) this.records[source.name].push(...events);
      else for (const e of events) this.#io.out(`${colors(this.#io).dim(`${source.name}:`)} ${textOf(e)}\n`);
    }
  }

  /** One line for each map that got records. */
  report(): void {
    for (const { name, count, show, reader } of this.#sources) {
      if (count === 0 && reader.lost === 0) continue;
      const lost = reader.lost > 0 ? `, ${formatCount(reader.lost)} lost` : "";
      const hint = show ? "" : ` (--events ${name} shows them)`;
      this.#io.out(`${name}: ${formatCount(count)} records${lost}${hint}\n`);
    }
  }
}
