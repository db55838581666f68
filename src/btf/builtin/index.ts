/**
 * The built-in kernel BTF: what programs commonly read of a kernel, for machines without a vmlinux BTF.
 *
 * Names and types are Linux 6.18's; layouts are natural, so offsets differ from any real kernel wherever fields are
 * left out. CO-RE makes programs indifferent to that. kfuncs are FUNCs with the declaration tag "bpf_kfunc"; per-CPU
 * variables are in the DATASEC ".data..percpu".
 */

import type { Btf } from "../btf.ts";
import { BtfBuilder } from "../build.ts";
import { CTypes } from "../c_parse.ts";
import { ATTACH_TYPES } from "./attach.ts";
import { BASE_TYPES } from "./base.ts";
import { BPF_TYPES } from "./bpf.ts";
import { FS_TYPES } from "./fs.ts";
import { KFUNC_TYPES } from "./kfuncs.ts";
import { NET_TYPES } from "./net.ts";
import { PACKET_TYPES } from "./packet.ts";
import { SAFE_TYPES } from "./safe.ts";
import { TASK_TYPES } from "./task.ts";
import { UAPI_TYPES } from "./uapi.ts";

const TEXTS = {
  base: BASE_TYPES,
  uapi: UAPI_TYPES,
  packet: PACKET_TYPES,
  net: NET_TYPES,
  task: TASK_TYPES,
  fs: FS_TYPES,
  bpf: BPF_TYPES,
  kfuncs: KFUNC_TYPES,
  attach: ATTACH_TYPES,
  safe: SAFE_TYPES,
};

/** Variables of the kernel that programs take the address of (`__ksym`). */
const PERCPU_VARS = ["int bpf_prog_active", "struct rq runqueues"];

/**
 * Builds the built-in BTF; about 50 ms, so keep the result.
 * @param more further C declarations, e.g. of kfuncs and types that an embedder adds
 */
export function builtinBtf(more: readonly string[] = []): Btf {
  const types = new CTypes(new BtfBuilder());
  for (const [name, text] of Object.entries(TEXTS)) types.declare(text, `builtin/${name}.ts`);
  more.forEach((text, i) => {
    types.declare(text, `declarations ${i}`);
  });
  types.declare(PERCPU_VARS.map((v) => `${v};`).join("\n"), "percpu");
  const builder = types.finish();
  let offset = 0;
  const vars = [...types.variables].map(([, { id, size }]) => {
    const at = offset;
    offset += Math.ceil(size / 64) * 64;
    return { type: id, offset: at, size };
  });
  builder.datasec(".data..percpu", offset, vars);
  return builder.parse();
}
