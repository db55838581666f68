import { expect, test } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { findSecDef, SEC_DEFS } from "../../src/progs/sec.ts";

test.each([
  ["xdp", abi.BPF_PROG_TYPE_XDP, abi.BPF_XDP],
  ["xdp.frags/devmap", abi.BPF_PROG_TYPE_XDP, abi.BPF_XDP_DEVMAP],
  ["tc", abi.BPF_PROG_TYPE_SCHED_CLS, 0],
  ["tcx/egress", abi.BPF_PROG_TYPE_SCHED_CLS, abi.BPF_TCX_EGRESS],
  ["kprobe", abi.BPF_PROG_TYPE_KPROBE, 0],
  ["kprobe/do_sys_open", abi.BPF_PROG_TYPE_KPROBE, 0],
  ["kprobe.multi/tcp_*", abi.BPF_PROG_TYPE_KPROBE, abi.BPF_TRACE_KPROBE_MULTI],
  ["usdt/./a.out:p:n", abi.BPF_PROG_TYPE_KPROBE, abi.BPF_TRACE_UPROBE_MULTI],
  ["tp/sched/sched_switch", abi.BPF_PROG_TYPE_TRACEPOINT, 0],
  ["tp_btf/task_newtask", abi.BPF_PROG_TYPE_TRACING, abi.BPF_TRACE_RAW_TP],
  ["lsm.s/bpf", abi.BPF_PROG_TYPE_LSM, abi.BPF_LSM_MAC],
  ["iter/task", abi.BPF_PROG_TYPE_TRACING, abi.BPF_TRACE_ITER],
  ["cgroup_skb/ingress", abi.BPF_PROG_TYPE_CGROUP_SKB, abi.BPF_CGROUP_INET_INGRESS],
  ["cgroup/connect4", abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, abi.BPF_CGROUP_INET4_CONNECT],
  ["struct_ops.s/init", abi.BPF_PROG_TYPE_STRUCT_OPS, 0],
  ["netfilter", abi.BPF_PROG_TYPE_NETFILTER, abi.BPF_NETFILTER],
  ["sk_skb/verdict", abi.BPF_PROG_TYPE_SK_SKB, abi.BPF_SK_SKB_VERDICT],
])("%s", (section, type, attachType) => {
  expect(findSecDef(section)).toMatchObject({ type, attachType });
});

test.each([
  "xdp2",
  "xdp/anything",
  "kprobes/x",
  "classifier/a",
  "cgroup/",
  "",
  "sk_skb/none",
])("'%s' is no section", (section) => {
  expect(findSecDef(section)).toBeUndefined();
});

test("sleepable sections ask for a sleepable program", () => {
  for (const d of SEC_DEFS) {
    expect([d.pattern, (d.progFlags & abi.BPF_F_SLEEPABLE) !== 0]).toEqual([d.pattern, d.sleepable]);
    if (/\.s\+?$/.test(d.pattern)) expect(d.sleepable).toBe(true);
  }
});
