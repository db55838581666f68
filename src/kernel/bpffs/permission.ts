/**
 * Who may do what with an inode: mode bits, owner, sticky directories and the capabilities that override them.
 *
 * A capability counts where the process's user namespace maps the inode's owner.
 * Errors   EACCES the mode bits say no, EPERM the operation is for the owner, EROFS.
 * Source   fs/namei.c: inode_permission(), generic_permission(), check_sticky(), may_create(), may_delete(),
 *          safe_hardlink_source() (fs.protected_hardlinks is 1, as distributions set it).
 */
import { BpfError, EACCES, EBUSY, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS, type Errno } from "../../abi/errno.ts";
import type { Task } from "../task.ts";
import { type Dentry, type DirDentry, type Inode, isDir, S_ISGID, S_ISUID, S_ISVTX } from "./inode.ts";
import type { Mount } from "./mountns.ts";

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/** One call on the file system: who makes it, and what it is for errors. */
export interface FsCall {
  readonly who: Task;
  /** "mkdir /sys/fs/bpf/a". */
  readonly what: string;
}

export function fail(call: FsCall, errno: Errno, why: string): BpfError {
  return new BpfError(errno, `${call.what}: ${why}`, { pid: call.who.pid });
}

type FsCap = "dacOverride" | "fowner" | "chown";

export function capable(who: Task, inode: Inode, cap: FsCap): boolean {
  const { userns, caps } = who.cred;
  return caps[cap] === true && userns.mapsId(inode.uid) && userns.mapsId(inode.gid);
}

/** @param mask MAY_* @throws EACCES, EROFS */
export function checkPermission(call: FsCall, dentry: Dentry, mask: number): void {
  const { inode } = dentry;
  if (mask & MAY_WRITE && inode.fs.readonly) throw fail(call, EROFS, "the file system is mounted read-only");
  if (permits(call.who, inode, mask)) return;
  const { uid, gid } = call.who.cred;
  const name = dentry.name || "the root directory";
  const mode = (inode.mode & 0o7777).toString(8);
  throw fail(call, EACCES, `'${name}' has mode ${mode}, owner ${inode.uid}:${inode.gid}; asked by ${uid}:${gid}`);
}

function permits(who: Task, inode: Inode, mask: number): boolean {
  const { uid, gid } = who.cred;
  const shift = uid === inode.uid ? 6 : gid === inode.gid ? 3 : 0;
  return ((inode.mode >> shift) & mask) === mask || capable(who, inode, "dacOverride");
}

/** @throws EROFS */
export function wantWrite(call: FsCall, mount: Mount): void {
  if (mount.readonly || mount.fs.readonly) throw fail(call, EROFS, `${mount.at} is mounted read-only`);
}

/** @throws ENOENT, EACCES */
export function mayCreate(call: FsCall, dir: DirDentry): void {
  if (dir.inode.dead) throw fail(call, ENOENT, "the directory was removed");
  checkPermission(call, dir, MAY_WRITE | MAY_EXEC);
}

/** @throws EACCES, EPERM, ENOTDIR, EISDIR, EBUSY */
export function mayDelete(call: FsCall, dentry: Dentry, asDir: boolean): void {
  const dir = dentry.parent;
  if (!dir) throw fail(call, EBUSY, "it is the root of a file system");
  checkPermission(call, dir, MAY_WRITE | MAY_EXEC);
  const { who } = call;
  const sticky = dir.inode.mode & S_ISVTX && who.uid !== dentry.inode.uid && who.uid !== dir.inode.uid;
  if (sticky && !capable(who, dentry.inode, "fowner")) {
    throw fail(call, EPERM, `'${dentry.name}' is owned by ${dentry.inode.uid}, in a sticky directory`);
  }
  if (asDir && !isDir(dentry)) throw fail(call, ENOTDIR, `'${dentry.name}' is no directory`);
  if (!asDir && isDir(dentry)) throw fail(call, EISDIR, `'${dentry.name}' is a directory`);
}

/** @throws EPERM */
export function checkOwner(call: FsCall, inode: Inode): void {
  if (call.who.uid !== inode.uid && !capable(call.who, inode, "fowner")) {
    throw fail(call, EPERM, `it is owned by ${inode.uid}; asked by ${call.who.uid}`);
  }
}

/** fs.protected_hardlinks. @throws EPERM */
export function mayLink(call: FsCall, dentry: Dentry): void {
  const { inode } = dentry;
  const special = inode.mode & S_ISUID || (inode.mode & (S_ISGID | 0o010)) === (S_ISGID | 0o010);
  const regular = inode.type === "obj" || inode.type === "text";
  if (regular && !special && permits(call.who, inode, MAY_READ | MAY_WRITE)) return;
  checkOwner(call, inode);
}
