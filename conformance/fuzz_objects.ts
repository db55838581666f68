/**
 * Random sequences of commands by several processes, see objects/run.ts.
 *
 *   npm run fuzz:objects -- [--count N] [--seed N] [--length N]
 *
 * --count     sequences; default 10,000
 * --seed      default random, and printed
 * --length    most commands in a sequence; default 60
 * Exit code   0 nothing found; 1 a sequence that breaks a rule, printed as small as it could be made; 2 usage
 */
import { parseArgs } from "node:util";
import { randomSequences } from "./objects/run.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    seed: { type: "string" },
    length: { type: "string", default: "60" },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(values.seed);
const [count, length] = [Number(values.count), Number(values.length)];
if (![seed, count, length].every(Number.isInteger)) {
  console.error("a whole number is wanted for --count, --seed and --length");
  process.exit(2);
}

const started = performance.now();
console.log(`seed ${seed}, ${count.toLocaleString("en")} sequences`);
const { failure, sequences, commands, refused } = randomSequences({ seed, count, length });
const seconds = (performance.now() - started) / 1000;
console.log(
  `${sequences.toLocaleString("en")} sequences, ${commands.toLocaleString("en")} commands (${Math.round((100 * refused) / commands)}% refused with an errno) in ${seconds.toFixed(0)} s`,
);
if (failure !== undefined) {
  console.log(`breaks a rule: ${failure}`);
  process.exit(1);
}
console.log(
  "reference counts added up after every command, nothing was attached without its program, nothing was left",
);
