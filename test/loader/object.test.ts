import { describe, expect, test } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, type ErrnoName, errnoName } from "../../src/abi/errno.ts";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import type { Process } from "../../src/kernel/process.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { fixtureBytes } from "../object/fixture.ts";

const kernelBtf = builtinBtf();

function newProcess(cpus = 2): Process {
  return new Kernel({ kernelBtf, cpus, maxPages: 4096 }).spawn();
}

function open(file = "loader/app.o"): BpfObject {
  return openObject(fixtureBytes(file), { name: file.split("/").pop()! });
}

function loaded(config = "CONFIG_FEATURE=y"): { obj: BpfObject; bpf: Process } {
  const bpf = newProcess();
  return { obj: open().load(bpf, { kernelBtf, kconfig: config, kernelRelease: "6.18.0" }), bpf };
}

function failure(run: () => unknown): { errno: ErrnoName | string; message: string } {
  try {
    run();
  } catch (e) {
    if (e instanceof BpfError) return { errno: errnoName(e.errno), message: e.message };
    throw e;
  }
  throw new Error("no error");
}

describe("load and run", () => {
  test("constants, configuration, variables, maps and events", () => {
    const { obj } = loaded();
    expect(obj.progs.run.testRun().retval).toBe(7 + 6 + 100);
    expect(obj.progs.run.testRun().retval).toBe(113);
    expect([obj.data.total, obj.bss.runs, obj.data.label]).toEqual([54n, 2n, "start"]);
    expect(obj.kconfig).toMatchObject({ CONFIG_FEATURE: true, LINUX_KERNEL_VERSION: 0x061200 });
    expect(obj.maps.inner_a.get(0)).toBe(77);
    expect(obj.maps.counters.get(1)).toEqual([2n, 0n]);
    const events = obj.maps.events.events();
    expect(events.read(1)).toEqual([{ id: 1, saddr: "10.0.0.1", total: 47n }]);
    expect(events.read()).toEqual([{ id: 2, saddr: "10.0.0.1", total: 54n }]);
    expect(events.read()).toEqual([]);
    events.close();
    obj.close();
  });

  test("initial slots of a prog array and of a map of maps", () => {
    const { obj, bpf } = loaded();
    expect(obj.progs.jumper.testRun().retval).toBe(3000 + 443);
    const id = bpf.mapInfo(obj.maps.inner_a.fd).id;
    expect([...obj.maps.outer]).toEqual([[1, id]]);
    obj.maps.jumps.delete(1);
    expect(obj.progs.jumper.testRun().retval).toBe(1);
    obj.maps.jumps.set(1, obj.progs.jumped);
    expect(obj.progs.jumper.testRun().retval).toBe(3443);
  });

  test("a program with ? is not loaded", () => {
    const { obj } = loaded();
    expect(failure(() => obj.progs.not_loaded.testRun())).toEqual({
      errno: "EINVAL",
      message: "app.o: program 'not_loaded': is not loaded; autoload is false: EINVAL",
    });
  });

  test("an event iterator waits", async () => {
    const { obj } = loaded();
    const got: unknown[] = [];
    const reader = (async () => {
      for await (const e of obj.maps.events) {
        got.push(e.id);
        if (got.length === 2) break;
      }
    })();
    await Promise.resolve();
    obj.progs.run.testRun();
    obj.progs.run.testRun();
    await reader;
    expect(got).toEqual([1, 2]);
  });

  test("a perf event array has a slot per CPU, and a reader", () => {
    const { obj } = loaded();
    expect(obj.maps.samples.info().maxEntries).toBe(2);
    const samples = obj.maps.samples.events({ type: "struct event" });
    expect(obj.progs.report.testRun().retval).toBe(0);
    expect(samples.read()).toEqual([{ id: 9, saddr: "10.0.0.2", total: 40n }]);
    samples.close();
    expect(failure(() => obj.maps.samples.events({ type: "nothing" })).message).toContain(
      "event type 'nothing' is not in",
    );
    expect(failure(() => obj.maps.flows.events())).toMatchObject({ errno: "EINVAL" });
  });

  test("closing leaves no object behind", () => {
    const { obj, bpf } = loaded();
    bpf.objUnpin("/sys/fs/bpf/shared");
    obj.close();
    expect(bpf.mapGetNextId(0)).toBeUndefined();
    expect(bpf.progGetNextId(0)).toBeUndefined();
  });
});

describe("before load", () => {
  test("variables by name, whole and in part", () => {
    const obj = open();
    expect(obj.rodata).toMatchObject({ threshold: 7 });
    expect(obj.rodata.limits).toEqual({ low: 1, ports: [80, 443, 0], mode: 2, level: 3 });
    obj.rodata.threshold = 50;
    obj.set("limits.ports[1]=8").set("limits.level=9").set("label=changed").set("total=0x10");
    expect(obj.rodata.limits).toEqual({ low: 1, ports: [80, 8, 0], mode: 2, level: 9 });
    obj.load(newProcess(), { kernelBtf });
    expect(obj.progs.run.testRun().retval).toBe(56);
    expect(obj.progs.jumper.testRun().retval).toBe(9008);
    expect([obj.data.total, obj.data.label]).toEqual([66n, "changed"]);
    obj.data.total = 1n;
    expect(obj.progs.run.testRun().retval).toBe(56);
    expect(obj.data.total).toBe(51n);
  });

  test("what cannot be set says so", () => {
    const obj = open();
    expect(failure(() => obj.set("nothing=1")).message).toMatch(
      /^app.o: 'nothing=1': no map or variable 'nothing'; wanted one of threshold, limits, total, label, runs, /,
    );
    expect(failure(() => obj.set("flows=1")).message).toBe(
      "app.o: 'flows=1': 'flows' is a map; wanted flows[KEY]=VALUE: EINVAL",
    );
    expect(failure(() => obj.set("limits.ports[3]=1")).message).toContain(
      "limits.ports: wanted an index below 3, saw 3",
    );
    expect(failure(() => obj.set("limits.none=1")).message).toContain('limits: wanted one of its members, saw "none"');
    expect(failure(() => obj.set("threshold=-1")).message).toContain(
      "threshold: wanted an integer from 0 to 4294967295",
    );
    expect(failure(() => obj.set("CONFIG_FEATURE=1"))).toMatchObject({ errno: "EPERM" });
    expect(failure(() => obj.rodata.nothing).message).toContain(
      "section '.rodata': no variable 'nothing'; wanted one of threshold",
    );
    expect(failure(() => obj.variables(".none")).message).toContain(
      "there are: .rodata, .data, .bss, .kconfig: ENOENT",
    );
    obj.load(newProcess(), { kernelBtf });
    expect(failure(() => obj.set("threshold=1"))).toMatchObject({ errno: "EPERM" });
    expect(failure(() => (obj.maps.flows.maxEntries = 3))).toMatchObject({ errno: "EBUSY" });
    expect(failure(() => obj.load(newProcess()))).toMatchObject({ errno: "EINVAL" });
  });

  test("elements set before load are there afterwards", () => {
    const obj = open();
    obj.set('flows[{"saddr":"10.0.0.1","port":53}]={"packets":3}').set('flows[{"saddr":"10.0.0.1","port":53}].bytes=9');
    obj.set("routes[10.0.0.0/8]=5");
    obj.load(newProcess(), { kernelBtf });
    expect([...obj.maps.flows]).toEqual([
      [
        { saddr: "10.0.0.1", port: 53, pad: 0 },
        { packets: 3n, bytes: 9, flags: 0 },
      ],
    ]);
    expect([...obj.maps.routes]).toEqual([["10.0.0.0/8", 5]]);
    expect(obj.maps.routes.get("10.9.9.9/32")).toBe(5);
    expect(obj.maps.routes.get("11.9.9.9")).toBeUndefined();
  });

  test("map sizes", () => {
    const obj = open();
    obj.maps.flows.maxEntries = 2;
    obj.maps.events.maxEntries = 5000;
    obj.load(newProcess(), { kernelBtf });
    expect(obj.maps.events.info().maxEntries).toBe(8192);
    const key = (n: number) => ({ saddr: n, port: 1 });
    obj.maps.flows.set(key(1), {}).set(key(2), {});
    expect(failure(() => obj.maps.flows.set(key(3), {}))).toMatchObject({ errno: "E2BIG" });
  });
});

describe("typed maps", () => {
  test("get, set, has, delete, patch, iterate", () => {
    const { obj } = loaded();
    const { flows } = obj.maps;
    flows.set({ saddr: "192.0.2.1", port: 80 }, { packets: 1, bytes: 2, flags: 3 });
    flows.set({ saddr: "192.0.2.2", port: 80 }, { packets: 4n });
    expect(flows.get({ saddr: "192.0.2.1", port: 80 })).toEqual({ packets: 1n, bytes: 2, flags: 3 });
    expect(flows.has({ saddr: "192.0.2.1", port: 81 })).toBe(false);
    expect(failure(() => flows.set({ saddr: "192.0.2.1", port: 80 }, {}, BigInt(abi.BPF_NOEXIST)))).toMatchObject({
      errno: "EEXIST",
    });
    flows.patch({ saddr: "192.0.2.1", port: 80 }, { bytes: 20 });
    expect([...flows.values()].map((v) => v.bytes).sort()).toEqual([0, 20]);
    for (const [key] of flows) expect(flows.delete(key)).toBe(true);
    expect([...flows.keys()]).toEqual([]);
    expect(flows.delete({ saddr: "192.0.2.1", port: 80 })).toBe(false);
    expect(failure(() => flows.get({ saddr: "192.0.2" })).message).toContain(
      "app.o: map 'flows': key.saddr: wanted an IPv4 address",
    );
  });

  test("per-CPU values are arrays; one value is for all CPUs", () => {
    const { counters } = loaded().obj.maps;
    counters.set(0, [1, 2]);
    counters.set(1, 5);
    expect([...counters]).toEqual([
      [0, [1n, 2n]],
      [1, [5n, 5n]],
    ]);
    expect(failure(() => counters.set(0, [1, 2, 3])).message).toContain("3 values; wanted one for each of 2 CPUs");
  });

  test("queues", () => {
    const { jobs } = loaded().obj.maps;
    jobs.push(1).push(2);
    expect([jobs.peek(), jobs.take(), jobs.take(), jobs.take(), jobs.peek()]).toEqual([1, 1, 2, undefined, undefined]);
  });

  test("not loaded yet", () => {
    expect(failure(() => open().maps.flows.get({})).message).toBe(
      "app.o: map 'flows': is not loaded; wanted a call of load() first: EINVAL",
    );
  });
});

describe("pins", () => {
  test("a pinned map is shared by the next load", () => {
    const bpf = newProcess();
    const first = open().load(bpf, { kernelBtf });
    first.maps.shared.set(0, 11);
    const second = open().load(bpf, { kernelBtf });
    expect(second.maps.shared.get(0)).toBe(11);
    first.close();
    second.close();
    expect(open().load(bpf, { kernelBtf }).maps.shared.get(0)).toBe(11);
  });

  test("a pin with other parameters is refused, and nothing is left behind", () => {
    const bpf = newProcess();
    const fd = bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    bpf.objPin(fd, "/sys/fs/bpf/shared");
    bpf.close(fd);
    expect(failure(() => open().load(bpf, { kernelBtf }))).toEqual({
      errno: "EINVAL",
      message: "app.o: map 'shared': pin '/sys/fs/bpf/shared': cannot be reused: its value size is 8; wanted 4: EINVAL",
    });
    const ids = [];
    for (let id = bpf.mapGetNextId(0); id !== undefined; id = bpf.mapGetNextId(id)) ids.push(id);
    expect(ids.length).toBe(1);
  });

  test("a map given by fd is used instead of a new one", () => {
    const bpf = newProcess();
    const first = open().load(bpf, { kernelBtf });
    const second = open();
    second.maps.flows.reuse(bpf, first.maps.flows.fd);
    second.load(bpf, { kernelBtf });
    first.maps.flows.set({ saddr: 1, port: 2 }, { packets: 3 });
    expect([...second.maps.flows].length).toBe(1);
    expect(failure(() => open().maps.flows.reuse(bpf, first.maps.counters.fd)).message).toContain(
      "cannot be reused: its type is 6; wanted 1",
    );
  });
});

describe("bad objects", () => {
  test.each([
    {
      file: "bad/unknown_section.o",
      error: /^unknown_section.o: program '\w+': section '\w+': unknown section; wanted one of/,
    },
    {
      file: "bad/no_license.o",
      error: /missing license: there is no section 'license'; wanted char LICENSE\[\] SEC\("license"\) = "GPL"/,
    },
    {
      file: "bad/map_too_large.o",
      error: /^map_too_large.o: map .\w+.: cannot be created .*max_entries 4294967295.*: (E2BIG|ENOMEM|EINVAL)$/,
    },
    {
      file: "bad/core_missing_field.o",
      error: /failed to resolve CO-RE relocation .* \(struct task_struct has no member 'favourite_colour'/,
    },
  ])("$file", ({ file, error }) => {
    const { message } = failure(() => open(file).load(newProcess(), { kernelBtf }));
    expect(message).toMatch(error);
    expect(message).not.toContain("\n");
  });
});
