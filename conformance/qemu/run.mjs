// The tests of test/linux on another real kernel: Debian's 6.1 cloud kernel under qemu. npm run test:qemu [-- PATTERN of
// file names]
//
// Kernel, archive and logs lie in conformance/build/qemu; nothing is installed. Without qemu or the kernel's package it
// says why and leaves with 0. SKEP_QEMU names a qemu-system-x86_64 that is not in PATH.
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { install, root } from "../../scripts/setup.mjs";
import { Cpio } from "./cpio.mjs";

const LIMIT_MS = 10 * 60_000;
const dir = join(root, "conformance", "build", "qemu");
const js = join(dir, "js");

/** Programs that tests call, taken from this machine when it has them. */
const PROGRAMS = ["bpftool", "xdp-loader"];
/** libxdp's dispatcher lies where the tests look for it. */
const LIBXDP = "/usr/lib/x86_64-linux-gnu/bpf/xdp-dispatcher.o";
/** Devices and hooks that Debian builds as modules. */
const MODULES = ["veth", "ifb", "dummy", "sch_ingress", "cls_bpf"];
/** Packages that the compiled tests import, besides skep's own. */
const PACKAGES = ["koffi", "@koromix/koffi-linux-x64", "@vitest/expect", "chai"];

/** Folders whose objects, records and captures the tests read. */
const DATA = ["test/fixtures", "test/linux", "test/maps", "test/loader", "test/kernel", "examples"];

/** Paths below a folder of this machine, relative to it. */
const filesBelow = (folder) => readdirSync(folder, { recursive: true });

class Skip extends Error {}

function output(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    ...options,
  });
  if (error || status !== 0)
    throw new Skip(`${command} ${args[0]}: ${error?.message ?? stderr.trim().split("\n").at(-1)}`);
  return stdout;
}

const found = (name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();

function findQemu() {
  const qemu = process.env.SKEP_QEMU ?? found("qemu-system-x86_64");
  if (process.platform !== "linux" || process.arch !== "x64") throw new Skip("a Linux on x86-64 is wanted");
  if (!qemu) throw new Skip("no qemu-system-x86_64 (Debian: qemu-system-x86)");
  return qemu;
}

/** Unpacks the newest 6.1 cloud kernel that apt knows, once. */
function unpackKernel() {
  const to = join(dir, "kernel");
  if (!existsSync(join(to, "boot"))) {
    const names = output("apt-cache", ["search", "--names-only", "^linux-image-6\\.1\\.[0-9-]+-cloud-amd64$"]);
    const abi = (name) => Number(/-(\d+)-cloud/.exec(name)[1]);
    const name = (names.match(/^\S+/gm) ?? []).sort((a, b) => abi(a) - abi(b)).at(-1);
    if (!name) throw new Skip("apt knows no package linux-image-6.1.*-cloud-amd64");
    const debs = join(dir, "deb");
    rmSync(debs, { recursive: true, force: true });
    mkdirSync(debs, { recursive: true });
    console.error(`fetching ${name} ...`);
    output("apt-get", ["download", "-q", name], { cwd: debs, timeout: 120_000 });
    output("dpkg-deb", ["-x", join(debs, readdirSync(debs)[0]), `${to}.part`]);
    output("mv", [`${to}.part`, to]);
    rmSync(debs, { recursive: true });
  }
  const image = readdirSync(join(to, "boot")).find((name) => name.startsWith("vmlinuz-"));
  return { image: join(to, "boot", image), modules: join(to, "lib", "modules", image.slice("vmlinuz-".length)) };
}

/** Files of the wanted modules and of what they need, in the order of loading. */
function moduleFiles(folder) {
  const paths = filesBelow(folder).filter((path) => path.endsWith(".ko"));
  const files = new Map(paths.map((path) => [basename(path, ".ko"), join(folder, path)]));
  const order = new Set();
  const add = (name) => {
    const file = files.get(name) ?? files.get(name.replaceAll("_", "-"));
    if (!file) return; // built in
    // the section .modinfo is a row of name=value, each ended by a zero
    const needs = /\0depends=([^\0]*)\0/.exec(readFileSync(file, "latin1"))?.[1] ?? "";
    for (const need of needs.split(",").filter(Boolean)) add(need);
    order.add(file);
  };
  for (const name of MODULES) add(name);
  return [...order];
}

/** A program of this machine and the libraries that it is linked with. */
function addProgram(cpio, path, file) {
  cpio.file(path, readFileSync(file));
  for (const [library] of output("ldd", [file]).matchAll(/\/\S+/g)) cpio.file(library.slice(1), readFileSync(library));
}

/** node_modules/NAME and, of what it depends on, whatever is there. */
function addPackage(cpio, name, seen = new Set()) {
  const from = join(root, "node_modules", name);
  if (seen.has(name) || !existsSync(from)) return;
  seen.add(name);
  const { dependencies = {} } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
  const want = (path) => !/\/(vendor|docs?)$|\.(md|ts|map)$/.test(path);
  cpio.copy(from, `skep/node_modules/${name}`, want);
  for (const dependency of Object.keys(dependencies)) addPackage(cpio, dependency, seen);
}

function compile() {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  rmSync(js, { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "conformance", "qemu")], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

function writeInitramfs(file, modules) {
  const cpio = new Cpio();
  for (const path of ["dev", "proc", "sys", "tmp", "run", "modules"]) cpio.directory(path);
  addProgram(cpio, "bin/node", process.execPath);
  for (const name of PROGRAMS) if (found(name)) addProgram(cpio, `bin/${name}`, found(name));
  if (existsSync(LIBXDP)) cpio.file(LIBXDP.slice(1), readFileSync(LIBXDP));
  for (const [n, module] of modules.entries())
    cpio.file(`modules/${String(n).padStart(2, "0")}-${basename(module)}`, readFileSync(module));
  cpio.copy(js, "skep");
  // tests find the command where a build puts it, and data beside their sources
  cpio.symlink("skep/dist", ".");
  cpio.copy(join(root, "package.json"), "skep/package.json");
  for (const folder of DATA)
    for (const path of filesBelow(join(root, folder)).filter((name) => /\.(o|json|pcap|pcapng)$/.test(name)))
      cpio.copy(join(root, folder, path), `skep/${folder}/${path}`);
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const seen = new Set();
  for (const name of [...Object.keys(dependencies), ...PACKAGES]) addPackage(cpio, name, seen);
  const shim = { type: "module", exports: "./index.js" };
  cpio.file("skep/node_modules/vitest/package.json", Buffer.from(JSON.stringify(shim)));
  cpio.file("skep/node_modules/vitest/index.js", Buffer.from('export * from "../../conformance/qemu/vitest.js";\n'));
  const only = process.argv[2] ?? "";
  const tests = readdirSync(join(js, "test", "linux")).filter(
    (name) => name.endsWith(".test.js") && name.includes(only),
  );
  cpio.file("skep/suite.json", Buffer.from(JSON.stringify(tests.map((name) => `test/linux/${name}`))));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  for (const chunk of cpio.finish()) if (chunk.length) appendFileSync(file, chunk);
}

/** Boots, prints what the machine prints, and gives the last line that counts, or undefined. */
function boot(qemu, image, initramfs) {
  const args = [
    "-accel",
    "tcg",
    "-cpu",
    "max",
    "-m",
    "1024",
    "-nographic",
    "-nodefaults",
    "-serial",
    "stdio",
    "-no-reboot",
  ];
  // one processor runs; a second one is possible, as on the machine where the maps' answers were recorded
  args.push("-smp", "1,maxcpus=2", "-kernel", image, "-initrd", initramfs);
  args.push("-append", "console=ttyS0 panic=-1 quiet rdinit=/bin/node -- /skep/conformance/qemu/suite.js");
  const machine = spawn(qemu, args, { stdio: ["ignore", "pipe", "inherit"] });
  const limit = setTimeout(() => {
    console.log(`stopped after ${LIMIT_MS / 60_000} minutes`);
    machine.kill("SIGKILL");
  }, LIMIT_MS);
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => {
      machine.kill("SIGKILL");
      process.exit(1);
    });
  const log = join(dir, "console.log");
  writeFileSync(log, "");
  let rest = "";
  let result;
  machine.stdout.setEncoding("latin1");
  machine.stdout.on("data", (text) => {
    appendFileSync(log, text, "latin1");
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines.map((l) => l.replace(/\r/g, ""))) {
      const counts = /^(\d+) passed, (\d+) failed, \d+ skipped$/.exec(line);
      if (counts) result = { passed: Number(counts[1]), failed: Number(counts[2]) };
      console.log(line.replaceAll(/\x1b(c|\[[?0-9;]*[a-z])/gi, ""));
    }
  });
  return new Promise((resolve, reject) => {
    machine.on("error", (e) => reject(new Skip(`${qemu}: ${e.message}`)));
    machine.on("close", () => {
      clearTimeout(limit);
      resolve(result);
    });
  });
}

try {
  const start = Date.now();
  const qemu = findQemu();
  const { image, modules } = unpackKernel();
  install();
  // imported here: in a fresh clone its compiler is a package that install() brings
  const { buildWasm } = await import("../../scripts/build-wasm.mjs");
  buildWasm();
  const { buildObjects } = await import("../../scripts/build-objects.mjs");
  buildObjects();
  compile();
  const initramfs = join(dir, "initramfs");
  writeInitramfs(initramfs, moduleFiles(modules));
  const booted = Date.now();
  const result = await boot(qemu, image, initramfs);
  const seconds = (from) => ((Date.now() - from) / 1000).toFixed(0);
  console.log(`the machine ran ${seconds(booted)} s, all in all ${seconds(start)} s`);
  if (!result)
    console.log(`the suite did not end; the console is in ${join("conformance", "build", "qemu", "console.log")}`);
  process.exitCode = result?.passed && !result.failed ? 0 : 1;
} catch (e) {
  if (!(e instanceof Skip)) throw e;
  console.log(`tests under qemu are skipped: ${e.message}`);
}
