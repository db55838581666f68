/**
 * Inodes and the names that lead to them.
 *
 * An inode lives while a name or an open path does. A pinned object is held by its inode, once, however many hard links
 * name it. A directory has one name, so a Dentry of a directory is the directory; mounts sit on dentries.
 *
 * Source   fs/inode.c (nlink), fs/dcache.c, kernel/bpf/inode.c: bpf_free_inode() puts the object.
 */
import { BpfError, EIDRM } from "../../abi/errno.ts";
import type { KObject } from "../objects.ts";
import type { Task } from "../task.ts";
import type { Mount } from "./mountns.ts";
import type { OpenPath } from "./open_path.ts";
import type { Readable } from "./readable.ts";
import type { Bpffs } from "./super_block.ts";

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
/** What chmod may change. */
export const S_IALLUGO = 0o7777;

export interface Owner {
  /** Permission bits; the type comes with the inode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

abstract class InodeBase {
  readonly fs: Bpffs;
  readonly ino: number;
  /** File type and permission bits, as st_mode. */
  mode: number;
  uid: number;
  gid: number;
  nlink = 1;
  /** Open paths on it. */
  #opens = 0;
  /** flock(2): who has it, all of them shared or one exclusive. */
  readonly lockHolders = new Set<OpenPath>();
  lockExclusive = false;

  constructor(fs: Bpffs, type: number, owner: Owner) {
    this.fs = fs;
    this.ino = fs.nextIno();
    this.mode = type | owner.mode;
    this.uid = owner.uid;
    this.gid = owner.gid;
  }

  opened(): void {
    this.#opens++;
  }

  closed(): void {
    this.#opens--;
    this.#drop();
  }

  /** A name went. */
  unlinked(): void {
    this.nlink--;
    this.#drop();
  }

  #drop(): void {
    if (this.nlink === 0 && this.#opens === 0) this.evict();
  }

  protected evict(): void {}
}

export class DirInode extends InodeBase {
  readonly type = "dir";
  readonly children = new Map<string, Dentry>();
  /** rmdir'd: nothing can be made in it. */
  dead = false;

  constructor(fs: Bpffs, owner: Owner) {
    super(fs, S_IFDIR, owner);
    this.nlink = 2;
  }
}

/** A pin. It owns one user reference of the object. */
export class ObjInode extends InodeBase {
  readonly type = "obj";
  readonly #obj: KObject;

  constructor(fs: Bpffs, owner: Owner, obj: KObject) {
    super(fs, S_IFREG, owner);
    this.#obj = obj.getUser();
    fs.objInodes.add(this);
  }

  /** @throws EIDRM the object was deleted by force while the file was open */
  get obj(): KObject {
    if (this.fs.objInodes.has(this)) return this.#obj;
    throw new BpfError(EIDRM, `pinned ${this.#obj.kind}: it was deleted`);
  }

  /** Lets go of the object; only open paths are left then. */
  lose(): void {
    if (this.fs.objInodes.delete(this)) this.#obj.putUser();
  }

  protected override evict(): void {
    this.lose();
  }
}

/** A file that the file system itself offers for reading: maps.debug, progs.debug. */
export class TextInode extends InodeBase {
  readonly type = "text";
  /** A fresh open file. */
  readonly openFile: (who: Task) => KObject & Readable;

  constructor(fs: Bpffs, owner: Owner, openFile: (who: Task) => KObject & Readable) {
    super(fs, S_IFREG, owner);
    this.openFile = openFile;
  }
}

export class SymlinkInode extends InodeBase {
  readonly type = "symlink";
  readonly target: string;

  constructor(fs: Bpffs, owner: Owner, target: string) {
    super(fs, S_IFLNK, owner);
    this.target = target;
  }
}

export type Inode = DirInode | ObjInode | TextInode | SymlinkInode;

/** A name in a directory; the root of a file system has no parent. */
export class Dentry {
  parent: DirDentry | undefined;
  name: string;
  readonly inode: Inode;
  /** What is mounted on it, in any namespace. */
  readonly mounts: Mount[] = [];

  constructor(parent: DirDentry | undefined, name: string, inode: Inode) {
    this.parent = parent;
    this.name = name;
    this.inode = inode;
  }

  /** Relative to the file system's root; "" is the root. */
  get rel(): string {
    if (!this.parent) return "";
    const dir = this.parent.rel;
    return dir ? `${dir}/${this.name}` : this.name;
  }

  /** Whether this is `other` or above it. */
  covers(other: Dentry): boolean {
    for (let at: Dentry | undefined = other; at; at = at.parent) if (at === this) return true;
    return false;
  }
}

export type DirDentry = Dentry & { readonly inode: DirInode };

export function isDir(dentry: Dentry): dentry is DirDentry {
  return dentry.inode.type === "dir";
}

/** Enters a name. */
export function attach(dir: DirDentry, name: string, inode: Inode): Dentry {
  const dentry = new Dentry(dir, name, inode);
  dir.inode.children.set(name, dentry);
  if (inode.type === "dir") dir.inode.nlink++;
  return dentry;
}

/** Removes a name, and the inode with its last one. */
export function detach(dentry: Dentry): void {
  const dir = dentry.parent!;
  dir.inode.children.delete(dentry.name);
  if (isDir(dentry)) {
    dir.inode.nlink--;
    dentry.inode.dead = true;
    dentry.inode.nlink--;
  }
  dentry.inode.unlinked();
}

/** A dentry and all below it, parents first. */
export function* descendants(dentry: Dentry): IterableIterator<Dentry> {
  yield dentry;
  if (isDir(dentry)) for (const child of dentry.inode.children.values()) yield* descendants(child);
}
