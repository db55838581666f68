/** Random calls of bpf(2), as bytes: the errno on skep is the running Linux's. `npm run diff -- --only raw` makes more. */
import { expect, it } from "vitest";
import { diffRaw } from "../../conformance/raw/diff.ts";
import { whyNotLinux, withLinux, withPins } from "../support/kernels.ts";

const seed = Math.floor(Math.random() * 0x7fffffff);

it.skipIf(whyNotLinux)(`5000 random calls have the same errno on both kernels (seed ${seed})`, () => {
  withLinux((real) =>
    withPins(real, (dir) => {
      const { differences, done } = diffRaw(real, { seed, calls: 5000, seconds: 20, dir, max: 5 });
      expect(differences).toEqual([]);
      expect(done).toBeGreaterThan(1000);
    }),
  );
});
