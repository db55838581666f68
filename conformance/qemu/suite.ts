/**
 * The first process of the virtual machine: mounts what Linux offers, runs test/linux, powers the machine off.
 *
 * Prints to the serial console: one line per case (ok, FAILED, skip), and `N passed, N failed, N skipped` at the end;
 * a failure's text follows its line, indented. run.mjs reads it there.
 */
import { mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { linux } from "../../src/node/linux/index.ts";
import { unmet } from "./needs.ts";
import { type Outcome, runCollected } from "./vitest.ts";

const MOUNTS = [
  ["proc", "/proc"],
  ["sysfs", "/sys"],
  ["devtmpfs", "/dev"],
  ["tmpfs", "/tmp"],
  ["bpf", "/sys/fs/bpf"],
  ["cgroup2", "/sys/fs/cgroup"],
  ["debugfs", "/sys/kernel/debug"],
  ["tracefs", "/sys/kernel/tracing"],
] as const;

/** Files that say nothing of another kernel, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "test/linux/diff.test.js": "compares with skep, whose profile is Linux 6.18; too slow on an emulated processor",
};

const SYS_FINIT_MODULE = 313;
const POWER_OFF = 0x4321fedc;

type Call = (...args: unknown[]) => number;
interface Libc {
  func(prototype: string): Call;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const koffi = createRequire(import.meta.url)("koffi") as { load(path: null): Libc; errno(): number };
const libc = koffi.load(null);

function mountAll(): void {
  const mount = libc.func(
    "int mount(const char *source, const char *target, const char *type, ulong flags, void *data)",
  );
  for (const [type, dir] of MOUNTS) {
    try {
      mkdirSync(dir, { recursive: true });
    } catch {
      // of a file system that this kernel lacks; mount() says so
    }
    if (mount(type, dir, type, 0, null) !== 0) console.log(`${type} is not mounted: errno ${koffi.errno()}`);
  }
}

/** Modules lie in the order in which they can be loaded: 00-dummy.ko, 01-... */
function loadModules(dir: string): void {
  const load = libc.func("long syscall(long number, long fd, const char *params, long flags)");
  for (const name of readdirSync(dir).sort()) {
    const fd = openSync(join(dir, name), "r");
    if (load(SYS_FINIT_MODULE, fd, "", 0) !== 0) console.log(`${name} is not loaded: errno ${koffi.errno()}`);
  }
}

async function runAll(): Promise<void> {
  const start = performance.now();
  const counts: Record<Outcome, number> = { ok: 0, failed: 0, skipped: 0 };
  using bpf = linux();
  const skip = unmet(bpf);
  const files = (JSON.parse(readFileSync(join(root, "suite.json"), "utf8")) as string[]).sort();
  console.log(`Linux ${release()}, Node ${process.versions.node}, ${bpf.possibleCpus} possible CPUs`);
  for (const file of files) {
    console.log(`# ${file}${LEFT_OUT[file] ? ` is left out: ${LEFT_OUT[file]}` : ""}`);
    if (LEFT_OUT[file]) continue;
    await import(pathToFileURL(join(root, file)).href);
    await runCollected(skip, ({ title, outcome, why, ms }) => {
      counts[outcome]++;
      if (outcome === "skipped") console.log(`skip   ${title} (${why})`);
      else console.log(`${outcome === "ok" ? "ok    " : "FAILED"} ${title} ${ms} ms`);
      if (outcome === "failed") console.log(why.replaceAll(/^/gm, "       "));
    });
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`tests took ${seconds} s`);
  console.log(`${counts.ok} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}

process.env["PATH"] = "/bin:/sbin";
try {
  mountAll();
  loadModules("/modules");
  await runAll();
} catch (e) {
  console.log(`the suite broke off: ${e instanceof Error ? e.stack : String(e)}`);
}
libc.func("int reboot(int how)")(POWER_OFF);
