/**
 * A map as the kernel counts it: the BpfMap in linear memory, its id, its BTF, and what the verifier asks of it.
 *
 * References   fds and pins are user references. When the last one goes, a prog array is emptied even while programs
 *              still use it (bpf_map_put_uref()), which ends circles of programs that tail-call each other.
 */
import { BPF_F_RDONLY_PROG, BPF_MAP_TYPE_PROG_ARRAY } from "../abi/bpf.ts";
import type { Btf } from "../btf/btf.ts";
import type { ConstMap } from "../interp/image.ts";
import type { BpfMap } from "../maps/bpf_map.ts";
import { MAP_RECORD } from "../maps/record.ts";
import type { BtfRecord } from "../verifier/btf_record.ts";
import type { VerifierMap } from "../verifier/platform.ts";
import type { KBtf } from "./btf_cmds.ts";
import type { Kernel } from "./kernel.ts";
import { dropHeld, heldBySlots } from "./map_slots.ts";
import { KObject } from "./objects.ts";
import type { Prog } from "./prog.ts";
import { sha256 } from "./sha256.ts";
import type { StructOpsMap } from "./struct_ops/map.ts";

interface MapFacts {
  readonly btf: KBtf | undefined;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  readonly btfVmlinuxValueTypeId: number;
  readonly record: BtfRecord | undefined;
  /** Maps of maps: held, the map that inner maps must resemble. */
  readonly inner: KMap | undefined;
  readonly structOps: StructOpsMap | undefined;
  readonly uid: number;
  /** SHA-256 of the only program that may use it. */
  readonly exclProgHash: Uint8Array | undefined;
  /** Its creator lacked CAP_PERFMON. */
  readonly unprivileged: boolean;
}

export class KMap extends KObject implements VerifierMap {
  readonly kind = "map";
  readonly map: BpfMap;
  readonly facts: MapFacts;
  readonly directValue: boolean;
  /** Memory mappings through which user space writes. */
  writers = 0;
  readonly #kernel: Kernel;
  #userRefs = 0;

  /** The new object has one reference, the caller's. */
  constructor(kernel: Kernel, map: BpfMap, facts: MapFacts) {
    super();
    this.#kernel = kernel;
    this.map = map;
    this.facts = facts;
    this.directValue = map.valueAddr !== 0 && !map.type.percpu;
    facts.btf?.get();
    facts.inner?.get();
    facts.structOps?.belongTo(this);
    kernel.maps.add(this);
    kernel.memory.writeU32(map.addr + MAP_RECORD.id, this.id);
  }

  get name(): string {
    return this.map.name;
  }

  get unprivileged(): boolean {
    return this.facts.unprivileged;
  }

  get type(): number {
    return this.map.attr.type;
  }

  get keySize(): number {
    return this.map.keySize;
  }

  get valueSize(): number {
    return this.map.valueSize;
  }

  get maxEntries(): number {
    return this.map.maxEntries;
  }

  get mapFlags(): number {
    return this.map.flags;
  }

  get mapExtra(): bigint {
    return this.map.attr.mapExtra ?? 0n;
  }

  get btf(): Btf | undefined {
    return this.facts.btf?.btf;
  }

  get btfKeyTypeId(): number {
    return this.facts.btfKeyTypeId;
  }

  get btfValueTypeId(): number {
    return this.facts.btfValueTypeId;
  }

  get btfVmlinuxValueTypeId(): number {
    return this.facts.btfVmlinuxValueTypeId;
  }

  get record(): BtfRecord | undefined {
    return this.facts.record;
  }

  get inner(): VerifierMap | undefined {
    return this.facts.inner;
  }

  get frozen(): boolean {
    return this.map.frozen;
  }

  get addr(): number {
    return this.map.addr;
  }

  get valueAddr(): number {
    return this.map.valueAddr;
  }

  get constMap(): ConstMap {
    return this.map.constMap;
  }

  readValue(off: number, size: number): Uint8Array | undefined {
    if (!this.directValue || !this.frozen || !(this.mapFlags & BPF_F_RDONLY_PROG)) return undefined;
    return this.map.memory.readBytes(this.valueAddr + off, size);
  }

  /** SHA-256 over all values of an array (array_map_get_hash()). */
  valuesHash(): Uint8Array {
    const { memory } = this.map;
    const stride = memory.readU32(this.addr + MAP_RECORD.stride);
    const values = memory.readU32(this.addr + MAP_RECORD.values);
    return sha256(memory.readBytes(values, stride * this.maxEntries));
  }

  /** Prog arrays: the program at an index. */
  progAt(index: number): Prog | undefined {
    if (index >= this.maxEntries) return undefined;
    const { memory } = this.map;
    const values = memory.readU32(this.addr + MAP_RECORD.values);
    return this.#kernel.progs.find(memory.readU32(values + 8 * index + 4));
  }

  /** The element whose value holds the byte at addr; done() ends the use of `key`. */
  elementOf(addr: number): { key: number; value: number; done: () => void } | undefined {
    const { memory } = this.map;
    const at = (off: number) => memory.readU32(this.addr + off);
    const nothing = () => {};
    if (this.map.type.array) {
      const stride = at(MAP_RECORD.stride);
      const index = Math.floor((addr - at(MAP_RECORD.values)) / stride);
      const key = memory.alloc(8);
      memory.writeU32(key, index);
      return { key, value: at(MAP_RECORD.values) + index * stride, done: () => memory.free(key) };
    }
    const value = addr - this.#fieldOffset("timer");
    const keyBytes = (this.keySize + 7) & ~7;
    return { key: value - keyBytes, value, done: nothing };
  }

  #fieldOffset(kind: string): number {
    return this.facts.record?.fields.find((f) => f.kind === kind)?.offset ?? 0;
  }

  get userRefs(): number {
    return this.#userRefs;
  }

  override getUser(): this {
    this.#userRefs++;
    return this.get();
  }

  override putUser(): void {
    if (--this.#userRefs === 0 && this.type === BPF_MAP_TYPE_PROG_ARRAY) this.map.type.clear?.(this.map);
    this.put();
  }

  override *holds(): Iterable<KObject> {
    if (this.facts.btf) yield this.facts.btf;
    if (this.facts.inner) yield this.facts.inner;
    yield* this.facts.structOps?.progs ?? [];
    yield* heldBySlots(this.#kernel, this.map);
  }

  override fdInfo(): Readonly<Record<string, string>> {
    return {
      map_type: `${this.type}`,
      key_size: `${this.keySize}`,
      value_size: `${this.valueSize}`,
      max_entries: `${this.maxEntries}`,
      map_flags: `0x${this.mapFlags.toString(16)}`,
      map_extra: `0x${this.mapExtra.toString(16)}`,
      map_id: `${this.id}`,
      frozen: this.frozen ? "1" : "0",
    };
  }

  override lose(lost: KObject): boolean {
    if (lost === this.facts.btf || lost === this.facts.inner) return false;
    if (this.facts.structOps?.progs.includes(lost as Prog)) return false;
    dropHeld(this.#kernel, this.map, lost);
    return true;
  }

  protected override release(): void {
    this.#kernel.maps.remove(this);
    const outer = this.#kernel.dying;
    this.#kernel.dying = this;
    this.facts.structOps?.release();
    this.map.free();
    this.#kernel.dying = outer;
    this.facts.btf?.put();
    this.facts.inner?.put();
    this.#kernel.events.emit({ what: "map_free", mapId: this.id });
  }
}
