/**
 * An open directory, or any path opened with O_PATH: what path_fd, the *at() calls and token creation take.
 *
 * Holds the file system and keeps its mount from being unmounted (EBUSY); a lazy umount leaves it usable.
 */
import { KObject } from "../objects.ts";
import type { Path } from "./mountns.ts";

export class OpenPath extends KObject {
  readonly kind = "path";
  readonly path: Path;
  /** O_PATH: names the place and gives no other right. */
  readonly pathOnly: boolean;

  constructor(path: Path, pathOnly: boolean) {
    super();
    this.path = path;
    this.pathOnly = pathOnly;
    path.mount.fs.get();
    path.mount.opens++;
    path.dentry.inode.opened();
  }

  /** The path is the root of its mount: what token creation asks for. */
  get isMountRoot(): boolean {
    return this.path.dentry === this.path.mount.root;
  }

  override *holds(): Iterable<KObject> {
    yield this.path.mount.fs;
  }

  protected override release(): void {
    const { mount, dentry } = this.path;
    dentry.inode.lockHolders.delete(this);
    mount.opens--;
    dentry.inode.closed();
    mount.fs.put();
  }
}
