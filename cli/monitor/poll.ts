/**
 * Changes of a kernel that does not tell of any (Linux): what differs between two looks at its ids, links and pins.
 *
 * What came and went between two looks is not seen, and nobody knows who did it; events say so with `polled`.
 */
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf, BpfEvent, LinkInfo } from "../../src/kernel/bpf.ts";
import { findRefs } from "../bpftool/refs.ts";
import { forEach, KINDS } from "../bpftool/words.ts";

export type PolledEvent = Omit<BpfEvent, "seq" | "pid" | "comm"> & { readonly polled: true };

export interface Look {
  readonly progs: ReadonlySet<number>;
  readonly maps: ReadonlySet<number>;
  readonly links: ReadonlyMap<number, LinkInfo>;
  /** Path to "KIND ID". */
  readonly pins: ReadonlyMap<string, string>;
}

export function look(bpf: Bpf): Look {
  const links = new Map<number, LinkInfo>();
  forEach(bpf, KINDS.link, (fd) => {
    const info = bpf.linkInfo(fd);
    links.set(info.id, info);
  });
  const pins = new Map<string, string>();
  for (const [key, paths] of findRefs(bpf, true).pins) for (const path of paths) pins.set(path, key);
  return { progs: idsOf(bpf, "prog"), maps: idsOf(bpf, "map"), links, pins };
}

function idsOf(bpf: Bpf, kind: "prog" | "map"): Set<number> {
  const ids = new Set<number>();
  const next = KINDS[kind].ids(bpf);
  for (let id = next(0); id !== undefined; id = next(id)) ids.add(id);
  return ids;
}

/** In an order that could have happened: what is made before what uses it, what lets go before what goes. */
export function changes(before: Look, after: Look): PolledEvent[] {
  const events: Omit<PolledEvent, "polled">[] = [
    ...added(before.maps, after.maps).map((mapId) => ({ what: "map_create" as const, mapId })),
    ...added(before.progs, after.progs).map((progId) => ({ what: "load" as const, progId })),
    ...linkChanges(before.links, after.links),
    ...pinChanges(before.pins, after.pins),
    ...added(after.progs, before.progs).map((progId) => ({ what: "unload" as const, progId })),
    ...added(after.maps, before.maps).map((mapId) => ({ what: "map_free" as const, mapId })),
  ];
  return events.map((e) => ({ ...e, polled: true }));
}

function added(before: ReadonlySet<number>, after: ReadonlySet<number>): number[] {
  return [...after].filter((id) => !before.has(id));
}

function* linkChanges(before: Look["links"], after: Look["links"]): Iterable<Omit<PolledEvent, "polled">> {
  for (const [id, info] of after) {
    const old = before.get(id);
    if (!old) yield { what: "attach", ...place(info) };
    else if (old.progId !== info.progId) yield { what: "replace", ...place(info) };
    else if (old.ifindex && info.ifindex === 0) yield { what: "defunct", ...place(old) };
  }
  for (const [id, info] of before) if (!after.has(id)) yield { what: "detach", ...place(info) };
}

function place({
  id,
  progId,
  ifindex,
  cgroupId,
  attachType,
}: LinkInfo): Omit<BpfEvent, "seq" | "pid" | "comm" | "what"> {
  return {
    linkId: id,
    progId,
    ...(ifindex === undefined ? {} : { ifindex }),
    ...(cgroupId === undefined ? {} : { cgroupId }),
    ...(attachType === undefined ? {} : { attachType }),
  };
}

function* pinChanges(before: Look["pins"], after: Look["pins"]): Iterable<Omit<PolledEvent, "polled">> {
  for (const [path, key] of before) if (after.get(path) !== key) yield { what: "unpin", path, ...idOf(key) };
  for (const [path, key] of after) if (before.get(path) !== key) yield { what: "pin", path, ...idOf(key) };
}

function idOf(key: string): object {
  const [kind, id] = key.split(" ");
  return { [`${kind}Id`]: Number(id) };
}

/** undefined: the kernel went out of reach meanwhile. @throws what is no errno */
export function tryLook(bpf: Bpf): Look | undefined {
  try {
    return look(bpf);
  } catch (e) {
    if (e instanceof BpfError) return undefined;
    throw e;
  }
}
