/** Sets exchanged under traffic, in short; `npm run stress:dispatcher` runs a million packets. */
import { expect, it } from "vitest";
import { type StressOptions, stressDispatcher } from "../../../conformance/stress/dispatcher.ts";
import { STAMP } from "../../support/xdp_stamp.ts";

const CASES: readonly Omit<StressOptions, "seed">[] = [
  { way: "set", feed: "device", packets: 5000, swaps: 200 },
  { way: "set", feed: "device", packets: 500, swaps: 100, engine: "interp" },
  { way: "set", feed: "batch", packets: 50_000, swaps: 500 },
  { way: "libxdp", feed: "device", packets: 1000, swaps: 20 },
  { way: "libxdp", feed: "device", packets: 200, swaps: 10, engine: "interp" },
];

it.each(CASES)("each packet meets one complete set: $way, $feed, $engine", (options) => {
  const seed = Date.now() & 0x7fffffff;
  const report = stressDispatcher(STAMP, { ...options, seed });
  console.log(`${options.way}, ${options.feed}, seed ${seed}: ${JSON.stringify(report)}`);
  expect(report.swaps).toBe(options.swaps);
  expect(report.inPacket).toBeGreaterThan(0);
  expect(report.sets).toBeGreaterThan(5);
});
