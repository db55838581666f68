/**
 * May this extension take the place of that function? The answer does not depend on who will hold whom.
 *
 * Errors   EINVAL no such function, a static one, another prototype, another program type than the extension was verified
 *          for; EBUSY an extension or a tracing program is there, or a prog array holds the target.
 * Source   bpf_check_attach_target(), bpf_freplace_check_tgt_prog(), bpf_trampoline_link_prog().
 */
import { BPF_PROG_TYPE_EXT } from "../../abi/bpf.ts";
import { BpfError, EBUSY, EINVAL } from "../../abi/errno.ts";
import { checkRetarget } from "../../verifier/attach.ts";
import type { Kernel } from "../kernel.ts";
import type { Prog } from "../prog.ts";
import { attachFacts, funcRecords } from "../prog_load.ts";

/** @returns the number of the function in the target @throws EINVAL */
export function checkTarget(kernel: Kernel, ext: Prog, target: Prog, btfId: number): number {
  const { facts } = ext;
  const fail = (text: string): never => {
    throw new BpfError(EINVAL, `program '${ext.name}': ${text}`, { prog: ext.id, target: target.id, btfId });
  };
  if (ext.type !== BPF_PROG_TYPE_EXT) fail(`is of type ${ext.type}; wanted an extension`);
  const loadedFor = facts.attachProg;
  if (
    loadedFor &&
    (loadedFor.type !== target.type || loadedFor.facts.expectedAttachType !== target.facts.expectedAttachType)
  ) {
    fail(`was verified for a program of type ${loadedFor.type}, attach type ${loadedFor.facts.expectedAttachType}`);
  }
  checkRetarget(
    ext.verified,
    {
      progType: ext.type,
      expectedAttachType: facts.expectedAttachType,
      attachBtfId: btfId,
      attachBtf: target.facts.btf?.btf,
      attachProg: attachFacts(target),
      btf: facts.btf?.btf,
      funcInfo: funcRecords(facts.funcInfo, 8),
    },
    kernel.platform,
  );
  return target.subprogOf(btfId);
}

/** @throws EBUSY */
export function checkFree(ext: Prog, target: Prog, subprog: number): void {
  const name = target.verified.subprogs[subprog]?.name ?? "";
  const fail = (text: string): never => {
    throw new BpfError(EBUSY, `program '${ext.name}': ${text}`, { prog: ext.id, target: target.id });
  };
  const there = target.patchAt(subprog);
  if (there) {
    fail(
      "prog" in there
        ? `${name}() of program ${target.id} is replaced by program ${there.prog.id} already`
        : `${name}() of program ${target.id} is traced, and then cannot be replaced`,
    );
  }
  if (target.arraySlots) fail(`program ${target.id} is in a prog array, and then its functions cannot be replaced`);
}
