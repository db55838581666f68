/**
 * Mounts and mount namespaces: a tree of mounts over the directories of file systems.
 *
 * A mount owns one reference of its file system. Namespaces do not propagate mounts to each other (all mounts are
 * private). A namespace that is cloned into another user namespace has its mounts locked: they cannot be unmounted there.
 * Source   fs/namespace.c: copy_mnt_ns(), umount_tree(), lookup_mnt().
 */
import type { Events } from "../events.ts";
import type { KObject } from "../objects.ts";
import type { UserNs } from "../userns.ts";
import { type Dentry, descendants } from "./inode.ts";
import type { Bpffs } from "./super_block.ts";

/** A place: a dentry as one mount shows it. */
export interface Path {
  readonly mount: Mount;
  readonly dentry: Dentry;
}

export class Mount {
  readonly ns: MountNs;
  readonly fs: Bpffs;
  /** What of the file system is shown: its root, or what was bound. */
  readonly root: Dentry;
  /** Where it is; undefined for the root of a namespace and for what was unmounted. */
  place: Path | undefined;
  readonly locked: boolean;
  readonly = false;
  /** Open paths on it: EBUSY for umount. */
  opens = 0;

  constructor(ns: MountNs, fs: Bpffs, root: Dentry, place: Path | undefined, locked = false) {
    this.ns = ns;
    this.fs = fs.get();
    this.root = root;
    this.place = place;
    this.locked = locked;
    root.inode.opened();
    place?.dentry.mounts.push(this);
  }

  /** Its path, as /proc/mounts has it. */
  get at(): string {
    return this.place ? pathText(this.place) : "/";
  }

  /** Paths of the pins that it shows. */
  *pins(): Iterable<readonly [path: string, obj: KObject]> {
    for (const dentry of descendants(this.root)) {
      if (dentry.inode.type === "obj") yield [pathText({ mount: this, dentry }), dentry.inode.obj];
    }
  }

  /** Gone from its place; the file system goes with the last reference. */
  detach(): void {
    const { place, fs, root } = this;
    if (place) place.dentry.mounts.splice(place.dentry.mounts.indexOf(this), 1);
    this.place = undefined;
    root.inode.closed();
    fs.put();
  }
}

/** The path that leads to a place, from the root of its namespace. */
export function pathText({ mount, dentry }: Path): string {
  const names: string[] = [];
  let at: Path = { mount, dentry };
  for (;;) {
    if (at.dentry !== at.mount.root && at.dentry.parent) {
      names.unshift(at.dentry.name);
      at = { mount: at.mount, dentry: at.dentry.parent };
    } else if (at.mount.place) at = at.mount.place;
    else return `/${names.join("/")}`;
  }
}

/** What is mounted at a place, or the place itself. */
export function across(path: Path): Path {
  let at = path;
  for (;;) {
    const mount = at.dentry.mounts.find((m) => m.place?.mount === at.mount);
    if (!mount) return at;
    at = { mount, dentry: mount.root };
  }
}

export class MountNs {
  /** CAP_SYS_ADMIN in it allows mounting here. */
  readonly userns: UserNs;
  readonly #mounts: Mount[];
  readonly #events: Events;
  #members = 0;

  /** @param root what lies at "/" */
  constructor(userns: UserNs, root: Bpffs, events: Events) {
    this.userns = userns;
    this.#events = events;
    this.#mounts = [new Mount(this, root, root.root, undefined)];
  }

  get root(): Path {
    const mount = this.#mounts[0]!;
    return across({ mount, dentry: mount.root });
  }

  /** In the order in which they were made; the first is the root. */
  get mounts(): readonly Mount[] {
    return this.#mounts;
  }

  add(fs: Bpffs, root: Dentry, place: Path): Mount {
    const mount = new Mount(this, fs, root, place);
    this.#mounts.push(mount);
    fs.mountedAt = mount.at;
    return mount;
  }

  /** The mounts that lie on a mount, and it, those on top first. */
  tree(mount: Mount): Mount[] {
    const on = this.#mounts.filter((m) => m.place?.mount === mount);
    return [...on.flatMap((m) => this.tree(m)), mount];
  }

  /** A mount and what lies on it go. */
  umountTree(mount: Mount): void {
    for (const gone of this.tree(mount)) {
      this.#mounts.splice(this.#mounts.indexOf(gone), 1);
      if (gone.fs.fsType.pins) this.#events.emit({ what: "umount", path: gone.at });
      gone.detach();
    }
  }

  /** A copy with the same mounts (CLONE_NEWNS), owned by `userns`. */
  clone(userns: UserNs = this.userns): MountNs {
    const [root, ...rest] = this.#mounts;
    const copy = new MountNs(userns, root!.fs, this.#events);
    const copies = new Map([[root!, copy.#mounts[0]!]]);
    for (const m of rest) {
      const place = { mount: copies.get(m.place!.mount)!, dentry: m.place!.dentry };
      const twin = new Mount(copy, m.fs, m.root, place, m.locked || userns !== this.userns);
      twin.readonly = m.readonly;
      copy.#mounts.push(twin);
      copies.set(m, twin);
    }
    return copy;
  }

  /** A process comes in. */
  enter(): this {
    this.#members++;
    return this;
  }

  /** A process leaves; with the last one, the mounts go. */
  leave(): void {
    if (--this.#members === 0) this.umountTree(this.#mounts[0]!);
  }
}
