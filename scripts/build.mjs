import { build, install } from "./setup.mjs";

install();
await build({ force: process.argv.includes("--force") });
