/**
 * A map of an object, typed by its BTF: keys and values are JavaScript values, not bytes.
 *
 *     obj.maps.blocked.set("10.0.0.1", 1)
 *     for (const [key, value] of obj.maps.flows) ...
 *     for await (const event of obj.maps.events) ...
 *
 * Values   as map_codec.ts describes: one per CPU for per-CPU maps, programs and maps where the kernel wants an fd.
 * Before load() sizes, pin path and global data may be changed; elements exist only afterwards.
 */

import { BpfError, EBUSY, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Bpf, Fd, MapInfo } from "../kernel/bpf.ts";
import { isRingbuf, ringbufSize } from "../object/map_def.ts";
import type { MapSpec } from "../object/spec.ts";
import { EventReader } from "./events.ts";
import { type HasFd, MapCodec } from "./map_codec.ts";
import { checkCompatible, type MapPlan } from "./map_create.ts";
import { pinAt } from "./pin.ts";

export interface MapOptions {
  /** Type of the events in a ring buffer or perf event array: name of a struct in the object's BTF. */
  readonly eventType?: string;
  /** False decodes __be32 and in6_addr as numbers; default true, as text. */
  readonly addresses?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: what an element is only the object file knows; callers may name it
export class BpfMap<K = any, V = any> {
  readonly spec: MapSpec;
  readonly name: string;
  /** Not created by load() when false; programs that use it do not load then. */
  autocreate: boolean;
  /** Where load() looks for the map, and pins it when it is not there. */
  pinPath: string | undefined;
  eventType: string | undefined;
  readonly #where: string;
  readonly #codec: MapCodec;
  #maxEntries: number;
  #mapFlags: number;
  /** Own copy of the global data, once somebody asked for it. */
  #initial: Uint8Array | undefined;
  #bpf: Bpf | undefined;
  #fd: Fd | undefined;

  /** Made by openObject(). */
  constructor(file: string, spec: MapSpec, btf: Btf | undefined, options: MapOptions = {}) {
    this.spec = spec;
    this.name = spec.name;
    this.autocreate = spec.autocreate;
    this.eventType = options.eventType;
    this.#where = `${file}: map '${spec.name}'`;
    this.#codec = new MapCodec(spec, btf, this.#where, options.addresses ?? true);
    this.#maxEntries = spec.maxEntries;
    this.#mapFlags = spec.mapFlags;
  }

  // ---- before load ----

  /** BPF_MAP_TYPE_*. */
  get type(): number {
    return this.spec.type;
  }

  get maxEntries(): number {
    return this.#maxEntries;
  }

  /** Ring buffers are rounded up to a size that the kernel takes. */
  set maxEntries(n: number) {
    this.#beforeLoad("max_entries");
    if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) {
      throw new BpfError(EINVAL, `${this.#where}: max_entries ${n}; wanted an integer from 0 to 4294967295`);
    }
    this.#maxEntries = isRingbuf(this.type) ? ringbufSize(n) : n;
  }

  get mapFlags(): number {
    return this.#mapFlags;
  }

  set mapFlags(flags: number) {
    this.#beforeLoad("flags");
    this.#mapFlags = flags >>> 0;
  }

  /**
   * Initial contents of a global data map; may be written to before load. Afterwards a copy of what the kernel holds.
   */
  get initial(): Uint8Array | undefined {
    if (!this.spec.global) return undefined;
    if (this.#fd !== undefined) return this.#need().mapLookupElem(this.#fd, new Uint8Array(4));
    this.#initial ??= this.spec.global.bytes.slice();
    return this.#initial;
  }

  /** Global data after load, whole. @throws EPERM for frozen data */
  writeData(bytes: Uint8Array): void {
    const bpf = this.#need();
    const kind = this.spec.global?.kind;
    if (kind === "rodata" || kind === "kconfig") {
      throw new BpfError(EPERM, `${this.#where}: is frozen since load(); wanted a change before it`);
    }
    bpf.mapUpdateElem(this.fd, new Uint8Array(4), bytes);
  }

  /** Uses an existing map instead of making one. The fd is duplicated. @throws EINVAL when its parameters differ */
  reuse(bpf: Bpf, fd: Fd): void {
    this.#beforeLoad("fd");
    checkCompatible(bpf, this.plan(), fd, this.#where);
    this.loaded(bpf, bpf.dup(fd));
  }

  /** For load(). */
  plan(): MapPlan {
    return {
      spec: this.spec,
      maxEntries: this.#maxEntries,
      valueSize: this.spec.valueSize,
      mapFlags: this.#mapFlags,
      numaNode: this.spec.numaNode,
      mapExtra: this.spec.mapExtra,
      vmlinuxValueTypeId: 0,
      pinPath: this.pinPath,
      initial: this.#initial ?? this.spec.global?.bytes,
    };
  }

  /** For load(): the map exists now; the fd is ours. */
  loaded(bpf: Bpf, fd: Fd): void {
    this.#bpf = bpf;
    this.#fd = fd;
  }

  #beforeLoad(what: string): void {
    if (this.#fd !== undefined) {
      throw new BpfError(EBUSY, `${this.#where}: ${what} cannot change any more; wanted a change before load()`);
    }
  }

  // ---- after load ----

  get isLoaded(): boolean {
    return this.#fd !== undefined;
  }

  get fd(): Fd {
    this.#need();
    return this.#fd!;
  }

  info(): MapInfo {
    return this.#need().mapInfo(this.fd);
  }

  /** undefined when the key is not there. */
  get(key: K): V | undefined {
    const bytes = this.#lookup(this.#codec.encodeKey(key));
    return bytes && (this.#codec.decodeValue(bytes) as V);
  }

  has(key: K): boolean {
    return this.#lookup(this.#codec.encodeKey(key)) !== undefined;
  }

  /** @param flags BPF_ANY, BPF_NOEXIST, BPF_EXIST */
  set(key: K, value: V | HasFd, flags = 0n): this {
    const bpf = this.#need();
    bpf.mapUpdateElem(this.fd, this.#codec.encodeKey(key), this.#codec.encodeValue(value, bpf.possibleCpus), flags);
    return this;
  }

  /** Changes only the members that `value` mentions; the element must exist or be new (then the rest is 0). */
  patch(key: K, value: unknown): this {
    const bpf = this.#need();
    const k = this.#codec.encodeKey(key);
    const bytes = this.#lookup(k) ?? new Uint8Array(this.#codec.storedSize(bpf.possibleCpus));
    this.#codec.patchValue(value, bytes);
    bpf.mapUpdateElem(this.fd, k, bytes);
    return this;
  }

  /** @returns false when the key was not there */
  delete(key: K): boolean {
    try {
      this.#need().mapDeleteElem(this.fd, this.#codec.encodeKey(key));
      return true;
    } catch (e) {
      if (e instanceof BpfError && e.errno === ENOENT) return false;
      throw e;
    }
  }

  /** Takes an element out; from a queue or stack the next one. undefined when there is none. */
  take(key?: K): V | undefined {
    const k = key === undefined ? new Uint8Array(0) : this.#codec.encodeKey(key);
    const bytes = orNone(() => this.#need().mapLookupAndDeleteElem(this.fd, k));
    return bytes && (this.#codec.decodeValue(bytes) as V);
  }

  /** Queues and stacks. */
  push(value: V, flags = 0n): this {
    const bpf = this.#need();
    bpf.mapUpdateElem(this.fd, new Uint8Array(0), this.#codec.encodeValue(value, bpf.possibleCpus), flags);
    return this;
  }

  /** The next element of a queue or stack, which stays. */
  peek(): V | undefined {
    const bytes = this.#lookup(new Uint8Array(0));
    return bytes && (this.#codec.decodeValue(bytes) as V);
  }

  /** In the kernel's order. An element may be deleted while it is visited. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    for (const key of this.#rawKeys()) {
      const value = this.#lookup(key);
      // gone since its key was seen, or an empty slot
      if (value) yield [this.#codec.decodeKey(key) as K, this.#codec.decodeValue(value) as V];
    }
  }

  *keys(): IterableIterator<K> {
    for (const key of this.#rawKeys()) yield this.#codec.decodeKey(key) as K;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this) yield value;
  }

  entries(): IterableIterator<[K, V]> {
    return this[Symbol.iterator]();
  }

  /** The consumer of a ring buffer or perf event array. */
  events(options: { readonly type?: string } = {}): EventReader<V> {
    const codec = this.#codec.eventCodec(options.type ?? this.eventType);
    return new EventReader<V>(this.#need().mapReader(this.fd), codec);
  }

  /** Waits for events for ever; leave the loop to stop. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<V> {
    const reader = this.events();
    try {
      yield* reader;
    } finally {
      reader.close();
    }
  }

  pin(path: string): void {
    pinAt(this.#need(), this.fd, path);
  }

  close(): void {
    if (this.#fd !== undefined) this.#bpf?.close(this.#fd);
    this.#fd = undefined;
  }

  #need(): Bpf {
    if (!this.#bpf || this.#fd === undefined) {
      const wanted = this.autocreate ? "wanted a call of load() first" : "it is not created (autocreate is false)";
      throw new BpfError(EINVAL, `${this.#where}: is not loaded; ${wanted}`);
    }
    return this.#bpf;
  }

  #lookup(key: Uint8Array): Uint8Array | undefined {
    return orNone(() => this.#need().mapLookupElem(this.fd, key));
  }

  *#rawKeys(): IterableIterator<Uint8Array> {
    const bpf = this.#need();
    let key = bpf.mapGetNextKey(this.fd, undefined);
    while (key) {
      // asked before the caller may delete `key`, after which Linux would start over
      const next = bpf.mapGetNextKey(this.fd, key);
      yield key;
      key = next;
    }
  }
}

function orNone<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (e) {
    if (e instanceof BpfError && e.errno === ENOENT) return undefined;
    throw e;
  }
}
