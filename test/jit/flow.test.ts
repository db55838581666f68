/** Control flow: every graph, reducible or not, runs the blocks that the model runs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { disasm } from "../../src/isa/disasm.ts";
import { type Insns, newInsns } from "../../src/isa/insns.ts";
import { analyse, dominanceTest, loopsOf } from "../../src/jit/graph.ts";
import { makeReducible } from "../../src/jit/irreducible.ts";
import { jit } from "../../src/jit/jit.ts";
import { bed, imageOf, run64 } from "./harness.ts";
import { model } from "./model.ts";

type End =
  | { readonly kind: "goto"; readonly to: number }
  | { readonly kind: "cond"; readonly bit: number; readonly to: number }
  | { readonly kind: "exit" };

/**
 * One block per element, laid out in order: r0 = r0 * 31 + number, then its end. A cond looks at a bit of r0 and else falls
 * through. r9 counts the blocks run: at `budget` the program leaves.
 */
function program(ends: readonly End[], budget: number): Insns {
  const BLOCK = 6;
  const insns = newInsns(2 + ends.length * BLOCK + 2);
  let at = 0;
  const put = (code: number, dst: number, src: number, off: number, imm: number): void => {
    insns.code[at] = code;
    insns.dst[at] = dst;
    insns.src[at] = src;
    insns.off[at] = off;
    insns.imm[at++] = imm;
  };
  put(0xb7, 0, 0, 0, 1);
  put(0xb7, 9, 0, 0, 0);
  const exitAt = 2 + ends.length * BLOCK;
  ends.forEach((end, n) => {
    put(0x27, 0, 0, 0, 31);
    put(0x07, 0, 0, 0, n);
    put(0x07, 9, 0, 0, 1);
    put(0x35, 9, 0, exitAt - (at + 1), budget);
    const target = (to: number): number => 2 + to * BLOCK - (at + 1);
    if (end.kind === "goto") put(0x05, 0, 0, target(end.to), 0);
    else if (end.kind === "cond") put(0x45, 0, 0, target(end.to), 1 << end.bit);
    else put(0x05, 0, 0, exitAt - (at + 1), 0);
    put(0x07, 0, 0, 0, end.kind === "cond" ? 1 : 0);
  });
  put(0x07, 0, 0, 0, 7);
  put(0x95, 0, 0, 0, 0);
  return insns;
}

const b = bed();

function check(insns: Insns): void {
  const image = imageOf(insns, { stackDepth: 0 });
  const want = model(image, b.memory.view, new Array<bigint>(11).fill(0n));
  const prog = jit(image, b.env);
  const got = run64(b, prog);
  prog.dispose();
  if (got !== want) expect({ text: disasm(insns).join("\n"), got }).toEqual({ want });
}

const graphs = (max: number): fc.Arbitrary<End[]> =>
  fc.integer({ min: 1, max }).chain((n) => {
    const to = fc.integer({ min: 0, max: n - 1 });
    return fc.array(
      fc.oneof(
        { weight: 2, arbitrary: fc.record({ kind: fc.constant("goto" as const), to }) },
        {
          weight: 6,
          arbitrary: fc.record({ kind: fc.constant("cond" as const), bit: fc.integer({ min: 0, max: 7 }), to }),
        },
        { weight: 1, arbitrary: fc.constant({ kind: "exit" as const }) },
      ),
      { minLength: n, maxLength: n },
    );
  });

describe("random flow graphs", () => {
  test("small ones", () => {
    fc.assert(
      fc.property(graphs(8), (ends) => check(program(ends, 200))),
      { numRuns: 400 },
    );
  });

  test("larger ones", () => {
    fc.assert(
      fc.property(graphs(60), (ends) => check(program(ends, 2000))),
      { numRuns: 100 },
    );
  });

  test("a loop with two entries", () => {
    check(
      program(
        [
          { kind: "cond", bit: 0, to: 2 },
          { kind: "goto", to: 2 },
          { kind: "goto", to: 1 },
        ],
        50,
      ),
    );
  });

  test("after makeReducible every loop has one entry, and loops nest", () => {
    fc.assert(
      fc.property(graphs(25), (ends) => {
        const succs = ends.map((end, n) => {
          const next = n + 1 < ends.length ? [n + 2] : [];
          return end.kind === "exit" ? [] : end.kind === "goto" ? [end.to + 1] : [...new Set([end.to + 1, ...next])];
        });
        const graph = { succs: [[1], ...succs] };
        makeReducible(graph);
        const flow = analyse(graph);
        expect(flow.reducible).toBe(true);
        const dominates = dominanceTest(flow.order, flow.idom);
        const { loopOf, outer, isHeader } = loopsOf(flow);
        for (const n of flow.order) {
          if (loopOf[n] >= 0) expect(dominates(loopOf[n], n)).toBe(true);
          if (isHeader[n] && outer[n] >= 0) expect(dominates(outer[n], n)).toBe(true);
        }
      }),
    );
  });

  test("dominators agree with their definition", () => {
    fc.assert(
      fc.property(graphs(12), (ends) => {
        const succs = ends.map((e, n) => (e.kind === "exit" ? [] : [...new Set([e.to, (n + 1) % ends.length])]));
        const flow = analyse({ succs });
        const dominates = dominanceTest(flow.order, flow.idom);
        for (const a of flow.order) {
          // what is reached without a is not dominated by a
          const seen = new Set<number>();
          const work = a === 0 ? [] : [0];
          while (work.length) {
            const n = work.pop() as number;
            if (seen.has(n) || n === a) continue;
            seen.add(n);
            work.push(...succs[n]);
          }
          for (const b of flow.order) expect(dominates(a, b)).toBe(!seen.has(b));
        }
      }),
    );
  });
});

describe("large programs", () => {
  const ends = (count: number, end: (n: number) => End): End[] => Array.from({ length: count }, (_, n) => end(n));

  test("5000 branches to one exit", () => {
    check(
      program(
        ends(5000, (n) => ({ kind: "cond", bit: n % 7, to: Math.min(n + 1, 4999) })),
        100000,
      ),
    );
  });

  test("4096 ways to merge at one block", () => {
    const last = 4096;
    check(
      program(
        ends(4097, (n) => (n % 2 ? { kind: "goto", to: last } : { kind: "cond", bit: n % 7, to: last })),
        1e5,
      ),
    );
  });

  test("4096 blocks, each reached from two before it", () => {
    check(
      program(
        ends(4096, (n) => ({ kind: "cond", bit: n % 5, to: Math.min(n + 3, 4095) })),
        1e5,
      ),
    );
  });

  test("loops nested 300 deep", () => {
    const half = 300;
    check(
      program(
        ends(2 * half, (n) =>
          n < half ? { kind: "goto", to: n + 1 } : { kind: "cond", bit: n % 5, to: 2 * half - 1 - n },
        ),
        20000,
      ),
    );
  });

  test("60000 instructions in branches", () => {
    check(
      program(
        ends(10000, (n) => ({ kind: "cond", bit: n % 7, to: Math.min(n + 2, 9999) })),
        1e5,
      ),
    );
  });

  test("50000 straight instructions", () => {
    const insns = newInsns(50002);
    insns.code.fill(0x07);
    insns.imm.fill(3);
    insns.code[0] = 0xb7;
    insns.code[50001] = 0x95;
    insns.imm[50001] = 0;
    check(insns);
  });
});
