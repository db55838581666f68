/**
 * One test body on every kernel: the in-process one, and the running Linux where bpf(2) is permitted.
 *
 * What a body makes on Linux is closed afterwards with the process's fds; bpffs directories, devices and network
 * namespaces bear the name skep-PID-..., and what a killed test left is swept when the next one starts.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import type { KernelOptions } from "../../src/kernel/kernel.ts";
import { createKernel } from "../../src/net/create.ts";
import { cgroupRoot, isBpffs, type LinuxBpf, linux } from "../../src/node/linux/index.ts";

export type KernelName = "skep" | "linux";

export const BPFFS = "/sys/fs/bpf";

/** Why Linux is not asked, or undefined. */
export const whyNotLinux: string | undefined = (() => {
  try {
    using bpf = linux();
    sweep(bpf);
    return undefined;
  } catch (e) {
    if (e instanceof BpfError) return e.message;
    throw e;
  }
})();

if (whyNotLinux) console.log(`tests on the running Linux are skipped: ${whyNotLinux}`);

/** Removes what tests of dead processes pinned, and their cgroups; or the one of that name. */
export function sweep(bpf: LinuxBpf, only?: string): void {
  const isLeft = (name: string) => {
    const pid = /^skep-(\d+)-/.exec(name)?.[1];
    return only === undefined ? pid !== undefined && !existsSync(`/proc/${pid}`) : name === only;
  };
  if (isBpffs(bpf.sys, BPFFS)) {
    for (const name of readdirSync(BPFFS)) {
      if (isLeft(name)) rmSync(join(BPFFS, name), { recursive: true, force: true });
    }
  }
  let root: string;
  try {
    root = cgroupRoot();
  } catch {
    return;
  }
  for (const name of readdirSync(root)) if (isLeft(name)) rmdirSync(join(root, name));
}

/** Calls the body with a Linux of its own, and closes what it opened. */
export function withLinux<T>(body: (bpf: LinuxBpf) => T): T {
  const bpf = linux();
  let result: T;
  try {
    result = body(bpf);
  } catch (e) {
    bpf[Symbol.dispose]();
    throw e;
  }
  if (result instanceof Promise) return result.finally(() => bpf[Symbol.dispose]()) as T;
  bpf[Symbol.dispose]();
  return result;
}

/** A directory in bpffs, of this process. */
export function newPinDir(bpf: LinuxBpf): string {
  if (!isBpffs(bpf.sys, BPFFS)) throw new Error(`${BPFFS} is no bpf file system`);
  const dir = join(BPFFS, `skep-${process.pid}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(dir);
  return dir;
}

export function removePinDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** A directory in bpffs for the time of a body. */
export function withPins<T>(bpf: LinuxBpf, body: (dir: string) => T): T {
  const dir = newPinDir(bpf);
  try {
    return body(dir);
  } finally {
    removePinDir(dir);
  }
}

export interface OnKernelsOptions extends KernelOptions {
  /** Why the test makes no sense on Linux. */
  readonly notLinux?: string;
}

type Body = (bpf: Bpf, kernel: KernelName) => void | Promise<void>;

/** The same test on each kernel; on skep the kernel must be empty afterwards. */
export function onKernels(title: string, body: Body, options: OnKernelsOptions = {}): void {
  const { notLinux, ...kernelOptions } = options;
  describe(title, () => {
    it("skep", async () => {
      const kernel = createKernel({ random: () => 7, ...kernelOptions });
      const proc = kernel.spawn();
      try {
        await body(proc, "skep");
      } finally {
        proc.exit();
      }
      kernel.assertEmpty();
    });
    const reason = notLinux ?? whyNotLinux;
    it.skipIf(reason)(notLinux ? `Linux (${notLinux})` : "Linux", () => withLinux((bpf) => body(bpf, "linux")));
  });
}
