/**
 * What is left when whoever replaces a program set dies on the way, see crash/explore.ts.
 *
 *   npm run crash -- [--switches N]
 *
 * --switches  how often two administrators change turns at most; default 3
 * Exit code   0; 2 usage
 */
import { parseArgs } from "node:util";
import { LIBXDP, REPLACE_SET } from "./crash/dispatcher_methods.ts";
import { explore } from "./crash/explore.ts";
import { METHODS } from "./crash/methods.ts";
import { SkepWorld, worldKernel } from "./crash/skep_world.ts";
import { reportTable } from "./crash/table.ts";

const { values } = parseArgs({ options: { switches: { type: "string", default: "3" } } });
const switches = Number(values.switches);
if (!Number.isInteger(switches) || switches < 1) {
  console.error("a number of at least 1 is wanted for --switches");
  process.exit(2);
}
const kernel = worldKernel();
const reports = [...METHODS, LIBXDP, REPLACE_SET].map((m) => explore(m, () => new SkepWorld(kernel), switches));
console.log(reportTable(reports));
