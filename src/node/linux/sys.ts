/**
 * System calls from JavaScript: libc's syscall() through koffi, an optional package that is loaded on first use.
 *
 * Arguments  numbers; a pointer is addressOf(bytes). Whoever passes a pointer keeps the bytes reachable until the call
 *            returns (Sys.keep), because a garbage collector that sees no reference may free them before.
 * Results    the call's result, or -errno.
 */
import { createRequire } from "node:module";
import type { Errno } from "../../abi/errno.ts";
import { BpfError, EOPNOTSUPP, errnoName } from "../../abi/errno.ts";

/** The part of koffi that is used. */
interface Koffi {
  load(path: string | null): { func(name: string, result: string, args: readonly string[]): SyscallFunction };
  address(value: unknown): bigint;
  view(address: number | bigint, len: number): ArrayBuffer;
  errno(): number;
}

type SyscallFunction = {
  (...args: number[]): number;
  async(...args: unknown[]): void;
};

/** Numbers by architecture, as Node calls it. */
const NUMBERS = {
  read: { x64: 0, arm64: 63 },
  write: { x64: 1, arm64: 64 },
  close: { x64: 3, arm64: 57 },
  mmap: { x64: 9, arm64: 222 },
  munmap: { x64: 11, arm64: 215 },
  ioctl: { x64: 16, arm64: 29 },
  socket: { x64: 41, arm64: 198 },
  connect: { x64: 42, arm64: 203 },
  sendto: { x64: 44, arm64: 206 },
  recvfrom: { x64: 45, arm64: 207 },
  sendmsg: { x64: 46, arm64: 211 },
  recvmsg: { x64: 47, arm64: 212 },
  bind: { x64: 49, arm64: 200 },
  getsockname: { x64: 51, arm64: 204 },
  getpeername: { x64: 52, arm64: 205 },
  socketpair: { x64: 53, arm64: 199 },
  setsockopt: { x64: 54, arm64: 208 },
  getsockopt: { x64: 55, arm64: 209 },
  fcntl: { x64: 72, arm64: 25 },
  flock: { x64: 73, arm64: 32 },
  mkdirat: { x64: 258, arm64: 34 },
  fchownat: { x64: 260, arm64: 54 },
  linkat: { x64: 265, arm64: 37 },
  symlinkat: { x64: 266, arm64: 36 },
  readlinkat: { x64: 267, arm64: 78 },
  fchmodat: { x64: 268, arm64: 53 },
  renameat2: { x64: 316, arm64: 276 },
  setgroups: { x64: 116, arm64: 159 },
  setresuid: { x64: 117, arm64: 147 },
  setresgid: { x64: 119, arm64: 149 },
  capset: { x64: 126, arm64: 91 },
  prctl: { x64: 157, arm64: 167 },
  setfsuid: { x64: 122, arm64: 151 },
  setfsgid: { x64: 123, arm64: 152 },
  unlinkat: { x64: 263, arm64: 35 },
  statfs: { x64: 137, arm64: 43 },
  mount: { x64: 165, arm64: 40 },
  umount2: { x64: 166, arm64: 39 },
  unshare: { x64: 272, arm64: 97 },
  setns: { x64: 308, arm64: 268 },
  openat: { x64: 257, arm64: 56 },
  epoll_create1: { x64: 291, arm64: 20 },
  epoll_ctl: { x64: 233, arm64: 21 },
  epoll_pwait: { x64: 281, arm64: 22 },
  eventfd2: { x64: 290, arm64: 19 },
  perf_event_open: { x64: 298, arm64: 241 },
  sched_setaffinity: { x64: 203, arm64: 122 },
  prlimit64: { x64: 302, arm64: 261 },
  bpf: { x64: 321, arm64: 280 },
  pidfd_open: { x64: 434, arm64: 434 },
  pidfd_getfd: { x64: 438, arm64: 438 },
} as const satisfies Record<string, { x64: number; arm64: number }>;

export type SyscallName = keyof typeof NUMBERS;

export class Sys {
  readonly #koffi: Koffi;
  readonly #syscall: SyscallFunction;
  readonly #arch: "x64" | "arm64";
  /** What the kernel is looking at; replaced by the next call. */
  keep: readonly unknown[] = [];

  /** @throws EOPNOTSUPP where there is no Linux, no koffi, or no table of numbers */
  constructor() {
    const { platform, arch } = process;
    if (platform !== "linux") throw new BpfError(EOPNOTSUPP, `the real kernel: ${platform} seen, Linux wanted`);
    if (arch !== "x64" && arch !== "arm64") {
      throw new BpfError(EOPNOTSUPP, `the real kernel: architecture ${arch} seen, x64 or arm64 wanted`);
    }
    this.#arch = arch;
    try {
      this.#koffi = createRequire(import.meta.url)("koffi") as Koffi;
    } catch (e) {
      throw new BpfError(EOPNOTSUPP, "the real kernel needs the optional package koffi (npm install koffi)", {}, e);
    }
    this.#syscall = this.#koffi.load(null).func("syscall", "int64", Array(7).fill("int64"));
  }

  call(name: SyscallName, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
    const ret = this.#syscall(NUMBERS[name][this.#arch], a, b, c, d, e, f);
    return ret === -1 ? -this.#koffi.errno() : ret;
  }

  /** As call(), on a thread of its own, so that a call that waits does not block the event loop. */
  callAsync(name: SyscallName, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): Promise<number> {
    return new Promise((resolve) => {
      const nr = NUMBERS[name][this.#arch];
      // errno belongs to that thread and is gone: callers learn only that the call failed
      this.#syscall.async(nr, a, b, c, d, e, f, (_: unknown, ret: number) => resolve(ret));
    });
  }

  /** As call(). @throws BpfError that begins with `what` */
  must(what: string, name: SyscallName, ...args: number[]): number {
    const ret = this.call(name, ...args);
    if (ret < 0) throw sysError(-ret, `${what}: ${name}`);
    return ret;
  }

  /** Valid as long as the bytes are reachable. */
  addressOf(bytes: Uint8Array): number {
    return Number(this.#koffi.address(bytes.buffer)) + bytes.byteOffset;
  }

  /** Memory of this process as an ArrayBuffer; it must not be touched once it is unmapped. */
  view(address: number, len: number): ArrayBuffer {
    return this.#koffi.view(address, len);
  }
}

export function sysError(errno: number, message: string, context: Record<string, unknown> = {}): BpfError {
  return new BpfError(errno as Errno, message, { ...context, errno: errnoName(errno) });
}
