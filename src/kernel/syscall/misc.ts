/** bpf(2) as bytes: pins, statistics, iterators, tokens, what an fd of a process is, streams. */
import {
  ENABLE_STATS,
  ITER_CREATE,
  OBJ,
  PROG_BIND_MAP,
  PROG_STREAM_READ,
  TASK_FD_QUERY,
  TOKEN_CREATE,
} from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { EINVAL, ENAMETOOLONG, ENOSPC, EOPNOTSUPP } from "../../abi/errno.ts";
import type { Bpf, FsPath } from "../bpf.ts";
import { PINNABLE } from "../bpffs/process_fs.ts";
import type { Fd } from "../fd.ts";
import type { Call } from "./call.ts";
import { type Command, checkFlags, command, refuse, type Unpacked } from "./command.ts";

export const MISC_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_OBJ_PIN]: command(OBJ, "path_fd", objPin),
  [abi.BPF_OBJ_GET]: command(OBJ, "path_fd", objGet),
  [abi.BPF_ENABLE_STATS]: command(ENABLE_STATS, "type", (call, a) => call.proc.enableStats(a.type)),
  [abi.BPF_ITER_CREATE]: command(ITER_CREATE, "flags", (call, a) => {
    checkFlags("iterator", a.flags, 0);
    const { type } = call.proc.linkAt(a.link_fd as Fd);
    if (type.type !== abi.BPF_LINK_TYPE_ITER)
      refuse(EINVAL, `link fd ${a.link_fd} is of type ${type.type}; wanted an iterator`);
    const bpf: Bpf = call.proc;
    return bpf.iterCreate?.(a.link_fd as Fd) ?? refuse(EOPNOTSUPP, "this kernel has no iterators");
  }),
  [abi.BPF_PROG_BIND_MAP]: command(PROG_BIND_MAP, "flags", (call, a) => {
    checkFlags("bind", a.flags, 0);
    call.proc.progBindMap(a.prog_fd as Fd, a.map_fd as Fd);
    return 0;
  }),
  [abi.BPF_TOKEN_CREATE]: command(TOKEN_CREATE, "bpffs_fd", (call, a) =>
    call.proc.tokenCreate(a.bpffs_fd as Fd, a.flags),
  ),
  [abi.BPF_TASK_FD_QUERY]: command(TASK_FD_QUERY, "probe_addr", taskFdQuery),
  [abi.BPF_PROG_STREAM_READ_BY_FD]: command(PROG_STREAM_READ, "prog_fd", streamRead),
};

const PATH_MAX = 4096;

function pathOf(call: Call, a: Unpacked<typeof OBJ>): FsPath {
  if (!(a.file_flags & abi.BPF_F_PATH_FD) && a.path_fd) refuse(EINVAL, `path_fd ${a.path_fd} without BPF_F_PATH_FD`);
  const path = call.text(a.pathname, PATH_MAX);
  if (path.length === PATH_MAX) refuse(ENAMETOOLONG, `a path of ${PATH_MAX} bytes or more`);
  return a.file_flags & abi.BPF_F_PATH_FD ? { dirfd: a.path_fd as Fd, path } : path;
}

function objPin(call: Call, a: Unpacked<typeof OBJ>): number {
  checkFlags("pin", a.file_flags, abi.BPF_F_PATH_FD);
  // What bpf_fd is comes before the path.
  const kind = call.proc.fdTable.find(a.bpf_fd)?.kind ?? "file";
  if (!PINNABLE.includes(kind)) refuse(EINVAL, `fd ${a.bpf_fd} is a ${kind}; only maps, programs and links are pinned`);
  call.proc.objPin(a.bpf_fd as Fd, pathOf(call, a));
  return 0;
}

function objGet(call: Call, a: Unpacked<typeof OBJ>): number {
  const access = abi.BPF_F_RDONLY | abi.BPF_F_WRONLY;
  if (a.bpf_fd !== 0) refuse(EINVAL, `bpf_fd ${a.bpf_fd}; wanted 0`);
  checkFlags("get", a.file_flags, access | abi.BPF_F_PATH_FD);
  if ((a.file_flags & access) === access) refuse(EINVAL, "both BPF_F_RDONLY and BPF_F_WRONLY");
  return call.proc.objGet(pathOf(call, a), a.file_flags & access);
}

function taskFdQuery(call: Call, a: Unpacked<typeof TASK_FD_QUERY>): number {
  const { progId, fdType, name, probeOffset, probeAddr } = call.proc.taskFdQuery(a.pid, a.fd, a.flags);
  const text = cString(name);
  call.put(TASK_FD_QUERY, { buf_len: text.length - 1 });
  const room = a.buf === 0n ? 0 : a.buf_len;
  if (room > 0) call.write(a.buf, cut(text, room));
  call.put(TASK_FD_QUERY, {
    prog_id: progId,
    fd_type: fdType,
    probe_offset: probeOffset,
    probe_addr: probeAddr,
  });
  return room > 0 && room < text.length && text.length > 1
    ? refuse(ENOSPC, `a name of ${text.length} bytes; there is room for ${room}`, { room })
    : 0;
}

/** As much text as fits, with its NUL. */
export function cut(text: Uint8Array, room: number): Uint8Array {
  if (text.length <= room) return text;
  const out = text.slice(0, room);
  out[room - 1] = 0;
  return out;
}

function streamRead(call: Call, a: Unpacked<typeof PROG_STREAM_READ>): number {
  const bytes = call.proc.progStreamRead(a.prog_fd as Fd, a.stream_id, a.stream_buf_len);
  call.write(a.stream_buf, bytes);
  return bytes.length;
}
