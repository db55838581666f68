/**
 * Looks for programs that skep's verifier accepts and should not: random and mutated programs are verified, compared with
 * what the running Linux says, and, when accepted, run under the eye of the verifier's own claims.
 *
 *   npm run fuzz:verifier -- [--seconds N] [--count N] [--seed N] [--from N] [--runs N] [--no-linux] [--objects DIR]
 *                            [--list loose|strict|words] [--show N]
 *
 * --seconds   how long; default 120, or without end when --count is given
 * --seed      of the programs and their inputs; default random, and printed
 * --from      number of the first program; --seed S --from N --count 1 repeats program N
 * --objects   a directory of .o files whose programs are mutated too; default the committed examples
 * --list      all groups of one kind of disagreement instead of the most frequent
 * --show      prints program N, both verdicts and skep's log
 * Exit code   0 nothing found; 1 a breach, crash, hang or a difference between the engines (kept in test/fixtures/fuzz);
 *             2 usage
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { decode } from "../src/isa/codec.ts";
import { disasm } from "../src/isa/disasm.ts";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { saveCase } from "./fuzz/case.ts";
import { BUDGET_INSNS, Checker } from "./fuzz/check.ts";
import { Linux } from "./fuzz/linux.ts";
import { minimise } from "./fuzz/minimise.ts";
import { poolOf } from "./fuzz/objects.ts";
import { CAP_MS, type Failure, fuzz, type Group, programOf, type Summary } from "./fuzz/run.ts";

const here = dirname(fileURLToPath(import.meta.url));
/** The sources: this file runs from dist/. */
const root = join(here, "..", "..");

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string" },
    count: { type: "string" },
    seed: { type: "string" },
    from: { type: "string", default: "0" },
    runs: { type: "string", default: "4" },
    linux: { type: "boolean", default: true },
    objects: { type: "string", default: join(root, "examples") },
    list: { type: "string" },
    show: { type: "string" },
  },
  allowNegative: true,
});

const seed = options.seed === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(options.seed);
const count = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
const seconds = options.seconds === undefined ? (options.count === undefined ? 120 : 1e9) : Number(options.seconds);
const runs = Number(options.runs);
if (![seed, seconds, runs, Number(options.from)].every(Number.isFinite) || Number.isNaN(count)) {
  console.error("a number is wanted for --seconds, --count, --seed, --from and --runs");
  process.exit(2);
}

const pool = poolOf(options.objects);
const linux = options.linux ? await Linux.start(pool.maps) : "--no-linux";
const kernelBtf = linux instanceof Linux ? loadKernelBtf().btf : undefined;
const checker = () => new Checker(pool.maps, kernelBtf);
console.log(
  `seed ${seed}; ${pool.cases.length} programs to mutate; Linux ${linux instanceof Linux ? "is asked" : `is not asked: ${linux}`}`,
);

if (options.show !== undefined) {
  await show(Number(options.show));
} else {
  const beat = new Int32Array(new SharedArrayBuffer(8));
  const alive = () => void Atomics.add(beat, 0, 1);
  const dog = watchdog(beat);
  const summary = await fuzz({
    seed,
    from: Number(options.from),
    count,
    ms: seconds * 1000,
    runs,
    linux: linux instanceof Linux ? linux : undefined,
    kernelBtf,
    pool,
    onFailure: (failure) => keep(failure, alive),
    onProgram: (n) => {
      Atomics.store(beat, 1, n);
      alive();
    },
  });
  await dog.terminate();
  report(summary);
  process.exitCode = summary.failures.length ? 1 : 0;
}
if (linux instanceof Linux) linux.stop();

/**
 * A verification that never ends blocks this thread; another one sees it and ends the process. What counts is CPU time:
 * on a loaded machine, or while Linux is slow to answer, this thread stands still without being at fault.
 */
function watchdog(beat: Int32Array): Worker {
  const code = `
    const { workerData: { beat, seed, seconds } } = require("node:worker_threads");
    let last = -1, since = 0;
    setInterval(() => {
      const { user, system } = process.cpuUsage();
      const now = Atomics.load(beat, 0);
      if (now !== last) since = user + system;
      last = now;
      if (user + system - since < seconds * 1e6) return;
      const n = Atomics.load(beat, 1);
      require("node:fs").writeSync(2, "program " + n + " of seed " + seed + " took more than " + seconds +
        " s of CPU time and hangs; alone: --seed " + seed + " --from " + n + " --count 1\\n");
      process.kill(process.pid, "SIGKILL");
    }, 1000);`;
  return new Worker(code, { eval: true, workerData: { beat, seed, seconds: 60 } });
}

/** Minimises a failure and writes it where test/verifier/fuzz_cases.test.ts finds it. @param alive told before each try */
function keep(failure: Failure, alive: () => void): void {
  console.log(`program ${failure.n}: ${failure.why}`);
  const fails = (c: Failure["program"]): boolean => {
    alive();
    const o = checker().check(c, failure.inputSeed, runs);
    return o.failure !== undefined || o.verifyMs > CAP_MS;
  };
  const small = fails(failure.program) ? minimise(failure.program, fails, 200) : failure.program;
  const again = checker().check(small, failure.inputSeed, runs);
  const dir = join(root, "test", "fixtures", "fuzz");
  mkdirSync(dir, { recursive: true });
  const used = [...new Set(small.mapRefs.map(([, map]) => map))].sort((a, b) => a - b);
  const renumbered = { ...small, mapRefs: small.mapRefs.map(([slot, map]) => [slot, used.indexOf(map)] as const) };
  const saved = saveCase(
    renumbered,
    used.map((n) => pool.maps[n]),
    again.failure ?? failure.why,
    failure.inputSeed,
  );
  const file = join(dir, `seed-${seed}-${failure.n}.json`);
  writeFileSync(file, `${JSON.stringify(saved, null, 2)}\n`);
  console.log(
    `  kept as ${file}\n${disasm(decode(small.insns))
      .map((l) => `    ${l}`)
      .join("\n")}`,
  );
}

async function show(n: number): Promise<void> {
  const c = programOf(seed, n, pool);
  console.log(
    `type ${c.progType}, flags ${c.flags}${c.noPerfmon ? ", without CAP_PERFMON" : ""}, maps ${JSON.stringify(c.mapRefs)}`,
  );
  console.log(
    disasm(decode(c.insns))
      .map((l, i) => `${i}: ${l}`)
      .join("\n"),
  );
  const o = checker().check(c, seed + n, runs);
  console.log(`here:  errno ${o.errno} ${o.msg}${o.failure === undefined ? "" : ` FAILURE ${o.failure}`}`);
  if (linux instanceof Linux) {
    const v = await linux.verdict(c, true);
    console.log(`there: errno ${v.errno} ${v.msg}`);
  }
}

function report(s: Summary): void {
  const rate = (a: number, b: number) => (b === 0 ? "-" : `${((100 * a) / b).toFixed(2)}%`);
  const total = (groups: Map<string, Group>) => [...groups.values()].reduce((sum, g) => sum + g.count, 0);
  const rows: [string, string | number][] = [
    ["programs", s.programs],
    ["per second", Math.round(s.programs / s.seconds)],
    ["accepted", `${s.accepted} (${rate(s.accepted, s.programs)})`],
    ["runs", s.runs],
    ["instructions run", `${s.steps}, ${rate(s.checked, s.steps)} held to a claim`],
    ["slowest verification", `${Math.round(s.slowestMs)} ms of CPU time`],
    [`over ${BUDGET_INSNS} instructions`, `${s.overBudget}, given up on and not compared`],
    ["breaches, crashes, hangs", s.failures.length],
  ];
  if (s.linuxGone) rows.push(["Linux", "stopped answering"]);
  if (s.asked) {
    rows.push(
      ["same verdict as Linux", `${s.agreed} of ${s.asked} (${rate(s.agreed, s.asked)})`],
      ["accepted here, refused there", total(s.loose)],
      ["refused here, accepted there", total(s.strict)],
      ["refused by both", s.refusedByBoth],
      ["  with the same errno", rate(s.sameErrno, s.refusedByBoth)],
      ["  with the same words", rate(s.sameWords, s.refusedByBoth)],
    );
  }
  for (const [name, value] of rows) console.log(`${name.padEnd(30)} ${value}`);
  const titles = {
    loose: "accepted here, refused there",
    strict: "refused here, accepted there",
    words: "refused with other words",
  } as const;
  for (const kind of ["loose", "strict", "words"] as const) {
    if (s[kind].size === 0 || (options.list !== undefined && options.list !== kind)) continue;
    console.log(`${titles[kind]}:`);
    const most = options.list === kind ? Number.POSITIVE_INFINITY : kind === "words" ? 5 : 15;
    const groups = [...s[kind].values()].toSorted((a, b) => b.count - a.count).slice(0, most);
    for (const g of groups)
      console.log(`  ${String(g.count).padStart(6)}  ${g.key}  (programs ${g.examples.join(", ")})`);
  }
}
