/**
 * The command `skep`.
 *
 * Exit codes  0 all went well; 1 a program was refused, faulted, or an input could not be used; 2 wrong usage.
 * Output      results on standard output, everything else on standard error; --json makes both machine-readable.
 */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { COMMANDS } from "./commands/index.ts";
import { type Io, processIo, reportError, UsageError } from "./output.ts";

const { version } = createRequire(import.meta.url)("skep/package.json") as { version: string };

/** @returns the exit code */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  let status = 0;
  const program = new Command("skep")
    .description("The Linux eBPF subsystem without Linux: verify, run and look into BPF programs")
    .version(version)
    .showSuggestionAfterError()
    .enablePositionalOptions();
  for (const command of COMMANDS) {
    const sub = program.command(command.name).description(command.description);
    command.configure(sub);
    sub.option("-j, --json", "machine-readable output");
    sub.action(async (...args: unknown[]) => {
      // commander passes the positional arguments, then the options, then the command itself.
      status = await command.run(args.slice(0, -2), args[args.length - 2] as Record<string, unknown>, io);
    });
  }
  const json = argv.some((a) => a === "--json" || a === "-j");
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => (json ? undefined : io.err(text)),
    });
  }
  if (argv.length === 0) {
    io.err(program.helpInformation());
    return 2;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return status;
  } catch (e) {
    if (e instanceof CommanderError) {
      // --help and --version end here too, with exit code 0.
      if (e.exitCode !== 0 && json) reportError(io, e.message.replace(/^error: /, ""), true);
      return e.exitCode === 0 ? 0 : 2;
    }
    reportError(io, e, json);
    return e instanceof UsageError ? 2 : 1;
  }
}
