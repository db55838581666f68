/** One type of a BTF as an object. */

import type { Btf } from "./btf.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
  type BtfType,
} from "./kinds.ts";

/** Decodes the type id, which must exist. Btf.type keeps the result. */
export function decodeType(btf: Btf, id: number): BtfType {
  const kind = btf.kind(id) as BtfType["kind"];
  const name = btf.nameOf(id);
  const n = btf.vlen(id);
  const ref = btf.ref(id);
  const kflag = btf.kflag(id);
  const items = <T>(one: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => one(i));
  switch (kind) {
    case BTF_KIND_UNKN:
      return { kind, id, name };
    case BTF_KIND_INT: {
      const [encoding, bitOffset, bits] = [btf.intEncoding(id), btf.intBitOffset(id), btf.intBits(id)];
      return { kind, id, name, size: ref, encoding, bitOffset, bits };
    }
    case BTF_KIND_PTR:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
      return { kind, id, name, type: ref };
    case BTF_KIND_TYPE_TAG:
      return { kind, id, name, type: ref, attribute: kflag };
    case BTF_KIND_ARRAY: {
      const [elemType, indexType, nelems] = [btf.elemType(id), btf.indexType(id), btf.nelems(id)];
      return { kind, id, name, elemType, indexType, nelems };
    }
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: {
      const members = items((i) => ({
        name: btf.memberName(id, i),
        type: btf.memberType(id, i),
        bitOffset: btf.memberOffsetBits(id, i),
        bitfieldSize: btf.memberBitfieldSize(id, i),
      }));
      return { kind, id, name, size: ref, members };
    }
    case BTF_KIND_ENUM: {
      const values = items((i) => {
        const raw = btf.extra(id, 2 * i + 1);
        return { name: btf.str(btf.extra(id, 2 * i)), value: kflag ? raw | 0 : raw };
      });
      return { kind, id, name, size: ref, signed: kflag, values };
    }
    case BTF_KIND_ENUM64: {
      const values = items((i) => {
        const raw = BigInt(btf.extra(id, 3 * i + 1)) | (BigInt(btf.extra(id, 3 * i + 2)) << 32n);
        return { name: btf.str(btf.extra(id, 3 * i)), value: kflag ? BigInt.asIntN(64, raw) : raw };
      });
      return { kind, id, name, size: ref, signed: kflag, values };
    }
    case BTF_KIND_FWD:
      return { kind, id, name, union: kflag };
    case BTF_KIND_FUNC:
      return { kind, id, name, type: ref, linkage: n };
    case BTF_KIND_FUNC_PROTO: {
      const params = items((i) => ({ name: btf.paramName(id, i), type: btf.paramType(id, i) }));
      return { kind, id, name, retType: ref, params };
    }
    case BTF_KIND_VAR:
      return { kind, id, name, type: ref, linkage: btf.extra(id, 0) };
    case BTF_KIND_DATASEC: {
      const vars = items((i) => ({
        type: btf.extra(id, 3 * i),
        offset: btf.extra(id, 3 * i + 1),
        size: btf.extra(id, 3 * i + 2),
      }));
      return { kind, id, name, size: ref, vars };
    }
    case BTF_KIND_FLOAT:
      return { kind, id, name, size: ref };
    case BTF_KIND_DECL_TAG:
      return { kind, id, name, type: ref, componentIdx: btf.extra(id, 0) | 0, attribute: kflag };
    default:
      throw new Error(`unreachable BTF kind ${kind satisfies never}`);
  }
}
