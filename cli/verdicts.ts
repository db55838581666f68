/** What the return values of packet programs are called, and which let the packet go on. */
import * as abi from "../src/abi/bpf.ts";

export interface Verdicts {
  /** Name of a return value (u32). */
  name(verdict: number): string;
  /** Length of what goes on of a packet of `length` bytes; 0 = nothing does. */
  passes(verdict: number, length: number): number;
}

const XDP_NAMES = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"];

const TC_NAMES = [
  "TC_ACT_OK",
  "TC_ACT_RECLASSIFY",
  "TC_ACT_SHOT",
  "TC_ACT_PIPE",
  "TC_ACT_STOLEN",
  "TC_ACT_QUEUED",
  "TC_ACT_REPEAT",
  "TC_ACT_REDIRECT",
  "TC_ACT_TRAP",
];
const TC_GONE: ReadonlySet<number> = new Set(
  ["TC_ACT_SHOT", "TC_ACT_STOLEN", "TC_ACT_QUEUED", "TC_ACT_TRAP"].map((n) => TC_NAMES.indexOf(n)),
);

const XDP: Verdicts = {
  name: (v) => XDP_NAMES[v] ?? `invalid action ${v}`,
  passes: (v, length) => (v >= 2 && v <= 4 ? length : 0),
};

const TC: Verdicts = {
  name: (v) => (v === 0xffffffff ? "TC_ACT_UNSPEC" : (TC_NAMES[v] ?? `action ${v | 0}`)),
  passes: (v, length) => (TC_GONE.has(v) ? 0 : length),
};

/** A socket filter returns how many bytes the socket keeps. */
const SOCKET_FILTER: Verdicts = {
  name: (v) => (v === 0 ? "drop" : "keep"),
  passes: (v, length) => Math.min(v, length),
};

const CGROUP_SKB: Verdicts = {
  name: (v) => ["drop", "allow", "drop, congestion", "allow, congestion"][v] ?? `verdict ${v}`,
  passes: (v, length) => ((v & 1) !== 0 ? length : 0),
};

const LWT: Verdicts = {
  name: (v) => ({ 0: "BPF_OK", 2: "BPF_DROP", 7: "BPF_REDIRECT", 128: "BPF_LWT_REROUTE" })[v] ?? `verdict ${v}`,
  passes: (v, length) => (v === 2 ? 0 : length),
};

/** By program type; what is missing here sees no packets. */
export const VERDICTS: ReadonlyMap<number, Verdicts> = new Map([
  [abi.BPF_PROG_TYPE_XDP, XDP],
  [abi.BPF_PROG_TYPE_SCHED_CLS, TC],
  [abi.BPF_PROG_TYPE_SCHED_ACT, TC],
  [abi.BPF_PROG_TYPE_SOCKET_FILTER, SOCKET_FILTER],
  [abi.BPF_PROG_TYPE_CGROUP_SKB, CGROUP_SKB],
  [abi.BPF_PROG_TYPE_LWT_IN, LWT],
  [abi.BPF_PROG_TYPE_LWT_OUT, LWT],
  [abi.BPF_PROG_TYPE_LWT_XMIT, LWT],
]);
