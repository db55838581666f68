/**
 * The file-system calls of a process, as far as bpffs needs them: the same on every kernel (in-process: on its mount
 * namespace; Linux: the running process's).
 *
 * Paths    absolute, or relative to an open directory: `{ dirfd, path }`, as the *at() calls of Linux.
 * Errors   BpfError with the errno of the system call.
 */
import type { Fd } from "../fd.ts";
import type { BpffsOptions } from "./options.ts";

export type FsPath = string | { readonly dirfd: Fd; readonly path: string };

export interface FsStat {
  readonly type: "dir" | "file" | "symlink";
  readonly ino: number;
  /** st_mode: file type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
}

/** Attributes of a mount; the rest belongs to the file system. */
export interface MountOptions extends Partial<BpffsOptions> {
  readonly readonly?: boolean;
}

export interface OpenOptions {
  /** Default "r". */
  readonly access?: "r" | "w" | "rw";
  /** O_PATH: a place, not its contents. Directories give one in any case. */
  readonly path?: boolean;
  /** O_DIRECTORY. */
  readonly directory?: boolean;
  /** O_NOFOLLOW. */
  readonly nofollow?: boolean;
  /** O_CREAT: bpffs refuses with EACCES. */
  readonly create?: boolean;
}

export interface RenameOptions {
  /** RENAME_NOREPLACE: EEXIST instead of replacing. */
  readonly noreplace?: boolean;
  /** RENAME_EXCHANGE: both names stay and change places, in one step. */
  readonly exchange?: boolean;
}

export interface BpfFs {
  /** Mounts a fresh bpffs on a directory. @throws EPERM without CAP_SYS_ADMIN, ENOENT, ENOTDIR, EINVAL */
  mount(at: string, options?: MountOptions): void;
  /** Shows a directory or pin at a second place. @param recursive with what is mounted in it */
  bind(from: string, at: string, options?: { readonly recursive?: boolean }): void;
  /** Makes a mount (`bind`: only this one, else its file system) read-only or writable again. */
  remount(at: string, options: { readonly readonly: boolean; readonly bind?: boolean }): void;
  /** @param options.detach MNT_DETACH: at once; what is open stays usable. @throws EINVAL no mount, EBUSY */
  umount(at: string, options?: { readonly detach?: boolean }): void;
  /** @param mode permission bits, from which the umask is taken; default 0777 */
  mkdir(path: FsPath, mode?: number): void;
  rmdir(path: FsPath): void;
  unlink(path: FsPath): void;
  rename(from: FsPath, to: FsPath, options?: RenameOptions): void;
  /** A second name for a pin. */
  link(from: FsPath, to: FsPath): void;
  symlink(target: string, path: FsPath): void;
  readlink(path: FsPath): string;
  /** Names, without "." and "..". */
  readdir(path: FsPath): string[];
  stat(path: FsPath): FsStat;
  lstat(path: FsPath): FsStat;
  chmod(path: FsPath, mode: number): void;
  chown(path: FsPath, uid: number, gid: number): void;
  /** @throws EIO for a pin that cannot be read */
  open(path: FsPath, options?: OpenOptions): Fd;
  /** At most `max` bytes (default 64 KiB); empty at the end. */
  read(fd: Fd, max?: number): Uint8Array;
  /** flock(2) on an open directory, without waiting. @throws EAGAIN somebody else has it, EBADF an O_PATH fd */
  flock(fd: Fd, how: "shared" | "exclusive" | "unlock"): void;
}
