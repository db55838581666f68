// What a fresh clone lacks: node_modules and dist/. Both are made when missing or older than their sources.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const WANTED_NODE = [20, 19];
/** Not sources. */
const BUILT = new Set([join(root, "conformance", "build"), join(root, "src", "generated")]);

/** When the newest file below was changed. Links are not followed: what conformance/ builds has some that lead nowhere. */
function newest(path) {
  const st = lstatSync(path);
  if (!st.isDirectory()) return st.mtimeMs;
  const names = readdirSync(path).filter((name) => !BUILT.has(join(path, name)));
  return Math.max(0, ...names.map((name) => newest(join(path, name))));
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > WANTED_NODE[0] || (major === WANTED_NODE[0] && minor >= WANTED_NODE[1])) return;
  console.error(`skep needs Node ${WANTED_NODE.join(".")} or newer; this is ${process.versions.node}`);
  process.exit(2);
}

/** npm ci, when node_modules is missing or older than the lock file. */
export function install() {
  checkNode();
  const modules = join(root, "node_modules");
  // A link to another checkout's modules: npm ci would empty that one.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const marker = join(modules, ".package-lock.json");
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs) return;
  console.error("installing dependencies ...");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) {
    console.error("npm ci failed: see its message above");
    process.exit(1);
  }
  // The lock file may carry the newer time of a checkout; npm ci does not touch its marker when nothing changed.
  if (existsSync(marker)) writeFileSync(marker, "", { flag: "a" });
}

/** WebAssembly modules and dist/, when a source is newer than the last build. */
export async function build({ force = false } = {}) {
  const { buildWasm } = await import("./build-wasm.mjs");
  const stamp = join(root, "dist", ".built");
  const sources = [
    "src",
    "cli",
    "conformance",
    "bench",
    "examples",
    "tsconfig.json",
    "tsconfig.build.json",
    "package.json",
  ];
  const { buildObjects } = await import("./build-objects.mjs");
  const rebuilt = [buildWasm({ force }), buildObjects()].includes(true);
  const source = Math.max(...sources.map((s) => (existsSync(join(root, s)) ? newest(join(root, s)) : 0)));
  if (!rebuilt && !force && existsSync(stamp) && statSync(stamp).mtimeMs > source) return;
  console.error("building ...");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    console.error("the build failed: see the compiler's messages above");
    process.exit(1);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, "");
}
