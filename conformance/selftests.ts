/**
 * Holds skep's verdicts against those of Linux 6.18 over the kernel's own selftest programs.
 *
 *   npm run conformance -- [--objects DIR] [--btf FILE] [--jobs N] [--only FILE[:PROG]] [--list KIND] [--json FILE] [--time]
 *
 * --objects  where the objects are or are built to (conformance/build-selftests.sh); default conformance/build
 * --list     prints the programs of one kind: verdict, accept, message, errno, loader, insns, time, crash
 * --time     asks the running Linux, where bpf(2) is permitted, to verify the same programs, and compares the times
 * --json     writes skep's rows, one JSON object a line
 * Exit code  0 when the run was complete, whatever the figures say; 1 when a program crashed skep; 2 usage.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { disagreement, figures, foldMessage, type Pair, type VerdictRow } from "./compare.ts";
import { type Timed, timeAgainstLinux } from "./timing.ts";
import type { Job } from "./worker.ts";

const here = dirname(fileURLToPath(import.meta.url));
/** The sources: this file runs from dist/. */
const root = existsSync(join(here, "data")) ? join(here, "..") : join(here, "..", "..");

const { values: options } = parseArgs({
  options: {
    objects: { type: "string", default: join(root, "conformance", "build") },
    btf: { type: "string" },
    jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
    only: { type: "string" },
    list: { type: "string" },
    json: { type: "string" },
    time: { type: "boolean", default: false },
  },
});

const UNOPENED = { sec: "", type: 0, verdict: "failure", stage: "loader", insns: 0, states: 0, us: 0 } as const;

const oracle = readFileSync(join(root, "conformance", "data", "linux-6.18-selftests.jsonl"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as VerdictRow)
  // Files that libbpf could not open have a line of their own, without a program.
  .map((row) => (row.prog === "" ? { ...row, ...UNOPENED } : row));

const [onlyFile, onlyProg] = (options.only ?? "").split(":");
const wanted = oracle.filter(
  (r) => (!onlyFile || r.file === onlyFile || r.file === `${onlyFile}.o`) && (!onlyProg || r.prog === onlyProg),
);
if (wanted.length === 0) {
  console.error(`no program matches '${options.only}'`);
  process.exit(2);
}

if (!existsSync(join(options.objects, wanted[0].file))) {
  console.error("building the selftest objects (about two minutes) ...");
  execFileSync("bash", [join(root, "conformance", "build-selftests.sh"), options.objects], { stdio: ["ignore", 2, 2] });
}

const byFile = new Map<string, VerdictRow[]>();
for (const row of wanted) byFile.set(row.file, [...(byFile.get(row.file) ?? []), row]);
const missing = [...byFile.keys()].filter((file) => !existsSync(join(options.objects, file)));
const jobs: Job[] = [...byFile]
  .filter(([file]) => !missing.includes(file))
  .map(([file, rows]) => ({ path: join(options.objects, file), file, progs: rows }));

const answers = await runAll(jobs);
const pairs: Pair[] = wanted.flatMap((linux) => {
  const skep = answers.get(`${linux.file}:${linux.prog}:${linux.sec}`);
  return skep ? [{ linux, skep }] : [];
});

report(pairs);
if (options.json !== undefined) {
  writeFileSync(options.json, pairs.map((p) => `${JSON.stringify(p.skep)}\n`).join(""));
}
if (options.time) compareTimes(pairs);
process.exit(pairs.some((p) => p.skep.msg.startsWith("crash: ")) ? 1 : 0);

async function runAll(queue: readonly Job[]): Promise<Map<string, VerdictRow>> {
  const rows = new Map<string, VerdictRow>();
  let next = 0;
  const lane = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: { btf: options.btf } });
      const feed = () => {
        if (next >= queue.length) void worker.terminate().then(() => resolve());
        else worker.postMessage(queue[next++]);
      };
      worker.on("message", (done: VerdictRow[]) => {
        for (const row of done) rows.set(`${row.file}:${row.prog}:${row.sec}`, row);
        if (process.stderr.isTTY) process.stderr.write(`\r${rows.size} of ${wanted.length} programs `);
        feed();
      });
      worker.on("error", reject);
      feed();
    });
  await Promise.all(Array.from({ length: Number(options.jobs) }, lane));
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  return rows;
}

function percent(count: number, of: number): string {
  return of === 0 ? "-" : `${((100 * count) / of).toFixed(1)}%`;
}

function report(all: readonly Pair[]): void {
  console.log(`${all.length} programs of ${byFile.size - missing.length} objects; Linux 6.18 said:`);
  for (const f of figures(all)) {
    const share = f.of === 0 ? 0 : f.count / f.of;
    const met = f.most ? share <= f.wanted : share >= f.wanted;
    const goal = `${f.most ? "at most" : "at least"} ${(100 * f.wanted).toFixed(1)}%`;
    console.log(
      `  ${f.name.padEnd(36)} ${percent(f.count, f.of).padStart(6)}  ${`${f.count}/${f.of}`.padStart(10)}   wanted ${goal}${met ? "" : "  (short)"}`,
    );
  }
  const accepted = all.filter((p) => p.linux.verdict === "success" && p.skep.verdict === "success");
  const [ours, theirs] = [accepted.reduce((s, p) => s + p.skep.us, 0), accepted.reduce((s, p) => s + p.linux.us, 0)];
  const ratio = theirs === 0 ? 0 : ours / theirs;
  console.log(
    `  time of programs accepted by both: ${(ours / 1e6).toFixed(2)} s here, ${(theirs / 1e6).toFixed(2)} s on Linux when recorded: ${ratio.toFixed(2)} x`,
  );
  console.log("  heaviest ten (ms here, ms on Linux, insns here, insns on Linux):");
  for (const p of accepted.toSorted((a, b) => b.skep.us - a.skep.us).slice(0, 10)) {
    const cells = [p.skep.us / 1000, p.linux.us / 1000, p.skep.insns, p.linux.insns].map((n) =>
      Math.round(n).toString().padStart(8),
    );
    console.log(`    ${cells.join(" ")}  ${p.linux.file}:${p.linux.prog}`);
  }
  if (missing.length > 0) console.log(`  not built here: ${missing.join(" ")}`);
  if (options.list !== undefined) list(all, options.list);
}

function compareTimes(all: readonly Pair[]): void {
  const both = all.filter((p) => p.linux.verdict === "success" && p.skep.verdict === "success");
  let timed: Timed[];
  try {
    timed = timeAgainstLinux(
      options.objects,
      both.map((p) => p.linux),
      (done) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${both.length} programs timed `);
      },
    );
  } catch (e) {
    console.log(`  times: Linux was not asked: ${(e as Error).message}`);
    return;
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  const sum = (pick: (t: Timed) => number) => timed.reduce((total, t) => total + pick(t), 0);
  const [ours, theirs] = [sum((t) => t.skepUs), sum((t) => t.linuxUs)];
  const ratio = ours / theirs;
  const met = ratio <= 1.5 ? "" : "  (short)";
  console.log(`\n${timed.length} programs that both accept, verified here and by the running Linux in one process:`);
  console.log(
    `  ${(ours / 1e6).toFixed(2)} s here, ${(theirs / 1e6).toFixed(2)} s on Linux: ${ratio.toFixed(2)} x   wanted at most 1.50 x${met}`,
  );
  console.log("  heaviest ten (ms here, ms on Linux, ratio, insns):");
  for (const t of timed.toSorted((a, b) => b.skepUs - a.skepUs).slice(0, 10)) {
    const cells = [t.skepUs / 1000, t.linuxUs / 1000].map((n) => Math.round(n).toString().padStart(8));
    console.log(
      `    ${cells.join(" ")} ${(t.skepUs / t.linuxUs).toFixed(1).padStart(6)} ${String(t.insns).padStart(8)}  ${t.file}:${t.prog}`,
    );
  }
}

function list(all: readonly Pair[], kind: string): void {
  const reached = all.filter((p) => p.linux.stage !== "loader");
  const rejected = reached.filter((p) => p.linux.verdict === "failure" && p.skep.verdict === "failure");
  const kinds: Record<string, () => Pair[]> = {
    verdict: () => reached.filter((p) => disagreement(p) !== undefined),
    accept: () => reached.filter((p) => p.linux.verdict === "failure" && p.skep.verdict === "success"),
    message: () => rejected.filter((p) => foldMessage(p.linux.msg) !== foldMessage(p.skep.msg)),
    errno: () => rejected.filter((p) => p.linux.errno !== p.skep.errno),
    loader: () => all.filter((p) => p.linux.stage === "loader" && p.skep.stage !== "loader"),
    insns: () =>
      reached.filter(
        (p) =>
          p.linux.verdict === "success" &&
          p.skep.verdict === "success" &&
          Math.abs(p.skep.insns - p.linux.insns) > 0.1 * p.linux.insns,
      ),
    time: () => reached.filter((p) => p.skep.us > 3 * p.linux.us && p.skep.us > 1000),
    crash: () => all.filter((p) => p.skep.msg.startsWith("crash: ")),
    all: () => [...all],
  };
  const pick = kinds[kind];
  if (!pick) {
    console.error(`--list ${kind}: one of ${Object.keys(kinds).join(", ")} wanted`);
    process.exit(2);
  }
  for (const { linux, skep } of pick()) {
    const said = (r: VerdictRow) =>
      `${r.stage} errno=${r.errno} insns=${r.insns} us=${r.us} ${r.msg.trim().split("\n").at(-1) ?? ""}`;
    console.log(`\n${linux.file}:${linux.prog} (${linux.sec})\n  linux ${said(linux)}\n  skep  ${said(skep)}`);
  }
}
