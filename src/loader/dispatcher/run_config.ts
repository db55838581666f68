/**
 * How a program wants to run among others: `.xdp_run_config` of its object.
 *
 *     struct {
 *         __uint(priority, 10);
 *         __uint(XDP_PASS, 1);    // the chain goes on after it
 *         __uint(XDP_DROP, 0);
 *     } XDP_RUN_CONFIG(firewall);      // the variable _firewall
 *
 * bpfman's `--priority` and `--proceed-on` are the same two data.
 */
import { BpfError, EINVAL } from "../../abi/errno.ts";
import type { Btf } from "../../btf/btf.ts";
import { BTF_KIND_ARRAY, BTF_KIND_DATASEC, BTF_KIND_PTR, BTF_KIND_VAR } from "../../btf/kinds.ts";

export const XDP_ACTION_NAMES = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"] as const;
export type XdpActionName = (typeof XDP_ACTION_NAMES)[number];

export interface RunConfig {
  /** Low ones run first. */
  readonly priority: number;
  /** Bits 1 << action: after these, the next program runs. */
  readonly chainCallActions: number;
}

/** XDP_DEFAULT_RUN_PRIO, XDP_DEFAULT_CHAIN_CALL_ACTIONS. */
export const DEFAULT_RUN_CONFIG: RunConfig = { priority: 50, chainCallActions: actionMask(["XDP_PASS"]) };

/** @param names of XDP_ACTION_NAMES @throws EINVAL another one */
export function actionMask(names: readonly string[]): number {
  return names.reduce((mask, name) => {
    const action = XDP_ACTION_NAMES.indexOf(name as XdpActionName);
    if (action < 0)
      throw new BpfError(EINVAL, `action '${name}'; wanted one of ${XDP_ACTION_NAMES.join(", ")}`, { name });
    return mask | (1 << action);
  }, 0);
}

export function actionNames(mask: number): XdpActionName[] {
  return XDP_ACTION_NAMES.filter((_, action) => mask & (1 << action));
}

/** Of a program in an object; what the object does not say is the default. @throws EINVAL a member of another form */
export function runConfigOf(btf: Btf | undefined, prog: string): RunConfig {
  let { priority, chainCallActions } = DEFAULT_RUN_CONFIG;
  const section = btf?.byName(".xdp_run_config", BTF_KIND_DATASEC) ?? 0;
  const variable = btf?.byName(`_${prog}`, BTF_KIND_VAR) ?? 0;
  if (!btf || !section || !variable) return { priority, chainCallActions };
  const struct = btf.resolve(btf.ref(variable));
  for (let i = 0; i < btf.vlen(struct); i++) {
    const name = btf.memberName(struct, i);
    const value = uintOf(btf, btf.memberType(struct, i), `_${prog}.${name}`);
    const bit = 1 << XDP_ACTION_NAMES.indexOf(name as XdpActionName);
    if (name === "priority") priority = value;
    else if ((XDP_ACTION_NAMES as readonly string[]).includes(name)) {
      chainCallActions = value ? chainCallActions | bit : chainCallActions & ~bit;
    }
  }
  return { priority, chainCallActions };
}

/** The number of `__uint(name, number)`. @throws EINVAL */
export function uintOf(btf: Btf, typeId: number, what: string): number {
  const ptr = btf.resolve(typeId);
  const array = btf.kind(ptr) === BTF_KIND_PTR ? btf.resolve(btf.ref(ptr)) : 0;
  if (!array || btf.kind(array) !== BTF_KIND_ARRAY) {
    throw new BpfError(EINVAL, `${what} has no number; wanted __uint(name, number)`, { what });
  }
  return btf.nelems(array);
}
