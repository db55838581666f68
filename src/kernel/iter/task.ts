/**
 * task and task_file: processes, and the files that they have open.
 *
 * Errors   EINVAL more than one of tid, pid and pidFd; EBADF a pidFd (there are none).
 * Source   kernel/bpf/task_iter.c. A process is one thread.
 */
import { BpfError, EBADF, EINVAL } from "../../abi/errno.ts";
import type { IterLinkInfo, LinkInfo } from "../bpf.ts";
import type { Kernel } from "../kernel.ts";
import type { Prog } from "../prog.ts";
import { fileStruct } from "../structs/bpf_objects.ts";
import type { Task } from "../task.ts";
import { type IterTarget, numbered, type Walk } from "./target.ts";

/** The processes that a link is about. */
interface Which {
  readonly only: number | undefined;
  readonly info: Partial<LinkInfo>;
}

function which(prog: Prog, { tid = 0, pid = 0, pidFd = 0 as IterLinkInfo["pidFd"] }: IterLinkInfo): Which {
  if ([tid, pid, pidFd].filter(Boolean).length > 1) {
    throw new BpfError(EINVAL, `iterator '${prog.name}': wanted one of tid, pid and pid_fd`, { tid, pid, pidFd });
  }
  if (pidFd) throw new BpfError(EBADF, `iterator '${prog.name}': fd ${pidFd} is no pidfd`, { pidFd });
  return { only: tid || pid || undefined, info: { ...(tid ? { tid } : {}), ...(pid ? { pid } : {}) } };
}

function* tasks(kernel: Kernel, { only }: Which): IterableIterator<Task> {
  for (const task of kernel.processes) if (only === undefined || task.pid === only) yield task;
}

function target(open: (kernel: Kernel, of: Which) => Walk): IterTarget {
  return {
    resched: true,
    attach({ kernel }, prog, info) {
      const of = which(prog, info);
      return { held: [], info: of.info, open: () => open(kernel, of) };
    },
  };
}

export const taskTarget = target((kernel, of) => {
  const find = (from: number) => {
    for (const item of tasks(kernel, of)) if (item.pid >= from) return { pos: item.pid, item };
    return undefined;
  };
  return numbered(find, (_scope, task) => [task ? BigInt(kernel.taskStructs.of(task)) : 0n]);
});

/** More fds than a process can have. */
const FDS = 2 ** 21;

export const taskFileTarget = target((kernel, of) => {
  const find = (from: number) => {
    for (const task of tasks(kernel, of)) {
      for (const [fd, { obj }] of task.fdTable.entries()) {
        const pos = task.pid * FDS + fd;
        if (pos >= from) return { pos, item: { task, fd, obj } };
      }
    }
    return undefined;
  };
  return numbered(find, (scope, item) =>
    item
      ? [BigInt(kernel.taskStructs.of(item.task)), BigInt(item.fd), BigInt(fileStruct(scope, item.obj))]
      : [0n, 0n, 0n],
  );
});
