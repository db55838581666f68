/** BPF_TASK_FD_QUERY. */
import { TASK_FD_QUERY } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { fromCString } from "../../abi/cstring.ts";
import type { TaskFdInfo } from "../../kernel/bpf.ts";
import type { Commands } from "./command.ts";

/** PATH_MAX: a uprobe's file. */
const NAME_ROOM = 4096;

export function taskFdQuery(cmd: Commands, pid: number, fd: number, flags: number): TaskFdInfo {
  const name = new Uint8Array(NAME_ROOM);
  const attr = TASK_FD_QUERY.pack(cmd.sys, { pid, fd, flags, buf: name, buf_len: name.length });
  cmd.run(`fd ${fd} of process ${pid}`, abi.BPF_TASK_FD_QUERY, attr, name);
  const out = TASK_FD_QUERY.unpack(attr);
  return {
    progId: out.prog_id,
    fdType: out.fd_type,
    name: fromCString(name),
    probeOffset: out.probe_offset,
    probeAddr: out.probe_addr,
  };
}
