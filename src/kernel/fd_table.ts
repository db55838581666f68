/**
 * The file descriptors of a process. Each holds one user reference; the lowest free number is used, from 3 upwards.
 *
 * Errors   EBADF no such fd, EINVAL an fd of another kind, EIDRM its object was deleted by force: it can only be closed.
 */
import { BpfError, EBADF, EIDRM, EINVAL } from "../abi/errno.ts";
import type { Fd } from "./fd.ts";
import { KObject, type ObjKind } from "./objects.ts";

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

  /** @throws EBADF, EIDRM */
  entry(fd: Fd): FdEntry {
    const entry = this.#open(fd);
    if (entry.obj instanceof Gone)
      throw new BpfError(EIDRM, `fd ${fd} was ${entry.obj.was}, which was deleted`, { fd });
    return entry;
  }

  #open(fd: Fd): FdEntry {
    const entry = this.#fds.get(fd);
    if (!entry && fd >= 0 && fd < FIRST_FD) throw new BpfError(EINVAL, `fd ${fd} is no BPF object`, { fd });
    if (!entry) throw new BpfError(EBADF, `process ${this.#pid} has no fd ${fd}`, { fd });
    return entry;
  }

  /** @throws EBADF, EINVAL */
  object(fd: Fd, kind: ObjKind): KObject {
    const { obj } = this.entry(fd);
    if (obj.kind !== kind) throw new BpfError(EINVAL, `fd ${fd} is a ${obj.kind}; wanted a ${kind}`, { fd });
    return obj;
  }

  /** Also stdin, stdout and stderr, which are no objects. */
  isOpen(fd: number): boolean {
    return this.#fds.has(fd) || (fd >= 0 && fd < FIRST_FD);
  }

  find(fd: number): KObject | undefined {
    return this.#fds.get(fd)?.obj;
  }

  close(fd: Fd): void {
    const { obj } = this.#open(fd);
    this.#fds.delete(fd);
    obj.putUser();
  }

  /** The same numbers for the same objects, as a child process has them. */
  copyTo(child: FdTable): void {
    for (const [fd, entry] of this.#fds) {
      entry.obj.getUser();
      child.#fds.set(fd, entry);
    }
  }

  /** The object is deleted by force: the number stays taken, so that it cannot come to mean another object. */
  lose(fd: number): void {
    const { obj, mode } = this.#open(fd as Fd);
    this.#fds.set(fd, { obj: new Gone(`${obj.kind} ${obj.id}`), mode });
    obj.putUser();
  }

  get numbers(): readonly Fd[] {
    return [...this.#fds.keys()] as Fd[];
  }

  entries(): IterableIterator<[number, FdEntry]> {
    return this.#fds.entries();
  }
}

/** What an fd stands for after its object was deleted by force. */
class Gone extends KObject {
  readonly kind = "gone";
  readonly was: string;

  constructor(was: string) {
    super();
    this.was = was;
  }

  protected override release(): void {}
}
