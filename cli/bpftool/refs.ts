/** Who refers to an object: pins in bpf file systems, processes with an fd. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf, ObjInfo } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";

type Kind = ObjInfo["kind"];

/** By "KIND ID". */
export interface Refs {
  readonly pins: ReadonlyMap<string, readonly string[]>;
  readonly pids: ReadonlyMap<string, readonly Holder[]>;
}

export interface Holder {
  readonly pid: number;
  readonly comm: string;
}

/** @param withPins paths of every bpf file system that is mounted, which takes longer */
export function findRefs(bpf: Bpf, withPins: boolean): Refs {
  const pins = !withPins ? new Map() : bpf instanceof Process ? pinsOf(bpf) : findPins(bpf);
  return { pins, pids: bpf instanceof Process ? holdersOf(bpf) : findHolders() };
}

function add<T>(map: Map<string, T[]>, key: string, value: T): void {
  map.set(key, [...(map.get(key) ?? []), value]);
}

/** What the file systems mounted where the process is hold. */
function pinsOf(proc: Process): Map<string, string[]> {
  const pins = new Map<string, string[]>();
  for (const mount of proc.mountns.mounts) {
    for (const [path, obj] of mount.pins()) add(pins, `${obj.kind} ${obj.id}`, path);
  }
  return pins;
}

function holdersOf(proc: Process): Map<string, Holder[]> {
  const pids = new Map<string, Holder[]>();
  for (const { kind, id, holders } of proc.objects()) {
    const seen = new Set<number>();
    for (const holder of holders) {
      if (holder.by !== "fd" || seen.has(holder.pid)) continue;
      seen.add(holder.pid);
      add(pids, `${kind} ${id}`, { pid: holder.pid, comm: holder.comm });
    }
  }
  return pids;
}

/** What an fd's link and fdinfo say of BPF objects. */
const FD_LINKS: Readonly<Record<string, Kind>> = {
  "anon_inode:bpf-prog": "prog",
  "anon_inode:bpf-map": "map",
  "anon_inode:bpf_link": "link",
  "anon_inode:btf": "btf",
};

/** Processes that have an fd, as /proc shows them; those of others are not seen without privilege. */
function findHolders(): Map<string, Holder[]> {
  const pids = new Map<string, Holder[]>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`)) {
    const seen = new Set<string>();
    // Processes and fds come and go while one looks.
    for (const fd of attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const kind = FD_LINKS[attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ""];
      if (!kind) continue;
      const info = attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")) ?? "";
      const id = new RegExp(`^${kind}_id:\\s*(\\d+)`, "m").exec(info)?.[1];
      const key = `${kind} ${id}`;
      if (id === undefined || seen.has(key)) continue;
      seen.add(key);
      const comm = attempt(() => readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd()) ?? "";
      add(pids, key, { pid: Number(pid), comm });
    }
  }
  return pids;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function findPins(bpf: Bpf): Map<string, string[]> {
  const pins = new Map<string, string[]>();
  for (const mount of bpffsMounts()) {
    for (const path of filesBelow(mount)) {
      const key = keyOf(bpf, path);
      if (key !== undefined) add(pins, key, path);
    }
  }
  return pins;
}

function bpffsMounts(): string[] {
  const lines = readFileSync("/proc/mounts", "utf8").split("\n");
  return [...new Set(lines.flatMap((line) => (line.split(" ")[2] === "bpf" ? [line.split(" ")[1]] : [])))];
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? filesBelow(join(dir, e.name)) : e.isFile() && !e.name.includes(".") ? [join(dir, e.name)] : [],
  );
}

function keyOf(bpf: Bpf, path: string): string | undefined {
  try {
    const fd = bpf.objGet(path);
    try {
      return refKey(bpf.objGetInfo(fd));
    } finally {
      bpf.close(fd);
    }
  } catch (e) {
    // gone meanwhile, or of a kind that is not shown
    if (e instanceof BpfError) return undefined;
    throw e;
  }
}

function refKey(info: ObjInfo): string {
  switch (info.kind) {
    case "prog":
      return `prog ${info.prog.id}`;
    case "map":
      return `map ${info.map.id}`;
    case "link":
      return `link ${info.link.id}`;
    case "btf":
      return `btf ${info.btf.id}`;
    default:
      return info satisfies never;
  }
}

/** Members of an object's JSON; absent when there are none. */
export function refsJson({ pins, pids }: Refs, kind: Kind, id: number): object {
  return { pinned: pins.get(`${kind} ${id}`), pids: pids.get(`${kind} ${id}`) };
}

/** Lines of an object's text. */
export function pinLines({ pins }: Refs, kind: Kind, id: number): string[] {
  return (pins.get(`${kind} ${id}`) ?? []).map((path) => `pinned ${path}`);
}

export function pidLines({ pids }: Refs, kind: Kind, id: number): string[] {
  const holders = pids.get(`${kind} ${id}`);
  return holders ? [`pids ${holders.map(({ pid, comm }) => `${comm}(${pid})`).join(",")}`] : [];
}
