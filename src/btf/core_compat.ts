/**
 * When two types of two BTFs count as "the same" for CO-RE: three relations, from loose to strict.
 *
 * fieldsAreCompat  a member may be read through the other's declaration (names of structs do not matter)
 * typesAreCompat   for type_exists, type_size, type ids: same kind all the way through pointers and arrays
 * typesMatch       for type_matches: every local member, parameter and enumerator has its like in the target
 *
 * Source  the behaviour of libbpf's relo_core.c. Nesting deeper than 32 is EINVAL.
 */

import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";
import { essentialName } from "./flavor.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
} from "./kinds.ts";

const MAX_DEPTH = 32;

export function isAnyEnum(kind: number): boolean {
  return kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64;
}

/** Equal kinds; ENUM and ENUM64 are interchangeable. */
export function kindsCompat(a: number, b: number): boolean {
  return a === b || (isAnyEnum(a) && isAnyEnum(b));
}

function tooDeep(local: Btf, id: number): never {
  throw new BpfError(EINVAL, `BTF type ${id} ('${local.nameOf(id)}') nests deeper than ${MAX_DEPTH}`, { id });
}

/** An INT that is a bitfield in disguise (of BTF older than kflag) is compatible with nothing. */
function plainInts(local: Btf, localId: number, target: Btf, targetId: number): boolean {
  return local.intBitOffset(localId) === 0 && target.intBitOffset(targetId) === 0;
}

export function fieldsAreCompat(local: Btf, localId: number, target: Btf, targetId: number): boolean {
  for (;;) {
    localId = local.resolve(localId);
    targetId = target.resolve(targetId);
    if (local.isComposite(localId) && target.isComposite(targetId)) return true;
    const kind = local.kind(localId);
    if (!kindsCompat(kind, target.kind(targetId))) return false;
    switch (kind) {
      case BTF_KIND_PTR:
      case BTF_KIND_FLOAT:
        return true;
      case BTF_KIND_FWD:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64: {
        const [a, b] = [essentialName(local.nameOf(localId)), essentialName(target.nameOf(targetId))];
        return a === "" || b === "" || a === b;
      }
      case BTF_KIND_INT:
        return plainInts(local, localId, target, targetId);
      case BTF_KIND_ARRAY:
        localId = local.elemType(localId);
        targetId = target.elemType(targetId);
        break;
      default:
        return false;
    }
  }
}

export function typesAreCompat(
  local: Btf,
  localId: number,
  target: Btf,
  targetId: number,
  level: number = MAX_DEPTH,
): boolean {
  if (!kindsCompat(local.kind(localId), target.kind(targetId))) return false;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    localId = local.resolve(localId);
    targetId = target.resolve(targetId);
    const kind = local.kind(localId);
    if (!kindsCompat(kind, target.kind(targetId))) return false;
    switch (kind) {
      case BTF_KIND_UNKN:
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
      case BTF_KIND_FWD:
        return true;
      case BTF_KIND_INT:
        return plainInts(local, localId, target, targetId);
      case BTF_KIND_ARRAY:
        localId = local.elemType(localId);
        targetId = target.elemType(targetId);
        break;
      case BTF_KIND_FUNC_PROTO: {
        const n = local.vlen(localId);
        if (n !== target.vlen(targetId)) return false;
        for (let i = 0; i < n; i++) {
          if (level <= 0) tooDeep(local, localId);
          const [a, b] = [local.resolve(local.paramType(localId, i)), target.resolve(target.paramType(targetId, i))];
          if (!typesAreCompat(local, a, target, b, level - 1)) return false;
        }
        localId = local.ref(localId);
        targetId = target.ref(targetId);
        break;
      }
      case BTF_KIND_PTR:
        localId = local.ref(localId);
        targetId = target.ref(targetId);
        break;
      default:
        return false;
    }
  }
  return tooDeep(local, localId);
}

export function typesMatch(
  local: Btf,
  localId: number,
  target: Btf,
  targetId: number,
  behindPtr = false,
  level: number = MAX_DEPTH,
): boolean {
  if (level <= 0) tooDeep(local, localId);
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    localId = local.resolve(localId);
    targetId = target.resolve(targetId);
    if (!namesMatch(local.nameOf(localId), target.nameOf(targetId))) return false;
    const [kind, targetKind] = [local.kind(localId), target.kind(targetId)];
    switch (kind) {
      case BTF_KIND_FWD: {
        const union = local.kflag(localId);
        if (kind === targetKind) return union === target.kflag(targetId);
        return behindPtr && targetKind === (union ? BTF_KIND_UNION : BTF_KIND_STRUCT);
      }
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
        return isAnyEnum(targetKind) && enumsMatch(local, localId, target, targetId);
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        if (behindPtr) {
          if (kind === targetKind) return true;
          return targetKind === BTF_KIND_FWD && (kind === BTF_KIND_UNION) === target.kflag(targetId);
        }
        return kind === targetKind && compositesMatch(local, localId, target, targetId, behindPtr, level);
      default:
        break;
    }
    if (kind !== targetKind) return false;
    switch (kind) {
      case BTF_KIND_UNKN:
        return true;
      case BTF_KIND_INT:
        return local.ref(localId) === target.ref(targetId) && local.isSigned(localId) === target.isSigned(targetId);
      case BTF_KIND_PTR:
        behindPtr = true;
        localId = local.ref(localId);
        targetId = target.ref(targetId);
        break;
      case BTF_KIND_ARRAY:
        if (local.nelems(localId) !== target.nelems(targetId)) return false;
        localId = local.elemType(localId);
        targetId = target.elemType(targetId);
        break;
      case BTF_KIND_FUNC_PROTO: {
        const n = local.vlen(localId);
        if (n !== target.vlen(targetId)) return false;
        for (let i = 0; i < n; i++) {
          const [a, b] = [local.paramType(localId, i), target.paramType(targetId, i)];
          if (!typesMatch(local, a, target, b, behindPtr, level - 1)) return false;
        }
        localId = local.ref(localId);
        targetId = target.ref(targetId);
        break;
      }
      default:
        return false;
    }
  }
  return tooDeep(local, localId);
}

/** An anonymous target matches only an anonymous local. */
function namesMatch(local: string, target: string): boolean {
  return target === "" ? local === "" : essentialName(local) === essentialName(target);
}

function enumsMatch(local: Btf, localId: number, target: Btf, targetId: number): boolean {
  if (local.ref(localId) !== target.ref(targetId)) return false;
  const [a, b] = [enumNames(local, localId), enumNames(target, targetId)];
  return a.length <= b.length && a.every((name) => b.some((other) => namesMatch(name, other)));
}

function enumNames(btf: Btf, id: number): string[] {
  const type = btf.type(id);
  return type.kind === BTF_KIND_ENUM || type.kind === BTF_KIND_ENUM64 ? type.values.map((v) => v.name) : [];
}

function compositesMatch(
  local: Btf,
  localId: number,
  target: Btf,
  targetId: number,
  behindPtr: boolean,
  level: number,
): boolean {
  const [a, b] = [local.members(localId), target.members(targetId)];
  if (a.length > b.length) return false;
  return a.every((m) =>
    b.some((t) => namesMatch(m.name, t.name) && typesMatch(local, m.type, target, t.type, behindPtr, level - 1)),
  );
}
