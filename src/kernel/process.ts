/**
 * A process: its fd table and credentials, and bpf(2) as it sees it. Exiting closes every fd.
 *
 * Each fd holds one user reference. Rights of an fd (BPF_F_RDONLY, BPF_F_WRONLY) are checked before the command.
 */
import { BPF_F_RDONLY, BPF_F_WRONLY } from "../abi/bpf.ts";
import { BpfError, EBADF, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import { deleteBatch, updateBatch } from "../maps/batch.ts";
import { ALL_CAPS, type Caps } from "../verifier/platform.ts";
import type {
  BatchAttr,
  BatchResult,
  Bpf,
  BpfEvent,
  BtfInfo,
  Fd,
  LinkCreateAttr,
  LinkInfo,
  MapCreateAttr,
  MapInfo,
  MapReader,
  ObjInfo,
  ProgInfo,
  ProgLoadAttr,
  ProgLoadResult,
  TestRunAttr,
  TestRunResult,
} from "./bpf.ts";
import { type KBtf, loadBtf } from "./btf_cmds.ts";
import type { Kernel } from "./kernel.ts";
import { type Link, linkCreate } from "./link.ts";
import type { KMap } from "./map.ts";
import { finishBatch, mapCreate, mapInfo, mapLookupAndDelete, mapLookupBatch, mapLookupElem } from "./map_cmds.ts";
import { openMapReader } from "./map_reader.ts";
import type { KObject } from "./objects.ts";
import type { Prog } from "./prog.ts";
import { progInfo } from "./prog_info.ts";
import { progLoad } from "./prog_load.ts";
import { progTestRun } from "./test_run.ts";
import { rawTracepointOpen } from "./trace_link.ts";

type AnyObject = KMap | Prog | KBtf | Link;

interface FdEntry {
  readonly obj: AnyObject;
  /** BPF_F_RDONLY, BPF_F_WRONLY or 0. */
  readonly mode: number;
}

/** stdin, stdout, stderr. */
const FIRST_FD = 3;

export class Process implements Bpf {
  readonly kernel: Kernel;
  readonly pid: number;
  readonly caps: Caps;
  readonly uid: number;
  readonly #fds = new Map<number, FdEntry>();
  readonly #onExit: () => void;

  constructor(kernel: Kernel, pid: number, options: { caps?: Caps; uid?: number }, onExit: () => void) {
    this.kernel = kernel;
    this.pid = pid;
    this.caps = options.caps ?? ALL_CAPS;
    this.uid = options.uid ?? 0;
    this.#onExit = onExit;
  }

  // --- fd table

  /** A new fd with a reference of its own. */
  install(obj: AnyObject, mode = 0): Fd {
    obj.getUser();
    return this.#install(obj, mode);
  }

  /** A new fd that takes over the one reference of a fresh object. */
  installOwned(obj: AnyObject, mode = 0): Fd {
    const fd = this.install(obj, mode);
    obj.put();
    return fd;
  }

  #install(obj: AnyObject, mode: number): Fd {
    let fd = FIRST_FD;
    while (this.#fds.has(fd)) fd++;
    this.#fds.set(fd, { obj, mode });
    return fd as Fd;
  }

  #entry(fd: Fd): FdEntry {
    const entry = this.#fds.get(fd);
    if (!entry) throw new BpfError(EBADF, `process ${this.pid} has no fd ${fd}`, { fd });
    return entry;
  }

  #object<K extends AnyObject["kind"]>(fd: Fd, kind: K): Extract<AnyObject, { kind: K }> {
    const { obj } = this.#entry(fd);
    if (obj.kind !== kind) throw new BpfError(EINVAL, `fd ${fd} is a ${obj.kind}; wanted a ${kind}`, { fd });
    return obj as Extract<AnyObject, { kind: K }>;
  }

  /** @throws EBADF, EINVAL */
  mapAt(fd: Fd): KMap {
    return this.#object(fd, "map");
  }

  progAt(fd: Fd): Prog {
    return this.#object(fd, "prog");
  }

  btfAt(fd: Fd): KBtf {
    return this.#object(fd, "btf");
  }

  linkAt(fd: Fd): Link {
    return this.#object(fd, "link");
  }

  findMap(fd: Fd): KMap | undefined {
    const obj = this.#fds.get(fd)?.obj;
    return obj?.kind === "map" ? obj : undefined;
  }

  findBtf(fd: Fd): KBtf | undefined {
    const obj = this.#fds.get(fd)?.obj;
    return obj?.kind === "btf" ? obj : undefined;
  }

  #readable(fd: Fd): KMap {
    const map = this.mapAt(fd);
    if (this.#entry(fd).mode & BPF_F_WRONLY) throw map.map.error(EPERM, `fd ${fd} is write-only`);
    return map;
  }

  #writable(fd: Fd): KMap {
    const map = this.mapAt(fd);
    if (this.#entry(fd).mode & BPF_F_RDONLY) throw map.map.error(EPERM, `fd ${fd} is read-only`);
    return map;
  }

  close(fd: Fd): void {
    const { obj } = this.#entry(fd);
    this.#fds.delete(fd);
    obj.putUser();
  }

  dup(fd: Fd): Fd {
    const { obj, mode } = this.#entry(fd);
    return this.install(obj, mode);
  }

  /** Gives another process an fd on the same object (SCM_RIGHTS). */
  sendFd(fd: Fd, to: Process): Fd {
    const { obj, mode } = this.#entry(fd);
    return to.install(obj, mode);
  }

  get fds(): readonly Fd[] {
    return [...this.#fds.keys()] as Fd[];
  }

  /** Closes everything. */
  exit(): void {
    for (const fd of this.fds) this.close(fd);
    this.#onExit();
  }

  [Symbol.dispose](): void {
    this.exit();
  }

  /** Runs `body` with this process as the one that fds in map values belong to. */
  #as<T>(body: () => T): T {
    return this.kernel.asCaller(this, body);
  }

  // --- maps

  mapCreate(attr: MapCreateAttr): Fd {
    return mapCreate(this, attr);
  }

  mapLookupElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    return mapLookupElem(this.#readable(fd), key, flags);
  }

  mapUpdateElem(fd: Fd, key: Uint8Array, value: Uint8Array, flags = 0n): void {
    const map = this.#writable(fd);
    this.#as(() => map.map.update(key, value, Number(flags)));
  }

  mapDeleteElem(fd: Fd, key: Uint8Array): void {
    this.#writable(fd).map.delete(key);
  }

  mapLookupAndDeleteElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    this.#readable(fd);
    return mapLookupAndDelete(this.#writable(fd), key, flags);
  }

  mapGetNextKey(fd: Fd, key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#readable(fd).map.getNextKey(key);
  }

  mapLookupBatch(fd: Fd, attr: BatchAttr): BatchResult {
    return mapLookupBatch(this.#readable(fd), attr, false);
  }

  mapLookupAndDeleteBatch(fd: Fd, attr: BatchAttr): BatchResult {
    this.#readable(fd);
    return mapLookupBatch(this.#writable(fd), attr, true);
  }

  mapUpdateBatch(fd: Fd, keys: Uint8Array, values: Uint8Array, count: number, elemFlags = 0n): number {
    const map = this.#writable(fd);
    return finishBatch(
      map,
      this.#as(() => updateBatch(map.map, keys, values, count, Number(elemFlags))),
    );
  }

  mapDeleteBatch(fd: Fd, keys: Uint8Array, count: number, elemFlags = 0n): number {
    const map = this.#writable(fd);
    return finishBatch(map, deleteBatch(map.map, keys, count, Number(elemFlags)));
  }

  mapFreeze(fd: Fd): void {
    this.#writable(fd).map.freeze();
  }

  mapReader(fd: Fd): MapReader {
    return openMapReader(this.kernel, this.#readable(fd));
  }

  // --- programs and BTF

  progLoad(attr: ProgLoadAttr): ProgLoadResult {
    return progLoad(this, attr);
  }

  progTestRun(fd: Fd, attr: TestRunAttr = {}): TestRunResult {
    return progTestRun(this, this.progAt(fd), attr);
  }

  progBindMap(progFd: Fd, mapFd: Fd): void {
    this.progAt(progFd).bindMap(this.mapAt(mapFd));
  }

  btfLoad(bytes: Uint8Array): Fd {
    return this.installOwned(loadBtf(this.kernel, bytes));
  }

  // --- ids

  progGetNextId(id: number): number | undefined {
    this.#admin();
    return this.kernel.progs.next(id);
  }

  mapGetNextId(id: number): number | undefined {
    this.#admin();
    return this.kernel.maps.next(id);
  }

  btfGetNextId(id: number): number | undefined {
    this.#admin();
    return this.kernel.btfs.next(id);
  }

  linkGetNextId(id: number): number | undefined {
    this.#admin();
    return this.kernel.links.next(id);
  }

  progGetFdById(id: number): Fd {
    this.#admin();
    return this.install(this.kernel.progs.at(id));
  }

  mapGetFdById(id: number): Fd {
    this.#admin();
    return this.install(this.kernel.maps.at(id));
  }

  btfGetFdById(id: number): Fd {
    this.#admin();
    return this.install(this.kernel.btfs.at(id));
  }

  linkGetFdById(id: number): Fd {
    this.#admin();
    return this.install(this.kernel.links.at(id));
  }

  #admin(): void {
    if (!this.caps.sysAdmin) throw new BpfError(EPERM, "global ids need CAP_SYS_ADMIN", { pid: this.pid });
  }

  objGetInfo(fd: Fd): ObjInfo {
    const { obj } = this.#entry(fd);
    switch (obj.kind) {
      case "map":
        return { kind: "map", map: mapInfo(obj) };
      case "prog":
        return { kind: "prog", prog: progInfo(obj) };
      case "btf":
        return { kind: "btf", btf: this.btfInfo(fd) };
      case "link":
        return { kind: "link", link: obj.info() };
      default:
        return obj satisfies never;
    }
  }

  mapInfo(fd: Fd): MapInfo {
    return mapInfo(this.mapAt(fd));
  }

  progInfo(fd: Fd): ProgInfo {
    return progInfo(this.progAt(fd));
  }

  btfInfo(fd: Fd): BtfInfo {
    const btf = this.btfAt(fd);
    return { id: btf.id, name: btf.name, kernelBtf: btf.kernelBtf, bytes: btf.bytes.slice() };
  }

  linkInfo(fd: Fd): LinkInfo {
    return this.linkAt(fd).info();
  }

  // --- links

  linkCreate(attr: LinkCreateAttr): Fd {
    return this.installOwned(linkCreate(this, attr));
  }

  linkUpdate(linkFd: Fd, newProgFd: Fd, options: { oldProgFd?: Fd; flags?: number } = {}): void {
    const old = options.oldProgFd === undefined ? undefined : this.progAt(options.oldProgFd);
    this.linkAt(linkFd).update(this.pid, this.progAt(newProgFd), old);
  }

  linkDetach(linkFd: Fd): void {
    this.linkAt(linkFd).detach(this.pid);
  }

  rawTracepointOpen(progFd: Fd, name?: string, cookie = 0n): Fd {
    return this.installOwned(rawTracepointOpen(this, this.progAt(progFd), name, cookie));
  }

  // --- bpffs

  objPin(fd: Fd, path: string): void {
    const { obj } = this.#entry(fd);
    const name = this.kernel.bpffs.pin(path, obj);
    this.#tellPin("pin", obj, name);
  }

  objGet(path: string, fileFlags = 0): Fd {
    return this.install(this.kernel.bpffs.get(path) as AnyObject, fileFlags & (BPF_F_RDONLY | BPF_F_WRONLY));
  }

  objUnpin(path: string): void {
    const obj = this.kernel.bpffs.get(path) as AnyObject;
    // Said while the object can still be named.
    this.#tellPin("unpin", obj, path);
    this.kernel.bpffs.unpin(path);
  }

  #tellPin(what: "pin" | "unpin", obj: KObject, path: string): void {
    const id = { map: { mapId: obj.id }, prog: { progId: obj.id }, link: { linkId: obj.id }, btf: {} }[obj.kind];
    this.kernel.events.emit({ what, pid: this.pid, path, ...id });
  }

  // --- the kernel

  get possibleCpus(): number {
    return this.kernel.memory.cpus;
  }

  kernelBtf(): Uint8Array {
    const bytes = this.kernel.kernelBtfBytes;
    if (!bytes) throw new BpfError(ENOENT, "this kernel has no BTF", {});
    return bytes;
  }

  onEvent(listener: (event: BpfEvent) => void): () => void {
    return this.kernel.events.on(listener);
  }
}
