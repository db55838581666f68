/** Trees, lists and kernel pointers of objects that programs allocate; withKernel() checks that nothing of them stays. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { frame, u32, withKernel } from "../support/kernel.ts";

const bytes = new Uint8Array(readFileSync(new URL("progs/graph.o", import.meta.url)));

function both(name: string, body: (run: (prog: string, mark?: number) => number, obj: BpfObject) => void): void {
  for (const engine of ["jit", "interp"] as const) {
    it(`${name} (${engine})`, () =>
      withKernel(
        (_kernel, proc) => {
          const obj = openObject(bytes, { name: "graph.o" });
          obj.load(proc);
          body((prog, mark = 0) => {
            const ctxIn = u32(...Array.from({ length: 48 }, (_, i) => (i === 2 ? mark : 0)));
            return obj.progs[prog]!.testRun({ dataIn: frame(), ctxIn }).retval | 0;
          }, obj);
          obj.close();
        },
        { engine, kernelBtf: builtinBtf() },
      ));
  }
}

const KEYS = Array.from({ length: 200 }, (_, i) => ((i * 7919) % 1009) + 1);

both("the tree gives the least first, the list the oldest", (run) => {
  for (const key of KEYS) expect(run("insert", key)).toBe(0);
  const sorted = [...KEYS].sort((a, b) => a - b);
  expect(KEYS.map(() => run("take_least"))).toEqual(sorted);
  expect(run("take_least")).toBe(-1);
  expect(KEYS.map(() => run("take_oldest"))).toEqual(KEYS);
  expect(run("take_oldest")).toBe(-1);
});

both("what is left in tree and list dies with the map", (run) => {
  for (const key of KEYS) run("insert", key);
  for (let i = 0; i < 50; i++) run("take_least");
  for (let i = 0; i < 70; i++) run("take_oldest");
});

both("a kernel pointer moves in and out of a map value", (run) => {
  expect([5, 6, 7].map((key) => run("stash", key))).toEqual([0, 5, 6]);
});
