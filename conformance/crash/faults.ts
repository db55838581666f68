/** What is wrong with a state. */
import { PARTS } from "./explore.ts";
import type { State } from "./world.ts";

/** What bpffs holds when a set of that version is in place. */
export type Wanted = (version: string) => Readonly<Record<string, string>>;

/** A packet meets one whole set, and bpffs names it and nothing else. */
export function faultsOf({ runs, pins }: State, wanted: Wanted): string[] {
  const versions = [...new Set(runs.map((name) => name.split("-")[1]!))].sort();
  const faults: string[] = [];
  if (runs.length === 0) faults.push("nothing runs");
  else if (versions.length > 1) faults.push("parts of two sets run");
  else if (runs.length < PARTS.length) faults.push("a part of the set does not run");
  // Of two sets, the one with fewer contradictions.
  const best = (versions.length ? versions : ["a"])
    .map((v) => compare(pins, wanted(v)))
    .sort((x, y) => x.length - y.length)[0]!;
  return [...faults, ...best];
}

function compare(pins: State["pins"], wanted: Readonly<Record<string, string>>): string[] {
  const missing = Object.keys(wanted).filter((path) => !(path in pins));
  const wrong = Object.keys(wanted).filter((path) => path in pins && pins[path] !== wanted[path]);
  const extra = Object.keys(pins).filter((path) => !(path in wanted));
  const kinds = (what: string, paths: readonly string[]) =>
    paths.length
      ? [`${what} ${[...new Set(paths.map((path) => path.split("/")[0]!.replace(/-.$/, "-NEW")))].join(", ")}`]
      : [];
  return [...kinds("missing in", missing), ...kinds("not what runs in", wrong), ...kinds("left behind in", extra)];
}
