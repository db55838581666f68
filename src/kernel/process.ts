/**
 * bpf(2) as a process sees it: the typed commands, on its own fds.
 *
 * Rights of an fd (BPF_F_RDONLY, BPF_F_WRONLY) are checked before the command.
 */
import {
  BPF_BTF_GET_FD_BY_ID,
  BPF_BTF_GET_NEXT_ID,
  BPF_BTF_LOAD,
  BPF_ENABLE_STATS,
  BPF_F_RDONLY,
  BPF_F_WRONLY,
  BPF_ITER_CREATE,
  BPF_LINK_CREATE,
  BPF_LINK_DETACH,
  BPF_LINK_GET_FD_BY_ID,
  BPF_LINK_GET_NEXT_ID,
  BPF_LINK_UPDATE,
  BPF_MAP_CREATE,
  BPF_MAP_DELETE_BATCH,
  BPF_MAP_DELETE_ELEM,
  BPF_MAP_FREEZE,
  BPF_MAP_GET_FD_BY_ID,
  BPF_MAP_GET_NEXT_ID,
  BPF_MAP_GET_NEXT_KEY,
  BPF_MAP_LOOKUP_AND_DELETE_BATCH,
  BPF_MAP_LOOKUP_AND_DELETE_ELEM,
  BPF_MAP_LOOKUP_BATCH,
  BPF_MAP_LOOKUP_ELEM,
  BPF_MAP_UPDATE_BATCH,
  BPF_MAP_UPDATE_ELEM,
  BPF_OBJ_GET,
  BPF_OBJ_GET_INFO_BY_FD,
  BPF_OBJ_PIN,
  BPF_PROG_ATTACH,
  BPF_PROG_BIND_MAP,
  BPF_PROG_DETACH,
  BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_GET_NEXT_ID,
  BPF_PROG_LOAD,
  BPF_PROG_QUERY,
  BPF_PROG_STREAM_READ_BY_FD,
  BPF_PROG_TEST_RUN,
  BPF_RAW_TRACEPOINT_OPEN,
  BPF_STATS_RUN_TIME,
  BPF_TASK_FD_QUERY,
  BPF_TOKEN_CREATE,
} from "../abi/bpf.ts";
import { BpfError, EBUSY, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
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
  FuncReplacement,
  LinkCreateAttr,
  LinkInfo,
  MapCreateAttr,
  MapInfo,
  MapMemory,
  MapReader,
  ObjectView,
  ObjInfo,
  PerfEventTarget,
  PerfTarget,
  ProgAttachAttr,
  ProgInfo,
  ProgLoadAttr,
  ProgLoadResult,
  ProgQueryAttr,
  ProgQueryResult,
  TaskFdInfo,
  TestRunAttr,
  TestRunResult,
} from "./bpf.ts";
import type { FsPath } from "./bpffs/fs_api.ts";
import { ProcessFs } from "./bpffs/process_fs.ts";
import { loadBtf } from "./btf_cmds.ts";
import { deleteByForce } from "./force.ts";
import { replaceFuncs } from "./freplace/replace.ts";
import { iterCreate } from "./iter/link.ts";
import { linkCreate } from "./link.ts";
import type { KMap } from "./map.ts";
import { finishBatch, mapCreate, mapInfo, mapLookupAndDelete, mapLookupBatch, mapLookupElem } from "./map_cmds.ts";
import { mapMmap } from "./map_mmap.ts";
import { openMapReader } from "./map_reader.ts";
import { progAttach, progDetach, progQuery } from "./prog_attach.ts";
import { progInfo } from "./prog_info.ts";
import { progLoad } from "./prog_load.ts";
import { StatsUser } from "./stats.ts";
import { ATTR_SIZE, sysBpf } from "./syscall/sys_bpf.ts";
import type { UserMemory } from "./syscall/user_memory.ts";
import { Task } from "./task.ts";
import { taskFdQuery } from "./task_fd_query.ts";
import { progTestRun } from "./test_run.ts";
import { capsWith, tokenCreate, tokenFor } from "./token.ts";
import { rawTracepointOpen } from "./trace/links.ts";
import { openPerfEvent, perfAttach, perfEventAt } from "./trace/perf_event.ts";
import { lsmBpf, lsmOfFd, syscall } from "./trace/syscalls.ts";
import { objectViews } from "./view.ts";

export class Process extends Task implements Bpf {
  readonly fs = new ProcessFs(this);

  /** A child with the same fds, credentials and namespaces. */
  fork(comm = this.comm): Process {
    return syscall(
      this,
      "fork",
      [],
      () => this.#fork(comm),
      ({ pid }) => BigInt(pid),
    );
  }

  #fork(comm: string): Process {
    const { cred, netns, mountns, cgroup } = this;
    const child = this.kernel.spawn({ ...cred, netns, mountns, cgroup, comm });
    child.parent = this;
    this.fdTable.copyTo(child.fdTable);
    child.fs.umask = this.fs.umask;
    const { taskStructs, traceHooks } = this.kernel;
    const tasks = () => [this, child].map((task) => BigInt(taskStructs.of(task)));
    this.as(() => traceHooks.tracepoint("sched", "sched_process_fork", tasks));
    return child;
  }

  /**
   * A command of bpf(2), which events, probes and LSM programs see.
   * @param attr  of a call as bytes: what LSM programs read as union bpf_attr
   */
  #cmd<T>(cmd: number, body: () => T, attr?: Uint8Array): T {
    const { traceHooks } = this.kernel;
    // A call as bytes has been seen already when it comes to its typed command.
    if (traceHooks.idle || traceHooks.inSyscall.has(this)) return this.as(body);
    const size = BigInt(ATTR_SIZE);
    return syscall(this, "bpf", [BigInt(cmd), 0n, size], () => {
      lsmBpf(this.kernel, cmd, attr, size);
      return this.as(body);
    });
  }

  /** security_bpf_map(), security_bpf_prog(): a new fd on a map or program that an LSM program may refuse. */
  #checked(fd: Fd): Fd {
    try {
      lsmOfFd(this.kernel, this.fdTable.entry(fd));
    } catch (e) {
      this.fdTable.close(fd);
      throw e;
    }
    return fd;
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
    return this.#cmd(BPF_MAP_CREATE, () => this.#checked(mapCreate(this, attr)));
  }

  mapLookupElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    return this.#cmd(BPF_MAP_LOOKUP_ELEM, () => mapLookupElem(this.#readable(fd), key, flags));
  }

  mapUpdateElem(fd: Fd, key: Uint8Array, value: Uint8Array, flags = 0n): void {
    this.#cmd(BPF_MAP_UPDATE_ELEM, () => {
      const map = this.#writable(fd);
      map.map.update(key, value, Number(flags));
    });
  }

  mapDeleteElem(fd: Fd, key: Uint8Array): void {
    this.#cmd(BPF_MAP_DELETE_ELEM, () => {
      this.#writable(fd).map.delete(key);
    });
  }

  mapLookupAndDeleteElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    return this.#cmd(BPF_MAP_LOOKUP_AND_DELETE_ELEM, () => {
      this.#readable(fd);
      return mapLookupAndDelete(this.#writable(fd), key, flags);
    });
  }

  mapGetNextKey(fd: Fd, key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#cmd(BPF_MAP_GET_NEXT_KEY, () => this.#readable(fd).map.getNextKey(key));
  }

  mapLookupBatch(fd: Fd, attr: BatchAttr): BatchResult {
    return this.#cmd(BPF_MAP_LOOKUP_BATCH, () => mapLookupBatch(this.#readable(fd), attr, false));
  }

  mapLookupAndDeleteBatch(fd: Fd, attr: BatchAttr): BatchResult {
    return this.#cmd(BPF_MAP_LOOKUP_AND_DELETE_BATCH, () => {
      this.#readable(fd);
      return mapLookupBatch(this.#writable(fd), attr, true);
    });
  }

  mapUpdateBatch(fd: Fd, keys: Uint8Array, values: Uint8Array, count: number, elemFlags = 0n): number {
    return this.#cmd(BPF_MAP_UPDATE_BATCH, () => {
      const map = this.#writable(fd);
      return finishBatch(map, updateBatch(map.map, keys, values, count, Number(elemFlags)));
    });
  }

  mapDeleteBatch(fd: Fd, keys: Uint8Array, count: number, elemFlags = 0n): number {
    return this.#cmd(BPF_MAP_DELETE_BATCH, () => {
      const map = this.#writable(fd);
      return finishBatch(map, deleteBatch(map.map, keys, count, Number(elemFlags)));
    });
  }

  mapFreeze(fd: Fd): void {
    this.#cmd(BPF_MAP_FREEZE, () => {
      const map = this.#writable(fd);
      if (map.writers) throw map.map.error(EBUSY, "it is mapped into memory that can be written");
      map.map.freeze();
    });
  }

  mapMmap(fd: Fd, options: { readonly readonly?: boolean } = {}): MapMemory {
    return mapMmap(this, this.mapAt(fd), this.fdTable.entry(fd).mode, options.readonly ?? false);
  }

  mapReader(fd: Fd): MapReader {
    return openMapReader(this, this.#readable(fd));
  }

  // --- programs and BTF

  progLoad(attr: ProgLoadAttr): ProgLoadResult {
    return this.#cmd(BPF_PROG_LOAD, () => {
      const loaded = progLoad(this, attr);
      this.#checked(loaded.fd);
      return loaded;
    });
  }

  progTestRun(fd: Fd, attr: TestRunAttr = {}): TestRunResult {
    return this.#cmd(BPF_PROG_TEST_RUN, () => progTestRun(this, this.progAt(fd), attr));
  }

  progBindMap(progFd: Fd, mapFd: Fd): void {
    this.#cmd(BPF_PROG_BIND_MAP, () => {
      this.progAt(progFd).bindMap(this.mapAt(mapFd));
    });
  }

  btfLoad(bytes: Uint8Array, options: { tokenFd?: Fd } = {}): Fd {
    return this.#cmd(BPF_BTF_LOAD, () => {
      this.mayLoadBtf(options.tokenFd);
      return this.installOwned(loadBtf(this.kernel, bytes));
    });
  }

  /** @throws EPERM */
  mayLoadBtf(tokenFd?: Fd): void {
    const token = tokenFor(this, tokenFd, (t) => t.allowsCmd(BPF_BTF_LOAD));
    if (!capsWith(this, token).bpf) throw new BpfError(EPERM, "BTF: needs CAP_BPF", { pid: this.pid });
  }

  progStreamRead(progFd: Fd, stream: number, max: number): Uint8Array {
    return this.#cmd(BPF_PROG_STREAM_READ_BY_FD, () => this.progAt(progFd).streams.read(stream, max));
  }

  // --- tokens, statistics, processes

  tokenCreate(bpffsFd: Fd, flags = 0): Fd {
    return this.#cmd(BPF_TOKEN_CREATE, () => this.installOwned(tokenCreate(this, bpffsFd, flags)));
  }

  enableStats(type = BPF_STATS_RUN_TIME): Fd {
    return this.#cmd(BPF_ENABLE_STATS, () => {
      this.#admin();
      return this.installOwned(new StatsUser(this.kernel, type));
    });
  }

  taskFdQuery(pid: number, fd: number, flags = 0): TaskFdInfo {
    return this.#cmd(BPF_TASK_FD_QUERY, () => {
      this.#admin();
      return taskFdQuery(this.kernel, pid, fd, flags);
    });
  }

  // --- ids

  progGetNextId(id: number): number | undefined {
    return this.#cmd(BPF_PROG_GET_NEXT_ID, () => {
      this.#admin();
      return this.kernel.progs.next(id);
    });
  }

  mapGetNextId(id: number): number | undefined {
    return this.#cmd(BPF_MAP_GET_NEXT_ID, () => {
      this.#admin();
      return this.kernel.maps.next(id);
    });
  }

  btfGetNextId(id: number): number | undefined {
    return this.#cmd(BPF_BTF_GET_NEXT_ID, () => {
      this.#admin();
      return this.kernel.btfs.next(id);
    });
  }

  linkGetNextId(id: number): number | undefined {
    return this.#cmd(BPF_LINK_GET_NEXT_ID, () => {
      this.#admin();
      return this.kernel.links.next(id);
    });
  }

  progGetFdById(id: number): Fd {
    return this.#cmd(BPF_PROG_GET_FD_BY_ID, () => {
      this.#admin();
      return this.#checked(this.install(this.kernel.progs.at(id)));
    });
  }

  mapGetFdById(id: number, openFlags = 0): Fd {
    return this.#cmd(BPF_MAP_GET_FD_BY_ID, () => {
      this.#admin();
      const access = openFlags & (BPF_F_RDONLY | BPF_F_WRONLY);
      if (openFlags !== access || access === (BPF_F_RDONLY | BPF_F_WRONLY)) {
        throw new BpfError(EINVAL, `map ${id}: open_flags ${openFlags}; wanted BPF_F_RDONLY or BPF_F_WRONLY`, { id });
      }
      return this.#checked(this.install(this.kernel.maps.at(id), access));
    });
  }

  btfGetFdById(id: number, options: { tokenFd?: Fd } = {}): Fd {
    return this.#cmd(BPF_BTF_GET_FD_BY_ID, () => {
      const token = tokenFor(this, options.tokenFd, (t) => t.allowsCmd(BPF_BTF_GET_FD_BY_ID));
      if (!capsWith(this, token).sysAdmin) throw new BpfError(EPERM, `BTF ${id}: needs CAP_SYS_ADMIN`, { id });
      return this.install(this.kernel.btfs.at(id));
    });
  }

  linkGetFdById(id: number): Fd {
    return this.#cmd(BPF_LINK_GET_FD_BY_ID, () => {
      this.#admin();
      return this.install(this.kernel.links.at(id));
    });
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

  progReplaceFunc(progFd: Fd, btfId: number, funcFd: Fd): void {
    this.progReplaceFuncs(progFd, [{ btfId, funcFd }]);
  }

  progReplaceFuncDetach(progFd: Fd, btfId: number): void {
    this.progReplaceFuncs(progFd, [{ btfId, funcFd: undefined }]);
  }

  progReplaceFuncs(progFd: Fd, set: readonly FuncReplacement[]): void {
    this.as(() => replaceFuncs(this, this.progAt(progFd), set));
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
    return this.#cmd(BPF_OBJ_GET_INFO_BY_FD, () => this.#seen(mapInfo(this.mapAt(fd))));
  }

  progInfo(fd: Fd): ProgInfo {
    return this.#cmd(BPF_OBJ_GET_INFO_BY_FD, () => this.#seen(progInfo(this.progAt(fd), this.caps)));
  }

  btfInfo(fd: Fd): BtfInfo {
    return this.#cmd(BPF_OBJ_GET_INFO_BY_FD, () => {
      const btf = this.btfAt(fd);
      return this.#seen({ id: btf.id, name: btf.name, kernelBtf: btf.kernelBtf, bytes: btf.bytes.slice() });
    });
  }

  linkInfo(fd: Fd): LinkInfo {
    return this.#cmd(BPF_OBJ_GET_INFO_BY_FD, () => this.#seen(this.linkAt(fd).info()));
  }

  /** Info with the ids that this process may know. */
  #seen<T extends { readonly id: number }>(info: T): T {
    return this.caps.sysAdmin || !this.kernel.idsForRootOnly ? info : hideIds(info);
  }

  // --- links

  linkCreate(attr: LinkCreateAttr): Fd {
    return this.#cmd(BPF_LINK_CREATE, () => this.installOwned(linkCreate(this, attr)));
  }

  linkUpdate(linkFd: Fd, newProgFd: Fd, options: { oldProgFd?: Fd; flags?: number } = {}): void {
    this.#cmd(BPF_LINK_UPDATE, () => {
      const link = this.linkAt(linkFd);
      if (link.ofMap) {
        const oldMap = options.oldProgFd === undefined ? undefined : this.mapAt(options.oldProgFd);
        link.updateMap(this.mapAt(newProgFd), oldMap);
        return;
      }
      const old = options.oldProgFd === undefined ? undefined : this.progAt(options.oldProgFd);
      this.linkAt(linkFd).update(this.progAt(newProgFd), old);
    });
  }

  progAttach(attr: ProgAttachAttr): void {
    this.#cmd(BPF_PROG_ATTACH, () => progAttach(this, attr));
  }

  progDetach(attr: ProgAttachAttr): void {
    this.#cmd(BPF_PROG_DETACH, () => progDetach(this, attr));
  }

  progQuery(attr: ProgQueryAttr): ProgQueryResult {
    return this.#cmd(BPF_PROG_QUERY, () => progQuery(this, attr));
  }

  linkDetach(linkFd: Fd): void {
    this.#cmd(BPF_LINK_DETACH, () => this.linkAt(linkFd).detach());
  }

  rawTracepointOpen(progFd: Fd, name?: string, cookie = 0n): Fd {
    return this.#cmd(BPF_RAW_TRACEPOINT_OPEN, () =>
      this.installOwned(rawTracepointOpen(this, this.progAt(progFd), name, cookie)),
    );
  }

  fdInfo(fd: Fd): Readonly<Record<string, string>> {
    return this.fdTable.entry(fd).obj.fdInfo();
  }

  // --- bpf(2) as bytes

  /**
   * bpf(cmd, attr, size): `attr` holds union bpf_attr of Linux 6.18 and takes the results; pointers in it are addresses
   * in `mem` (default: no memory at all). Bytes of `attr` behind `size` count as the caller's memory, too.
   * @returns an fd, a count or 0 @throws BpfError with Linux's errno
   */
  bpf(cmd: number, attr: Uint8Array, size: number, mem?: UserMemory): number {
    return this.#cmd(cmd, () => sysBpf(this, cmd, attr, size, mem), attr);
  }

  /** As bpf(), but an error is -errno, as a libbpf client sees it. */
  sysBpf(cmd: number, attr: Uint8Array, size: number, mem?: UserMemory): number {
    try {
      return this.bpf(cmd, attr, size, mem);
    } catch (e) {
      if (e instanceof BpfError) return -e.errno;
      throw e;
    }
  }

  iterCreate(linkFd: Fd): Fd {
    return this.#cmd(BPF_ITER_CREATE, () => this.installOwned(iterCreate(this, linkFd)));
  }

  // --- perf events

  perfAttach(progFd: Fd, target: PerfTarget, cookie = 0n): Fd {
    return this.as(() => this.installOwned(perfAttach(this, this.progAt(progFd), target, cookie)));
  }

  *kernelFunctions(): Iterable<{ readonly name: string; readonly address: bigint }> {
    const { kallsyms } = this.kernel.traceHooks;
    for (const name of kallsyms.names()) yield { name, address: kallsyms.addressOf(name) };
  }

  perfEventOpen(target: PerfEventTarget): Fd {
    const open = () => this.as(() => this.installOwned(openPerfEvent(this, target)));
    return syscall(this, "perf_event_open", [], open);
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
    this.#cmd(BPF_OBJ_PIN, () => {
      const obj = this.fdTable.find(fd);
      // bpf_fd_probe_obj() says EINVAL for any fd that it does not know.
      if (!obj) throw new BpfError(EINVAL, `pin: process ${this.pid} has no fd ${fd}`, { fd });
      this.fs.pin(obj, path);
    });
  }

  objGet(path: FsPath, fileFlags = 0): Fd {
    return this.#cmd(BPF_OBJ_GET, () =>
      this.#checked(this.install(this.fs.pinned(path, fileFlags), fileFlags & (BPF_F_RDONLY | BPF_F_WRONLY))),
    );
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
