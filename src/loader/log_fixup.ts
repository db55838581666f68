/**
 * Puts names into verifier logs that end at a poisoned instruction.
 *
 * The verifier only sees a call of a helper that does not exist; the loader knows that it was a CO-RE relocation, a map
 * that was not created or a kfunc that the kernel lacks. The words are libbpf's (fixup_verifier_log).
 */
import { POISON_CORE, type Poisoned } from "../object/core.ts";
import type { ObjectSpec } from "../object/spec.ts";

export const POISON_MAP_BASE = 2001000000;
export const POISON_KFUNC_BASE = 2002000000;

/** @param insnIdx where the verifier stopped, when the log has no instruction lines */
export function fixupLog(
  log: string,
  spec: ObjectSpec,
  poisoned: readonly Poisoned[],
  insnIdx: number | undefined,
): string {
  return log.replace(
    /(?:^(\d+): \(85\) call unknown#\d+[^\n]*\n)?^invalid func unknown#(\d+)$/m,
    (all, idx: string | undefined, number: string) => {
      const at = idx === undefined ? insnIdx : Number(idx);
      const what = explain(spec, poisoned, Number(number), at);
      return what ? `${at === undefined ? "" : `${at}: `}<invalid ${what.thing}>\n${what.text}` : all;
    },
  );
}

function explain(
  spec: ObjectSpec,
  poisoned: readonly Poisoned[],
  func: number,
  at: number | undefined,
): { readonly thing: string; readonly text: string } | undefined {
  if (func === POISON_CORE) {
    const relo = poisoned.find((p) => p.insnIdx === at) ?? (poisoned.length === 1 ? poisoned[0] : undefined);
    return relo && { thing: "CO-RE relocation", text: `failed to resolve CO-RE relocation ${relo.relo}` };
  }
  const ext = spec.externs[func - POISON_KFUNC_BASE];
  if (ext) return { thing: "kfunc call", text: `kfunc '${ext.name}' is referenced but wasn't resolved` };
  const map = spec.maps[func - POISON_MAP_BASE];
  return map && { thing: "BPF map reference", text: `BPF map '${map.name}' is referenced but wasn't created` };
}
