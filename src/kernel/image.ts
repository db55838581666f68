/**
 * imageOf(): a verified program as engines run it. Every ld_imm64 gets its final value (map, map value, kernel symbol),
 * every helper and kfunc call its body.
 */
import { BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL } from "../abi/bpf.ts";
import type { Helper } from "../helpers/helper.ts";
import { bodyFor } from "../helpers/table.ts";
import type { CallTarget, ExecImage } from "../interp/image.ts";
import { cloneInsns } from "../isa/codec.ts";
import type { Insns } from "../isa/insns.ts";
import { BPF_CALL, BPF_JMP } from "../isa/opcodes.ts";
import { type KfuncCaller, kfuncBody } from "../kfuncs/bodies.ts";
import type { VerifiedProg } from "../verifier/platform.ts";
import type { KMap } from "./map.ts";

export interface ImageSources {
  /** By BPF_FUNC_*. */
  readonly helpers: readonly (Helper | undefined)[];
  /** Address of a kernel variable or function. */
  readonly ksym: (name: string, sizeBytes: number) => number;
}

/** @param owner  what the bodies of kfuncs know of the program */
export function imageOf(
  prog: VerifiedProg,
  owner: Pick<KfuncCaller, "btf" | "streams" | "progType">,
  sources: ImageSources,
): ExecImage {
  const insns = cloneInsns(prog.insns);
  const setImm64 = (idx: number, value: number): void => {
    insns.src[idx] = 0;
    insns.imm[idx] = value | 0;
    insns.imm[idx + 1] = 0;
  };
  for (const [idx, ref] of prog.mapRefs) {
    const map = ref.map as KMap;
    setImm64(idx, ref.off === undefined ? map.addr : map.valueAddr + ref.off);
  }
  for (const [idx, ref] of prog.ksymRefs) setImm64(idx, sources.ksym(ref.name, ref.btf.size(ref.btfId)));
  const kfuncs = new Map<string, Helper>();
  const kfunc = (name: string): Helper => {
    const body = kfuncs.get(name) ?? kfuncBody(name, owner);
    kfuncs.set(name, body);
    return body;
  };
  const calls = new Map<number, CallTarget>();
  for (let i = 0; i < insns.length; i++) {
    const target = callTarget(prog, insns, i, owner.progType, sources, kfunc);
    if (!target) continue;
    const map = prog.callMaps.get(i) as KMap | undefined;
    calls.set(i, map ? { helper: target, map: map.constMap } : { helper: target });
  }
  return {
    name: prog.name,
    insns,
    // extensions take the place of global functions, which only BTF tells
    subprogs: prog.subprogs.map((s) => ({ ...s, replaceable: s.global && owner.btf !== undefined })),
    calls,
    seen: prog.seen,
    probeMem: prog.probeMem,
  };
}

function callTarget(
  prog: VerifiedProg,
  insns: Insns,
  i: number,
  progType: number,
  sources: ImageSources,
  kfunc: (name: string) => Helper,
): Helper | undefined {
  if (insns.code[i] !== (BPF_JMP | BPF_CALL) || !prog.seen[i]) return undefined;
  if (insns.src[i] === BPF_PSEUDO_CALL) return undefined;
  if (insns.src[i] === BPF_PSEUDO_KFUNC_CALL) {
    const ref = prog.kfuncRefs.get(i);
    if (!ref) throw new Error(`${prog.name}: kfunc call at ${i} was not resolved by the verifier`);
    return kfunc(ref.name);
  }
  const helper = sources.helpers[insns.imm[i]!];
  if (!helper) throw new Error(`${prog.name}: helper ${insns.imm[i]} at ${i} was not refused by the verifier`);
  return bodyFor(helper, progType);
}
