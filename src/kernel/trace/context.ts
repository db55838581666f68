/**
 * Contexts of tracing programs in linear memory, for the time of a run.
 *
 * args      fentry, fexit, fmod_ret, lsm, raw tracepoints: u64 arguments, the result behind them
 * pt_regs   kprobes and uprobes: struct pt_regs of x86-64, arguments in di, si, dx, cx, r8, r9, further ones on a stack
 * record    tracepoints: the record of the event's format
 */
import { TRACE_CTX, TRACE_CTX_HEAD } from "../../helpers/trace_layout.ts";
import type { Memory, VAddr } from "../../memory/memory.ts";

/** Arguments of a traced function, in u64 each (MAX_BPF_FUNC_ARGS). */
export const MAX_ARGS_BYTES = 96;

/** Byte offsets in struct pt_regs of x86-64. */
export const PT_REGS = {
  r9: 64,
  r8: 72,
  ax: 80,
  cx: 88,
  dx: 96,
  si: 104,
  di: 112,
  origAx: 120,
  ip: 128,
  cs: 136,
  flags: 144,
  sp: 152,
  ss: 160,
  bytes: 168,
} as const;

const ARG_REGS = [PT_REGS.di, PT_REGS.si, PT_REGS.dx, PT_REGS.cx, PT_REGS.r8, PT_REGS.r9] as const;
const KERNEL_CS = 0x10n;
const KERNEL_SS = 0x18n;
/** Interrupts on. */
const FLAGS = 0x246n;

export interface HeadFacts {
  readonly funcIp?: bigint;
  readonly nArgs?: number;
  readonly hasResult?: boolean;
}

/** Calls `body` with a context of `bytes` zeroed bytes behind its head. */
export function withContext<T>(memory: Memory, bytes: number, head: HeadFacts, body: (ctx: VAddr) => T): T {
  const base = memory.alloc(TRACE_CTX_HEAD + bytes);
  const ctx = (base + TRACE_CTX_HEAD) as VAddr;
  try {
    memory.writeU64(ctx + TRACE_CTX.funcIp, head.funcIp ?? 0n);
    memory.writeU64(ctx + TRACE_CTX.argCount, BigInt(head.nArgs ?? 0));
    memory.writeU64(ctx + TRACE_CTX.hasResult, head.hasResult ? 1n : 0n);
    return body(ctx);
  } finally {
    memory.free(base);
  }
}

/**
 * Puts u64 arguments (and, behind them, a result) into memory as the context of a tracing program.
 * @param words  as bytes
 * @param nArgs  how many of the words are arguments
 */
export function withArgs<T>(
  memory: Memory,
  words: Uint8Array,
  nArgs: number,
  body: (ctx: VAddr) => T,
  funcIp?: bigint,
): T {
  const head: HeadFacts = { nArgs, hasResult: words.length >> 3 > nArgs, ...(funcIp === undefined ? {} : { funcIp }) };
  return withContext(memory, Math.max(MAX_ARGS_BYTES + 8, words.length), head, (ctx) => {
    memory.writeBytes(ctx, words);
    return body(ctx);
  });
}

export function wordBytes(words: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(words, (w) => BigInt.asUintN(64, w)).buffer);
}

/** Room for a return address and the arguments that do not fit into registers. */
const STACK_BYTES = 8 + MAX_ARGS_BYTES;

/** Registers at the entry of a function. */
export function withEntryRegs<T>(memory: Memory, ip: bigint, args: readonly bigint[], body: (ctx: VAddr) => T): T {
  return withContext(memory, PT_REGS.bytes + STACK_BYTES, { funcIp: ip, nArgs: args.length }, (ctx) => {
    writeRegs(memory, ctx, ip);
    args.forEach((arg, i) => {
      const at = ARG_REGS[i] ?? PT_REGS.bytes + 8 + 8 * (i - ARG_REGS.length);
      memory.writeU64(ctx + at, BigInt.asUintN(64, arg));
    });
    return body(ctx);
  });
}

/** Registers when a function has returned: its result in ax. */
export function withReturnRegs<T>(memory: Memory, ip: bigint, ret: bigint, body: (ctx: VAddr) => T): T {
  return withContext(memory, PT_REGS.bytes + STACK_BYTES, { funcIp: ip, hasResult: true }, (ctx) => {
    writeRegs(memory, ctx, ip);
    memory.writeU64(ctx + PT_REGS.ax, BigInt.asUintN(64, ret));
    return body(ctx);
  });
}

function writeRegs(memory: Memory, ctx: VAddr, ip: bigint): void {
  memory.writeU64(ctx + PT_REGS.ip, ip);
  memory.writeU64(ctx + PT_REGS.cs, KERNEL_CS);
  memory.writeU64(ctx + PT_REGS.ss, KERNEL_SS);
  memory.writeU64(ctx + PT_REGS.flags, FLAGS);
  memory.writeU64(ctx + PT_REGS.sp, BigInt(ctx + PT_REGS.bytes));
}
