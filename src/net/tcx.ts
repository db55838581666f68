/**
 * tcx: the programs of one direction of a device, run in order until one decides.
 *
 * Verdicts  TCX_NEXT (-1) and unknown codes go on to the next program; TCX_PASS, TCX_DROP, TCX_REDIRECT end the chain.
 * Order     BPF_F_BEFORE / BPF_F_AFTER relative to another program or link, BPF_F_REPLACE; every change raises the revision.
 * Errors    ESTALE another revision expected, EEXIST the program is there already, ENOENT no such relative, ERANGE no place
 *           that is before and after, or no room; EINVAL flags that name no place.
 * Source    kernel/bpf/mprog.c, kernel/bpf/tcx.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EEXIST, EINVAL, ENODEV, ENOENT, ERANGE, ESTALE } from "../abi/errno.ts";
import type { LinkCreateAttr } from "../kernel/bpf.ts";
import type { Attachment, Link, LinkType } from "../kernel/link.ts";
import type { Process } from "../kernel/process.ts";
import type { Prog } from "../kernel/prog.ts";
import type { Net } from "./net.ts";

/** BPF_MPROG_MAX. */
const MAX_PROGS = 64;

export interface TcxEntry {
  prog: Prog;
  readonly link: Link;
}

export class TcxList {
  readonly entries: TcxEntry[] = [];
  revision = 1n;

  insert(entry: TcxEntry, at: number): void {
    this.entries.splice(at, 0, entry);
    this.revision++;
  }

  remove(entry: TcxEntry): void {
    const at = this.entries.indexOf(entry);
    if (at < 0) return;
    this.entries.splice(at, 1);
    this.revision++;
  }
}

/** What a new link is to be put beside: a link (and its program), or a program. */
interface Relative {
  readonly prog: Prog | undefined;
  readonly link: Link | undefined;
}

/** bpf_mprog_tuple_relative(). Undefined: the ends of the list. @throws EBADF, ENOENT, EINVAL */
function relativeOf(proc: Process, attr: LinkCreateAttr, type: number): Relative | undefined {
  const { flags = 0, relativeId = 0, relativeFd } = attr;
  const byId = (flags & abi.BPF_F_ID) !== 0;
  const byLink = (flags & abi.BPF_F_LINK) !== 0;
  if (!byId && relativeFd === undefined) {
    if (byLink) throw new BpfError(EINVAL, "tcx: BPF_F_LINK without a link", { flags });
    return undefined;
  }
  const { kernel } = proc;
  const link = byLink ? (byId ? kernel.links.at(relativeId) : proc.linkAt(relativeFd!)) : undefined;
  const prog = link ? link.prog : byId ? kernel.progs.at(relativeId) : proc.progAt(relativeFd!);
  if (prog?.type !== type) throw new BpfError(EINVAL, `tcx: the relative has no program of type ${type}`, { flags });
  return { prog, link };
}

/** Where a new link goes among the others (bpf_mprog_attach()). @throws ENOENT, ERANGE, EINVAL */
function position(proc: Process, { entries }: TcxList, attr: LinkCreateAttr, type: number): number {
  const flags = attr.flags ?? 0;
  const relative = relativeOf(proc, attr, type);
  const what = "tcx: the relative is not attached here";
  if (flags & abi.BPF_F_REPLACE) throw new BpfError(ENOENT, "tcx: a new link replaces nothing", { flags });
  if (entries.length >= MAX_PROGS) throw new BpfError(ERANGE, `tcx: there are ${MAX_PROGS} programs`, {});
  const at =
    relative && entries.findIndex((e) => e.prog === relative.prog && (!relative.link || e.link === relative.link));
  if (!(flags & (abi.BPF_F_BEFORE | abi.BPF_F_AFTER))) {
    if (relative || flags) throw new BpfError(EINVAL, `tcx: flags 0x${flags.toString(16)} name no place`, { flags });
    return entries.length;
  }
  if (at !== undefined && at < 0) throw new BpfError(ENOENT, what, { flags });
  const before = at ?? 0;
  const after = at === undefined ? entries.length : at + 1;
  if (flags & abi.BPF_F_BEFORE && flags & abi.BPF_F_AFTER) {
    throw new BpfError(ERANGE, "tcx: nothing is both before and after", { flags });
  }
  return flags & abi.BPF_F_BEFORE ? before : after;
}

export function tcxLinkType(net: Net, direction: "ingress" | "egress"): LinkType {
  return {
    type: abi.BPF_LINK_TYPE_TCX,
    progTypes: [abi.BPF_PROG_TYPE_SCHED_CLS],
    attachTypes: [direction === "ingress" ? abi.BPF_TCX_INGRESS : abi.BPF_TCX_EGRESS],
    attach(proc, prog, attr, link): Attachment {
      const device = net.device(attr.targetIfindex ?? 0);
      if (!device)
        throw new BpfError(ENODEV, `tcx: no device has ifindex ${attr.targetIfindex}`, { ifindex: attr.targetIfindex });
      if (prog.type !== abi.BPF_PROG_TYPE_SCHED_CLS) {
        throw new BpfError(EINVAL, `tcx: program '${prog.name}' is not a sched_cls program`, { type: prog.type });
      }
      const list = device[direction];
      if (attr.expectedRevision && attr.expectedRevision !== list.revision) {
        throw new BpfError(ESTALE, `tcx: revision is ${list.revision}, not ${attr.expectedRevision}`, {});
      }
      if (list.entries.some((e) => e.prog === prog)) {
        throw new BpfError(EEXIST, `tcx: program '${prog.name}' is attached to ${device.name} already`, {
          prog: prog.id,
        });
      }
      const entry: TcxEntry = { prog, link };
      list.insert(entry, position(proc, list, attr, prog.type));
      const gone = () => link.targetGone();
      device.onRemove.add(gone);
      let ifindex = device.ifindex;
      return {
        forcedDetach: true,
        update(next) {
          if (next.type !== abi.BPF_PROG_TYPE_SCHED_CLS) throw new BpfError(EINVAL, "tcx: not a sched_cls program", {});
          entry.prog = next;
          list.revision++;
        },
        detach() {
          list.remove(entry);
          device.onRemove.delete(gone);
          ifindex = 0;
        },
        info: () => ({ ifindex }),
      };
    },
  };
}
