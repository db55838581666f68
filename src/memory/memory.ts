/**
 * The address space that programs see: one linear memory per kernel, its allocator, the function table and core.wasm.
 *
 * Addresses  byte offsets; 0 is NULL and nothing below 64 KiB is ever handed out (assembly/memory/layout.ts).
 * Growth     any allocation, also one made by a program, may grow the memory and detach ArrayBuffers: read `u8`, `i32`
 *            and `view` afresh after calling anything that may allocate.
 * CPUs       one Memory is one CPU's view. Several CPUs will share the WebAssembly.Memory, never this object.
 */
import { BpfError, EINVAL, ENOMEM } from "../abi/errno.ts";
import { CORE_WASM } from "../generated/core_wasm.ts";
import { CPU_CTX, CPU_CTX_SIZE } from "./cpu_ctx.ts";

declare const tag: unique symbol;
type Tagged<T, Name extends string> = T & { readonly [tag]: Name };

/** Byte offset in the linear memory; a program holds it zero-extended to 64 bits. Meaningful only in its own Memory. */
export type VAddr = Tagged<number, "vaddr">;

export interface MemoryOptions {
  /** 64 KiB pages at the start; default 32. */
  readonly initialPages?: number;
  /** Default 65536: 4 GiB. */
  readonly maxPages?: number;
  /** Possible CPUs of the kernel, at most 64; default 1. */
  readonly cpus?: number;
  /** Number of this CPU; default 0. */
  readonly cpu?: number;
}

/** Exports of core.wasm that belong to the allocator; other folders declare theirs beside their use. */
export interface HeapExports {
  heap_init(): void;
  mem_alloc(size: number, align: number): number;
  mem_free(addr: number): number;
  mem_allocated(): number;
  mem_blocks(): number;
  mem_usable(addr: number): number;
  heap_check(): number;
}

/** Asked by core.wasm, through imports, of whoever owns the objects: set by kernel/. */
export interface MemoryHooks {
  /** A map value dies or is overwritten whose record list says NEEDS_FREE: drop the kptrs, timers, ... it holds. */
  freeFields?: (map: VAddr, value: VAddr) => void;
}

const CPU_CTX_BASE = 49152;
const MAX_CPUS = 64;
/** BPF stack of one CPU, below CPU_CTX.stackTop of a CPU that runs nothing. */
export const STACK_BYTES = 65536;
/** Table slots left to the modules' own element segments. */
const FIRST_SLOT = 256;

let compiled: WebAssembly.Module | undefined;

/** core.wasm is the same for every kernel, so it is compiled once. */
function coreModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(CORE_WASM), (c) => c.charCodeAt(0)));
  return compiled;
}

export class Memory {
  readonly memory: WebAssembly.Memory;
  /** Functions of programs. Slot 0 stays empty. */
  readonly table: WebAssembly.Table;
  /** core.wasm; see exports(). */
  readonly core: HeapExports;
  readonly cpu: number;
  readonly cpus: number;
  /** This CPU's context record (CPU_CTX). */
  readonly cpuCtx: VAddr;
  /** Imports shared by core, interp and JIT modules: env.memory, env.table, env.cpu_ctx. */
  readonly env: { memory: WebAssembly.Memory; table: WebAssembly.Table; cpu_ctx: WebAssembly.Global };
  readonly hooks: MemoryHooks = {};
  #u8: Uint8Array;
  #i32: Int32Array;
  #view: DataView;
  #freeSlots: number[] = [];
  #nextSlot = FIRST_SLOT;

  constructor(options: MemoryOptions = {}) {
    const { initialPages = 32, maxPages = 65536, cpus = 1, cpu = 0 } = options;
    if (cpus < 1 || cpus > MAX_CPUS || cpu < 0 || cpu >= cpus) {
      throw new BpfError(EINVAL, `memory: cpu ${cpu} of ${cpus}, wanted at most ${MAX_CPUS} cpus`, { cpu, cpus });
    }
    this.memory = new WebAssembly.Memory({ initial: Math.max(initialPages, 4), maximum: maxPages });
    this.table = new WebAssembly.Table({ element: "anyfunc", initial: FIRST_SLOT });
    this.cpu = cpu;
    this.cpus = cpus;
    this.cpuCtx = (CPU_CTX_BASE + cpu * CPU_CTX_SIZE) as VAddr;
    const { buffer } = this.memory;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#view = new DataView(buffer);
    this.env = {
      memory: this.memory,
      table: this.table,
      cpu_ctx: new WebAssembly.Global({ value: "i32", mutable: false }, this.cpuCtx),
    };
    const env = {
      ...this.env,
      free_fields: (map: number, value: number) =>
        this.hooks.freeFields?.((map >>> 0) as VAddr, (value >>> 0) as VAddr),
    };
    const instance = new WebAssembly.Instance(coreModule(), { env });
    this.core = instance.exports as unknown as HeapExports;
    this.core.heap_init();
    for (let n = 0; n < cpus; n++) {
      const ctx = CPU_CTX_BASE + n * CPU_CTX_SIZE;
      const stack = this.alloc(STACK_BYTES);
      this.writeU32(ctx + CPU_CTX.cpu, n);
      this.writeU32(ctx + CPU_CTX.possibleCpus, cpus);
      this.writeU32(ctx + CPU_CTX.stackTop, stack + STACK_BYTES);
      this.writeU32(ctx + CPU_CTX.fuel, 0xffffffff);
    }
  }

  /** The exports of core.wasm, as the caller's folder declares them. */
  exports<T>(): T {
    return this.core as unknown as T;
  }

  /** Growth detaches the views, which empties them: asking that costs 2 ns, comparing memory.buffer 13. */
  get u8(): Uint8Array {
    if (this.#u8.length === 0) this.#refresh();
    return this.#u8;
  }

  /** By word: index = address >> 2. */
  get i32(): Int32Array {
    if (this.#u8.length === 0) this.#refresh();
    return this.#i32;
  }

  get view(): DataView {
    if (this.#u8.length === 0) this.#refresh();
    return this.#view;
  }

  #refresh(): void {
    const { buffer } = this.memory;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Zeroed memory, 16-byte aligned or more (align a power of two). ENOMEM when the address space is used up. */
  alloc(sizeBytes: number, align = 16): VAddr {
    if (!(sizeBytes >= 0 && sizeBytes <= 0xffffffff)) {
      throw new BpfError(ENOMEM, `memory: cannot allocate ${sizeBytes} bytes`, { sizeBytes });
    }
    const addr = this.core.mem_alloc(sizeBytes, align) >>> 0;
    if (addr === 0) throw new BpfError(ENOMEM, `memory: cannot allocate ${sizeBytes} bytes`, { sizeBytes });
    return addr as VAddr;
  }

  /** Gives back an address from alloc; 0 is allowed. A wrong address is a bug of the caller: a plain Error. */
  free(addr: VAddr): void {
    if (this.core.mem_free(addr) === 0) throw new Error(`memory: free of ${addr}, which is not allocated`);
  }

  /** Bytes of live allocations, allocator headers included. The CPU stacks count. */
  get allocatedBytes(): number {
    return this.core.mem_allocated();
  }

  readU8(addr: number): number {
    return this.u8[addr]!;
  }

  readU16(addr: number): number {
    return this.view.getUint16(addr, true);
  }

  readU32(addr: number): number {
    return this.view.getUint32(addr, true);
  }

  writeU8(addr: number, value: number): void {
    this.u8[addr] = value;
  }

  writeU16(addr: number, value: number): void {
    this.view.setUint16(addr, value, true);
  }

  writeU32(addr: number, value: number): void {
    this.view.setUint32(addr, value, true);
  }

  readU64(addr: number): bigint {
    return this.view.getBigUint64(addr, true);
  }

  writeU64(addr: number, value: bigint): void {
    this.view.setBigUint64(addr, value, true);
  }

  writeU64Parts(addr: number, lo: number, hi: number): void {
    const view = this.view;
    view.setUint32(addr, lo, true);
    view.setUint32(addr + 4, hi, true);
  }

  /** A copy; never a window into the memory. */
  readBytes(addr: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.u8.subarray(addr, addr + sizeBytes));
  }

  writeBytes(addr: number, bytes: Uint8Array): void {
    this.u8.set(bytes, addr);
  }

  fill(addr: number, byte: number, sizeBytes: number): void {
    this.u8.fill(byte, addr, addr + sizeBytes);
  }

  /** Bytes up to NUL or maxBytes, decoded as UTF-8. */
  readCstr(addr: number, maxBytes: number): string {
    const bytes = this.u8.subarray(addr, addr + maxBytes);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(new Uint8Array(end < 0 ? bytes : bytes.subarray(0, end)));
  }

  /** A free slot of the function table. */
  allocTableSlot(): number {
    const reused = this.#freeSlots.pop();
    if (reused !== undefined) return reused;
    if (this.#nextSlot === this.table.length) this.table.grow(this.table.length);
    return this.#nextSlot++;
  }

  /** Empties the slot and gives it back. */
  freeTableSlot(slot: number): void {
    this.table.set(slot, null);
    this.#freeSlots.push(slot);
  }
}
