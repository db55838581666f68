/** BPF_ENABLE_STATS: runs of programs and their time are counted while an fd of it is open. */
import { BPF_STATS_RUN_TIME } from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Kernel } from "./kernel.ts";
import { KObject } from "./objects.ts";

export class StatsUser extends KObject {
  readonly kind = "stats";
  readonly #kernel: Kernel;

  /** The new object has one reference, the caller's. @throws EINVAL */
  constructor(kernel: Kernel, type: number) {
    if (type !== BPF_STATS_RUN_TIME) throw new BpfError(EINVAL, `statistics of type ${type}; wanted 0`, { type });
    super();
    this.#kernel = kernel;
    kernel.statsUsers++;
  }

  protected override release(): void {
    this.#kernel.statsUsers--;
  }
}
