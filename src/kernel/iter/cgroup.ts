/**
 * cgroup: one cgroup, its ancestors, or what is below it, in pre-order or post-order. A program that returns 1 ends the walk.
 *
 * Errors   EINVAL an unknown order, an fd and an id together; EBADF an fd of something else; ENOENT an unknown id;
 *          EOPNOTSUPP a second read of a walk that did not fit into one.
 * Source   kernel/bpf/cgroup_iter.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EBADF, EINVAL, ENOENT, EOPNOTSUPP, type Errno } from "../../abi/errno.ts";
import { Cgroup } from "../cgroup/cgroup.ts";
import type { Process } from "../process.ts";
import { cgroupStruct } from "../structs/bpf_objects.ts";
import type { StructScope } from "../structs/scope.ts";
import type { Element, IterTarget, Walk } from "./target.ts";

const ORDERS: Readonly<Record<number, (start: Cgroup) => readonly Cgroup[]>> = {
  [abi.BPF_CGROUP_ITER_SELF_ONLY]: (start) => [start],
  [abi.BPF_CGROUP_ITER_DESCENDANTS_PRE]: (start) => [...start.descendants()],
  [abi.BPF_CGROUP_ITER_DESCENDANTS_POST]: postOrder,
  [abi.BPF_CGROUP_ITER_ANCESTORS_UP]: (start) => [...start.ancestors()],
};

function postOrder(start: Cgroup): Cgroup[] {
  return [...[...start.children.values()].flatMap(postOrder), start];
}

export const cgroupTarget: IterTarget = {
  resched: true,
  attach(proc, prog, { order = 0, cgroupFd, cgroupId }) {
    const walked = ORDERS[order];
    if (!walked) throw new BpfError(EINVAL, `iterator '${prog.name}': order ${order}; wanted 1 to 4`, { order });
    if (cgroupFd && cgroupId) {
      throw new BpfError(EINVAL, `iterator '${prog.name}': wanted a cgroup by fd or by id, not both`, {
        cgroupFd,
        cgroupId,
      });
    }
    const start = startOf(proc, cgroupFd, cgroupId);
    return {
      held: [start],
      info: { cgroupId: start.cgroupId, order },
      open: () => new CgroupWalk(walked(start)),
    };
  },
};

function startOf({ kernel, fdTable }: Process, fd: number | undefined, id: bigint | undefined): Cgroup {
  if (fd) {
    const obj = fdTable.find(fd as Parameters<typeof fdTable.find>[0]);
    if (obj instanceof Cgroup) return obj;
    throw new BpfError(EBADF, `fd ${fd} is no cgroup`, { fd });
  }
  if (!id) return kernel.cgroups.root;
  for (const cgroup of kernel.cgroups.root.descendants()) if (cgroup.cgroupId === id) return cgroup;
  throw new BpfError(ENOENT, `no cgroup has id ${id}`, { id });
}

class CgroupWalk implements Walk {
  readonly #list: readonly Cgroup[];
  #started = false;
  #visitedAll = false;
  #terminate = false;

  constructor(list: readonly Cgroup[]) {
    this.#list = list;
  }

  start(): Element | Errno | undefined {
    if (this.#started) return this.#visitedAll ? undefined : EOPNOTSUPP;
    this.#started = true;
    return this.#from(0);
  }

  next(elem: Element): Element | undefined {
    return this.#terminate ? undefined : this.#from(elem.pos + 1);
  }

  /** Removed ones are passed over. */
  #from(pos: number): Element | undefined {
    for (let at = pos; at < this.#list.length; at++) if (!this.#list[at]!.dead) return { pos: at };
    return undefined;
  }

  words(scope: StructScope, elem: Element | undefined): bigint[] {
    return [elem ? BigInt(cgroupStruct(scope, this.#list[elem.pos]!)) : 0n];
  }

  ran(one: boolean): void {
    if (one) this.#terminate = true;
  }

  finished(): void {
    this.#visitedAll = true;
  }
}
