/** Perf links, uprobe.multi and raw tracepoints: the same on skep and Linux; and as bytes of bpf(2). */
import { describe, expect, it } from "vitest";
import { INFO_BY_FD, LINK_CREATE, LINK_INFO, TASK_FD_QUERY } from "../../src/abi/attr.ts";
import * as abi from "../../src/abi/bpf.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Process } from "../../src/kernel/process.ts";
import { UserBuffers } from "../../src/kernel/syscall/user_memory.ts";
import { errnoOf } from "../support/errno.ts";
import { u64, withKernel } from "../support/kernel.ts";
import { onKernels, whyNotLinux } from "../support/kernels.ts";
import { array, Journal, KPROBE, NR_BPF, onlyIn, pidOf, RAW_TP } from "../support/trace.ts";

describe("perf links on both kernels", () => {
  const FILE = process.execPath;
  const reason = whyNotLinux;
  if (reason) console.log(`uprobes of this process are not tested on Linux: ${reason}`);

  onKernels("uprobes: newest first, then the function, then return probes; cookies and info", (bpf, kernel) => {
    const j = new Journal(bpf);
    const pid = pidOf(bpf);
    const symbol = "uv_hrtime";
    const skep = kernel === "skep" ? (bpf as unknown as Process) : undefined;
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
    const skep = kernel === "skep" ? (bpf as unknown as Process) : undefined;
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
    const bpfOnly = `${onlyIn(bpf)}\n r1 = *(u64 *)(r6 + 8)\n if r1 != ${NR_BPF} goto out`;
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

describe("links as bytes", () => {
  /** bpf(2) with a packed attr whose pointers lead into `mem`. */
  const info = (proc: Process, fd: Fd, bytes: Uint8Array, mem: UserBuffers) => {
    const attr = INFO_BY_FD.pack(mem, { bpf_fd: fd, info_len: bytes.length, info: bytes });
    proc.bpf(abi.BPF_OBJ_GET_INFO_BY_FD, attr, attr.length, mem);
  };

  it("perf links and kprobe.multi are made and tell of themselves as on Linux", () =>
    withKernel((kernel, proc) => {
      const j = new Journal(proc);
      const { kallsyms } = kernel.traceHooks;
      const mem = new UserBuffers();
      const event = proc.perfEventOpen({ kind: "kprobe", symbol: "bpf_fentry_test2" });
      const perf = LINK_CREATE.perf_event.pack(mem, {
        prog_fd: j.prog(1, KPROBE),
        target_fd: event,
        attach_type: abi.BPF_PERF_EVENT,
        bpf_cookie: 6n,
      });
      const link = proc.bpf(abi.BPF_LINK_CREATE, perf, perf.length, mem) as Fd;
      const name = new Uint8Array(32);
      const told = LINK_INFO.perf_kprobe.pack(mem, { name, name_len: name.length });
      info(proc, link, told, mem);
      const { type, kind, addr, cookie, name_len } = LINK_INFO.perf_kprobe.unpack(told);
      expect({ type, kind, addr, cookie, name_len }).toEqual({
        type: abi.BPF_LINK_TYPE_PERF_EVENT,
        kind: abi.BPF_PERF_EVENT_KPROBE,
        addr: kallsyms.addressOf("bpf_fentry_test2"),
        cookie: 6n,
        name_len: 17,
      });
      expect(new TextDecoder().decode(name.subarray(0, 16))).toBe("bpf_fentry_test2");

      const addrs = u64(kallsyms.addressOf("bpf_fentry_test3"), kallsyms.addressOf("bpf_fentry_test2"));
      const multi = LINK_CREATE.kprobe_multi.pack(mem, {
        prog_fd: j.prog(1, { ...KPROBE, expectedAttachType: abi.BPF_TRACE_KPROBE_MULTI }),
        attach_type: abi.BPF_TRACE_KPROBE_MULTI,
        cnt: 2,
        addrs,
        cookies: u64(3n, 2n),
      });
      const many = proc.bpf(abi.BPF_LINK_CREATE, multi, multi.length, mem) as Fd;
      const room = { addrs: new Uint8Array(16), cookies: new Uint8Array(16) };
      const list = LINK_INFO.kprobe_multi.pack(mem, { ...room, count: 2 });
      info(proc, many, list, mem);
      const byAddress = kallsyms.addressOf("bpf_fentry_test2") < kallsyms.addressOf("bpf_fentry_test3");
      expect(LINK_INFO.kprobe_multi.unpack(list)).toMatchObject({ count: 2, flags: 0, missed: 0n });
      expect(room.cookies).toEqual(byAddress ? u64(2n, 3n) : u64(3n, 2n));
      const short = LINK_INFO.kprobe_multi.pack(mem, { addrs: new Uint8Array(8), count: 1 });
      expect(errnoOf(() => info(proc, many, short, mem))).toBe("ENOSPC");
      const query = TASK_FD_QUERY.pack(mem, { pid: proc.pid, fd: event, buf_len: name.length, buf: name });
      proc.bpf(abi.BPF_TASK_FD_QUERY, query, query.length, mem);
      expect(TASK_FD_QUERY.unpack(query)).toMatchObject({ fd_type: abi.BPF_FD_TYPE_KPROBE, probe_offset: 0n });
    }));
});
