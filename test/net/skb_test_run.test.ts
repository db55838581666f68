/** BPF_PROG_TEST_RUN of programs on socket buffers, and what the skb helpers do to a packet. */
import {
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_FLOW_DISSECTOR,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_SCHED_ACT,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SOCKET_FILTER,
} from "../../src/abi/bpf.ts";
import { type ProgCase, progTests } from "../support/progs.ts";

const tc = BPF_PROG_TYPE_SCHED_CLS;
const ETH = "020000000001" + "020000000002";
const UDP4 = `${ETH}08004500002a1234400040110000c0a80001c0a80102138800350016000068656c6c6f2c20776f726c642121`;
const UDP6 =
  `${ETH}86dd` +
  "6000000000161140" +
  "20010db8000000000000000000000001" +
  "20010db8000000000000000000000002" +
  "1388003500160000" +
  "68656c6c6f2c20776f726c642121";
const VLAN = `${ETH}81002064${UDP4.slice(24)}`;
const QINQ = `${ETH}88a8000781002064${UDP4.slice(24)}`;
const ARP = `${ETH}0806${"00".repeat(46)}`;
const PACKETS = [UDP4, UDP6, VLAN, ARP].map((dataIn) => ({ dataIn }));

const u32 = (...words: number[]) =>
  words
    .map((w) =>
      (w >>> 0)
        .toString(16)
        .padStart(8, "0")
        .replace(/(..)(..)(..)(..)/, "$4$3$2$1"),
    )
    .join("");
/** struct __sk_buff with some words set. */
const ctx = (set: Record<number, number>, words = 48) => u32(...Array.from({ length: words }, (_, i) => set[i] ?? 0));

const fields = {
  len: 0,
  pkt_type: 4,
  queue_mapping: 12,
  protocol: 16,
  vlan_present: 20,
  vlan_tci: 24,
  vlan_proto: 28,
  ifindex: 40,
  ingress_ifindex: 36,
  tc_index: 44,
  tc_classid: 72,
  family: 88,
  remote_ip4: 92,
  local_ip4: 96,
  remote_port: 132,
  local_port: 136,
  wire_len: 160,
  gso_segs: 164,
  gso_size: 176,
};

const read = (type: number, field: keyof typeof fields): ProgCase => ({
  name: `type ${type} reads ${field}`,
  type,
  asm: `r0 = *(u32 *)(r1 + ${fields[field]})\nexit`,
  runs: PACKETS,
});

const tcRead: (keyof typeof fields)[] = [
  "len",
  "pkt_type",
  "queue_mapping",
  "protocol",
  "vlan_present",
  "vlan_tci",
  "vlan_proto",
  "ifindex",
  "ingress_ifindex",
  "tc_index",
  "tc_classid",
  "wire_len",
  "gso_segs",
  "gso_size",
];

/** Calls a helper with r1 = ctx; the result and then the fields that say what the packet is like now. */
const edit = (name: string, call: string, runs = PACKETS): ProgCase => ({
  name,
  type: tc,
  asm: `
    r6 = r1
    ${call}
    r7 = r0
    r1 = *(u32 *)(r6 + 16)
    *(u32 *)(r6 + 48) = r1
    r1 = *(u32 *)(r6 + 20)
    *(u32 *)(r6 + 52) = r1
    r1 = *(u32 *)(r6 + 24)
    *(u32 *)(r6 + 56) = r1
    r1 = *(u32 *)(r6 + 0)
    *(u32 *)(r6 + 60) = r1
    r1 = *(u32 *)(r6 + 80)
    r2 = *(u32 *)(r6 + 76)
    r1 -= r2
    *(u32 *)(r6 + 64) = r1
    r0 = r7
    exit`,
  runs: runs.map((r) => ({ ...r, ctxIn: ctx({}) })),
});

const helper = (name: string, ...args: (number | string)[]): string =>
  `r1 = r6\n${args.map((a, i) => `r${i + 2} = ${a}`).join("\n")}\ncall ${name}`;

const cases: ProgCase[] = [
  {
    name: "sizes of packets",
    type: tc,
    asm: "r0 = 0\nexit",
    runs: [0, 13, 14, 15, 33, 34, 3712, 3713, 4000].map((n) => ({
      dataIn: `${UDP4}${"00".repeat(4000)}`.slice(0, 2 * n),
    })),
  },
  {
    name: "short IPv6",
    type: tc,
    asm: "r0 = 0\nexit",
    runs: [{ dataIn: UDP6.slice(0, 2 * 53) }, { dataIn: UDP6.slice(0, 2 * 54) }],
  },
  {
    name: "flags, cpu, batch",
    type: tc,
    asm: "r0 = 0\nexit",
    runs: [
      { dataIn: UDP4, flags: 1 },
      { dataIn: UDP4, flags: 2 },
      { dataIn: UDP4, flags: 4 },
      { dataIn: UDP4, cpu: 1 },
      { dataIn: UDP4, batchSize: 1 },
    ],
  },
  ...tcRead.map((f) => read(tc, f)),
  ...(["len", "protocol", "pkt_type"] as const).map((f) => read(BPF_PROG_TYPE_SOCKET_FILTER, f)),
  ...(["len", "protocol", "family", "remote_ip4", "local_ip4", "remote_port", "local_port"] as const)
    .map((f) => read(BPF_PROG_TYPE_CGROUP_SKB, f))
    .map((c) => ({ ...c, expectedAttachType: 1, asm: c.asm.replace("exit", "r0 &= 3\nexit") })),
  read(BPF_PROG_TYPE_SCHED_ACT, "len"),
  { ...read(BPF_PROG_TYPE_LWT_IN, "len"), asm: "r0 = *(u32 *)(r1 + 0)\nr0 &= 1\nexit" },
  {
    name: "ctx_in and ctx_out",
    type: tc,
    asm: `
      r2 = *(u32 *)(r1 + 8)
      r2 += 1
      *(u32 *)(r1 + 8) = r2
      r0 = *(u32 *)(r1 + 48)
      *(u32 *)(r1 + 64) = r0
      r2 = 7
      *(u32 *)(r1 + 32) = r2
      r0 = *(u32 *)(r1 + 160)
      exit`,
    runs: [
      { dataIn: UDP4, ctxIn: ctx({ 2: 41, 8: 5, 12: 99 }) },
      { dataIn: UDP4, ctxIn: ctx({ 0: 1 }) },
      { dataIn: UDP4, ctxIn: ctx({ 4: 8 }) },
      { dataIn: UDP4, ctxIn: ctx({ 9: 3 }) },
      { dataIn: UDP4, ctxIn: ctx({ 10: 1 }) },
      { dataIn: UDP4, ctxIn: ctx({ 10: 77777 }) },
      { dataIn: UDP4, ctxIn: ctx({ 11: 1 }) },
      { dataIn: UDP4, ctxIn: ctx({ 17: 1 }) },
      { dataIn: UDP4, ctxIn: ctx({ 38: 5, 39: 6 }) },
      { dataIn: UDP4, ctxIn: ctx({ 40: 10 }) },
      { dataIn: UDP4, ctxIn: ctx({ 40: 100 }) },
      { dataIn: UDP4, ctxIn: ctx({ 40: 70000 }) },
      { dataIn: UDP4, ctxIn: ctx({ 41: 3, 44: 100 }) },
      { dataIn: UDP4, ctxIn: ctx({ 41: 70000 }) },
      { dataIn: UDP4, ctxIn: ctx({ 46: 3, 47: 4 }) },
      { dataIn: UDP4, ctxIn: ctx({ 48: 1 }, 49) },
      { dataIn: UDP4, ctxIn: ctx({ 2: 3 }, 4) },
    ],
  },
  {
    name: "direct packet access",
    type: tc,
    asm: `
      r2 = *(u32 *)(r1 + 76)
      r3 = *(u32 *)(r1 + 80)
      r4 = r2
      r4 += 14
      r0 = -1
      if r4 > r3 goto out
      r0 = *(u16 *)(r2 + 12)
      *(u8 *)(r2 + 5) = 9
    out:
      exit`,
    runs: PACKETS,
  },
  {
    name: "legacy loads",
    type: BPF_PROG_TYPE_SOCKET_FILTER,
    asm: "r6 = r1\nr7 = 2\nr0 = *(u16 *)skb[r7 + 10]\nr8 = r0\nr0 = *(u8 *)skb[0]\nr8 += r0\nr0 = *(u32 *)skb[16]\nr0 += r8\nexit",
    runs: [...PACKETS, { dataIn: UDP4.slice(0, 2 * 34) }],
  },
  {
    name: "a legacy load outside ends the program with 0",
    type: BPF_PROG_TYPE_SOCKET_FILTER,
    asm: "r6 = r1\nr0 = *(u32 *)skb[100]\nr0 = 5\nexit",
    runs: PACKETS,
  },
  {
    name: "legacy loads with negative offsets",
    type: tc,
    asm: "r6 = r1\nr0 = *(u16 *)skb[-2097140]\nr7 = r0\nr0 = *(u8 *)skb[-1048576]\nr7 <<= 8\nr0 |= r7\nexit",
    runs: PACKETS,
  },
  ...[0, 10, 40, 52, 53, 60, 0x7fffffff].map(
    (off): ProgCase => ({
      name: `load_bytes at ${off}`,
      type: tc,
      asm: `r2 = ${off}\nr3 = r10\nr3 += -8\nr4 = 4\ncall skb_load_bytes\nr1 = *(u32 *)(r10 - 8)\nif r0 == 0 goto ok\nr1 <<= 8\nr1 |= 1\nok:\nr0 = r1\nexit`,
      runs: [{ dataIn: UDP4 }],
    }),
  ),
  ...[
    [0, 0],
    [12, 0],
    [0, 1],
    [16, 1],
    [38, 1],
    [40, 1],
    [0, 2],
  ].map(
    ([off, base]): ProgCase => ({
      name: `load_bytes_relative ${off} from ${base}`,
      type: tc,
      asm: `r2 = ${off}\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = ${base}\ncall skb_load_bytes_relative\nr1 = *(u32 *)(r10 - 8)\nif r0 == 0 goto ok\nr1 <<= 8\nr1 |= 1\nok:\nr0 = r1\nexit`,
      runs: [{ dataIn: UDP4 }],
    }),
  ),
  ...[
    [0, 0],
    [53, 0],
    [52, 1],
    [10, 3],
    [10, 4],
    [51, 2],
  ].map(
    ([off, flags]): ProgCase => ({
      name: `store_bytes at ${off}, flags ${flags}`,
      type: tc,
      asm: `*(u64 *)(r10 - 8) = 0x11223344\nr2 = ${off}\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = ${flags}\ncall skb_store_bytes\nexit`,
      runs: [{ dataIn: UDP4 }, { dataIn: UDP4, flags: 4 }],
    }),
  ),
  ...[
    [24, 0x0a00, 0x0b00, 2],
    [24, 0x01020304, 0x05060708, 4],
    [24, 0, 0x1234, 0],
    [24, 1, 0x1234, 0],
    [24, 0, 0, 3],
    [25, 0, 0, 2],
    [24, 0, 0, 0x12],
    [56, 0, 0, 2],
  ].map(
    (a): ProgCase => ({
      name: `l3_csum_replace ${a}`,
      type: tc,
      asm: `r6 = r1\n${helper("l3_csum_replace", ...a)}\nexit`,
      runs: [{ dataIn: UDP4 }],
    }),
  ),
  ...[
    [40, 0x0a00, 0x0b00, 2],
    [40, 0x01020304, 0x05060708, 4],
    [40, 0x01020304, 0x05060708, 0x14],
    [40, 0x01020304, 0x05060708, 0x34],
    [40, 0x01020304, 0x05060708, 0x74],
    [40, 0, 0xffff, 0x10],
    [40, 0, 0, 0x60],
    [40, 1, 5, 0],
    [40, 1, 5, 6],
    [41, 1, 5, 2],
    [40, 1, 5, 0x1002],
  ].map(
    (a): ProgCase => ({
      name: `l4_csum_replace ${a}`,
      type: tc,
      asm: `r6 = r1\n${helper("l4_csum_replace", ...a)}\nexit`,
      runs: [{ dataIn: UDP4 }],
    }),
  ),
  ...[
    [8, 8, 0],
    [8, 0, 5],
    [0, 8, 5],
    [8, 4, 0x12345678],
    [0, 0, 7],
    [4, 8, -1],
  ].map(
    ([from, to, seed]): ProgCase => ({
      name: `csum_diff ${from} ${to} ${seed}`,
      type: tc,
      asm: `
        r1 = 0x0102030405060708 ll
        *(u64 *)(r10 - 8) = r1
        r1 = 0xf1e2d3c4b5a69788 ll
        *(u64 *)(r10 - 16) = r1
        r1 = r10
        r1 += -8
        r2 = ${from}
        r3 = r10
        r3 += -16
        r4 = ${to}
        w5 = ${seed}
        call csum_diff
        exit`,
      runs: [{ dataIn: UDP4 }],
    }),
  ),
  {
    name: "csum_update without CHECKSUM_COMPLETE",
    type: tc,
    asm: "r2 = 5\ncall csum_update\nexit",
    runs: [{ dataIn: UDP4 }],
  },
  {
    name: "csum_update with CHECKSUM_COMPLETE breaks the sum",
    type: tc,
    asm: "r2 = 5\ncall csum_update\nexit",
    runs: [{ dataIn: UDP4, flags: 4 }],
  },
  ...[0, 1, 2, 3, 4].map(
    (level): ProgCase => ({
      name: `csum_level ${level}`,
      type: tc,
      asm: `r6 = r1\nr2 = 1\ncall csum_level\nr1 = r6\nr2 = ${level}\ncall csum_level\nr7 = r0\nr1 = r6\nr2 = 0\ncall csum_level\nr0 <<= 8\nr0 += r7\nexit`,
      runs: [{ dataIn: UDP4 }],
    }),
  ),
  edit("vlan_push", helper("skb_vlan_push", 0x0081, 0x123)),
  edit("vlan_push twice", `${helper("skb_vlan_push", 0x0081, 0x123)}\n${helper("skb_vlan_push", 0xa888, 0x456)}`),
  edit("vlan_push of an unknown protocol", helper("skb_vlan_push", 0x1234, 1)),
  edit("vlan_pop", helper("skb_vlan_pop"), [...PACKETS, { dataIn: QINQ }]),
  edit("vlan_pop twice", `${helper("skb_vlan_pop")}\n${helper("skb_vlan_pop")}`, [...PACKETS, { dataIn: QINQ }]),
  edit("vlan push and pop", `${helper("skb_vlan_push", 0x0081, 0x123)}\n${helper("skb_vlan_pop")}`),
  ...[0, 3, 4, -1].map((n) => edit(`change_type ${n}`, helper("skb_change_type", n))),
  edit("change_proto to IPv6", helper("skb_change_proto", 0xdd86, 0)),
  edit("change_proto to IPv4", helper("skb_change_proto", 0x0008, 0)),
  edit("change_proto with flags", helper("skb_change_proto", 0x0008, 1)),
  ...[0, 13, 14, 20, 56, 100, 1500, 16064, 16065].map((n) => edit(`change_tail ${n}`, helper("skb_change_tail", n, 0))),
  edit("change_tail with flags", helper("skb_change_tail", 20, 1)),
  ...[0, 1, 14, 200, 3000, 16000, 16100, -1].map((n) => edit(`change_head ${n}`, helper("skb_change_head", n, 0))),
  ...[
    [20, 0, 0],
    [20, 1, 0],
    [-8, 0, 0],
    [-8, 1, 0],
    [-20, 1, 0],
    [-23, 1, 0],
    [4095, 0, 0],
    [4096, 0, 0],
    [20, 2, 0],
    [20, 1, 2],
    [40, 1, 4],
    [28, 1, 2 + 16],
    [24, 1, 2 + 8],
    [20, 1, 6],
    [34, 1, 2 + 64],
    [-20, 1, 128],
    [-10, 1, 256],
    [20, 1, 128],
    [20, 0, 512],
    [8, 0, 32],
    [-4, 1, 2],
  ].map((a) => edit(`adjust_room ${a}`, helper("skb_adjust_room", ...a))),
  edit(
    "adjust_room twice with encapsulation",
    `${helper("skb_adjust_room", 20, 1, 2)}\n${helper("skb_adjust_room", 20, 1, 2)}`,
  ),
  edit("adjust_room with inner MAC", `r1 = r6\nr2 = 34\nr3 = 1\nr4 = 0x0e00000000000042 ll\ncall skb_adjust_room`),
  ...[0, 20, 56, 57].map((n) => edit(`pull_data ${n}`, helper("skb_pull_data", n))),
  edit("set_hash", `${helper("set_hash", 0x1234)}\n${helper("get_hash_recalc")}`),
  edit("ecn_set_ce without ECT", helper("skb_ecn_set_ce")),
  edit("ecn_set_ce", helper("skb_ecn_set_ce"), [
    { dataIn: UDP4.replace("4500002a", "4502002a") },
    { dataIn: UDP4.replace("4500002a", "4503002a") },
    { dataIn: UDP6.replace("60000000", "60200000") },
    { dataIn: UDP6.replace("60000000", "60300000") },
  ]),
  edit("redirect", "r1 = 1\nr2 = 0\ncall redirect"),
  edit("redirect with flags", "r1 = 1\nr2 = 2\ncall redirect"),
  edit("redirect_peer", "r1 = 1\nr2 = 0\ncall redirect_peer"),
  edit("redirect_neigh", "r1 = 1\nr2 = 0\nr3 = 0\nr4 = 0\ncall redirect_neigh"),
  edit("redirect_neigh with flags", "r1 = 1\nr2 = 0\nr3 = 0\nr4 = 1\ncall redirect_neigh"),
  edit("clone_redirect to nowhere", helper("clone_redirect", 77777, 0)),
  edit("clone_redirect with flags", helper("clone_redirect", 1, 2)),
  edit("get_cgroup_classid", helper("get_cgroup_classid")),
  edit("get_route_realm", helper("get_route_realm")),
  edit(
    "sk_lookup_tcp finds nothing",
    `*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0\nr1 = r6\nr2 = r10\nr2 += -16\nr3 = 12\nr4 = -1\nr5 = 0\ncall sk_lookup_tcp\nif r0 == 0 goto none\nr1 = r0\ncall sk_release\nr0 = 7\nnone:`,
  ),
  {
    name: "flow dissector",
    type: BPF_PROG_TYPE_FLOW_DISSECTOR,
    asm: `
      r2 = *(u64 *)(r1 + 144)
      r0 = *(u32 *)(r2 + 48)
      *(u16 *)(r2 + 2) = 400
      *(u8 *)(r2 + 9) = 17
      r0 = 0
      exit`,
    runs: [
      ...PACKETS,
      { dataIn: UDP4, ctxIn: u32(...Array(12).fill(0), 1, 0) },
      { dataIn: UDP4, ctxIn: u32(1, ...Array(13).fill(0)) },
      { dataIn: UDP4.slice(0, 20) },
    ],
  },
];

progTests("skb test runs", new URL("skb_test_run.json", import.meta.url), cases);
