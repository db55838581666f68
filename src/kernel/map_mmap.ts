/**
 * mmap(2) of an array: its values as memory that user space shares with programs.
 *
 * Errors   EINVAL a map without BPF_F_MMAPABLE, EPERM a frozen map that is to be written, EACCES an fd without the right
 *          (a read-only one is not mapped at all: EINVAL); while it can be written, the map cannot be frozen (EBUSY).
 * Source   bpf_map_mmap() in kernel/bpf/syscall.c, array_map_mmap() in kernel/bpf/arraymap.c.
 */
import { BPF_F_MMAPABLE, BPF_F_RDONLY, BPF_F_WRONLY } from "../abi/bpf.ts";
import { EACCES, EINVAL, EPERM } from "../abi/errno.ts";
import type { MapMemory } from "./bpf.ts";
import type { KMap } from "./map.ts";
import type { Mapping, Task } from "./task.ts";

/** @param mode  BPF_F_RDONLY, BPF_F_WRONLY of the fd */
export function mapMmap(task: Task, map: KMap, mode: number, readonly: boolean): MapMemory {
  const { map: array } = map;
  if (!(map.mapFlags & BPF_F_MMAPABLE) || !array.valueAddr)
    throw array.error(EINVAL, "it was made without BPF_F_MMAPABLE");
  // Shared memory that is mapped can be read.
  if (mode & BPF_F_WRONLY) throw array.error(EACCES, "the fd is write-only");
  if (mode & BPF_F_RDONLY)
    throw array.error(readonly ? EINVAL : EACCES, "the fd is read-only: its memory is not shared");
  if (!readonly && map.frozen) throw array.error(EPERM, "it is frozen");
  return new ArrayMemory(task, map, readonly);
}

class ArrayMemory implements MapMemory, Mapping {
  readonly obj: KMap;
  readonly #task: Task;
  readonly #writes: boolean;
  #open = true;

  constructor(task: Task, map: KMap, readonly: boolean) {
    this.#task = task;
    this.obj = map.get();
    this.#writes = !readonly;
    if (this.#writes) map.writers++;
    task.mappings.add(this);
  }

  get bytes(): Uint8Array {
    if (!this.#open) return new Uint8Array();
    const { memory, valueAddr } = this.obj.map;
    return memory.u8.subarray(valueAddr, valueAddr + ((this.obj.valueSize + 7) & ~7) * this.obj.maxEntries);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#writes) this.obj.writers--;
    this.#task.mappings.delete(this);
    this.obj.put();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
