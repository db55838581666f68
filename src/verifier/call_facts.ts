/**
 * What is known of a call instruction before anything is simulated: which registers it reads, whether it calls back,
 * may sleep, moves the packet, or ends the program.
 */
import {
  BPF_FUNC_find_vma,
  BPF_FUNC_for_each_map_elem,
  BPF_FUNC_get_smp_processor_id,
  BPF_FUNC_loop,
  BPF_FUNC_timer_set_callback,
  BPF_FUNC_user_ringbuf_drain,
} from "../abi/bpf.ts";
import { BTF_KIND_FUNC } from "../btf/kinds.ts";
import { ARG_DONTCARE, RET_VOID } from "../helpers/types.ts";
import { KF_FASTCALL, KF_ITER_NEXT, KF_SLEEPABLE } from "../kfuncs/kfunc.ts";
import type { VerifierEnv } from "./env.ts";

export const BPF_PSEUDO_CALL = 1;
export const BPF_PSEUDO_KFUNC_CALL = 2;

export interface CallFacts {
  readonly kind: "helper" | "kfunc";
  /** Helper name without bpf_, or kfunc name. */
  readonly name: string;
  /** Arguments r1.. that are read. */
  readonly numParams: number;
  readonly isVoid: boolean;
  readonly fastcall: boolean;
  /** Calls a program function before it returns. */
  readonly syncCallback: boolean;
  /** Registers a program function that runs later. */
  readonly asyncCallback: boolean;
  readonly iterNext: boolean;
  readonly mightSleep: boolean;
  readonly changesPktData: boolean;
  readonly throws: boolean;
}

const SYNC_HELPERS: ReadonlySet<number> = new Set([
  BPF_FUNC_for_each_map_elem,
  BPF_FUNC_find_vma,
  BPF_FUNC_loop,
  BPF_FUNC_user_ringbuf_drain,
]);
const ASYNC_HELPERS: ReadonlySet<number> = new Set([BPF_FUNC_timer_set_callback]);
const SYNC_KFUNCS: ReadonlySet<string> = new Set(["bpf_rbtree_add_impl"]);
const ASYNC_KFUNCS: ReadonlySet<string> = new Set([
  "bpf_wq_set_callback_impl",
  "bpf_task_work_schedule_signal_impl",
  "bpf_task_work_schedule_resume_impl",
  "bpf_task_work_schedule_signal",
  "bpf_task_work_schedule_resume",
]);
const PKT_KFUNCS: ReadonlySet<string> = new Set(["bpf_xdp_pull_data"]);
/** Helpers that the x86-64 JIT or the verifier replaces by a few instructions that clobber r0 only. */
const INLINED: ReadonlySet<number> = new Set([BPF_FUNC_get_smp_processor_id, 35, 158]);

export function isHelperCall(env: VerifierEnv, i: number): boolean {
  return env.insns.code[i] === 0x85 && env.insns.src[i] === 0;
}

export function isPseudoCall(env: VerifierEnv, i: number): boolean {
  return env.insns.code[i] === 0x85 && env.insns.src[i] === BPF_PSEUDO_CALL;
}

export function isKfuncCall(env: VerifierEnv, i: number): boolean {
  return env.insns.code[i] === 0x85 && env.insns.src[i] === BPF_PSEUDO_KFUNC_CALL;
}

/** Facts of the helper or kfunc call at instruction i; undefined when it is neither, or unknown to the platform. */
export function callFacts(env: VerifierEnv, i: number): CallFacts | undefined {
  const known = env.callFacts;
  if (known[i] === null)
    known[i] = isHelperCall(env, i) ? ofHelper(env, i) : isKfuncCall(env, i) ? ofKfunc(env, i) : undefined;
  return known[i] as CallFacts | undefined;
}

function ofHelper(env: VerifierEnv, i: number): CallFacts | undefined {
  const id = env.insns.imm[i];
  const helper = env.platform.helpers[id];
  if (!helper || !env.facts.mayCall(id)) return undefined;
  const { proto } = helper;
  const end = proto.args.indexOf(ARG_DONTCARE);
  return {
    kind: "helper",
    name: helper.name,
    numParams: end < 0 ? Math.min(5, proto.args.length) : end,
    isVoid: proto.ret === RET_VOID,
    fastcall: proto.allowFastcall === true && INLINED.has(id),
    syncCallback: SYNC_HELPERS.has(id),
    asyncCallback: ASYNC_HELPERS.has(id),
    iterNext: false,
    mightSleep: proto.mightSleep === true,
    changesPktData: proto.changesPktData === true,
    throws: false,
  };
}

function ofKfunc(env: VerifierEnv, i: number): CallFacts | undefined {
  const btf = env.insns.off[i] ? env.input.btfByIdx?.(env.insns.off[i]) : env.platform.btf;
  if (!btf) return undefined;
  const id = env.insns.imm[i];
  if (btf.kind(id) !== BTF_KIND_FUNC) return undefined;
  const name = btf.nameOf(id);
  const kfunc = env.platform.kfuncs.get(name);
  if (!kfunc) return undefined;
  const proto = btf.ref(id);
  return {
    kind: "kfunc",
    name,
    numParams: Math.min(5, btf.vlen(proto)),
    isVoid: btf.ref(proto) === 0,
    fastcall: (kfunc.flags & KF_FASTCALL) !== 0,
    syncCallback: SYNC_KFUNCS.has(name),
    asyncCallback: ASYNC_KFUNCS.has(name),
    iterNext: (kfunc.flags & KF_ITER_NEXT) !== 0,
    mightSleep: (kfunc.flags & KF_SLEEPABLE) !== 0,
    changesPktData: PKT_KFUNCS.has(name),
    throws: name === "bpf_throw",
  };
}
