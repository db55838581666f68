/** Where calls of a program's functions come to: Prog.patch() on both engines, for extensions and for JavaScript. */
import { describe, expect, it } from "vitest";
import { BPF_MAP_TYPE_PROG_ARRAY } from "../../../src/abi/bpf.ts";
import type { Bpf, Fd } from "../../../src/kernel/bpf.ts";
import type { Process } from "../../../src/kernel/process.ts";
import type { Prog } from "../../../src/kernel/prog.ts";
import { loadOnly } from "../../support/freplace.ts";
import { frame, load, u32, withKernel } from "../../support/kernel.ts";

const subprogNamed = (prog: Prog, name: string): number => prog.verified.subprogs.findIndex((s) => s.name === name);

describe.each(["jit", "interp"] as const)("on the %s", (engine) => {
  const run = (bpf: Bpf, fd: Fd): number => bpf.progTestRun(fd, { dataIn: frame(), engine }).retval;

  function withTarget(body: (proc: Process, target: Prog, fd: Fd) => void): void {
    withKernel((_kernel, proc) => {
      const obj = loadOnly(proc, "target", "target");
      const { fd } = obj.progs["target"]!;
      body(proc, proc.progAt(fd), fd);
      obj.close();
    });
  }

  it("a hook gets the arguments, and may change them and the result", () => {
    withTarget((proc, target, fd) => {
      const seen: (readonly bigint[])[] = [];
      const scale = subprogNamed(target, "scale");
      target.patch(scale, {
        hook: (args, original) => {
          seen.push(args.slice(0, 2));
          return original([args[0]! + 1n, 3n]) - 1n;
        },
      });
      const stage1 = subprogNamed(target, "stage1");
      target.patch(stage1, { hook: (args, original) => original(args) + 7n });
      expect(run(proc, fd)).toBe(1070);
      expect(seen).toEqual([[0x100000001n, 2n]]);
      target.patch(stage1, undefined);
      target.patch(scale, undefined);
      expect(run(proc, fd)).toBe(1000);
      expect(seen).toHaveLength(1);
    });
  });

  it("a static function and the main function, too", () => {
    withTarget((proc, target, fd) => {
      let calls = 0;
      const counted = (add: bigint) => ({
        hook: (args: readonly bigint[], original: (args: readonly bigint[]) => bigint) => {
          calls++;
          return original(args) + add;
        },
      });
      expect(run(proc, fd)).toBe(1000);
      target.patch(subprogNamed(target, "local"), counted(1n));
      expect(run(proc, fd)).toBe(2000);
      target.patch(0, counted(5n));
      expect(run(proc, fd)).toBe(2005);
      expect(calls).toBe(3);
      for (const n of [0, subprogNamed(target, "local")]) target.patch(n, undefined);
      expect(run(proc, fd)).toBe(1000);
    });
  });

  it("a hook on an extension's own main function, patched before and after it is attached", () => {
    withTarget((proc, _target, fd) => {
      const attached = [1, 2].map((value) => {
        const obj = loadOnly(proc, "ext", value === 1 ? "set0" : "set1", { target: fd, value });
        const ext = obj.progs[value === 1 ? "set0" : "set1"]!;
        const hook = () => proc.progAt(ext.fd).patch(0, { hook: (args, original) => original(args) + 1n });
        if (value === 1) hook();
        const link = ext.attach();
        if (value === 2) hook();
        return { obj, link };
      });
      // stage0: 1 + 1; stage1: 2 + 1 + 1
      expect(run(proc, fd)).toBe(1042);
      for (const { obj, link } of attached) {
        link.close();
        obj.close();
      }
      expect(run(proc, fd)).toBe(1000);
    });
  });

  it("an error that a hook throws ends the run, and the next one is as if nothing had been", () => {
    withTarget((proc, target, fd) => {
      const stage0 = subprogNamed(target, "stage0");
      target.patch(stage0, {
        hook: () => {
          throw new Error("not today");
        },
      });
      expect(() => run(proc, fd)).toThrow("not today");
      target.patch(stage0, undefined);
      expect(run(proc, fd)).toBe(1000);
    });
  });

  it("tail calls pass by", () => {
    withKernel((_kernel, proc) => {
      const jump = proc.mapCreate({ mapType: BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
      const callee = load(proc, "r0 = 4\nexit");
      const caller = load(proc, "r2 = map[jump] ll\nr3 = 0\ncall tail_call\nr0 = 9\nexit", { maps: { jump } });
      proc.mapUpdateElem(jump, u32(0), u32(callee));
      const prog = proc.progAt(callee);
      prog.patch(0, { hook: (args, original) => original(args) + 100n });
      expect([run(proc, callee), run(proc, caller)]).toEqual([104, 4]);
      prog.patch(0, undefined);
      expect([run(proc, callee), run(proc, caller)]).toEqual([4, 4]);
    });
  });
});
