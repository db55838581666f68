import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

/** Folders of src/ in import order: a folder may import from those before it and from itself. */
const ORDER = [
  "abi",
  "bytes",
  "wasm",
  "elf",
  "generated",
  "memory",
  "isa",
  "btf",
  "progs",
  "object",
  "maps",
  "helpers",
  "kfuncs",
  "verifier",
  "interp",
  "jit",
  "kernel",
  "net",
  "loader",
  "index.ts",
  "node",
];

/** Only the shape of a helper, type-only, is known to interp's image contract and to maps: everything else goes one way. */
const TYPE_ONLY_EXCEPTIONS = new Set<string>();

const src = join(import.meta.dirname, "..", "src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".ts"));

function folderOf(path: string): string {
  return path.split("/")[0];
}

test("every import points up the list of folders", () => {
  const wrong: string[] = [];
  for (const file of files) {
    const text = readFileSync(join(src, file), "utf8");
    for (const m of text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const target = relative(src, join(src, file, "..", m[1]));
      const [from, to] = [folderOf(file), folderOf(target)];
      const [a, b] = [ORDER.indexOf(from), ORDER.indexOf(to)];
      if (a < 0) wrong.push(`${file}: folder '${from}' is not in the list`);
      else if (b < 0) wrong.push(`${file}: imports '${m[1]}', which is not in the list`);
      else if (b > a && !TYPE_ONLY_EXCEPTIONS.has(`${file} ${target}`)) wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("only src/node imports node:*", () => {
  const wrong = files.filter(
    (f) => folderOf(f) !== "node" && /(?:from|import)\s*\(?\s*"node:/.test(readFileSync(join(src, f), "utf8")),
  );
  expect(wrong).toEqual([]);
});
