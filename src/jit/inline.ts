/**
 * Helpers that become code instead of a call. One entry of INLINES per helper; an entry may decline a call (a map that
 * is not known, say), which then goes the general way.
 */
import {
  BPF_FUNC_get_smp_processor_id,
  BPF_FUNC_loop,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_tail_call,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_PERCPU_ARRAY,
} from "../abi/bpf.ts";
import { E2BIG, EINVAL } from "../abi/errno.ts";
import { MAX_TAIL_CALL_CNT } from "../interp/env.ts";
import type { CallTarget, ConstMap } from "../interp/image.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { OP } from "../wasm/opcodes.ts";
import { FP_LOCAL, type FuncGen } from "./func.ts";

export interface Inline {
  /** Whether this call can be inlined. */
  readonly when: (target: CallTarget) => boolean;
  readonly emit: (f: FuncGen, target: CallTarget) => void;
  /** Key of an import that the code calls. */
  readonly needs?: string;
}

/** The inline form of a call, when it has one. */
export function inlineOf(target: CallTarget): Inline | undefined {
  return INLINES[target.helper.id]?.find((inline) => inline.when(target));
}

const hasValues = (target: CallTarget): boolean => target.map?.values !== undefined;
const isArray = (map: ConstMap): boolean => map.type === BPF_MAP_TYPE_ARRAY || map.type === BPF_MAP_TYPE_PERCPU_ARRAY;

/** A lookup in an array whose elements lie where the compiler knows. */
export function isInlineLookup(target: CallTarget): boolean {
  return target.helper.id === BPF_FUNC_map_lookup_elem && hasValues(target) && isArray(target.map as ConstMap);
}

const INLINES: Record<number, readonly Inline[]> = {
  [BPF_FUNC_map_lookup_elem]: [{ when: isInlineLookup, emit: emitArrayLookup }],
  [BPF_FUNC_get_smp_processor_id]: [{ when: () => true, emit: emitProcessorId }],
  [BPF_FUNC_loop]: [{ when: () => true, emit: emitLoop }],
  [BPF_FUNC_tail_call]: [
    { when: hasValues, emit: emitTailCall },
    { when: () => true, emit: emitTailCall, needs: "tail_call_target" },
  ],
};

/** Pushes base + index * stride, the index being an i32 local. */
function pushElement(f: FuncGen, index: number, { base, stride }: NonNullable<ConstMap["values"]>): void {
  const { code } = f;
  code.get(index);
  code.i32(stride);
  code.op(OP.i32_mul);
  code.i32(base);
  code.op(OP.i32_add);
}

function emitArrayLookup(f: FuncGen, { map }: CallTarget): void {
  const { code } = f;
  const { maxEntries, values } = map as ConstMap & Required<Pick<ConstMap, "values">>;
  const index = f.temp("t32");
  const found = f.temp("found32");
  const value = f.temp("u32");
  const { stackWord } = f;
  if (stackWord && f.frameOff[2] === stackWord.off) code.get(stackWord.local);
  else {
    f.get32(2);
    code.mem(OP.i32_load);
  }
  code.tee(index);
  code.i32(maxEntries);
  code.op(OP.i32_lt_u);
  // two results of one branch, so that a test for NULL that follows can be seen to be the same branch
  code.if();
  pushElement(f, index, values);
  if (values.cpuStride) {
    f.cpuField(CPU_CTX.cpu);
    code.i32(values.cpuStride);
    code.op(OP.i32_mul);
    code.op(OP.i32_add);
  }
  code.set(value);
  code.i32(1);
  code.set(found);
  code.else();
  code.i32(0);
  code.set(value);
  code.i32(0);
  code.set(found);
  code.end();
  code.get(value);
  f.set32(0);
  f.notNull = found;
}

function emitProcessorId(f: FuncGen): void {
  f.cpuField(CPU_CTX.cpu);
  f.set32(0);
}

const BPF_MAX_LOOPS = 8 << 20;

/** bpf_loop(u32 nr_loops, callback, ctx, flags): r0 = how often the callback ran, or an error. */
function emitLoop(f: FuncGen): void {
  const { code, module } = f;
  const count = f.temp("loop");
  const known = f.funcInReg[2];
  f.get64(4);
  code.op(OP.i64_eqz);
  code.if("i64");
  f.get32(1);
  code.i32(BPF_MAX_LOOPS);
  code.op(OP.i32_le_u);
  code.if("i64");
  code.i64(0);
  code.set(count);
  code.block();
  code.loop();
  f.charge(1);
  code.get(count);
  code.op(OP.i32_wrap_i64);
  f.get32(1);
  code.op(OP.i32_ge_u);
  code.brIf(1);
  code.get(f.base);
  code.get(count);
  f.get64(3);
  for (let arg = 3; arg <= 5; arg++) code.i64(0);
  if (known) code.call(module.funcs[known - 1]);
  else {
    f.get32(2);
    code.callIndirect(module.progType);
  }
  code.get(count);
  code.i64(1);
  code.op(OP.i64_add);
  code.set(count);
  code.op(OP.i64_eqz);
  code.brIf(0);
  code.end();
  code.end();
  code.get(count);
  code.else();
  code.i64(-E2BIG);
  code.end();
  code.else();
  code.i64(-EINVAL);
  code.end();
  f.set64(0);
}

/**
 * bpf_tail_call(ctx, map, index): goes to the program in the slot, or on with r0 unchanged when the slot is empty, the
 * index is out of range or the run has made its 33 tail calls. The program takes over this function's frame.
 */
function emitTailCall(f: FuncGen, { map }: CallTarget): void {
  const { code, module } = f;
  const index = f.temp("t32");
  const calls = f.temp("u32");
  code.block();
  f.get32(3);
  code.set(index);
  if (map?.values) {
    code.get(index);
    code.i32(map.maxEntries);
    code.op(OP.i32_ge_u);
    code.brIf(0);
  }
  f.cpuField(CPU_CTX.tailCalls);
  code.tee(calls);
  code.i32(MAX_TAIL_CALL_CNT);
  code.op(OP.i32_ge_u);
  code.brIf(0);
  if (map?.values) {
    pushElement(f, index, map.values);
    code.mem(OP.i32_load);
  } else {
    f.get32(2);
    code.get(index);
    code.call(module.imported("tail_call_target"));
  }
  code.tee(index);
  code.op(OP.i32_eqz);
  code.brIf(0);
  code.i32(0);
  code.get(calls);
  code.i32(1);
  code.op(OP.i32_add);
  code.mem(OP.i32_store, module.cpuCtx + CPU_CTX.tailCalls, true);
  code.get(FP_LOCAL);
  f.get64(1);
  for (let arg = 2; arg <= 5; arg++) code.i64(0);
  code.get(index);
  code.returnCallIndirect(module.progType);
  code.end();
}
