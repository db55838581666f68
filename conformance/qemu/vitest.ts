/**
 * The part of vitest that test/linux uses, for machines too lean for vitest: inside the initramfs the package `vitest` is this file.
 *
 * Importing a test file collects its cases; runCollected() runs them in order, one after the other. Assertions are
 * vitest's own (@vitest/expect over chai), so a test means the same here and there.
 */
import { ASYMMETRIC_MATCHERS_OBJECT, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from "@vitest/expect";
import * as chai from "chai";

type Body = () => unknown;

interface Suite {
  readonly title: string;
  readonly parent: Suite | undefined;
  /** describe.skipIf() was given a reason, here or further out. */
  readonly skip: string | undefined;
  readonly before: Body[];
  readonly after: Body[];
  readonly entries: (Suite | Case)[];
}

interface Case {
  readonly title: string;
  readonly body: Body;
  readonly skip: string | undefined;
}

export type Outcome = "ok" | "failed" | "skipped";

export interface Report {
  /** Titles from the outermost describe() to it(). */
  readonly title: string;
  readonly outcome: Outcome;
  /** Of a skip the reason, of a failure the error's text. */
  readonly why: string;
  readonly ms: number;
}

/** A hang of one case should not cost the others their turn. */
const CASE_MS = 120_000;

const newSuite = (title: string, parent?: Suite, skip?: string): Suite => {
  return { title, parent, skip, before: [], after: [], entries: [] };
};

/** Test files declare their cases by calls, so what is being collected must be known to the whole module. */
let current = newSuite("");

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);
// what expect.any() and its like are, vitest's createExpect() adds in the same way
export const expect = Object.assign(
  chai.expect,
  (globalThis as Record<symbol, object | undefined>)[ASYMMETRIC_MATCHERS_OBJECT],
);

const reasonOf = (condition: unknown): string | undefined => {
  if (!condition) return undefined;
  return typeof condition === "string" ? condition : "the test's own condition";
};

function describeAs(skip: string | undefined, title: string, body: Body): void {
  const outer = current;
  current = newSuite(title, outer, outer.skip ?? skip);
  outer.entries.push(current);
  body();
  current = outer;
}

function itAs(skip: string | undefined, title: string, body: Body): void {
  current.entries.push({ title, body, skip: current.skip ?? skip });
}

export const describe = Object.assign((title: string, body: Body) => describeAs(undefined, title, body), {
  skipIf: (condition: unknown) => (title: string, body: Body) => describeAs(reasonOf(condition), title, body),
});

export const it = Object.assign((title: string, body: Body) => itAs(undefined, title, body), {
  skipIf: (condition: unknown) => (title: string, body: Body) => itAs(reasonOf(condition), title, body),
});

export const beforeAll = (body: Body): void => void current.before.push(body);
export const afterAll = (body: Body): void => void current.after.push(body);

async function bounded(body: Body): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CASE_MS} ms`)), CASE_MS);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { actual, expected } = error as { actual?: unknown; expected?: unknown };
  const seen = expected === undefined ? "" : `\nseen ${textOfValue(actual)}\nwanted ${textOfValue(expected)}`;
  const at = error.stack?.split("\n").find((line) => line.includes("/test/")) ?? "";
  return `${error.message}${seen}\n${at.trim()}`;
}

function textOfValue(value: unknown): string {
  const text = JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v)) ?? String(value);
  return text.length > 600 ? `${text.slice(0, 600)}...` : text;
}

/**
 * Runs what the imported files declared and forgets it.
 *
 * @param skip gives a reason not to run the case of this title
 */
export async function runCollected(
  skip: (title: string) => string | undefined,
  report: (r: Report) => void,
): Promise<void> {
  const root = current;
  current = newSuite("");
  await runSuite(root, [], skip, report);
}

async function runSuite(
  suite: Suite,
  outer: readonly string[],
  skip: (title: string) => string | undefined,
  report: (r: Report) => void,
): Promise<void> {
  const titles = suite.title ? [...outer, suite.title] : outer;
  let broken: unknown;
  try {
    if (!suite.skip) for (const body of suite.before) await bounded(body);
  } catch (e) {
    broken = new Error(`before the cases: ${textOf(e)}`);
  }
  for (const entry of suite.entries) {
    if ("entries" in entry) {
      await runSuite(entry, titles, skip, report);
      continue;
    }
    const title = [...titles, entry.title].join(" > ");
    const why = entry.skip ?? skip(title);
    const start = performance.now();
    const done = (outcome: Outcome, text: string) =>
      report({ title, outcome, why: text, ms: Math.round(performance.now() - start) });
    if (why !== undefined) {
      done("skipped", why);
      continue;
    }
    try {
      if (broken) throw broken;
      await bounded(entry.body);
      done("ok", "");
    } catch (e) {
      done("failed", textOf(e));
    }
  }
  try {
    if (!suite.skip) for (const body of suite.after) await bounded(body);
  } catch (e) {
    report({ title: [...titles, "after the cases"].join(" > "), outcome: "failed", why: textOf(e), ms: 0 });
  }
}
