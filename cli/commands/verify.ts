/** skep verify: loads each program of object files alone and prints what the verifier says. */
import { Option } from "commander";
import { BpfError } from "../../src/abi/errno.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadAlone, type Verdict } from "../../src/loader/load_alone.ts";
import { readFile } from "../../src/node/files.ts";
import { loadKernelBtf } from "../../src/node/kernel_btf.ts";
import { kernelConfig, runningKernelFacts } from "../../src/node/kernel_facts.ts";
import { linux } from "../../src/node/linux/index.ts";
import { openSpec } from "../../src/object/open.ts";
import type { ObjectSpec } from "../../src/object/spec.ts";
import { PROG_TYPES } from "../../src/progs/prog_types.ts";
import type { ComplexityReport, Explanation } from "../../src/verifier/explain/explanation.ts";
import { linux618 } from "../../src/verifier/profile.ts";
import { complexityView } from "../complexity_view.ts";
import { explanationView } from "../explain_view.ts";
import { addKernelOption, type KernelName } from "../kernel.ts";
import { colors, formatCount, type Io, table, UsageError } from "../output.ts";
import { type CliCommand, collect } from "./command.ts";

interface Options {
  readonly format?: string;
  readonly json?: boolean;
  readonly btf?: string;
  readonly prog?: string[];
  readonly log?: string;
  readonly kernel: KernelName;
  readonly explain?: boolean;
  readonly complexity?: boolean;
}

/** What stands in a line of `--format json`, in this order. */
type Row = Pick<
  Verdict,
  "file" | "prog" | "sec" | "type" | "verdict" | "stage" | "errno" | "insns" | "states" | "us" | "msg"
>;

export const verify: CliCommand = {
  name: "verify",
  description: "say whether the programs of object files would load",
  configure(command) {
    command
      .argument("<file...>", "BPF object files")
      .addOption(new Option("--format <format>", "json: one line for each program").choices(["table", "json"]))
      .option("--btf <file>", "BTF of the kernel (default: the running kernel's, else the built-in one)")
      .option("--prog <name>", "only this program (may be repeated)", collect)
      .option("--explain", "say for each refusal which rule, which value, how it came to be, and what to do")
      .option("--complexity", "show where the verifier spends its work, and why paths are not merged")
      .option("--log <level>", "print the verifier's log: 1 branches, 2 instructions, 4 statistics (sum of them)");
    addKernelOption(command, "skep");
  },
  run([files], options, io) {
    const { format, json, btf, prog: names, log, explain, complexity, kernel: which } = options as unknown as Options;
    if (which === "linux" && (btf !== undefined || complexity)) {
      throw new UsageError(
        "verify: --kernel linux seen, which has a BTF and a verifier of its own; no --btf, --complexity wanted",
      );
    }
    using real = which === "linux" ? linux() : undefined;
    const asJson = json === true || format === "json";
    const logLevel = log === undefined ? 4 : level(log);
    const kernelBtf = loadKernelBtf(btf).btf;
    const facts = btf === undefined ? runningKernelFacts() : {};
    const platform = linux618(kernelBtf, kernelConfig(facts.kconfig));
    const rows: Row[] = [];
    const messages: string[] = [];
    const views: string[] = [];
    let matched = names === undefined;
    for (const file of files as string[]) {
      for (const { row, message, explanation, work } of verifyFile(file)) {
        rows.push(row);
        const where = `${row.prog} of ${row.file}`;
        if (explanation) views.push(explanationView(explanation, where, io));
        else if (message !== "") messages.push(message);
        if (work && !explanation?.complexity) views.push(`${where}\n${complexityView(work, io)}`);
        const more = { ...(explanation && { explanation }), ...(work && { complexity: work }) };
        if (asJson) io.out(`${JSON.stringify({ ...row, ...more })}\n`);
      }
    }
    if (!matched) throw new UsageError(`no program is named ${names?.map((n) => `'${n}'`).join(", ")}`);
    if (!asJson) report(rows, views, messages, io);
    return rows.every((r) => r.verdict === "success") ? 0 : 1;

    function* verifyFile(file: string): Generator<Result> {
      let spec: ObjectSpec;
      try {
        spec = openSpec(readFile(file), file);
      } catch (e) {
        if (!(e instanceof BpfError)) throw e;
        matched = true;
        yield { row: unopened(file, e), message: e.message };
        return;
      }
      const progs = spec.progs.filter((p) => names === undefined || names.includes(p.name));
      matched ||= progs.length > 0;
      for (const { name } of progs) {
        const bpf = real ?? new Kernel({ platform }).spawn();
        const options = { ...facts, kernelBtf, logLevel, complexity: complexity === true };
        const verdict = loadAlone(spec, name, bpf, options);
        const text = verdict.log;
        if (log !== undefined && !asJson) io.out(`${text}${text.endsWith("\n") ? "" : "\n"}`);
        const explanation = explain ? verdict.explain() : undefined;
        yield { row: rowOf(verdict), message: verdict.message, explanation, work: verdict.stats?.complexity };
      }
    }
  },
};

interface Result {
  readonly row: Row;
  readonly message: string;
  readonly explanation?: Explanation | undefined;
  readonly work?: ComplexityReport | undefined;
}

function rowOf(v: Verdict): Row {
  const { file, prog, sec, type, verdict, stage, errno, insns, states, us, msg } = v;
  return { file, prog, sec, type, verdict, stage, errno, insns, states, us, msg };
}

function unopened(file: string, e: BpfError): Row {
  const counts = { insns: 0, states: 0, us: 0 };
  return {
    file,
    prog: "",
    sec: "",
    type: 0,
    verdict: "failure",
    stage: "loader",
    errno: e.errno,
    ...counts,
    msg: e.message,
  };
}

function level(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > 7) throw new UsageError(`--log: '${text}' seen, a level from 1 to 7 wanted`);
  return n;
}

function report(rows: readonly Row[], views: readonly string[], messages: readonly string[], io: Io): void {
  const c = colors(io);
  const opened = rows.filter((r) => r.prog !== "");
  const cells = opened.map((r) => [
    r.file,
    r.prog,
    PROG_TYPES[r.type]?.name ?? String(r.type),
    r.verdict === "success" ? c.green("success") : c.red(`failure (${r.stage})`),
    formatCount(r.insns),
    formatCount(r.states),
    formatCount(r.us),
  ]);
  if (opened.length > 0) io.out(table(io, ["FILE", "PROGRAM", "TYPE", "VERDICT", ">INSNS", ">STATES", ">µs"], cells));
  for (const view of views) io.out(`\n${view}\n`);
  for (const message of messages) io.out(`${c.red("✗")} ${message}\n`);
  const good = rows.filter((r) => r.verdict === "success").length;
  const bad = rows.length - good;
  io.out(`${good} accepted, ${bad === 0 ? "0 refused" : c.red(`${bad} refused`)}\n`);
}
