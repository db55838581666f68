/** A set of functions that programs implement, as its subsystem calls it. */
import type { Kernel } from "../kernel.ts";
import type { Prog } from "../prog.ts";
import { withArgs, wordBytes } from "../trace/context.ts";

export class StructOps {
  readonly struct: string;
  readonly progs: ReadonlyMap<string, Prog>;
  readonly #kernel: Kernel;
  readonly #members: ReadonlyMap<string, Uint8Array>;

  /** @param members  bytes of the members that are no functions */
  constructor(
    kernel: Kernel,
    struct: string,
    progs: ReadonlyMap<string, Prog>,
    members: ReadonlyMap<string, Uint8Array>,
  ) {
    this.#kernel = kernel;
    this.struct = struct;
    this.progs = progs;
    this.#members = members;
  }

  has(func: string): boolean {
    return this.progs.has(func);
  }

  member(name: string): Uint8Array {
    return this.#members.get(name) ?? new Uint8Array();
  }

  /** Calls a function that is there. @returns r0, signed */
  call(func: string, args: readonly bigint[]): bigint {
    const prog = this.progs.get(func);
    if (!prog) throw new Error(`struct_ops ${this.struct} has no ${func}`);
    return callOp(this.#kernel, prog, args);
  }
}

/** Runs a struct_ops program with u64 arguments. */
export function callOp(kernel: Kernel, prog: Prog, args: readonly bigint[]): bigint {
  const { runner } = kernel.traceHooks;
  const slot = { prog, cookie: 0n };
  return withArgs(kernel.memory, wordBytes(args), args.length, (ctx) => runner.run(slot, ctx, "recursive") ?? 0n);
}
