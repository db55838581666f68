/** One command of bpf(2) in the table: the layout of its attr, its last member, and what it does. */
import { BpfError, EINVAL, type Errno } from "../../abi/errno.ts";
import type { Members, Struct } from "../../abi/struct.ts";
import type { Call } from "./call.ts";

/** What a layout is unpacked to. */
export type Unpacked<L> = L extends Struct<infer M> ? ReturnType<Struct<M>["unpack"]> : never;

export interface Command {
  /** Bytes behind the last member that the command knows; all that follow must be zero (CHECK_ATTR). */
  readonly end: number;
  /** @returns what bpf(2) returns; an error is thrown */
  readonly run: (call: Call) => number;
  /** Checked before the attr is. */
  readonly allowed?: (call: Call) => void;
}

export function command<M extends Members>(
  layout: Struct<M>,
  last: keyof M & string,
  run: (call: Call, attr: ReturnType<Struct<M>["unpack"]>) => number,
  allowed?: (call: Call) => void,
): Command {
  return {
    end: layout.endOf(last),
    run: (call) => run(call, layout.unpack(call.attr)),
    ...(allowed ? { allowed } : {}),
  };
}

export function refuse(errno: Errno, what: string, context: Record<string, unknown> = {}): never {
  throw new BpfError(errno, what, context);
}

/** @throws EINVAL unless only bits of `known` are set */
export function checkFlags(what: string, flags: number | bigint, known: number): void {
  const unknown = BigInt(flags) & ~BigInt(known);
  if (unknown) refuse(EINVAL, `${what}: unknown flags 0x${unknown.toString(16)}`, { flags });
}
