/**
 * Which kernel a command works on: `--kernel skep|linux`, else the variable SKEP_KERNEL; or, with `--scenario FILE` (or
 * SKEP_SCENARIO), one in this process that the file sets up.
 */
import { type Command, Option } from "commander";
import type { Bpf } from "../src/kernel/bpf.ts";
import { createKernel } from "../src/net/create.ts";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { linux } from "../src/node/linux/index.ts";
import { openScenario } from "./scenario/file.ts";

export type KernelName = "skep" | "linux";

export function addKernelOption(command: Command, fallback: KernelName): void {
  const option = new Option("--kernel <kernel>", "skep: in this process; linux: the running kernel's bpf(2)");
  command.addOption(option.choices(["skep", "linux"]).env("SKEP_KERNEL").default(fallback));
}

export function addScenarioOption(command: Command): void {
  const option = new Option("--scenario <file>", "a kernel in this process, set up by the steps of a JSON file");
  command.addOption(option.env("SKEP_SCENARIO"));
}

export interface OpenKernel extends Disposable {
  /** A process of it. */
  readonly bpf: Bpf;
}

/** Whoever opens it disposes of it; a scenario ends then. */
export function openKernel(name: KernelName, scenario?: string): OpenKernel {
  if (scenario !== undefined) {
    const scene = openScenario(scenario);
    return { bpf: scene.operator(), [Symbol.dispose]: () => scene[Symbol.dispose]() };
  }
  const bpf = name === "linux" ? linux() : createKernel({ kernelBtf: loadKernelBtf().btf }).spawn();
  return { bpf, [Symbol.dispose]: () => bpf[Symbol.dispose]() };
}
