/**
 * One program into the kernel: CO-RE, map fds, externs, attach target, BTF info; then BPF_PROG_LOAD.
 *
 * Errors  BpfError before the kernel sees the program; VerifierError, with names put into its log, when it says no.
 * Source  libbpf's bpf_object__relocate_data and bpf_object_load_prog.
 */
import {
  BPF_PROG_TYPE_EXT,
  BPF_PROG_TYPE_STRUCT_OPS,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
} from "../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT, ESRCH } from "../abi/errno.ts";
import { parseBtf } from "../btf/btf.ts";
import { BTF_KIND_FUNC, BTF_KIND_TYPEDEF } from "../btf/kinds.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { cloneInsns, encode } from "../isa/codec.ts";
import type { Insns } from "../isa/insns.ts";
import { type Bpf, type Fd, type ProgLoadAttr, type ProgLoadResult, VerifierError } from "../kernel/bpf.ts";
import { type CoreApplier, type Poisoned, poisonInsn } from "../object/core.ts";
import type { ObjectSpec, ProgSpec, Reloc } from "../object/spec.ts";
import { withMessage } from "../verifier/explain/explain.ts";
import type { Explanation } from "../verifier/explain/explanation.ts";
import type { ResolvedExterns } from "./externs.ts";
import type { KernelTypes } from "./kernel_types.ts";
import { fixupLog, POISON_KFUNC_BASE, POISON_MAP_BASE } from "./log_fixup.ts";

/** What all programs of an object share while it is loaded. */
export interface LoadContext {
  /** Ask for stats.complexity. */
  readonly complexity: boolean;
  readonly spec: ObjectSpec;
  readonly bpf: Bpf;
  readonly types: KernelTypes;
  readonly btfFd: Fd | undefined;
  readonly core: CoreApplier | undefined;
  readonly externs: ResolvedExterns;
  /** By position in ObjectSpec.maps; undefined for a map that was not created. */
  readonly mapFds: readonly (Fd | undefined)[];
  /** Where struct_ops programs attach. */
  readonly structOps: ReadonlyMap<string, StructOpsTarget>;
}

export interface StructOpsTarget {
  /** Struct in the kernel's BTF and index of its member. */
  readonly btfId: number;
  readonly memberIdx: number;
  readonly btfObjFd: Fd | undefined;
}

/** What a caller may still change about a program before it is loaded. */
export interface ProgPlan {
  readonly spec: ProgSpec;
  readonly type: number;
  readonly expectedAttachType: number;
  readonly progFlags: number;
  /** Function, tracepoint or hook; "" when the section names none. */
  readonly attachTarget: string;
  /** Program whose function is the target (freplace, tracing of BPF programs). */
  readonly attachProgFd: Fd | undefined;
  readonly progIfindex: number;
  readonly logLevel: number;
  readonly logSize: number | undefined;
}

export interface LoadedProg extends ProgLoadResult {
  /** CO-RE relocations without a target; the verifier found them all dead. */
  readonly poisoned: readonly Poisoned[];
}

/** Instructions as the kernel gets them. */
function patchInsns(ctx: LoadContext, prog: ProgSpec): { insns: Insns; poisoned: readonly Poisoned[] } {
  const insns = cloneInsns(prog.insns);
  const poisoned = ctx.core?.apply(insns, prog.coreRelos, `${ctx.spec.file}: program '${prog.name}'`) ?? [];
  for (const reloc of prog.relocs) patchReloc(ctx, insns, reloc);
  return { insns, poisoned };
}

export function loadProg(ctx: LoadContext, plan: ProgPlan): LoadedProg {
  const { spec: prog } = plan;
  const where = `${ctx.spec.file}: program '${prog.name}'`;
  if (plan.type === 0) {
    const wanted = "wanted one of libbpf's section names (xdp, tc, kprobe/FUNC, ...)";
    throw new BpfError(EINVAL, `${where}: section '${prog.section}': unknown section; ${wanted}`, {
      sec: prog.section,
    });
  }
  const target = findAttachTarget(ctx, plan, where);
  const { insns, poisoned } = patchInsns(ctx, prog);
  const withBtf = ctx.btfFd !== undefined && {
    progBtfFd: ctx.btfFd,
    ...(prog.funcInfo.length > 0 && { funcInfo: funcInfoBytes(prog), funcInfoRecSize: 8 }),
    ...(prog.lineInfo.length > 0 && { lineInfo: lineInfoBytes(prog), lineInfoRecSize: 16 }),
  };
  const attr: ProgLoadAttr = {
    progType: plan.type,
    insns: encode(insns),
    license: ctx.spec.license ?? "",
    name: prog.name.slice(0, 15),
    kernVersion: ctx.spec.kernVersion,
    expectedAttachType: plan.expectedAttachType,
    progFlags: plan.progFlags,
    logLevel: plan.logLevel,
    ...(ctx.complexity && { complexity: true }),
    ...(plan.logSize !== undefined && { logSize: plan.logSize }),
    ...(plan.progIfindex && { progIfindex: plan.progIfindex }),
    ...(ctx.externs.fdArray.length > 0 && { fdArray: ctx.externs.fdArray }),
    ...withBtf,
    ...target,
  };
  try {
    return { ...loadWithLog(ctx.bpf, attr), poisoned };
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    const message = e.message.replace(/: [A-Z0-9]+$/, "");
    if (!(e instanceof VerifierError)) throw new BpfError(e.errno, `${where}: ${message}`, e.context, e);
    const log = fixupLog(e.log, ctx.spec, poisoned, e.insnIdx);
    throw new VerifierError(
      e.errno,
      `${where}: ${complaint(log) || message}${hint(ctx.spec, log, poisoned)}`,
      {
        log,
        insnIdx: e.insnIdx,
        sourceLine: e.sourceLine,
        stats: e.stats,
        context: e.context,
        explain: () => fixedExplanation(e.explanation, e.log, log),
      },
      e,
    );
  }
}

/** The kernel's explanation of a call that the loader made invalid on purpose is put in the loader's words. */
function fixedExplanation(e: Explanation | undefined, before: string, after: string): Explanation | undefined {
  return e && before !== after ? withMessage(e, lastWords(after)) : e;
}

/** The first try asks for no log, which is faster; a failure is tried again for its words, as libbpf does. */
function loadWithLog(bpf: Bpf, attr: ProgLoadAttr): ProgLoadResult {
  try {
    return bpf.progLoad(attr);
  } catch (e) {
    if (!(e instanceof VerifierError) || e.log !== "" || attr.logLevel) throw e;
    return bpf.progLoad({ ...attr, logLevel: 1 });
  }
}

/** The line of a verifier log that says why: the last one before the statistics that is no source line. */
export function lastWords(log: string): string {
  const lines = log.split("\n").filter((l) => l !== "" && !STATISTICS.test(l));
  return lines.at(-1) ?? "";
}

const STATISTICS = /^(; |processed \d+ insns|verification time |stack depth |mark_precise: |insns processed )/;

/** All lines of the complaint that ends a log, as one: what was wrong, and what it was about. */
function complaint(log: string): string {
  const lines = log.split("\n").filter((l) => l !== "" && !STATISTICS.test(l));
  const before = lines.findLastIndex((l) => TRACE.test(l));
  return lines.slice(Math.max(before + 1, lines.length - 3)).join("; ");
}

/** Lines of a log that show the verifier's way, not its complaint. */
const TRACE =
  /^(\d+: |; |R\d+(_\w+)?=|frame\d+: |from \d+ to |caller:|callee:|returning from |func#|Func#|Validating |Live regs)/;

/** What the loader knows about the verifier's last words, in brackets. */
function hint(spec: ObjectSpec, log: string, poisoned: readonly Poisoned[]): string {
  const words = lastWords(log);
  if (/GPL[- ]/.test(words)) {
    const seen =
      spec.license === undefined ? "missing license: there is no section 'license'" : `license is '${spec.license}'`;
    return ` (${seen}; wanted char LICENSE[] SEC("license") = "GPL")`;
  }
  const relo = poisoned.find((p) => words === `failed to resolve CO-RE relocation ${p.relo}`);
  return relo ? ` (${relo.reason})` : "";
}

function patchReloc(ctx: LoadContext, insns: Insns, r: Reloc): void {
  const i = r.insnIdx;
  switch (r.kind) {
    case "map":
    case "map_value": {
      const fd = ctx.mapFds[r.map];
      if (fd === undefined) {
        poisonInsn(insns, i, POISON_MAP_BASE + r.map);
        poisonInsn(insns, i + 1, POISON_MAP_BASE + r.map);
        return;
      }
      insns.src[i] = r.kind === "map" ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
      insns.imm[i] = fd;
      if (r.kind === "map_value") insns.imm[i + 1] = r.off;
      return;
    }
    case "extern": {
      const ext = ctx.spec.externs[r.extern];
      if (ext.kind === "kconfig") {
        const map = ctx.spec.maps.findIndex((m) => m.global?.kind === "kconfig");
        patchReloc(ctx, insns, { insnIdx: i, kind: "map_value", map, off: ext.off });
        return;
      }
      const ksym = ctx.externs.ksyms[r.extern];
      const address = ksym?.kind === "address" ? ksym.address : 0n;
      if (ksym?.kind === "btf") insns.src[i] = BPF_PSEUDO_BTF_ID;
      insns.imm[i] = ksym?.kind === "btf" ? ksym.id : Number(BigInt.asIntN(32, address));
      insns.imm[i + 1] = ksym?.kind === "btf" ? ksym.objFd : Number(BigInt.asIntN(32, address >> 32n));
      return;
    }
    case "kfunc": {
      const ksym = ctx.externs.ksyms[r.extern];
      if (ksym?.kind !== "btf") {
        poisonInsn(insns, i, POISON_KFUNC_BASE + r.extern);
        return;
      }
      insns.src[i] = BPF_PSEUDO_KFUNC_CALL;
      insns.imm[i] = ksym.id;
      insns.off[i] = ksym.fdArrayIdx;
      return;
    }
    default:
      throw new Error(`unreachable relocation ${r satisfies never}`);
  }
}

type Target = Pick<ProgLoadAttr, "attachBtfId" | "attachBtfObjFd" | "attachProgFd" | "expectedAttachType">;

function findAttachTarget(ctx: LoadContext, plan: ProgPlan, where: string): Target {
  if (plan.type === BPF_PROG_TYPE_STRUCT_OPS) {
    const op = ctx.structOps.get(plan.spec.name);
    if (!op) {
      const wanted = "wanted a member of a struct in section .struct_ops that holds it";
      throw new BpfError(EINVAL, `${where}: SEC("struct_ops") program isn't referenced anywhere; ${wanted}`);
    }
    return {
      attachBtfId: op.btfId,
      expectedAttachType: op.memberIdx,
      ...(op.btfObjFd !== undefined && { attachBtfObjFd: op.btfObjFd }),
    };
  }
  // An extension may come from any section: its target is given with setAttachTarget().
  if (plan.type === BPF_PROG_TYPE_EXT && plan.attachTarget !== "") return findInProg(ctx, plan, where);
  const how = plan.spec.sec?.attachBtf;
  if (!how) return {};
  if (plan.attachTarget === "") {
    const wanted = `wanted SEC("${plan.spec.section}/NAME") or setAttachTarget()`;
    throw new BpfError(EINVAL, `${where}: no BTF-based attach target is specified; ${wanted}`);
  }
  if (how.inProg || plan.attachProgFd !== undefined) return findInProg(ctx, plan, where);
  const colon = plan.attachTarget.indexOf(":");
  const only = colon < 0 ? undefined : plan.attachTarget.slice(0, colon);
  const name = how.prefix + plan.attachTarget.slice(colon + 1);
  const found = ctx.types.find(name, how.kind === "func" ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF, only);
  if (!found) {
    const message = `${where}: failed to find kernel BTF type ID of '${plan.attachTarget}'`;
    throw new BpfError(ESRCH, `${message}; wanted ${how.kind} ${name}`, { target: plan.attachTarget });
  }
  return { attachBtfId: found.id, ...(found.module && { attachBtfObjFd: found.module.fd }) };
}

/** The target is a function of another program. */
function findInProg(ctx: LoadContext, plan: ProgPlan, where: string): Target {
  const { attachProgFd } = plan;
  if (attachProgFd === undefined) {
    const what = plan.type === BPF_PROG_TYPE_EXT ? "freplace" : "tracing";
    throw new BpfError(
      EINVAL,
      `${where}: attach program FD is not set; wanted setAttachTarget() for a ${what} program`,
    );
  }
  const { btfId } = ctx.bpf.progInfo(attachProgFd);
  if (btfId === 0) throw new BpfError(EINVAL, `${where}: target program has no BTF`);
  const btfFd = ctx.bpf.btfGetFdById(btfId);
  try {
    const attachBtfId = parseBtf(ctx.bpf.btfInfo(btfFd).bytes).byName(plan.attachTarget, BTF_KIND_FUNC);
    if (!attachBtfId) {
      throw new BpfError(ENOENT, `${where}: target program has no function '${plan.attachTarget}'`);
    }
    return { attachProgFd, attachBtfId };
  } finally {
    ctx.bpf.close(btfFd);
  }
}

function funcInfoBytes(prog: ProgSpec): Uint8Array {
  const w = new ByteWriter(8 * prog.funcInfo.length);
  for (const f of prog.funcInfo) w.u32(f.insnIdx).u32(f.typeId);
  return w.finish();
}

function lineInfoBytes(prog: ProgSpec): Uint8Array {
  const w = new ByteWriter(16 * prog.lineInfo.length);
  for (const l of prog.lineInfo) {
    w.u32(l.insnIdx)
      .u32(l.fileNameOff)
      .u32(l.lineOff)
      .u32(((l.line << 10) | l.column) >>> 0);
  }
  return w.finish();
}
