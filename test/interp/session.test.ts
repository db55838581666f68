import { describe, expect, it } from "vitest";
import { loadInterp } from "../../src/interp/interp.ts";
import { bed, type ImageFacts, imageOf } from "../jit/harness.ts";

const PROGRAM = `
    r6 = 3
  again:
    r1 = r6
    call double
    r6 += -1
    if r6 != 0 goto again
    exit
  double:
    *(u64 *)(r10 - 8) = r1
    r0 = *(u32 *)(r10 - 8)
    r0 += r0
    exit`;

function open(text = PROGRAM, facts?: ImageFacts) {
  const b = bed();
  const interp = loadInterp(imageOf(text, facts), b.env);
  return { b, interp };
}

describe("session", () => {
  it("steps, shows registers and frames, and ends", () => {
    const { interp } = open();
    using s = interp.debug(0x30000);
    expect([s.pc, s.regs[1], s.regs[6]]).toEqual([0, 0x30000n, 0n]);
    expect(s.step()).toBe("step");
    expect([s.pc, s.regs[6]]).toEqual([1, 3n]);
    expect(s.step(2)).toBe("step");
    expect(s.frames.map((f) => [f.subprog, f.pc])).toEqual([
      ["f1", 6],
      ["f0", 3],
    ]);
    expect(s.run()).toBe("exit");
    expect(s.result).toBe(2n);
    expect(() => s.step()).toThrow("the run has ended");
  });

  it("stops before breakpoints, also right after a helper call, and goes on from there", () => {
    const call = { helper: { id: 7, name: "h", proto: { args: [], ret: 0 }, abi: ":i", call: () => 5 } };
    const { interp } = open("call 7\nr6 = r0\nr6 += 1\nr0 = r6\nexit", { helpers: { 7: call } });
    using s = interp.debug(0);
    s.breakpoints.add(1).add(3);
    expect(s.run()).toBe("break");
    expect([s.pc, s.regs[0]]).toEqual([1, 5n]);
    expect(s.run()).toBe("break");
    s.setReg(6, 100n);
    s.breakpoints.clear();
    expect(s.run()).toBe("exit");
    expect(s.result).toBe(100n);
  });

  it("stops in a loop each time round", () => {
    const { interp } = open();
    using s = interp.debug(0);
    s.breakpoints.add(6);
    const seen: bigint[] = [];
    while (s.run() === "break") seen.push(s.regs[1]);
    expect(seen).toEqual([3n, 2n, 1n]);
  });

  it("reports a fault with its place, once", () => {
    const { interp } = open("r1 = 8\nr0 = *(u64 *)(r1 + 8)\nexit");
    using s = interp.debug(0);
    expect(() => s.run()).toThrow("test: access to 0x10 outside the memory that programs may use at insn 1");
    expect(s.pc).toBe(1);
    expect(() => s.step()).toThrow("the run has ended");
  });
});

describe("hooks on whole runs", () => {
  it("counts how often each slot is executed, callbacks and called functions too", () => {
    const { interp } = open();
    interp.countHits();
    interp.run(0);
    interp.run(0);
    expect([...(interp.hits ?? [])]).toEqual([2, 6, 6, 6, 6, 2, 6, 6, 6, 6]);
  });

  it("reports accesses before they happen", () => {
    const { b, interp } = open("*(u64 *)(r10 - 8) = 5\nr0 = *(u16 *)(r10 - 6)\nlock *(u32 *)(r10 - 8) += r0\nexit");
    const seen: unknown[] = [];
    const fp = b.memory.readU32(b.memory.cpuCtx + 4);
    interp.onAccess = (addr, size, write) => seen.push([addr - fp, size, write]);
    interp.run(0);
    interp.onAccess = undefined;
    interp.run(0);
    expect(seen).toEqual([
      [-8, 8, true],
      [-6, 2, false],
      [-8, 4, true],
    ]);
  });
});

it("a function kept by a helper can be called after the run", () => {
  const b = bed();
  let kept = 0;
  const keep = {
    id: 7,
    name: "h",
    proto: { args: [], ret: 0 },
    abi: "p:i",
    call: (_: unknown, fn: number) => (kept = fn),
  };
  const interp = loadInterp(
    imageOf("r1 = f ll\ncall 7\nr0 = 0\nexit\nf: *(u64 *)(r10 - 8) = r2\nr0 = r1\nexit", {
      helpers: { 7: { helper: keep } },
    }),
    b.env,
  );
  interp.run(0);
  expect(interp.callback(kept, 0xfffffff0, 0, 0, 0, 0)).toBe(0xfffffff0);
  expect(b.env.current).toBeUndefined();
});

it("a jump or call that leaves the program is refused", () => {
  expect(() => open("goto +5\nexit")).toThrow("test: jump at insn 0 goes to 6, wanted 0..1: EINVAL");
});
