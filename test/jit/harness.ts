/** Images from assembly text, in a memory of their own, without a kernel. */
import type { EngineEnv } from "../../src/interp/env.ts";
import type { CallTarget, ExecImage, ExecSubprog } from "../../src/interp/image.ts";
import { assemble } from "../../src/isa/assemble.ts";
import type { Insns } from "../../src/isa/insns.ts";
import { BPF_CALL, BPF_JMP, isLdImm64 } from "../../src/isa/opcodes.ts";
import { type JitOptions, type JitProgram, jit } from "../../src/jit/jit.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { Memory } from "../../src/memory/memory.ts";

export interface Bed {
  readonly memory: Memory;
  readonly env: EngineEnv & { current: EngineEnv["current"] };
}

export function bed(more: Partial<EngineEnv> = {}): Bed {
  const memory = new Memory({ cpus: 2, cpu: 1 });
  const env: EngineEnv = {
    rt: {
      memory,
      cpuCtx: memory.cpuCtx,
      nCpus: 2,
      ktimeNs: () => ({ lo: 1, hi: 0 }),
      random32: () => 4,
      printk: () => {},
      callback: (fn, a, b, c, d, e) => env.current?.callback(fn, a, b, c, d, e) ?? 0,
      services: {} as EngineEnv["rt"]["services"],
    },
    resolveTailCall: () => undefined,
    current: undefined,
    ...more,
  };
  return { memory, env };
}

export type ImageFacts = Partial<ExecImage> & {
  /** Call targets by helper id. */
  readonly helpers?: Readonly<Record<number, CallTarget>>;
  readonly stackDepth?: number;
};

/** Functions start at 0 and wherever a call or a function address points. */
function subprogsOf(insns: Insns, stackDepth: number): ExecSubprog[] {
  const starts = new Set([0]);
  for (let i = 0; i < insns.length; i++) {
    const call = insns.code[i] === (BPF_JMP | BPF_CALL) && insns.src[i] === 1;
    if (call || (isLdImm64(insns, i) && insns.src[i] === 4)) starts.add(i + 1 + insns.imm[i]);
  }
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted.map((start, n) => ({ name: `f${n}`, start, end: sorted[n + 1] ?? insns.length, stackDepth }));
}

export function imageOf(program: string | Insns, facts: ImageFacts = {}): ExecImage {
  const insns = typeof program === "string" ? assemble(program).insns : program;
  const { helpers = {}, stackDepth = 512, ...more } = facts;
  const calls = new Map<number, CallTarget>();
  for (let i = 0; i < insns.length; i++) {
    if (insns.code[i] !== (BPF_JMP | BPF_CALL) || insns.src[i] === 1) continue;
    const target = helpers[insns.imm[i]];
    if (target) calls.set(i, target);
  }
  return { name: "test", insns, subprogs: subprogsOf(insns, stackDepth), calls, ...more };
}

export function load(b: Bed, program: string | Insns, facts?: ImageFacts, options?: JitOptions): JitProgram {
  return jit(imageOf(program, facts), b.env, options);
}

/** r0 as an unsigned 64-bit number. */
export function run64(b: Bed, prog: { run(ctx: number): number }, ctx = 0): bigint {
  const lo = prog.run(ctx);
  return (BigInt(b.memory.readU32(b.memory.cpuCtx + CPU_CTX.retHi)) << 32n) | BigInt(lo);
}
