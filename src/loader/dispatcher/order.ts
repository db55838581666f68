/** The order in which programs of one device run: cmp_xdp_programs() of libxdp. */
import { BPF_F_XDP_HAS_FRAGS } from "../../abi/bpf.ts";
import type { BpfObject } from "../object.ts";
import type { SlotConfig } from "./config.ts";
import { type RunConfig, runConfigOf } from "./run_config.ts";

/** A program that shall run on a device: the object is open and not loaded yet. */
export interface XdpProgram {
  readonly obj: BpfObject;
  /** The program in the object. */
  readonly name: string;
  /** In place of what the object says. */
  readonly runConfig?: Partial<RunConfig>;
}

export interface Ordered {
  readonly name: string;
  readonly config: SlotConfig;
  /** Set once it is loaded. */
  readonly loaded?: { readonly tag: string; readonly loadTimeNs: bigint };
  /** Instructions, of one that is not. */
  readonly insns?: number;
}

/** By priority and name; then those that run already, short ones, tag, and age. */
export function compareXdp(a: Ordered, b: Ordered): number {
  if (a.config.priority !== b.config.priority) return a.config.priority - b.config.priority;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (!a.loaded !== !b.loaded) return a.loaded ? -1 : 1;
  if (!a.loaded || !b.loaded) return (a.insns ?? 0) - (b.insns ?? 0);
  if (a.loaded.tag !== b.loaded.tag) return a.loaded.tag < b.loaded.tag ? -1 : 1;
  return Number(a.loaded.loadTimeNs - b.loaded.loadTimeNs);
}

/** What a slot says of a program that is added. @throws EINVAL */
export function slotConfigOf({ obj, name, runConfig }: XdpProgram): SlotConfig {
  const { priority, chainCallActions } = { ...runConfigOf(obj.spec.btf, name), ...runConfig };
  const flags = (obj.progs[name]?.progFlags ?? 0) & BPF_F_XDP_HAS_FRAGS;
  return { priority, chainCallActions, flags };
}

/** A dispatcher takes packets with fragments if all its programs do. */
export const allFrags = (slots: readonly SlotConfig[]): boolean => slots.every((s) => s.flags & BPF_F_XDP_HAS_FRAGS);
