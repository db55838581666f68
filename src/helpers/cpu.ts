/**
 * The CPU, random numbers and per-CPU kernel variables, of which there is one copy for all CPUs.
 *
 * Source   kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_get_numa_node_id,
  BPF_FUNC_get_prandom_u32,
  BPF_FUNC_get_smp_processor_id,
  BPF_FUNC_per_cpu_ptr,
  BPF_FUNC_this_cpu_ptr,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_PTR_TO_PERCPU_BTF_ID,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  RET_INTEGER,
  RET_PTR_TO_MEM_OR_BTF_ID,
} from "./types.ts";

export const get_prandom_u32: Helper = {
  id: BPF_FUNC_get_prandom_u32,
  name: "get_prandom_u32",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":p",
  call: (rt) => rt.random32(),
};

export const get_smp_processor_id: Helper = {
  id: BPF_FUNC_get_smp_processor_id,
  name: "get_smp_processor_id",
  proto: { args: [], ret: RET_INTEGER, allowFastcall: true },
  abi: ":p",
  core: "get_smp_processor_id",
};

export const get_numa_node_id: Helper = {
  id: BPF_FUNC_get_numa_node_id,
  name: "get_numa_node_id",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":i",
  call: () => 0,
};

export const per_cpu_ptr: Helper = {
  id: BPF_FUNC_per_cpu_ptr,
  name: "per_cpu_ptr",
  proto: {
    args: [ARG_PTR_TO_PERCPU_BTF_ID, ARG_ANYTHING],
    ret: RET_PTR_TO_MEM_OR_BTF_ID | PTR_MAYBE_NULL | MEM_RDONLY,
  },
  abi: "pp:p",
  call: (rt, ptr, cpu) => (cpu >>> 0 < rt.nCpus ? ptr : 0),
};

export const this_cpu_ptr: Helper = {
  id: BPF_FUNC_this_cpu_ptr,
  name: "this_cpu_ptr",
  proto: { args: [ARG_PTR_TO_PERCPU_BTF_ID], ret: RET_PTR_TO_MEM_OR_BTF_ID | MEM_RDONLY },
  abi: "p:p",
  call: (_rt, ptr) => ptr,
};
