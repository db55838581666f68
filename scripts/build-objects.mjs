// Writes the BPF objects that the loader brings along (src/loader/dispatcher/progs/*.o, committed beside their .c) into
// src/generated/dispatcher_objects.ts, as base64, so that they are there in a page too.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** @returns {boolean} whether anything was built */
export function buildObjects() {
  const dir = join(root, "src", "loader", "dispatcher", "progs");
  const out = join(root, "src", "generated", "dispatcher_objects.ts");
  const consts = readdirSync(dir)
    .filter((name) => name.endsWith(".o"))
    .sort()
    .map((name) => {
      const ident = name.slice(0, -2).toUpperCase();
      return `export const ${ident} =\n  "${readFileSync(join(dir, name)).toString("base64")}";\n`;
    });
  const text = consts.join("");
  if (existsSync(out) && readFileSync(out, "utf8") === text) return false;
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, text);
  return true;
}
