/** Forced deletion: what an administrator takes away is gone everywhere, what broke is reported, nothing is left. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { NO_CAPS } from "../../src/verifier/platform.ts";
import { frame, load, u32, withKernel } from "../support/kernel.ts";

const array = (proc: Process, more: object = {}) =>
  proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 4, name: "counts", ...more });
const progArray = (proc: Process) =>
  proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 4 });
const DROP = "r0 = 1\nexit";

interface ForceCase {
  readonly name: string;
  /** Sets the scene; the id of what is deleted. */
  readonly scene: (kernel: NetKernel, proc: Process) => { map?: Fd; prog?: Fd };
  /** "who what lost", in order. */
  readonly broken: readonly string[];
  readonly after?: (kernel: NetKernel, proc: Process) => void;
}

const CASES: readonly ForceCase[] = [
  {
    name: "a program that nobody uses: its fd is dead but keeps its number",
    scene: (_kernel, proc) => ({ prog: load(proc, DROP) }),
    broken: ["fd 3 of process 1 closed program 1"],
    after: (_kernel, proc) => {
      expect(() => proc.progInfo(3 as Fd)).toThrow("EIDRM");
      expect(() => proc.dup(3 as Fd)).toThrow("EIDRM");
      expect(array(proc)).toBe(4);
      proc.close(3 as Fd);
      expect(array(proc)).toBe(3);
    },
  },
  {
    name: "an attached and pinned program: the link stays, defunct",
    scene(kernel, proc) {
      const eth = kernel.net.addDevice();
      const prog = load(proc, DROP, { name: "drop" });
      proc.linkCreate({ progFd: prog, attachType: abi.BPF_XDP, targetIfindex: eth.ifindex });
      proc.objPin(prog, "/sys/fs/bpf/drop");
      return { prog };
    },
    broken: [
      "fd 3 of process 1 closed program 1 'drop'",
      "bpffs 0 unpinned program 1 'drop'",
      "link 1 defunct program 1 'drop'",
    ],
    after(kernel, proc) {
      const eth = [...kernel.net.devices].at(-1)!;
      eth.receive(frame());
      expect(eth.stats).toMatchObject({ rx: 1, xdpDrop: 0 });
      expect(proc.linkInfo(4 as Fd)).toMatchObject({ id: 1, progId: 0, ifindex: 0 });
      const next = load(proc, DROP);
      expect(() => proc.linkUpdate(4 as Fd, next)).toThrow("ENOLINK");
      proc.linkCreate({ progFd: next, attachType: abi.BPF_XDP, targetIfindex: eth.ifindex });
      expect(() => proc.objGet("/sys/fs/bpf/drop")).toThrow("ENOENT");
    },
  },
  {
    name: "a program in a prog array: the slot is empty, callers fall through",
    scene(_kernel, proc) {
      const m = progArray(proc);
      const callee = load(proc, "r0 = 3\nexit");
      proc.mapUpdateElem(m, u32(0), u32(callee));
      load(proc, "r2 = map[m] ll\nr3 = 0\ncall tail_call\nr0 = 9\nexit", { maps: { m } });
      return { prog: callee };
    },
    broken: ["fd 4 of process 1 closed program 1", "map 1 emptied program 1"],
    after(_kernel, proc) {
      for (const engine of ["jit", "interp"] as const)
        expect(proc.progTestRun(5 as Fd, { dataIn: frame(), engine }).retval).toBe(9);
      expect(() => proc.mapLookupElem(3 as Fd, u32(0))).toThrow("ENOENT");
    },
  },
  {
    name: "a map takes the programs that use it along, and their attachments",
    scene(kernel, proc) {
      const eth = kernel.net.addDevice();
      const m = array(proc);
      const prog = load(proc, "r1 = map[m] ll\nr0 = 1\nexit", { maps: { m }, name: "user" });
      proc.linkCreate({ progFd: prog, attachType: abi.BPF_XDP, targetIfindex: eth.ifindex });
      proc.sendFd(m, kernel.spawn());
      return { map: m };
    },
    broken: [
      "fd 3 of process 1 closed map 1 'counts'",
      "fd 3 of process 2 closed map 1 'counts'",
      "program 1 'user' deleted map 1 'counts'",
      "fd 4 of process 1 closed program 1 'user'",
      "link 1 defunct program 1 'user'",
    ],
  },
  {
    name: "a prog array and the program that calls itself through it",
    scene(_kernel, proc) {
      const m = progArray(proc);
      const self = load(proc, "r2 = map[m] ll\nr3 = 0\ncall tail_call\nr0 = 7\nexit", { maps: { m }, name: "self" });
      proc.mapUpdateElem(m, u32(0), u32(self));
      return { map: m };
    },
    broken: [
      "fd 3 of process 1 closed map 1",
      "program 1 'self' deleted map 1",
      "fd 4 of process 1 closed program 1 'self'",
    ],
  },
  {
    name: "an inner map leaves its outer maps",
    scene(_kernel, proc) {
      const inner = array(proc);
      const outer = proc.mapCreate({
        mapType: abi.BPF_MAP_TYPE_ARRAY_OF_MAPS,
        keySize: 4,
        valueSize: 4,
        maxEntries: 2,
        innerMapFd: array(proc),
      });
      proc.mapUpdateElem(outer, u32(1), u32(inner));
      return { map: inner };
    },
    broken: ["fd 3 of process 1 closed map 1 'counts'", "map 3 emptied map 1 'counts'"],
    after: (_kernel, proc) => expect(() => proc.mapLookupElem(5 as Fd, u32(1))).toThrow("ENOENT"),
  },
  {
    name: "the template of an outer map takes the outer map along",
    scene(_kernel, proc) {
      const template = array(proc);
      const attr = { mapType: abi.BPF_MAP_TYPE_ARRAY_OF_MAPS, keySize: 4, valueSize: 4, maxEntries: 2 };
      proc.mapCreate({ ...attr, innerMapFd: template, name: "outer" });
      return { map: template };
    },
    broken: [
      "fd 3 of process 1 closed map 1 'counts'",
      "map 2 'outer' deleted map 1 'counts'",
      "fd 4 of process 1 closed map 2 'outer'",
    ],
  },
];

describe("forced deletion", () => {
  for (const c of CASES) {
    it(c.name, () =>
      withKernel((kernel, proc) => {
        const { map, prog } = c.scene(kernel, proc);
        const admin = kernel.spawn();
        const events: string[] = [];
        proc.onEvent(({ what, pid }) => events.push(`${what} by ${pid}`));
        const broken =
          map === undefined ? admin.progUnload(proc.progInfo(prog!).id) : admin.mapDelete(proc.mapInfo(map).id);
        expect(broken.map((b) => `${b.who} ${b.what} ${b.lost}`)).toEqual(c.broken);
        expect(events.every((e) => e.endsWith(`by ${admin.pid}`))).toBe(true);
        checkReferences(kernel);
        c.after?.(kernel, proc);
      }),
    );
  }

  it("needs CAP_SYS_ADMIN, and an id that exists", () =>
    withKernel((kernel, proc) => {
      const m = array(proc);
      const user = kernel.spawn({ caps: NO_CAPS, uid: 1000 });
      expect(() => user.mapDelete(1)).toThrow("EPERM");
      expect(() => user.progUnload(1)).toThrow("EPERM");
      expect(() => proc.mapDelete(7)).toThrow("ENOENT");
      expect(proc.mapInfo(m).id).toBe(1);
    }));
});
