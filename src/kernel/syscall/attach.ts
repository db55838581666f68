/** bpf(2) as bytes: attachments without links. */
import { PROG_ATTACH, PROG_QUERY } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { EINVAL, ENOSPC, EPERM } from "../../abi/errno.ts";
import { ATTACH_PLACES } from "../attach_types.ts";
import type { ProgAttachAttr } from "../bpf.ts";
import type { Fd } from "../fd.ts";
import type { Call } from "./call.ts";
import { type Command, command, refuse, type Unpacked } from "./command.ts";

export const ATTACH_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_PROG_ATTACH]: command(PROG_ATTACH, "expected_revision", ({ proc }, a) => {
    proc.progAttach(attachAttr(a));
    return 0;
  }),
  [abi.BPF_PROG_DETACH]: command(PROG_ATTACH, "expected_revision", ({ proc }, a) => {
    proc.progDetach(attachAttr(a));
    return 0;
  }),
  [abi.BPF_PROG_QUERY]: command(PROG_QUERY, "revision", progQuery, ({ proc }) => {
    if (!proc.caps.netAdmin) refuse(EPERM, "queries need CAP_NET_ADMIN", { pid: proc.pid });
  }),
};

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
  const family = ATTACH_PLACES.get(a.attach_type)?.family;
  const device = DEVICE_TYPES.has(a.attach_type);
  const lsm = a.attach_type === abi.BPF_LSM_CGROUP && !a.query_flags && !a.prog_attach_flags;
  if (lsm && a.count && a.prog_ids) refuse(EINVAL, "LSM programs have flags of their own; prog_attach_flags is wanted");
  if (a.query_flags && a.prog_attach_flags) refuse(EINVAL, "effective programs have no attach flags");
  const found = call.proc.progQuery({
    ...targetOf(a.attach_type, a.target_fd),
    attachType: a.attach_type,
    queryFlags: a.query_flags,
  });
  if (device && a.attach_flags) refuse(EINVAL, "queries of devices know no flags");
  const { progs } = found;
  call.put(PROG_QUERY, { attach_flags: found.attachFlags, count: progs.length });
  const ordered = family === "mprog" || (family === "cgroup" && !a.query_flags);
  if (ordered && (device || call.size >= PROG_QUERY.endOf("revision"))) {
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
