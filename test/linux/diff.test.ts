/** A few seconds of `npm run diff`, and every difference that it ever found. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { diffMap, MAP_DIFFS, type MapCase, minimiseOps, randomOps } from "../../conformance/diff/map_ops.ts";
import { compareRuns, onFirstCpu } from "../../conformance/diff/programs.ts";
import { openCase, Random, type SavedCase } from "../../conformance/fuzz/case.ts";
import { generate } from "../../conformance/fuzz/generate.ts";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { createKernel } from "../../src/net/create.ts";
import { whyNotLinux, withLinux } from "../support/kernels.ts";

const SEED = 20261120;
const kept = new URL("../fixtures/diff/", import.meta.url);
const kernelBtf = builtinBtf();

function onSkep<T>(cpus: number, body: (bpf: ReturnType<ReturnType<typeof createKernel>["spawn"]>) => T): T {
  using proc = createKernel({ kernelBtf, cpus }).spawn();
  return body(proc);
}

function mapDifference(c: MapCase): unknown {
  return withLinux((real) => onSkep(real.possibleCpus, (bpf) => diffMap(bpf, real, c)));
}

describe.skipIf(whyNotLinux)("skep and the running Linux", () => {
  for (const [i, entry] of MAP_DIFFS.entries()) {
    it(`${entry.name}: 500 operations`, () => {
      const ops = randomOps(entry, new Random(SEED + i), 500);
      expect(mapDifference({ map: entry.map, ops })).toBeUndefined();
    });
  }

  it("40 random programs", () => {
    withLinux((real) => {
      for (let n = 0; n < 40; n++) {
        const seed = SEED ^ Math.imul(n + 1, 0x9e3779b1);
        const c = generate(new Random(seed));
        const compare = () => onSkep(real.possibleCpus, (bpf) => compareRuns(bpf, real, c, seed, 1));
        const result = onFirstCpu(real, compare);
        expect({ seed, ...result }).not.toMatchObject({ kind: "different" });
      }
    });
  });

  for (const name of existsSync(kept) ? readdirSync(kept) : []) {
    it(`kept: ${name}`, () => {
      const saved = JSON.parse(readFileSync(new URL(name, kept), "utf8")) as MapCase | SavedCase;
      if ("ops" in saved) {
        expect(mapDifference(saved)).toBeUndefined();
        return;
      }
      const compare = withLinux((real) =>
        onFirstCpu(real, () =>
          onSkep(real.possibleCpus, (bpf) => compareRuns(bpf, real, openCase(saved), saved.inputSeed, 4)),
        ),
      );
      expect(compare).not.toMatchObject({ kind: "different" });
    });
  }
});

describe("failures become small", () => {
  it("only the operations that matter stay", () => {
    const ops = randomOps(MAP_DIFFS[0]!, new Random(1), 300);
    const wanted = [ops[17]!, ops[203]!];
    const small = minimiseOps({ map: MAP_DIFFS[0]!.map, ops }, (c) => wanted.every((op) => c.ops.includes(op)));
    expect(small.ops).toEqual(wanted);
  });
});
