import { describe, expect, test } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { loadAlone } from "../../src/loader/load_alone.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { createKernel } from "../../src/net/create.ts";
import { openSpec } from "../../src/object/open.ts";
import { fixtureBytes } from "../object/fixture.ts";

const kernelBtf = builtinBtf();

function setup(file = "object/maps.o", edit?: (obj: BpfObject) => void) {
  const kernel = createKernel({ kernelBtf, maxPages: 4096 });
  const device = kernel.net.addDevice({ name: "eth0" });
  const bpf = kernel.spawn();
  const obj = openObject(fixtureBytes(file), { name: file.split("/").pop()! });
  edit?.(obj);
  return { kernel, device, bpf, obj: obj.load(bpf, { kernelBtf }) };
}

describe("attach", () => {
  test("an XDP program to a device, and away again", () => {
    const { device, bpf, obj } = setup();
    const link = obj.progs.target.attach({ ifindex: device.ifindex });
    expect(link.info()).toMatchObject({
      type: abi.BPF_LINK_TYPE_XDP,
      ifindex: device.ifindex,
      progId: obj.progs.target.info().id,
    });
    link.update(obj.progs.entry);
    expect(link.info().progId).toBe(obj.progs.entry.info().id);
    link.close();
    link.close();
    expect(bpf.linkGetNextId(0)).toBeUndefined();
  });

  test("a program runs on packets", () => {
    const { obj } = setup();
    expect(obj.progs.target.testRun({ dataIn: new Uint8Array(64) }).retval).toBe(abi.XDP_TX);
    obj.set('routes["10.0.0.0/8"]=2');
    expect(obj.progs.entry.testRun({ dataIn: new Uint8Array(64) }).retval).toBe(abi.XDP_PASS);
    expect(obj.maps.counters.get(0)).toEqual([1n]);
  });

  test("a kprobe to the function that its section names", () => {
    const { obj } = setup("object/programs.o", (o) => {
      for (const p of Object.values(o.progs)) p.autoload = p.name === "probe";
    });
    using link = obj.progs.probe.attach();
    expect(link.info()).toMatchObject({
      type: abi.BPF_LINK_TYPE_PERF_EVENT,
      perfEvent: { kind: "kprobe", name: "do_unlinkat", offset: 8n },
    });
  });

  test.each([
    {
      name: "no device",
      file: "object/maps.o",
      prog: "target",
      error: "no device (ifindex is missing); wanted attach({ ifindex })",
    },
  ])("$name", ({ file, prog, error }) => {
    const { obj } = setup(file, (o) => {
      for (const p of Object.values(o.progs)) p.autoload = p.name === prog;
    });
    expect(() => obj.progs[prog].attach()).toThrow(`${file.split("/")[1]}: program '${prog}': ${error}`);
    expect(() => obj.progs[prog].attach()).toThrow(BpfError);
  });
});

describe("one program alone", () => {
  const alone = (file: string, prog: string) => {
    const kernel = createKernel({ kernelBtf, maxPages: 4096 });
    const bpf = kernel.spawn();
    const verdict = loadAlone(openSpec(fixtureBytes(file), file), prog, bpf, { kernelBtf });
    expect([bpf.mapGetNextId(0), bpf.progGetNextId(0)]).toEqual([undefined, undefined]);
    return verdict;
  };

  test.each([
    { file: "object/programs.o", prog: "first", verdict: "success", stage: "ok", errno: 0, msg: /^$/ },
    {
      file: "object/programs.o",
      prog: "nowhere",
      verdict: "failure",
      stage: "loader",
      errno: 22,
      msg: /section 'no_such_section': unknown section/,
    },
    { file: "object/maps.o", prog: "target", verdict: "success", stage: "ok", errno: 0, msg: /^$/ },
    {
      file: "object/maps.o",
      prog: "entry",
      verdict: "failure",
      stage: "verifier",
      errno: 9,
      msg: /^$/,
      message: expect.stringMatching(/map 'jumps': slot 1 holds program 'target', which is not loaded/),
    },
    { file: "object/struct_ops.o", prog: "ops_ssthresh", verdict: "success", stage: "ok", errno: 0, msg: /^$/ },
    {
      file: "object/struct_ops.o",
      prog: "ops_unused",
      verdict: "failure",
      stage: "loader",
      errno: 22,
      msg: /program isn't referenced anywhere/,
    },
    {
      file: "object/core_relo.o",
      prog: "loads",
      verdict: "failure",
      stage: "verifier",
      errno: 22,
      msg: /^failed to resolve CO-RE relocation <byte_off> \[2\] struct thing.count/,
    },
    { file: "bad/out_of_bounds.o", prog: "", verdict: "failure", stage: "verifier", errno: 13, msg: /./ },
  ])("$file $prog: $stage", ({ file, prog, msg, ...wanted }) => {
    const name = prog || openSpec(fixtureBytes(file), file).progs[0].name;
    const v = alone(file, name);
    expect(v).toMatchObject({ file, prog: name, ...wanted });
    expect(v.msg).toMatch(msg);
    expect(v.msg).not.toContain("\n");
    if (v.stage === "ok" && v.type !== abi.BPF_PROG_TYPE_STRUCT_OPS) expect(v.insns).toBeGreaterThan(0);
  });
});
