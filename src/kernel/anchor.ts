/**
 * The program or link that an attachment is to stand before or after: relative_fd or relative_id, BPF_F_ID, BPF_F_LINK.
 *
 * Errors   EBADF, ENOENT no such fd or id; EINVAL of another kind or another program type.
 * Source   bpf_mprog_tuple_relative() in kernel/bpf/mprog.c, bpf_get_anchor_prog() and bpf_get_anchor_link() in
 *          kernel/bpf/cgroup.c.
 */
import { BPF_F_ID, BPF_F_LINK } from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Fd } from "./fd.ts";
import type { Link } from "./link.ts";
import type { Prog } from "./prog.ts";
import type { Task } from "./task.ts";

export interface Anchor {
  readonly prog: Prog;
  readonly link: Link | undefined;
}

export interface AnchorAttr {
  readonly flags?: number;
  readonly relativeFd?: Fd;
  readonly relativeId?: number;
}

/** Whether a relative is named at all, by a flag or by a number. */
export function namesAnchor({ flags = 0, relativeFd, relativeId }: AnchorAttr): boolean {
  return (flags & (BPF_F_ID | BPF_F_LINK)) !== 0 || Boolean(relativeFd) || Boolean(relativeId);
}

/** @param progType  of programs that can stand there; undefined: what is of another type is just not found there */
export function anchorOf(task: Task, attr: AnchorAttr, progType?: number): Anchor | undefined {
  if (!namesAnchor(attr)) return undefined;
  const { flags = 0, relativeFd = 0 as Fd, relativeId = 0 } = attr;
  const { kernel } = task;
  if (flags & BPF_F_LINK) {
    const link = flags & BPF_F_ID ? kernel.links.at(relativeId) : task.linkAt(relativeFd);
    const { prog } = link;
    if (!prog || (progType !== undefined && prog.type !== progType)) {
      throw new BpfError(EINVAL, `link ${link.id} holds no program of type ${progType}`, { link: link.id });
    }
    return { prog, link };
  }
  const prog = flags & BPF_F_ID ? kernel.progs.at(relativeId) : task.progAt(relativeFd);
  if (progType !== undefined && prog.type !== progType) {
    throw new BpfError(EINVAL, `program ${prog.id} is of type ${prog.type}; wanted ${progType}`, { prog: prog.id });
  }
  return { prog, link: undefined };
}
