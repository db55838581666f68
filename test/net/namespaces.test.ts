/** Devices in network namespaces: who finds them, what moves with them, what ends with the namespace. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { NetNs } from "../../src/kernel/netns.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { XdpDeviceView } from "../../src/net/xdp_set.ts";
import { frame, load, u32, withKernel } from "../support/kernel.ts";

const tc = { progType: abi.BPF_PROG_TYPE_SCHED_CLS };
const PASS_XDP = "r0 = 2\nexit";
const NEXT_TC = "r0 = -1\nexit";

/** A process in a namespace of its own, which it alone keeps. */
function elsewhere(kernel: NetKernel): { proc: Process; netns: NetNs } {
  const netns = kernel.newNetns();
  const proc = kernel.spawn({ netns });
  netns.put();
  return { proc, netns };
}

function links(proc: Process, device: NetDevice, more: object = {}): { xdp: Fd; tcx: Fd } {
  const target = { targetIfindex: device.ifindex, ...more };
  return {
    xdp: proc.linkCreate({ progFd: load(proc, PASS_XDP), attachType: abi.BPF_XDP, ...target }),
    tcx: proc.linkCreate({ progFd: load(proc, NEXT_TC, tc), attachType: abi.BPF_TCX_INGRESS, ...target }),
  };
}

describe("network namespaces", () => {
  it("each has its ifindexes and names; a link goes to the device of the caller's", () =>
    withKernel((kernel, proc) => {
      const { proc: other, netns } = elsewhere(kernel);
      const here = kernel.net.addDevice({ name: "eth0" });
      const there = kernel.netOf(netns).addDevice({ name: "eth0" });
      expect([here.ifindex, there.ifindex]).toEqual([2, 2]);
      links(other, there);
      expect([here.xdp, there.xdp?.id]).toEqual([undefined, there.xdp!.id]);
      kernel.netOf(netns).addDevice({ name: "eth1" });
      expect(() =>
        proc.linkCreate({ progFd: load(proc, PASS_XDP), attachType: abi.BPF_XDP, targetIfindex: 3 }),
      ).toThrow("EINVAL");
      const progFd = load(proc, NEXT_TC, tc);
      expect(() => proc.progAttach({ progFd, attachType: abi.BPF_TCX_INGRESS, targetIfindex: 3 })).toThrow("ENODEV");
    }));

  it("helpers act where the device is", () =>
    withKernel((kernel, proc) => {
      const { netns } = elsewhere(kernel);
      const there = kernel.netOf(netns);
      kernel.net.addDevice({ name: "a", mtu: 1000 });
      const device = there.addDevice({ name: "a", mtu: 2000 });
      const counts = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 2 });
      const seen = `
        r6 = r1
        *(u32 *)(r10 - 4) = 0
        r2 = 0
        r3 = r10
        r3 += -4
        r4 = 0
        r5 = 0
        call check_mtu
        *(u32 *)(r10 - 8) = 0
        r1 = map[m] ll
        r2 = r10
        r2 += -8
        call map_lookup_elem
        if r0 == 0 goto out
        r1 = *(u32 *)(r10 - 4)
        *(u32 *)(r0 + 0) = r1
        out:
        r0 = -1
        exit`;
      const mover = kernel.spawn({ netns });
      const m = proc.sendFd(counts, mover);
      const progFd = load(mover, seen, { ...tc, maps: { m } });
      mover.linkCreate({ progFd, attachType: abi.BPF_TCX_INGRESS, targetIfindex: device.ifindex });
      device.receive(frame());
      expect(proc.mapLookupElem(counts, u32(0))).toEqual(u32(2000));
    }));

  it("a veth pair joins two", () =>
    withKernel((kernel) => {
      const { netns } = elsewhere(kernel);
      const [a, b] = kernel.net.addVethPair({ name: "a" }, { name: "b" });
      kernel.moveDevice(b, netns);
      a.send(frame());
      expect(b.delivered).toEqual([]);
      b.up = true;
      a.send(frame());
      expect(b.delivered).toEqual([frame()]);
    }));

  it("a device moved while attached", () =>
    withKernel((kernel, proc) => {
      const { netns } = elsewhere(kernel);
      const device = kernel.net.addDevice({ name: "eth0" });
      const old = device.ifindex;
      kernel.netOf(netns).addDevice({ name: "first", ifindex: old });
      const { xdp, tcx } = links(proc, device);
      const direct = load(proc, NEXT_TC, tc);
      proc.progAttach({ progFd: direct, attachType: abi.BPF_TCX_EGRESS, targetIfindex: old });
      kernel.moveDevice(device, netns);
      checkReferences(kernel);
      expect(device.net === kernel.netOf(netns)).toBe(true);
      expect([device.ifindex, device.up]).toEqual([old + 1, false]);
      for (const fd of [xdp, tcx]) expect(proc.linkInfo(fd).ifindex).toBe(device.ifindex);
      device.up = true;
      device.receive(frame());
      device.send(frame());
      expect(device.stats).toMatchObject({ xdpPass: 1, tx: 1 });
      expect(device.egress.entries.length).toBe(1);
      // The link is updated from where it was made.
      proc.linkUpdate(xdp, load(proc, "r0 = 1\nexit"));
      device.receive(frame());
      expect(device.stats.xdpDrop).toBe(1);
      kernel.moveDevice(device, kernel.initNetns);
      expect([device.ifindex, kernel.net.deviceByName("eth0") === device]).toEqual([old + 1, true]);
    }));

  for (const [name, errno, move] of [
    ["lo stays", "EINVAL", (k: NetKernel, to: NetNs) => k.moveDevice(k.net.device(1)!, to)],
    [
      "a name that is taken",
      "EEXIST",
      (k: NetKernel, to: NetNs) => {
        k.netOf(to).addDevice({ name: "eth0" });
        k.moveDevice(k.net.addDevice({ name: "eth0" }), to);
      },
    ],
  ] as const) {
    it(`moving: ${name}`, () =>
      withKernel((kernel) => {
        const { netns } = elsewhere(kernel);
        expect(() => move(kernel, netns)).toThrow(errno);
        expect([...kernel.nets.devices()].every((d) => d.net.device(d.ifindex) === d)).toBe(true);
      }));
  }

  it("devmap entries and routes of a moved device go", () =>
    withKernel((kernel, proc) => {
      const { netns } = elsewhere(kernel);
      const device = kernel.net.addDevice();
      const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_DEVMAP, keySize: 4, valueSize: 4, maxEntries: 1 });
      proc.mapUpdateElem(m, u32(0), u32(device.ifindex));
      const dst = Uint8Array.of(10, 0, 0, 0);
      kernel.net.routes.add({ dst, prefixLen: 8, ifindex: device.ifindex });
      kernel.net.routes.addNeighbour(device.ifindex, dst, device.mac);
      kernel.moveDevice(device, netns);
      expect(() => proc.mapLookupElem(m, u32(0))).toThrow("ENOENT");
      expect([kernel.net.routes.find(dst), kernel.net.routes.neighbour(device.ifindex, dst)]).toEqual([
        undefined,
        undefined,
      ]);
    }));

  it("the end of a namespace: veth pairs die, other devices come to the first", () =>
    withKernel((kernel, proc) => {
      const { proc: other, netns } = elsewhere(kernel);
      kernel.net.addDevice({ name: "nic" });
      const [a, b] = kernel.net.addVethPair({ name: "a" }, { name: "b" });
      const nic = kernel.netOf(netns).addDevice({ name: "nic", ifindex: 17 });
      const kept = links(other, nic);
      const onA = links(proc, a);
      kernel.moveDevice(b, netns);
      const inB = links(other, b);
      const [nicXdp, bXdp] = [other.sendFd(kept.xdp, proc), other.sendFd(inB.xdp, proc)];
      other.exit();
      expect(netns.ended).toBe(true);
      expect(nic.net === kernel.net).toBe(true);
      expect([nic.name, nic.ifindex]).toEqual(["dev17", 17]);
      expect(kernel.net.deviceByName("a")).toBe(undefined);
      const attached = [nicXdp, bXdp, onA.xdp, onA.tcx].map((fd) => proc.linkInfo(fd).ifindex);
      expect(attached).toEqual([17, 0, 0, 0]);
      expect(() => proc.linkUpdate(bXdp, load(proc, PASS_XDP))).toThrow("ENOLINK");
    }));

  it("a link that holds its device", () =>
    withKernel((kernel, proc) => {
      const { proc: other, netns } = elsewhere(kernel);
      const [a, b] = kernel.netOf(netns).addVethPair({ name: "a" }, { name: "b" });
      const { xdp, tcx } = links(other, a, { hold: true });
      for (const device of [a, b]) expect(() => device.net.removeDevice(device)).toThrow("EBUSY");
      const mine = [xdp, tcx].map((fd) => other.sendFd(fd, proc));
      other.exit();
      checkReferences(kernel);
      expect(netns.ended).toBe(false);
      // It holds the namespace in which the device is now.
      kernel.moveDevice(a, kernel.initNetns);
      checkReferences(kernel);
      expect(netns.ended).toBe(true);
      expect([a.peer, proc.linkInfo(mine[0]!).ifindex]).toEqual([undefined, 0]);
    }));

  it("programs without a link go with the device", () =>
    withKernel((kernel, proc) => {
      const { proc: other, netns } = elsewhere(kernel);
      const [a] = kernel.netOf(netns).addVethPair({ name: "a" }, { name: "b" });
      new XdpDeviceView(a.net, other).setXdp(a.ifindex, load(other, PASS_XDP));
      other.progAttach({ progFd: load(other, NEXT_TC, tc), attachType: abi.BPF_TCX_INGRESS, targetIfindex: a.ifindex });
      checkReferences(kernel);
      expect(kernel.progs.size).toBe(2);
      other.exit();
      expect([kernel.progs.size, proc.exited]).toEqual([0, false]);
    }));
});
