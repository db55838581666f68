import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { ComplexityReport, Explanation } from "../../src/verifier/explain/explanation.ts";
import { fixtureBytes } from "../object/fixture.ts";
import { cli } from "../support/cli.ts";

const dir = mkdtempSync(join(tmpdir(), "skep-"));
const file = join(dir, "rejections.o");
writeFileSync(file, fixtureBytes("explain/rejections.o"));
afterAll(() => rmSync(dir, { recursive: true }));

it("--explain prints the rule, the place and the advice instead of the bare message", async () => {
  const { code, out } = await cli(["verify", file, "--explain", "--prog", "packet_without_check"]);
  expect(code).toBe(1);
  expect(out).toContain("refused[packet-range]: Packet access that no check against data_end covers");
  expect(out).toMatch(/--> rejections\.c:\d+ in packet_without_check\(\), instruction 11/);
  expect(out).toContain("+ 24 > data_end");
  expect(out).toContain("docs/errors/packet-range.md");
});

it("--explain --format json adds the key explanation to the line", async () => {
  const { out } = await cli(["verify", file, "--explain", "--format", "json", "--prog", "writes_ctx"]);
  const row = JSON.parse(out) as { prog: string; msg: string; explanation: Explanation };
  expect(row.prog).toBe("writes_ctx");
  expect(row.explanation.code).toBe("ctx-access");
  expect(row.explanation.message).toBe(row.msg);
  expect(row.explanation.source?.text).toBe("ctx->ingress_ifindex = 1;");
});

it("without --explain the line stays as it was", async () => {
  const { out } = await cli(["verify", file, "--format", "json", "--prog", "writes_ctx"]);
  expect(Object.keys(JSON.parse(out) as object)).not.toContain("explanation");
});

it("--complexity shows where the work is, of accepted programs too", async () => {
  const plain = await cli(["verify", file, "--complexity", "--prog", "writes_ctx"]);
  expect(plain.out).toMatch(/Work {2}\d+ instructions simulated/);
  const { out } = await cli(["verify", file, "--complexity", "--format", "json", "--prog", "writes_ctx"]);
  const row = JSON.parse(out) as { insns: number; complexity: ComplexityReport };
  expect(row.complexity.insnsProcessed).toBe(row.insns);
});
