/** The verifier's core, rule by rule: registers, pointers, stack, branches, loops, functions, packets. Linux must agree. */
import {
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_ARRAY,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SOCKET_FILTER,
} from "../../src/abi/bpf.ts";
import { E2BIG, EINVAL } from "../../src/abi/errno.ts";
import { type MapCase, verifierTests } from "../support/verifier.ts";

const arr: MapCase = { type: BPF_MAP_TYPE_ARRAY, key: 4, value: 16, max: 1, init: "05".repeat(16) };
const big: MapCase = { ...arr, max: 8 };
const ro: MapCase = { ...arr, flags: BPF_F_RDONLY_PROG, init: "0700000000000000".repeat(2), frozen: true };

verifierTests("registers", [
  { name: "never written", asm: "r0 = r2\nexit", failure: "R2 !read_ok" },
  { name: "r0 at exit", asm: "exit", failure: "R0 !read_ok" },
  { name: "the frame pointer is not written", asm: "r10 = 1\nr0 = 0\nexit", failure: "frame pointer is read only" },
  { name: "gone after a call", asm: "r3 = 7\ncall ktime_get_ns\nr0 = r3\nexit", failure: "R3 !read_ok" },
  { name: "r6 survives a call", asm: "r6 = 7\ncall ktime_get_ns\nr0 = r6\nexit", retval: 7 },
  { name: "division by a constant zero", asm: "r0 = 1\nr0 /= 0\nexit", failure: "div by zero", errno: EINVAL },
  { name: "too long a shift", asm: "r0 = 1\nw0 <<= 32\nexit", failure: "invalid shift 32", errno: EINVAL },
  { name: "sum of two pointers", asm: "r1 += r10\nr0 = 0\nexit", failure: "R1 pointer += pointer prohibited" },
  {
    name: "32-bit pointer arithmetic",
    asm: "w1 += 1\nr0 = 0\nexit",
    failure: "R1 32-bit pointer arithmetic prohibited",
  },
  {
    name: "bits of a pointer",
    asm: "r2 = r10\nr2 &= -8\nr0 = 0\nexit",
    failure: "R2 bitwise operator &= on pointer prohibited",
  },
  {
    name: "the context moved",
    asm: "r1 += 8\nr0 = *(u32 *)(r1 + 0)\nexit",
    failure: "dereference of modified ctx ptr",
  },
]);

verifierTests("control flow", [
  { name: "unreachable", asm: "r0 = 0\nexit\nr0 = 1\nexit", failure: "unreachable insn 2", errno: EINVAL },
  {
    name: "out of the program",
    asm: "goto +5\nr0 = 0\nexit",
    failure: "jump out of range from insn 0 to 6",
    errno: EINVAL,
  },
  { name: "running off the end", asm: "r0 = 0", failure: "last insn is not an exit or jmp", errno: EINVAL },
  {
    name: "an endless loop",
    asm: "r0 = 0\nl:\nr0 += 0\ngoto l",
    failure: "infinite loop detected at insn 1",
    errno: EINVAL,
  },
  { name: "a counted loop", asm: "r0 = 0\nl:\nr0 += 1\nif r0 < 100 goto l\nexit", retval: 100 },
  {
    name: "a loop until something happens",
    asm: "l:\ncall get_prandom_u32\nif r0 != 5 goto l\nr0 = 0\nexit",
    failure: "infinite loop detected",
    errno: EINVAL,
  },
  {
    name: "a decided branch hides what is behind it",
    asm: "r0 = 1\nif r0 == 1 goto ok\nr0 = r9\nok:\nexit",
    retval: 1,
  },
  {
    name: "a loop that is too long",
    asm: "r0 = 0\nl:\nr0 += 1\nif r0 < 2000000 goto l\nexit",
    failure: "BPF program is too large. Processed 1000001 insn",
    errno: E2BIG,
    notLinux: "its log overflows",
  },
]);

verifierTests("stack", [
  { name: "read of nothing", asm: "r0 = *(u64 *)(r10 - 8)\nexit", noPerfmon: true, failure: "invalid read from stack" },
  {
    name: "above the frame",
    asm: "*(u64 *)(r10 + 8) = 1\nr0 = 0\nexit",
    failure: "invalid write to stack R10 off=8 size=8",
  },
  {
    name: "below 512 bytes",
    asm: "*(u64 *)(r10 - 520) = 1\nr0 = 0\nexit",
    failure: "invalid write to stack R10 off=-520",
  },
  { name: "misaligned", asm: "*(u64 *)(r10 - 12) = 1\nr0 = 0\nexit", failure: "misaligned stack access" },
  { name: "spill and fill", asm: "r6 = 77\n*(u64 *)(r10 - 8) = r6\nr0 = *(u64 *)(r10 - 8)\nexit", retval: 77 },
  {
    name: "a filled pointer is one",
    asm: "*(u64 *)(r10 - 8) = r1\nr2 = *(u64 *)(r10 - 8)\nr0 = *(u32 *)(r2 + 8)\nr0 = 3\nexit",
    retval: 3,
  },
  {
    name: "a pointer spilled in part",
    asm: "*(u32 *)(r10 - 8) = r10\nr0 = 0\nexit",
    failure: "invalid size of register spill",
  },
  {
    name: "a pointer filled in part",
    asm: "*(u64 *)(r10 - 8) = r10\nw0 = *(u32 *)(r10 - 8)\nexit",
    failure: "invalid size of register fill",
  },
  {
    name: "an overwritten pointer is none",
    asm: "*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 1) = 0\nr2 = *(u64 *)(r10 - 8)\nr0 = *(u32 *)(r2 + 0)\nexit",
    failure: "R2 invalid mem access 'scalar'",
  },
  {
    name: "the low half of a spilled number",
    asm: "r6 = 0x1122334455667788 ll\n*(u64 *)(r10 - 8) = r6\nr0 = *(u16 *)(r10 - 8)\nexit",
    retval: 0x7788,
  },
  {
    name: "variable offset",
    asm: "*(u64 *)(r10 - 8) = 5\n*(u64 *)(r10 - 16) = 5\ncall get_prandom_u32\nr0 &= 8\nr2 = r10\nr2 += -16\nr2 += r0\nr0 = *(u8 *)(r2 + 0)\nexit",
    retval: 5,
  },
  {
    name: "variable offset out of the frame",
    asm: "call get_prandom_u32\nr0 &= 24\nr2 = r10\nr2 += -16\nr2 += r0\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit",
    failure: "invalid variable-offset write to stack R2",
    errno: EINVAL,
  },
]);

const LOOKUP = `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[m] ll
  call map_lookup_elem`;

/** The key is not a constant, so that the lookup may fail. */
const LOOKUP_ANY = `
  call get_prandom_u32
  r0 &= 7
  *(u32 *)(r10 - 4) = r0
  r2 = r10
  r2 += -4
  r1 = map[m] ll
  call map_lookup_elem`;

verifierTests("map values", [
  {
    name: "no null check",
    maps: { m: big },
    asm: `${LOOKUP_ANY}\nr0 = *(u32 *)(r0 + 0)\nexit`,
    failure: "R0 invalid mem access 'map_value_or_null'",
  },
  {
    name: "arithmetic before the null check",
    maps: { m: big },
    asm: `${LOOKUP_ANY}\nr0 += 8\nif r0 == 0 goto out\nr0 = 0\nout:\nexit`,
    failure: "pointer arithmetic on map_value_or_null prohibited",
  },
  { name: "an array's constant key", maps: { m: arr }, asm: `${LOOKUP}\nr0 = *(u8 *)(r0 + 3)\nexit`, retval: 5 },
  {
    name: "the check counts for every copy",
    maps: { m: big },
    asm: `${LOOKUP_ANY}\nr6 = r0\nif r0 == 0 goto out\n*(u64 *)(r6 + 8) = 1\nr0 = 9\nexit\nout:\nr0 = 9\nexit`,
    retval: 9,
  },
  {
    name: "behind the value",
    maps: { m: arr },
    asm: `${LOOKUP}\nr0 = *(u64 *)(r0 + 12)\nexit`,
    failure: "invalid access to map value, value_size=16 off=12 size=8",
  },
  {
    name: "an unchecked index",
    maps: { m: arr },
    asm: `${LOOKUP}\nr1 = *(u32 *)(r0 + 0)\nr0 += r1\nr0 = *(u8 *)(r0 + 0)\nexit`,
    failure: "R0 unbounded memory access",
  },
  {
    name: "a checked index",
    maps: { m: arr },
    asm: `${LOOKUP}\nr1 = *(u8 *)(r0 + 0)\nif r1 > 15 goto out\nr0 += r1\nr0 = *(u8 *)(r0 + 0)\nexit\nout:\nr0 = 0\nexit`,
    retval: 5,
  },
  {
    name: "an index checked too late",
    maps: { m: arr },
    asm: `${LOOKUP}\nr1 = *(u8 *)(r0 + 0)\nif r1 > 16 goto out\nr0 += r1\nr0 = *(u8 *)(r0 + 0)\nexit\nout:\nr0 = 0\nexit`,
    failure: "invalid access to map value, value_size=16 off=16 size=1",
  },
  {
    name: "a linked register is checked with its source",
    maps: { m: arr },
    asm: `${LOOKUP}\nr1 = *(u8 *)(r0 + 0)\nr2 = r1\nr2 += 3\nif r1 > 12 goto out\nr0 += r2\nr0 = *(u8 *)(r0 + 0)\nexit\nout:\nr0 = 0\nexit`,
    retval: 5,
  },
  {
    name: "frozen data are constants",
    maps: { m: ro },
    asm: "r1 = map[m][0]+0 ll\nr0 = *(u32 *)(r1 + 8)\nif r0 == 7 goto ok\nr0 = r9\nok:\nexit",
    retval: 7,
  },
  {
    name: "frozen data are not written",
    maps: { m: ro },
    asm: "r1 = map[m][0]+0 ll\n*(u32 *)(r1 + 0) = 1\nr0 = 0\nexit",
    failure: "write into map forbidden",
  },
]);

const DATA = "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\n";

verifierTests("packets", [
  { name: "no check", asm: `${DATA}r0 = *(u8 *)(r2 + 0)\nexit`, failure: "invalid access to packet, off=0 size=1, R2" },
  {
    name: "checked",
    asm: `${DATA}r4 = r2\nr4 += 14\nif r4 > r3 goto out\nr0 = *(u16 *)(r2 + 12)\nr0 = 1\nexit\nout:\nr0 = 0\nexit`,
    retval: 1,
  },
  {
    name: "one byte too far",
    asm: `${DATA}r4 = r2\nr4 += 14\nif r4 > r3 goto out\nr0 = *(u16 *)(r2 + 13)\nexit\nout:\nr0 = 0\nexit`,
    failure: "invalid access to packet, off=13 size=2",
  },
  {
    name: "on the wrong way",
    asm: `${DATA}r4 = r2\nr4 += 14\nif r4 > r3 goto out\nr0 = 0\nexit\nout:\nr0 = *(u8 *)(r2 + 0)\nexit`,
    failure: "invalid access to packet",
  },
  {
    name: "a variable offset",
    asm: `${DATA}r4 = r2\nr4 += 1\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 + 0)\nr2 += r5\nr4 = r2\nr4 += 2\nif r4 > r3 goto out\nr0 = *(u16 *)(r2 + 0)\nr0 = 1\nexit\nout:\nr0 = 0\nexit`,
    retval: 1,
  },
  {
    name: "pointers are void after the packet moved",
    asm: `r6 = r1\n${DATA}r4 = r2\nr4 += 14\nif r4 > r3 goto out\nr7 = r2\nr1 = r6\nr2 = 0\ncall xdp_adjust_head\nr0 = *(u8 *)(r7 + 0)\nexit\nout:\nr0 = 0\nexit`,
    failure: "R7 invalid mem access 'scalar'",
  },
  {
    name: "socket filters have none",
    progType: BPF_PROG_TYPE_SOCKET_FILTER,
    asm: "r0 = *(u32 *)(r1 + 76)\nexit",
    failure: "invalid bpf_context access off=76 size=4",
  },
  {
    name: "legacy loads want the context in r6",
    progType: BPF_PROG_TYPE_SCHED_CLS,
    asm: "r6 = 1\nr0 = *(u8 *)skb[0]\nexit",
    failure: "at the time of BPF_LD_ABS|IND R6 != pointer to skb",
    errno: EINVAL,
  },
]);

verifierTests("functions", [
  {
    name: "arguments and the result",
    asm: "r1 = 4\nr2 = 5\ncall f\nexit\nf:\nr0 = r1\nr0 *= r2\nexit",
    retval: 20,
  },
  {
    name: "a callee reads its own registers only",
    asm: "r6 = 1\ncall f\nexit\nf:\nr0 = r6\nexit",
    failure: "R6 !read_ok",
  },
  {
    name: "a caller's stack by pointer",
    asm: "*(u64 *)(r10 - 8) = 0\nr1 = r10\nr1 += -8\ncall f\nr0 = *(u64 *)(r10 - 8)\nexit\nf:\nr2 = 42\n*(u64 *)(r1 + 0) = r2\nr0 = 0\nexit",
    retval: 42,
  },
  {
    name: "a stack pointer is not returned",
    asm: "call f\nr0 = 0\nexit\nf:\nr0 = r10\nexit",
    failure: "cannot return stack pointer to the caller",
    errno: EINVAL,
  },
  {
    name: "the frames' sum",
    asm: "*(u64 *)(r10 - 304) = 0\ncall f\nr0 = 0\nexit\nf:\n*(u64 *)(r10 - 304) = 0\nr0 = 0\nexit",
    failure: "combined stack size of 2 calls is 608. Too large",
  },
  {
    name: "recursion",
    asm: "call f\nexit\nf:\nr0 = 0\ncall f\nexit",
    failure: "the call stack of",
    errno: E2BIG,
  },
]);

verifierTests("pruning", [
  {
    name: "a number that an offset rests on is compared",
    maps: { m: arr },
    asm: `${LOOKUP}
      r6 = r0
      call get_prandom_u32
      r7 = 4
      if r0 > 5 goto l
      r7 = 400
    l:
      r6 += r7
      r0 = *(u8 *)(r6 + 0)
      exit`,
    failure: "invalid access to map value, value_size=16 off=400 size=1",
  },
  {
    name: "also when it was spilled in between",
    maps: { m: arr },
    asm: `${LOOKUP}
      r6 = r0
      call get_prandom_u32
      r7 = 4
      if r0 > 5 goto l
      r7 = 400
    l:
      *(u64 *)(r10 - 16) = r7
      call get_prandom_u32
      if r0 > 5 goto k
      r0 = 1
    k:
      r7 = *(u64 *)(r10 - 16)
      r6 += r7
      r0 = *(u8 *)(r6 + 0)
      exit`,
    failure: "off=400 size=1",
  },
  {
    name: "also through a function",
    maps: { m: arr },
    asm: `${LOOKUP}
      r6 = r0
      call get_prandom_u32
      r1 = 4
      if r0 > 5 goto l
      r1 = 400
    l:
      call f
      r6 += r0
      r0 = *(u8 *)(r6 + 0)
      exit
    f:
      r0 = r1
      exit`,
    failure: "off=400 size=1",
  },
  {
    name: "a stack slot that a callee reads is compared",
    asm: `
      call get_prandom_u32
      r1 = r10
      *(u64 *)(r10 - 8) = r1
      if r0 > 5 goto l
      r2 = 1
      *(u64 *)(r10 - 8) = r2
    l:
      r1 = r10
      r1 += -8
      call f
      r0 = 0
      exit
    f:
      r2 = *(u64 *)(r1 + 0)
      r0 = *(u8 *)(r2 - 16)
      exit`,
    failure: "R2 invalid mem access 'scalar'",
  },
  {
    name: "sixteen joined branches",
    asm: `r6 = 0\n${Array.from({ length: 16 }, (_, i) => `call get_prandom_u32\nif r0 > 7 goto l${i}\nr6 = ${i}\nl${i}:`).join("\n")}\nr0 = 1\nexit`,
    retval: 1,
  },
]);

verifierTests("without CAP_PERFMON", [
  {
    name: "a pointer is not returned",
    asm: "r0 = r10\nexit",
    noPerfmon: true,
    failure: "R0 leaks addr as return value",
  },
  {
    name: "a pointer is not stored",
    maps: { m: arr },
    noPerfmon: true,
    asm: `${LOOKUP}\nif r0 == 0 goto out\n*(u64 *)(r0 + 0) = r10\nout:\nr0 = 0\nexit`,
    failure: "R10 leaks addr into map",
  },
  {
    name: "pointers are not compared",
    asm: "r0 = 0\nif r1 > r10 goto +0\nexit",
    noPerfmon: true,
    failure: "pointer comparison prohibited",
  },
  {
    name: "context plus a number",
    noPerfmon: true,
    asm: "r0 = 0\nr1 += r0\nexit",
    failure: "R1 has pointer with unsupported alu operation",
  },
  {
    name: "a guessed branch is walked as well",
    noPerfmon: true,
    asm: "r0 = 0\nif r0 == 0 goto ok\nr0 = *(u8 *)(r9 + 0)\nok:\nexit",
    retval: 0,
  },
]);
