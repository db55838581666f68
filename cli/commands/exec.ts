/**
 * skep exec: bare instructions without a verifier, as the public eBPF conformance suite calls its plugins.
 *
 * Standard input  instructions as hex; white space is ignored
 * Argument        memory as hex: r1 is its address, r2 its length
 * Output          r0 in hex, without 0x
 */
import { Option } from "commander";
import { fromHex } from "../../src/bytes/hex.ts";
import type { EngineName } from "../../src/interp/image.ts";
import { execProgram } from "../../src/kernel/exec.ts";
import { UsageError } from "../output.ts";
import type { CliCommand } from "./command.ts";

interface Options {
  readonly engine: EngineName;
  readonly fuel?: string;
  readonly json?: boolean;
}

export const exec: CliCommand = {
  name: "exec",
  description: "run bare instructions, given as hex on standard input (conformance suite plugin)",
  configure(command) {
    command
      .argument("[memory]", "memory of the program, as hex", "")
      .addOption(new Option("--engine <engine>").choices(["jit", "interp"]).default("jit"))
      .option("--fuel <n>", "backward jumps and calls after which a run is stopped (default 100 million)");
  },
  async run([memory], options, io) {
    const { engine, fuel, json } = options as unknown as Options;
    const result = execProgram(hex(await io.stdin(), "standard input"), hex(memory as string, "memory"), {
      engine,
      ...(fuel === undefined ? {} : { fuel: positive(fuel) }),
    });
    const r0 = result.r0.toString(16);
    io.out(json ? `${JSON.stringify({ r0: `0x${r0}` })}\n` : `${r0}\n`);
    return 0;
  },
};

function hex(text: string, what: string): Uint8Array {
  try {
    return fromHex(text);
  } catch (e) {
    throw new UsageError(`${what}: ${(e as Error).message}`);
  }
}

function positive(text: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n <= 0) throw new UsageError(`--fuel: '${text}' seen, a positive integer wanted`);
  return n;
}
