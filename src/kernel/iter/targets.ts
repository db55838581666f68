/**
 * The iterators: what each walks, and those that are entries only, with errno and reason.
 *
 * Source   kernel/bpf/{map,prog,link,task,cgroup}_iter.c, kernel/kallsyms.c.
 */
import { EOPNOTSUPP } from "../../abi/errno.ts";
import type { KObject } from "../objects.ts";
import { linkStruct, mapStruct, progStruct } from "../structs/bpf_objects.ts";
import type { StructScope } from "../structs/scope.ts";
import { cgroupTarget } from "./cgroup.ts";
import { mapElemTarget } from "./map_elem.ts";
import { type IterTarget, numbered, plain, type Walk } from "./target.ts";
import { taskFileTarget, taskTarget } from "./task.ts";

interface Ids<T> {
  values(): Iterable<T>;
}

/** Objects with global ids, in order of id. */
function byId<T extends KObject>(table: Ids<T>, struct: (scope: StructScope, obj: T) => number): Walk {
  const find = (from: number) => {
    for (const item of table.values()) if (item.id >= from) return { pos: item.id, item };
    return undefined;
  };
  return numbered(find, (scope, item) => [item ? BigInt(struct(scope, item)) : 0n]);
}

const ksym = plain(true, (kernel) => {
  const names = [...kernel.traceHooks.kallsyms.names()];
  const find = (from: number) => {
    const item = names[from];
    return item === undefined ? undefined : { pos: from, item };
  };
  return numbered(find, (scope, name) => {
    if (name === undefined) return [0n];
    const value = kernel.traceHooks.kallsyms.addressOf(name);
    return [BigInt(scope.alloc("kallsym_iter", { name, value, type: "T".charCodeAt(0), show_value: 1 }))];
  });
});

export interface Unsupported {
  readonly errno: typeof EOPNOTSUPP;
  readonly reason: string;
}

const unsupported = (reason: string): Unsupported => ({ errno: EOPNOTSUPP, reason });

/** By the name behind bpf_iter_. */
export const ITER_TARGETS: Readonly<Record<string, IterTarget | Unsupported>> = {
  bpf_map: plain(false, (kernel) => byId(kernel.maps, mapStruct)),
  bpf_prog: plain(false, (kernel) => byId(kernel.progs, progStruct)),
  bpf_link: plain(false, (kernel) => byId(kernel.links, linkStruct)),
  bpf_map_elem: mapElemTarget,
  task: taskTarget,
  task_file: taskFileTarget,
  cgroup: cgroupTarget,
  ksym,
  task_vma: unsupported("processes have no virtual memory areas"),
  bpf_sk_storage_map: unsupported("socket storage is not kept"),
  sockmap: unsupported("socket maps hold no sockets"),
  tcp: unsupported("TCP sockets are not walked"),
  udp: unsupported("UDP sockets are not walked"),
  unix: unsupported("there are no Unix sockets"),
  netlink: unsupported("there are no netlink sockets"),
  ipv6_route: unsupported("there are no IPv6 routes"),
  dmabuf: unsupported("there are no DMA buffers"),
  kmem_cache: unsupported("there are no slab caches"),
};
