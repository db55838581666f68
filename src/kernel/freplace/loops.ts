/**
 * Circles of references that a replaced function would close. A target holds its replacements (replace.ts), so whatever a
 * replacement holds must not lead back to the target: refused with ELOOP, both when a function is replaced and when an
 * object is put into a map.
 *
 * Circles without a replacement in them are Linux's own (a program, the prog array that it calls through, the program in
 * it), and end as there: prog arrays are emptied with their last user reference.
 */
import { BpfError, ELOOP } from "../../abi/errno.ts";
import type { BpfMap } from "../../maps/bpf_map.ts";
import type { Kernel } from "../kernel.ts";
import type { KMap } from "../map.ts";
import type { KObject } from "../objects.ts";
import type { Prog } from "../prog.ts";

/** Everything that an object keeps alive, itself included. */
export function reachable(from: KObject): Set<KObject> {
  const found = new Set([from]);
  // a Set is walked together with what is added on the way
  for (const obj of found) for (const held of obj.holds()) found.add(held);
  return found;
}

/** The map is about to hold the object. @throws ELOOP */
export function checkNoLoop(kernel: Kernel, map: BpfMap, obj: Prog | KMap): void {
  const own = kernel.replacedFuncs ? kernel.mapAt(map.addr) : undefined;
  if (own) checkNoLoopIn(own, obj);
}

/** The holder is about to hold the object. @throws ELOOP */
export function checkNoLoopIn(
  holder: KObject & { readonly name: string },
  obj: KObject & { readonly name: string },
): void {
  for (const root of reachable(obj)) {
    if (!("replacements" in root)) continue;
    for (const replacement of (root as Prog).replacements.values()) {
      if (!reachable(replacement).has(holder)) continue;
      throw new BpfError(
        ELOOP,
        `${holder.kind} '${holder.name}' is kept by a function that replaces one of ${obj.kind} '${obj.name}'`,
        { holder: holder.id, obj: obj.id },
      );
    }
  }
}
