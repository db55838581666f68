/** skep batch: commands from a file, one a line, on one kernel, as bpftool's batch mode. */
import { readFile } from "../../src/node/files.ts";
import { answerText, type ObjectCommand } from "../bpftool/verbs.ts";
import { addKernelOption, addScenarioOption, type KernelName, openKernel } from "../kernel.ts";
import { type Io, UsageError } from "../output.ts";
import { cgroup } from "./cgroup.ts";
import type { CliCommand } from "./command.ts";
import { link } from "./link.ts";
import { map } from "./map.ts";
import { net } from "./net.ts";
import { prog } from "./prog.ts";

const OBJECTS: readonly ObjectCommand[] = [prog, map, link, net, cgroup];

interface Options {
  readonly kernel: KernelName;
  readonly scenario?: string;
  readonly json?: boolean;
  readonly bpffs?: boolean;
}

export const batch: CliCommand = {
  name: "batch",
  description: "run commands from a file, one a line, on one kernel",
  configure(command) {
    command
      .argument("<words...>", "file FILE; - is standard input. What follows '#' is a comment")
      .option("-f, --bpffs", "show the paths of pins");
    addKernelOption(command, "linux");
    addScenarioOption(command);
  },
  async run([words], options, io) {
    const { kernel, scenario, json = false, bpffs = false } = options as unknown as Options;
    const [keyword, file] = words as string[];
    if (keyword !== "file" || file === undefined) throw new UsageError("batch: file FILE wanted");
    const commands = linesOf(await contentOf(file, io));
    using opened = openKernel(kernel, scenario);
    const outputs: { command: string[]; output: unknown }[] = [];
    for (const { number, command } of commands) {
      const [name = "", ...rest] = command;
      // bpftool takes the beginning of a name.
      const object = OBJECTS.find((o) => o.name.startsWith(name));
      if (!object)
        throw new UsageError(
          `${file}:${number}: '${name}' seen, one of ${OBJECTS.map((o) => o.name).join(", ")} wanted`,
        );
      const answer = object.answer(rest, { bpf: opened.bpf, io, json, bpffs });
      if (json) outputs.push({ command, output: answer.json });
      else io.out(answer.text);
    }
    io.out(json ? `${answerText(outputs)}\n` : `processed ${commands.length} commands\n`);
    return 0;
  },
};

async function contentOf(file: string, io: Io): Promise<string> {
  return file === "-" ? io.stdin() : new TextDecoder().decode(readFile(file));
}

/** Lines of words; quotes hold words together. */
function linesOf(content: string): { number: number; command: string[] }[] {
  return content.split("\n").flatMap((line, i) => {
    const words = [...line.replace(/#.*/, "").matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3]!);
    return words.length ? [{ number: i + 1, command: words }] : [];
  });
}
