/**
 * The catalog: every message the verifier can emit, the rule behind it and what to do about it.
 *
 * docs/errors/ is generated from it (npm run docs:errors). To add a message, add a template to an entry, or an entry to
 * the file of its family; tests compare the templates with the sources of the verifier.
 */
import { ATTACH } from "./catalog_attach.ts";
import { CALLS } from "./catalog_calls.ts";
import { CONTROL } from "./catalog_control.ts";
import { CTX } from "./catalog_ctx.ts";
import { KFUNCS } from "./catalog_kfuncs.ts";
import { MEMORY } from "./catalog_memory.ts";
import { OBJECTS } from "./catalog_objects.ts";
import { POINTERS } from "./catalog_pointers.ts";
import { PROGRAM } from "./catalog_program.ts";
import { REFS } from "./catalog_refs.ts";
import { type Entry, templateToRegExp } from "./entry.ts";

/** What nothing else matches. */
export const OTHER: Entry = {
  code: "other",
  title: "The verifier refused the program",
  messages: [],
  rule: "The message is the kernel's own; no page describes it yet.",
  suggest:
    "Read the message with the path above it. A log of every instruction (--log 2) shows the state of all registers.",
  lang: "text",
  bad: "any program with this message",
  good: "depends on the message",
};

export const CATALOG: readonly Entry[] = [
  ...MEMORY,
  ...POINTERS,
  ...CTX,
  ...CALLS,
  ...KFUNCS,
  ...REFS,
  ...OBJECTS,
  ...CONTROL,
  ...ATTACH,
  ...PROGRAM,
];

interface Pattern {
  readonly entry: Entry;
  readonly regexp: RegExp;
}

const PATTERNS: readonly Pattern[] = CATALOG.flatMap((entry) =>
  entry.messages.flatMap((m) => ({ entry, regexp: templateToRegExp(m) })),
);

export interface Found {
  readonly entry: Entry;
  /** Holes of the template. */
  readonly m: Readonly<Record<string, string>>;
  /** Line of the complaint that matched; the last one when none did. */
  readonly line: number;
}

/** Entry of the last line that has one; messages of several lines are known by one of them. */
export function findEntry(lines: readonly string[]): Found {
  for (let line = lines.length - 1; line >= 0; line--) {
    for (const { entry, regexp } of PATTERNS) {
      const m = regexp.exec(lines[line]);
      if (m) return { entry, m: { ...m.groups }, line };
    }
  }
  return { entry: OTHER, m: {}, line: lines.length - 1 };
}

/** Holes of one template in a line. */
export function matchTemplate(template: string, line: string): Readonly<Record<string, string>> | undefined {
  const m = templateToRegExp(template).exec(line);
  return m ? { ...m.groups } : undefined;
}
