/**
 * Programs of cgroups: what is attached to each, and which programs are effective in it.
 *
 * Modes      none: only this program, descendants may attach nothing. BPF_F_ALLOW_OVERRIDE: a descendant's own program
 *            takes its place there. BPF_F_ALLOW_MULTI: programs of this cgroup and of those above all run, descendants'
 *            first; with BPF_F_PREORDER, ancestors' first and before all others. Links are always multi.
 * Order      BPF_F_BEFORE, BPF_F_AFTER beside a program or link of the same cgroup; else at the end.
 * Errors     EPERM a mode that the cgroup or one above does not allow, EINVAL attached twice or flags that contradict,
 *            ENOENT what is named is not there, E2BIG 64 programs, ESTALE another revision was expected.
 * Source     kernel/bpf/cgroup.c: __cgroup_bpf_attach(), hierarchy_allows_attach(), compute_effective_progs().
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EINVAL, ENOENT, EPERM, type Errno, ESTALE } from "../../abi/errno.ts";
import { type AnchorAttr, anchorOf, namesAnchor } from "../anchor.ts";
import type { Link } from "../link.ts";
import type { Root } from "../objects.ts";
import type { Prog } from "../prog.ts";
import type { Task } from "../task.ts";
import type { Cgroup, Cgroups } from "./cgroup.ts";

/** BPF_CGROUP_MAX_PROGS. */
const MAX_PROGS = 64;
const MODES = abi.BPF_F_ALLOW_OVERRIDE | abi.BPF_F_ALLOW_MULTI;

export interface CgroupEntry {
  prog: Prog;
  readonly link: Link | undefined;
  readonly flags: number;
}

/** What is attached to one cgroup at one hook. */
interface Hook {
  readonly entries: CgroupEntry[];
  /** BPF_F_ALLOW_*; 0 when nothing is attached. */
  mode: number;
  revision: bigint;
}

export interface CgroupAttachAttr extends AnchorAttr {
  readonly expectedRevision?: bigint;
}

/** First hook of LSM programs. */
const LSM_HOOKS = 0x1_0000;

/** Number of a hook: the attach type; LSM programs have one for each function that they attach to. */
export function hookOf(attachType: number, attachBtfId: number): number {
  return attachType === abi.BPF_LSM_CGROUP ? LSM_HOOKS + attachBtfId : attachType;
}

const NOTHING: Hook = { entries: [], mode: 0, revision: 1n };

export class CgroupProgs {
  readonly #hooks = new WeakMap<Cgroup, Map<number, Hook>>();
  /** Cgroups that have or had attachments, for root's view; dead ones leave when their programs do. */
  readonly #known = new Set<Cgroup>();
  readonly #effective = new WeakMap<Cgroup, Map<number, readonly CgroupEntry[]>>();
  /** Attachments in the whole hierarchy by hook: most have none, and running them must cost nothing. */
  readonly #counts = new Map<number, number>();

  constructor(cgroups: Cgroups) {
    cgroups.onDeath.push((cgroup) => this.#release(cgroup));
  }

  /** Hooks of an attach type that some cgroup has programs at: one, but of LSM programs one for each function. */
  hooksOf(attachType: number): number[] {
    if (attachType !== abi.BPF_LSM_CGROUP) return [attachType];
    return [...this.#counts]
      .flatMap(([hook, count]) => (count && hook >= LSM_HOOKS ? [hook] : []))
      .sort((a, b) => a - b);
  }

  /** Whether no cgroup has a program there. */
  idle(hook: number): boolean {
    return !this.#counts.get(hook);
  }

  /** Attachments of the cgroup itself, in order. */
  hook(cgroup: Cgroup, hook: number): Readonly<Hook> {
    return this.#hooks.get(cgroup)?.get(hook) ?? NOTHING;
  }

  #own(cgroup: Cgroup, number: number): Hook {
    let hooks = this.#hooks.get(cgroup);
    if (!hooks) {
      hooks = new Map();
      this.#hooks.set(cgroup, hooks);
    }
    let hook = hooks.get(number);
    if (!hook) {
      hook = { entries: [], mode: 0, revision: 1n };
      hooks.set(number, hook);
    }
    return hook;
  }

  /** Programs that run for what happens in the cgroup, in their order. */
  effective(cgroup: Cgroup, hook: number): readonly CgroupEntry[] {
    let known = this.#effective.get(cgroup);
    if (!known) {
      known = new Map();
      this.#effective.set(cgroup, known);
    }
    let list = known.get(hook);
    if (!list) {
      list = this.#compute(cgroup, hook);
      known.set(hook, list);
    }
    return list;
  }

  #compute(cgroup: Cgroup, number: number): CgroupEntry[] {
    const before: CgroupEntry[] = [];
    const after: CgroupEntry[] = [];
    for (const at of cgroup.ancestors()) {
      const { entries, mode } = this.hook(at, number);
      if ((before.length || after.length) && !(mode & abi.BPF_F_ALLOW_MULTI)) continue;
      before.unshift(...entries.filter((e) => e.flags & abi.BPF_F_PREORDER));
      after.push(...entries.filter((e) => !(e.flags & abi.BPF_F_PREORDER)));
    }
    return [...before, ...after];
  }

  #changed(cgroup: Cgroup, number: number, more: number): void {
    this.#counts.set(number, (this.#counts.get(number) ?? 0) + more);
    for (const below of cgroup.descendants()) this.#effective.get(below)?.delete(number);
  }

  /**
   * @param link     absent for BPF_PROG_ATTACH, whose attachment holds the program
   * @param replace  the program whose place it takes (BPF_F_REPLACE)
   */
  attach(
    task: Task,
    cgroup: Cgroup,
    number: number,
    prog: Prog,
    link: Link | undefined,
    replace: Prog | undefined,
    attr: CgroupAttachAttr,
  ): void {
    const { flags = 0, expectedRevision } = attr;
    const fail = (errno: Errno, text: string): never => {
      throw new BpfError(errno, `cgroup ${cgroup.path}: ${text}`, { cgroup: cgroup.path, flags });
    };
    const { BPF_F_REPLACE, BPF_F_ALLOW_MULTI, BPF_F_BEFORE, BPF_F_AFTER } = abi;
    const mode = flags & MODES;
    if (mode === MODES) fail(EINVAL, "both BPF_F_ALLOW_OVERRIDE and BPF_F_ALLOW_MULTI");
    if (flags & BPF_F_REPLACE && !(flags & BPF_F_ALLOW_MULTI)) fail(EINVAL, "BPF_F_REPLACE without BPF_F_ALLOW_MULTI");
    if (flags & BPF_F_REPLACE && flags & (BPF_F_BEFORE | BPF_F_AFTER))
      fail(EINVAL, "BPF_F_REPLACE keeps the place; no BPF_F_BEFORE or BPF_F_AFTER is wanted");
    const hook = this.#own(cgroup, number);
    if (expectedRevision && expectedRevision !== hook.revision)
      fail(ESTALE, `the revision is ${hook.revision}, not ${expectedRevision}`);
    const above = this.#forbidding(cgroup, number);
    if (above) fail(EPERM, `${above.path} has a program that allows none below it`);
    if (hook.entries.length && hook.mode !== mode)
      fail(EPERM, `attached programs have mode ${hook.mode}, wanted ${mode}`);
    if (hook.entries.length >= MAX_PROGS) fail(E2BIG, `it has ${MAX_PROGS} programs`);
    const multi = (flags & BPF_F_ALLOW_MULTI) !== 0;
    const taken = multi ? this.#replaced(hook, prog, link, replace, fail) : hook.entries[0];
    const entry: CgroupEntry = { prog, link, flags };
    if (taken) hook.entries[hook.entries.indexOf(taken)] = entry;
    else hook.entries.splice(insertAt(task, hook.entries, link, attr), 0, entry);
    if (!link) prog.get();
    if (taken && !taken.link) taken.prog.put();
    hook.mode = mode;
    hook.revision++;
    this.#known.add(cgroup);
    this.#changed(cgroup, number, taken ? 0 : 1);
  }

  /** The nearest cgroup above whose program does not let descendants attach. */
  #forbidding(cgroup: Cgroup, number: number): Cgroup | undefined {
    for (let at = cgroup.parent; at; at = at.parent) {
      const { entries, mode } = this.hook(at, number);
      if (mode & abi.BPF_F_ALLOW_MULTI) return undefined;
      if (entries.length) return mode & abi.BPF_F_ALLOW_OVERRIDE ? undefined : at;
    }
    return undefined;
  }

  #replaced(
    hook: Hook,
    prog: Prog,
    link: Link | undefined,
    replace: Prog | undefined,
    fail: (errno: Errno, text: string) => never,
  ): CgroupEntry | undefined {
    if (!link && prog !== replace && hook.entries.some((e) => !e.link && e.prog === prog))
      fail(EINVAL, `program ${prog.id} is attached already`);
    if (!replace) return undefined;
    return (
      hook.entries.find((e) => !e.link && e.prog === replace) ??
      fail(ENOENT, `program ${replace.id} to replace is not attached`)
    );
  }

  /** A link puts another program in place. */
  update(cgroup: Cgroup, number: number, link: Link, prog: Prog): void {
    const hook = this.#own(cgroup, number);
    const entry = hook.entries.find((e) => e.link === link);
    if (!entry) throw new BpfError(ENOENT, `cgroup ${cgroup.path}: link ${link.id} is not attached`, {});
    entry.prog = prog;
    hook.revision++;
  }

  /** BPF_PROG_DETACH. @param prog  undefined: whatever is there, where only one can be */
  detach(cgroup: Cgroup, number: number, prog: Prog | undefined, { expectedRevision }: CgroupAttachAttr): void {
    const hook = this.#own(cgroup, number);
    const fail = (errno: Errno, text: string): never => {
      throw new BpfError(errno, `cgroup ${cgroup.path}: ${text}`, { cgroup: cgroup.path });
    };
    if (expectedRevision && expectedRevision !== hook.revision)
      fail(ESTALE, `the revision is ${hook.revision}, not ${expectedRevision}`);
    let entry: CgroupEntry | undefined;
    if (hook.mode & abi.BPF_F_ALLOW_MULTI) {
      if (!prog) fail(EINVAL, "several programs can be attached; a program is wanted");
      entry = hook.entries.find((e) => !e.link && e.prog === prog);
    } else entry = hook.entries[0];
    entry ??= fail(ENOENT, prog ? `program ${prog.id} is not attached` : "nothing is attached");
    this.#remove(cgroup, number, hook, entry!);
  }

  /** The link ends. */
  removeLink(cgroup: Cgroup, number: number, link: Link): void {
    const hook = this.#own(cgroup, number);
    const entry = hook.entries.find((e) => e.link === link);
    if (entry) this.#remove(cgroup, number, hook, entry);
  }

  #remove(cgroup: Cgroup, number: number, hook: Hook, entry: CgroupEntry): void {
    hook.entries.splice(hook.entries.indexOf(entry), 1);
    if (hook.entries.length === 0) hook.mode = 0;
    hook.revision++;
    this.#changed(cgroup, number, -1);
    if (!entry.link) entry.prog.put();
  }

  /** The cgroup is gone, and nothing runs in it any more: its links have ended, what is left goes. */
  #release(cgroup: Cgroup): void {
    for (const [number, hook] of this.#hooks.get(cgroup) ?? []) {
      for (const entry of [...hook.entries]) {
        if (entry.link) entry.link.targetGone();
        else this.#remove(cgroup, number, hook, entry);
      }
    }
    this.#known.delete(cgroup);
  }

  /** Programs that attachments without links hold. */
  *roots(): Iterable<Root> {
    for (const cgroup of this.#known) {
      for (const [number, hook] of this.#hooks.get(cgroup) ?? []) {
        for (const entry of hook.entries) {
          if (entry.link) continue;
          const who = `cgroup ${cgroup.path}, attach type ${number & 0xffff}`;
          yield { who, obj: entry.prog, release: () => this.#remove(cgroup, number, hook, entry) };
        }
      }
    }
  }
}

/** Where a new entry goes (get_prog_list()). */
function insertAt(task: Task, entries: readonly CgroupEntry[], link: Link | undefined, attr: CgroupAttachAttr): number {
  const { flags = 0 } = attr;
  const before = (flags & abi.BPF_F_BEFORE) !== 0;
  const after = (flags & abi.BPF_F_AFTER) !== 0;
  if (namesAnchor(attr) ? before === after : entries.length > 0 && before && after) {
    throw new BpfError(EINVAL, "one of BPF_F_BEFORE and BPF_F_AFTER is wanted", { flags });
  }
  const anchor = anchorOf(task, attr);
  if (anchor && Boolean(anchor.link) !== Boolean(link)) {
    throw new BpfError(EINVAL, "links stand beside links, programs without one beside such programs", { flags });
  }
  if (!anchor) return before ? 0 : entries.length;
  const at = entries.findIndex((e) => (anchor.link ? e.link === anchor.link : !e.link && e.prog === anchor.prog));
  if (at < 0) throw new BpfError(ENOENT, `program ${anchor.prog.id} to stand beside is not attached`, {});
  if ((entries[at]!.flags ^ flags) & abi.BPF_F_PREORDER) {
    throw new BpfError(EINVAL, "only one of the two has BPF_F_PREORDER", { flags });
  }
  return before ? at : at + 1;
}
