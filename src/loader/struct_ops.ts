/**
 * struct_ops maps: a local struct of an object converted to the kernel's struct of the same name.
 *
 * Members are matched by name: function pointers become programs, the rest is copied. The map's value is the kernel's
 * `struct bpf_struct_ops_NAME`, whose member of type `struct NAME` holds the converted bytes.
 * Source  libbpf's bpf_map__init_kern_struct_ops.
 */
import { BpfError, EINVAL, EOPNOTSUPP, type Errno, ESRCH } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_FUNC_PROTO, BTF_KIND_PTR, BTF_KIND_STRUCT, kindName } from "../btf/kinds.ts";
import type { MapSpec } from "../object/spec.ts";
import type { KernelTypes } from "./kernel_types.ts";
import type { StructOpsTarget } from "./prog_load.ts";

export interface KernelStructOps {
  readonly vmlinuxValueTypeId: number;
  /** Bytes of the map's value, without programs. */
  readonly value: Uint8Array;
  /** Program name -> where in `value` its fd goes, and where it attaches. */
  readonly progs: ReadonlyMap<string, { readonly off: number; readonly target: StructOpsTarget }>;
}

const PREFIX = "bpf_struct_ops_";

/** @param where names the map in errors */
export function convertStructOps(map: MapSpec, local: Btf, types: KernelTypes, where: string): KernelStructOps {
  const ops = map.structOps!;
  const bad = (errno: Errno, message: string) => new BpfError(errno, `${where}: ${message}`);
  const value = types.find(PREFIX + ops.typeName, BTF_KIND_STRUCT);
  if (!value) throw bad(ESRCH, `struct ${PREFIX}${ops.typeName} is not found in kernel BTF`);
  const { btf: kern, module } = value;
  const typeId = kern.byName(ops.typeName, BTF_KIND_STRUCT);
  const holder = kern.members(value.id).find((m) => m.type === typeId);
  if (!typeId || !holder)
    throw bad(EINVAL, `struct ${ops.typeName} is not in kernel's struct ${PREFIX}${ops.typeName}`);

  const bytes = new Uint8Array(kern.size(value.id));
  const progs = new Map<string, { off: number; target: StructOpsTarget }>();
  const kernMembers = kern.members(typeId);
  for (const m of local.members(ops.typeId)) {
    const size = local.size(m.type);
    if (size < 0) throw bad(EINVAL, `member '${m.name}' has no size`);
    const data = ops.bytes.subarray(m.bitOffset / 8, m.bitOffset / 8 + size);
    const prog = ops.funcs.get(m.name);
    const memberIdx = kernMembers.findIndex((k) => k.name === m.name);
    if (memberIdx < 0) {
      // what the kernel does not know may only be unset
      if (data.some((b) => b !== 0)) throw bad(EOPNOTSUPP, `cannot find member '${m.name}' in kernel BTF`);
      continue;
    }
    const k = kernMembers[memberIdx];
    if (m.bitfieldSize || k.bitfieldSize) throw bad(EOPNOTSUPP, `bitfield '${m.name}' is not supported`);
    const [kind, kernKind] = [local.kind(local.resolve(m.type)), kern.kind(kern.resolve(k.type))];
    if (kind !== kernKind) {
      const seen = `member '${m.name}' is ${kindName(kind)}`;
      throw bad(EOPNOTSUPP, `${seen}; the kernel's is ${kindName(kernKind)}`);
    }
    const off = (holder.bitOffset + k.bitOffset) / 8;
    if (kind === BTF_KIND_PTR) {
      if (prog === undefined) continue;
      if (kern.kind(kern.resolve(kern.ref(kern.resolve(k.type)))) !== BTF_KIND_FUNC_PROTO) {
        throw bad(EOPNOTSUPP, `kernel's member '${m.name}' is no function pointer`);
      }
      progs.set(prog, { off, target: { btfId: typeId, memberIdx, btfObjFd: module?.fd } });
      continue;
    }
    const kernSize = kern.size(k.type);
    if (kernSize !== size) throw bad(EOPNOTSUPP, `member '${m.name}' has ${size} bytes; the kernel's has ${kernSize}`);
    bytes.set(data, off);
  }
  return { vmlinuxValueTypeId: value.id, value: bytes, progs };
}
