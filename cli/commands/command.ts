import type { Command } from "commander";
import type { Io } from "../output.ts";

/** One verb of the command line. `--json` is added to each by main. */
export interface CliCommand {
  readonly name: string;
  readonly description: string;
  /** Declares arguments and options. */
  configure(command: Command): void;
  /**
   * @param args positional arguments, as declared
   * @returns the exit code
   */
  run(args: readonly unknown[], options: Record<string, unknown>, io: Io): Promise<number> | number;
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}
