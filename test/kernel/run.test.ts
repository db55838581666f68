/** What runs beside packets: timers, printk, readers, tail calls, raw tracepoints, syscall programs, tracing hooks, batches. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { type BatchPacket, openBatch } from "../../src/net/batch.ts";
import { frame, load, u32, u64, withKernel } from "../support/kernel.ts";

const ENGINES = ["jit", "interp"] as const;
const rawTp = { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT };
const syscall = { progType: abi.BPF_PROG_TYPE_SYSCALL, progFlags: abi.BPF_F_SLEEPABLE };

describe("test runs without packets", () => {
  for (const engine of ENGINES) {
    it(`raw tracepoint arguments (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const fd = load(proc, "r0 = *(u64 *)(r1 + 0)\nr2 = *(u64 *)(r1 + 8)\nr0 += r2\nexit", rawTp);
          expect(proc.progTestRun(fd, { ctxIn: u64(40n, 2n) }).retval).toBe(42);
          expect(() => proc.progTestRun(fd, { ctxIn: u64(1n, 2n), repeat: 2 })).toThrow("EINVAL");
          expect(() => proc.progTestRun(fd, { ctxIn: u64(1n, 2n), dataIn: frame() })).toThrow("EINVAL");
          expect(() => proc.progTestRun(fd, { ctxIn: u64(1n, 2n), cpu: 1 })).toThrow("EINVAL");
          expect(() => proc.progTestRun(fd, { ctxIn: u64(1n, 2n), cpu: 64, flags: 1 })).toThrow("ENXIO");
          expect(() => proc.progTestRun(fd, { ctxIn: new Uint8Array(104) })).toThrow("EINVAL");
        },
        { engine },
      ));

    it(`on another CPU (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const fd = load(proc, "call get_smp_processor_id\nexit", rawTp);
          expect(
            [0, 1, 2].map((cpu) => proc.progTestRun(fd, { cpu, flags: abi.BPF_F_TEST_RUN_ON_CPU }).retval),
          ).toEqual([0, 1, 2]);
          expect(proc.progTestRun(fd).retval).toBe(0);
        },
        { engine, cpus: 3 },
      ));

    it(`syscall programs change their context (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const fd = load(proc, "r2 = *(u64 *)(r1 + 8)\nr2 += 1\n*(u64 *)(r1 + 8) = r2\nr0 = 5\nexit", syscall);
          const { retval, ctxOut } = proc.progTestRun(fd, { ctxIn: u64(7n, 41n) });
          expect([retval, ctxOut]).toEqual([5, new Uint8Array(u64(7n, 42n))]);
          expect(() => proc.progTestRun(fd, { ctxIn: new Uint8Array(65536) })).toThrow("EINVAL");
        },
        { engine },
      ));

    it(`raw tracepoints fire (${engine})`, () =>
      withKernel(
        (kernel, proc) => {
          const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
          const fd = load(
            proc,
            `
            r6 = *(u64 *)(r1 + 0)
            *(u32 *)(r10 - 4) = 0
            r1 = map[m] ll
            r2 = r10
            r2 += -4
            call map_lookup_elem
            if r0 == 0 goto out
            lock *(u64 *)(r0 + 0) += r6
            r0 = 0
          out:
            exit`,
            { ...rawTp, maps: { m } },
          );
          expect(() => proc.rawTracepointOpen(fd, "skep_event")).toThrow("there is no tracepoint 'skep_event': ENOENT");
          kernel.traceHooks.defineTracepoint("skep_event");
          const link = proc.rawTracepointOpen(fd, "skep_event");
          kernel.traceHooks.tracepoint("skep", "skep_event", [40n]);
          kernel.traceHooks.tracepoint("skep", "skep_event", [2n]);
          proc.close(link);
          kernel.traceHooks.tracepoint("skep", "skep_event", [100n]);
          expect(proc.mapLookupElem(m, u32(0))).toEqual(new Uint8Array(u64(42n)));
          expect(() => proc.rawTracepointOpen(fd)).toThrow("EINVAL");
        },
        { engine },
      ));
  }
});

describe("tail calls", () => {
  for (const engine of ENGINES) {
    it(`at most 33 in a row (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const progs = proc.mapCreate({
            mapType: abi.BPF_MAP_TYPE_PROG_ARRAY,
            keySize: 4,
            valueSize: 4,
            maxEntries: 1,
          });
          const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
          const asm = `
            r6 = r1
            *(u32 *)(r10 - 4) = 0
            r1 = map[m] ll
            r2 = r10
            r2 += -4
            call map_lookup_elem
            if r0 == 0 goto out
            r7 = *(u32 *)(r0 + 0)
            r7 += 1
            *(u32 *)(r0 + 0) = r7
            r1 = r6
            r2 = map[progs] ll
            r3 = 0
            call tail_call
            r0 = r7
          out:
            exit`;
          const fd = load(proc, asm, { maps: { m, progs } });
          proc.mapUpdateElem(progs, u32(0), u32(fd));
          expect(proc.progTestRun(fd, { dataIn: frame() }).retval).toBe(34);
          expect(proc.progTestRun(fd, { dataIn: frame() }).retval).toBe(68);
        },
        { engine },
      ));
  }

  // Outcomes are those of Linux 6.18.
  const xdp = { progType: abi.BPF_PROG_TYPE_XDP };
  const tc = { progType: abi.BPF_PROG_TYPE_SCHED_CLS };
  const skb = (expectedAttachType: number) => ({ progType: abi.BPF_PROG_TYPE_CGROUP_SKB, expectedAttachType });
  for (const [name, first, second, fits] of [
    ["the same type", xdp, xdp, true],
    ["another type", xdp, tc, false],
    ["another expected attach type", skb(0), skb(1), false],
    ["devmap and plain XDP", { ...xdp, expectedAttachType: 33 }, xdp, false],
    ["with and without fragments", xdp, { ...xdp, progFlags: 32 }, false],
  ] as const) {
    it(`one array: ${name}`, () =>
      withKernel((_kernel, proc) => {
        const progs = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 2 });
        const caller = "r2 = map[progs] ll\nr3 = 0\ncall tail_call\nr0 = 1\nexit";
        proc.mapUpdateElem(progs, u32(0), u32(load(proc, "r0 = 1\nexit", first)));
        proc.mapDeleteElem(progs, u32(0));
        const put = () => proc.mapUpdateElem(progs, u32(1), u32(load(proc, "r0 = 1\nexit", second)));
        const call = () => load(proc, caller, { ...second, maps: { progs } });
        if (fits) {
          put();
          call();
        } else {
          expect(put).toThrow("EINVAL");
          expect(call).toThrow("EINVAL");
        }
      }));
  }
});

describe("output", () => {
  for (const engine of ENGINES) {
    it(`printk (${engine})`, () => {
      const lines: string[] = [];
      withKernel(
        (_kernel, proc) => {
          const fd = load(
            proc,
            `
            r1 = 0x2578253a75253d78 ll
            *(u64 *)(r10 - 24) = r1
            r1 = 0x00000a786c6c2525 ll
            *(u64 *)(r10 - 16) = r1
            *(u64 *)(r10 - 8) = 0
            r1 = r10
            r1 += -24
            r2 = 15
            r3 = 7
            r4 = 255
            r5 = -1
            call trace_printk
            r0 = 2
            exit`,
          );
          expect(proc.progTestRun(fd, { dataIn: frame() }).retval).toBe(2);
        },
        { engine, printk: (line) => lines.push(line) },
      );
      expect(lines).toEqual(["x=7:ff%ffffffffffffffff"]);
    });

    it(`ring buffer reader (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const rb = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_RINGBUF, keySize: 0, valueSize: 0, maxEntries: 4096 });
          const fd = load(
            proc,
            `
            r6 = *(u32 *)(r1 + 12)
            *(u64 *)(r10 - 8) = r6
            r1 = map[rb] ll
            r2 = r10
            r2 += -8
            r3 = 8
            r4 = 0
            call ringbuf_output
            exit`,
            { maps: { rb } },
          );
          const reader = proc.mapReader(rb);
          let calls = 0;
          reader.onData(() => calls++);
          proc.progTestRun(fd, { dataIn: frame(), repeat: 3 });
          expect(calls).toBe(1);
          expect(reader.read().map((r) => r.data)).toEqual([1, 1, 1].map((n) => new Uint8Array(u64(BigInt(n)))));
          expect(reader.read()).toEqual([]);
          reader.close();
        },
        { engine },
      ));

    it(`perf event reader, with a piece of the packet (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const p = proc.mapCreate({
            mapType: abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
            keySize: 4,
            valueSize: 4,
            maxEntries: 2,
          });
          const fd = load(
            proc,
            `
            *(u64 *)(r10 - 8) = 9
            r2 = map[p] ll
            r3 = 0x10ffffffff ll
            r4 = r10
            r4 += -8
            r5 = 8
            call perf_event_output
            exit`,
            { maps: { p } },
          );
          const reader = proc.mapReader(p);
          expect(proc.progTestRun(fd, { dataIn: frame() }).retval).toBe(0);
          const [record] = reader.read();
          expect(record?.cpu).toBe(0);
          expect(record?.data.subarray(0, 24)).toEqual(
            new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0, ...frame().subarray(0, 16)]),
          );
          reader.close();
        },
        { engine, cpus: 2 },
      ));
  }
});

describe("batches", () => {
  /** Drops odd packets; gives even ones four bytes of room and marks them. */
  const ASM = `
    r6 = r1
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 21
    r0 = 0
    if r4 > r3 goto out
    r5 = *(u8 *)(r2 + 20)
    r5 &= 1
    r0 = 1
    if r5 != 0 goto out
    r2 = -4
    call xdp_adjust_head
    r2 = *(u32 *)(r6 + 0)
    r3 = *(u32 *)(r6 + 4)
    r4 = r2
    r4 += 14
    r0 = 0
    if r4 > r3 goto out
    *(u8 *)(r2 + 0) = 77
    r0 = 2
  out:
    exit`;

  it("both engines give what single runs give, in order; memory stays flat", () =>
    withKernel((kernel, proc) => {
      const fd = load(proc, ASM);
      const packets = Array.from({ length: 2000 }, (_, i) => {
        const p = frame(20 + (i % 100));
        if (p.length > 20) p[20] = i & 255;
        return p;
      });
      const single = packets.map((p) => proc.progTestRun(fd, { dataIn: p }));
      for (const engine of ENGINES) {
        const seen: Pick<BatchPacket, "index" | "verdict" | "packet">[] = [];
        const batch = openBatch(kernel, proc.progAt(fd), {
          engine,
          chunkPackets: 64,
          onResult: (r) => seen.push({ index: r.index, verdict: r.verdict, packet: r.packet.slice() }),
        });
        for (const p of packets) batch.add(p);
        const bytes = kernel.memory.memory.buffer.byteLength;
        for (const p of packets) batch.add(p);
        batch.flush();
        expect(kernel.memory.memory.buffer.byteLength).toBe(bytes);
        expect(batch.counts.reduce((a, b) => a + b)).toBe(4000);
        batch.close();
        expect(seen.length).toBe(4000);
        single.forEach((r, i) => {
          expect(seen[i]).toEqual({ index: i, verdict: r.retval, packet: r.dataOut });
        });
      }
    }));

  it("packets longer than a chunk, and too short ones", () =>
    withKernel((kernel, proc) => {
      const fd = load(proc, "r2 = *(u32 *)(r1 + 0)\nr0 = *(u32 *)(r1 + 4)\nr0 -= r2\nexit");
      const verdicts: number[] = [];
      const batch = openBatch(kernel, proc.progAt(fd), { onResult: (r) => verdicts.push(r.verdict) });
      for (const n of [60, 2_000_000, 70]) batch.add(new Uint8Array(n));
      expect(() => batch.add(new Uint8Array(13))).toThrow("EINVAL");
      batch.close();
      expect(verdicts).toEqual([60, 2_000_000, 70]);
    }));

  it("tc programs: VLAN tags and grown packets come out whole", () =>
    withKernel((kernel, proc) => {
      const tc = { progType: abi.BPF_PROG_TYPE_SCHED_CLS };
      const fd = load(
        proc,
        "r6 = r1\nr2 = 0x0081\nr3 = 5\ncall skb_vlan_push\nr1 = r6\nr2 = 600\nr3 = 0\ncall skb_change_head\nr0 = *(u32 *)(r6 + 24)\nexit",
        tc,
      );
      for (const engine of ENGINES) {
        const seen: Uint8Array[] = [];
        const batch = openBatch(kernel, proc.progAt(fd), { engine, onResult: (r) => seen.push(r.packet.slice()) });
        batch.add(frame());
        batch.add(frame());
        batch.close();
        expect(seen.map((p) => p.length)).toEqual([664, 664]);
        expect(seen[0]).toEqual(seen[1]);
      }
    }));

  it("a redirect says where to", () =>
    withKernel((kernel, proc) => {
      const fd = load(proc, "r1 = 5\nr2 = 0\ncall redirect\nexit");
      for (const engine of ENGINES) {
        const seen: number[] = [];
        const batch = openBatch(kernel, proc.progAt(fd), {
          engine,
          onResult: (r) => seen.push(r.verdict, r.redirect.kind, r.redirect.ifindex),
        });
        batch.add(frame());
        batch.close();
        expect(seen).toEqual([4, 1, 5]);
      }
    }));
});
