/** Objects by the fds of an attr, with the rights that the commands need. */
import { BPF_F_RDONLY, BPF_F_WRONLY } from "../../abi/bpf.ts";
import { EPERM } from "../../abi/errno.ts";
import type { Fd } from "../fd.ts";
import type { KMap } from "../map.ts";
import type { Call } from "./call.ts";

export type Rights = "read" | "write" | "both";

/** map_get_sys_perms(): what a frozen map's fds lose is the right to write. @throws EBADF, EINVAL, EPERM */
export function mapAt(call: Call, fd: number, rights: Rights): KMap {
  const map = call.proc.mapAt(fd as Fd);
  const { mode } = call.proc.fdTable.entry(fd as Fd);
  if (rights !== "write" && mode & BPF_F_WRONLY) throw map.map.error(EPERM, `fd ${fd} is write-only`);
  if (rights !== "read") {
    if (mode & BPF_F_RDONLY) throw map.map.error(EPERM, `fd ${fd} is read-only`);
    map.map.checkWritable();
  }
  return map;
}
