/**
 * BpfMap answers bpf(2) as Linux 6.18 does: every scenario's errnos and values equal the recorded ones, and, where this
 * process may use bpf(2), those of the running kernel. SKEP_RECORD=1 records them anew.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { describe, expect, it } from "vitest";
import { type Result, runScenario } from "./run.ts";
import { SCENARIOS } from "./scenarios.ts";

const recordFile = new URL("linux-6.18.json", import.meta.url);
const oracle = new URL("linux_maps.py", import.meta.url);

interface Recorded {
  readonly cpus: number;
  readonly results: Record<string, Result[]>;
}

function askLinux(): Recorded {
  const input = JSON.stringify(SCENARIOS.map((scenario) => scenario.commands));
  const text = execFileSync("python3", [oracle.pathname], { input, encoding: "utf8", maxBuffer: 1 << 26 });
  const { cpus, results } = JSON.parse(text) as { cpus: number; results: Result[][] };
  return { cpus, results: Object.fromEntries(SCENARIOS.map((scenario, n) => [scenario.name, results[n]!])) };
}

/** Why Linux cannot be asked, or undefined. */
function whyNot(): string | undefined {
  if (!/^6\.18\./.test(release())) return `kernel ${release()}, wanted 6.18`;
  try {
    const text = execFileSync("python3", [oracle.pathname], {
      input: '[[{"op":"create","type":5,"key":4,"value":4,"max":1}]]',
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"],
    });
    return text.includes('"errno": 0') ? undefined : "bpf(2) is not permitted";
  } catch {
    return "no python3";
  }
}

const reason = whyNot();
if (reason) console.log(`maps: the running kernel is not asked: ${reason}`);
if (process.env["SKEP_RECORD"]) {
  const recorded = askLinux();
  const lines = Object.entries(recorded.results).map(
    ([name, results]) => `${JSON.stringify(name)}: ${JSON.stringify(results)}`,
  );
  writeFileSync(recordFile, `{"cpus": ${recorded.cpus}, "results": {\n${lines.join(",\n")}\n}}\n`);
}
const recorded = JSON.parse(readFileSync(recordFile, "utf8")) as Recorded;

/** What does not depend on the order of buckets or on ids. */
function comparable(result: Result | undefined): unknown {
  if (!result) return undefined;
  const { errno, data, count, keys, values } = result;
  return { errno, data, count, keys, values };
}

describe("bpf(2) commands on maps, as Linux 6.18 answers", () => {
  for (const scenario of SCENARIOS) {
    it(scenario.name, () => {
      const ours = runScenario(scenario);
      const theirs = recorded.results[scenario.name] ?? [];
      scenario.commands.forEach((command, n) => {
        const what = `${n}: ${JSON.stringify(command)}`;
        expect({ what, ...(comparable(ours[n]) as object) }).toEqual({ what, ...(comparable(theirs[n]) as object) });
      });
    });
  }

  it.skipIf(reason)("the running kernel agrees with the record", () => {
    const now = askLinux();
    for (const { name, cpus } of SCENARIOS) {
      if (cpus !== undefined && cpus !== now.cpus) continue;
      expect({ name, results: now.results[name]!.map(comparable) }).toEqual({
        name,
        results: recorded.results[name]!.map(comparable),
      });
    }
  });
});
