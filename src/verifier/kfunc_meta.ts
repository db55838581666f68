/**
 * What is known of a kfunc call before its registers are looked at: prototype, flags, conventions of the parameters.
 *
 * A parameter's name tells how it is used: `__k` constant, `__sz` and `__szk` size of the memory before it, `__ign` not
 * looked at, `__uninit` filled by the call, `__opt` and `__nullable` may be NULL, `__alloc` and `__refcounted_kptr` objects
 * of the program, `__str` constant string, `__map` map, `__iter` iterator, `__irq_flag` saved interrupt state, `__prog`
 * filled in by the kernel.
 * Source   Documentation/bpf/kfuncs.rst, fetch_kfunc_meta(), add_kfunc_call() in kernel/bpf/verifier.c.
 */
import { BPF_F_XDP_DEV_BOUND_ONLY } from "../abi/bpf.ts";
import { EACCES, EINVAL } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_FUNC, BTF_KIND_FUNC_PROTO } from "../btf/kinds.ts";
import { type Kfunc, kfuncAllowed } from "../kfuncs/kfunc.ts";
import type { BtfField } from "./btf_record.ts";
import type { VerifierEnv } from "./env.ts";
import type { IterPlace } from "./iter.ts";
import type { VerifierMap } from "./platform.ts";

export interface KfuncMeta {
  readonly btf: Btf;
  readonly name: string;
  readonly funcId: number;
  readonly protoId: number;
  readonly kfunc: Kfunc;
  readonly flags: number;
  readonly insnIdx: number;
  // Found while the arguments are checked.
  refObjId: number;
  releaseRegno: number;
  /** Value of the one constant argument. */
  constant: { readonly value: number; readonly fits32: boolean } | undefined;
  argBtf: Btf | undefined;
  argBtfId: number;
  argOwningRef: boolean;
  retBtfId: number;
  r0Size: number;
  r0Rdonly: boolean;
  subprogno: number;
  root: BtfField | undefined;
  iter: IterPlace | undefined;
  map: VerifierMap | undefined;
  mapUid: number;
  dynptr: { readonly id: number; readonly type: number; readonly refObjId: number } | undefined;
}

/** BTF in which the kfunc of a call is: vmlinux, or a module's by fd_array index. */
function kfuncBtf(env: VerifierEnv, insnIdx: number): Btf | undefined {
  const off = env.insns.off[insnIdx];
  return off ? env.input.btfByIdx?.(off) : env.platform.btf;
}

const BPF_CALL = 0x85;
const PSEUDO_KFUNC = 2;
const MAX_KFUNCS = 256;

/** Looks at every kfunc call before the walk: they must name functions of a kernel BTF. */
export function addKfuncCalls(env: VerifierEnv): void {
  const { insns } = env;
  const seen = new Set<number>();
  for (let i = 0; i < insns.length; i++) {
    if (insns.code[i] !== BPF_CALL || insns.src[i] !== PSEUDO_KFUNC) continue;
    if (!env.platform.btf) env.reject(EINVAL, "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF");
    if (!env.facts.gpl) env.reject(EINVAL, "cannot call kernel function from non-GPL compatible program");
    // imm 0 is an unresolved weak kfunc: fine as long as the call is never reached.
    const id = insns.imm[i];
    if (id === 0 && insns.off[i] === 0) continue;
    const btf = kfuncBtf(env, i);
    if (!btf) env.reject(EINVAL, `kfunc offset > 0 without fd_array is invalid`);
    if (id <= 0 || id >= btf.typeCount || btf.kind(id) !== BTF_KIND_FUNC) {
      env.reject(EINVAL, `kernel btf_id ${id} is not a function`);
    }
    if (btf.kind(btf.ref(id)) !== BTF_KIND_FUNC_PROTO) {
      env.reject(EINVAL, `kernel function btf_id ${id} does not have a valid func_proto`);
    }
    if (env.platform.kfuncs.get(btf.nameOf(id))?.devBound && !(env.input.progFlags & BPF_F_XDP_DEV_BOUND_ONLY)) {
      env.reject(EINVAL, "metadata kfuncs require device-bound program");
    }
    seen.add(id);
    if (seen.size > MAX_KFUNCS) env.reject(EINVAL, "too many different kernel function calls");
  }
}

/** @throws Reject when the program may not call it */
export function fetchKfuncMeta(env: VerifierEnv, insnIdx: number): KfuncMeta {
  const btf = kfuncBtf(env, insnIdx);
  const funcId = env.insns.imm[insnIdx];
  if (!btf || funcId <= 0 || funcId >= btf.typeCount) env.rejectSilently(EINVAL);
  const name = btf.nameOf(funcId);
  const kfunc = env.platform.kfuncs.get(name);
  if (!kfunc || !kfuncAllowed(kfunc, env.facts.type, env.facts.expectedAttachType)) {
    env.reject(EACCES, `calling kernel function ${name} is not allowed`);
  }
  return {
    btf,
    name,
    funcId,
    protoId: btf.ref(funcId),
    kfunc,
    flags: kfunc.flags,
    insnIdx,
    refObjId: 0,
    releaseRegno: 0,
    constant: undefined,
    argBtf: undefined,
    argBtfId: 0,
    argOwningRef: false,
    retBtfId: 0,
    r0Size: 0,
    r0Rdonly: false,
    subprogno: 0,
    root: undefined,
    iter: undefined,
    map: undefined,
    mapUid: 0,
    dynptr: undefined,
  };
}
