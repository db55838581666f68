/**
 * fentry and fexit on the functions of programs: the main function or a global one is called through a hook while something is
 * attached to it.
 *
 * Errors   EBUSY an extension is in its place; EINVAL the program was attached before (each load's target counts once).
 * Source   bpf_tracing_prog_attach() of kernel/bpf/syscall.c, bpf_trampoline_link_prog() of kernel/bpf/trampoline.c.
 */
import { BpfError, EBUSY, EINVAL } from "../../abi/errno.ts";
import { BTF_KIND_PTR } from "../../btf/kinds.ts";
import type { Prog } from "../prog.ts";
import { CtxStruct } from "../structs/ctx_struct.ts";
import { StructScope } from "../structs/scope.ts";
import type { FuncHook, TraceHooks } from "./hooks.ts";
import type { Slot } from "./run.ts";

export interface ProgTarget {
  readonly target: Prog;
  readonly subprog: number;
  /** The name under which the function is called through TraceHooks. */
  readonly place: string;
}

/** The function that a tracing program was loaded for. @throws EINVAL, EBUSY */
export function progTarget(prog: Prog): ProgTarget {
  const { dst, facts } = prog;
  const fail = (errno: typeof EINVAL | typeof EBUSY, why: string): never => {
    throw new BpfError(errno, `program '${prog.name}': ${why}`, { prog: prog.id });
  };
  if (!dst) return fail(EINVAL, "was attached to its target before");
  const subprog = dst.subprogOf(facts.attachBtfId);
  const there = dst.patchAt(subprog);
  if (there && "prog" in there) fail(EBUSY, `an extension, program ${there.prog.id}, is in place of the function`);
  return { target: dst, subprog, place: `prog ${dst.id} ${dst.verified.subprogs[subprog]?.name ?? subprog}` };
}

/** Attaches, and puts the hook into the function where it is the first. @returns what takes it away again */
export function attachToProg(hooks: TraceHooks, at: ProgTarget, hook: FuncHook, slot: Slot): () => void {
  const { target, subprog, place } = at;
  if (!hooks.watched(place)) target.patch(subprog, { hook: tracedFunction(hooks, at) });
  const detach = hooks.attach(place, hook, slot);
  target.get();
  slot.prog.dropDst();
  return () => {
    detach();
    if (!hooks.watched(place)) target.patch(subprog, undefined);
    target.put();
  };
}

type HookFunc = (args: readonly bigint[], original: (args: readonly bigint[]) => bigint) => bigint;

function tracedFunction(hooks: TraceHooks, { target, subprog, place }: ProgTarget): HookFunc {
  const nArgs = argCount(target, subprog);
  const kernCtx = ctxStructOf(target, subprog);
  return (args, original) => {
    using scope = new StructScope(hooks.kernel);
    const words = args.slice(0, nArgs);
    const ctx = kernCtx === undefined ? undefined : new CtxStruct(scope, kernCtx, Number(args[0] ?? 0n));
    if (ctx) words[0] = BigInt(ctx.addr);
    return hooks.call(place, words, () => {
      const ret = original(args);
      ctx?.refresh();
      return ret;
    });
  };
}

function protoOf(target: Prog, subprog: number): number {
  const view = new DataView(target.facts.funcInfo.buffer, target.facts.funcInfo.byteOffset);
  const func = view.getUint32(8 * subprog + 4, true);
  return target.facts.btf!.btf.ref(func);
}

function argCount(target: Prog, subprog: number): number {
  return target.facts.btf!.btf.vlen(protoOf(target, subprog));
}

/** The kernel's struct, too, is what the program sees. */
const SAME_CTX: ReadonlySet<string> = new Set(["pt_regs", "u64", "void"]);

/** The kernel's struct in place of the context, where the function's first parameter is the context. */
function ctxStructOf(target: Prog, subprog: number): string | undefined {
  const btf = target.facts.btf!.btf;
  const proto = protoOf(target, subprog);
  const type = target.kernel.platform.progTypes[target.type];
  if (!type || btf.vlen(proto) === 0 || SAME_CTX.has(type.kernCtx)) return undefined;
  const ptr = btf.resolve(btf.paramType(proto, 0));
  const named = btf.kind(ptr) === BTF_KIND_PTR ? btf.nameOf(btf.resolve(btf.ref(ptr))) : "";
  return subprog === 0 || named === type.ctxStruct ? type.kernCtx : undefined;
}
