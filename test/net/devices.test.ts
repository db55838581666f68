/** Packets on simulated devices: XDP actions, redirects through maps, tcx chains, links. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { frame, load, u32, withKernel } from "../support/kernel.ts";

const ENGINES = ["jit", "interp"] as const;
const tc = { progType: abi.BPF_PROG_TYPE_SCHED_CLS };

function both(name: string, body: (kernel: NetKernel, proc: Process) => void): void {
  for (const engine of ENGINES) it(`${name} (${engine})`, () => withKernel(body, { engine, cpus: 2 }));
}

function xdp(proc: Process, device: NetDevice, progFd: Fd, flags = 0): Fd {
  return proc.linkCreate({ progFd, attachType: abi.BPF_XDP, targetIfindex: device.ifindex, flags });
}

/** Bytes of each packet at one offset. */
const at = (packets: readonly Uint8Array[], off: number) => packets.map((p) => p[off]);

const redirectTo = (ifindex: number) => `r1 = ${ifindex}\nr2 = 0\ncall redirect\nexit`;
const redirectMap = (key: number, flags = 0) => `r1 = map[m] ll\nr2 = ${key}\nr3 = ${flags}\ncall redirect_map\nexit`;
const MARK = `
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 60
  r0 = 1
  if r4 > r3 goto out`;

describe("XDP on a device", () => {
  for (const [action, counter] of [
    [0, "xdpAborted"],
    [1, "xdpDrop"],
    [2, "xdpPass"],
    [3, "xdpTx"],
    [4, "redirectErrors"],
    [5, "xdpAborted"],
  ] as const) {
    both(`action ${action}`, (kernel, proc) => {
      const eth0 = kernel.net.addDevice({ name: "eth0" });
      xdp(proc, eth0, load(proc, `r0 = ${action}\nexit`));
      eth0.receive(frame());
      expect(eth0.stats[counter]).toBe(1);
      expect(eth0.delivered.length).toBe(action === 2 ? 1 : 0);
      expect(eth0.sent.length).toBe(action === 3 ? 1 : 0);
    });
  }

  both("without a program packets reach the stack", (kernel) => {
    const eth0 = kernel.net.addDevice();
    eth0.receive(frame());
    expect(eth0.delivered).toEqual([frame()]);
  });

  both("redirect to a device", (kernel, proc) => {
    const [a, b] = [kernel.net.addDevice(), kernel.net.addDevice()];
    xdp(proc, a, load(proc, redirectTo(b.ifindex)));
    a.receive(frame());
    expect(b.sent).toEqual([frame()]);
    b.up = false;
    a.receive(frame());
    expect(a.stats.redirectErrors).toBe(1);
    b.up = true;
    b.mtu = 40;
    a.receive(frame());
    expect(a.stats.redirectErrors).toBe(2);
  });

  both("redirect through a devmap, with a program for the entry", (kernel, proc) => {
    const [a, b] = [kernel.net.addDevice(), kernel.net.addDevice()];
    const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_DEVMAP, keySize: 4, valueSize: 8, maxEntries: 4 });
    const egress = load(
      proc,
      `${MARK}
      r5 = *(u32 *)(r1 + 20)
      *(u8 *)(r2 + 20) = r5
      r5 = *(u32 *)(r1 + 12)
      *(u8 *)(r2 + 21) = r5
      r0 = 2
    out:
      exit`,
      { expectedAttachType: abi.BPF_XDP_DEVMAP },
    );
    proc.mapUpdateElem(m, u32(1), u32(b.ifindex, egress));
    expect(proc.mapLookupElem(m, u32(1))).toEqual(u32(b.ifindex, proc.progInfo(egress).id));
    xdp(proc, a, load(proc, redirectMap(1), { maps: { m } }));
    a.receive(frame());
    a.receive(frame(20));
    expect(at(b.sent, 20)).toEqual([b.ifindex]);
    expect(at(b.sent, 21)).toEqual([a.ifindex]);
    // The entry's program refused the short one.
    expect(a.stats.redirectErrors).toBe(1);
  });

  both("broadcast without the device that the packet came from", (kernel, proc) => {
    const devices = [1, 2, 3].map(() => kernel.net.addDevice());
    const [a, b, c] = devices as [NetDevice, NetDevice, NetDevice];
    const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_DEVMAP_HASH, keySize: 4, valueSize: 4, maxEntries: 8 });
    devices.forEach((d, i) => {
      proc.mapUpdateElem(m, u32(100 + i), u32(d.ifindex));
    });
    const all = xdp(proc, a, load(proc, redirectMap(0, abi.BPF_F_BROADCAST), { maps: { m } }));
    a.receive(frame());
    expect([a, b, c].map((d) => d.sent.length)).toEqual([1, 1, 1]);
    proc.linkUpdate(all, load(proc, redirectMap(0, abi.BPF_F_BROADCAST | abi.BPF_F_EXCLUDE_INGRESS), { maps: { m } }));
    a.receive(frame());
    expect([a, b, c].map((d) => d.sent.length)).toEqual([1, 2, 2]);
  });

  both("cpumap: the entry's program runs, then the stack takes the packet", (kernel, proc) => {
    const a = kernel.net.addDevice();
    const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_CPUMAP, keySize: 4, valueSize: 8, maxEntries: 2 });
    const onCpu = load(proc, `${MARK}\n*(u8 *)(r2 + 20) = 99\nr0 = 2\nout:\nexit`, {
      expectedAttachType: abi.BPF_XDP_CPUMAP,
    });
    proc.mapUpdateElem(m, u32(1), u32(64, onCpu));
    xdp(proc, a, load(proc, redirectMap(1), { maps: { m } }));
    a.receive(frame());
    expect(at(a.delivered, 20)).toEqual([99]);
  });

  both("a removed device leaves devmaps, and its link is defunct", (kernel, proc) => {
    const [a, b] = [kernel.net.addDevice(), kernel.net.addDevice()];
    const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_DEVMAP, keySize: 4, valueSize: 4, maxEntries: 4 });
    proc.mapUpdateElem(m, u32(1), u32(b.ifindex));
    const link = xdp(proc, b, load(proc, "r0 = 2\nexit"));
    kernel.net.removeDevice(b);
    expect(proc.linkInfo(link).ifindex).toBe(0);
    expect(() => proc.mapLookupElem(m, u32(1))).toThrow("ENOENT");
    xdp(proc, a, load(proc, redirectMap(1, 2), { maps: { m } }));
    a.receive(frame());
    expect(a.stats.xdpPass).toBe(1);
  });

  both("one link per device; the last reference ends it", (kernel, proc) => {
    const a = kernel.net.addDevice();
    const pass = load(proc, "r0 = 2\nexit");
    const link = xdp(proc, a, pass);
    expect(() => xdp(proc, a, pass)).toThrow("EBUSY");
    expect(() => xdp(proc, { ifindex: 999 } as NetDevice, pass)).toThrow("no device has ifindex 999: EINVAL");
    expect(() =>
      xdp(proc, kernel.net.addDevice(), load(proc, "r0 = 2\nexit", { expectedAttachType: abi.BPF_XDP_DEVMAP })),
    ).toThrow("EINVAL");
    proc.close(link);
    const again = xdp(proc, a, pass);
    proc.linkDetach(again);
    expect(proc.linkInfo(again).ifindex).toBe(0);
    expect(a.xdp).toBeUndefined();
    expect(() => proc.linkUpdate(again, pass)).toThrow("ENOLINK");
  });

  both("LINK_UPDATE checks the old program", (kernel, proc) => {
    const a = kernel.net.addDevice();
    const [pass, drop] = [load(proc, "r0 = 2\nexit"), load(proc, "r0 = 1\nexit")];
    const link = xdp(proc, a, pass);
    expect(() => proc.linkUpdate(link, drop, { oldProgFd: drop })).toThrow("EPERM");
    proc.linkUpdate(link, drop, { oldProgFd: pass });
    a.receive(frame());
    expect(a.stats.xdpDrop).toBe(1);
    expect(proc.linkInfo(link).progId).toBe(proc.progInfo(drop).id);
  });

  both("a veth pair carries what one end sends to the other", (kernel, proc) => {
    const [a, b] = kernel.net.addVethPair({ name: "a" }, { name: "b" });
    xdp(proc, b, load(proc, `${MARK}\n*(u8 *)(r2 + 20) = 55\nr0 = 3\nout:\nexit`));
    a.send(frame());
    expect(at(a.delivered, 20)).toEqual([55]);
  });
});

describe("tcx", () => {
  const at0 = (
    proc: Process,
    device: NetDevice,
    progFd: Fd,
    more: object = {},
    attachType: number = abi.BPF_TCX_INGRESS,
  ) => proc.linkCreate({ progFd, attachType, targetIfindex: device.ifindex, ...more });
  const mark = (n: number, verdict: number) =>
    `r2 = *(u32 *)(r1 + 8)\nr2 <<= 4\nr2 |= ${n}\n*(u32 *)(r1 + 8) = r2\nr0 = ${verdict}\nexit`;
  /** Ends the chain and puts the mark into the packet. */
  const SHOW = `
    r6 = *(u32 *)(r1 + 8)
    *(u32 *)(r10 - 4) = r6
    r2 = 20
    r3 = r10
    r3 += -4
    r4 = 4
    r5 = 0
    call skb_store_bytes
    r0 = 0
    exit`;

  both("programs run in order until one decides", (kernel, proc) => {
    const a = kernel.net.addDevice();
    const first = load(proc, mark(1, -1), tc);
    at0(proc, a, first);
    at0(proc, a, load(proc, SHOW, tc));
    at0(proc, a, load(proc, mark(2, -1), tc), { flags: abi.BPF_F_BEFORE });
    at0(proc, a, load(proc, mark(3, 77), tc), { flags: abi.BPF_F_AFTER, relativeFd: first });
    a.receive(frame());
    expect(at(a.delivered, 20)).toEqual([0x13]);
    expect(at(a.delivered, 21)).toEqual([0x02]);
  });

  both("drop, pass, next, redirect", (kernel, proc) => {
    const [a, b] = [kernel.net.addDevice(), kernel.net.addDevice()];
    const link = at0(proc, a, load(proc, "r0 = 2\nexit", tc));
    a.receive(frame());
    expect([a.stats.tcDrop, a.delivered.length]).toEqual([1, 0]);
    proc.linkUpdate(link, load(proc, "r0 = 0\nexit", tc));
    a.receive(frame());
    expect(a.delivered.length).toBe(1);
    proc.linkUpdate(link, load(proc, redirectTo(b.ifindex), tc));
    a.receive(frame());
    expect(b.sent).toEqual([frame()]);
    proc.linkUpdate(link, load(proc, `r1 = ${b.ifindex}\nr2 = 1\ncall redirect\nexit`, tc));
    a.receive(frame());
    expect(b.delivered).toEqual([frame()]);
  });

  both("egress runs before the wire", (kernel, proc) => {
    const a = kernel.net.addDevice();
    at0(proc, a, load(proc, mark(9, -1), tc), {}, abi.BPF_TCX_EGRESS);
    at0(proc, a, load(proc, SHOW, tc), {}, abi.BPF_TCX_EGRESS);
    a.send(frame());
    expect(at(a.sent, 20)).toEqual([9]);
  });

  both("metadata of an XDP program reaches tc", (kernel, proc) => {
    const a = kernel.net.addDevice();
    xdp(
      proc,
      a,
      load(
        proc,
        `
        r6 = r1
        r2 = -4
        call xdp_adjust_meta
        r2 = *(u32 *)(r6 + 8)
        r3 = *(u32 *)(r6 + 0)
        r4 = r2
        r4 += 4
        r0 = 1
        if r4 > r3 goto out
        *(u32 *)(r2 + 0) = 0x1234
        r0 = 2
      out:
        exit`,
      ),
    );
    at0(
      proc,
      a,
      load(
        proc,
        `
        r2 = *(u32 *)(r1 + 140)
        r3 = *(u32 *)(r1 + 76)
        r4 = r2
        r4 += 4
        r0 = 2
        if r4 > r3 goto out
        r2 = *(u32 *)(r2 + 0)
        if r2 != 0x1234 goto out
        r0 = 0
      out:
        exit`,
        tc,
      ),
    );
    a.receive(frame());
    expect(a.delivered).toEqual([frame()]);
  });

  both("clone_redirect sends a copy and goes on", (kernel, proc) => {
    const [a, b] = [kernel.net.addDevice(), kernel.net.addDevice()];
    at0(proc, a, load(proc, `r2 = ${b.ifindex}\nr3 = 0\ncall clone_redirect\nr0 = 0\nexit`, tc));
    a.receive(frame());
    expect([a.delivered.length, b.sent.length]).toEqual([1, 1]);
  });

  both("a VLAN tag is taken out of the packet and put back", (kernel, proc) => {
    const a = kernel.net.addDevice();
    const tagged = frame(64);
    tagged.set([0x81, 0, 0x20, 0x05, 8, 0], 12);
    at0(proc, a, load(proc, "r0 = *(u32 *)(r1 + 24)\nif r0 == 0x2005 goto ok\nr0 = 2\nexit\nok:\nr0 = 0\nexit", tc));
    a.receive(tagged);
    expect(a.delivered).toEqual([tagged]);
  });

  both("errors of attaching", (kernel, proc) => {
    const a = kernel.net.addDevice();
    const prog = load(proc, "r0 = 0\nexit", tc);
    at0(proc, a, prog);
    expect(() => at0(proc, a, prog)).toThrow("EEXIST");
    expect(() => at0(proc, a, load(proc, "r0 = 0\nexit", tc), { expectedRevision: 9n })).toThrow("ESTALE");
    expect(() => at0(proc, a, load(proc, "r0 = 0\nexit"))).toThrow("EINVAL");
    const other = load(proc, "r0 = 0\nexit", tc);
    expect(() => at0(proc, a, load(proc, "r0 = 0\nexit", tc), { flags: abi.BPF_F_BEFORE, relativeFd: other })).toThrow(
      "ENOENT",
    );
  });
});

describe("routes and neighbours", () => {
  both("fib_lookup fills in the way out", (kernel, proc) => {
    const [a, b] = [kernel.net.addDevice(), kernel.net.addDevice({ mtu: 1400 })];
    const { routes } = kernel.net;
    routes.add({
      dst: Uint8Array.of(10, 1, 0, 0),
      prefixLen: 16,
      ifindex: b.ifindex,
      via: Uint8Array.of(10, 0, 0, 9),
      metric: 5,
    });
    routes.add({ dst: Uint8Array.of(10, 2, 0, 0), prefixLen: 16, kind: "blackhole" });
    routes.addNeighbour(b.ifindex, Uint8Array.of(10, 0, 0, 9), Uint8Array.of(2, 9, 9, 9, 9, 9));
    const asm = (dst: number, totLen: number) => `
      r6 = r1
      r7 = r10
      r7 += -64
      ${Array.from({ length: 8 }, (_, i) => `*(u64 *)(r10 - ${64 - 8 * i}) = 0`).join("\n")}
      *(u8 *)(r10 - 64) = 2
      *(u16 *)(r10 - 58) = ${totLen}
      r1 = *(u32 *)(r6 + 12)
      *(u32 *)(r10 - 56) = r1
      *(u32 *)(r10 - 32) = ${dst}
      r1 = r6
      r2 = r7
      r3 = 64
      r4 = 0
      call fib_lookup
      r0 <<= 16
      r1 = *(u32 *)(r10 - 56)
      r1 <<= 8
      r0 |= r1
      r1 = *(u8 *)(r10 - 5)
      r0 |= r1
      exit`;
    const run = (dst: number, totLen = 0) => {
      const fd = load(proc, asm(dst, totLen));
      const ctxIn = u32(0, 60, 0, a.ifindex, 0, 0);
      return proc.progTestRun(fd, { dataIn: frame(), ctxIn }).retval;
    };
    expect(run(0x0501010a)).toBe((b.ifindex << 8) | 9);
    expect(run(0x0501010a, 1500) >> 16).toBe(8);
    expect(run(0x0501020a) >> 16).toBe(1);
    expect(run(0x0501030a) >> 16).toBe(4);
  });
});

describe("sockets", () => {
  both("sk_lookup finds the established socket before the listener", (kernel, proc) => {
    const local = Uint8Array.of(10, 0, 0, 1);
    const remote = Uint8Array.of(10, 0, 0, 2);
    const listener = kernel.net.sockets.add({ proto: "tcp", family: 2, local: new Uint8Array(4), localPort: 80 });
    const conn = kernel.net.sockets.add({ proto: "tcp", family: 2, local, localPort: 80, remote, remotePort: 1234 });
    const asm = (sport: number) => `
      *(u32 *)(r10 - 16) = 0x0200000a
      *(u32 *)(r10 - 12) = 0x0100000a
      *(u16 *)(r10 - 8) = ${((sport & 255) << 8) | (sport >> 8)}
      *(u16 *)(r10 - 6) = 0x5000
      r2 = r10
      r2 += -16
      r3 = 12
      r4 = -1
      r5 = 0
      call sk_lookup_tcp
      if r0 == 0 goto none
      r6 = *(u32 *)(r0 + 72)
      r1 = r0
      call sk_release
      r0 = r6
      exit
    none:
      r0 = 99
      exit`;
    const run = (sport: number) => proc.progTestRun(load(proc, asm(sport), tc), { dataIn: frame() }).retval;
    expect([run(1234), run(1235)]).toEqual([1, 10]);
    expect([listener.held, conn.held]).toEqual([0, 0]);
    kernel.net.sockets.clear();
    expect(run(1234)).toBe(99);
  });
});

describe("sk_lookup", () => {
  both("test runs", (_kernel, proc) => {
    const sk = { progType: abi.BPF_PROG_TYPE_SK_LOOKUP, expectedAttachType: abi.BPF_SK_LOOKUP };
    const none = load(proc, "r2 = 0\nr3 = 0\ncall sk_assign\nif r0 == 0 goto ok\nr0 = 0\nexit\nok:\nr0 = 1\nexit", sk);
    const port = load(proc, "r2 = *(u32 *)(r1 + 60)\nr0 = 0\nif r2 != 80 goto out\nr0 = 1\nout:\nexit", sk);
    const ctx = (family: number, localPort = 80) => {
      const ctxIn = new Uint8Array(72);
      ctxIn.set(u32(family, 6), 8);
      ctxIn.set(u32(localPort), 60);
      return { ctxIn };
    };
    expect(proc.progTestRun(none, ctx(2)).retval).toBe(1);
    expect([80, 81].map((p) => proc.progTestRun(port, ctx(10, p)).retval)).toEqual([1, 0]);
    expect(() => proc.progTestRun(none, ctx(1))).toThrow("EAFNOSUPPORT");
    expect(() => proc.progTestRun(none, ctx(2, 70000))).toThrow("ERANGE");
    expect(() => proc.progTestRun(none)).toThrow("EINVAL");
    expect(() => proc.progTestRun(none, { dataIn: frame(), ...ctx(2) })).toThrow("EINVAL");
  });
});
