/**
 * Local storage of sockets, tasks, inodes and cgroups.
 *
 * Source   kernel/bpf/bpf_*_storage.c, net/core/bpf_sk_storage.c.
 */
import {
  BPF_FUNC_cgrp_storage_delete,
  BPF_FUNC_cgrp_storage_get,
  BPF_FUNC_get_local_storage,
  BPF_FUNC_inode_storage_delete,
  BPF_FUNC_inode_storage_get,
  BPF_FUNC_sk_storage_delete,
  BPF_FUNC_sk_storage_get,
  BPF_FUNC_task_storage_delete,
  BPF_FUNC_task_storage_get,
  BPF_PROG_TYPE_CGROUP_SOCK,
  BPF_PROG_TYPE_SYSCALL,
  BPF_PROG_TYPE_TRACING,
} from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_PTR_TO_BTF_ID_OR_NULL,
  ARG_PTR_TO_BTF_ID_SOCK_COMMON,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_MAP_VALUE_OR_NULL,
  RET_INTEGER,
  RET_PTR_TO_MAP_VALUE,
  RET_PTR_TO_MAP_VALUE_OR_NULL,
} from "./types.ts";

export const sk_storage_get: Helper = {
  id: BPF_FUNC_sk_storage_get,
  name: "sk_storage_get",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_SOCK_COMMON, ARG_PTR_TO_MAP_VALUE_OR_NULL, ARG_ANYTHING],
    ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
  },
  variants: [
    {
      progs: [BPF_PROG_TYPE_CGROUP_SOCK],
      proto: {
        args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_CTX, ARG_PTR_TO_MAP_VALUE_OR_NULL, ARG_ANYTHING],
        ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
      },
    },
    {
      progs: [BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_SYSCALL],
      proto: {
        args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL, ARG_PTR_TO_MAP_VALUE_OR_NULL, ARG_ANYTHING],
        ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
        argBtf: [undefined, "sock_common"],
      },
    },
  ],
  abi: "pppq:p",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const sk_storage_delete: Helper = {
  id: BPF_FUNC_sk_storage_delete,
  name: "sk_storage_delete",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_SOCK_COMMON], ret: RET_INTEGER },
  variants: [
    {
      progs: [BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_SYSCALL],
      proto: {
        args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL],
        ret: RET_INTEGER,
        argBtf: [undefined, "sock_common"],
      },
    },
  ],
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const task_storage_get: Helper = {
  id: BPF_FUNC_task_storage_get,
  name: "task_storage_get",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL, ARG_PTR_TO_MAP_VALUE_OR_NULL, ARG_ANYTHING],
    ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
    argBtf: [undefined, "task_struct"],
  },
  abi: "pppq:p",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const task_storage_delete: Helper = {
  id: BPF_FUNC_task_storage_delete,
  name: "task_storage_delete",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL], ret: RET_INTEGER, argBtf: [undefined, "task_struct"] },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const inode_storage_get: Helper = {
  id: BPF_FUNC_inode_storage_get,
  name: "inode_storage_get",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL, ARG_PTR_TO_MAP_VALUE_OR_NULL, ARG_ANYTHING],
    ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
    argBtf: [undefined, "inode"],
  },
  abi: "pppq:p",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const inode_storage_delete: Helper = {
  id: BPF_FUNC_inode_storage_delete,
  name: "inode_storage_delete",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL], ret: RET_INTEGER, argBtf: [undefined, "inode"] },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const cgrp_storage_get: Helper = {
  id: BPF_FUNC_cgrp_storage_get,
  name: "cgrp_storage_get",
  proto: {
    args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL, ARG_PTR_TO_MAP_VALUE_OR_NULL, ARG_ANYTHING],
    ret: RET_PTR_TO_MAP_VALUE_OR_NULL,
    argBtf: [undefined, "cgroup"],
  },
  abi: "pppq:p",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const cgrp_storage_delete: Helper = {
  id: BPF_FUNC_cgrp_storage_delete,
  name: "cgrp_storage_delete",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_PTR_TO_BTF_ID_OR_NULL], ret: RET_INTEGER, argBtf: [undefined, "cgroup"] },
  abi: "pp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};

export const get_local_storage: Helper = {
  id: BPF_FUNC_get_local_storage,
  name: "get_local_storage",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_PTR_TO_MAP_VALUE },
  abi: "pq:p",
  unsupported: { errno: EOPNOTSUPP, reason: "local storage is not modelled" },
};
