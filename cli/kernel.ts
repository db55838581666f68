/** Which kernel a command works on: `--kernel skep|linux`, else the variable SKEP_KERNEL. */
import { type Command, Option } from "commander";
import type { Bpf } from "../src/kernel/bpf.ts";
import { createKernel } from "../src/net/create.ts";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { linux } from "../src/node/linux/index.ts";

export type KernelName = "skep" | "linux";

export function addKernelOption(command: Command, fallback: KernelName): void {
  const option = new Option("--kernel <kernel>", "skep: in this process; linux: the running kernel's bpf(2)");
  command.addOption(option.choices(["skep", "linux"]).env("SKEP_KERNEL").default(fallback));
}

/** A process of that kernel; whoever opens it disposes of it. */
export function openKernel(name: KernelName): Bpf & Disposable {
  return name === "linux" ? linux() : createKernel({ kernelBtf: loadKernelBtf().btf }).spawn();
}
