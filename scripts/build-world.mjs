// Compiles the processes of scenarios (test/support/world_child.ts), which run in plain Node, into dist/world.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function newest(path) {
  const st = statSync(path);
  if (!st.isDirectory()) return st.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** @returns {boolean} whether anything was built */
export function buildWorld() {
  const out = join(root, "dist", "world");
  const stamp = join(out, ".built");
  const source = Math.max(newest(join(root, "src")), newest(join(root, "test", "support")));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > source) return false;
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "test", "support", "tsconfig.json")], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("the processes of scenarios cannot be compiled: see the compiler's messages above");
  mkdirSync(out, { recursive: true });
  writeFileSync(stamp, "");
  return true;
}
