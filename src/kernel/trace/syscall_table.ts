/** The system calls that the simulated kernel has, with x86-64's numbers and their arguments' names. */
export interface Syscall {
  readonly name: string;
  readonly nr: number;
  readonly args: readonly string[];
}

const call = (nr: number, name: string, ...args: string[]): Syscall => ({ name, nr, args });

export const SYSCALLS: readonly Syscall[] = [
  call(3, "close", "fd"),
  call(41, "socket", "family", "type", "protocol"),
  call(42, "connect", "fd", "uservaddr", "addrlen"),
  call(44, "sendto", "fd", "buff", "len", "flags", "addr", "addr_len"),
  call(45, "recvfrom", "fd", "ubuf", "size", "flags", "addr", "addr_len"),
  call(49, "bind", "fd", "umyaddr", "addrlen"),
  call(50, "listen", "fd", "backlog"),
  call(57, "fork"),
  call(165, "mount", "dev_name", "dir_name", "type", "flags", "data"),
  call(231, "exit_group", "error_code"),
  call(288, "accept4", "fd", "upeer_sockaddr", "upeer_addrlen", "flags"),
  call(298, "perf_event_open", "attr_uptr", "pid", "cpu", "group_fd", "flags"),
  call(308, "setns", "fd", "flags"),
  call(321, "bpf", "cmd", "uattr", "size"),
];

export function findSyscall(name: string): Syscall | undefined {
  return SYSCALLS.find((c) => c.name === name);
}
