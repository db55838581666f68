/**
 * One test body on every kernel: the in-process one, and the running Linux where bpf(2) is permitted.
 *
 * What a body makes on Linux is closed afterwards with the process's fds; bpf file systems, devices and network
 * namespaces bear the name skep-PID-..., and what a killed test left is swept when the next one starts.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it } from "vitest";
import { BpfError, EBUSY, EINVAL, ENOENT, ENOTEMPTY } from "../../src/abi/errno.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import type { KernelOptions } from "../../src/kernel/kernel.ts";
import { createKernel } from "../../src/net/create.ts";
import { cgroupRoot, type LinuxBpf, linux, mountPoints } from "../../src/node/linux/index.ts";

export type KernelName = "skep" | "linux";

/** What tests mount. */
const MOUNTED = ["bpf", "tracefs"];
const GONE_OR_BUSY: ReadonlySet<number> = new Set([EBUSY, EINVAL, ENOENT, ENOTEMPTY]);

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

/** Unmounts the file systems of dead tests and removes their cgroups; or those of that name. */
export function sweep(bpf: LinuxBpf, only?: string): void {
  const isLeft = (name: string) => {
    const pid = /^skep-(\d+)-/.exec(name)?.[1];
    return only === undefined ? pid !== undefined && !existsSync(`/proc/${pid}`) : name === only;
  };
  for (const at of MOUNTED.flatMap(mountPoints)) if (isLeft(basename(at))) ifStillThere(() => removePinDir(bpf, at));
  let root: string;
  try {
    root = cgroupRoot();
  } catch {
    return;
  }
  for (const name of readdirSync(root)) if (isLeft(name)) removeCgroups(join(root, name));
}

/** A cgroup and those below it. Processes that are about to end keep theirs until the next sweep. */
function removeCgroups(path: string): void {
  ifStillThere(() => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroups(join(path, entry.name));
    }
    rmdirSync(path);
  });
}

/** Another test that starts now may be sweeping, too. */
function ifStillThere(body: () => void): void {
  try {
    body();
  } catch (e) {
    const { errno } = e as { errno?: number };
    if (errno === undefined || !GONE_OR_BUSY.has(Math.abs(errno))) throw e;
  }
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

/** A bpf file system of its own, which the process mounts: a machine need not have one. */
export function newPinDir(bpf: LinuxBpf, name = Math.random().toString(36).slice(2), pid = process.pid): string {
  return newMount(bpf, "bpf", name, pid);
}

function newMount(bpf: LinuxBpf, type: string, name: string, pid: number): string {
  const dir = join(tmpdir(), `skep-${pid}-${name}`);
  mkdirSync(dir);
  bpf.fs.mount(dir, { type });
  return dir;
}

/** Its pins go with it. */
export function removePinDir(bpf: LinuxBpf, dir: string): void {
  bpf.fs.umount(dir, { detach: true });
  rmdirSync(dir);
}

/** A bpf file system for the time of a body. */
export function withPins<T>(bpf: LinuxBpf, body: (dir: string) => T): T {
  return withMount(bpf, "bpf", body);
}

/** A file system of this kind for the time of a body. */
export function withMount<T>(bpf: LinuxBpf, type: string, body: (dir: string) => T): T {
  const dir = newMount(bpf, type, Math.random().toString(36).slice(2), process.pid);
  try {
    return body(dir);
  } finally {
    removePinDir(bpf, dir);
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
