/**
 * Forced deletion, the way rmmod takes a module away: an skep extension for whoever administers the whole kernel.
 *
 * Every hold on the object is ended: fds turn into fds of nothing (EIDRM, they can still be closed), pins are unlinked,
 * links become defunct, attachments and map slots are emptied. What cannot live without the object (programs that use a
 * map, programs that attach to a program) is deleted with it. The report says what was broken.
 */
import type { Broken } from "./bpf.ts";
import { holders } from "./holders.ts";
import type { Kernel } from "./kernel.ts";
import type { KObject, ObjKind } from "./objects.ts";

const FATE: Partial<Record<ObjKind, Broken["what"]>> = { link: "defunct", map: "emptied", bpffs: "unpinned" };

/** Deletes the object and what depends on it; nothing holds it afterwards. */
export function deleteByForce(kernel: Kernel, obj: KObject): Broken[] {
  const broken: Broken[] = [];
  const name = nameOf(obj);
  remove(kernel, obj, broken, new Set());
  if (obj.refs) throw new Error(`${name} still has ${obj.refs} references`);
  return broken;
}

function remove(kernel: Kernel, obj: KObject, broken: Broken[], going: Set<KObject>): void {
  going.add(obj);
  const lost = nameOf(obj);
  const seen = new Set<KObject>();
  // The object must outlive those that let go of it.
  obj.get();
  for (const holder of holders(kernel).get(obj) ?? []) {
    if (!("by" in holder)) {
      if (!holder.release) throw new Error(`${holder.who} does not let go of ${lost}`);
      holder.release();
      broken.push({ who: holder.who, what: holder.fd ? "closed" : "detached", lost });
      continue;
    }
    const { by } = holder;
    if (seen.has(by)) continue;
    seen.add(by);
    const who = nameOf(by);
    if (by.lose(obj)) broken.push({ who, what: FATE[by.kind] ?? "detached", lost });
    else if (!going.has(by)) {
      broken.push({ who, what: "deleted", lost });
      remove(kernel, by, broken, going);
    }
  }
  obj.put();
}

function nameOf(obj: KObject): string {
  const name = "name" in obj && obj.name ? ` '${obj.name}'` : "";
  return `${obj.kind === "prog" ? "program" : obj.kind} ${obj.id}${name}`;
}
