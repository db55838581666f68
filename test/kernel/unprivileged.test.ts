/**
 * What a process without capabilities may do: create some maps, load filters, use what its fds stand for. Linux's answers
 * were asked for with kernel.unprivileged_bpf_disabled=0.
 */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, errnoName } from "../../src/abi/errno.ts";
import type { Process } from "../../src/kernel/process.ts";
import { NO_CAPS } from "../../src/verifier/platform.ts";
import { frame, load, u32, withKernel } from "../support/kernel.ts";

const USER = { caps: NO_CAPS, uid: 1000, gid: 1000 };

/** [type, key size, value size, entries]: errno, "" = allowed. */
const MAPS: readonly [name: string, type: number, key: number, value: number, entries: number, errno: string][] = [
  ["hash", abi.BPF_MAP_TYPE_HASH, 4, 8, 4, ""],
  ["array", abi.BPF_MAP_TYPE_ARRAY, 4, 8, 4, ""],
  ["percpu_hash", abi.BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, ""],
  ["percpu_array", abi.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, ""],
  ["prog_array", abi.BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, ""],
  ["perf_event_array", abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4, ""],
  ["ringbuf", abi.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, ""],
  ["lpm_trie", abi.BPF_MAP_TYPE_LPM_TRIE, 8, 8, 4, "EPERM"],
  ["lru_hash", abi.BPF_MAP_TYPE_LRU_HASH, 4, 8, 4, "EPERM"],
  ["devmap", abi.BPF_MAP_TYPE_DEVMAP, 4, 4, 4, "EPERM"],
  ["queue", abi.BPF_MAP_TYPE_QUEUE, 0, 8, 4, "EPERM"],
  ["stack", abi.BPF_MAP_TYPE_STACK, 0, 8, 4, "EPERM"],
];

const PROGS: readonly [name: string, type: number, expectedAttachType: number, errno: string][] = [
  ["socket_filter", abi.BPF_PROG_TYPE_SOCKET_FILTER, 0, ""],
  ["cgroup_skb", abi.BPF_PROG_TYPE_CGROUP_SKB, 0, ""],
  ["sched_cls", abi.BPF_PROG_TYPE_SCHED_CLS, 0, "EPERM"],
  ["xdp", abi.BPF_PROG_TYPE_XDP, 0, "EPERM"],
  ["kprobe", abi.BPF_PROG_TYPE_KPROBE, 0, "EPERM"],
  ["syscall", abi.BPF_PROG_TYPE_SYSCALL, 0, "EPERM"],
];

function errnoOf(body: () => unknown): string {
  try {
    body();
    return "";
  } catch (error) {
    if (error instanceof BpfError) return errnoName(error.errno);
    throw error;
  }
}

describe("a process without capabilities", () => {
  for (const [name, mapType, keySize, valueSize, maxEntries, errno] of MAPS) {
    it(`map ${name}: ${errno || "created"}`, () =>
      withKernel((kernel) => {
        const user = kernel.spawn(USER);
        expect(errnoOf(() => user.mapCreate({ mapType, keySize, valueSize, maxEntries }))).toBe(errno);
      }));
  }

  for (const [name, progType, expectedAttachType, errno] of PROGS) {
    it(`program ${name}: ${errno || "loaded"}`, () =>
      withKernel((kernel) => {
        const user = kernel.spawn(USER);
        expect(errnoOf(() => load(user, "r0 = 0\nexit", { progType, expectedAttachType }))).toBe(errno);
      }));
  }

  const FORBIDDEN: readonly [name: string, call: (user: Process) => unknown][] = [
    ["next program id", (user) => user.progGetNextId(0)],
    ["next map id", (user) => user.mapGetNextId(0)],
    ["next link id", (user) => user.linkGetNextId(0)],
    ["next BTF id", (user) => user.btfGetNextId(0)],
    ["program by id", (user) => user.progGetFdById(1)],
    ["map by id", (user) => user.mapGetFdById(1)],
    ["link by id", (user) => user.linkGetFdById(1)],
    ["BTF by id", (user) => user.btfGetFdById(1)],
    ["root's view", (user) => user.objects()],
    ["delete a map", (user) => user.mapDelete(1)],
    ["unload a program", (user) => user.progUnload(1)],
  ];
  for (const [name, call] of FORBIDDEN) {
    it(`${name}: EPERM, also for its own objects`, () =>
      withKernel((kernel) => {
        const user = kernel.spawn(USER);
        const m = user.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
        load(user, "r0 = 0\nexit", { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER });
        expect(errnoOf(() => call(user))).toBe("EPERM");
        expect(user.mapLookupElem(m, u32(0))).toEqual(new Uint8Array(8));
      }));
  }

  it("uses what root passed to it, sees no instructions", () =>
    withKernel((kernel, proc) => {
      const user = kernel.spawn(USER);
      const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 4, maxEntries: 2 });
      const prog = load(proc, "r0 = 2\nexit", { name: "pass" });
      const [mine, prog2] = [proc.sendFd(m, user), proc.sendFd(prog, user)];
      user.mapUpdateElem(mine, u32(1), u32(7));
      expect(proc.mapLookupElem(m, u32(1))).toEqual(u32(7));
      expect(user.progInfo(prog2)).toMatchObject({ id: 1, name: "pass", xlated: new Uint8Array() });
      expect(proc.progInfo(prog).xlated.length).toBe(16);
    }));

  it("is told of no id where ids are for root only", () =>
    withKernel(
      (kernel, proc) => {
        const user = kernel.spawn(USER);
        const m = user.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
        expect(user.mapInfo(m)).toMatchObject({ id: 0, type: abi.BPF_MAP_TYPE_ARRAY, maxEntries: 1 });
        expect(user.objGetInfo(m)).toMatchObject({ kind: "map", map: { id: 0 } });
        expect(proc.mapInfo(user.sendFd(m, proc)).id).toBe(1);
        const prog = load(user, "r1 = map[m] ll\nr0 = 0\nexit", {
          progType: abi.BPF_PROG_TYPE_SOCKET_FILTER,
          maps: { m },
        });
        expect(user.progInfo(prog)).toMatchObject({ id: 0, mapIds: [] });
      },
      { idsForRootOnly: true },
    ));

  it("cannot leak pointers: the verifier's strict rules hold", () =>
    withKernel((kernel, proc) => {
      const user = kernel.spawn(USER);
      const filter = { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER };
      const leaks: readonly [asm: string, words: string][] = [
        ["r0 = r1\nexit", "R0 leaks addr as return value"],
        ["r2 = r10\nif r1 == r2 goto out\nout:\nr0 = 0\nexit", "R2 pointer comparison prohibited"],
        ["r2 = r1\nr2 <<= 1\nr0 = 0\nexit", "R2 pointer arithmetic with <<= operator prohibited"],
        ["r0 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", "invalid read from stack"],
      ];
      for (const [asm, words] of leaks) {
        let said = "";
        try {
          load(user, asm, { ...filter, logLevel: 1 });
        } catch (error) {
          said = (error as { log?: string }).log ?? "";
        }
        expect(said).toContain(words);
      }
      load(proc, "r0 = r1\nexit", filter);
    }));
});

describe("root's view", () => {
  it("names every holder: fds, pins, attachments, other objects", () =>
    withKernel((kernel, proc) => {
      const eth = kernel.net.addDevice();
      const m = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1, name: "m" });
      const prog = load(proc, "r1 = map[m] ll\nr0 = 1\nexit", { maps: { m }, name: "p" });
      const link = proc.linkCreate({ progFd: prog, attachType: abi.BPF_XDP, targetIfindex: eth.ifindex });
      proc.objPin(link, "/sys/fs/bpf/link");
      proc.close(link);
      const user = kernel.spawn({ ...USER, comm: "shell" });
      proc.sendFd(m, user);
      eth.receive(frame());
      expect(kernel.spawn().objects()).toEqual([
        {
          kind: "prog",
          id: 1,
          name: "p",
          refs: 2,
          holders: [
            { by: "fd", pid: proc.pid, comm: "skep", fd: prog },
            { by: "object", kind: "link", id: 1, name: "" },
          ],
        },
        {
          kind: "map",
          id: 1,
          name: "m",
          refs: 3,
          holders: [
            { by: "fd", pid: proc.pid, comm: "skep", fd: m },
            { by: "fd", pid: user.pid, comm: "shell", fd: 3 },
            { by: "object", kind: "prog", id: 1, name: "p" },
          ],
        },
        { kind: "link", id: 1, name: "", refs: 1, holders: [{ by: "pin", path: "/sys/fs/bpf/link" }] },
      ]);
    }));
});
