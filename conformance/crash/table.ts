/** The result of explore() for people. */
import type { Finding, Report } from "./explore.ts";

const of = (part: { readonly runs: number; readonly bad: readonly Finding[] }) => `${part.bad.length} of ${part.runs}`;

const HEAD = [
  "method",
  "steps",
  "packets met no complete set",
  "bad after a crash",
  "not repaired",
  "bad after two at once",
];

export function reportTable(reports: readonly Report[]): string {
  const rows = reports.map((r) => [
    r.method,
    `${r.steps}`,
    `${r.unsafeSteps}`,
    of(r.crashes),
    of(r.repairs),
    of(r.orders),
  ]);
  const widths = HEAD.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  const list = reports.flatMap((r) => [
    ...states("after a crash", r.method, r.crashes.bad),
    ...states("after two at once", r.method, r.orders.bad),
  ]);
  return [line(HEAD), ...rows.map(line), "", ...list].join("\n");
}

/** Each distinct bad state, with one way that leads to it and how many do. */
function states(when: string, method: string, bad: readonly Finding[]): string[] {
  const byState = new Map<string, Finding[]>();
  for (const finding of bad) {
    const key = finding.faults.join("; ");
    byState.set(key, [...(byState.get(key) ?? []), finding]);
  }
  if (byState.size === 0) return [];
  const lines = [...byState].map(([state, found]) => `  ${found.length}x ${state} (${found[0]!.how})`);
  return [`${method}, ${when}:`, ...lines];
}
