/**
 * ExecImage to WebAssembly module.
 *
 * Each subprogram is a function `(fp: i32, r1..r5: i64) -> i64`; those that need one get a table slot through an element
 * segment. Exports: run and callback (entries.ts). Imports: env.memory, env.table, and what the helper calls need. The address of the CPU's context record is a constant in the code.
 */
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { EngineEnv } from "../interp/env.ts";
import type { ExecImage, ExecSubprog } from "../interp/image.ts";
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CLASS,
  BPF_JMP,
  BPF_LD,
  BPF_LDX,
  BPF_MODE,
  BPF_ST,
  BPF_STX,
  isLdImm64,
  MAX_BPF_REG,
  opcodeOf,
} from "../isa/opcodes.ts";
import { ModuleBuilder } from "../wasm/module.ts";
import { OP } from "../wasm/opcodes.ts";
import { emitAlu } from "./alu.ts";
import { emitCondition } from "./branch.ts";
import { emitCall, emitPacketLoad } from "./call.ts";
import { type Block, buildCfg, slotsOf } from "./cfg.ts";
import { emitCatch, emitEntries } from "./entries.ts";
import { FAULT, type SourceMap } from "./faults.ts";
import { FuncGen, type ModuleContext, PROG_PARAMS, PROG_RESULTS } from "./func.ts";
import { importsOf } from "./imports.ts";
import { makeReducible } from "./irreducible.ts";
import { emitAtomic, emitLoad, emitStore } from "./mem.ts";
import { findRotations, type Rotation } from "./rotate.ts";
import { type Exit, writeStructured } from "./structure.ts";

/** uapi: src of a ld_imm64 that makes a function address. */
export const BPF_PSEUDO_FUNC = 4;

export interface JitOptions {
  /**
   * Subprograms that are called through their table slot, so that another function can take their place; default those
   * that the image calls replaceable.
   */
  readonly indirect?: ReadonlySet<number>;
  /** Other CPUs run on the same memory: atomic instructions become WebAssembly atomics. */
  readonly shared?: boolean;
}

export interface Compiled {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly imports: Record<string, WebAssembly.ImportValue>;
  readonly sourceMap: SourceMap;
}

/** Which subprograms need a table slot: the main one, those that are called indirectly, and those whose address is taken. */
export function subprogsWithSlot(image: ExecImage, indirect: ReadonlySet<number>): Set<number> {
  const { insns, subprogs, seen } = image;
  const subprogAt = new Map(subprogs.map((s, n) => [s.start, n]));
  const out = new Set([0, ...indirect]);
  for (let i = 0; i < insns.length; i += slotsOf(insns, i)) {
    if (!isLdImm64(insns, i) || insns.src[i] !== BPF_PSEUDO_FUNC || (seen && !seen[i])) continue;
    const target = subprogAt.get(i + 1 + insns.imm[i]);
    if (target === undefined) {
      throw new BpfError(
        EINVAL,
        `${image.name}: insn ${i} takes the address of insn ${i + 1 + insns.imm[i]}, no function`,
      );
    }
    out.add(target);
  }
  return out;
}

/** Subprograms that are called through their slots unless the options say otherwise. */
export function replaceableOf(image: ExecImage): ReadonlySet<number> {
  return new Set(image.subprogs.flatMap((s, n) => (s.replaceable ? [n] : [])));
}

/** @param slots by subprogram, its place in the table; 0 = none */
export function compile(
  image: ExecImage,
  env: EngineEnv,
  slots: readonly number[],
  options: JitOptions = {},
): Compiled {
  const m = new ModuleBuilder();
  const progType = m.type(PROG_PARAMS, PROG_RESULTS);
  const { shared = false, indirect = replaceableOf(image) } = options;
  const isShared = typeof SharedArrayBuffer !== "undefined" && env.rt.memory.memory.buffer instanceof SharedArrayBuffer;
  m.importMemory("env", "memory", isShared ? { min: 0, max: 65536, shared: true } : { min: 0 });
  m.importTable("env", "table", { min: 0 });
  const values: Record<string, WebAssembly.ImportValue> = {
    memory: env.rt.memory.env.memory,
    table: env.rt.memory.env.table,
  };
  const imported = new Map<string, number>();
  for (const { key, params, results, func } of importsOf(image, env)) {
    imported.set(key, m.importFunc("env", key, m.type(params, results)));
    values[key] = func;
  }
  const funcs = image.subprogs.map((s) => m.func(progType, `${functionPrefix(image)}${s.name}`));
  const throws = [...image.calls].some(([insn, { helper }]) => helper.throws && (image.seen?.[insn] ?? 1));
  const entry = throws ? m.func(progType, `${functionPrefix(image)}catch`) : funcs[0];
  const context: ModuleContext = {
    image,
    env,
    cpuCtx: env.rt.cpuCtx,
    funcs,
    entry,
    throwTag: throws ? m.tag(m.type(["i64"], [])) : undefined,
    subprogAt: new Map(image.subprogs.map((s, n) => [s.start, n])),
    slots,
    indirect,
    progType,
    imported: (key) => {
      const index = imported.get(key);
      if (index === undefined) throw new Error(`no import ${key}`);
      return index;
    },
    shared,
    unverified: image.fuel !== undefined,
  };
  const gens = image.subprogs.map((sub, n) => {
    const f = compileSubprog(context, sub);
    m.body(funcs[n], f.code);
    if (slots[n]) m.elements(slots[n], [n === 0 ? entry : funcs[n]]);
    return f;
  });
  emitCatch(m, context);
  emitEntries(m, context);
  const { bytes, codeStart } = m.finish();
  return {
    wasm: bytes,
    imports: values,
    sourceMap: sourceMap(
      gens,
      funcs.map((func) => codeStart[func]),
    ),
  };
}

/** How the functions of an image are named in its module, so that a trap's stack can be told from others. */
export const functionPrefix = (image: ExecImage): string => `bpf:${image.name}:`;

function compileSubprog(module: ModuleContext, sub: ExecSubprog): FuncGen {
  const { insns } = module.image;
  const f = new FuncGen(module, sub);
  const cfg = buildCfg(module.image, sub);
  const { blocks } = cfg;
  const added = makeReducible(cfg);
  const rotations = new Map<number, Rotation>();
  for (const { start, end } of blocks) findRotations(insns, start, end, rotations);
  f.rotations = rotations;

  const emitAdded = (n: number): Exit => {
    const node = added[n - blocks.length];
    const selector = f.temp(`select${node.selector}_32`);
    if (node.kind === "select") {
      f.code.i32(node.value);
      f.code.set(selector);
      return "goto";
    }
    f.code.get(selector);
    return "switch";
  };
  writeStructured(cfg, f.code, {
    weight: (n) => (n < blocks.length ? 1 + blocks[n].end - blocks[n].start : 1),
    isSwitch: (n) => n >= blocks.length && added[n - blocks.length].kind === "dispatch",
    condition: (n, inverted) => {
      const { term } = blocks[n];
      if (term.kind === "cond") emitCondition(f, term.insn, inverted);
    },
    node: (n, isLoopHeader) => {
      if (n === 0) f.prologue();
      if (isLoopHeader) f.charge(1);
      return n < blocks.length ? emitBlock(f, blocks[n]) : emitAdded(n);
    },
  });
  // the code never falls off its end, but a validator does not know that
  f.code.op(OP.unreachable);
  return f;
}

function emitBlock(f: FuncGen, { start, end, term }: Block): Exit {
  const { insns } = f.module.image;
  f.startBlock(end);
  for (let i = start; i < end; i += slotsOf(insns, i)) {
    f.startInsn(i);
    emitInsn(f, i);
  }
  if (term.kind === "trap") {
    f.startInsn(term.insn);
    f.fault(FAULT.dead);
    return "none";
  }
  if (term.kind === "exit") {
    f.get64(0);
    f.code.op(OP.return);
    return "none";
  }
  if (term.kind === "cond") {
    f.startInsn(term.insn);
    if (!isInsn(f, term.insn)) {
      f.fault(FAULT.insn);
      return "none";
    }
  }
  return term.kind;
}

/** A verifier has made sure of it; otherwise the run ends where there is none. */
function isInsn({ module }: FuncGen, i: number): boolean {
  const { insns } = module.image;
  if (!module.unverified) return true;
  return insns.dst[i] < MAX_BPF_REG && insns.src[i] < MAX_BPF_REG && opcodeOf(insns, i) !== undefined;
}

/** One instruction that is no jump. */
function emitInsn(f: FuncGen, i: number): void {
  const { image, slots, subprogAt } = f.module;
  const { insns } = image;
  const code = insns.code[i];
  if (!isInsn(f, i)) {
    f.fault(FAULT.insn);
    return;
  }
  switch (BPF_CLASS(code)) {
    case BPF_ALU:
    case BPF_ALU64:
      emitAlu(f, i);
      break;
    case BPF_LDX:
      emitLoad(f, i);
      break;
    case BPF_ST:
      emitStore(f, i);
      break;
    case BPF_STX:
      if (BPF_MODE(code) === BPF_ATOMIC) emitAtomic(f, i);
      else emitStore(f, i);
      break;
    case BPF_LD: {
      if (!isLdImm64(insns, i)) {
        emitPacketLoad(f, i);
        break;
      }
      const isFunc = insns.src[i] === BPF_PSEUDO_FUNC;
      const func = isFunc ? (subprogAt.get(i + 1 + insns.imm[i]) as number) : -1;
      if (isFunc) f.code.i64(slots[func]);
      else f.code.i64Halves(insns.imm[i], insns.imm[i + 1]);
      f.set64(insns.dst[i], isFunc || insns.imm[i + 1] === 0);
      f.funcInReg[insns.dst[i]] = func + 1;
      break;
    }
    case BPF_JMP:
      emitCall(f, i);
      break;
    default:
      throw new BpfError(EINVAL, `${image.name}: insn ${i} has code 0x${code.toString(16)}, no instruction`);
  }
}

function sourceMap(gens: readonly FuncGen[], starts: readonly number[]): SourceMap {
  const count = gens.reduce((n, f) => n + f.insnOffsets.length / 2, 0);
  const offsets = new Uint32Array(count);
  const insns = new Uint32Array(count);
  let at = 0;
  gens.forEach((f, n) => {
    for (let k = 0; k < f.insnOffsets.length; k += 2) {
      offsets[at] = starts[n] + f.insnOffsets[k];
      insns[at++] = f.insnOffsets[k + 1];
    }
  });
  return { offsets, insns };
}
