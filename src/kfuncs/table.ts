/** All kernel functions that programs may call, by name: one table for loader, verifier and engines. */

import { ARENA_KFUNCS } from "./arena.ts";
import { CAST_KFUNCS } from "./cast.ts";
import { CGROUP_KFUNCS } from "./cgroup.ts";
import { CONNTRACK_KFUNCS } from "./conntrack.ts";
import { CPUMASK_KFUNCS } from "./cpumask.ts";
import { CRITICAL_KFUNCS } from "./critical.ts";
import { CRYPTO_KFUNCS } from "./crypto.ts";
import { DYNPTR_KFUNCS } from "./dynptr.ts";
import { FS_KFUNCS } from "./fs.ts";
import { GRAPH_KFUNCS } from "./graph.ts";
import { ITER_KFUNCS } from "./iter.ts";
import type { Kfunc } from "./kfunc.ts";
import { MEM_KFUNCS } from "./mem.ts";
import { NET_KFUNCS } from "./net.ts";
import { OBJ_KFUNCS } from "./obj.ts";
import { SESSION_KFUNCS } from "./session.ts";
import { TASK_KFUNCS } from "./task.ts";
import { TCP_CA_KFUNCS } from "./tcp_ca.ts";
import { TEST_KFUNCS } from "./test.ts";
import { WQ_KFUNCS } from "./wq.ts";

export const KFUNCS: ReadonlyMap<string, Kfunc> = new Map(
  [
    ...OBJ_KFUNCS,
    ...GRAPH_KFUNCS,
    ...TASK_KFUNCS,
    ...CGROUP_KFUNCS,
    ...DYNPTR_KFUNCS,
    ...ITER_KFUNCS,
    ...CAST_KFUNCS,
    ...CRITICAL_KFUNCS,
    ...WQ_KFUNCS,
    ...MEM_KFUNCS,
    ...ARENA_KFUNCS,
    ...CPUMASK_KFUNCS,
    ...NET_KFUNCS,
    ...CONNTRACK_KFUNCS,
    ...CRYPTO_KFUNCS,
    ...FS_KFUNCS,
    ...SESSION_KFUNCS,
    ...TCP_CA_KFUNCS,
    ...TEST_KFUNCS,
  ].map((k) => [k.name, k]),
);
