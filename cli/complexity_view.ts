/** Where a verification spends its work, for people. */
import type { ComplexityReport, HotInsn } from "../src/verifier/explain/explanation.ts";
import { bar, colors, formatCount, type Io } from "./output.ts";
import { clip, isAsm, wrap } from "./wrap.ts";

const ROWS = 6;

export function complexityView(r: ComplexityReport, io: Io): string {
  const c = colors(io);
  const width = Math.max(40, Math.min(io.width, 120));
  const share = (100 * r.insnsProcessed) / r.limit;
  const out = [
    `${c.bold("Work")}  ${formatCount(r.insnsProcessed)} instructions simulated (${share < 0.1 ? "<0.1" : share.toFixed(1)}% of the limit), ${formatCount(r.totalStates)} states kept, at most ${formatCount(r.peakStates)} at a time`,
    "",
    c.bold("Visited most"),
  ];
  const byLine = r.lines.length > 0;
  const rows = byLine
    ? r.lines
        .slice(0, ROWS)
        .map((l) => ({ visits: l.visits, at: `${l.source.file}:${l.source.line}`, text: l.source.text }))
    : r.insns.slice(0, ROWS).map((i) => ({ visits: i.visits, at: `insn ${i.insnIdx}`, text: i.disasm }));
  const most = Math.max(1, ...rows.map((x) => x.visits));
  const atWidth = Math.max(...rows.map((x) => x.at.length), 1);
  for (const row of rows) {
    const head = `${formatCount(row.visits).padStart(11)} ${c.cyan(bar(row.visits / most, 10))} ${row.at.padEnd(atWidth)}  `;
    out.push(head + clip(row.text, width - 25 - atWidth));
  }
  const joins = r.joins.filter((j) => j.misses.length > 0).slice(0, ROWS);
  if (joins.length > 0) out.push("", c.bold("Where paths meet but are not merged, and why"));
  for (const j of joins) out.push(...join(j, width, c));
  return `${out.join("\n")}\n`;
}

function join(j: HotInsn, width: number, c: ReturnType<typeof colors>): string[] {
  const text = j.source && !isAsm(j.source) ? j.source.text : j.disasm;
  const at = j.source ? `${j.source.file}:${j.source.line}` : `insn ${j.insnIdx}`;
  const out = [
    `  ${c.cyan(at)}  ${clip(text, width - at.length - 4)}`,
    `    ${formatCount(j.visits)} visits, ${formatCount(j.states)} states kept, ${formatCount(j.pruned)} paths ended here`,
  ];
  for (const m of j.misses) {
    const values = m.kept || m.seen ? ` (kept: ${m.kept}; then: ${m.seen})` : "";
    const text = `${m.place}: ${m.how}${values}, ${formatCount(m.count)} of the comparisons looked at`;
    out.push(...wrap(text, width - 8).map((line, i) => `    ${i === 0 ? c.yellow("≠ ") : "  "}${line}`));
  }
  return out;
}
