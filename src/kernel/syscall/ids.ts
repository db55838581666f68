/** bpf(2) as bytes: walking ids, and fds by id. */
import { GET_ID } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { EINVAL, ENOENT } from "../../abi/errno.ts";
import type { Fd } from "../fd.ts";
import type { Process } from "../process.ts";
import { type Command, checkFlags, command, refuse } from "./command.ts";

const next = (find: (proc: Process, id: number) => number | undefined): Command =>
  command(GET_ID, "next_id", (call, a) => {
    if (a.start_id >= INT_MAX)
      refuse(EINVAL, `start_id ${a.start_id}; wanted less than ${INT_MAX}`, { id: a.start_id });
    const id = find(call.proc, a.start_id);
    if (id === undefined) return refuse(ENOENT, `no id follows ${a.start_id}`, { id: a.start_id });
    call.put(GET_ID, { next_id: id });
    return 0;
  });

const INT_MAX = 0x7fffffff;

export const ID_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_PROG_GET_NEXT_ID]: next((proc, id) => proc.progGetNextId(id)),
  [abi.BPF_MAP_GET_NEXT_ID]: next((proc, id) => proc.mapGetNextId(id)),
  [abi.BPF_BTF_GET_NEXT_ID]: next((proc, id) => proc.btfGetNextId(id)),
  [abi.BPF_LINK_GET_NEXT_ID]: next((proc, id) => proc.linkGetNextId(id)),
  [abi.BPF_PROG_GET_FD_BY_ID]: command(GET_ID, "start_id", (call, a) => call.proc.progGetFdById(a.start_id)),
  [abi.BPF_LINK_GET_FD_BY_ID]: command(GET_ID, "start_id", (call, a) => call.proc.linkGetFdById(a.start_id)),
  [abi.BPF_MAP_GET_FD_BY_ID]: command(GET_ID, "open_flags", (call, a) => {
    checkFlags("map by id", a.open_flags, abi.BPF_F_RDONLY | abi.BPF_F_WRONLY);
    return call.proc.mapGetFdById(a.start_id, a.open_flags);
  }),
  [abi.BPF_BTF_GET_FD_BY_ID]: command(GET_ID, "fd_by_id_token_fd", (call, a) => {
    checkFlags("BTF by id", a.open_flags, abi.BPF_F_TOKEN_FD);
    const token = a.open_flags & abi.BPF_F_TOKEN_FD ? { tokenFd: a.fd_by_id_token_fd as Fd } : {};
    return call.proc.btfGetFdById(a.start_id, token);
  }),
};
