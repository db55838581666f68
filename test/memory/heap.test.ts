import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BpfError } from "../../src/abi/errno.ts";
import { Memory } from "../../src/memory/memory.ts";

describe("heap", () => {
  it("hands out zeroed, aligned, disjoint memory and loses none of it", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ size: fc.nat(5000), align: fc.constantFrom(1, 16, 64, 4096) }) },
      { weight: 1, arbitrary: fc.record({ size: fc.integer({ min: 5000, max: 300_000 }), align: fc.constant(16) }) },
      { weight: 3, arbitrary: fc.record({ victim: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const memory = new Memory({ initialPages: 4 });
        const base = memory.allocatedBytes;
        const live: { addr: number; size: number; fill: number }[] = [];
        let fill = 1;
        for (const s of steps) {
          if ("victim" in s) {
            if (live.length === 0) continue;
            const [gone] = live.splice(s.victim % live.length, 1);
            const bytes = memory.u8.subarray(gone!.addr, gone!.addr + gone!.size);
            expect(bytes.every((b) => b === gone!.fill)).toBe(true);
            memory.free(gone!.addr as never);
          } else {
            const addr = memory.alloc(s.size, s.align);
            expect(addr % Math.max(s.align, 16)).toBe(0);
            expect(addr).toBeGreaterThanOrEqual(65536);
            expect(memory.u8.subarray(addr, addr + s.size).every((b) => b === 0)).toBe(true);
            fill = (fill % 255) + 1;
            memory.fill(addr, fill, s.size);
            live.push({ addr, size: s.size, fill });
          }
          expect(memory.core.heap_check()).toBe(0);
        }
        for (const one of live) memory.free(one.addr as never);
        expect(memory.core.heap_check()).toBe(0);
        expect(memory.allocatedBytes).toBe(base);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps memory flat when a workload is steady", () => {
    const memory = new Memory();
    const ring: number[] = [];
    let pagesAfterWarmup = 0;
    for (let n = 0; n < 20_000; n++) {
      ring.push(memory.alloc(16 + ((n * 7919) % 4000)));
      if (ring.length > 300) memory.free(ring.shift() as never);
      if (n === 4000) pagesAfterWarmup = memory.u8.length;
    }
    expect(memory.u8.length).toBe(pagesAfterWarmup);
  });

  it("reports exhaustion as ENOMEM and stays usable", () => {
    const memory = new Memory({ initialPages: 4, maxPages: 64 });
    expect(() => memory.alloc(64 * 65536)).toThrow("ENOMEM");
    expect(() => memory.alloc(2 ** 33)).toThrow(BpfError);
    const all: number[] = [];
    expect(() => {
      for (;;) all.push(memory.alloc(65536));
    }).toThrow("ENOMEM");
    expect(all.length).toBeGreaterThan(48);
    for (const addr of all) memory.free(addr as never);
    expect(memory.core.heap_check()).toBe(0);
    expect(() => memory.free(all[0] as never)).toThrow("not allocated");
  });

  it("refreshes its views when memory grows under them", () => {
    const memory = new Memory({ initialPages: 4 });
    const before = memory.u8;
    const addr = memory.alloc(1 << 20);
    expect(memory.u8 === before).toBe(false);
    memory.writeU64(addr, 0x1122334455667788n);
    expect(memory.readU32(addr)).toBe(0x55667788);
    expect(memory.i32[(addr >> 2) + 1]).toBe(0x11223344);
  });

  it("gives each CPU a context record and a stack", () => {
    const memory = new Memory({ cpus: 4 });
    const tops = [0, 1, 2, 3].map((n) => memory.readU32(memory.cpuCtx + n * 256 + 4));
    expect(new Set(tops).size).toBe(4);
    expect([0, 1, 2, 3].map((n) => memory.readU32(memory.cpuCtx + n * 256))).toEqual([0, 1, 2, 3]);
  });

  it("reuses table slots", () => {
    const memory = new Memory();
    const slots = Array.from({ length: 600 }, () => memory.allocTableSlot());
    expect(new Set(slots).size).toBe(600);
    memory.freeTableSlot(slots[5]!);
    expect(memory.allocTableSlot()).toBe(slots[5]);
  });
});
