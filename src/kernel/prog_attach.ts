/**
 * BPF_PROG_ATTACH, DETACH and QUERY: attachments without links. What is attached so lives with the place.
 *
 * Subsystems register their places in Kernel.attachPoints; the checks of flags and program types that all share are here.
 *
 * Errors   EINVAL an attach type that only links know, flags or a program that do not fit; what the place says.
 * Source   bpf_prog_attach(), bpf_prog_detach(), bpf_prog_query() in kernel/bpf/syscall.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL, EOPNOTSUPP, EPERM } from "../abi/errno.ts";
import { namesAnchor } from "./anchor.ts";
import { ATTACH_PLACES, type AttachFamily, type AttachPlace } from "./attach_types.ts";
import type { ProgAttachAttr, ProgQueryAttr, ProgQueryResult } from "./bpf.ts";
import type { Process } from "./process.ts";
import type { Prog } from "./prog.ts";

/** A kind of place that programs attach to without a link. */
export interface AttachPoint {
  readonly attachTypes: readonly number[];
  attach(proc: Process, prog: Prog, attr: ProgAttachAttr): void;
  /** @param prog  undefined when none was named */
  detach(proc: Process, prog: Prog | undefined, attr: ProgAttachAttr): void;
  query(proc: Process, attr: ProgQueryAttr): ProgQueryResult;
}

export class AttachPoints {
  readonly #byType = new Map<number, AttachPoint>();

  register(point: AttachPoint): void {
    for (const type of point.attachTypes) this.#byType.set(type, point);
  }

  find(attachType: number): AttachPoint | undefined {
    return this.#byType.get(attachType);
  }

  /** @throws EOPNOTSUPP a place that Linux has and this kernel has not */
  at(attachType: number): AttachPoint {
    const point = this.find(attachType);
    if (!point) throw new BpfError(EOPNOTSUPP, `attach type ${attachType}: this kernel has no such place`, {});
    return point;
  }
}

const MPROG_FLAGS = abi.BPF_F_REPLACE | abi.BPF_F_BEFORE | abi.BPF_F_AFTER | abi.BPF_F_ID | abi.BPF_F_LINK;
const BASE_FLAGS = abi.BPF_F_ALLOW_OVERRIDE | abi.BPF_F_ALLOW_MULTI | abi.BPF_F_REPLACE | abi.BPF_F_PREORDER;
const FLAGS: Readonly<Record<AttachFamily, number>> = {
  mprog: MPROG_FLAGS,
  cgroup: BASE_FLAGS | MPROG_FLAGS,
  netns: BASE_FLAGS,
  sockmap: BASE_FLAGS,
  none: BASE_FLAGS,
};
const BPF_F_QUERY_EFFECTIVE = 1;

/** Families whose programs have an order. */
const ordered = (family: AttachFamily): boolean => family === "mprog" || family === "cgroup";

function refuse(text: string, context: Record<string, unknown> = {}): never {
  throw new BpfError(EINVAL, text, context);
}

function checkFlags(what: string, flags: number, known: number): void {
  if (flags & ~known) refuse(`${what}: unknown flags 0x${((flags & ~known) >>> 0).toString(16)}`, { flags });
}

function placeOf(attachType: number): AttachPlace {
  return ATTACH_PLACES.get(attachType) ?? refuse(`nothing is attached with attach type ${attachType}`, { attachType });
}

function progOfType(proc: Process, fd: NonNullable<ProgAttachAttr["progFd"]>, type: number): Prog {
  const prog = proc.progAt(fd);
  if (prog.type !== type) refuse(`program '${prog.name}' is of type ${prog.type}; wanted ${type}`, { fd });
  return prog;
}

/** Types whose programs are made for one attach type (bpf_prog_attach_check_attach_type()). */
const MADE_FOR_ONE: readonly number[] = [
  abi.BPF_PROG_TYPE_CGROUP_SOCK,
  abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  abi.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  abi.BPF_PROG_TYPE_SK_LOOKUP,
];

/** @throws EINVAL a program that was loaded for another attach type */
export function checkAttachType(prog: Prog, attachType: number): void {
  const { expectedAttachType } = prog.facts;
  const lsm = prog.type === abi.BPF_PROG_TYPE_LSM;
  if ((lsm || MADE_FOR_ONE.includes(prog.type)) && expectedAttachType !== attachType) {
    refuse(`program '${prog.name}' was loaded for attach type ${expectedAttachType}, not ${attachType}`, {});
  }
}

export function progAttach(proc: Process, attr: ProgAttachAttr): void {
  const { attachType, flags = 0, progFd = 0 as NonNullable<ProgAttachAttr["progFd"]> } = attr;
  const { family, progType, attach } = placeOf(attachType);
  checkFlags("attach", flags, FLAGS[family]);
  if (!ordered(family) && (namesAnchor(attr) || attr.expectedRevision)) refuse("attach: programs have no order here");
  const prog = progOfType(proc, progFd, progType);
  if (family === "none" || attach === false) refuse(`attach type ${attachType} is for links`);
  checkAttachType(prog, attachType);
  proc.kernel.attachPoints.at(attachType).attach(proc, prog, attr);
  proc.kernel.events.emit({ what: "attach", progId: prog.id, attachType, ...targetOf(proc, attr) });
}

export function progDetach(proc: Process, attr: ProgAttachAttr): void {
  const { attachType, flags = 0, progFd } = attr;
  const place = ATTACH_PLACES.get(attachType);
  const family = place?.family ?? "none";
  let prog: Prog | undefined;
  if (family === "mprog") {
    checkFlags("detach", flags, MPROG_FLAGS);
    if (progFd) prog = progOfType(proc, progFd, place!.progType);
    else if (!proc.caps.netAdmin && !proc.caps.sysAdmin)
      throw new BpfError(EPERM, "detach without a program needs CAP_NET_ADMIN");
  } else {
    const order = namesAnchor(attr) || (family !== "cgroup" && attr.expectedRevision);
    if (flags || order) refuse("detach: no flags and no order are wanted");
    // Other places take an fd that is none for "whatever is there".
    const named = progFd === undefined ? undefined : proc.fdTable.find(progFd);
    if (named?.kind === "prog" && (named as Prog).type === place?.progType) prog = named as Prog;
  }
  if (!place || family === "none" || place.attach === false) refuse(`attach type ${attachType} is for links`);
  proc.kernel.attachPoints.at(attachType).detach(proc, prog, attr);
  proc.kernel.events.emit({
    what: "detach",
    ...(prog ? { progId: prog.id } : {}),
    attachType,
    ...targetOf(proc, attr),
  });
}

export function progQuery(proc: Process, attr: ProgQueryAttr): ProgQueryResult {
  const { attachType, queryFlags = 0 } = attr;
  checkFlags("query", queryFlags, BPF_F_QUERY_EFFECTIVE);
  const family = ATTACH_PLACES.get(attachType)?.family ?? "none";
  if (family === "none") refuse(`attach type ${attachType} has no programs without links`);
  // Where nothing can be attached, nothing is.
  const nothing = { progs: [], attachFlags: 0, revision: 1n };
  return proc.kernel.attachPoints.find(attachType)?.query(proc, attr) ?? nothing;
}

function targetOf(proc: Process, { targetFd, targetIfindex }: ProgAttachAttr): { ifindex?: number; cgroupId?: bigint } {
  if (targetIfindex) return { ifindex: targetIfindex };
  const target = targetFd === undefined ? undefined : proc.fdTable.find(targetFd);
  return target?.kind === "cgroup" ? { cgroupId: proc.cgroupAt(targetFd!).cgroupId } : {};
}
