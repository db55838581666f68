/**
 * npm run bench [-- --rounds N] [-- --json] [-- NAME ...]: the programs of bench/progs on the JIT, the interpreter and,
 * where permitted, Linux's JIT through BPF_PROG_TEST_RUN.
 *
 * Numbers are ns per run, net of the engine's own empty run; medians of rounds in which the engines take turns. Warm: each
 * program has run long enough for the optimising compiler. "load" (verification) and "compile" (verified program to
 * instance) are cold, in ms.
 */
import { parseArgs } from "node:util";
import { type CaptureFigures, firewallOverCapture } from "./capture.ts";
import { loadOnLinux } from "./linux.ts";
import { LinuxBpf } from "./linux_bpf.ts";
import { openPrograms } from "./programs.ts";
import { type Loaded, Skep } from "./skep.ts";

const SAMPLE_MS = 15;
const WARM_MS = 60;

interface Row {
  readonly name: string;
  readonly title: string;
  readonly jit: number;
  readonly interp: number;
  readonly linux: number | undefined;
  readonly loadMs: number;
  readonly compileMs: number;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "7" }, json: { type: "boolean", default: false } },
  });
  const rounds = Number(values.rounds);
  const wanted = (name: string): boolean => name === "empty" || positionals.length === 0 || positionals.includes(name);
  const programs = openPrograms().filter((p) => wanted(p.name));
  const skep = new Skep();
  const linux = new LinuxBpf();
  const loaded = programs.map((p) => skep.load(p));
  const engines: { jit: Loaded[]; interp: Loaded[]; linux: Loaded[] } = {
    jit: loaded.map((p) => p.jit),
    interp: loaded.map((p) => p.interp),
    linux: [],
  };
  try {
    for (const p of programs) engines.linux.push(await loadOnLinux(linux, p));
  } catch (error) {
    console.error(`bench: not on Linux: ${(error as Error).message}`);
    engines.linux = [];
  }
  await sameResults(engines.jit, engines.interp, engines.linux);

  const [jit, interp, lin] = await measure([engines.jit, engines.interp, engines.linux], rounds);
  linux.close();
  const rows: Row[] = programs.map((p, n) => ({
    name: p.name,
    title: p.title,
    jit: jit[n],
    interp: interp[n],
    linux: lin[n],
    loadMs: loaded[n].loadMs,
    compileMs: loaded[n].compileMs,
  }));
  const capture = positionals.length === 0 ? firewallOverCapture(1_000_000) : undefined;
  if (values.json) console.log(JSON.stringify({ rows, capture }));
  else {
    print(rows);
    if (capture) printCapture(capture);
  }
}

function printCapture({ packets, dropped, packetsPerSecond, kernelBytes, memoryBytes }: CaptureFigures): void {
  const rate = `${(packetsPerSecond / 1e6).toFixed(2)} million packets/s`;
  console.log(`\nfirewall over a capture of ${packets} packets: ${rate} from pcapng to verdict, ${dropped} dropped`);
  const bytes = ([early, late]: readonly [number, number]): string => `${early} -> ${late} bytes`;
  console.log(
    `  from packet ${packets / 10} to the last: allocated ${bytes(kernelBytes)}, memory ${bytes(memoryBytes)}`,
  );
}

/** Every engine must return the same, or the times mean nothing. */
async function sameResults(reference: readonly Loaded[], ...others: (readonly Loaded[])[]): Promise<void> {
  for (const [n, prog] of reference.entries()) {
    const want = await prog.retval();
    for (const engine of others) {
      const got = await engine[n]?.retval();
      if (got !== undefined && got !== want) throw new Error(`bench: ${prog.name} returned ${want} and ${got}`);
    }
  }
}

/** ns by engine and program, net of the program "empty", which is the first. */
async function measure(engines: readonly (readonly Loaded[])[], rounds: number): Promise<number[][]> {
  const repeats = engines.map((progs) => progs.map(() => 1));
  for (const [e, progs] of engines.entries()) {
    for (const [n, prog] of progs.entries()) repeats[e][n] = await calibrate(prog);
  }
  const samples = engines.map((progs) => progs.map((): number[] => []));
  for (let round = 0; round < rounds; round++) {
    for (let n = 0; n < engines[0].length; n++) {
      for (const [e, progs] of engines.entries()) {
        if (progs[n]) samples[e][n].push(await progs[n].time(repeats[e][n]));
      }
    }
  }
  return samples.map((progs) => {
    const medians = progs.map(median);
    return medians.map((ns, n) => (n === 0 ? ns : ns - medians[0]));
  });
}

/** Runs the program until it is warm. @returns how many runs take about SAMPLE_MS */
async function calibrate(prog: Loaded): Promise<number> {
  let repeat = 10;
  let ns = await prog.time(repeat);
  for (let spent = 0; spent < WARM_MS; spent += (ns * repeat) / 1e6) {
    repeat = Math.max(1, Math.ceil(Math.min(repeat * 10, (SAMPLE_MS * 1e6) / ns)));
    ns = await prog.time(repeat);
  }
  return Math.max(1, Math.ceil((SAMPLE_MS * 1e6) / ns));
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function print(rows: readonly Row[]): void {
  const ns = (v: number | undefined): string => (v === undefined ? "-" : v.toFixed(v < 100 ? 1 : 0));
  const cells = rows.map((r) => [
    r.title,
    ns(r.jit),
    ns(r.linux),
    r.linux === undefined || r.name === "empty" ? "-" : (r.jit / r.linux).toFixed(2),
    ns(r.interp),
    r.loadMs.toFixed(1),
    r.compileMs.toFixed(1),
  ]);
  const table = [
    ["ns per run, net of empty", "JIT", "Linux JIT", "JIT/Linux", "interpreter", "load ms", "compile ms"],
    ...cells,
  ];
  const widths = table[0].map((_, c) => Math.max(...table.map((row) => row[c].length)));
  for (const row of table) console.log(row.map((s, c) => (c ? s.padStart(widths[c]) : s.padEnd(widths[c]))).join("  "));
}

await main();
