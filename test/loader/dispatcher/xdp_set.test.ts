/** A dispatcher that stays while its set of programs is exchanged in one step. */
import { describe, expect, it } from "vitest";
import { E2BIG, EOPNOTSUPP } from "../../../src/abi/errno.ts";
import type { Bpf } from "../../../src/kernel/bpf.ts";
import { checkReferences } from "../../../src/kernel/holders.ts";
import { XdpSet } from "../../../src/loader/dispatcher/xdp_set.ts";
import type { NetDevice } from "../../../src/net/device.ts";
import { withKernel } from "../../support/kernel.ts";
import { blank, stamp, stampSet, stampsOf } from "../../support/xdp_stamp.ts";

function through(device: NetDevice): number[] | undefined {
  device.receive(blank());
  const packet = device.delivered.pop();
  return packet && stampsOf(packet);
}

const filled = (set: number, n: number): number[] => Array.from({ length: 10 }, (_, i) => (i < n ? set : 0));

describe.each(["jit", "interp"] as const)("on the %s", (engine) => {
  it("exchanges sets of different sizes and actions", () => {
    withKernel(
      (kernel, proc) => {
        const device = kernel.net.addDevice({ name: "eth0" });
        const set = new XdpSet(proc);
        const link = set.attach(device.ifindex);
        expect(through(device)).toEqual(filled(0, 0));
        const sets = [3, 10, 1].map((n, i) => set.load(stampSet(i + 1, n)));
        for (const [i, n] of [3, 10, 1].entries()) {
          set.use(sets[i]!);
          expect(through(device)).toEqual(filled(i + 1, n));
        }
        // the chain ends behind a program that names no action
        const last = stamp({ set: 9, slot: 1 });
        set.use(set.load([stamp({ set: 9, slot: 0, runConfig: { priority: 1, chainCallActions: 0 } }), last]));
        expect(through(device)).toEqual(filled(9, 1));
        checkReferences(kernel);
        for (const each of sets) each.close();
        set.close();
        proc.exit();
        // the link, gone with the process, held the one program that held all
        void link;
        kernel.assertEmpty();
      },
      { engine },
    );
  });
});

it("refuses an eleventh program, and kernels that cannot", () => {
  withKernel((_kernel, proc) => {
    using set = new XdpSet(proc);
    expect(() => set.load(stampSet(1, 11))).toThrow(expect.objectContaining({ errno: E2BIG }));
    const linux = { progReplaceFuncs: undefined } as unknown as Bpf;
    expect(() => new XdpSet(linux)).toThrow(expect.objectContaining({ errno: EOPNOTSUPP }));
  });
});
