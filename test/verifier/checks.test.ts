/** Rules that the kernel's test_verifier tables and differently compiled selftests showed, each with its words. */
import { BPF_F_ANY_ALIGNMENT, BPF_F_STRICT_ALIGNMENT, BPF_MAP_TYPE_ARRAY } from "../../src/abi/bpf.ts";
import { EINVAL } from "../../src/abi/errno.ts";
import { verifierTests } from "../support/verifier.ts";

const MAPS = { values: { type: BPF_MAP_TYPE_ARRAY, key: 4, value: 48, max: 1 } };
/** A word at byte 2 of a map value. */
const UNALIGNED = `
      *(u32 *)(r10 - 4) = 0
      r2 = r10
      r2 += -4
      r1 = map[values] ll
      call map_lookup_elem
      if r0 == 0 goto out
      r1 = *(u32 *)(r0 + 2)
    out:
      r0 = 0
      exit`;

verifierTests("checks at the edges", [
  {
    name: "a function without stack costs its caller nothing",
    retval: 1,
    asm: `
      *(u64 *)(r10 - 504) = 0
      *(u64 *)(r10 - 512) = 0
      call nothing
      exit
    nothing:
      r0 = 1
      exit`,
  },
  { name: "words of a map value may be anywhere", maps: MAPS, asm: UNALIGNED },
  {
    name: "unless alignment is asked for",
    maps: MAPS,
    flags: BPF_F_STRICT_ALIGNMENT,
    failure: "misaligned value access off 0+0+2 size 4",
    asm: UNALIGNED,
  },
  {
    name: "any alignment undoes the strict one",
    maps: MAPS,
    flags: BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT,
    asm: UNALIGNED,
  },
]);

const NO_REGISTER = ".8byte 0x100000bb7";

verifierTests("instructions that are none", [
  {
    name: "a register that does not exist",
    asm: `
      ${NO_REGISTER}
      exit`,
    failure: "R11 is invalid",
    errno: EINVAL,
  },
  {
    name: "where no path comes",
    retval: 0,
    asm: `
      r0 = 0
      if r0 == 0 goto out
      ${NO_REGISTER}
    out:
      exit`,
  },
  {
    name: "reserved fields come before registers",
    asm: `
      .8byte 0xffffffffffffff7f
      exit`,
    failure: "BPF_ALU uses reserved fields",
    errno: EINVAL,
  },
  {
    name: "calls through a register",
    asm: `
      r0 = 0
      .8byte 0x8d
      exit`,
    failure: "unknown opcode 8d",
    errno: EINVAL,
  },
  {
    name: "an unresolved kfunc leaves the registers",
    asm: `
      .8byte 0x2085
      exit`,
    failure: "R0 !read_ok",
  },
  {
    name: "and is refused when all else is well",
    asm: `
      r0 = 0
      .8byte 0x2085
      exit`,
    failure: "invalid kernel function call not eliminated in verifier pass",
    errno: EINVAL,
  },
  {
    name: "but not where no path comes",
    retval: 0,
    asm: `
      r0 = 0
      if r0 == 0 goto out
      .8byte 0x2085
    out:
      exit`,
  },
]);
