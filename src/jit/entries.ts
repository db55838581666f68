/**
 * The ways into a compiled program from JavaScript, which passes 32-bit numbers only.
 *
 * run       (ctx, repeat) -> low half of the last r0, upper half in CPU_CTX.retHi. Each run starts with no tail calls made
 *           and full fuel; the stack top is moved meanwhile, so that a run inside a helper finds a stack of its own.
 * callback  (fn, a1..a5) -> low half of r0: what a helper calls to run a function of the program, by its table index, on the
 *           stack below the frame that called the helper.
 */
import { MAX_BPF_STACK } from "../interp/env.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { Code } from "../wasm/code.ts";
import type { ModuleBuilder } from "../wasm/module.ts";
import { OP } from "../wasm/opcodes.ts";
import type { ModuleContext } from "./func.ts";

/**
 * The function `entry` of a program that throws: calls the main function; a cookie that comes out of it goes to the
 * exception callback, on the frame of the main function, which is dead by then.
 */
export function emitCatch(m: ModuleBuilder, context: ModuleContext): void {
  const { entry, funcs, image, throwTag } = context;
  if (throwTag === undefined) return;
  const callback = image.subprogs.findIndex((sub) => sub.isExceptionCb);
  const code = new Code(6);
  const cookie = code.local("i64");
  code.try("i64");
  for (let arg = 0; arg < 6; arg++) code.get(arg);
  code.call(funcs[0]);
  code.catch(throwTag);
  if (callback >= 0) {
    code.set(cookie);
    code.get(0);
    code.get(cookie);
    for (let arg = 2; arg <= 5; arg++) code.i64(0);
    code.call(funcs[callback]);
  }
  code.end();
  m.body(entry, code);
}

/** How far the stack top moves for a run: 8 frames, and as many again that tail calls in subprograms may add. */
export const RUN_STACK = 16 * MAX_BPF_STACK;

export function emitEntries(m: ModuleBuilder, context: ModuleContext): void {
  emitRun(m, context);
  emitCallback(m, context);
}

/** Pushes a field of the CPU's record. */
function load(code: Code, context: ModuleContext, field: number): void {
  code.i32(0);
  code.mem(OP.i32_load, context.cpuCtx + field, true);
}

function store(code: Code, context: ModuleContext, field: number, push: () => void): void {
  code.i32(0);
  push();
  code.mem(OP.i32_store, context.cpuCtx + field, true);
}

/** Pops r0: its halves go to retHi and to the caller. */
function splitResult(code: Code, context: ModuleContext, result: number): void {
  store(code, context, CPU_CTX.retHi, () => {
    code.get(result);
    code.i64(32);
    code.op(OP.i64_shr_u);
    code.op(OP.i32_wrap_i64);
  });
  code.get(result);
  code.op(OP.i32_wrap_i64);
}

function emitRun(m: ModuleBuilder, context: ModuleContext): void {
  const { image, entry } = context;
  const func = m.func(m.type(["i32", "i32"], ["i32"]), "run");
  const code = new Code(2);
  const [ctx, repeat] = [0, 1];
  const top = code.local("i32");
  const calls = code.local("i32");
  const result = code.local("i64");
  load(code, context, CPU_CTX.stackTop);
  code.set(top);
  load(code, context, CPU_CTX.tailCalls);
  code.set(calls);
  store(code, context, CPU_CTX.stackTop, () => {
    code.get(top);
    code.i32(RUN_STACK);
    code.op(OP.i32_sub);
  });
  code.block();
  code.loop();
  code.get(repeat);
  code.op(OP.i32_eqz);
  code.brIf(1);
  code.get(repeat);
  code.i32(1);
  code.op(OP.i32_sub);
  code.set(repeat);
  store(code, context, CPU_CTX.tailCalls, () => code.i32(0));
  if (image.fuel !== undefined) store(code, context, CPU_CTX.fuel, () => code.i32(image.fuel ?? -1));
  code.get(top);
  code.get(ctx);
  code.op(OP.i64_extend_i32_u);
  for (let arg = 2; arg <= 5; arg++) code.i64(0);
  if (context.indirect.has(0)) {
    code.i32(context.slots[0]);
    code.callIndirect(context.progType);
  } else code.call(entry);
  code.set(result);
  code.br(0);
  code.end();
  code.end();
  store(code, context, CPU_CTX.stackTop, () => code.get(top));
  store(code, context, CPU_CTX.tailCalls, () => code.get(calls));
  splitResult(code, context, result);
  m.body(func, code);
  m.export("run", "func", func);
}

function emitCallback(m: ModuleBuilder, context: ModuleContext): void {
  const params = ["i32", "i32", "i32", "i32", "i32", "i32"] as const;
  const func = m.func(m.type(params, ["i32"]), "callback");
  const code = new Code(params.length);
  const frame = code.local("i32");
  const result = code.local("i64");
  load(code, context, CPU_CTX.framePtr);
  code.tee(frame);
  code.i32(MAX_BPF_STACK);
  code.op(OP.i32_sub);
  for (let arg = 1; arg <= 5; arg++) {
    code.get(arg);
    code.op(OP.i64_extend_i32_u);
  }
  code.get(0);
  code.callIndirect(context.progType);
  code.set(result);
  // the callback may have made such calls itself
  store(code, context, CPU_CTX.framePtr, () => code.get(frame));
  splitResult(code, context, result);
  m.body(func, code);
  m.export("callback", "func", func);
}
