/**
 * skep monitor: what happens to programs, maps, links and pins, as it happens, and who did it.
 *
 * With --scenario, of the steps of the file. On Linux, which tells nobody, what changed between two looks.
 */
import { dirname } from "node:path";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { Devices, type LinuxBpf, linux } from "../../src/node/linux/index.ts";
import { addScenarioOption } from "../kernel.ts";
import { changes, look, tryLook } from "../monitor/poll.ts";
import { HEADER, jsonOf, lineOf, type Names, type Shown } from "../monitor/print.ts";
import { colors, type Io, UsageError } from "../output.ts";
import { readScenario, runStep } from "../scenario/file.ts";
import { Scene } from "../scenario/scene.ts";
import type { CliCommand } from "./command.ts";

interface Options {
  readonly scenario?: string;
  readonly json?: boolean;
  readonly interval: string;
  readonly duration?: string;
  readonly capacity: string;
}

export const monitor: CliCommand = {
  name: "monitor",
  description: "print every attach, detach, replace, pin, unpin and defunct link, and who did it",
  configure(command) {
    command
      .option("--interval <ms>", "on Linux: time between two looks", "500")
      .option("--duration <ms>", "on Linux: when to stop (default: when interrupted)")
      .option("--capacity <n>", "with --scenario: events kept for this reader in one step", "1024");
    addScenarioOption(command);
  },
  run(_, options, io) {
    const o = options as unknown as Options;
    return o.scenario === undefined ? watchLinux(o, io) : watchScenario(o.scenario, o, io);
  },
};

function numberOf(text: string, option: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new UsageError(`--${option}: '${text}' seen, a whole number from 1 wanted`);
  return n;
}

function print(io: Io, o: Options, event: Shown, names: Names): void {
  io.out(o.json ? `${jsonOf(event, names)}\n` : lineOf(io, event, names));
}

function watchScenario(file: string, o: Options, io: Io): number {
  const capacity = numberOf(o.capacity, "capacity");
  const scenario = readScenario(file);
  using scene = new Scene(dirname(file));
  using told = scene.kernel.events.subscribe(capacity);
  const known = new Map<number, string>();
  const names: Names = {
    device: (ifindex) => known.get(ifindex),
    cgroup: (id) => scene.kernel.cgroups.find(id)?.path,
  };
  if (!o.json) io.out(HEADER);
  scenario.steps.forEach(({ text }, i) => {
    if (!o.json) io.out(`${colors(io).dim(`${`${i + 1}.`.padStart(5)}  ${text}`)}\n`);
    try {
      runStep(scenario, i, scene);
    } finally {
      // A device that is gone keeps its name for what is told of it.
      for (const { ifindex, name } of scene.kernel.net.devices) known.set(ifindex, name);
      const { events, missed } = told.read();
      for (const event of events) print(io, o, event, names);
      if (missed)
        io.out(o.json ? `${JSON.stringify({ missed })}\n` : `${colors(io).red(`       ${missed} events missed`)}\n`);
    }
  });
  return 0;
}

async function watchLinux(o: Options, io: Io): Promise<number> {
  const interval = numberOf(o.interval, "interval");
  const end = o.duration === undefined ? Number.POSITIVE_INFINITY : Date.now() + numberOf(o.duration, "duration");
  using bpf = linux();
  io.err(`skep: Linux does not tell of these events; looking every ${interval} ms at what changed\n`);
  if (!o.json) io.out(HEADER);
  let before = look(bpf);
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  process.once("SIGINT", stop);
  try {
    while (!stopped && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(interval, end - Date.now())));
      const after = tryLook(bpf);
      if (!after) continue;
      for (const event of changes(before, after)) print(io, o, event, linuxNames(bpf));
      before = after;
    }
  } finally {
    process.off("SIGINT", stop);
  }
  return 0;
}

function linuxNames(bpf: LinuxBpf & Bpf): Names {
  return {
    device(ifindex) {
      using devices = new Devices(bpf.sys);
      return devices.list().find((d) => d.ifindex === ifindex)?.name;
    },
    cgroup: () => undefined,
  };
}
