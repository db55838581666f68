/**
 * A process: its fd table, credentials and namespaces. Exiting, also abruptly, closes every fd and leaves the namespaces.
 *
 * `as()` runs a command on behalf of the process: events say who did it, and fds in map values are its fds.
 */
import { BpfError, ENODEV } from "../abi/errno.ts";
import { ALL_CAPS, type Caps, NO_CAPS } from "../verifier/platform.ts";
import type { MountNs } from "./bpffs/mountns.ts";
import type { KBtf } from "./btf_cmds.ts";
import type { Cgroup } from "./cgroup/cgroup.ts";
import type { Fd } from "./fd.ts";
import { FdTable } from "./fd_table.ts";
import type { Kernel } from "./kernel.ts";
import type { Link } from "./link.ts";
import type { KMap } from "./map.ts";
import type { NetNs } from "./netns.ts";
import type { KObject } from "./objects.ts";
import type { Prog } from "./prog.ts";
import { syscall } from "./trace/syscalls.ts";
import type { UserNs } from "./userns.ts";

export interface Credentials {
  readonly caps: Caps;
  readonly uid: number;
  readonly gid: number;
  readonly userns: UserNs;
}

export interface Namespaces {
  readonly netns: NetNs;
  readonly mountns: MountNs;
  readonly cgroup: Cgroup;
}

/** Memory of an object that is mapped into the process: holds the object until it is closed or the process exits. */
export interface Mapping {
  readonly obj: KObject;
  close(): void;
}

export abstract class Task {
  readonly kernel: Kernel;
  readonly pid: number;
  readonly comm: string;
  readonly fdTable: FdTable;
  readonly mappings = new Set<Mapping>();
  /** When it began, in nanoseconds since boot. */
  readonly startNs: bigint;
  /** Who forked it; absent for the first ones. */
  parent: Task | undefined;
  #cred: Credentials;
  #netns: NetNs;
  #mountns: MountNs;
  #cgroup: Cgroup;
  #exited = false;

  constructor(kernel: Kernel, pid: number, comm: string, cred: Credentials, ns: Namespaces) {
    this.kernel = kernel;
    this.pid = pid;
    this.comm = comm;
    this.fdTable = new FdTable(pid);
    this.startNs = kernel.nowNs();
    this.#cred = cred;
    this.#netns = ns.netns.get();
    this.#mountns = ns.mountns.enter();
    this.#cgroup = ns.cgroup.get();
    this.#cgroup.population++;
  }

  // --- credentials and namespaces

  get cred(): Credentials {
    return this.#cred;
  }

  /** What it may do in the first user namespace (capable()): its capabilities in another one do not count. */
  get caps(): Caps {
    return this.capsIn(this.kernel.initUserns);
  }

  /** What it may do in a user namespace (ns_capable()): who made a namespace has every capability in it. */
  capsIn(userns: UserNs): Caps {
    const { caps, uid, userns: own } = this.#cred;
    for (let ns: UserNs | undefined = userns; ns; ns = ns.parent) {
      // CAP_SYS_ADMIN stands for the capabilities that were split off it.
      if (ns === own) return caps.sysAdmin ? ALL_CAPS : caps;
      if (ns.parent === own && ns.ownerUid === uid) return ALL_CAPS;
    }
    return NO_CAPS;
  }

  get uid(): number {
    return this.#cred.uid;
  }

  /** Drops or changes what the process may do from now on; fds stay. */
  setCred(cred: Partial<Credentials>): void {
    this.#cred = { ...this.#cred, ...cred };
  }

  get netns(): NetNs {
    return this.#netns;
  }

  /** setns(2) with a network namespace. */
  setNetns(netns: NetNs): void {
    syscall(this, "setns", [], () => {
      const old = this.#netns;
      this.#netns = netns.get();
      old.put();
    });
  }

  get mountns(): MountNs {
    return this.#mountns;
  }

  /** setns(2), or unshare(2) with the clone of one. */
  setMountns(mountns: MountNs): void {
    const old = this.#mountns;
    this.#mountns = mountns.enter();
    old.leave();
  }

  get cgroup(): Cgroup {
    return this.#cgroup;
  }

  /** A write to cgroup.procs. @throws ENODEV a removed cgroup */
  setCgroup(cgroup: Cgroup): void {
    if (cgroup.dead) throw new BpfError(ENODEV, `cgroup ${cgroup.cgroupId} was removed`, {});
    const old = this.#cgroup;
    this.#cgroup = cgroup.get();
    cgroup.population++;
    old.population--;
    old.put();
  }

  // --- fds

  install(obj: KObject, mode = 0): Fd {
    return this.fdTable.install(obj, mode);
  }

  /** A new fd that takes over the one reference of a fresh object. */
  installOwned(obj: KObject, mode = 0): Fd {
    return this.fdTable.installOwned(obj, mode);
  }

  /** @throws EBADF, EINVAL */
  mapAt(fd: Fd): KMap {
    return this.fdTable.object(fd, "map") as KMap;
  }

  progAt(fd: Fd): Prog {
    return this.fdTable.object(fd, "prog") as Prog;
  }

  btfAt(fd: Fd): KBtf {
    return this.fdTable.object(fd, "btf") as KBtf;
  }

  linkAt(fd: Fd): Link {
    return this.fdTable.object(fd, "link") as Link;
  }

  cgroupAt(fd: Fd): Cgroup {
    return this.fdTable.object(fd, "cgroup") as Cgroup;
  }

  netnsAt(fd: Fd): NetNs {
    return this.fdTable.object(fd, "netns") as NetNs;
  }

  findMap(fd: Fd): KMap | undefined {
    const obj = this.fdTable.find(fd);
    return obj?.kind === "map" ? (obj as KMap) : undefined;
  }

  findBtf(fd: Fd): KBtf | undefined {
    const obj = this.fdTable.find(fd);
    return obj?.kind === "btf" ? (obj as KBtf) : undefined;
  }

  close(fd: Fd): void {
    syscall(this, "close", [BigInt(fd)], () => this.as(() => this.fdTable.close(fd)));
  }

  dup(fd: Fd): Fd {
    const { obj, mode } = this.fdTable.entry(fd);
    return this.install(obj, mode);
  }

  /** Gives another process an fd on the same object (SCM_RIGHTS). */
  sendFd(fd: Fd, to: Task): Fd {
    const { obj, mode } = this.fdTable.entry(fd);
    return to.install(obj, mode);
  }

  get fds(): readonly Fd[] {
    return this.fdTable.numbers;
  }

  /** An fd on a cgroup directory, as open(2) gives it. */
  openCgroup(cgroup: Cgroup): Fd {
    return this.install(cgroup);
  }

  /** An fd on a network namespace, as opening /proc/PID/ns/net gives it. */
  openNetns(netns: NetNs = this.netns): Fd {
    return this.install(netns);
  }

  // --- life

  get exited(): boolean {
    return this.#exited;
  }

  /** Closes everything and leaves the namespaces. It does not matter whether the process wanted to. */
  exit(): void {
    if (this.#exited) return;
    this.as(() => {
      const { taskStructs, traceHooks } = this.kernel;
      traceHooks.tracepoint("sched", "sched_process_exit", () => [BigInt(taskStructs.of(this)), 1n]);
      this.#exited = true;
      for (const mapping of [...this.mappings]) mapping.close();
      for (const fd of this.fds) this.fdTable.close(fd);
      this.#netns.put();
      this.#mountns.leave();
      this.#cgroup.population--;
      this.#cgroup.put();
    });
    this.kernel.forget(this);
  }

  [Symbol.dispose](): void {
    this.exit();
  }

  /** Runs `body` with this process as the one that acts. */
  as<T>(body: () => T): T {
    return this.kernel.asCaller(this, body);
  }
}
