// Builds assembly/{core,interp,verifier}.ts with the AssemblyScript compiler into src/generated/NAME_wasm.ts
// (base64, so that the same module runs in Node and in a page). A module is rebuilt when a source is newer than it.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * dirs    the folders of assembly/ a module is made of
 * shared  imports the kernel's memory as env.memory; its static data must fit between base and limit, below the first
 *         64 KiB that no program is ever given
 */
const MODULES = {
  core: {
    dirs: ["memory", "maps", "net", "helpers"],
    args: ["--importMemory", "--importTable", "--memoryBase", "1024"],
  },
  interp: { dirs: ["interp"], args: ["--importMemory", "--importTable", "--memoryBase", "32768"] },
  verifier: { dirs: ["verifier"], args: [] },
};

const COMMON = [
  "--runtime",
  "stub",
  "--noAssert",
  "-O3",
  "--enable",
  "bulk-memory,sign-extension,nontrapping-f2i,mutable-globals,threads",
];

function newest(path) {
  if (!existsSync(path)) return 0;
  const st = statSync(path);
  if (!st.isDirectory()) return st.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** @returns {boolean} whether anything was built */
export function buildWasm({ force = false } = {}) {
  let built = false;
  for (const [name, { dirs, args }] of Object.entries(MODULES)) {
    const entry = join(root, "assembly", `${name}.ts`);
    if (!existsSync(entry)) continue;
    const out = join(root, "src", "generated", `${name}_wasm.ts`);
    const source = Math.max(
      newest(entry),
      newest(fileURLToPath(import.meta.url)),
      ...dirs.map((d) => newest(join(root, "assembly", d))),
    );
    if (!force && newest(out) > source) continue;
    const dir = mkdtempSync(join(tmpdir(), "skep-wasm-"));
    try {
      const wasm = join(dir, `${name}.wasm`);
      const asc = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
      execFileSync(process.execPath, [asc, entry, ...COMMON, ...args, "-o", wasm], {
        cwd: root,
        stdio: ["ignore", "inherit", "inherit"],
      });
      const text = `// Built from assembly/${name}.ts by scripts/build-wasm.mjs.\nexport const ${name.toUpperCase()}_WASM =\n  "${readFileSync(wasm).toString("base64")}";\n`;
      mkdirSync(dirname(out), { recursive: true });
      const fresh = join(dirname(out), `.${name}.${process.pid}`);
      writeFileSync(fresh, text);
      renameSync(fresh, out);
      built = true;
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return built;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildWasm({ force: process.argv.includes("--force") });
