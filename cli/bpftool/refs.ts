/** Who refers to an object: pins in bpf file systems, processes with an fd. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BpfError } from "../../src/abi/errno.ts";
import type { Bpf, ObjInfo } from "../../src/kernel/bpf.ts";

export type Pins = ReadonlyMap<string, readonly string[]>;

/** Paths by "KIND ID", of every bpf file system that is mounted. */
export function findPins(bpf: Bpf): Pins {
  const pins = new Map<string, string[]>();
  for (const mount of bpffsMounts()) {
    for (const path of filesBelow(mount)) {
      const key = keyOf(bpf, path);
      if (key !== undefined) pins.set(key, [...(pins.get(key) ?? []), path]);
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

/** For JSON: absent when there is none. */
export function pinned(pins: Pins | undefined, kind: ObjInfo["kind"], id: number): readonly string[] | undefined {
  return pins?.get(`${kind} ${id}`);
}
