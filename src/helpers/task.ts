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
import { EINVAL, ENOTSUPP } from "../abi/errno.ts";
import type { Helper, Runtime } from "./helper.ts";
import { big, ret64 } from "./runtime.ts";
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
  call: pidTgid,
};

export const get_current_uid_gid: Helper = {
  id: BPF_FUNC_get_current_uid_gid,
  name: "get_current_uid_gid",
  proto: { args: [], ret: RET_INTEGER },
  abi: ":q",
  call: uidGid,
};

export const get_current_comm: Helper = {
  id: BPF_FUNC_get_current_comm,
  name: "get_current_comm",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "pp:i",
  call: comm,
};

export const get_current_task: Helper = {
  id: BPF_FUNC_get_current_task,
  name: "get_current_task",
  proto: { args: [], ret: RET_INTEGER, gplOnly: true },
  abi: ":q",
  call: currentTask,
};

export const get_current_task_btf: Helper = {
  id: BPF_FUNC_get_current_task_btf,
  name: "get_current_task_btf",
  proto: { args: [], ret: RET_PTR_TO_BTF_ID_TRUSTED, retBtf: "task_struct", gplOnly: true },
  abi: ":p",
  call: currentTaskAddr,
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
  unsupported: { errno: ENOTSUPP, reason: "the task model has no user registers" },
};

export const get_ns_current_pid_tgid: Helper = {
  id: BPF_FUNC_get_ns_current_pid_tgid,
  name: "get_ns_current_pid_tgid",
  proto: { args: [ARG_ANYTHING, ARG_ANYTHING, ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE], ret: RET_INTEGER },
  abi: "qqpp:i",
  call: nsPidTgid,
};

export const send_signal: Helper = {
  id: BPF_FUNC_send_signal,
  name: "send_signal",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER },
  abi: "p:i",
  unsupported: { errno: ENOTSUPP, reason: "signals are not modelled" },
};

export const send_signal_thread: Helper = {
  id: BPF_FUNC_send_signal_thread,
  name: "send_signal_thread",
  proto: { args: [ARG_ANYTHING], ret: RET_INTEGER },
  abi: "p:i",
  unsupported: { errno: ENOTSUPP, reason: "signals are not modelled" },
};

export const current_task_under_cgroup: Helper = {
  id: BPF_FUNC_current_task_under_cgroup,
  name: "current_task_under_cgroup",
  proto: { args: [ARG_CONST_MAP_PTR, ARG_ANYTHING], ret: RET_INTEGER },
  abi: "pp:i",
  unsupported: { errno: ENOTSUPP, reason: "cgroups are not modelled" },
};

export const copy_from_user: Helper = {
  id: BPF_FUNC_copy_from_user,
  name: "copy_from_user",
  proto: { args: [ARG_PTR_TO_UNINIT_MEM, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING], ret: RET_INTEGER, mightSleep: true },
  abi: "ppq:i",
  core: "probe_read",
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
  abi: "ppqpq:i",
  call: copyFromUserTask,
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
  unsupported: { errno: ENOTSUPP, reason: "virtual memory areas are not modelled" },
};

/** The task that a program finds itself in. */
export interface CurrentTask {
  readonly pid: number;
  readonly tgid: number;
  readonly uid: number;
  readonly gid: number;
  readonly comm: string;
  /** Address of its task_struct. */
  readonly addr: number;
  /** Device and inode of its pid namespace. */
  readonly pidNsDev: bigint;
  readonly pidNsIno: bigint;
}

declare module "./helper.ts" {
  interface RuntimeServices {
    readonly task: { current(): CurrentTask };
  }
}

function pidTgid(rt: Runtime): number {
  const t = rt.services.task.current();
  return ret64(rt, t.pid, t.tgid);
}

function uidGid(rt: Runtime): number {
  const t = rt.services.task.current();
  return ret64(rt, t.uid, t.gid);
}

function comm(rt: Runtime, buf: number, size: number): number {
  const n = size >>> 0;
  if (!n) return -EINVAL;
  const name = new TextEncoder().encode(rt.services.task.current().comm).subarray(0, Math.min(15, n - 1));
  rt.memory.fill(buf >>> 0, 0, n);
  rt.memory.writeBytes(buf >>> 0, name);
  return 0;
}

function currentTask(rt: Runtime): number {
  return ret64(rt, rt.services.task.current().addr, 0);
}

function currentTaskAddr(rt: Runtime): number {
  return rt.services.task.current().addr;
}

function nsPidTgid(rt: Runtime, dl: number, dh: number, il: number, ih: number, nsdata: number, size: number): number {
  const t = rt.services.task.current();
  const same = big(dl, dh) === t.pidNsDev && big(il, ih) === t.pidNsIno;
  const n = size >>> 0;
  if (n !== 8 || !same) {
    rt.memory.fill(nsdata >>> 0, 0, n);
    return -EINVAL;
  }
  rt.memory.writeU32(nsdata >>> 0, t.pid);
  rt.memory.writeU32((nsdata >>> 0) + 4, t.tgid);
  return 0;
}

/** Every task shares the one address space. */
function copyFromUserTask(
  rt: Runtime,
  dst: number,
  size: number,
  srcLo: number,
  srcHi: number,
  _task: number,
  flagsLo: number,
  flagsHi: number,
): number {
  if (flagsLo | flagsHi) return -EINVAL;
  return rt.memory.exports<ProbeExports>().probe_read(dst, size, big(srcLo, srcHi));
}

interface ProbeExports {
  probe_read(dst: number, size: number, src: bigint): number;
}
