import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CATALOG, findEntry, OTHER } from "../../../src/verifier/explain/catalog.ts";
import { errorPages } from "../../../src/verifier/explain/docs.ts";
import { templateToRegExp } from "../../../src/verifier/explain/entry.ts";

const root = new URL("../../../", import.meta.url);

/** Stands for a value in a message of the sources. */
const HOLE = "\u0001";

interface Literal {
  readonly file: string;
  readonly text: string;
  /** The string stands in a call that refuses. */
  readonly rejects: boolean;
}

/** String literals and templates of a source, `${...}` as HOLE; strings joined by + as one. */
function literals(file: string, source: string): Literal[] {
  const out: Literal[] = [];
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  for (let i = 0; i < code.length; i++) {
    const quote = code[i];
    if (quote !== '"' && quote !== "`") continue;
    const before = code.slice(Math.max(0, i - 60), i);
    let text = "";
    let at = i;
    for (;;) {
      const [part, end] = readLiteral(code, at);
      text += part;
      const more = /^\s*\+\s*(?=["`])/.exec(code.slice(end));
      if (!more) {
        at = end;
        break;
      }
      at = end + more[0].length;
    }
    const rejects = /(\breject\(\s*(env,\s*)?[\w.]+,\s*|\bBadProto\(\s*[\w.]+,\s*(say\()?)$/.test(before);
    out.push({ file, text: text.replace(/\\n/g, "\n").replace(/\\(.)/g, "$1"), rejects });
    i = at - 1;
  }
  return out;
}

function readLiteral(code: string, start: number): [string, number] {
  const quote = code[start];
  let text = "";
  let i = start + 1;
  while (i < code.length && code[i] !== quote) {
    if (code[i] === "\\") {
      text += code.slice(i, i + 2);
      i += 2;
    } else if (quote === "`" && code.startsWith("${", i)) {
      let depth = 0;
      do {
        if (code[i] === "{") depth++;
        else if (code[i] === "}") depth--;
        i++;
      } while (depth > 0 || code[i - 1] !== "}");
      text += HOLE;
    } else text += code[i++];
  }
  return [text, i + 1];
}

const FOLDERS = ["src/verifier/", "src/loader/"];
const LITERALS = FOLDERS.flatMap((dir) =>
  readdirSync(new URL(dir, root))
    .filter((f) => f.endsWith(".ts"))
    .flatMap((f) => literals(f, readFileSync(new URL(dir + f, root), "utf8"))),
);
const LINES = LITERALS.flatMap((l) => l.text.split("\n"));
const words = (text: string) => text.replaceAll(HOLE, "").replace(/\{\w+\}/g, "").length;

const regexps = new Map<string, RegExp>();
function regexpOf(template: string): RegExp {
  let known = regexps.get(template);
  if (!known) regexps.set(template, (known = templateToRegExp(template)));
  return known;
}

/** A text of the sources with holes as a pattern for templates. */
const patterns = new Map<string, RegExp>();
function patternOf(text: string): RegExp {
  let known = patterns.get(text);
  if (!known) {
    const parts = text.split(HOLE).map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    patterns.set(text, (known = new RegExp(`^${parts.join(".*?")}$`)));
  }
  return known;
}

/** Could this text of the sources be what a template describes? Holes may stand for anything, on both sides. */
function fits(template: string, text: string): boolean {
  if (regexpOf(template).test(text)) return true;
  // A hole of the source where the template has words.
  return words(text) * 2 > words(template) && patternOf(text).test(template.replace(/\{\w+\}/g, HOLE));
}

it("every message that refuses has an entry", () => {
  // Of a message of several lines one is enough; one that is a single value is put together elsewhere.
  const known = (text: string) =>
    findEntry([text]).entry !== OTHER || CATALOG.some((e) => e.messages.some((m) => fits(m, text)));
  const missing = LITERALS.filter((l) => l.rejects && l.file !== "env.ts" && words(l.text) > 0)
    .filter((l) => !l.text.split("\n").some(known))
    .map((l) => `${l.file}: ${l.text.replaceAll(HOLE, "{}")}`);
  expect(missing).toEqual([]);
});

it("every template is of a message that the sources contain", () => {
  const unknown = CATALOG.flatMap((e) => e.messages)
    .filter((m) => !LINES.some((text) => fits(m, text)))
    .filter((m) => !COMPOSED.some((c) => m.startsWith(c)));
  expect(unknown).toEqual([]);
});

/** Beginnings of messages that the sources put together from parts. */
const COMPOSED = ["{where} the register R{reg} has{state} should"];

it("codes and templates are unique", () => {
  const codes = [...CATALOG, OTHER].map((e) => e.code);
  expect(new Set(codes).size).toBe(codes.length);
  const messages = CATALOG.flatMap((e) => e.messages);
  expect(messages.filter((m, i) => messages.indexOf(m) !== i)).toEqual([]);
});

it("every rejection of the Linux selftests has an entry", () => {
  const oracle = readFileSync(new URL("conformance/data/linux-6.18-selftests.jsonl", root), "utf8");
  const unknown = new Set<string>();
  let seen = 0;
  for (const line of oracle.trim().split("\n")) {
    const row = JSON.parse(line) as { verdict: string; stage: string; msg: string };
    if (row.verdict !== "failure" || row.stage !== "verifier") continue;
    // The data set keeps the last line only; of a loop that is the state, and statistics may be glued to it.
    const msg = row.msg.replace(/verification time.*$/, "");
    if (msg === "" || msg.startsWith("old state:")) continue;
    seen++;
    if (findEntry([msg]).entry === OTHER) unknown.add(msg);
  }
  expect(seen).toBeGreaterThan(600);
  expect([...unknown]).toEqual([]);
});

it("docs/errors is up to date (npm run docs:errors)", () => {
  const dir = new URL("docs/errors/", root);
  const pages = errorPages();
  expect(readdirSync(dir).sort()).toEqual([...pages.keys()].sort());
  for (const [name, text] of pages) expect(readFileSync(new URL(name, dir), "utf8"), name).toBe(text);
});

it("every entry has a rule, advice and two examples", () => {
  for (const e of CATALOG) {
    expect(e.messages.length, e.code).toBeGreaterThan(0);
    for (const text of [e.title, e.rule, e.bad, e.good]) expect(text.length, e.code).toBeGreaterThan(3);
    expect(e.code).toMatch(/^[a-z][a-z-]+$/);
  }
});
