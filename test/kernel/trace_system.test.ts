/** What the kernel itself does, seen by tracing programs: system calls, LSM hooks, processes; perf events on both kernels. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { errnoOf } from "../support/errno.ts";
import { withKernel } from "../support/kernel.ts";
import { onKernels, whyNotLinux } from "../support/kernels.ts";
import { Journal, KPROBE, on, onlyIn } from "../support/trace.ts";

const RAW_TP = { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT };
const EVENT = { progType: abi.BPF_PROG_TYPE_TRACEPOINT };
/** Of x86-64. */
const NR_BPF = 321;
const EPERM = 1;

/** bpf_printk("well\n"). */
const PRINT =
  "r1 = 0x0a6c6c6577 ll\n *(u64 *)(r10 - 16) = r1\n r1 = r10\n r1 += -16\n r2 = 6\n call trace_printk\n r0 = 0";

const pidOf = (bpf: Bpf): number => ("pid" in bpf ? (bpf.pid as number) : process.pid);

const array = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };

describe("system calls", () => {
  onKernels("raw tracepoints see each bpf(2) of a process, with its command and result", (bpf) => {
    const j = new Journal(bpf);
    /** Counts in word 1 the calls with command MAP_CREATE, the first register argument. */
    const enter = j.prog(
      1,
      RAW_TP,
      `
      r1 = *(u64 *)(r6 + 8)
      if r1 != ${NR_BPF} goto out
      r3 = *(u64 *)(r6 + 0)
      r3 += 112
      r1 = r10
      r1 += -16
      r2 = 8
      call probe_read_kernel
      r1 = *(u64 *)(r10 - 16)
      if r1 != ${abi.BPF_MAP_CREATE} goto out
      r1 = *(u64 *)(r7 + 8)
      r1 += 1
      *(u64 *)(r7 + 8) = r1
      r0 = 0`,
      onlyIn(pidOf(bpf)),
    );
    const link = bpf.rawTracepointOpen(enter, "sys_enter");
    bpf.mapCreate(array);
    bpf.mapCreate(array);
    expect(j.word(1)).toBe(2n);
    bpf.close(link);
    bpf.mapCreate(array);
    expect(j.word(1)).toBe(2n);
  });

  it("events, probes of the function and LSM programs, in their order", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const event = (digit: number, category: string, name: string, then?: string) =>
        proc.perfAttach(j.prog(digit, EVENT, then), { kind: "tracepoint", category, name });
      const load = (off: number, to: number) => `r1 = *(u64 *)(r6 + ${off})\n *(u64 *)(r7 + ${to}) = r1\n`;
      const links = [
        event(0x7, "syscalls", "sys_exit_bpf", load(16, 24)),
        event(0x2, "syscalls", "sys_enter_bpf", load(16, 8)),
        event(0x1, "raw_syscalls", "sys_enter", load(8, 16)),
        event(0x6, "raw_syscalls", "sys_exit"),
        proc.perfAttach(j.prog(0x3, KPROBE), { kind: "kprobe", symbol: "bpf", syscall: true }),
        proc.perfAttach(j.prog(0x5, KPROBE), { kind: "kprobe", symbol: "bpf", syscall: true, retprobe: true }),
        proc.rawTracepointOpen(j.prog(0x4, on(kernel, "bpf_lsm_bpf", abi.BPF_LSM_MAC))),
      ];
      j.take();
      const fd = proc.mapCreate(array);
      for (const link of links) proc.close(link);
      // Reading the journal is a call, too: what it left before.
      expect(j.take()).toMatch(/1234567$/);
      expect(fd).toBeGreaterThan(0);
    }));

  it("what a process is told is what events show: number, command, result", () =>
    withKernel((_kernel, proc) => {
      const j = new Journal(proc);
      const load = (off: number, to: number) => `r1 = *(u64 *)(r6 + ${off})\n *(u64 *)(r7 + ${to}) = r1\n`;
      const attach = (name: string, then: string) =>
        proc.perfAttach(j.prog(1, EVENT, then), { kind: "tracepoint", category: "syscalls", name });
      const enter = attach("sys_enter_bpf", load(8, 8) + load(16, 16));
      const exit = attach("sys_exit_bpf", load(16, 24));
      expect(() => proc.mapCreate({ ...array, keySize: 3 })).toThrow("EINVAL");
      proc.close(enter);
      proc.close(exit);
      expect([1, 2, 3].map((n) => j.word(n))).toEqual([BigInt(NR_BPF), 0n, BigInt.asUintN(64, -22n)]);
    }));
});

describe("recursion", () => {
  onKernels("a program that prints, on the tracepoint of printing, does not run inside itself; another does", (bpf) => {
    const j = new Journal(bpf);
    const prints = j.prog(1, RAW_TP, PRINT, onlyIn(pidOf(bpf)));
    const listens = j.prog(2, RAW_TP, "", onlyIn(pidOf(bpf)));
    const starter = j.prog(3, { progType: abi.BPF_PROG_TYPE_SYSCALL, progFlags: abi.BPF_F_SLEEPABLE }, PRINT);
    const links = [prints, listens].map((prog) => bpf.rawTracepointOpen(prog, "bpf_trace_printk"));
    bpf.progTestRun(starter);
    for (const link of links) bpf.close(link);
    // 3 prints: 1 prints, of which 2 alone is told, then 2 is told of what 3 printed.
    expect(j.take()).toBe("3122");
    expect(bpf.progInfo(prints).recursionMisses).toBe(1n);
    expect(bpf.progInfo(listens).recursionMisses).toBe(0n);
  });
});

describe("LSM programs", () => {
  it("refuse commands, maps and programs with their errno; nothing is left of what was refused", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const hook = (name: string, then: string) =>
        proc.rawTracepointOpen(j.prog(1, on(kernel, `bpf_lsm_${name}`, abi.BPF_LSM_MAC), then));
      // Only BPF_MAP_CREATE (0) is refused.
      const commands = hook("bpf", `r1 = *(u32 *)(r6 + 0)\n if r1 != 0 goto out\n r0 = -${EPERM}`);
      expect(() => proc.mapCreate(array)).toThrow("LSM hook bpf: a program refuses it: EPERM");
      proc.close(commands);
      const ids = [...kernel.maps.values()].length;
      const maps = hook("bpf_map", `r0 = -${EPERM}`);
      expect(() => proc.mapCreate(array)).toThrow("EPERM");
      expect([...kernel.maps.values()].length).toBe(ids);
      proc.close(maps);
      const progs = hook("bpf_prog", `r0 = -${EPERM}`);
      expect(() => j.prog(1, RAW_TP)).toThrow("EPERM");
      proc.close(progs);
      j.prog(1, RAW_TP);
    }));
});

describe("processes", () => {
  it("fork and exit pass tracepoints with the task_structs", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const event = (digit: number, name: string, off: number) =>
        proc.perfAttach(j.prog(digit, EVENT, `r1 = *(u32 *)(r6 + ${off})\n *(u64 *)(r7 + ${8 * digit}) = r1`), {
          kind: "tracepoint",
          category: "sched",
          name,
        });
      event(1, "sched_process_fork", 20);
      event(2, "sched_process_exit", 24);
      const child = proc.fork("child");
      child.exit();
      expect(j.word(1)).toBe(BigInt(child.pid));
      expect(j.word(2)).toBe(BigInt(child.pid));
      expect(kernel.processes.size).toBe(1);
    }));

  it("programs see the process on whose behalf they run", () =>
    withKernel((_kernel, proc) => {
      const j = new Journal(proc);
      const prog = j.prog(1, RAW_TP, `call get_current_pid_tgid\n *(u64 *)(r7 + 8) = r0\n r0 = 0`);
      const other = proc.fork();
      other.progTestRun(prog);
      expect(j.word(1)).toBe((BigInt(other.pid) << 32n) | BigInt(other.pid));
      expect(j.word(1)).not.toBe((BigInt(proc.pid) << 32n) | BigInt(proc.pid));
    }));
});

describe("what happens while a function runs", () => {
  it("a program that is unloaded meanwhile is not run at the function's end", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const prog = j.prog(1, on(kernel, "bpf_fentry_test2", abi.BPF_TRACE_FEXIT));
      const link = proc.rawTracepointOpen(prog);
      const ret = kernel.traceHooks.call("bpf_fentry_test2", [1n, 2n], () => {
        proc.close(link);
        proc.close(prog);
        return 3n;
      });
      expect(ret).toBe(3n);
      expect(j.take()).toBe("");
    }));

  it("a program that attaches another, through user space, does not run it for the same event", () => {
    const attached: number[] = [];
    let again: (() => void) | undefined;
    withKernel(
      (_kernel, proc) => {
        const j = new Journal(proc);
        const listens = j.prog(1, RAW_TP);
        again = () => {
          again = undefined;
          attached.push(proc.rawTracepointOpen(j.prog(2, RAW_TP), "bpf_trace_printk"));
        };
        proc.rawTracepointOpen(listens, "bpf_trace_printk");
        const print = j.prog(3, { progType: abi.BPF_PROG_TYPE_SYSCALL, progFlags: abi.BPF_F_SLEEPABLE }, PRINT);
        proc.progTestRun(print);
        proc.progTestRun(print);
        expect(j.take()).toBe("31" + "312");
        expect(attached.length).toBe(1);
      },
      { printk: () => again?.() },
    );
  });
});

describe("perf links on both kernels", () => {
  const FILE = process.execPath;
  const reason = whyNotLinux;
  if (reason) console.log(`uprobes of this process are not tested on Linux: ${reason}`);

  onKernels("uprobes: newest first, then the function, then return probes; cookies and info", (bpf, kernel) => {
    const j = new Journal(bpf);
    const pid = pidOf(bpf);
    const symbol = "uv_hrtime";
    const skep = kernel === "skep" ? (bpf as unknown as import("../../src/kernel/process.ts").Process) : undefined;
    skep?.kernel.uprobes.define(FILE, { [symbol]: 0x1000 });
    const call = () => (skep ? skep.kernel.uprobes.call(skep, FILE, symbol, [], () => 1n) : process.hrtime());
    const target = { kind: "uprobe", path: FILE, symbol, offset: 0, pid } as const;
    const cookie = "r1 = r6\n call get_attach_cookie\n *(u64 *)(r7 + 8) = r0\n r0 = 0";
    const links = [
      bpf.perfAttach!(j.prog(1, KPROBE), { ...target, retprobe: true }),
      bpf.perfAttach!(j.prog(2, KPROBE), target),
      bpf.perfAttach!(j.prog(3, KPROBE, cookie), target, 77n),
    ];
    j.take();
    call();
    let seen = j.take();
    // Threads of Node may ask for the time meanwhile.
    for (let tries = 0; !skep && !/321/.test(seen) && tries < 20; tries++) {
      call();
      seen = j.take();
    }
    expect(seen).toMatch(skep ? /^321$/ : /321/);
    const first = links[2]!;
    expect(bpf.linkInfo(first)).toMatchObject({
      type: abi.BPF_LINK_TYPE_PERF_EVENT,
      cookie: 77n,
      perfEvent: { kind: "uprobe", name: FILE },
    });
    expect(bpf.linkInfo(links[0]!).perfEvent?.kind).toBe("uretprobe");
    call();
    expect(j.word(1)).toBe(77n);
    for (const link of links) bpf.close(link);
    expect(() => bpf.linkUpdate(bpf.perfAttach!(j.prog(2, KPROBE), target), j.prog(2, KPROBE))).toThrow("EINVAL");
    expect(() => bpf.linkDetach(bpf.perfAttach!(j.prog(2, KPROBE), target))).toThrow("EOPNOTSUPP");
    const multi = j.prog(2, { ...KPROBE, expectedAttachType: abi.BPF_TRACE_UPROBE_MULTI });
    expect(() => bpf.perfAttach!(multi, target, 1n)).toThrow("EINVAL");
  });

  onKernels("uprobe.multi: one link for several functions, and what it refuses", (bpf, kernel) => {
    const j = new Journal(bpf);
    const skep = kernel === "skep" ? (bpf as unknown as import("../../src/kernel/process.ts").Process) : undefined;
    skep?.kernel.uprobes.define(FILE, { a: 0x1000, b: 0x2000 });
    const attachType = abi.BPF_TRACE_UPROBE_MULTI;
    const progFd = j.prog(1, { ...KPROBE, expectedAttachType: attachType });
    const offsets = [0x1000n, 0x2000n];
    const make = (multi: object, more: object = {}) =>
      bpf.linkCreate({ progFd, attachType, multi: { path: FILE, offsets, ...multi }, ...more });
    const fd = make({ cookies: [4n, 5n], pid: pidOf(bpf) });
    expect(bpf.linkInfo(fd)).toMatchObject({
      type: abi.BPF_LINK_TYPE_UPROBE_MULTI,
      uprobeMulti: { path: FILE, count: 2, flags: 0, pid: pidOf(bpf), offsets, cookies: [4n, 5n] },
    });
    expect({
      "no offsets": errnoOf(() => make({ offsets: [] })),
      "unknown flags": errnoOf(() => make({ flags: 2 })),
      "link flags": errnoOf(() => make({}, { flags: 1 })),
      "no such file": errnoOf(() => make({ path: "/no/such/file" })),
      "no such process": errnoOf(() => make({ pid: 0x3fffff })),
      "an offset behind the file": errnoOf(() => make({ offsets: [1n << 40n] })),
      "a program for plain uprobes": errnoOf(() =>
        bpf.linkCreate({ progFd: j.prog(1, KPROBE), attachType, multi: { path: FILE, offsets } }),
      ),
      "an update": errnoOf(() => bpf.linkUpdate(fd, progFd)),
      "a detach": errnoOf(() => bpf.linkDetach(fd)),
    }).toEqual({
      "no offsets": "EINVAL",
      "unknown flags": "EINVAL",
      "link flags": "EINVAL",
      "no such file": "ENOENT",
      "no such process": "ESRCH",
      "an offset behind the file": "EINVAL",
      "a program for plain uprobes": "EINVAL",
      "an update": "EINVAL",
      "a detach": "EOPNOTSUPP",
    });
  });

  onKernels("raw tracepoints: order of attachment, cookies, info, errors", (bpf) => {
    const j = new Journal(bpf);
    // Other threads make other calls.
    const bpfOnly = `${onlyIn(pidOf(bpf))}\n r1 = *(u64 *)(r6 + 8)\n if r1 != ${NR_BPF} goto out`;
    const prog = (digit: number) => j.prog(digit, RAW_TP, "", bpfOnly);
    const links = [1, 2, 3].map((digit) => bpf.rawTracepointOpen(prog(digit), "sys_enter", 9n));
    bpf.mapCreate(array);
    expect(j.take()).toMatch(/123123$/);
    for (const link of links) expect(bpf.linkInfo(link)).toMatchObject({ tpName: "sys_enter", cookie: 9n });
    const { pos: _, flags: _f, mnt_id: _m, ino: _i, link_id, prog_tag, prog_id, ...told } = bpf.fdInfo(links[0]!);
    expect(told).toEqual({ link_type: "raw_tracepoint", tp_name: "sys_enter", cookie: "9" });
    expect({ link_id: Number(link_id), prog_id: Number(prog_id) }).toEqual({
      link_id: bpf.linkInfo(links[0]!).id,
      prog_id: bpf.linkInfo(links[0]!).progId,
    });
    expect(prog_tag).toMatch(/^[0-9a-f]{16}$/);
    for (const link of links) bpf.close(link);
    expect(() => bpf.rawTracepointOpen(j.prog(1, RAW_TP), "no_such_tracepoint")).toThrow("ENOENT");
    // sys_enter has two arguments.
    const third = j.prog(1, RAW_TP, "r1 = *(u64 *)(r6 + 16)");
    expect(() => bpf.rawTracepointOpen(third, "sys_enter")).toThrow("EINVAL");
    const writable = j.prog(
      1,
      { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE },
      "r1 = *(u64 *)(r6 + 0)\n r1 = *(u64 *)(r1 + 0)",
    );
    expect(() => bpf.rawTracepointOpen(writable, "sys_enter")).toThrow("EINVAL");
    expect(() => bpf.rawTracepointOpen(j.prog(1, KPROBE), "sys_enter")).toThrow("EINVAL");
    const link = bpf.rawTracepointOpen(j.prog(1, RAW_TP), "sched_process_exit");
    expect(() => bpf.linkUpdate(link, j.prog(1, RAW_TP))).toThrow("EINVAL");
    expect(() => bpf.linkDetach(link)).toThrow("EOPNOTSUPP");
  });
});
