/**
 * Several XDP programs on a device, as xdp-loader shows and changes them: `net attach xdp file`, `net detach xdp`, and
 * `net status`. Pins and dispatchers are libxdp's, and so are the variables LIBXDP_BPFFS, LIBXDP_SKIP_DISPATCHER and
 * LIBXDP_OBJECT_PATH.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { BPF_PROG_TYPE_XDP } from "../../src/abi/bpf.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { attachXdp } from "../../src/loader/dispatcher/dispatcher.ts";
import { hostOptions, type XdpDevices, type XdpHost, type XdpMode } from "../../src/loader/dispatcher/host.ts";
import {
  actionMask,
  actionNames,
  type RunConfig,
  XDP_ACTION_NAMES,
  type XdpActionName,
} from "../../src/loader/dispatcher/run_config.ts";
import { type XdpStatus, xdpStatus } from "../../src/loader/dispatcher/status.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { readFile } from "../../src/node/files.ts";
import type { Answer } from "./verbs.ts";
import type { Words } from "./words.ts";

export function hostOf(bpf: Bpf, devices: XdpDevices): XdpHost {
  const read = (path: string) => (existsSync(path) ? readFile(path) : undefined);
  return { bpf, devices, ...hostOptions(process.env, read) };
}

/** Words of `net attach xdp file`, before the device. */
export const FILE_USAGE = "file FILE.o [prog NAME] [priority N] [proceed_on ACTION[,ACTION]]";

export interface FileArgs {
  readonly path: string;
  readonly prog: string | undefined;
  readonly runConfig: Partial<RunConfig>;
}

/** @throws UsageError */
export function fileArgs(words: Words): FileArgs {
  const path = words.next("an object file");
  let prog: string | undefined;
  let runConfig: Partial<RunConfig> = {};
  for (;;) {
    if (words.take("prog")) prog = words.next("a program of the object");
    else if (words.take("priority")) runConfig = { ...runConfig, priority: words.number("a priority") };
    else if (words.take("proceed_on")) {
      const names = words.next("actions").split(",").map(actionOf(words));
      runConfig = { ...runConfig, chainCallActions: actionMask(names) };
    } else return { path, prog, runConfig };
  }
}

/** Also without XDP_ and in small letters, as bpfman has them. */
const actionOf =
  (words: Words) =>
  (text: string): XdpActionName => {
    const name = XDP_ACTION_NAMES.find((n) => n === text || n === `XDP_${text.toUpperCase()}`);
    if (!name) throw words.error(`'${text}' seen, one of ${XDP_ACTION_NAMES.join(", ")} wanted`);
    return name;
  };

export function attachFile(
  host: XdpHost,
  ifindex: number,
  { path, prog, runConfig }: FileArgs,
  mode: XdpMode | undefined,
  words: Words,
): void {
  const obj = openObject(readFile(path), { name: basename(path) });
  try {
    const name = prog ?? onlyXdp(obj, words);
    attachXdp(host, ifindex, [{ obj, name, runConfig }], mode ? { mode } : {});
  } finally {
    obj.close();
  }
}

function onlyXdp(obj: BpfObject, words: Words): string {
  const names = Object.values(obj.progs).flatMap((p) => (p.type === BPF_PROG_TYPE_XDP ? [p.name] : []));
  if (names.length === 1) return names[0]!;
  throw words.error(names.length ? `prog wanted, one of ${names.join(", ")}` : "the object has no XDP program");
}

interface Row {
  readonly devname: string;
  readonly ifindex: number;
  readonly status: XdpStatus;
}

/** `net status`: what runs where, in xdp-loader's columns. */
export function statusAnswer(
  host: XdpHost,
  devices: readonly { readonly ifindex: number; readonly name: string }[],
): Answer {
  const rows = devices.map(({ ifindex, name }): Row => ({ devname: name, ifindex, status: xdpStatus(host, ifindex) }));
  return { json: rows.map(jsonOf), text: HEAD + rows.map(textOf).join("") };
}

function jsonOf({ devname, ifindex, status }: Row): object {
  if (status.kind === "none") return { devname, ifindex, programs: [] };
  const { mode, progId: id, name, tag } = status;
  const device = { devname, ifindex, mode };
  if (status.kind === "single") return { ...device, programs: [{ id, name, tag }] };
  return {
    ...device,
    dispatcher: { id, name, tag, frags: status.frags },
    programs: status.components.map((c) => ({
      id: c.progId,
      name: c.name,
      tag: c.tag,
      priority: c.config.priority,
      chain_call_actions: actionNames(c.config.chainCallActions),
    })),
  };
}

const MODE_NAMES: Readonly<Record<XdpMode, string>> = { driver: "native", generic: "skb", offload: "hw" };
const WIDTHS = [16, 5, 17, 8, 4, 17, 0];

function line(...cells: (string | number)[]): string {
  return `${cells
    .map((c, i) => String(c).padEnd(WIDTHS[i] ?? 0))
    .join(" ")
    .trimEnd()}\n`;
}

const HEAD = `CURRENT XDP PROGRAM STATUS:\n\n${line("Interface", "Prio", "Program name", "Mode", "ID", "Tag", "Chain actions")}${"-".repeat(86)}\n`;

function textOf({ devname, status }: Row): string {
  if (status.kind === "none") return line(devname, "", "<No XDP program loaded!>");
  const first = line(devname, "", status.name, MODE_NAMES[status.mode], status.progId, status.tag);
  if (status.kind === "single") return first;
  const rest = status.components.map(({ name, progId, tag, config }) =>
    line(" =>", config.priority, name, "", progId, tag, actionNames(config.chainCallActions).join(",")),
  );
  return first + rest.join("");
}
