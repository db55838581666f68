/**
 * Helper ids and names, for the assembler and the disassemblers: "map_lookup_elem" <-> 1.
 */
import * as abi from "../abi/bpf.ts";

const PREFIX = "BPF_FUNC_";
const idByName = new Map<string, number>(
  Object.entries(abi).flatMap(([name, id]) =>
    name.startsWith(PREFIX) && typeof id === "number" ? [[name.slice(PREFIX.length), id] as const] : [],
  ),
);
const nameById = new Map([...idByName].map(([name, id]) => [id, name]));

/** @param name with or without "bpf_" */
export function helperId(name: string): number | undefined {
  return idByName.get(name) ?? (name.startsWith("bpf_") ? idByName.get(name.slice(4)) : undefined);
}

/** "bpf_map_lookup_elem" for 1. */
export function helperName(id: number): string | undefined {
  const name = nameById.get(id);
  return name === undefined ? undefined : `bpf_${name}`;
}
