/**
 * Resolves .ksyms externs against a kernel: typed variables and kfuncs by its BTF, typeless ones by its symbol table.
 *
 * A weak extern that is not there is undefined in the result: its address reads as 0, its calls are poisoned.
 * Errors  EINVAL for a typed extern that is missing or of another type, ESRCH for a typeless one, as libbpf.
 */
import { BpfError, EINVAL, ESRCH } from "../abi/errno.ts";
import { typesAreCompat } from "../btf/core_compat.ts";
import { essentialName } from "../btf/flavor.ts";
import { BTF_KIND_FUNC, BTF_KIND_VAR, kindName } from "../btf/kinds.ts";
import type { Fd } from "../kernel/bpf.ts";
import type { KsymExtern, ObjectSpec } from "../object/spec.ts";
import type { KernelType, KernelTypes } from "./kernel_types.ts";

export type ResolvedKsym =
  | { readonly kind: "btf"; readonly id: number; readonly objFd: number; readonly fdArrayIdx: number }
  | { readonly kind: "address"; readonly address: bigint };

export interface ResolvedExterns {
  /** By position in ObjectSpec.externs. */
  readonly ksyms: readonly (ResolvedKsym | undefined)[];
  /** fd_array of BPF_PROG_LOAD: module BTFs from index 1. */
  readonly fdArray: readonly Fd[];
}

/** @param kallsyms address of a kernel symbol, undefined when there is none */
export function resolveKsyms(
  spec: ObjectSpec,
  types: KernelTypes,
  kallsyms: ((name: string) => bigint | undefined) | undefined,
): ResolvedExterns {
  const fdArray: Fd[] = [];
  const ksyms = spec.externs.map((e): ResolvedKsym | undefined => {
    if (e.kind !== "ksym") return undefined;
    if (e.typeId === 0) return resolveAddress(spec, e, kallsyms);
    const found = e.func ? resolveFunc(spec, e, types) : resolveVar(spec, e, types);
    if (!found) return undefined;
    let fdArrayIdx = 0;
    if (found.module) {
      // index 0 means "the kernel itself" in a call
      if (fdArray.length === 0) fdArray.push(found.module.fd);
      fdArrayIdx = fdArray.indexOf(found.module.fd, 1);
      if (fdArrayIdx < 0) fdArrayIdx = fdArray.push(found.module.fd) - 1;
    }
    return { kind: "btf", id: found.id, objFd: found.module?.fd ?? 0, fdArrayIdx };
  });
  return { ksyms, fdArray };
}

function resolveAddress(
  spec: ObjectSpec,
  e: KsymExtern,
  kallsyms: ((name: string) => bigint | undefined) | undefined,
): ResolvedKsym | undefined {
  const address = kallsyms?.(e.name);
  if (address !== undefined) return { kind: "address", address };
  if (e.weak) return undefined;
  const wanted = "wanted a symbol of the kernel (kallsyms), or a __weak variable";
  throw new BpfError(ESRCH, `${spec.file}: extern '${e.name}' (strong): not resolved; ${wanted}`, { name: e.name });
}

function resolveFunc(spec: ObjectSpec, e: KsymExtern, types: KernelTypes): KernelType | undefined {
  const found = types.find(essentialName(e.name), BTF_KIND_FUNC);
  if (!found) {
    if (e.weak) return undefined;
    const message = `${spec.file}: extern (func ksym) '${e.name}': not found in kernel or module BTFs`;
    throw new BpfError(EINVAL, message, { name: e.name });
  }
  const proto = found.btf.ref(found.id);
  if (typesAreCompat(spec.btf!, e.typeId, found.btf, proto)) return found;
  if (e.weak) return undefined;
  const where = found.module?.name ?? "vmlinux";
  const message = `${spec.file}: extern (func ksym) '${e.name}': func_proto [${e.typeId}] incompatible with ${where} [${proto}]`;
  throw new BpfError(EINVAL, message, { name: e.name });
}

function resolveVar(spec: ObjectSpec, e: KsymExtern, types: KernelTypes): KernelType | undefined {
  const found = types.find(e.name, BTF_KIND_VAR);
  if (!found) {
    if (e.weak) return undefined;
    const message = `${spec.file}: extern (var ksym) '${e.name}': not found in kernel BTF`;
    throw new BpfError(EINVAL, message, { name: e.name });
  }
  const target = found.btf.resolve(found.btf.ref(found.id));
  if (typesAreCompat(spec.btf!, e.typeId, found.btf, target)) return found;
  const show = (btf: KernelType["btf"], id: number) =>
    `[${id}] ${kindName(btf.kind(id)).toLowerCase()} ${btf.nameOf(id)}`;
  const types2 = `expected ${show(spec.btf!, e.typeId)}, but kernel has ${show(found.btf, target)}`;
  throw new BpfError(EINVAL, `${spec.file}: extern (var ksym) '${e.name}': incompatible types, ${types2}`);
}
