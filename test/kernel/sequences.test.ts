/** Some random sequences of commands, each time others; `npm run fuzz:objects` runs as many as one likes. */
import { expect, it } from "vitest";
import { randomSequences } from "../../conformance/objects/run.ts";

const seed = Math.floor(Math.random() * 0x7fffffff);

it(`random sequences of commands by several processes leave nothing (seed ${seed})`, () => {
  const { failure, commands, refused } = randomSequences({ seed, count: 150 });
  expect(failure, `seed ${seed}`).toBeUndefined();
  // Most commands must do something, or nothing is tested.
  expect(refused / commands).toBeLessThan(0.8);
});
