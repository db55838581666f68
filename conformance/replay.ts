/**
 * Holds skep against recorded answers of Linux (conformance/record/record_bpf.c): same programs, same maps, same BTF.
 *
 *   npm run conformance:replay -- FILE.jsonl... [--caps all|noPerfmon|table] [--only TEXT] [--list KIND] [--log]
 *
 * --caps table  the unprivileged, against what the tables of test_verifier expect; Linux itself need not be asked
 * --list        accept, reject, message, errno, insns, crash, time
 * --log         prints skep's log at level 2 for the programs that --only picks
 */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { foldMessage } from "./compare.ts";
import { type ProgRow, Recording, replay, type Said } from "./record/replay_rows.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    btf: { type: "string" },
    caps: { type: "string", default: "all" },
    only: { type: "string" },
    list: { type: "string" },
    log: { type: "boolean" },
  },
});
if (positionals.length === 0) {
  console.error("a recording is wanted: see conformance/record.sh");
  process.exit(2);
}

interface Pair {
  readonly name: string;
  readonly linux: { errno: number; insns: number; us: number; msg: string };
  readonly skep: Said;
  readonly sameMessage: boolean;
}

const { btf } = loadKernelBtf(options.btf);
const pairs: Pair[] = [];
for (const file of positionals) {
  const rec = new Recording();
  const seen = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const row = rec.take(line);
    if (row === undefined) continue;
    const pair = judge(rec, row, seen);
    if (pair) pairs.push(pair);
  }
}
report();
process.exit(pairs.some((p) => p.skep.errno < 0) ? 1 : 0);

function judge(rec: Recording, row: ProgRow, seen: Set<string>): Pair | undefined {
  const table = options.caps === "table";
  if (row.caps !== (table ? "all" : options.caps)) return undefined;
  const name = row.note.test ?? `${row.note.file ?? ""}:${row.note.prog ?? row.name}`;
  if (options.only !== undefined && !name.includes(options.only)) return undefined;
  // libbpf asks what the kernel can do, again and again.
  const key = [row.insns, row.type, row.attachType, row.note.file ? row.name : name].join();
  if (seen.has(key)) return undefined;
  // Tests of programs also load what fills their prog arrays, and probes of libbpf.
  const { slots } = row.note;
  if (slots !== undefined && (slots !== row.insns.length / 16 || seen.has(name))) return undefined;
  seen.add(key);
  seen.add(name);
  if (table) return judgeTable(rec, row, name);
  const skep = replay(rec, row, row.caps, btf, options.log ? 2 : 4);
  if (options.log) console.log(skep.log);
  const linux = { errno: row.errno, insns: row.insnsProcessed, us: row.us, msg: row.msg };
  // Before the verifier Linux says nothing, and skep says it elsewhere.
  const sameMessage = foldMessage(row.msg) === (skep.log === "" ? "" : foldMessage(skep.msg));
  return { name, linux, skep, sameMessage };
}

/** The tables name parts of the log, separated by tabs. */
function judgeTable(rec: Recording, row: ProgRow, name: string): Pair | undefined {
  const { unpriv, unprivMsg = "" } = row.note;
  if (!unpriv) return undefined;
  const skep = replay(rec, row, "none", btf, options.log ? 2 : 4);
  if (options.log) console.log(skep.log);
  const linux = { errno: unpriv === "accept" ? 0 : 13, insns: 0, us: 0, msg: unprivMsg };
  let from = 0;
  const sameMessage = unprivMsg.split("\t").every((part) => {
    const at = skep.log.indexOf(part, from);
    from = at + part.length;
    return at >= 0;
  });
  return { name, linux, skep, sameMessage };
}

function report(): void {
  const both = (accepted: boolean) =>
    pairs.filter((p) => (p.linux.errno === 0) === accepted && (p.skep.errno === 0) === accepted);
  const accept = pairs.filter((p) => p.linux.errno !== 0 && p.skep.errno === 0);
  const reject = pairs.filter((p) => p.linux.errno === 0 && p.skep.errno !== 0);
  const near = (p: Pair) => Math.abs(p.skep.insns - p.linux.insns) <= 0.1 * p.linux.insns;
  const [accepted, rejected] = [both(true), both(false)];
  const line = (name: string, count: number, of: number) =>
    console.log(`  ${name.padEnd(36)} ${of === 0 ? "-" : `${((100 * count) / of).toFixed(1)}%`}  ${count}/${of}`);
  console.log(`${pairs.length} programs, caps ${options.caps}`);
  line("same verdict", accepted.length + rejected.length, pairs.length);
  line("accepted here, rejected there", accept.length, pairs.length);
  line("rejected here, accepted there", reject.length, pairs.length);
  line("same message, of rejections", rejected.filter((p) => p.sameMessage).length, rejected.length);
  if (options.caps !== "table") {
    line("same errno, of rejections", rejected.filter((p) => p.skep.errno === p.linux.errno).length, rejected.length);
    line("insns within 10%, of accepted", accepted.filter(near).length, accepted.length);
    const sum = (which: "linux" | "skep") => (accepted.reduce((s, p) => s + p[which].us, 0) / 1e6).toFixed(2);
    console.log(`  time of programs accepted by both: ${sum("skep")} s here, ${sum("linux")} s on Linux`);
  }
  const lists: Record<string, () => Pair[]> = {
    accept: () => accept,
    reject: () => reject,
    message: () => rejected.filter((p) => !p.sameMessage),
    errno: () => rejected.filter((p) => p.skep.errno !== p.linux.errno),
    insns: () => accepted.filter((p) => !near(p)),
    crash: () => pairs.filter((p) => p.skep.errno < 0),
    time: () => accepted.filter((p) => p.skep.us > 3 * p.linux.us && p.skep.us > 2000),
    all: () => pairs,
  };
  for (const p of lists[options.list ?? ""]?.() ?? []) {
    const said = (s: { errno: number; insns: number; us: number; msg: string }) =>
      `errno=${s.errno} insns=${s.insns} us=${s.us} ${s.msg}`;
    console.log(`\n${p.name}\n  linux ${said(p.linux)}\n  skep  ${said(p.skep)}`);
  }
}
