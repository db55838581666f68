/**
 * The file-system calls of this process (`LinuxBpf.fs`), as system calls, so that their errnos are the kernel's own.
 *
 * Mounts are made in this process's mount namespace; who makes one unmounts it.
 */
import { lstatSync, readdirSync, type Stats, statSync } from "node:fs";
import { cString } from "../../abi/cstring.ts";
import { BpfError, ENOENT, ERRNO, type Errno } from "../../abi/errno.ts";
import type { BpfFs, Fd, FsPath, FsStat, MountOptions, OpenOptions, RenameOptions } from "../../kernel/bpf.ts";
import type { LinuxBpf } from "./linux_bpf.ts";
import type { SyscallName } from "./sys.ts";

const AT_FDCWD = -100;
const AT_REMOVEDIR = 0x200;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const MS_RDONLY = 1;
const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MNT_DETACH = 2;
const O_ACCMODE = { r: 0, w: 1, rw: 2 } as const;
const O_CREAT = 0o100;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
/** On x64 and arm64 alike they differ: O_DIRECTORY and O_NOFOLLOW. */
const O_FLAGS = {
  x64: { directory: 0o200000, nofollow: 0o400000 },
  arm64: { directory: 0o40000, nofollow: 0o100000 },
} as const;
const LOCKS = { shared: 1 | 4, exclusive: 2 | 4, unlock: 8 } as const;
const PATH_BYTES = 4096;
const DEFAULT_READ = 65536;

export class LinuxFs implements BpfFs {
  readonly #bpf: LinuxBpf;

  constructor(bpf: LinuxBpf) {
    this.#bpf = bpf;
  }

  /** @param options `type`: of another file system than bpffs */
  mount(at: string, options: MountOptions & { readonly type?: string } = {}): void {
    const { type = "bpf", readonly } = options;
    this.#call(`mount ${at}`, "mount", type, at, type, readonly ? MS_RDONLY : 0, optionText(options));
  }

  bind(from: string, at: string, options: { readonly recursive?: boolean } = {}): void {
    this.#call(`bind ${from} at ${at}`, "mount", from, at, "none", MS_BIND | (options.recursive ? MS_REC : 0), "");
  }

  remount(at: string, options: { readonly readonly: boolean; readonly bind?: boolean }): void {
    const flags = MS_REMOUNT | (options.bind ? MS_BIND : 0) | (options.readonly ? MS_RDONLY : 0);
    this.#call(`remount ${at}`, "mount", "none", at, "none", flags, "");
  }

  umount(at: string, options: { readonly detach?: boolean } = {}): void {
    this.#call(`umount ${at}`, "umount2", at, options.detach ? MNT_DETACH : 0);
  }

  mkdir(path: FsPath, mode = 0o777): void {
    this.#at("mkdir", "mkdirat", path, mode);
  }

  rmdir(path: FsPath): void {
    this.#at("rmdir", "unlinkat", path, AT_REMOVEDIR);
  }

  unlink(path: FsPath): void {
    this.#at("unlink", "unlinkat", path, 0);
  }

  rename(from: FsPath, to: FsPath, options: RenameOptions = {}): void {
    const flags = (options.noreplace ? RENAME_NOREPLACE : 0) | (options.exchange ? RENAME_EXCHANGE : 0);
    const [target, name] = split(to);
    this.#at("rename", "renameat2", from, target, name, flags);
  }

  link(from: FsPath, to: FsPath): void {
    const [target, name] = split(to);
    this.#at("link", "linkat", from, target, name, 0);
  }

  symlink(target: string, path: FsPath): void {
    const [dirfd, name] = split(path);
    this.#call(`symlink ${name}`, "symlinkat", target, dirfd, name);
  }

  readlink(path: FsPath): string {
    const buffer = new Uint8Array(PATH_BYTES);
    const n = this.#at("readlink", "readlinkat", path, buffer, buffer.length);
    return new TextDecoder().decode(buffer.subarray(0, n));
  }

  readdir(path: FsPath): string[] {
    return this.#node("readdir", path, (name) => readdirSync(name));
  }

  stat(path: FsPath): FsStat {
    return this.#node("stat", path, (name) => statOf(statSync(name)));
  }

  lstat(path: FsPath): FsStat {
    return this.#node("lstat", path, (name) => statOf(lstatSync(name)));
  }

  chmod(path: FsPath, mode: number): void {
    this.#at("chmod", "fchmodat", path, mode);
  }

  chown(path: FsPath, uid: number, gid: number): void {
    this.#at("chown", "fchownat", path, uid, gid, 0);
  }

  open(path: FsPath, options: OpenOptions = {}): Fd {
    const { access = "r", path: place, directory, nofollow, create } = options;
    const bits = O_FLAGS[process.arch as keyof typeof O_FLAGS];
    const flags =
      O_ACCMODE[access] |
      O_CLOEXEC |
      (place ? O_PATH : 0) |
      (directory ? bits.directory : 0) |
      (nofollow ? bits.nofollow : 0) |
      (create ? O_CREAT : 0);
    return this.#bpf.own(this.#at("open", "openat", path, flags, 0o666));
  }

  read(fd: Fd, max = DEFAULT_READ): Uint8Array {
    const buffer = new Uint8Array(max);
    return buffer.slice(0, this.#call(`read of fd ${fd}`, "read", fd, buffer, max));
  }

  flock(fd: Fd, how: "shared" | "exclusive" | "unlock"): void {
    this.#call(`flock of fd ${fd}`, "flock", fd, LOCKS[how]);
  }

  #at(what: string, name: SyscallName, path: FsPath, ...args: readonly (string | number | Uint8Array)[]): number {
    const [dirfd, text] = split(path);
    return this.#call(`${what} ${text}`, name, dirfd, text, ...args);
  }

  /** Strings and buffers are passed by address. @throws BpfError */
  #call(what: string, name: SyscallName, ...args: readonly (string | number | Uint8Array)[]): number {
    const { sys } = this.#bpf;
    const passed = args.map((arg) => (typeof arg === "string" ? cString(arg) : arg));
    sys.keep = passed;
    return sys.must(what, name, ...passed.map((arg) => (typeof arg === "number" ? arg : sys.addressOf(arg))));
  }

  #node<T>(what: string, path: FsPath, body: (name: string) => T): T {
    const [dirfd, text] = split(path);
    try {
      return body(dirfd === AT_FDCWD ? text : `/proc/self/fd/${dirfd}/${text}`);
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code as keyof typeof ERRNO;
      throw new BpfError((ERRNO[code] ?? ENOENT) as Errno, `${what} ${text}`, { path: text }, e);
    }
  }
}

function split(path: FsPath): readonly [dirfd: number, text: string] {
  if (typeof path !== "string") return [path.dirfd, path.path];
  return [AT_FDCWD, path];
}

function statOf(s: Stats): FsStat {
  const type = s.isDirectory() ? "dir" : s.isSymbolicLink() ? "symlink" : "file";
  return { type, ino: s.ino, mode: s.mode, nlink: s.nlink, uid: s.uid, gid: s.gid, size: s.size };
}

/** What mount(8) would pass in `-o`. */
function optionText(options: MountOptions): string {
  const { uid, gid, mode, delegateCmds, delegateMaps, delegateProgs, delegateAttachs } = options;
  const hex = (mask: bigint | undefined) => (mask ? `0x${mask.toString(16)}` : undefined);
  const parts = {
    uid,
    gid,
    mode: mode?.toString(8),
    delegate_cmds: hex(delegateCmds),
    delegate_maps: hex(delegateMaps),
    delegate_progs: hex(delegateProgs),
    delegate_attachs: hex(delegateAttachs),
  };
  return Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}
