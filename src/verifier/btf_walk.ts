/**
 * Walking a struct by offset: which member an access of some size hits, and whether that yields a pointer.
 *
 * Pure: says what is wrong as text. Arrays of structs are seen as if their elements were members one after the other; a
 * flexible array at the end of a kernel struct goes on without end.
 * Source   btf_struct_walk(), btf_struct_ids_match() in kernel/bpf/btf.c.
 */
import { EACCES, EINVAL, type Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_UNION,
} from "../btf/kinds.ts";
import { MEM_PERCPU, MEM_RCU, MEM_USER, PTR_UNTRUSTED } from "../helpers/types.ts";

export type WalkStep =
  | { readonly kind: "scalar" }
  | { readonly kind: "ptr"; readonly id: number; readonly field: string }
  | { readonly kind: "struct"; readonly id: number }
  | { readonly kind: "error"; readonly errno: Errno; readonly message: string };

/** Flags gathered on the way: PTR_UNTRUSTED through unions, MEM_* of the pointer's type tag. */
export interface WalkFlags {
  flags: number;
}

const SCALAR: WalkStep = { kind: "scalar" };
const TAG_FLAGS: Readonly<Record<string, number>> = { user: MEM_USER, percpu: MEM_PERCPU, rcu: MEM_RCU };

function failure(errno: Errno, message: string): WalkStep {
  return { kind: "error", errno, message };
}

/** One dive: to a scalar, a pointer, or the struct that begins exactly at the offset. */
export function structWalk(
  btf: Btf,
  typeId: number,
  off: number,
  size: number,
  out: WalkFlags,
  flexArrays: boolean,
): WalkStep {
  let t = btf.resolve(typeId);
  again: for (;;) {
    const tname = btf.nameOf(t);
    if (!btf.isComposite(t)) return failure(EINVAL, `Type '${tname}' is not a struct`);
    const n = btf.vlen(t);
    if (btf.kind(t) === BTF_KIND_UNION && n !== 1) out.flags |= PTR_UNTRUSTED;

    if (off + size > btf.ref(t)) {
      const next = flexArrays ? flexElement(btf, t, off) : undefined;
      if (!next) return failure(EACCES, `access beyond struct ${tname} at off ${off} size ${size}`);
      if (next.id === 0) return SCALAR;
      off = next.off;
      t = next.id;
      continue;
    }

    for (let i = 0; i < n; i++) {
      const bits = btf.memberOffsetBits(t, i);
      let moff = Math.floor(bits / 8);
      if (off + size <= moff) break;
      const width = btf.memberBitfieldSize(t, i);
      if (width) {
        if (off <= moff && Math.ceil((bits + width) / 8) <= off + size) return SCALAR;
        continue;
      }
      if (off < moff) break;

      let mid = btf.memberType(t, i);
      let msize = btf.size(mid);
      const mname = btf.memberName(t, i);
      if (msize < 0) return failure(EINVAL, `field ${mname} doesn't have size`);
      const trueEnd = moff + msize;
      if (off >= trueEnd) continue;
      mid = btf.resolve(mid);
      if (btf.kind(mid) === BTF_KIND_ARRAY) {
        let total = 1;
        while (btf.kind(mid) === BTF_KIND_ARRAY) {
          total *= btf.nelems(mid);
          mid = btf.resolve(btf.elemType(mid));
        }
        if (moff === trueEnd) continue;
        msize = Math.floor(msize / total);
        moff += Math.floor((off - moff) / msize) * msize;
      }

      if (btf.isComposite(mid)) {
        if (off === moff) return { kind: "struct", id: mid };
        off -= moff;
        t = mid;
        continue again;
      }

      if (btf.kind(mid) === BTF_KIND_PTR) {
        if (msize !== size || off !== moff) {
          return failure(
            EACCES,
            `cannot access ptr member ${mname} with moff ${moff} in struct ${tname} with off ${off} size ${size}`,
          );
        }
        const target = btf.ref(mid);
        const tag = btf.kind(target) === BTF_KIND_TYPE_TAG ? (TAG_FLAGS[btf.nameOf(target)] ?? 0) : 0;
        const id = btf.resolve(target);
        if (btf.isComposite(id)) {
          out.flags |= tag;
          return { kind: "ptr", id, field: mname };
        }
      }

      if (off + size > trueEnd && !(out.flags & PTR_UNTRUSTED)) {
        return failure(
          EACCES,
          `access beyond the end of member ${mname} (mend:${trueEnd}) in struct ${tname} with off ${off} size ${size}`,
        );
      }
      return SCALAR;
    }
    return failure(EINVAL, `struct ${tname} doesn't have field at offset ${off}`);
  }
}

/** Element type and offset in it when `off` lies in a flexible array at the end; id 0 for an array of integers. */
function flexElement(btf: Btf, t: number, off: number): { readonly id: number; readonly off: number } | undefined {
  const n = btf.vlen(t);
  if (n === 0) return undefined;
  const array = btf.resolve(btf.memberType(t, n - 1));
  if (btf.kind(array) !== BTF_KIND_ARRAY || btf.nelems(array) !== 0) return undefined;
  const moff = btf.memberOffsetBits(t, n - 1) / 8;
  if (off < moff) return undefined;
  const elem = btf.resolve(btf.elemType(array));
  if (btf.kind(elem) === BTF_KIND_INT) return { id: 0, off: 0 };
  if (!btf.isComposite(elem) || btf.ref(elem) === 0) return undefined;
  return { id: elem, off: (off - moff) % btf.ref(elem) };
}

/** Same type? Ids of a module's BTF below its own first id are its base's. */
export function sameType(a: Btf, aId: number, b: Btf, bId: number): boolean {
  if (aId !== bId) return false;
  if (a === b) return true;
  const owner = (btf: Btf, id: number): Btf => {
    let at = btf;
    while (at.base && id < at.firstId) at = at.base;
    return at;
  };
  return owner(a, aId) === owner(b, bId);
}

/** Is the thing at `off` of type `id` a `needId`, itself or by a chain of first members? */
export function structIdsMatch(
  btf: Btf,
  id: number,
  off: number,
  needBtf: Btf,
  needId: number,
  strict: boolean,
  flexArrays: boolean,
): boolean {
  if (off === 0 && sameType(btf, id, needBtf, needId)) return true;
  if (strict) return false;
  const out: WalkFlags = { flags: 0 };
  for (;;) {
    const step = structWalk(btf, id, off, 1, out, flexArrays);
    if (step.kind !== "struct") return false;
    if (sameType(btf, step.id, needBtf, needId)) return true;
    id = step.id;
    off = 0;
  }
}

/** Struct made of numbers only (arrays and nested structs too): may be passed to kfuncs as plain memory. */
export function isScalarStruct(btf: Btf, id: number, depth = 0): boolean {
  if (!btf.isComposite(id)) return false;
  for (let i = 0; i < btf.vlen(id); i++) {
    const m = btf.resolve(btf.memberType(id, i));
    if (btf.isComposite(m)) {
      if (depth >= 3 || !isScalarStruct(btf, m, depth + 1)) return false;
      continue;
    }
    if (btf.kind(m) === BTF_KIND_ARRAY) {
      if (btf.nelems(m) === 0 || !isScalarType(btf, btf.resolve(btf.elemType(m)))) return false;
      continue;
    }
    if (!isScalarType(btf, m)) return false;
  }
  return true;
}

/** INT, ENUM or ENUM64 (typedefs stripped by the caller). */
export function isScalarType(btf: Btf, id: number): boolean {
  const kind = btf.kind(id);
  return kind === BTF_KIND_INT || kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64;
}
