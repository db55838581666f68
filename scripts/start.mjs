// npm start: sets itself up, verifies the firewall example, runs it over the shipped capture and shows the result.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, install, root } from "./setup.mjs";

install();
await build();

process.chdir(root);
mkdirSync("out", { recursive: true });
const { main } = await import(pathToFileURL(join(root, "dist", "cli", "main.js")).href);

const object = "examples/firewall/firewall.o";
const steps = [
  ["verify", object],
  [
    "run",
    object,
    ...["--pcap", "examples/captures/traffic.pcapng"],
    ...["--out", "out/firewall.pcapng"],
    ...["--set", 'blocked["198.51.100.7"]=1'],
    ...["--set", 'networks["203.0.113.0/24"]=1'],
    ...["--dump", "counters"],
  ],
];

for (const args of steps) {
  const shown = args.map((a) => (/["\s]/.test(a) ? `'${a}'` : a)).join(" ");
  console.log(`\n$ npx skep ${shown}\n`);
  const code = await main(args);
  if (code !== 0) process.exit(code);
}
console.log("\nNext: npx skep disasm examples/firewall/firewall.o, npx skep run --help, README.md");
