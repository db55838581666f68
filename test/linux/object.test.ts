/** Open, load, attach, events and pins of object files: one test, two kernels. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { fixtureBytes } from "../object/fixture.ts";
import { frame } from "../support/kernel.ts";
import { onKernels, whyNotLinux, withLinux, withPins } from "../support/kernels.ts";

const options = { kernelBtf: builtinBtf(), cpus: 2, maxPages: 4096 };

function loaded(bpf: Bpf): BpfObject {
  const obj = openObject(fixtureBytes("loader/app.o"), { name: "app.o" });
  obj.maps.shared!.pinPath = undefined;
  return obj.load(bpf, { kconfig: "CONFIG_FEATURE=y", kernelRelease: "6.18.0" });
}

onKernels(
  "variables, maps, tail calls and events of an object",
  (bpf) => {
    using obj = loaded(bpf);
    expect(obj.progs.run!.testRun().retval).toBe(113);
    expect(obj.progs.run!.testRun().retval).toBe(113);
    expect([obj.data.total, obj.bss.runs, obj.data.label]).toEqual([54n, 2n, "start"]);
    expect(obj.kconfig).toMatchObject({ CONFIG_FEATURE: true, LINUX_KERNEL_VERSION: 0x061200 });
    const counters = obj.maps.counters!.get(1) as bigint[];
    expect(counters.length).toBe(bpf.possibleCpus);
    expect(counters.reduce((a, b) => a + b)).toBe(2n);
    using events = obj.maps.events!.events();
    expect(events.read(1)).toEqual([{ id: 1, saddr: "10.0.0.1", total: 47n }]);
    expect(events.read()).toEqual([{ id: 2, saddr: "10.0.0.1", total: 54n }]);
    expect(events.read()).toEqual([]);
    expect(obj.progs.jumper!.testRun().retval).toBe(3443);
    expect([...obj.maps.outer!]).toEqual([[1, bpf.mapInfo(obj.maps.inner_a!.fd).id]]);
    using samples = obj.maps.samples!.events({ type: "struct event" });
    expect(obj.progs.report!.testRun().retval).toBe(0);
    expect(samples.read()).toEqual([{ id: 9, saddr: "10.0.0.2", total: 54n }]);
  },
  options,
);

onKernels(
  "an event iterator waits",
  async (bpf) => {
    using obj = loaded(bpf);
    const got: unknown[] = [];
    const reader = (async () => {
      for await (const e of obj.maps.events!) {
        got.push(e.id);
        if (got.length === 3) break;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let i = 0; i < 3; i++) {
      obj.progs.run!.testRun();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await reader;
    expect(got).toEqual([1, 2, 3]);
  },
  options,
);

onKernels(
  "what is refused says the same",
  (bpf) => {
    using obj = loaded(bpf);
    const errors = [
      () => bpf.mapCreate({ mapType: 1, keySize: 0, valueSize: 4, maxEntries: 1 }),
      () => bpf.mapCreate({ mapType: 999, keySize: 4, valueSize: 4, maxEntries: 1 }),
      () => bpf.progLoad({ progType: 6, insns: Uint8Array.of(0x95, 0, 0, 0, 0, 0, 0, 0), license: "GPL", logLevel: 1 }),
      () => bpf.progLoad({ progType: 6, insns: new Uint8Array(0), license: "GPL" }),
      () => bpf.mapInfo(obj.progs.run!.fd),
      () => bpf.mapGetFdById(0x7fffffff),
      () => bpf.mapUpdateElem(obj.maps.flows!.fd, new Uint8Array(8), new Uint8Array(16), 2n),
      () => bpf.mapReader(obj.maps.flows!.fd),
      () => bpf.btfLoad(new Uint8Array(30)),
      () => bpf.close(9999 as never),
    ].map((run) => {
      try {
        run();
        return 0;
      } catch (e) {
        return (e as { errno?: number }).errno;
      }
    });
    expect(errors).toEqual([22, 22, 13, 7, 22, 2, 2, 22, 22, 9]);
  },
  options,
);

onKernels(
  "the verifier's log and statistics",
  (bpf) => {
    const insns = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
    const ok = bpf.progLoad({ progType: 6, insns, license: "GPL", logLevel: 6 });
    expect(ok.stats).toMatchObject({ insnsProcessed: 2, totalStates: 0, peakStates: 0 });
    expect(ok.log).toContain("0: (b7) r0 = 2");
    const info = bpf.progInfo(ok.fd);
    expect({ ...info, id: 0 }).toMatchObject({ type: 6, gplCompatible: true, verifiedInsns: 2, mapIds: [] });
    expect(info.xlated).toEqual(insns);
    bpf.close(ok.fd);
  },
  options,
);

onKernels(
  "firewall example over packets",
  (bpf) => {
    const file = new URL("../../examples/firewall/firewall.o", import.meta.url);
    using obj = openObject(new Uint8Array(readFileSync(file)), { name: "firewall.o" }).load(bpf);
    const prog = Object.values(obj.progs)[0]!;
    const retvals = [20, 34, 60, 200, 1500].map((n) => prog.testRun({ dataIn: frame(n) }).retval);
    expect(retvals).toEqual([2, 2, 2, 2, 2]);
  },
  options,
);

it.skipIf(whyNotLinux)("pins in bpffs are found again", () => {
  withLinux((bpf) => {
    withPins(bpf, (dir) => {
      const fd = bpf.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1, name: "skep_pin" });
      bpf.objPin(fd, join(dir, "map"));
      expect(() => bpf.objPin(fd, join(dir, "map"))).toThrow("EEXIST");
      expect(() => bpf.objPin(fd, "/tmp/skep-map")).toThrow("/tmp is on no bpf file system");
      const again = bpf.objGet(join(dir, "map"));
      expect(bpf.objGetInfo(again)).toMatchObject({ kind: "map", map: { name: "skep_pin", id: bpf.mapInfo(fd).id } });
      bpf.objUnpin(join(dir, "map"));
      expect(() => bpf.objGet(join(dir, "map"))).toThrow("ENOENT");
    });
  });
});

it.skipIf(whyNotLinux)("a process that may not use bpf(2) is told so in one line", () => {
  const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
  const code = `process.setgroups([]); process.setgid(65534); process.setuid(65534);
    import(${JSON.stringify(main)}).then(m => m.main(["prog", "show", "--kernel", "linux"])).then(c => process.exitCode = c)`;
  let text = "";
  try {
    execFileSync(process.execPath, ["-e", code], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (e) {
    text = (e as { stderr: string }).stderr;
  }
  expect(text).toBe("skep: bpf(2) is not permitted here: EPERM (needs CAP_BPF or root)\n");
});
