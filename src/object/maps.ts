/**
 * All maps of an object, in libbpf's order: section .maps, global data by section, .kconfig, struct_ops.
 */
import {
  BPF_F_LINK,
  BPF_F_MMAPABLE,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_ARENA,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_STRUCT_OPS,
} from "../abi/bpf.ts";
import { E2BIG, EINVAL, ENOENT, EOPNOTSUPP, ESRCH } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import * as kinds from "../btf/kinds.ts";
import type { ElfSection, ElfSymbol } from "../elf/elf.ts";
import type { Externs } from "./externs.ts";
import type { Func } from "./funcs.ts";
import { type MapVar, mapVars, readMapDef } from "./map_def.ts";
import { objectError, type Parts } from "./parts.ts";
import type { GlobalKind, InitSlot, MapSpec } from "./spec.ts";

export interface Maps {
  readonly list: readonly MapSpec[];
  /** By offset in section .maps. */
  readonly byOffset: ReadonlyMap<number, number>;
  /** Maps of global data, by index of their section. */
  readonly bySection: ReadonlyMap<number, number>;
  /** Position of the .kconfig map, of the arena map; -1 without one. */
  readonly kconfig: number;
  readonly arena: number;
}

/** Maps with room for struct_ops and slot programs, which `funcs` names. */
export function buildMaps(
  parts: Parts,
  objName: string,
  btf: Btf | undefined,
  externs: Externs,
  funcs: readonly Func[],
): Maps {
  const list: MapSpec[] = [];
  const vars = mapVars(parts, btf);
  const byOffset = new Map<number, number>();
  for (const v of vars) {
    byOffset.set(v.off, list.length);
    list.push(readMapDef(parts, btf!, v.defId, v.name, list.length));
  }
  fillSlots(parts, btf, vars, list, funcs);
  const arena = findArena(parts, list);

  const bySection = new Map<number, number>();
  for (const { section, kind } of parts.globals) {
    bySection.set(section.index, list.length);
    const bytes = kind === "bss" ? new Uint8Array(checkSize(parts, section)) : section.bytes;
    list.push(globalMap(objName, btf, section.name, kind, bytes, list.length));
  }

  const kconfigBytes = Math.max(0, ...externs.list.map((e) => (e.kind === "kconfig" ? e.off + e.size : 0)));
  const kconfig = kconfigBytes > 0 ? list.length : -1;
  if (kconfig >= 0) list.push(globalMap(objName, btf, ".kconfig", "kconfig", new Uint8Array(kconfigBytes), kconfig));

  for (const section of parts.structOps) list.push(...structOpsMaps(parts, btf, section, funcs, list.length));
  return { list, byOffset, bySection, kconfig, arena };
}

/** The file holds no bytes of .bss, so a corrupt size must not cost memory. */
const MAX_BSS = 1 << 28;

function checkSize(parts: Parts, s: ElfSection): number {
  if (s.size > MAX_BSS) {
    throw objectError(parts.file, E2BIG, `section '${s.name}' has ${s.size} bytes; wanted at most ${MAX_BSS}`);
  }
  return s.size;
}

function findArena(parts: Parts, list: readonly MapSpec[]): number {
  const arenas = list.filter((m) => m.type === BPF_MAP_TYPE_ARENA);
  if (arenas.length > 1) {
    throw objectError(parts.file, EINVAL, `maps '${arenas[0].name}' and '${arenas[1].name}' are arenas; wanted one`);
  }
  if (parts.arena && arenas.length === 0) {
    throw objectError(parts.file, ENOENT, `section '${parts.arena.name}' needs an arena, but no map is one`);
  }
  const room = (arenas[0]?.maxEntries ?? 0) * 4096;
  if (parts.arena && parts.arena.size > room) {
    const what = `section '${parts.arena.name}' has ${parts.arena.size} bytes`;
    throw objectError(parts.file, E2BIG, `${what}; arena '${arenas[0].name}' has ${room}`);
  }
  if (parts.arena) {
    const { index } = arenas[0];
    (list as MapSpec[])[index] = { ...arenas[0], global: { kind: "data", bytes: parts.arena.bytes } };
  }
  return arenas[0]?.index ?? -1;
}

/** The name libbpf gives: 8 bytes of the object's name and the section's, 15 in all; custom sections stand alone. */
function globalMapName(objName: string, section: string): string {
  const suffix = Math.min(Math.max(7, section.length), 15);
  const custom = section.indexOf(".", 1) >= 0;
  const name = (custom ? "" : objName.slice(0, 15 - suffix)) + section.slice(0, suffix);
  return name.replace(/[^A-Za-z0-9_.]/g, "_");
}

function globalMap(
  objName: string,
  btf: Btf | undefined,
  section: string,
  kind: GlobalKind,
  bytes: Uint8Array,
  index: number,
): MapSpec {
  const valueTypeId = btf?.byName(section) ?? 0;
  const readonly = kind === "rodata" || kind === "kconfig";
  return {
    index,
    name: globalMapName(objName, section),
    section,
    type: BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: bytes.length,
    maxEntries: 1,
    mapFlags: (readonly ? BPF_F_RDONLY_PROG : 0) | (hasVisibleVar(btf, valueTypeId) ? BPF_F_MMAPABLE : 0),
    mapExtra: 0n,
    numaNode: 0,
    pinning: "none",
    keyTypeId: 0,
    valueTypeId,
    inner: undefined,
    initSlots: [],
    global: { kind, bytes },
    structOps: undefined,
    autocreate: true,
  };
}

function hasVisibleVar(btf: Btf | undefined, datasecId: number): boolean {
  if (!btf || btf.kind(datasecId) !== kinds.BTF_KIND_DATASEC) return false;
  for (let i = 0; i < btf.vlen(datasecId); i++) {
    const id = btf.extra(datasecId, 3 * i);
    if (btf.kind(id) === kinds.BTF_KIND_VAR && btf.extra(id, 0) !== kinds.BTF_LINKAGE_STATIC) return true;
  }
  return false;
}

/** `.values = { [i] = &inner }`: relocations in section .maps. */
function fillSlots(
  parts: Parts,
  btf: Btf | undefined,
  vars: readonly MapVar[],
  list: MapSpec[],
  funcs: readonly Func[],
): void {
  const relocs = parts.maps ? (parts.elf.relocs.get(parts.maps.index) ?? []) : [];
  const slots = new Map<number, InitSlot[]>();
  for (const r of relocs) {
    const sym = parts.elf.symbols[r.symIdx];
    const at = vars.findIndex((v) => v.off <= r.offBytes && r.offBytes + 8 <= v.off + v.size);
    const where = `section '.maps': relocation at offset ${r.offBytes} against '${sym.name}'`;
    if (at < 0) throw objectError(parts.file, EINVAL, `${where} is inside no map`);
    const map = list[at];
    const last = btf!.vlen(vars[at].defId) - 1;
    if (last < 0 || btf!.memberName(vars[at].defId, last) !== "values") {
      throw objectError(parts.file, EINVAL, `${where}: map '${map.name}' has no field 'values' for it`);
    }
    const inValues = r.offBytes - vars[at].off - btf!.memberOffsetBits(vars[at].defId, last) / 8;
    if (inValues < 0 || inValues % 8) {
      throw objectError(parts.file, EINVAL, `${where}: ${inValues} bytes into 'values'; wanted a multiple of 8`);
    }
    const known = slots.get(at) ?? [];
    slots.set(at, known);
    known.push(slotOf(parts, map, list, funcs, sym, inValues / 8, where));
  }
  for (const [at, init] of slots) list[at] = { ...list[at], initSlots: init.sort((a, b) => a.index - b.index) };
}

function slotOf(
  parts: Parts,
  map: MapSpec,
  list: readonly MapSpec[],
  funcs: readonly Func[],
  sym: ElfSymbol,
  index: number,
  where: string,
): InitSlot {
  if (map.type === BPF_MAP_TYPE_ARRAY_OF_MAPS || map.type === BPF_MAP_TYPE_HASH_OF_MAPS) {
    if (map.type === BPF_MAP_TYPE_HASH_OF_MAPS && map.keySize !== 4) {
      throw objectError(parts.file, EINVAL, `${where}: map '${map.name}' has keys of ${map.keySize} bytes; wanted 4`);
    }
    const target = sym.shndx === parts.maps!.index ? list.find((m) => m.name === sym.name) : undefined;
    if (!target) throw objectError(parts.file, ESRCH, `${where}: wanted a map of section '.maps'`);
    return { index, kind: "map", map: target.index };
  }
  if (map.type === BPF_MAP_TYPE_PROG_ARRAY) {
    const func = funcs.find((f) => f.name === sym.name && f.isEntry);
    if (func?.section.index !== sym.shndx || func.start * 8 !== sym.value) {
      throw objectError(parts.file, ESRCH, `${where}: wanted a program with a section of its own`);
    }
    return { index, kind: "prog", prog: func.name };
  }
  throw objectError(parts.file, EINVAL, `${where}: map '${map.name}' takes no initial values`);
}

function structOpsMaps(
  parts: Parts,
  btf: Btf | undefined,
  section: ElfSection,
  funcs: readonly Func[],
  firstIndex: number,
): MapSpec[] {
  const bad = (message: string, errno: typeof EINVAL | typeof EOPNOTSUPP | typeof ENOENT = EINVAL) =>
    objectError(parts.file, errno, `section '${section.name}': ${message}`);
  if (!btf) throw bad("needs BTF, but there is no section .BTF", ENOENT);
  const sec = btf.byName(section.name, kinds.BTF_KIND_DATASEC);
  if (!sec) throw bad("has no DATASEC in the BTF");
  const autocreate = !section.name.startsWith("?");
  const link = section.name.endsWith(".link");
  const relocs = parts.elf.relocs.get(section.index) ?? [];
  return Array.from({ length: btf.vlen(sec) }, (_, i) => {
    const [varId, off] = [btf.extra(sec, 3 * i), btf.extra(sec, 3 * i + 1)];
    const name = btf.nameOf(varId);
    const typeId = btf.resolve(btf.ref(varId));
    const typeName = btf.nameOf(typeId);
    if (btf.kind(varId) !== kinds.BTF_KIND_VAR) throw bad(`entry ${i} is no variable`);
    if (btf.kind(typeId) !== kinds.BTF_KIND_STRUCT) {
      throw bad(`variable '${name}' is a ${kinds.kindName(btf.kind(typeId))}; wanted a STRUCT`);
    }
    if (!typeName) throw bad(`variable '${name}' has an anonymous type; wanted a named struct`, EOPNOTSUPP);
    const size = btf.size(typeId);
    if (off + size > section.bytes.length) {
      throw bad(`variable '${name}' lies at bytes ${off} to ${off + size}; the section has ${section.bytes.length}`);
    }
    const members = new Map<string, string>();
    for (const r of relocs) {
      if (r.offBytes < off || r.offBytes >= off + size) continue;
      const sym = parts.elf.symbols[r.symIdx];
      const member = btf.members(typeId).find((m) => m.bitOffset === 8 * (r.offBytes - off));
      const where = `variable '${name}': relocation at byte ${r.offBytes - off} against '${sym.name}'`;
      if (!member) throw bad(`${where}: struct ${typeName} has no member there`);
      const ptr = btf.resolve(member.type);
      const proto = btf.kind(ptr) === kinds.BTF_KIND_PTR ? btf.resolve(btf.ref(ptr)) : 0;
      if (btf.kind(proto) !== kinds.BTF_KIND_FUNC_PROTO) throw bad(`${where}: '${member.name}' is no function pointer`);
      const func = funcs.find((f) => f.section.index === sym.shndx && f.start * 8 === sym.value);
      if (!func?.isEntry) throw bad(`${where}: wanted a program in a struct_ops section`);
      members.set(member.name, func.name);
    }
    return {
      index: firstIndex + i,
      name,
      section: section.name.replace(/^\?/, ""),
      type: BPF_MAP_TYPE_STRUCT_OPS,
      keySize: 4,
      valueSize: size,
      maxEntries: 1,
      mapFlags: link ? BPF_F_LINK : 0,
      mapExtra: 0n,
      numaNode: 0,
      pinning: "none",
      keyTypeId: 0,
      valueTypeId: typeId,
      inner: undefined,
      initSlots: [],
      global: undefined,
      structOps: {
        typeName: typeName.replace(/___.*$/, ""),
        typeId,
        bytes: section.bytes.slice(off, off + size),
        funcs: members,
        link,
      },
      autocreate,
    };
  });
}
