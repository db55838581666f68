/**
 * Root's view: every program, map, link and BTF by id, and who holds each. An skep extension: on Linux one has to search
 * /proc, bpffs and every hook for it.
 */
import type { HolderView, ObjectView } from "./bpf.ts";
import { type Holder, holders } from "./holders.ts";
import type { Kernel } from "./kernel.ts";
import type { KObject } from "./objects.ts";

/** In order of kind (as Linux's tools list them) and id. */
export function objectViews(kernel: Kernel): ObjectView[] {
  const found = holders(kernel);
  const tables = [kernel.progs, kernel.maps, kernel.links, kernel.btfs];
  return tables.flatMap((table) =>
    [...table.values()].map(
      (obj): ObjectView => ({
        kind: obj.kind,
        id: obj.id,
        name: nameOf(obj),
        refs: obj.refs,
        holders: (found.get(obj) ?? []).flatMap((holder) => viewsOf(kernel, holder, obj)),
      }),
    ),
  );
}

function viewsOf(kernel: Kernel, holder: Holder, obj: KObject): HolderView[] {
  if (!("by" in holder)) {
    return [holder.fd ? { by: "fd", ...holder.fd } : { by: "attachment", what: holder.who }];
  }
  const { by } = holder;
  if (by.kind === "bpffs") return [{ by: "pin", path: pathOf(kernel, by, obj) }];
  return [{ by: "object", kind: by.kind, id: by.id, name: nameOf(by) }];
}

function nameOf(obj: KObject): string {
  return "name" in obj && typeof obj.name === "string" ? obj.name : "";
}

/** Where the object is pinned, as the first mount namespace that mounts the file system sees it. */
function pathOf(kernel: Kernel, fs: KObject, obj: KObject): string {
  for (const ns of [kernel.initMountns, ...[...kernel.processes].map((p) => p.mountns)]) {
    for (const mount of ns.mounts) {
      if (mount.fs !== fs) continue;
      for (const [path, pinned] of mount.pins()) if (pinned === obj) return path;
    }
  }
  return "(not mounted)";
}
