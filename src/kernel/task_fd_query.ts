/**
 * BPF_TASK_FD_QUERY: the raw tracepoint or perf event that an fd of a process attaches a program to.
 *
 * Errors   EINVAL flags; ENOENT no such process, or a perf event without a program; EBADF no such fd; EOPNOTSUPP a perf event
 *          that samples; ENOTSUPP an fd that attaches nothing of that kind.
 */
import { BPF_FD_TYPE_RAW_TRACEPOINT, BPF_LINK_TYPE_RAW_TRACEPOINT } from "../abi/bpf.ts";
import { BpfError, EBADF, EINVAL, ENOENT, ENOTSUPP } from "../abi/errno.ts";
import type { TaskFdInfo } from "./bpf.ts";
import type { Kernel } from "./kernel.ts";
import { Link } from "./link.ts";
import { PerfEvent } from "./trace/perf_event.ts";

export function taskFdQuery(kernel: Kernel, pid: number, fd: number, flags: number): TaskFdInfo {
  if (flags) throw new BpfError(EINVAL, `task fd query: flags ${flags}; wanted 0`, { flags });
  const task = [...kernel.processes].find((p) => p.pid === pid);
  if (!task) throw new BpfError(ENOENT, `task fd query: no process ${pid}`, { pid });
  const obj = task.fdTable.find(fd);
  if (!task.fdTable.isOpen(fd)) throw new BpfError(EBADF, `task fd query: process ${pid} has no fd ${fd}`, { pid, fd });
  if (obj instanceof Link && obj.type.type === BPF_LINK_TYPE_RAW_TRACEPOINT) {
    const { progId, tpName = "" } = obj.info();
    return { progId, fdType: BPF_FD_TYPE_RAW_TRACEPOINT, name: tpName, probeOffset: 0n, probeAddr: 0n };
  }
  if (obj instanceof PerfEvent) return obj.fdQuery();
  throw new BpfError(ENOTSUPP, `task fd query: fd ${fd} of process ${pid} attaches no program by an event`, {
    pid,
    fd,
  });
}
