/** Ring buffers in both directions and perf rings: layout, room, order, wake-ups, and what once broke them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as bpf from "../../src/abi/bpf.ts";
import { E2BIG, EAGAIN, EINVAL, ENODATA, ENOENT, ENOSPC, EOPNOTSUPP } from "../../src/abi/errno.ts";
import { BpfMap } from "../../src/maps/bpf_map.ts";
import { PerfRing } from "../../src/maps/perf_ring.ts";
import { RING } from "../../src/maps/record.ts";
import { consumeRingbuf, produceUserRingbuf, ringbufStats, ringOf } from "../../src/maps/ringbuf.ts";
import { Memory } from "../../src/memory/memory.ts";

interface RingExports {
  ringbuf_reserve(map: number, size: bigint, flags: bigint): number;
  ringbuf_submit(sample: number, flags: bigint): void;
  ringbuf_discard(sample: number, flags: bigint): void;
  ringbuf_output(map: number, data: number, size: bigint, flags: bigint): number;
  ringbuf_query(map: number, what: bigint): bigint;
  user_ringbuf_peek(map: number, out: number): number;
  user_ringbuf_release(map: number, size: number): void;
  perf_event_output(map: number, flags: bigint, data: number, size: number, extra: number, extraSize: number): number;
}

const SIZE = 4096;

function ringbuf(type: number = bpf.BPF_MAP_TYPE_RINGBUF): { memory: Memory; map: BpfMap; core: RingExports } {
  const memory = new Memory({ initialPages: 16 });
  const map = new BpfMap(memory, { type, keySize: 0, valueSize: 0, maxEntries: SIZE });
  return { memory, map, core: memory.exports<RingExports>() };
}

function drain(map: BpfMap): number[][] {
  const out: number[][] = [];
  consumeRingbuf(map, (record) => {
    out.push([...record]);
  });
  return out;
}

describe("ring buffer", () => {
  it("delivers submitted records in order of reservation and skips discarded ones", () => {
    const { memory, map, core } = ringbuf();
    const [a, b, c] = [1n, 2n, 3n].map((size) => core.ringbuf_reserve(map.addr, size, 0n));
    memory.fill(a!, 1, 1);
    memory.fill(c!, 3, 3);
    core.ringbuf_submit(c!, 0n);
    expect(drain(map)).toEqual([]);
    core.ringbuf_submit(a!, 0n);
    expect(drain(map)).toEqual([[1]]);
    core.ringbuf_discard(b!, 0n);
    expect(drain(map)).toEqual([[3, 3, 3]]);
  });

  it("has Linux's record header", () => {
    const { memory, map, core } = ringbuf();
    const sample = core.ringbuf_reserve(map.addr, 13n, 0n);
    const ring = ringOf(map);
    expect(sample).toBe(ring + RING.data + 8);
    expect(memory.readU32(sample - 8)).toBe((13 | bpf.BPF_RINGBUF_BUSY_BIT) >>> 0);
    expect(memory.readU32(sample - 4)).toBe(RING.data >> 12);
    core.ringbuf_discard(sample, 0n);
    expect(memory.readU32(sample - 8)).toBe(13 | bpf.BPF_RINGBUF_DISCARD_BIT);
    expect(core.ringbuf_query(map.addr, BigInt(bpf.BPF_RB_PROD_POS))).toBe(24n);
    expect(core.ringbuf_query(map.addr, BigInt(bpf.BPF_RB_AVAIL_DATA))).toBe(24n);
    expect(core.ringbuf_query(map.addr, BigInt(bpf.BPF_RB_RING_SIZE))).toBe(BigInt(SIZE));
    drain(map);
    expect(core.ringbuf_query(map.addr, BigInt(bpf.BPF_RB_CONS_POS))).toBe(24n);
    expect(core.ringbuf_query(map.addr, 9n)).toBe(0n);
  });

  it("CVE-2021-3489: a reservation larger than the buffer fails", () => {
    const { map, core } = ringbuf();
    for (const size of [SIZE - 7, SIZE, SIZE + 1, 0x3fffffff, 0x40000000, 2 ** 32, 2 ** 32 + 8]) {
      expect(core.ringbuf_reserve(map.addr, BigInt(size), 0n)).toBe(0);
    }
    expect(core.ringbuf_reserve(map.addr, BigInt(2) ** 63n, 0n)).toBe(0);
    expect(core.ringbuf_reserve(map.addr, 8n, 1n)).toBe(0);
  });

  it("CVE-2024-41009: a consumer position that lies does not make reservations overlap", () => {
    const { memory, map, core } = ringbuf();
    const first = core.ringbuf_reserve(map.addr, 3000n, 0n);
    expect(first).not.toBe(0);
    memory.writeU64(ringOf(map) + RING.consumer, 3008n);
    expect(core.ringbuf_reserve(map.addr, 3000n, 0n)).toBe(0);
    core.ringbuf_submit(first, 0n);
    expect(core.ringbuf_reserve(map.addr, 3000n, 0n)).not.toBe(0);
  });

  it("counts wake-ups: when the consumer waits at the record, when forced, never when told not to", () => {
    const { map, core } = ringbuf();
    const submit = (flags: number): number => {
      const before = ringbufStats(map).wakeups;
      core.ringbuf_submit(core.ringbuf_reserve(map.addr, 8n, 0n), BigInt(flags));
      return ringbufStats(map).wakeups - before;
    };
    expect(submit(0)).toBe(1);
    expect(submit(0)).toBe(0);
    expect(submit(bpf.BPF_RB_FORCE_WAKEUP)).toBe(1);
    drain(map);
    expect(submit(bpf.BPF_RB_NO_WAKEUP)).toBe(0);
  });

  it("output: EINVAL for flags, EAGAIN without room", () => {
    const { memory, map, core } = ringbuf();
    const data = memory.alloc(SIZE);
    expect(core.ringbuf_output(map.addr, data, 8n, 4n)).toBe(-EINVAL);
    expect(core.ringbuf_output(map.addr, data, BigInt(SIZE), 0n)).toBe(-EAGAIN);
    for (let n = 0; n < 255; n++) expect(core.ringbuf_output(map.addr, data, 8n, 0n)).toBe(0);
    expect(core.ringbuf_output(map.addr, data, 8n, 0n)).toBe(-EAGAIN);
    expect(ringbufStats(map).lost).toBe(1);
  });

  it("keeps every byte through wrap-arounds, and stops when the callback says so", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ size: fc.nat(900), discard: fc.boolean(), drain: fc.boolean() }), { maxLength: 120 }),
        (steps) => {
          const { memory, map, core } = ringbuf();
          const queue: number[][] = [];
          steps.forEach((step, n) => {
            const sample = core.ringbuf_reserve(map.addr, BigInt(step.size), 0n) >>> 0;
            const used = queue.reduce((sum, record) => sum + ((record.length + 15) & ~7), 0);
            if (sample !== 0) {
              memory.fill(sample, n & 255, step.size);
              if (step.discard) core.ringbuf_discard(sample, 0n);
              else {
                core.ringbuf_submit(sample, 0n);
                queue.push(new Array(step.size).fill(n & 255));
              }
            } else {
              expect(used + ((step.size + 15) & ~7)).toBeGreaterThan(0);
            }
            if (step.drain || sample === 0) {
              expect(drain(map)).toEqual(queue);
              queue.length = 0;
            }
          });
          expect(drain(map)).toEqual(queue);
          map.free();
        },
      ),
      { numRuns: 40 },
    );
    const { map, core } = ringbuf();
    for (let n = 0; n < 3; n++) core.ringbuf_submit(core.ringbuf_reserve(map.addr, 8n, 0n), 0n);
    expect(consumeRingbuf(map, () => false)).toBe(1);
    expect(consumeRingbuf(map, () => {}, 1)).toBe(1);
    expect(drain(map).length).toBe(1);
  });
});

describe("user ring buffer", () => {
  it("hands samples to the program in order, and refuses what cannot be", () => {
    const { memory, map, core } = ringbuf(bpf.BPF_MAP_TYPE_USER_RINGBUF);
    const out = memory.alloc(8);
    const ring = ringOf(map);
    expect(core.user_ringbuf_peek(map.addr, out)).toBe(-ENODATA);
    for (let n = 0; n < 600; n++) {
      expect(produceUserRingbuf(map, Uint8Array.of(n & 255, 2, 3))).toBe(true);
      expect(core.user_ringbuf_peek(map.addr, out)).toBe(3);
      expect(memory.readU8(memory.readU32(out))).toBe(n & 255);
      core.user_ringbuf_release(map.addr, 3);
    }
    let fits = 0;
    while (produceUserRingbuf(map, new Uint8Array(8))) fits++;
    expect(fits).toBe(SIZE / 16);
    const at = ring + RING.data + (Number(memory.readU64(ring + RING.consumer)) % SIZE);
    memory.writeU32(at, (8 | bpf.BPF_RINGBUF_BUSY_BIT) >>> 0);
    expect(core.user_ringbuf_peek(map.addr, out)).toBe(-ENODATA);
    memory.writeU32(at, 8 | bpf.BPF_RINGBUF_DISCARD_BIT);
    expect(core.user_ringbuf_peek(map.addr, out)).toBe(-EAGAIN);
    memory.writeU32(ring + RING.data + (Number(memory.readU64(ring + RING.consumer)) % SIZE), 8000);
    expect(core.user_ringbuf_peek(map.addr, out)).toBe(-EINVAL);
    memory.writeU64(ring + RING.producer, memory.readU64(ring + RING.consumer) + 4n);
    expect(core.user_ringbuf_peek(map.addr, out)).toBe(-EINVAL);
  });
});

describe("perf event array", () => {
  const setUp = (): { memory: Memory; map: BpfMap; ring: PerfRing; core: RingExports; data: number } => {
    const memory = new Memory({ initialPages: 16, cpus: 2 });
    const map = new BpfMap(memory, {
      type: bpf.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
      keySize: 4,
      valueSize: 4,
      maxEntries: 2,
    });
    const ring = new PerfRing(memory, 0, 1);
    map.update(new Uint8Array(4), new Uint8Array(Uint32Array.of(ring.addr).buffer));
    const data = memory.alloc(64);
    memory.writeBytes(
      data,
      Uint8Array.from({ length: 64 }, (_, i) => i),
    );
    return { memory, map, ring, core: memory.exports<RingExports>(), data };
  };

  it("writes samples as perf does, padded to 8 with the size word", () => {
    const { map, ring, core, data } = setUp();
    expect(core.perf_event_output(map.addr, BigInt(bpf.BPF_F_CURRENT_CPU), data, 5, 0, 0)).toBe(0);
    expect(core.perf_event_output(map.addr, 0n, data, 3, data + 10, 4)).toBe(0);
    const samples = ring.read();
    expect(samples.map((sample) => [...sample.data])).toEqual([
      [0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0],
      [0, 1, 2, 10, 11, 12, 13, 0, 0, 0, 0, 0],
    ]);
    expect(ring.read()).toEqual([]);
  });

  it("counts what did not fit and tells the reader", () => {
    const { map, ring, core, data } = setUp();
    let written = 0;
    while (core.perf_event_output(map.addr, 0n, data, 60, 0, 0) === 0) written++;
    expect(written).toBe(Math.floor(4096 / 72));
    expect(core.perf_event_output(map.addr, 0n, data, 60, 0, 0)).toBe(-ENOSPC);
    expect(ring.lostTotal).toBe(2);
    expect(ring.read().every((sample) => sample.lost === 0)).toBe(true);
    for (let n = 0; n < 200; n++) {
      expect(core.perf_event_output(map.addr, 0n, data, 60, 0, 0)).toBe(0);
      const [sample] = ring.read();
      expect(sample!.lost).toBe(n === 0 ? 2 : 0);
      expect([...sample!.data.subarray(0, 60)]).toEqual([...Array(60).keys()]);
    }
  });

  it("gives Linux's errnos", () => {
    const { memory, map, core, data } = setUp();
    expect(core.perf_event_output(map.addr, 1n << 32n, data, 8, 0, 0)).toBe(-EINVAL);
    expect(core.perf_event_output(map.addr, 2n, data, 8, 0, 0)).toBe(-E2BIG);
    expect(core.perf_event_output(map.addr, 1n, data, 8, 0, 0)).toBe(-ENOENT);
    const other = new PerfRing(memory, 1, 1);
    map.update(Uint8Array.of(1, 0, 0, 0), new Uint8Array(Uint32Array.of(other.addr).buffer));
    expect(core.perf_event_output(map.addr, 1n, data, 8, 0, 0)).toBe(-EOPNOTSUPP);
  });
});
