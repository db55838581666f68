/** The user-space end of ring buffers and perf event arrays: what mmap, epoll and libbpf's consumers are on Linux. */
import { BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_RINGBUF } from "../abi/bpf.ts";
import { EINVAL } from "../abi/errno.ts";
import { PerfRing } from "../maps/perf_ring.ts";
import { MAP_RECORD, PERF_RING, RING } from "../maps/record.ts";
import { consumeRingbuf, ringOf } from "../maps/ringbuf.ts";
import type { MapReader, MapRecord } from "./bpf.ts";
import type { KMap } from "./map.ts";
import type { Mapping, Task } from "./task.ts";

/** Data pages per CPU of a perf event array's reader. */
const PERF_PAGES = 64;

export function openMapReader(task: Task, map: KMap): MapReader {
  switch (map.type) {
    case BPF_MAP_TYPE_RINGBUF:
      return new Reader(task, map, ringSource(map));
    case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
      return new Reader(task, map, perfSource(map));
    default:
      throw map.map.error(EINVAL, "only ring buffers and perf event arrays have a reader");
  }
}

interface Source {
  read(max: number): MapRecord[];
  /** Bytes written so far; a change means news. */
  produced(): bigint;
  close(): void;
}

function ringSource(map: KMap): Source {
  const { memory } = map.map;
  return {
    read(max) {
      const out: MapRecord[] = [];
      consumeRingbuf(
        map.map,
        (data) => {
          out.push({ cpu: 0, data, lost: 0 });
        },
        max,
      );
      return out;
    },
    produced: () => memory.readU64(ringOf(map.map) + RING.producer),
    close() {},
  };
}

function perfSource(map: KMap): Source {
  const { memory } = map.map;
  const values = memory.readU32(map.addr + MAP_RECORD.values);
  const rings: PerfRing[] = [];
  for (let cpu = 0; cpu < Math.min(memory.cpus, map.maxEntries); cpu++) {
    if (memory.readU32(values + 8 * cpu)) continue;
    const ring = new PerfRing(memory, cpu, PERF_PAGES);
    memory.writeU32(values + 8 * cpu, ring.addr);
    rings.push(ring);
  }
  return {
    read(max) {
      const out: MapRecord[] = [];
      for (const ring of rings) {
        for (const { data, lost } of ring.read(max - out.length)) out.push({ cpu: ring.cpu, data, lost });
        if (out.length >= max) break;
      }
      return out;
    },
    produced: () => rings.reduce((sum, ring) => sum + memory.readU64(ring.addr + PERF_RING.head), 0n),
    close() {
      for (const ring of rings) {
        if (memory.readU32(values + 8 * ring.cpu) !== ring.addr) continue;
        memory.writeU32(values + 8 * ring.cpu, 0);
        ring.free();
      }
    },
  };
}

/** Holds the map while it is open, as memory that the process has mapped. */
class Reader implements MapReader, Mapping {
  readonly obj: KMap;
  readonly #task: Task;
  readonly #source: Source;
  #listener: (() => void) | undefined;
  #seen = 0n;
  #closed = false;

  constructor(task: Task, map: KMap, source: Source) {
    this.#task = task;
    this.obj = map.get();
    this.#source = source;
    task.mappings.add(this);
    task.kernel.afterRun.push(this.#poll);
  }

  readonly #poll = (): void => {
    if (!this.#listener) return;
    const produced = this.#source.produced();
    if (produced === this.#seen) return;
    this.#seen = produced;
    this.#listener();
  };

  read(max = Number.POSITIVE_INFINITY): MapRecord[] {
    return this.#closed ? [] : this.#source.read(max);
  }

  onData(listener: () => void): void {
    this.#listener = listener;
    this.#poll();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { afterRun } = this.#task.kernel;
    afterRun.splice(afterRun.indexOf(this.#poll), 1);
    this.#task.mappings.delete(this);
    this.#source.close();
    this.obj.put();
  }
}
