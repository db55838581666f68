// Builds what changed and runs one TypeScript file of conformance/ or bench/: node scripts/run.mjs bench/main.ts [args]
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, install, root } from "./setup.mjs";

const [file, ...args] = process.argv.slice(2);
install();
await build();
const compiled = join(root, "dist", file.replace(/\.ts$/, ".js"));
process.argv = [process.argv[0], compiled, ...args];
await import(pathToFileURL(compiled).href);
