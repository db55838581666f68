/**
 * BTF as a list of its types: `bpftool btf dump ... format raw`, as text and as JSON.
 *
 * Differs  an unsigned enumerator of 2^31 and more is itself in JSON; bpftool sign-extends it there (not in text).
 */

import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";
import { type JsonNode, jsonString, jsonText } from "./json_text.ts";
import {
  BTF_INT_BOOL,
  BTF_INT_CHAR,
  BTF_INT_SIGNED,
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_INT,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  type BtfType,
  KIND_NAMES,
} from "./kinds.ts";

/** A field: its name, its value as text (quoted in JSON if `text`), or rows of fields. */
interface Field {
  readonly name: string;
  readonly value: string | readonly Field[][];
  readonly text?: boolean;
}

/** One line per type, and one, indented, per member. All own types, or those of `ids`. */
export function dumpRaw(btf: Btf, ids: Iterable<number> = ownIds(btf)): string {
  let out = "";
  for (const id of ids) {
    const type = known(btf, id);
    out += `[${id}] ${KIND_NAMES[type.kind]} '${type.name || "(anon)"}'`;
    for (const { name, value } of fieldsOf(type)) {
      if (typeof value === "string") {
        // The comma is bpftool's.
        out += `${type.kind === BTF_KIND_VAR && name === "linkage" ? "," : ""} ${name}=${value}`;
        continue;
      }
      for (const row of value) {
        const [first, ...rest] = row;
        out += first.name === "name" ? `\n\t'${first.value}'` : `\n\t${first.name}=${first.value}`;
        for (const f of rest) {
          const is64 = type.kind === BTF_KIND_ENUM64 && f.name === "val";
          out += ` ${f.name}=${f.value}${is64 ? (type.signed ? "LL" : "ULL") : ""}`;
        }
        if (type.kind === BTF_KIND_DATASEC) out += varText(btf, Number(first.value));
      }
    }
    out += "\n";
  }
  return out;
}

/** `{"types":[...]}`. @param pretty as bpftool -p */
export function dumpJson(btf: Btf, ids: Iterable<number> = ownIds(btf), pretty = false): string {
  const node = (f: Field): JsonNode => {
    if (typeof f.value !== "string") return f.value.map((row) => members(row));
    return f.text ? jsonString(f.value) : f.value;
  };
  const members = (fields: readonly Field[]): JsonNode => ({ members: fields.map((f) => [f.name, node(f)] as const) });
  const types = [...ids].map((id) => {
    const type = known(btf, id);
    const head: Field[] = [
      { name: "id", value: `${id}` },
      { name: "kind", value: KIND_NAMES[type.kind], text: true },
      { name: "name", value: type.name || "(anon)", text: true },
    ];
    return members([...head, ...fieldsOf(type)]);
  });
  return jsonText({ members: [["types", types]] }, pretty);
}

function* ownIds(btf: Btf): Iterable<number> {
  for (let id = Math.max(btf.firstId, 1); id < btf.typeCount; id++) yield id;
}

function known(btf: Btf, id: number): BtfType {
  if (id === 0) throw new BpfError(EINVAL, "BTF type 0 is void: nothing to dump", { id });
  return btf.type(id);
}

function varText(btf: Btf, id: number): string {
  const kind = btf.kind(id);
  return kind === BTF_KIND_VAR || kind === BTF_KIND_FUNC ? ` (${KIND_NAMES[kind]} '${btf.nameOf(id)}')` : "";
}

const INT_ENCODINGS: Readonly<Record<number, string>> = {
  0: "(none)",
  [BTF_INT_SIGNED]: "SIGNED",
  [BTF_INT_CHAR]: "CHAR",
  [BTF_INT_BOOL]: "BOOL",
};
const LINKAGES: readonly string[] = ["static", "global", "extern"];

function num(name: string, value: number | bigint): Field {
  return { name, value: `${value}` };
}

function text(name: string, value: string): Field {
  return { name, value, text: true };
}

function fieldsOf(type: BtfType): Field[] {
  const name = (n: string): Field => text("name", n || "(anon)");
  switch (type.kind) {
    case BTF_KIND_UNKN:
      return [];
    case BTF_KIND_INT: {
      const encoding = text("encoding", INT_ENCODINGS[type.encoding] ?? "UNKN");
      return [num("size", type.size), num("bits_offset", type.bitOffset), num("nr_bits", type.bits), encoding];
    }
    case BTF_KIND_ARRAY:
      return [num("type_id", type.elemType), num("index_type_id", type.indexType), num("nr_elems", type.nelems)];
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: {
      const rows = type.members.map((m) => {
        const row = [name(m.name), num("type_id", m.type), num("bits_offset", m.bitOffset)];
        return m.bitfieldSize ? [...row, num("bitfield_size", m.bitfieldSize)] : row;
      });
      return [num("size", type.size), num("vlen", rows.length), { name: "members", value: rows }];
    }
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64: {
      const rows = type.values.map((v) => [name(v.name), num("val", v.value)]);
      const encoding = text("encoding", type.signed ? "SIGNED" : "UNSIGNED");
      return [encoding, num("size", type.size), num("vlen", rows.length), { name: "values", value: rows }];
    }
    case BTF_KIND_FWD:
      return [text("fwd_kind", type.union ? "union" : "struct")];
    case BTF_KIND_FUNC:
    case BTF_KIND_VAR:
      return [num("type_id", type.type), text("linkage", LINKAGES[type.linkage] ?? "(unknown)")];
    case BTF_KIND_FUNC_PROTO: {
      const rows = type.params.map((p) => [name(p.name), num("type_id", p.type)]);
      return [num("ret_type_id", type.retType), num("vlen", rows.length), { name: "params", value: rows }];
    }
    case BTF_KIND_DATASEC: {
      const rows = type.vars.map((v) => [num("type_id", v.type), num("offset", v.offset), num("size", v.size)]);
      return [num("size", type.size), num("vlen", rows.length), { name: "vars", value: rows }];
    }
    case BTF_KIND_FLOAT:
      return [num("size", type.size)];
    case BTF_KIND_DECL_TAG:
      return [num("type_id", type.type), num("component_idx", type.componentIdx)];
    default:
      return [num("type_id", type.type)];
  }
}
