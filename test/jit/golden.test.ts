/** What the JIT writes for a few programs, as text in golden/. `npx vitest run test/jit/golden.test.ts -u` rewrites it. */
import { describe, expect, test } from "vitest";
import {
  BPF_FUNC_loop,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_update_elem,
  BPF_FUNC_tail_call,
} from "../../src/abi/bpf.ts";
import type { CallTarget, ConstMap } from "../../src/interp/image.ts";
import type { JitOptions } from "../../src/jit/jit.ts";
import { wasmText } from "../../src/wasm/text.ts";
import { bed, type ImageFacts, load } from "./harness.ts";

const proto = { args: [], ret: 0 };
const ARRAY: ConstMap = {
  addr: 0x20000,
  type: 2,
  maxEntries: 16,
  valueSize: 8,
  values: { base: 0x30000, stride: 8, cpuStride: 0 },
};
const HASH: ConstMap = { addr: 0x21000, type: 1, maxEntries: 16, valueSize: 8 };
const PROGS: ConstMap = {
  addr: 0x22000,
  type: 3,
  maxEntries: 4,
  valueSize: 4,
  values: { base: 0x23000, stride: 8, cpuStride: 0 },
};
const helper = (id: number, name: string, abi: string, map?: ConstMap): Record<number, CallTarget> => ({
  [id]: { helper: { id, name, proto, abi, core: name }, ...(map ? { map } : {}) },
});

const PROGRAMS: { name: string; asm: string; facts?: ImageFacts; options?: JitOptions }[] = [
  {
    name: "loop",
    asm: `
      r0 = 0
      r2 = 0
    again:
      r3 = r1
      r3 += r2
      r3 = *(u8 *)(r3 + 4)
      if r3 == 0 goto done
      r0 += r3
      r2 += 1
      if r2 < 64 goto again
    done:
      exit`,
  },
  {
    name: "array_lookup",
    asm: `
      *(u32 *)(r10 - 4) = 3
      r2 = r10
      r2 += -4
      r1 = 0x20000 ll
      call 1
      if r0 == 0 goto out
      r1 = 1
      lock *(u64 *)(r0 + 0) += r1
    out:
      r0 = 2
      exit`,
    facts: { helpers: helper(BPF_FUNC_map_lookup_elem, "map_lookup_elem", "pp:p", ARRAY), stackDepth: 8 },
  },
  {
    name: "hash_update",
    asm: `
      *(u64 *)(r10 - 8) = r1
      r2 = r10
      r2 += -8
      r3 = r2
      r1 = 0x21000 ll
      r4 = 0
      call 2
      exit`,
    facts: { helpers: helper(BPF_FUNC_map_update_elem, "map_update_elem", "pppq:i", HASH), stackDepth: 8 },
  },
  {
    name: "rotate",
    asm: `
      r0 = *(u64 *)(r1 + 0)
      r2 = r0
      r2 <<= 13
      r0 >>= 51
      r0 |= r2
      w3 = w0
      w4 = w0
      w3 <<= 7
      w4 >>= 25
      w4 |= w3
      r0 ^= r4
      exit`,
  },
  {
    name: "tail_call",
    asm: `
      r2 = 0x22000 ll
      r3 = 1
      call 12
      r0 = 0
      exit`,
    facts: { helpers: helper(BPF_FUNC_tail_call, "tail_call", "ppp:i", PROGS) },
  },
  {
    name: "bpf_loop",
    asm: `
      r1 = 10
      r2 = body ll
      r3 = r10
      r3 += -8
      r4 = 0
      call 181
      exit
    body:
      r0 = *(u64 *)(r2 + 0)
      exit`,
    facts: { helpers: helper(BPF_FUNC_loop, "loop", "pppq:i"), stackDepth: 8 },
  },
  {
    name: "irreducible",
    asm: `
      r0 = 0
      if r1 == 0 goto b
    a:
      r0 += 1
      if r0 > 9 goto out
    b:
      r0 += 3
      goto a
    out:
      exit`,
    facts: { stackDepth: 0 },
  },
  { name: "probe_mem", asm: "r0 = *(u32 *)(r1 - 8)\nexit", facts: { probeMem: Uint8Array.of(1, 0), stackDepth: 0 } },
  {
    name: "real_atomics",
    asm: "r2 = 1\nr2 = atomic_fetch_add((u64 *)(r1 + 8), r2)\nr0 = r2\nexit",
    options: { shared: true },
  },
];

describe("golden text", () => {
  test.each(PROGRAMS)("$name", async ({ name, asm, facts, options }) => {
    const prog = load(bed(), asm, facts, options);
    await expect(wasmText(prog.wasm, { only: (f) => f.startsWith("bpf:") })).toMatchFileSnapshot(`golden/${name}.wat`);
  });
});
