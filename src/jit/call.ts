/** Calls: bpf-to-bpf, helpers and kfuncs, through registers; and the legacy packet loads, which are calls in disguise. */
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Helper } from "../helpers/helper.ts";
import type { CallTarget } from "../interp/image.ts";
import { BPF_IND, BPF_MODE, BPF_SRC, BPF_X, sizeBytes } from "../isa/opcodes.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { OP } from "../wasm/opcodes.ts";
import { FAULT } from "./faults.ts";
import { FP_LOCAL, type FuncGen } from "./func.ts";
import { importKey, PACKET_LOAD, parseAbi } from "./imports.ts";
import { inlineOf } from "./inline.ts";

/** uapi: src of a call within the program. */
const BPF_PSEUDO_CALL = 1;

/** The call at i: by src, or by register. */
export function emitCall(f: FuncGen, i: number): void {
  const { insns } = f.module.image;
  f.charge(1);
  if (BPF_SRC(insns.code[i]) === BPF_X) emitCallx(f, i);
  else if (insns.src[i] === BPF_PSEUDO_CALL) {
    const target = f.module.subprogAt.get(i + 1 + insns.imm[i]);
    if (target === undefined) {
      throw new BpfError(EINVAL, `${f.module.image.name}: insn ${i} calls insn ${i + 1 + insns.imm[i]}, no function`);
    }
    emitProgCall(f, target);
  } else emitHelperCall(f, i);
}

/** Pushes the arguments of a program function: a frame below this one, and r1..r5. */
function pushProgArgs(f: FuncGen): void {
  f.code.get(f.base);
  for (let reg = 1; reg <= 5; reg++) f.get64(reg);
}

function emitProgCall(f: FuncGen, target: number): void {
  const { module } = f;
  pushProgArgs(f);
  if (module.indirect.has(target)) {
    f.code.i32(module.slots[target]);
    f.code.callIndirect(module.progType);
  } else f.code.call(module.funcs[target]);
  f.stackWord = undefined;
  f.set64(0);
}

/** The register holds the address of a function of the program, or the id of one of the image's callx helpers. */
function emitCallx(f: FuncGen, i: number): void {
  const { code } = f;
  const reg = f.module.image.insns.dst[i];
  const known = f.funcInReg[reg];
  if (known) {
    emitProgCall(f, known - 1);
    return;
  }
  const { callx = new Map<number, Helper>() } = f.module.image;
  const either = (value: number, call: () => void): void => {
    f.get64(reg);
    code.i64(value);
    code.op(OP.i64_eq);
    code.if();
    call();
    code.br(1);
    code.end();
  };
  code.block();
  for (const [id, helper] of callx) either(id, () => emitBody(f, { helper }));
  f.module.slots.forEach((slot, n) => {
    if (slot) either(slot, () => emitProgCall(f, n));
  });
  f.fault(FAULT.callx);
  code.end();
  f.stackWord = undefined;
  f.forget(0);
}

function emitHelperCall(f: FuncGen, i: number): void {
  const { image } = f.module;
  const target = image.calls.get(i);
  if (!target) {
    const { name, insns } = image;
    throw new BpfError(EINVAL, `${name}: insn ${i} calls helper ${insns.imm[i]}, which this image does not name`);
  }
  if (target.helper.throws) {
    f.get64(1);
    f.code.throw(f.module.throwTag as number);
    return;
  }
  const inline = inlineOf(target);
  if (inline) inline.emit(f, target);
  else emitBody(f, target);
  f.stackWord = undefined;
}

/** r0 = the helper's body of r1.. */
function emitBody(f: FuncGen, target: CallTarget): void {
  const { code, module } = f;
  const { helper } = target;
  const exports = module.env.rt.memory.exports<Record<string, unknown>>();
  const key = importKey(target, exports);
  if (key === undefined) {
    // NULL where a pointer is promised: programs must check for it, never for an errno.
    const errno = helper.unsupported?.errno ?? EINVAL;
    code.i64(helper.abi.endsWith(":p") ? 0 : -errno);
    f.set64(0);
    return;
  }
  if (helper.callsBack) {
    code.i32(0);
    code.get(FP_LOCAL);
    code.mem(OP.i32_store, module.cpuCtx + CPU_CTX.framePtr, true);
  }
  const { args, result } = parseAbi(helper.abi);
  const halves = key.startsWith("helper.");
  Array.from(args).forEach((letter, n) => {
    pushArgument(f, n + 1, letter === "q", halves);
  });
  code.call(module.imported(key));
  takeResult(f, result, halves);
}

function pushArgument(f: FuncGen, reg: number, wide: boolean, halves: boolean): void {
  if (!wide) {
    f.get32(reg);
    return;
  }
  if (!halves) {
    f.get64(reg);
    return;
  }
  f.get32(reg);
  f.get64(reg);
  f.code.i64(32);
  f.code.op(OP.i64_shr_u);
  f.code.op(OP.i32_wrap_i64);
}

/** r0 from what the helper left: see "Calling conventions" in docs/ARCHITECTURE.md. */
function takeResult(f: FuncGen, result: string, halves: boolean): void {
  const { code } = f;
  if (result === "v") {
    code.i64(0);
    f.set64(0, true);
  } else if (result === "p") f.set32(0);
  else if (result === "i") {
    code.op(OP.i64_extend_i32_s);
    f.set64(0);
  } else {
    if (halves) {
      code.op(OP.i64_extend_i32_u);
      code.i32(0);
      code.mem(OP.i64_load32_u, f.module.cpuCtx + CPU_CTX.retHi, true);
      code.i64(32);
      code.op(OP.i64_shl);
      code.op(OP.i64_or);
    }
    f.set64(0);
  }
}

/** BPF_LD_ABS and BPF_LD_IND: r0 = bytes of the packet of the context in r6, in network order; outside it, exit with 0. */
export function emitPacketLoad(f: FuncGen, i: number): void {
  const { code, module } = f;
  const { insns } = module.image;
  f.get32(6);
  code.i32(insns.imm[i]);
  if (BPF_MODE(insns.code[i]) === BPF_IND) {
    f.get32(insns.src[i]);
    code.op(OP.i32_add);
  }
  code.i32(sizeBytes(insns.code[i]));
  code.call(module.imported(PACKET_LOAD));
  f.set32(0);
  f.cpuField(CPU_CTX.retHi);
  code.if();
  code.i64(0);
  code.op(OP.return);
  code.end();
}
