/**
 * Dispatchers on the running Linux, on devices of a network namespace of the test's own. Where the kernel lets nobody load
 * extensions, what is left is libxdp's fallback: one program alone.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { attachXdp, detachXdp } from "../../src/loader/dispatcher/dispatcher.ts";
import { pinRoot, type XdpHost } from "../../src/loader/dispatcher/host.ts";
import { loadDispatcher, whyNoDispatcher } from "../../src/loader/dispatcher/object.ts";
import { xdpStatus } from "../../src/loader/dispatcher/status.ts";
import { createKernel } from "../../src/net/create.ts";
import { XdpDeviceView } from "../../src/net/xdp_set.ts";
import { Devices, inNetns, newNetns } from "../../src/node/linux/index.ts";
import { whyNotLinux, withLinux, withPins } from "../support/kernels.ts";
import { blank, DISPATCHERS, STAMP_FILE, type Stamp, stamp, stampsOf } from "../support/xdp_stamp.ts";

const LOADER = ["/usr/sbin/xdp-loader", "/bin/xdp-loader"].find((path) => existsSync(path));

/** Calls xdp-loader, where there is one for this kernel. */
type Loader = (...args: string[]) => string | undefined;

/** A device on each kernel; xdp-loader can be asked on Linux. */
function onBoth(title: string, body: (host: XdpHost, ifindex: number, loader: Loader) => void): void {
  it(`skep: ${title}`, () => {
    using kernel = createKernel();
    const proc = kernel.spawn();
    const { ifindex } = kernel.net.addDevice({ name: "xd0" });
    body({ bpf: proc, devices: new XdpDeviceView(kernel.net, proc) }, ifindex, () => undefined);
    kernel.shutdown();
    kernel.assertEmpty();
  });
  it.skipIf(whyNotLinux)(`Linux: ${title}`, () =>
    withLinux((bpf) =>
      withPins(bpf, (bpffs) =>
        inNetns(bpf, newNetns(bpf), () => {
          using devices = new Devices(bpf.sys);
          const [{ ifindex }] = devices.addVeth("xd0", "xd1");
          const env = { ...process.env, LIBXDP_BPFFS: bpffs };
          const loader: Loader = (...args) =>
            LOADER ? execFileSync(LOADER, args, { env, encoding: "utf8" }) : undefined;
          try {
            body({ bpf, devices, bpffs }, ifindex, loader);
          } finally {
            devices.remove(ifindex);
          }
        }),
      ),
    ),
  );
}

function put(host: XdpHost, ifindex: number, ...stamps: Stamp[]) {
  const programs = stamps.map(stamp);
  try {
    return attachXdp(host, ifindex, programs);
  } finally {
    for (const { obj } of programs) obj.close();
  }
}

function runAttached(bpf: Bpf, progId: number): { retval: number; stamps: number[] } {
  const fd = bpf.progGetFdById(progId);
  const { retval, dataOut } = bpf.progTestRun(fd, { dataIn: blank() });
  bpf.close(fd);
  return { retval, stamps: stampsOf(dataOut) };
}

function withDispatcher({ options }: (typeof DISPATCHERS)[number]): void {
  onBoth("verifies, and passes packets while its slots are empty", ({ bpf, ...rest }) => {
    const slots = [1, 2, 3].map((priority) => ({ priority, chainCallActions: 4, flags: 0 }));
    const { obj, main } = loadDispatcher({ ...rest, bpf, ...options }, { frags: true, slots });
    expect(bpf.progTestRun(main.fd, { dataIn: blank() }).retval).toBe(2);
    obj.close();
  });

  onBoth("programs come and go, and xdp-loader sees them", (plain, ifindex, loader) => {
    const host = { ...plain, ...options };
    const reason = whyNoDispatcher(host);
    if (reason) {
      console.log(`dispatchers are not compared: this kernel refuses extensions (${reason.message})`);
      return;
    }
    put(host, ifindex, { name: "middle", set: 2, slot: 1 });
    let status = put(host, ifindex, { name: "early", set: 1, slot: 0 });
    if (status.kind !== "dispatcher") throw new Error("no dispatcher");
    expect(status.components.map((c) => [c.name, c.config.priority])).toEqual([
      ["early", 10],
      ["middle", 50],
    ]);
    expect(runAttached(host.bpf, status.progId)).toEqual({ retval: 2, stamps: [1, 2, 0, 0, 0, 0, 0, 0, 0, 0] });
    const seen = loader("status", "xd0");
    if (seen !== undefined) expect(seen).toMatch(/xdp_dispatcher[\s\S]*=> +10 +early[\s\S]*=> +50 +middle/);
    status = detachXdp(host, ifindex, [status.components[0]!.progId]);
    expect(status).toMatchObject({ components: [{ name: "middle" }] });
    expect(detachXdp(host, ifindex)).toEqual({ kind: "none" });
    expect(host.bpf.fs.readdir(pinRoot(host))).toEqual([]);
    if (loader("load", "-n", "early", "xd0", STAMP_FILE) === undefined) return;
    status = put(host, ifindex, { name: "middle", set: 2, slot: 1 });
    if (status.kind !== "dispatcher") throw new Error("no dispatcher");
    expect(status.components.map((c) => c.name)).toEqual(["early", "middle"]);
    expect(runAttached(host.bpf, status.progId).stamps.slice(0, 2)).toEqual([1, 2]);
    loader("unload", "xd0", "-i", `${status.components[0]!.progId}`);
    expect(xdpStatus(host, ifindex)).toMatchObject({ components: [{ name: "middle" }] });
    loader("unload", "xd0", "--all");
    expect(xdpStatus(host, ifindex)).toEqual({ kind: "none" });
  });
}

for (const dispatcher of DISPATCHERS) describe(dispatcher.name, () => withDispatcher(dispatcher));

onBoth("one program alone, where no dispatcher can be or none is wanted", (plain, ifindex, loader) => {
  const host = { ...plain, skipDispatcher: true };
  const status = put(host, ifindex, { name: "late_with_a_long_name", set: 3 });
  expect(status).toMatchObject({ kind: "single", mode: "driver", name: "late_with_a_long_name" });
  if (status.kind !== "single") return;
  expect(runAttached(host.bpf, status.progId).stamps[0]).toBe(3);
  const seen = loader("status", "xd0");
  if (seen !== undefined) expect(seen).toContain(`native   ${status.progId}`);
  expect(() => put(host, ifindex, {})).toThrow(expect.objectContaining({ errno: 16 }));
  expect(() => detachXdp(host, ifindex, [999_999_999])).toThrow(expect.objectContaining({ errno: 2 }));
  expect(detachXdp(host, ifindex)).toEqual({ kind: "none" });
  expect(xdpStatus(host, ifindex)).toEqual({ kind: "none" });
});

describe("XDP without a link", () => {
  const FLAGS = { noexist: 1, skb: 2, drv: 4, replace: 16 };
  onBoth("netlink's errnos", ({ bpf, devices }, ifindex) => {
    const load = () => {
      const { obj } = stamp();
      for (const prog of Object.values(obj.progs)) prog.autoload = prog.name === "middle";
      return obj.load(bpf);
    };
    const [a, b] = [load(), load()];
    const [first, second] = [a.progs["middle"]!.fd, b.progs["middle"]!.fd];
    const set = (fd: number, flags: number, expected?: number): number => {
      try {
        devices.setXdp(ifindex, fd, flags, expected);
        return 0;
      } catch (e) {
        return (e as { errno: number }).errno;
      }
    };
    const TABLE: readonly (readonly [
      what: string,
      fd: number,
      flags: number,
      expected: number | undefined,
      errno: number,
    ])[] = [
      ["two modes", first, FLAGS.skb | FLAGS.drv, undefined, 22],
      ["a flag that is none", first, 64, undefined, 22],
      ["another program is expected than none", first, FLAGS.replace | FLAGS.drv, second, 17],
      ["none is expected", first, FLAGS.replace | FLAGS.drv, -1, 0],
      ["only where none is", second, FLAGS.noexist | FLAGS.drv, undefined, 16],
      ["the wrong one is expected", second, FLAGS.replace | FLAGS.drv, second, 17],
      ["the right one is expected", second, FLAGS.replace | FLAGS.drv, first, 0],
      ["the same again", second, FLAGS.drv, undefined, 0],
      ["whatever is there", first, FLAGS.drv, undefined, 0],
      ["off, the wrong one expected", -1, FLAGS.replace | FLAGS.drv, second, 17],
      ["off", -1, FLAGS.drv, undefined, 0],
      ["off again", -1, FLAGS.drv, undefined, 0],
    ];
    for (const [what, fd, flags, expected, errno] of TABLE) expect(set(fd, flags, expected), what).toBe(errno);
    const link = bpf.linkCreate({ progFd: first, attachType: 37, targetIfindex: ifindex, flags: FLAGS.drv });
    expect(set(second, FLAGS.drv), "a link is there").toBe(16);
    expect(set(-1, FLAGS.drv), "off, a link is there").toBe(16);
    bpf.close(link);
    expect(set(second, FLAGS.drv)).toBe(0);
    expect(() => bpf.linkCreate({ progFd: first, attachType: 37, targetIfindex: ifindex, flags: FLAGS.drv })).toThrow(
      expect.objectContaining({ errno: 16 }),
    );
    devices.setXdp(ifindex, -1, FLAGS.drv);
    a.close();
    b.close();
  });
});
