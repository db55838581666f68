/** Pinning as libbpf does it: the last directory of the path is made (mode 0700) if it is missing; no more of them. */
import { BpfError, EEXIST } from "../abi/errno.ts";
import type { Bpf, Fd } from "../kernel/bpf.ts";

export function pinAt(bpf: Bpf, fd: Fd, path: string): void {
  const dir = /^(.*[^/])\/+[^/]+$/.exec(path)?.[1];
  if (dir) {
    try {
      bpf.fs.mkdir(dir, 0o700);
    } catch (e) {
      if (!(e instanceof BpfError) || e.errno !== EEXIST) throw e;
    }
  }
  bpf.objPin(fd, path);
}
