// npm run docs:errors: writes docs/errors/ from the catalog of verifier messages.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, install, root } from "./setup.mjs";

install();
await build();
const { errorPages } = await import(pathToFileURL(join(root, "dist/src/verifier/explain/docs.js")).href);
const dir = join(root, "docs", "errors");
mkdirSync(dir, { recursive: true });
const pages = errorPages();
for (const name of readdirSync(dir)) if (name.endsWith(".md") && !pages.has(name)) rmSync(join(dir, name));
for (const [name, text] of pages) writeFileSync(join(dir, name), text);
console.log(`${pages.size} pages in docs/errors`);
