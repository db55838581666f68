/** Extensions in Linux's direction: the link holds the target. */
import { describe, expect, it } from "vitest";
import { EBUSY, EINVAL, EOPNOTSUPP } from "../../../src/abi/errno.ts";
import { type Bpf, type Fd, VerifierError } from "../../../src/kernel/bpf.ts";
import { checkReferences } from "../../../src/kernel/holders.ts";
import type { KernelOptions } from "../../../src/kernel/kernel.ts";
import type { Process } from "../../../src/kernel/process.ts";
import type { BpfObject } from "../../../src/loader/object.ts";
import { funcId, loadOnly } from "../../support/freplace.ts";
import { frame, u32, withKernel } from "../../support/kernel.ts";

const ENGINES = ["jit", "interp"] as const;

/** What the target returns: stage0 + 10 * stage1 + 100 * stage2 + 1000. */
function run(bpf: Bpf, fd: Fd, engine: (typeof ENGINES)[number] = "jit", repeat = 1): number {
  return bpf.progTestRun(fd, { dataIn: frame(), engine, repeat }).retval;
}

function withTarget(
  body: (proc: Process, target: Fd, kept: (obj: BpfObject) => BpfObject, obj: BpfObject) => void,
  options: KernelOptions = {},
): void {
  withKernel((kernel, proc) => {
    const open: BpfObject[] = [];
    const kept = (obj: BpfObject): BpfObject => {
      open.push(obj);
      return obj;
    };
    const obj = kept(loadOnly(proc, "target", "target"));
    body(proc, obj.progs["target"]!.fd, kept, obj);
    checkReferences(kernel);
    for (const each of open) each.close();
  }, options);
}

const seen = (bpf: Bpf, obj: BpfObject): bigint =>
  new DataView(bpf.mapLookupElem(obj.maps["seen"]!.fd, u32(0)).buffer).getBigUint64(0, true);

describe.each(ENGINES)("freplace on the %s", (engine) => {
  it("is called in place of the function while the link lives", () => {
    withTarget((proc, target, kept, obj) => {
      expect(run(proc, target, engine)).toBe(1000);
      const ext = kept(loadOnly(proc, "ext", "set0", { target, value: 4 }));
      const link = ext.progs["set0"]!.attach();
      expect(run(proc, target, engine)).toBe(1004);
      const other = kept(loadOnly(proc, "ext", "set1", { target, value: 6 })).progs["set1"]!.attach();
      expect(run(proc, target, engine, 50)).toBe(1074);
      link.close();
      expect(run(proc, target, engine)).toBe(1070);
      other.close();
      expect(run(proc, target, engine)).toBe(1000);
      expect(seen(proc, obj)).toBe(0x200000002n);
    });
  });

  it("gets and gives all 64 bits", () => {
    withTarget((proc, target, kept, obj) => {
      using _link = kept(loadOnly(proc, "ext", "add", { target })).progs["add"]!.attach();
      run(proc, target, engine);
      expect(seen(proc, obj)).toBe(0x300000001n);
    });
  });

  it("replaces the main function too", () => {
    withTarget((proc, target, kept) => {
      const link = kept(loadOnly(proc, "ext", "whole", { target })).progs["whole"]!.attach();
      expect(run(proc, target, engine, 3)).toBe(77);
      link.close();
      expect(run(proc, target, engine)).toBe(1000);
    });
  });

  it("counts at once, for a run in its middle too", () => {
    let act = (): void => {};
    withTarget(
      (proc, target, kept) => {
        const first = kept(loadOnly(proc, "ext", "talks", { target })).progs["talks"]!.attach();
        const set1 = kept(loadOnly(proc, "ext", "set1", { target, value: 6 })).progs["set1"]!;
        act = () => {
          act = () => {};
          set1.attach();
        };
        expect(run(proc, target, engine)).toBe(1079);
        act = () => first.close();
        expect(run(proc, target, engine)).toBe(1079);
        expect(run(proc, target, engine)).toBe(1070);
      },
      { printk: () => act() },
    );
  });

  it("tail-calls out of the program that it is part of", () => {
    withTarget((proc, target, kept) => {
      const ext = kept(loadOnly(proc, "ext", "tail", { target }));
      using _link = ext.progs["tail"]!.attach();
      expect(run(proc, target, engine)).toBe(1500);
      const pass = kept(loadOnly(proc, "xdp", "pass"));
      // an array of extensions of stage2 takes no others
      expect(() => proc.mapUpdateElem(ext.maps["jump"]!.fd, u32(0), u32(pass.progs["pass"]!.fd))).toThrow(
        expect.objectContaining({ errno: EINVAL }),
      );
      proc.mapUpdateElem(ext.maps["jump"]!.fd, u32(0), u32(ext.progs["tail"]!.fd));
      // 33 tail calls to itself, and the 34th is refused
      expect(run(proc, target, engine)).toBe(1500);
    });
  });
});

describe("what an extension may replace", () => {
  const REFUSED: readonly { prog: string; func?: string; says: string }[] = [
    { prog: "changes_packet", says: "Extension program changes packet data, while original does not" },
    { prog: "two_args", says: "two_args() has 2 args while stage0() has 1 args" },
    { prog: "other_context", says: "arg0" },
    { prog: "set0", func: "local", says: "Cannot replace static functions" },
    { prog: "set0", func: "scale", says: "set0() has 1 args while scale() has 2 args" },
  ];
  it.each(REFUSED)("not at load: $prog, $says", ({ prog, func, says }) => {
    withTarget((proc, target) => {
      let error: unknown;
      try {
        loadOnly(proc, "ext", prog, { target, ...(func ? { func } : {}) });
      } catch (e) {
        error = e;
        while (error instanceof Error && !(error instanceof VerifierError)) error = error.cause;
      }
      expect(error).toBeInstanceOf(VerifierError);
      expect((error as VerifierError).errno).toBe(EINVAL);
      expect((error as VerifierError).message + (error as VerifierError).log).toContain(says);
    });
  });

  it("packet data where the original may change it", () => {
    withTarget((proc, target, kept) => {
      using _link = kept(loadOnly(proc, "ext", "set0", { target, func: "stage2" })).progs["set0"]!.attach();
      expect(run(proc, target)).toBe(1100);
    });
  });

  it("one at a time", () => {
    withTarget((proc, target, kept) => {
      const load = () => kept(loadOnly(proc, "ext", "set0", { target })).progs["set0"]!;
      using _link = load().attach();
      expect(() => load().attach()).toThrow(expect.objectContaining({ errno: EBUSY }));
    });
  });

  it("no other extension", () => {
    withTarget((proc, target, kept) => {
      const ext = kept(loadOnly(proc, "ext", "set0", { target })).progs["set0"]!;
      expect(() => loadOnly(proc, "ext", "set0", { target: ext.fd, func: "set0" })).toThrow(
        "Cannot recursively attach",
      );
    });
  });

  it("another target than that of the load, if it fits; the target of the load counts once", () => {
    withTarget((proc, target, kept) => {
      const second = kept(loadOnly(proc, "target", "target")).progs["target"]!.fd;
      const tc = kept(loadOnly(proc, "xdp", "classify")).progs["classify"]!.fd;
      const atDevice = kept(loadOnly(proc, "xdp", "at_device")).progs["at_device"]!.fd;
      const set0 = kept(loadOnly(proc, "ext", "set0", { target })).progs["set0"]!;
      const to = (fd: Fd, func: string) => ({ targetFd: fd, targetBtfId: funcId(proc, fd, func) });
      const refused = (options: Parameters<typeof set0.attach>[0]) =>
        expect(() => set0.attach(options)).toThrow(expect.objectContaining({ errno: EINVAL }));
      refused({ targetFd: second });
      refused({ targetBtfId: 3 });
      refused({ targetFd: second, targetBtfId: 99999 });
      refused(to(second, "scale"));
      refused(to(second, "local"));
      refused(to(tc, "classify"));
      refused(to(atDevice, "stage0"));
      using _other = set0.attach(to(second, "stage1"));
      expect(run(proc, second)).toBe(1010);
      expect(run(proc, target)).toBe(1000);
      // the target of the load is forgotten
      refused({});
      using first = set0.attach(to(target, "stage0"));
      expect(run(proc, target)).toBe(1001);
      expect(first.info()).toMatchObject({
        type: 2,
        progId: set0.info().id,
        targetObjId: proc.progInfo(target).id,
        targetBtfId: funcId(proc, target, "stage0"),
      });
    });
  });
});

describe("who holds whom", () => {
  it("the link holds the target, and its end restores the function", () => {
    withKernel((kernel, proc) => {
      const target = loadOnly(proc, "target", "target");
      const { fd } = target.progs["target"]!;
      const { id } = proc.progInfo(fd);
      const ext = loadOnly(proc, "ext", "set0", { target: fd });
      const link = ext.progs["set0"]!.attach();
      ext.close();
      target.close();
      checkReferences(kernel);
      const again = proc.progGetFdById(id);
      expect(run(proc, again)).toBe(1001);
      expect(() => link.detach()).toThrow(expect.objectContaining({ errno: EOPNOTSUPP }));
      link.close();
      expect(run(proc, again)).toBe(1000);
      proc.close(again);
      expect(kernel.progs.size).toBe(0);
    });
  });

  it("a target that is unloaded by force leaves the link without its program's place", () => {
    withTarget((proc, target, kept) => {
      const link = kept(loadOnly(proc, "ext", "set0", { target })).progs["set0"]!.attach();
      proc.progUnload(proc.progInfo(target).id);
      expect(link.info().targetObjId).toBeUndefined();
    });
  });
});

describe("tail callees cannot be extended, nor extended programs tail-called", () => {
  it("EBUSY both ways", () => {
    withTarget((proc, target, kept) => {
      const array = proc.mapCreate({ mapType: 3, keySize: 4, valueSize: 4, maxEntries: 1 });
      const set0 = kept(loadOnly(proc, "ext", "set0", { target })).progs["set0"]!;
      proc.mapUpdateElem(array, u32(0), u32(target));
      expect(() => set0.attach()).toThrow(expect.objectContaining({ errno: EBUSY }));
      proc.mapDeleteElem(array, u32(0));
      const link = set0.attach();
      expect(() => proc.mapUpdateElem(array, u32(0), u32(target))).toThrow(expect.objectContaining({ errno: EBUSY }));
      link.close();
      proc.mapUpdateElem(array, u32(0), u32(target));
    });
  });
});
