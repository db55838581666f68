/**
 * Cgroup programs: identity, results and sysctl.
 *
 * Source   kernel/bpf/cgroup.c, net/core/filter.c.
 */
import {
  BPF_FUNC_get_cgroup_classid,
  BPF_FUNC_get_current_ancestor_cgroup_id,
  BPF_FUNC_get_current_cgroup_id,
  BPF_FUNC_get_retval,
  BPF_FUNC_set_retval,
  BPF_FUNC_sk_ancestor_cgroup_id,
  BPF_FUNC_sk_cgroup_id,
  BPF_FUNC_skb_ancestor_cgroup_id,
  BPF_FUNC_skb_cgroup_classid,
  BPF_FUNC_skb_cgroup_id,
  BPF_FUNC_skb_under_cgroup,
  BPF_FUNC_sysctl_get_current_value,
  BPF_FUNC_sysctl_get_name,
  BPF_FUNC_sysctl_get_new_value,
  BPF_FUNC_sysctl_set_new_value,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_LWT_SEG6LOCAL,
  BPF_PROG_TYPE_LWT_XMIT,
  BPF_PROG_TYPE_SCHED_ACT,
  BPF_PROG_TYPE_SCHED_CLS,
} from "../abi/bpf.ts";
import { EINVAL, EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import { ret64 } from "./runtime.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_PTR_TO_BTF_ID_SOCK_COMMON,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_RDONLY,
  MEM_WRITE,
  RET_INTEGER,
} from "./types.ts";

export interface CgroupService {
  currentId(): bigint;
  /** 0 where there is no such level. */
  currentAncestorId(level: number): bigint;
  /** Of the cgroup programs that run now. */
  retval(): number;
  setRetval(value: number): void;
}

declare module "./helper.ts" {
  interface RuntimeServices {
    readonly cgroup: CgroupService;
  }
}

/** Packets and sockets of test runs are in the root cgroup. */
const ROOT_CGROUP = 1;
/** MAX_ERRNO. */
const MAX_ERRNO = 4095;

const id64 = (rt: Runtime, id: bigint): number => ret64(rt, Number(id & 0xffffffffn), Number(id >> 32n));

export const get_current_cgroup_id: Helper = {
  id: BPF_FUNC_get_current_cgroup_id,
  name: "get_current_cgroup_id",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: (rt) => id64(rt, rt.services.cgroup.currentId()),
};

export const get_current_ancestor_cgroup_id: Helper = {
  id: BPF_FUNC_get_current_ancestor_cgroup_id,
  name: "get_current_ancestor_cgroup_id",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER },
  abi: "p:q",
  call: (rt, level) => id64(rt, rt.services.cgroup.currentAncestorId(level | 0)),
};

export const get_cgroup_classid: Helper = {
  id: BPF_FUNC_get_cgroup_classid,
  name: "get_cgroup_classid",
  // Of the current task, but of the packet where there is one to forward.
  proto: { args: [], ret: RET_INTEGER },
  variants: [
    {
      progs: [
        BPF_PROG_TYPE_SCHED_CLS,
        BPF_PROG_TYPE_SCHED_ACT,
        BPF_PROG_TYPE_LWT_IN,
        BPF_PROG_TYPE_LWT_OUT,
        BPF_PROG_TYPE_LWT_XMIT,
        BPF_PROG_TYPE_LWT_SEG6LOCAL,
      ],
      proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
    },
  ],
  abi: "p:p",
  call: () => 0,
};

export const skb_cgroup_classid: Helper = {
  id: BPF_FUNC_skb_cgroup_classid,
  name: "skb_cgroup_classid",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:q",
  call: (rt) => ret64(rt, 0, 0),
};

export const skb_cgroup_id: Helper = {
  id: BPF_FUNC_skb_cgroup_id,
  name: "skb_cgroup_id",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:q",
  call: (rt) => ret64(rt, ROOT_CGROUP, 0),
};

export const skb_ancestor_cgroup_id: Helper = {
  id: BPF_FUNC_skb_ancestor_cgroup_id,
  name: "skb_ancestor_cgroup_id",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:q",
  call: (rt, _skb, level) => ret64(rt, level === 0 ? ROOT_CGROUP : 0, 0),
};

export const sk_cgroup_id: Helper = {
  id: BPF_FUNC_sk_cgroup_id,
  name: "sk_cgroup_id",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_INTEGER },
  abi: "p:q",
  call: (rt) => ret64(rt, ROOT_CGROUP, 0),
};

export const sk_ancestor_cgroup_id: Helper = {
  id: BPF_FUNC_sk_ancestor_cgroup_id,
  name: "sk_ancestor_cgroup_id",
  proto: { args: [ARG_PTR_TO_BTF_ID_SOCK_COMMON, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:q",
  call: (rt, _sk, level) => ret64(rt, level === 0 ? ROOT_CGROUP : 0, 0),
};

export const skb_under_cgroup: Helper = {
  id: BPF_FUNC_skb_under_cgroup,
  name: "skb_under_cgroup",
  proto: { args: [ARG_PTR_TO_CTX, ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "ppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "no cgroup hooks are modelled" },
};

export const get_retval: Helper = {
  id: BPF_FUNC_get_retval,
  name: "get_retval",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":i",
  call: (rt) => rt.services.cgroup.retval(),
};

export const set_retval: Helper = {
  id: BPF_FUNC_set_retval,
  name: "set_retval",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER },
  abi: "p:i",
  call(rt, value) {
    if ((value | 0) > 0 || (value | 0) < -MAX_ERRNO) return -EINVAL;
    rt.services.cgroup.setRetval(value | 0);
    return 0;
  },
};

export const sysctl_get_name: Helper = {
  id: BPF_FUNC_sysctl_get_name,
  name: "sysctl_get_name",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_WRITE, ARG_CONST_SIZE, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "ppqq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "no cgroup hooks are modelled" },
};

export const sysctl_get_current_value: Helper = {
  id: BPF_FUNC_sysctl_get_current_value,
  name: "sysctl_get_current_value",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "ppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "no cgroup hooks are modelled" },
};

export const sysctl_get_new_value: Helper = {
  id: BPF_FUNC_sysctl_get_new_value,
  name: "sysctl_get_new_value",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "ppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "no cgroup hooks are modelled" },
};

export const sysctl_set_new_value: Helper = {
  id: BPF_FUNC_sysctl_set_new_value,
  name: "sysctl_set_new_value",
  proto: { args: [ARG_PTR_TO_CTX, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "ppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "no cgroup hooks are modelled" },
};
