/** One event as a line for people, or as JSON with bpftool's member names. */
import { ATTACH_TYPE_NAMES } from "../../src/abi/enum_names.ts";
import type { BpfEvent } from "../../src/kernel/bpf.ts";
import { colors, type Io } from "../output.ts";
import type { PolledEvent } from "./poll.ts";

export type Shown = BpfEvent | PolledEvent;

export interface Names {
  /** By ifindex, while the device is there. */
  device(ifindex: number): string | undefined;
  cgroup(id: bigint): string | undefined;
}

export function jsonOf(event: Shown, names: Names): string {
  const { what, progId, linkId, mapId, ifindex, cgroupId, attachType, path, oldPath, exchange } = event;
  const told = "seq" in event ? { seq: event.seq, pid: event.pid, comm: event.comm } : { polled: true };
  return JSON.stringify({
    ...told,
    event: what,
    prog_id: progId,
    link_id: linkId,
    map_id: mapId,
    devname: ifindex === undefined ? undefined : names.device(ifindex),
    ifindex,
    cgroup_id: cgroupId === undefined ? undefined : Number(cgroupId),
    attach_type: attachType === undefined ? undefined : (ATTACH_TYPE_NAMES[attachType] ?? attachType),
    path,
    old_path: oldPath,
    exchange,
  });
}

type Color = "green" | "yellow" | "red" | "cyan" | "dim";

const COLORS: Readonly<Record<BpfEvent["what"], Color>> = {
  attach: "green",
  detach: "yellow",
  replace: "cyan",
  defunct: "red",
  pin: "green",
  unpin: "yellow",
  rename: "cyan",
  mount: "green",
  umount: "yellow",
  load: "dim",
  unload: "dim",
  map_create: "dim",
  map_free: "dim",
};

const SEQ_WIDTH = 5;
const WHO_WIDTH = 20;
const WHAT_WIDTH = 10;

export const HEADER = `${"#".padStart(SEQ_WIDTH)}  ${"who".padEnd(WHO_WIDTH)}  ${"what".padEnd(WHAT_WIDTH)}  which\n`;

export function lineOf(io: Io, event: Shown, names: Names): string {
  const number = "seq" in event ? `${event.seq}` : "";
  const who = "seq" in event ? (event.pid ? `${event.comm}(${event.pid})` : "kernel") : "(polled)";
  const color = colors(io)[COLORS[event.what]];
  const what = color(event.what.padEnd(WHAT_WIDTH));
  return `${number.padStart(SEQ_WIDTH)}  ${who.padEnd(WHO_WIDTH)}  ${what}  ${which(event, names)}`
    .trimEnd()
    .concat("\n");
}

/** "prog 5 link 2 xdp eth0", "map 3 /sys/fs/bpf/m", ... */
function which(event: Shown, names: Names): string {
  const { progId, linkId, mapId, ifindex, cgroupId, attachType, path, oldPath, exchange } = event;
  const words: string[] = [];
  if (mapId !== undefined) words.push(`map ${mapId}`);
  if (progId !== undefined) words.push(`prog ${progId}`);
  if (linkId !== undefined) words.push(`link ${linkId}`);
  if (attachType !== undefined && (ifindex ?? cgroupId) !== undefined) {
    words.push(ATTACH_TYPE_NAMES[attachType] ?? `attach type ${attachType}`);
  }
  if (ifindex !== undefined) words.push(names.device(ifindex) ?? `ifindex ${ifindex}`);
  if (cgroupId !== undefined) words.push(`cgroup ${names.cgroup(cgroupId) ?? cgroupId}`);
  if (oldPath !== undefined) words.push(oldPath, exchange ? "<->" : "->");
  if (path !== undefined) words.push(path);
  return words.join(" ");
}
