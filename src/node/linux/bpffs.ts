/** Pins: bpf file systems and the objects in them. */
import { unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { OBJ } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { BpfError, EINVAL, ENOENT, ERRNO, type Errno } from "../../abi/errno.ts";
import type { Fd } from "../../kernel/bpf.ts";
import { type Commands, commandError } from "./command.ts";
import type { Sys } from "./sys.ts";

const BPF_FS_MAGIC = 0xcafe4a11;

export function objPin(cmd: Commands, fd: Fd, path: string): void {
  const pathname = cString(path);
  const ret = cmd.try(abi.BPF_OBJ_PIN, OBJ.pack(cmd.sys, { pathname, bpf_fd: fd }), pathname);
  if (ret >= 0) return;
  const where = dirname(path);
  if (ret === -EINVAL || isBpffs(cmd.sys, where)) throw commandError(-ret, `pin '${path}'`, abi.BPF_OBJ_PIN);
  throw commandError(-ret, `pin '${path}': ${where} is on no bpf file system`, abi.BPF_OBJ_PIN);
}

export function objGet(cmd: Commands, path: string, fileFlags: number): Fd {
  const pathname = cString(path);
  const attr = OBJ.pack(cmd.sys, { pathname, file_flags: fileFlags });
  return cmd.run(`pin '${path}'`, abi.BPF_OBJ_GET, attr, pathname) as Fd;
}

export function objUnpin(path: string): void {
  try {
    unlinkSync(path);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code as keyof typeof ERRNO;
    throw new BpfError((ERRNO[code] ?? ENOENT) as Errno, `pin '${path}': unlink`, { path }, e);
  }
}

export function isBpffs(sys: Sys, path: string): boolean {
  const name = cString(path);
  const buffer = new Uint8Array(256);
  sys.keep = [name, buffer];
  if (sys.call("statfs", sys.addressOf(name), sys.addressOf(buffer)) < 0) return false;
  return new DataView(buffer.buffer).getUint32(0, true) === BPF_FS_MAGIC;
}
