/** Iterators: the same programs on skep and on Linux. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as abi from "../../../src/abi/bpf.ts";
import type { Bpf, Fd, IterLinkInfo } from "../../../src/kernel/bpf.ts";
import { checkReferences } from "../../../src/kernel/holders.ts";
import { type BpfObject, openObject } from "../../../src/loader/object.ts";
import { errnoOf } from "../../support/errno.ts";
import { load, u32, u64, withKernel } from "../../support/kernel.ts";
import { onKernels } from "../../support/kernels.ts";

const bytes = new Uint8Array(readFileSync(new URL("iters.o", import.meta.url)));

function open(bpf: Bpf, ...names: string[]): BpfObject {
  const obj = openObject(bytes, { name: "iters.o" });
  for (const prog of Object.values(obj.progs)) prog.autoload = names.includes(prog.name);
  return obj.load(bpf);
}

function link(bpf: Bpf, obj: BpfObject, name: string, iter?: IterLinkInfo): Fd {
  const progFd = obj.progs[name]!.fd;
  return bpf.linkCreate({ progFd, attachType: abi.BPF_TRACE_ITER, ...(iter ? { iter } : {}) });
}

function readAll(bpf: Bpf, fd: Fd, max = 4096): string {
  let text = "";
  for (;;) {
    const part = bpf.fs.read(fd, max);
    if (part.length === 0) return text;
    text += new TextDecoder().decode(part);
  }
}

/** What a fresh file of the link says. */
function cat(bpf: Bpf, linkFd: Fd, max?: number): string {
  const fd = bpf.iterCreate!(linkFd);
  try {
    return readAll(bpf, fd, max);
  } finally {
    bpf.close(fd);
  }
}

const array = (bpf: Bpf, name: string, maxEntries: number, mapType = abi.BPF_MAP_TYPE_ARRAY) =>
  bpf.mapCreate({ mapType, keySize: 4, valueSize: 8, maxEntries, name });

describe("iterators", () => {
  onKernels("over maps: in order of id, and once at the end", (bpf) => {
    const obj = open(bpf, "maps");
    const first = array(bpf, "it_one", 3);
    array(bpf, "it_two", 5);
    obj.bss["low_id"] = bpf.mapInfo(first).id;
    const fd = link(bpf, obj, "maps");
    const text = cat(bpf, fd);
    expect(text).toMatch(/^it_one 3 4\nit_two 5 4\n(.*\n)*end \d+\n$/);
    expect(bpf.linkInfo(fd)).toMatchObject({ type: abi.BPF_LINK_TYPE_ITER, targetName: "bpf_map" });
    // A small buffer gives the same text in parts; maps of other processes come and go meanwhile.
    const own = (lines: string) => lines.split("\n").filter((line) => line.startsWith("it_"));
    expect(own(cat(bpf, fd, 7))).toEqual(own(text));
  });

  onKernels("over programs and links", (bpf) => {
    const obj = open(bpf, "progs", "links");
    obj.bss["low_id"] = bpf.progInfo(obj.progs["progs"]!.fd).id;
    const fd = link(bpf, obj, "progs");
    expect(cat(bpf, fd).split("\n").slice(0, 2)).toEqual(["progs", "links"]);
    obj.bss["low_id"] = bpf.linkInfo(fd).id;
    const second = link(bpf, obj, "links");
    expect(cat(bpf, second)).toMatch(/^0 by progs\n1 by links\n/);
  });

  onKernels("over the elements of a map, which the program may change", (bpf) => {
    const obj = open(bpf, "elems");
    const map = array(bpf, "elems", 3);
    for (let i = 0; i < 3; i++) bpf.mapUpdateElem(map, u32(i), u64(BigInt(i + 5)));
    const fd = link(bpf, obj, "elems", { mapFd: map });
    const { id } = bpf.mapInfo(map);
    expect(bpf.linkInfo(fd)).toMatchObject({ targetName: "bpf_map_elem", mapId: id });
    expect(cat(bpf, fd)).toBe("0=5\n1=6\n2=7\nend\n");
    expect(bpf.mapLookupElem(map, u32(2))).toEqual(u64(14n));
    // The link and an open file hold the map.
    const file = bpf.iterCreate!(fd);
    bpf.close(map);
    bpf.close(fd);
    expect(readAll(bpf, file)).toBe("0=10\n1=12\n2=14\nend\n");
    bpf.close(file);
    expect(errnoOf(() => bpf.mapGetFdById(id))).toBe("ENOENT");
    const hash = array(bpf, "hash", 8, abi.BPF_MAP_TYPE_HASH);
    for (let i = 0; i < 4; i++) bpf.mapUpdateElem(hash, u32(i), u64(BigInt(i)));
    const lines = cat(bpf, link(bpf, obj, "elems", { mapFd: hash }))
      .trimEnd()
      .split("\n");
    expect(lines.sort()).toEqual(["0=0", "1=1", "2=2", "3=3", "end"]);
  });

  onKernels("what attaching refuses", (bpf) => {
    const obj = open(bpf, "elems", "maps", "tasks", "cgroups");
    const prog = obj.progs["maps"]!;
    const attachType = abi.BPF_TRACE_ITER;
    const small = bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    const trie = bpf.mapCreate({
      mapType: abi.BPF_MAP_TYPE_LPM_TRIE,
      keySize: 8,
      valueSize: 8,
      maxEntries: 1,
      mapFlags: abi.BPF_F_NO_PREALLOC,
    });
    const got = {
      "no map": errnoOf(() => link(bpf, obj, "elems")),
      "a map whose values are too small": errnoOf(() => link(bpf, obj, "elems", { mapFd: small })),
      "a map that cannot be walked": errnoOf(() => link(bpf, obj, "elems", { mapFd: trie })),
      "an fd that is no map": errnoOf(() => link(bpf, obj, "elems", { mapFd: prog.fd })),
      flags: errnoOf(() => bpf.linkCreate({ progFd: prog.fd, attachType, flags: 1 })),
      "another attach type": errnoOf(() => bpf.linkCreate({ progFd: prog.fd, attachType: abi.BPF_TRACE_FENTRY })),
      "a thread and a process": errnoOf(() => link(bpf, obj, "tasks", { tid: 1, pid: 1 })),
      "an order of cgroups that there is not": errnoOf(() => link(bpf, obj, "cgroups", { order: 9 })),
      "no order of cgroups": errnoOf(() => link(bpf, obj, "cgroups", {})),
      detaching: errnoOf(() => bpf.linkDetach(link(bpf, obj, "maps"))),
      "an update to another iterator": errnoOf(() => bpf.linkUpdate(link(bpf, obj, "maps"), obj.progs["tasks"]!.fd)),
      "a wrong old program": errnoOf(() =>
        bpf.linkUpdate(link(bpf, obj, "maps"), prog.fd, {
          oldProgFd: obj.progs["tasks"]!.fd,
          flags: abi.BPF_F_REPLACE,
        }),
      ),
    };
    expect(got).toEqual({
      "no map": "EBADF",
      "a map whose values are too small": "EACCES",
      "a map that cannot be walked": "EINVAL",
      "an fd that is no map": "EINVAL",
      flags: "EINVAL",
      "another attach type": "EINVAL",
      "a thread and a process": "EINVAL",
      "an order of cgroups that there is not": "EINVAL",
      "no order of cgroups": "EINVAL",
      detaching: "EOPNOTSUPP",
      "an update to another iterator": "EINVAL",
      "a wrong old program": "EPERM",
    });
  });

  onKernels("a link's program is replaced; files that are open keep the old one", (bpf) => {
    const obj = open(bpf, "maps", "bulk");
    obj.bss["low_id"] = bpf.mapInfo(array(bpf, "last", 1)).id;
    const fd = link(bpf, obj, "bulk");
    const old = bpf.iterCreate!(fd);
    bpf.linkUpdate(fd, obj.progs["maps"]!.fd);
    expect(cat(bpf, fd)).toMatch(/^last 1 4\n/);
    expect(readAll(bpf, old)).toBe("");
    bpf.close(old);
  });

  onKernels("much output comes in parts; too much of one object is E2BIG; a retry is EAGAIN", (bpf) => {
    const obj = open(bpf, "bulk");
    const first = array(bpf, "b0", 1);
    for (let i = 1; i < 5; i++) array(bpf, `b${i}`, 1);
    obj.bss["low_id"] = bpf.mapInfo(first).id;
    obj.bss["repeat"] = 20;
    const fd = link(bpf, obj, "bulk");
    const file = bpf.iterCreate!(fd);
    const seen: number[] = [];
    const lengths: number[] = [];
    for (let part = bpf.fs.read(file, 1 << 16); part.length; part = bpf.fs.read(file, 1 << 16)) {
      lengths.push(part.length / 1024);
      for (let at = 0; at < part.length; at += 20 * 1024) seen.push(part[at]!);
    }
    bpf.close(file);
    expect(seen.slice(0, 5)).toEqual([0, 1, 2, 3, 4]);
    // Two objects of 20 KiB do not fit into 32 KiB.
    expect(lengths.slice(0, 5)).toEqual([20, 20, 20, 20, 20]);
    obj.bss["repeat"] = 40;
    const big = bpf.iterCreate!(fd);
    expect(errnoOf(() => bpf.fs.read(big, 4096))).toBe("E2BIG");
    bpf.close(big);
    obj.bss["repeat"] = 1;
    obj.bss["retry"] = 1;
    const again = bpf.iterCreate!(fd);
    expect(errnoOf(() => bpf.fs.read(again, 4096))).toBe("EAGAIN");
    expect(bpf.fs.read(again, 1024)[0]).toBe(0);
    bpf.close(again);
  });

  onKernels("over tasks and their files", (bpf, kernel) => {
    const obj = open(bpf, "tasks", "files");
    const pid = kernel === "linux" ? process.pid : (bpf as unknown as { pid: number }).pid;
    obj.bss["only_pid"] = pid;
    expect(cat(bpf, link(bpf, obj, "tasks"))).toMatch(new RegExp(`^${pid} \\S+\\n$`));
    const one = link(bpf, obj, "tasks", { tid: pid });
    expect(bpf.linkInfo(one)).toMatchObject({ targetName: "task", tid: pid });
    const { link_type, target_name, task_type, tid } = bpf.fdInfo(one);
    expect({ link_type, target_name, task_type, tid }).toEqual({
      link_type: "iter",
      target_name: "task",
      task_type: "TID",
      tid: `${pid}`,
    });
    expect(cat(bpf, one)).toMatch(new RegExp(`^${pid} \\S+\\n$`));
    const files = link(bpf, obj, "files", { pid });
    const more = bpf.dup(files);
    obj.bss["only_fd"] = more;
    cat(bpf, files);
    expect(obj.bss["files_seen"]).toBe(1);
    bpf.close(more);
    // A number that no fd has.
    obj.bss["only_fd"] = 1_000_000;
    cat(bpf, files);
    expect(obj.bss["files_seen"]).toBe(1);
  });

  onKernels("an fd that is no iterator's link", (bpf) => {
    const prog = load(bpf as never, "r0 = 0\n exit", { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT });
    const raw = bpf.rawTracepointOpen(prog, "sched_process_exit");
    expect(errnoOf(() => bpf.iterCreate!(raw))).toBe("EINVAL");
    expect(errnoOf(() => bpf.iterCreate!(prog))).toBe("EINVAL");
    expect(errnoOf(() => bpf.fs.read(raw, 10))).toBe("EINVAL");
  });
});

describe("iterators of the simulated kernel", () => {
  it("over cgroups: each order, an end by the program, no second read", () =>
    withKernel((kernel, proc) => {
      const { cgroups } = kernel;
      const a = cgroups.create(cgroups.root, "a");
      const b = cgroups.create(a, "b");
      const c = cgroups.create(a, "c");
      const obj = open(proc, "cgroups");
      const id = (...list: { cgroupId: bigint }[]) => list.map((cg) => `${cg.cgroupId}\n`).join("");
      const start = proc.openCgroup(a);
      const walk = (order: number) => cat(proc, link(proc, obj, "cgroups", { order, cgroupFd: start }));
      expect(walk(abi.BPF_CGROUP_ITER_SELF_ONLY)).toBe(`${id(a)}end\n`);
      expect(walk(abi.BPF_CGROUP_ITER_DESCENDANTS_PRE)).toBe(`${id(a, b, c)}end\n`);
      expect(walk(abi.BPF_CGROUP_ITER_DESCENDANTS_POST)).toBe(`${id(b, c, a)}end\n`);
      expect(walk(abi.BPF_CGROUP_ITER_ANCESTORS_UP)).toBe(`${id(a, cgroups.root)}end\n`);
      const up = link(proc, obj, "cgroups", { order: abi.BPF_CGROUP_ITER_DESCENDANTS_PRE, cgroupId: b.cgroupId });
      expect(proc.linkInfo(up)).toMatchObject({ cgroupId: b.cgroupId, order: abi.BPF_CGROUP_ITER_DESCENDANTS_PRE });
      obj.bss["result"] = 1;
      expect(walk(abi.BPF_CGROUP_ITER_DESCENDANTS_PRE)).toBe(`${id(a)}end\n`);
      obj.bss["result"] = 0;
      const file = proc.iterCreate(
        link(proc, obj, "cgroups", { order: abi.BPF_CGROUP_ITER_DESCENDANTS_PRE, cgroupFd: start }),
      );
      // A small read stops after the first cgroup; its line is still given.
      for (let byte = proc.fs.read(file, 1); byte[0] !== 10; byte = proc.fs.read(file, 1)) expect(byte.length).toBe(1);
      expect(() => proc.fs.read(file, 1)).toThrow("EOPNOTSUPP");
    }));

  it("a pinned link is a file", () =>
    withKernel((_kernel, proc) => {
      const obj = open(proc, "maps");
      obj.bss["low_id"] = proc.mapInfo(array(proc, "pinned", 2)).id;
      const fd = link(proc, obj, "maps");
      proc.objPin(fd, "/sys/fs/bpf/maps");
      proc.close(fd);
      const file = proc.fs.open("/sys/fs/bpf/maps");
      expect(readAll(proc, file)).toMatch(/^pinned 2 4\nend \d+\n$/);
      proc.objUnpin("/sys/fs/bpf/maps");
    }));

  it("a map taken away by force ends the walks over it", () =>
    withKernel((kernel, proc) => {
      const obj = open(proc, "elems");
      const map = array(proc, "gone", 3);
      const fd = link(proc, obj, "elems", { mapFd: map });
      const file = proc.iterCreate(fd);
      expect(proc.fs.read(file, 1).length).toBe(1);
      proc.mapDelete(proc.mapInfo(map).id);
      checkReferences(kernel);
      expect(() => proc.fs.read(file, 1)).toThrow("EIDRM");
      expect(errnoOf(() => proc.iterCreate(fd))).toBe("EINVAL");
    }));

  it("what is not walked says why", () =>
    withKernel((kernel, proc) => {
      const attachBtfId = kernel.platform.btf!.byName("bpf_iter_ipv6_route");
      const prog = load(proc, "r0 = 0\n exit", {
        progType: abi.BPF_PROG_TYPE_TRACING,
        expectedAttachType: abi.BPF_TRACE_ITER,
        attachBtfId,
      });
      expect(() => proc.linkCreate({ progFd: prog, attachType: abi.BPF_TRACE_ITER })).toThrow(
        "iterator 'ipv6_route': there are no IPv6 routes: EOPNOTSUPP",
      );
    }));
});
