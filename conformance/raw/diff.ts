/** Random calls on skep and on the running Linux, from a seed; the first differences. */
import { checkReferences } from "../../src/kernel/holders.ts";
import { createKernel } from "../../src/net/create.ts";
import { inNetns, type LinuxBpf, newNetns } from "../../src/node/linux/index.ts";
import { Random } from "../fuzz/case.ts";
import { commandsOf, compareCall, type RawDifference, randomCall } from "./random.ts";
import { linuxKernel, skepKernel, World } from "./world.ts";

export interface RawDiffOptions {
  readonly seed: number;
  readonly calls: number;
  /** Stops earlier when it is over. */
  readonly seconds: number;
  /** Where Linux has a bpffs of the test; skep mounts one there. */
  readonly dir: string;
  /** Stops after so many differences. */
  readonly max: number;
}

export interface RawDiff {
  readonly done: number;
  /** Commands that skep lacks. */
  readonly left: readonly number[];
  readonly differences: readonly RawDifference[];
}

/** References are checked after each call of skep; at the end its kernel must be empty. */
export function diffRaw(real: LinuxBpf, options: RawDiffOptions): RawDiff {
  const kernel = createKernel({ cpus: real.possibleCpus });
  const proc = kernel.spawn();
  proc.fs.mkdir(options.dir);
  proc.fs.mount(options.dir);
  const netns = newNetns(real);
  const differences: RawDifference[] = [];
  const rng = new Random(options.seed);
  const end = performance.now() + 1000 * options.seconds;
  let done = 0;
  let left: readonly number[] = [];
  try {
    inNetns(real, netns, () => {
      const [skep, linux] = [
        new World(skepKernel(proc), options.dir, true),
        new World(linuxKernel(real), options.dir, true),
      ];
      const commands = commandsOf(skep, linux);
      left = commandsOf(linux).filter((cmd) => !commands.includes(cmd));
      for (; done < options.calls && performance.now() < end && differences.length < options.max; done++) {
        const difference = compareCall(skep, linux, randomCall(rng, commands));
        checkReferences(kernel);
        if (difference) differences.push(difference);
      }
      skep.close();
      linux.close();
    });
  } finally {
    real.close(netns);
  }
  proc.fs.umount(options.dir);
  proc.fs.rmdir(options.dir);
  proc.exit();
  kernel.assertEmpty();
  return { done, differences, left };
}
