/**
 * Mount options of bpffs, typed and as the text that mount(8) takes: "uid=1000,mode=0750,delegate_cmds=prog_load:map_create".
 *
 * Delegation  what a token made from the mount may do, bit 1n << value of enum bpf_cmd, bpf_map_type, bpf_prog_type and
 *             bpf_attach_type. Names are the enums' in lower case without their prefix, `any`, or a number.
 * Errors      EINVAL a value that cannot be read. Unknown options are ignored, as bpf_parse_param() does.
 * Source      kernel/bpf/inode.c: bpf_parse_param(), bpf_show_options().
 */
import * as abi from "../../abi/bpf.ts";
import { ATTACH_TYPE_NAMES, BPF_CMD_NAMES } from "../../abi/enum_names.ts";
import { BpfError, EINVAL } from "../../abi/errno.ts";

export interface DelegateMasks {
  readonly delegateCmds: bigint;
  readonly delegateMaps: bigint;
  readonly delegateProgs: bigint;
  readonly delegateAttachs: bigint;
}

export interface BpffsOptions extends DelegateMasks {
  /** Owner of the root directory; default: who mounts. */
  readonly uid?: number;
  readonly gid?: number;
  /** Permission bits of the root directory, to which the sticky bit is added; default 0777. */
  readonly mode: number;
  /** The files maps.debug and progs.debug are there, as where Linux has the bpf_preload module. */
  readonly preload: boolean;
}

export const DELEGATE_ANY = 0xffff_ffff_ffff_ffffn;

export const DEFAULT_OPTIONS: BpffsOptions = {
  mode: 0o777,
  preload: false,
  delegateCmds: 0n,
  delegateMaps: 0n,
  delegateProgs: 0n,
  delegateAttachs: 0n,
};

/** Option, and where its mask is kept. */
const DELEGATES = [
  [
    "delegate_cmds",
    "delegateCmds",
    () => placesIn(BPF_CMD_NAMES.map((name) => name.slice("BPF_".length).toLowerCase())),
  ],
  ["delegate_maps", "delegateMaps", () => enumNames("BPF_MAP_TYPE_")],
  ["delegate_progs", "delegateProgs", () => enumNames("BPF_PROG_TYPE_")],
  ["delegate_attachs", "delegateAttachs", () => placesIn(ATTACH_TYPE_NAMES)],
] as const satisfies readonly (readonly [string, keyof DelegateMasks, () => Map<string, number>])[];

function placesIn(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, value) => [name, value]));
}

function enumNames(prefix: string): Map<string, number> {
  const names = new Map<string, number>();
  for (const [name, value] of Object.entries(abi)) {
    if (name.startsWith(prefix) && typeof value === "number") names.set(name.slice(prefix.length).toLowerCase(), value);
  }
  return names;
}

/** What mount(8) passes in `-o`. @throws EINVAL */
export function parseOptions(text: string): Partial<BpffsOptions> {
  const options: { -readonly [K in keyof BpffsOptions]?: BpffsOptions[K] } = {};
  for (const item of text.split(",").filter(Boolean)) {
    const [name = "", value = ""] = item.split(/=(.*)/s);
    const bad = (wanted: string) =>
      new BpfError(EINVAL, `bpffs option '${item}': wanted ${wanted}`, { option: name, value });
    const delegate = DELEGATES.find(([option]) => option === name);
    if (name === "uid" || name === "gid") {
      if (!/^\d+$/.test(value)) throw bad("a number");
      options[name] = Number(value);
    } else if (name === "mode") {
      if (!/^[0-7]+$/.test(value)) throw bad("an octal number");
      options.mode = Number.parseInt(value, 8) & 0o7777;
    } else if (name === "preload") options.preload = true;
    else if (delegate) {
      const [, key, names] = delegate;
      const known = names();
      for (const word of value.split(":")) options[key] = (options[key] ?? 0n) | maskOf(word, known, bad);
    }
  }
  return options;
}

function maskOf(word: string, names: ReadonlyMap<string, number>, bad: (wanted: string) => BpfError): bigint {
  if (word === "any") return DELEGATE_ANY;
  const value = names.get(word);
  if (value !== undefined) return 1n << BigInt(value);
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(word)) throw bad("names separated by ':', any, or a number");
  return BigInt(word) & DELEGATE_ANY;
}
