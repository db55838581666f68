#!/usr/bin/env node
// The command of an installed package runs dist/; in a fresh clone it is built first.
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (!existsSync(main) || existsSync(new URL("../src/index.ts", import.meta.url))) {
  const { build, install } = await import("../scripts/setup.mjs");
  install();
  await build();
}
// A reader that had enough (| head) is no failure.
process.stdout.on("error", (e) => process.exit(e.code === "EPIPE" ? 0 : 1));

const { main: run } = await import(main.href);
process.exitCode = await run(process.argv.slice(2));
