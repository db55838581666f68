/**
 * Mount namespaces: which bpffs a path leads to.
 *
 * A bpffs lives while a mount or an fd on it does; when it goes, so do its pins. Paths are absolute; the longest mount
 * point that begins the path decides.
 *
 * Errors   EINVAL a path in no bpffs, EBUSY a mount point that is taken, ENOENT no mount there.
 */
import { BpfError, EINVAL, ENOENT } from "../abi/errno.ts";
import type { Bpffs } from "./bpffs.ts";

export interface Mount {
  readonly at: string;
  readonly fs: Bpffs;
}

export class MountNs {
  #members = 0;
  /** Mount point to file system; the later of two at one place hides the earlier. */
  readonly #mounts: Mount[] = [];

  /** Takes a reference of the file system. */
  mount(at: string, fs: Bpffs): void {
    this.#mounts.push({ at: clean(at), fs: fs.get() });
  }

  /** @throws EINVAL */
  umount(at: string): void {
    const path = clean(at);
    const found = this.#mounts.findLastIndex((m) => m.at === path);
    if (found < 0) throw new BpfError(EINVAL, `umount ${path}: nothing is mounted there`, { path });
    this.#mounts.splice(found, 1)[0]!.fs.put();
  }

  /** The file system and the path in it, "" being its root. @throws EINVAL */
  resolve(path: string): { readonly fs: Bpffs; readonly rel: string } {
    const name = clean(path);
    if (!name.startsWith("/")) throw new BpfError(ENOENT, `${path}: wanted an absolute path`, { path });
    let best: Mount | undefined;
    for (const m of this.#mounts) {
      const covers = m.at === "/" || name === m.at || name.startsWith(`${m.at}/`);
      if (covers && (!best || m.at.length >= best.at.length)) best = m;
    }
    if (!best) throw new BpfError(EINVAL, `${path} is not in a bpffs`, { path });
    return { fs: best.fs, rel: name.slice(best.at.length).replace(/^\//, "") };
  }

  /** A copy with the same mounts (CLONE_NEWNS). */
  clone(): MountNs {
    const copy = new MountNs();
    for (const { at, fs } of this.#mounts) copy.mount(at, fs);
    return copy;
  }

  get mounts(): readonly Mount[] {
    return this.#mounts;
  }

  /** A process comes in. */
  enter(): this {
    this.#members++;
    return this;
  }

  /** A process leaves; with the last one, the mounts go. */
  leave(): void {
    if (--this.#members === 0) for (const { fs } of this.#mounts.splice(0)) fs.put();
  }
}

function clean(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
}
