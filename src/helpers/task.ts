/**
 * The current task, its identity, memory and signals.
 *
 * Source   kernel/bpf/helpers.c, kernel/trace/bpf_trace.c.
 */
import {
  BPF_FUNC_copy_from_user,
  BPF_FUNC_copy_from_user_task,
  BPF_FUNC_current_task_under_cgroup,
  BPF_FUNC_find_vma,
  BPF_FUNC_get_current_comm,
  BPF_FUNC_get_current_pid_tgid,
  BPF_FUNC_get_current_task,
  BPF_FUNC_get_current_task_btf,
  BPF_FUNC_get_current_uid_gid,
  BPF_FUNC_get_ns_current_pid_tgid,
  BPF_FUNC_send_signal,
  BPF_FUNC_send_signal_thread,
  BPF_FUNC_task_pt_regs,
} from "../abi/bpf.ts";
import type { Helper } from "./helper.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_MAP_PTR,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_FUNC,
  ARG_PTR_TO_STACK_OR_NULL,
  ARG_PTR_TO_UNINIT_MEM,
  RET_INTEGER,
  RET_PTR_TO_BTF_ID,
  RET_PTR_TO_BTF_ID_TRUSTED,
} from "./types.ts";

export const get_current_pid_tgid: Helper = {
  id: BPF_FUNC_get_current_pid_tgid,
  name: "get_current_pid_tgid",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};

export const get_current_uid_gid: Helper = {
  id: BPF_FUNC_get_current_uid_gid,
  name: "get_current_uid_gid",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
};

export const get_current_comm: Helper = {
  id: BPF_FUNC_get_current_comm,
  name: "get_current_comm",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "pp:i",
};

export const get_current_task: Helper = {
  id: BPF_FUNC_get_current_task,
  name: "get_current_task",
  proto: { args: [], ret: RET_INTEGER, gplOnly: true },
  abi: ":q",
};

export const get_current_task_btf: Helper = {
  id: BPF_FUNC_get_current_task_btf,
  name: "get_current_task_btf",
  proto: { args: [], ret: RET_PTR_TO_BTF_ID_TRUSTED, retBtf: "task_struct", gplOnly: true },
  abi: ":p",
};

export const task_pt_regs: Helper = {
  id: BPF_FUNC_task_pt_regs,
  name: "task_pt_regs",
  proto: {
    args: [ARG_PTR_TO_BTF_ID],
    ret: RET_PTR_TO_BTF_ID,
    argBtf: ["task_struct"],
    retBtf: "pt_regs",
    gplOnly: true,
  },
  abi: "p:p",
};

export const get_ns_current_pid_tgid: Helper = {
  id: BPF_FUNC_get_ns_current_pid_tgid,
  name: "get_ns_current_pid_tgid",
  proto: { args: [ARG_ANYTHING, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "qqpp:i",
};

export const send_signal: Helper = {
  id: BPF_FUNC_send_signal,
  name: "send_signal",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER },
  abi: "p:i",
};

export const send_signal_thread: Helper = {
  id: BPF_FUNC_send_signal_thread,
  name: "send_signal_thread",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER },
  abi: "p:i",
};

export const current_task_under_cgroup: Helper = {
  id: BPF_FUNC_current_task_under_cgroup,
  name: "current_task_under_cgroup",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
};

export const copy_from_user: Helper = {
  id: BPF_FUNC_copy_from_user,
  name: "copy_from_user",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, mightSleep: true },
  abi: "ppp:i",
};

export const copy_from_user_task: Helper = {
  id: BPF_FUNC_copy_from_user_task,
  name: "copy_from_user_task",
  proto: {
    args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING, ARG_PTR_TO_BTF_ID, ARG_ANYTHING],
    ret: RET_INTEGER,
    argBtf: [undefined, undefined, undefined, "task_struct"],
    gplOnly: true,
    mightSleep: true,
  },
  abi: "ppppq:i",
};

export const find_vma: Helper = {
  id: BPF_FUNC_find_vma,
  name: "find_vma",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_ANYTHING, ARG_PTR_TO_FUNC, ARG_PTR_TO_STACK_OR_NULL, ARG_ANYTHING],
    ret: RET_INTEGER,
    argBtf: ["task_struct"],
  },
  callsBack: true,
  abi: "pqppq:i",
};
