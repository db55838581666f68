/**
 * Maps under small numbers of one's own, so that instructions that name maps by number need no editing and no two
 * programs collide:
 *
 *     using maps = new LocalMaps(bpf);
 *     maps.create(1, { mapType: BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 64 });
 *     const { fd } = maps.load({ progType, license: "GPL", insns });      // r1 = map[1]: BPF_PSEUDO_MAP_IDX, imm 1
 *     bpf.mapUpdateElem(maps.fd(1), key, value);                          // before or after: the map is shared
 *
 * The numbers mean something only here; the kernel sees fds (bpf_attr.fd_array). Two sets of the same numbers are two sets
 * of maps; `share()` puts one map into several sets, under any numbers.
 *
 * Errors   EEXIST a number in use, ENOENT a number that nothing was created under, EINVAL no number from 0 to 63.
 */
import { BpfError, EEXIST, EINVAL, ENOENT } from "../abi/errno.ts";
import type { Bpf, Fd, MapCreateAttr, ProgLoadAttr, ProgLoadResult } from "../kernel/bpf.ts";

/** MAX_USED_MAPS: no program can use more. */
const MAX_LOCAL = 64;

export class LocalMaps implements Disposable {
  readonly #bpf: Bpf;
  readonly #fds = new Map<number, Fd>();

  constructor(bpf: Bpf) {
    this.#bpf = bpf;
  }

  /** @throws EEXIST, EINVAL and what mapCreate() throws */
  create(local: number, attr: MapCreateAttr): Fd {
    this.#free(local);
    const fd = this.#bpf.mapCreate(attr);
    this.#fds.set(local, fd);
    return fd;
  }

  /** Gives a map that exists a number; the set has an fd of its own on it. */
  share(local: number, mapFd: Fd): Fd {
    this.#free(local);
    const fd = this.#bpf.dup(mapFd);
    this.#fds.set(local, fd);
    return fd;
  }

  #free(local: number): void {
    if (!Number.isInteger(local) || local < 0 || local >= MAX_LOCAL) {
      throw new BpfError(EINVAL, `local map ${local}; wanted a number from 0 to ${MAX_LOCAL - 1}`, { local });
    }
    if (this.#fds.has(local)) throw new BpfError(EEXIST, `local map ${local} exists`, { local });
  }

  /** @throws ENOENT */
  fd(local: number): Fd {
    const fd = this.#fds.get(local);
    if (fd === undefined) throw new BpfError(ENOENT, `local map ${local} was not created`, { local });
    return fd;
  }

  /** Loads a program whose map references (BPF_PSEUDO_MAP_IDX, BPF_PSEUDO_MAP_IDX_VALUE) are local numbers. */
  load(attr: Omit<ProgLoadAttr, "fdArray">): ProgLoadResult {
    const length = Math.max(-1, ...this.#fds.keys()) + 1;
    // Unused numbers are no fd: a program that names one is refused with EBADF.
    const fdArray = Array.from({ length }, (_, local) => this.#fds.get(local) ?? (-1 as Fd));
    return this.#bpf.progLoad({ ...attr, fdArray });
  }

  /** Closes the fds; the maps live on while programs, pins or other fds hold them. */
  [Symbol.dispose](): void {
    for (const fd of this.#fds.values()) this.#bpf.close(fd);
    this.#fds.clear();
  }
}
