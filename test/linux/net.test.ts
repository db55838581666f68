/** Devices, XDP, tcx, tc filters, cgroups on Linux: in a network namespace and a cgroup that end with the test. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { cgroupRoot, Devices, inNetns, type LinuxBpf, newNetns, openPath } from "../../src/node/linux/index.ts";
import { whyNotLinux, withLinux } from "../support/kernels.ts";

function load(bpf: LinuxBpf, progType: number, r0: number, expectedAttachType = 0): Fd {
  const insns = encode(assemble(`r0 = ${r0}\nexit`).insns);
  return bpf.progLoad({ progType, insns, license: "GPL", name: "skep_test", expectedAttachType }).fd;
}

/** In a fresh namespace, which is gone afterwards with all its devices. */
function withDevices(body: (bpf: LinuxBpf, devices: Devices) => void): void {
  withLinux((bpf) => {
    inNetns(bpf, newNetns(bpf), () => {
      using devices = new Devices(bpf.sys);
      body(bpf, devices);
    });
  });
}

describe.skipIf(whyNotLinux)("devices", () => {
  it("are made, found, brought up and removed", () => {
    withDevices((_, devices) => {
      expect(devices.list().map((d) => d.name)).toEqual(["lo"]);
      const ifb = devices.add("skep0", "ifb");
      const [a, b] = devices.addVeth("skep-a", "skep-b");
      expect([ifb.name, a.name, b.name, a.up]).toEqual(["skep0", "skep-a", "skep-b", false]);
      devices.setUp(a.ifindex);
      expect(devices.byName("skep-a").up).toBe(true);
      expect(() => devices.add("skep0", "ifb")).toThrow("EEXIST");
      devices.remove(a.ifindex);
      expect(devices.list().map((d) => d.name)).toEqual(["lo", "skep0"]);
      expect(() => devices.byName("skep-b")).toThrow("no device is named 'skep-b': ENODEV");
    });
  });

  it("move to another namespace", () => {
    withDevices((bpf, devices) => {
      const { ifindex } = devices.add("skep0", "ifb");
      const other = newNetns(bpf);
      devices.move(ifindex, other);
      expect(devices.list().map((d) => d.name)).toEqual(["lo"]);
      inNetns(bpf, other, () => {
        using there = new Devices(bpf.sys);
        expect(there.list().map((d) => d.name)).toEqual(["lo", "skep0"]);
      });
    });
  });
});

describe.skipIf(whyNotLinux)("programs on devices", () => {
  it("XDP by link: update, defunct when the device goes", () => {
    withDevices((bpf, devices) => {
      const { ifindex } = devices.add("skep0", "ifb");
      const [first, second] = [load(bpf, abi.BPF_PROG_TYPE_XDP, 2), load(bpf, abi.BPF_PROG_TYPE_XDP, 1)];
      const link = bpf.linkCreate({ progFd: first, attachType: abi.BPF_XDP, targetIfindex: ifindex });
      expect(bpf.linkInfo(link)).toMatchObject({ type: abi.BPF_LINK_TYPE_XDP, ifindex });
      const again = () => bpf.linkCreate({ progFd: second, attachType: abi.BPF_XDP, targetIfindex: ifindex });
      expect(again).toThrow("EBUSY");
      expect(() => bpf.linkUpdate(link, second, { oldProgFd: second })).toThrow("EPERM");
      bpf.linkUpdate(link, second, { oldProgFd: first });
      const { id } = bpf.progInfo(second);
      expect(devices.byName("skep0").xdp).toEqual([{ mode: "generic", progId: id }]);
      devices.remove(ifindex);
      expect(bpf.linkInfo(link).ifindex).toBe(0);
    });
  });

  it("XDP without a link, as bpftool net show sees it", () => {
    withDevices((bpf, devices) => {
      const { ifindex } = devices.add("skep0", "ifb");
      const prog = load(bpf, abi.BPF_PROG_TYPE_XDP, 2);
      devices.setXdp(ifindex, prog);
      const { id } = bpf.progInfo(prog);
      const text = execFileSync("bpftool", ["-j", "net", "show"], { encoding: "utf8" });
      const [{ xdp }] = JSON.parse(text) as [{ xdp: object[] }];
      expect(xdp).toEqual([{ devname: "skep0", ifindex, mode: "generic", id }]);
      devices.setXdp(ifindex, -1);
      expect(devices.byName("skep0").xdp).toEqual([]);
    });
  });

  it("tcx by link, in order", () => {
    withDevices((bpf, devices) => {
      const { ifindex } = devices.add("skep0", "ifb");
      const attachType = abi.BPF_TCX_INGRESS;
      const [first, second] = [load(bpf, abi.BPF_PROG_TYPE_SCHED_CLS, 0), load(bpf, abi.BPF_PROG_TYPE_SCHED_CLS, -1)];
      const target = { attachType, targetIfindex: ifindex };
      bpf.linkCreate({ progFd: first, ...target });
      bpf.linkCreate({ progFd: second, ...target, flags: abi.BPF_F_BEFORE });
      const { progs, revision } = bpf.progQuery(target);
      expect(progs.map((p) => p.id)).toEqual([bpf.progInfo(second).id, bpf.progInfo(first).id]);
      expect(revision).toBe(3n);
      bpf.progAttach({ progFd: load(bpf, abi.BPF_PROG_TYPE_SCHED_CLS, 2), ...target });
      expect(bpf.progQuery(target).progs.at(-1)?.linkId).toBe(0);
    });
  });

  it("tc filters below clsact", () => {
    withDevices((bpf, devices) => {
      const { ifindex } = devices.add("skep0", "ifb");
      const prog = load(bpf, abi.BPF_PROG_TYPE_SCHED_CLS, 0);
      devices.addClsact(ifindex);
      expect(() => devices.addClsact(ifindex)).toThrow("EEXIST");
      devices.addFilter(ifindex, "egress", prog, "skep_test", 7, 1);
      const { id } = bpf.progInfo(prog);
      const filter = { direction: "egress", prio: 7, handle: 1, name: "skep_test", progId: id, directAction: true };
      expect(devices.filters(ifindex)).toMatchObject([filter]);
      devices.removeFilter(ifindex, "egress", 7, 1);
      expect(devices.filters(ifindex)).toEqual([]);
    });
  });

  it("a cgroup's programs", () => {
    withLinux((bpf) => {
      const dir = join(cgroupRoot(), `skep-${process.pid}-${Date.now()}`);
      mkdirSync(dir);
      try {
        const targetFd = openPath(bpf, dir, true);
        const attachType = abi.BPF_CGROUP_INET_INGRESS;
        const progFd = load(bpf, abi.BPF_PROG_TYPE_CGROUP_SKB, 1, attachType);
        const link = bpf.linkCreate({ progFd, attachType, targetFd });
        expect(bpf.linkInfo(link)).toMatchObject({ type: abi.BPF_LINK_TYPE_CGROUP, attachType });
        expect(bpf.progQuery({ attachType, targetFd }).progs.map((p) => p.id)).toEqual([bpf.progInfo(progFd).id]);
        bpf.linkDetach(link);
        expect(bpf.progQuery({ attachType, targetFd }).progs).toEqual([]);
      } finally {
        rmdirSync(dir);
      }
    });
  });
});
