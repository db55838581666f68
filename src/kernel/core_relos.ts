/**
 * CO-RE relocations that come with a load, as light skeletons bring them: applied against the kernel's BTF before the
 * program is verified. What cannot be resolved poisons its instruction, which is fine in code that never runs.
 *
 * Errors   EINVAL a relocation of no instruction, or of one that cannot be relocated.
 * Source   check_core_relo() in kernel/bpf/verifier.c, bpf_core_apply() in kernel/bpf/btf.c.
 */
import { BpfError, EINVAL } from "../abi/errno.ts";
import { struct } from "../abi/struct.ts";
import type { Btf } from "../btf/btf.ts";
import { CoreTargets } from "../btf/core_relo.ts";
import type { Insns } from "../isa/insns.ts";
import { CoreApplier } from "../object/core.ts";
import type { CoreReloSpec } from "../object/spec.ts";

/** struct bpf_core_relo. */
const CORE_RELO = struct({ insn_off: "u32", type_id: "u32", access_str_off: "u32", kind: "u32" });

/** Patches `insns` in place. @param recSize bytes from one record to the next */
export function applyCoreRelos(
  insns: Insns,
  records: Uint8Array,
  recSize: number,
  local: Btf,
  kernelBtf: Btf | undefined,
  name: string,
): void {
  const what = `program '${name}'`;
  if (recSize < CORE_RELO.size || records.length % recSize) {
    throw new BpfError(EINVAL, `${what}: ${records.length} bytes of CO-RE relocations of ${recSize} bytes`, {
      recSize,
    });
  }
  const relos: CoreReloSpec[] = [];
  for (let at = 0; at < records.length; at += recSize) {
    const r = CORE_RELO.unpack(records.subarray(at, at + CORE_RELO.size));
    if (r.insn_off % 8 || r.insn_off / 8 >= insns.length) {
      throw new BpfError(
        EINVAL,
        `${what}: CO-RE relocation at byte ${r.insn_off}; it has ${insns.length} instructions`,
        {},
      );
    }
    relos.push({ insnIdx: r.insn_off / 8, typeId: r.type_id, access: local.str(r.access_str_off), kind: r.kind });
  }
  if (!kernelBtf) throw new BpfError(EINVAL, `${what}: CO-RE relocations need the kernel's BTF`, {});
  new CoreApplier(local, new CoreTargets(kernelBtf, [])).apply(insns, relos, what);
}
