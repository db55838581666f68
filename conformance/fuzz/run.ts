/**
 * The fuzzing loop: programs are generated or mutated, skep and Linux give their verdicts, and what skep accepts is run.
 *
 * Program n of a seed is always the same, whatever came before it, so that `--seed S --from N --count 1` repeats one.
 */
import type { Btf } from "../../src/btf/btf.ts";
import { foldMessage } from "../compare.ts";
import { type FuzzCase, type FuzzMap, Random } from "./case.ts";
import { Checker, type Outcome } from "./check.ts";
import { generate, MAPS } from "./generate.ts";
import type { Linux } from "./linux.ts";
import { mutate } from "./mutate.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Number of the first program. */
  readonly from?: number;
  readonly count: number;
  /** Milliseconds after which no new program is begun. */
  readonly ms: number;
  /** Runs of each accepted program, each on an input of its own. */
  readonly runs?: number;
  readonly linux?: Linux | undefined;
  /** Of the kernel that is asked; default: the built-in one. */
  readonly kernelBtf?: Btf | undefined;
  /** Programs to mutate, and the maps that they use beside the generator's. */
  readonly pool?: Pool | undefined;
  readonly onFailure?: (failure: Failure) => void;
  /** Told before each program: n. */
  readonly onProgram?: (n: number) => void;
}

export interface Pool {
  /** The generator's maps come first. */
  readonly maps: readonly FuzzMap[];
  readonly cases: readonly FuzzCase[];
}

export interface Failure {
  readonly n: number;
  readonly program: FuzzCase;
  readonly inputSeed: number;
  readonly why: string;
}

/** Programs of a kind of disagreement, by folded message. */
export interface Group {
  readonly key: string;
  count: number;
  /** Numbers of the first few. */
  readonly examples: number[];
}

export interface Summary {
  programs: number;
  accepted: number;
  runs: number;
  steps: number;
  checked: number;
  /** Given up on at BUDGET_INSNS; not compared. */
  overBudget: number;
  asked: number;
  /** The process that asks Linux ended before the run did. */
  linuxGone: boolean;
  /** Same verdict. */
  agreed: number;
  /** Both refused, with the same errno; with the same words. */
  refusedByBoth: number;
  sameErrno: number;
  sameWords: number;
  /** Accepted here, refused there; and the other way round. */
  readonly loose: Map<string, Group>;
  readonly strict: Map<string, Group>;
  readonly words: Map<string, Group>;
  readonly failures: Failure[];
  slowestMs: number;
  seconds: number;
}

/** Verification of one program may take this long, in CPU time of the process. */
export const CAP_MS = 1000;
/** A verification that took longer is repeated so often: a collection of garbage, or a loaded machine, may have paid for it. */
const AGAIN = 2;
/** Programs that Linux is asked about at a time. */
const BATCH = 64;
/** One in so many programs is a mutation, when there is something to mutate. */
const MUTATIONS = 0.35;

export function programOf(seed: number, n: number, pool?: Pool): FuzzCase {
  const rng = new Random(seed ^ Math.imul(n + 1, 0x9e3779b1));
  for (let i = 0; i < 3; i++) rng.u32();
  if (rng.chance(MUTATIONS)) {
    const base = pool?.cases.length && rng.chance(0.7) ? rng.pick(pool.cases) : generate(rng);
    return mutate(base, rng);
  }
  return generate(rng);
}

export async function fuzz(options: FuzzOptions): Promise<Summary> {
  const { seed, linux, pool } = options;
  const maps = pool?.maps ?? MAPS;
  const runs = options.runs ?? 4;
  const summary: Summary = {
    programs: 0,
    accepted: 0,
    runs: 0,
    steps: 0,
    checked: 0,
    overBudget: 0,
    asked: 0,
    linuxGone: false,
    agreed: 0,
    refusedByBoth: 0,
    sameErrno: 0,
    sameWords: 0,
    loose: new Map(),
    strict: new Map(),
    words: new Map(),
    failures: [],
    slowestMs: 0,
    seconds: 0,
  };
  let checker = new Checker(maps, options.kernelBtf);
  const started = performance.now();
  const first = options.from ?? 0;
  let n = first;
  const more = () => n < first + options.count && performance.now() - started < options.ms;
  while (more()) {
    const batch: { n: number; c: FuzzCase }[] = [];
    for (; batch.length < BATCH && n < first + options.count; n++) batch.push({ n, c: programOf(seed, n, pool) });
    const asked = linux && batch.map(({ c }) => linux.verdict(c));
    for (const [i, { n, c }] of batch.entries()) {
      options.onProgram?.(n);
      const inputSeed = seed + n;
      const outcome = checker.check(c, inputSeed, runs);
      count(summary, outcome);
      let why = outcome.failure;
      if (outcome.verifyMs > CAP_MS) {
        const ms = quickest(outcome.verifyMs, () => new Checker(maps, options.kernelBtf).check(c, inputSeed, 0));
        summary.slowestMs = Math.max(summary.slowestMs, ms);
        if (ms > CAP_MS) why ??= `verification of ${outcome.insnsProcessed} instructions took ${Math.round(ms)} ms`;
      } else {
        summary.slowestMs = Math.max(summary.slowestMs, outcome.verifyMs);
      }
      if (why !== undefined) {
        const failure = { n, program: c, inputSeed, why };
        summary.failures.push(failure);
        options.onFailure?.(failure);
        // whatever happened may have left the kernel in any state
        checker = new Checker(maps, options.kernelBtf);
      }
      // the answer is awaited all the same, so that the next program's is not taken for it
      const theirs = await asked?.[i];
      if (theirs && linux && !outcome.overBudget) await compare(summary, n, c, outcome, theirs, linux);
    }
  }
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

/** The shortest of several verifications, alone. */
function quickest(firstMs: number, again: () => Outcome): number {
  let ms = firstMs;
  for (let n = 0; n < AGAIN && ms > CAP_MS; n++) ms = Math.min(ms, again().verifyMs);
  return ms;
}

function count(s: Summary, o: Outcome): void {
  s.programs++;
  if (o.errno === 0) s.accepted++;
  s.runs += o.runs;
  s.steps += o.steps;
  s.checked += o.checked;
  if (o.overBudget) s.overBudget++;
}

async function compare(
  s: Summary,
  n: number,
  c: FuzzCase,
  ours: Outcome,
  theirs: { errno: number },
  linux: Linux,
): Promise<void> {
  if (theirs.errno < 0) {
    s.linuxGone = true;
    return;
  }
  s.asked++;
  if ((ours.errno === 0) === (theirs.errno === 0)) s.agreed++;
  if (ours.errno === 0 && theirs.errno === 0) return;
  if (ours.errno === 0) {
    const { errno, msg } = await linux.verdict(c, true);
    return note(s.loose, `errno ${errno}: ${foldMessage(msg)}`, n);
  }
  if (theirs.errno === 0) return note(s.strict, `errno ${ours.errno}: ${foldMessage(ours.msg)}`, n);
  s.refusedByBoth++;
  if (ours.errno === theirs.errno) s.sameErrno++;
  const { msg } = await linux.verdict(c, true);
  if (foldMessage(msg) === foldMessage(ours.msg)) s.sameWords++;
  else note(s.words, `there '${foldMessage(msg)}', here '${foldMessage(ours.msg)}'`, n);
}

function note(groups: Map<string, Group>, key: string, n: number): void {
  const group = groups.get(key) ?? { key, count: 0, examples: [] };
  group.count++;
  if (group.examples.length < 5) group.examples.push(n);
  groups.set(key, group);
}
