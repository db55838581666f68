/**
 * bpffs: names for objects. One tree per kernel, directories made on the way.
 *
 * Errors   EPERM a name with '.', EEXIST a taken name, ENOENT an absent one, EINVAL an object that cannot be pinned.
 * Source   kernel/bpf/inode.c: bpf_lookup() refuses '.', bpf_mkobj_ops().
 */
import { BpfError, EEXIST, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import type { KObject } from "./objects.ts";

const BPFFS_ROOT = "/sys/fs/bpf";

export class Bpffs {
  readonly #pins = new Map<string, KObject>();

  get size(): number {
    return this.#pins.size;
  }

  /** Takes a user reference of its own. */
  pin(path: string, obj: KObject): string {
    const name = normalize(path);
    if (obj.kind === "btf") throw new BpfError(EINVAL, `pin ${name}: BTF objects cannot be pinned`, { path: name });
    if (name.slice(BPFFS_ROOT.length).includes(".")) {
      throw new BpfError(EPERM, `pin ${name}: names in bpffs must not contain '.'`, { path: name });
    }
    if (this.#pins.has(name)) throw new BpfError(EEXIST, `pin ${name}: the name is taken`, { path: name });
    this.#pins.set(name, obj.getUser());
    return name;
  }

  get(path: string): KObject {
    const name = normalize(path);
    const obj = this.#pins.get(name);
    if (!obj) throw new BpfError(ENOENT, `bpffs: no object is pinned at ${name}`, { path: name });
    return obj;
  }

  unpin(path: string): KObject {
    const name = normalize(path);
    const obj = this.get(name);
    this.#pins.delete(name);
    obj.putUser();
    return obj;
  }

  entries(): IterableIterator<[string, KObject]> {
    return this.#pins.entries();
  }

  /** Unmount: every name goes. */
  clear(): void {
    for (const path of [...this.#pins.keys()]) this.unpin(path);
  }
}

function normalize(path: string): string {
  const clean = path.replace(/\/+/g, "/").replace(/\/$/, "");
  if (!clean.startsWith(`${BPFFS_ROOT}/`)) {
    throw new BpfError(EINVAL, `${path} is not in a bpffs; wanted a path under ${BPFFS_ROOT}`, { path });
  }
  return clean;
}
