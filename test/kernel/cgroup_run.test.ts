/** What the programs of a cgroup decide together: all run, one can say no, bpf_set_retval() says why. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BTF_KIND_FUNC } from "../../src/btf/kinds.ts";
import { egressResult, runCgroupProgs } from "../../src/kernel/cgroup/run.ts";
import type { VAddr } from "../../src/memory/memory.ts";
import { load, u32, withKernel } from "../support/kernel.ts";

const EPERM = -1;

/** Adds its number to the array's first value, ten times what was there: the order can be read from it. */
const counted = (n: number, rest: string) => `
  r6 = r1
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[m] ll
  call map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u32 *)(r0 + 0)
  r1 *= 10
  r1 += ${n}
  *(u32 *)(r0 + 0) = r1
out:
  ${rest}
  exit`;

interface RunCase {
  readonly name: string;
  /** What follows in each program after it was counted. */
  readonly progs: readonly string[];
  readonly retval: number;
  readonly bits?: number;
  readonly order: number;
}

const SET = (n: number) => `r1 = ${n}\n  call set_retval`;

const CASES: readonly RunCase[] = [
  { name: "all say yes", progs: ["r0 = 1", "r0 = 1"], retval: 0, order: 12 },
  { name: "one says no; the others still run", progs: ["r0 = 0", "r0 = 1", "r0 = 1"], retval: EPERM, order: 123 },
  { name: "the reason of the first stays", progs: [`${SET(-22)}\n  r0 = 1`, "r0 = 0"], retval: -22, order: 12 },
  { name: "a later program changes the reason", progs: ["r0 = 0", `${SET(-13)}\n  r0 = 1`], retval: -13, order: 12 },
  { name: "and can take the refusal back", progs: ["r0 = 0", `${SET(0)}\n  r0 = 1`], retval: 0, order: 12 },
  {
    name: "what no errno can be is refused",
    progs: [`${SET(5)}\n  if r0 == -22 goto ok\n  r0 = 0\n  exit\nok:\n  r0 = 1`],
    retval: 0,
    order: 1,
  },
  {
    name: "a later program sees the result so far",
    progs: ["r0 = 0", `call get_retval\n  if r0 == -1 goto ok\n  r0 = 1\n  exit\nok:\n  ${SET(-7)}\n  r0 = 1`],
    retval: -7,
    order: 12,
  },
];

describe("programs of a cgroup run together", () => {
  for (const engine of ["jit", "interp"] as const) {
    for (const c of CASES) {
      it(`${c.name} (${engine})`, () =>
        withKernel(
          (kernel, proc) => {
            const cgroup = kernel.cgroups.create(kernel.cgroups.root, "a");
            const targetFd = proc.openCgroup(cgroup);
            const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
            const attachType = abi.BPF_CGROUP_INET_SOCK_CREATE;
            c.progs.forEach((rest, i) => {
              const progFd = load(proc, counted(i + 1, rest), {
                progType: abi.BPF_PROG_TYPE_CGROUP_SOCK,
                expectedAttachType: attachType,
                maps: { m },
              });
              proc.progAttach({ progFd, attachType, targetFd, flags: abi.BPF_F_ALLOW_MULTI });
            });
            const ctx = kernel.memory.alloc(96) as VAddr;
            expect(runCgroupProgs(kernel, cgroup, attachType, ctx)).toMatchObject({ retval: c.retval });
            kernel.memory.free(ctx);
            expect(proc.mapLookupElem(m, u32(0))).toEqual(u32(c.order));
            // Nothing is attached elsewhere.
            expect(runCgroupProgs(kernel, kernel.cgroups.root, attachType, 0)).toEqual({ retval: 0, bits: 0 });
          },
          { engine },
        ));
    }
  }

  it("egress: congestion is told beside the verdict", () => {
    const results = [
      [0, 0, 0],
      [0, 1, 2],
      [EPERM, 0, EPERM],
      [EPERM, 1, 1],
    ];
    for (const [retval, bits, wanted] of results) expect(egressResult({ retval: retval!, bits: bits! })).toBe(wanted);
  });

  it("programs of a removed cgroup run for sockets that are still in it", () =>
    withKernel((kernel, proc) => {
      const cgroup = kernel.cgroups.create(kernel.cgroups.root, "a");
      kernel.cgroups.use(cgroup);
      const attachType = abi.BPF_CGROUP_INET_SOCK_RELEASE;
      const progFd = load(proc, "r0 = 0\nexit", {
        progType: abi.BPF_PROG_TYPE_CGROUP_SOCK,
        expectedAttachType: attachType,
      });
      const targetFd = proc.openCgroup(cgroup);
      proc.progAttach({ progFd, attachType, targetFd });
      proc.close(targetFd);
      kernel.cgroups.remove(cgroup);
      const ctx = kernel.memory.alloc(96) as VAddr;
      expect(runCgroupProgs(kernel, cgroup, attachType, ctx).retval).toBe(EPERM);
      kernel.memory.free(ctx);
      kernel.cgroups.unuse(cgroup);
      proc.close(progFd);
      expect(kernel.progs.size).toBe(0);
    }));

  it("bpf_get_current_cgroup_id() is the cgroup of who acts", () =>
    withKernel((kernel) => {
      const a = kernel.cgroups.create(kernel.cgroups.root, "a");
      const b = kernel.cgroups.create(a, "b");
      const proc = kernel.spawn({ cgroup: b });
      const progType = abi.BPF_PROG_TYPE_SYSCALL;
      const run = (asm: string) =>
        proc.progTestRun(load(proc, asm, { progType, progFlags: abi.BPF_F_SLEEPABLE })).retval;
      expect(run("call get_current_cgroup_id\nexit")).toBe(Number(b.cgroupId));
      for (const [level, cgroup] of [kernel.cgroups.root, a, b].entries())
        expect(run(`r1 = ${level}\ncall get_current_ancestor_cgroup_id\nexit`)).toBe(Number(cgroup.cgroupId));
      expect(run("r1 = 3\ncall get_current_ancestor_cgroup_id\nexit")).toBe(0);
    }));

  it("LSM programs have a hook for each function: queries show all, a link stays at its own", () =>
    withKernel((kernel, proc) => {
      const { btf } = kernel.platform;
      const cgroup = kernel.cgroups.create(kernel.cgroups.root, "a");
      const targetFd = proc.openCgroup(cgroup);
      const attachType = abi.BPF_LSM_CGROUP;
      const lsm = (func: string) =>
        load(proc, "r0 = 1\nexit", {
          progType: abi.BPF_PROG_TYPE_LSM,
          expectedAttachType: attachType,
          attachBtfId: btf!.byName(func, BTF_KIND_FUNC),
        });
      const [create, bind] = [lsm("bpf_lsm_socket_post_create"), lsm("bpf_lsm_socket_bind")];
      const link = proc.linkCreate({ progFd: create, attachType, targetFd });
      proc.progAttach({ progFd: bind, attachType, targetFd, flags: abi.BPF_F_ALLOW_MULTI });
      const ids = [create, bind].map((fd) => proc.progInfo(fd).id).sort();
      for (const queryFlags of [0, 1]) {
        const { progs } = proc.progQuery({ attachType, targetFd, queryFlags });
        expect(progs.map((p) => p.id).sort()).toEqual(ids);
      }
      expect(() => proc.linkUpdate(link, bind)).toThrow("ENOENT");
      expect(proc.linkInfo(link).progId).toBe(proc.progInfo(create).id);
    }));

  it("nobody moves into a removed cgroup", () =>
    withKernel((kernel, proc) => {
      const cgroup = kernel.cgroups.create(kernel.cgroups.root, "a");
      proc.openCgroup(cgroup);
      kernel.cgroups.remove(cgroup);
      expect(() => proc.setCgroup(cgroup)).toThrow("ENODEV");
    }));
});
