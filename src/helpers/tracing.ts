/**
 * Facts of the traced function and changes to its result.
 *
 * Source   kernel/trace/bpf_trace.c, kernel/bpf/bpf_lsm.c.
 */
import {
  BPF_FUNC_bprm_opts_set,
  BPF_FUNC_d_path,
  BPF_FUNC_get_attach_cookie,
  BPF_FUNC_get_func_arg,
  BPF_FUNC_get_func_arg_cnt,
  BPF_FUNC_get_func_ip,
  BPF_FUNC_get_func_ret,
  BPF_FUNC_ima_file_hash,
  BPF_FUNC_ima_inode_hash,
  BPF_FUNC_override_return,
} from "../abi/bpf.ts";
import { EINVAL, EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import { retBig } from "./runtime.ts";
import { TRACE_CTX } from "./trace_layout.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_CTX,
  ARG_PTR_TO_FIXED_SIZE_MEM,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_UNINIT_MEM,
  MEM_ALIGNED,
  MEM_UNINIT,
  MEM_WRITE,
  RET_INTEGER,
} from "./types.ts";

export const override_return: Helper = {
  id: BPF_FUNC_override_return,
  name: "override_return",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "pq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "the kernel is built without CONFIG_BPF_KPROBE_OVERRIDE" },
};

export const get_func_ip: Helper = {
  id: BPF_FUNC_get_func_ip,
  name: "get_func_ip",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER, gplOnly: true },
  abi: "p:q",
  call: (rt, ctx) => retBig(rt, rt.memory.readU64((ctx >>> 0) + TRACE_CTX.funcIp)),
};

export const get_attach_cookie: Helper = {
  id: BPF_FUNC_get_attach_cookie,
  name: "get_attach_cookie",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:q",
  call: (rt, ctx) => retBig(rt, rt.memory.readU64((ctx >>> 0) + TRACE_CTX.cookie)),
};

export const get_func_arg: Helper = {
  id: BPF_FUNC_get_func_arg,
  name: "get_func_arg",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, 8],
  },
  abi: "ppp:i",
  call: funcArg,
};

export const get_func_ret: Helper = {
  id: BPF_FUNC_get_func_ret,
  name: "get_func_ret",
  proto: {
    args: [ARG_PTR_TO_CTX, ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED],
    ret: RET_INTEGER,
    sizes: [undefined, 8],
  },
  abi: "pp:i",
  call: funcRet,
};

export const get_func_arg_cnt: Helper = {
  id: BPF_FUNC_get_func_arg_cnt,
  name: "get_func_arg_cnt",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER },
  abi: "p:i",
  call: argCount,
};

export const d_path: Helper = {
  id: BPF_FUNC_d_path,
  name: "d_path",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_MEM | MEM_WRITE, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    argBtf: ["path"],
  },
  abi: "ppp:i",
  unsupported: {
    errno: EOPNOTSUPP,
    reason: "files and paths are not modelled",
  },
};

export const bprm_opts_set: Helper = {
  id: BPF_FUNC_bprm_opts_set,
  name: "bprm_opts_set",
  proto: { args: [ARG_PTR_TO_BTF_ID, ARG_ANYTHING], ret: RET_INTEGER, argBtf: ["linux_binprm"] },
  abi: "pq:i",
  unsupported: {
    errno: EOPNOTSUPP,
    reason: "files and paths are not modelled",
  },
};

export const ima_inode_hash: Helper = {
  id: BPF_FUNC_ima_inode_hash,
  name: "ima_inode_hash",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE],
    ret: RET_INTEGER,
    argBtf: ["inode"],
    mightSleep: true,
  },
  abi: "ppp:i",
  unsupported: {
    errno: EOPNOTSUPP,
    reason: "files and paths are not modelled",
  },
};

export const ima_file_hash: Helper = {
  id: BPF_FUNC_ima_file_hash,
  name: "ima_file_hash",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE],
    ret: RET_INTEGER,
    argBtf: ["file"],
    mightSleep: true,
  },
  abi: "ppp:i",
  unsupported: {
    errno: EOPNOTSUPP,
    reason: "files and paths are not modelled",
  },
};

function argCount(rt: Runtime, ctx: number): number {
  return rt.memory.readU32((ctx >>> 0) + TRACE_CTX.argCount);
}

function funcArg(rt: Runtime, ctx: number, n: number, value: number): number {
  const { memory } = rt;
  const known = n >>> 0 < argCount(rt, ctx);
  memory.writeU64(value >>> 0, known ? memory.readU64((ctx >>> 0) + 8 * n) : 0n);
  return known ? 0 : -EINVAL;
}

/** The result lies behind the arguments, where the function has returned. */
function funcRet(rt: Runtime, ctx: number, value: number): number {
  if (!rt.memory.readU32((ctx >>> 0) + TRACE_CTX.hasResult)) return -EOPNOTSUPP;
  rt.memory.writeU64(value >>> 0, rt.memory.readU64((ctx >>> 0) + 8 * argCount(rt, ctx)));
  return 0;
}
