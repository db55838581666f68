/**
 * The crash argument: replacing a program set by many steps ends in states that are neither the old set nor the new one
 * when the administrator dies on the way or a second one does the same; one atomic replace does not.
 */
import { describe, expect, it } from "vitest";
import { LIBXDP, REPLACE_SET } from "../../conformance/crash/dispatcher_methods.ts";
import { explore, interleavings, type Method } from "../../conformance/crash/explore.ts";
import { onLinux } from "../../conformance/crash/linux_world.ts";
import { METHODS } from "../../conformance/crash/methods.ts";
import { SkepWorld, worldKernel } from "../../conformance/crash/skep_world.ts";
import { reportTable } from "../../conformance/crash/table.ts";
import { BpfError, EPERM } from "../../src/abi/errno.ts";
import { BPFFS_ROOT } from "../../src/kernel/bpffs/super_block.ts";
import { whyNotLinux } from "../support/kernels.ts";

describe("replacing a program set", () => {
  const kernel = worldKernel();
  const reports = [...METHODS, LIBXDP, REPLACE_SET].map((method) => explore(method, () => new SkepWorld(kernel)));
  const of = (name: string) => reports.find((r) => r.method === name)!;
  console.log(reportTable(reports));

  it("by many steps ends in inconsistent states after a crash", () => {
    for (const { name } of [...METHODS.slice(0, -1), LIBXDP]) {
      expect(of(name).crashes.bad.length, name).toBeGreaterThan(0);
      expect(of(name).repairs.bad.length, name).toBeGreaterThan(0);
    }
  });

  it("and after two administrators at once, unless a lock keeps them apart", () => {
    expect(of("create, pin, swap, rename, remove").orders.bad.length).toBeGreaterThan(0);
    expect(of(LIBXDP.name).orders.bad.length).toBeGreaterThan(0);
    expect(of("with rename, under a lock").orders.bad).toEqual([]);
  });

  it("exchanges the parts of a set one by one where each has its own link", () => {
    expect(METHODS.slice(0, -1).map(({ name }) => of(name).unsafeSteps)).toEqual([4, 1, 1, 1]);
  });

  it.each(["one atomic replace", REPLACE_SET.name])("by %s never does", (name) => {
    const { crashes, repairs, orders, unsafeSteps } = of(name);
    expect({ crashes: crashes.bad, repairs: repairs.bad, orders: orders.bad, unsafeSteps }).toEqual({
      crashes: [],
      repairs: [],
      orders: [],
      unsafeSteps: 0,
    });
  });
});

describe("what goes with a bpffs", () => {
  const world = () => {
    const w = new SkepWorld();
    METHODS[0]!.setUp(w);
    return w;
  };

  it("unmounted while its pins hold attachments: packets meet nothing, and it is told what went", () => {
    using w = world();
    expect(w.packet()).toEqual(["tc-a", "xdp-a"]);
    const { bpf: admin } = w.admin("admin");
    using told = admin.subscribe();
    admin.fs.umount(BPFFS_ROOT);
    expect(w.packet()).toEqual([]);
    expect([w.kernel.links.size, w.kernel.progs.size]).toEqual([0, 0]);
    expect(told.read().events.map((e) => `${e.comm}: ${e.what} ${e.path ?? e.ifindex ?? ""}`.trim())).toEqual([
      "admin: umount /sys/fs/bpf",
      "admin: unpin /sys/fs/bpf/links/tc",
      "admin: detach 2",
      "admin: unload",
      "admin: unpin /sys/fs/bpf/links/xdp",
      "admin: detach 2",
      "admin: unload",
    ]);
  });

  it("nothing while another mount namespace mounts it, or a directory of it is open", () => {
    using w = world();
    const other = w.kernel.spawn({ mountns: w.host.mountns.clone() });
    const { bpf: admin } = w.admin("admin");
    const dir = admin.fs.open(BPFFS_ROOT);
    expect(() => admin.fs.umount(BPFFS_ROOT)).toThrow("EBUSY");
    admin.fs.umount(BPFFS_ROOT, { detach: true });
    expect(w.packet()).toEqual(["tc-a", "xdp-a"]);
    other.exit();
    expect(w.packet()).toEqual(["tc-a", "xdp-a"]);
    admin.close(admin.objGet({ dirfd: dir, path: "links/xdp" }));
    // The administrator crashes.
    admin.exit();
    expect(w.packet()).toEqual([]);
  });
});

describe.skipIf(whyNotLinux)("Linux ends in the same states", () => {
  const same = (method: Method) => {
    const onSkep = explore(method, () => new SkepWorld(), 1);
    expect(onLinux((newWorld) => explore(method, newWorld, 1))).toEqual(onSkep);
  };

  // Linux ends the link of an unlinked pin later, in a work queue (bpf_link_put()), so there the first way is a race:
  // attaching right after may be EBUSY, or meet both programs.
  for (const method of METHODS.slice(1)) it(method.name, () => same(method));

  it(LIBXDP.name, (context) => {
    try {
      same(LIBXDP);
    } catch (e) {
      // Some kernels refuse programs of type EXT before they look at them.
      if (!(e instanceof BpfError && e.errno === EPERM)) throw e;
      context.skip(`this Linux loads no extensions: ${e.message}`);
    }
  });
});

it("interleavings: all of them where nothing bounds the switches", () => {
  const all = [...interleavings(3, 99)];
  // Those that the first begins: half of 6 over 3.
  expect(all.length).toBe(10);
  expect(new Set(all.map(String)).size).toBe(10);
  for (const order of all) {
    expect(order.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b)).toBe(3);
    expect(order.filter((_, i) => i % 2).reduce((a, b) => a + b)).toBe(3);
  }
});
