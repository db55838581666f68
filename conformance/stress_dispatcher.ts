/**
 * Exchanges sets of XDP programs under traffic and checks every packet, see stress/dispatcher.ts.
 *
 *   npm run stress:dispatcher -- [--packets N] [--swaps N] [--seed N]
 *
 * Exit code   0 each packet met exactly one complete set; 1 one did not; 2 usage
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type StressOptions, stressDispatcher } from "./stress/dispatcher.ts";

const { values } = parseArgs({
  options: {
    packets: { type: "string", default: "1000000" },
    swaps: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() & 0x7fffffff) },
  },
});
const [packets, swaps, seed] = [values.packets, values.swaps, values.seed].map(Number) as [number, number, number];
if (![packets, swaps, seed].every((n) => Number.isInteger(n) && n >= 0) || packets < 2 * swaps) {
  console.error("whole numbers are wanted, and twice as many packets as swaps");
  process.exit(2);
}
const WAYS: readonly Pick<StressOptions, "way" | "feed">[] = [
  { way: "set", feed: "device" },
  { way: "set", feed: "batch" },
  { way: "libxdp", feed: "device" },
];
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const object = readFileSync(join(root, "test/loader/dispatcher/progs/stamp.o"));
console.log(`seed ${seed}`);
let failed = false;
for (const { way, feed } of WAYS) {
  const start = performance.now();
  try {
    const report = stressDispatcher(object, { way, feed, packets, swaps, seed });
    const { inPacket, sets } = report;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `${way} (${feed}): ${report.swaps} swaps, ${inPacket} of them in the middle of a packet; each of ${packets} packets met one ` +
        `complete set; ${sets} sets; ${seconds} s`,
    );
  } catch (e) {
    failed = true;
    console.log(`${way} (${feed}): ${(e as Error).message}`);
  }
}
process.exitCode = failed ? 1 : 0;
