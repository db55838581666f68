/**
 * struct task_struct of each process, made when something first looks and there until the process exits: what
 * bpf_get_current_task() and iterators give.
 */
import type { VAddr } from "../../memory/memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { StructScope } from "./scope.ts";

/** MAX_RT_PRIO + 20. */
const DEFAULT_PRIO = 120;

interface Made {
  readonly addr: VAddr;
  readonly cred: VAddr;
  readonly fdt: VAddr;
  readonly net: VAddr;
  readonly scope: StructScope;
}

export class TaskStructs {
  readonly #kernel: Kernel;
  readonly #made = new Map<Task, Made>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** The address of its task_struct, whose members are up to date. */
  of(task: Task): VAddr {
    let made = this.#made.get(task);
    if (!made) {
      made = this.#make(task);
      this.#made.set(task, made);
    }
    this.#update(task, made);
    return made.addr;
  }

  #make(task: Task): Made {
    const scope = new StructScope(this.#kernel);
    const addr = scope.alloc("task_struct");
    const cred = scope.alloc("cred");
    const fdt = scope.alloc("fdtable");
    const files = scope.alloc("files_struct", { fdt });
    const net = scope.alloc("net");
    const nsproxy = scope.alloc("nsproxy", { net_ns: net });
    this.#kernel.structs.write("task_struct", addr, {
      pid: task.pid,
      tgid: task.pid,
      group_leader: addr,
      real_parent: addr,
      parent: addr,
      prio: DEFAULT_PRIO,
      static_prio: DEFAULT_PRIO,
      normal_prio: DEFAULT_PRIO,
      cred,
      real_cred: cred,
      files,
      nsproxy,
      start_time: task.startNs,
      start_boottime: task.startNs,
    });
    return { addr, cred, fdt, net, scope };
  }

  #update(task: Task, { addr, cred, fdt, net }: Made): void {
    const { structs } = this.#kernel;
    const { uid, gid } = task.cred;
    structs.write("task_struct", addr, { comm: task.comm });
    structs.write("cred", cred, {
      "uid.val": uid,
      "gid.val": gid,
      "suid.val": uid,
      "sgid.val": gid,
      "euid.val": uid,
      "egid.val": gid,
      "fsuid.val": uid,
      "fsgid.val": gid,
    });
    structs.write("fdtable", fdt, { max_fds: Math.max(0, ...task.fds) + 1 });
    structs.write("net", net, { "ns.inum": task.netns.ino });
    const parent = task.parent;
    if (parent && !parent.exited) {
      const at = this.#made.get(parent)?.addr ?? this.of(parent);
      structs.write("task_struct", addr, { real_parent: at, parent: at });
    }
  }

  /** It exited. */
  forget(task: Task): void {
    const made = this.#made.get(task);
    this.#made.delete(task);
    if (!made) return;
    // Orphans are their own parents: there is no init to take them.
    for (const [other, { addr }] of this.#made) {
      if (other.parent === task) this.#kernel.structs.write("task_struct", addr, { real_parent: addr, parent: addr });
    }
    made.scope[Symbol.dispose]();
  }
}
