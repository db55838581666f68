/**
 * tcx: the programs of one direction of a device, run in order until one decides.
 *
 * Verdicts  TCX_NEXT (-1) and unknown codes go on to the next program; TCX_PASS, TCX_DROP, TCX_REDIRECT end the chain.
 * Order     BPF_F_BEFORE / BPF_F_AFTER relative to another program or link, BPF_F_REPLACE; every change raises the revision.
 * Errors    ERANGE no such relative, ESTALE another revision expected, EEXIST the program is there already, ENOENT.
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

/** Where a new link goes among the others. */
function position(proc: Process, list: TcxList, attr: LinkCreateAttr): number {
  const flags = attr.flags ?? 0;
  const before = (flags & abi.BPF_F_BEFORE) !== 0;
  const after = (flags & abi.BPF_F_AFTER) !== 0;
  const { entries } = list;
  const relative = relativeEntry(proc, list, attr);
  if (relative === undefined) {
    if (before && after) throw new BpfError(EINVAL, "tcx: both BPF_F_BEFORE and BPF_F_AFTER", { flags });
    return before ? 0 : entries.length;
  }
  const at = entries.indexOf(relative);
  if (before && after) throw new BpfError(ERANGE, "tcx: nothing can be both before and after another", { flags });
  if (!before && !after) throw new BpfError(ERANGE, "tcx: a relative without BPF_F_BEFORE or BPF_F_AFTER", { flags });
  return before ? at : at + 1;
}

function relativeEntry(proc: Process, list: TcxList, attr: LinkCreateAttr): TcxEntry | undefined {
  const flags = attr.flags ?? 0;
  const byId = (flags & abi.BPF_F_ID) !== 0;
  const byLink = (flags & abi.BPF_F_LINK) !== 0;
  const given = byId ? attr.relativeId : attr.relativeFd;
  if (given === undefined) {
    if (byId || byLink) throw new BpfError(EINVAL, "tcx: BPF_F_ID or BPF_F_LINK without a relative", { flags });
    return undefined;
  }
  const { kernel } = proc;
  let found: TcxEntry | undefined;
  if (byLink) {
    const link = byId ? kernel.links.at(attr.relativeId!) : proc.linkAt(attr.relativeFd!);
    found = list.entries.find((e) => e.link === link);
  } else {
    const prog = byId ? kernel.progs.at(attr.relativeId!) : proc.progAt(attr.relativeFd!);
    found = list.entries.find((e) => e.prog === prog);
  }
  if (!found) throw new BpfError(ENOENT, `tcx: the relative ${given} is not attached here`, { relative: given });
  return found;
}

const FLAGS = abi.BPF_F_BEFORE | abi.BPF_F_AFTER | abi.BPF_F_ID | abi.BPF_F_LINK;

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
      const flags = attr.flags ?? 0;
      if (flags & ~FLAGS)
        throw new BpfError(EINVAL, `tcx: unknown flags 0x${(flags & ~FLAGS).toString(16)}`, { flags });
      const list = device[direction];
      if (attr.expectedRevision && attr.expectedRevision !== list.revision) {
        throw new BpfError(ESTALE, `tcx: revision is ${list.revision}, not ${attr.expectedRevision}`, {});
      }
      if (list.entries.some((e) => e.prog === prog)) {
        throw new BpfError(EEXIST, `tcx: program '${prog.name}' is attached to ${device.name} already`, {
          prog: prog.id,
        });
      }
      if (list.entries.length >= MAX_PROGS)
        throw new BpfError(ERANGE, `tcx: ${device.name} has ${MAX_PROGS} programs`, {});
      const entry: TcxEntry = { prog, link };
      list.insert(entry, position(proc, list, attr));
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
