/** What both engines owe the kernel: helper conventions, callbacks, tail calls, packet loads, faults. */
import { describe, expect, it } from "vitest";
import { BPF_FUNC_tail_call } from "../../src/abi/bpf.ts";
import type { Helper } from "../../src/helpers/helper.ts";
import type { EngineEnv } from "../../src/interp/env.ts";
import type { EngineName, Runnable } from "../../src/interp/image.ts";
import { loadInterp } from "../../src/interp/interp.ts";
import { jit } from "../../src/jit/jit.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { type Bed, bed, type ImageFacts, imageOf, run64 } from "../jit/harness.ts";

const proto = { args: [], ret: 0 };
const TAIL_CALL = { helper: { id: BPF_FUNC_tail_call, name: "tail_call", proto, abi: "ppp:i" } };

function load(engine: EngineName, b: Bed, program: string, facts?: ImageFacts): Runnable {
  const image = imageOf(program, facts);
  return engine === "interp" ? loadInterp(image, b.env) : jit(image, b.env);
}

function helper(abi: string, call: Helper["call"], more: Partial<Helper> = {}): ImageFacts {
  return { helpers: { 7: { helper: { id: 7, name: "test", proto, abi, ...(call ? { call } : {}), ...more } } } };
}

/** Programs in slots 0, 1, ... of a prog array, which is any address. */
function progArray(engine: EngineName, texts: readonly string[]): { b: Bed; progs: Runnable[] } {
  const progs: Runnable[] = [];
  const resolveTailCall: EngineEnv["resolveTailCall"] = (_, index) => progs[index];
  const b = bed({ resolveTailCall });
  for (const text of texts) progs.push(load(engine, b, text, { helpers: { 12: TAIL_CALL } }));
  return { b, progs };
}

describe.each(["interp", "jit"] as const)("%s", (engine) => {
  describe("helper arguments and results by letter", () => {
    const call7 = "r1 = 0x1122334455667788 ll\nr2 = -2\nr0 = -1\ncall 7\nexit";
    const cases: readonly (readonly [string, number, bigint])[] = [
      ["p:p", -1, 0xffffffffn],
      ["p:i", -5, -5n],
      ["p:v", 7, 0n],
      ["q:q", -1, 0x9_ffffffffn],
    ];
    it.each(cases)("%s returning %d", (abi, result, want) => {
      const b = bed();
      const seen: number[][] = [];
      const facts = helper(abi, ({ memory, cpuCtx }, ...args) => {
        seen.push(args.map((a) => a >>> 0));
        memory.writeU32(cpuCtx + CPU_CTX.retHi, 9);
        return result;
      });
      expect(run64(b, load(engine, b, call7, facts))).toBe(BigInt.asUintN(64, want));
      expect(seen).toEqual([abi.startsWith("q") ? [0x55667788, 0x11223344] : [0x55667788]]);
    });

    it("an unsupported helper returns its errno", () => {
      const b = bed();
      const facts = helper("p:i", undefined, { unsupported: { errno: 95, reason: "test" } });
      expect(run64(b, load(engine, b, call7, facts))).toBe(BigInt.asUintN(64, -95n));
    });

    it("a helper's exception leaves the CPU record as it was", () => {
      const b = bed();
      const facts = helper("p:i", () => {
        throw new Error("broken body");
      });
      const record = b.memory.readBytes(b.memory.cpuCtx, 12);
      expect(() => run64(b, load(engine, b, call7, facts))).toThrow("broken body");
      expect(b.memory.readBytes(b.memory.cpuCtx, 12)).toEqual(record);
      expect(b.env.current).toBeUndefined();
    });
  });

  it("a callback sees its arguments, writes the caller's stack, and has a frame of its own", () => {
    const b = bed();
    const facts = helper(
      "ppp:p",
      (rt, fn, ctx, n) => {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += rt.callback(fn, i, ctx, 0, 0, 0);
        return sum;
      },
      { callsBack: true },
    );
    const text = `
        *(u64 *)(r10 - 8) = 100
        r6 = 1000
        r1 = each ll
        r2 = r10
        r2 += -8
        r3 = 4
        call 7
        r1 = *(u64 *)(r10 - 8)
        r0 += r1
        r0 += r6
        exit
      each:
        r3 = *(u64 *)(r2 + 0)
        r3 += r1
        *(u64 *)(r2 + 0) = r3
        *(u64 *)(r10 - 8) = 0
        r6 = 0
        r0 = 1
        exit`;
    expect(run64(b, load(engine, b, text, facts))).toBe(4n + 106n + 1000n);
  });

  describe("tail calls", () => {
    const jump = (index: number | string, after: string) =>
      `r6 = r1\nr2 = 0x20000\nr3 = ${index}\ncall 12\n${after}\nexit`;

    it("replace the program; r1 is the context; an empty slot falls through", () => {
      const { b, progs } = progArray(engine, [jump(1, "r0 = 111"), "r0 = r1\nr0 += 1\nexit", jump(9, "r0 = 222")]);
      expect(run64(b, progs[0], 0x30000)).toBe(0x30001n);
      expect(run64(b, progs[2], 0x30000)).toBe(222n);
    });

    it("33 are made, the 34th falls through", () => {
      // counts itself in the context
      const text =
        "r2 = *(u64 *)(r1 + 0)\nr2 += 1\n*(u64 *)(r1 + 0) = r2\nr6 = r1\nr2 = 0x20000\nr3 = 0\ncall 12\nr0 = *(u64 *)(r6 + 0)\nexit";
      const { b, progs } = progArray(engine, [text]);
      const ctx = b.memory.alloc(8);
      expect(run64(b, progs[0], ctx)).toBe(34n);
      b.memory.writeU64(ctx, 0n);
      expect(run64(b, progs[0], ctx)).toBe(34n);
    });

    it("in a subprogram the result goes to its caller", () => {
      const main = "r6 = 40\ncall f\nr0 += r6\nexit\nf: r2 = 0x20000\nr3 = 1\ncall 12\nr0 = 5\nexit";
      const { b, progs } = progArray(engine, [main, "*(u64 *)(r10 - 8) = 1\nr0 = 2\nexit"]);
      expect(run64(b, progs[0], 0x30000)).toBe(42n);
    });
  });

  it("packet loads: network order, and exit with 0 outside the packet", () => {
    const at = (off: number, size: number) => (off >= 0 && off + size <= 8 ? off * 1000 + size : -1);
    const b = bed({ packetLoad: (ctx, off, size) => (ctx === 0x30000 ? at(off, size) : -1) });
    const run = (text: string) => run64(b, load(engine, b, `r6 = r1\n${text}\nexit`), 0x30000);
    expect(run("r0 = *(u32 *)skb[4]")).toBe(4004n);
    expect(run("r1 = 3\nr0 = *(u16 *)skb[r1 + 2]")).toBe(5002n);
    expect(run("r1 = 3\nr0 = *(u8 *)skb[r1 - 2]")).toBe(1001n);
    expect(run("r0 = 3\nr0 = *(u8 *)skb[8]\nr0 = 5")).toBe(0n);
    // a whole word with the top bit is zero-extended
    const high = bed({ packetLoad: () => 0xfffffffe });
    expect(run64(high, load(engine, high, "r6 = r1\nr0 = *(u32 *)skb[0]\nexit"), 1)).toBe(0xfffffffen);
  });

  it("loads that may fault give 0, and sign-extend like others", () => {
    const b = bed();
    const ctx = b.memory.alloc(8);
    b.memory.writeU64(ctx, 0x8182838485868788n);
    const load0 = (insn: string, addr: bigint) => {
      const text = `r1 = 0x${addr.toString(16)} ll\nr0 = 7\n${insn}\nexit`;
      return run64(b, load(engine, b, text, { probeMem: Uint8Array.of(0, 0, 0, 1, 0) }));
    };
    for (const bad of [0n, 0x10n, 0xffffn, 0xfffffff8n, 0x1_0000_0000n, 0xffff_8880_0000_0000n]) {
      expect(load0("r0 = *(u64 *)(r1 + 0)", bad)).toBe(0n);
      expect(load0("r0 = *(s8 *)(r1 + 1)", bad)).toBe(0n);
    }
    expect(load0("r0 = *(u16 *)(r1 + 2)", BigInt(ctx))).toBe(0x8586n);
    expect(load0("r0 = *(s32 *)(r1 + 4)", BigInt(ctx))).toBe(0xffffffff81828384n);
  });

  it("may_goto ends a loop after 8388608 rounds", () => {
    const b = bed();
    expect(run64(b, load(engine, b, "r0 = 0\nagain: r0 += 1\nmay_goto out\ngoto again\nout: exit"))).toBe(8388609n);
  });

  it("fuel stops a run-away program, and the next run has all of it", () => {
    const b = bed();
    const prog = load(engine, b, "r0 = *(u64 *)(r1 + 0)\nagain: if r0 == 0 goto out\nr0 += -1\ngoto again\nout: exit", {
      fuel: 1000,
    });
    const ctx = b.memory.alloc(8);
    for (const rounds of [900n, 2000n, 900n]) {
      b.memory.writeU64(ctx, rounds);
      if (rounds < 1000n) expect(run64(b, prog, ctx)).toBe(0n);
      else expect(() => prog.run(ctx)).toThrow("test: out of fuel");
    }
  });

  it("what the verifier found unreachable is not looked at", () => {
    const b = bed();
    const seen = Uint8Array.of(1, 1, 0);
    expect(run64(b, load(engine, b, "r0 = 3\nexit\n.8byte 0xff", { seen }))).toBe(3n);
  });

  it("an emptied memory holds nothing", () => {
    const b = bed();
    const before = b.memory.allocatedBytes;
    const prog = load(engine, b, "r0 = 1\ncall f\nexit\nf: r0 = 2\nexit");
    expect(run64(b, prog)).toBe(2n);
    prog.dispose();
    prog.dispose();
    expect(b.memory.allocatedBytes).toBe(before);
  });

  it("a program run inside a helper gets a stack of its own", () => {
    const b = bed();
    const inner = load(engine, b, "*(u64 *)(r10 - 8) = 1\n*(u64 *)(r10 - 512) = 1\nr0 = 5\nexit");
    const facts = helper("p:p", () => inner.run(0));
    const text = "*(u64 *)(r10 - 8) = 70\n*(u64 *)(r10 - 512) = 0\ncall 7\nr1 = *(u64 *)(r10 - 8)\nr0 += r1\nexit";
    expect(run64(b, load(engine, b, text, facts))).toBe(75n);
  });
});

it("an interpreted program can tail-call a compiled one", () => {
  const progs: Runnable[] = [];
  const b = bed({ resolveTailCall: (_, index) => progs[index] });
  progs.push(load("interp", b, "r2 = 0x20000\nr3 = 1\ncall 12\nexit", { helpers: { 12: TAIL_CALL } }));
  progs.push(load("jit", b, "r0 = 0x123456789 ll\nr0 += r1\nexit"));
  expect(run64(b, progs[0], 0x30000)).toBe(0x123486789n);
});
