/**
 * What an iterator walks: one IterTarget for each name behind bpf_iter_.
 *
 * A walk is a position that only grows, so that a read can stop anywhere and the next one go on; objects that come or go
 * meanwhile are seen or not, as on Linux.
 */
import type { Errno } from "../../abi/errno.ts";
import type { IterLinkInfo, LinkInfo } from "../bpf.ts";
import type { Kernel } from "../kernel.ts";
import type { KObject } from "../objects.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import type { StructScope } from "../structs/scope.ts";

/** One object of a walk. */
export interface Element {
  /** Where to go on with it. */
  readonly pos: number;
}

export interface Walk {
  /** The first object at `pos` or behind it; undefined at the end; an errno where the walk cannot go on. */
  start(pos: number): Element | Errno | undefined;
  next(elem: Element): Element | undefined;
  /** The words of the program's context behind the meta data; no object: at the end of the walk. */
  words(scope: StructScope, elem: Element | undefined): readonly bigint[];
  /** The end was reached. */
  finished?(): void;
  /** The program said 1: the walk decides what that means. Without it: the same object again. */
  ran?(one: boolean): void;
}

/** What a link was made for. */
export interface Aux {
  open(): Walk;
  /** What link and open files hold. */
  readonly held: readonly KObject[];
  readonly info: Partial<LinkInfo>;
}

export interface IterTarget {
  /** Sleepable programs may walk it (BPF_ITER_RESCHED). */
  readonly resched: boolean;
  /** @throws BpfError the errno of attach_target() */
  attach(proc: Process, prog: Prog, info: IterLinkInfo): Aux;
}

/** A walk over things with ascending numbers, looked up anew for each step. */
export function numbered<T>(
  find: (from: number) => { readonly pos: number; readonly item: T } | undefined,
  words: (scope: StructScope, item: T | undefined) => readonly bigint[],
): Walk {
  type Found = Element & { readonly item: T };
  return {
    start: find,
    next: (elem) => find(elem.pos + 1),
    words: (scope, elem) => words(scope, (elem as Found | undefined)?.item),
  };
}

/** Targets that need no more than the kernel. */
export function plain(resched: boolean, open: (kernel: Kernel) => Walk): IterTarget {
  return { resched, attach: ({ kernel }) => ({ open: () => open(kernel), held: [], info: {} }) };
}
