/** fentry and fexit on the functions of a program: on both engines and on Linux. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { errnoOf } from "../support/errno.ts";
import { funcId, loadOnly } from "../support/freplace.ts";
import { load, withKernel } from "../support/kernel.ts";
import { onKernels, whyNotLinux, withLinux } from "../support/kernels.ts";

const file = (name: string) => new Uint8Array(readFileSync(new URL(`progs/${name}`, import.meta.url)));

interface Pair {
  readonly target: BpfObject;
  readonly tracers: BpfObject;
}

function open(bpf: Bpf): Pair {
  const target = openObject(file("traced_xdp.o"), { name: "traced_xdp.o" }).load(bpf);
  const tracers = openObject(file("trace_xdp.o"), { name: "trace_xdp.o" });
  for (const prog of Object.values(tracers.progs)) {
    prog.setAttachTarget(prog.section.replace(/^f\w+\//, ""), target.progs["entry"]!);
  }
  return { target, tracers: tracers.load(bpf) };
}

const packet = Uint8Array.from({ length: 64 }, (_, i) => i + 7);
const seen = (obj: BpfObject, ...names: string[]) => names.map((name) => Number(obj.bss[name] as bigint));
function observe(bpf: Bpf): void {
  const { target, tracers } = open(bpf);
  const entry = target.progs["entry"]!;
  const links = Object.values(tracers.progs).map((prog) => prog.attach());
  expect(entry.testRun({ dataIn: packet }).retval).toBe(abi.XDP_PASS);
  expect((tracers.bss["order"] as bigint).toString(16)).toBe("1234");
  expect(seen(tracers, "packet_bytes", "first_byte")).toEqual([64, 7]);
  expect(seen(tracers, "a_seen", "b_seen", "weight", "verdict")).toEqual([64, 5, 133, abi.XDP_PASS]);
  expect(links[0]!.info()).toMatchObject({
    type: abi.BPF_LINK_TYPE_TRACING,
    attachType: abi.BPF_TRACE_FENTRY,
    targetObjId: entry.info().id,
  });
  // The target lives while something is attached to it.
  const { id } = entry.info();
  for (const link of links) link.close();
  tracers.bss["order"] = 0n;
  entry.testRun({ dataIn: packet });
  expect(tracers.bss["order"]).toBe(0n);
  expect(errnoOf(() => tracers.progs["before"]!.attach())).toBe("EINVAL");
  target.close();
  expect(errnoOf(() => bpf.progGetFdById(id))).toBe("ENOENT");
  tracers.close();
}

/** This machine may let no program attach to functions; then there is nothing to compare with. */
const notLinux = ((): string | undefined => {
  if (whyNotLinux) return whyNotLinux;
  const errno = errnoOf(() => withLinux(open));
  return errno === "0" ? undefined : `fentry and fexit programs are refused with ${errno}`;
})();
if (notLinux) console.log(`programs on programs are not compared with Linux: ${notLinux}`);
const options = notLinux === undefined ? {} : { notLinux };

onKernels("programs on the functions of a program", observe, options);

for (const engine of ["jit", "interp"] as const) {
  it(`programs on the functions of a program (${engine})`, () =>
    withKernel((_kernel, proc) => observe(proc), { engine }));
}

onKernels(
  "a traced program stays loaded",
  (bpf) => {
    const { target, tracers } = open(bpf);
    const { id } = target.progs["entry"]!.info();
    const link = tracers.progs["after_weigh"]!.attach();
    target.close();
    const fd = bpf.progGetFdById(id);
    bpf.progTestRun(fd, { dataIn: packet });
    expect(seen(tracers, "weight")).toEqual([133]);
    bpf.close(fd);
    link.close();
    tracers.close();
  },
  options,
);

it("a traced program that is taken away by force takes the attachment with it", () =>
  withKernel((kernel, proc) => {
    const { target, tracers } = open(proc);
    tracers.progs["before"]!.attach();
    tracers.progs["after_weigh"]!.attach();
    proc.progUnload(target.progs["entry"]!.info().id);
    checkReferences(kernel);
    expect(kernel.traceHooks.idle).toBe(true);
  }));

it("a function is extended or traced, not both", () =>
  withKernel((_kernel, proc) => {
    const target = loadOnly(proc, "target", "target").progs["target"]!;
    const tracer = () =>
      load(proc, "r0 = 0\n exit", {
        progType: abi.BPF_PROG_TYPE_TRACING,
        expectedAttachType: abi.BPF_TRACE_FENTRY,
        attachProgFd: target.fd,
        attachBtfId: funcId(proc, target.fd, "stage0"),
      });
    const extension = () => loadOnly(proc, "ext", "set0", { target: target.fd, value: 3 }).progs["set0"]!;
    const ext = extension().attach();
    expect(errnoOf(() => proc.rawTracepointOpen(tracer()))).toBe("EBUSY");
    ext.close();
    const fd = proc.rawTracepointOpen(tracer());
    expect(errnoOf(() => extension().attach())).toBe("EBUSY");
    proc.close(fd);
    extension().attach().close();
  }));
