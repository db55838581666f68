/**
 * Links one program: its own instructions, then each subprogram that it reaches, once, in the order of first use.
 *
 * The work is done when a program is first looked at, so that a broken program does not keep its neighbours from
 * loading. Calls and function addresses become relative to their new places; other relocations, CO-RE records, func_info
 * and line_info move along. An exception callback (a decl tag on the program) is appended last.
 */
import { BPF_PROG_TYPE_STRUCT_OPS, BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC } from "../abi/bpf.ts";
import { E2BIG, EINVAL, ENOENT } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { BtfExt } from "../btf/ext.ts";
import * as kinds from "../btf/kinds.ts";
import { type Insns, newInsns } from "../isa/insns.ts";
import { findSecDef, type SecDef } from "../progs/sec.ts";
import { CALL, type Func, type FuncIndex, type FuncReloc, LD_IMM64 } from "./funcs.ts";
import { objectError, type Parts } from "./parts.ts";
import type { CoreReloSpec, FuncInfo, LineInfo, ProgSpec, Reloc, SubprogSpec } from "./spec.ts";

export interface LinkContext {
  readonly parts: Parts;
  readonly btf: Btf | undefined;
  readonly btfExt: BtfExt | undefined;
  readonly funcs: readonly Func[];
  readonly index: FuncIndex;
  readonly relocs: ReadonlyMap<Func, readonly FuncReloc[]>;
  /** struct_ops programs -> whether a map that is created uses them. */
  readonly structOpsUse: ReadonlyMap<string, boolean>;
}

interface Linked {
  readonly insns: Insns;
  readonly subprogs: readonly SubprogSpec[];
  readonly relocs: readonly Reloc[];
  readonly coreRelos: readonly CoreReloSpec[];
  readonly funcInfo: readonly FuncInfo[];
  readonly lineInfo: readonly LineInfo[];
}

/** A program in an object; links itself on demand. */
export class ObjectProg implements ProgSpec {
  readonly name: string;
  readonly section: string;
  readonly sec: SecDef | undefined;
  readonly type: number;
  readonly expectedAttachType: number;
  readonly attachTarget: string;
  readonly sleepable: boolean;
  readonly autoload: boolean;
  readonly progFlags: number;
  readonly #ctx: LinkContext;
  readonly #func: Func;
  #linked: Linked | undefined;

  constructor(ctx: LinkContext, func: Func) {
    this.#ctx = ctx;
    this.#func = func;
    this.name = func.name;
    this.section = func.section.name.replace(/^\?/, "");
    this.sec = findSecDef(this.section);
    this.type = this.sec?.type ?? 0;
    this.expectedAttachType = this.sec?.attachType ?? 0;
    const slash = this.section.indexOf("/");
    this.attachTarget = this.sec?.pattern.endsWith("+") && slash >= 0 ? this.section.slice(slash + 1) : "";
    this.sleepable = this.sec?.sleepable ?? false;
    this.progFlags = this.sec?.progFlags ?? 0;
    const wanted = !func.section.name.startsWith("?");
    const used = this.type === BPF_PROG_TYPE_STRUCT_OPS ? ctx.structOpsUse.get(this.name) : undefined;
    this.autoload = used ?? wanted;
  }

  #link(): Linked {
    this.#linked ??= link(this.#ctx, this.#func);
    return this.#linked;
  }

  get insns(): Insns {
    return this.#link().insns;
  }
  get subprogs(): readonly SubprogSpec[] {
    return this.#link().subprogs;
  }
  get relocs(): readonly Reloc[] {
    return this.#link().relocs;
  }
  get coreRelos(): readonly CoreReloSpec[] {
    return this.#link().coreRelos;
  }
  get funcInfo(): readonly FuncInfo[] {
    return this.#link().funcInfo;
  }
  get lineInfo(): readonly LineInfo[] {
    return this.#link().lineInfo;
  }
}

/** Linux takes programs of a million instructions; far more is a corrupt file. */
const MAX_INSNS = 1 << 21;

function link(ctx: LinkContext, main: Func): Linked {
  const start = new Map<Func, number>([[main, 0]]);
  let total = main.insns.length;
  /** Where each call and function address of a placed function goes. */
  const targets: { readonly func: Func; readonly insnIdx: number; readonly to: Func }[] = [];

  // A function's callees are placed where its own scan meets them, and scanned before the scan goes on.
  const place = (first: Func) => {
    const stack = [{ func: first, uses: usesOf(ctx, first), next: 0 }];
    while (stack.length > 0) {
      const frame = stack[stack.length - 1];
      if (frame.next === frame.uses.length) {
        stack.pop();
        continue;
      }
      const { insnIdx, to } = frame.uses[frame.next++];
      targets.push({ func: frame.func, insnIdx, to });
      if (start.has(to)) continue;
      start.set(to, total);
      total += to.insns.length;
      if (total > MAX_INSNS) {
        const what = `program '${main.name}' and its subprograms have more than ${MAX_INSNS} instructions`;
        throw objectError(ctx.parts.file, E2BIG, what);
      }
      stack.push({ func: to, uses: usesOf(ctx, to), next: 0 });
    }
  };
  place(main);
  const callback = exceptionCallback(ctx, main);
  if (callback && !start.has(callback)) {
    start.set(callback, total);
    total += callback.insns.length;
    place(callback);
  }

  const insns = newInsns(total);
  for (const [func, at] of start) {
    for (const field of ["code", "dst", "src", "off", "imm"] as const) insns[field].set(func.insns[field], at);
  }
  for (const { func, insnIdx, to } of targets) {
    const at = start.get(func)! + insnIdx;
    if (insns.code[at] === LD_IMM64) insns.src[at] = BPF_PSEUDO_FUNC;
    insns.imm[at] = start.get(to)! - at - 1;
  }
  const placed = [...start];
  return {
    insns,
    subprogs: placed.map(([f, at]) => ({
      name: f.name,
      start: at,
      end: at + f.insns.length,
      linkage: f.global ? "global" : "static",
    })),
    relocs: placed.flatMap(([f, at]) => moveRelocs(ctx.relocs.get(f) ?? [], at)),
    coreRelos: placed.flatMap(([f, at]) =>
      within(ctx.btfExt?.coreRelos, f).map((r) => ({
        insnIdx: r.insnOff / 8 - f.start + at,
        typeId: r.typeId,
        access: r.accessStr,
        kind: r.kind,
      })),
    ),
    funcInfo: extInfo(ctx, placed, "function", ctx.btfExt?.funcInfo, (r, insnIdx) => ({ insnIdx, typeId: r.typeId })),
    lineInfo: extInfo(ctx, placed, "line", ctx.btfExt?.lineInfo, (r, insnIdx) => ({
      insnIdx,
      fileNameOff: r.fileNameOff,
      lineOff: r.lineOff,
      line: r.lineNum,
      column: r.column,
    })),
  };
}

/** Calls and function addresses in a function, in order. */
function usesOf(ctx: LinkContext, func: Func): { readonly insnIdx: number; readonly to: Func }[] {
  const relocs = new Map((ctx.relocs.get(func) ?? []).map((r) => [r.insnIdx, r]));
  const { insns } = func;
  const out: { insnIdx: number; to: Func }[] = [];
  for (let insnIdx = 0; insnIdx < insns.length; insnIdx++) {
    const reloc = relocs.get(insnIdx);
    const isCall = insns.code[insnIdx] === CALL && insns.src[insnIdx] === BPF_PSEUDO_CALL;
    if (!isCall && reloc?.kind !== "subprog_addr") continue;
    if (reloc?.kind === "kfunc") continue;
    let to: Func | undefined;
    let where: string;
    if (reloc?.kind === "subprog_call" || reloc?.kind === "subprog_addr") {
      const idx = reloc.off / 8 + (isCall ? insns.imm[insnIdx] + 1 : 0);
      to = ctx.parts.text && ctx.index.at(ctx.parts.text.index, idx);
      where = `instruction ${idx} of .text`;
    } else {
      // Calls inside one section need no relocation; only .text has subprograms.
      const idx = func.start + insnIdx + insns.imm[insnIdx] + 1;
      to = func.isEntry ? undefined : ctx.index.at(func.section.index, idx);
      where = `instruction ${idx} of '${func.section.name}'`;
    }
    if (!to) {
      const what = `function '${func.name}': insn ${insnIdx} calls ${where}`;
      throw objectError(ctx.parts.file, EINVAL, `${what}; wanted a function in .text`);
    }
    out.push({ insnIdx, to });
  }
  return out;
}

function moveRelocs(relocs: readonly FuncReloc[], by: number): Reloc[] {
  return relocs.flatMap((r): Reloc[] => {
    const insnIdx = r.insnIdx + by;
    switch (r.kind) {
      case "map":
        return [{ insnIdx, kind: "map", map: r.map }];
      case "map_value":
        return [{ insnIdx, kind: "map_value", map: r.map, off: r.off }];
      case "extern":
        return [{ insnIdx, kind: "extern", extern: r.extern }];
      case "kfunc":
        return [{ insnIdx, kind: "kfunc", extern: r.extern }];
      case "subprog_call":
      case "subprog_addr":
        return [];
      default:
        throw new Error(`unreachable ${r satisfies never}`);
    }
  });
}

type Records<T> = ReadonlyMap<string, readonly T[]> | undefined;

function within<T extends { readonly insnOff: number }>(records: Records<T>, f: Func): T[] {
  const [from, to] = [8 * f.start, 8 * (f.start + f.insns.length)];
  return (records?.get(f.section.name) ?? []).filter((r) => r.insnOff >= from && r.insnOff < to && r.insnOff % 8 === 0);
}

/** Without records for the main function there are none at all; then each subprogram must have some too. */
function extInfo<T extends { readonly insnOff: number }, R>(
  ctx: LinkContext,
  placed: readonly (readonly [Func, number])[],
  what: string,
  records: Records<T>,
  move: (record: T, insnIdx: number) => R,
): R[] {
  const out: R[] = [];
  for (const [func, at] of placed) {
    const own = within(records, func);
    if (own.length === 0) {
      if (at === 0) return [];
      const main = placed[0][0].name;
      const message = `program '${main}': subprogram '${func.name}' has no ${what} info in .BTF.ext, but the program has`;
      throw objectError(ctx.parts.file, ENOENT, message);
    }
    for (const r of own) out.push(move(r, r.insnOff / 8 - func.start + at));
  }
  return out;
}

const CALLBACK_TAG = "exception_callback:";

function exceptionCallback(ctx: LinkContext, main: Func): Func | undefined {
  const { btf, parts } = ctx;
  const funcId = btf?.byName(main.name, kinds.BTF_KIND_FUNC) ?? 0;
  if (!btf || funcId === 0) return undefined;
  const names = btf.declTags(funcId).flatMap((t) => (t.startsWith(CALLBACK_TAG) ? [t.slice(CALLBACK_TAG.length)] : []));
  // The verifier has the words for two of them.
  if (names.length !== 1) return undefined;
  const what = `program '${main.name}': exception callback '${names[0]}'`;
  const found = ctx.funcs.filter((f) => !f.isEntry && f.name === names[0]);
  if (found.length === 0) throw objectError(parts.file, ENOENT, `${what} is not there; wanted a function in .text`);
  if (found.length > 1 || !found[0].global) {
    throw objectError(parts.file, EINVAL, `${what} is static or hidden; wanted one global function`);
  }
  return found[0];
}
