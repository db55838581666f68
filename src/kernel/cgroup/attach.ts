/** Attaching to cgroups, by link and without. Source: kernel/bpf/cgroup.c. */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EBADF, EINVAL, ENOENT } from "../../abi/errno.ts";
import { ATTACH_PLACES } from "../attach_types.ts";
import type { Fd } from "../fd.ts";
import type { Kernel } from "../kernel.ts";
import type { LinkType } from "../link.ts";
import type { Prog } from "../prog.ts";
import { type AttachPoint, checkAttachType } from "../prog_attach.ts";
import type { Task } from "../task.ts";
import type { Cgroup } from "./cgroup.ts";
import { type CgroupEntry, hookOf } from "./progs.ts";

const CGROUP_TYPES = [...ATTACH_PLACES].filter(([, place]) => place.family === "cgroup");
const ATTACH_TYPES = CGROUP_TYPES.map(([attachType]) => attachType);
const PROG_TYPES = [...new Set(CGROUP_TYPES.map(([, place]) => place.progType))];
const LINK_FLAGS = abi.BPF_F_BEFORE | abi.BPF_F_AFTER | abi.BPF_F_ID | abi.BPF_F_LINK | abi.BPF_F_PREORDER;
const BPF_F_QUERY_EFFECTIVE = 1;

/** cgroup_get_from_fd(). @throws EBADF what is no cgroup, ENOENT a removed one */
function targetCgroup(task: Task, fd: Fd | undefined): Cgroup {
  const obj = fd === undefined ? undefined : task.fdTable.find(fd);
  if (obj?.kind !== "cgroup") throw new BpfError(EBADF, `fd ${fd ?? 0} is no cgroup`, { fd });
  const cgroup = task.cgroupAt(fd!);
  if (cgroup.dead) throw new BpfError(ENOENT, `cgroup ${cgroup.cgroupId} was removed`, {});
  return cgroup;
}

function hookFor(prog: Prog, attachType: number): number {
  return hookOf(attachType, prog.facts.attachBtfId);
}

export function cgroupAttachPoint(kernel: Kernel): AttachPoint {
  const progs = kernel.cgroupProgs;
  return {
    attachTypes: ATTACH_TYPES,
    attach(proc, prog, attr) {
      const { flags = 0, replaceFd, attachType } = attr;
      let replace: Prog | undefined;
      if (flags & abi.BPF_F_REPLACE && flags & abi.BPF_F_ALLOW_MULTI) {
        replace = proc.progAt(replaceFd ?? (0 as Fd));
        if (replace.type !== prog.type) throw new BpfError(EINVAL, `program ${replace.id} is of another type`, {});
      }
      const cgroup = targetCgroup(proc, attr.targetFd);
      if (attachType === abi.BPF_LSM_CGROUP && prog.facts.attachBtfId === 0) {
        throw new BpfError(EINVAL, `program '${prog.name}' names no function`, {});
      }
      progs.attach(proc, cgroup, hookFor(prog, attachType), prog, undefined, replace, attr);
    },
    detach(proc, prog, attr) {
      const cgroup = targetCgroup(proc, attr.targetFd);
      progs.detach(cgroup, hookOf(attr.attachType, prog?.facts.attachBtfId ?? 0), prog, attr);
    },
    query(proc, { targetFd, attachType, queryFlags = 0 }) {
      const cgroup = targetCgroup(proc, targetFd);
      const hooks = progs.hooksOf(attachType);
      const ids = (list: readonly CgroupEntry[]) => list.map((e) => ({ id: e.prog.id, linkId: 0 }));
      if (queryFlags & BPF_F_QUERY_EFFECTIVE) {
        return { progs: hooks.flatMap((h) => ids(progs.effective(cgroup, h))), attachFlags: 0, revision: 0n };
      }
      const found = hooks.map((h) => progs.hook(cgroup, h));
      // Of several hooks there is no one revision and no one mode.
      const { mode, revision } = hooks.length === 1 ? found[0]! : { mode: 0, revision: 0n };
      return { progs: found.flatMap((h) => ids(h.entries)), attachFlags: mode, revision };
    },
  };
}

export function cgroupLinkType(kernel: Kernel): LinkType {
  const progs = kernel.cgroupProgs;
  return {
    type: abi.BPF_LINK_TYPE_CGROUP,
    progTypes: PROG_TYPES,
    attachTypes: ATTACH_TYPES,
    gone: { cgroupId: 0n },
    replacesSame: true,
    attach(proc, prog, attr, link) {
      const { attachType, flags = 0 } = attr;
      if (ATTACH_PLACES.get(attachType)?.progType !== prog.type) {
        throw new BpfError(EINVAL, `program '${prog.name}' of type ${prog.type}: attach type ${attachType}`, {});
      }
      checkAttachType(prog, attachType);
      if (flags & ~LINK_FLAGS) {
        throw new BpfError(EINVAL, `cgroup link: unknown flags 0x${(flags & ~LINK_FLAGS).toString(16)}`, { flags });
      }
      const cgroup = targetCgroup(proc, attr.targetFd);
      const hook = hookFor(prog, attachType);
      const multi = { ...attr, flags: flags | abi.BPF_F_ALLOW_MULTI };
      progs.attach(proc, cgroup, hook, prog, link, undefined, multi);
      cgroup.get();
      return {
        forcedDetach: true,
        update(next) {
          if (next.type !== prog.type) throw new BpfError(EINVAL, `program '${next.name}' is of another type`, {});
          // An LSM program for another function is looked for there, and the link is not.
          progs.update(cgroup, hookFor(next, attachType), link, next);
        },
        detach() {
          progs.removeLink(cgroup, hook, link);
          cgroup.put();
        },
        info: () => ({ cgroupId: cgroup.cgroupId, attachType }),
        holds: () => [cgroup],
      };
    },
  };
}

/** A reason why a cgroup must stay: a link that asked for it. */
export function heldByLink(kernel: Kernel, cgroup: Cgroup): string | undefined {
  for (const link of kernel.links.values()) {
    if (link.hold && !link.defunct && [...link.holds()].includes(cgroup)) return `link ${link.id} holds it`;
  }
  return undefined;
}
