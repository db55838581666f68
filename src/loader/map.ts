/**
 * A map of an object, typed by its BTF: keys and values are JavaScript values, not bytes.
 *
 *     obj.maps.blocked.set("10.0.0.1", 1)
 *     for (const [key, value] of obj.maps.flows) ...
 *     for await (const event of obj.maps.events) ...
 *
 * Values   as src/btf/codec.ts describes; where the file gives no type, numbers for 1, 2, 4 bytes, bigint for 8, hex text.
 *          A per-CPU value is an array with one element per possible CPU; one value given is stored for all.
 *          Programs and maps may be given as values where the kernel wants their fd.
 * Keys     of an LPM trie also as text: "10.0.0.0/8", "2001:db8::/32".
 * Before load() sizes, pin path and global data may be changed; elements exist only afterwards.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EBUSY, EINVAL, ENOENT, EPERM } from "../abi/errno.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "../btf/addr_text.ts";
import type { Btf } from "../btf/btf.ts";
import { type Codec, compileCodec, rawCodec } from "../btf/codec.ts";
import { BTF_KIND_ARRAY, BTF_KIND_STRUCT, BTF_KIND_TYPEDEF, BTF_KIND_UNION } from "../btf/kinds.ts";
import type { Bpf, Fd, MapInfo } from "../kernel/bpf.ts";
import { isRingbuf, ringbufSize } from "../object/map_def.ts";
import type { MapSpec } from "../object/spec.ts";
import { EventReader } from "./events.ts";
import { checkCompatible, type MapPlan } from "./map_create.ts";

const PER_CPU: ReadonlySet<number> = new Set([
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
  abi.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
]);

const EVENT_KINDS = [BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF];

/** Something with an fd: a map, a program. */
interface HasFd {
  readonly fd: Fd;
}

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
  readonly #btf: Btf | undefined;
  readonly #addresses: boolean;
  #maxEntries: number;
  #mapFlags: number;
  /** Own copy of the global data, once somebody asked for it. */
  #initial: Uint8Array | undefined;
  #bpf: Bpf | undefined;
  #fd: Fd | undefined;
  #key: Codec | undefined;
  #value: Codec | undefined;

  /** Made by openObject(). */
  constructor(file: string, spec: MapSpec, btf: Btf | undefined, options: MapOptions = {}) {
    this.spec = spec;
    this.name = spec.name;
    this.autocreate = spec.autocreate;
    this.eventType = options.eventType;
    this.#where = `${file}: map '${spec.name}'`;
    this.#btf = btf;
    this.#addresses = options.addresses ?? true;
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
    const bytes = this.#lookup(this.#encodeKey(key));
    return bytes && this.#decodeValue(bytes);
  }

  has(key: K): boolean {
    return this.#lookup(this.#encodeKey(key)) !== undefined;
  }

  /** @param flags BPF_ANY, BPF_NOEXIST, BPF_EXIST */
  set(key: K, value: V | HasFd, flags = 0n): this {
    this.#need().mapUpdateElem(this.fd, this.#encodeKey(key), this.#encodeValue(value), flags);
    return this;
  }

  /** Changes only the members that `value` mentions; the element must exist or be new (then the rest is 0). */
  patch(key: K, value: unknown): this {
    const k = this.#encodeKey(key);
    const bytes = this.#lookup(k) ?? new Uint8Array(this.#storedSize());
    for (let at = 0; at < bytes.length; at += this.#stride())
      this.#valueCodec().patch(value, bytes, at, this.#path("value"));
    this.#need().mapUpdateElem(this.fd, k, bytes);
    return this;
  }

  /** @returns false when the key was not there */
  delete(key: K): boolean {
    try {
      this.#need().mapDeleteElem(this.fd, this.#encodeKey(key));
      return true;
    } catch (e) {
      if (e instanceof BpfError && e.errno === ENOENT) return false;
      throw e;
    }
  }

  /** Takes an element out; from a queue or stack the next one. undefined when there is none. */
  take(key?: K): V | undefined {
    const k = key === undefined ? new Uint8Array(0) : this.#encodeKey(key);
    const bytes = orNone(() => this.#need().mapLookupAndDeleteElem(this.fd, k));
    return bytes && this.#decodeValue(bytes);
  }

  /** Queues and stacks. */
  push(value: V, flags = 0n): this {
    this.#need().mapUpdateElem(this.fd, new Uint8Array(0), this.#encodeValue(value), flags);
    return this;
  }

  /** The next element of a queue or stack, which stays. */
  peek(): V | undefined {
    const bytes = this.#lookup(new Uint8Array(0));
    return bytes && this.#decodeValue(bytes);
  }

  /** In the kernel's order. An element may be deleted while it is visited. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    for (const key of this.#rawKeys()) {
      const value = this.#lookup(key);
      // gone since its key was seen, or an empty slot
      if (value) yield [this.#decodeKey(key), this.#decodeValue(value)];
    }
  }

  *keys(): IterableIterator<K> {
    for (const key of this.#rawKeys()) yield this.#decodeKey(key);
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this) yield value;
  }

  entries(): IterableIterator<[K, V]> {
    return this[Symbol.iterator]();
  }

  /** The consumer of a ring buffer or perf event array. */
  events(options: { readonly type?: string } = {}): EventReader<V> {
    const codec = this.#eventCodec(options.type ?? this.eventType);
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
    this.#need().objPin(this.fd, path);
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

  // ---- values ----

  #path(part: string): string {
    return `${this.#where}: ${part}`;
  }

  #codec(typeId: number, size: number): Codec {
    if (!typeId || !this.#btf) return rawCodec(size);
    const codec = compileCodec(this.#btf, typeId, { addresses: this.#addresses });
    return codec.size === size ? codec : rawCodec(size);
  }

  #keyCodec(): Codec {
    this.#key ??= this.#codec(this.spec.keyTypeId, this.spec.keySize);
    return this.#key;
  }

  #valueCodec(): Codec {
    this.#value ??= this.#codec(this.spec.valueTypeId, this.spec.valueSize);
    return this.#value;
  }

  #encodeKey(key: K): Uint8Array {
    if (key instanceof Uint8Array && key.length === this.spec.keySize) return key;
    if (this.type === abi.BPF_MAP_TYPE_LPM_TRIE && typeof key === "string") return this.#lpmKey(key);
    return this.#keyCodec().encode(key, this.#path("key"));
  }

  #lpmKey(text: string): Uint8Array {
    const [, address = "", prefix] = /^([^/]+)(?:\/(\d+))?$/.exec(text) ?? [];
    const data = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
    const room = this.spec.keySize - 4;
    const bits = prefix === undefined ? 8 * room : Number(prefix);
    if (data?.length !== room || bits > 8 * room) {
      const wanted = room === 4 ? "like '10.0.0.0/8'" : room === 16 ? "like '2001:db8::/32'" : "of another form";
      throw new BpfError(EINVAL, `${this.#path("key")}: wanted a network ${wanted}, saw '${text}'`);
    }
    const out = new Uint8Array(this.spec.keySize);
    new DataView(out.buffer).setUint32(0, bits, true);
    out.set(data, 4);
    return out;
  }

  #decodeKey(bytes: Uint8Array): K {
    const isUntypedLpm = this.type === abi.BPF_MAP_TYPE_LPM_TRIE && !this.spec.keyTypeId && this.#addresses;
    if (isUntypedLpm && (bytes.length === 8 || bytes.length === 20)) {
      const bits = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      const data = bytes.subarray(4);
      return `${data.length === 4 ? formatIpv4(data) : formatIpv6(data)}/${bits}` as K;
    }
    return this.#keyCodec().decode(bytes) as K;
  }

  #isPerCpu(): boolean {
    return PER_CPU.has(this.type);
  }

  /** Distance of the values of two CPUs; all of the value for other maps. */
  #stride(): number {
    return this.#isPerCpu() ? (this.spec.valueSize + 7) & ~7 : Math.max(1, this.spec.valueSize);
  }

  #storedSize(): number {
    return this.#isPerCpu() ? this.#stride() * this.#need().possibleCpus : this.spec.valueSize;
  }

  #encodeValue(value: V | HasFd): Uint8Array {
    const size = this.#storedSize();
    if (value instanceof Uint8Array && value.length === size) return value;
    const path = this.#path("value");
    if (hasFd(value)) return rawCodec(this.spec.valueSize).encode(value.fd, path);
    const codec = this.#valueCodec();
    if (!this.#isPerCpu()) return codec.encode(value, path);
    const out = new Uint8Array(size);
    const stride = this.#stride();
    const each = this.#splitCpus(value, size / stride);
    for (const [cpu, v] of each.entries()) codec.encodeInto(v, out, cpu * stride, `${path}[cpu ${cpu}]`);
    return out;
  }

  #splitCpus(value: unknown, cpus: number): unknown[] {
    const isArrayType = this.#btf && this.#btf.kind(this.#btf.resolve(this.spec.valueTypeId)) === BTF_KIND_ARRAY;
    const isPerCpu = Array.isArray(value) && (!isArrayType || Array.isArray(value[0]));
    if (!isPerCpu) return new Array(cpus).fill(value);
    if (value.length !== cpus) {
      throw new BpfError(EINVAL, `${this.#path("value")}: ${value.length} values; wanted one for each of ${cpus} CPUs`);
    }
    return value;
  }

  #decodeValue(bytes: Uint8Array): V {
    const codec = this.#valueCodec();
    if (!this.#isPerCpu()) return codec.decode(bytes) as V;
    const stride = this.#stride();
    return Array.from({ length: bytes.length / stride }, (_, cpu) => codec.decode(bytes, cpu * stride)) as V;
  }

  /** By the caller's word, else a struct that is called like the map: `events` holds `struct event`. */
  #eventCodec(type: string | undefined): Codec | undefined {
    const btf = this.#btf;
    if (!btf) return undefined;
    const names = type ? [type] : [this.name.replace(/s$/, ""), this.name, `${this.name.replace(/s$/, "")}_t`];
    const ids = names.flatMap((n) => EVENT_KINDS.map((kind) => btf.byName(n.replace(/^struct /, ""), kind)));
    const id = ids.find((i) => i !== 0 && btf.size(i) > 0);
    if (id) return compileCodec(btf, id, { addresses: this.#addresses });
    if (type === undefined) return undefined;
    throw new BpfError(ENOENT, `${this.#where}: event type '${type}' is not in the BTF; wanted a struct of the object`);
  }
}

function hasFd(value: unknown): value is HasFd {
  return typeof value === "object" && value !== null && "fd" in value && typeof value.fd === "number";
}

function orNone<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (e) {
    if (e instanceof BpfError && e.errno === ENOENT) return undefined;
    throw e;
  }
}
