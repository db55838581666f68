/** Helpers and kfuncs that need a compiled object: timers, formatted text, iterators, dynptrs of packets. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { openBatch } from "../../src/net/batch.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { frame, u32, withKernel } from "../support/kernel.ts";

const bytes = new Uint8Array(readFileSync(new URL("progs/services.o", import.meta.url)));

function both(
  name: string,
  body: (obj: BpfObject, kernel: NetKernel, run: (prog: string, mark?: number) => number) => void,
): void {
  for (const engine of ["jit", "interp"] as const) {
    it(`${name} (${engine})`, () => {
      let clock = 1_000_000n;
      withKernel(
        (kernel, proc) => {
          const obj = openObject(bytes, { name: "services.o" });
          obj.load(proc);
          body(obj, kernel, (prog, mark = 0) => {
            const ctxIn = u32(...Array.from({ length: 48 }, (_, i) => (i === 2 ? mark : 0)));
            return obj.progs[prog]!.testRun({ dataIn: frame(), ctxIn }).retval | 0;
          });
          obj.close();
        },
        { engine, clock: () => clock++, kernelBtf: builtinBtf() },
      );
    });
  }
}

describe("timers", () => {
  both("in an array: fires once, at its time, with its key", (obj, kernel, run) => {
    expect(run("start_array")).toBe(0);
    kernel.advance(4000n);
    const fired = () => obj.maps["array"]!.get(1) as { fired: bigint; key_seen: number };
    expect(Number(fired().fired)).toBe(0);
    const before = kernel.nowNs();
    kernel.advance(2000n);
    expect(fired().key_seen).toBe(1);
    expect(Number(fired().fired)).toBeGreaterThanOrEqual(Number(before));
  });

  both("in a hash: order of time; a deleted element's timer does not fire", (obj, kernel, run) => {
    for (const key of [3, 1, 2]) expect(run("start_hash", key)).toBe(0);
    obj.maps["hash"]!.delete(2);
    kernel.advance(10_000n);
    const at = (key: number) => Number((obj.maps["hash"]!.get(key) as { fired: bigint }).fired);
    expect(at(1)).toBeGreaterThan(0);
    expect(at(3)).toBeGreaterThan(at(1));
    expect((obj.maps["hash"]!.get(3) as { key_seen: number }).key_seen).toBe(3);
  });

  both("restarts itself; cancel says whether it was waiting", (obj, kernel, run) => {
    expect(run("start_hash", 9)).toBe(0);
    expect(run("cancel_hash", 9)).toBe(1);
    expect(run("cancel_hash", 9)).toBe(0);
    obj.maps["hash"]!.delete(9);
    expect(run("start_hash", 9)).toBe(0);
    kernel.advance(1_000_000n);
    expect(Number((obj.maps["hash"]!.get(9) as { fired: bigint }).fired)).toBe(5);
  });
});

both("snprintf and strncmp", (obj, _kernel, run) => {
  expect(run("format")).toBe(0);
  const { text, text_len, cmp_less, cmp_same } = obj.bss as Record<string, unknown>;
  const want = "bee has -3 of 1099511627776 (beef) 10.0.0.1 x|   42|7    |-0012";
  const got = typeof text === "string" ? text : String.fromCharCode(...(text as number[]).filter((c) => c !== 0));
  expect(got).toBe(want);
  expect([text_len, cmp_less, cmp_same]).toEqual([want.length + 1, -1, 0]);
});

both("numbers iterator", (_obj, _kernel, run) => expect(run("count")).toBe(45));

both("dynptr of a packet", (_obj, _kernel, run) => expect(run("slice")).toBe(0x0800));

both("bpf_loop and bpf_for_each_map_elem", (_obj, _kernel, run) => {
  expect(run("loops")).toBe((7 << 8) | 21);
  expect(run("walk")).toBe((4 << 8) | 6);
});

both("helpers call back also in a batch", (obj, kernel) => {
  const [proc] = [...kernel.processes];
  for (const [name, want] of [
    ["loops", (7 << 8) | 21],
    ["walk", (4 << 8) | 6],
  ] as const) {
    const verdicts: number[] = [];
    const batch = openBatch(kernel, proc!.progAt(obj.progs[name]!.fd), { onResult: (r) => verdicts.push(r.verdict) });
    batch.add(frame());
    batch.add(frame());
    batch.close();
    expect(verdicts).toEqual([want, want]);
  }
});
