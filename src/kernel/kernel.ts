/**
 * A kernel: one linear memory, its objects, its engines, and what subsystems plug into it.
 *
 * A Kernel is a value; two can live in one page. Clock, randomness, text output and BTF are passed in. It knows no
 * networking: net/ registers test runners, link types and services (createKernel composes them).
 */
import { BpfError, EPERM } from "../abi/errno.ts";
import { type Btf, parseBtf } from "../btf/btf.ts";
import { builtinBtf } from "../btf/builtin/index.ts";
import type { RuntimeServices } from "../helpers/helper.ts";
import { HELPERS } from "../helpers/table.ts";
import type { CurrentTask } from "../helpers/task.ts";
import type { EngineName, ExecImage, Runnable } from "../interp/image.ts";
import { loadInterp } from "../interp/interp.ts";
import { jit } from "../jit/jit.ts";
import type { BpfMap } from "../maps/bpf_map.ts";
import { MAP_RECORD } from "../maps/record.ts";
import { Memory, type VAddr } from "../memory/memory.ts";
import type { TestRunKind } from "../progs/prog_types.ts";
import { ALL_CAPS, type Platform } from "../verifier/platform.ts";
import { linux618 } from "../verifier/profile.ts";
import { Workspaces } from "../verifier/workspace.ts";
import type { TestRunAttr, TestRunResult } from "./bpf.ts";
import type { MountNs } from "./bpffs/mountns.ts";
import { preloadedFiles } from "./bpffs/preloaded.ts";
import { newMountns } from "./bpffs/rootfs.ts";
import { Bpffs, FS_TYPES, type SuperBlockOptions } from "./bpffs/super_block.ts";
import type { KBtf } from "./btf_cmds.ts";
import { cgroupAttachPoint, cgroupLinkType, heldByLink } from "./cgroup/attach.ts";
import { Cgroups } from "./cgroup/cgroup.ts";
import { CgroupProgs } from "./cgroup/progs.ts";
import { cgroupService } from "./cgroup/service.ts";
import { Events } from "./events.ts";
import { freeFields } from "./free_fields.ts";
import { FREPLACE_LINK } from "./freplace/link.ts";
import type { ImageSources } from "./image.ts";
import { INIT_TASK } from "./init_task.ts";
import { SeqFiles } from "./iter/seq_file.ts";
import { type Link, LinkTypes } from "./link.ts";
import type { KMap } from "./map.ts";
import type { ProgArrayOwner } from "./map_slots.ts";
import { NetNs } from "./netns.ts";
import { NetnsProgs, netnsAttachPoint, netnsLinkType, skLookupPoint } from "./netns_progs.ts";
import { ObjHeap } from "./obj_heap.ts";
import { IdTable, type KObject, type Root } from "./objects.ts";
import { Process } from "./process.ts";
import type { Prog } from "./prog.ts";
import { AttachPoints } from "./prog_attach.ts";
import { CpuRuntime } from "./runtime.ts";
import { SOCKMAP_POINT } from "./sockmap_attach.ts";
import { registeredStructOps } from "./struct_ops/map.ts";
import { StructOpsTypes } from "./struct_ops/types.ts";
import { KStructs } from "./structs/kstruct.ts";
import { TaskStructs } from "./structs/task_struct.ts";
import type { Credentials, Namespaces, Task } from "./task.ts";
import { TEST_RUNNERS } from "./test_run.ts";
import { Timers } from "./timers.ts";
import { TraceHooks } from "./trace/hooks.ts";
import { TRACING_LINKS } from "./trace/links.ts";
import { Uprobes } from "./trace/uprobes.ts";
import { UserNs } from "./userns.ts";

export interface KernelOptions {
  /** Possible CPUs, 1 to 64; default 1. Sets the size of percpu values. */
  readonly cpus?: number;
  /** Nanoseconds since boot; default: real time since the kernel was made, plus what advance() added. */
  readonly clock?: () => bigint;
  /** Nanoseconds since 1970. */
  readonly realClock?: () => bigint;
  /** A u32; default Math.random. */
  readonly random?: () => number;
  /** Lines of bpf_printk; default: dropped. */
  readonly printk?: (line: string) => void;
  /** BTF of the kernel that programs are verified against; default: the built-in one. */
  readonly kernelBtf?: Uint8Array | Btf | undefined;
  /** Kernel profile; default Linux 6.18 with kernelBtf. */
  readonly platform?: Platform;
  /** Engine of programs that nobody asks for by name; default jit. */
  readonly engine?: EngineName;
  /**
   * Info tells global ids only to those with CAP_SYS_ADMIN, as the first proposals of bpf(2) had it. Default false: Linux
   * tells the id of an object to everyone who has an fd on it.
   */
  readonly idsForRootOnly?: boolean;
  /**
   * The sysctl kernel.unprivileged_bpf_disabled: 0, the default here, lets processes without CAP_BPF create maps and load
   * filters; 1 and 2 do not, and 1 cannot be changed any more.
   */
  readonly unprivilegedBpfDisabled?: 0 | 1 | 2;
  /** Room of the verifier; kernels of one process may share it. */
  readonly workspaces?: Workspaces;
  /** 64 KiB pages of linear memory. */
  readonly initialPages?: number;
  readonly maxPages?: number;
}

export interface SpawnOptions extends Partial<Credentials>, Partial<Namespaces> {
  /** At most 15 characters; default "skep". */
  readonly comm?: string;
}

/** PROC_*_INIT_INO are of this size; namespaces made later follow. */
const FIRST_NS_INO = 4026531840;

export type TestRunner = (proc: Process, prog: Prog, attr: TestRunAttr) => TestRunResult;

export class Kernel {
  readonly memory: Memory;
  readonly platform: Platform;
  readonly engine: EngineName;
  readonly idsForRootOnly: boolean;
  readonly maps = new IdTable<KMap>("map");
  readonly progs = new IdTable<Prog>("program");
  readonly btfs = new IdTable<KBtf>("BTF");
  readonly links = new IdTable<Link>("link");
  readonly events = new Events(() => this.#caller);
  readonly initUserns = new UserNs(undefined, 0);
  readonly initNetns = new NetNs(FIRST_NS_INO, this.initUserns);
  readonly initMountns: MountNs;
  readonly cgroups = new Cgroups();
  readonly cgroupProgs = new CgroupProgs(this.cgroups);
  /** The run of cgroup programs that is under way: what bpf_get_retval() and bpf_set_retval() are about. */
  cgroupRun: { retval: number } | undefined;
  readonly attachPoints = new AttachPoints();
  readonly netnsProgs: NetnsProgs;
  /** What is mounted at /sys/fs/bpf in the first mount namespace. */
  readonly bpffs: Bpffs;
  /** References owned by what is no object: subsystems list their places of attachment here. */
  readonly roots: (() => Iterable<Root>)[] = [];
  readonly timers: Timers;
  readonly traceHooks: TraceHooks;
  readonly uprobes: Uprobes;
  readonly objects: ObjHeap;
  readonly structs: KStructs;
  readonly taskStructs = new TaskStructs(this);
  readonly seqFiles = new SeqFiles();
  readonly structOps = new StructOpsTypes();
  readonly runtime: CpuRuntime;
  readonly imageSources: ImageSources;
  /** By ProgType.testRun. */
  readonly testRunners: Partial<Record<TestRunKind, TestRunner>> = { ...TEST_RUNNERS };
  readonly linkTypes = new LinkTypes();
  /** By prog array: what its programs must be like; set by the first one. */
  readonly progArrayOwners = new WeakMap<BpfMap, ProgArrayOwner>();
  /** Room of the verifier, used by one program after the other. */
  readonly workspaces: Workspaces;
  /** Open fds of BPF_ENABLE_STATS. */
  statsUsers = 0;
  /** Functions that progReplaceFunc() has replaced. */
  replacedFuncs = 0;
  /** A map in release(). */
  dying: KMap | undefined;
  /** Whether a network device has this ifindex. */
  deviceExists: (ifindex: number) => boolean = () => false;
  /** What subsystems take down when the kernel is powered off. */
  readonly onShutdown: (() => void)[] = [];
  /** Told of each new network namespace. */
  readonly onNetns: ((netns: NetNs) => void)[] = [];
  /** Called when the outermost run of programs is over: deferred work of subsystems. */
  readonly afterRun: (() => void)[] = [];
  readonly #services: { -readonly [K in keyof RuntimeServices]?: RuntimeServices[K] } = {};
  readonly #processes = new Set<Process>();
  readonly #clock: () => bigint;
  readonly #kernelBtfBytes: Uint8Array | undefined;
  readonly #ksyms = new Map<string, VAddr>();
  #advancedNs = 0n;
  #unprivilegedBpfDisabled: 0 | 1 | 2;
  #nextPid = 1;
  #baseBytes: number;
  #runDepth = 0;
  readonly #waiting: { readonly work: () => void; readonly holds: readonly KObject[] }[] = [];
  #caller: Task | undefined;
  #nextNsIno = FIRST_NS_INO + 1;

  constructor(options: KernelOptions = {}) {
    const started = performance.now();
    this.#clock = options.clock ?? (() => BigInt(Math.round((performance.now() - started) * 1e6)) + 1n);
    const realClock = options.realClock ?? (() => BigInt(Date.now()) * 1_000_000n);
    this.memory = new Memory({
      cpus: options.cpus ?? 1,
      ...(options.initialPages === undefined ? {} : { initialPages: options.initialPages }),
      ...(options.maxPages === undefined ? {} : { maxPages: options.maxPages }),
    });
    const { kernelBtf } = options;
    this.#kernelBtfBytes = kernelBtf instanceof Uint8Array ? kernelBtf : undefined;
    const btf = kernelBtf instanceof Uint8Array ? parseBtf(kernelBtf) : kernelBtf;
    this.platform = options.platform ?? (btf ? linux618(btf) : builtinPlatform());
    this.workspaces = options.workspaces ?? new Workspaces();
    this.engine = options.engine ?? "jit";
    this.idsForRootOnly = options.idsForRootOnly ?? false;
    this.#unprivilegedBpfDisabled = options.unprivilegedBpfDisabled ?? 0;
    this.timers = new Timers(this);
    this.traceHooks = new TraceHooks(this);
    this.uprobes = new Uprobes(this);
    this.objects = new ObjHeap(this);
    this.structs = new KStructs(this.memory, () => this.platform.btf);
    for (const type of [...TRACING_LINKS, FREPLACE_LINK, cgroupLinkType(this)]) this.linkTypes.register(type);
    this.attachPoints.register(cgroupAttachPoint(this));
    this.netnsProgs = new NetnsProgs(this);
    this.linkTypes.register(netnsLinkType(this.netnsProgs));
    this.attachPoints.register(netnsAttachPoint(this.netnsProgs));
    this.attachPoints.register(skLookupPoint(this.netnsProgs));
    this.attachPoints.register(SOCKMAP_POINT);
    this.roots.push(() => this.netnsProgs.roots());
    this.cgroups.holders.push((cgroup) => heldByLink(this, cgroup));
    this.roots.push(() => this.cgroupProgs.roots());
    this.bpffs = this.newBpffs({ userns: this.initUserns });
    this.initMountns = this.newMountns(this.bpffs).enter();
    this.bpffs.put();
    this.roots.push(() => registeredStructOps(this));
    this.onShutdown.push(() => {
      for (const { release } of registeredStructOps(this)) release?.();
    });
    const random = options.random ?? (() => Math.floor(Math.random() * 0x1_0000_0000));
    this.runtime = new CpuRuntime(this.memory, {
      monotonicNs: () => this.nowNs(),
      random,
      printk: (line) => {
        this.traceHooks.printk(line);
        options.printk?.(line);
      },
      services: this.#services as RuntimeServices,
      resolveTailCall: (mapAddr, index) => this.#tailCallTarget(mapAddr, index),
    });
    this.memory.hooks.freeFields = (map, value) => freeFields(this, map, value);
    this.provide("clock", { realNs: () => split(realClock() + this.#advancedNs) });
    this.provide("timers", this.timers);
    this.provide("cgroup", cgroupService(this));
    this.provide("objects", this.objects);
    this.provide("perfEvent", { counter: () => this.traceHooks.runner.perfCounter });
    this.provide("session", { current: () => this.traceHooks.runner.session });
    this.provide("seq", this.seqFiles);
    const idle = this.memory.alloc(INIT_TASK.structBytes);
    this.provide("task", { current: () => this.#currentTask(idle) });
    this.imageSources = {
      helpers: HELPERS,
      ksym: (name, sizeBytes) => this.#ksym(name, sizeBytes),
    };
    this.#baseBytes = this.memory.allocatedBytes;
  }

  get unprivilegedBpfDisabled(): 0 | 1 | 2 {
    return this.#unprivilegedBpfDisabled;
  }

  /** @throws EPERM once it is 1 (bpf_unpriv_handler()) */
  set unprivilegedBpfDisabled(value: 0 | 1 | 2) {
    if (this.#unprivilegedBpfDisabled === 1 && value !== 1) {
      throw new BpfError(EPERM, "kernel.unprivileged_bpf_disabled is 1, which is for good", { value });
    }
    this.#unprivilegedBpfDisabled = value;
  }

  /** Makes a service reachable for helper bodies. */
  provide<K extends keyof RuntimeServices>(name: K, service: RuntimeServices[K]): void {
    this.#services[name] = service;
  }

  /** Memory that a subsystem keeps for the kernel's life does not count as leaked. */
  settle(): void {
    this.#baseBytes = this.memory.allocatedBytes;
  }

  nowNs(): bigint {
    return this.#clock() + this.#advancedNs;
  }

  readonly nowUs = (): number => performance.now() * 1000;

  /** Moves the kernel's clocks forward and runs the timers that fall due, in their order. */
  advance(ns: bigint): void {
    const end = this.nowNs() + ns;
    this.timers.runUntil(end, (due) => {
      const now = this.nowNs();
      if (due > now) this.#advancedNs += due - now;
    });
    const now = this.nowNs();
    if (end > now) this.#advancedNs += end - now;
  }

  /** A new process; what is not given is as the first process of a machine has it. */
  spawn(options: SpawnOptions = {}): Process {
    const { caps = ALL_CAPS, uid = 0, gid = 0, userns = this.initUserns } = options;
    const { netns = this.initNetns, mountns = this.initMountns, cgroup = this.cgroups.root } = options;
    const pid = this.#nextPid++;
    const cred = { caps, uid, gid, userns };
    const process = new Process(this, pid, options.comm ?? "skep", cred, { netns, mountns, cgroup });
    this.#processes.add(process);
    return process;
  }

  /** A process exited. */
  forget(process: Task): void {
    this.#processes.delete(process as Process);
    this.taskStructs.forget(process);
  }

  /** A file system that nothing mounts yet. The caller owns the reference. */
  newBpffs(options: Omit<SuperBlockOptions, "events" | "preloaded">): Bpffs {
    return new Bpffs(FS_TYPES.bpf, { ...options, events: this.events, preloaded: preloadedFiles(this) });
  }

  /** A mount namespace with directories to mount on, and a bpffs at /sys/fs/bpf if one is given. */
  newMountns(bpffs?: Bpffs, userns: UserNs = this.initUserns): MountNs {
    return newMountns(userns, this.events, bpffs);
  }

  /** An empty network namespace. The caller owns the reference. */
  newNetns(userns: UserNs = this.initUserns): NetNs {
    const netns = new NetNs(this.#nextNsIno++, userns);
    for (const begin of this.onNetns) begin(netns);
    return netns;
  }

  get processes(): ReadonlySet<Process> {
    return this.#processes;
  }

  makeRunnable(image: ExecImage, engine: EngineName): Runnable {
    return engine === "jit" ? jit(image, this.runtime.env) : loadInterp(image, this.runtime.env);
  }

  /** The process that acts, or the idle task. */
  #currentTask(idle: VAddr): CurrentTask {
    const task = this.#caller;
    if (!task || task.exited) return { ...INIT_TASK.task, addr: idle };
    const { uid, gid } = task.cred;
    const { taskStructs } = this;
    const of = { pid: task.pid, tgid: task.pid, uid, gid, comm: task.comm };
    return {
      ...INIT_TASK.task,
      ...of,
      get addr() {
        return taskStructs.of(task);
      },
    };
  }

  /** The process on whose behalf a command runs: fds in map values are its fds. */
  get caller(): Task {
    if (!this.#caller) throw new Error("no command is running");
    return this.#caller;
  }

  /** The process that acts, if one does. */
  get current(): Task | undefined {
    return this.#caller;
  }

  asCaller<T>(proc: Task, body: () => T): T {
    const outer = this.#caller;
    this.#caller = proc;
    try {
      return body();
    } finally {
      this.#caller = outer;
    }
  }

  /**
   * Does the work while no program is in the middle of a run: now, or before anything else after the outermost run (a grace
   * period). `holds` are references that the work gives up.
   */
  betweenRuns(work: () => void, holds: readonly KObject[] = []): void {
    if (this.#runDepth === 0) work();
    else this.#waiting.push({ work, holds });
  }

  /** References that runs in progress keep. */
  *heldByRuns(): Iterable<KObject> {
    for (const { holds } of this.#waiting) yield* holds;
  }

  /** Runs `body`, in which programs run; after the outermost one, deferred work is done. */
  running<T>(body: () => T): T {
    this.#runDepth++;
    try {
      return body();
    } finally {
      if (--this.#runDepth === 0) this.#quiescent();
    }
  }

  #quiescent(): void {
    for (const { work } of this.#waiting.splice(0)) work();
    const core = this.memory.exports<{ rcu_pending(): number; rcu_quiescent(): void }>();
    if (core.rcu_pending()) core.rcu_quiescent();
    for (const work of this.afterRun) work();
  }

  /** Raw BTF of the kernel, if it was given as bytes. */
  get kernelBtfBytes(): Uint8Array | undefined {
    return this.#kernelBtfBytes ?? this.platform.btf?.bytes;
  }

  #tailCallTarget(mapAddr: number, index: number): Runnable | undefined {
    const map = this.mapAt(mapAddr);
    const prog = map?.progAt(index);
    return prog?.runnable(this.runtime.env.current?.engine);
  }

  /** The map whose record is at addr, as programs hold it. */
  mapAt(addr: number): KMap | undefined {
    return this.maps.find(this.memory.readU32(addr + MAP_RECORD.id));
  }

  /** The map whose values are being freed, while its id is gone already. */
  dyingMap(addr: number): KMap | undefined {
    return this.dying?.addr === addr ? this.dying : undefined;
  }

  /** Kernel variables that programs name read as zeros until a subsystem gives them a value. */
  #ksym(name: string, sizeBytes: number): VAddr {
    let addr = this.#ksyms.get(name);
    if (addr === undefined) {
      const before = this.memory.allocatedBytes;
      addr = this.memory.alloc(Math.max(sizeBytes, 8));
      this.#baseBytes += this.memory.allocatedBytes - before;
      this.#ksyms.set(name, addr);
    }
    return addr;
  }

  /**
   * Power off: every process exits, what is mounted and what the subsystems hold goes. Afterwards an error of ours is all
   * that can be left: assertEmpty() tells.
   */
  shutdown(): void {
    for (const process of [...this.#processes]) process.exit();
    for (const mount of this.initMountns.mounts.slice(1).reverse()) {
      // What was bound keeps its object.
      if (mount.root !== this.bpffs.root) this.initMountns.umountTree(mount);
    }
    this.bpffs.clear();
    for (const down of this.onShutdown) down();
    for (const cgroup of [...this.cgroups.root.descendants()].reverse()) {
      if (cgroup !== this.cgroups.root) this.cgroups.remove(cgroup);
    }
    this.netnsProgs.shutdown();
    // The root stays, its programs go.
    for (const died of this.cgroups.onDeath) died(this.cgroups.root);
  }

  [Symbol.dispose](): void {
    this.shutdown();
  }

  /** For tests. @throws Error listing what is still there: objects, pins, linear memory */
  assertEmpty(): void {
    const left: string[] = [];
    for (const [what, table] of Object.entries({
      map: this.maps,
      program: this.progs,
      BTF: this.btfs,
      link: this.links,
    })) {
      for (const obj of table.values()) left.push(`${what} ${obj.id} (${obj.refs} references)`);
    }
    for (const [path] of this.bpffs.entries()) left.push(`pin ${path}`);
    const bytes = this.memory.allocatedBytes - this.#baseBytes;
    if (bytes !== 0) left.push(`${bytes} bytes of linear memory`);
    if (left.length) throw new Error(`kernel is not empty: ${left.join(", ")}`);
  }
}

/** The built-in BTF is the same for every kernel, and takes a while to make. */
let builtin: Btf | undefined;

/** Linux 6.18 with the built-in BTF, which is made when something first asks for kernel types. */
function builtinPlatform(): Platform {
  return {
    ...linux618(),
    get btf() {
      builtin ??= builtinBtf();
      return builtin;
    },
  };
}

function split(ns: bigint): { lo: number; hi: number } {
  return { lo: Number(ns & 0xffffffffn), hi: Number((ns >> 32n) & 0xffffffffn) };
}
