/** Extensions that their target holds: progReplaceFunc() and sets of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EBUSY, EINVAL, ELOOP, ENOENT } from "../../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../../src/kernel/bpf.ts";
import { checkReferences } from "../../../src/kernel/holders.ts";
import type { KernelOptions } from "../../../src/kernel/kernel.ts";
import type { KObject } from "../../../src/kernel/objects.ts";
import type { Process } from "../../../src/kernel/process.ts";
import type { NetKernel } from "../../../src/net/create.ts";
import { funcId, loadOnly } from "../../support/freplace.ts";
import { frame, u32, withKernel } from "../../support/kernel.ts";

const ENGINES = ["jit", "interp"] as const;

/** What the target returns: stage0 + 10 * stage1 + 100 * stage2 + 1000. */
function run(bpf: Bpf, fd: Fd, engine: (typeof ENGINES)[number] = "jit", repeat = 1): number {
  return bpf.progTestRun(fd, { dataIn: frame(), engine, repeat }).retval;
}

/** An fd on the program alone, without its object. */
function fdOf(
  proc: Process,
  ...args: [file: "target" | "ext" | "xdp", name: string, options?: Parameters<typeof loadOnly>[3]]
): Fd {
  const obj = loadOnly(proc, ...args);
  const fd = proc.dup(obj.progs[args[1]]!.fd);
  obj.close();
  return fd;
}

interface World {
  readonly kernel: NetKernel;
  readonly proc: Process;
  readonly target: Fd;
  readonly id: (name: string) => number;
  readonly ext: (name: string, value?: number, func?: string) => Fd;
}

function withTarget(body: (world: World) => void, options: KernelOptions = {}): void {
  withKernel((kernel, proc) => {
    const target = fdOf(proc, "target", "target");
    body({
      kernel,
      proc,
      target,
      id: (name) => funcId(proc, target, name),
      ext: (name, value, func) =>
        fdOf(proc, "ext", name, { target, ...(value === undefined ? {} : { value }), ...(func ? { func } : {}) }),
    });
  }, options);
}

describe.each(ENGINES)("progReplaceFunc on the %s", (engine) => {
  it("the target holds the extension; another takes its place; detaching restores the function", () => {
    withTarget(({ kernel, proc, target, id, ext }) => {
      const set0 = ext("set0", 3);
      proc.progReplaceFunc(target, id("stage0"), set0);
      proc.close(set0);
      checkReferences(kernel);
      expect(run(proc, target, engine)).toBe(1003);
      const next = ext("set0", 4);
      proc.progReplaceFunc(target, id("stage0"), next);
      proc.close(next);
      expect(run(proc, target, engine)).toBe(1004);
      expect(kernel.progs.size).toBe(2);
      proc.progReplaceFuncDetach(target, id("stage0"));
      expect(run(proc, target, engine)).toBe(1000);
      expect(kernel.progs.size).toBe(1);
    });
  });

  it("one set for another in one step, and one event", () => {
    withTarget(({ kernel, proc, target, id, ext }) => {
      const events: string[] = [];
      proc.onEvent(({ what, progId }) => what === "replace" && events.push(`${what} ${progId}`));
      const set = (n: number) => [
        { btfId: id("stage0"), funcFd: ext("set0", n) },
        { btfId: id("stage1"), funcFd: ext("set1", n) },
        { btfId: id("stage2"), funcFd: ext("set0", n, "stage2") },
      ];
      proc.progReplaceFuncs(target, set(1));
      expect(run(proc, target, engine)).toBe(1121);
      proc.progReplaceFuncs(target, set(5));
      expect(run(proc, target, engine)).toBe(1565);
      proc.progReplaceFuncs(target, [
        { btfId: id("stage0"), funcFd: undefined },
        { btfId: id("stage1"), funcFd: ext("set1", 1) },
      ]);
      expect(run(proc, target, engine)).toBe(1520);
      expect(events).toEqual(Array(3).fill(`replace ${proc.progInfo(target).id}`));
      checkReferences(kernel);
    });
  });

  it("a run in its middle keeps the set that it began with, to the last of its packets", () => {
    let act = (): void => {};
    let talked = 0;
    withTarget(
      ({ kernel, proc, target, id, ext }) => {
        const [stage0, stage1] = [id("stage0"), id("stage1")];
        proc.progReplaceFuncs(target, [
          { btfId: stage0, funcFd: ext("talks") },
          { btfId: stage1, funcFd: ext("set1", 1) },
        ]);
        const next = [
          { btfId: stage0, funcFd: ext("set0", 3) },
          { btfId: stage1, funcFd: ext("set1", 3) },
        ];
        act = () => {
          if (talked++) return;
          proc.progReplaceFuncs(target, next);
          // the old set is not freed under the run
          checkReferences(kernel);
        };
        expect(run(proc, target, engine, 5)).toBe(1029);
        expect(talked).toBe(5);
        expect(run(proc, target, engine)).toBe(1043);
        checkReferences(kernel);
      },
      { printk: () => act() },
    );
  });

  it("several changes in the middle of one run: the last one counts afterwards", () => {
    let act = (): void => {};
    withTarget(
      ({ kernel, proc, target, id, ext }) => {
        const [stage0, stage1] = [id("stage0"), id("stage1")];
        proc.progReplaceFunc(target, stage0, ext("talks"));
        const [one, two, linked] = [ext("set1", 1), ext("set1", 4), ext("set0", 7)];
        act = () => {
          act = () => {};
          proc.progReplaceFunc(target, stage1, one);
          proc.progReplaceFuncDetach(target, stage1);
          proc.progReplaceFunc(target, stage1, two);
          proc.progReplaceFuncDetach(target, stage0);
          // free for a link, which counts at once
          proc.linkCreate({ progFd: linked, attachType: 0 });
          checkReferences(kernel);
        };
        expect(run(proc, target, engine, 2)).toBe(1007);
        expect(run(proc, target, engine)).toBe(1057);
        checkReferences(kernel);
      },
      { printk: () => act() },
    );
  });

  it("closing the one root program releases all", () => {
    withKernel((kernel, proc) => {
      const target = fdOf(proc, "target", "target");
      for (const name of ["set0", "set1"]) {
        const ext = fdOf(proc, "ext", name, { target });
        proc.progReplaceFunc(target, funcId(proc, target, name === "set0" ? "stage0" : "stage1"), ext);
        proc.close(ext);
      }
      expect(run(proc, target, engine)).toBe(1021);
      expect(kernel.progs.size).toBe(3);
      proc.close(target);
      kernel.assertEmpty();
    });
  });
});

describe("what is refused changes nothing", () => {
  const REFUSED: readonly {
    readonly name: string;
    readonly errno: number;
    readonly set: (w: World) => { btfId: number; funcFd: Fd | undefined }[];
  }[] = [
    { name: "a static function", errno: EINVAL, set: (w) => [{ btfId: w.id("local"), funcFd: w.ext("set0") }] },
    { name: "no function", errno: EINVAL, set: (w) => [{ btfId: 9999, funcFd: w.ext("set0") }] },
    { name: "another prototype", errno: EINVAL, set: (w) => [{ btfId: w.id("scale"), funcFd: w.ext("set0") }] },
    { name: "no extension", errno: EINVAL, set: (w) => [{ btfId: w.id("stage1"), funcFd: w.target }] },
    { name: "nothing to take away", errno: ENOENT, set: (w) => [{ btfId: w.id("stage1"), funcFd: undefined }] },
    {
      name: "one function twice",
      errno: EINVAL,
      set: (w) => [w.ext("set0"), w.ext("set0")].map((funcFd) => ({ btfId: w.id("stage1"), funcFd })),
    },
    {
      name: "a tail callee",
      errno: EBUSY,
      set: (w) => {
        const array = w.proc.mapCreate({ mapType: 3, keySize: 4, valueSize: 4, maxEntries: 1 });
        w.proc.progReplaceFuncDetach(w.target, w.id("stage0"));
        w.proc.mapUpdateElem(array, u32(0), u32(w.target));
        return [{ btfId: w.id("stage0"), funcFd: w.ext("set0") }];
      },
    },
    {
      name: "a function that a link has replaced",
      errno: EBUSY,
      set: (w) => {
        w.proc.linkCreate({ progFd: w.ext("set1"), attachType: 0 });
        return [{ btfId: w.id("stage1"), funcFd: w.ext("set1") }];
      },
    },
  ];
  it.each(REFUSED)("$name", ({ errno, set }) => {
    withTarget((world) => {
      const { kernel, proc, target, id, ext } = world;
      proc.progReplaceFunc(target, id("stage0"), ext("set0", 2));
      const refused = set(world);
      const before = run(proc, target);
      const good = { btfId: id("stage2"), funcFd: ext("set0", 9, "stage2") };
      expect(() => proc.progReplaceFuncs(target, [good, ...refused])).toThrow(expect.objectContaining({ errno }));
      expect(run(proc, target)).toBe(before);
      checkReferences(kernel);
    });
  });

  it("a link on what progReplaceFunc has replaced", () => {
    withTarget(({ proc, target, id, ext }) => {
      proc.progReplaceFunc(target, id("stage0"), ext("set0"));
      expect(() => proc.linkCreate({ progFd: ext("set0"), attachType: 0 })).toThrow(
        expect.objectContaining({ errno: EBUSY }),
      );
    });
  });

  it("a replacement is unloaded by force, and the function comes back", () => {
    withTarget(({ proc, target, id, ext }) => {
      const set0 = ext("set0");
      proc.progReplaceFunc(target, id("stage0"), set0);
      proc.progUnload(proc.progInfo(set0).id);
      expect(run(proc, target)).toBe(1000);
    });
  });
});

/** A devmap program, an extension of its function that redirects through a devmap, and that devmap. */
function family(proc: Process): { root: Fd; ext: Fd; devmap: Fd; stage0: number } {
  const root = fdOf(proc, "xdp", "at_device");
  const obj = loadOnly(proc, "ext", "redirects", { target: root });
  const ext = proc.dup(obj.progs["redirects"]!.fd);
  const devmap = proc.dup(obj.maps["out"]!.fd);
  obj.close();
  return { root, ext, devmap, stage0: funcId(proc, root, "stage0") };
}

describe("circles of references", () => {
  it("ELOOP whichever edge comes last", () => {
    withKernel((kernel, proc) => {
      const { ifindex } = kernel.net.addDevice({ name: "d" });
      const { root, ext, devmap, stage0 } = family(proc);
      const loop = expect.objectContaining({ errno: ELOOP });
      proc.mapUpdateElem(devmap, u32(0), u32(ifindex, root));
      expect(() => proc.progReplaceFunc(root, stage0, ext)).toThrow(loop);
      proc.mapDeleteElem(devmap, u32(0));
      proc.progReplaceFunc(root, stage0, ext);
      expect(() => proc.mapUpdateElem(devmap, u32(0), u32(ifindex, root))).toThrow(loop);
      expect(() => proc.progBindMap(ext, devmap)).not.toThrow();
      checkReferences(kernel);
    });
  });

  it("never appear in random graphs, and every fd closed leaves nothing", () => {
    const seed = Date.now() & 0x7fffffff;
    console.log(`random graphs of replaced functions: seed ${seed}`);
    const op = fc.record({
      what: fc.constantFrom("replace", "detach", "put", "take", "bind", "close"),
      a: fc.nat(3),
      b: fc.nat(3),
      key: fc.nat(1),
    });
    let loops = 0;
    fc.assert(
      fc.property(fc.array(op, { minLength: 5, maxLength: 25 }), (ops) => {
        withKernel((kernel, proc) => {
          const { ifindex } = kernel.net.addDevice({ name: "d" });
          const all = [0, 1, 2, 3].map(() => family(proc));
          const closed = new Set<Fd>();
          for (const { what, a, b, key } of ops) {
            const [x, y] = [all[a]!, all[b]!];
            const acts: Record<typeof what, () => void> = {
              replace: () => proc.progReplaceFunc(x.root, x.stage0, y.ext),
              detach: () => proc.progReplaceFuncDetach(x.root, x.stage0),
              put: () => proc.mapUpdateElem(x.devmap, u32(key), u32(ifindex, y.root)),
              take: () => proc.mapDeleteElem(x.devmap, u32(key)),
              bind: () => proc.progBindMap(x.ext, y.devmap),
              close: () => {
                if (closed.has(y.ext)) return;
                closed.add(y.ext);
                proc.close(y.ext);
              },
            };
            try {
              acts[what]();
            } catch (e) {
              const { errno } = e as { errno?: number };
              // closed extensions are EBADF, empty slots ENOENT
              if (errno === ELOOP) loops++;
              else if (errno !== ENOENT && errno !== 9) throw e;
            }
            checkReferences(kernel);
            for (const root of kernel.progs.values()) {
              for (const replacement of root.replacements.values()) expect(reaches(replacement, root)).toBe(false);
            }
          }
          for (const { root, ext, devmap } of all) {
            for (const fd of [root, devmap]) proc.close(fd);
            if (!closed.has(ext)) proc.close(ext);
          }
          expect(kernel.progs.size).toBe(0);
        });
      }),
      { seed, numRuns: 60 },
    );
    console.log(`ELOOP ${loops} times`);
    expect(loops).toBeGreaterThan(0);
  });
});

function reaches(from: KObject, to: KObject): boolean {
  const found = new Set<KObject>(from.holds());
  for (const next of found) for (const held of next.holds()) found.add(held);
  return found.has(to);
}
