/** bpf(2) as bytes: attachments without links. */
import { PROG_ATTACH, PROG_QUERY } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { EINVAL, ENOSPC, EOPNOTSUPP, EPERM } from "../../abi/errno.ts";
import { ATTACH_PLACES, type AttachFamily } from "../attach_types.ts";
import type { Bpf, ProgAttachAttr } from "../bpf.ts";
import type { Fd } from "../fd.ts";
import type { Call } from "./call.ts";
import { type Command, checkFlags, command, refuse, type Unpacked } from "./command.ts";

export const ATTACH_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_PROG_ATTACH]: command(PROG_ATTACH, "expected_revision", (call, a) => {
    checkAttach(call, a);
    const bpf: Bpf = call.proc;
    if (!bpf.progAttach) return refuse(EOPNOTSUPP, "this kernel has no attachments without links");
    bpf.progAttach(attachAttr(a));
    return 0;
  }),
  [abi.BPF_PROG_DETACH]: command(PROG_ATTACH, "expected_revision", (call, a) => {
    checkDetach(call, a);
    const bpf: Bpf = call.proc;
    if (!bpf.progDetach) return refuse(EOPNOTSUPP, "this kernel has no attachments without links");
    bpf.progDetach(attachAttr(a));
    return 0;
  }),
  [abi.BPF_PROG_QUERY]: command(PROG_QUERY, "revision", progQuery, ({ proc }) => {
    if (!proc.caps.netAdmin) refuse(EPERM, "queries need CAP_NET_ADMIN", { pid: proc.pid });
  }),
};

type Attach = Unpacked<typeof PROG_ATTACH>;

const MPROG_FLAGS = abi.BPF_F_REPLACE | abi.BPF_F_BEFORE | abi.BPF_F_AFTER | abi.BPF_F_ID | abi.BPF_F_LINK;
const BASE_FLAGS = abi.BPF_F_ALLOW_OVERRIDE | abi.BPF_F_ALLOW_MULTI | abi.BPF_F_REPLACE | abi.BPF_F_PREORDER;
const FLAGS: Readonly<Record<AttachFamily, number>> = {
  mprog: MPROG_FLAGS,
  cgroup: BASE_FLAGS | MPROG_FLAGS,
  netns: BASE_FLAGS,
  sockmap: BASE_FLAGS,
  none: BASE_FLAGS,
};

/** Families whose programs have an order. */
const ordered = (family: AttachFamily): boolean => family === "mprog" || family === "cgroup";

function progOfType(call: Call, fd: number, type: number): void {
  const prog = call.proc.progAt(fd as Fd);
  if (prog.type !== type) refuse(EINVAL, `program '${prog.name}' is of type ${prog.type}; wanted ${type}`, { fd });
}

/** What bpf_prog_attach() checks before it comes to the place. */
function checkAttach(call: Call, a: Attach): void {
  const place =
    ATTACH_PLACES.get(a.attach_type) ?? refuse(EINVAL, `nothing is attached with attach type ${a.attach_type}`);
  const { family, progType } = place;
  checkFlags("attach", a.attach_flags, FLAGS[family]);
  if (!ordered(family) && (a.relative_fd || a.expected_revision)) refuse(EINVAL, "attach: programs have no order here");
  progOfType(call, a.attach_bpf_fd, progType);
  if (family === "none" || place.attach === false) refuse(EINVAL, `attach type ${a.attach_type} is for links`);
}

/** bpf_prog_detach(). */
function checkDetach(call: Call, a: Attach): void {
  const place = ATTACH_PLACES.get(a.attach_type);
  const family = place?.family ?? "none";
  if (family === "mprog") {
    checkFlags("detach", a.attach_flags, MPROG_FLAGS);
    if (a.attach_bpf_fd) progOfType(call, a.attach_bpf_fd, place!.progType);
    else if (!call.proc.caps.netAdmin) refuse(EPERM, "detach without a program needs CAP_NET_ADMIN");
  } else if (a.attach_flags || a.relative_fd || (family !== "cgroup" && a.expected_revision)) {
    refuse(EINVAL, "detach: no flags and no order are wanted");
  }
  if (family === "none" || place?.attach === false) refuse(EINVAL, `attach type ${a.attach_type} is for links`);
}

/** Attach types whose target is a device. */
export const DEVICE_TYPES: ReadonlySet<number> = new Set([
  abi.BPF_XDP,
  abi.BPF_TCX_INGRESS,
  abi.BPF_TCX_EGRESS,
  abi.BPF_NETKIT_PRIMARY,
  abi.BPF_NETKIT_PEER,
]);

/** Targets of an attr: 0 is an fd, and no device. */
export function targetOf(attachType: number, target: number): { targetFd: Fd } | { targetIfindex: number } {
  return DEVICE_TYPES.has(attachType) ? { targetIfindex: target } : { targetFd: target as Fd };
}

/** An fd or, with BPF_F_ID, an id; 0 without a flag that names one is none. */
export function relativeOf(flags: number, relative: number): { relativeFd?: Fd; relativeId?: number } {
  if (flags & abi.BPF_F_ID) return { relativeId: relative };
  return relative ? { relativeFd: relative as Fd } : {};
}

function attachAttr(a: Unpacked<typeof PROG_ATTACH>): ProgAttachAttr {
  return {
    ...targetOf(a.attach_type, a.target_fd),
    attachType: a.attach_type,
    flags: a.attach_flags,
    ...(a.attach_bpf_fd ? { progFd: a.attach_bpf_fd as Fd } : {}),
    ...(a.replace_bpf_fd ? { replaceFd: a.replace_bpf_fd as Fd } : {}),
    ...relativeOf(a.attach_flags, a.relative_fd),
    ...(a.expected_revision ? { expectedRevision: a.expected_revision } : {}),
  };
}

function progQuery(call: Call, a: Unpacked<typeof PROG_QUERY>): number {
  const BPF_F_QUERY_EFFECTIVE = 1;
  checkFlags("query", a.query_flags, BPF_F_QUERY_EFFECTIVE);
  const family = ATTACH_PLACES.get(a.attach_type)?.family ?? "none";
  if (family === "none") return refuse(EINVAL, `attach type ${a.attach_type} has no programs without links`);
  const bpf: Bpf = call.proc;
  if (!bpf.progQuery) return refuse(EOPNOTSUPP, "this kernel has no attachments without links");
  const device = DEVICE_TYPES.has(a.attach_type);
  if (device && (a.query_flags || a.attach_flags)) refuse(EINVAL, "queries of devices know no flags");
  if (a.query_flags && a.prog_attach_flags) refuse(EINVAL, "effective programs have no attach flags");
  const found = bpf.progQuery({
    ...targetOf(a.attach_type, a.target_fd),
    attachType: a.attach_type,
    queryFlags: a.query_flags,
  });
  const { progs } = found;
  call.put(PROG_QUERY, { attach_flags: found.attachFlags, count: progs.length });
  if (ordered(family) && (device || call.size >= PROG_QUERY.endOf("revision"))) {
    call.put(PROG_QUERY, { revision: found.revision });
  }
  if (a.count === 0 || a.prog_ids === 0n || progs.length === 0) return 0;
  const shown = progs.slice(0, a.count);
  call.write(a.prog_ids, words(shown.map((p) => p.id)));
  if (a.prog_attach_flags) call.write(a.prog_attach_flags, words(shown.map(() => found.attachFlags)));
  if (device && a.link_ids) call.write(a.link_ids, words(shown.map((p) => p.linkId)));
  if (device && a.link_attach_flags) call.write(a.link_attach_flags, words(shown.map(() => 0)));
  return a.count < progs.length
    ? refuse(ENOSPC, `${progs.length} programs; there is room for ${a.count}`, { count: progs.length })
    : 0;
}

/** An array of u32. */
export function words(numbers: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(numbers).buffer);
}
