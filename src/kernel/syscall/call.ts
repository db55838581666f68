/**
 * One bpf(2) call: its attr as the kernel copied it, where results go, and the caller's memory.
 *
 * Results are written to the caller's attr also behind `size`, as Linux's put_user() does; what does not fit is EFAULT.
 */
import { BpfError, E2BIG, EFAULT } from "../../abi/errno.ts";
import type { Addresses, Fields, Members, Struct } from "../../abi/struct.ts";
import type { Process } from "../process.ts";
import { readText, type UserMemory } from "./user_memory.ts";

/** For structs whose pointers are numbers. */
export const NO_ADDRESSES: Addresses = {
  addressOf() {
    throw new Error("bytes have no address here");
  },
};

const PAGE_SIZE = 4096;

export class Call {
  readonly proc: Process;
  readonly mem: UserMemory;
  /** sizeof(union bpf_attr) bytes; zeros behind `size`. */
  readonly attr: Uint8Array;
  readonly size: number;
  readonly #user: Uint8Array;

  constructor(proc: Process, mem: UserMemory, attr: Uint8Array, size: number, user: Uint8Array) {
    this.proc = proc;
    this.mem = mem;
    this.attr = attr;
    this.size = size;
    this.#user = user;
  }

  /** Writes members of the caller's attr. @throws EFAULT */
  put<M extends Members>(layout: Struct<M>, fields: Fields<M>): void {
    for (const name in fields) {
      const end = layout.endOf(name);
      if (end > this.#user.length) {
        throw new BpfError(EFAULT, `the attr of ${this.#user.length} bytes has no member '${name}'`, { member: name });
      }
    }
    layout.put(this.#user, NO_ADDRESSES, fields);
  }

  /** @throws EFAULT */
  read(addr: bigint, len: number): Uint8Array {
    return len === 0 ? new Uint8Array() : this.mem.read(addr, len);
  }

  /** @throws EFAULT */
  write(addr: bigint, bytes: Uint8Array): void {
    if (bytes.length) this.mem.write(addr, bytes);
  }

  /** Text up to a NUL, or `max` bytes of it. @throws EFAULT */
  text(addr: bigint, max: number): string {
    return new TextDecoder().decode(readText(this.mem, addr, max));
  }
}

/** Packs a struct that holds no pointers to bytes. */
export function packNumbers<M extends Members>(layout: Struct<M>, fields: Fields<M>): Uint8Array {
  return layout.pack(NO_ADDRESSES, fields);
}

/**
 * bpf_check_uarg_tail_zero(): a struct longer than the kernel knows is fine while the rest is zero. @throws E2BIG, EFAULT
 * @param tail  reads from an offset of the struct
 */
export function checkTail(known: number, size: number, tail: (off: number, len: number) => Uint8Array): void {
  if (size > PAGE_SIZE) throw new BpfError(E2BIG, `a struct of ${size} bytes; wanted at most ${PAGE_SIZE}`, { size });
  if (size <= known) return;
  if (tail(known, size - known).some((byte) => byte !== 0)) {
    throw new BpfError(E2BIG, `a struct of ${size} bytes, of which this kernel knows ${known}: the rest is not zero`, {
      size,
    });
  }
}
