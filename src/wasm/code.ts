/**
 * One function body: its locals and its instructions.
 *
 * Labels are relative depths, as in the binary format. Nothing is checked here but the nesting at the end; the engine
 * that compiles the module validates the rest.
 */
import { LebBuffer } from "./leb_buffer.ts";
import { ALIGN_LOG2, type MemOp, OP, type PlainOp, VALTYPE, type ValType } from "./opcodes.ts";

const NO_RESULT = 0x40;

export class Code {
  readonly #buf = new LebBuffer();
  readonly #params: number;
  /** Types of the locals after the parameters. */
  readonly #locals: ValType[] = [];
  #depth = 0;
  /** The last local.set: which local, where its opcode is, where it ends. */
  #setLocal = -1;
  #setAt = 0;
  #setEnd = -1;

  constructor(params: number) {
    this.#params = params;
  }

  /** Bytes of instructions so far. */
  get length(): number {
    return this.#buf.length;
  }

  /** Enclosing blocks, loops and ifs. */
  get depth(): number {
    return this.#depth;
  }

  /** @returns the index of a new local, zero at entry */
  local(type: ValType): number {
    this.#locals.push(type);
    return this.#params + this.#locals.length - 1;
  }

  op(op: PlainOp): void {
    if (op > 0xff) {
      this.#buf.u8(op >> 8);
      this.#buf.u32(op & 0xff);
    } else this.#buf.u8(op);
  }

  /** Right after a set of the same local this makes it a tee instead. */
  get(local: number): void {
    if (local === this.#setLocal && this.#buf.length === this.#setEnd) {
      this.#buf.patch(this.#setAt, OP.local_tee);
      this.#setEnd = -1;
      return;
    }
    this.#buf.u8(OP.local_get);
    this.#buf.u32(local);
  }

  set(local: number): void {
    this.#setLocal = local;
    this.#setAt = this.#buf.length;
    this.#buf.u8(OP.local_set);
    this.#buf.u32(local);
    this.#setEnd = this.#buf.length;
  }

  tee(local: number): void {
    this.#buf.u8(OP.local_tee);
    this.#buf.u32(local);
  }

  globalGet(global: number): void {
    this.#buf.u8(OP.global_get);
    this.#buf.u32(global);
  }

  globalSet(global: number): void {
    this.#buf.u8(OP.global_set);
    this.#buf.u32(global);
  }

  i32(v: number): void {
    this.#buf.u8(OP.i32_const);
    this.#buf.s32(v);
  }

  /** An int32, sign-extended. */
  i64(v: number): void {
    this.#buf.u8(OP.i64_const);
    this.#buf.s32(v);
  }

  i64Halves(lo: number, hi: number): void {
    this.#buf.u8(OP.i64_const);
    this.#buf.s64(lo, hi);
  }

  /**
   * A load, store or atomic.
   * @param offset u32 added to the address without wrapping
   * @param aligned true when the address is known to be naturally aligned; atomics always say so
   */
  mem(op: MemOp, offset = 0, aligned = false): void {
    if (op > 0xff) {
      this.#buf.u8(op >> 8);
      this.#buf.u32(op & 0xff);
    } else this.#buf.u8(op);
    this.#buf.u32(aligned || op >= 0xfe00 ? ALIGN_LOG2[op] : 0);
    this.#buf.u32(offset);
  }

  memorySize(): void {
    this.#buf.u8(OP.memory_size);
    this.#buf.u8(0);
  }

  memoryGrow(): void {
    this.#buf.u8(OP.memory_grow);
    this.#buf.u8(0);
  }

  memoryFill(): void {
    this.#buf.u8(0xfc);
    this.#buf.u8(OP.memory_fill & 0xff);
    this.#buf.u8(0);
  }

  memoryCopy(): void {
    this.#buf.u8(0xfc);
    this.#buf.u8(OP.memory_copy & 0xff);
    this.#buf.u8(0);
    this.#buf.u8(0);
  }

  fence(): void {
    this.#buf.u8(0xfe);
    this.#buf.u8(OP.atomic_fence & 0xff);
    this.#buf.u8(0);
  }

  block(result?: ValType): void {
    this.#open(OP.block, result);
  }

  loop(result?: ValType): void {
    this.#open(OP.loop, result);
  }

  if(result?: ValType): void {
    this.#open(OP.if, result);
  }

  try(result?: ValType): void {
    this.#open(OP.try, result);
  }

  /** Begins the handler of the innermost try: the tag's values are on the stack. */
  catch(tag: number): void {
    this.#buf.u8(OP.catch);
    this.#buf.u32(tag);
  }

  throw(tag: number): void {
    this.#buf.u8(OP.throw);
    this.#buf.u32(tag);
  }

  else(): void {
    this.#buf.u8(OP.else);
  }

  end(): void {
    this.#depth--;
    this.#buf.u8(OP.end);
  }

  br(depth: number): void {
    this.#buf.u8(OP.br);
    this.#buf.u32(depth);
  }

  brIf(depth: number): void {
    this.#buf.u8(OP.br_if);
    this.#buf.u32(depth);
  }

  brTable(depths: ArrayLike<number>, otherwise: number): void {
    this.#buf.u8(OP.br_table);
    this.#buf.u32(depths.length);
    for (let i = 0; i < depths.length; i++) this.#buf.u32(depths[i]);
    this.#buf.u32(otherwise);
  }

  call(func: number): void {
    this.#buf.u8(OP.call);
    this.#buf.u32(func);
  }

  returnCall(func: number): void {
    this.#buf.u8(OP.return_call);
    this.#buf.u32(func);
  }

  /** Takes the table index from the top of the stack; table 0. */
  callIndirect(type: number): void {
    this.#buf.u8(OP.call_indirect);
    this.#buf.u32(type);
    this.#buf.u8(0);
  }

  returnCallIndirect(type: number): void {
    this.#buf.u8(OP.return_call_indirect);
    this.#buf.u32(type);
    this.#buf.u8(0);
  }

  #open(op: number, result: ValType | undefined): void {
    this.#depth++;
    this.#buf.u8(op);
    this.#buf.u8(result === undefined ? NO_RESULT : VALTYPE[result]);
  }

  /** Writes size, locals and instructions. @returns where in `out` the first instruction lies */
  emit(out: LebBuffer): number {
    if (this.#depth !== 0) throw new Error(`function body ends inside ${this.#depth} blocks`);
    const locals = new LebBuffer(16);
    const runs: { type: ValType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    locals.u32(runs.length);
    for (const { type, count } of runs) {
      locals.u32(count);
      locals.u8(VALTYPE[type]);
    }
    out.u32(locals.length + this.#buf.length + 1);
    out.bytes(locals.view());
    const start = out.length;
    out.bytes(this.#buf.view());
    out.u8(OP.end);
    return start;
  }
}
