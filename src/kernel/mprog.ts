/**
 * Several programs at one place of a device, in an order that those who attach choose.
 *
 * Every change raises the revision, which begins at 1 and begins anew when the list has become empty. An entry that a link
 * made can be changed by that link only.
 *
 * Errors   ESTALE another revision was expected, EEXIST the program is there, ENOENT what is to be replaced, detached or
 *          stood beside is not, EBUSY a link holds it, ERANGE positions that contradict each other or too many programs.
 * Source   kernel/bpf/mprog.c.
 */
import { BPF_F_AFTER, BPF_F_BEFORE, BPF_F_REPLACE } from "../abi/bpf.ts";
import { BpfError, EBUSY, EEXIST, EINVAL, ENOENT, ERANGE, type Errno, ESTALE } from "../abi/errno.ts";
import { type Anchor, type AnchorAttr, anchorOf } from "./anchor.ts";
import type { Link } from "./link.ts";
import type { Prog } from "./prog.ts";
import type { Task } from "./task.ts";

/** BPF_MPROG_MAX. */
const MAX_PROGS = 64;

export interface MprogEntry {
  prog: Prog;
  readonly link: Link | undefined;
}

export interface MprogAttr extends AnchorAttr {
  readonly expectedRevision?: bigint;
}

export class Mprog {
  readonly entries: MprogEntry[] = [];
  readonly #what: string;
  #revision = 1n;

  /** @param what  the place, for messages: "tcx ingress of eth0" */
  constructor(what: string) {
    this.#what = what;
  }

  get revision(): bigint {
    return this.#revision;
  }

  #fail(errno: Errno, text: string): never {
    throw new BpfError(errno, `${this.#what}: ${text}`);
  }

  #checkRevision({ expectedRevision }: MprogAttr): void {
    if (expectedRevision && expectedRevision !== this.#revision)
      this.#fail(ESTALE, `the revision is ${this.#revision}, not ${expectedRevision}`);
  }

  /**
   * Puts a program in. With BPF_F_REPLACE it takes the place of `replace`.
   * @returns the program that it replaced
   */
  attach(task: Task, prog: Prog, link: Link | undefined, replace: Prog | undefined, attr: MprogAttr): Prog | undefined {
    const { flags = 0 } = attr;
    this.#checkRevision(attr);
    if (this.entries.some((e) => e.prog === prog)) this.#fail(EEXIST, `program ${prog.id} is there already`);
    const anchor = anchorOf(task, attr, prog.type);
    const exact = flags & BPF_F_REPLACE ? this.#exact(replace, link) : undefined;
    const at = this.#position(flags, anchor, exact);
    if (at >= MAX_PROGS) this.#fail(ERANGE, `it has ${MAX_PROGS} programs`);
    if (exact === undefined) {
      const before = (flags & BPF_F_BEFORE) !== 0 && at !== this.entries.length;
      this.entries.splice(before ? at + 1 : at, 0, { prog, link });
    } else this.entries[exact] = { prog, link };
    this.#revision++;
    return exact === undefined ? undefined : replace;
  }

  /** A link puts another program in its place. */
  update(link: Link, prog: Prog): void {
    if (this.entries.some((e) => e.prog === prog)) this.#fail(EEXIST, `program ${prog.id} is there already`);
    const entry = this.entries.find((e) => e.link === link);
    if (!entry) this.#fail(ENOENT, `link ${link.id} is not there`);
    entry.prog = prog;
    this.#revision++;
  }

  /** Detaches what was attached without a link: `prog`, or what stands at the position. @returns the program */
  detach(task: Task, prog: Prog | undefined, attr: MprogAttr): Prog {
    const { flags = 0 } = attr;
    if (this.entries.length === 0) this.#fail(ENOENT, "nothing is attached");
    if (flags & BPF_F_REPLACE) this.#fail(EINVAL, "BPF_F_REPLACE makes no sense for detach");
    this.#checkRevision(attr);
    // Without a program of its own, a relative may be of any type that can stand here.
    const anchor = anchorOf(task, attr, (prog ?? this.entries[0]!.prog).type);
    const exact = prog ? this.#exact(prog, undefined) : undefined;
    const at = this.#position(flags, anchor, exact);
    if (at >= MAX_PROGS) this.#fail(ERANGE, `it has ${MAX_PROGS} programs`);
    const index = at === -1 ? 0 : Math.min(at, this.entries.length - 1);
    const entry = this.entries[index]!;
    if (entry.link) this.#fail(EBUSY, `link ${entry.link.id} holds program ${entry.prog.id}`);
    this.#remove(index);
    return entry.prog;
  }

  /** The link ends. */
  remove(link: Link): void {
    const at = this.entries.findIndex((e) => e.link === link);
    if (at >= 0) this.#remove(at);
  }

  /** The place goes away, or the program is taken by force: entries without links that hold it. @returns the programs */
  drop(only?: Prog): Prog[] {
    const gone = this.entries.filter((e) => !e.link && (!only || e.prog === only));
    for (const entry of gone) this.#remove(this.entries.indexOf(entry));
    return gone.map((e) => e.prog);
  }

  #remove(index: number): void {
    this.entries.splice(index, 1);
    this.#revision = this.entries.length === 0 ? 1n : this.#revision + 1n;
  }

  #exact(prog: Prog | undefined, link: Link | undefined): number {
    const at = this.entries.findIndex((e) => e.prog === prog);
    if (at < 0) this.#fail(ENOENT, `program ${prog?.id ?? "to replace"} is not there`);
    if (this.entries[at]!.link !== link) this.#fail(EBUSY, `program ${prog?.id} is held by a link`);
    return at;
  }

  /** As bpf_mprog_attach() counts: BEFORE stands one to the left of its anchor, so that -1 is the start. */
  #position(flags: number, anchor: Anchor | undefined, exact: number | undefined): number {
    let at = exact;
    const take = (wanted: number) => {
      if (at !== undefined && at !== wanted) this.#fail(ERANGE, "the positions contradict each other");
      at = wanted;
    };
    if (flags & BPF_F_BEFORE) take(anchor ? this.#find(anchor) - 1 : -1);
    if (flags & BPF_F_AFTER) take(anchor ? this.#find(anchor) + 1 : this.entries.length);
    if (at !== undefined) return at;
    if (anchor || flags) this.#fail(EINVAL, "a relative or flags without BPF_F_BEFORE or BPF_F_AFTER");
    return this.entries.length;
  }

  #find({ prog, link }: Anchor): number {
    const at = this.entries.findIndex((e) => e.prog === prog && (!link || e.link === link));
    if (at < 0) this.#fail(ENOENT, `program ${prog.id} to stand beside is not there`);
    return at;
  }
}
