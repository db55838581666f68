/**
 * The tracepoints that the simulated kernel passes, with the records of their events: what tracepoint programs get.
 *
 * A record is 8 bytes of common members, then the event's members, naturally aligned, then the strings that members of
 * type __data_loc point to (u32: length in the upper half, offset in the record in the lower).
 * Source   events/CATEGORY/NAME/format of tracefs on Linux 6.18.
 */
import type { Kernel } from "../kernel.ts";
import { SYSCALLS, type Syscall } from "./syscall_table.ts";

/** What a member shows: a number, or the text of a string. */
type Value = (kernel: Kernel, args: readonly bigint[]) => bigint | string;

interface Member {
  readonly name: string;
  /** As the format file has it. */
  readonly type: string;
  /** Bytes; arrays of char have more than 8. */
  readonly size: number;
  readonly value: Value;
}

export interface Tracepoint {
  readonly category: string;
  readonly name: string;
  readonly members: readonly Member[];
}

const COMMON_BYTES = 8;
const COMM_BYTES = 16;

const arg =
  (n: number): Value =>
  (_kernel, args) =>
    args[n] ?? 0n;
const pointer = (name: string, n: number): Member => ({ name, type: "void *", size: 8, value: arg(n) });
const number = (name: string, type: string, size: number, value: Value): Member => ({ name, type, size, value });
const text = (name: string, value: Value): Member => ({ name, type: "__data_loc char[]", size: 4, value });
const comm = (name: string, n: number): Member => ({
  name,
  type: "char[16]",
  size: COMM_BYTES,
  value: (k, args) => k.structs.readText("task_struct", Number(args[n] ?? 0n), "comm"),
});
/** A member of the object whose address is the nth argument. */
const of =
  (n: number, struct: string, path: string): Value =>
  (k, args) =>
    k.structs.read(struct, Number(args[n] ?? 0n), path);
const deviceOf =
  (n: number): Value =>
  (k, args) =>
    k.structs.readText("net_device", Number(k.structs.read("sk_buff", Number(args[n] ?? 0n), "dev")), "name");
const deviceName =
  (n: number): Value =>
  (k, args) =>
    k.structs.readText("net_device", Number(args[n] ?? 0n), "name");
const swap16 = (v: bigint): bigint => ((v & 0xffn) << 8n) | ((v >> 8n) & 0xffn);

function textAt({ memory }: Kernel, at: number): string {
  return new TextDecoder().decode(memory.u8.slice(at, memory.u8.indexOf(0, at)));
}

/** DECLARE_EVENT_CLASS(net_dev_template). */
const NET_DEV = [
  pointer("skbaddr", 0),
  number("len", "unsigned int", 4, of(0, "sk_buff", "len")),
  text("name", deviceOf(0)),
];

/** What bpf_trace_printk() passes. */
export const PRINTK: Tracepoint = {
  category: "bpf_trace",
  name: "bpf_trace_printk",
  members: [text("bpf_string", (k, a) => textAt(k, Number(a[0] ?? 0n)))],
};

const EVENTS: readonly Tracepoint[] = [
  PRINTK,
  {
    category: "skb",
    name: "kfree_skb",
    members: [
      pointer("skbaddr", 0),
      pointer("location", 1),
      pointer("rx_sk", 3),
      number("protocol", "unsigned short", 2, (k, a) =>
        swap16(k.structs.read("sk_buff", Number(a[0] ?? 0n), "protocol")),
      ),
      number("reason", "enum skb_drop_reason", 4, arg(2)),
    ],
  },
  { category: "skb", name: "consume_skb", members: [pointer("skbaddr", 0), pointer("location", 1)] },
  { category: "net", name: "netif_receive_skb", members: NET_DEV },
  { category: "net", name: "netif_rx", members: NET_DEV },
  { category: "net", name: "net_dev_queue", members: NET_DEV },
  {
    category: "net",
    name: "net_dev_xmit",
    members: [
      pointer("skbaddr", 0),
      number("len", "unsigned int", 4, arg(3)),
      number("rc", "int", 4, arg(1)),
      text("name", deviceName(2)),
    ],
  },
  {
    category: "sched",
    name: "sched_switch",
    members: [
      comm("prev_comm", 1),
      number("prev_pid", "pid_t", 4, of(1, "task_struct", "pid")),
      number("prev_prio", "int", 4, of(1, "task_struct", "prio")),
      number("prev_state", "long", 8, arg(3)),
      comm("next_comm", 2),
      number("next_pid", "pid_t", 4, of(2, "task_struct", "pid")),
      number("next_prio", "int", 4, of(2, "task_struct", "prio")),
    ],
  },
  {
    category: "sched",
    name: "sched_process_fork",
    members: [
      text("parent_comm", (k, a) => k.structs.readText("task_struct", Number(a[0] ?? 0n), "comm")),
      number("parent_pid", "pid_t", 4, of(0, "task_struct", "pid")),
      text("child_comm", (k, a) => k.structs.readText("task_struct", Number(a[1] ?? 0n), "comm")),
      number("child_pid", "pid_t", 4, of(1, "task_struct", "pid")),
    ],
  },
  {
    category: "sched",
    name: "sched_process_exec",
    members: [
      text("filename", (k, a) => k.structs.readText("task_struct", Number(a[0] ?? 0n), "comm")),
      number("pid", "pid_t", 4, of(0, "task_struct", "pid")),
      number("old_pid", "pid_t", 4, arg(1)),
    ],
  },
  {
    category: "sched",
    name: "sched_process_exit",
    members: [
      comm("comm", 0),
      number("pid", "pid_t", 4, of(0, "task_struct", "pid")),
      number("prio", "int", 4, of(0, "task_struct", "prio")),
      number("group_dead", "bool", 1, arg(1)),
    ],
  },
  {
    category: "raw_syscalls",
    name: "sys_enter",
    members: [
      number("id", "long", 8, arg(1)),
      // What the event reads of the registers; tracepoint() gets them behind the prototype's arguments.
      ...[0, 1, 2, 3, 4, 5].map((n) => number(`args[${n}]`, "unsigned long", 8, arg(2 + n))),
    ],
  },
  {
    category: "raw_syscalls",
    name: "sys_exit",
    members: [number("id", "long", 8, arg(2)), number("ret", "long", 8, arg(1))],
  },
];

/** syscalls:sys_enter_NAME; arguments: the number, then those of the call. */
function enterEvent(call: Syscall): Tracepoint {
  return {
    category: "syscalls",
    name: `sys_enter_${call.name}`,
    members: [
      number("__syscall_nr", "int", 8, (_k, a) => BigInt.asUintN(32, a[0] ?? 0n)),
      ...call.args.map((name, n) => number(name, "unsigned long", 8, arg(1 + n))),
    ],
  };
}

function exitEvent(call: Syscall): Tracepoint {
  return {
    category: "syscalls",
    name: `sys_exit_${call.name}`,
    members: [
      number("__syscall_nr", "int", 8, (_k, a) => BigInt.asUintN(32, a[0] ?? 0n)),
      number("ret", "long", 8, arg(1)),
    ],
  };
}

/** Every event that the simulated kernel has. */
export const TRACEPOINTS: ReadonlyMap<string, Tracepoint> = new Map(
  [...EVENTS, ...SYSCALLS.flatMap((call) => [enterEvent(call), exitEvent(call)])].map((t) => [
    `${t.category}/${t.name}`,
    t,
  ]),
);

export function findTracepoint(category: string, name: string): Tracepoint | undefined {
  return TRACEPOINTS.get(`${category}/${name}`);
}

/** Bytes of an event's record without its strings (trace_event_get_offsets()). */
export function recordBytes(category: string, name: string): number {
  const event = findTracepoint(category, name);
  return event ? layout(event).fixed : 0;
}

/** The record of one event, as its program sees it. */
export function writeRecord(kernel: Kernel, event: Tracepoint, args: readonly bigint[]): Uint8Array {
  const { fixed, offsets } = layout(event);
  const strings: number[] = [];
  const head = new Uint8Array(fixed);
  const view = new DataView(head.buffer);
  event.members.forEach((member, i) => {
    const at = offsets[i]!;
    const value = member.value(kernel, args);
    if (typeof value === "bigint") {
      for (let b = 0; b < member.size; b++) head[at + b] = Number((BigInt.asUintN(64, value) >> BigInt(8 * b)) & 0xffn);
    } else if (member.size === 4) {
      const bytes = new TextEncoder().encode(`${value}\0`);
      view.setUint32(at, ((bytes.length << 16) | (fixed + strings.length)) >>> 0, true);
      strings.push(...bytes);
    } else {
      head.set(new TextEncoder().encode(value).subarray(0, member.size - 1), at);
    }
  });
  return Uint8Array.from([...head, ...strings]);
}

function layout(event: Tracepoint): { fixed: number; offsets: readonly number[] } {
  let at = COMMON_BYTES;
  const offsets = event.members.map(({ size, type }) => {
    const align = type.startsWith("char[") ? 1 : Math.min(size, 8);
    at = Math.ceil(at / align) * align;
    const own = at;
    at += size;
    return own;
  });
  return { fixed: at, offsets };
}
