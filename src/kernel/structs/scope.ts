/** Kernel structs made for the time of one run: all go together. */
import type { VAddr } from "../../memory/memory.ts";
import type { Kernel } from "../kernel.ts";
import type { FieldValue } from "./kstruct.ts";

export class StructScope {
  readonly kernel: Kernel;
  readonly #made: VAddr[] = [];
  /** By what it stands for: asked twice, made once. */
  readonly #known = new Map<object, VAddr>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  alloc(struct: string, values: Readonly<Record<string, FieldValue>> = {}, extraBytes = 0): VAddr {
    const { structs } = this.kernel;
    const addr = structs.alloc(struct, values, structs.size(struct) + extraBytes + 64);
    this.#made.push(addr);
    return addr;
  }

  bytes(content: Uint8Array): VAddr {
    const { memory } = this.kernel;
    const addr = memory.alloc(Math.max(content.length, 8));
    memory.writeBytes(addr, content);
    this.#made.push(addr);
    return addr;
  }

  /** Bytes with zeros behind them, `room` in all. */
  padded(content: Uint8Array, room: number): VAddr {
    const all = new Uint8Array(Math.max(content.length, room));
    all.set(content);
    return this.bytes(all);
  }

  /** A string with its NUL. */
  text(text: string): VAddr {
    return this.bytes(new TextEncoder().encode(`${text}\0`));
  }

  /** The struct that stands for an object. `make` may ask for the same object again: it gets the address. */
  of(obj: object, struct: string, make: (addr: VAddr) => Readonly<Record<string, FieldValue>>, extraBytes = 0): VAddr {
    const known = this.#known.get(obj);
    if (known !== undefined) return known;
    const addr = this.alloc(struct, {}, extraBytes);
    this.#known.set(obj, addr);
    this.kernel.structs.write(struct, addr, make(addr));
    return addr;
  }

  [Symbol.dispose](): void {
    for (const addr of this.#made.splice(0)) this.kernel.memory.free(addr);
    this.#known.clear();
  }
}
