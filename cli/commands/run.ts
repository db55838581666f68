/**
 * skep run: one program of an object file over a capture, over one packet, or with given arguments.
 *
 * The object is loaded as libbpf would load it, with the program that runs and the programs of its prog arrays.
 */
import { Option } from "commander";
import { BpfError } from "../../src/abi/errno.ts";
import type { Btf } from "../../src/btf/btf.ts";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { type EngineName, RunFault } from "../../src/interp/image.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { type BpfObject, type LoadOptions, openObject } from "../../src/loader/object.ts";
import type { BpfProg } from "../../src/loader/prog.ts";
import { parseSetExpression, type SetExpression } from "../../src/loader/set_expr.ts";
import { openBatch } from "../../src/net/batch.ts";
import { createKernel } from "../../src/net/create.ts";
import { readFile } from "../../src/node/files.ts";
import { loadKernelBtf } from "../../src/node/kernel_btf.ts";
import { runningKernelFacts } from "../../src/node/kernel_facts.ts";
import { linux } from "../../src/node/linux/index.ts";
import { PROG_TYPES } from "../../src/progs/prog_types.ts";
import { CaptureClock } from "../capture_clock.ts";
import { type BatchCallbacks, type CaptureResult, type PacketBatch, runCapture } from "../capture_run.ts";
import { EventDrain } from "../event_drain.ts";
import { addKernelOption, type KernelName } from "../kernel.ts";
import { dumpMap, jsonValue, printMap } from "../map_view.ts";
import { bar, colors, formatBytes, formatCount, type Io, UsageError } from "../output.ts";
import { testRunBatch } from "../test_run_batch.ts";
import { VERDICTS, type Verdicts } from "../verdicts.ts";
import { type CliCommand, collect } from "./command.ts";

interface Options {
  readonly prog?: string;
  readonly pcap?: string;
  readonly out?: string;
  readonly packet?: string;
  readonly args?: string[];
  readonly repeat?: string;
  readonly set?: string[];
  readonly dump?: string[];
  readonly events?: string[];
  readonly device?: string[];
  readonly engine: EngineName;
  readonly btf?: string;
  readonly json?: boolean;
  readonly kernel: KernelName;
}

export const run: CliCommand = {
  name: "run",
  description: "run a program over a capture, a packet or arguments",
  configure(command) {
    command
      .argument("<file>", "BPF object file")
      .option("--prog <name>", "which program (default: the only one)")
      .option("--pcap <file>", "capture to run over: pcap or pcapng")
      .option("--out <file>", "new capture of the packets that the program lets through (.pcap or .pcapng)")
      .option("--packet <hex>", "one packet instead of a capture")
      .option("--args <n...>", "arguments instead of packets (tracing and syscall programs)")
      .option("--repeat <n>", "with --packet and --args: runs, for the mean time of one")
      .option("--set <assignment>", 'variable or map element: limit=5, blocked["10.0.0.1"]=1 (repeatable)', collect)
      .option("--dump <map>", "print a map afterwards (repeatable)", collect)
      .option("--events <map>", "print the records of a ring buffer or perf event array (repeatable)", collect)
      .option(
        "--device <name>",
        "simulated devices, ifindex 2 and up; packets arrive on the first (default: eth0)",
        collect,
      )
      .addOption(new Option("--engine <engine>").choices(["jit", "interp"]).default("jit"))
      .option("--btf <file>", "BTF of the kernel (default: the running kernel's, else the built-in one)");
    addKernelOption(command, "skep");
  },
  run([file], options, io) {
    return new Run(file as string, options as unknown as Options, io).run();
  },
};

class Run {
  readonly #file: string;
  readonly #options: Options;
  readonly #io: Io;
  readonly #object: BpfObject;
  readonly #prog: BpfProg;
  readonly #printed: string[] = [];

  constructor(file: string, options: Options, io: Io) {
    this.#file = file;
    this.#options = options;
    this.#io = io;
    const inputs = [options.pcap, options.packet, options.args].filter((o) => o !== undefined);
    if (inputs.length !== 1) {
      throw new UsageError(`run: ${inputs.length} inputs seen, one of --pcap, --packet and --args wanted`);
    }
    if (options.out !== undefined && options.pcap === undefined) throw new UsageError("run: --out needs --pcap");
    this.#object = openObject(readFile(file), { name: file });
    this.#prog = this.#choose();
    this.#checkMaps();
  }

  /** @returns the exit code */
  run(): number {
    const { json } = this.#options;
    const kernelBtf = loadKernelBtf(this.#options.btf).btf;
    const printk = (line: string) => void (json ? this.#printed.push(line) : this.#io.out(`bpf_printk: ${line}\n`));
    const clock = new CaptureClock();
    const place = this.#options.kernel === "linux" ? this.#onLinux() : this.#onSkep(kernelBtf, printk, clock);
    using bpf = place.bpf;
    const assignments = (this.#options.set ?? []).map((text) => usage(() => parseSetExpression(text)));
    const elements = assignments.filter((e) => e.target in this.#object.maps && e.path.length > 0);
    for (const e of assignments) if (!elements.includes(e)) this.#assign(e);
    this.#object.load(bpf, { kernelBtf, ...place.facts });
    for (const e of elements) this.#assign(e);

    const drain = new EventDrain(this.#object, this.#options.events ?? [], json === true, this.#io);
    const verdicts = VERDICTS.get(this.#prog.type);
    if (this.#options.pcap !== undefined) {
      if (!verdicts) throw new UsageError(`${this.#where()} is of type ${this.#typeName()}, which sees no packets`);
      const result = this.#capture(place, verdicts, clock, drain);
      this.#reportCapture(result, verdicts, drain);
    } else {
      this.#once(verdicts, drain);
    }
    if (!json) {
      for (const name of this.#options.dump ?? []) this.#io.out(`\n${printMap(this.#object.maps[name], this.#io)}`);
    }
    return 0;
  }

  #capture(place: Place, verdicts: Verdicts, clock: CaptureClock, drain: EventDrain): CaptureResult {
    const { pcap, out } = this.#options;
    const onChunk = () => drain.drain();
    try {
      return runCapture(place.openBatch, { pcap: pcap as string, out, verdicts, clock, onChunk }, this.#io);
    } catch (e) {
      throw this.#fault(e);
    }
  }

  #onSkep(kernelBtf: Btf, printk: (line: string) => void, clock: CaptureClock): Place {
    const { engine, device } = this.#options;
    const kernel = createKernel({ kernelBtf, engine, printk, clock: () => clock.now(), realClock: () => clock.real() });
    const devices = (device ?? ["eth0"]).map((name) => kernel.net.addDevice({ name }));
    const bpf = kernel.spawn();
    const { ifindex } = devices[0];
    return {
      bpf,
      facts: {},
      openBatch: (callbacks) => openBatch(kernel, bpf.progAt(this.#prog.fd), { engine, ifindex, ...callbacks }),
    };
  }

  #onLinux(): Place {
    const { device, btf } = this.#options;
    if (device !== undefined || btf !== undefined) {
      throw new UsageError("run: --kernel linux has devices and a BTF of its own; no --device, --btf wanted");
    }
    return {
      bpf: linux(),
      facts: runningKernelFacts(),
      openBatch: (callbacks) => testRunBatch(this.#prog, callbacks),
    };
  }

  /** One packet, or arguments. */
  #once(verdicts: Verdicts | undefined, drain: EventDrain): void {
    const { packet, args, repeat, engine, json } = this.#options;
    const attr = {
      engine,
      ...(packet === undefined ? {} : { dataIn: usage(() => fromHex(packet)) }),
      ...(args === undefined ? {} : { ctxIn: packArgs(args) }),
      ...(repeat === undefined ? {} : { repeat: positive("--repeat", repeat) }),
    };
    const result = (() => {
      try {
        return this.#prog.testRun(attr);
      } catch (e) {
        throw this.#fault(e);
      }
    })();
    drain.drain();
    const name = verdicts?.name(result.retval);
    if (json) {
      const named = name === undefined ? {} : { verdict: name };
      const data = packet === undefined ? {} : { dataOut: toHex(result.dataOut) };
      this.#json({ retval: result.retval, ...named, ...data, durationNs: result.durationNs }, drain);
      return;
    }
    const c = colors(this.#io);
    this.#io.out(`${c.bold(this.#prog.name)} returned ${result.retval}${name === undefined ? "" : ` (${name})`}`);
    this.#io.out(` in ${Math.round(result.durationNs)} ns\n`);
    if (packet !== undefined) this.#io.out(`${hexDump(result.dataOut)}`);
    drain.report();
  }

  #reportCapture(result: CaptureResult, verdicts: Verdicts, drain: EventDrain): void {
    const { pcap, out, json } = this.#options;
    const counts = [...result.verdicts].map(([v, n]) => [verdicts.name(v), n] as const).toSorted((a, b) => b[1] - a[1]);
    const perSecond = Math.round(result.packets / result.seconds);
    if (json) {
      const { packets, bytes, written, seconds } = result;
      this.#json(
        {
          packets,
          bytes,
          verdicts: Object.fromEntries(counts),
          written,
          seconds,
          perSecond,
          engine: this.#engineName(),
        },
        drain,
      );
      return;
    }
    const c = colors(this.#io);
    const { io } = { io: this.#io };
    io.out(`${c.bold(this.#prog.name)} (${this.#typeName()}) over ${pcap}: ${formatCount(result.packets)} packets, `);
    io.out(`${formatBytes(result.bytes)}\n\n`);
    const nameWidth = Math.max(...counts.map(([name]) => name.length), 0);
    for (const [name, n] of counts) {
      const share = n / result.packets;
      const percent = `${(100 * share).toFixed(1)}%`.padStart(6);
      io.out(
        `  ${name.padEnd(nameWidth)}  ${formatCount(n).padStart(10)}  ${percent}  ${c.cyan(bar(share, 40).trimEnd())}\n`,
      );
    }
    const ms = result.seconds * 1000;
    io.out(
      `\n${ms < 1000 ? `${ms.toFixed(0)} ms` : `${result.seconds.toFixed(2)} s`}, ${formatCount(perSecond)} packets/s (${this.#engineName()})\n`,
    );
    if (out !== undefined) io.out(`${out}: ${formatCount(result.written)} packets\n`);
    drain.report();
  }

  #json(result: object, drain: EventDrain): void {
    const maps = Object.fromEntries((this.#options.dump ?? []).map((name) => [name, dumpMap(this.#object.maps[name])]));
    const all = {
      file: this.#file,
      prog: this.#prog.name,
      ...result,
      ...(this.#printed.length > 0 ? { printk: this.#printed } : {}),
      ...(this.#options.events ? { events: drain.records } : {}),
      ...(this.#options.dump ? { maps } : {}),
    };
    this.#io.out(`${JSON.stringify(all, jsonValue)}\n`);
  }

  /** The program to run; loads with it only what its prog arrays may jump to. */
  #choose(): BpfProg {
    const progs = Object.values(this.#object.progs);
    const names = progs.map((p) => p.name).join(", ") || "none";
    const { prog: name } = this.#options;
    const prog = name === undefined ? progs[0] : this.#object.progs[name];
    if (!prog) throw new UsageError(`${this.#file}: program '${name ?? ""}' seen, one of ${names} wanted`);
    if (name === undefined && progs.length > 1) {
      throw new UsageError(`${this.#file}: has ${progs.length} programs, --prog with one of ${names} wanted`);
    }
    const called = new Set(
      this.#object.spec.maps.flatMap((m) => m.initSlots.flatMap((s) => (s.kind === "prog" ? [s.prog] : []))),
    );
    for (const p of progs) p.autoload = p === prog || called.has(p.name);
    return prog;
  }

  /** Before anything runs. */
  #checkMaps(): void {
    const { maps } = this.#object;
    for (const name of [...(this.#options.dump ?? []), ...(this.#options.events ?? [])]) {
      if (maps[name]) continue;
      throw new UsageError(
        `${this.#file}: map '${name}' seen, one of ${Object.keys(maps).join(", ") || "none"} wanted`,
      );
    }
  }

  #assign(e: SetExpression): void {
    usage(() => this.#object.set(e));
  }

  #where(): string {
    return `${this.#file}: program '${this.#prog.name}'`;
  }

  #engineName(): string {
    return this.#options.kernel === "linux" ? "linux" : this.#options.engine;
  }

  #typeName(): string {
    return PROG_TYPES[this.#prog.type]?.name ?? String(this.#prog.type);
  }

  #fault(e: unknown): unknown {
    if (!(e instanceof RunFault)) return e;
    const at = e.insnIdx === undefined ? "" : ` at instruction ${e.insnIdx}`;
    return new Fault(`${this.#where()}: stopped${at}: ${e.message}`, { cause: e });
  }
}

/** Where the program runs. */
interface Place {
  readonly bpf: Bpf & Disposable;
  readonly facts: LoadOptions;
  readonly openBatch: (callbacks: BatchCallbacks) => PacketBatch;
}

/** A run that was stopped. RangeError is what reportError prints as one line. */
class Fault extends RangeError {
  override readonly name = "Fault";
}

/** A mistake in the user's words rather than in a file: exit code 2. */
function usage<T>(body: () => T): T {
  try {
    return body();
  } catch (e) {
    if (e instanceof BpfError || e instanceof RangeError) throw new UsageError(e.message, { cause: e });
    throw e;
  }
}

function positive(option: string, text: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n <= 0) throw new UsageError(`${option}: '${text}' seen, a positive integer wanted`);
  return n;
}

/** Arguments of a tracing program: a u64 each. */
function packArgs(args: readonly string[]): Uint8Array {
  const out = new BigInt64Array(args.length);
  for (const [i, text] of args.entries()) {
    try {
      out[i] = BigInt.asIntN(64, BigInt(text));
    } catch {
      throw new UsageError(`--args: '${text}' seen, an integer wanted`);
    }
  }
  return new Uint8Array(out.buffer);
}

function hexDump(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 16) {
    text += `  ${at.toString(16).padStart(4, "0")}  ${toHex(bytes.subarray(at, at + 16), " ")}\n`;
  }
  return text;
}
