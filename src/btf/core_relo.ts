/**
 * CO-RE relocations: what a program, compiled against its own idea of a kernel's types, must say on this kernel.
 *
 * A relocation names a local root type and a path of indices ("0:1:2"). The path becomes a spec: named members and
 * array indices, anonymous structs left out. Every target type of the same name (flavours `___x` aside) is a candidate;
 * the spec is looked for in each, and all candidates that have it must agree on the value. Patching instructions with
 * the result is the caller's work (src/object).
 *
 * Errors  EINVAL for a malformed or ambiguous relocation, EOPNOTSUPP for anonymous roots and unknown kinds, E2BIG for
 *         paths deeper than 64 and bitfields that no 8-byte load covers. A target that does not exist is no error: the
 *         result says `poison` and `missing` says what was looked for.
 * Source  the behaviour of libbpf's relo_core.c; include/uapi/linux/bpf.h, enum bpf_core_relo_kind.
 */

import { BpfError, E2BIG, EINVAL, EOPNOTSUPP, type Errno } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";
import { fieldsAreCompat, isAnyEnum, kindsCompat, typesAreCompat, typesMatch } from "./core_compat.ts";
import type { CoreRelo } from "./ext.ts";
import { essentialName } from "./flavor.ts";
import {
  BTF_INT_SIGNED,
  BTF_KIND_ARRAY,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  kindName,
} from "./kinds.ts";

export const BPF_CORE_FIELD_BYTE_OFFSET = 0;
export const BPF_CORE_FIELD_BYTE_SIZE = 1;
export const BPF_CORE_FIELD_EXISTS = 2;
export const BPF_CORE_FIELD_SIGNED = 3;
export const BPF_CORE_FIELD_LSHIFT_U64 = 4;
export const BPF_CORE_FIELD_RSHIFT_U64 = 5;
export const BPF_CORE_TYPE_ID_LOCAL = 6;
export const BPF_CORE_TYPE_ID_TARGET = 7;
export const BPF_CORE_TYPE_EXISTS = 8;
export const BPF_CORE_TYPE_SIZE = 9;
export const BPF_CORE_ENUMVAL_EXISTS = 10;
export const BPF_CORE_ENUMVAL_VALUE = 11;
export const BPF_CORE_TYPE_MATCHES = 12;

/** What a relocation of each kind is about, and libbpf's word for it. */
export const CORE_RELO_KINDS = [
  { name: "byte_off", about: "field" },
  { name: "byte_sz", about: "field" },
  { name: "field_exists", about: "field" },
  { name: "signed", about: "field" },
  { name: "lshift_u64", about: "field" },
  { name: "rshift_u64", about: "field" },
  { name: "local_type_id", about: "type" },
  { name: "target_type_id", about: "type" },
  { name: "type_exists", about: "type" },
  { name: "type_size", about: "type" },
  { name: "enumval_exists", about: "enumval" },
  { name: "enumval_value", about: "enumval" },
  { name: "type_matches", about: "type" },
] as const;

const MAX_SPEC_LEN = 64;

interface Accessor {
  /** The struct or union that has the named member, or the type of the array's elements. */
  readonly typeId: number;
  readonly idx: number;
  /** undefined for an array index. */
  readonly name: string | undefined;
}

/** A resolved path in one BTF. */
export interface CoreSpec {
  readonly btf: Btf;
  readonly rootId: number;
  readonly kind: number;
  readonly accessors: readonly Accessor[];
  /** Every index, anonymous members included. */
  readonly raw: readonly number[];
  readonly bitOffset: number;
}

export interface CoreRes {
  /** What the instruction is expected to hold now; compare only if `validate`. */
  readonly origVal: bigint;
  readonly newVal: bigint;
  /** The target does not exist: the instruction must become invalid, so that only dead code may hold it. */
  readonly poison: boolean;
  readonly validate: boolean;
  /** Sizes differ and are not both unsigned integers or pointers: loads and stores must be poisoned. */
  readonly failMemSizeAdjust: boolean;
  /** Field sizes in bytes, for adjusting the width of loads and stores; 0 when the relocation sets none. */
  readonly origSize: number;
  readonly newSize: number;
  readonly local: CoreSpec;
  /** The first candidate that has the spec. */
  readonly target: CoreSpec | undefined;
  /** With poison: e.g. "struct task_struct has no member 'foo' in the target BTF". */
  readonly missing: string | undefined;
}

/**
 * Types to relocate against: the kernel's BTF and, in order, those of its modules (split on it). Remembers candidates
 * per root type, and which of them a relocation has ruled out: a candidate that lacks one member of a root type stays
 * out for the relocations that follow. So use one for all relocations of an object, in their order.
 */
export class CoreTargets {
  readonly #vmlinux: Btf;
  readonly #modules: readonly Btf[];
  readonly #byRoot = new Map<Btf, Map<number, readonly CoreCandidate[]>>();

  constructor(vmlinux: Btf, modules: readonly Btf[] = []) {
    this.#vmlinux = vmlinux;
    this.#modules = modules;
  }

  /** Modules are asked only when the kernel itself has no type of that name and kind. */
  candidates(local: Btf, localId: number): readonly CoreCandidate[] {
    const found = this.#byRoot.get(local)?.get(localId);
    if (found) return found;
    const name = essentialName(local.nameOf(localId));
    const kind = local.kind(localId);
    const search = (btf: Btf): CoreCandidate[] =>
      [...btf.allByName(name), ...btf.flavorsOf(name)]
        .filter((id) => id >= btf.firstId && kindsCompat(kind, btf.kind(id)))
        .sort((a, b) => a - b)
        .map((id) => ({ btf, id }));
    const inKernel = search(this.#vmlinux);
    const list = inKernel.length > 0 ? inKernel : this.#modules.flatMap(search);
    this.keep(local, localId, list);
    return list;
  }

  /** Narrows the candidates of a root type. */
  keep(local: Btf, localId: number, candidates: readonly CoreCandidate[]): void {
    let byId = this.#byRoot.get(local);
    if (!byId) this.#byRoot.set(local, (byId = new Map()));
    byId.set(localId, candidates);
  }
}

export interface CoreCandidate {
  readonly btf: Btf;
  readonly id: number;
}

/** Computes one relocation of an object whose BTF is `local`. */
export function calcCoreRelo(local: Btf, relo: CoreRelo, targets: CoreTargets): CoreRes {
  if (CORE_RELO_KINDS[relo.kind] === undefined) {
    fail(EOPNOTSUPP, relo, local, `unrecognized CO-RE relocation kind ${relo.kind}`);
  }
  const spec = parseCoreSpec(local, relo);
  if (relo.kind === BPF_CORE_TYPE_ID_LOCAL) {
    const id = BigInt(spec.rootId);
    return { ...EMPTY_RES, origVal: id, newVal: id, validate: false, local: spec, target: undefined };
  }
  if (local.nameOf(relo.typeId) === "") fail(EOPNOTSUPP, relo, local, "relocation doesn't support anonymous types");

  let result: CoreRes | undefined;
  const matched: CoreCandidate[] = [];
  const candidates = targets.candidates(local, relo.typeId);
  for (const candidate of candidates) {
    const target = matchSpec(spec, candidate, relo);
    if (!target) continue;
    const res = calcRes(relo, spec, target);
    matched.push(candidate);
    if (!result?.target) {
      result = res;
    } else if (target.bitOffset !== result.target.bitOffset) {
      const offsets = `${target.bitOffset} != ${result.target.bitOffset}`;
      fail(EINVAL, relo, local, `field offset ambiguity: ${offsets} (${both(target, result.target)})`);
    } else if (res.poison !== result.poison || res.newVal !== result.newVal) {
      const decision = (r: CoreRes): string => `${r.poison ? "failure" : "success"} ${r.newVal}`;
      const values = `${decision(res)} != ${decision(result)}`;
      fail(EINVAL, relo, local, `relocation decision ambiguity: ${values} (${both(target, result.target)})`);
    }
  }
  if (result) {
    targets.keep(local, relo.typeId, matched);
    return result;
  }
  const res = calcRes(relo, spec, undefined);
  return res.poison ? { ...res, missing: whatIsMissing(spec, candidates) } : res;
}

function both(a: CoreSpec, b: CoreSpec): string {
  return `types [${a.rootId}] and [${b.rootId}]`;
}

/** Reads the access string of a relocation as a path in the local BTF. */
export function parseCoreSpec(btf: Btf, relo: CoreRelo): CoreSpec {
  const bad = (why: string, errno: Errno = EINVAL): never => fail(errno, relo, btf, why);
  const about = CORE_RELO_KINDS[relo.kind]?.about;
  const common = { btf, rootId: relo.typeId, kind: relo.kind };
  if (relo.typeId >= btf.typeCount) bad(`type id ${relo.typeId}, wanted below ${btf.typeCount}`);
  if (!/^\d{1,10}(:\d{1,10})*$/.test(relo.accessStr)) bad(`access string '${relo.accessStr}', wanted one like '0:1:2'`);
  if (about === "type") {
    if (relo.accessStr !== "0") bad(`access string '${relo.accessStr}', wanted '0'`);
    return { ...common, accessors: [], raw: [], bitOffset: 0 };
  }
  const raw = relo.accessStr.split(":").map(Number);
  if (raw.length > MAX_SPEC_LEN) bad(`access string of ${raw.length} indices, wanted at most ${MAX_SPEC_LEN}`, E2BIG);
  let id = btf.resolve(relo.typeId);
  if (about === "enumval") {
    if (!isAnyEnum(btf.kind(id))) bad(`${kindName(btf.kind(id))} root, wanted an ENUM`);
    if (raw.length > 1 || raw[0] >= btf.vlen(id)) {
      bad(`access string '${relo.accessStr}', wanted one index below ${btf.vlen(id)}`);
    }
    const name = enumName(btf, id, raw[0]);
    return { ...common, accessors: [{ typeId: id, idx: raw[0], name }], raw, bitOffset: 0 };
  }
  const sizeOf = (typeId: number): number => {
    const size = btf.size(typeId);
    if (size < 0) bad(`type [${typeId}] ${kindName(btf.kind(typeId))} has no size`);
    return size;
  };
  const accessors: Accessor[] = [{ typeId: id, idx: raw[0], name: undefined }];
  let bitOffset = 8 * raw[0] * sizeOf(id);
  for (const idx of raw.slice(1)) {
    id = btf.resolve(id);
    if (btf.isComposite(id)) {
      if (idx >= btf.vlen(id)) bad(`member ${idx} of ${typeText(btf, id)}, which has ${btf.vlen(id)}`);
      bitOffset += btf.memberOffsetBits(id, idx);
      const name = btf.memberName(id, idx);
      if (name !== "") accessors.push({ typeId: id, idx, name });
      id = btf.memberType(id, idx);
    } else if (btf.kind(id) === BTF_KIND_ARRAY) {
      const nelems = btf.nelems(id);
      if (idx >= nelems && !isFlexArray(btf, accessors.at(-1)!, nelems)) bad(`element ${idx} of an array of ${nelems}`);
      id = btf.resolve(btf.elemType(id));
      accessors.push({ typeId: id, idx, name: undefined });
      bitOffset += 8 * idx * sizeOf(id);
    } else {
      bad(`index ${idx} into ${typeText(btf, id)}, wanted a struct, union or array`);
    }
  }
  return { ...common, accessors, raw, bitOffset };
}

/** An array without elements that ends its struct. */
function isFlexArray(btf: Btf, holder: Accessor, nelems: number): boolean {
  return holder.name !== undefined && nelems === 0 && holder.idx === btf.vlen(holder.typeId) - 1;
}

/** A target spec under construction. */
interface Search {
  readonly btf: Btf;
  readonly accessors: Accessor[];
  readonly raw: number[];
  bitOffset: number;
}

function matchSpec(local: CoreSpec, candidate: CoreCandidate, relo: CoreRelo): CoreSpec | undefined {
  const { btf, id: rootId } = candidate;
  const common = { btf, rootId, kind: local.kind };
  const about = CORE_RELO_KINDS[local.kind].about;
  if (about === "type") {
    const test = local.kind === BPF_CORE_TYPE_MATCHES ? typesMatch : typesAreCompat;
    return test(local.btf, local.rootId, btf, rootId) ? { ...common, accessors: [], raw: [], bitOffset: 0 } : undefined;
  }
  if (about === "enumval") {
    const typeId = btf.resolve(rootId);
    const wanted = essentialName(local.accessors[0].name!);
    const n = isAnyEnum(btf.kind(typeId)) ? btf.vlen(typeId) : 0;
    for (let idx = 0; idx < n; idx++) {
      const name = enumName(btf, typeId, idx);
      if (essentialName(name) === wanted) {
        return { ...common, accessors: [{ typeId, idx, name }], raw: [idx], bitOffset: 0 };
      }
    }
    return undefined;
  }
  const search: Search = { btf, accessors: [], raw: [], bitOffset: 0 };
  let id = rootId;
  for (const [i, want] of local.accessors.entries()) {
    id = btf.resolve(id);
    if (want.name !== undefined) {
      const next = matchMember(local.btf, want, id, search, relo);
      if (next === undefined) return undefined;
      id = next;
      continue;
    }
    // The first index steps over whole roots; later ones need an array to step in.
    if (i > 0) {
      if (btf.kind(id) !== BTF_KIND_ARRAY) return undefined;
      const nelems = btf.nelems(id);
      const last = search.accessors.at(-1);
      if (want.idx >= nelems && !(last && isFlexArray(btf, last, nelems))) return undefined;
      id = btf.resolve(btf.elemType(id));
    }
    pushRaw(search, want.idx, local.btf, relo);
    search.accessors.push({ typeId: id, idx: want.idx, name: undefined });
    const size = btf.size(id);
    if (size < 0) fail(EINVAL, relo, local.btf, `candidate [${rootId}]: ${typeText(btf, id)} has no size`);
    search.bitOffset += 8 * want.idx * size;
  }
  return { ...common, accessors: search.accessors, raw: search.raw, bitOffset: search.bitOffset };
}

function pushRaw(search: Search, idx: number, local: Btf, relo: CoreRelo): void {
  if (search.raw.length === MAX_SPEC_LEN) fail(E2BIG, relo, local, `candidate nests deeper than ${MAX_SPEC_LEN}`);
  search.raw.push(idx);
}

/** Looks for one named member, also inside anonymous members; gives its type, or undefined. */
function matchMember(local: Btf, want: Accessor, id: number, search: Search, relo: CoreRelo): number | undefined {
  const { btf } = search;
  id = btf.resolve(id);
  if (!btf.isComposite(id)) return undefined;
  const n = btf.vlen(id);
  for (let idx = 0; idx < n; idx++) {
    const name = btf.memberName(id, idx);
    if (name !== "" && name !== want.name) continue;
    const bits = btf.memberOffsetBits(id, idx);
    const type = btf.memberType(id, idx);
    search.bitOffset += bits;
    pushRaw(search, idx, local, relo);
    if (name === want.name) {
      if (!fieldsAreCompat(local, local.memberType(want.typeId, want.idx), btf, type)) return undefined;
      search.accessors.push({ typeId: id, idx, name });
      return type;
    }
    const before = { raw: search.raw.length, bitOffset: search.bitOffset };
    const inner = matchMember(local, want, type, search, relo);
    if (inner !== undefined) return inner;
    search.raw.length = before.raw - 1;
    search.bitOffset = before.bitOffset - bits;
  }
  return undefined;
}

const EMPTY_RES = {
  origVal: 0n,
  newVal: 0n,
  poison: false,
  validate: true,
  failMemSizeAdjust: false,
  origSize: 0,
  newSize: 0,
  missing: undefined,
} as const;

function calcRes(relo: CoreRelo, local: CoreSpec, target: CoreSpec | undefined): CoreRes {
  const specs = { local, target };
  switch (CORE_RELO_KINDS[relo.kind].about) {
    case "type": {
      const validate = relo.kind !== BPF_CORE_TYPE_ID_TARGET;
      return {
        ...EMPTY_RES,
        ...specs,
        validate,
        origVal: typeValue(relo, local, local.btf),
        newVal: typeValue(relo, target, local.btf),
      };
    }
    case "enumval": {
      const origVal = enumValue(relo, local);
      if (target === undefined && relo.kind === BPF_CORE_ENUMVAL_VALUE) {
        return { ...EMPTY_RES, ...specs, origVal, poison: true };
      }
      return { ...EMPTY_RES, ...specs, origVal, newVal: enumValue(relo, target) };
    }
    case "field": {
      const orig = fieldValue(relo, local, local.btf);
      const origVal = orig.val;
      if (target === undefined && relo.kind !== BPF_CORE_FIELD_EXISTS) {
        return { ...EMPTY_RES, ...specs, origVal, validate: orig.validate, origSize: orig.size, poison: true };
      }
      const now = fieldValue(relo, target, local.btf);
      return {
        ...EMPTY_RES,
        ...specs,
        origVal,
        newVal: now.val,
        validate: orig.validate,
        origSize: orig.size,
        newSize: now.size,
        failMemSizeAdjust: orig.size !== now.size && !canResize(local.btf, orig.typeId, target!.btf, now.typeId),
      };
    }
  }
}

/** Zero extension keeps pointers and unsigned integers right at any width of load; nothing else. */
function canResize(local: Btf, localId: number, target: Btf, targetId: number): boolean {
  const [a, b] = [local.kind(localId), target.kind(targetId)];
  if (a === BTF_KIND_PTR && b === BTF_KIND_PTR) return true;
  const isSigned = (btf: Btf, id: number): boolean => btf.intEncoding(id) === BTF_INT_SIGNED;
  return a === BTF_KIND_INT && b === BTF_KIND_INT && !isSigned(local, localId) && !isSigned(target, targetId);
}

function typeValue(relo: CoreRelo, spec: CoreSpec | undefined, local: Btf): bigint {
  if (!spec) return 0n;
  if (relo.kind === BPF_CORE_TYPE_ID_TARGET) return BigInt(spec.rootId);
  if (relo.kind !== BPF_CORE_TYPE_SIZE) return 1n;
  const size = spec.btf.size(spec.rootId);
  if (size < 0) fail(EINVAL, relo, local, `${typeText(spec.btf, spec.rootId)} has no size`);
  return BigInt(size);
}

function enumValue(relo: CoreRelo, spec: CoreSpec | undefined): bigint {
  if (!spec || relo.kind === BPF_CORE_ENUMVAL_EXISTS) return spec ? 1n : 0n;
  const { typeId, idx } = spec.accessors[0];
  const type = spec.btf.type(typeId);
  // A 32-bit enumerator is sign-extended whether its enum is signed or not, as libbpf reads it.
  if (type.kind === BTF_KIND_ENUM) return BigInt.asUintN(64, BigInt(type.values[idx].value | 0));
  return type.kind === BTF_KIND_ENUM64 ? BigInt.asUintN(64, type.values[idx].value) : 0n;
}

interface FieldValue {
  readonly val: bigint;
  readonly validate: boolean;
  readonly size: number;
  readonly typeId: number;
}

function fieldValue(relo: CoreRelo, spec: CoreSpec | undefined, local: Btf): FieldValue {
  const kind = relo.kind;
  if (kind === BPF_CORE_FIELD_EXISTS) return { val: spec ? 1n : 0n, validate: true, size: 0, typeId: 0 };
  const { btf, accessors, bitOffset } = spec!;
  const { typeId, idx, name } = accessors.at(-1)!;
  const sizeOf = (id: number): number => {
    const size = btf.size(id);
    if (size < 0) fail(EINVAL, relo, local, `${typeText(btf, id)} has no size`);
    return size;
  };
  if (name === undefined) {
    const size = sizeOf(typeId);
    if (kind === BPF_CORE_FIELD_BYTE_OFFSET)
      return { val: BigInt(Math.floor(bitOffset / 8)), validate: true, size, typeId };
    if (kind === BPF_CORE_FIELD_BYTE_SIZE) return { val: BigInt(size), validate: true, size: 0, typeId: 0 };
    fail(EINVAL, relo, local, `${CORE_RELO_KINDS[kind].name} can't be applied to array access`);
  }
  const fieldId = btf.resolve(btf.memberType(typeId, idx));
  let bits = btf.memberBitfieldSize(typeId, idx);
  const bitfield = bits > 0;
  let bytes = sizeOf(fieldId);
  let byteOff = Math.floor(bitOffset / 8);
  if (bitfield) {
    if (bytes === 0) fail(EINVAL, relo, local, `bitfield '${name}' of a type without bytes`);
    const align = (): void => {
      byteOff = Math.floor(Math.floor(bitOffset / 8) / bytes) * bytes;
    };
    align();
    // The narrowest aligned load that covers the bits.
    while (bitOffset + bits - byteOff * 8 > bytes * 8) {
      if (bytes >= 8) fail(E2BIG, relo, local, `bitfield '${name}' can't be read by one 8-byte load`);
      bytes *= 2;
      align();
    }
  } else {
    bits = 8 * bytes;
  }
  switch (kind) {
    case BPF_CORE_FIELD_BYTE_OFFSET:
      // The compiler may read a bitfield by another load than ours, so what it wrote is not compared.
      return bitfield
        ? { val: BigInt(byteOff), validate: false, size: 0, typeId: 0 }
        : { val: BigInt(byteOff), validate: true, size: bytes, typeId: fieldId };
    case BPF_CORE_FIELD_BYTE_SIZE:
      return { val: BigInt(bytes), validate: !bitfield, size: 0, typeId: 0 };
    case BPF_CORE_FIELD_SIGNED:
      return { val: btf.isSigned(fieldId) ? 1n : 0n, validate: true, size: 0, typeId: 0 };
    case BPF_CORE_FIELD_LSHIFT_U64: {
      const val = BigInt.asUintN(64, BigInt(64 - (bitOffset + bits - byteOff * 8)));
      return { val, validate: !bitfield, size: 0, typeId: 0 };
    }
    default:
      return { val: BigInt.asUintN(64, BigInt(64 - bits)), validate: true, size: 0, typeId: 0 };
  }
}

function enumName(btf: Btf, id: number, idx: number): string {
  return btf.str(btf.extra(id, (btf.kind(id) === BTF_KIND_ENUM ? 2 : 3) * idx));
}

// ---- words ----

/** "struct task_struct". */
function typeText(btf: Btf, id: number): string {
  return `${kindName(btf.kind(id)).toLowerCase()} ${btf.nameOf(id) || "<anon>"}`;
}

/** As libbpf prints a spec: "<byte_off> [24] struct task_struct.pid (0:3 @ offset 12)". */
export function formatCoreSpec(spec: CoreSpec): string {
  const { btf, rootId, accessors, raw, bitOffset } = spec;
  const kind = CORE_RELO_KINDS[spec.kind];
  let text = `<${kind.name}> [${rootId}] ${typeText(btf, rootId)}`;
  if (kind.about === "type") return text;
  if (kind.about === "enumval") {
    const { typeId, idx, name } = accessors[0];
    const type = btf.type(typeId);
    const value = type.kind === BTF_KIND_ENUM || type.kind === BTF_KIND_ENUM64 ? type.values[idx].value : 0;
    return `${text}::${name} = ${value}`;
  }
  accessors.forEach(({ name, idx }, i) => {
    if (name !== undefined) text += `.${name}`;
    else if (i > 0 || idx > 0) text += `[${idx}]`;
  });
  const bits = bitOffset % 8 ? `.${bitOffset % 8}` : "";
  return `${text} (${raw.join(":")} @ offset ${Math.floor(bitOffset / 8)}${bits})`;
}

/** Why no candidate has the spec, for people. */
function whatIsMissing(spec: CoreSpec, candidates: readonly CoreCandidate[]): string {
  const root = typeText(spec.btf, spec.rootId);
  if (candidates.length === 0) return `the target BTF has no ${root}`;
  const name = `${kindName(spec.btf.kind(spec.rootId)).toLowerCase()} ${essentialName(spec.btf.nameOf(spec.rootId))}`;
  if (CORE_RELO_KINDS[spec.kind].about === "enumval") return `${name} has no value '${spec.accessors[0].name}'`;
  const path = spec.accessors
    .map(({ name: member, idx }, i) => (member !== undefined ? `.${member}` : i > 0 ? `[${idx}]` : ""))
    .join("")
    .slice(1);
  return `${name} has no member '${path}' of a compatible type in the target BTF`;
}

function fail(errno: Errno, relo: CoreRelo, btf: Btf, why: string): never {
  const kind = CORE_RELO_KINDS[relo.kind]?.name ?? `kind ${relo.kind}`;
  const what = relo.typeId < btf.typeCount ? typeText(btf, relo.typeId) : "?";
  throw new BpfError(errno, `CO-RE relocation <${kind}> [${relo.typeId}] ${what} at byte ${relo.insnOff}: ${why}`, {
    relo,
  });
}
