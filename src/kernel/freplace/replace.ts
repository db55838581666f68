/**
 * freplace in the opposite direction, an extension of skep's: the target holds what replaces its functions. There is no
 * fd and no link: whoever holds the one root program holds the whole set, and a set is exchanged in one step.
 *
 * Atomic   everything is checked before anything changes. A packet sees the old set or the new one: the exchange happens
 *          between runs. Where it is asked for in the middle of a run (a helper's callback, a hook), the outermost run, with
 *          all packets of its chunk, goes on with the old set, which lives so long.
 * Errors   EINVAL as for links; ENOENT nothing to take away; EBUSY a link's extension or a tracing program is there, a prog
 *          array holds the target; ELOOP the replacement keeps the target alive. See loops.ts.
 */
import { BpfError, EINVAL, ELOOP, ENOENT } from "../../abi/errno.ts";
import type { FuncReplacement } from "../bpf.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import { reachable } from "./loops.ts";
import { checkFree, checkTarget } from "./target.ts";

export function replaceFuncs(proc: Process, root: Prog, set: readonly FuncReplacement[]): void {
  const changes = new Map<number, Prog | undefined>();
  for (const { btfId, funcFd } of set) {
    const ext = funcFd === undefined ? undefined : proc.progAt(funcFd);
    const subprog = ext ? checkReplacement(proc, root, ext, btfId) : replacedAt(root, btfId);
    if (changes.has(subprog)) {
      throw new BpfError(EINVAL, `program '${root.name}': function ${btfId} twice in one set`, { btfId });
    }
    changes.set(subprog, ext);
  }
  root.replace(changes);
  proc.kernel.events.emit({ what: "replace", progId: root.id });
  // as with a link, the target of the load is not kept: the target keeps the extension now
  for (const ext of changes.values()) ext?.dropDst();
}

function checkReplacement(proc: Process, root: Prog, ext: Prog, btfId: number): number {
  const subprog = checkTarget(proc.kernel, ext, root, btfId);
  if (!root.replacements.has(subprog)) checkFree(ext, root, subprog);
  // what the load of the extension keeps, its target, ends with this command
  const kept = [...ext.holds()].filter((obj) => obj !== ext.dst);
  if (kept.some((obj) => reachable(obj).has(root))) {
    throw new BpfError(ELOOP, `program '${ext.name}' keeps program ${root.id} alive, which would hold it`, {
      root: root.id,
      ext: ext.id,
    });
  }
  return subprog;
}

function replacedAt(root: Prog, btfId: number): number {
  const subprog = root.subprogOf(btfId);
  if (root.replacements.has(subprog)) return subprog;
  throw new BpfError(ENOENT, `program '${root.name}': function ${btfId} is not replaced`, { btfId });
}
