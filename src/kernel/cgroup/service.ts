/** What helpers ask about cgroups: the one of the process that acts, and the result of the cgroup programs under way. */
import type { CgroupService } from "../../helpers/cgroup.ts";
import type { Kernel } from "../kernel.ts";
import type { Cgroup } from "./cgroup.ts";

export function cgroupService(kernel: Kernel): CgroupService {
  const current = () => kernel.current?.cgroup ?? kernel.cgroups.root;
  return {
    currentId: () => current().cgroupId,
    currentAncestorId: (level) => ancestorAt(current(), level)?.cgroupId ?? 0n,
    retval: () => kernel.cgroupRun?.retval ?? 0,
    setRetval(value) {
      if (kernel.cgroupRun) kernel.cgroupRun.retval = value;
    },
  };
}

/** The ancestor at a level; the root is at 0, a cgroup is its own ancestor at its level. */
function ancestorAt(cgroup: Cgroup, level: number): Cgroup | undefined {
  return [...cgroup.ancestors()].reverse()[level];
}
