/**
 * BPF_PROG_ATTACH to maps of sockets. Their programs have nothing to run on here: attaching is refused, and what is not
 * attached cannot be detached.
 *
 * Errors   EBADF, EINVAL no such map or program, EOPNOTSUPP another type of map; attaching: EOPNOTSUPP.
 * Source   sock_map_get_from_fd(), sock_map_prog_detach(), sock_map_bpf_prog_query() in net/core/sock_map.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT, EOPNOTSUPP } from "../abi/errno.ts";
import type { Fd } from "./fd.ts";
import type { KMap } from "./map.ts";
import type { AttachPoint } from "./prog_attach.ts";
import type { Task } from "./task.ts";

const SOCKET_MAPS: readonly number[] = [abi.BPF_MAP_TYPE_SOCKMAP, abi.BPF_MAP_TYPE_SOCKHASH];

function targetMap(task: Task, fd: Fd | undefined): KMap {
  return task.mapAt(fd ?? (0 as Fd));
}

function socketMap(map: KMap): void {
  if (!SOCKET_MAPS.includes(map.type)) throw map.map.error(EOPNOTSUPP, "it is no map of sockets");
}

export const SOCKMAP_POINT: AttachPoint = {
  attachTypes: [
    abi.BPF_SK_SKB_STREAM_PARSER,
    abi.BPF_SK_SKB_STREAM_VERDICT,
    abi.BPF_SK_SKB_VERDICT,
    abi.BPF_SK_MSG_VERDICT,
  ],
  attach(proc, _prog, { targetFd, flags, replaceFd }) {
    if (flags || replaceFd) throw new BpfError(EINVAL, "maps of sockets know no flags of attaching", { flags });
    const map = targetMap(proc, targetFd);
    socketMap(map);
    throw map.map.error(EOPNOTSUPP, "programs of socket maps are not run: no socket is in them");
  },
  detach(proc, prog, { targetFd, progFd, replaceFd }) {
    if (replaceFd) throw new BpfError(EINVAL, "maps of sockets know no flags of attaching", {});
    const map = targetMap(proc, targetFd);
    if (!prog) {
      const { name } = proc.progAt(progFd ?? (0 as Fd));
      throw new BpfError(EINVAL, `program '${name}' is of another type`, {});
    }
    socketMap(map);
    throw map.map.error(ENOENT, `program ${prog.id} is not attached`);
  },
  query(proc, { targetFd, queryFlags }) {
    if (queryFlags) throw new BpfError(EINVAL, "queries of maps know no flags", {});
    socketMap(targetMap(proc, targetFd));
    return { progs: [], attachFlags: 0, revision: 0n };
  },
};
