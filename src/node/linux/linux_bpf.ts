/**
 * The `Bpf` interface over bpf(2) of the running Linux.
 *
 *     using kernel = linux();
 *     using obj = openObject(bytes, { name: "firewall.o" }).load(kernel);
 *
 * Fds     are those of this process. What linux() opened and nobody closed is closed by close().
 * Errors  as the interface says; `bpf(2) is not permitted here: EPERM (needs CAP_BPF or root)` when it is not.
 * Events  onEvent() never calls: Linux does not tell who attached what.
 */
import { existsSync, readFileSync } from "node:fs";
import {
  BTF_LOAD,
  ENABLE_STATS,
  GET_ID,
  ITER_CREATE,
  LINK_DETACH,
  LINK_UPDATE,
  PROG_BIND_MAP,
  PROG_STREAM_READ,
  TOKEN_CREATE,
} from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { BpfError, ENOENT } from "../../abi/errno.ts";
import type {
  BatchAttr,
  BatchResult,
  Bpf,
  BtfInfo,
  Fd,
  FsPath,
  LinkCreateAttr,
  LinkInfo,
  MapCreateAttr,
  MapInfo,
  MapMemory,
  MapReader,
  ObjInfo,
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
} from "../../kernel/bpf.ts";
import { attachProg, detachProg, queryProgs } from "./attach.ts";
import { objGet, objPin } from "./bpffs.ts";
import { Commands } from "./command.ts";
import { cpusThatAre } from "./cpus.ts";
import { receiveFd, sendFd, socketPair } from "./fd_passing.ts";
import { LinuxFs } from "./fs.ts";
import { btfInfo, kindOf, linkInfo, needKind, progInfo } from "./info.ts";
import { linkCreate, rawTracepointOpen } from "./links.ts";
import { mmapArray } from "./mapping.ts";
import { fdInfo, Maps } from "./maps.ts";
import { perfAttach } from "./perf_attach.ts";
import { Poller } from "./poller.ts";
import { progLoad, TestRuns } from "./progs.ts";
import { openMapReader } from "./reader.ts";
import type { Sys } from "./sys.ts";
import { taskFdQuery } from "./task_fd_query.ts";

const F_DUPFD_CLOEXEC = 1030;

export class LinuxBpf implements Bpf, Disposable {
  readonly possibleCpus: number;
  readonly fs = new LinuxFs(this);
  readonly #cmd: Commands;
  readonly #maps: Maps;
  readonly #runs: TestRuns;
  readonly #poller: Poller;
  readonly #open = new Set<Fd>();
  readonly #progTypes = new Map<Fd, number>();

  constructor() {
    this.#cmd = new Commands();
    this.possibleCpus = cpusThatAre("possible").length;
    this.#maps = new Maps(this.#cmd, this.possibleCpus);
    this.#runs = new TestRuns(this.#cmd);
    this.#poller = new Poller(this.#cmd.sys);
  }

  /** System calls, for what is beside bpf(2). */
  get sys(): Sys {
    return this.#cmd.sys;
  }

  /** Registers an fd that came from elsewhere, so that close() and dispose() know it. */
  own(fd: number): Fd {
    this.#open.add(fd as Fd);
    return fd as Fd;
  }

  /** Closes every fd that is still open. */
  [Symbol.dispose](): void {
    this.#poller.close();
    for (const fd of this.#open) this.sys.call("close", fd);
    this.#open.clear();
  }

  // --- maps

  mapCreate(attr: MapCreateAttr): Fd {
    return this.own(this.#maps.create(attr));
  }

  mapLookupElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    return this.#maps.lookup(abi.BPF_MAP_LOOKUP_ELEM, fd, key, flags);
  }

  mapUpdateElem(fd: Fd, key: Uint8Array, value: Uint8Array, flags = 0n): void {
    this.#maps.update(fd, key, value, flags);
  }

  mapDeleteElem(fd: Fd, key: Uint8Array, flags = 0n): void {
    this.#maps.delete(fd, key, flags);
  }

  mapLookupAndDeleteElem(fd: Fd, key: Uint8Array, flags = 0n): Uint8Array {
    return this.#maps.lookup(abi.BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, key, flags);
  }

  mapGetNextKey(fd: Fd, key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#maps.nextKey(fd, key);
  }

  mapLookupBatch(fd: Fd, attr: BatchAttr): BatchResult {
    return this.#maps.lookupBatch(abi.BPF_MAP_LOOKUP_BATCH, fd, attr);
  }

  mapLookupAndDeleteBatch(fd: Fd, attr: BatchAttr): BatchResult {
    return this.#maps.lookupBatch(abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH, fd, attr);
  }

  mapUpdateBatch(fd: Fd, keys: Uint8Array, values: Uint8Array, count: number, elemFlags = 0n): number {
    return this.#maps.writeBatch(abi.BPF_MAP_UPDATE_BATCH, fd, keys, values, count, elemFlags);
  }

  mapDeleteBatch(fd: Fd, keys: Uint8Array, count: number, elemFlags = 0n): number {
    return this.#maps.writeBatch(abi.BPF_MAP_DELETE_BATCH, fd, keys, undefined, count, elemFlags);
  }

  mapFreeze(fd: Fd): void {
    this.#maps.freeze(fd);
  }

  mapMmap(fd: Fd, options: { readonly readonly?: boolean } = {}): MapMemory {
    return mmapArray(this, fd, options.readonly ?? false);
  }

  mapReader(fd: Fd): MapReader {
    return openMapReader(this, this.#poller, fd);
  }

  // --- programs and BTF

  progLoad(attr: ProgLoadAttr): ProgLoadResult {
    const result = progLoad(this.#cmd, attr);
    this.#progTypes.set(this.own(result.fd), attr.progType);
    return result;
  }

  progTestRun(fd: Fd, attr: TestRunAttr = {}): TestRunResult {
    let type = this.#progTypes.get(fd);
    if (type === undefined) {
      type = this.progInfo(fd).type;
      this.#progTypes.set(fd, type);
    }
    return this.#runs.run(fd, type, attr);
  }

  progBindMap(progFd: Fd, mapFd: Fd): void {
    const attr = PROG_BIND_MAP.pack(this.sys, { prog_fd: progFd, map_fd: mapFd });
    this.#cmd.run(`program fd ${progFd}`, abi.BPF_PROG_BIND_MAP, attr);
  }

  btfLoad(bytes: Uint8Array, options: { logLevel?: number; tokenFd?: Fd } = {}): Fd {
    const log = options.logLevel ? new Uint8Array(1 << 20) : undefined;
    const attr = BTF_LOAD.pack(this.sys, {
      btf: bytes,
      btf_size: bytes.length,
      btf_log_buf: log,
      btf_log_size: log?.length,
      btf_log_level: options.logLevel,
      ...(options.tokenFd !== undefined && { btf_flags: abi.BPF_F_TOKEN_FD, btf_token_fd: options.tokenFd }),
    });
    return this.own(this.#cmd.run(`BTF of ${bytes.length} bytes`, abi.BPF_BTF_LOAD, attr, bytes, log));
  }

  // --- ids

  #next(cmd: number, id: number): number | undefined {
    const attr = GET_ID.pack(this.sys, { start_id: id });
    const ret = this.#cmd.try(cmd, attr);
    if (ret === -ENOENT) return undefined;
    if (ret < 0) this.#cmd.run(`ids after ${id}`, cmd, attr);
    return GET_ID.unpack(attr).next_id;
  }

  #byId(what: string, cmd: number, id: number, fields: { open_flags?: number; fd_by_id_token_fd?: number } = {}): Fd {
    return this.own(this.#cmd.run(`${what} ${id}`, cmd, GET_ID.pack(this.sys, { start_id: id, ...fields })));
  }

  progGetNextId(id: number): number | undefined {
    return this.#next(abi.BPF_PROG_GET_NEXT_ID, id);
  }

  mapGetNextId(id: number): number | undefined {
    return this.#next(abi.BPF_MAP_GET_NEXT_ID, id);
  }

  btfGetNextId(id: number): number | undefined {
    return this.#next(abi.BPF_BTF_GET_NEXT_ID, id);
  }

  linkGetNextId(id: number): number | undefined {
    return this.#next(abi.BPF_LINK_GET_NEXT_ID, id);
  }

  progGetFdById(id: number): Fd {
    return this.#byId("program", abi.BPF_PROG_GET_FD_BY_ID, id);
  }

  mapGetFdById(id: number, openFlags = 0): Fd {
    return this.#byId("map", abi.BPF_MAP_GET_FD_BY_ID, id, { open_flags: openFlags });
  }

  btfGetFdById(id: number, { tokenFd }: { tokenFd?: Fd } = {}): Fd {
    const token = tokenFd === undefined ? {} : { open_flags: abi.BPF_F_TOKEN_FD, fd_by_id_token_fd: tokenFd };
    return this.#byId("BTF", abi.BPF_BTF_GET_FD_BY_ID, id, token);
  }

  linkGetFdById(id: number): Fd {
    return this.#byId("link", abi.BPF_LINK_GET_FD_BY_ID, id);
  }

  objGetInfo(fd: Fd): ObjInfo {
    const kind = kindOf(fd);
    switch (kind) {
      case "map":
        return { kind, map: this.#maps.info(fd) };
      case "prog":
        return { kind, prog: progInfo(this.#cmd, fd) };
      case "btf":
        return { kind, btf: btfInfo(this.#cmd, fd) };
      case "link":
        return { kind, link: linkInfo(this.#cmd, fd) };
      default:
        return kind satisfies never;
    }
  }

  mapInfo(fd: Fd): MapInfo {
    needKind(fd, "map");
    return this.#maps.info(fd);
  }

  progInfo(fd: Fd): ProgInfo {
    needKind(fd, "prog");
    return progInfo(this.#cmd, fd);
  }

  btfInfo(fd: Fd): BtfInfo {
    needKind(fd, "btf");
    return btfInfo(this.#cmd, fd);
  }

  linkInfo(fd: Fd): LinkInfo {
    needKind(fd, "link");
    return linkInfo(this.#cmd, fd);
  }

  // --- links and attachments

  linkCreate(attr: LinkCreateAttr): Fd {
    return this.own(linkCreate(this.#cmd, attr));
  }

  linkUpdate(linkFd: Fd, newProgFd: Fd, options: { oldProgFd?: Fd; flags?: number } = {}): void {
    const { oldProgFd, flags } = options;
    const attr = LINK_UPDATE.pack(this.sys, {
      link_fd: linkFd,
      new_prog_fd: newProgFd,
      flags: flags ?? (oldProgFd === undefined ? 0 : abi.BPF_F_REPLACE),
      old_prog_fd: oldProgFd,
    });
    this.#cmd.run(`link fd ${linkFd}`, abi.BPF_LINK_UPDATE, attr);
  }

  linkDetach(linkFd: Fd): void {
    this.#cmd.run(`link fd ${linkFd}`, abi.BPF_LINK_DETACH, LINK_DETACH.pack(this.sys, { link_fd: linkFd }));
  }

  rawTracepointOpen(progFd: Fd, name?: string, cookie?: bigint): Fd {
    return this.own(rawTracepointOpen(this.#cmd, progFd, name, cookie));
  }

  perfAttach(progFd: Fd, target: PerfTarget, cookie?: bigint): Fd {
    return perfAttach(this, progFd, target, cookie);
  }

  progAttach(attr: ProgAttachAttr): void {
    attachProg(this.#cmd, attr);
  }

  progDetach(attr: ProgAttachAttr): void {
    detachProg(this.#cmd, attr);
  }

  progQuery(attr: ProgQueryAttr): ProgQueryResult {
    return queryProgs(this.#cmd, attr);
  }

  iterCreate(linkFd: Fd): Fd {
    const attr = ITER_CREATE.pack(this.sys, { link_fd: linkFd });
    return this.own(this.#cmd.run(`link fd ${linkFd}`, abi.BPF_ITER_CREATE, attr));
  }

  // --- tokens, statistics, processes, streams

  tokenCreate(bpffsFd: Fd, flags = 0): Fd {
    const attr = TOKEN_CREATE.pack(this.sys, { bpffs_fd: bpffsFd, flags });
    return this.own(this.#cmd.run(`bpffs fd ${bpffsFd}`, abi.BPF_TOKEN_CREATE, attr));
  }

  enableStats(type = abi.BPF_STATS_RUN_TIME): Fd {
    return this.own(this.#cmd.run("statistics", abi.BPF_ENABLE_STATS, ENABLE_STATS.pack(this.sys, { type })));
  }

  taskFdQuery(pid: number, fd: number, flags = 0): TaskFdInfo {
    return taskFdQuery(this.#cmd, pid, fd, flags);
  }

  progStreamRead(progFd: Fd, stream: number, max: number): Uint8Array {
    const out = new Uint8Array(max);
    const attr = PROG_STREAM_READ.pack(this.sys, {
      stream_buf: out,
      stream_buf_len: max,
      stream_id: stream,
      prog_fd: progFd,
    });
    const n = this.#cmd.run(`program fd ${progFd}`, abi.BPF_PROG_STREAM_READ_BY_FD, attr, out);
    return out.subarray(0, n);
  }

  /** bpf(2) itself. @returns its result, or -errno; results are in `attr` and where its pointers lead */
  sysBpf(cmd: number, attr: Uint8Array, size: number, ...keep: unknown[]): number {
    return this.#cmd.raw(cmd, attr, size, keep);
  }

  // --- bpffs

  objPin(fd: Fd, path: FsPath): void {
    objPin(this.#cmd, fd, path);
  }

  objGet(path: FsPath, fileFlags = 0): Fd {
    return this.own(objGet(this.#cmd, path, fileFlags));
  }

  objUnpin(path: FsPath): void {
    this.fs.unlink(path);
  }

  // --- fds

  fdInfo(fd: Fd): Readonly<Record<string, string>> {
    return Object.fromEntries(fdInfo(fd));
  }

  close(fd: Fd): void {
    this.#open.delete(fd);
    this.#maps.forget(fd);
    this.#progTypes.delete(fd);
    this.sys.must(`fd ${fd}`, "close", fd);
  }

  dup(fd: Fd): Fd {
    return this.own(this.sys.must(`fd ${fd}`, "fcntl", fd, F_DUPFD_CLOEXEC, 3));
  }

  /** An fd of another process that this one may ptrace. */
  takeFd(pid: number, fd: number): Fd {
    const pidFd = this.sys.must(`process ${pid}`, "pidfd_open", pid, 0);
    try {
      return this.own(this.sys.must(`fd ${fd} of process ${pid}`, "pidfd_getfd", pidFd, fd, 0));
    } finally {
      this.sys.call("close", pidFd);
    }
  }

  /** Gives an fd to whoever reads the other end of a Unix socket (SCM_RIGHTS). */
  sendFd(socket: Fd, fd: Fd): void {
    sendFd(this.sys, socket, fd);
  }

  /** Waits for an fd that sendFd() gave. */
  receiveFd(socket: Fd): Fd {
    return this.own(receiveFd(this.sys, socket));
  }

  /** Two Unix sockets, each the other's end. */
  socketPair(): [Fd, Fd] {
    const [a, b] = socketPair(this.sys);
    return [this.own(a), this.own(b)];
  }

  // --- the kernel

  kernelBtf(): Uint8Array {
    const path = "/sys/kernel/btf/vmlinux";
    if (!existsSync(path)) throw new BpfError(ENOENT, `this kernel has no BTF: ${path} is not there`, {});
    return new Uint8Array(readFileSync(path));
  }

  onEvent(): () => void {
    return () => {};
  }
}
