/** What the fuzzer found, as programs that one can read. */
import { BPF_MAP_TYPE_HASH } from "../../src/abi/bpf.ts";
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
]);
