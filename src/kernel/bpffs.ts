/**
 * bpffs: names for objects. A file system lives while it is mounted or an fd on it is open; its pins end with it.
 *
 * Paths     relative to the file system's root ("a/b"); directories are made on the way. MountNs finds the file system.
 * Errors    EPERM a name with '.', EEXIST a taken name, ENOENT an absent one, EINVAL an object that cannot be pinned.
 * Source    kernel/bpf/inode.c: bpf_lookup() refuses '.', bpf_mkobj_ops().
 */
import { BpfError, EEXIST, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import { KObject, type ObjKind } from "./objects.ts";

export const BPFFS_ROOT = "/sys/fs/bpf";

const PINNABLE: readonly ObjKind[] = ["map", "prog", "link"];

export class Bpffs extends KObject {
  readonly kind = "bpffs";
  readonly #pins = new Map<string, KObject>();

  get size(): number {
    return this.#pins.size;
  }

  /** Takes a user reference of its own. */
  pin(rel: string, obj: KObject): void {
    if (!PINNABLE.includes(obj.kind)) {
      throw new BpfError(EINVAL, `pin ${rel}: a ${obj.kind} cannot be pinned`, { path: rel });
    }
    if (rel.includes(".")) {
      throw new BpfError(EPERM, `pin ${rel}: names in bpffs must not contain '.'`, { path: rel });
    }
    if (this.#pins.has(rel)) throw new BpfError(EEXIST, `pin ${rel}: the name is taken`, { path: rel });
    this.#pins.set(rel, obj.getUser());
  }

  /** @throws ENOENT */
  lookup(rel: string): KObject {
    const obj = this.#pins.get(rel);
    if (!obj) throw new BpfError(ENOENT, `bpffs: no object is pinned at ${rel}`, { path: rel });
    return obj;
  }

  unlink(rel: string): void {
    const obj = this.lookup(rel);
    this.#pins.delete(rel);
    obj.putUser();
  }

  entries(): IterableIterator<[string, KObject]> {
    return this.#pins.entries();
  }

  override holds(): Iterable<KObject> {
    return this.#pins.values();
  }

  override lose(lost: KObject): boolean {
    for (const [rel, obj] of [...this.#pins]) if (obj === lost) this.unlink(rel);
    return true;
  }

  /** Every name goes. */
  clear(): void {
    for (const rel of [...this.#pins.keys()]) this.unlink(rel);
  }

  protected override release(): void {
    this.clear();
  }
}
