/**
 * The user-space half of the skb leak finder. The map is there before the programs: both objects, loaded one after the
 * other, are given the same one.
 *
 *     using finder = new LeakFinder(proc);
 *     finder.olderThan(nowNs, 100)   // skbs that were allocated 100 ms ago or earlier and are still there
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BPF_MAP_TYPE_HASH } from "../../src/abi/bpf.ts";
import { BpfError, ENOENT } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";

export interface StaleSkb {
  /** Of the struct sk_buff. */
  readonly address: bigint;
  readonly ageNs: bigint;
}

const HALVES = ["skb_free.o", "skb_alloc.o"];

export class LeakFinder implements Disposable {
  readonly #bpf: Bpf;
  readonly #live: Fd;
  readonly #objects: BpfObject[] = [];
  readonly #links: Disposable[] = [];

  constructor(bpf: Bpf, dir: string) {
    this.#bpf = bpf;
    this.#live = bpf.mapCreate({
      mapType: BPF_MAP_TYPE_HASH,
      keySize: 8,
      valueSize: 8,
      maxEntries: 65536,
      name: "live",
    });
    try {
      // What is freed is watched first: nothing that is seen at its allocation is missed at its end.
      for (const file of HALVES) {
        const object = openObject(new Uint8Array(readFileSync(join(dir, file))), { name: file });
        this.#objects.push(object);
        object.maps.live!.reuse(bpf, this.#live);
        object.load(bpf);
        for (const prog of Object.values(object.progs)) this.#links.push(prog.attach());
      }
    } catch (e) {
      this[Symbol.dispose]();
      throw e;
    }
  }

  /** @param nowNs nanoseconds since boot */
  olderThan(nowNs: bigint, ms: number): StaleSkb[] {
    const stale: StaleSkb[] = [];
    const limitNs = BigInt(ms) * 1_000_000n;
    for (
      let key = this.#bpf.mapGetNextKey(this.#live, undefined);
      key;
      key = this.#bpf.mapGetNextKey(this.#live, key)
    ) {
      const value = this.#lookup(key);
      if (!value) continue;
      const ageNs = nowNs - u64(value);
      if (ageNs >= limitNs) stale.push({ address: u64(key), ageNs });
    }
    return stale;
  }

  /** Undefined: freed since its key was seen. */
  #lookup(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#bpf.mapLookupElem(this.#live, key);
    } catch (e) {
      if (e instanceof BpfError && e.errno === ENOENT) return undefined;
      throw e;
    }
  }

  [Symbol.dispose](): void {
    for (const link of this.#links) link[Symbol.dispose]();
    for (const object of this.#objects) object.close();
    this.#bpf.close(this.#live);
  }
}

function u64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}
