/** The system calls that the simulated kernel has, with x86-64's numbers and their arguments' names. */
export interface Syscall {
  readonly name: string;
  readonly nr: number;
  readonly args: readonly string[];
}

const call = (nr: number, name: string, ...args: string[]): Syscall => ({ name, nr, args });

export const SYSCALLS: readonly Syscall[] = [
  call(3, "close", "fd"),
  call(57, "fork"),
  call(298, "perf_event_open", "attr_uptr", "pid", "cpu", "group_fd", "flags"),
  call(308, "setns", "fd", "flags"),
  call(321, "bpf", "cmd", "uattr", "size"),
];

export function findSyscall(name: string): Syscall | undefined {
  return SYSCALLS.find((c) => c.name === name);
}
