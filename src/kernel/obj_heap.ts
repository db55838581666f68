/**
 * Objects that programs allocate with bpf_obj_new(): their memory, and by address their type, so that dropping one also lets
 * go what its special fields own.
 *
 * An object lives as long as a program, a map value, a list or a tree holds it; those hand their reference around. When a
 * value or an object with a list or tree in it dies, everything in there is dropped.
 */
import type { Btf } from "../btf/btf.ts";
import type { ObjectService } from "../kfuncs/bodies.ts";
import type { VAddr } from "../memory/memory.ts";
import { type BtfField, type BtfRecord, StructMetas } from "../verifier/btf_record.ts";
import type { Kernel } from "./kernel.ts";

interface ObjType {
  readonly size: number;
  readonly record: BtfRecord | undefined;
}

interface GraphExports {
  mem_alloc(size: number, align: number): number;
  list_pop_front(head: number): number;
  rbtree_first(root: number): number;
  rbtree_remove(root: number, node: number): number;
}

export class ObjHeap implements ObjectService {
  readonly #kernel: Kernel;
  readonly #live = new Map<number, ObjType>();
  readonly #metas = new WeakMap<Btf, StructMetas>();
  /** Offsets at which some type has a node. */
  readonly #nodeOffsets = new Set<number>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  #typeOf(btf: Btf, id: number): ObjType {
    let metas = this.#metas.get(btf);
    if (!metas) {
      metas = new StructMetas(btf, this.#kernel.platform.btf);
      this.#metas.set(btf, metas);
    }
    const record = metas.get(id);
    for (const f of record?.fields ?? []) {
      if (f.kind === "list_node" || f.kind === "rb_node") this.#nodeOffsets.add(f.offset);
    }
    return { size: btf.size(id), record };
  }

  alloc(btf: Btf, typeId: number): number {
    const type = this.#typeOf(btf, typeId);
    const { memory } = this.#kernel;
    const addr = memory.exports<GraphExports>().mem_alloc(type.size, 16) >>> 0;
    if (!addr) return 0;
    this.#live.set(addr, type);
    const refcount = field(type.record, "refcount");
    if (refcount) memory.writeU32(addr + refcount.offset, 1);
    return addr;
  }

  acquire(obj: number): boolean {
    const refcount = field(this.#live.get(obj)?.record, "refcount");
    if (!refcount) return false;
    const { memory } = this.#kernel;
    const at = obj + refcount.offset;
    memory.writeU32(at, memory.readU32(at) + 1);
    return true;
  }

  drop(obj: number): void {
    const type = this.#live.get(obj);
    // Kernel objects of other subsystems are not ours to free.
    if (!type) return;
    const { memory } = this.#kernel;
    const refcount = field(type.record, "refcount");
    if (refcount) {
      const left = memory.readU32(obj + refcount.offset) - 1;
      memory.writeU32(obj + refcount.offset, left);
      if (left > 0) return;
    }
    this.#live.delete(obj);
    for (const f of type.record?.fields ?? []) this.freeField(f, obj + f.offset);
    memory.free(obj as VAddr);
  }

  /** Lets go what a special field at `at` owns. */
  freeField(f: BtfField, at: number): void {
    const { memory } = this.#kernel;
    const core = memory.exports<GraphExports>();
    if (f.kind === "kptr_ref" || f.kind === "kptr_percpu") {
      const obj = memory.readU32(at);
      memory.writeU64(at, 0n);
      if (obj) this.drop(obj);
    } else if (f.kind === "list_head" && f.root && memory.readU32(at)) {
      for (let node = core.list_pop_front(at); node; node = core.list_pop_front(at))
        this.drop((node >>> 0) - f.root.nodeOffset);
    } else if (f.kind === "rb_root" && f.root) {
      for (let node = core.rbtree_first(at); node; node = core.rbtree_first(at)) {
        core.rbtree_remove(at, node);
        this.drop((node >>> 0) - f.root.nodeOffset);
      }
    }
  }

  containerOf(node: number): number | undefined {
    for (const off of this.#nodeOffsets) if (this.#live.has(node - off)) return node - off;
    return undefined;
  }
}

function field(record: BtfRecord | undefined, kind: BtfField["kind"]): BtfField | undefined {
  return record?.fields.find((f) => f.kind === kind);
}
