/**
 * Programs of network namespaces: one flow dissector, by link or without, and sk_lookup programs in the order of their
 * links.
 *
 * A flow dissector of the first namespace serves all; then no other namespace can have one, and the other way round.
 *
 * Errors   EEXIST another way of attaching or another namespace has the place, E2BIG no room for another link, EINVAL
 *          flags or a program that fit not, or a link holds what is to be detached, ENOENT the program is not attached.
 * Source   kernel/bpf/net_namespace.c, flow_dissector_bpf_prog_attach_check() in net/core/flow_dissector.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, E2BIG, EEXIST, EINVAL, ENOENT } from "../abi/errno.ts";
import type { Kernel } from "./kernel.ts";
import type { Link, LinkType } from "./link.ts";
import type { NetNs } from "./netns.ts";
import type { Root } from "./objects.ts";
import type { Prog } from "./prog.ts";
import type { AttachPoint } from "./prog_attach.ts";

/** netns_bpf_max_progs(). */
const MAX_LINKS: Readonly<Record<number, number>> = { [abi.BPF_FLOW_DISSECTOR]: 1, [abi.BPF_SK_LOOKUP]: 64 };

interface Entry {
  prog: Prog;
  readonly link: Link | undefined;
}

export class NetnsProgs {
  readonly #kernel: Kernel;
  /** By namespace and attach type. */
  readonly #places = new Map<NetNs, Map<number, Entry[]>>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    kernel.onNetns.push((netns) => netns.onEnd.push(() => this.#end(netns)));
  }

  /** Programs of the namespace, in the order in which they run. */
  of(netns: NetNs, attachType: number): readonly { readonly prog: Prog }[] {
    return this.#entries(netns, attachType);
  }

  #entries(netns: NetNs, attachType: number): Entry[] {
    let places = this.#places.get(netns);
    if (!places) {
      places = new Map();
      this.#places.set(netns, places);
    }
    let entries = places.get(attachType);
    if (!entries) {
      entries = [];
      places.set(attachType, entries);
    }
    return entries;
  }

  /** The first namespace's flow dissector excludes all others. @throws EEXIST */
  #checkDissector(netns: NetNs): void {
    const { initNetns } = this.#kernel;
    for (const other of this.#places.keys()) {
      const excludes = other !== netns && (netns === initNetns || other === initNetns);
      if (excludes && this.of(other, abi.BPF_FLOW_DISSECTOR).length) {
        throw new BpfError(EEXIST, `network namespace ${other.ino} has a flow dissector`, { netns: other.ino });
      }
    }
  }

  /** Without a link: takes the place of what is there. */
  attach(netns: NetNs, prog: Prog): void {
    const entries = this.#entries(netns, abi.BPF_FLOW_DISSECTOR);
    const [old] = entries;
    if (old?.link) throw new BpfError(EEXIST, `link ${old.link.id} holds the flow dissector`, {});
    this.#checkDissector(netns);
    if (old?.prog === prog) throw new BpfError(EINVAL, `program ${prog.id} is attached already`, {});
    entries[0] = { prog: prog.get(), link: undefined };
    old?.prog.put();
  }

  detach(netns: NetNs, prog: Prog): void {
    const entries = this.#entries(netns, abi.BPF_FLOW_DISSECTOR);
    const [entry] = entries;
    if (entry?.link) throw new BpfError(EINVAL, `link ${entry.link.id} holds the flow dissector`, {});
    if (entry?.prog !== prog) throw new BpfError(ENOENT, `program ${prog.id} is not attached`, {});
    entries.length = 0;
    prog.put();
  }

  addLink(netns: NetNs, attachType: number, prog: Prog, link: Link): void {
    const entries = this.#entries(netns, attachType);
    if (entries.filter((e) => e.link).length >= MAX_LINKS[attachType]!)
      throw new BpfError(E2BIG, `network namespace ${netns.ino} has ${entries.length} such links`, {});
    if (entries.some((e) => !e.link)) throw new BpfError(EEXIST, `a program is attached without a link`, {});
    if (attachType === abi.BPF_FLOW_DISSECTOR) this.#checkDissector(netns);
    entries.push({ prog, link });
  }

  updateLink(netns: NetNs, attachType: number, link: Link, prog: Prog): void {
    const entry = this.#entries(netns, attachType).find((e) => e.link === link);
    if (entry) entry.prog = prog;
  }

  removeLink(netns: NetNs, attachType: number, link: Link): void {
    const entries = this.#entries(netns, attachType);
    const at = entries.findIndex((e) => e.link === link);
    if (at >= 0) entries.splice(at, 1);
  }

  #end(netns: NetNs): void {
    for (const entries of this.#places.get(netns)?.values() ?? []) {
      for (const { prog, link } of [...entries]) {
        if (link) link.targetGone();
        else prog.put();
      }
    }
    this.#places.delete(netns);
  }

  /** The first namespace never ends: what is attached there without a link. */
  shutdown(): void {
    this.#end(this.#kernel.initNetns);
  }

  /** Programs that attachments without links hold. */
  *roots(): Iterable<Root> {
    for (const [netns, places] of this.#places) {
      for (const entries of places.values()) {
        for (const { prog, link } of entries) {
          if (!link)
            yield { who: `network namespace ${netns.ino}`, obj: prog, release: () => this.detach(netns, prog) };
        }
      }
    }
  }
}

export function netnsAttachPoint(progs: NetnsProgs): AttachPoint {
  return {
    attachTypes: [abi.BPF_FLOW_DISSECTOR],
    attach(proc, prog, { targetFd, flags, replaceFd }) {
      if (targetFd || flags || replaceFd)
        throw new BpfError(
          EINVAL,
          "a flow dissector goes to the caller's namespace; no target and no flags are wanted",
        );
      progs.attach(proc.netns, prog);
    },
    detach(proc, prog, { progFd }) {
      if (!prog) {
        const { name } = proc.progAt(progFd ?? (0 as NonNullable<typeof progFd>));
        throw new BpfError(EINVAL, `program '${name}' is no flow dissector`, {});
      }
      progs.detach(proc.netns, prog);
    },
    query: (proc, attr) =>
      queryNetns(progs, proc.netnsAt(attr.targetFd ?? (0 as NonNullable<typeof attr.targetFd>)), attr),
  };
}

/** sk_lookup programs are queried as all others, but attached by links alone. */
export function skLookupPoint(progs: NetnsProgs): AttachPoint {
  const never = () => {
    throw new BpfError(EINVAL, "sk_lookup programs are attached by links", {});
  };
  return { ...netnsAttachPoint(progs), attachTypes: [abi.BPF_SK_LOOKUP], attach: never, detach: never };
}

function queryNetns(
  progs: NetnsProgs,
  netns: NetNs,
  { attachType, queryFlags }: { readonly attachType: number; readonly queryFlags?: number },
) {
  if (queryFlags) throw new BpfError(EINVAL, "queries of network namespaces know no flags", {});
  const list = progs.of(netns, attachType).map(({ prog }) => ({ id: prog.id, linkId: 0 }));
  return { progs: list, attachFlags: 0, revision: 0n };
}

export function netnsLinkType(progs: NetnsProgs): LinkType {
  return {
    type: abi.BPF_LINK_TYPE_NETNS,
    progTypes: [abi.BPF_PROG_TYPE_FLOW_DISSECTOR, abi.BPF_PROG_TYPE_SK_LOOKUP],
    attachTypes: [abi.BPF_FLOW_DISSECTOR, abi.BPF_SK_LOOKUP],
    gone: { netnsIno: 0 },
    attach(proc, prog, { attachType, targetFd, flags }, link) {
      const wanted = attachType === abi.BPF_SK_LOOKUP ? abi.BPF_PROG_TYPE_SK_LOOKUP : abi.BPF_PROG_TYPE_FLOW_DISSECTOR;
      if (flags || prog.type !== wanted) {
        throw new BpfError(EINVAL, `program '${prog.name}' of type ${prog.type}, flags ${flags ?? 0}`, { attachType });
      }
      const netns = proc.netnsAt(targetFd ?? (0 as NonNullable<typeof targetFd>));
      progs.addLink(netns, attachType, prog, link);
      // The link does not keep the namespace: it becomes defunct with it. With `hold` it does.
      if (link.hold) netns.get();
      return {
        forcedDetach: true,
        update(next) {
          if (next.type !== prog.type) throw new BpfError(EINVAL, `program '${next.name}' is of another type`, {});
          progs.updateLink(netns, attachType, link, next);
        },
        detach() {
          progs.removeLink(netns, attachType, link);
          if (link.hold) netns.put();
        },
        info: () => ({ netnsIno: netns.ino, attachType }),
        holds: () => (link.hold ? [netns] : []),
      };
    },
  };
}
