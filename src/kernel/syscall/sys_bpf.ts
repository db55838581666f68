/**
 * bpf(2) itself: a command and the bytes of union bpf_attr, in the layout of Linux 6.18 on a 64-bit machine.
 *
 * Size     more than a page is E2BIG; what is longer than the union must be zero (E2BIG); what is shorter counts as zero.
 *          Bytes behind the last member that a command knows must be zero (EINVAL).
 * Results  are written into the attr and into the caller's memory; the number returned is an fd, a count or 0.
 * Errors   BpfError with Linux's errno. An unknown command is EINVAL.
 * Source   __sys_bpf() in kernel/bpf/syscall.c.
 */
import { PROG_LOAD } from "../../abi/attr.ts";
import { EFAULT, EINVAL } from "../../abi/errno.ts";
import type { Process } from "../process.ts";
import { Call, checkTail } from "./call.ts";
import { refuse } from "./command.ts";
import { COMMANDS } from "./table.ts";
import { UserBuffers, type UserMemory } from "./user_memory.ts";

/** sizeof(union bpf_attr): its longest member. */
export const ATTR_SIZE = PROG_LOAD.size;

/** @param attr  the caller's memory from the address of the attr on: results are written here */
export function sysBpf(
  proc: Process,
  cmd: number,
  attr: Uint8Array,
  size: number,
  mem: UserMemory = new UserBuffers(),
): number {
  const part = (off: number, len: number): Uint8Array => {
    if (off + len > attr.length) refuse(EFAULT, `an attr of ${attr.length} bytes, said to be of ${size}`, { size });
    return attr.subarray(off, off + len);
  };
  checkTail(ATTR_SIZE, size, part);
  const known = Math.min(size, ATTR_SIZE);
  const own = new Uint8Array(ATTR_SIZE);
  own.set(part(0, known));
  const entry = COMMANDS[cmd];
  if (!entry) return refuse(EINVAL, `bpf(2) has no command ${cmd}`, { cmd });
  const call = new Call(proc, mem, own, known, attr);
  entry.allowed?.(call);
  const extra = own.findIndex((byte, at) => at >= entry.end && byte !== 0);
  if (extra >= 0) refuse(EINVAL, `byte ${extra} of the attr is ${own[extra]}; command ${cmd} knows ${entry.end} bytes`);
  return entry.run(call);
}
