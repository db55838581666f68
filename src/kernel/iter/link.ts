/**
 * Links of iterators: BPF_LINK_CREATE with BPF_TRACE_ITER, and BPF_ITER_CREATE.
 *
 * Errors   EINVAL flags, a target fd, a sleepable program where walks cannot sleep, an update to a program of another
 *          iterator, an fd that is no iterator's link; what attach_target() of the iterator says.
 * Source   bpf_iter_link_attach(), bpf_iter_link_replace(), bpf_iter_new_fd() of kernel/bpf/bpf_iter.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { Fd } from "../bpf.ts";
import type { Attachment, LinkType } from "../link.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import { SeqFile } from "./seq_file.ts";
import type { IterTarget } from "./target.ts";
import { ITER_TARGETS } from "./targets.ts";

const PREFIX = "bpf_iter_";

export const ITER_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_ITER,
  progTypes: [abi.BPF_PROG_TYPE_TRACING],
  attachTypes: [abi.BPF_TRACE_ITER],
  attach(proc, prog, attr): Attachment {
    const refuse = (why: string): never => {
      throw new BpfError(EINVAL, `iterator '${prog.name}': ${why}`, { prog: prog.id });
    };
    if (prog.facts.expectedAttachType !== attr.attachType) refuse("it was not loaded as an iterator");
    if (attr.targetFd || attr.flags) refuse("iterators know no target fd and no flags");
    const { name, target } = targetOf(prog);
    if (prog.verified.sleepable && !target.resched) refuse(`a walk of ${name} may not sleep`);
    const aux = target.attach(proc, prog, attr.iter ?? {});
    for (const obj of aux.held) obj.getUser();
    return {
      update(next) {
        const same = next.type === prog.type && next.facts.attachBtfId === prog.facts.attachBtfId;
        if (!same || next.facts.expectedAttachType !== abi.BPF_TRACE_ITER) {
          throw new BpfError(EINVAL, `program '${next.name}' iterates something else; wanted ${name}`, {});
        }
      },
      detach() {
        for (const obj of aux.held) obj.putUser();
      },
      info: () => ({ targetName: name, ...aux.info }),
      holds: () => aux.held,
      open: (current) => new SeqFile(proc.kernel, current, aux.open(), aux.held),
    };
  },
};

/** @throws ENOENT, or the errno of an iterator that is not modelled */
function targetOf(prog: Prog): { name: string; target: IterTarget } {
  const { attachBtf, attachBtfId } = prog.facts;
  const func = attachBtf && attachBtfId ? attachBtf.nameOf(attachBtfId) : "";
  const name = func.startsWith(PREFIX) ? func.slice(PREFIX.length) : func;
  const target = ITER_TARGETS[name];
  if (!target) throw new BpfError(ENOENT, `program '${prog.name}': there is no iterator '${name}'`, { name });
  if ("errno" in target) throw new BpfError(target.errno, `iterator '${name}': ${target.reason}`, { name });
  return { name, target };
}

/** BPF_ITER_CREATE. */
export function iterCreate(proc: Process, linkFd: Fd): SeqFile {
  const link = proc.linkAt(linkFd);
  const file = link.openFile();
  if (!file)
    throw new BpfError(EINVAL, `link fd ${linkFd} is of type ${link.type.type}; wanted an iterator`, { linkFd });
  return file as SeqFile;
}
