/**
 * Counted objects with global ids: what fds, pins, attachments and other objects hold.
 *
 * Rule      whatever is reachable from an fd, a pin or an attachment lives; nothing else does. Every holder owns one
 *           reference; the last put() releases what the object itself holds and its memory.
 * Ids       from 1 upwards, never reused in one kernel, one number space per kind.
 */
import { BpfError, ENOENT } from "../abi/errno.ts";

/** Objects with a global id. */
export type IdKind = "map" | "prog" | "btf" | "link";
/** Objects that fds stand for but that have no global id. */
export type FileKind = "token" | "iter" | "cgroup" | "netns" | "bpffs" | "path" | "perf_event" | "stats" | "socket";
/** "gone": an fd whose object was deleted by force. */
export type ObjKind = IdKind | FileKind | "gone";

export abstract class KObject {
  abstract readonly kind: ObjKind;
  id = 0;
  #refs = 1;

  get refs(): number {
    return this.#refs;
  }

  get(): this {
    if (this.#refs === 0) throw new Error(`${this.kind} ${this.id}: use after the last reference`);
    this.#refs++;
    return this;
  }

  put(): void {
    if (this.#refs === 0) throw new Error(`${this.kind} ${this.id}: put without a reference`);
    if (--this.#refs === 0) this.release();
  }

  /** A user-space reference (fd or pin) came or went. */
  getUser(): this {
    return this.get();
  }

  putUser(): void {
    this.put();
  }

  /** Every reference that this object owns, once for each: what the reference counts must add up to. */
  holds(): Iterable<KObject> {
    return [];
  }

  /** What /proc/PID/fdinfo/FD says of it: names and values. */
  fdInfo(): Readonly<Record<string, string>> {
    return {};
  }

  /**
   * `lost` is taken away by force: gives up every reference to it and goes on without. False: this object cannot live
   * without it, and must go too.
   */
  lose(_lost: KObject): boolean {
    return false;
  }

  /** Gives up what the object holds: its id, references, memory. */
  protected abstract release(): void;
}

/** Something outside of the objects that owns a reference: an fd, a pin, a place of attachment. */
export interface Root {
  /** For people: "fd 4 of process 2", "pin /sys/fs/bpf/p". */
  readonly who: string;
  readonly obj: KObject;
  /** Where the hold is an fd. */
  readonly fd?: { readonly pid: number; readonly comm: string; readonly fd: number };
  /** Ends this hold by force; absent: it ends only by itself. */
  readonly release?: () => void;
}

/** Objects of one kind by id. */
export class IdTable<T extends KObject> {
  readonly #byId = new Map<number, T>();
  readonly #what: string;
  #next = 1;

  constructor(what: string) {
    this.#what = what;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(obj: T): T {
    obj.id = this.#next++;
    this.#byId.set(obj.id, obj);
    return obj;
  }

  remove(obj: T): void {
    this.#byId.delete(obj.id);
  }

  find(id: number): T | undefined {
    return this.#byId.get(id);
  }

  /** @throws ENOENT */
  at(id: number): T {
    const obj = this.#byId.get(id);
    if (!obj) throw new BpfError(ENOENT, `no ${this.#what} has id ${id}`, { id });
    return obj;
  }

  /** The smallest id above `id`; ids ascend in insertion order. */
  next(id: number): number | undefined {
    for (const n of this.#byId.keys()) if (n > id) return n;
    return undefined;
  }

  values(): IterableIterator<T> {
    return this.#byId.values();
  }
}
