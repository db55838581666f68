/**
 * A map of one kernel: the record and areas in linear memory, and the element commands of bpf(2) over bytes.
 *
 * State     all in linear memory; this object keeps the address, what it was created from, and a scratch buffer.
 * Owner     whoever creates it calls free() when no program and no fd needs it. References from slots to objects are
 *           the owner's too: see SlotHooks.
 * Errors    BpfError with the errno of Linux. The rights of an fd (BPF_F_RDONLY, BPF_F_WRONLY) are the caller's to
 *           check; a frozen map refuses writes here.
 * Values    of per-CPU types: one value per possible CPU, each rounded up to 8 bytes.
 */
import { BPF_F_LOCK } from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT, ENOTSUPP, EPERM, ERRNO, type Errno } from "../abi/errno.ts";
import type { Memory, VAddr } from "../memory/memory.ts";
import { roundUp } from "./check.ts";
import { checkMapAttr } from "./create.ts";
import type { MapExports } from "./exports.ts";
import type { MapAccess, MapAttr, MapType, SlotHooks } from "./map_type.ts";
import { FIELD_KINDS, MAP_RECORD, MAP_RECORD_SIZE, ownsSomething } from "./record.ts";

/** Values up to this size pass through the scratch buffer; larger ones through an allocation of their own. */
const SCRATCH_VALUE = 4096;

const UNKNOWN_FLAG = 1 << 30;
const ERRNOS = new Set<number>(Object.values(ERRNO));

export interface MapOptions {
  /** For hash seeds; without it, and with BPF_F_ZERO_SEED, the seed is 0. */
  readonly random32?: (() => number) | undefined;
  readonly slots?: SlotHooks | undefined;
  /** In place of the type's: elements that mean something to the owner of the map. */
  readonly access?: MapAccess | undefined;
}

/** What the JIT may know of a map (ConstMap of interp/image.ts). */
export interface ConstMapFacts {
  readonly addr: number;
  readonly type: number;
  readonly maxEntries: number;
  readonly valueSize: number;
  readonly values?: { readonly base: number; readonly stride: number; readonly cpuStride: number };
}

export class BpfMap {
  readonly memory: Memory;
  readonly core: MapExports;
  readonly type: MapType;
  readonly attr: MapAttr;
  readonly name: string;
  /** Of the record: what programs hold. */
  readonly addr: VAddr;
  readonly slots: SlotHooks | undefined;
  readonly access: MapAccess;
  /** Bytes of a value as bpf(2) passes it. */
  readonly sysValueSize: number;
  #scratch: VAddr;
  #frozen = false;
  #freed = false;

  /** @throws BpfError as BPF_MAP_CREATE fails, or ENOMEM. */
  constructor(memory: Memory, attr: MapAttr, options: MapOptions = {}) {
    this.type = checkMapAttr(attr, memory.cpus);
    this.memory = memory;
    this.core = memory.exports<MapExports>();
    this.attr = attr;
    this.name = attr.name ?? "";
    this.slots = options.slots;
    this.access = options.access ?? this.type.access;
    const cpuValue = roundUp(attr.valueSize, 8);
    this.sysValueSize = this.type.percpu ? cpuValue * memory.cpus : attr.valueSize;
    const seed = this.flags & 64 /* BPF_F_ZERO_SEED */ ? 0 : (options.random32?.() ?? 0);
    const addr = memory.alloc(MAP_RECORD_SIZE);
    this.addr = addr;
    this.#scratch = 0 as VAddr;
    try {
      const put = (off: number, value: number): void => memory.writeU32(addr + off, value);
      put(MAP_RECORD.type, attr.type);
      put(MAP_RECORD.keySize, attr.keySize);
      put(MAP_RECORD.valueSize, attr.valueSize);
      put(MAP_RECORD.maxEntries, attr.maxEntries);
      put(MAP_RECORD.flags, this.flags);
      put(MAP_RECORD.cpus, memory.cpus);
      put(MAP_RECORD.seed, seed);
      put(MAP_RECORD.inner, attr.inner?.addr ?? 0);
      memory.writeU64(addr + MAP_RECORD.mapExtra, attr.mapExtra ?? 0n);
      this.#putFields();
      this.type.create?.(memory, addr, attr);
      this.#scratch = memory.alloc(this.#valueScratch + Math.min(this.sysValueSize, SCRATCH_VALUE));
    } catch (error) {
      this.#freeAreas();
      throw error;
    }
  }

  /** map_flags as reported. */
  get flags(): number {
    return (this.attr.flags ?? 0) | (this.type.addedFlags ?? 0);
  }

  get keySize(): number {
    return this.attr.keySize;
  }

  get valueSize(): number {
    return this.attr.valueSize;
  }

  /** As programs and bpf(2) see it; LRU maps may have rounded it. */
  get maxEntries(): number {
    return this.memory.readU32(this.addr + MAP_RECORD.maxEntries);
  }

  /** Elements in the map, for types that count them (hashes, tries, queues). */
  get count(): number {
    return this.memory.readU32(this.addr + MAP_RECORD.count);
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Address of the first value, where ld_imm64 may point into it; else 0. */
  get valueAddr(): VAddr {
    return (this.type.directValue ? this.memory.readU32(this.addr + MAP_RECORD.values) : 0) as VAddr;
  }

  /** Facts for the JIT. */
  get constMap(): ConstMapFacts {
    const at = (off: number): number => this.memory.readU32(this.addr + off);
    const facts = { addr: this.addr, type: this.attr.type, maxEntries: this.maxEntries, valueSize: this.valueSize };
    if (!this.type.array) return facts;
    const cpuStride = this.type.percpu ? at(MAP_RECORD.cpuStride) : 0;
    return { ...facts, values: { base: at(MAP_RECORD.values), stride: at(MAP_RECORD.stride), cpuStride } };
  }

  /** BPF_MAP_LOOKUP_ELEM. Undefined: ENOENT. Bloom filters test `value`. */
  lookup(key: Uint8Array, flags = 0, value?: Uint8Array): Uint8Array | undefined {
    if ((flags & ~BPF_F_LOCK) !== 0 || flags > 0xffffffff) throw this.error(EINVAL, `unknown flags ${flags}`);
    this.checkLockFlag(flags);
    this.#checkKey(key);
    return this.access.lookup(this, key, value);
  }

  /** BPF_MAP_UPDATE_ELEM. */
  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    this.checkWritable();
    this.checkLockFlag(flags);
    this.#checkKey(key);
    this.#checkValue(value);
    // No map knows a flag above 32 bits, and the wasm side takes 32: they count as another that none knows.
    this.access.update(this, key, value, flags >= 0 && flags <= 0xffffffff ? flags : UNKNOWN_FLAG);
  }

  /** BPF_MAP_DELETE_ELEM. */
  delete(key: Uint8Array): void {
    this.checkWritable();
    this.#checkKey(key);
    this.access.delete(this, key);
  }

  /** BPF_MAP_LOOKUP_AND_DELETE_ELEM. Undefined: ENOENT. */
  lookupAndDelete(key: Uint8Array, flags = 0): Uint8Array | undefined {
    if ((flags & ~BPF_F_LOCK) !== 0 || flags > 0xffffffff) throw this.error(EINVAL, `unknown flags ${flags}`);
    this.checkWritable();
    if (flags !== 0 && this.keySize === 0) throw this.error(EINVAL, "queues and stacks know no flags here");
    this.checkLockFlag(flags);
    this.#checkKey(key);
    const { access } = this;
    if (!access.lookupAndDelete) throw this.error(ENOTSUPP, "no lookup-and-delete");
    return access.lookupAndDelete(this, key);
  }

  /** BPF_MAP_GET_NEXT_KEY; without a key, or with one that is gone, the first. Undefined: ENOENT, the end. */
  getNextKey(key?: Uint8Array): Uint8Array | undefined {
    if (key) this.#checkKey(key);
    if (this.access.next) return this.access.next(this, key);
    const next = this.nextAddr;
    const err = this.core.map_get_next_key(this.addr, key ? this.putKey(key) : 0, next);
    if (err === -ENOENT) return undefined;
    this.checkErr(err, "get_next_key");
    return this.memory.readBytes(next, this.keySize);
  }

  /** BPF_MAP_FREEZE: no more writes from bpf(2). */
  freeze(): void {
    if (this.type.freezable === false) throw this.error(ENOTSUPP, "maps of this type are not frozen");
    if (this.attr.fields?.length) throw this.error(ENOTSUPP, "cannot freeze a map with special fields");
    this.checkWritable();
    this.#frozen = true;
  }

  /** All elements, as bpf(2) would read them one after the other. The map may change meanwhile. */
  *entries(): Generator<[key: Uint8Array, value: Uint8Array]> {
    for (let key = this.getNextKey(); key; key = this.getNextKey(key)) {
      const value = this.lookup(key);
      if (value) yield [key, value];
    }
  }

  [Symbol.iterator](): Generator<[key: Uint8Array, value: Uint8Array]> {
    return this.entries();
  }

  /** Releases values, slots and memory. The map must not be used any more, by programs least of all. */
  free(): void {
    if (this.#freed) throw new Error(`map '${this.name}': freed twice`);
    this.#freed = true;
    this.type.clear?.(this);
    this.#freeAreas();
  }

  // --- for the access strategies ------------------------------------------------------------------------------------

  /** @throws EPERM when the map is frozen. */
  checkWritable(): void {
    if (this.#frozen) throw this.error(EPERM, "the map is frozen");
  }

  /** @throws EINVAL for BPF_F_LOCK where the value has no lock */
  checkLockFlag(flags: number): void {
    if ((flags & BPF_F_LOCK) !== 0 && !this.attr.fields?.some((field) => field.kind === "spin_lock")) {
      throw this.error(EINVAL, "BPF_F_LOCK, but the value has no bpf_spin_lock");
    }
  }

  /** Copies the key into the scratch buffer. */
  putKey(key: Uint8Array): number {
    this.memory.writeBytes(this.#scratch, key);
    return this.#scratch;
  }

  /** Scratch for one more key. */
  get nextAddr(): number {
    return this.#scratch + roundUp(this.keySize, 8);
  }

  /** Copies the value into linear memory and calls use with its address. */
  withValue<T>(value: Uint8Array, use: (addr: number) => T): T {
    if (value.length <= SCRATCH_VALUE) {
      const addr = this.#scratch + this.#valueScratch;
      this.memory.writeBytes(addr, value);
      return use(addr);
    }
    const addr = this.memory.alloc(value.length);
    try {
      this.memory.writeBytes(addr, value);
      return use(addr);
    } finally {
      this.memory.free(addr);
    }
  }

  /** Reads what is stored at addr the way bpf(2) gives it out: all CPUs, special fields as zeros. */
  readValue(addr: number): Uint8Array<ArrayBuffer> {
    const { memory } = this;
    const out = new Uint8Array(this.sysValueSize);
    const u8 = memory.u8;
    const cpus = this.type.percpu ? memory.cpus : 1;
    const stride = memory.readU32(this.addr + MAP_RECORD.cpuStride);
    const size = this.sysValueSize / cpus;
    for (let cpu = 0; cpu < cpus; cpu++) {
      const from = addr + cpu * stride;
      out.set(u8.subarray(from, from + size), cpu * size);
      for (const { offset, size: bytes } of this.attr.fields ?? []) {
        out.fill(0, cpu * size + offset, cpu * size + offset + bytes);
      }
    }
    return out;
  }

  /** @throws BpfError for a negative errno. */
  checkErr(err: number, what: string): void {
    if (err >= 0) return;
    if (!ERRNOS.has(-err)) throw new Error(`map '${this.name}': ${what} gave ${err}`);
    throw this.error(-err as Errno, what);
  }

  error(errno: Errno, what: string, context: Record<string, unknown> = {}): BpfError {
    return new BpfError(errno, `map '${this.name}' (${this.type.name}): ${what}`, { map: this.name, ...context });
  }

  get #valueScratch(): number {
    return 2 * roundUp(this.keySize, 8);
  }

  #checkKey(key: Uint8Array): void {
    if (key.length !== this.keySize) {
      throw this.error(EINVAL, `key of ${key.length} bytes, wanted ${this.keySize}`, { keySize: key.length });
    }
  }

  #checkValue(value: Uint8Array): void {
    if (value.length !== this.sysValueSize) {
      throw this.error(EINVAL, `value of ${value.length} bytes, wanted ${this.sysValueSize}`, {
        valueSize: value.length,
      });
    }
  }

  #putFields(): void {
    const { memory, addr } = this;
    const fields = this.attr.fields ?? [];
    if (fields.length === 0) return;
    const area = memory.alloc(fields.length * 12);
    memory.writeU32(addr + MAP_RECORD.fields, area);
    memory.writeU32(addr + MAP_RECORD.nFields, fields.length);
    memory.writeU32(addr + MAP_RECORD.needsFree, fields.some((field) => ownsSomething(field.kind)) ? 1 : 0);
    fields.forEach((field, n) => {
      memory.writeU32(area + n * 12, field.offset);
      memory.writeU32(area + n * 12 + 4, field.size);
      memory.writeU32(area + n * 12 + 8, FIELD_KINDS[field.kind]);
    });
  }

  #freeAreas(): void {
    const { memory, addr } = this;
    this.core.pool_clear(addr);
    for (const off of AREAS) memory.free(memory.readU32(addr + off) as VAddr);
    for (const off of this.type.areas ?? []) memory.free(memory.readU32(addr + off) as VAddr);
    memory.free(this.#scratch);
    memory.free(addr);
  }
}

/** Words of the record that hold allocations. */
const AREAS = [
  MAP_RECORD.values,
  MAP_RECORD.buckets,
  MAP_RECORD.elems,
  MAP_RECORD.extraElems,
  MAP_RECORD.fields,
] as const;
