/** An explanation of a refused program, for people: headline, place, history of the value, advice. */
import type { Explanation, PathStep, SourceLine } from "../src/verifier/explain/explanation.ts";
import { complexityView } from "./complexity_view.ts";
import { colors, type Io } from "./output.ts";
import { clip, isAsm, wrap } from "./wrap.ts";

type Colors = ReturnType<typeof colors>;

/** @param where "prog_name in file.o" */
export function explanationView(e: Explanation, where: string, io: Io): string {
  const c = colors(io);
  const width = Math.max(40, Math.min(io.width, 120));
  const out: string[] = [];
  const [first = "", ...more] = wrap(`refused[${e.code}]: ${e.title}`, width - 2);
  const at = first.indexOf(":");
  out.push(c.red(c.bold(first.slice(0, at))) + c.bold(first.slice(at)), ...more.map((l) => `  ${c.bold(l)}`));
  out.push(...place(e, where, c, width));
  const path = e.path.filter((s) => s.insnIdx !== e.insnIdx || s.kind !== "branch" || e.path.length > 1);
  if (path.length > 0) {
    out.push("", c.bold(e.value ? `How ${e.value.reg} came to be this` : "How the program got here"));
    out.push(...history(path, e, c, width));
  }
  out.push("", ...labelled("Rule", e.rule, c, width), ...labelled("Try", e.suggestion, c, width));
  if (e.complexity) out.push("", complexityView(e.complexity, io).trimEnd());
  out.push("", ...labelled("Linux", [...e.details, e.message].join("; "), c, width, c.dim));
  out.push(c.dim(`    See  ${e.docs}`));
  return `${out.join("\n")}\n`;
}

function arrow(text: string, c: Colors, width: number): string[] {
  return wrap(text, width - 7).map((line, i) => `   ${i === 0 ? c.cyan("-->") : "   "} ${line}`);
}

/** Where it happened: the source line with a marker below, and what is wrong there. */
function place(e: Explanation, where: string, c: Colors, width: number): string[] {
  if (e.insnIdx === undefined) return [`   ${c.cyan("-->")} ${where}`];
  const func = e.func ? ` in ${e.func}()` : "";
  const insn = `instruction ${e.insnIdx}`;
  if (!e.source) {
    return [
      ...arrow(`${where},${func ? `${func},` : ""} ${insn}`, c, width),
      `${c.cyan(gutter(`#${e.insnIdx}`))} ${clip(e.disasm ?? "", width - 8)}`,
      ...note(e, `${c.cyan("      |")} `, c, width),
    ];
  }
  const { file, line, text } = e.source;
  const pad = `${c.cyan("      |")} `;
  const shown = clip(text, width - 8);
  const at = markerAt(e.source);
  const marker = `${" ".repeat(at)}${c.red(`^${"~".repeat(Math.max(0, tokenLength(shown, at) - 1))}`)}`;
  return [
    ...arrow(`${file}:${line}${func}, ${insn}`, c, width),
    c.dim(`       ${where}`),
    `${c.cyan(gutter(String(line)))} ${shown}`,
    isAsm(e.source)
      ? `${pad}  ${e.disasm}`
      : `${pad}${marker} ${c.dim(clip(e.disasm ?? "", width - 9 - at - tokenLength(shown, at)))}`,
    ...note(e, pad, c, width),
  ];
}

function note(e: Explanation, pad: string, c: Colors, width: number): string[] {
  if (!e.value) return [];
  const text = `${e.value.reg} ${e.value.state === "no value" ? "has" : "is"} ${e.value.state}`;
  return wrap(text, width - 8).map((line) => `${pad}${c.red(line)}`);
}

const gutter = (n: string) => `${n.padStart(5)} |`;

/** Column in the shown text. */
function markerAt(s: SourceLine): number {
  const at = s.column - 1 - s.indent;
  return at >= 0 && at < s.text.length ? at : 0;
}

function tokenLength(text: string, at: number): number {
  return /^(\w+(->|\.)?|[^\w\s])+/.exec(text.slice(at))?.[0].length ?? 1;
}

function history(path: readonly PathStep[], e: Explanation, c: Colors, width: number): string[] {
  const out: string[] = [];
  let last = "";
  let state = "";
  for (const s of path) {
    const source = s.source && !isAsm(s.source) ? s.source : undefined;
    const number = source ? String(source.line) : `#${s.insnIdx}`;
    const key = source ? `${source.file}:${source.line}` : `${s.insnIdx} ${s.disasm}`;
    if (key !== last) {
      const text = source ? source.text : s.disasm === "entry" ? "(the function begins)" : s.disasm;
      const file = source && e.source && source.file !== e.source.file ? `${source.file}: ` : "";
      out.push(`${c.cyan(gutter(number))} ${clip(file + text, width - 8)}`);
    }
    last = key;
    const times = s.times ? ` (${s.times} times)` : "";
    const mark = s.kind === "lost" ? c.red("✗") : s.kind === "branch" ? c.yellow("⑂") : c.green("•");
    const lines = wrap(`${s.what}${times}${s.state === state ? "" : stateOf(s)}`, width - 12);
    if (s.state) state = s.state;
    out.push(...lines.map((line, i) => `${c.cyan("      |")}   ${i === 0 ? `${mark} ` : "  "}${line}`));
  }
  return out;
}

function stateOf(s: PathStep): string {
  if (!s.state || !s.place || s.kind === "lost" || s.state === "no value") return "";
  return s.kind === "branch" ? ` → ${s.place} is ${s.state}` : ` → ${s.state}`;
}

function labelled(label: string, text: string, c: Colors, width: number, paint = (t: string) => t): string[] {
  const head = label.padStart(7);
  return wrap(text, width - 9).map((line, i) => `${i === 0 ? c.bold(paint(head)) : " ".repeat(7)}  ${paint(line)}`);
}
