/** Programs that once fooled a verifier or a JIT; the name of a test begins with the public name of its bug. */
import { describe, expect, it } from "vitest";
import {
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_CGROUP_STORAGE,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_RINGBUF,
  BPF_PROG_TYPE_CGROUP_SKB,
} from "../../src/abi/bpf.ts";
import { EACCES, EINVAL } from "../../src/abi/errno.ts";
import { load, u32, withKernel } from "../support/kernel.ts";
import { type MapCase, type VerifierCase, verifierTests } from "../support/verifier.ts";

const arr: MapCase = { type: BPF_MAP_TYPE_ARRAY, key: 4, value: 16, max: 1 };
const ones: MapCase = { ...arr, init: "ff".repeat(16) };
const ro: MapCase = { ...arr, flags: BPF_F_RDONLY_PROG, init: "0100000002000000".repeat(2), frozen: true };
const ring: MapCase = { type: BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, max: 4096 };

/** r0 = the value of a map of one element; goes to `out` when there is none. */
const lookup = (map: string) => `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[${map}] ll
  call map_lookup_elem
  if r0 == 0 goto out`;

/** r6 = a number that the verifier knows nothing of; r0 = the value it was read from. */
const unknown = `${lookup("m")}
  r6 = *(u64 *)(r0 + 0)`;

/** Reads the byte r6 behind the value: what a wrong range of r6 would let pass. */
const use = `
  r0 += r6
  r0 = *(u8 *)(r0 + 0)
  exit
out:
  r0 = 0
  exit`;

const end = `
  exit
out:
  r0 = 0
  exit`;

/** A read through a number: refused whenever the verifier sees it. */
const crash = `
  r1 = 0x1234
  r0 = *(u64 *)(r1 + 0)
  exit`;

const ranges: readonly VerifierCase[] = [
  {
    name: "CVE-2017-16995: a 32-bit mov of -1 is not the 64-bit -1",
    asm: `
      w9 = -1
      if r9 != -1 goto bad
      r0 = 0
      exit
    bad: ${crash}`,
    failure: "R1 invalid mem access 'scalar'",
  },
  {
    name: "CVE-2017-16995: nor is a 64-bit mov of -1 the 32-bit one",
    asm: `
      r9 = -1
      r1 = 0xffffffff ll
      if r9 != r1 goto bad
      r0 = 0
      exit
    bad: ${crash}`,
    failure: "R1 invalid mem access 'scalar'",
  },
  {
    name: "CVE-2017-17852: a 32-bit addition truncates a range that crosses 2^32",
    maps: { m: arr },
    asm: `${unknown}
      r6 &= 0x1f
      r1 = 0xfffffff0 ll
      r6 += r1
      w6 += 0 ${use}`,
    failure: "R0 unbounded memory access",
  },
  {
    name: "CVE-2017-17852: a 32-bit addition of a constant above 2^32",
    maps: { m: ones },
    asm: `${lookup("m")}
      r6 = 0x100000000 ll
      w6 += 3 ${use}`,
    retval: 255,
  },
  {
    name: "CVE-2017-17853: a right shift of a negative range is huge",
    maps: { m: arr },
    asm: `${unknown}
      r6 &= 15
      r6 -= 8
      r6 >>= 1 ${use}`,
    failure: "R0 unbounded memory access",
  },
  {
    name: "CVE-2017-17853: an arithmetic right shift of a negative range stays negative",
    maps: { m: arr },
    asm: `${unknown}
      r6 &= 15
      r6 -= 8
      r6 s>>= 1 ${use}`,
    failure: "R0 min value is negative",
  },
  {
    name: "CVE-2017-17854: offsets of a pointer do not add up past 2^29",
    maps: { m: arr },
    asm: `${lookup("m")}
      r6 = 0x10000000
      r0 += r6
      r0 += r6
      r0 += r6
      r0 += r6 ${use}`,
    failure: "map_value pointer offset 536870912 is not allowed",
    errno: EINVAL,
  },
  {
    name: "CVE-2017-17854: nor wrap around",
    maps: { m: arr },
    asm: `${lookup("m")}
      r6 = 0x7fffffffffffffff ll ${use}`,
    failure: "math between map_value pointer and 9223372036854775807 is not allowed",
    errno: EINVAL,
  },
  {
    name: "CVE-2017-17855: half of a pointer is no pointer",
    maps: { m: arr },
    asm: `${lookup("m")}
      w0 = w0
      r0 = *(u8 *)(r0 + 0)${end}`,
    failure: "R0 invalid mem access 'scalar'",
  },
  {
    name: "CVE-2017-17855: 32-bit arithmetic on a pointer",
    maps: { m: arr },
    asm: `${lookup("m")}
      w0 += 4
      r0 = *(u8 *)(r0 + 0)${end}`,
    failure: "R0 32-bit pointer arithmetic prohibited",
  },
  {
    name: "CVE-2017-17855: half of a spilled pointer",
    asm: `
      *(u64 *)(r10 - 8) = r1
      r0 = *(u32 *)(r10 - 8)
      r0 = *(u32 *)(r0 + 0)
      exit`,
    failure: "invalid size of register fill",
  },
  {
    name: "CVE-2017-17856: a pointer is spilled to an aligned slot",
    asm: `
      r2 = r10
      r2 += -9
      *(u64 *)(r2 + 0) = r1
      r0 = 0
      exit`,
    failure: "misaligned stack access off 0+-9+0 size 8",
  },
  {
    name: "CVE-2017-17857: a variable offset leaves the stack at its lower end",
    maps: { m: arr },
    asm: `${unknown}
      r6 &= 7
      r2 = r10
      r2 += -516
      r2 += r6
      *(u8 *)(r2 + 0) = 1
      r0 = 0${end}`,
    failure: "invalid variable-offset write to stack R2 var_off=(0x0; 0x7) off=-516 size=1",
  },
  {
    name: "CVE-2017-17857: a variable offset leaves the stack at its upper end",
    maps: { m: arr },
    asm: `${unknown}
      r6 &= 7
      r2 = r10
      r2 += -4
      r2 += r6
      *(u8 *)(r2 + 0) = 1
      r0 = 0${end}`,
    failure: "invalid variable-offset write to stack R2 var_off=(0x0; 0x7) off=-4 size=1",
    errno: EINVAL,
  },
  {
    name: "CVE-2017-17857: a helper takes a key at an unbounded offset of the stack",
    maps: { m: arr },
    asm: `${unknown}
      r2 = r10
      r2 += -64
      r2 += r6
      r1 = map[m] ll
      call map_lookup_elem
      r0 = 0${end}`,
    failure: "math between fp pointer and register with unbounded min value is not allowed",
    errno: EINVAL,
  },
  {
    name: "CVE-2017-17857: a store at a variable offset may overwrite a spilled pointer",
    maps: { m: arr },
    asm: `
      *(u64 *)(r10 - 24) = r1 ${unknown}
      r6 &= 8
      r2 = r10
      r2 += -24
      r2 += r6
      *(u64 *)(r2 + 0) = r6
      r1 = *(u64 *)(r10 - 24)
      r0 = *(u32 *)(r1 + 0)${end}`,
    failure: "R1 invalid mem access 'scalar'",
  },
  {
    name: "CVE-2017-17852..17857: a sign-extending load can be negative",
    maps: { m: arr },
    asm: `${lookup("m")}
      r6 = *(s8 *)(r0 + 0)
      if r6 s> 8 goto out ${use}`,
    failure: "R0 min value is negative",
  },
  {
    name: "CVE-2017-17852..17857: a load narrower than its spill",
    maps: { m: ones },
    asm: `${lookup("m")}
      r1 = 0xffffff05 ll
      *(u64 *)(r10 - 16) = r1
      r6 = *(s8 *)(r10 - 16) ${use}`,
    retval: 255,
  },
  {
    name: "CVE-2018-18445: a 32-bit right shift looks at the low half only",
    maps: { m: arr },
    asm: `${lookup("m")}
      r6 = 2
      r6 <<= 31
      w6 >>= 31
      w6 -= 2 ${use}`,
    failure: "math between map_value pointer and 4294967294 is not allowed",
    errno: EINVAL,
  },
  {
    name: "CVE-2018-18445: so that the constant is 0xfffffffe",
    asm: `
      r0 = 2
      r0 <<= 31
      w0 >>= 31
      w0 -= 2
      exit`,
    retval: 0xfffffffe,
  },
  {
    name: "3612af783cf5: an addition that meets a pointer on one path and numbers on the other",
    maps: { m: arr },
    asm: `
      r7 = r1 ${unknown}
      r1 = r0
      r2 = 0
      if r6 != 0 goto add
      r1 = 0x40000
      r2 = 0x60000
    add:
      r1 += r2
      r0 = r1
      if r6 == 0 goto done
      r0 = 0
    done:
      exit
    out:
      r0 = 0
      exit`,
    retval: 0xa0000,
  },
  {
    name: "CVE-2020-8835: 64-bit bounds above 2^32, then a 32-bit jump",
    maps: { m: arr },
    asm: `${unknown}
      r1 = 0x2000000000 ll
      if r6 < r1 goto out
      r1 = 0x4000000000 ll
      if r6 > r1 goto out
      if w6 != 5 goto out
      r6 -= 5 ${use}`,
    failure: "value 137438953472 makes map_value pointer be out of bounds",
    errno: EINVAL,
  },
  {
    name: "CVE-2020-8835: and the low half alone",
    maps: { m: ones },
    asm: `${unknown}
      if w6 != -1 goto out
      w6 = w6
      w6 += 1 ${use}`,
    retval: 255,
  },
  {
    name: "CVE-2020-27194: the range of a 32-bit or is not that of the 64-bit one",
    maps: { m: arr },
    asm: `${unknown}
      r1 = 0x600000002 ll
      if r6 >= r1 goto out
      if r6 == 0 goto out
      r6 |= 0
      w6 = w6 ${use}`,
    failure: "R0 unbounded memory access",
  },
  {
    name: "CVE-2021-3490: and of a known low half and an unknown high half",
    maps: { m: arr },
    asm: `${unknown}
      r6 <<= 32
      r6 |= 1
      r1 = 0x100000002 ll
      r6 &= r1
      r0 = 0
      if w6 == 0 goto out ${crash}
    out:
      exit`,
    retval: 0,
  },
  ...(
    [
      ["&", "R0 unbounded memory access", EACCES],
      ["|", "value -9223372023969873917 makes map_value pointer be out of bounds", EINVAL],
      ["^", "value -9223372036854775805 makes map_value pointer be out of bounds", EINVAL],
    ] as const
  ).map(
    ([op, failure, errno]): VerifierCase => ({
      name: `CVE-2021-3490: r6 ${op}= r1 knows nothing of the high half`,
      maps: { m: arr },
      asm: `${unknown}
      r6 <<= 32
      r6 |= 1
      r1 = 0x300000002 ll
      r6 ${op}= r1 ${use}`,
      failure,
      errno,
    }),
  ),
  {
    name: "CVE-2021-3490: xor of known low halves",
    maps: { m: ones },
    asm: `${unknown}
      r6 <<= 32
      r6 |= 1
      r1 = 0x100000002 ll
      r6 ^= r1
      w6 = w6
      r0 = r6${end}`,
    retval: 3,
  },
  {
    name: "CVE-2021-31440: w2 <= 1 of a number that is at least 1 may still be 0",
    maps: { m: arr },
    asm: `${unknown}
      if r6 < 1 goto out
      if w6 > 1 goto out
      w6 = w6
      r6 -= 1 ${use}`,
    failure: "R0 min value is negative",
  },
  {
    name: "CVE-2021-31440: as 2^32 shows",
    maps: { m: { ...arr, init: "00000000010000000000000000000000" } },
    asm: `${unknown}
      if r6 < 1 goto out
      if w6 > 1 goto out
      w6 = w6
      r0 = 7
      if r6 == 0 goto done
      r0 = 0
    done: ${end}`,
    retval: 7,
  },
  {
    name: "CVE-2021-33624: pointer or number by two branches that exclude each other",
    maps: { m: arr },
    asm: `${unknown}
      r9 = r0
      r7 = r10
      r7 += -8
      *(u64 *)(r10 - 8) = 0
      if r6 == 0 goto first
      r7 = r6
    first:
      if r6 != 0 goto second
      r9 = *(u8 *)(r7 + 0)
    second:
      r0 = 0${end}`,
    retval: 0,
  },
  {
    name: "CVE-2021-33624: which a process without CAP_PERFMON may not do",
    maps: { m: arr },
    noPerfmon: true,
    asm: `${unknown}
      r7 = r10
      r7 += -8
      *(u64 *)(r10 - 8) = 0
      if r6 == 0 goto first
      r7 = r6
    first:
      if r6 != 0 goto second
      r9 = *(u8 *)(r7 + 0)
    second:
      r0 = 0${end}`,
    retval: 0,
  },
  {
    name: "CVE-2021-33624: an index that only a guess lets pass",
    maps: { m: arr },
    noPerfmon: true,
    asm: `${unknown}
      if r6 > 15 goto out
      r0 += r6
      r7 = *(u8 *)(r0 + 0)
      r0 = 0${end}`,
    retval: 0,
  },
  {
    name: "CVE-2023-2163: both registers of a comparison matter on the way back",
    maps: { m: arr },
    asm: `
      r6 = 512
      r7 = -0x40000000
      r6 %= 513
      if r6 <= r7 goto first
      r6 %= 1
      r7 = 0
    first:
      if r6 <= r7 goto second
      r6 = 0
    second: ${lookup("m")}
      r6 >>= 9
      r6 *= 4096 ${use}`,
    failure: "math between map_value pointer and register with unbounded min value is not allowed",
    errno: EINVAL,
  },
  {
    name: "CVE-2024-41003: w6 != constant keeps the range whole",
    maps: { m: { ...arr, init: "00000080000000000000000000000000" } },
    asm: `${unknown}
      w6 = w6
      if w6 != -2147483648 goto out
      r6 >>= 31
      r6 += 41
      r0 = r6${end}`,
    retval: 42,
  },
  {
    name: "CVE-2024-41003: a register compared with itself and with what it is known not to be",
    maps: { m: arr },
    asm: `${unknown}
      w6 &= 1
      if w6 != 0 goto out
      if w6 != w6 goto bad
      if w6 == 0 goto out
    bad: ${crash}
    out:
      r0 = 3
      exit`,
    retval: 3,
  },
  {
    name: "CVE-2024-53125: linked registers keep their own definition of the low half",
    asm: `
      call ktime_get_ns
      r0 &= 0x7fffffff
      w1 = w0
      if w0 < 10 goto next
    next:
      r1 >>= 32
      r0 = r1
      exit`,
    retval: 0,
  },
];

const memory: readonly VerifierCase[] = [
  {
    name: "CVE-2021-3489: a reservation larger than the ring fails when it runs",
    maps: { rb: ring },
    asm: `
      r1 = map[rb] ll
      r2 = 0x20000000
      r3 = 0
      call ringbuf_reserve
      if r0 != 0 goto got
      r0 = 5
      exit
    got:
      r1 = r0
      r2 = 0
      call ringbuf_discard
      r0 = 6
      exit`,
    retval: 5,
  },
  {
    name: "CVE-2021-3489: and its record is no larger than was asked for",
    maps: { rb: ring },
    asm: `
      r1 = map[rb] ll
      r2 = 8
      r3 = 0
      call ringbuf_reserve
      if r0 == 0 goto out
      *(u64 *)(r0 + 8) = 1
      r1 = r0
      r2 = 0
      call ringbuf_discard
    out:
      r0 = 0
      exit`,
    failure: "R0 min value is outside of the allowed memory range",
  },
  {
    name: "CVE-2021-4204: a record is submitted from its start",
    maps: { rb: ring },
    asm: `
      r1 = map[rb] ll
      r2 = 16
      r3 = 0
      call ringbuf_reserve
      if r0 == 0 goto out
      r1 = r0
      r1 += 8
      r2 = 0
      call ringbuf_submit
    out:
      r0 = 0
      exit`,
    failure: "R1 must have zero offset when passed to release func or trusted arg to kfunc",
    errno: EINVAL,
  },
  {
    name: "CVE-2022-23222: arithmetic on map_value_or_null",
    maps: { m: { ...arr, type: BPF_MAP_TYPE_HASH } },
    asm: `
      *(u32 *)(r10 - 4) = 0
      r2 = r10
      r2 += -4
      r1 = map[m] ll
      call map_lookup_elem
      r0 += 8
      if r0 == 0 goto out
      r0 = *(u8 *)(r0 + 0)
    out:
      exit`,
    failure: "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first",
  },
  {
    name: "CVE-2022-23222: arithmetic on ringbuf_mem_or_null",
    maps: { rb: ring },
    asm: `
      r1 = map[rb] ll
      r2 = 8
      r3 = 0
      call ringbuf_reserve
      r7 = r0
      r7 += 1
      if r0 != 0 goto got
      r0 = *(u8 *)(r7 + 0)
      exit
    got:
      r1 = r0
      r2 = 0
      call ringbuf_discard
      r0 = 0
      exit`,
    failure: "R7 pointer arithmetic on ringbuf_mem_or_null prohibited, null-check it first",
  },
  {
    name: "CVE-2022-2785, CVE-2022-2905: a constant read past the end of a read-only map",
    maps: { m: ro },
    asm: `
      r1 = map[m][0]+16 ll
      r0 = *(u32 *)(r1 + 0)
      exit`,
    failure: "invalid access to map value pointer, value_size=16 off=16",
    errno: EINVAL,
  },
  {
    name: "CVE-2022-2785, CVE-2022-2905: a constant read that straddles the end",
    maps: { m: ro },
    asm: `
      r1 = map[m][0]+12 ll
      r0 = *(u64 *)(r1 + 0)
      exit`,
    failure: "R1 min value is outside of the allowed memory range",
  },
  {
    name: "CVE-2022-2785, CVE-2022-2905: a constant of a frozen map is what the map holds",
    maps: { m: ro },
    asm: `
      r1 = map[m][0]+4 ll
      r0 = *(u32 *)(r1 + 0)
      if r0 == 2 goto done ${crash}
    done:
      exit`,
    retval: 2,
  },
  {
    name: "CVE-2022-2785, CVE-2022-2905: a helper reads past a map value",
    maps: { m: arr, rb: ring },
    asm: `${lookup("m")}
      r1 = map[rb] ll
      r2 = r0
      r3 = 32
      r4 = 0
      call ringbuf_output
      r0 = 0${end}`,
    failure: "R2 min value is outside of the allowed memory range",
  },
  {
    name: "CVE-2023-39191: a dynptr that was overwritten",
    maps: { m: arr },
    asm: `${lookup("m")}
      r1 = r0
      r2 = 16
      r3 = 0
      r4 = r10
      r4 += -24
      call dynptr_from_mem
      *(u64 *)(r10 - 16) = 0
      r1 = r10
      r1 += -32
      r2 = 8
      r3 = r10
      r3 += -24
      r4 = 0
      r5 = 0
      call dynptr_read
      r0 = 0${end}`,
    failure: "Expected an initialized dynptr as arg #2",
    errno: EINVAL,
  },
  {
    name: "CVE-2023-39191: a dynptr that is half overwritten by another",
    maps: { m: arr },
    asm: `${lookup("m")}
      r7 = r0
      r1 = r7
      r2 = 16
      r3 = 0
      r4 = r10
      r4 += -24
      call dynptr_from_mem
      r1 = r7
      r2 = 16
      r3 = 0
      r4 = r10
      r4 += -16
      call dynptr_from_mem
      r1 = r10
      r1 += -32
      r2 = 8
      r3 = r10
      r3 += -24
      r4 = 0
      r5 = 0
      call dynptr_read
      r0 = 0${end}`,
    failure: "Expected an initialized dynptr as arg #2",
    errno: EINVAL,
  },
  {
    name: "CVE-2023-39191: a dynptr read through a helper",
    maps: { m: arr, rb: ring },
    asm: `${lookup("m")}
      r1 = r0
      r2 = 16
      r3 = 0
      r4 = r10
      r4 += -24
      call dynptr_from_mem
      r1 = map[rb] ll
      r2 = r10
      r2 += -24
      r3 = 16
      r4 = 0
      call ringbuf_output
      r0 = 0${end}`,
    failure: "invalid read from stack R2 off -24+0 size 16",
  },
  {
    name: "CVE-2023-39191: a dynptr written through a helper",
    maps: { m: arr },
    asm: `${lookup("m")}
      r1 = r0
      r2 = 16
      r3 = 0
      r4 = r10
      r4 += -24
      call dynptr_from_mem
      r1 = r10
      r1 += -16
      r2 = 8
      r3 = r10
      r3 += -24
      r4 = 0
      r5 = 0
      call dynptr_read
      r0 = 0${end}`,
    failure: "potential write to dynptr at off=-16 disallowed",
  },
  {
    name: "CVE-2024-41009: two reservations never overlap",
    maps: { rb: ring },
    asm: `
      r1 = map[rb] ll
      r2 = 3000
      r3 = 0
      call ringbuf_reserve
      if r0 == 0 goto out
      r6 = r0
      r1 = map[rb] ll
      r2 = 3000
      r3 = 0
      call ringbuf_reserve
      r7 = 9
      if r0 == 0 goto one
      r7 = 1
      r1 = r0
      r2 = 0
      call ringbuf_discard
    one:
      r1 = r6
      r2 = 0
      call ringbuf_discard
      r0 = r7${end}`,
    retval: 9,
  },
  {
    name: "CVE-2024-49861: a helper's long goes to a read-only map",
    maps: { m: ro },
    asm: `
      *(u64 *)(r10 - 8) = 0x31
      r1 = r10
      r1 += -8
      r2 = 8
      r3 = 0
      r4 = map[m][0] ll
      call strtol
      r0 = 0
      exit`,
    failure: "write into map forbidden, value_size=16 off=0 size=8",
  },
  {
    name: "CVE-2024-50164: a helper writes so many bytes as a register says to a read-only map",
    maps: { m: ro },
    asm: `
      r2 = *(u32 *)(r1 + 12)
      r2 &= 7
      r3 = r10
      r1 = map[m][0] ll
      call probe_read_kernel
      r0 = 0
      exit`,
    failure: "write into map forbidden, value_size=16 off=0 size=7",
  },
];

/** What Linux says to each; undefined: accepted, since the result cannot leave 0..15. */
const WRAPS: readonly (readonly [
  width: "r" | "w",
  op: string,
  unknown: string | undefined,
  edge: string | undefined,
])[] = [
  ["r", "+=", "math between map_value pointer and register with unbounded min value is not allowed", undefined],
  ["w", "+=", undefined, "R0 max value is outside of the allowed memory range"],
  ["r", "-=", "math between map_value pointer and register with unbounded min value is not allowed", undefined],
  ["w", "-=", undefined, undefined],
  [
    "r",
    "*=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  ["w", "*=", undefined, "R0 max value is outside of the allowed memory range"],
  [
    "r",
    "<<=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  [
    "w",
    "<<=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  ["r", ">>=", "math between map_value pointer and register with unbounded min value is not allowed", undefined],
  [
    "w",
    ">>=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  [
    "r",
    "s>>=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  ["w", "s>>=", "math between map_value pointer and register with unbounded min value is not allowed", undefined],
  ["r", "|=", "value -9223372036854775807 makes map_value pointer be out of bounds", undefined],
  ["w", "|=", undefined, "R0 max value is outside of the allowed memory range"],
  [
    "r",
    "^=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  ["w", "^=", undefined, "R0 max value is outside of the allowed memory range"],
  ["r", "&=", "math between map_value pointer and register with unbounded min value is not allowed", undefined],
  ["w", "&=", undefined, undefined],
  [
    "r",
    "/=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  [
    "w",
    "/=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  [
    "r",
    "%=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
  [
    "w",
    "%=",
    "math between map_value pointer and register with unbounded min value is not allowed",
    "R0 max value is outside of the allowed memory range",
  ],
];

/** r6 is an odd number, then 0..15 + 2^63 - 8; what the operation makes of it, unless a check stops it, is no index. */
const wraps: readonly VerifierCase[] = WRAPS.flatMap(([w, op, unknownSays, edgeSays]): VerifierCase[] => [
  {
    name: `abstract list: ${w}6 ${op} a number that is unknown`,
    maps: { m: arr },
    asm: `${unknown}
      r7 = *(u64 *)(r0 + 8)
      r6 |= 1
      ${w}6 ${op} ${w}7
      if r6 s> 15 goto out ${use}`,
    ...refusal(unknownSays),
  },
  {
    name: `abstract list: ${w}6 ${op} 9, at the edge of its sign`,
    maps: { m: arr },
    asm: `${unknown}
      r6 &= 15
      r7 = 0x7ffffffffffffff8 ll
      r6 += r7
      ${w}6 ${op} 9
      if r6 > 0x1000 goto out ${use}`,
    ...refusal(edgeSays),
  },
]);

function refusal(says: string | undefined): Pick<VerifierCase, "failure" | "errno" | "retval"> {
  if (says === undefined) return { retval: 0 };
  return { failure: says, errno: /^(math|value)/.test(says) ? EINVAL : EACCES };
}

const others: readonly VerifierCase[] = [
  {
    name: "div/mod 32: a division by zero is 0, not a trap, and of the low halves",
    asm: `
      r6 = 0xffffffff00000007 ll
      r7 = 0x500000000 ll
      w6 /= w7
      r0 = 1
      if r6 == 0 goto done
      r0 = 2
    done:
      exit`,
    retval: 1,
  },
  {
    name: "div/mod 32: the verifier expects any result of it",
    asm: `
      r6 = 0xffffffff00000007 ll
      r7 = 0x500000000 ll
      w6 /= w7
      r0 = 0
      if r6 == 0 goto bad
      exit
    bad: ${crash}`,
    failure: "R1 invalid mem access 'scalar'",
  },
  {
    name: "div/mod 32: a remainder by zero is the truncated dividend",
    asm: `
      r6 = 0xffffffff00000007 ll
      r7 = 0x500000000 ll
      w6 %= w7
      r0 = r6
      r6 >>= 32
      r0 += r6
      exit`,
    retval: 7,
  },
  {
    name: "div/mod 32: source and destination are truncated first",
    asm: `
      r0 = 0x100000007 ll
      r7 = 0x500000002 ll
      w0 /= w7
      r6 = 0x100000007 ll
      w6 %= w7
      r6 <<= 4
      r0 |= r6
      exit`,
    retval: 0x13,
  },
  {
    name: "div/mod 32: by a constant 0",
    asm: "r0 = 1\nw0 /= 0\nexit",
    failure: "div by zero",
    errno: EINVAL,
  },
  {
    name: "div/mod 32: the divisor keeps its value",
    asm: `
      r6 = 9
      r0 = 0x500000000 ll
      w6 /= w0
      r0 >>= 32
      exit`,
    retval: 5,
  },
  {
    name: "abstract list: a loop only in a callee",
    asm: `
      call spin
      r0 = 0
      exit
    spin:
      r0 = 1
    again:
      if r0 == 1 goto again
      exit`,
    failure: "infinite loop detected at insn 4",
    errno: EINVAL,
  },
  {
    name: "abstract list: a loop only in a callee, with an end",
    asm: `
      call spin
      r0 += 1
      exit
    spin:
      r0 = 0
    again:
      r0 += 2
      if r0 < 40 goto again
      exit`,
    retval: 41,
  },
  {
    name: "abstract list: an access that straddles data_end",
    asm: `
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 14
      r0 = 0
      if r4 > r3 goto out
      r0 = *(u32 *)(r2 + 11)
    out:
      exit`,
    failure: "R2 offset is outside of the packet",
  },
  {
    name: "abstract list: an access at data_end of a packet that may be one byte shorter",
    asm: `
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 14
      r0 = 0
      if r4 >= r3 goto out
      r0 = *(u8 *)(r2 + 15)
    out:
      exit`,
    failure: "R2 offset is outside of the packet",
  },
  {
    name: "abstract list: 64-bit division by k*2^32",
    asm: `
      r0 = 0x900000000 ll
      r1 = 0x300000000 ll
      r0 /= r1
      exit`,
    retval: 3,
  },
  {
    name: "abstract list: 32-bit division by k*2^32",
    asm: `
      r0 = 0x900000009 ll
      r1 = 0x300000000 ll
      w0 /= w1
      exit`,
    retval: 0,
  },
  {
    name: "abstract list: 32-bit remainder by k*2^32",
    asm: `
      r0 = 0x900000009 ll
      r1 = 0x300000000 ll
      w0 %= w1
      exit`,
    retval: 9,
  },
  ...[1, 2, 3, 4, 5].map(
    (r): VerifierCase => ({
      name: `abstract list: r${r} is gone after a helper`,
      asm: `r${r} = 7\ncall ktime_get_ns\nr0 = r${r}\nexit`,
      failure: `R${r} !read_ok`,
    }),
  ),
  {
    name: "abstract list: r1 is gone after a function of the program",
    asm: `
      r1 = 7
      call nop
      r0 = r1
      exit
    nop:
      r0 = 0
      exit`,
    failure: "R1 !read_ok",
  },
  {
    name: "JIT list: a byte store beside r10",
    asm: `
      *(u64 *)(r10 - 8) = -1
      *(u64 *)(r10 - 16) = -1
      *(u8 *)(r10 - 1) = 0
      *(u8 *)(r10 - 8) = 0
      *(u8 *)(r10 - 9) = 0x11
      r0 = *(u64 *)(r10 - 8)
      r1 = *(u64 *)(r10 - 16)
      r0 ^= r1
      r0 >>= 32
      exit`,
    retval: 0x11000000,
  },
  {
    name: "JIT list: a byte store at r10",
    asm: "*(u8 *)(r10 + 0) = 1\nr0 = 0\nexit",
    failure: "invalid write to stack R10 off=0 size=1",
  },
  {
    name: "JIT list: shifts by 0 and by 63",
    asm: `
      r0 = 0x8000000000000001 ll
      r1 = 0
      r0 <<= r1
      r1 = 63
      r0 s>>= r1
      r0 >>= 63
      exit`,
    retval: 1,
  },
  {
    name: "JIT list: a shift by 64",
    asm: "r0 = 1\nr0 <<= 64\nexit",
    failure: "invalid shift 64",
    errno: EINVAL,
  },
  {
    name: "JIT list: a 32-bit JSET ignores the high halves",
    maps: { m: { ...arr, init: "000000000f0000000000000000000000" } },
    asm: `${unknown}
      r0 = 1
      if w6 & w6 goto done
      r0 = 2
      if r6 & r6 goto done
      r0 = 3
    done: ${end}`,
    retval: 2,
  },
  {
    name: "JIT list: the most negative number by -1",
    asm: `
      r0 = 0x8000000000000000 ll
      r0 s/= -1
      w1 = 0x80000000
      w1 s/= -1
      r0 >>= 32
      r0 ^= r1
      w2 = 0x80000000
      w2 s%= -1
      r0 += r2
      exit`,
    retval: 0,
  },
  {
    name: "JIT list: sign-extending loads and moves",
    asm: `
      *(u64 *)(r10 - 8) = 0x80
      r0 = *(s8 *)(r10 - 8)
      r1 = *(u8 *)(r10 - 8)
      r1 = (s8)r1
      w2 = (s8)w1
      r0 -= r1
      w0 += w2
      exit`,
    retval: 0xffffff80,
  },
  {
    name: "JIT list: widths of bswap",
    asm: `
      r0 = 0x1122334455667788 ll
      r1 = r0
      r2 = r0
      r0 = bswap16 r0
      r1 = bswap32 r1
      r2 = bswap64 r2
      r1 <<= 16
      r2 >>= 56
      r0 |= r1
      r0 += r2
      exit`,
    retval: 0x6655_8877 + 0x88,
  },
];

verifierTests("ranges", ranges);
verifierTests("memory, maps and helpers", memory);
verifierTests("wraps", wraps);
verifierTests("other rows", others);

describe("CVE-2025-38502: a tail call between programs with different cgroup storage", () => {
  /** A cgroup_skb program that writes 8 bytes of its storage at `off`. */
  const withStorage = (off: number) => `
    r1 = map[storage] ll
    r2 = 0
    call get_local_storage
    *(u64 *)(r0 + ${off}) = 1
    r0 = 1
    exit`;

  it("the array takes programs with the storage of its first one only", () =>
    withKernel((_kernel, proc) => {
      const storage = (valueSize: number) =>
        proc.mapCreate({ mapType: BPF_MAP_TYPE_CGROUP_STORAGE, keySize: 16, valueSize, maxEntries: 0 });
      const [small, large] = [storage(8), storage(64)];
      const progs = proc.mapCreate({ mapType: BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 2 });
      const options = { progType: BPF_PROG_TYPE_CGROUP_SKB };
      const first = load(proc, withStorage(0), { ...options, maps: { storage: small } });
      const again = load(proc, withStorage(0), { ...options, maps: { storage: small } });
      const wide = load(proc, withStorage(56), { ...options, maps: { storage: large } });
      const none = load(proc, "r0 = 1\nexit", options);
      proc.mapUpdateElem(progs, u32(0), u32(first));
      proc.mapUpdateElem(progs, u32(1), u32(again));
      expect(() => proc.mapUpdateElem(progs, u32(1), u32(wide))).toThrow("EINVAL");
      expect(() => proc.mapUpdateElem(progs, u32(1), u32(none))).not.toThrow();
    }));

  it("nor may a program with other storage call through it", () =>
    withKernel((_kernel, proc) => {
      const storage = (valueSize: number) =>
        proc.mapCreate({ mapType: BPF_MAP_TYPE_CGROUP_STORAGE, keySize: 16, valueSize, maxEntries: 0 });
      const progs = proc.mapCreate({ mapType: BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 2 });
      const [small, large] = [storage(8), storage(64)];
      const options = { progType: BPF_PROG_TYPE_CGROUP_SKB };
      const caller = `
        r6 = r1
        r1 = map[storage] ll
        r2 = 0
        call get_local_storage
        *(u64 *)(r0 + 0) = 1
        r1 = r6
        r2 = map[progs] ll
        r3 = 0
        call tail_call
        r0 = 1
        exit`;
      load(proc, caller, { ...options, maps: { storage: small, progs } });
      const wide = load(proc, withStorage(56), { ...options, maps: { storage: large } });
      expect(() => proc.mapUpdateElem(progs, u32(0), u32(wide))).toThrow("EINVAL");
      expect(() => load(proc, caller, { ...options, maps: { storage: large, progs } })).toThrow("EINVAL");
      const bare = "r2 = map[progs] ll\nr3 = 0\ncall tail_call\nr0 = 1\nexit";
      expect(() => load(proc, bare, { ...options, maps: { progs } })).toThrow("EINVAL");
    }));
});
