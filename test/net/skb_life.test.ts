/** The lives of socket buffers as tracing programs see them, and the leak finder that is built on them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LeakFinder } from "../../examples/skb_leak/finder.ts";
import * as abi from "../../src/abi/bpf.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { frame, load, withKernel } from "../support/kernel.ts";
import { Journal, on } from "../support/trace.ts";

const DIR = join(import.meta.dirname, "..", "..", "examples", "skb_leak");
const RAW = { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT };
const DROP_TC = "r0 = 2\nexit";
/** SKB_DROP_REASON_NETFILTER_DROP of Linux 6.18. */
const NETFILTER_DROP = 12n;
const MS = 1_000_000n;

describe("what a packet passes", () => {
  for (const engine of ["jit", "interp"] as const) {
    for (const [name, way, events, drop] of [
      ["received", "in", "1" + "2" + "56", false],
      ["sent", "out", "1" + "3" + "4" + "56", false],
      ["dropped on its way in", "in", "1" + "2" + "78", true],
      ["dropped on its way out", "out", "1" + "3" + "78", true],
    ] as const) {
      it(`${name} (${engine})`, () =>
        withKernel(
          (kernel, proc) => {
            const j = new Journal(proc);
            proc.rawTracepointOpen(j.prog(1, on(kernel, "__alloc_skb", abi.BPF_TRACE_FEXIT)));
            proc.rawTracepointOpen(j.prog(5, on(kernel, "consume_skb", abi.BPF_TRACE_FENTRY)));
            proc.rawTracepointOpen(j.prog(7, on(kernel, "sk_skb_reason_drop", abi.BPF_TRACE_FENTRY)));
            for (const [digit, tp] of [
              [2, "netif_receive_skb"],
              [3, "net_dev_queue"],
              [4, "net_dev_xmit"],
              [6, "consume_skb"],
              [8, "kfree_skb"],
            ] as const) {
              proc.rawTracepointOpen(j.prog(digit, RAW), tp);
            }
            const device = kernel.net.addDevice();
            if (drop) {
              const attachType = way === "in" ? abi.BPF_TCX_INGRESS : abi.BPF_TCX_EGRESS;
              const progFd = load(proc, DROP_TC, { progType: abi.BPF_PROG_TYPE_SCHED_CLS });
              proc.linkCreate({ progFd, attachType, targetIfindex: device.ifindex });
            }
            if (way === "in") device.receive(frame());
            else device.send(frame());
            expect(j.take()).toBe(events);
          },
          { engine },
        ));
    }
  }

  for (const [pf, etherType] of [
    [2, [8, 0]],
    [10, [0x86, 0xdd]],
  ] as const) {
    it(`netfilter drops it, family ${pf}`, () =>
      withKernel((kernel, proc) => {
        const j = new Journal(proc);
        const reason = "r3 = *(u64 *)(r6 + 16)\n*(u64 *)(r7 + 8) = r3\nr0 = 0";
        proc.rawTracepointOpen(j.prog(1, RAW, reason), "kfree_skb");
        const progType = abi.BPF_PROG_TYPE_NETFILTER;
        const progFd = load(proc, "r0 = 0\nexit", { progType, expectedAttachType: abi.BPF_NETFILTER });
        const netfilter = { pf, hooknum: 0, priority: 0, flags: 0 };
        proc.linkCreate({ progFd, attachType: abi.BPF_NETFILTER, netfilter });
        const device = kernel.net.addDevice();
        for (const bytes of [etherType, [8, 6]]) {
          const packet = frame();
          packet.set(bytes, 12);
          device.receive(packet);
        }
        // ARP passes.
        expect([j.word(1), j.take()]).toEqual([NETFILTER_DROP, "1"]);
      }));
  }

  it("the struct sk_buff: len, protocol, device", () =>
    withKernel((kernel, proc) => {
      const device = kernel.net.addDevice({ name: "eth0" });
      const { structs } = kernel;
      const at = (path: string) => structs.offset("sk_buff", path);
      const j = new Journal(proc);
      const note = `
        r8 = *(u64 *)(r6 + 0)
        r1 = *(u32 *)(r8 + ${at("len")})
        *(u64 *)(r7 + 8) = r1
        r1 = *(u16 *)(r8 + ${at("protocol")})
        *(u64 *)(r7 + 16) = r1
        r1 = *(u32 *)(r8 + ${at("skb_iif")})
        *(u64 *)(r7 + 24) = r1
        r1 = *(u64 *)(r8 + ${at("dev")})
        r1 = *(u32 *)(r1 + ${structs.offset("net_device", "ifindex")})
        *(u64 *)(r7 + 32) = r1`;
      const prog = j.prog(9, on(kernel, "btf_trace_netif_receive_skb", abi.BPF_TRACE_RAW_TP), note);
      proc.rawTracepointOpen(prog);
      device.receive(frame());
      const ETH_P_IP_BE = 8n;
      const ifindex = BigInt(device.ifindex);
      expect([1, 2, 3, 4].map((n) => j.word(n))).toEqual([46n, ETH_P_IP_BE, ifindex, ifindex]);
    }));

  it("costs no memory while nobody looks", () =>
    withKernel((kernel) => {
      const device = kernel.net.addDevice({ leakEveryNth: 1 });
      const before = kernel.memory.allocatedBytes;
      for (let i = 0; i < 10; i++) device.send(frame());
      expect(device.leakedSkbs).toBe(10);
      expect(kernel.memory.allocatedBytes).toBe(before);
    }));
});

describe("the skb leak finder", () => {
  const traffic = (kernel: NetKernel, leakEveryNth: number, n: number) => {
    const [a, b] = kernel.net.addVethPair({ name: "a", leakEveryNth }, { name: "b" });
    for (let i = 0; i < n; i++) {
      a.send(frame());
      b.send(frame());
    }
    return a;
  };

  for (const engine of ["jit", "interp"] as const) {
    for (const [every, sent, leaks] of [
      [0, 500, 0],
      [7, 500, 71],
      [1, 20, 20],
      [501, 500, 0],
    ] as const) {
      it(`a driver that forgets ${every ? `every skb number ${every}` : "none"} of ${sent} (${engine})`, () =>
        withKernel(
          (kernel, proc) => {
            using finder = new LeakFinder(proc, DIR);
            const device = traffic(kernel, every, sent);
            expect(finder.olderThan(kernel.nowNs(), 100)).toEqual([]);
            kernel.advance(100n * MS);
            const stale = finder.olderThan(kernel.nowNs(), 100);
            expect([stale.length, device.leakedSkbs]).toEqual([leaks, leaks]);
            expect(new Set(stale.map((s) => s.address)).size).toBe(leaks);
          },
          { engine, clock: () => 1n },
        ));
    }
  }

  it("both objects have one map, and leave nothing", () =>
    withKernel((kernel, proc) => {
      const finder = new LeakFinder(proc, DIR);
      expect([kernel.maps.size, kernel.progs.size, kernel.links.size]).toEqual([1, 3, 3]);
      finder[Symbol.dispose]();
      expect([kernel.maps.size, kernel.progs.size, kernel.links.size]).toEqual([0, 0, 0]);
    }));
});
