/** The machine that data/linux-6.18-selftests.jsonl was recorded on, as far as its configuration decided what loads. */
import { BPF_PROG_TYPE_LIRC_MODE2 } from "../src/abi/bpf.ts";
import { EPERM } from "../src/abi/errno.ts";
import type { KernelConfig } from "../src/verifier/platform.ts";

export const RECORDED: KernelConfig = {
  // CONFIG_KALLSYMS_ALL is not set there.
  kallsymsAll: false,
  // CONFIG_BPF_LIRC_MODE2 is not set there.
  missingProgTypes: [BPF_PROG_TYPE_LIRC_MODE2],
  // Every fentry, fexit, fmod_ret and LSM program was refused before the verifier saw it, also of one instruction.
  trampolineErrno: EPERM,
};
