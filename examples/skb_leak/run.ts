/**
 * Finds a driver that leaks: `node scripts/run.mjs examples/skb_leak/run.ts [N] [PACKETS]` sends packets through a device
 * whose driver forgets to free every Nth (default 7; 0: none), looks every 100 ms of the simulated clock, and reports what
 * stayed longer than 500 ms. Exit status 1 when something leaks.
 */
import { createKernel } from "../../src/net/create.ts";
import { LeakFinder } from "./finder.ts";

const leakEveryNth = Number(process.argv[2] ?? 7);
const packets = Number(process.argv[3] ?? 1000);
/** From the top of the repository. */
const DIR = "examples/skb_leak";
const ROUNDS = 10;
const ROUND_MS = 100;
const STALE_MS = 500;

// The clock stands still but for advance().
using kernel = createKernel({ clock: () => 1n });
const device = kernel.net.addDevice({ name: "eth0", leakEveryNth });
const proc = kernel.spawn({ comm: "leak_finder" });
using finder = new LeakFinder(proc, DIR);

let stale = 0;
for (let round = 0; round < ROUNDS; round++) {
  for (let i = 0; i < packets / ROUNDS; i++) device.send(new Uint8Array(60));
  kernel.advance(BigInt(ROUND_MS) * 1_000_000n);
  stale = finder.olderThan(kernel.nowNs(), STALE_MS).length;
  console.log(`${(round + 1) * ROUND_MS} ms: ${stale} skbs are older than ${STALE_MS} ms`);
}
kernel.advance(BigInt(STALE_MS) * 1_000_000n);
const found = finder.olderThan(kernel.nowNs(), STALE_MS);
for (const { address, ageNs } of found.slice(0, 5)) {
  console.log(`skb 0x${address.toString(16)}: allocated ${ageNs / 1_000_000n} ms ago, never freed`);
}
console.log(`${device.stats.tx} packets sent, ${found.length} skbs leaked`);
process.exitCode = found.length ? 1 : 0;
