/** What the steps of a scenario made, by the names that they gave it. */
import { join } from "node:path";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Cgroup } from "../../src/kernel/cgroup/cgroup.ts";
import type { NetNs } from "../../src/kernel/netns.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { BpfProg } from "../../src/loader/prog.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import type { NetDevice } from "../../src/net/device.ts";
import { UsageError } from "../output.ts";

/** A program, map or link that a process has an fd of. */
export interface Held {
  readonly proc: Process;
  readonly fd: Fd;
  /** BPF_* attach type that the section of a program stands for. */
  readonly attachType?: number;
  /** The program as its object has it: it attaches where its section says. */
  readonly prog?: BpfProg;
}

/** Where people expect the hierarchy. */
const CGROUP_MOUNT = "/sys/fs/cgroup";

export class Scene implements Disposable {
  readonly kernel: NetKernel;
  /** Files that steps name are relative to it. */
  readonly #dir: string;
  readonly #processes = new Map<string, Process>();
  readonly #held = new Map<string, Held>();
  readonly #netns = new Map<string, NetNs>();

  constructor(dir: string) {
    this.kernel = createKernel();
    this.#dir = dir;
    this.addProcess("init", this.kernel.spawn({ comm: "init" }));
  }

  /** The process that commands of the command line run in. */
  operator(): Process {
    return this.kernel.spawn({ comm: "skep" });
  }

  file(name: string): string {
    return join(this.#dir, name);
  }

  // --- processes

  addProcess(name: string, proc: Process): void {
    this.#new(this.#processes, name, proc, "process");
  }

  /** @param name default: the first process */
  process(name = "init"): Process {
    const proc = this.#find(this.#processes, name, "process");
    if (proc.exited) throw new UsageError(`process '${name}' has exited`);
    return proc;
  }

  // --- programs, maps, links

  hold(name: string, held: Held): void {
    this.#new(this.#held, name, held, "object");
  }

  held(name: string): Held {
    const held = this.#find(this.#held, name, "object");
    if (held.proc.exited) throw new UsageError(`'${name}' went with its process '${held.proc.comm}'`);
    return held;
  }

  /** The object as an fd of a process, which may be another one than the one that made it. */
  fdIn(proc: Process, name: string): Fd {
    const { proc: owner, fd } = this.held(name);
    return owner === proc ? fd : owner.sendFd(fd, proc);
  }

  // --- places

  addNetns(name: string, netns: NetNs): void {
    this.#new(this.#netns, name, netns, "network namespace");
  }

  netns(name: string | undefined): NetNs {
    return name === undefined ? this.kernel.initNetns : this.#find(this.#netns, name, "network namespace");
  }

  /** Of any network namespace: the first one comes first. */
  device(name: string): NetDevice {
    const device = [...this.kernel.nets.devices()].find((d) => d.name === name);
    if (!device) throw new UsageError(`there is no device '${name}'`);
    return device;
  }

  cgroup(path: string): Cgroup {
    const cgroup = this.kernel.cgroups.byPath(cgroupPath(path));
    if (!cgroup) throw new UsageError(`there is no cgroup '${path}'`);
    return cgroup;
  }

  #new<T>(names: Map<string, T>, name: string, value: T, what: string): void {
    if (names.has(name)) throw new UsageError(`${what} '${name}' is there already`);
    names.set(name, value);
  }

  #find<T>(names: ReadonlyMap<string, T>, name: string, what: string): T {
    const found = names.get(name);
    if (found === undefined) {
      throw new UsageError(`there is no ${what} '${name}'; there are ${[...names.keys()].join(", ") || "none"}`);
    }
    return found;
  }

  [Symbol.dispose](): void {
    for (const netns of this.#netns.values()) netns.put();
    this.#netns.clear();
    this.kernel.shutdown();
  }
}

/** "/sys/fs/cgroup/web" and "/web" are the same. */
export function cgroupPath(path: string): string {
  return path === CGROUP_MOUNT || path.startsWith(`${CGROUP_MOUNT}/`) ? path.slice(CGROUP_MOUNT.length) || "/" : path;
}
