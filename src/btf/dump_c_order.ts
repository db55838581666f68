/**
 * The order in which newer bpftools write C: anonymous enums, enums, integers, structs, function types, typedefs among
 * what they stand for; by name within each, so that headers of two kernels can be compared line by line.
 *
 * Differs bpftool 7.5 leaves out the very first type of this order.
 * Source  the output of bpftool 7.5; types equal in kind and name are told apart by a hash of their members.
 */

import type { Btf } from "./btf.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_VOLATILE,
} from "./kinds.ts";

const LAST = 10;

interface Place {
  readonly id: number;
  readonly rank: number;
  readonly sortName: string;
  readonly name: string;
}

/** Ids of the BTF's own types in that order. */
export function sortedIds(btf: Btf): number[] {
  const places: Place[] = [];
  for (let id = Math.max(btf.firstId, 1); id < btf.typeCount; id++) {
    places.push({ id, rank: rank(btf, id, false), sortName: sortName(btf, id, false), name: btf.nameOf(id) });
  }
  const hashes = new Map<number, bigint>();
  const hash = (id: number): bigint => {
    let value = hashes.get(id);
    if (value === undefined) hashes.set(id, (value = hashType(btf, id, true)));
    return value;
  };
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  places.sort((a, b) => {
    const byName = a.rank - b.rank || byText(a.sortName, b.sortName) || byText(a.name, b.name);
    if (byName) return byName;
    const [x, y] = [hash(a.id), hash(b.id)];
    return x < y ? -1 : x > y ? 1 : a.id - b.id;
  });
  return places.map((p) => p.id);
}

/** Kinds that sort as what they refer to. */
function isReference(kind: number): boolean {
  return (
    kind === BTF_KIND_TYPEDEF ||
    kind === BTF_KIND_PTR ||
    kind === BTF_KIND_CONST ||
    kind === BTF_KIND_VOLATILE ||
    kind === BTF_KIND_RESTRICT ||
    kind === BTF_KIND_TYPE_TAG ||
    kind === BTF_KIND_DECL_TAG
  );
}

function rank(btf: Btf, id: number, named: boolean): number {
  const kind = btf.kind(id);
  named ||= btf.nameOff(id) !== 0;
  switch (kind) {
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
      return named ? 1 : 0;
    case BTF_KIND_INT:
    case BTF_KIND_FLOAT:
      return 2;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return named ? 3 : LAST;
    case BTF_KIND_FUNC_PROTO:
      return named ? 4 : LAST;
    case BTF_KIND_ARRAY:
      return named ? rank(btf, btf.elemType(id), named) : LAST;
    default:
      return isReference(kind) && named ? rank(btf, btf.ref(id), named) : LAST;
  }
}

/** An anonymous enum of its own sorts by its first enumerator. */
function sortName(btf: Btf, id: number, viaReference: boolean): string {
  for (;;) {
    const kind = btf.kind(id);
    if (kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64) {
      const byFirst = !viaReference && btf.nameOff(id) === 0 && btf.vlen(id) > 0;
      return byFirst ? btf.str(btf.extra(id, 0)) : btf.nameOf(id);
    }
    if (kind === BTF_KIND_ARRAY) id = btf.elemType(id);
    else if (isReference(kind)) id = btf.ref(id);
    else return btf.nameOf(id);
    viaReference = true;
  }
}

function mix(hash: bigint, value: bigint): bigint {
  return BigInt.asUintN(64, hash * 31n + value);
}

const utf8 = new TextEncoder();

function mixName(hash: bigint, text: string): bigint {
  if (text === "") return hash;
  let h = 0n;
  for (const byte of utf8.encode(text)) h = mix(h, BigInt(byte));
  return mix(hash, h);
}

function hashType(btf: Btf, id: number, withMembers: boolean): bigint {
  let hash = mixName(0n, btf.nameOf(id));
  const kind = btf.kind(id);
  const type = btf.type(id);
  if (type.kind === BTF_KIND_ENUM || type.kind === BTF_KIND_ENUM64) {
    for (const v of type.values) hash = mixName(hash, v.name);
  } else if (type.kind === BTF_KIND_STRUCT || type.kind === BTF_KIND_UNION) {
    if (!withMembers) return hash;
    for (const m of type.members) {
      hash = mixName(hash, m.name);
      hash = mix(hash, hashType(btf, m.type, false));
    }
  } else if (type.kind === BTF_KIND_ARRAY) {
    hash = mix(hash, BigInt(type.nelems));
    hash = mix(hash, hashType(btf, type.elemType, withMembers));
  } else if (isReference(kind)) {
    hash = mix(hash, hashType(btf, btf.ref(id), withMembers));
  }
  return hash;
}
