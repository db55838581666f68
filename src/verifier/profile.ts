/**
 * Kernel profiles: the Platform that a verification is given. Linux 6.18 is the default.
 *
 * Another kernel is another value of this shape, never an `if (version)` in a check.
 */
import * as abi from "../abi/bpf.ts";
import type { Btf } from "../btf/btf.ts";
import { HELPERS } from "../helpers/table.ts";
import { KFUNCS } from "../kfuncs/table.ts";
import { BASE_HELPERS, BPF_HELPERS, PERFMON_HELPERS, TYPE_HELPERS } from "../progs/helper_sets.ts";
import { PROG_TYPES } from "../progs/prog_types.ts";
import { FULL_CONFIG, type KernelConfig, LIMITS, type Platform } from "./platform.ts";

const FUNC_IDS = abi as unknown as Readonly<Record<string, number>>;

/** Helper ids of a list of names without bpf_. */
export function helperIds(names: string): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const name of names.split(/\s+/)) {
    if (name === "") continue;
    const id = FUNC_IDS[`BPF_FUNC_${name}`];
    if (id === undefined) throw new Error(`helper set names '${name}', which is no helper`);
    ids.add(id);
  }
  return ids;
}

const baseHelpers = helperIds(BASE_HELPERS);
const bpfHelpers = helperIds(BPF_HELPERS);
const perfmonHelpers = helperIds(PERFMON_HELPERS);
const typeHelpers = new Map(Object.entries(TYPE_HELPERS).map(([key, names]) => [key, helperIds(names)]));

/** @param btf BTF of the kernel, for kfuncs, BTF pointers and attach targets; without it such programs are refused */
export function linux618(btf?: Btf, config: KernelConfig = FULL_CONFIG): Platform {
  return {
    name: "linux-6.18",
    btf,
    limits: LIMITS,
    config,
    progTypes: PROG_TYPES,
    helpers: HELPERS,
    baseHelpers,
    typeHelpers,
    bpfHelpers,
    perfmonHelpers,
    kfuncs: KFUNCS,
  };
}
