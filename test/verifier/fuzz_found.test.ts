/** What the fuzzer found, as programs that one can read. */
import { BPF_MAP_TYPE_HASH, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_TRACEPOINT } from "../../src/abi/bpf.ts";
import { EINVAL } from "../../src/abi/errno.ts";
import { verifierTests } from "../support/verifier.ts";

const lookup = `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[m] ll
  call map_lookup_elem`;

verifierTests("found by the fuzzer", [
  {
    name: "helpers that read the kernel need CAP_PERFMON",
    noPerfmon: true,
    asm: `
      r1 = r10
      r1 += -16
      r2 = 16
      call get_current_comm
      r0 = 0
      exit`,
    failure: "program of this type cannot use helper bpf_get_current_comm#16",
    errno: EINVAL,
  },
  {
    name: "and with it they may be called",
    asm: `
      r1 = r10
      r1 += -16
      r2 = 16
      call get_current_comm
      r0 = 5
      exit`,
    retval: 5,
  },
  {
    name: "the low half of a pointer that is not NULL is not 0",
    maps: { m: { type: BPF_MAP_TYPE_HASH, key: 4, value: 8, max: 1, init: "0700000000000000" } },
    asm: `${lookup}
      if r0 == 0 goto out
      if w0 != 0 goto out
      r1 = 0x1234
      r0 = *(u64 *)(r1 + 0)
    out:
      r0 = 3
      exit`,
    retval: 3,
  },
  {
    name: "a frame without stack takes none of the 512 bytes",
    asm: `
      call a
      exit
    a:
      *(u64 *)(r10 - 256) = 1
      call b
      exit
    b:
      *(u64 *)(r10 - 256) = 2
      r0 = 4
      exit`,
    retval: 4,
  },
  {
    name: "a frame with stack takes 16 bytes of it at least",
    asm: `
      *(u8 *)(r10 - 1) = 0
      call a
      exit
    a:
      *(u64 *)(r10 - 256) = 1
      call b
      exit
    b:
      *(u64 *)(r10 - 256) = 2
      r0 = 4
      exit`,
    failure: "combined stack size of 3 calls is 528. Too large",
  },
  {
    name: "the cgroup class of a process needs no context",
    progType: BPF_PROG_TYPE_TRACEPOINT,
    asm: `
      r1 = 0
      call get_cgroup_classid
      exit`,
  },
  {
    name: "that of a packet does",
    progType: BPF_PROG_TYPE_SCHED_CLS,
    asm: `
      r1 = 0
      call get_cgroup_classid
      exit`,
    failure: "R1 type=scalar expected=ctx",
  },
  {
    name: "may_goto may go to the next instruction",
    asm: `
      r0 = 6
      may_goto next
    next:
      exit`,
    retval: 6,
  },
]);
