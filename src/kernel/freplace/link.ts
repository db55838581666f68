/**
 * freplace in Linux's direction: the link of an extension holds the target, and while it lives the extension is called in
 * place of one global function. BPF_LINK_CREATE (also to another target than the one of the load) and
 * BPF_RAW_TRACEPOINT_OPEN (the target of the load).
 *
 * Errors   EINVAL half a target, none left (each load's target counts once), or one that does not fit; EBUSY.
 * Source   bpf_tracing_prog_attach() in kernel/bpf/syscall.c.
 * Differs  a function comes back when no run is in the middle of the extension: on Linux at once, so that packets that a dispatcher is
 *          working on can meet half a set when libxdp takes it away. And of two extended functions of one program, Linux forgets both when one is restored, and the program may become a
 *          tail callee; here it may when none is left.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EINVAL } from "../../abi/errno.ts";
import type { LinkCreateAttr } from "../bpf.ts";
import type { Attachment, LinkType } from "../link.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import { checkFree, checkTarget } from "./target.ts";

export const FREPLACE_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_TRACING,
  progTypes: [abi.BPF_PROG_TYPE_EXT],
  attach(proc, ext, attr): Attachment {
    const { target, btfId, subprog } = findTarget(proc, ext, attr);
    checkFree(ext, target, subprog);
    target.patch(subprog, { prog: ext });
    target.get();
    // the target of the load is not kept once the extension is attached, wherever that is
    ext.dropDst();
    const { attachType } = attr;
    return {
      detach: () => target.unpatch(subprog, [target, ext.get()]),
      info: () => ({ attachType, targetObjId: target.id, targetBtfId: btfId }),
      holds: () => [target],
    };
  },
};

function findTarget(proc: Process, ext: Prog, { targetFd, targetBtfId }: LinkCreateAttr) {
  const fail = (text: string): never => {
    throw new BpfError(EINVAL, `program '${ext.name}': ${text}`, { targetFd, targetBtfId });
  };
  if (!targetFd !== !targetBtfId) fail("half a target; wanted a program and the BTF id of a function, or neither");
  const given = targetFd && targetBtfId ? { target: proc.progAt(targetFd), btfId: targetBtfId } : undefined;
  const { dst, facts } = ext;
  if (!given && !dst) fail("was attached to its target before; wanted target_fd and target_btf_id");
  if (dst && (!given || (given.target === dst && given.btfId === facts.attachBtfId))) {
    return { target: dst, btfId: facts.attachBtfId, subprog: dst.subprogOf(facts.attachBtfId) };
  }
  const { target, btfId } = given!;
  return { target, btfId, subprog: checkTarget(proc.kernel, ext, target, btfId) };
}
