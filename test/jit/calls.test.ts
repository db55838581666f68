/** What only the JIT does: inlined helpers, tables, direct calls into core.wasm, code it leaves out. */
import { describe, expect, test } from "vitest";
import {
  BPF_FUNC_loop,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_tail_call,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PROG_ARRAY,
} from "../../src/abi/bpf.ts";
import { map_lookup_elem } from "../../src/helpers/map.ts";
import { type CallTarget, type ConstMap, type ExecImage, RunFault } from "../../src/interp/image.ts";
import { loadInterp } from "../../src/interp/interp.ts";
import { assemble } from "../../src/isa/assemble.ts";
import type { Insns } from "../../src/isa/insns.ts";
import { jit } from "../../src/jit/jit.ts";
import { BpfMap } from "../../src/maps/bpf_map.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { type Bed, bed, type ImageFacts, imageOf, load, run64 } from "./harness.ts";

const proto = { args: [], ret: 0 };
const u32 = (v: number): Uint8Array => new Uint8Array(Uint32Array.of(v).buffer);
const u64 = (v: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(v).buffer);

function lookupIn(map: ConstMap): ImageFacts {
  return { helpers: { [BPF_FUNC_map_lookup_elem]: { helper: map_lookup_elem, map } } };
}

/** r0 = value of the key in the context, or 0xdead. */
const LOOKUP = (map: number): string => `
    r1 = *(u32 *)(r1 + 0)
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    r1 = ${map} ll
    call 1
    if r0 == 0 goto none
    r0 = *(u64 *)(r0 + 0)
    exit
  none:
    r0 = 0xdead
    exit`;

function lookupAll(b: Bed, map: BpfMap, keys: readonly number[]): bigint[] {
  const ctx = b.memory.alloc(8);
  const prog = load(b, LOOKUP(map.addr), lookupIn(map.constMap as ConstMap));
  return keys.map((key) => {
    b.memory.writeU32(ctx, key);
    return run64(b, prog, ctx);
  });
}

describe("map lookups", () => {
  test("array: inside, last, just outside, far outside", () => {
    const b = bed();
    const map = new BpfMap(b.memory, { type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 12, maxEntries: 5 });
    for (let n = 0; n < 5; n++) map.update(u32(n), new Uint8Array([n + 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect(lookupAll(b, map, [0, 4, 5, 0xffffffff])).toEqual([10n, 14n, 0xdeadn, 0xdeadn]);
  });

  test("per-CPU array: the value of the CPU that runs", () => {
    const b = bed();
    const map = new BpfMap(b.memory, { type: BPF_MAP_TYPE_PERCPU_ARRAY, keySize: 4, valueSize: 8, maxEntries: 3 });
    map.update(u32(2), new Uint8Array([...u64(111n), ...u64(222n)]));
    expect(lookupAll(b, map, [2, 3])).toEqual([222n, 0xdeadn]);
  });

  test("hash: the map type's own export", () => {
    const b = bed();
    const map = new BpfMap(b.memory, { type: BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 3 });
    map.update(u32(7), u64(70n));
    expect(lookupAll(b, map, [7, 8])).toEqual([70n, 0xdeadn]);
  });

  test("a key that another store changed is not the one remembered", () => {
    const b = bed();
    const map = new BpfMap(b.memory, { type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 4 });
    for (let n = 0; n < 4; n++) map.update(u32(n), u64(BigInt(n) + 100n));
    const program = (change: string): string => `
      r3 = 1
      *(u32 *)(r10 - 4) = r3
      r3 = 9
      r4 = r10
      r4 += -8
      ${change}
      r2 = r10
      r2 += -4
      r1 = ${map.addr} ll
      call 1
      if r0 == 0 goto none
      r0 = *(u64 *)(r0 + 0)
      exit
    none:
      r0 = 0
      exit`;
    const facts = lookupIn(map.constMap as ConstMap);
    const run = (change: string): bigint => run64(b, load(b, program(change), facts));
    expect(run("r5 = 0")).toBe(101n);
    expect(run("r3 = 3\n*(u32 *)(r4 + 4) = r3")).toBe(103n);
    expect(run("r3 = 2\n*(u8 *)(r10 - 4) = r3")).toBe(102n);
    expect(run("r3 = 2\n*(u64 *)(r10 - 4) = r3")).toBe(102n);
    expect(run("*(u32 *)(r10 - 4) = 3")).toBe(103n);
    expect(run("r3 = 2\nlock *(u32 *)(r10 - 4) += r3")).toBe(103n);
  });
});

describe("tail calls through the slots of a known prog array", () => {
  const TAIL: CallTarget = { helper: { id: BPF_FUNC_tail_call, name: "tail_call", proto, abi: "ppp:i" } };

  function progArray(
    b: Bed,
    slots: number,
  ): { map: BpfMap; facts: ImageFacts; set(slot: number, entry: number): void } {
    const map = new BpfMap(b.memory, { type: BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: slots });
    const facts = { helpers: { [BPF_FUNC_tail_call]: { ...TAIL, map: map.constMap as ConstMap } } };
    const values = (map.constMap as ConstMap).values as { base: number; stride: number };
    return { map, facts, set: (slot, entry) => b.memory.writeU32(values.base + slot * values.stride, entry) };
  }

  const jump = (map: number, index: string): string => `
      r0 = 5
      r2 = ${map} ll
      r3 = ${index}
      call 12
      r0 += 1000
      exit`;

  test("taken, empty, out of range", () => {
    const b = bed();
    const array = progArray(b, 2);
    array.set(0, load(b, "r0 = *(u64 *)(r1 + 0)\nexit").entry);
    const ctx = b.memory.alloc(8);
    b.memory.writeU64(ctx, 77n);
    const run = (index: string): bigint => run64(b, load(b, jump(array.map.addr, index), array.facts), ctx);
    expect(run("0")).toBe(77n);
    expect(run("1")).toBe(1005n);
    expect(run("2")).toBe(1005n);
    expect(run("-1")).toBe(1005n);
  });

  test("33 of them, and the count starts anew with each run", () => {
    const b = bed();
    const array = progArray(b, 1);
    const counter = b.memory.alloc(8);
    const prog = load(
      b,
      `r4 = ${counter} ll
       r5 = *(u64 *)(r4 + 0)
       r5 += 1
       *(u64 *)(r4 + 0) = r5
       ${jump(array.map.addr, "0")}`,
      array.facts,
    );
    array.set(0, prog.entry);
    prog.run(0);
    expect(b.memory.readU64(counter)).toBe(34n);
    prog.runRepeat(0, 2);
    expect(b.memory.readU64(counter)).toBe(102n);
  });

  test("a subprogram's tail call returns to the subprogram's caller", () => {
    const b = bed();
    const array = progArray(b, 1);
    array.set(0, load(b, "r0 = 40\nexit").entry);
    const prog = load(b, `call f\nr0 += 2\nexit\nf:${jump(array.map.addr, "0")}`, array.facts);
    expect(prog.run(0)).toBe(42);
  });
});

describe("bpf_loop", () => {
  const facts: ImageFacts = {
    helpers: { [BPF_FUNC_loop]: { helper: { id: BPF_FUNC_loop, name: "loop", proto, abi: "pppq:i" } } },
  };
  const program = (n: string, flags = "0", hide = ""): string => `
      *(u64 *)(r10 - 8) = 0
      r1 = ${n}
      r2 = body ll
      ${hide}
      r3 = r10
      r3 += -8
      r4 = ${flags}
      call 181
      r0 <<= 32
      r1 = *(u64 *)(r10 - 8)
      r0 |= r1
      exit
    body:
      r3 = *(u64 *)(r2 + 0)
      r3 += r1
      *(u64 *)(r2 + 0) = r3
      r0 = 0
      if r1 != 6 goto out
      r0 = 1
    out:
      exit`;
  const cases: [string, string, bigint][] = [
    ["no turn", program("0"), 0n],
    ["ends by count", program("5"), (5n << 32n) | 10n],
    ["ends by the callback", program("100"), (7n << 32n) | 21n],
    ["callback not known at compile time", program("5", "0", "if r1 == 0 goto +0"), (5n << 32n) | 10n],
    ["too many turns", program("8388609"), BigInt.asUintN(64, -7n << 32n)],
    ["flags", program("5", "1"), BigInt.asUintN(64, -22n << 32n)],
  ];
  test.each(cases)("%s", (_, text, want) => {
    const b = bed();
    expect(run64(b, load(b, text, facts))).toBe(want);
  });
});

describe("program functions", () => {
  test("a subprogram called through its slot can be replaced", () => {
    const b = bed();
    const prog = load(b, "call f\nr0 += 1\nexit\nf:\nr0 = 10\nexit", {}, { indirect: new Set([1]) });
    expect(prog.run(0)).toBe(11);
    const other = load(b, "r0 = 20\nexit");
    b.memory.table.set(prog.slots[1], b.memory.table.get(other.entry));
    expect(prog.run(0)).toBe(21);
  });

  test("dispose empties the slots", () => {
    const b = bed();
    const prog = load(b, "r0 = 1\nexit");
    expect(b.memory.table.get(prog.entry)).not.toBeNull();
    prog.dispose();
    expect(b.memory.table.get(prog.entry)).toBeNull();
  });

  test("frames do not overlap", () => {
    const b = bed();
    const text = `
      r6 = 3
      *(u64 *)(r10 - 8) = r6
      *(u64 *)(r10 - 512) = r6
      r1 = 4
      call f
      r1 = *(u64 *)(r10 - 8)
      r0 += r1
      r1 = *(u64 *)(r10 - 512)
      r0 += r1
      r0 += r6
      exit
    f:
      *(u64 *)(r10 - 8) = r1
      r6 = 100
      r1 -= 1
      r0 = 0
      if r1 == 0 goto out
      call f
    out:
      r1 = *(u64 *)(r10 - 8)
      r0 += r1
      exit`;
    expect(load(b, text).run(0)).toBe(10 + 9);
  });
});

describe.each(["jit", "interp"] as const)("bpf_throw, %s", (engine) => {
  const withCallback = (image: ExecImage, callback: number): ExecImage => ({
    ...image,
    subprogs: image.subprogs.map((sub, n) => (n === callback ? { ...sub, isExceptionCb: true } : sub)),
  });
  const program = `
      r1 = 3
      call f
      r0 += 1000
      exit
    f:
      if r1 == 0 goto throw
      r1 -= 1
      call f
      r0 += 1000
      exit
    throw:
      r1 = 0x500000007 ll
      call 7
      r0 = 0
      exit
      r1 = cb ll
    cb:
      r0 = r1
      *(u64 *)(r10 - 8) = r0
      r0 += 1
      exit`;
  const helper = { id: 7, name: "bpf_throw", proto, abi: "q:v", throws: true } as const;

  test.each([
    ["without a callback the cookie is the result", -1, 0x500000007n],
    ["the callback's result is the program's", 2, 0x500000008n],
  ])("%s", (_, callback, want) => {
    const b = bed();
    const image = withCallback(imageOf(program, { helpers: { 7: { helper } } }), callback);
    const prog = engine === "jit" ? jit(image, b.env) : loadInterp(image, b.env);
    expect(run64(b, prog)).toBe(want);
    expect(run64(b, prog)).toBe(want);
  });
});

describe("instructions that the verifier never reached", () => {
  test("branches to them are not taken", () => {
    const b = bed();
    const text = "r0 = 1\nif r1 == 0 goto +1\nr0 = 2\nexit";
    expect(load(b, text).run(0)).toBe(1);
    expect(load(b, text, { seen: Uint8Array.of(1, 1, 1, 1) }).run(0)).toBe(1);
    expect(load(b, text, { seen: Uint8Array.of(1, 1, 1, 1) }).run(5)).toBe(2);
    const dead = load(b, "r0 = 1\nif r1 == 0 goto +2\nr0 = 2\nexit\ncall 99\nexit", {
      seen: Uint8Array.of(1, 1, 1, 1, 0, 0),
    });
    expect(dead.run(0)).toBe(2);
  });

  test("what follows a call that does not return, and a function that nobody calls, are not compiled", () => {
    const b = bed();
    const call = (rt: unknown): number => (rt ? 7 : 0);
    const facts = { helpers: { 7: { helper: { id: 7, name: "test", proto, abi: ":i", call } } } };
    const after = load(b, "call 7\ncall 99\nexit", { ...facts, seen: Uint8Array.of(1, 0, 0) });
    expect(() => after.run(0)).toThrow("has no way on");
    const lonely = load(b, "r0 = 3\nexit\nr1 = f ll\nf:\ncall 99\nexit", { seen: Uint8Array.of(1, 1, 0, 0, 0, 0) });
    expect(lonely.run(0)).toBe(3);
  });
});

describe("PROBE_MEM", () => {
  const load64 = (size: string): string => `r1 = *(u64 *)(r1 + 0)\nr0 = *(${size} *)(r1 + 8)\nexit`;
  test.each<[string, (end: bigint) => bigint]>([
    ["NULL", () => 0n],
    ["below 64 KiB", () => 0xff00n],
    ["across 64 KiB", () => 0xfff7n],
    ["upper half set", () => 0x1_0002_0000n],
    ["negative", () => 0xffff_ffff_ffff_ff00n],
    ["end of memory", (end) => end - 8n],
    ["across the end of memory", (end) => end - 12n],
  ])("%s", (_, addr) => {
    const b = bed();
    const ctx = b.memory.alloc(8);
    b.memory.writeU64(ctx, addr(BigInt(b.memory.u8.length)));
    b.memory.writeU32(0xff08, 1);
    const prog = load(b, load64("u64"), { probeMem: Uint8Array.of(0, 1, 0) });
    expect(run64(b, prog, ctx)).toBe(0n);
  });

  test("a good address reads what is there, to the last byte", () => {
    const b = bed();
    const ctx = b.memory.alloc(8);
    const end = b.memory.u8.length;
    b.memory.writeU64(ctx, BigInt(end - 16));
    b.memory.writeU64(end - 8, 0x1122334455667788n);
    expect(run64(b, load(b, load64("u64"), { probeMem: Uint8Array.of(0, 1, 0) }), ctx)).toBe(0x1122334455667788n);
  });
});

describe("faults name the instruction", () => {
  function fault(b: Bed, text: string | Insns, facts: ImageFacts = {}): RunFault {
    try {
      load(b, text, facts).run(0);
    } catch (error) {
      expect(error).toBeInstanceOf(RunFault);
      return error as RunFault;
    }
    throw new Error("no fault");
  }

  test("an access outside the memory", () => {
    expect(fault(bed(), "r0 = 0\nr1 = -16 ll\nr0 = *(u64 *)(r1 + 0)\nexit").insnIdx).toBe(3);
  });

  test("in a subprogram", () => {
    expect(fault(bed(), "call f\nexit\nf:\nr1 = -16 ll\nr0 = *(u64 *)(r1 + 0)\nexit").insnIdx).toBe(4);
  });

  test("in a call through the table, as batches make it", () => {
    const b = bed();
    const prog = load(b, "r0 = 0\nr1 = -16 ll\nr0 = *(u64 *)(r1 + 0)\nexit");
    const entry = b.memory.table.get(prog.entry) as (fp: number, ...args: bigint[]) => bigint;
    let error: unknown;
    try {
      entry(0x20000, 0n, 0n, 0n, 0n, 0n);
    } catch (e) {
      error = prog.faultOf(e);
    }
    expect(error).toBeInstanceOf(RunFault);
    expect((error as RunFault).insnIdx).toBe(3);
    expect(prog.faultOf("something else")).toBe("something else");
  });

  test("in a helper of core.wasm: the call", () => {
    const b = bed();
    const helper = { id: 1, name: "map_lookup_elem", proto, abi: "pp:p", core: "map_lookup_elem" };
    const text = "r1 = 0xfffffff0 ll\nr2 = 0xfffffff0 ll\ncall 1\nexit";
    expect(fault(b, text, { helpers: { 1: { helper } } }).insnIdx).toBe(4);
  });

  test("NULL and upper bits, when nobody verified the program", () => {
    for (const addr of ["0", "0xfff0", "0x100020000"]) {
      const found = fault(bed(), `r1 = ${addr} ll\nr0 = *(u8 *)(r1 + 0)\nexit`, { fuel: 100 });
      expect(found.insnIdx).toBe(2);
      expect(found.message).toContain("outside the memory that programs may use");
    }
  });

  test("writing r10; a register or an instruction that there is not", () => {
    const at1 = (change: (insns: Insns) => void): RunFault => {
      const { insns } = assemble("r9 = 1\nr9 = 2\nexit");
      change(insns);
      return fault(bed(), insns, { fuel: 100 });
    };
    expect(at1(({ dst }) => (dst[1] = 10)).insnIdx).toBe(1);
    expect(at1(({ dst }) => (dst[1] = 12)).insnIdx).toBe(1);
    expect(at1(({ code, off }) => (code[1] = 0xf5) && (off[1] = -2)).insnIdx).toBe(1);
    expect(at1(({ code }) => (code[1] = 0xff)).insnIdx).toBe(1);
  });

  test("a run that ended so leaves the CPU's record in order", () => {
    const b = bed();
    const top = b.memory.readU32(b.memory.cpuCtx + CPU_CTX.stackTop);
    fault(b, "l:\ngoto l", { fuel: 100 });
    expect(b.memory.readU32(b.memory.cpuCtx + CPU_CTX.stackTop)).toBe(top);
    expect(b.env.current).toBeUndefined();
    expect(load(b, "r0 = 3\nexit", { fuel: 5 }).run(0)).toBe(3);
  });
});
