/** Which helpers each program type may call, and which are for GPL programs only, equals what Linux 6.18 accepted. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { HELPERS, protoFor } from "../../src/helpers/table.ts";
import { ARG_CONST_SIZE, ARG_CONST_SIZE_OR_ZERO, ARG_PTR_TO_MEM, MEM_FIXED_SIZE } from "../../src/helpers/types.ts";
import { PROG_TYPES } from "../../src/progs/prog_types.ts";
import { linux618 } from "../../src/verifier/profile.ts";

interface Row {
  readonly type: string;
  readonly allowed: readonly number[];
  readonly gpl_only: readonly number[];
}

const rows: Row[] = readFileSync(new URL("./linux-6.18-helpers.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const platform = linux618();

function helperOf(id: number) {
  const helper = HELPERS[id];
  if (!helper) throw new Error(`no helper ${id}`);
  return helper;
}

describe("helpers as on Linux 6.18", () => {
  it.each(rows.map((row) => [row.type, row] as const))("%s may call", (key, row) => {
    const own = platform.typeHelpers.get(key);
    expect(own).toBeDefined();
    const ids = new Set([...platform.baseHelpers, ...(own ?? [])]);
    expect([...ids].sort((a, b) => a - b)).toEqual(row.allowed);
  });

  it.each(rows.map((row) => [row.type, row] as const))("%s: GPL only", (key, row) => {
    const type = PROG_TYPES.find((t) => t?.name === key.split("/")[0])!.type;
    const gpl = row.allowed.filter((id) => protoFor(helperOf(id), type).gplOnly === true);
    expect(gpl).toEqual(row.gpl_only);
  });

  it("has all 211 helpers, each under its own number and name", () => {
    const numbers = abi as unknown as Record<string, number>;
    for (let id = 1; id <= 211; id++) expect(numbers[`BPF_FUNC_${helperOf(id).name}`]).toBe(id);
  });

  it("has prototypes in which sizes follow memory, and abi strings that fit them", () => {
    for (let id = 1; id <= 211; id++) {
      const helper = helperOf(id);
      const [args] = helper.abi.split(":");
      expect(helper.abi, helper.name).toMatch(/^[pq]*:[piqv]$/);
      for (const proto of [helper.proto, ...(helper.variants ?? []).map((v) => v.proto ?? helper.proto)]) {
        proto.args.forEach((arg, i) => {
          const isSize = arg === ARG_CONST_SIZE || arg === ARG_CONST_SIZE_OR_ZERO;
          if (isSize) expect(proto.args[i - 1] & 0xff, helper.name).toBe(ARG_PTR_TO_MEM);
          if (arg & MEM_FIXED_SIZE) expect(proto.sizes?.[i], helper.name).toBeGreaterThan(0);
        });
      }
      expect(args.length, helper.name).toBeGreaterThanOrEqual(helper.proto.args.length);
    }
  });
});
