/**
 * Variables and functions that the kernel defines: section .kconfig (its configuration) and .ksyms (its symbols).
 *
 * Order matters: .kconfig externs come first, by alignment (large first), size and name, which also gives their places
 * in the .kconfig map; then .ksyms by name. A poisoned kfunc call carries its index.
 */
import { EINVAL, ENOENT, EOPNOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import * as kinds from "../btf/kinds.ts";
import { STB_WEAK } from "../elf/elf.ts";
import { isExtern, objectError, type Parts } from "./parts.ts";
import type { ExternSpec, KconfigExtern } from "./spec.ts";

export interface Externs {
  readonly list: readonly ExternSpec[];
  /** ELF symbol index -> position in the list. */
  readonly bySymbol: ReadonlyMap<number, number>;
}

type Draft = { readonly symIdx: number; readonly align: number; readonly spec: ExternSpec };

export function collectExterns(parts: Parts, btf: Btf | undefined): Externs {
  const symbols = parts.elf.symbols.filter(isExtern);
  if (symbols.length === 0) return { list: [], bySymbol: new Map() };
  if (!btf) {
    throw objectError(parts.file, ENOENT, `extern '${symbols[0].name}' needs BTF, but there is no section .BTF`);
  }
  const sections = sectionsById(btf);
  const drafts = symbols.map((sym) => {
    const id = findExternId(parts, btf, sym.name);
    const section = sections.get(id);
    if (section === undefined) {
      throw objectError(
        parts.file,
        ENOENT,
        `extern '${sym.name}' is in no section of the BTF; wanted .kconfig or .ksyms`,
      );
    }
    return describeExtern(parts, btf, id, section, sym.name, sym.bind === STB_WEAK, sym.index);
  });
  drafts.sort(compare);
  let off = 0;
  const list = drafts.map(({ spec, align }): ExternSpec => {
    if (spec.kind !== "kconfig") return spec;
    const at = Math.ceil(off / align) * align;
    off = at + spec.size;
    return { ...spec, off: at };
  });
  return { list, bySymbol: new Map(drafts.map((d, i) => [d.symIdx, i])) };
}

/** VAR or FUNC id -> name of the DATASEC that lists it. */
function sectionsById(btf: Btf): Map<number, string> {
  const out = new Map<number, string>();
  for (let id = 1; id < btf.typeCount; id++) {
    if (btf.kind(id) !== kinds.BTF_KIND_DATASEC) continue;
    const name = btf.nameOf(id);
    for (let i = 0; i < btf.vlen(id); i++) {
      const member = btf.extra(id, 3 * i);
      if (!out.has(member)) out.set(member, name);
    }
  }
  return out;
}

function findExternId(parts: Parts, btf: Btf, name: string): number {
  for (const id of btf.allByName(name)) {
    const kind = btf.kind(id);
    if (kind !== kinds.BTF_KIND_VAR && kind !== kinds.BTF_KIND_FUNC) continue;
    const linkage = kind === kinds.BTF_KIND_VAR ? btf.extra(id, 0) : btf.vlen(id);
    if (linkage === kinds.BTF_LINKAGE_EXTERN) return id;
    throw objectError(parts.file, EINVAL, `extern '${name}' has BTF linkage ${linkage}; wanted 2 (extern)`);
  }
  const hint = "wanted a helper of bpf_helpers.h, a kfunc (__ksym) or a .kconfig variable";
  throw objectError(parts.file, ENOENT, `extern '${name}' has no BTF; ${hint}`);
}

function describeExtern(
  parts: Parts,
  btf: Btf,
  id: number,
  section: string,
  name: string,
  weak: boolean,
  symIdx: number,
): Draft {
  const func = btf.kind(id) === kinds.BTF_KIND_FUNC;
  const target = btf.ref(id);
  if (section === ".ksyms") {
    return { symIdx, align: 1, spec: { kind: "ksym", name, weak, func, typeId: btf.resolve(target) } };
  }
  if (section !== ".kconfig") {
    throw objectError(parts.file, EOPNOTSUPP, `extern '${name}' is in section '${section}'; wanted .kconfig or .ksyms`);
  }
  if (func) throw objectError(parts.file, EOPNOTSUPP, `extern function '${name}' is in .kconfig; wanted .ksyms`);
  const size = btf.size(target);
  const kind = kconfigType(btf, target);
  if (size <= 0 || !kind) {
    const wanted = "wanted bool, char, enum libbpf_tristate, an integer of 1 to 8 bytes or char[]";
    throw objectError(
      parts.file,
      EOPNOTSUPP,
      `extern '${name}': type of .kconfig variable is not supported; ${wanted}`,
    );
  }
  const signed = btf.isSigned(btf.resolve(target));
  const spec: KconfigExtern = { kind: "kconfig", name, weak, type: kind, size, off: 0, signed };
  return { symIdx, align: kind === "string" ? 1 : size, spec };
}

function kconfigType(btf: Btf, typeId: number): KconfigExtern["type"] | undefined {
  const id = btf.resolve(typeId);
  switch (btf.kind(id)) {
    case kinds.BTF_KIND_INT: {
      const size = btf.size(id);
      if (btf.intEncoding(id) & kinds.BTF_INT_BOOL) return size === 1 ? "bool" : undefined;
      return size === 1 ? "char" : size <= 8 ? "int" : undefined;
    }
    case kinds.BTF_KIND_ENUM:
    case kinds.BTF_KIND_ENUM64:
      return btf.nameOf(id) === "libbpf_tristate" ? "tristate" : undefined;
    case kinds.BTF_KIND_ARRAY:
      return btf.nelems(id) > 0 && kconfigType(btf, btf.elemType(id)) === "char" ? "string" : undefined;
    default:
      return undefined;
  }
}

function compare(a: Draft, b: Draft): number {
  if (a.spec.kind !== b.spec.kind) return a.spec.kind === "kconfig" ? -1 : 1;
  if (a.spec.kind === "kconfig" && b.spec.kind === "kconfig") {
    if (a.align !== b.align) return b.align - a.align;
    if (a.spec.size !== b.spec.size) return a.spec.size - b.spec.size;
  }
  return a.spec.name < b.spec.name ? -1 : a.spec.name > b.spec.name ? 1 : 0;
}
