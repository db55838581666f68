/** What the fuzzer found, as programs that one can read. */
import { EINVAL } from "../../src/abi/errno.ts";
import { verifierTests } from "../support/verifier.ts";

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
    name: "and those of other processes' data",
    asm: `
      r1 = r10
      r1 += -16
      r2 = 16
      call get_current_comm
      r0 = 5
      exit`,
    retval: 5,
  },
]);
