/** Alignment of BTF types, as far as BTF tells it: the natural one of members; what is over-aligned does not show. */

import type { Btf } from "./btf.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
} from "./kinds.ts";

const MAX_DEPTH = 128;

/**
 * Alignment in bytes; 1 for what has none. A struct whose size or member offsets fit no natural alignment is packed
 * and aligned to 1, as libbpf's btf__align_of has it.
 * @param known alignments of structs found so far; a struct being looked at counts 1, which ends broken circles
 */
export function alignOf(btf: Btf, id: number, known: Map<number, number>, depth: number): number {
  id = btf.resolve(id);
  switch (btf.kind(id)) {
    case BTF_KIND_INT:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_FLOAT:
      return Math.min(8, btf.ref(id));
    case BTF_KIND_PTR:
      return 8;
    case BTF_KIND_ARRAY: {
      while (btf.kind(id) === BTF_KIND_ARRAY) id = btf.resolve(btf.elemType(id));
      return alignOf(btf, id, known, depth);
    }
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: {
      const found = known.get(id);
      if (found !== undefined) return found;
      known.set(id, 1);
      if (depth > MAX_DEPTH) return 1;
      const align = compositeAlign(btf, id, known, depth);
      known.set(id, align);
      return align;
    }
    default:
      return 1;
  }
}

function compositeAlign(btf: Btf, id: number, known: Map<number, number>, depth: number): number {
  const n = btf.vlen(id);
  let align = 1;
  for (let i = 0; i < n; i++) {
    const own = alignOf(btf, btf.memberType(id, i), known, depth + 1);
    align = Math.max(align, own);
    if (btf.memberBitfieldSize(id, i) === 0 && btf.memberOffsetBits(id, i) % (8 * own) !== 0) return 1;
  }
  return btf.ref(id) % align === 0 ? align : 1;
}
