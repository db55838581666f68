/**
 * Who holds what: every reference to an object, recomputed from what can be reached (fds, pins, attachments, other
 * objects). Root's view of the system is a rendering of it; tests hold the reference counts against it.
 */
import type { Kernel } from "./kernel.ts";
import type { KObject, Root } from "./objects.ts";

/** One reference: by something outside of the objects, or by another object. */
export type Holder = Omit<Root, "obj"> | { readonly by: KObject };

/** References from outside of the objects, each once. */
export function* roots(kernel: Kernel): Iterable<Root> {
  const mountNamespaces = new Set([kernel.initMountns]);
  for (const proc of kernel.processes) {
    for (const [fd, { obj }] of proc.fdTable.entries()) {
      const { pid, comm } = proc;
      yield { who: `fd ${fd} of process ${pid}`, obj, fd: { pid, comm, fd }, release: () => proc.fdTable.lose(fd) };
    }
    for (const mapping of proc.mappings) {
      yield { who: `memory of process ${proc.pid}`, obj: mapping.obj, release: () => mapping.close() };
    }
    yield { who: `process ${proc.pid}`, obj: proc.netns };
    yield { who: `process ${proc.pid}`, obj: proc.cgroup };
    mountNamespaces.add(proc.mountns);
  }
  for (const ns of mountNamespaces) for (const { at, fs } of ns.mounts) yield { who: `mount at ${at}`, obj: fs };
  yield { who: "kernel", obj: kernel.initNetns };
  for (const cgroup of kernel.cgroups.root.descendants()) yield { who: `cgroup ${cgroup.path}`, obj: cgroup };
  for (const obj of kernel.heldByRuns()) yield { who: "run in progress", obj };
  for (const list of kernel.roots) yield* list();
}

/** The holders of every object that can be reached. */
export function holders(kernel: Kernel): Map<KObject, Holder[]> {
  const found = new Map<KObject, Holder[]>();
  const todo: KObject[] = [];
  const add = (obj: KObject, holder: Holder) => {
    const known = found.get(obj);
    if (known) known.push(holder);
    else {
      found.set(obj, [holder]);
      todo.push(obj);
    }
  };
  for (const root of roots(kernel)) add(root.obj, root);
  for (let obj = todo.pop(); obj; obj = todo.pop()) for (const held of obj.holds()) add(held, { by: obj });
  return found;
}

/** For tests. @throws Error naming each object whose reference count is not what its holders add up to */
export function checkReferences(kernel: Kernel): void {
  const found = holders(kernel);
  const wrong: string[] = [];
  for (const table of [kernel.maps, kernel.progs, kernel.btfs, kernel.links]) {
    for (const obj of table.values())
      if (!found.has(obj)) wrong.push(`${obj.kind} ${obj.id} lives but nothing holds it`);
  }
  for (const [obj, by] of found) {
    if (obj.refs === by.length) continue;
    const names = by.map((h) => ("who" in h ? h.who : `${h.by.kind} ${h.by.id}`)).join(", ");
    wrong.push(`${obj.kind} ${obj.id} counts ${obj.refs} references; held by ${by.length}: ${names}`);
  }
  if (wrong.length) throw new Error(`references do not add up: ${wrong.join("; ")}`);
}
