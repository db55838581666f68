/**
 * The file descriptors of a process. Each holds one user reference; the lowest free number is used, from 3 upwards.
 *
 * Errors   EBADF no such fd, EINVAL an fd of another kind.
 */
import { BpfError, EBADF, EINVAL } from "../abi/errno.ts";
import type { Fd } from "./fd.ts";
import type { KObject, ObjKind } from "./objects.ts";

export interface FdEntry {
  readonly obj: KObject;
  /** BPF_F_RDONLY, BPF_F_WRONLY or 0. */
  readonly mode: number;
}

/** stdin, stdout, stderr. */
const FIRST_FD = 3;

export class FdTable {
  readonly #pid: number;
  readonly #fds = new Map<number, FdEntry>();

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** A new fd with a reference of its own. */
  install(obj: KObject, mode = 0): Fd {
    obj.getUser();
    let fd = FIRST_FD;
    while (this.#fds.has(fd)) fd++;
    this.#fds.set(fd, { obj, mode });
    return fd as Fd;
  }

  /** A new fd that takes over the one reference of a fresh object. */
  installOwned(obj: KObject, mode = 0): Fd {
    const fd = this.install(obj, mode);
    obj.put();
    return fd;
  }

  /** @throws EBADF */
  entry(fd: Fd): FdEntry {
    const entry = this.#fds.get(fd);
    if (!entry) throw new BpfError(EBADF, `process ${this.#pid} has no fd ${fd}`, { fd });
    return entry;
  }

  /** @throws EBADF, EINVAL */
  object(fd: Fd, kind: ObjKind): KObject {
    const { obj } = this.entry(fd);
    if (obj.kind !== kind) throw new BpfError(EINVAL, `fd ${fd} is a ${obj.kind}; wanted a ${kind}`, { fd });
    return obj;
  }

  find(fd: number): KObject | undefined {
    return this.#fds.get(fd)?.obj;
  }

  close(fd: Fd): void {
    const { obj } = this.entry(fd);
    this.#fds.delete(fd);
    obj.putUser();
  }

  get numbers(): readonly Fd[] {
    return [...this.#fds.keys()] as Fd[];
  }

  entries(): IterableIterator<[number, FdEntry]> {
    return this.#fds.entries();
  }
}
