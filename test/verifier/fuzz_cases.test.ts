/** Programs that `npm run fuzz:verifier` once found something with: nothing may be wrong with them now. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openCase, type SavedCase } from "../../conformance/fuzz/case.ts";
import { Checker } from "../../conformance/fuzz/check.ts";

const dir = new URL("../fixtures/fuzz/", import.meta.url);

for (const name of readdirSync(dir)) {
  const saved = JSON.parse(readFileSync(new URL(name, dir), "utf8")) as SavedCase;
  it(`${name}: ${saved.why}`, () => {
    expect(new Checker(saved.maps).check(openCase(saved), saved.inputSeed, 8).failure).toBeUndefined();
  });
}
