/**
 * Making and removing names: mkdir, symlink, link, unlink, rmdir, rename.
 *
 * Order of checks is Linux's, so that the errno of a call with several faults is too.
 * Errors   EEXIST, ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EBUSY (a mount point), EXDEV (another mount), EINVAL (a directory
 *          into itself), EPERM (link of a directory).
 * Source   fs/namei.c: do_mkdirat(), do_linkat(), do_unlinkat(), do_rmdir(), do_renameat2(), vfs_rename().
 */
import { EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from "../../abi/errno.ts";
import type { KObject } from "../objects.ts";
import type { RenameOptions } from "./fs_api.ts";
import {
  attach,
  type Dentry,
  type DirDentry,
  DirInode,
  detach,
  type Inode,
  isDir,
  ObjInode,
  S_ISGID,
  SymlinkInode,
} from "./inode.ts";
import { type Path, pathText } from "./mountns.ts";
import {
  checkPermission,
  type FsCall,
  fail,
  MAY_WRITE,
  mayCreate,
  mayDelete,
  mayLink,
  wantWrite,
} from "./permission.ts";
import { type DirPath, lookup, lookupIn, type Parent, parentOf, placeFor } from "./walk.ts";

/** inode_init_owner(): a set-gid directory passes its group on. */
function ownerIn(call: FsCall, dir: DirDentry, mode: number, isDirectory: boolean) {
  const { uid, gid } = call.who.cred;
  const inherits = (dir.inode.mode & S_ISGID) !== 0;
  return { uid, gid: inherits ? dir.inode.gid : gid, mode: inherits && isDirectory ? mode | S_ISGID : mode };
}

export function mkdir(call: FsCall, start: Path, path: string, mode: number): void {
  const { dir, last } = placeFor(call, start, path, true);
  mayCreate(call, dir.dentry);
  attach(dir.dentry, last, new DirInode(dir.mount.fs, ownerIn(call, dir.dentry, mode & 0o1777, true)));
}

export function symlink(call: FsCall, start: Path, target: string, path: string): void {
  if (target === "") throw fail(call, ENOENT, "the target is empty");
  const { dir, last } = placeFor(call, start, path, false);
  mayCreate(call, dir.dentry);
  attach(dir.dentry, last, new SymlinkInode(dir.mount.fs, ownerIn(call, dir.dentry, 0o777, false), target));
}

/** A name for an object: the file's mode is 0600 less the umask. @throws EPERM where it is no bpffs */
export function pin(call: FsCall, start: Path, path: string, obj: KObject, umask: number): void {
  const { dir, last } = placeFor(call, start, path, false);
  const { fs } = dir.mount;
  if (!fs.fsType.pins) throw fail(call, EPERM, `${pathText(dir)} is in no bpffs`);
  mayCreate(call, dir.dentry);
  const inode = new ObjInode(fs, ownerIn(call, dir.dentry, 0o600 & ~umask, false), obj);
  tellPin(dir, attach(dir.dentry, last, inode));
}

export function link(call: FsCall, fromStart: Path, from: string, toStart: Path, to: string): void {
  const old = lookup(call, fromStart, from, false);
  const { dir, last } = placeFor(call, toStart, to, false);
  if (old.mount !== dir.mount) throw fail(call, EXDEV, `'${from}' and '${to}' are on different mounts`);
  mayLink(call, old.dentry);
  mayCreate(call, dir.dentry);
  if (isDir(old.dentry)) throw fail(call, EPERM, `'${from}' is a directory`);
  if (old.dentry.inode.nlink === 0) throw fail(call, ENOENT, `'${from}' was removed`);
  old.dentry.inode.nlink++;
  tellPin(dir, attach(dir.dentry, last, old.dentry.inode));
}

export function unlink(call: FsCall, start: Path, path: string): void {
  const { dir, last, kind, slash } = parentOf(call, start, path);
  if (kind !== "norm") throw fail(call, EISDIR, "it is a directory");
  wantWrite(call, dir.mount);
  const dentry = existing(call, dir, last);
  if (slash) throw fail(call, isDir(dentry) ? EISDIR : ENOTDIR, "the path ends in '/'");
  mayDelete(call, dentry, false);
  checkNoMount(call, dentry);
  remove(dir, dentry);
}

const NO_RMDIR = { dot: EINVAL, dotdot: ENOTEMPTY, root: EBUSY } as const;

export function rmdir(call: FsCall, start: Path, path: string): void {
  const { dir, last, kind } = parentOf(call, start, path);
  if (kind !== "norm") throw fail(call, NO_RMDIR[kind], `'${path}' cannot be removed`);
  wantWrite(call, dir.mount);
  const dentry = existing(call, dir, last);
  mayDelete(call, dentry, true);
  checkNoMount(call, dentry);
  checkEmpty(call, dentry);
  remove(dir, dentry);
}

export function rename(
  call: FsCall,
  fromStart: Path,
  from: string,
  toStart: Path,
  to: string,
  { noreplace = false, exchange = false }: RenameOptions,
): void {
  if (noreplace && exchange) throw fail(call, EINVAL, "noreplace and exchange exclude each other");
  const source = parentOf(call, fromStart, from);
  const target = parentOf(call, toStart, to);
  if (source.dir.mount !== target.dir.mount) throw fail(call, EXDEV, "the two names are on different mounts");
  if (source.kind !== "norm") throw fail(call, EBUSY, `'${from}' cannot be renamed`);
  if (target.kind !== "norm") throw fail(call, noreplace ? EEXIST : EBUSY, `'${to}' cannot be replaced`);
  wantWrite(call, source.dir.mount);
  const old = existing(call, source.dir, source.last);
  const there = lookupIn(call, target.dir, target.last);
  if (noreplace && there) throw fail(call, EEXIST, `'${to}' is taken`);
  if (exchange && !there) throw fail(call, ENOENT, `there is no '${to}' to exchange with`);
  checkSlashes(call, old, there, source, target, exchange);
  // Neither may lie in the other.
  if (old.covers(target.dir.dentry)) throw fail(call, EINVAL, `'${to}' lies in '${from}'`);
  if (there?.covers(source.dir.dentry)) {
    throw fail(call, exchange ? EINVAL : ENOTEMPTY, `'${from}' lies in '${to}'`);
  }
  if (old.inode === there?.inode) return;
  mayDelete(call, old, isDir(old));
  if (!there) mayCreate(call, target.dir.dentry);
  else mayDelete(call, there, exchange ? isDir(there) : isDir(old));
  if (source.dir.dentry !== target.dir.dentry) {
    // Its ".." changes.
    if (isDir(old)) checkPermission(call, old, MAY_WRITE);
    if (exchange && there && isDir(there)) checkPermission(call, there, MAY_WRITE);
  }
  checkNoMount(call, old);
  if (there) checkNoMount(call, there);
  const oldPath = pathText({ mount: source.dir.mount, dentry: old });
  if (exchange && there) swap(old, there);
  else {
    if (there) checkEmpty(call, there);
    if (there) remove(target.dir, there);
    move(old, target.dir.dentry, target.last);
  }
  const path = pathText({ mount: target.dir.mount, dentry: old });
  call.who.kernel.events.emit({ what: "rename", oldPath, path, ...(exchange ? { exchange } : {}) });
}

/** A path that ends in "/" names a directory. */
function checkSlashes(
  call: FsCall,
  old: Dentry,
  there: Dentry | undefined,
  source: Parent,
  target: Parent,
  exchange: boolean,
): void {
  const badTarget = target.slash && (exchange ? !isDir(there!) : !isDir(old));
  if ((source.slash && !isDir(old)) || badTarget) throw fail(call, ENOTDIR, "a path ends in '/' and is no directory");
}

function existing(call: FsCall, dir: DirPath, name: string): Dentry {
  const dentry = lookupIn(call, dir, name);
  if (!dentry) throw fail(call, ENOENT, `there is no '${name}'`);
  return dentry;
}

function checkEmpty(call: FsCall, dentry: Dentry): void {
  if (isDir(dentry) && dentry.inode.children.size) {
    throw fail(call, ENOTEMPTY, `'${dentry.name}' has ${dentry.inode.children.size} entries`);
  }
}

/** A mount point of this namespace stays; what other namespaces mounted there goes with the name. */
function checkNoMount(call: FsCall, dentry: Dentry): void {
  const own = call.who.mountns.mounts;
  const mount = dentry.mounts.find((m) => own.includes(m));
  if (mount) throw fail(call, EBUSY, `${mount.at} is a mount point`);
}

function remove(dir: DirPath, dentry: Dentry): void {
  if (dentry.inode.type === "obj")
    dir.mount.fs.tell("unpin", dentry.inode, dentry.rel, pathText({ mount: dir.mount, dentry }));
  for (const mount of [...dentry.mounts]) mount.ns.umountTree(mount);
  detach(dentry);
}

function move(dentry: Dentry, dir: DirDentry, name: string): void {
  const from = dentry.parent!;
  from.inode.children.delete(dentry.name);
  dir.inode.children.set(name, dentry);
  if (isDir(dentry)) {
    from.inode.nlink--;
    dir.inode.nlink++;
  }
  dentry.parent = dir;
  dentry.name = name;
}

function swap(a: Dentry, b: Dentry): void {
  const place = { dir: b.parent!, name: b.name };
  move(b, a.parent!, a.name);
  // b now stands where a did, so only a's own place is written.
  place.dir.inode.children.set(place.name, a);
  if (isDir(a)) {
    a.parent!.inode.nlink--;
    place.dir.inode.nlink++;
  }
  a.parent = place.dir;
  a.name = place.name;
}

function tellPin(dir: DirPath, dentry: Dentry): void {
  const { inode }: { inode: Inode } = dentry;
  if (inode.type === "obj") dir.mount.fs.tell("pin", inode, dentry.rel, pathText({ mount: dir.mount, dentry }));
}
