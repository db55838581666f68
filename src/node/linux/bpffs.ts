/** Pins: bpf file systems and the objects in them. */
import { dirname } from "node:path";
import { OBJ } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { EINVAL } from "../../abi/errno.ts";
import type { Fd, FsPath } from "../../kernel/bpf.ts";
import { type Commands, commandError } from "./command.ts";
import type { Sys } from "./sys.ts";

const BPF_FS_MAGIC = 0xcafe4a11;

export function objPin(cmd: Commands, fd: Fd, at: FsPath): void {
  const { path, pathname, file_flags, path_fd } = place(at);
  const attr = OBJ.pack(cmd.sys, { pathname, bpf_fd: fd, file_flags, path_fd });
  const ret = cmd.try(abi.BPF_OBJ_PIN, attr, pathname);
  if (ret >= 0) return;
  const where = dirname(path);
  if (ret === -EINVAL || path_fd || isBpffs(cmd.sys, where)) {
    throw commandError(-ret, `pin '${path}'`, abi.BPF_OBJ_PIN);
  }
  throw commandError(-ret, `pin '${path}': ${where} is on no bpf file system`, abi.BPF_OBJ_PIN);
}

export function objGet(cmd: Commands, at: FsPath, fileFlags: number): Fd {
  const { path, pathname, file_flags, path_fd } = place(at);
  const attr = OBJ.pack(cmd.sys, { pathname, file_flags: file_flags | fileFlags, path_fd });
  return cmd.run(`pin '${path}'`, abi.BPF_OBJ_GET, attr, pathname) as Fd;
}

/** Members of union bpf_attr that name a path. */
function place(at: FsPath) {
  const path = typeof at === "string" ? at : at.path;
  const relative = typeof at !== "string";
  return {
    path,
    pathname: cString(path),
    file_flags: relative ? abi.BPF_F_PATH_FD : 0,
    path_fd: relative ? at.dirfd : 0,
  };
}

export function isBpffs(sys: Sys, path: string): boolean {
  const name = cString(path);
  const buffer = new Uint8Array(256);
  sys.keep = [name, buffer];
  if (sys.call("statfs", sys.addressOf(name), sys.addressOf(buffer)) < 0) return false;
  return new DataView(buffer.buffer).getUint32(0, true) === BPF_FS_MAGIC;
}
