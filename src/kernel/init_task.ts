/** The task in which programs run while no scheduler is modelled: what a test run of an idle machine shows. */
import type { CurrentTask } from "../helpers/task.ts";

const task: Omit<CurrentTask, "addr"> = {
  pid: 1,
  tgid: 1,
  uid: 0,
  gid: 0,
  comm: "skep",
  pidNsDev: 4n,
  pidNsIno: 4026531836n,
};

/** structBytes: room for a task_struct of any kernel's BTF, all zeros. */
export const INIT_TASK = { task, structBytes: 16384 } as const;
