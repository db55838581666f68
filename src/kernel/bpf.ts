/**
 * The `Bpf` interface: bpf(2) as typed, synchronous commands. Several kernels stand behind it (the in-process one, a
 * real Linux), and the loader, the CLI and scenarios see only this.
 *
 * Bytes    keys, values, instructions and packets are Uint8Arrays in Linux's layout; outputs are fresh copies.
 * Errors   BpfError with the errno Linux gives; a program that does not verify gives VerifierError with the log.
 * Ids      global ids are plain numbers; 0 is none. An Fd is meaningful only in the Bpf (process) that returned it.
 */
import type { VerifierStats } from "../verifier/error.ts";
import type { BpfFs, FsPath } from "./bpffs/fs_api.ts";
import type { Fd } from "./fd.ts";

export { VerifierError, type VerifierStats } from "../verifier/error.ts";
export type { BpfFs, FsPath, FsStat, MountOptions, OpenOptions, RenameOptions } from "./bpffs/fs_api.ts";
export type { Fd } from "./fd.ts";

/** BPF_MAP_CREATE. */
export interface MapCreateAttr {
  /** BPF_MAP_TYPE_*. */
  readonly mapType: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly mapFlags?: number;
  readonly name?: string;
  readonly innerMapFd?: Fd;
  readonly numaNode?: number;
  readonly mapIfindex?: number;
  readonly btfFd?: Fd;
  readonly btfKeyTypeId?: number;
  readonly btfValueTypeId?: number;
  readonly btfVmlinuxValueTypeId?: number;
  readonly mapExtra?: bigint;
  /** SHA-256 of the instructions of the only program that may use the map. */
  readonly exclProgHash?: Uint8Array | undefined;
  /** A BPF token whose rights count instead of the caller's capabilities. */
  readonly tokenFd?: Fd;
}

/** struct bpf_map_info. */
export interface MapInfo {
  readonly type: number;
  readonly id: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly mapFlags: number;
  readonly name: string;
  readonly ifindex: number;
  readonly btfId: number;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  readonly btfVmlinuxValueTypeId: number;
  readonly mapExtra: bigint;
  /** fdinfo's `frozen`. */
  readonly frozen: boolean;
  /** Bytes that the map takes, where the kernel tells. */
  readonly memlock?: number;
}

/** BPF_PROG_LOAD. */
export interface ProgLoadAttr {
  /** BPF_PROG_TYPE_*. */
  readonly progType: number;
  /** Instructions as bytes, 8 per slot. */
  readonly insns: Uint8Array;
  /** Slots of insns, for who reads them only when the load comes to them. */
  readonly insnCnt?: number;
  readonly license: string;
  readonly name?: string;
  /** BPF_F_STRICT_ALIGNMENT, BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS, ... */
  readonly progFlags?: number;
  readonly kernVersion?: number;
  readonly progIfindex?: number;
  /** enum bpf_attach_type; default 0. */
  readonly expectedAttachType?: number;
  readonly progBtfFd?: Fd;
  /** Raw .BTF.ext records as bpf(2) takes them: struct bpf_func_info { u32 insn_off; u32 type_id }. */
  readonly funcInfo?: Uint8Array;
  readonly funcInfoRecSize?: number;
  /** struct bpf_line_info { u32 insn_off, file_name_off, line_off, line_col }. */
  readonly lineInfo?: Uint8Array;
  readonly lineInfoRecSize?: number;
  /** struct bpf_core_relo records that the kernel itself applies (light skeletons). */
  readonly coreRelos?: Uint8Array;
  readonly coreReloRecSize?: number;
  /** Id of the FUNC, TYPEDEF or STRUCT to attach to, in vmlinux BTF, in attachBtfObjFd or in attachProgFd's BTF. */
  readonly attachBtfId?: number;
  readonly attachProgFd?: Fd;
  readonly attachBtfObjFd?: Fd;
  /** For BPF_PSEUDO_MAP_IDX, module BTFs of kfunc calls, and maps to bind. */
  readonly fdArray?: readonly Fd[] | undefined;
  /** The first so many of fdArray are bound to the program, used or not. */
  readonly fdArrayCnt?: number;
  /** A BPF token whose rights count instead of the caller's capabilities. */
  readonly tokenFd?: Fd;
  /** 1 branch, 2 instructions, 4 statistics, 8 fixed. */
  readonly logLevel?: number;
  /** Bytes of log kept; default 16 MiB - 1. The end is kept unless BPF_LOG_FIXED. */
  readonly logSize?: number;
  /** Count where the verifier spends its work: `stats.complexity`; slower. Only the in-process kernel knows. */
  readonly complexity?: boolean;
}

export interface ProgLoadResult {
  readonly fd: Fd;
  /** Empty when logLevel is 0. */
  readonly log: string;
  /** Bytes the whole log needs, as log_true_size. */
  readonly logTrueSize: number;
  /** Absent where the kernel does not tell. */
  readonly stats?: VerifierStats;
}

/** struct bpf_prog_info. */
export interface ProgInfo {
  readonly type: number;
  readonly id: number;
  /** 16 hex digits. */
  readonly tag: string;
  readonly name: string;
  readonly gplCompatible: boolean;
  readonly createdByUid: number;
  /** Nanoseconds since boot. */
  readonly loadTimeNs: bigint;
  readonly mapIds: readonly number[];
  readonly btfId: number;
  readonly attachBtfObjId: number;
  readonly attachBtfId: number;
  readonly expectedAttachType: number;
  readonly ifindex: number;
  /** The instructions as the kernel runs them. */
  readonly xlated: Uint8Array;
  readonly verifiedInsns: number;
  readonly runTimeNs: bigint;
  readonly runCnt: bigint;
  /** struct bpf_func_info records after verification. */
  readonly funcInfo: Uint8Array;
  readonly lineInfo: Uint8Array;
  /** Runs that did not happen because the program was running on that CPU already. */
  readonly recursionMisses?: bigint;
  /** Bytes of machine code; 0 when there is none. Absent where the kernel does not tell. */
  readonly jitedBytes?: number;
  /** Addresses of the machine code of each function. */
  readonly jitedKsyms?: readonly bigint[];
  /** Bytes that the program takes, where the kernel tells. */
  readonly memlock?: number;
}

/** struct bpf_btf_info. */
export interface BtfInfo {
  readonly id: number;
  readonly name: string;
  readonly kernelBtf: boolean;
  readonly bytes: Uint8Array;
}

/** BPF_TASK_FD_QUERY: what an fd of a process attaches. */
export interface TaskFdInfo {
  readonly progId: number;
  /** BPF_FD_TYPE_*. */
  readonly fdType: number;
  /** Of the tracepoint, function or file. */
  readonly name: string;
  readonly probeOffset: bigint;
  readonly probeAddr: bigint;
}

/** union bpf_iter_link_info: what an iterator walks; which members count depends on the iterator. */
export interface IterLinkInfo {
  /** bpf_map_elem, bpf_sk_storage_map: the map. */
  readonly mapFd?: Fd;
  /** cgroup: BPF_CGROUP_ITER_*, and where to start. */
  readonly order?: number;
  readonly cgroupFd?: Fd;
  readonly cgroupId?: bigint;
  /** task, task_file, task_vma: one thread or process. */
  readonly tid?: number;
  readonly pid?: number;
  readonly pidFd?: Fd;
}

/** BPF_PROG_TEST_RUN. */
export interface TestRunAttr {
  readonly dataIn?: Uint8Array;
  /** Room for data_out; less than the result is ENOSPC. Absent = as much as there is. */
  readonly dataSizeOut?: number;
  readonly ctxIn?: Uint8Array;
  readonly ctxSizeOut?: number;
  readonly repeat?: number;
  /** BPF_F_TEST_RUN_ON_CPU, BPF_F_TEST_XDP_LIVE_FRAMES, BPF_F_TEST_SKB_CHECKSUM_COMPLETE. */
  readonly flags?: number;
  readonly cpu?: number;
  readonly batchSize?: number;
  /** In-process kernels only: which engine runs it; Linux ignores it. */
  readonly engine?: "jit" | "interp";
}

export interface TestRunResult {
  /** u32, as bpf(2) reports it. */
  readonly retval: number;
  readonly dataOut: Uint8Array;
  readonly ctxOut: Uint8Array;
  /** Mean of one run, in nanoseconds. */
  readonly durationNs: number;
}

/** BPF_LINK_CREATE: what to attach, where, and the part that the attach type needs. */
export interface LinkCreateAttr {
  readonly progFd: Fd;
  /** enum bpf_attach_type. */
  readonly attachType: number;
  /** fd of a cgroup, netns or program, where the type attaches to one. */
  readonly targetFd?: Fd;
  /** Device, where the type attaches to one (XDP, tcx, netkit). */
  readonly targetIfindex?: number;
  /** Target function of a freplace or a retargeted tracing program. */
  readonly targetBtfId?: number;
  readonly flags?: number;
  /**
   * The target (device, cgroup, namespace) cannot disappear while the link is attached: its removal is EBUSY. Without it
   * the link becomes defunct, as on Linux. Only skep's kernel can; Linux gives EOPNOTSUPP.
   */
  readonly hold?: boolean;
  /** mprog and cgroup ordering: BPF_F_BEFORE/AFTER with one of these. */
  readonly relativeFd?: Fd;
  readonly relativeId?: number;
  readonly expectedRevision?: bigint;
  /** bpf_get_attach_cookie. */
  readonly cookie?: bigint;
  /** struct_ops links: the map. */
  readonly mapFd?: Fd;
  readonly iter?: IterLinkInfo;
  readonly netfilter?: {
    readonly pf: number;
    readonly hooknum: number;
    readonly priority: number;
    readonly flags: number;
  };
  /** kprobe_multi (symbols) and uprobe_multi (path and file offsets). */
  readonly multi?: {
    readonly symbols?: readonly string[];
    readonly path?: string;
    readonly offsets?: readonly bigint[];
    /** One for each symbol or offset. */
    readonly cookies?: readonly bigint[];
    /** kprobe_multi: addresses in place of symbols. */
    readonly addrs?: readonly bigint[];
    /** uprobe_multi: file offsets of USDT semaphores. */
    readonly refCtrOffsets?: readonly bigint[];
    /** 1 = at the return. */
    readonly flags?: number;
    readonly pid?: number;
  };
}

/** What perfAttach() attaches to. */
export type PerfTarget =
  | {
      readonly kind: "kprobe";
      readonly symbol: string;
      /** Bytes into the function. */
      readonly offset?: number;
      readonly retprobe?: boolean;
      /** The symbol is a system call by its bare name ("nanosleep"). */
      readonly syscall?: boolean;
    }
  | {
      readonly kind: "uprobe";
      readonly path: string;
      /** Function in the file's symbol table. */
      readonly symbol?: string;
      /** Bytes into the function, or into the file. */
      readonly offset: number;
      readonly retprobe?: boolean;
      /** Default: all processes. */
      readonly pid?: number;
    }
  | { readonly kind: "tracepoint"; readonly category: string; readonly name: string };

/** What a perf event watches. */
export type PerfEventTarget =
  | PerfTarget
  | {
      readonly kind: "software";
      /** PERF_COUNT_SW_*; 0 is the CPU's clock, 1 the task's. */
      readonly config: number;
      /** Nanoseconds of the clock between two samples ... */
      readonly samplePeriod?: number;
      /** ... or samples a second. */
      readonly sampleFreq?: number;
    };

/** BPF_PROG_ATTACH, BPF_PROG_DETACH. */
export interface ProgAttachAttr {
  readonly progFd?: Fd;
  readonly attachType: number;
  /** A cgroup, map or network namespace ... */
  readonly targetFd?: Fd;
  /** ... or a device. */
  readonly targetIfindex?: number;
  readonly flags?: number;
  readonly replaceFd?: Fd;
  readonly relativeFd?: Fd;
  readonly relativeId?: number;
  readonly expectedRevision?: bigint;
}

/** BPF_PROG_QUERY. */
export interface ProgQueryAttr {
  readonly attachType: number;
  readonly targetFd?: Fd;
  readonly targetIfindex?: number;
  /** BPF_F_QUERY_EFFECTIVE. */
  readonly queryFlags?: number;
}

export interface ProgQueryResult {
  /** In the order in which they run; linkId 0 when attached without a link. */
  readonly progs: readonly { readonly id: number; readonly linkId: number }[];
  readonly attachFlags: number;
  readonly revision: bigint;
}

/** struct bpf_link_info; members beyond the first three depend on the type. */
export interface LinkInfo {
  /** BPF_LINK_TYPE_*. */
  readonly type: number;
  readonly id: number;
  readonly progId: number;
  readonly attachType?: number;
  /** 0 once the device is gone. */
  readonly ifindex?: number;
  readonly cgroupId?: bigint;
  readonly netnsIno?: number;
  readonly targetObjId?: number;
  readonly targetBtfId?: number;
  readonly tpName?: string;
  readonly cookie?: bigint;
  /** Links on perf events. */
  readonly perfEvent?: {
    readonly kind: "uprobe" | "uretprobe" | "kprobe" | "kretprobe" | "tracepoint" | "event";
    /** Function, file or tracepoint. */
    readonly name?: string;
    /** Bytes into the function or the file. */
    readonly offset?: bigint;
    readonly addr?: bigint;
    readonly missed?: bigint;
    /** PERF_TYPE_* and what is counted, of events that sample. */
    readonly type?: number;
    readonly config?: bigint;
  };
  readonly kprobeMulti?: {
    readonly count: number;
    readonly flags: number;
    readonly missed: bigint;
    readonly addrs: readonly bigint[];
    readonly cookies: readonly bigint[];
  };
  readonly uprobeMulti?: {
    readonly path: string;
    readonly count: number;
    readonly flags: number;
    readonly pid: number;
    readonly offsets: readonly bigint[];
    readonly refCtrOffsets: readonly bigint[];
    readonly cookies: readonly bigint[];
  };
  /** Iterators: what is iterated; of cgroups the order, of tasks which one. */
  readonly targetName?: string;
  readonly order?: number;
  readonly tid?: number;
  readonly pid?: number;
  /** struct_ops, sockmap, iterators of a map's elements. */
  readonly mapId?: number;
  readonly netfilter?: NonNullable<LinkCreateAttr["netfilter"]>;
}

export type ObjInfo =
  | { readonly kind: "map"; readonly map: MapInfo }
  | { readonly kind: "prog"; readonly prog: ProgInfo }
  | { readonly kind: "btf"; readonly btf: BtfInfo }
  | { readonly kind: "link"; readonly link: LinkInfo };

export interface BatchAttr {
  /** Where the previous call stopped (its `next`); absent = from the start. */
  readonly from?: Uint8Array | undefined;
  readonly count: number;
  readonly elemFlags?: bigint;
}

export interface BatchResult {
  /** `count` keys one after the other. */
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
  /** Pass as `from`; undefined when the map's end was reached (Linux: ENOENT with a count). */
  readonly next: Uint8Array | undefined;
}

/** One function of a set that is exchanged. */
export interface FuncReplacement {
  /** FUNC in the BTF of the program. */
  readonly btfId: number;
  /** The extension; undefined: the function itself again. */
  readonly funcFd: Fd | undefined;
}

/** What happened to an object, and who did it. */
export interface BpfEvent {
  /** Counts all events of the kernel; a gap means that this reader was too slow. */
  readonly seq: number;
  readonly what:
    | "attach"
    | "detach"
    | "replace"
    | "pin"
    | "unpin"
    | "rename"
    | "mount"
    | "umount"
    | "defunct"
    | "load"
    | "unload"
    | "map_create"
    | "map_free";
  /** Process that acted; 0 = the kernel. */
  readonly pid: number;
  /** Its name; empty for the kernel. */
  readonly comm: string;
  readonly progId?: number;
  readonly linkId?: number;
  readonly mapId?: number;
  readonly ifindex?: number;
  readonly cgroupId?: bigint;
  /** BPF attach type of attach, detach, replace and defunct. */
  readonly attachType?: number;
  /** Pins and mounts; what was renamed: the new path. */
  readonly path?: string;
  readonly oldPath?: string;
  /** The two paths of a rename changed places. */
  readonly exchange?: boolean;
}

/** Events that wait for their reader. */
export interface EventSubscription extends AsyncIterable<BpfEvent | { readonly missed: number }>, Disposable {
  /** What waits, oldest first, and how many came after these and were dropped because the reader was slow. */
  read(): { readonly missed: number; readonly events: readonly BpfEvent[] };
  close(): void;
}

/** An object as root sees it. */
export interface ObjectView {
  readonly kind: "prog" | "map" | "link" | "btf";
  readonly id: number;
  readonly name: string;
  readonly refs: number;
  /** One for each reference. */
  readonly holders: readonly HolderView[];
}

/** One reference to an object. */
export type HolderView =
  | { readonly by: "fd"; readonly pid: number; readonly comm: string; readonly fd: number }
  | { readonly by: "pin"; readonly path: string }
  /** A place of attachment that is no link. */
  | { readonly by: "attachment"; readonly what: string }
  | { readonly by: "object"; readonly kind: string; readonly id: number; readonly name: string };

/** One thing that worked before an object was deleted by force and does not any more. */
export interface Broken {
  /** "fd 4 of process 2", "link 3", "program 7 'filter'", ... */
  readonly who: string;
  /** What became of it. */
  readonly what: "closed" | "defunct" | "emptied" | "unpinned" | "detached" | "deleted";
  /** The object that it lost, as "map 7". */
  readonly lost: string;
}

/** One record of a ring buffer or of a perf event array. */
export interface MapRecord {
  /** CPU that wrote it; 0 for ring buffers. */
  readonly cpu: number;
  readonly data: Uint8Array;
  /** Perf event arrays: records dropped before this one for want of room. */
  readonly lost: number;
}

/** Memory of a map that is shared with programs. */
export interface MapMemory extends Disposable {
  /** The memory now: take it anew after anything that may allocate; empty once closed. */
  readonly bytes: Uint8Array;
  close(): void;
}

/** The consumer of a ring buffer or perf event array (on Linux: mmap and epoll). */
export interface MapReader {
  /** Takes the oldest records, at most `max`; discarded ring buffer records are skipped. */
  read(max?: number): MapRecord[];
  /** Calls back, outside of any program run, when there may be records to read. One listener at a time. */
  onData(listener: () => void): void;
  close(): void;
}

export interface Bpf {
  // Maps
  mapCreate(attr: MapCreateAttr): Fd;
  /**
   * Percpu maps: one value per possible CPU, each rounded up to 8 bytes. Bloom filters: `key` is the value asked for.
   * @throws ENOENT
   */
  mapLookupElem(fd: Fd, key: Uint8Array, flags?: bigint): Uint8Array;
  mapUpdateElem(fd: Fd, key: Uint8Array, value: Uint8Array, flags?: bigint): void;
  mapDeleteElem(fd: Fd, key: Uint8Array, flags?: bigint): void;
  mapLookupAndDeleteElem(fd: Fd, key: Uint8Array, flags?: bigint): Uint8Array;
  /** The key after `key` (undefined: the first); undefined at the end. */
  mapGetNextKey(fd: Fd, key: Uint8Array | undefined): Uint8Array | undefined;
  mapLookupBatch(fd: Fd, attr: BatchAttr): BatchResult;
  mapLookupAndDeleteBatch(fd: Fd, attr: BatchAttr): BatchResult;
  /** @returns how many were written */
  mapUpdateBatch(fd: Fd, keys: Uint8Array, values: Uint8Array, count: number, elemFlags?: bigint): number;
  mapDeleteBatch(fd: Fd, keys: Uint8Array, count: number, elemFlags?: bigint): number;
  mapFreeze(fd: Fd): void;
  /**
   * The values of a BPF_F_MMAPABLE array as memory shared with programs, each rounded up to 8 bytes; holds the map until it
   * is closed. @throws EINVAL another map, EPERM a frozen map or an fd without the right to write, unless `readonly`
   */
  mapMmap?(fd: Fd, options?: { readonly readonly?: boolean }): MapMemory;
  /** Becomes the consumer of a ring buffer, or fills a perf event array with one buffer per CPU. @throws EINVAL */
  mapReader(fd: Fd): MapReader;

  // Programs
  /** @throws VerifierError */
  progLoad(attr: ProgLoadAttr): ProgLoadResult;
  progTestRun(fd: Fd, attr?: TestRunAttr): TestRunResult;
  progBindMap(progFd: Fd, mapFd: Fd): void;

  /**
   * Takes the oldest bytes of what a program wrote to a stream, at most `max`; none is an empty array.
   * @param stream  1 stdout, 2 stderr, where the kernel reports what went wrong in the program
   * @throws ENOENT no such stream
   */
  progStreamRead(progFd: Fd, stream: number, max: number): Uint8Array;

  // BTF
  btfLoad(bytes: Uint8Array, options?: { logLevel?: number; tokenFd?: Fd }): Fd;

  // Tokens, statistics, processes
  /**
   * A token for what the bpffs delegates. @param bpffsFd  its root directory, opened
   * @throws EINVAL no root of a bpffs; EPERM another user namespace, or no CAP_BPF in it; EOPNOTSUPP the first user
   * namespace; ENOENT nothing is delegated
   */
  tokenCreate(bpffsFd: Fd, flags?: number): Fd;
  /** Counts the runs of programs and their time (runCnt, runTimeNs) while the fd is open. @param type BPF_STATS_RUN_TIME */
  enableStats(type?: number): Fd;
  /** What an fd of a process attaches. @throws ENOENT no such process, EBADF no such fd, ENOTSUPP an fd of another kind */
  taskFdQuery(pid: number, fd: number, flags?: number): TaskFdInfo;

  // Ids. The next id after `id`, or undefined.
  progGetNextId(id: number): number | undefined;
  mapGetNextId(id: number): number | undefined;
  btfGetNextId(id: number): number | undefined;
  linkGetNextId(id: number): number | undefined;
  progGetFdById(id: number): Fd;
  /** @param openFlags BPF_F_RDONLY, BPF_F_WRONLY */
  mapGetFdById(id: number, openFlags?: number): Fd;
  btfGetFdById(id: number, options?: { tokenFd?: Fd }): Fd;
  linkGetFdById(id: number): Fd;
  objGetInfo(fd: Fd): ObjInfo;
  mapInfo(fd: Fd): MapInfo;
  progInfo(fd: Fd): ProgInfo;
  btfInfo(fd: Fd): BtfInfo;
  linkInfo(fd: Fd): LinkInfo;

  // Links
  linkCreate(attr: LinkCreateAttr): Fd;
  linkUpdate(linkFd: Fd, newProgFd: Fd, options?: { oldProgFd?: Fd; flags?: number }): void;
  linkDetach(linkFd: Fd): void;
  /** BPF_RAW_TRACEPOINT_OPEN: raw tracepoints by name; tp_btf, fentry, fexit, fmod_ret, lsm without one. */
  rawTracepointOpen(progFd: Fd, name?: string, cookie?: bigint): Fd;

  // What a kernel may lack; callers say EOPNOTSUPP then.
  /** kprobes, uprobes and tracepoints through perf events. @returns a link, or what stands for one: closing detaches */
  perfAttach?(progFd: Fd, target: PerfTarget, cookie?: bigint): Fd;
  /** Attachments without a link. */
  progAttach?(attr: ProgAttachAttr): void;
  progDetach?(attr: ProgAttachAttr): void;
  progQuery?(attr: ProgQueryAttr): ProgQueryResult;
  /** Functions that kprobes attach to (/proc/kallsyms), by address; in-process kernels. */
  kernelFunctions?(): Iterable<{ readonly name: string; readonly address: bigint }>;
  /** perf_event_open(2) of events that sample or are attached to by hand. The event is disabled. */
  perfEventOpen?(target: PerfEventTarget): Fd;
  /** PERF_EVENT_IOC_SET_BPF: the event holds the program. */
  perfEventSetBpf?(eventFd: Fd, progFd: Fd): void;
  /** PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_DISABLE. */
  perfEventEnable?(eventFd: Fd, on: boolean): void;
  /** A readable fd with the output of an iterator. */
  iterCreate?(linkFd: Fd): Fd;

  /** Everything loaded and who holds it; needs CAP_SYS_ADMIN. skep's extension. @throws EPERM */
  objects?(): readonly ObjectView[];
  /**
   * Deletes a map or unloads a program whoever holds it, as rmmod takes a module away; needs CAP_SYS_ADMIN. skep's
   * extension: Linux has no such command. @returns what was broken @throws EPERM, ENOENT
   */
  mapDelete?(id: number): readonly Broken[];
  progUnload?(id: number): readonly Broken[];

  /**
   * Calls a loaded extension in place of a global function of a program, by the BTF id of the function. skep's extension: no
   * fd comes back, the *target* holds the extension from now on, so that whoever closes or detaches the one root program
   * releases all. What this call has put there before is exchanged. Takes effect between packets: a run in progress goes on
   * with what it has.
   * @throws EINVAL the function is static, absent, of another prototype, or the extension was verified for another program
   *   type; EBUSY a link's extension or a tracing program is there, or the target is in a prog array; ELOOP the extension
   *   keeps the target alive
   */
  progReplaceFunc?(progFd: Fd, btfId: number, funcFd: Fd): void;
  /** The function itself is called again. @throws ENOENT progReplaceFunc() has put nothing there */
  progReplaceFuncDetach?(progFd: Fd, btfId: number): void;
  /**
   * Both for a set of functions in one step: all checks come first, so that an error changes nothing, and each packet sees
   * the old set or the new one. One event "replace" tells of it, with the id of the program.
   */
  progReplaceFuncs?(progFd: Fd, set: readonly FuncReplacement[]): void;

  // bpffs
  /** @throws ENOENT a missing directory: none are made on the way */
  objPin(fd: Fd, path: FsPath): void;
  /** @param fileFlags BPF_F_RDONLY, BPF_F_WRONLY, both against the mode of the file; default both rights */
  objGet(path: FsPath, fileFlags?: number): Fd;
  /** unlink(2) of a pin. */
  objUnpin(path: FsPath): void;
  /** Directories, renames, mounts: the calls beside bpf(2) that bpffs is used with. */
  readonly fs: BpfFs;

  // fds
  /** What /proc/PID/fdinfo/FD says of the object: `allowed_cmds` of a token, `frozen` of a map, `run_cnt` of a program ... */
  fdInfo(fd: Fd): Readonly<Record<string, string>>;
  close(fd: Fd): void;
  dup(fd: Fd): Fd;

  /** Possible CPUs, which sets the size of percpu values. */
  readonly possibleCpus: number;
  /** Raw vmlinux BTF of this kernel. @throws ENOENT where it has none */
  kernelBtf(): Uint8Array;
  /**
   * Calls back on each event from now on (without CAP_SYS_ADMIN: on those that this process causes); call the result to stop. Kernels that
   * cannot tell never call.
   */
  onEvent(listener: (event: BpfEvent) => void): () => void;
  /** Events from now on, kept for a reader that may be slow; `capacity` events, default 1024. */
  subscribe?(capacity?: number): EventSubscription;
}
