/** Notifications: what happened, where, in order, and who did it; what a slow reader is told. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { BpfEvent } from "../../src/kernel/bpf.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { NO_CAPS } from "../../src/verifier/platform.ts";
import { load, withKernel } from "../support/kernel.ts";

/** An event without the members that are 0 or the same everywhere. */
function short({ seq: _, comm, pid, ...rest }: BpfEvent): object {
  return { who: pid === 0 ? "kernel" : comm, ...rest };
}

interface Case {
  readonly name: string;
  readonly run: (scene: {
    kernel: NetKernel;
    alice: Process;
    bob: Process;
    xdp: () => ReturnType<typeof load>;
  }) => void;
  readonly told: readonly object[];
}

const map = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 };
const XDP = { attachType: abi.BPF_XDP };

const CASES: readonly Case[] = [
  {
    name: "a map",
    run: ({ alice }) => alice.close(alice.mapCreate(map)),
    told: [
      { who: "alice", what: "map_create", mapId: 1 },
      { who: "alice", what: "map_free", mapId: 1 },
    ],
  },
  {
    name: "a program that somebody else unloads by letting it go",
    run: ({ alice, bob, xdp }) => {
      const fd = xdp();
      const his = alice.sendFd(fd, bob);
      alice.close(fd);
      bob.close(his);
    },
    told: [
      { who: "alice", what: "load", progId: 1 },
      { who: "bob", what: "unload", progId: 1 },
    ],
  },
  {
    name: "a link: made, its program replaced, detached",
    run: ({ kernel, alice, xdp }) => {
      const { ifindex } = kernel.net.addDevice();
      const link = alice.linkCreate({ progFd: xdp(), ...XDP, targetIfindex: ifindex });
      alice.linkUpdate(link, xdp());
      alice.linkDetach(link);
    },
    told: [
      { who: "alice", what: "load", progId: 1 },
      { who: "alice", what: "attach", progId: 1, linkId: 1, ifindex: 2, ...XDP },
      { who: "alice", what: "load", progId: 2 },
      { who: "alice", what: "replace", progId: 2, linkId: 1, ifindex: 2, ...XDP },
      { who: "alice", what: "detach", progId: 2, linkId: 1, ifindex: 2, ...XDP },
    ],
  },
  {
    name: "a crash: the process ends its attachments",
    run: ({ kernel, alice, xdp }) => {
      const { ifindex } = kernel.net.addDevice();
      alice.linkCreate({ progFd: xdp(), ...XDP, targetIfindex: ifindex });
      alice.exit();
    },
    told: [
      { who: "alice", what: "load", progId: 1 },
      { who: "alice", what: "attach", progId: 1, linkId: 1, ifindex: 2, ...XDP },
      { who: "alice", what: "detach", progId: 1, linkId: 1, ifindex: 2, ...XDP },
      { who: "alice", what: "unload", progId: 1 },
    ],
  },
  {
    name: "the device goes: the link is defunct, by nobody's call",
    run: ({ kernel, alice, xdp }) => {
      const device = kernel.net.addDevice();
      alice.linkCreate({ progFd: xdp(), ...XDP, targetIfindex: device.ifindex });
      kernel.net.removeDevice(device);
    },
    told: [
      { who: "alice", what: "load", progId: 1 },
      { who: "alice", what: "attach", progId: 1, linkId: 1, ifindex: 2, ...XDP },
      { who: "kernel", what: "defunct", progId: 1, linkId: 1, ifindex: 2, ...XDP },
    ],
  },
  {
    name: "pins: made, linked, renamed, removed by another",
    run: ({ alice, bob }) => {
      alice.objPin(alice.mapCreate(map), "/sys/fs/bpf/m");
      alice.fs.link("/sys/fs/bpf/m", "/sys/fs/bpf/n");
      bob.fs.rename("/sys/fs/bpf/m", "/sys/fs/bpf/o");
      bob.objUnpin("/sys/fs/bpf/n");
    },
    told: [
      { who: "alice", what: "map_create", mapId: 1 },
      { who: "alice", what: "pin", mapId: 1, path: "/sys/fs/bpf/m" },
      { who: "alice", what: "pin", mapId: 1, path: "/sys/fs/bpf/n" },
      { who: "bob", what: "rename", oldPath: "/sys/fs/bpf/m", path: "/sys/fs/bpf/o" },
      { who: "bob", what: "unpin", mapId: 1, path: "/sys/fs/bpf/n" },
    ],
  },
  {
    name: "a rename over a pin unpins it",
    run: ({ alice }) => {
      for (const name of ["a", "b"]) alice.objPin(alice.mapCreate(map), `/sys/fs/bpf/${name}`);
      alice.fs.rename("/sys/fs/bpf/a", "/sys/fs/bpf/b");
    },
    told: [
      { who: "alice", what: "map_create", mapId: 1 },
      { who: "alice", what: "pin", mapId: 1, path: "/sys/fs/bpf/a" },
      { who: "alice", what: "map_create", mapId: 2 },
      { who: "alice", what: "pin", mapId: 2, path: "/sys/fs/bpf/b" },
      { who: "alice", what: "unpin", mapId: 2, path: "/sys/fs/bpf/b" },
      { who: "alice", what: "rename", oldPath: "/sys/fs/bpf/a", path: "/sys/fs/bpf/b" },
    ],
  },
  {
    name: "a program on a perf event, without a link",
    run: ({ alice }) => {
      const event = alice.perfEventOpen({ kind: "kprobe", symbol: "bpf_fentry_test1" });
      const progFd = load(alice, "r0 = 0\nexit", { progType: abi.BPF_PROG_TYPE_KPROBE });
      alice.perfEventSetBpf(event, progFd);
      alice.close(progFd);
      alice.close(event);
    },
    told: [
      { who: "alice", what: "load", progId: 1 },
      { who: "alice", what: "attach", progId: 1, attachType: abi.BPF_PERF_EVENT },
      { who: "alice", what: "detach", progId: 1, attachType: abi.BPF_PERF_EVENT },
      { who: "alice", what: "unload", progId: 1 },
    ],
  },
  {
    name: "a command that fails tells nothing",
    run: ({ alice, xdp }) => {
      expect(() => alice.linkCreate({ progFd: xdp(), ...XDP, targetIfindex: 99 })).toThrow("EINVAL");
      expect(() => alice.fs.rename("/sys/fs/bpf/x", "/sys/fs/bpf/y")).toThrow("ENOENT");
    },
    told: [{ who: "alice", what: "load", progId: 1 }],
  },
];

describe("events", () => {
  for (const { name, run, told } of CASES) {
    it(name, () =>
      withKernel((kernel) => {
        const seen: BpfEvent[] = [];
        const alice = kernel.spawn({ comm: "alice" });
        const bob = kernel.spawn({ comm: "bob" });
        const stop = kernel.events.on((e) => seen.push(e));
        run({ kernel, alice, bob, xdp: () => load(alice, "r0 = 2\nexit") });
        stop();
        expect(seen.map(short)).toEqual(told);
        expect(seen.map((e) => e.seq)).toEqual(seen.map((_, i) => i + 1));
      }),
    );
  }

  it("without CAP_SYS_ADMIN a process is told of what it does itself", () =>
    withKernel((kernel, proc) => {
      const user = kernel.spawn({ uid: 1000, caps: NO_CAPS });
      using told = user.subscribe();
      proc.mapCreate(map);
      user.mapCreate(map);
      expect(told.read().events.map((e) => e.mapId)).toEqual([2]);
    }));
});

describe("a subscription", () => {
  it("tells a slow reader how many events it missed", () =>
    withKernel((_kernel, proc) => {
      using told = proc.subscribe(4);
      for (let i = 0; i < 7; i++) proc.mapCreate(map);
      const first = told.read();
      expect([first.events.map((e) => e.seq), first.missed]).toEqual([[1, 2, 3, 4], 3]);
      proc.mapCreate(map);
      const second = told.read();
      // The gap in the numbers is what was missed.
      expect([second.events.map((e) => e.seq), second.missed]).toEqual([[8], 0]);
    }));

  it("as an async iterator says so at the place of the gap, and ends when it is closed", async () => {
    let told: Promise<unknown[]> | undefined;
    withKernel((_kernel, proc) => {
      const events = proc.subscribe(2);
      told = (async () => {
        const seen: unknown[] = [];
        for await (const e of events) seen.push("missed" in e ? `missed ${e.missed}` : e.seq);
        return seen;
      })();
      for (let i = 0; i < 5; i++) proc.mapCreate(map);
      events.close();
    });
    expect(await told).toEqual([1, 2, "missed 3"]);
  });

  it("readers do not take events from each other", () =>
    withKernel((_kernel, proc) => {
      using fast = proc.subscribe();
      using slow = proc.subscribe(1);
      for (let i = 0; i < 3; i++) {
        proc.mapCreate(map);
        expect(fast.read()).toMatchObject({ missed: 0, events: [{ what: "map_create", mapId: i + 1 }] });
      }
      expect(slow.read()).toMatchObject({ missed: 2, events: [{ mapId: 1 }] });
    }));
});
