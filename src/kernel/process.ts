/**
 * bpf(2) as a process sees it: the typed commands, on its own fds.
 *
 * Rights of an fd (BPF_F_RDONLY, BPF_F_WRONLY) are checked before the command.
 */
import { BPF_BTF_GET_FD_BY_ID, BPF_BTF_LOAD, BPF_F_RDONLY, BPF_F_WRONLY, BPF_STATS_RUN_TIME } from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import { deleteBatch, updateBatch } from "../maps/batch.ts";
import type {
  BatchAttr,
  BatchResult,
  Bpf,
  BpfEvent,
  Broken,
  BtfInfo,
  EventSubscription,
  Fd,
  LinkCreateAttr,
  LinkInfo,
  MapCreateAttr,
  MapInfo,
  MapReader,
  ObjectView,
  ObjInfo,
  PerfEventTarget,
  PerfTarget,
  ProgInfo,
  ProgLoadAttr,
  ProgLoadResult,
  TaskFdInfo,
  TestRunAttr,
  TestRunResult,
} from "./bpf.ts";
import type { FsPath } from "./bpffs/fs_api.ts";
import { ProcessFs } from "./bpffs/process_fs.ts";
import { loadBtf } from "./btf_cmds.ts";
import { deleteByForce } from "./force.ts";
import { iterCreate } from "./iter/link.ts";
import { linkCreate } from "./link.ts";
import type { KMap } from "./map.ts";
import { finishBatch, mapCreate, mapInfo, mapLookupAndDelete, mapLookupBatch, mapLookupElem } from "./map_cmds.ts";
import { openMapReader } from "./map_reader.ts";
import { progInfo } from "./prog_info.ts";
import { progLoad } from "./prog_load.ts";
import { StatsUser } from "./stats.ts";
import { sysBpf } from "./syscall/sys_bpf.ts";
import type { UserMemory } from "./syscall/user_memory.ts";
import { Task } from "./task.ts";
import { taskFdQuery } from "./task_fd_query.ts";
import { progTestRun } from "./test_run.ts";
import { capsWith, tokenCreate, tokenFor } from "./token.ts";
import { rawTracepointOpen } from "./trace/links.ts";
import { PerfEvent, perfAttach, perfEventAt } from "./trace/perf_event.ts";
import { objectViews } from "./view.ts";

export class Process extends Task implements Bpf {
  readonly fs = new ProcessFs(this);

  /** A child with the same fds, credentials and namespaces. */
  fork(comm = this.comm): Process {
    const { cred, netns, mountns, cgroup } = this;
    const child = this.kernel.spawn({ ...cred, netns, mountns, cgroup, comm });
    child.parent = this;
    this.fdTable.copyTo(child.fdTable);
    child.fs.umask = this.fs.umask;
    return child;
  }

  #readable(fd: Fd): KMap {
    const map = this.mapAt(fd);
    if (this.fdTable.entry(fd).mode & BPF_F_WRONLY) throw map.map.error(EPERM, `fd ${fd} is write-only`);
    return map;
  }

  #writable(fd: Fd): KMap {
    const map = this.mapAt(fd);
    if (this.fdTable.entry(fd).mode & BPF_F_RDONLY) throw map.map.error(EPERM, `fd ${fd} is read-only`);
    return map;
  }

  // --- maps

  mapCreate(attr: MapCreateAttr): Fd {
    return this.as(() => mapCreate(this, attr));
  }

  mapLookupElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    return mapLookupElem(this.#readable(fd), key, flags);
  }

  mapUpdateElem(fd: Fd, key: Uint8Array, value: Uint8Array, flags = 0n): void {
    const map = this.#writable(fd);
    this.as(() => map.map.update(key, value, Number(flags)));
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
      this.as(() => updateBatch(map.map, keys, values, count, Number(elemFlags))),
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
    return openMapReader(this, this.#readable(fd));
  }

  // --- programs and BTF

  progLoad(attr: ProgLoadAttr): ProgLoadResult {
    return this.as(() => progLoad(this, attr));
  }

  progTestRun(fd: Fd, attr: TestRunAttr = {}): TestRunResult {
    return progTestRun(this, this.progAt(fd), attr);
  }

  progBindMap(progFd: Fd, mapFd: Fd): void {
    this.progAt(progFd).bindMap(this.mapAt(mapFd));
  }

  btfLoad(bytes: Uint8Array, options: { tokenFd?: Fd } = {}): Fd {
    this.mayLoadBtf(options.tokenFd);
    return this.as(() => this.installOwned(loadBtf(this.kernel, bytes)));
  }

  /** @throws EPERM */
  mayLoadBtf(tokenFd?: Fd): void {
    const token = tokenFor(this, tokenFd, (t) => t.allowsCmd(BPF_BTF_LOAD));
    if (!capsWith(this, token).bpf) throw new BpfError(EPERM, "BTF: needs CAP_BPF", { pid: this.pid });
  }

  progStreamRead(progFd: Fd, stream: number, max: number): Uint8Array {
    return this.progAt(progFd).streams.read(stream, max);
  }

  // --- tokens, statistics, processes

  tokenCreate(bpffsFd: Fd, flags = 0): Fd {
    return this.as(() => this.installOwned(tokenCreate(this, bpffsFd, flags)));
  }

  enableStats(type = BPF_STATS_RUN_TIME): Fd {
    this.#admin();
    return this.as(() => this.installOwned(new StatsUser(this.kernel, type)));
  }

  taskFdQuery(pid: number, fd: number, flags = 0): TaskFdInfo {
    this.#admin();
    return taskFdQuery(this.kernel, pid, fd, flags);
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

  mapGetFdById(id: number, openFlags = 0): Fd {
    this.#admin();
    const access = openFlags & (BPF_F_RDONLY | BPF_F_WRONLY);
    if (openFlags !== access || access === (BPF_F_RDONLY | BPF_F_WRONLY)) {
      throw new BpfError(EINVAL, `map ${id}: open_flags ${openFlags}; wanted BPF_F_RDONLY or BPF_F_WRONLY`, { id });
    }
    return this.install(this.kernel.maps.at(id), access);
  }

  btfGetFdById(id: number, options: { tokenFd?: Fd } = {}): Fd {
    const token = tokenFor(this, options.tokenFd, (t) => t.allowsCmd(BPF_BTF_GET_FD_BY_ID));
    if (!capsWith(this, token).sysAdmin) throw new BpfError(EPERM, `BTF ${id}: needs CAP_SYS_ADMIN`, { id });
    return this.install(this.kernel.btfs.at(id));
  }

  linkGetFdById(id: number): Fd {
    this.#admin();
    return this.install(this.kernel.links.at(id));
  }

  objects(): readonly ObjectView[] {
    this.#admin();
    return objectViews(this.kernel);
  }

  mapDelete(id: number): readonly Broken[] {
    this.#admin();
    return this.as(() => deleteByForce(this.kernel, this.kernel.maps.at(id)));
  }

  progUnload(id: number): readonly Broken[] {
    this.#admin();
    return this.as(() => deleteByForce(this.kernel, this.kernel.progs.at(id)));
  }

  #admin(): void {
    if (!this.caps.sysAdmin) throw new BpfError(EPERM, "global ids need CAP_SYS_ADMIN", { pid: this.pid });
  }

  objGetInfo(fd: Fd): ObjInfo {
    const { kind } = this.fdTable.entry(fd).obj;
    switch (kind) {
      case "map":
        return { kind, map: this.mapInfo(fd) };
      case "prog":
        return { kind, prog: this.progInfo(fd) };
      case "btf":
        return { kind, btf: this.btfInfo(fd) };
      case "link":
        return { kind, link: this.linkInfo(fd) };
      default:
        throw new BpfError(EINVAL, `fd ${fd} is a ${kind}: there is no info about it`, { fd });
    }
  }

  mapInfo(fd: Fd): MapInfo {
    return this.#seen(mapInfo(this.mapAt(fd)));
  }

  progInfo(fd: Fd): ProgInfo {
    return this.#seen(progInfo(this.progAt(fd), this.caps));
  }

  btfInfo(fd: Fd): BtfInfo {
    const btf = this.btfAt(fd);
    return this.#seen({ id: btf.id, name: btf.name, kernelBtf: btf.kernelBtf, bytes: btf.bytes.slice() });
  }

  linkInfo(fd: Fd): LinkInfo {
    return this.#seen(this.linkAt(fd).info());
  }

  /** Info with the ids that this process may know. */
  #seen<T extends { readonly id: number }>(info: T): T {
    return this.caps.sysAdmin || !this.kernel.idsForRootOnly ? info : hideIds(info);
  }

  // --- links

  linkCreate(attr: LinkCreateAttr): Fd {
    return this.as(() => this.installOwned(linkCreate(this, attr)));
  }

  linkUpdate(linkFd: Fd, newProgFd: Fd, options: { oldProgFd?: Fd; flags?: number } = {}): void {
    const old = options.oldProgFd === undefined ? undefined : this.progAt(options.oldProgFd);
    this.as(() => this.linkAt(linkFd).update(this.progAt(newProgFd), old));
  }

  linkDetach(linkFd: Fd): void {
    this.as(() => this.linkAt(linkFd).detach());
  }

  rawTracepointOpen(progFd: Fd, name?: string, cookie = 0n): Fd {
    return this.as(() => this.installOwned(rawTracepointOpen(this, this.progAt(progFd), name, cookie)));
  }

  // --- bpf(2) as bytes

  /**
   * bpf(cmd, attr, size): `attr` holds union bpf_attr of Linux 6.18 and takes the results; pointers in it are addresses
   * in `mem` (default: no memory at all). Bytes of `attr` behind `size` count as the caller's memory, too.
   * @returns an fd, a count or 0 @throws BpfError with Linux's errno
   */
  bpf(cmd: number, attr: Uint8Array, size: number, mem?: UserMemory): number {
    return sysBpf(this, cmd, attr, size, mem);
  }

  /** As bpf(), but an error is -errno, as a libbpf client sees it. */
  sysBpf(cmd: number, attr: Uint8Array, size: number, mem?: UserMemory): number {
    try {
      return sysBpf(this, cmd, attr, size, mem);
    } catch (e) {
      if (e instanceof BpfError) return -e.errno;
      throw e;
    }
  }

  iterCreate(linkFd: Fd): Fd {
    return this.as(() => this.installOwned(iterCreate(this, linkFd)));
  }

  // --- perf events

  perfAttach(progFd: Fd, target: PerfTarget, cookie = 0n): Fd {
    return this.as(() => this.installOwned(perfAttach(this, this.progAt(progFd), target, cookie)));
  }

  perfEventOpen(target: PerfEventTarget): Fd {
    return this.as(() => this.installOwned(new PerfEvent(this.kernel, target)));
  }

  perfEventSetBpf(eventFd: Fd, progFd: Fd): void {
    this.as(() => perfEventAt(this, eventFd).setProg(this.progAt(progFd), 0n, true));
  }

  perfEventEnable(eventFd: Fd, on: boolean): void {
    const event = perfEventAt(this, eventFd);
    if (on) event.enable();
    else event.disable();
  }

  // --- bpffs

  objPin(fd: Fd, path: FsPath): void {
    const obj = this.fdTable.find(fd);
    // bpf_fd_probe_obj() says EINVAL for any fd that it does not know.
    if (!obj) throw new BpfError(EINVAL, `pin: process ${this.pid} has no fd ${fd}`, { fd });
    this.fs.pin(obj, path);
  }

  objGet(path: FsPath, fileFlags = 0): Fd {
    return this.install(this.fs.pinned(path, fileFlags), fileFlags & (BPF_F_RDONLY | BPF_F_WRONLY));
  }

  objUnpin(path: FsPath): void {
    this.fs.unlink(path);
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

  /** What others do is for who may list all objects. */
  readonly #maySee = (event: BpfEvent): boolean => this.caps.sysAdmin || event.pid === this.pid;

  onEvent(listener: (event: BpfEvent) => void): () => void {
    return this.kernel.events.on(listener, this.#maySee);
  }

  subscribe(capacity?: number): EventSubscription {
    return this.kernel.events.subscribe(capacity, this.#maySee);
  }
}

/** Members of info structs that are global ids. */
const ID_MEMBERS = ["id", "progId", "mapId", "btfId", "attachBtfObjId", "targetObjId"];

function hideIds<T extends { readonly id: number }>(info: T): T {
  const hidden: Record<string, unknown> = { ...info };
  for (const name of ID_MEMBERS) if (name in hidden) hidden[name] = 0;
  if ("mapIds" in hidden) hidden["mapIds"] = [];
  return hidden as T;
}
