/**
 * skep against the Linux it runs on: verdicts of object files, results of random programs, random operations on maps,
 * random calls of bpf(2) as bytes.
 *
 *   npm run diff -- [--seed N] [--programs N] [--runs N] [--ops N] [--seconds N] [--calls N] [--objects DIR] [--only PART]
 *
 * --seed      default random, and printed
 * --programs  random programs that are run on both (default 300), --runs times each (default 4)
 * --ops       operations for each type of map (default 20000)
 * --calls     random calls of bpf(2) (default 50000)
 * --seconds   bound of each part (default 60)
 * --objects   .o files whose verdicts are compared (default: the examples)
 * --only      verdicts, programs, maps or raw
 * Failures    are made small and kept in test/fixtures/diff
 * Exit code   0 no difference, or bpf(2) is not permitted; 1 a difference; 2 usage
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BpfError } from "../src/abi/errno.ts";
import { loadAlone } from "../src/loader/load_alone.ts";
import { createKernel } from "../src/net/create.ts";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { runningKernelFacts } from "../src/node/kernel_facts.ts";
import { type LinuxBpf, linux } from "../src/node/linux/index.ts";
import { openSpec } from "../src/object/open.ts";
import { diffMap, MAP_DIFFS, type MapCase, minimiseOps, randomOps } from "./diff/map_ops.ts";
import { type Comparison, compareRuns, onFirstCpu } from "./diff/programs.ts";
import { Random, saveCase } from "./fuzz/case.ts";
import { generate, MAPS } from "./fuzz/generate.ts";
import { minimise } from "./fuzz/minimise.ts";
import { diffRaw } from "./raw/diff.ts";

/** The sources: this file runs from dist/. */
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const fixtures = join(root, "test", "fixtures", "diff");

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    programs: { type: "string", default: "300" },
    runs: { type: "string", default: "4" },
    ops: { type: "string", default: "20000" },
    calls: { type: "string", default: "50000" },
    seconds: { type: "string", default: "60" },
    objects: { type: "string", default: join(root, "examples") },
    only: { type: "string" },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(values.seed);
const [programs, runs, ops, calls, seconds] = [
  values.programs,
  values.runs,
  values.ops,
  values.calls,
  values.seconds,
].map(Number);
if (![seed, programs, runs, ops, calls, seconds].every(Number.isFinite)) {
  console.error("a number is wanted for --seed, --programs, --runs, --ops, --calls and --seconds");
  process.exit(2);
}

let differences = 0;
const kernelBtf = loadKernelBtf().btf;

function report(what: string, skep: string, theirs: string): void {
  differences++;
  console.log(`DIFFERENT ${what}\n  skep   ${skep.slice(0, 300)}\n  Linux  ${theirs.slice(0, 300)}`);
}

function save(name: string, content: object): void {
  mkdirSync(fixtures, { recursive: true });
  writeFileSync(join(fixtures, `${name}.json`), `${JSON.stringify(content)}\n`);
  console.log(`  kept in test/fixtures/diff/${name}.json`);
}

/** A kernel of ours for one comparison. */
function withSkep<T>(body: (bpf: ReturnType<ReturnType<typeof createKernel>["spawn"]>) => T, cpus: number): T {
  using proc = createKernel({ kernelBtf, cpus }).spawn();
  return body(proc);
}

function verdicts(real: LinuxBpf): void {
  const files = readdirSync(values.objects, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".o"));
  const end = performance.now() + 1000 * seconds;
  const facts = runningKernelFacts();
  let [same, seen] = [0, 0];
  for (const file of files.sort()) {
    let spec: ReturnType<typeof openSpec>;
    try {
      spec = openSpec(new Uint8Array(readFileSync(join(values.objects, file))), file);
    } catch (e) {
      if (e instanceof BpfError) continue;
      throw e;
    }
    for (const { name } of spec.progs) {
      if (performance.now() > end) break;
      const options = { ...facts, kernelBtf };
      const ours = withSkep((bpf) => loadAlone(spec, name, bpf, options), 1);
      const theirs = loadAlone(spec, name, real, options);
      seen++;
      const text = (v: typeof ours) => (v.verdict === "success" ? "accepted" : `errno ${v.errno}: ${v.msg}`);
      if (ours.verdict === theirs.verdict && ours.errno === theirs.errno) same++;
      else report(`verdict of ${file}: ${name}`, text(ours), text(theirs));
    }
  }
  console.log(`verdicts: ${same} of ${seen} programs the same`);
}

function runPrograms(real: LinuxBpf): void {
  const counts: Record<Comparison["kind"], number> = { refused: 0, verdict: 0, unstable: 0, same: 0, different: 0 };
  const end = performance.now() + 1000 * seconds;
  for (let n = 0; counts.same + counts.different < programs && performance.now() < end; n++) {
    const inputSeed = seed ^ Math.imul(n + 1, 0x9e3779b1);
    const c = generate(new Random(inputSeed));
    const compare = (x: typeof c) => withSkep((bpf) => compareRuns(bpf, real, x, inputSeed, runs), real.possibleCpus);
    const result = compare(c);
    counts[result.kind]++;
    if (result.kind !== "different") continue;
    report(`program ${n} of seed ${seed}`, result.skep, result.linux);
    const small = minimise(c, (x) => compare(x).kind === "different", 200);
    save(`prog-${seed}-${n}`, saveCase(small, MAPS, "results differ", inputSeed));
  }
  const { same, different, unstable, refused, verdict } = counts;
  const left = `${unstable} not decided by the program, ${refused} refused by skep, ${verdict} by Linux alone`;
  const compared = same + different;
  if (compared < programs) console.log(`programs: stopped after ${seconds} s, ${compared} of ${programs} compared`);
  console.log(`programs: ${same} of ${compared} the same over ${runs} packets each (${left})`);
}

function maps(real: LinuxBpf): void {
  for (const [i, entry] of MAP_DIFFS.entries()) {
    const rng = new Random(seed + i);
    const end = performance.now() + (1000 * seconds) / MAP_DIFFS.length;
    let done = 0;
    let found = false;
    while (done < ops && performance.now() < end && !found) {
      const c: MapCase = { map: entry.map, ops: randomOps(entry, rng, Math.min(2000, ops - done)) };
      const compare = (x: MapCase) => withSkep((bpf) => diffMap(bpf, real, x), real.possibleCpus);
      const difference = compare(c);
      done += c.ops.length;
      if (!difference) continue;
      found = true;
      report(`${entry.name}: ${JSON.stringify(difference.op)}`, difference.skep, difference.linux);
      save(
        `map-${seed}-${i}`,
        minimiseOps(c, (x) => compare(x) !== undefined),
      );
    }
    console.log(`maps: ${entry.name}: ${done} operations, ${found ? "a difference" : "the same"}`);
  }
}

function raw(real: LinuxBpf): void {
  const dir = mkdtempSync(join(tmpdir(), "skep-diff-"));
  real.fs.mount(dir);
  try {
    const { done, differences: found, left } = diffRaw(real, { seed, calls, seconds, dir, max: 20 });
    for (const { call, skep, linux: theirs } of found) report(`call ${JSON.stringify(call)}`, skep, theirs);
    const not = left.length ? `; not compared: commands ${left.join(", ")}` : "";
    console.log(`raw: ${done - found.length} of ${done} calls the same${not}`);
  } finally {
    real.fs.umount(dir);
    rmdirSync(dir);
  }
}

const PARTS = { verdicts, programs: runPrograms, maps, raw };

const chosen = Object.entries(PARTS).filter(([name]) => values.only === undefined || values.only === name);
if (chosen.length === 0) {
  console.error(`--only: '${values.only}' seen, one of ${Object.keys(PARTS).join(", ")} wanted`);
  process.exit(2);
}
/** undefined, and the reason printed, where bpf(2) is not permitted. Errors of the comparison itself are failures. */
function openLinux(): LinuxBpf | undefined {
  try {
    return linux();
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    console.log(`not compared with Linux: ${e.message}`);
    return undefined;
  }
}

using real = openLinux();
if (real) {
  console.log(`seed ${seed}`);
  onFirstCpu(real, () => {
    for (const [, part] of chosen) part(real);
  });
  process.exitCode = differences > 0 ? 1 : 0;
}
