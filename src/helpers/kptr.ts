/**
 * Kernel pointers kept in map values.
 *
 * Source   kernel/bpf/helpers.c.
 */
import { BPF_FUNC_kptr_xchg } from "../abi/bpf.ts";
import type { Helper, Runtime } from "./helper.ts";
import { ARG_KPTR_XCHG_DEST, ARG_PTR_TO_BTF_ID_OR_NULL, OBJ_RELEASE, RET_PTR_TO_BTF_ID_OR_NULL } from "./types.ts";

export const kptr_xchg: Helper = {
  id: BPF_FUNC_kptr_xchg,
  name: "kptr_xchg",
  proto: { args: [ARG_KPTR_XCHG_DEST, ARG_PTR_TO_BTF_ID_OR_NULL | OBJ_RELEASE], ret: RET_PTR_TO_BTF_ID_OR_NULL },
  abi: "pp:p",
  call: kptrXchg,
};

/** The old pointer becomes the program's, the new one the map's. */
function kptrXchg(rt: Runtime, at: number, ptr: number): number {
  const { memory } = rt;
  const old = memory.readU32(at >>> 0);
  memory.writeU64(at >>> 0, BigInt(ptr >>> 0));
  return old;
}
