/**
 * What a module imports for its helper calls: exports of core.wasm as they are (wasm to wasm, about a nanosecond), and
 * TypeScript bodies behind functions that take 32-bit halves only, since a BigInt costs more than the call.
 */
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Runtime } from "../helpers/helper.ts";
import type { EngineEnv } from "../interp/env.ts";
import type { CallTarget, ExecImage } from "../interp/image.ts";
import { BPF_ABS, BPF_CLASS, BPF_IND, BPF_LD, BPF_MODE } from "../isa/opcodes.ts";
import { CPU_CTX } from "../memory/cpu_ctx.ts";
import type { ValType } from "../wasm/opcodes.ts";
import { inlineOf } from "./inline.ts";
import { mapOpExport } from "./map_ops.ts";

export interface HelperImport {
  /** Field of module "env", and the key by which calls find it. */
  readonly key: string;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  readonly func: (...args: number[]) => number;
}

export const PACKET_LOAD = "packet_load";
export const TAIL_CALL_TARGET = "tail_call_target";

/** Letters of a helper's `abi`. */
export interface HelperAbi {
  readonly args: string;
  readonly result: string;
}

export function parseAbi(abi: string): HelperAbi {
  const [args, result] = abi.split(":");
  return { args, result };
}

/** By which key a helper call finds its import; undefined when the call needs none. */
export function importKey(target: CallTarget, exports: Readonly<Record<string, unknown>>): string | undefined {
  const { helper } = target;
  if (helper.unsupported) return undefined;
  const core = mapOpExport(target, exports) ?? helper.core;
  return core === undefined ? `helper.${helper.name}` : `core.${core}`;
}

/** Every import that the image's calls need, each once. */
export function importsOf(image: ExecImage, env: EngineEnv): HelperImport[] {
  const imports = new Map<string, HelperImport>();
  const exports = env.rt.memory.exports<Record<string, HelperImport["func"]>>();
  const add = (i: HelperImport): void => {
    if (!imports.has(i.key)) imports.set(i.key, i);
  };
  const addCall = (target: CallTarget): void => {
    const key = importKey(target, exports);
    if (key === undefined || imports.has(key)) return;
    add(key.startsWith("core.") ? coreImport(target, key, exports) : scriptImport(target, key, env));
  };
  for (const [insn, target] of image.calls) {
    if ((image.seen && !image.seen[insn]) || target.helper.throws) continue;
    const inline = inlineOf(target);
    if (inline) {
      if (inline.needs === TAIL_CALL_TARGET) add(tailCallTarget(env));
      continue;
    }
    addCall(target);
  }
  for (const helper of image.callx?.values() ?? []) addCall({ helper });
  if (hasPacketLoad(image)) add(packetLoad(image, env));
  return [...imports.values()];
}

function coreImport(target: CallTarget, key: string, exports: Record<string, HelperImport["func"]>): HelperImport {
  const { args, result } = parseAbi(target.helper.abi);
  const func = exports[key.slice("core.".length)];
  if (!func) throw new Error(`helper ${target.helper.name}: core.wasm has no export ${key}`);
  return {
    key,
    params: Array.from(args, (a) => (a === "q" ? "i64" : "i32")),
    results: result === "v" ? [] : [result === "q" ? "i64" : "i32"],
    func,
  };
}

function scriptImport({ helper }: CallTarget, key: string, { rt }: EngineEnv): HelperImport {
  const { args, result } = parseAbi(helper.abi);
  const call = helper.call ?? noBody(helper.name);
  const params = Array.from(args).flatMap((a): ValType[] => (a === "q" ? ["i32", "i32"] : ["i32"]));
  // one arity each: a rest parameter would cost an array per call
  const byArity: Record<number, HelperImport["func"]> = {
    0: () => call(rt),
    1: (a) => call(rt, a >>> 0),
    2: (a, b) => call(rt, a >>> 0, b >>> 0),
    3: (a, b, c) => call(rt, a >>> 0, b >>> 0, c >>> 0),
    4: (a, b, c, d) => call(rt, a >>> 0, b >>> 0, c >>> 0, d >>> 0),
    5: (a, b, c, d, e) => call(rt, a >>> 0, b >>> 0, c >>> 0, d >>> 0, e >>> 0),
    6: (a, b, c, d, e, f) => call(rt, a >>> 0, b >>> 0, c >>> 0, d >>> 0, e >>> 0, f >>> 0),
  };
  const func = byArity[params.length] ?? ((...all: number[]) => call(rt, ...all.map((v) => v >>> 0)));
  return { key, params, results: result === "v" ? [] : ["i32"], func };
}

/** A call that is never reached must not keep the program from loading. */
function noBody(name: string): (rt: Runtime) => number {
  return () => {
    throw new Error(`helper ${name} has no body`);
  };
}

function tailCallTarget(env: EngineEnv): HelperImport {
  return {
    key: TAIL_CALL_TARGET,
    params: ["i32", "i32"],
    results: ["i32"],
    func: (map, index) => env.resolveTailCall(map >>> 0, index >>> 0)?.tailEntry ?? 0,
  };
}

function hasPacketLoad({ insns, seen }: ExecImage): boolean {
  for (let i = 0; i < insns.length; i++) {
    const code = insns.code[i];
    if (BPF_CLASS(code) !== BPF_LD || (seen && !seen[i])) continue;
    if (BPF_MODE(code) === BPF_ABS || BPF_MODE(code) === BPF_IND) return true;
  }
  return false;
}

/** Returns the bytes; CPU_CTX.retHi says whether they lay outside the packet. */
function packetLoad(image: ExecImage, env: EngineEnv): HelperImport {
  const { packetLoad: load, rt } = env;
  if (!load) throw new BpfError(EINVAL, `${image.name}: BPF_LD_ABS in a program type that has no packet`);
  return {
    key: PACKET_LOAD,
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    func: (ctx, off, size) => {
      const value = load(ctx >>> 0, off, size);
      rt.memory.writeU32(rt.cpuCtx + CPU_CTX.retHi, value < 0 ? 1 : 0);
      return value;
    },
  };
}
