/**
 * An open iterator: read(2) runs the link's program on one object after the other and gives what it wrote.
 *
 * Buffer   8 pages. An object whose output does not fit any more is shown again by the next read; one whose output alone
 *          does not fit is E2BIG. A program that returns 1 asks for the same object again: EAGAIN where nothing was read yet.
 * Calls    start and stop around each read; at the end of the walk the program runs once with no object.
 * Source   bpf_seq_read() of kernel/bpf/bpf_iter.c.
 */
import { BpfError, E2BIG, EAGAIN, type Errno } from "../../abi/errno.ts";
import type { VAddr } from "../../memory/memory.ts";
import type { Readable } from "../bpffs/readable.ts";
import type { Kernel } from "../kernel.ts";
import { KObject } from "../objects.ts";
import type { Prog } from "../prog.ts";
import { StructScope } from "../structs/scope.ts";
import { withContext } from "../trace/context.ts";
import type { Element, Walk } from "./target.ts";

const BUFFER_BYTES = 8 * 4096;
/** bpf_seq_read() leaves after so many objects (MAX_ITER_OBJECTS). */
const MAX_OBJECTS = 1_000_000;

export class SeqFile extends KObject implements Readable {
  readonly kind = "iter";
  readonly #kernel: Kernel;
  readonly #prog: Prog;
  readonly #walk: Walk;
  readonly #held: readonly KObject[];
  /** struct seq_file, which the program hands to bpf_seq_printf(). */
  readonly #addr: VAddr;
  readonly #sessionId: bigint;
  readonly #buf = new Uint8Array(BUFFER_BYTES);
  #count = 0;
  #from = 0;
  #pos = 0;
  #seqNum = 0n;
  #doneStop = false;

  /** @param held what the walk needs beside the program */
  constructor(kernel: Kernel, prog: Prog, walk: Walk, held: readonly KObject[]) {
    super();
    this.#kernel = kernel;
    this.#prog = prog.get();
    this.#walk = walk;
    this.#held = held;
    for (const obj of held) obj.get();
    this.#addr = kernel.structs.alloc("seq_file", { size: BUFFER_BYTES });
    this.#sessionId = kernel.seqFiles.open(this.#addr, this);
  }

  // --- what the helpers write

  get overflowed(): boolean {
    return this.#count === BUFFER_BYTES;
  }

  /** seq_write(): false when it does not fit, and then nothing more does. */
  write(bytes: Uint8Array): boolean {
    if (this.#count + bytes.length < BUFFER_BYTES) {
      this.#buf.set(bytes, this.#count);
      this.#count += bytes.length;
      return true;
    }
    this.#count = BUFFER_BYTES;
    return false;
  }

  // --- read(2)

  /** @throws E2BIG, EAGAIN, or what the walk says */
  read(max: number): Uint8Array {
    if (this.#count) return this.#take(max);
    this.#from = 0;
    const elem = this.#walk.start(this.#pos);
    if (typeof elem === "number") throw this.#error(elem, "the walk cannot go on");
    const left = elem ? this.#show(elem, max) : undefined;
    this.#stop(left);
    return this.#take(max);
  }

  /** Shows objects from `first` on. @returns the one that is to be shown next; undefined at the end */
  #show(first: Element, max: number): Element | undefined {
    this.#pos = Math.max(this.#pos, first.pos);
    let elem: Element | undefined = first;
    for (let shown = 0; ; shown++) {
      const before = this.#count;
      const retry = this.#run(elem);
      if (retry || this.overflowed) {
        this.#count = before;
        if (before > 0) return elem;
        throw retry
          ? this.#error(EAGAIN, "the program wants the same object again")
          : this.#error(E2BIG, `one object's output is more than ${BUFFER_BYTES} bytes`);
      }
      elem = this.#walk.next(elem);
      if (!elem) return undefined;
      this.#pos = elem.pos;
      this.#seqNum++;
      if (this.#count >= max || shown >= MAX_OBJECTS) return elem;
    }
  }

  /** The end of a read: of the walk, when nothing is left. */
  #stop(left: Element | undefined): void {
    if (left) return;
    this.#pos = Number.MAX_SAFE_INTEGER;
    const before = this.#count;
    if (!this.#doneStop) this.#run(undefined);
    this.#walk.finished?.();
    if (!this.overflowed) {
      this.#doneStop = true;
      return;
    }
    this.#count = before;
    if (before === 0) throw this.#error(E2BIG, `the output at the end is more than ${BUFFER_BYTES} bytes`);
  }

  #take(max: number): Uint8Array {
    const n = Math.min(this.#count, max);
    const out = this.#buf.slice(this.#from, this.#from + n);
    this.#count -= n;
    this.#from += n;
    return out;
  }

  #error(errno: Errno, why: string): BpfError {
    return new BpfError(errno, `iterator '${this.#prog.name}': ${why}`, { prog: this.#prog.id });
  }

  // --- the program

  /** struct bpf_iter__TARGET: the meta data, then the words of the object. @returns whether the program asks for a retry */
  #run(elem: Element | undefined): boolean {
    const kernel = this.#kernel;
    using scope = new StructScope(kernel);
    const meta = scope.alloc("bpf_iter_meta", { seq: this.#addr, session_id: this.#sessionId, seq_num: this.#seqNum });
    kernel.structs.write("seq_file", this.#addr, { count: this.#count, index: Math.min(this.#pos, 0x7fffffff) });
    const words = [BigInt(meta), ...(this.#walk.words(scope, elem) ?? [])];
    return withContext(kernel.memory, 8 * words.length, {}, (ctx) => {
      words.forEach((word, i) => {
        kernel.memory.writeU64(ctx + 8 * i, BigInt.asUintN(64, word));
      });
      const r0 = kernel.traceHooks.runner.run({ prog: this.#prog, cookie: 0n }, ctx, "recursive");
      this.#walk.ran?.(r0 !== 0n);
      return r0 !== 0n && !this.#walk.ran;
    });
  }

  // --- the object

  override *holds(): Iterable<KObject> {
    yield this.#prog;
    yield* this.#held;
  }

  protected override release(): void {
    this.#kernel.seqFiles.close(this.#addr);
    this.#kernel.memory.free(this.#addr);
    this.#prog.put();
    for (const obj of this.#held) obj.put();
  }
}

/** Open iterators by the address of their struct seq_file. */
export class SeqFiles {
  readonly #open = new Map<number, SeqFile>();
  #sessions = 0n;

  /** @returns the session's id */
  open(addr: number, file: SeqFile): bigint {
    this.#open.set(addr, file);
    return ++this.#sessions;
  }

  close(addr: number): void {
    this.#open.delete(addr);
  }

  /** For helpers: false when the text does not fit. */
  write(addr: number, bytes: Uint8Array): boolean {
    return this.#open.get(addr)?.write(bytes) ?? false;
  }
}
