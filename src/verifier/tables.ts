/**
 * Tables of a kernel profile that the call and access checks read: program types, helpers, kfuncs.
 *
 * A test may pass a platform with two helpers and one program type.
 */
import type { Helper } from "../helpers/helper.ts";
import type { Kfunc } from "../kfuncs/kfunc.ts";
import type { ProgType } from "../progs/prog_types.ts";

export interface PlatformTables {
  /** By BPF_PROG_TYPE_*. */
  readonly progTypes: readonly (ProgType | undefined)[];
  /** By BPF_FUNC_*. */
  readonly helpers: readonly (Helper | undefined)[];
  /** Helpers that every program type may call. */
  readonly baseHelpers: ReadonlySet<number>;
  /** What a program type may call beyond baseHelpers, by variant key (variantKey() in progs). */
  readonly typeHelpers: ReadonlyMap<string, ReadonlySet<number>>;
  /** Of both, those that need CAP_BPF and those that need CAP_PERFMON. */
  readonly bpfHelpers?: ReadonlySet<number>;
  readonly perfmonHelpers?: ReadonlySet<number>;
  /** By name. */
  readonly kfuncs: ReadonlyMap<string, Kfunc>;
}
