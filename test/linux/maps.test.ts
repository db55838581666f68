/** The map scenarios through `Bpf`, on both kernels, against what was recorded of Linux 6.18. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { EINVAL, ENOTSOCK } from "../../src/abi/errno.ts";
import type { Result } from "../maps/run.ts";
import { SCENARIOS } from "../maps/scenarios.ts";
import { onKernels } from "../support/kernels.ts";
import { runOnBpf } from "./scenarios.ts";

const record = new URL("../maps/linux-6.18.json", import.meta.url);
const recorded = JSON.parse(readFileSync(record, "utf8")) as { cpus: number; results: Record<string, Result[]> };

/** What the bpf(2) commands give; the rest of a record depends on the order of buckets. */
function comparable(result: Result | undefined): unknown {
  const { errno, data, count, keys, values } = result ?? { errno: -1 };
  if (count === 0) return { errno, count };
  // fd 0 is no socket in every process; the record was made where it is one
  if (errno === ENOTSOCK) return { errno: EINVAL };
  return { errno, data, count, keys, values };
}

for (const scenario of SCENARIOS) {
  onKernels(
    scenario.name,
    (bpf) => {
      if (scenario.cpus !== undefined && scenario.cpus !== bpf.possibleCpus) return;
      const ours = runOnBpf(bpf, scenario);
      scenario.commands.forEach((command, n) => {
        const what = `${n}: ${JSON.stringify(command)}`;
        const theirs = recorded.results[scenario.name]![n];
        expect({ what, ...(comparable(ours[n]) as object) }).toEqual({ what, ...(comparable(theirs) as object) });
      });
    },
    { cpus: scenario.cpus ?? 2 },
  );
}
