/** A few seconds of the fuzzer (conformance/fuzz), each time with other programs; `npm run fuzz:verifier` runs as long as one likes. */
import { expect, it } from "vitest";
import { fuzz } from "../../conformance/fuzz/run.ts";

const seed = Math.floor(Math.random() * 0x7fffffff);

it(`what is accepted keeps to what was claimed (seed ${seed})`, async () => {
  const summary = await fuzz({ seed, count: Number.POSITIVE_INFINITY, ms: 4000, runs: 3 });
  expect(summary.failures.map((f) => `seed ${seed}, program ${f.n}: ${f.why}`)).toEqual([]);
  expect(summary.programs).toBeGreaterThan(0);
});
