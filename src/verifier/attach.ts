/**
 * What a program attaches to, checked before it is walked: tracing, LSM, struct_ops, extensions; and whether it may sleep.
 *
 * Source   check_attach_btf_id(), bpf_check_attach_target(), check_struct_ops_btf_id() in kernel/bpf/verifier.c,
 *          bpf_lsm_verify_prog(), btf_distill_func_proto(), bpf_struct_ops_desc_init().
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOTSUPP, EOPNOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import {
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNKN,
  kindName,
} from "../btf/kinds.ts";
import { MEM_RDONLY, PTR_MAYBE_NULL, PTR_TRUSTED } from "../helpers/types.ts";
import { KF_SLEEPABLE } from "../kfuncs/kfunc.ts";
import { DISABLED_LSM_HOOKS, LSM_PREFIX, SLEEPABLE_LSM_HOOKS } from "../progs/lsm_hooks.ts";
import type { VerifierEnv } from "./env.ts";
import type { Platform, VerifiedProg, VerifyInput } from "./platform.ts";
import type { AttachTarget, CtxArgInfo } from "./prog_facts.ts";
import { PTR_TO_BTF_ID, PTR_TO_BUF } from "./reg_type.ts";

const RAW_TP_PREFIX = "btf_trace_";
const ITER_PREFIX = "bpf_iter_";
/** Most arguments a traced function may have, and bytes of one passed by value. */
const MAX_FUNC_ARGS = 12;
const MAX_STRUCT_ARG = 16;

/** Functions that tracing would recurse through. */
const DENIED = new Set([
  "migrate_disable",
  "migrate_enable",
  "rcu_read_unlock_strict",
  "__rcu_read_lock",
  "__rcu_read_unlock",
]);
/** Functions that do not return: nothing can run after them. */
const NORETURN = new Set([
  "__ia32_sys_exit",
  "__ia32_sys_exit_group",
  "__kunit_abort",
  "kunit_try_catch_throw",
  "__module_put_and_kthread_exit",
  "__x64_sys_exit",
  "__x64_sys_exit_group",
  "do_exit",
  "do_group_exit",
  "kthread_complete_and_exit",
  "kthread_exit",
  "make_task_dead",
]);

/** Finds env.facts.attach. @throws Reject */
export function checkAttachBtfId(env: VerifierEnv): void {
  const { input } = env;
  const type = input.progType;
  const { sleepable } = env.facts;
  if (type === abi.BPF_PROG_TYPE_SYSCALL) {
    if (!sleepable) env.reject(EINVAL, "Syscall programs can only be sleepable");
    return;
  }
  if (sleepable && !canSleep(env)) {
    env.reject(EINVAL, "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable");
  }
  if (type === abi.BPF_PROG_TYPE_STRUCT_OPS) {
    setTarget(env, structOpsTarget(env));
    return;
  }
  if (type !== abi.BPF_PROG_TYPE_TRACING && type !== abi.BPF_PROG_TYPE_LSM && type !== abi.BPF_PROG_TYPE_EXT) return;
  setTarget(env, funcTarget(env));
}

/** From now on the helpers that the target allows count; what was asked before did not know it. */
function setTarget(env: VerifierEnv, target: AttachTarget): void {
  env.facts.setAttach(target);
  env.callFacts.fill(null);
}

function canSleep(env: VerifierEnv): boolean {
  const { progType, expectedAttachType: e } = env.input;
  switch (progType) {
    case abi.BPF_PROG_TYPE_TRACING:
      return (
        e === abi.BPF_TRACE_FENTRY ||
        e === abi.BPF_TRACE_FEXIT ||
        e === abi.BPF_MODIFY_RETURN ||
        e === abi.BPF_TRACE_ITER
      );
    case abi.BPF_PROG_TYPE_LSM:
      return e !== abi.BPF_LSM_CGROUP;
    default:
      return progType === abi.BPF_PROG_TYPE_KPROBE || progType === abi.BPF_PROG_TYPE_STRUCT_OPS;
  }
}

// struct_ops

function structOpsTarget(env: VerifierEnv): AttachTarget {
  const { input } = env;
  if (!env.facts.gpl) env.reject(EINVAL, "struct ops programs must have a GPL compatible license");
  const btf = input.attachBtf ?? env.platform.btf;
  const id = input.attachBtfId ?? 0;
  if (!id || !btf) env.rejectSilently(ENOTSUPP);
  const struct = id < btf.typeCount ? btf.nameOf(id) : "";
  // The kernel registers a struct by defining its value type.
  const known = btf.kind(id) === BTF_KIND_STRUCT && btf.byName(`bpf_struct_ops_${struct}`, BTF_KIND_STRUCT) !== 0;
  if (!known) env.reject(ENOTSUPP, `attach_btf_id ${id} is not a supported struct`);
  const idx = input.expectedAttachType;
  if (idx >= btf.vlen(id)) env.reject(EINVAL, `attach to invalid member idx ${idx} of struct ${struct}`);
  const member = btf.memberName(id, idx);
  const ptr = btf.resolve(btf.memberType(id, idx));
  const proto = btf.kind(ptr) === BTF_KIND_PTR ? btf.resolve(btf.ref(ptr)) : 0;
  if (!proto || btf.kind(proto) !== BTF_KIND_FUNC_PROTO) {
    env.reject(EINVAL, `attach to invalid member ${member}(@idx ${idx}) of struct ${struct}`);
  }
  const denied = STRUCT_OPS_DENIED[struct]?.(member, env.facts.sleepable);
  if (denied) env.reject(denied, `attach to unsupported member ${member} of struct ${struct}`);
  return {
    btf,
    name: member,
    protoId: proto,
    skipFirst: false,
    ctxArgs: stubArgs(btf, struct, member, proto),
    structOps: { struct, member },
  };
}

/** Members that a struct does not let programs implement (check_member(), missing stubs). */
const STRUCT_OPS_DENIED: Readonly<Record<string, (member: string, sleepable: boolean) => 22 | 524 | undefined>> = {
  tcp_congestion_ops: (member) => (member === "get_info" ? ENOTSUPP : undefined),
  bpf_dummy_ops: (member, sleepable) => (sleepable && member !== "test_sleepable" ? EINVAL : undefined),
};

/** Arguments marked `__nullable` or `__ref` in the stub STRUCT__member. */
function stubArgs(btf: Btf, struct: string, member: string, proto: number): CtxArgInfo[] {
  const stub = btf.byName(`${struct}__${member}`, BTF_KIND_FUNC);
  if (!stub) return [];
  const stubProto = btf.ref(stub);
  const infos: CtxArgInfo[] = [];
  let offset = 0;
  for (let i = 0; i < btf.vlen(stubProto) && i < btf.vlen(proto); i++) {
    const name = btf.paramName(stubProto, i);
    const type = btf.resolve(btf.paramType(proto, i));
    const nullable = name.endsWith("__nullable");
    const ref = name.endsWith("__ref");
    if ((nullable || ref) && btf.kind(type) === BTF_KIND_PTR) {
      const regType = PTR_TO_BTF_ID | PTR_TRUSTED | (nullable ? PTR_MAYBE_NULL : 0);
      infos.push({ offset, regType, btf, btfId: btf.resolve(btf.ref(type)), refcounted: ref });
    }
    offset += Math.ceil(Math.max(btf.size(type), 1) / 8) * 8;
  }
  return infos;
}

// tracing, lsm, ext

/** What the checks of a target read: of a program that is being verified, or of one that gets another target later. */
interface TargetEnv extends Pick<VerifierEnv, "reject" | "rejectSilently" | "platform"> {
  readonly input: Pick<
    VerifyInput,
    "progType" | "expectedAttachType" | "attachBtfId" | "attachBtf" | "attachProg" | "btf" | "funcInfo"
  >;
  readonly facts: Pick<VerifierEnv["facts"], "sleepable" | "gpl">;
  /** Of the main function. */
  readonly subprogs: readonly { readonly changesPktData: boolean; readonly mightSleep: boolean }[];
}

/**
 * bpf_check_attach_target() for a loaded extension that is attached to another function than the one it was loaded for.
 * @throws BpfError
 */
export function checkRetarget(prog: VerifiedProg, input: TargetEnv["input"], platform: Platform): void {
  funcTarget({
    input,
    platform,
    facts: { sleepable: prog.sleepable, gpl: true },
    subprogs: prog.subprogs,
    reject(errno, message) {
      throw new BpfError(errno, `program '${prog.name}': ${message}`, { target: input.attachProg?.name });
    },
    rejectSilently(errno) {
      throw new BpfError(errno, `program '${prog.name}' cannot have this target`, { target: input.attachProg?.name });
    },
  });
}

function funcTarget(env: TargetEnv): AttachTarget {
  const { input } = env;
  const target = input.attachProg;
  const isExt = input.progType === abi.BPF_PROG_TYPE_EXT;
  const id = input.attachBtfId ?? 0;
  if (!id) env.reject(EINVAL, "Tracing programs must provide btf_id");
  const btf = target ? target.btf : (input.attachBtf ?? env.platform.btf);
  if (!btf) {
    env.reject(EINVAL, "FENTRY/FEXIT program can only be attached to another program annotated with BTF");
  }
  if (id >= btf.typeCount) env.reject(EINVAL, `attach_btf_id ${id} is invalid`);
  const name = btf.nameOf(id);
  if (name === "") env.reject(EINVAL, `attach_btf_id ${id} doesn't have a name`);
  if (target) checkTargetProg(env, id, name);
  else if (isExt) env.reject(EINVAL, "Cannot replace kernel functions");

  const e = input.expectedAttachType;
  if (e === abi.BPF_TRACE_RAW_TP && !isExt) return rawTpTarget(env, btf, id, name);
  if (btf.kind(id) !== BTF_KIND_FUNC) env.reject(EINVAL, `attach_btf_id ${id} is not a function`);
  const proto = btf.ref(id);
  if (btf.kind(proto) !== BTF_KIND_FUNC_PROTO) env.rejectSilently(EINVAL);
  if (e === abi.BPF_TRACE_ITER && !isExt) {
    checkFuncModel(env, btf, proto, name);
    if (!name.startsWith(ITER_PREFIX)) env.rejectSilently(EINVAL);
    return { btf, name, protoId: proto, skipFirst: false, ctxArgs: iterArgs(env, btf, name, proto) };
  }
  const known: readonly number[] = [
    abi.BPF_MODIFY_RETURN,
    abi.BPF_LSM_MAC,
    abi.BPF_LSM_CGROUP,
    abi.BPF_TRACE_FENTRY,
    abi.BPF_TRACE_FEXIT,
  ];
  if (!isExt && !known.includes(e)) env.rejectSilently(EINVAL);
  // The prototype of a static function of another program says nothing.
  const reliable = !target || target.funcs.find((f) => f.typeId === id)?.global === true;
  if (isExt) checkExtMatches(env, btf, id);
  if (reliable) {
    const retSize = checkFuncModel(env, btf, proto, name);
    if (retSize > 8 && (e === abi.BPF_MODIFY_RETURN || e === abi.BPF_TRACE_FEXIT)) {
      env.reject(
        EOPNOTSUPP,
        `Attach to function ${name} with a >8 byte return value is not supported for this attach type`,
      );
    }
  }
  checkSleepAndModify(env, name);
  checkDenied(env, id, name);
  return { btf, name, protoId: reliable ? proto : 0, skipFirst: false, ctxArgs: [] };
}

function rawTpTarget(env: TargetEnv, btf: Btf, id: number, name: string): AttachTarget {
  if (env.input.attachProg) {
    env.reject(EINVAL, "Only FENTRY/FEXIT progs are attachable to another BPF prog");
  }
  if (btf.kind(id) !== BTF_KIND_TYPEDEF) env.reject(EINVAL, `attach_btf_id ${id} is not a typedef`);
  if (!name.startsWith(RAW_TP_PREFIX)) {
    env.reject(EINVAL, `attach_btf_id ${id} points to wrong type name ${name}`);
  }
  const tp = name.slice(RAW_TP_PREFIX.length);
  // The probe's own prototype has parameter names (`__nullable`); the typedef has types only.
  const probe = btf.byName(`__bpf_trace_${tp}`, BTF_KIND_FUNC);
  const proto = probe ? btf.ref(probe) : btf.ref(btf.ref(id));
  if (btf.kind(proto) !== BTF_KIND_FUNC_PROTO) env.rejectSilently(EINVAL);
  return { btf, name: tp, protoId: proto, skipFirst: true, ctxArgs: [] };
}

/** Arguments of bpf_iter_* that are NULL at the end of the walk, or buffers. */
function iterArgs(env: TargetEnv, btf: Btf, name: string, proto: number): CtxArgInfo[] {
  const trusted = ITER_TRUSTED.has(name.slice(ITER_PREFIX.length));
  const infos: CtxArgInfo[] = [];
  for (let i = 1; i < btf.vlen(proto); i++) {
    const type = btf.resolve(btf.paramType(proto, i));
    if (btf.kind(type) !== BTF_KIND_PTR) continue;
    const target = btf.resolve(btf.ref(type));
    if (btf.kind(target) === BTF_KIND_UNKN) {
      const rdonly = btf.paramName(proto, i) === "key" ? MEM_RDONLY : 0;
      infos.push({ offset: 8 * i, regType: PTR_TO_BUF | PTR_MAYBE_NULL | rdonly, btf: undefined, btfId: 0 });
    } else if (btf.isComposite(target)) {
      // The map that is walked is there at every step; only as the element itself it may be none.
      if (btf.paramName(proto, i) === "map" && name !== "bpf_iter_bpf_map") continue;
      const regType = PTR_TO_BTF_ID | PTR_MAYBE_NULL | (trusted ? PTR_TRUSTED : 0);
      infos.push({ offset: 8 * i, regType, btf: env.platform.btf, btfId: target });
    }
  }
  return infos;
}

/** Iterators whose elements are trusted pointers. */
const ITER_TRUSTED = new Set(["task", "bpf_map", "cgroup", "tcp", "udp", "kmem_cache"]);

function checkTargetProg(env: TargetEnv, id: number, name: string): void {
  const target = env.input.attachProg!;
  const { progType } = env.input;
  const isExt = progType === abi.BPF_PROG_TYPE_EXT;
  const func = target.funcs.find((f) => f.typeId === id);
  if (!func) env.reject(EINVAL, `Subprog ${name} doesn't exist`);
  if (func.exceptionCb) {
    env.reject(EINVAL, `${isExt ? "Extension" : "FENTRY/FEXIT"} programs cannot attach to exception callback`);
  }
  if (isExt && !func.global) env.reject(EINVAL, "Cannot replace static functions");
  const [main] = env.subprogs;
  if (isExt && main?.changesPktData && !func.changesPktData) {
    env.reject(EINVAL, "Extension program changes packet data, while original does not");
  }
  if (isExt && main?.mightSleep && !func.mightSleep) {
    env.reject(EINVAL, "Extension program may sleep, while original does not");
  }
  if (progType === abi.BPF_PROG_TYPE_TRACING) {
    if (target.attachedToTracing) env.reject(EINVAL, "Cannot nest tracing program attach more than once");
  } else if (target.type === progType) {
    env.reject(EINVAL, "Cannot recursively attach");
  }
  const e = target.expectedAttachType;
  if (isExt && target.type === abi.BPF_PROG_TYPE_TRACING && (e === abi.BPF_TRACE_FENTRY || e === abi.BPF_TRACE_FEXIT)) {
    env.reject(EINVAL, "Cannot extend fentry/fexit");
  }
}

/** The extension's own main function must have the prototype of what it replaces. btf_check_func_type_match(). */
function checkExtMatches(env: TargetEnv, target: Btf, targetId: number): void {
  const { btf } = env.input;
  const mine = env.input.funcInfo?.[0]?.typeId ?? 0;
  if (!btf || !mine) env.reject(EINVAL, "Extension programs need BTF of their own");
  const a = btf.ref(mine);
  const b = target.ref(targetId);
  const fn = target.nameOf(targetId);
  if (btf.vlen(a) !== target.vlen(b)) {
    env.reject(EINVAL, `${btf.nameOf(mine)}() has ${btf.vlen(a)} args while ${fn}() has ${target.vlen(b)} args`);
  }
  if (btf.kind(btf.resolve(btf.ref(a))) !== target.kind(target.resolve(target.ref(b)))) {
    const types = `${kindName(btf.kind(btf.resolve(btf.ref(a))))} doesn't match type ${kindName(target.kind(target.resolve(target.ref(b))))}`;
    env.reject(EINVAL, `Return type ${types} of ${fn}()`);
  }
  for (let i = 0; i < btf.vlen(a); i++) {
    const x = btf.resolve(btf.paramType(a, i));
    const y = target.resolve(target.paramType(b, i));
    const both = `${kindName(btf.kind(x))} in ${btf.nameOf(mine)}()`;
    if (btf.kind(x) !== target.kind(y)) {
      env.reject(EINVAL, `arg${i} in ${both} doesn't match type ${kindName(target.kind(y))} in ${fn}()`);
    }
    if (btf.kind(x) !== BTF_KIND_PTR) {
      if (btf.size(x) !== target.size(y)) {
        env.reject(
          EINVAL,
          `arg${i} in ${btf.nameOf(mine)}() has size ${btf.size(x)} while ${fn}() has ${target.size(y)}`,
        );
      }
      continue;
    }
    const xName = btf.nameOf(btf.resolve(btf.ref(x)));
    const yName = target.nameOf(target.resolve(target.ref(y)));
    if (xName !== yName) {
      env.reject(EINVAL, `arg${i} in ${btf.nameOf(mine)}() refers to ${xName} while ${fn}() refers to ${yName}`);
    }
  }
}

/** Can a trampoline carry the arguments? Returns the size of the result. */
function checkFuncModel(env: TargetEnv, btf: Btf, proto: number, name: string): number {
  const n = btf.vlen(proto);
  if (n > MAX_FUNC_ARGS) env.reject(EINVAL, `The function ${name} has ${n} arguments. Too many.`);
  const sizeOf = (id: number): number => {
    const t = btf.resolve(id);
    const kind = btf.kind(t);
    if (kind === BTF_KIND_UNKN) return 0;
    const ok: readonly number[] = [BTF_KIND_PTR, BTF_KIND_INT, BTF_KIND_ENUM, BTF_KIND_ENUM64, BTF_KIND_STRUCT];
    return ok.includes(kind) ? btf.size(t) : -1;
  };
  const label = (id: number): string => kindName(btf.kind(btf.resolve(id)));
  const ret = btf.ref(proto);
  const retSize = sizeOf(ret);
  if (retSize < 0 || btf.kind(btf.resolve(ret)) === BTF_KIND_STRUCT) {
    env.reject(EINVAL, `The function ${name} return type ${label(ret)} is unsupported.`);
  }
  for (let i = 0; i < n; i++) {
    const type = btf.paramType(proto, i);
    if (i === n - 1 && type === 0) {
      env.reject(EINVAL, `The function ${name} with variable args is unsupported.`);
    }
    const size = sizeOf(type);
    if (size < 0 || size > MAX_STRUCT_ARG) {
      env.reject(EINVAL, `The function ${name} arg${i} type ${label(type)} is unsupported.`);
    }
    if (size === 0) env.reject(EINVAL, `The function ${name} has malformed void argument.`);
  }
  return retSize;
}

/** Functions whose result programs may change: kfuncs registered for it, and LSM hooks. */
function modifiable(env: TargetEnv, name: string): boolean {
  return name.startsWith("security_") || env.platform.kfuncs.get(name)?.hooks.includes("fmodret") === true;
}

function checkSleepAndModify(env: TargetEnv, name: string): void {
  const { input } = env;
  if (env.facts.sleepable) {
    let ok = false;
    if (input.progType === abi.BPF_PROG_TYPE_TRACING) {
      const kfunc = env.platform.kfuncs.get(name);
      const listed = kfunc?.hooks.includes("fmodret") === true && (kfunc.flags & KF_SLEEPABLE) !== 0;
      // System calls are error-injectable, and those may sleep.
      ok = listed || /^__(x64|ia32|arm64|s390x?)_sys_/.test(name);
    } else if (input.progType === abi.BPF_PROG_TYPE_LSM) {
      ok = SLEEPABLE_LSM_HOOKS.has(name.replace(LSM_PREFIX, ""));
    }
    if (!ok) env.reject(EINVAL, `${name} is not sleepable`);
  } else if (input.expectedAttachType === abi.BPF_MODIFY_RETURN) {
    if (input.attachProg) env.reject(EINVAL, "can't modify return codes of BPF programs");
    if (!modifiable(env, name) && !/^__(x64|ia32)_sys_/.test(name)) env.reject(EINVAL, `${name}() is not modifiable`);
  }
}

function checkDenied(env: TargetEnv, id: number, name: string): void {
  const { progType, expectedAttachType: e, attachProg } = env.input;
  if (progType === abi.BPF_PROG_TYPE_LSM) {
    if (!env.facts.gpl) env.reject(EINVAL, "LSM programs must have a GPL compatible license");
    const hook = name.replace(LSM_PREFIX, "");
    if (DISABLED_LSM_HOOKS.has(hook)) env.reject(EINVAL, `attach_btf_id ${id} points to disabled hook ${name}`);
    if (!name.startsWith(LSM_PREFIX)) {
      env.reject(EINVAL, `attach_btf_id ${id} points to wrong type name ${name}`);
    }
    return;
  }
  if (attachProg || progType !== abi.BPF_PROG_TYPE_TRACING) return;
  if (DENIED.has(name)) env.reject(EINVAL, `Attaching tracing programs to function '${name}' is rejected.`);
  if ((e === abi.BPF_TRACE_FEXIT || e === abi.BPF_MODIFY_RETURN) && NORETURN.has(name)) {
    env.reject(EINVAL, `Attaching fexit/fsession/fmod_ret to __noreturn function '${name}' is rejected.`);
  }
}
