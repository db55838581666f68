/**
 * tcx: the programs of one direction of a device, run in order until one decides.
 *
 * Verdicts  TCX_NEXT (-1) and unknown codes go on to the next program; TCX_PASS, TCX_DROP, TCX_REDIRECT end the chain.
 * Order     as src/kernel/mprog.ts has it, by link and without.
 * Errors    ENODEV no such device, EINVAL flags or a program of another type, and those of the order.
 * Source    kernel/bpf/tcx.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL, ENODEV } from "../abi/errno.ts";
import type { Fd } from "../kernel/fd.ts";
import type { LinkType } from "../kernel/link.ts";
import type { Mprog } from "../kernel/mprog.ts";
import type { Root } from "../kernel/objects.ts";
import type { Prog } from "../kernel/prog.ts";
import type { AttachPoint } from "../kernel/prog_attach.ts";
import type { Task } from "../kernel/task.ts";
import type { NetDevice } from "./device.ts";
import type { Nets } from "./nets.ts";
import { linkOnDevice } from "./on_device.ts";

const TCX_TYPES = [abi.BPF_TCX_INGRESS, abi.BPF_TCX_EGRESS];

function deviceOf(nets: Nets, { netns }: Task, ifindex = 0): NetDevice {
  const device = nets.of(netns).device(ifindex);
  if (!device) throw new BpfError(ENODEV, `tcx: no device has ifindex ${ifindex}`, { ifindex });
  return device;
}

function listOf(device: NetDevice, attachType: number): Mprog {
  return attachType === abi.BPF_TCX_INGRESS ? device.ingress : device.egress;
}

export function tcxAttachPoint(nets: Nets): AttachPoint {
  return {
    attachTypes: TCX_TYPES,
    attach(proc, prog, attr) {
      const list = listOf(deviceOf(nets, proc, attr.targetIfindex), attr.attachType);
      let replace: Prog | undefined;
      if ((attr.flags ?? 0) & abi.BPF_F_REPLACE) {
        replace = proc.progAt(attr.replaceFd ?? (0 as Fd));
        if (replace.type !== prog.type) throw new BpfError(EINVAL, `program ${replace.id} is of another type`, {});
      }
      const old = list.attach(proc, prog, undefined, replace, attr);
      prog.get();
      old?.put();
    },
    detach(proc, prog, attr) {
      listOf(deviceOf(nets, proc, attr.targetIfindex), attr.attachType)
        .detach(proc, prog, attr)
        .put();
    },
    query(proc, attr) {
      const { entries, revision } = listOf(deviceOf(nets, proc, attr.targetIfindex), attr.attachType);
      if (attr.queryFlags) throw new BpfError(EINVAL, "queries of devices know no flags", {});
      const progs = entries.map((e) => ({ id: e.prog.id, linkId: e.link?.id ?? 0 }));
      return { progs, attachFlags: 0, revision };
    },
  };
}

export function tcxLinkType(nets: Nets): LinkType {
  return {
    type: abi.BPF_LINK_TYPE_TCX,
    progTypes: [abi.BPF_PROG_TYPE_SCHED_CLS],
    attachTypes: TCX_TYPES,
    attach(proc, prog, attr, link) {
      const device = deviceOf(nets, proc, attr.targetIfindex);
      const list = listOf(device, attr.attachType);
      list.attach(proc, prog, link, undefined, attr);
      const place = linkOnDevice(device, link);
      return {
        forcedDetach: true,
        update(next) {
          if (next.type !== prog.type) throw new BpfError(EINVAL, `tcx: program '${next.name}' is of another type`, {});
          list.update(link, next);
        },
        detach() {
          list.remove(link);
          place.leave();
        },
        info: () => ({ ifindex: device.ifindex }),
        holds: place.holds,
      };
    },
  };
}

/** Programs that attachments without links hold. */
export function* tcxRoots(device: NetDevice): Iterable<Root> {
  for (const list of [device.ingress, device.egress]) {
    for (const { prog, link } of list.entries) {
      if (link) continue;
      const who = `tcx ${list === device.ingress ? "ingress" : "egress"} of ${device.name}`;
      yield { who, obj: prog, release: () => releaseTcx(list, prog) };
    }
  }
}

/** Ends the attachments without links, or those of one program. */
export function releaseTcx(list: Mprog, only?: Prog): void {
  for (const prog of list.drop(only)) prog.put();
}
