/**
 * The consumers of ring buffers and perf event arrays: memory shared with the kernel, read where it is.
 *
 * Ring buffer  page 0: u64 consumer position (ours); then a page with the u64 producer position, then the data, mapped
 *              twice in a row so that no record is cut. A record: u32 length with busy and discard bits, u32 page offset.
 * Perf ring    page 0: struct perf_event_mmap_page with data_head at 1024 and data_tail (ours) at 1032; then the data.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EINVAL } from "../../abi/errno.ts";
import type { Fd, MapReader, MapRecord } from "../../kernel/bpf.ts";
import { cpusThatAre } from "./cpus.ts";
import type { LinuxBpf } from "./linux_bpf.ts";
import { Mapping, PAGE } from "./mapping.ts";
import { openPerfEvent, PERF_EVENT_IOC_ENABLE, PERF_TYPE_SOFTWARE } from "./perf_event.ts";
import type { Poller } from "./poller.ts";

/** Data pages per CPU of a perf event array's reader. */
const PERF_PAGES = 64;

const BUSY = 0x8000_0000;
const DISCARD = 0x4000_0000;
const LENGTH = 0x3fff_ffff;
const RECORD_HEADER = 8;

const PERF_COUNT_SW_BPF_OUTPUT = 10;
const PERF_SAMPLE_RAW = 1 << 10;
const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;
const DATA_HEAD = 1024;
const DATA_TAIL = 1032;

interface Source {
  readonly fds: readonly number[];
  read(max: number): MapRecord[];
  close(): void;
}

/** @throws EINVAL for maps without a reader */
export function openMapReader(bpf: LinuxBpf, poller: Poller, mapFd: Fd): MapReader {
  const { type, name, maxEntries } = bpf.mapInfo(mapFd);
  // a copy of the fd: the reader holds the map
  const fd = bpf.dup(mapFd);
  try {
    if (type === abi.BPF_MAP_TYPE_RINGBUF) return new Reader(poller, new RingSource(bpf, fd, maxEntries));
    if (type === abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY) return new Reader(poller, new PerfSource(bpf, fd, maxEntries));
    throw new BpfError(EINVAL, `map '${name}': only ring buffers and perf event arrays have a reader`, { type });
  } catch (e) {
    bpf.close(fd);
    throw e;
  }
}

class Reader implements MapReader {
  readonly #poller: Poller;
  #source: Source | undefined;

  constructor(poller: Poller, source: Source) {
    this.#poller = poller;
    this.#source = source;
  }

  read(max = Number.POSITIVE_INFINITY): MapRecord[] {
    return this.#source?.read(max) ?? [];
  }

  onData(listener: () => void): void {
    for (const fd of this.#source?.fds ?? []) this.#poller.watch(fd, listener);
  }

  close(): void {
    const source = this.#source;
    this.#source = undefined;
    if (!source) return;
    for (const fd of source.fds) this.#poller.unwatch(fd);
    source.close();
  }
}

class RingSource implements Source {
  readonly fds: readonly number[];
  readonly #bpf: LinuxBpf;
  readonly #fd: Fd;
  readonly #consumer: Mapping;
  readonly #producer: Mapping;
  readonly #mask: number;

  constructor(bpf: LinuxBpf, fd: Fd, size: number) {
    this.#bpf = bpf;
    this.#fd = fd;
    this.fds = [fd];
    this.#mask = size - 1;
    this.#consumer = new Mapping(bpf.sys, "ring buffer", fd, PAGE, true, 0);
    this.#producer = new Mapping(bpf.sys, "ring buffer", fd, PAGE + 2 * size, false, PAGE);
  }

  read(max: number): MapRecord[] {
    const out: MapRecord[] = [];
    let consumer = this.#consumer.position(0);
    const producer = this.#producer.position(0);
    const { buffer } = this.#producer;
    while (out.length < max && consumer < producer) {
      const at = PAGE + (Number(consumer & 0xffff_ffffn) & this.#mask);
      const header = Atomics.load(new Uint32Array(buffer, at, 1), 0);
      if (header & BUSY) break;
      const length = header & LENGTH;
      if (!(header & DISCARD)) {
        out.push({
          cpu: 0,
          data: new Uint8Array(buffer.slice(at + RECORD_HEADER, at + RECORD_HEADER + length)),
          lost: 0,
        });
      }
      consumer += BigInt((length + RECORD_HEADER + 7) & ~7);
      this.#consumer.setPosition(0, consumer);
    }
    return out;
  }

  close(): void {
    this.#consumer.unmap();
    this.#producer.unmap();
    this.#bpf.close(this.#fd);
  }
}

interface PerfCpu {
  readonly cpu: number;
  readonly event: number;
  readonly ring: Mapping;
}

class PerfSource implements Source {
  readonly #bpf: LinuxBpf;
  readonly #fd: Fd;
  readonly #cpus: PerfCpu[] = [];

  constructor(bpf: LinuxBpf, fd: Fd, maxEntries: number) {
    this.#bpf = bpf;
    this.#fd = fd;
    try {
      // A CPU that is offline has no events; nothing runs on it.
      for (const cpu of cpusThatAre("online")) if (cpu < maxEntries) this.#cpus.push(this.#open(cpu));
    } catch (e) {
      this.#unmap();
      throw e;
    }
  }

  get fds(): readonly number[] {
    return this.#cpus.map((c) => c.event);
  }

  #open(cpu: number): PerfCpu {
    const { sys } = this.#bpf;
    const attr = { type: PERF_TYPE_SOFTWARE, config: PERF_COUNT_SW_BPF_OUTPUT, sampleType: PERF_SAMPLE_RAW, wakeup: 1 };
    const event = openPerfEvent(sys, attr, -1, cpu);
    let ring: Mapping | undefined;
    try {
      ring = new Mapping(sys, "perf event", event, PAGE * (1 + PERF_PAGES), true, 0);
      const [key, value] = [new Uint8Array(4), new Uint8Array(4)];
      new DataView(key.buffer).setUint32(0, cpu, true);
      new DataView(value.buffer).setUint32(0, event, true);
      this.#bpf.mapUpdateElem(this.#fd, key, value);
      sys.must("perf event", "ioctl", event, PERF_EVENT_IOC_ENABLE, 0);
      return { cpu, event, ring };
    } catch (e) {
      ring?.unmap();
      sys.call("close", event);
      throw e;
    }
  }

  read(max: number): MapRecord[] {
    const out: MapRecord[] = [];
    for (const c of this.#cpus) readPerf(c, max, out);
    return out;
  }

  close(): void {
    this.#unmap();
    this.#bpf.close(this.#fd);
  }

  #unmap(): void {
    for (const { event, ring } of this.#cpus) {
      ring.unmap();
      this.#bpf.sys.call("close", event);
    }
  }
}

function readPerf({ cpu, ring }: PerfCpu, max: number, out: MapRecord[]): void {
  let tail = ring.position(DATA_TAIL);
  const head = ring.position(DATA_HEAD);
  let lost = 0;
  while (out.length < max && tail < head) {
    const header = new DataView(bytesAt(ring, tail, 8).buffer);
    const type = header.getUint32(0, true);
    const size = header.getUint16(6, true);
    const record = bytesAt(ring, tail, size);
    const view = new DataView(record.buffer);
    if (type === PERF_RECORD_LOST) lost += Number(view.getBigUint64(16, true));
    if (type === PERF_RECORD_SAMPLE) {
      const length = view.getUint32(8, true);
      out.push({ cpu, data: record.slice(12, 12 + length), lost });
      lost = 0;
    }
    tail += BigInt(size);
  }
  ring.setPosition(DATA_TAIL, tail);
}

/** A copy of what may be cut by the end of the ring. */
function bytesAt(ring: Mapping, at: bigint, n: number): Uint8Array<ArrayBuffer> {
  const size = PAGE * PERF_PAGES;
  const off = Number(at & BigInt(size - 1));
  const first = Math.min(n, size - off);
  const out = new Uint8Array(n);
  out.set(new Uint8Array(ring.buffer, PAGE + off, first));
  out.set(new Uint8Array(ring.buffer, PAGE, n - first), first);
  return out;
}
