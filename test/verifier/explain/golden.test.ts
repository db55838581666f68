/** How explanations look in a terminal; `npx vitest run test/verifier/explain/golden.test.ts -u` rewrites golden/. */
import { describe, expect, it } from "vitest";
import { explanationView } from "../../../cli/explain_view.ts";
import { Kernel } from "../../../src/kernel/kernel.ts";
import { loadAlone } from "../../../src/loader/load_alone.ts";
import { openSpec } from "../../../src/object/open.ts";
import { fixtureBytes } from "../../object/fixture.ts";

const spec = openSpec(fixtureBytes("explain/rejections.o"), "rejections.o");

const PROGS = [
  "packet_without_check",
  "lookup_without_null_check",
  "index_without_bound",
  "record_leaks",
  "packet_after_change",
  "writes_ctx",
  "forgets_unlock",
  "length_without_bound",
  "wrong_return",
  "endless",
];

/** Prints into nothing. */
const io = (width: number) => ({
  out() {},
  err() {},
  stdin: async () => "",
  interactive: false,
  color: false,
  width,
});

function view(prog: string, width: number, limit?: number): string {
  const { platform } = new Kernel({});
  const limits = { ...platform.limits, ...(limit && { insns: limit }) };
  const kernel = new Kernel({ platform: { ...platform, limits } });
  const verdict = loadAlone(spec, prog, kernel.spawn(), { logLevel: 1 });
  expect(verdict.verdict).toBe("failure");
  return explanationView(verdict.explain()!, `${prog} of rejections.o`, io(width));
}

describe("golden text", () => {
  it.each(PROGS)("%s", async (prog) => {
    await expect(view(prog, 100)).toMatchFileSnapshot(`golden/${prog}.txt`);
  });

  it("too_complex", async () => {
    await expect(view("too_complex", 100, 4000)).toMatchFileSnapshot("golden/too_complex.txt");
  });

  it("fits the width of the terminal", () => {
    for (const width of [60, 80, 100]) {
      for (const line of view("index_without_bound", width).split("\n")) expect(line.length).toBeLessThanOrEqual(width);
    }
  });
});
