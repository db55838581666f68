/**
 * System calls as tracing programs see them: raw_syscalls and syscalls events, the function __x64_sys_NAME, and the LSM hooks
 * that a call passes.
 *
 * Order      sys_enter, syscalls:sys_enter_NAME, probes of __x64_sys_NAME, the call, sys_exit, syscalls:sys_exit_NAME.
 * Errors     what the call throws; the errno that an LSM program returns, for which the call does nothing; EPERM where a
 *            program put a result other than an errno in its place.
 * Differs    typed commands have no union bpf_attr: their second argument is 0 and NULL for LSM programs. Where nothing is attached, nothing is done.
 */
import { BPF_F_RDONLY, BPF_F_WRONLY } from "../../abi/bpf.ts";
import { BpfError, EPERM, type Errno } from "../../abi/errno.ts";
import type { FdEntry } from "../fd_table.ts";
import type { Kernel } from "../kernel.ts";
import type { KMap } from "../map.ts";
import type { Prog } from "../prog.ts";
import { mapStruct, progStruct } from "../structs/bpf_objects.ts";
import { StructScope } from "../structs/scope.ts";
import type { Task } from "../task.ts";
import { PT_REGS } from "./context.ts";
import { findSyscall } from "./syscall_table.ts";

const ARG_REGS = [PT_REGS.di, PT_REGS.si, PT_REGS.dx, 56, PT_REGS.r8, PT_REGS.r9] as const;

/**
 * `task` makes a system call of the table.
 * @param result  what the call returns as a number, for those who look at it
 */
export function syscall<T>(
  task: Task,
  name: string,
  args: readonly bigint[],
  body: () => T,
  result: (value: T) => bigint = numberOf,
): T {
  const { kernel } = task;
  const { traceHooks } = kernel;
  if (traceHooks.idle || traceHooks.inSyscall.has(task)) return body();
  traceHooks.inSyscall.add(task);
  try {
    return task.as(() => traced(kernel, name, args, body, result));
  } finally {
    traceHooks.inSyscall.delete(task);
  }
}

function numberOf(value: unknown): bigint {
  if (typeof value === "number") return BigInt(value);
  return typeof value === "bigint" ? value : 0n;
}

function traced<T>(
  kernel: Kernel,
  name: string,
  args: readonly bigint[],
  body: () => T,
  result: (value: T) => bigint,
): T {
  const { traceHooks, memory } = kernel;
  const nr = BigInt(findSyscall(name)?.nr ?? -1);
  const regs = memory.alloc(PT_REGS.bytes);
  let done: { value: T } | { error: unknown } | undefined;
  try {
    memory.writeU64(regs + PT_REGS.origAx, BigInt.asUintN(64, nr));
    args.forEach((arg, i) => {
      memory.writeU64(regs + ARG_REGS[i]!, BigInt.asUintN(64, arg));
    });
    const six = Array.from({ length: 6 }, (_, i) => args[i] ?? 0n);
    traceHooks.tracepoint("raw_syscalls", "sys_enter", [BigInt(regs), nr, ...six], 2);
    traceHooks.tracepoint("syscalls", `sys_enter_${name}`, [nr, ...args]);
    const ret = traceHooks.call(`__x64_sys_${name}`, [BigInt(regs)], () => {
      try {
        const value = body();
        done = { value };
        return result(value);
      } catch (error) {
        done = { error };
        return error instanceof BpfError ? -BigInt(error.errno) : -1n;
      }
    });
    memory.writeU64(regs + PT_REGS.ax, BigInt.asUintN(64, ret));
    traceHooks.tracepoint("raw_syscalls", "sys_exit", [BigInt(regs), ret, nr], 2);
    traceHooks.tracepoint("syscalls", `sys_exit_${name}`, [nr, ret]);
    if (!done) throw refused(`system call ${name}`, ret);
  } finally {
    memory.free(regs);
  }
  if ("error" in done) throw done.error;
  return done.value;
}

function refused(what: string, ret: bigint): BpfError {
  const errno = ret < 0n ? (Number(-ret) as Errno) : EPERM;
  return new BpfError(errno, `${what}: a program refuses it`, { ret });
}

/** A hook of the Linux security modules. @throws BpfError the errno that a program returned */
export function lsm(kernel: Kernel, hook: string, args: () => readonly bigint[]): void {
  const { traceHooks } = kernel;
  const func = `bpf_lsm_${hook}`;
  if (!traceHooks.watched(func)) return;
  const ret = traceHooks.call(func, args, () => 0n);
  if (ret) throw refused(`LSM hook ${hook}`, ret);
}

/** sizeof(union bpf_attr), and more: programs read within the union. */
const ATTR_ROOM = 256;

/** security_bpf(). @param attr  absent: programs see NULL @throws BpfError */
export function lsmBpf(kernel: Kernel, cmd: number, attr: Uint8Array | undefined, size: bigint): void {
  using scope = new StructScope(kernel);
  lsm(kernel, "bpf", () => [BigInt(cmd), attr ? BigInt(scope.padded(attr, ATTR_ROOM)) : 0n, size, 0n]);
}

const FMODE_READ = 1n;
const FMODE_WRITE = 2n;

/** The hook for a new fd on a map or program. @throws BpfError */
export function lsmOfFd(kernel: Kernel, { obj, mode }: FdEntry): void {
  using scope = new StructScope(kernel);
  if (obj.kind === "map") {
    const access = (mode & BPF_F_WRONLY ? 0n : FMODE_READ) | (mode & BPF_F_RDONLY ? 0n : FMODE_WRITE);
    lsm(kernel, "bpf_map", () => [BigInt(mapStruct(scope, obj as KMap)), access]);
  } else if (obj.kind === "prog") {
    lsm(kernel, "bpf_prog", () => [BigInt(progStruct(scope, obj as Prog))]);
  }
}

/** security_file_open(). @throws BpfError */
export function lsmFileOpen(kernel: Kernel, name: string): void {
  using scope = new StructScope(kernel);
  lsm(kernel, "file_open", () => {
    const dentry = scope.alloc("dentry", { "d_name.name": scope.text(name), "d_name.len": name.length });
    return [BigInt(scope.alloc("file", { "f_path.dentry": dentry }))];
  });
}
