/** Calls of helpers, rule by rule: arguments, memory, maps, references, packet pointers, tail calls. Linux must agree. */
import {
  BPF_CGROUP_INET_EGRESS,
  BPF_CGROUP_INET_INGRESS,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_QUEUE,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_SOCKMAP,
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_CGROUP_SOCK,
  BPF_PROG_TYPE_KPROBE,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SK_SKB,
  BPF_PROG_TYPE_SOCKET_FILTER,
} from "../../../src/abi/bpf.ts";
import { EINVAL } from "../../../src/abi/errno.ts";
import { type MapCase, verifierTests } from "../../support/verifier.ts";

const arr: MapCase = { type: BPF_MAP_TYPE_ARRAY, key: 4, value: 16, max: 1, init: "05".repeat(16) };
const hash: MapCase = { type: BPF_MAP_TYPE_HASH, key: 8, value: 16, max: 4 };
const ro: MapCase = { ...arr, flags: BPF_F_RDONLY_PROG, init: undefined };
const ring: MapCase = { type: BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, max: 4096 };
const progs: MapCase = { type: BPF_MAP_TYPE_PROG_ARRAY, key: 4, value: 4, max: 2 };
const queue: MapCase = { type: BPF_MAP_TYPE_QUEUE, key: 0, value: 8, max: 2 };
const dev: MapCase = { type: BPF_MAP_TYPE_DEVMAP, key: 4, value: 4, max: 2 };
const sockmap: MapCase = { type: BPF_MAP_TYPE_SOCKMAP, key: 4, value: 4, max: 2 };
const percpu: MapCase = { type: BPF_MAP_TYPE_PERCPU_ARRAY, key: 4, value: 8, max: 1 };

const out = "\nr0 = 0\nexit";
/** r2 = fp - 8, where eight bytes were written. */
const key = "*(u64 *)(r10 - 8) = 0\nr2 = r10\nr2 += -8\n";
/** r0 = the value of `m`, never null from here on. */
const value = `${key}r1 = map[m] ll\ncall map_lookup_elem\nif r0 != 0 goto have\nr0 = 0\nexit\nhave:\n`;

verifierTests("which helpers", [
  { name: "none of this number", asm: `call 9999${out}`, failure: "invalid func unknown#9999", errno: EINVAL },
  { name: "number 0", asm: `call 0${out}`, failure: "cannot use helper bpf_unspec#0", errno: EINVAL },
  {
    name: "not for this type",
    asm: `call get_current_task${out}`,
    progType: BPF_PROG_TYPE_SOCKET_FILTER,
    license: "MIT",
    failure: "cannot call GPL-restricted function from non-GPL compatible program",
    errno: EINVAL,
  },
  {
    name: "of another program type",
    asm: `r2 = 0\nr3 = 0\nr4 = 0\nr5 = 0\ncall skb_store_bytes${out}`,
    failure: "program of this type cannot use helper bpf_skb_store_bytes#9",
    errno: EINVAL,
  },
  {
    name: "GPL only",
    asm: `*(u64 *)(r10 - 8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\ncall trace_printk${out}`,
    license: "Apache-2.0",
    failure: "cannot call GPL-restricted function",
    errno: EINVAL,
  },
  { name: "GPL only, in a GPL program", asm: "call get_smp_processor_id\nr0 = 3\nexit", retval: 3 },
]);

verifierTests("arguments", [
  { name: "never set", asm: `r1 = 0\ncall redirect${out}`, failure: "R2 !read_ok" },
  {
    name: "a scalar for a map",
    asm: `${key}r1 = 5\ncall map_lookup_elem${out}`,
    failure: "R1 type=scalar expected=map_ptr",
  },
  {
    name: "a map for a key",
    asm: `r1 = map[m] ll\nr2 = map[m] ll\ncall map_lookup_elem${out}`,
    maps: { m: arr },
    failure: "R2 type=map_ptr expected=fp, pkt, pkt_meta, map_key, map_value",
  },
  {
    name: "the context for a key",
    asm: `r2 = r1\nr1 = map[m] ll\ncall map_lookup_elem${out}`,
    maps: { m: arr },
    failure: "R2 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value",
  },
  {
    name: "a stack address for the context",
    asm: `r1 = r10\nr2 = 0\ncall xdp_adjust_head${out}`,
    failure: "R1 type=fp expected=ctx",
  },
  {
    name: "the context moved",
    asm: `r1 += 4\nr2 = 0\ncall xdp_adjust_head${out}`,
    failure: "dereference of modified ctx ptr",
  },
  {
    name: "a null for a value",
    asm: `${key}r1 = map[m] ll\nr3 = 0\nr4 = 0\ncall map_update_elem${out}`,
    maps: { m: arr },
    failure: "R3 type=scalar expected=fp",
  },
  {
    name: "a value that may be null for a key",
    asm: `${key}r1 = map[m] ll\nr6 = r1\ncall map_lookup_elem\nr2 = r0\nr1 = r6\ncall map_lookup_elem${out}`,
    maps: { m: hash },
    failure: "R2 type=map_value_or_null expected=fp",
  },
  {
    name: "an address for a number, without CAP_PERFMON",
    asm: `r1 = r10\nr2 = 0\ncall redirect${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    noPerfmon: true,
    failure: "R1 leaks addr into helper function",
  },
  { name: "registers are gone", asm: "r1 = 1\nr2 = 0\ncall redirect\nr0 = r2\nexit", failure: "R2 !read_ok" },
]);

verifierTests("memory", [
  {
    name: "a key that is not written",
    asm: `r2 = r10\nr2 += -8\nr1 = map[m] ll\ncall map_lookup_elem${out}`,
    maps: { m: hash },
    noPerfmon: true,
    failure: "invalid read from stack R2 off=-8 size=8",
  },
  {
    name: "a key beyond the frame",
    asm: `*(u64 *)(r10 - 8) = 0\nr2 = r10\nr2 += -4\nr1 = map[m] ll\ncall map_lookup_elem${out}`,
    maps: { m: hash },
    failure: "invalid read from stack R2 off=-4 size=8",
    errno: EINVAL,
  },
  {
    name: "a value for a key",
    asm: `${value}r2 = r0\nr1 = map[m] ll\ncall map_lookup_elem${out}`,
    maps: { m: arr },
    retval: 0,
  },
  {
    name: "a value too short for a key",
    asm: `${value}r2 = r0\nr2 += 12\nr1 = map[h] ll\ncall map_lookup_elem${out}`,
    maps: { m: arr, h: hash },
    failure: "invalid access to map value, value_size=16 off=12 size=8",
  },
  {
    name: "a value of unknown place for a key",
    asm: `${value}r2 = *(u32 *)(r0 + 0)\nr2 &= 15\nr2 += r0\nr1 = map[h] ll\ncall map_lookup_elem${out}`,
    maps: { m: arr, h: hash },
    failure: "R2 max value is outside of the allowed memory range",
  },
  {
    name: "a size of zero",
    asm: `r1 = r10\nr1 += -8\nr2 = 0\ncall get_current_comm${out}`,
    progType: BPF_PROG_TYPE_KPROBE,
    failure: "R2 invalid zero-sized read: u64=[0,0]",
  },
  {
    name: "a negative size",
    asm: `r1 = r10\nr1 += -8\nr2 = -1\ncall get_current_comm${out}`,
    progType: BPF_PROG_TYPE_KPROBE,
    failure: "R2 min value is negative, either use unsigned or 'var &= const'",
  },
  {
    name: "more than there is",
    asm: `r1 = r10\nr1 += -8\nr2 = 16\ncall get_current_comm${out}`,
    progType: BPF_PROG_TYPE_KPROBE,
    failure: "invalid write to stack R1 off=-8 size=16",
    errno: EINVAL,
  },
  {
    name: "a size without an upper bound",
    asm: `call get_prandom_u32\nw2 = w0\nr2 += 1\nr1 = r10\nr1 += -8\ncall get_current_comm${out}`,
    progType: BPF_PROG_TYPE_KPROBE,
    failure: "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'",
  },
  {
    name: "a bounded size",
    asm: `call get_prandom_u32\nr2 = r0\nr2 &= 7\nr2 += 1\nr1 = r10\nr1 += -8\ncall get_current_comm${out}`,
    progType: BPF_PROG_TYPE_KPROBE,
  },
  {
    name: "null and no bytes",
    asm: `r1 = 0\nr2 = 0\nr3 = 0\nr4 = 0\nr5 = 0\ncall csum_diff${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    retval: 0,
  },
  {
    name: "null and some bytes",
    asm: `r1 = 0\nr2 = 4\nr3 = 0\nr4 = 0\nr5 = 0\ncall csum_diff${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    failure: "R1 type=scalar expected=fp",
  },
  {
    name: "what a helper fills need not be written before",
    asm: `r6 = r1\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall skb_load_bytes\nif r0 != 0 goto no\nr0 = *(u8 *)(r10 - 8)\nexit\nno:\nr0 = 99\nexit`,
    progType: BPF_PROG_TYPE_SOCKET_FILTER,
    retval: 0,
  },
  {
    name: "where it writes is a pointer no more",
    asm: `*(u64 *)(r10 - 8) = r1\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall skb_load_bytes\nr1 = *(u64 *)(r10 - 8)\nr0 = *(u32 *)(r1 + 0)\nexit`,
    progType: BPF_PROG_TYPE_SOCKET_FILTER,
    failure: "R1 invalid mem access 'scalar'",
  },
  {
    name: "packet bytes that were checked",
    asm: `r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr0 = r6\nr0 += 8\nif r0 > r7 goto no\nr2 = r6\nr1 = map[m] ll\ncall map_lookup_elem\nno:${out}`,
    maps: { m: hash },
    retval: 0,
  },
  {
    name: "packet bytes that were not",
    asm: `r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr0 = r6\nr0 += 7\nif r0 > r7 goto no\nr2 = r6\nr1 = map[m] ll\ncall map_lookup_elem\nno:${out}`,
    maps: { m: hash },
    failure: "invalid access to packet, off=0 size=8, R2(id=0,off=0,r=7)",
  },
]);

verifierTests("maps", [
  {
    name: "a helper of another kind of map",
    asm: `r1 = map[m] ll\nr2 = 1\nr3 = 0\ncall redirect_map${out}`,
    maps: { m: arr },
    failure: "cannot pass map_type 2 into func bpf_redirect_map#51",
    errno: EINVAL,
  },
  {
    name: "a map of another helper",
    asm: `${key}r1 = map[q] ll\ncall map_lookup_elem${out}`,
    maps: { q: queue },
    failure: "invalid zero-sized read",
  },
  { name: "redirect_map", asm: "r1 = map[m] ll\nr2 = 1\nr3 = 2\ncall redirect_map\nexit", maps: { m: dev }, retval: 2 },
  {
    name: "a queue takes a value",
    asm: `${key}r1 = map[q] ll\nr3 = 0\ncall map_push_elem\nexit`,
    maps: { q: queue },
    retval: 0,
  },
  {
    name: "a map that programs only read",
    asm: `${key}r1 = map[m] ll\nr3 = r2\nr4 = 0\nr5 = 0\n*(u64 *)(r10 - 16) = 0\nr3 += -8\ncall map_update_elem${out}`,
    maps: { m: ro },
    failure: "write into map forbidden",
  },
  {
    name: "the address of a map as memory",
    asm: `r1 = map[m] ll\nr0 = *(u32 *)(r1 + 0)\nr0 = 0\nexit`,
    maps: { m: arr },
    noPerfmon: true,
    failure: "'struct bpf_array' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN",
    errno: 1,
  },
  {
    name: "the lookup of a constant key in an array finds",
    asm: "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = map[m] ll\ncall map_lookup_elem\nr0 = *(u8 *)(r0 + 0)\nexit",
    maps: { m: arr },
    retval: 5,
  },
  {
    name: "of a key past its end may not",
    asm: "*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4\nr1 = map[m] ll\ncall map_lookup_elem\nr0 = *(u8 *)(r0 + 0)\nexit",
    maps: { m: arr },
    failure: "R0 invalid mem access 'map_value_or_null'",
  },
  {
    name: "of a key in a hash may not",
    asm: `${key}r1 = map[m] ll\ncall map_lookup_elem\nr0 = *(u8 *)(r0 + 0)\nexit`,
    maps: { m: hash },
    failure: "R0 invalid mem access 'map_value_or_null'",
  },
  {
    name: "per CPU",
    asm: `${key}r1 = map[m] ll\nr3 = 0\ncall map_lookup_percpu_elem\nr0 = *(u8 *)(r0 + 0)\nexit`,
    maps: { m: percpu },
    failure: "R0 invalid mem access 'map_value_or_null'",
  },
  {
    name: "behind the value",
    asm: `${value}r0 = *(u8 *)(r0 + 16)\nexit`,
    maps: { m: arr },
    failure: "invalid access to map value, value_size=16 off=16 size=1",
  },
  {
    name: "the socket of a socket map",
    asm: `${value}r6 = r0\nr0 = *(u32 *)(r6 + 4)\nr1 = r6\ncall sk_release${out}`,
    maps: { m: sockmap },
    progType: BPF_PROG_TYPE_SK_SKB,
  },
  {
    name: "is not forgotten",
    asm: `${value}r0 = 0\nexit`,
    maps: { m: sockmap },
    progType: BPF_PROG_TYPE_SK_SKB,
    failure: "Unreleased reference id=2 alloc_insn=",
    errno: EINVAL,
  },
]);

const record = "r1 = map[rb] ll\nr2 = 16\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto no\n";
verifierTests("ring buffer records", [
  {
    name: "used and submitted",
    asm: `${record}*(u64 *)(r0 + 8) = 1\nr1 = r0\nr2 = 0\ncall ringbuf_submit\nno:${out}`,
    maps: { rb: ring },
    retval: 0,
  },
  {
    name: "not checked",
    asm: `r1 = map[rb] ll\nr2 = 16\nr3 = 0\ncall ringbuf_reserve\n*(u64 *)(r0 + 0) = 1${out}`,
    maps: { rb: ring },
    failure: "R0 invalid mem access 'ringbuf_mem_or_null'",
  },
  {
    name: "written past its end",
    asm: `${record}*(u64 *)(r0 + 16) = 1\nr1 = r0\nr2 = 0\ncall ringbuf_submit\nno:${out}`,
    maps: { rb: ring },
    failure: "invalid access to memory, mem_size=16 off=16 size=8",
  },
  {
    name: "of a size that is not constant",
    asm: `call get_prandom_u32\nr2 = r0\nr1 = map[rb] ll\nr3 = 0\ncall ringbuf_reserve${out}`,
    maps: { rb: ring },
    failure: "R2 is not a known constant'",
  },
  {
    name: "kept",
    asm: `${record}no:${out}`,
    maps: { rb: ring },
    failure: "Unreleased reference id=2 alloc_insn=4",
    errno: EINVAL,
  },
  {
    name: "submitted twice",
    asm: `${record}r6 = r0\nr1 = r6\nr2 = 0\ncall ringbuf_submit\nr1 = r6\nr2 = 0\ncall ringbuf_submit\nno:${out}`,
    maps: { rb: ring },
    failure: "R1 type=scalar expected=ringbuf_mem",
  },
  {
    name: "used after it was submitted",
    asm: `${record}r6 = r0\nr1 = r6\nr2 = 0\ncall ringbuf_submit\n*(u64 *)(r6 + 0) = 1\nno:${out}`,
    maps: { rb: ring },
    failure: "R6 invalid mem access 'scalar'",
  },
  {
    name: "submitted from its middle",
    asm: `${record}r1 = r0\nr1 += 8\nr2 = 0\ncall ringbuf_submit\nno:${out}`,
    maps: { rb: ring },
    failure: "R1 must have zero offset when passed to release func or trusted arg to kfunc",
    errno: EINVAL,
  },
  {
    name: "something else submitted",
    asm: `*(u64 *)(r10 - 8) = 0\nr1 = r10\nr1 += -8\nr2 = 0\ncall ringbuf_submit${out}`,
    failure: "R1 type=fp expected=ringbuf_mem",
  },
  {
    name: "kept on the stack and submitted",
    asm: `${record}*(u64 *)(r10 - 8) = r0\nr1 = *(u64 *)(r10 - 8)\nr2 = 0\ncall ringbuf_submit\nno:${out}`,
    maps: { rb: ring },
    retval: 0,
  },
  {
    name: "kept across a tail call",
    asm: `r9 = r1\n${record}r6 = r0\nr1 = r9\nr2 = map[p] ll\nr3 = 0\ncall tail_call\nr1 = r6\nr2 = 0\ncall ringbuf_submit\nno:${out}`,
    maps: { rb: ring, p: progs },
    failure: "tail_call would lead to reference leak",
    errno: EINVAL,
  },
]);

const tuple = "*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0\nr2 = r10\nr2 += -16\nr3 = 12\nr4 = -1\nr5 = 0\n";
verifierTests("sockets", [
  {
    name: "looked up, read and released",
    asm: `${tuple}call sk_lookup_tcp\nif r0 == 0 goto no\nr6 = *(u32 *)(r0 + 4)\nr1 = r0\ncall sk_release\nno:${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    retval: 0,
  },
  {
    name: "not released",
    asm: `${tuple}call sk_lookup_tcp${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    failure: "Unreleased reference id=",
    errno: EINVAL,
  },
  {
    name: "may be null",
    asm: `${tuple}call sk_lookup_tcp\nr1 = r0\ncall sk_release${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    failure: "R1 type=sock_or_null expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
  },
  {
    name: "written",
    asm: `${tuple}call sk_lookup_tcp\nif r0 == 0 goto no\n*(u32 *)(r0 + 4) = 0\nr1 = r0\ncall sk_release\nno:${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    failure: "R0 cannot write into sock",
  },
  {
    name: "of the context, which may be null",
    asm: `r1 = *(u64 *)(r1 + 168)\nr0 = *(u32 *)(r1 + 0)\nexit`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    failure: "R1 invalid mem access 'sock_common_or_null'",
  },
  {
    name: "of the context, made a full one",
    asm: `r1 = *(u64 *)(r1 + 168)\nif r1 == 0 goto no\ncall sk_fullsock\nif r0 == 0 goto no\nr0 = *(u32 *)(r0 + 24)\nno:${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
  },
  {
    name: "of the context, released though it is not held",
    asm: `r1 = *(u64 *)(r1 + 168)\nif r1 == 0 goto no\ncall sk_release\nno:${out}`,
    progType: BPF_PROG_TYPE_SCHED_CLS,
    failure: "R1 must be referenced when passed to release function",
    errno: EINVAL,
  },
]);

const data = "r6 = r1\nr7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr0 = r7\nr0 += 8\nif r0 > r8 goto no\n";
verifierTests("packet pointers", [
  { name: "survive other helpers", asm: `${data}call ktime_get_ns\nr0 = *(u8 *)(r7 + 0)\nexit\nno:${out}`, retval: 0 },
  {
    name: "do not survive a change of the packet",
    asm: `${data}r1 = r6\nr2 = 0\ncall xdp_adjust_head\nr0 = *(u8 *)(r7 + 0)\nexit\nno:${out}`,
    failure: "R7 invalid mem access 'scalar'",
  },
  {
    name: "are read anew",
    asm: `${data}r1 = r6\nr2 = 0\ncall xdp_adjust_head\nr7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr0 = r7\nr0 += 1\nif r0 > r8 goto no\nr0 = *(u8 *)(r7 + 0)\nexit\nno:${out}`,
    retval: 0,
  },
  {
    name: "are not spilled past it either",
    asm: `${data}*(u64 *)(r10 - 8) = r7\nr1 = r6\nr2 = 0\ncall xdp_adjust_tail\nr7 = *(u64 *)(r10 - 8)\nr0 = *(u8 *)(r7 + 0)\nexit\nno:${out}`,
    failure: "R7 invalid mem access 'scalar'",
  },
]);

verifierTests("tail calls", [
  {
    name: "a tail call that fails falls through",
    asm: `r2 = map[p] ll\nr3 = 0\ncall tail_call\nr0 = 7\nexit`,
    maps: { p: progs },
    retval: 7,
  },
  {
    name: "leaves no result",
    asm: "r2 = map[p] ll\nr3 = 0\ncall tail_call\nexit",
    maps: { p: progs },
    failure: "R0 !read_ok",
  },
  {
    name: "into another kind of map",
    asm: `r2 = map[m] ll\nr3 = 0\ncall tail_call${out}`,
    maps: { m: arr },
    failure: "expected prog array map for tail call",
    errno: EINVAL,
  },
  {
    name: "in a function without BTF",
    asm: `call f\nexit\nf:\nr2 = map[p] ll\nr3 = 0\nr1 = 0\ncall tail_call\nr0 = 0\nexit`,
    maps: { p: progs },
    failure: "tail_call",
    errno: EINVAL,
  },
]);

verifierTests("results", [
  {
    name: "the range of a length",
    asm: `r1 = r10\nr1 += -16\nr2 = 16\ncall get_current_comm\nr0 = 0\nexit`,
    progType: BPF_PROG_TYPE_KPROBE,
  },
  {
    name: "a CPU number is small",
    asm: `call get_smp_processor_id\nif r0 < 0x10000 goto ok\nr0 = r9\nok:${out}`,
    retval: 0,
  },
  {
    name: "egress programs of cgroups return 0 to 3",
    asm: "r0 = 4\nexit",
    progType: BPF_PROG_TYPE_CGROUP_SKB,
    expectedAttachType: BPF_CGROUP_INET_EGRESS,
    failure: "At program exit the register R0 has smin=4 smax=4 should have been in [0, 3]",
    errno: EINVAL,
  },
  {
    name: "ingress programs of cgroups return 0 or 1",
    asm: "r0 = 2\nexit",
    progType: BPF_PROG_TYPE_CGROUP_SKB,
    expectedAttachType: BPF_CGROUP_INET_INGRESS,
    failure: "should have been in [0, 1]",
    errno: EINVAL,
  },
  {
    name: "an unknown result",
    asm: "call get_prandom_u32\nexit",
    progType: BPF_PROG_TYPE_CGROUP_SOCK,
    expectedAttachType: 2,
    failure: "At program exit the register R0 has unknown scalar value should have been in [0, 1]",
    errno: EINVAL,
  },
  {
    name: "a pointer as result",
    asm: "r0 = r10\nexit",
    progType: BPF_PROG_TYPE_CGROUP_SOCK,
    expectedAttachType: 2,
    failure: "At program exit the register R0 is not a known value (fp)",
    errno: EINVAL,
  },
]);
