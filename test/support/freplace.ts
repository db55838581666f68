/** The target and the extensions of test/kernel/freplace/progs, loaded where a test wants them. */
import { readFileSync } from "node:fs";
import { parseBtf } from "../../src/btf/btf.ts";
import { BTF_KIND_FUNC } from "../../src/btf/kinds.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";

const PROGS = new URL("../kernel/freplace/progs/", import.meta.url);

/** One program of an object, and what it takes with it. */
export function loadOnly(
  bpf: Bpf,
  file: "target" | "ext" | "xdp",
  name: string,
  options: { target?: Fd; func?: string; value?: number } = {},
): BpfObject {
  const obj = openObject(readFileSync(new URL(`${file}.o`, PROGS)), { name: `${file}.o` });
  for (const prog of Object.values(obj.progs)) prog.autoload = prog.name === name;
  const prog = obj.progs[name]!;
  if (options.target !== undefined) {
    prog.setAttachTarget(options.func ?? prog.section.replace(/^\??freplace\//, ""), { fd: options.target });
  }
  if (options.value !== undefined) obj.rodata["value"] = options.value;
  return obj.load(bpf);
}

/** Id of a function in the BTF of a program. */
export function funcId(bpf: Bpf, progFd: Fd, name: string): number {
  const fd = bpf.btfGetFdById(bpf.progInfo(progFd).btfId);
  try {
    return parseBtf(bpf.btfInfo(fd).bytes).byName(name, BTF_KIND_FUNC);
  } finally {
    bpf.close(fd);
  }
}
