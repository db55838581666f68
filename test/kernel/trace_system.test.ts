/** What the kernel itself does, seen by tracing programs: system calls, LSM hooks, processes. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { errnoOf } from "../support/errno.ts";
import { withKernel } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";
import { array, Journal, KPROBE, NR_BPF, on, onlyIn, RAW_TP } from "../support/trace.ts";

const EVENT = { progType: abi.BPF_PROG_TYPE_TRACEPOINT };
const EPERM = 1;

/** bpf_printk("well\n"). */
const PRINT =
  "r1 = 0x0a6c6c6577 ll\n *(u64 *)(r10 - 16) = r1\n r1 = r10\n r1 += -16\n r2 = 6\n call trace_printk\n r0 = 0";

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
      onlyIn(bpf),
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
      // Reading the journal is a call, too, as far as it has come.
      expect(j.take()).toMatch(/12345671234$/);
      for (const link of links) proc.close(link);
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
    const prints = j.prog(1, RAW_TP, PRINT, onlyIn(bpf));
    const listens = j.prog(2, RAW_TP, "", onlyIn(bpf));
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
  it("read union bpf_attr of a call as bytes, and NULL of a typed command", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const hook = j.prog(
        1,
        on(kernel, "bpf_lsm_bpf", abi.BPF_LSM_MAC),
        `r1 = *(u64 *)(r6 + 8)
        r2 = *(u32 *)(r1 + 12)    /* max_entries of BPF_MAP_CREATE */
        *(u64 *)(r7 + 8) = r2
        r0 = 0
        if r2 != 77 goto out
        r0 = -${EPERM}`,
      );
      const link = proc.rawTracepointOpen(hook);
      const create = (entries: number) => {
        const attr = new Uint8Array(Uint32Array.from([abi.BPF_MAP_TYPE_ARRAY, 4, 8, entries]).buffer);
        return proc.bpf(abi.BPF_MAP_CREATE, attr, attr.length);
      };
      expect(errnoOf(() => create(77))).toBe("EPERM");
      expect(errnoOf(() => create(78))).toBe("0");
      expect(errnoOf(() => proc.mapCreate({ ...array, maxEntries: 77 }))).toBe("0");
      proc.close(link);
    }));

  it("refuse to open a file by its name", () =>
    withKernel((kernel, proc) => {
      const { structs } = kernel;
      const j = new Journal(proc);
      const dentry = structs.offset("file", "f_path.dentry")!;
      const name = structs.offset("dentry", "d_name.name")!;
      const hook = j.prog(
        1,
        on(kernel, "bpf_lsm_file_open", abi.BPF_LSM_MAC),
        `r1 = *(u64 *)(r6 + 0)
        r1 = *(u64 *)(r1 + ${dentry})
        r3 = *(u64 *)(r1 + ${name})
        r1 = r10
        r1 += -16
        r2 = 8
        call probe_read_kernel
        r1 = *(u8 *)(r10 - 16)
        r0 = 0
        if r1 != 0x73 goto out
        r0 = -${EPERM}`,
      );
      proc.fs.mkdir("/sys/fs/bpf/open");
      proc.fs.mkdir("/sys/fs/bpf/secret");
      const link = proc.rawTracepointOpen(hook);
      expect(errnoOf(() => proc.fs.open("/sys/fs/bpf/secret"))).toBe("EPERM");
      proc.close(proc.fs.open("/sys/fs/bpf/open"));
      proc.close(link);
      proc.close(proc.fs.open("/sys/fs/bpf/secret"));
      proc.fs.rmdir("/sys/fs/bpf/open");
      proc.fs.rmdir("/sys/fs/bpf/secret");
    }));

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
      proc.perfAttach(j.prog(3, EVENT, "r1 = *(u64 *)(r6 + 16)\n *(u64 *)(r7 + 24) = r1"), {
        kind: "tracepoint",
        category: "syscalls",
        name: "sys_exit_fork",
      });
      event(1, "sched_process_fork", 20);
      event(2, "sched_process_exit", 24);
      const child = proc.fork("child");
      child.exit();
      expect(j.word(1)).toBe(BigInt(child.pid));
      expect([j.word(2), j.word(3)]).toEqual([BigInt(child.pid), BigInt(child.pid)]);
      expect(kernel.processes.size).toBe(1);
    }));

  it("bpf_get_current_task_btf() is the task_struct of the process that acts", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const [pid, comm, parent] = ["pid", "comm", "real_parent"].map((m) => kernel.structs.offset("task_struct", m)!);
      const prog = j.prog(
        1,
        { ...on(kernel, "btf_trace_sys_enter", abi.BPF_TRACE_RAW_TP) },
        `call get_current_task_btf
        r1 = *(u32 *)(r0 + ${pid})
        *(u64 *)(r7 + 8) = r1
        r1 = *(u64 *)(r0 + ${comm})
        *(u64 *)(r7 + 16) = r1
        r1 = *(u64 *)(r0 + ${parent})
        r1 = *(u32 *)(r1 + ${pid})
        *(u64 *)(r7 + 24) = r1
        r0 = 0`,
      );
      const child = proc.fork("kid");
      const link = proc.rawTracepointOpen(prog);
      child.mapCreate(array);
      proc.close(link);
      // closing is a call of the parent
      const name = new TextDecoder().decode(new Uint8Array(new BigUint64Array([j.word(2)]).buffer));
      expect([j.word(1), name.slice(0, 4), j.word(3)]).toEqual([BigInt(proc.pid), "skep", BigInt(proc.pid)]);
      const again = proc.rawTracepointOpen(prog);
      child.mapCreate(array);
      const task = kernel.taskStructs.of(child);
      expect(kernel.structs.read("task_struct", task, "pid")).toBe(BigInt(child.pid));
      expect(kernel.structs.readText("task_struct", task, "comm")).toBe("kid");
      expect(kernel.structs.read("task_struct", task, "real_parent")).toBe(BigInt(kernel.taskStructs.of(proc)));
      proc.close(again);
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
