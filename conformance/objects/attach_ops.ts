/** Operations of random sequences that attach: to cgroups, devices, namespaces, other programs' events. */
import * as abi from "../../src/abi/bpf.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Op } from "./ops.ts";
import { pick, type Scene } from "./scene.ts";

const { BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE, BPF_F_BEFORE, BPF_F_AFTER, BPF_F_REPLACE, BPF_F_PREORDER } = abi;
const CGROUP_FLAGS = [
  BPF_F_ALLOW_MULTI,
  BPF_F_ALLOW_MULTI,
  BPF_F_ALLOW_OVERRIDE,
  0,
  BPF_F_ALLOW_MULTI | BPF_F_PREORDER,
];
const ORDER = [0, 0, BPF_F_BEFORE, BPF_F_AFTER];

/** An fd of the process on the cgroup, opened if it has none; the caller closes it. */
function withCgroup<T>(scene: Scene, proc: ReturnType<Scene["proc"]>, n: number, body: (fd: Fd) => T): T {
  const fd = proc.openCgroup(scene.cgroup(n));
  try {
    return body(fd);
  } finally {
    proc.close(fd);
  }
}

const tcx = (n: number) => (n % 2 ? abi.BPF_TCX_INGRESS : abi.BPF_TCX_EGRESS);

export const ATTACH_OPS: readonly Op[] = [
  {
    name: "attach to a cgroup",
    weight: 3,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const progFd = scene.prog(proc, abi.BPF_PROG_TYPE_CGROUP_SKB, b);
      const replace = c % 7 === 0 ? { replaceFd: scene.prog(proc, abi.BPF_PROG_TYPE_CGROUP_SKB, c >> 3) } : {};
      const flags = pick(CGROUP_FLAGS, c)! | pick(ORDER, c >> 4)! | (c % 7 === 0 ? BPF_F_REPLACE : 0);
      const attachType = c % 3 ? abi.BPF_CGROUP_INET_EGRESS : abi.BPF_CGROUP_INET_INGRESS;
      withCgroup(scene, proc, c >> 6, (targetFd) =>
        proc.progAttach({ progFd, targetFd, attachType, flags, ...replace }),
      );
    },
  },
  {
    name: "detach from a cgroup",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const named = c % 4 ? { progFd: scene.prog(proc, abi.BPF_PROG_TYPE_CGROUP_SKB, b) } : {};
      const attachType = c % 3 ? abi.BPF_CGROUP_INET_EGRESS : abi.BPF_CGROUP_INET_INGRESS;
      withCgroup(scene, proc, c >> 4, (targetFd) => proc.progDetach({ ...named, targetFd, attachType }));
    },
  },
  {
    name: "link_create cgroup",
    weight: 3,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const progFd = scene.prog(proc, abi.BPF_PROG_TYPE_CGROUP_SKB, b);
      const attachType = c % 3 ? abi.BPF_CGROUP_INET_EGRESS : abi.BPF_CGROUP_INET_INGRESS;
      const flags = pick(ORDER, c >> 2)!;
      const hold = c % 5 === 0;
      withCgroup(scene, proc, c >> 4, (targetFd) => proc.linkCreate({ progFd, targetFd, attachType, flags, hold }));
    },
  },
  {
    name: "attach tcx without a link",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const targetIfindex = scene.device(c >> 3)?.ifindex ?? 77;
      const progFd = scene.prog(proc, abi.BPF_PROG_TYPE_SCHED_CLS, b);
      const replace = c % 5 === 0 ? { replaceFd: scene.prog(proc, abi.BPF_PROG_TYPE_SCHED_CLS, c >> 3) } : {};
      const flags = pick(ORDER, c >> 1)! | (c % 5 === 0 ? BPF_F_REPLACE : 0);
      proc.progAttach({ progFd, targetIfindex, attachType: tcx(c), flags, ...replace });
    },
  },
  {
    name: "detach tcx",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const targetIfindex = scene.device(c >> 3)?.ifindex ?? 77;
      const named = c % 4 ? { progFd: scene.prog(proc, abi.BPF_PROG_TYPE_SCHED_CLS, b) } : {};
      proc.progDetach({ ...named, targetIfindex, attachType: tcx(c), flags: pick(ORDER, c >> 1)! });
    },
  },
  {
    name: "attach to a network namespace",
    run(scene, a, b) {
      const proc = scene.proc(a);
      proc.progAttach({
        progFd: scene.prog(proc, abi.BPF_PROG_TYPE_FLOW_DISSECTOR, b),
        attachType: abi.BPF_FLOW_DISSECTOR,
      });
    },
  },
  {
    name: "detach from a network namespace",
    run(scene, a, b) {
      const proc = scene.proc(a);
      proc.progDetach({
        progFd: scene.prog(proc, abi.BPF_PROG_TYPE_FLOW_DISSECTOR, b),
        attachType: abi.BPF_FLOW_DISSECTOR,
      });
    },
  },
  {
    name: "link_create netns",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const progFd = scene.prog(proc, c % 2 ? abi.BPF_PROG_TYPE_FLOW_DISSECTOR : abi.BPF_PROG_TYPE_SK_LOOKUP, b);
      const targetFd = proc.openNetns();
      try {
        proc.linkCreate({ progFd, targetFd, attachType: c % 2 ? abi.BPF_FLOW_DISSECTOR : abi.BPF_SK_LOOKUP });
      } finally {
        proc.close(targetFd);
      }
    },
  },
  {
    name: "new network namespace",
    run(scene, a) {
      const netns = scene.kernel.newNetns();
      scene.proc(a).setNetns(netns);
      netns.put();
    },
  },
  {
    name: "share a network namespace",
    run: (scene, a, b) => scene.proc(a).setNetns(scene.proc(b).netns),
  },
  {
    name: "statistics",
    run: (scene, a) => void scene.proc(a).enableStats(),
  },
  {
    name: "perf event",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const target =
        c % 2
          ? ({ kind: "tracepoint", category: "sched", name: "sched_switch" } as const)
          : ({ kind: "kprobe", symbol: "__sys_bpf" } as const);
      proc.perfAttach(scene.prog(proc, abi.BPF_PROG_TYPE_KPROBE, b), target);
    },
  },
];
