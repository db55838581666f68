/** Objects, fds, ids, pins: what is reachable lives, nothing else does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import type { BpfEvent, Fd } from "../../src/kernel/bpf.ts";
import type { Process } from "../../src/kernel/process.ts";
import { NO_CAPS } from "../../src/verifier/platform.ts";
import { frame, load, u32, withKernel } from "../support/kernel.ts";

const array = (proc: Process, more: object = {}) =>
  proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 4, ...more });
const progArray = (proc: Process) =>
  proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 4 });

describe("fds", () => {
  it("the lowest free number is used; closed ones are EBADF", () =>
    withKernel((_kernel, proc) => {
      const [a, b] = [array(proc), array(proc)];
      expect([a, b]).toEqual([3, 4]);
      proc.close(a);
      expect(() => proc.mapInfo(a)).toThrow("EBADF");
      expect(() => proc.close(a)).toThrow("EBADF");
      expect(array(proc)).toBe(3);
    }));

  it("dup and exit", () =>
    withKernel((kernel, proc) => {
      const a = array(proc);
      const b = proc.dup(a);
      proc.close(a);
      proc.mapUpdateElem(b, u32(1), u32(5, 6));
      const other = kernel.spawn();
      const c = proc.sendFd(b, other);
      proc.exit();
      expect(other.mapLookupElem(c, u32(1))).toEqual(u32(5, 6));
      other.exit();
      kernel.assertEmpty();
    }));

  it("a forked child has the same fds, of its own", () =>
    withKernel((kernel, proc) => {
      const a = array(proc);
      proc.mapUpdateElem(a, u32(1), u32(5, 6));
      const child = proc.fork("child");
      expect(child.fds).toEqual([a]);
      proc.exit();
      expect(child.mapLookupElem(a, u32(1))).toEqual(u32(5, 6));
      child.close(a);
      expect(kernel.maps.size).toBe(0);
    }));

  it("an fd of the wrong kind is EINVAL", () =>
    withKernel((_kernel, proc) => {
      const prog = load(proc, "r0 = 2\nexit");
      expect(() => proc.mapLookupElem(prog, u32(0))).toThrow("EINVAL");
      expect(() => proc.progTestRun(array(proc), { dataIn: frame() })).toThrow("EINVAL");
    }));

  it("BPF_F_RDONLY and BPF_F_WRONLY restrict the fd, not programs", () =>
    withKernel((_kernel, proc) => {
      const ro = array(proc, { mapFlags: abi.BPF_F_RDONLY });
      expect(() => proc.mapUpdateElem(ro, u32(0), u32(1, 1))).toThrow("EPERM");
      expect(proc.mapLookupElem(ro, u32(0))).toEqual(u32(0, 0));
      const wo = array(proc, { mapFlags: abi.BPF_F_WRONLY });
      proc.mapUpdateElem(wo, u32(0), u32(1, 1));
      expect(() => proc.mapLookupElem(wo, u32(0))).toThrow("EPERM");
      expect(() => proc.mapGetNextKey(wo, undefined)).toThrow("EPERM");
    }));
});

describe("lifetime", () => {
  it("a program keeps its maps; a pin keeps an object; ids go with it", () =>
    withKernel((kernel, proc) => {
      const m = array(proc);
      const prog = load(proc, "r1 = map[m] ll\nr0 = 2\nexit", { maps: { m } });
      const mapId = proc.mapInfo(m).id;
      expect(proc.progInfo(prog).mapIds).toEqual([mapId]);
      proc.close(m);
      proc.objPin(prog, "/sys/fs/bpf/p");
      proc.close(prog);
      expect(proc.mapGetNextId(0)).toBe(mapId);
      const again = proc.objGet("/sys/fs/bpf/p");
      expect(proc.progTestRun(again, { dataIn: frame() }).retval).toBe(2);
      proc.close(again);
      proc.objUnpin("/sys/fs/bpf/p");
      expect(proc.mapGetNextId(0)).toBeUndefined();
      expect(proc.progGetNextId(0)).toBeUndefined();
      kernel.assertEmpty();
    }));

  it("an attachment keeps its program", () =>
    withKernel((kernel, proc) => {
      const eth0 = kernel.net.addDevice();
      const prog = load(proc, "r0 = 1\nexit");
      const link = proc.linkCreate({ progFd: prog, attachType: abi.BPF_XDP, targetIfindex: eth0.ifindex });
      proc.close(prog);
      eth0.receive(frame());
      expect(eth0.stats.xdpDrop).toBe(1);
      proc.objPin(link, "/sys/fs/bpf/link");
      proc.exit();
      eth0.receive(frame());
      expect(eth0.stats.xdpDrop).toBe(2);
      kernel.spawn().objUnpin("/sys/fs/bpf/link");
      eth0.receive(frame());
      expect(eth0.stats.xdpDrop).toBe(2);
    }));

  it("a prog array is emptied with its last user reference, also while programs use it", () =>
    withKernel((kernel, proc) => {
      const m = progArray(proc);
      const callee = load(proc, "r0 = 3\nexit");
      proc.mapUpdateElem(m, u32(0), u32(callee));
      proc.close(callee);
      const caller = load(proc, "r2 = map[m] ll\nr3 = 0\ncall tail_call\nr0 = 9\nexit", { maps: { m } });
      for (const engine of ["jit", "interp"] as const)
        expect(proc.progTestRun(caller, { dataIn: frame(), engine }).retval).toBe(3);
      proc.close(m);
      for (const engine of ["jit", "interp"] as const)
        expect(proc.progTestRun(caller, { dataIn: frame(), engine }).retval).toBe(9);
      expect(kernel.progs.size).toBe(1);
    }));

  it("a circle of tail calls does not leak", () =>
    withKernel((_kernel, proc) => {
      const m = progArray(proc);
      const self = load(proc, "r2 = map[m] ll\nr3 = 0\ncall tail_call\nr0 = 7\nexit", { maps: { m } });
      proc.mapUpdateElem(m, u32(0), u32(self));
      for (const engine of ["jit", "interp"] as const)
        expect(proc.progTestRun(self, { dataIn: frame(), engine }).retval).toBe(7);
    }));

  it("maps of maps hold their inner maps", () =>
    withKernel((kernel, proc) => {
      const inner = array(proc);
      const outer = proc.mapCreate({
        mapType: abi.BPF_MAP_TYPE_ARRAY_OF_MAPS,
        keySize: 4,
        valueSize: 4,
        maxEntries: 2,
        innerMapFd: inner,
      });
      const id = proc.mapInfo(inner).id;
      proc.mapUpdateElem(outer, u32(1), u32(inner));
      expect(proc.mapLookupElem(outer, u32(1))).toEqual(u32(id));
      proc.close(inner);
      expect(kernel.maps.size).toBe(2);
      proc.mapDeleteElem(outer, u32(1));
      proc.close(outer);
      expect(kernel.maps.size).toBe(0);
    }));
});

describe("ids and info", () => {
  it("next id walks upwards; fd by id; ENOENT", () =>
    withKernel((_kernel, proc) => {
      const fds = [array(proc), array(proc), array(proc)];
      const ids: number[] = [];
      for (let id = proc.mapGetNextId(0); id !== undefined; id = proc.mapGetNextId(id)) ids.push(id);
      expect(ids).toEqual(fds.map((fd) => proc.mapInfo(fd).id));
      expect(proc.mapInfo(proc.mapGetFdById(ids[1]!)).id).toBe(ids[1]);
      expect(() => proc.mapGetFdById(999)).toThrow("ENOENT");
    }));

  it("program info", () =>
    withKernel((_kernel, proc) => {
      const fd = load(proc, "r0 = 2\nexit", { name: "pass" });
      const info = proc.progInfo(fd);
      // The tag that Linux 6.18 shows for these two instructions.
      expect(info).toMatchObject({
        name: "pass",
        tag: "614b434cd8324ecc",
        gplCompatible: true,
        type: 6,
        verifiedInsns: 2,
      });
      expect(proc.objGetInfo(fd).kind).toBe("prog");
    }));

  it("names", () =>
    withKernel((_kernel, proc) => {
      expect(() => array(proc, { name: "a".repeat(16) })).toThrow("EINVAL");
      expect(() => array(proc, { name: "a b" })).toThrow("EINVAL");
      expect(proc.mapInfo(array(proc, { name: "a.b_C9" })).name).toBe("a.b_C9");
    }));

  it("without CAP_SYS_ADMIN there are no global ids; without CAP_BPF no XDP programs", () =>
    withKernel((kernel) => {
      const user = kernel.spawn({ caps: NO_CAPS, uid: 1000 });
      expect(() => user.progGetNextId(0)).toThrow("EPERM");
      expect(() => load(user, "r0 = 2\nexit")).toThrow("EPERM");
      const fd = load(user, "r0 = 0\nexit", { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER });
      expect(user.progInfo(fd).createdByUid).toBe(1000);
    }));
});

describe("bpffs", () => {
  it("errors", () =>
    withKernel((_kernel, proc) => {
      const m = array(proc);
      expect(() => proc.objPin(m, "/sys/fs/bpf/dir/m")).toThrow("ENOENT");
      proc.fs.mkdir("/sys/fs/bpf/dir");
      proc.objPin(m, "/sys/fs/bpf/dir/m");
      expect(() => proc.objPin(m, "/sys/fs/bpf/dir/m")).toThrow("EEXIST");
      expect(() => proc.objPin(m, "/sys/fs/bpf/a.b")).toThrow("EPERM");
      expect(() => proc.objGet("/sys/fs/bpf/nothing")).toThrow("ENOENT");
      expect(() => proc.objPin(m, "/tmp/m")).toThrow("EPERM");
    }));
});

describe("events", () => {
  it("say what happened, in order, and who did it", () =>
    withKernel((kernel, proc) => {
      const seen: BpfEvent[] = [];
      const stop = proc.onEvent((e) => seen.push(e));
      const eth0 = kernel.net.addDevice();
      const prog = load(proc, "r0 = 2\nexit");
      const link = proc.linkCreate({ progFd: prog, attachType: abi.BPF_XDP, targetIfindex: eth0.ifindex });
      proc.objPin(link, "/sys/fs/bpf/l");
      proc.close(link);
      kernel.net.removeDevice(eth0);
      proc.objUnpin("/sys/fs/bpf/l");
      stop();
      proc.close(prog);
      expect(seen.map((e) => e.what)).toEqual(["load", "attach", "pin", "defunct", "unpin"]);
      expect(seen.map((e) => e.pid)).toEqual([1, 1, 1, 0, 1]);
      expect(seen.map((e) => e.seq)).toEqual([1, 2, 3, 4, 5]);
    }));
});

describe("BPF_PROG_LOAD", () => {
  const cases: [string, object, string][] = [
    ["unknown flags", { progFlags: 1 << 20 }, "EINVAL"],
    ["unknown type", { progType: 99 }, "EINVAL"],
    ["a bad name", { name: "a b" }, "EINVAL"],
    [
      "attach type of another kind",
      { progType: abi.BPF_PROG_TYPE_CGROUP_SKB, expectedAttachType: abi.BPF_XDP },
      "EINVAL",
    ],
    ["attach_btf_id for a type without target", { attachBtfId: 5 }, "EINVAL"],
    ["attach_prog_fd that is none", { attachProgFd: 77 as Fd }, "EBADF"],
    ["a BTF fd that is none", { progBtfFd: 77 as Fd }, "EBADF"],
  ];
  for (const [name, attr, errno] of cases) {
    it(`${name}: ${errno}`, () =>
      withKernel((_kernel, proc) => expect(() => load(proc, "r0 = 0\nexit", attr)).toThrow(errno)));
  }

  it("no instructions: E2BIG", () =>
    withKernel((_kernel, proc) =>
      expect(() => proc.progLoad({ progType: 6, license: "GPL", insns: new Uint8Array() })).toThrow("E2BIG"),
    ));

  it("a refused program leaves nothing and gives the log", () =>
    withKernel((kernel, proc) => {
      const m = array(proc);
      expect(() => load(proc, "r1 = map[m] ll\nr0 = r9\nexit", { maps: { m }, logLevel: 1 })).toThrow("EACCES");
      expect(kernel.progs.size).toBe(0);
    }));
});

describe("random commands", () => {
  it("end with an empty kernel", () => {
    const command = fc.record({ op: fc.integer({ min: 0, max: 9 }), a: fc.nat(7), b: fc.nat(7) });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) =>
        withKernel((kernel, proc) => {
          const eth = [kernel.net.addDevice(), kernel.net.addDevice()];
          const m = progArray(proc);
          const paths = new Set<string>();
          const pick = (n: number) => proc.fds[n % proc.fds.length]!;
          const attempt = (body: () => void) => {
            try {
              body();
            } catch (error) {
              if (!(error instanceof BpfError)) throw error;
            }
          };
          for (const { op, a, b } of commands) {
            if (proc.fds.length === 0) break;
            attempt(() => {
              if (op === 0) array(proc);
              else if (op === 1) load(proc, "r2 = map[m] ll\nr3 = 1\ncall tail_call\nr0 = 2\nexit", { maps: { m } });
              else if (op === 2) proc.close(pick(a));
              else if (op === 3) proc.dup(pick(a));
              else if (op === 4) {
                proc.objPin(pick(a), `/sys/fs/bpf/${b}`);
                paths.add(`/sys/fs/bpf/${b}`);
              } else if (op === 5) proc.objUnpin(`/sys/fs/bpf/${b}`);
              else if (op === 6) proc.mapUpdateElem(m, u32(b % 4), u32(pick(a)));
              else if (op === 7)
                proc.linkCreate({ progFd: pick(a), attachType: abi.BPF_XDP, targetIfindex: eth[b % 2]!.ifindex });
              else if (op === 8) proc.linkUpdate(pick(a), pick(b));
              else for (const d of eth) d.receive(frame());
            });
          }
        }),
      ),
      { numRuns: 40 },
    );
  });
});
