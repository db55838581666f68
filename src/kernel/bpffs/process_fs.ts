/**
 * The file-system calls of a process of the in-process kernel: `proc.fs`.
 *
 * Beyond what every kernel has: `umask`, and mountFor(), which mounts a bpffs that belongs to another process's user
 * namespace in that process's mount namespace.
 */
import { BPF_F_RDONLY, BPF_F_WRONLY } from "../../abi/bpf.ts";
import { EACCES, EAGAIN, EBADF, EINVAL, EIO, EISDIR, ELOOP, ENOENT, ENOTDIR, EPERM } from "../../abi/errno.ts";
import type { Fd } from "../fd.ts";
import type { KObject } from "../objects.ts";
import type { Task } from "../task.ts";
import { lsmFileOpen } from "../trace/syscalls.ts";
import type { BpfFs, FsPath, FsStat, MountOptions, OpenOptions, RenameOptions } from "./fs_api.ts";
import { isDir, S_IALLUGO, S_IFMT, S_ISGID, S_ISUID } from "./inode.ts";
import { bind, mountBpffs, remount, umount } from "./mounting.ts";
import type { Path } from "./mountns.ts";
import { link, mkdir, pin, rename, rmdir, symlink, unlink } from "./names.ts";
import { OpenPath } from "./open_path.ts";
import {
  capable,
  checkOwner,
  checkPermission,
  type FsCall,
  fail,
  MAY_READ,
  MAY_WRITE,
  wantWrite,
} from "./permission.ts";
import { isOpenable, isReadable, type Readable } from "./readable.ts";
import { lookup, lookupIn, parentOf } from "./walk.ts";

export const PINNABLE: readonly string[] = ["map", "prog", "link"];
const DEFAULT_READ = 65536;

export class ProcessFs implements BpfFs {
  readonly #who: Task;
  /** Bits that new directories and pins do not get. */
  umask = 0o022;

  constructor(who: Task) {
    this.#who = who;
  }

  // --- mounts

  mount(at: string, options: MountOptions = {}): void {
    this.#run(`mount ${at}`, (call) => mountBpffs(call, this.#who, at, options));
  }

  /** @throws EPERM unless this process has CAP_SYS_ADMIN over both */
  mountFor(target: Task, at: string, options: MountOptions = {}): void {
    this.#run(`mount ${at} of process ${target.pid}`, (call) => mountBpffs(call, target, at, options));
  }

  bind(from: string, at: string, options: { readonly recursive?: boolean } = {}): void {
    this.#run(`bind ${from} at ${at}`, (call) => bind(call, from, at, options.recursive ?? false));
  }

  remount(at: string, options: { readonly readonly: boolean; readonly bind?: boolean }): void {
    this.#run(`remount ${at}`, (call) => remount(call, at, options.readonly, options.bind ?? false));
  }

  umount(at: string, options: { readonly detach?: boolean } = {}): void {
    this.#run(`umount ${at}`, (call) => umount(call, at, options.detach ?? false));
  }

  // --- names

  mkdir(path: FsPath, mode = 0o777): void {
    this.#on("mkdir", path, (call, start, text) => mkdir(call, start, text, mode & ~this.umask));
  }

  rmdir(path: FsPath): void {
    this.#on("rmdir", path, rmdir);
  }

  unlink(path: FsPath): void {
    this.#on("unlink", path, unlink);
  }

  rename(from: FsPath, to: FsPath, options: RenameOptions = {}): void {
    this.#on("rename", from, (call, fromStart, fromText) =>
      rename(call, fromStart, fromText, this.#start(to), textOf(to), options),
    );
  }

  link(from: FsPath, to: FsPath): void {
    this.#on("link", from, (call, fromStart, fromText) => link(call, fromStart, fromText, this.#start(to), textOf(to)));
  }

  symlink(target: string, path: FsPath): void {
    this.#on("symlink", path, (call, start, text) => symlink(call, start, target, text));
  }

  readlink(path: FsPath): string {
    return this.#on("readlink", path, (call, start, text) => {
      const { inode } = lookup(call, start, text, false).dentry;
      if (inode.type !== "symlink") throw fail(call, EINVAL, "it is no symlink");
      return inode.target;
    });
  }

  readdir(path: FsPath): string[] {
    return this.#on("readdir", path, (call, start, text) => {
      const { dentry } = lookup(call, start, text);
      if (!isDir(dentry)) throw fail(call, ENOTDIR, "it is no directory");
      checkPermission(call, dentry, MAY_READ);
      return [...dentry.inode.children.keys()];
    });
  }

  // --- inodes

  stat(path: FsPath): FsStat {
    return this.#on("stat", path, (call, start, text) => statOf(lookup(call, start, text)));
  }

  lstat(path: FsPath): FsStat {
    return this.#on("lstat", path, (call, start, text) => statOf(lookup(call, start, text, false)));
  }

  chmod(path: FsPath, mode: number): void {
    this.#on("chmod", path, (call, start, text) => {
      const { mount, dentry } = lookup(call, start, text);
      wantWrite(call, mount);
      const { inode } = dentry;
      checkOwner(call, inode);
      // Only members give a file away to their group.
      const drop = this.#who.cred.gid !== inode.gid && !capable(this.#who, inode, "fowner") ? S_ISGID : 0;
      inode.mode = (inode.mode & S_IFMT) | (mode & S_IALLUGO & ~drop);
    });
  }

  /** -1 leaves one as it is. */
  chown(path: FsPath, uid: number, gid: number): void {
    this.#on("chown", path, (call, start, text) => {
      const { mount, dentry } = lookup(call, start, text);
      wantWrite(call, mount);
      const { inode } = dentry;
      const { cred } = this.#who;
      const owns = cred.uid === inode.uid;
      const uidStays = uid === -1 || (owns && uid === inode.uid);
      const gidAllowed = gid === -1 || (owns && (gid === cred.gid || gid === inode.gid));
      if (!(uidStays && gidAllowed) && !capable(this.#who, inode, "chown")) {
        throw fail(call, EPERM, `${uid}:${gid} asked by ${cred.uid}:${cred.gid}; it is ${inode.uid}:${inode.gid}'s`);
      }
      if (uid !== -1) inode.uid = uid;
      if (gid !== -1) inode.gid = gid;
      if (inode.type !== "dir") inode.mode &= ~S_ISUID;
    });
  }

  // --- open files

  open(path: FsPath, options: OpenOptions = {}): Fd {
    return this.#on("open", path, (call, start, text) => {
      const at = this.#openAt(call, start, text, options);
      const file = openFile(call, at, options);
      try {
        lsmFileOpen(this.#who.kernel, at.dentry.name);
      } catch (e) {
        file.put();
        throw e;
      }
      return this.#who.installOwned(file);
    });
  }

  #openAt(call: FsCall, start: Path, text: string, options: OpenOptions): Path {
    if (options.create) {
      const { dir, last, kind } = parentOf(call, start, text);
      if (kind !== "norm") throw fail(call, EISDIR, "it is a directory");
      if (!lookupIn(call, dir, last)) {
        wantWrite(call, dir.mount);
        checkPermission(call, dir.dentry, MAY_WRITE);
        throw fail(call, dir.mount.fs.fsType.createErrno, "plain files cannot be made here");
      }
    }
    const at = lookup(call, start, text, !options.nofollow);
    if (at.dentry.inode.type === "symlink" && !options.path) throw fail(call, ELOOP, "it is a symlink");
    if (options.directory && !isDir(at.dentry)) throw fail(call, ENOTDIR, "it is no directory");
    return at;
  }

  read(fd: Fd, max = DEFAULT_READ): Uint8Array {
    return this.#run(`read of fd ${fd}`, (call) => {
      const { obj } = this.#who.fdTable.entry(fd);
      if (isReadable(obj)) return obj.read(max);
      if (obj instanceof OpenPath) throw fail(call, obj.pathOnly ? EBADF : EISDIR, "there is nothing to read");
      throw fail(call, EINVAL, `it is a ${obj.kind}`);
    });
  }

  flock(fd: Fd, how: "shared" | "exclusive" | "unlock"): void {
    this.#run(`flock of fd ${fd}`, (call) => {
      const { obj } = this.#who.fdTable.entry(fd);
      if (!(obj instanceof OpenPath) || obj.pathOnly) throw fail(call, EBADF, "it is no open directory");
      const { inode } = obj.path.dentry;
      const others = [...inode.lockHolders].filter((holder) => holder !== obj);
      const conflict = how === "exclusive" ? others.length > 0 : others.length > 0 && inode.lockExclusive;
      if (how !== "unlock" && conflict) throw fail(call, EAGAIN, "another process has it locked");
      if (how === "unlock") inode.lockHolders.delete(obj);
      else {
        inode.lockHolders.add(obj);
        inode.lockExclusive = how === "exclusive";
      }
    });
  }

  // --- BPF_OBJ_PIN, BPF_OBJ_GET

  /** @throws EINVAL an object that cannot be pinned, and what making a name gives */
  pin(obj: KObject, path: FsPath): void {
    this.#on("pin", path, (call, start, text) => {
      if (!PINNABLE.includes(obj.kind)) throw fail(call, EINVAL, `a ${obj.kind} cannot be pinned`);
      pin(call, start, text, obj, this.umask);
    });
  }

  /** @param fileFlags BPF_F_RDONLY, BPF_F_WRONLY or 0. @throws EACCES what is no pin, or the mode forbids */
  pinned(path: FsPath, fileFlags: number): KObject {
    return this.#on("get", path, (call, start, text) => {
      const access = fileFlags & (BPF_F_RDONLY | BPF_F_WRONLY);
      if (access === (BPF_F_RDONLY | BPF_F_WRONLY)) throw fail(call, EINVAL, "both read-only and write-only");
      const { dentry } = lookup(call, start, text);
      const mask = access === BPF_F_RDONLY ? MAY_READ : access === BPF_F_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
      checkPermission(call, dentry, mask);
      const { inode } = dentry;
      if (inode.type === "text") throw fail(call, ENOENT, "the kernel's own file stands for no object");
      if (inode.type !== "obj") throw fail(call, EACCES, "it is no pinned object");
      if (access && inode.obj.kind === "link") throw fail(call, EINVAL, "links are opened without access flags");
      return inode.obj;
    });
  }

  // --- the call

  #run<T>(what: string, body: (call: FsCall) => T): T {
    return this.#who.as(() => body({ who: this.#who, what }));
  }

  #on<T>(op: string, path: FsPath, body: (call: FsCall, start: Path, text: string) => T): T {
    return this.#run(`${op} ${textOf(path)}`, (call) => body(call, this.#start(path), textOf(path)));
  }

  /** Where a relative path starts; the directory of an absolute one is not looked at. @throws EBADF, ENOTDIR */
  #start(path: FsPath): Path {
    if (typeof path === "string" || path.path.startsWith("/")) return this.#who.mountns.root;
    const { obj } = this.#who.fdTable.entry(path.dirfd);
    const call = { who: this.#who, what: `directory fd ${path.dirfd}` };
    if (!(obj instanceof OpenPath) || !isDir(obj.path.dentry)) throw fail(call, ENOTDIR, `it is a ${obj.kind}`);
    return obj.path;
  }
}

function textOf(path: FsPath): string {
  return typeof path === "string" ? path : path.path;
}

const TYPES = { dir: "dir", obj: "file", text: "file", symlink: "symlink" } as const;

function statOf({ dentry: { inode } }: Path): FsStat {
  const { ino, mode, nlink, uid, gid } = inode;
  return {
    type: TYPES[inode.type],
    ino,
    mode,
    nlink,
    uid,
    gid,
    size: inode.type === "symlink" ? inode.target.length : 0,
  };
}

const ACCESS = { r: MAY_READ, w: MAY_WRITE, rw: MAY_READ | MAY_WRITE } as const;

function openFile(call: FsCall, at: Path, { access = "r", path = false }: OpenOptions): KObject {
  const { inode } = at.dentry;
  if (path) return new OpenPath(at, true);
  if (inode.type === "dir" && access !== "r") throw fail(call, EISDIR, "a directory is not opened for writing");
  if (access !== "r") wantWrite(call, at.mount);
  checkPermission(call, at.dentry, ACCESS[access]);
  if (inode.type === "dir") return new OpenPath(at, false);
  const opened: (KObject & Readable) | undefined =
    inode.type === "text"
      ? inode.openFile(call.who)
      : inode.type === "obj" && isOpenable(inode.obj)
        ? inode.obj.openFile(call.who)
        : undefined;
  if (!opened) throw fail(call, EIO, "the file of this object cannot be read");
  return opened;
}
