/**
 * BPF object file -> ObjectSpec: the front door of this folder.
 *
 * Errors   BpfError that begins with the file's name: EINVAL for what is corrupt, ENOEXEC for what is no BPF object,
 *          ENOENT for what is missing (BTF, a symbol), EOPNOTSUPP for what libbpf refuses.
 * Source   libbpf's open phase (bpf_object__open), docs.kernel.org/bpf/libbpf.
 */
import { BPF_PROG_TYPE_STRUCT_OPS } from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import { type Btf, parseBtf } from "../btf/btf.ts";
import { type BtfExt, parseBtfExt } from "../btf/ext.ts";
import { EM_BPF, expectMachine, readElf } from "../elf/elf.ts";
import { findSecDef } from "../progs/sec.ts";
import { fixupBtf } from "./btf_fixup.ts";
import { collectExterns } from "./externs.ts";
import { type Func, FuncIndex, findFuncs, readFuncRelocs } from "./funcs.ts";
import { type LinkContext, ObjectProg } from "./link.ts";
import { buildMaps } from "./maps.ts";
import { findParts, objectError, type Parts } from "./parts.ts";
import type { MapSpec, ObjectSpec } from "./spec.ts";

/**
 * @param bytes of the file; kept, must not change afterwards
 * @param file name for errors; without directory and suffix it is the object's name
 */
export function openSpec(bytes: Uint8Array, file: string): ObjectSpec {
  const object = readElf(bytes, file);
  expectMachine(object, EM_BPF);
  const parts = findParts(file, object);
  const name = (file.split("/").pop() ?? file).replace(/\..*$/s, "");

  const rawBtf = readBtf(parts);
  const externs = collectExterns(parts, rawBtf);
  const btf = rawBtf && inFile(parts, "section '.BTF'", () => fixupBtf(parts, rawBtf, externs));
  const btfExt = btf && readBtfExt(parts, btf);
  const funcs = findFuncs(parts);
  const maps = buildMaps(parts, name, btf, externs, funcs);
  const index = new FuncIndex(funcs);
  const relocs = readFuncRelocs(parts, index, maps, externs);
  const structOpsUse = findStructOpsUse(parts, maps.list, funcs);
  const ctx: LinkContext = { parts, btf, btfExt, funcs, index, relocs, structOpsUse };
  return {
    name,
    file,
    license: parts.license,
    kernVersion: parts.kernVersion,
    btf,
    maps: maps.list,
    progs: funcs.filter((f) => f.isEntry).map((f) => new ObjectProg(ctx, f)),
    externs: externs.list,
  };
}

function readBtf(parts: Parts): Btf | undefined {
  const section = parts.btf;
  return section && inFile(parts, "section '.BTF'", () => parseBtf(section.bytes));
}

function readBtfExt(parts: Parts, btf: Btf): BtfExt | undefined {
  const section = parts.btfExt;
  return section && inFile(parts, "section '.BTF.ext'", () => parseBtfExt(section.bytes, btf));
}

/** Puts the file's name before an error of a layer that does not know it. */
function inFile<T>(parts: Parts, what: string, run: () => T): T {
  try {
    return run();
  } catch (e) {
    if (!(e instanceof BpfError) || e.message.startsWith(`${parts.file}: `)) throw e;
    const message = e.message.replace(/: [A-Z0-9]+$/, "");
    throw objectError(parts.file, e.errno, `${what}: ${message}`, e);
  }
}

function findStructOpsUse(parts: Parts, maps: readonly MapSpec[], funcs: readonly Func[]): Map<string, boolean> {
  const use = new Map<string, boolean>();
  for (const map of maps) {
    for (const [member, name] of map.structOps?.funcs ?? []) {
      const section = funcs.find((f) => f.isEntry && f.name === name)!.section.name.replace(/^\?/, "");
      if (findSecDef(section)?.type !== BPF_PROG_TYPE_STRUCT_OPS) {
        const what = `map '${map.name}': member '${member}' is program '${name}' in section '${section}'`;
        throw objectError(parts.file, EINVAL, `${what}; wanted a struct_ops program`);
      }
      use.set(name, map.autocreate || use.get(name) === true);
    }
  }
  return use;
}
