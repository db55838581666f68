/**
 * A file system: bpffs, or the bare root that mount points lie in. It lives while it is mounted or a path on it is open;
 * its pins end with it.
 *
 * Types    FS_TYPES says what each allows. The root holds directories and symlinks only: pins there are EPERM, as on any
 *          file system but bpffs, and plain files cannot be made.
 * Source   kernel/bpf/inode.c: bpf_fill_super(), bpf_lookup() (names with '.'), bpf_dir_iops.
 */
import { EACCES, EROFS, type Errno } from "../../abi/errno.ts";
import type { Events } from "../events.ts";
import { KObject } from "../objects.ts";
import type { Task } from "../task.ts";
import type { UserNs } from "../userns.ts";
import {
  attach,
  Dentry,
  type DirDentry,
  DirInode,
  descendants,
  detach,
  type ObjInode,
  S_ISVTX,
  TextInode,
} from "./inode.ts";
import { type BpffsOptions, DEFAULT_OPTIONS } from "./options.ts";
import type { Readable } from "./readable.ts";

export const BPFFS_ROOT = "/sys/fs/bpf";

export interface FsType {
  readonly name: "bpf" | "ramfs";
  /** Objects can be pinned. */
  readonly pins: boolean;
  /** Names with '.' are EPERM, also when they are only looked up. */
  readonly refusesDots: boolean;
  /** What open(O_CREAT) of a plain file gives. */
  readonly createErrno: Errno;
}

export const FS_TYPES = {
  bpf: { name: "bpf", pins: true, refusesDots: true, createErrno: EACCES },
  ramfs: { name: "ramfs", pins: false, refusesDots: false, createErrno: EROFS },
} as const satisfies Record<string, FsType>;

/** Files of a mount with the option `preload`: what opening one gives. */
export interface PreloadedFiles {
  readonly [name: string]: (who: Task) => KObject & Readable;
}

export interface SuperBlockOptions extends Partial<BpffsOptions> {
  readonly userns: UserNs;
  readonly events: Events;
  readonly preloaded?: PreloadedFiles;
}

export class Bpffs extends KObject {
  readonly kind = "bpffs";
  readonly fsType: FsType;
  readonly options: BpffsOptions;
  /** User namespace that it belongs to: its tokens and the capabilities over it count there. */
  readonly userns: UserNs;
  readonly root: DirDentry;
  /** Every inode that holds an object, also one without a name that is still open. */
  readonly objInodes = new Set<ObjInode>();
  /** Remounted read-only. */
  readonly = false;
  /** Where it was mounted last: what events call the pins that die with it. */
  mountedAt = "";
  readonly #events: Events;
  #nextIno = 1;

  constructor(fsType: FsType, options: SuperBlockOptions) {
    super();
    const { userns, events, preloaded = {}, ...given } = options;
    this.fsType = fsType;
    this.options = { ...DEFAULT_OPTIONS, ...given };
    this.userns = userns;
    this.#events = events;
    const { uid = 0, gid = 0, mode } = this.options;
    const sticky = fsType.pins ? S_ISVTX : 0;
    this.root = new Dentry(undefined, "", new DirInode(this, { uid, gid, mode: mode | sticky })) as DirDentry;
    if (!this.options.preload) return;
    for (const [name, openFile] of Object.entries(preloaded)) {
      attach(this.root, name, new TextInode(this, { uid: 0, gid: 0, mode: 0o400 }, openFile));
    }
  }

  nextIno(): number {
    return this.#nextIno++;
  }

  /** Names of pinned objects, relative to the root, directories in the order in which they were made. */
  *entries(): IterableIterator<[string, KObject]> {
    for (const dentry of descendants(this.root)) {
      if (dentry.inode.type === "obj") yield [dentry.rel, dentry.inode.obj];
    }
  }

  override *holds(): Iterable<KObject> {
    for (const { obj } of this.objInodes) yield obj;
  }

  override lose(lost: KObject): boolean {
    for (const inode of [...this.objInodes]) {
      if (inode.obj !== lost) continue;
      for (const dentry of [...descendants(this.root)]) if (dentry.inode === inode) this.#remove(dentry);
      inode.lose();
    }
    return true;
  }

  /** Every name goes. */
  clear(): void {
    for (const dentry of [...descendants(this.root)].reverse()) if (dentry.parent) this.#remove(dentry);
  }

  #remove(dentry: Dentry): void {
    if (dentry.inode.type === "obj") this.tell("unpin", dentry.inode, dentry.rel);
    detach(dentry);
  }

  /** Said while the object can still be named. @param rel relative to the root */
  tell(what: "pin" | "unpin", inode: ObjInode, rel: string, path = `${this.mountedAt}/${rel}`): void {
    const { obj } = inode;
    this.#events.emit({ what, path, [`${obj.kind}Id`]: obj.id });
  }

  protected override release(): void {
    this.clear();
  }
}
