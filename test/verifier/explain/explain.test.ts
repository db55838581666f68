import { describe, expect, it } from "vitest";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_RINGBUF,
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SOCKET_FILTER,
} from "../../../src/abi/bpf.ts";
import { CATALOG } from "../../../src/verifier/explain/catalog.ts";
import { load, type Program, refuse } from "./refuse.ts";

interface Case extends Program {
  readonly name: string;
  readonly code: string;
  readonly insn: number | undefined;
  /** Register or slot at fault. */
  readonly value?: string;
  /** Its state. */
  readonly state?: RegExp;
  /** What the steps of the path say, in order; others may stand between. */
  readonly path?: readonly RegExp[];
  readonly suggestion?: RegExp;
}

const m = { m: [BPF_MAP_TYPE_HASH, 4, 16, 4] } as const;
const ring = { rb: [BPF_MAP_TYPE_RINGBUF, 0, 0, 4096] } as const;
const lookup = `
  r6 = r1
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[m] ll
  call map_lookup_elem`;

const CASES: readonly Case[] = [
  {
    name: "packet bytes behind those that were checked",
    asm: `
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 14
      if r4 > r3 goto out
      r0 = *(u8 *)(r2 + 23)
    out:
      r0 = 2
      exit`,
    code: "packet-range",
    insn: 5,
    value: "r2",
    state: /packet pointer; the first 14 bytes/,
    path: [/r2 was loaded from ctx->data/, /'r4 > r3' is false/],
    suggestion: /ends 24 bytes .* Only 14 bytes .* \+ 24 > data_end/,
  },
  {
    name: "the comparison with data_end is the wrong way round",
    asm: `
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 8
      if r4 > r3 goto use
      r0 = 2
      exit
    use:
      r0 = *(u8 *)(r2 + 0)
      exit`,
    code: "packet-range",
    insn: 7,
    path: [/'r4 > r3' is true on this path, which says nothing new about r2/],
  },
  {
    name: "packet pointer after a call that moves the packet",
    progType: BPF_PROG_TYPE_SCHED_CLS,
    asm: `
      r6 = r1
      r7 = *(u32 *)(r1 + 76)
      r8 = *(u32 *)(r1 + 80)
      r2 = r7
      r2 += 14
      r0 = 0
      if r2 > r8 goto out
      r2 = 100
      r3 = 0
      call skb_change_tail
      r0 = *(u8 *)(r7 + 0)
    out:
      exit`,
    code: "invalid-mem-access",
    insn: 10,
    value: "r7",
    path: [/bpf_skb_change_tail\(\) may move the packet/],
    suggestion: /Load data and data_end .* again after the call/,
  },
  {
    name: "map value without a null check",
    maps: m,
    asm: `${lookup}
      r1 = *(u64 *)(r0 + 0)
      exit`,
    code: "invalid-mem-access",
    insn: 7,
    value: "r0",
    state: /^NULL or a pointer into a value of map 'm' \(16 bytes\)$/,
    path: [/r0 was returned by bpf_map_lookup_elem\(\)/],
    suggestion: /if \(!ptr\) return 0;.*lookup in map 'm'/,
  },
  {
    name: "index that is one too large",
    maps: m,
    asm: `${lookup}
      if r0 == 0 goto out
      r1 = *(u8 *)(r0 + 0)
      if r1 > 16 goto out
      r0 += r1
      *(u8 *)(r0 + 0) = 1
    out:
      r0 = 0
      exit`,
    code: "map-value-range",
    insn: 11,
    state: /value of map 'm' \(16 bytes\) at an offset of 0 to 16/,
    path: [/'r1 > 0x10' is false/, /r0 was increased by r1 \(a number, 0 to 16\)/],
    suggestion: /may begin at 15 at most.*r1, a number, 0 to 16/,
  },
  {
    name: "number of a map value without any bound",
    maps: m,
    asm: `${lookup}
      if r0 == 0 goto out
      r1 = *(u64 *)(r0 + 8)
      r0 += r1
      *(u8 *)(r0 + 0) = 1
    out:
      r0 = 0
      exit`,
    code: "pointer-arithmetic-unbounded",
    insn: 9,
    value: "r1",
    state: /unbounded number/,
    path: [/r1 was loaded from byte 8 of a value of map 'm'/],
  },
  {
    name: "signed index with an upper bound only",
    maps: m,
    asm: `${lookup}
      if r0 == 0 goto out
      r1 = *(s8 *)(r0 + 0)
      if r1 s> 7 goto out
      r0 += r1
      *(u8 *)(r0 + 0) = 1
    out:
      r0 = 0
      exit`,
    code: "negative-index",
    insn: 11,
    suggestion: /index in r1 \(a number, -128 to 7\) may be negative/,
  },
  {
    name: "register that a call wiped",
    asm: `
      call get_prandom_u32
      r0 = r1
      exit`,
    code: "uninit-register",
    insn: 1,
    value: "r1",
    state: /^no value$/,
    path: [/r1 was wiped by the call of bpf_get_prandom_u32\(\)/],
    suggestion: /r6 to r9/,
  },
  {
    name: "register that only one branch writes",
    asm: `
      r2 = *(u32 *)(r1 + 12)
      if r2 == 0 goto skip
      r3 = 1
    skip:
      r0 = r3
      exit`,
    code: "uninit-register",
    insn: 3,
    value: "r3",
    path: [/r3 has no value when the function begins/, /'r2 == 0x0' is true/],
  },
  {
    name: "stack that nothing wrote",
    maps: m,
    noPerfmon: true,
    asm: `
      r2 = r10
      r2 += -8
      r1 = map[m] ll
      call map_lookup_elem
      r0 = 0
      exit`,
    code: "stack-range",
    insn: 4,
    value: "r2",
    suggestion: /Nothing wrote the 4 bytes at fp-8 .* bpf_map_lookup_elem\(\)/,
  },
  {
    name: "key with a hole in it",
    maps: { m: [BPF_MAP_TYPE_HASH, 8, 16, 4] },
    noPerfmon: true,
    asm: `
      r2 = *(u32 *)(r1 + 12)
      *(u8 *)(r10 - 8) = 1
      *(u32 *)(r10 - 4) = r2
      r2 = r10
      r2 += -8
      r1 = map[m] ll
      call map_lookup_elem
      r0 = 0
      exit`,
    code: "stack-uninit",
    insn: 7,
    value: "fp-8",
    state: /5 of 8 bytes written/,
    path: [/the number 1 was stored at fp-8/],
    suggestion: /bpf_map_lookup_elem\(\) reads 8 bytes of stack, and byte 2 of them is not written/,
  },
  {
    name: "value that went through the stack and a copy",
    maps: m,
    asm: `${lookup}
      *(u64 *)(r10 - 16) = r0
      r7 = *(u64 *)(r10 - 16)
      r8 = r7
      r0 = *(u64 *)(r8 + 0)
      exit`,
    code: "invalid-mem-access",
    insn: 10,
    value: "r8",
    path: [
      /r0 was returned by/,
      /r0 was saved at fp-16/,
      /r7 was read back from the stack at fp-16/,
      /r8 was copied from r7/,
    ],
  },
  {
    name: "argument and result of a function",
    asm: `
      call f
      r0 = *(u64 *)(r0 + 0)
      exit
    f:
      r0 = *(u32 *)(r1 + 12)
      exit`,
    code: "invalid-mem-access",
    insn: 1,
    value: "r0",
    path: [/was loaded from ctx->ingress_ifindex/, /r0 was returned by/],
  },
  {
    name: "ring buffer record that is lost on one path",
    maps: ring,
    asm: `
      r6 = r1
      r1 = map[rb] ll
      r2 = 8
      r3 = 0
      call ringbuf_reserve
      if r0 == 0 goto out
      r1 = *(u32 *)(r6 + 12)
      if r1 == 7 goto out
      r1 = r0
      r2 = 0
      call ringbuf_submit
    out:
      r0 = 0
      exit`,
    code: "reference-leak",
    insn: 13,
    path: [/bpf_ringbuf_reserve\(\) acquired the reference/, /'r1 == 0x7' is true/, /the last copy .* r0 was set to 0/],
    suggestion: /bpf_ringbuf_submit\(\) or bpf_ringbuf_discard\(\)/,
  },
  {
    name: "number instead of a pointer",
    maps: m,
    asm: `
      r2 = 5
      r1 = map[m] ll
      call map_lookup_elem
      r0 = 0
      exit`,
    code: "arg-type",
    insn: 3,
    value: "r2",
    state: /the number 5/,
    path: [/r2 was set to 5/],
    suggestion: /wants a pointer in r2/,
  },
  {
    name: "loop without progress",
    asm: `
      r0 = 0
    again:
      if r0 == 0 goto again
      exit`,
    code: "infinite-loop",
    insn: 1,
    suggestion: /constant bound/,
  },
  {
    name: "write to a context field that is read-only",
    asm: `
      r2 = 1
      *(u32 *)(r1 + 12) = r2
      r0 = 2
      exit`,
    code: "ctx-access",
    insn: 1,
    suggestion: /may be read at 4 bytes, may not be written/,
  },
  {
    name: "length that varies beyond the buffer",
    progType: BPF_PROG_TYPE_SCHED_CLS,
    asm: `
      r4 = *(u32 *)(r1 + 0)
      if r4 > 65 goto out
      if r4 == 0 goto out
      r2 = 0
      r3 = r10
      r3 += -64
      call skb_load_bytes
    out:
      r0 = 0
      exit`,
    code: "stack-range",
    insn: 6,
    value: "r4",
    state: /a number, 1 to 65/,
    path: [/loaded from ctx->len/, /'r4 > 0x41' is false/],
    suggestion: /length in r4 can be 65/,
  },
  {
    name: "address as return value",
    progType: BPF_PROG_TYPE_SOCKET_FILTER,
    noPerfmon: true,
    asm: `
      r0 = r1
      exit`,
    code: "pointer-leak",
    insn: 1,
    value: "r0",
    path: [/r1 is argument 1 of test\(\)/, /r0 was copied from r1/],
  },
  {
    name: "return value of a cgroup program",
    progType: BPF_PROG_TYPE_CGROUP_SKB,
    asm: `
      r2 = *(u32 *)(r1 + 0)
      r0 = 1
      if r2 < 100 goto out
      r0 = 17
    out:
      exit`,
    code: "return-value",
    insn: 4,
    value: "r0",
    state: /the number 17/,
    path: [/'r2 < 0x64' is false/, /r0 was set to 17/],
    suggestion: /from 0 to 1 .* the number 17/,
  },
  {
    name: "helper of another program type",
    asm: `
      call get_retval
      exit`,
    code: "helper-unavailable",
    insn: 0,
    suggestion: /bpf_get_retval cannot be called/,
  },
  {
    name: "GPL helper in another license",
    license: "Proprietary",
    asm: `
      r1 = r10
      r2 = 0
      call trace_printk
      exit`,
    code: "gpl-only",
    insn: 2,
  },
  { name: "dead code", asm: "exit\nr0 = 0\nexit", code: "unreachable", insn: 1 },
  {
    name: "too much stack in a chain of calls",
    asm: `
      *(u64 *)(r10 - 304) = 0
      r0 = 0
      call f
      exit
    f:
      *(u64 *)(r10 - 304) = 0
      r0 = 0
      exit`,
    code: "stack-depth",
    insn: undefined,
    suggestion: /bytes are used \(.*304.*304/,
  },
  {
    name: "map without room for the access",
    maps: { m: [BPF_MAP_TYPE_ARRAY, 4, 8, 1] },
    asm: `${lookup}
      if r0 == 0 goto out
      r0 = *(u32 *)(r0 + 6)
    out:
      exit`,
    code: "map-value-range",
    insn: 8,
    suggestion: /read of 4 bytes at offset 6 ends at 10, but the value of 'm' has only 8 bytes.*4 is the last/,
  },
];

describe("explanations", () => {
  it.each(CASES)("$name", (c) => {
    const error = refuse(c);
    const e = error.explanation!;
    expect(e, "there is an explanation").toBeDefined();
    expect({ code: e.code, insn: e.insnIdx }, e.message).toEqual({ code: c.code, insn: c.insn });
    expect(error.log).toContain(e.message);
    if (c.value) expect(e.value?.reg).toBe(c.value);
    if (c.state) expect(e.value?.state).toMatch(c.state);
    if (c.suggestion) expect(e.suggestion).toMatch(c.suggestion);
    const said = e.path.map((s) => s.what);
    let from = 0;
    for (const wanted of c.path ?? []) {
      const at = said.findIndex((what, i) => i >= from && wanted.test(what));
      expect(at, `${wanted} in\n${said.join("\n")}`).toBeGreaterThanOrEqual(0);
      from = at + 1;
    }
    expect(e.docs).toBe(`docs/errors/${c.code}.md`);
    expect(JSON.parse(JSON.stringify(e)).code).toBe(c.code);
  });

  it("is made once, and not before it is asked for", () => {
    const error = refuse(CASES[0]);
    expect(error.explanation).toBe(error.explanation);
  });

  it("speaks of the values that constant maps had, when they are gone", () => {
    // The fd table is empty and the memory of the map is another's by the time of the question.
    const error = refuse({ ...CASES[3] });
    expect(error.explanation?.value?.state).toContain("map 'm'");
  });
});

/** A sum that depends on the branches taken: each path has another. */
const diverging = (rounds: number): string => `
  r6 = 0
  r7 = r1
  r8 = 0
again:
  call get_prandom_u32
  if r0 > 5 goto skip
  r6 += 3
skip:
  r6 += 1
  r8 += 1
  if r8 < ${rounds} goto again
  r6 &= 7
  r0 = r10
  r0 += -8
  r0 += r6
  *(u8 *)(r0 + 0) = 1
  r0 = 0
  exit`;

describe("complexity", () => {
  it("of a program past the limit: what is visited most, and why paths are not merged", () => {
    const e = refuse({ asm: diverging(1000), limit: 3000 }).explanation!;
    expect(e.code).toBe("too-complex");
    const c = e.complexity!;
    expect(c.insnsProcessed).toBe(3001);
    expect(c.limit).toBe(3000);
    expect(c.insns[0].visits).toBeGreaterThan(300);
    expect(c.joins[0].misses[0].place).toMatch(/^r[68]$/);
    expect(c.joins[0].misses[0].how).toMatch(/another constant/);
    expect(c.joins[0].misses[0].kept).toMatch(/^the number \d+$/);
  });

  it("counts nothing unless it is asked for", () => {
    expect(load({ asm: diverging(3) })).toBeUndefined();
    const e = refuse({ asm: "r0 = r5\nexit" });
    expect(e.stats?.complexity).toBeUndefined();
    const asked = refuse({ asm: "r0 = r5\nexit", complexity: true });
    expect(asked.stats?.complexity?.insns).toEqual([
      { insnIdx: 0, disasm: "r0 = r5", visits: 1, states: 0, pruned: 0, misses: [], source: undefined },
    ]);
  });
});

it("codes used above exist", () => {
  for (const c of CASES) expect(CATALOG.map((e) => e.code)).toContain(c.code);
});
