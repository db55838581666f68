/**
 * Kernel structs in linear memory with the layout of the kernel's BTF: what a CO-RE-relocated program reads.
 *
 * Members are named by path ("sk.__sk_common.skc_family", pointers are not followed). What the BTF does not have is not
 * written and reads as 0: kernels differ in what they have.
 */
import type { Btf } from "../../btf/btf.ts";
import { BTF_KIND_STRUCT } from "../../btf/kinds.ts";
import type { Memory, VAddr } from "../../memory/memory.ts";

export type FieldValue = number | bigint | string;

interface Field {
  readonly offset: number;
  readonly size: number;
  /** 0: no bit field. */
  readonly bits: number;
  readonly shift: number;
}

export class KStructs {
  readonly #memory: Memory;
  readonly #btf: () => Btf | undefined;
  readonly #fields = new Map<string, Field | undefined>();

  constructor(memory: Memory, btf: () => Btf | undefined) {
    this.#memory = memory;
    this.#btf = btf;
  }

  /** Bytes of a struct; 0 where the BTF has none of that name. */
  size(struct: string): number {
    const btf = this.#btf();
    const id = btf?.byName(struct, BTF_KIND_STRUCT) ?? 0;
    return btf && id ? btf.size(id) : 0;
  }

  /** A new one, zeroed but for `values`; `room` bytes where the BTF does not know it. */
  alloc(struct: string, values: Readonly<Record<string, FieldValue>> = {}, room = 64): VAddr {
    const addr = this.#memory.alloc(Math.max(this.size(struct), room));
    this.write(struct, addr, values);
    return addr;
  }

  /** Strings are cut to the member's size and end in a NUL. */
  write(struct: string, addr: number, values: Readonly<Record<string, FieldValue>>): void {
    for (const [path, value] of Object.entries(values)) {
      const field = this.#field(struct, path);
      if (field) this.#put(addr + field.offset, field, value);
    }
  }

  #put(at: number, field: Field, value: FieldValue): void {
    const memory = this.#memory;
    if (typeof value === "string") {
      const text = new TextEncoder().encode(value).subarray(0, field.size - 1);
      memory.fill(at, 0, field.size);
      memory.writeBytes(at, text);
      return;
    }
    let big = BigInt(value);
    if (field.bits) {
      const mask = ((1n << BigInt(field.bits)) - 1n) << BigInt(field.shift);
      big = (this.#get(at, field.size) & ~mask) | ((big << BigInt(field.shift)) & mask);
    }
    for (let i = 0; i < field.size; i++) memory.u8[at + i] = Number((big >> BigInt(8 * i)) & 0xffn);
  }

  #get(at: number, size: number): bigint {
    let big = 0n;
    for (let i = Math.min(size, 8) - 1; i >= 0; i--) big = (big << 8n) | BigInt(this.#memory.u8[at + i] ?? 0);
    return big;
  }

  /** Unsigned. */
  read(struct: string, addr: number, path: string): bigint {
    const field = addr ? this.#field(struct, path) : undefined;
    if (!field) return 0n;
    const raw = this.#get(addr + field.offset, field.size);
    return field.bits ? (raw >> BigInt(field.shift)) & ((1n << BigInt(field.bits)) - 1n) : raw;
  }

  /** A member that is an array of char. */
  readText(struct: string, addr: number, path: string): string {
    const field = addr ? this.#field(struct, path) : undefined;
    if (!field) return "";
    const bytes = this.#memory.readBytes((addr + field.offset) as VAddr, field.size);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** Byte offset of a member; undefined where the BTF has none. */
  offset(struct: string, path: string): number | undefined {
    return this.#field(struct, path)?.offset;
  }

  #field(struct: string, path: string): Field | undefined {
    const key = `${struct}.${path}`;
    if (this.#fields.has(key)) return this.#fields.get(key);
    const field = this.#find(struct, path);
    this.#fields.set(key, field);
    return field;
  }

  #find(struct: string, path: string): Field | undefined {
    const btf = this.#btf();
    const id = btf?.byName(struct, BTF_KIND_STRUCT) ?? 0;
    const found = btf && id ? btf.findMember(id, path) : undefined;
    if (!btf || !found) return undefined;
    const size = btf.size(found.type);
    const { bitOffset, bitfieldSize: bits } = found;
    const offset = Math.floor(bitOffset / (8 * size)) * size;
    return bits
      ? { offset, size, bits, shift: bitOffset - 8 * offset }
      : { offset: bitOffset / 8, size, bits: 0, shift: 0 };
  }
}
