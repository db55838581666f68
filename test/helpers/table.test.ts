/** Every helper has exactly one of a body in core.wasm, a body in TypeScript, or a reason why it has none. */
import { expect, it } from "vitest";
import { BPF_FUNC_tail_call } from "../../src/abi/bpf.ts";
import { HELPERS } from "../../src/helpers/table.ts";
import { KFUNCS_WITH_BODY } from "../../src/kfuncs/bodies.ts";
import { KFUNCS } from "../../src/kfuncs/table.ts";
import { Memory } from "../../src/memory/memory.ts";

const core = new Memory().exports<Record<string, unknown>>();

it("helpers", () => {
  for (const helper of HELPERS) {
    // The engines do tail calls themselves.
    if (!helper || helper.id === BPF_FUNC_tail_call) continue;
    const bodies = [helper.core, helper.call, helper.unsupported].filter((b) => b !== undefined);
    expect(`${helper.name}: ${bodies.length}`).toBe(`${helper.name}: 1`);
    for (const name of [helper.core, ...(helper.variants ?? []).map((v) => v.core)]) {
      if (name !== undefined) expect(`${name}: ${typeof core[name]}`).toBe(`${name}: function`);
    }
  }
});

it("kfuncs with bodies are kfuncs", () => {
  for (const name of KFUNCS_WITH_BODY) expect([name, KFUNCS.has(name)]).toEqual([name, true]);
});
