/** Helper bodies that any program type may call, against Linux 6.18. */
import * as abi from "../../src/abi/bpf.ts";
import { type ProgCase, progTests } from "../support/progs.ts";

const type = abi.BPF_PROG_TYPE_SCHED_CLS;
const dataIn = `020000000001${"020000000002"}0806${"00".repeat(46)}`;
const runs = [{ dataIn }];

/** A string on the stack below `at`, NUL-terminated and padded with zeros; returns its size. */
function onStack(text: string, at = 64): { code: string; size: number } {
  const bytes = [...new TextEncoder().encode(text), 0];
  while (bytes.length % 8) bytes.push(0);
  const code: string[] = [];
  for (let i = 0; i < bytes.length; i += 8) {
    const word = bytes.slice(i, i + 8).reduceRight((n, b) => (n << 8n) | BigInt(b), 0n);
    code.push(`r1 = 0x${word.toString(16)} ll`, `*(u64 *)(r10 - ${at - i}) = r1`);
  }
  return { code: code.join("\n"), size: text.length + 1 };
}

const parse = (name: "strtol" | "strtoul", text: string, flags: number | string): ProgCase => {
  const s = onStack(text, 128);
  return {
    name: `${name}(${JSON.stringify(text)}, ${flags})`,
    type,
    asm: `
      ${s.code}
      *(u64 *)(r10 - 8) = 0
      r1 = r10
      r1 += -128
      r2 = ${s.size}
      r3 = ${flags}
      r4 = r10
      r4 += -8
      call ${name}
      r1 = *(u64 *)(r10 - 8)
      r2 = r1
      r2 >>= 32
      r1 += r2
      r1 <<= 8
      r0 += r1
      exit`,
    runs,
  };
};

const dynptr = (name: string, body: string): ProgCase => ({
  name,
  type,
  // A dynptr over 16 bytes of an array map's value at r10-16, filled with 0x1122334455667788.
  maps: { m: [abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1] },
  asm: `
    *(u32 *)(r10 - 4) = 0
    r1 = map[m] ll
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = 0x1122334455667788 ll
    *(u64 *)(r0 + 0) = r1
    *(u64 *)(r0 + 8) = r1
    r1 = r0
    r2 = 16
    r3 = 0
    r4 = r10
    r4 += -32
    call dynptr_from_mem
    if r0 != 0 goto out
    ${body}
  out:
    exit`,
  runs,
});

const INTEGERS = [
  "0",
  "12",
  " 12",
  "\t-12",
  "-",
  "",
  "0x1f",
  "0X1F",
  "0x",
  "0xg",
  "017",
  "08",
  "1g",
  "12abc",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "-9223372036854775809",
  "18446744073709551615",
  "18446744073709551616",
  "+5",
  "ff",
];

const cases: ProgCase[] = [
  ...INTEGERS.flatMap((t) => [0, 10, 16].flatMap((f) => [parse("strtol", t, f), parse("strtoul", t, f)])),
  parse("strtol", "777", 8),
  parse("strtol", "7", 7),
  parse("strtol", "7", 42),
  {
    name: "probe_read of bad addresses zeroes the buffer",
    type: abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
    asm: `
      *(u64 *)(r10 - 8) = -1
      r1 = r10
      r1 += -8
      r2 = 8
      r3 = 16
      call probe_read_kernel
      r6 = r0
      r1 = *(u64 *)(r10 - 8)
      r6 += r1
      *(u64 *)(r10 - 8) = -1
      r1 = r10
      r1 += -8
      r2 = 8
      r3 = 0xdead000000000000 ll
      call probe_read_kernel_str
      r6 += r0
      r1 = *(u64 *)(r10 - 8)
      r6 += r1
      r0 = r6
      exit`,
    runs: [{ plain: true }],
  },
  {
    name: "probe_read_kernel_str copies with the NUL",
    type: abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
    asm: `
      r1 = 0x0000006f6c6c6568 ll
      *(u64 *)(r10 - 8) = r1
      *(u64 *)(r10 - 16) = -1
      r1 = r10
      r1 += -16
      r2 = 8
      r3 = r10
      r3 += -8
      call probe_read_kernel_str
      r6 = r0
      r1 = r10
      r1 += -16
      r2 = 3
      r3 = r10
      r3 += -8
      call probe_read_kernel_str
      r6 <<= 8
      r6 |= r0
      r0 = *(u32 *)(r10 - 16)
      r6 <<= 32
      r0 += r6
      r0 >>= 16
      exit`,
    runs: [{ plain: true }],
  },
  {
    name: "queue: push, peek, pop",
    type,
    maps: { q: [abi.BPF_MAP_TYPE_QUEUE, 0, 4, 2] },
    asm: `
      *(u32 *)(r10 - 4) = 7
      r1 = map[q] ll
      r2 = r10
      r2 += -4
      r3 = 0
      call map_push_elem
      r6 = r0
      *(u32 *)(r10 - 4) = 9
      r1 = map[q] ll
      r2 = r10
      r2 += -4
      r3 = 0
      call map_push_elem
      r6 += r0
      r1 = map[q] ll
      r2 = r10
      r2 += -4
      r3 = 0
      call map_push_elem
      r6 += r0
      r1 = map[q] ll
      r2 = r10
      r2 += -8
      call map_pop_elem
      r6 += r0
      r0 = *(u32 *)(r10 - 8)
      r6 <<= 8
      r6 += r0
      r0 = r6
      exit`,
    runs: [{ dataIn }, { dataIn }],
  },
  dynptr(
    "dynptr_read",
    `
    r1 = r10
    r1 += -40
    r2 = 4
    r3 = r10
    r3 += -32
    r4 = 2
    r5 = 0
    call dynptr_read
    r1 = *(u32 *)(r10 - 40)
    r0 += r1`,
  ),
  dynptr(
    "dynptr_read beyond the end",
    `
    r1 = r10
    r1 += -40
    r2 = 8
    r3 = r10
    r3 += -32
    r4 = 9
    r5 = 0
    call dynptr_read`,
  ),
  dynptr(
    "dynptr_read with flags",
    `
    r1 = r10
    r1 += -40
    r2 = 8
    r3 = r10
    r3 += -32
    r4 = 0
    r5 = 1
    call dynptr_read`,
  ),
  dynptr(
    "dynptr_write, then data",
    `
    *(u64 *)(r10 - 48) = 0x55
    r1 = r10
    r1 += -32
    r2 = 1
    r3 = r10
    r3 += -48
    r4 = 2
    r5 = 0
    call dynptr_write
    r6 = r0
    r1 = r10
    r1 += -32
    r2 = 0
    r3 = 8
    call dynptr_data
    if r0 == 0 goto out
    r0 = *(u32 *)(r0 + 0)
    r0 += r6`,
  ),
  dynptr(
    "dynptr_data beyond the end",
    `
    r1 = r10
    r1 += -32
    r2 = 12
    r3 = 8
    call dynptr_data
    if r0 == 0 goto out
    r0 = 1`,
  ),
  {
    name: "dynptr_from_mem with flags",
    type,
    maps: { m: [abi.BPF_MAP_TYPE_ARRAY, 4, 16, 1] },
    asm: `
      *(u32 *)(r10 - 4) = 0
      r1 = map[m] ll
      r2 = r10
      r2 += -4
      call map_lookup_elem
      if r0 == 0 goto out
      r1 = r0
      r2 = 16
      r3 = 1
      r4 = r10
      r4 += -32
      call dynptr_from_mem
    out:
      exit`,
    runs,
  },
  {
    name: "ringbuf: output, query, reserve too much",
    type,
    maps: { rb: [abi.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096] },
    asm: `
      *(u64 *)(r10 - 8) = 5
      r1 = map[rb] ll
      r2 = r10
      r2 += -8
      r3 = 8
      r4 = 0
      call ringbuf_output
      r6 = r0
      r1 = map[rb] ll
      r2 = 8192
      r3 = 0
      call ringbuf_reserve
      if r0 == 0 goto none
      r1 = r0
      r2 = 0
      call ringbuf_discard
      r6 += 100
    none:
      r1 = map[rb] ll
      r2 = 0
      call ringbuf_query
      r0 <<= 8
      r0 += r6
      exit`,
    runs: [{ dataIn }, { dataIn }],
  },
  {
    name: "ringbuf dynptr",
    type,
    maps: { rb: [abi.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096] },
    asm: `
      r1 = map[rb] ll
      r2 = 24
      r3 = 0
      r4 = r10
      r4 += -16
      call ringbuf_reserve_dynptr
      r6 = r0
      r1 = r10
      r1 += -16
      r2 = 0
      call ringbuf_submit_dynptr
      r1 = map[rb] ll
      r2 = 3
      call ringbuf_query
      r0 += r6
      exit`,
    runs: [{ dataIn }, { dataIn }],
  },
  { name: "get_numa_node_id", type, asm: "call get_numa_node_id\nexit", runs },
  {
    name: "perf_event_output to an empty array",
    type,
    maps: { p: [abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 64] },
    asm: `
      r6 = r1
      *(u64 *)(r10 - 8) = 5
      r2 = map[p] ll
      r3 = 0xffffffff ll
      r4 = r10
      r4 += -8
      r5 = 8
      call perf_event_output
      r7 = r0
      r1 = r6
      r2 = map[p] ll
      r3 = 0x00ffff00000000 ll
      r4 = r10
      r4 += -8
      r5 = 8
      call perf_event_output
      r7 += r0
      r1 = r6
      r2 = map[p] ll
      r3 = 0x10000000000000 ll
      r4 = r10
      r4 += -8
      r5 = 8
      call perf_event_output
      r7 += r0
      r0 = r7
      exit`,
    runs,
  },
  {
    name: "trace_printk refuses bad formats",
    type,
    asm: `
      ${onStack("%q", 16).code}
      r1 = r10
      r1 += -16
      r2 = 3
      call trace_printk
      r6 = r0
      ${onStack("%d %d %d %d", 32).code}
      r1 = r10
      r1 += -32
      r2 = 12
      r3 = 0
      r4 = 0
      r5 = 0
      call trace_printk
      r6 += r0
      ${onStack("a\u0001b", 16).code}
      r1 = r10
      r1 += -16
      r2 = 4
      call trace_printk
      r0 += r6
      exit`,
    runs,
  },
  {
    name: "trace_printk returns the length",
    type,
    asm: `
      ${onStack("n=%d %x%%\n", 32).code}
      r1 = r10
      r1 += -32
      r2 = 11
      r3 = -5
      r4 = 0xabc
      r5 = 0
      call trace_printk
      exit`,
    runs,
  },
];

progTests("helpers", new URL("helpers.json", import.meta.url), cases);
