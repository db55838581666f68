/** Links of tracing programs: order at one function, contexts, cookies, recursion, errors and info. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Fd, LinkCreateAttr } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Process } from "../../src/kernel/process.ts";
import { openObject } from "../../src/loader/object.ts";
import { load, withKernel } from "../support/kernel.ts";
import { Journal, KPROBE, on } from "../support/trace.ts";

const FUNC = "bpf_fentry_test2";
const MODIFY = "bpf_modify_return_test";

function kprobe(proc: Process, progFd: Fd, symbol = FUNC, more = {}): Fd {
  return proc.perfAttach(progFd, { kind: "kprobe", symbol, ...more });
}

function multi(proc: Process, progFd: Fd, multi: NonNullable<LinkCreateAttr["multi"]>): Fd {
  return proc.linkCreate({ progFd, attachType: abi.BPF_TRACE_KPROBE_MULTI, multi });
}

const call = (kernel: Kernel, func: string, args: bigint[], ret: bigint) =>
  kernel.traceHooks.call(func, args, () => ret);

describe("programs at one function", () => {
  for (const engine of ["jit", "interp"] as const) {
    it(`run in Linux's order, newest first, kretprobes oldest first (${engine})`, () =>
      withKernel(
        (kernel, proc) => {
          const j = new Journal(proc);
          const tracing = (digit: number, type: number, then?: string) =>
            proc.rawTracepointOpen(j.prog(digit, on(kernel, MODIFY, type), then));
          const MULTI = { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_MULTI };
          tracing(0x7, abi.BPF_TRACE_FEXIT);
          tracing(0x8, abi.BPF_TRACE_FEXIT);
          tracing(0x6, abi.BPF_MODIFY_RETURN);
          tracing(0x4, abi.BPF_TRACE_FENTRY);
          tracing(0x5, abi.BPF_TRACE_FENTRY);
          kprobe(proc, j.prog(0xb, KPROBE), MODIFY, { retprobe: true });
          kprobe(proc, j.prog(0xc, KPROBE), MODIFY, { retprobe: true });
          kprobe(proc, j.prog(0x1, KPROBE), MODIFY);
          kprobe(proc, j.prog(0x2, KPROBE), MODIFY);
          multi(proc, j.prog(0x3, MULTI), { symbols: [MODIFY] });
          multi(proc, j.prog(0xa, MULTI), { symbols: [MODIFY], flags: 1 });
          let ran = 0;
          const body = () => BigInt(++ran);
          expect(kernel.traceHooks.call(MODIFY, [1n, 0n], body)).toBe(1n);
          expect(j.take()).toBe("2135468" + "7abc");
          // A result of fmod_ret replaces the function; fexit and the return probes see it.
          tracing(0x9, abi.BPF_MODIFY_RETURN, "r0 = 7");
          expect(kernel.traceHooks.call(MODIFY, [1n, 0n], body)).toBe(7n);
          expect(j.take()).toBe("2135498" + "7abc");
          expect(ran).toBe(1);
        },
        { engine },
      ));
  }

  it("cost nothing where nothing is attached: arguments are not even made", () =>
    withKernel((kernel) => {
      const args = () => {
        throw new Error("asked for");
      };
      expect(kernel.traceHooks.call(FUNC, args, () => 3n)).toBe(3n);
      kernel.traceHooks.tracepoint("skb", "kfree_skb", args);
      expect(kernel.traceHooks.watched(FUNC)).toBe(false);
    }));
});

describe("contexts", () => {
  it("a kprobe sees pt_regs of x86-64, its function and cookie; a kretprobe the result", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const prog = j.prog(
        1,
        KPROBE,
        `
        r1 = *(u64 *)(r6 + 112)   /* di */
        *(u64 *)(r7 + 8) = r1
        r1 = *(u64 *)(r6 + 104)   /* si */
        *(u64 *)(r7 + 16) = r1
        r1 = *(u64 *)(r6 + 80)    /* ax */
        *(u64 *)(r7 + 24) = r1
        r1 = r6
        call get_func_ip
        *(u64 *)(r7 + 32) = r0
        r1 = r6
        call get_attach_cookie
        *(u64 *)(r7 + 40) = r0
        r1 = *(u64 *)(r6 + 128)   /* ip */
        *(u64 *)(r7 + 48) = r1
        r0 = 0`,
      );
      const link = proc.perfAttach(prog, { kind: "kprobe", symbol: FUNC }, 0x1122334455667788n);
      call(kernel, FUNC, [2n, -3n], 99n);
      const ip = kernel.traceHooks.kallsyms.addressOf(FUNC);
      expect([1, 2, 3, 4, 5, 6].map((n) => j.word(n))).toEqual([
        2n,
        BigInt.asUintN(64, -3n),
        0n,
        ip,
        0x1122334455667788n,
        ip,
      ]);
      expect(kernel.traceHooks.kallsyms.nameAt(ip)).toBe(FUNC);
      proc.close(link);
      kprobe(proc, prog, FUNC, { retprobe: true });
      call(kernel, FUNC, [2n, 3n], 99n);
      expect([j.word(3), j.word(4), j.word(5)]).toEqual([99n, ip, 0n]);
    }));

  it("tracepoint programs get the record of the event's format", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const { structs } = kernel;
      const dev = structs.alloc("net_device", { name: "veth7" });
      const skb = structs.alloc("sk_buff", { len: 60, dev });
      const read = (off: number, size: string, to: number) =>
        `r1 = *(${size} *)(r6 + ${off})\n *(u64 *)(r7 + ${to}) = r1\n`;
      const prog = j.prog(
        1,
        { progType: abi.BPF_PROG_TYPE_TRACEPOINT },
        `${read(8, "u64", 8)}${read(16, "u32", 16)}${read(20, "u32", 24)}
        r2 = *(u32 *)(r6 + 24)
        r2 &= 0xffff
        r3 = r6
        r3 += r2
        r1 = r7
        r1 += 32
        r2 = 8
        call probe_read_kernel
        r0 = 0`,
      );
      const link = proc.perfAttach(prog, { kind: "tracepoint", category: "net", name: "net_dev_xmit" });
      kernel.traceHooks.tracepoint("net", "net_dev_xmit", [BigInt(skb), 1n, BigInt(dev), 60n]);
      expect([j.word(1), j.word(2), j.word(3)]).toEqual([BigInt(skb), 60n, 1n]);
      const name = new TextDecoder().decode(new Uint8Array(new BigUint64Array([j.word(4)]).buffer).subarray(0, 5));
      expect(name).toBe("veth7");
      proc.close(link);
      kernel.memory.free(skb);
      kernel.memory.free(dev);
    }));

  it("raw tracepoints, tp_btf and events of one tracepoint run in order of attachment, events together", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const raw = (digit: number) =>
        proc.rawTracepointOpen(j.prog(digit, { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT }), "consume_skb");
      const event = (digit: number) =>
        proc.perfAttach(j.prog(digit, { progType: abi.BPF_PROG_TYPE_TRACEPOINT }), {
          kind: "tracepoint",
          category: "skb",
          name: "consume_skb",
        });
      raw(1);
      event(2);
      proc.rawTracepointOpen(j.prog(4, on(kernel, "btf_trace_consume_skb", abi.BPF_TRACE_RAW_TP)));
      event(3);
      raw(5);
      kernel.traceHooks.tracepoint("skb", "consume_skb", [0n, 0n]);
      expect(j.take()).toBe("12345");
    }));
});

describe("sessions", () => {
  const SESSION = { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_SESSION };

  it("the entry run says whether the return is of interest; both share a cookie", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const wants = j.prog(1, SESSION);
      const declines = j.prog(2, SESSION, "r0 = 1");
      for (const progFd of [declines, wants]) {
        proc.linkCreate({ progFd, attachType: abi.BPF_TRACE_KPROBE_SESSION, multi: { symbols: [FUNC] } });
      }
      call(kernel, FUNC, [1n, 2n], 3n);
      expect(j.take()).toBe("121");
    }));
});

describe("patterns", () => {
  for (const engine of ["jit", "interp"] as const) {
    it(`one program on many functions, and a session on each (${engine})`, () =>
      withKernel(
        (kernel, proc) => {
          const obj = openObject(readFileSync(new URL("progs/multi.o", import.meta.url)), { name: "multi.o" }).load(
            proc,
          );
          const many = obj.progs["many"]!.attach();
          const around = obj.progs["around"]!.attach();
          const count = many.info().kprobeMulti!.count;
          expect(count).toBeGreaterThan(7);
          call(kernel, "bpf_fentry_test2", [2n, 3n], 5n);
          call(kernel, "bpf_fentry_test3", [4n, 5n, 6n], 15n);
          call(kernel, "bpf_fentry_test4", [7n, 8n, 9n, 10n], 34n);
          expect(["hits", "hits2", "hits3"].map((name) => obj.bss[name])).toEqual([3n, 1n, 1n]);
          expect(["entries", "returns", "sum"].map((name) => obj.bss[name])).toEqual([3n, 2n, 205n + 734n]);
          many.close();
          around.close();
          obj.close();
        },
        { engine },
      ));
  }
});

describe("errors", () => {
  const cases: {
    name: string;
    error: string;
    run: (kernel: Kernel, proc: Process, j: Journal) => unknown;
  }[] = [
    {
      name: "the same program twice at one function",
      error: "EBUSY",
      run: (kernel, proc, j) => {
        const prog = j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY));
        proc.rawTracepointOpen(prog);
        proc.linkCreate({ progFd: prog, attachType: abi.BPF_TRACE_FENTRY });
      },
    },
    {
      name: "the 39th program",
      error: "E2BIG",
      run: (kernel, proc, j) => {
        for (let i = 0; i < 39; i++) proc.rawTracepointOpen(j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY)));
      },
    },
    {
      name: "an attach type other than the one at load",
      error: "EINVAL",
      run: (kernel, proc, j) =>
        proc.linkCreate({
          progFd: j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY)),
          attachType: abi.BPF_TRACE_FEXIT,
        }),
    },
    {
      name: "a raw tracepoint that does not exist",
      error: "there is no tracepoint 'nothing': ENOENT",
      run: (_kernel, proc, j) =>
        proc.rawTracepointOpen(j.prog(1, { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT }), "nothing"),
    },
    {
      name: "updating a tracing link",
      error: "EINVAL",
      run: (kernel, proc, j) => {
        const prog = j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY));
        proc.linkUpdate(proc.rawTracepointOpen(prog), j.prog(2, on(kernel, FUNC, abi.BPF_TRACE_FENTRY)));
      },
    },
    {
      name: "detaching one",
      error: "EOPNOTSUPP",
      run: (kernel, proc, j) =>
        proc.linkDetach(proc.rawTracepointOpen(j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY)))),
    },
    {
      name: "a kprobe on no function",
      error: "kprobe: the kernel has no function 'nothing': ENOENT",
      run: (_kernel, proc, j) => kprobe(proc, j.prog(1, KPROBE), "nothing"),
    },
    {
      name: "kprobe.multi on an unknown symbol",
      error: "ESRCH",
      run: (_kernel, proc, j) =>
        multi(proc, j.prog(1, { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_MULTI }), {
          symbols: [FUNC, "nothing"],
        }),
    },
    {
      name: "kprobe.multi with a program for plain kprobes",
      error: "EINVAL",
      run: (_kernel, proc, j) => multi(proc, j.prog(1, KPROBE), { symbols: [FUNC] }),
    },
    {
      name: "kprobe.multi on nothing",
      error: "EINVAL",
      run: (_kernel, proc, j) =>
        multi(proc, j.prog(1, { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_MULTI }), {}),
    },
    {
      name: "a perf link on something else",
      error: "EBADF",
      run: (_kernel, proc, j) =>
        proc.linkCreate({ progFd: j.prog(1, KPROBE), attachType: abi.BPF_PERF_EVENT, targetFd: j.map }),
    },
    {
      name: "a second program on one perf event",
      error: "EEXIST",
      run: (_kernel, proc, j) => {
        const event = proc.perfEventOpen({ kind: "kprobe", symbol: FUNC });
        proc.perfEventSetBpf(event, j.prog(1, KPROBE));
        proc.perfEventSetBpf(event, j.prog(1, KPROBE));
      },
    },
    {
      name: "a tracepoint program that reads beyond the record",
      error: "EACCES",
      run: (_kernel, proc, j) =>
        proc.perfAttach(j.prog(1, { progType: abi.BPF_PROG_TYPE_TRACEPOINT }, "r1 = *(u64 *)(r6 + 24)"), {
          kind: "tracepoint",
          category: "skb",
          name: "consume_skb",
        }),
    },
    {
      name: "an event that there is not",
      error: "tracepoint skb/nothing: the simulated kernel has no such event: ENOENT",
      run: (_kernel, proc, j) =>
        proc.perfAttach(j.prog(1, { progType: abi.BPF_PROG_TYPE_TRACEPOINT }), {
          kind: "tracepoint",
          category: "skb",
          name: "nothing",
        }),
    },
  ];
  for (const { name, error, run } of cases) {
    it(`${name}: ${error}`, () =>
      withKernel((kernel, proc) => {
        expect(() => run(kernel, proc, new Journal(proc))).toThrow(error);
      }));
  }
});

describe("info", () => {
  it("tells what a link is on", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const addr = kernel.traceHooks.kallsyms.addressOf(FUNC);
      const fentry = proc.linkCreate({
        progFd: j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY)),
        attachType: abi.BPF_TRACE_FENTRY,
        cookie: 5n,
      });
      expect(proc.linkInfo(fentry)).toMatchObject({
        type: abi.BPF_LINK_TYPE_TRACING,
        attachType: abi.BPF_TRACE_FENTRY,
        targetObjId: 1,
        targetBtfId: kernel.platform.btf!.byName(FUNC),
        cookie: 5n,
      });
      const raw = proc.rawTracepointOpen(j.prog(1, { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT }), "kfree_skb", 6n);
      expect(proc.linkInfo(raw)).toMatchObject({
        type: abi.BPF_LINK_TYPE_RAW_TRACEPOINT,
        tpName: "kfree_skb",
        cookie: 6n,
      });
      expect(proc.linkInfo(kprobe(proc, j.prog(1, KPROBE), FUNC, { offset: 5 }))).toMatchObject({
        type: abi.BPF_LINK_TYPE_PERF_EVENT,
        perfEvent: { kind: "kprobe", name: FUNC, offset: 5n, addr: addr + 5n, missed: 0n },
      });
      const many = { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_MULTI };
      const link = multi(proc, j.prog(1, many), { symbols: [MODIFY, FUNC], flags: 1, cookies: [8n, 9n] });
      const { kallsyms } = kernel.traceHooks;
      const sorted = [
        { addr: kallsyms.addressOf(MODIFY), cookie: 8n },
        { addr, cookie: 9n },
      ].sort((a, b) => (a.addr < b.addr ? -1 : 1));
      expect(proc.linkInfo(link).kprobeMulti).toEqual({
        count: 2,
        flags: 1,
        missed: 0n,
        addrs: sorted.map((t) => t.addr),
        cookies: sorted.map((t) => t.cookie),
      });
    }));

  it("a perf event holds the program that an ioctl put on it; a link holds the event", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const event = proc.perfEventOpen({ kind: "kprobe", symbol: FUNC });
      const prog = j.prog(1, KPROBE);
      proc.perfEventSetBpf(event, prog);
      proc.close(prog);
      call(kernel, FUNC, [], 0n);
      proc.close(event);
      call(kernel, FUNC, [], 0n);
      expect(j.take()).toBe("1");
      const second = proc.perfEventOpen({ kind: "kprobe", symbol: FUNC });
      const link = proc.linkCreate({
        progFd: j.prog(2, KPROBE),
        attachType: abi.BPF_PERF_EVENT,
        targetFd: second,
      });
      proc.close(second);
      call(kernel, FUNC, [], 0n);
      proc.close(link);
      call(kernel, FUNC, [], 0n);
      expect(j.take()).toBe("2");
    }));
});

describe("life", () => {
  it("a pinned link stays attached; the last name's end detaches", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const link = proc.rawTracepointOpen(j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FENTRY)));
      proc.objPin(link, "/sys/fs/bpf/link");
      proc.close(link);
      call(kernel, FUNC, [1n, 2n], 3n);
      proc.objUnpin("/sys/fs/bpf/link");
      call(kernel, FUNC, [1n, 2n], 3n);
      expect(j.take()).toBe("1");
      expect(kernel.traceHooks.idle).toBe(true);
    }));

  it("programs and maps taken away by force end what they are attached by", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const id = (fd: Fd) => proc.progInfo(fd).id;
      const progs = [
        j.prog(1, on(kernel, FUNC, abi.BPF_TRACE_FEXIT)),
        j.prog(2, KPROBE),
        j.prog(3, { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_MULTI }),
      ];
      proc.rawTracepointOpen(progs[0]!);
      const event = proc.perfEventOpen({ kind: "kprobe", symbol: FUNC });
      proc.perfEventSetBpf(event, progs[1]!);
      multi(proc, progs[2]!, { symbols: [FUNC] });
      call(kernel, FUNC, [], 0n);
      expect(j.take()).toBe("231");
      for (const prog of progs) proc.progUnload(id(prog));
      checkReferences(kernel);
      call(kernel, FUNC, [], 0n);
      expect(j.take()).toBe("");
      expect(kernel.traceHooks.idle).toBe(true);
      // The event is free for another program.
      proc.perfEventSetBpf(event, j.prog(4, KPROBE));
      call(kernel, FUNC, [], 0n);
      expect(j.take()).toBe("4");
    }));
});

describe("user space", () => {
  const FILE = "/usr/bin/app";

  it("uprobes see calls of their process, newest first; sessions and return probes see the result", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      kernel.uprobes.define(FILE, { work: 0x1130, idle: 0x1200 }, 0x2000);
      const probe = (digit: number, more = {}) =>
        proc.perfAttach(j.prog(digit, KPROBE), { kind: "uprobe", path: FILE, symbol: "work", offset: 0, ...more });
      const other = kernel.spawn();
      probe(1);
      probe(2, { pid: other.pid });
      probe(3, { retprobe: true });
      const UMULTI = { ...KPROBE, expectedAttachType: abi.BPF_TRACE_UPROBE_MULTI };
      const link = proc.linkCreate({
        progFd: j.prog(4, UMULTI),
        attachType: abi.BPF_TRACE_UPROBE_MULTI,
        multi: { path: FILE, offsets: [0x1200n, 0x1130n], cookies: [1n, 2n] },
      });
      expect(kernel.uprobes.call(proc, FILE, "work", [1n], () => 9n)).toBe(9n);
      expect(j.take()).toBe("413");
      kernel.uprobes.call(other, FILE, "work", [1n], () => 9n);
      expect(j.take()).toBe("4213");
      kernel.uprobes.call(proc, FILE, "idle", [], () => 0n);
      expect(j.take()).toBe("4");
      expect(proc.linkInfo(link).uprobeMulti).toMatchObject({
        path: FILE,
        count: 2,
        offsets: [0x1200n, 0x1130n],
        pid: 0,
      });
      const bad = (multi: NonNullable<LinkCreateAttr["multi"]>) => () =>
        proc.linkCreate({ progFd: j.prog(4, UMULTI), attachType: abi.BPF_TRACE_UPROBE_MULTI, multi });
      expect(bad({ path: "/none", offsets: [1n] })).toThrow("ENOENT");
      expect(bad({ path: FILE, offsets: [] })).toThrow("EINVAL");
      expect(bad({ path: FILE, offsets: [0x9999n] })).toThrow("EINVAL");
      expect(bad({ path: FILE, offsets: [1n], pid: 999 })).toThrow("ESRCH");
      expect(bad({ path: FILE, offsets: [1n], pid: -1 })).toThrow("EINVAL");
    }));
});

describe("sampling", () => {
  it("a program on a software clock runs for each period that passes", () =>
    withKernel(
      (kernel, proc) => {
        const j = new Journal(proc);
        const prog = j.prog(
          1,
          { progType: abi.BPF_PROG_TYPE_PERF_EVENT },
          `r1 = *(u64 *)(r6 + 168)
        *(u64 *)(r7 + 8) = r1
        r1 = r6
        r2 = r7
        r2 += 16
        r3 = 24
        call perf_prog_read_value
        r0 = 0`,
        );
        const event = proc.perfEventOpen({ kind: "software", config: 0, samplePeriod: 1_000_000 });
        const link = proc.linkCreate({ progFd: prog, attachType: abi.BPF_PERF_EVENT, targetFd: event });
        expect(proc.linkInfo(link).perfEvent).toEqual({ kind: "event", type: abi.PERF_TYPE_SOFTWARE, config: 0n });
        kernel.advance(3_000_000n);
        expect(j.take()).toBe("");
        proc.perfEventEnable(event, true);
        kernel.advance(3_000_000n);
        expect(j.word(1)).toBe(1_000_000n);
        expect(j.word(2)).toBe(3_000_000n);
        expect(j.take()).toBe("111");
        proc.perfEventEnable(event, false);
        kernel.advance(3_000_000n);
        expect(j.take()).toBe("");
        expect(() => proc.perfEventOpen({ kind: "software", config: 99 })).toThrow("ENOENT");
        expect(() =>
          proc.perfEventSetBpf(event, load(proc, "r0 = 0\n exit", { progType: abi.BPF_PROG_TYPE_KPROBE })),
        ).toThrow("EINVAL");
      },
      { clock: () => 1000n },
    ));
});
