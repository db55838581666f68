/** Memory shared with the kernel: the pages of rings and of arrays. */
import type { Fd, MapMemory } from "../../kernel/bpf.ts";
import type { LinuxBpf } from "./linux_bpf.ts";
import type { Sys } from "./sys.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
export const PAGE = 4096;

/** Pages of a file; nothing may look at `view` after unmap(). */
export class Mapping {
  readonly buffer: ArrayBuffer;
  readonly view: DataView;
  readonly #sys: Sys;
  readonly #at: number;

  constructor(sys: Sys, what: string, fd: number, len: number, writable: boolean, offset: number) {
    this.#sys = sys;
    const protection = PROT_READ | (writable ? PROT_WRITE : 0);
    this.#at = sys.must(what, "mmap", 0, len, protection, MAP_SHARED, fd, offset);
    this.buffer = sys.view(this.#at, len);
    this.view = new DataView(this.buffer);
  }

  /** A position that the kernel writes: what it says is written has been written. */
  position(off: number): bigint {
    return Atomics.load(new BigUint64Array(this.buffer, off, 1), 0);
  }

  setPosition(off: number, value: bigint): void {
    Atomics.store(new BigUint64Array(this.buffer, off, 1), 0, value);
  }

  unmap(): void {
    this.#sys.call("munmap", this.#at, this.buffer.byteLength);
  }
}

/** The values of a BPF_F_MMAPABLE array, each rounded up to 8 bytes. The mapping holds the map. */
export function mmapArray(bpf: LinuxBpf, fd: Fd, readonly: boolean): MapMemory {
  const { name, valueSize, maxEntries } = bpf.mapInfo(fd);
  const used = ((valueSize + 7) & ~7) * maxEntries;
  const len = Math.ceil(used / PAGE) * PAGE;
  const mapping = new Mapping(bpf.sys, `map '${name}'`, fd, len, !readonly, 0);
  let open = true;
  const close = () => {
    if (open) mapping.unmap();
    open = false;
  };
  return {
    get bytes() {
      return open ? new Uint8Array(mapping.buffer, 0, used) : new Uint8Array();
    },
    close,
    [Symbol.dispose]: close,
  };
}
