/**
 * execProgram(): runs a raw, unverified program as the plugins of the public eBPF conformance suite do
 * (Alan-Jowett/bpf_conformance): r1 = memory, r2 = its length, result r0.
 *
 * A kernel's memory of its own holds the run, so nothing a program does can reach anything else; every access outside
 * it, every instruction that is none and every run-away is an error.
 *
 * Functions  local calls and function pointers; each gets a frame of 512 bytes, 8 frames deep.
 * Helpers    those that the suite's plugins register: see HELPERS. `callx` names one by id in a register.
 */
import { BPF_PSEUDO_FUNC } from "../abi/bpf.ts";
import { BpfError, E2BIG, EINVAL } from "../abi/errno.ts";
import type { Helper, Runtime } from "../helpers/helper.ts";
import type { EngineEnv } from "../interp/env.ts";
import { MAX_BPF_STACK } from "../interp/env.ts";
import {
  type CallTarget,
  type EngineName,
  type ExecImage,
  type ExecSubprog,
  RunFault,
  type Runnable,
} from "../interp/image.ts";
import { loadInterp } from "../interp/interp.ts";
import { decode, encode } from "../isa/codec.ts";
import { disasmInsn } from "../isa/disasm.ts";
import type { Insns } from "../isa/insns.ts";
import { BPF_ALU64, BPF_CMPXCHG, BPF_FETCH, BPF_MOV, BPF_REG_FP, type Opcode, opcodeOf } from "../isa/opcodes.ts";
import { jit } from "../jit/jit.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import { Memory } from "../memory/memory.ts";

export interface ExecOptions {
  /** Default "jit". */
  readonly engine?: EngineName;
  /** Back edges and calls after which the run is stopped; default 100 million. */
  readonly fuel?: number;
}

export interface ExecResult {
  /** As unsigned 64-bit number. */
  readonly r0: bigint;
  /** The memory as the program left it. */
  readonly memory: Uint8Array;
}

const DEFAULT_FUEL = 100_000_000;
/** Linux's BPF_COMPLEXITY_LIMIT_INSNS; also keeps one slot for the prologue inside 16-bit jumps' reach irrelevant. */
const MAX_INSNS = 1_000_000;

/** unwind() with 0 ends the program with r0 = 0. */
class Unwound extends Error {}

const proto = { args: [], ret: 0 };

/** Helpers of the suite: those of uBPF's and rbpf's test programs. */
const HELPERS: readonly Helper[] = [
  {
    id: 0,
    name: "gather_bytes",
    proto,
    abi: "ppppp:q",
    call: (rt, a, b, c, d, e) => {
      rt.memory.writeU32(rt.cpuCtx + CPU_CTX.retHi, a & 0xff);
      return ((b & 0xff) << 24) | ((c & 0xff) << 16) | ((d & 0xff) << 8) | (e & 0xff);
    },
  },
  {
    id: 1,
    name: "memfrob",
    proto,
    abi: "pp:p",
    call: ({ memory }, addr, size) => {
      if (addr + size > memory.u8.length)
        throw new RunFault(`memfrob: ${size} bytes at 0x${addr.toString(16)} are outside the memory`);
      for (let i = 0; i < size; i++) memory.writeU8(addr + i, memory.readU8(addr + i) ^ 42);
      return addr;
    },
  },
  { id: 2, name: "no_op", proto, abi: ":q", call: noOp },
  { id: 3, name: "sqrti", proto, abi: "p:p", call: (_, n) => Math.floor(Math.sqrt(n)) },
  {
    id: 4,
    name: "strcmp",
    proto,
    abi: "pp:i",
    call: ({ memory }, a, b) => {
      for (let i = 0; ; i++) {
        const x = memory.u8[a + i] ?? 0;
        const y = memory.u8[b + i] ?? 0;
        if (x !== y || x === 0) return x - y;
      }
    },
  },
  {
    id: 5,
    name: "unwind",
    proto,
    abi: "q:q",
    call: ({ memory, cpuCtx }, lo, hi) => {
      if (lo === 0 && hi === 0) throw new Unwound();
      memory.writeU32(cpuCtx + CPU_CTX.retHi, hi);
      return lo;
    },
  },
];

function noOp({ memory, cpuCtx }: Runtime): number {
  memory.writeU32(cpuCtx + CPU_CTX.retHi, 0);
  return 0;
}

const BY_ID: ReadonlyMap<number, Helper> = new Map(HELPERS.map((h) => [h.id, h]));

/**
 * @param bytes instructions, 8 bytes a slot
 * @param memory copied in; may be empty, then r1 is 0
 * @throws BpfError when the program cannot be run, RunFault when it is stopped
 */
export function execProgram(bytes: Uint8Array, memory: Uint8Array, options: ExecOptions = {}): ExecResult {
  const image = execImage(decode(bytes), memory.length, options.fuel ?? DEFAULT_FUEL);
  const mem = new Memory({ initialPages: 8 + Math.ceil(memory.length / 65536) });
  const env = execEnv(mem);
  const at = memory.length ? mem.alloc(memory.length) : 0;
  mem.writeBytes(at, memory);
  // tests write up to 8 bytes above r10: keep them off the allocator's records
  const top = mem.cpuCtx + CPU_CTX.stackTop;
  mem.writeU32(top, mem.readU32(top) - MAX_BPF_STACK);
  const prog: Runnable = options.engine === "interp" ? loadInterp(image, env) : jit(image, env);
  let r0: bigint;
  try {
    const lo = prog.run(at);
    r0 = (BigInt(mem.readU32(mem.cpuCtx + CPU_CTX.retHi)) << 32n) | BigInt(lo >>> 0);
  } catch (error) {
    if (!(error instanceof Unwound)) throw unshift(error);
    r0 = 0n;
  }
  return { r0, memory: mem.readBytes(at, memory.length) };
}

function execEnv(memory: Memory): EngineEnv {
  const env: EngineEnv = {
    rt: {
      memory,
      cpuCtx: memory.cpuCtx,
      nCpus: 1,
      ktimeNs: () => ({ lo: 0, hi: 0 }),
      random32: () => 0,
      printk: () => {},
      callback: (fn, a, b, c, d, e) => env.current?.callback(fn, a, b, c, d, e) ?? 0,
      // the helpers above need none
      services: {} as Runtime["services"],
    },
    resolveTailCall: () => undefined,
    current: undefined,
  };
  return env;
}

/** The program behind a prologue of one slot, `r2 = length`. */
function execImage(program: Insns, length: number, fuel: number): ExecImage {
  if (program.length > MAX_INSNS) {
    throw new BpfError(E2BIG, `program: ${program.length} instruction slots, wanted at most ${MAX_INSNS}`);
  }
  const prologue = Uint8Array.of(BPF_ALU64 | BPF_MOV, 2, 0, 0, length, length >> 8, length >> 16, length >> 24);
  const bytes = encode(program);
  const all = new Uint8Array(bytes.length + 8);
  all.set(prologue);
  all.set(bytes, 8);
  const insns = decode(all);
  const { subprogs, seen } = explore(insns);
  const calls = new Map<number, CallTarget>();
  for (let i = 0; i < insns.length; i++) {
    if (!seen[i] || opcodeOf(insns, i)?.kind !== "call") continue;
    const helper = BY_ID.get(insns.imm[i]);
    if (!helper)
      throw invalid(
        i,
        `calls helper ${insns.imm[i]}, wanted one of ${HELPERS.map((h) => `${h.id} (${h.name})`).join(", ")}`,
      );
    calls.set(i, { helper });
  }
  return { name: "program", insns, subprogs, calls, callx: BY_ID, seen, fuel };
}

const invalid = (i: number, what: string): BpfError =>
  new BpfError(EINVAL, `program: insn ${i - 1} ${what}`, { insn: i - 1 });

/** Functions and what of them can be reached. @throws BpfError for a reachable instruction that cannot be run */
function explore(insns: Insns): { subprogs: ExecSubprog[]; seen: Uint8Array } {
  const starts = new Set([0]);
  const seen = new Uint8Array(insns.length);
  /** Start of the function that reached each slot. */
  const owner = new Int32Array(insns.length).fill(-1);
  for (const start of starts) {
    const work = [start];
    for (let i = work.pop(); i !== undefined; i = work.pop()) {
      if (owner[i] === start) continue;
      if (owner[i] >= 0) throw invalid(i, `belongs to two functions, at insns ${owner[i] - 1} and ${start - 1}`);
      owner[i] = start;
      const o = opcodeOf(insns, i);
      checkInsn(insns, i, o);
      seen[i] = 1;
      if (o.kind === "ld_imm64") seen[i + 1] = 1;
      if (o.kind === "call_local" || o.name === "func") starts.add(target(insns, i, i + 1 + insns.imm[i]));
      work.push(...nextOf(insns, i, o));
    }
  }
  const sorted = [...starts].sort((a, b) => a - b);
  const subprogs = sorted.map((start, n) => ({
    name: n === 0 ? "main" : `f${start - 1}`,
    start,
    end: sorted[n + 1] ?? insns.length,
    stackDepth: MAX_BPF_STACK,
  }));
  for (const { start, end } of subprogs) {
    for (let i = start; i < end; i++) {
      if (owner[i] >= 0 && owner[i] !== start) throw invalid(i, `lies inside another function, at insn ${start - 1}`);
    }
  }
  return { subprogs, seen };
}

function checkInsn(insns: Insns, i: number, o: Opcode | undefined): asserts o is Opcode {
  if (!o || insns.dst[i] > BPF_REG_FP || insns.src[i] > BPF_REG_FP) {
    throw invalid(i, `is no instruction: ${disasmInsn(insns, i)}`);
  }
  if (o.kind === "call_kfunc") throw invalid(i, `calls kernel function ${insns.imm[i]}, and there is no kernel`);
  if (o.kind === "ld_abs" || o.kind === "ld_ind") throw invalid(i, "loads from a packet, and there is none");
  if (o.kind === "ld_imm64" && insns.src[i] !== 0 && insns.src[i] !== BPF_PSEUDO_FUNC) {
    throw invalid(i, `loads a ${o.name}, and there is no kernel`);
  }
  if (o.kind === "ld_imm64" && (i + 1 >= insns.length || insns.code[i + 1] !== 0))
    throw invalid(i, "lacks its second half");
  const fetches = o.kind === "atomic" && (insns.imm[i] & BPF_FETCH) !== 0 && insns.imm[i] !== BPF_CMPXCHG;
  if (fetches ? insns.src[i] === BPF_REG_FP : WRITES_DST.has(o.kind) && insns.dst[i] === BPF_REG_FP)
    throw invalid(i, `writes r10: ${disasmInsn(insns, i)}`);
}

const WRITES_DST: ReadonlySet<Opcode["kind"]> = new Set([
  "alu",
  "neg",
  "mov",
  "movsx",
  "addr_space_cast",
  "end",
  "ldx",
  "ldxsx",
  "ld_imm64",
  "load_acquire",
]);

/** Slots that may run after i, in the same function. */
function nextOf(insns: Insns, i: number, o: Opcode): number[] {
  switch (o.kind) {
    case "exit":
      return [];
    case "ja":
      return [target(insns, i, i + 1 + (o.width === 32 ? insns.imm[i] : insns.off[i]))];
    case "jmp":
    case "may_goto":
      return [target(insns, i, i + 1), target(insns, i, i + 1 + insns.off[i])];
    case "ld_imm64":
      return [target(insns, i, i + 2)];
    default:
      return [target(insns, i, i + 1)];
  }
}

function target(insns: Insns, i: number, to: number): number {
  if (to >= 1 && to < insns.length) return to;
  throw invalid(i, `goes to insn ${to - 1}, wanted 0..${insns.length - 2}`);
}

/** Numbers instructions as the caller's program has them. */
function unshift(error: unknown): unknown {
  if (!(error instanceof RunFault) || error.insnIdx === undefined) return error;
  const at = error.insnIdx - 1;
  return new RunFault(error.message.replace(/at insn \d+/, `at insn ${at}`), at, error.cause);
}
