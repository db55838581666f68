/** Forced deletion, an addition to bpftool's verbs: what it broke, as a table for people and as JSON. */
import { BpfError, EOPNOTSUPP } from "../../src/abi/errno.ts";
import type { Bpf, Broken } from "../../src/kernel/bpf.ts";
import { type Io, table } from "../output.ts";
import type { Answer } from "./verbs.ts";

/** @throws EOPNOTSUPP where the kernel cannot (Linux) */
export function deleteByForce(bpf: Bpf, io: Io, kind: "program" | "map", id: number): Answer {
  const run = kind === "map" ? bpf.mapDelete?.bind(bpf) : bpf.progUnload?.bind(bpf);
  if (!run) {
    const instead = "it lives until its fds, pins and attachments are gone";
    throw new BpfError(EOPNOTSUPP, `${kind} ${id}: this kernel deletes nothing by force; ${instead}`, { id });
  }
  const broken = run(id);
  return { json: { id, broken }, text: textOf(io, `${kind} ${id}`, broken) };
}

function textOf(io: Io, what: string, broken: readonly Broken[]): string {
  if (broken.length === 0) return `${what} is deleted; nothing used it\n`;
  const rows = broken.map((b) => [b.who, b.what, b.lost]);
  return `${what} is deleted\n${table(io, ["what", "is now", "because it lost"], rows)}`;
}
