/** Names of struct members by offset: "ctx->ingress_ifindex", "task_struct.pid", "value.count". */
import type { Btf } from "../../btf/btf.ts";
import { BTF_KIND_ARRAY, BTF_KIND_STRUCT, BTF_KIND_TYPEDEF } from "../../btf/kinds.ts";
import { fieldAccessOk } from "../ctx_access.ts";
import type { VerifierEnv } from "../env.ts";

const MAX_DEPTH = 8;
const SIZES = [1, 2, 4, 8];

/** "a.b[]" for the innermost member that holds the byte; undefined when none does. */
export function memberAt(btf: Btf, typeId: number, offBytes: number, depth = 0): string | undefined {
  const id = btf.resolve(typeId);
  if (!btf.isComposite(id) || depth > MAX_DEPTH) return undefined;
  for (let i = 0; i < btf.vlen(id); i++) {
    const start = Math.floor(btf.memberOffsetBits(id, i) / 8);
    let type = btf.resolve(btf.memberType(id, i));
    const size = btf.size(type);
    if (offBytes < start || offBytes >= start + Math.max(size, 1)) continue;
    let name = btf.memberName(id, i);
    let inside = offBytes - start;
    while (btf.kind(type) === BTF_KIND_ARRAY) {
      name += "[]";
      type = btf.resolve(btf.elemType(type));
      inside %= Math.max(1, btf.size(type));
    }
    const inner = memberAt(btf, type, inside, depth + 1);
    if (inner === undefined) return name === "" ? undefined : name;
    return name === "" ? inner : `${name}.${inner}`;
  }
  return undefined;
}

/** Name of a context member, by the program's or the kernel's BTF. */
export function ctxField(env: VerifierEnv, offBytes: number): string | undefined {
  const { ctxStruct } = env.facts.progType;
  for (const btf of [env.input.btf, env.platform.btf]) {
    if (!btf || ctxStruct === "") continue;
    const id = btf.byName(ctxStruct, BTF_KIND_STRUCT) || btf.byName(ctxStruct, BTF_KIND_TYPEDEF);
    const name = id ? memberAt(btf, id, offBytes) : undefined;
    if (name) return name;
  }
  return undefined;
}

/** What this program may do with the bytes at an offset of its context. */
export interface CtxFieldFacts {
  /** "struct xdp_md". */
  readonly struct: string;
  readonly field: string | undefined;
  /** Sizes at which the offset can be read and written; undefined where no table says. */
  readonly read: readonly number[] | undefined;
  readonly write: readonly number[] | undefined;
}

export function ctxFieldFacts(env: VerifierEnv, offBytes: number): CtxFieldFacts {
  const { progType, key } = env.facts;
  const table = progType.ctx.kind === "fields";
  const sizes = (write: boolean) => (table ? SIZES.filter((s) => fieldAccessOk(key, offBytes, s, write)) : undefined);
  return {
    struct: progType.ctxStruct ? `struct ${progType.ctxStruct}` : "the context",
    field: ctxField(env, offBytes),
    read: sizes(false),
    write: sizes(true),
  };
}
