/** BPF_PROG_ATTACH, DETACH and QUERY: attachments without links. */

import { PROG_ATTACH, PROG_QUERY } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import type { ProgAttachAttr, ProgQueryAttr, ProgQueryResult } from "../../kernel/bpf.ts";
import type { Commands } from "./command.ts";

function pack(cmd: Commands, a: ProgAttachAttr): Uint8Array {
  return PROG_ATTACH.pack(cmd.sys, {
    target_fd: a.targetFd ?? a.targetIfindex,
    attach_bpf_fd: a.progFd,
    attach_type: a.attachType,
    attach_flags: a.flags,
    replace_bpf_fd: a.replaceFd,
    relative_fd: a.relativeFd ?? a.relativeId,
    expected_revision: a.expectedRevision,
  });
}

export function attachProg(cmd: Commands, a: ProgAttachAttr): void {
  cmd.run(`program fd ${a.progFd ?? 0}`, abi.BPF_PROG_ATTACH, pack(cmd, a));
}

export function detachProg(cmd: Commands, a: ProgAttachAttr): void {
  cmd.run(`attach type ${a.attachType}`, abi.BPF_PROG_DETACH, pack(cmd, a));
}

/** Programs that one hook may hold. */
const ROOM = 64;

export function queryProgs(cmd: Commands, a: ProgQueryAttr): ProgQueryResult {
  const target = { target_fd: a.targetFd ?? a.targetIfindex, attach_type: a.attachType, query_flags: a.queryFlags };
  const ids = new Uint32Array(ROOM);
  const linkIds = new Uint32Array(ROOM);
  const [idBytes, linkBytes] = [new Uint8Array(ids.buffer), new Uint8Array(linkIds.buffer)];
  // only hooks of several programs with an order (tcx, netkit) tell of links
  const ordered = a.targetIfindex !== undefined;
  const attr = PROG_QUERY.pack(cmd.sys, {
    ...target,
    prog_ids: idBytes,
    count: ROOM,
    ...(ordered && { link_ids: linkBytes }),
  });
  cmd.run(`attach type ${a.attachType}`, abi.BPF_PROG_QUERY, attr, idBytes, linkBytes);
  const out = PROG_QUERY.unpack(attr);
  const progs = [...ids.subarray(0, out.count)].map((id, i) => ({ id, linkId: linkIds[i] }));
  return { progs, attachFlags: out.attach_flags, revision: out.revision };
}
