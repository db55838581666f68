/**
 * Addresses of the kernel's functions: what /proc/kallsyms shows, and what bpf_get_func_ip() gives.
 *
 * Functions are the FUNCs of the kernel's BTF and those that define() adds. Their addresses lie outside of the linear memory:
 * they name a function and cannot be read through.
 */
import type { Btf } from "../../btf/btf.ts";
import { BTF_KIND_FUNC } from "../../btf/kinds.ts";

/** _text of x86-64, and from where functions without BTF lie. */
const TEXT = 0xffffffff81000000n;
const DEFINED = 0xffffffffa0000000n;
const FUNC_BYTES = 64n;

export class Kallsyms {
  readonly #btf: () => Btf | undefined;
  readonly #defined: string[] = [];

  constructor(btf: () => Btf | undefined) {
    this.#btf = btf;
  }

  #btfId(func: string): number {
    return this.#btf()?.byName(func, BTF_KIND_FUNC) ?? 0;
  }

  /** A function that has no FUNC in the kernel's BTF. */
  define(func: string): void {
    if (!this.#defined.includes(func)) this.#defined.push(func);
  }

  exists(func: string): boolean {
    return this.#btfId(func) > 0 || this.#defined.includes(func);
  }

  /** The same for the life of the kernel; 0 for what does not exist. */
  addressOf(func: string): bigint {
    const id = this.#btfId(func);
    if (id > 0) return TEXT + BigInt(id) * FUNC_BYTES;
    const nth = this.#defined.indexOf(func);
    return nth < 0 ? 0n : DEFINED + BigInt(nth) * FUNC_BYTES;
  }

  /** The function that begins at an address. */
  nameAt(address: bigint): string | undefined {
    const btf = this.#btf();
    if (address % FUNC_BYTES) return undefined;
    if (address >= DEFINED) return this.#defined[Number((address - DEFINED) / FUNC_BYTES)];
    const id = Number((address - TEXT) / FUNC_BYTES);
    const name = btf && id > 0 && id < btf.typeCount && btf.kind(id) === BTF_KIND_FUNC ? btf.nameOf(id) : undefined;
    return name !== undefined && this.#btfId(name) === id ? name : undefined;
  }

  /** Every function, by address. */
  *names(): IterableIterator<string> {
    const btf = this.#btf();
    for (let id = 1; btf && id < btf.typeCount; id++) {
      if (btf.kind(id) === BTF_KIND_FUNC && this.#btfId(btf.nameOf(id)) === id) yield btf.nameOf(id);
    }
    for (const func of this.#defined) if (this.#btfId(func) <= 0) yield func;
  }
}
