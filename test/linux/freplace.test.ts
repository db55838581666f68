/** Extensions by link on both kernels, where Linux lets them be loaded. */
import { describe, expect, it } from "vitest";
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import type { AttachOptions } from "../../src/loader/attach.ts";
import { whyNoDispatcher } from "../../src/loader/dispatcher/object.ts";
import type { BpfObject } from "../../src/loader/object.ts";
import { createKernel } from "../../src/net/create.ts";
import { funcId, loadOnly } from "../support/freplace.ts";
import { whyNotLinux, withLinux } from "../support/kernels.ts";
import { blank } from "../support/xdp_stamp.ts";

type Body = (
  bpf: Bpf,
  load: (...args: Parameters<typeof loadOnly> extends [Bpf, ...infer A] ? A : never) => BpfObject,
) => void;

function onBoth(title: string, body: Body): void {
  const run = (bpf: Bpf): void => {
    const open: BpfObject[] = [];
    try {
      body(bpf, (...args) => {
        const obj = loadOnly(bpf, ...args);
        open.push(obj);
        return obj;
      });
    } finally {
      for (const obj of open) obj.close();
    }
  };
  it(`skep: ${title}`, () => {
    using kernel = createKernel();
    run(kernel.spawn());
    kernel.shutdown();
    kernel.assertEmpty();
  });
  it.skipIf(whyNotLinux)(`Linux: ${title}`, () =>
    withLinux((bpf) => {
      const reason = whyNoDispatcher({ bpf, devices: { list: () => [], setXdp: () => {} } });
      if (reason) console.log(`not compared: this kernel refuses extensions (${reason.message})`);
      else run(bpf);
    }),
  );
}

const retval = (bpf: Bpf, fd: Fd): number => bpf.progTestRun(fd, { dataIn: blank() }).retval;

function errnoOf(act: () => unknown): number {
  try {
    act();
    return 0;
  } catch (e) {
    if (e instanceof BpfError) return e.errno;
    throw e;
  }
}

describe("freplace", () => {
  onBoth("is called while its link lives", (bpf, load) => {
    const target = load("target", "target").progs["target"]!.fd;
    const ext = load("ext", "set0", { target, value: 4 }).progs["set0"]!;
    const link = ext.attach();
    expect(retval(bpf, target)).toBe(1004);
    expect(link.info()).toMatchObject({
      type: 2,
      progId: ext.info().id,
      attachType: 0,
      targetObjId: bpf.progInfo(target).id,
      targetBtfId: funcId(bpf, target, "stage0"),
    });
    expect(errnoOf(() => link.detach())).toBe(95);
    expect(errnoOf(() => bpf.linkUpdate(link.fd, ext.fd))).toBe(22);
    link.close();
    expect(retval(bpf, target)).toBe(1000);
  });

  onBoth("by raw_tracepoint_open, and of the main function", (bpf, load) => {
    const target = load("target", "target").progs["target"]!.fd;
    const link = bpf.rawTracepointOpen(load("ext", "whole", { target }).progs["whole"]!.fd);
    expect(retval(bpf, target)).toBe(77);
    bpf.close(link);
    expect(retval(bpf, target)).toBe(1000);
  });

  onBoth("takes other targets than that of its load", (bpf, load) => {
    const [target, second] = [0, 1].map(() => load("target", "target").progs["target"]!.fd) as [Fd, Fd];
    const tc = load("xdp", "classify").progs["classify"]!.fd;
    const atDevice = load("xdp", "at_device").progs["at_device"]!.fd;
    const set0 = load("ext", "set0", { target }).progs["set0"]!;
    const to = (fd: Fd, func: string): AttachOptions => ({ targetFd: fd, targetBtfId: funcId(bpf, fd, func) });
    const TABLE: readonly (readonly [string, AttachOptions, number])[] = [
      ["a program without a function", { targetFd: second }, 22],
      ["a function without a program", { targetBtfId: 3 }, 22],
      ["a type that is not there", { targetFd: second, targetBtfId: 99999 }, 22],
      ["another prototype", to(second, "scale"), 22],
      ["a static function", to(second, "local"), 22],
      ["another program type", to(tc, "classify"), 22],
      ["another attach type", to(atDevice, "stage0"), 22],
      ["no program", { targetFd: 9999 as Fd, targetBtfId: 3 }, 9],
    ];
    for (const [what, options, errno] of TABLE)
      expect(
        errnoOf(() => set0.attach(options)),
        what,
      ).toBe(errno);
    const other = set0.attach(to(second, "stage1"));
    expect([retval(bpf, target), retval(bpf, second)]).toEqual([1000, 1010]);
    expect(
      errnoOf(() => set0.attach()),
      "the target of the load counts once",
    ).toBe(22);
    const first = set0.attach(to(target, "stage0"));
    expect([retval(bpf, target), retval(bpf, second)]).toEqual([1001, 1010]);
    const again = load("ext", "set0", { target }).progs["set0"]!;
    expect(
      errnoOf(() => again.attach()),
      "one at a time",
    ).toBe(16);
    first.close();
    other.close();
    expect(errnoOf(() => again.attach().close())).toBe(0);
    expect([retval(bpf, target), retval(bpf, second)]).toEqual([1000, 1000]);
  });

  onBoth("extends no extension, and no static function", (bpf, load) => {
    const target = load("target", "target").progs["target"]!.fd;
    const ext = load("ext", "set0", { target }).progs["set0"]!.fd;
    expect(errnoOf(() => load("ext", "set0", { target: ext, func: "set0" }))).toBe(22);
    expect(errnoOf(() => load("ext", "set0", { target, func: "local" }))).toBe(22);
    expect(errnoOf(() => load("ext", "two_args", { target }))).toBe(22);
    expect(errnoOf(() => load("ext", "other_context", { target }))).toBe(22);
    expect(retval(bpf, target)).toBe(1000);
  });
});
