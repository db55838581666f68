/** Several XDP programs on one device, the way of libxdp. */
import { describe, expect, it } from "vitest";
import { E2BIG, EAGAIN, EBUSY, EINVAL, ENOENT, EOPNOTSUPP, EPERM } from "../../../src/abi/errno.ts";
import { VerifierError } from "../../../src/kernel/bpf.ts";
import { checkReferences } from "../../../src/kernel/holders.ts";
import type { KernelOptions } from "../../../src/kernel/kernel.ts";
import type { Process } from "../../../src/kernel/process.ts";
import { attachXdp, detachXdp, replaceXdp } from "../../../src/loader/dispatcher/dispatcher.ts";
import { pinRoot, type XdpHost } from "../../../src/loader/dispatcher/host.ts";
import type { XdpProgram } from "../../../src/loader/dispatcher/order.ts";
import { actionMask, actionNames, runConfigOf } from "../../../src/loader/dispatcher/run_config.ts";
import { type XdpStatus, xdpStatus } from "../../../src/loader/dispatcher/status.ts";
import type { NetKernel } from "../../../src/net/create.ts";
import type { NetDevice } from "../../../src/net/device.ts";
import { XdpDeviceView } from "../../../src/net/xdp_set.ts";
import { NO_CAPS } from "../../../src/verifier/platform.ts";
import { withKernel } from "../../support/kernel.ts";
import { blank, DISPATCHERS, type Stamp, stamp, stampSet, stampsOf } from "../../support/xdp_stamp.ts";

interface World {
  readonly kernel: NetKernel;
  readonly proc: Process;
  readonly host: XdpHost;
  readonly device: NetDevice;
  readonly attach: (...stamps: Stamp[]) => XdpStatus;
}

function withDevice(
  body: (world: World) => void,
  hostOptions: Partial<XdpHost> = {},
  kernelOptions: KernelOptions = {},
): void {
  withKernel((kernel, proc) => {
    const device = kernel.net.addDevice({ name: "eth0" });
    const host: XdpHost = { bpf: proc, devices: new XdpDeviceView(kernel.net, proc), ...hostOptions };
    const attach = (...stamps: Stamp[]) => put(host, device.ifindex, stamps.map(stamp));
    body({ kernel, proc, host, device, attach });
    checkReferences(kernel);
  }, kernelOptions);
}

/** Attaches, and closes the objects: pins hold what runs. */
function put(host: XdpHost, ifindex: number, programs: readonly XdpProgram[]): XdpStatus {
  try {
    return attachXdp(host, ifindex, programs);
  } finally {
    for (const { obj } of programs) obj.close();
  }
}

function names(status: XdpStatus): string[] {
  return status.kind === "dispatcher" ? status.components.map((c) => `${c.name} ${c.config.priority}`) : [status.kind];
}

function idsOf(status: XdpStatus, name: string): number[] {
  return status.kind === "dispatcher" ? status.components.filter((c) => c.name === name).map((c) => c.progId) : [];
}

/** What a frame looks like when all programs have seen it; undefined when none lets it pass. */
function through(device: NetDevice): number[] | undefined {
  device.receive(blank());
  const packet = device.delivered.pop();
  return packet && stampsOf(packet);
}

function pins(host: XdpHost): string[] {
  const root = pinRoot(host);
  return host.bpf.fs
    .readdir(root)
    .flatMap((dir) => host.bpf.fs.readdir(`${root}/${dir}`).map((pin) => `${dir}/${pin}`));
}

const fails = (errno: number) => expect.objectContaining({ errno });

describe("run configuration in the object", () => {
  const CASES = [
    { name: "early", priority: 10, actions: ["XDP_DROP", "XDP_PASS"] },
    { name: "middle", priority: 50, actions: ["XDP_PASS"] },
    { name: "late_with_a_long_name", priority: 90, actions: ["XDP_TX"] },
  ];
  it.each(CASES)("$name", ({ name, priority, actions }) => {
    const { obj } = stamp();
    const config = runConfigOf(obj.spec.btf, name);
    expect(config.priority).toBe(priority);
    expect(actionNames(config.chainCallActions)).toEqual(actions);
  });
});

describe.each(DISPATCHERS)("$name", ({ options }) => {
  it.each(["jit", "interp"] as const)("runs programs by priority, then by name, on the %s", (engine) => {
    withDevice(
      ({ host, device, attach }) => {
        const status = attach(
          { name: "middle", set: 3, slot: 2 },
          { name: "early", set: 1, slot: 0 },
          { name: "late_with_a_long_name", set: 4, slot: 3 },
          { name: "early", set: 2, slot: 1, runConfig: { priority: 50 } },
        );
        expect(names(status)).toEqual(["early 10", "early 50", "middle 50", "late_with_a_long_name 90"]);
        expect(through(device)).toEqual([1, 2, 3, 4, 0, 0, 0, 0, 0, 0]);
        expect(xdpStatus(host, device.ifindex)).toEqual(status);
        expect(status).toMatchObject({ kind: "dispatcher", mode: "driver", frags: false, name: "xdp_dispatcher" });
        const dir = `dispatch-${device.ifindex}-${status.kind === "dispatcher" ? status.progId : 0}`;
        expect(pins(host).sort()).toEqual(
          [0, 1, 2, 3].flatMap((n) => [`${dir}/prog${n}-link`, `${dir}/prog${n}-prog`]),
        );
      },
      options,
      { engine },
    );
  });

  it("goes on only after the actions that a program names", () => {
    const CASES: readonly { first: Stamp; passes: boolean; reached: boolean }[] = [
      { first: { verdict: 2 }, passes: true, reached: true },
      { first: { verdict: 1 }, passes: false, reached: false },
      { first: { name: "early", verdict: 1 }, passes: true, reached: true },
      { first: { verdict: 2, runConfig: { chainCallActions: 0 } }, passes: true, reached: false },
      { first: { verdict: 3, runConfig: { chainCallActions: actionMask(["XDP_TX"]) } }, passes: true, reached: true },
    ];
    for (const { first, passes, reached } of CASES) {
      withDevice(({ device, attach }) => {
        attach({ ...first, runConfig: { priority: 1, ...first.runConfig } }, { slot: 1, set: 9 });
        const stamps = through(device);
        expect(stamps !== undefined).toBe(passes);
        if (stamps) expect(stamps[1]).toBe(reached ? 9 : 0);
      }, options);
    }
  });

  it("adds, takes away and exchanges programs; the last one takes the dispatcher along", () => {
    withDevice(({ kernel, host, device, attach }) => {
      const { ifindex } = device;
      attach({ name: "middle", set: 1, slot: 1 });
      let status = attach({ name: "early", set: 2, slot: 0 });
      expect(names(status)).toEqual(["early 10", "middle 50"]);
      expect(through(device)?.slice(0, 2)).toEqual([2, 1]);
      const [late] = [stamp({ name: "late_with_a_long_name", set: 5, slot: 2 })];
      status = replaceXdp(host, ifindex, idsOf(status, "early"), [late]);
      late.obj.close();
      expect(names(status)).toEqual(["middle 50", "late_with_a_long_name 90"]);
      expect(through(device)?.slice(0, 3)).toEqual([0, 1, 5]);
      expect(pins(host)).toHaveLength(4);
      status = detachXdp(host, ifindex, idsOf(status, "middle"));
      expect(through(device)?.slice(0, 3)).toEqual([0, 0, 5]);
      expect(detachXdp(host, ifindex)).toEqual({ kind: "none" });
      expect(pins(host)).toEqual([]);
      expect(kernel.progs.size).toBe(0);
      expect(through(device)).toEqual(Array(10).fill(0));
    }, options);
  });

  it("takes ten programs and no more", () => {
    withDevice(({ host, device }) => {
      put(host, device.ifindex, stampSet(7, 10));
      expect(through(device)).toEqual(Array(10).fill(7));
      expect(() => put(host, device.ifindex, stampSet(8, 1))).toThrow(fails(E2BIG));
      expect(through(device)).toEqual(Array(10).fill(7));
    }, options);
  });

  it("takes packets with fragments if all programs do", () => {
    withDevice(({ attach }) => {
      expect(attach({ name: "with_frags" })).toMatchObject({ frags: true });
      expect(attach({ name: "middle" })).toMatchObject({
        frags: false,
        components: [{ config: { flags: 0 } }, { config: { flags: 32 } }],
      });
    }, options);
  });

  it("keeps the old set, and nothing of the new one, when a program is refused", () => {
    withDevice(({ kernel, host, device, attach }) => {
      const before = attach({ name: "middle", set: 1 });
      const [pinned, progs] = [pins(host), kernel.progs.size];
      expect(() => attach({ name: "early", set: 2 }, { name: "is_refused" })).toThrow(VerifierError);
      expect(xdpStatus(host, device.ifindex)).toEqual(before);
      expect(pins(host)).toEqual(pinned);
      expect(kernel.progs.size).toBe(progs);
      expect(through(device)?.[0]).toBe(1);
    }, options);
  });

  it("two administrators change the same device", () => {
    withDevice(({ kernel, host, device }) => {
      const other = kernel.spawn({ comm: "other" });
      const second: XdpHost = { ...host, bpf: other, devices: new XdpDeviceView(kernel.net, other) };
      put(host, device.ifindex, stampSet(1, 1));
      const fd = other.fs.open(pinRoot(host), { directory: true });
      other.fs.flock(fd, "exclusive");
      expect(() => put(host, device.ifindex, stampSet(2, 1))).toThrow(fails(EAGAIN));
      other.close(fd);
      put(second, device.ifindex, [stamp({ name: "early", set: 3, slot: 1 })]);
      other.exit();
      expect(through(device)?.slice(0, 2)).toEqual([1, 3]);
    }, options);
  });
});

describe("a program that changes the length of packets", () => {
  it("fits our own dispatcher, and not that of libxdp 1.3", () => {
    const moves: Stamp = { name: "moves_head", set: 4 };
    const [own, libxdp] = DISPATCHERS;
    withDevice(({ device, attach }) => {
      attach(moves);
      expect(through(device)?.[0]).toBe(4);
    }, own!.options);
    if (!libxdp) return;
    withDevice(({ attach }) => {
      expect(() => attach(moves)).toThrow("Extension program changes packet data, while original does not");
    }, libxdp.options);
  });
});

describe("without a dispatcher", () => {
  it("LIBXDP_SKIP_DISPATCHER attaches one program alone", () => {
    withDevice(
      ({ host, device, attach }) => {
        expect(() => attach({}, {})).toThrow(fails(EOPNOTSUPP));
        expect(attach({ name: "late_with_a_long_name", set: 6 })).toMatchObject({
          kind: "single",
          name: "late_with_a_long_name",
        });
        expect(through(device)?.[0]).toBe(6);
        expect(() => attach({})).toThrow(fails(EBUSY));
        expect(detachXdp(host, device.ifindex)).toEqual({ kind: "none" });
      },
      { skipDispatcher: true },
    );
  });

  it("what is not there cannot be taken away", () => {
    withDevice(({ host, device, attach }) => {
      expect(() => detachXdp(host, device.ifindex)).toThrow(fails(ENOENT));
      expect(() => replaceXdp(host, device.ifindex, [], [])).toThrow(fails(ENOENT));
      attach({});
      expect(() => detachXdp(host, device.ifindex, [999])).toThrow(fails(ENOENT));
      expect(() => xdpStatus(host, 77)).toThrow(fails(EINVAL));
    });
  });

  it("needs CAP_NET_ADMIN for the device", () => {
    withDevice(({ kernel, device }) => {
      const plain = kernel.spawn({ caps: { ...NO_CAPS, bpf: true } });
      const devices = new XdpDeviceView(kernel.net, plain);
      expect(() => devices.setXdp(device.ifindex, -1)).toThrow(fails(EPERM));
      plain.exit();
    });
  });

  it("programs whose pins are lost still run, without names", () => {
    withDevice(({ host, device, attach }) => {
      attach({ set: 3 });
      for (const pin of pins(host)) host.bpf.fs.unlink(`${pinRoot(host)}/${pin}`);
      expect(xdpStatus(host, device.ifindex)).toMatchObject({ components: [{ progId: 0, name: "" }] });
      // their links went with the pins, so the slots are empty
      expect(through(device)?.[0]).toBe(0);
    });
  });

  it("a device that goes away lets go of its program; the pins are libxdp's to clean up", () => {
    withDevice(({ kernel, host, device, attach }) => {
      attach({});
      kernel.net.removeDevice(device);
      checkReferences(kernel);
      expect(pins(host)).toHaveLength(2);
    });
  });
});
