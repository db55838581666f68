/** Random attaching, calling, forking, closing and taking away by force: references add up, and nothing is left. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Random } from "../../conformance/fuzz/case.ts";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Link } from "../../src/kernel/link.ts";
import type { KMap } from "../../src/kernel/map.ts";
import type { KObject, ObjKind } from "../../src/kernel/objects.ts";
import type { Process } from "../../src/kernel/process.ts";
import { openObject } from "../../src/loader/object.ts";
import { withKernel } from "../support/kernel.ts";
import { array, Journal, KPROBE, on, RAW_TP } from "../support/trace.ts";

const STEPS = 800;
const FUNCS = ["bpf_fentry_test2", "bpf_fentry_test3", "bpf_modify_return_test"];
const FILE = "/usr/bin/app";

const seed = Math.floor(Math.random() * 0x7fffffff);
const cong = new Uint8Array(readFileSync(new URL("struct_ops/cong.o", import.meta.url)));
const iters = new Uint8Array(readFileSync(new URL("iter/iters.o", import.meta.url)));

interface World {
  readonly kernel: Kernel;
  readonly rng: Random;
  readonly procs: Process[];
}

type Step = (w: World, proc: Process, j: Journal) => unknown;

const anyFd = ({ rng }: World, proc: Process): Fd => rng.pick(proc.fds.length ? proc.fds : [3 as Fd]);

/** Mostly an fd of the kind that makes sense. */
function fdOf(w: World, proc: Process, kind: ObjKind, fits: (obj: KObject) => boolean = () => true): Fd {
  const fds = [...proc.fdTable.entries()]
    .filter(([, { obj }]) => obj.kind === kind && fits(obj))
    .map(([fd]) => fd as Fd);
  return fds.length && w.rng.chance(0.9) ? w.rng.pick(fds) : anyFd(w, proc);
}

const isStructOps = (obj: KObject): boolean => (obj as KMap).type === abi.BPF_MAP_TYPE_STRUCT_OPS;
const isRegistered = (obj: KObject): boolean => (obj as KMap).facts.structOps?.holdsItself ?? false;
const linkOf =
  (type: number) =>
  (obj: KObject): boolean =>
    (obj as Link).type.type === type;
const idOf = ({ rng }: World, table: { values(): Iterable<KObject> }): number =>
  rng.pick([0, ...[...table.values()].map((obj) => obj.id)]);

const func = ({ rng }: World): string => rng.pick(FUNCS);

const tracing =
  (type: number): Step =>
  (w, proc, j) =>
    proc.rawTracepointOpen(j.prog(1, on(w.kernel, func(w), type)));

const STEPS_OF: readonly Step[] = [
  tracing(abi.BPF_TRACE_FENTRY),
  tracing(abi.BPF_TRACE_FEXIT),
  (w, proc, j) => proc.rawTracepointOpen(j.prog(1, on(w.kernel, "bpf_modify_return_test", abi.BPF_MODIFY_RETURN))),
  (w, proc, j) => proc.rawTracepointOpen(j.prog(1, on(w.kernel, "bpf_lsm_bpf", abi.BPF_LSM_MAC))),
  (w, proc, j) =>
    proc.rawTracepointOpen(j.prog(1, RAW_TP), w.rng.pick(["sys_enter", "sys_exit", "sched_process_exit"])),
  (w, proc, j) => proc.perfAttach(j.prog(1, KPROBE), { kind: "kprobe", symbol: func(w), retprobe: w.rng.chance(0.5) }),
  (w, proc, j) => {
    const type = w.rng.pick([abi.BPF_TRACE_KPROBE_MULTI, abi.BPF_TRACE_KPROBE_SESSION]);
    const progFd = j.prog(1, { ...KPROBE, expectedAttachType: type });
    return proc.linkCreate({ progFd, attachType: type, multi: { symbols: FUNCS } });
  },
  (_w, proc, j) => proc.perfAttach(j.prog(1, KPROBE), { kind: "uprobe", path: FILE, symbol: "work", offset: 0 }),
  (_w, proc, j) => {
    const event = proc.perfEventOpen({ kind: "software", config: 0, samplePeriod: 1000 });
    proc.perfEventSetBpf(event, j.prog(1, { progType: abi.BPF_PROG_TYPE_PERF_EVENT }));
    proc.perfEventEnable(event, true);
  },
  (w, proc) => {
    const obj = openObject(iters, { name: "iters.o" });
    const name = w.rng.pick(["maps", "links", "tasks", "elems"]);
    for (const prog of Object.values(obj.progs)) prog.autoload = prog.name === name;
    obj.load(proc);
    const iter = { mapFd: proc.mapCreate(array) };
    const progFd = obj.progs[name]!.fd;
    proc.iterCreate(proc.linkCreate({ progFd, attachType: abi.BPF_TRACE_ITER, ...(name === "elems" ? { iter } : {}) }));
  },
  (_w, proc) => openObject(cong, { name: "cong.o" }).load(proc).attachStructOps("first"),
  (_w, proc) => openObject(cong, { name: "cong.o" }).load(proc).attachStructOps("plain"),
  (_w, proc) => openObject(cong, { name: "cong.o" }).load(proc).attachStructOps("second"),
  (w, proc) => proc.fs.read(fdOf(w, proc, "iter"), 64),
  (w, proc) => proc.mapDeleteElem(fdOf(w, proc, "map", isRegistered), new Uint8Array(4)),
  (w, proc) => proc.linkDetach(fdOf(w, proc, "link", linkOf(abi.BPF_LINK_TYPE_STRUCT_OPS))),
  (w, proc) => {
    const link = fdOf(w, proc, "link", linkOf(abi.BPF_LINK_TYPE_STRUCT_OPS));
    proc.linkUpdate(link, fdOf(w, proc, "map", isStructOps));
  },
  (w, proc) => {
    const link = fdOf(w, proc, "link", linkOf(abi.BPF_LINK_TYPE_ITER));
    proc.linkUpdate(link, proc.progGetFdById(proc.linkInfo(link).progId));
  },
  (w, proc) => proc.objPin(fdOf(w, proc, w.rng.pick(["link", "prog", "map"])), `/sys/fs/bpf/p${w.rng.below(5)}`),
  (w, proc) => proc.objUnpin(`/sys/fs/bpf/p${w.rng.below(5)}`),
  (w, proc) => proc.sendFd(anyFd(w, proc), w.rng.pick(w.procs)),
  (w, proc) => proc.progUnload(idOf(w, w.kernel.progs)),
  (w, proc) => proc.mapDelete(idOf(w, w.kernel.maps)),
  (w) => w.kernel.traceHooks.call(func(w), [1n, 0n, 3n], () => 0n),
  (w, proc) => w.kernel.uprobes.call(proc, FILE, "work", [1n], () => 0n),
  (w) => w.kernel.advance(5000n),
  (w, proc) => {
    if (w.procs.length < 4) w.procs.push(proc.fork());
  },
  (w, proc) => {
    if (w.procs.length < 2) return;
    proc.exit();
    w.procs.splice(w.procs.indexOf(proc), 1);
  },
];

it(`random tracing (seed ${seed})`, () =>
  withKernel(
    (kernel, first) => {
      kernel.uprobes.define(FILE, { work: 0x1000 });
      const w: World = { kernel, rng: new Random(seed), procs: [first] };
      /** How often each step came through. */
      const done = STEPS_OF.map(() => 0);
      for (let n = 0; n < STEPS; n++) {
        const proc = w.rng.pick(w.procs);
        // Fds pile up otherwise.
        for (let i = 0; proc.fds.length > 30 && i < 20; i++) proc.close(anyFd(w, proc));
        try {
          const step = w.rng.below(STEPS_OF.length);
          STEPS_OF[step]!(w, proc, new Journal(proc));
          done[step]!++;
        } catch (e) {
          if (!(e instanceof BpfError)) throw e;
        }
        checkReferences(kernel);
      }
      // A rare one may not have found what it needs.
      expect(done.filter((n) => n === 0).length, done.join(" ")).toBeLessThan(3);
      for (const proc of w.procs) proc.exit();
      kernel.shutdown();
      expect(kernel.traceHooks.idle).toBe(true);
      expect(kernel.structOps.tcpCongestion.names).toEqual(["reno", "cubic"]);
    },
    { clock: () => 1n, engine: "interp" },
  ));
