/**
 * Random sequences of commands by several processes. After each command the reference counts equal those recomputed from
 * what can be reached; nothing is attached without its program; at the end nothing is left.
 */
import fc from "fast-check";
import { BpfError } from "../../src/abi/errno.ts";
import { OPS } from "./ops.ts";
import { Scene, type Step } from "./scene.ts";

/** Each operation as often as its weight says. */
const WEIGHTED: readonly number[] = OPS.flatMap((op, i) => new Array<number>(op.weight ?? 1).fill(i));

const number = fc.integer({ min: 0, max: 0xffff });
const step: fc.Arbitrary<Step> = fc.record({
  op: fc.nat(WEIGHTED.length - 1).map((i) => WEIGHTED[i]!),
  a: number,
  b: number,
  c: number,
});

export interface Tally {
  sequences: number;
  commands: number;
  /** Of these, refused with an errno. */
  refused: number;
}

export function runSequence(steps: readonly Step[], tally: Tally): void {
  tally.sequences++;
  const scene = new Scene();
  for (const { op, a, b, c } of steps) {
    tally.commands++;
    try {
      OPS[op]!.run(scene, a, b, c);
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      tally.refused++;
    }
    scene.check();
  }
  scene[Symbol.dispose]();
}

export interface Outcome extends Tally {
  /** The smallest sequence found that breaks a rule, as text; undefined when none does. */
  readonly failure: string | undefined;
}

/** @param length longest sequence */
export function randomSequences(options: { seed: number; count: number; length?: number }): Outcome {
  const tally: Tally = { sequences: 0, commands: 0, refused: 0 };
  const steps = fc.array(step, { minLength: 5, maxLength: options.length ?? 60, size: "max" });
  const result = fc.check(
    fc.property(steps, (sequence) => runSequence(sequence, tally)),
    { seed: options.seed, numRuns: options.count, endOnFailure: false },
  );
  if (!result.failed) return { ...tally, failure: undefined };
  const [smallest] = result.counterexample ?? [[]];
  const lines = smallest.map(({ op, a, b, c }) => `  ${OPS[op]!.name} ${a} ${b} ${c}`);
  return { ...tally, failure: `${(result.errorInstance as Error)?.message}\n${lines.join("\n")}` };
}
