/**
 * Registers and stack slots as the log shows them: `R1=scalar(id=1,umax=255) fp-8=ctx()`.
 *
 * Source   output format of kernel/bpf/log.c, Linux 6.18 (print_verifier_state).
 */
import { NON_OWN_REF } from "../helpers/types.ts";
import type { VerifierEnv } from "./env.ts";
import {
  BPF_ADD_CONST,
  F_IN_ASYNC_CALLBACK,
  F_IN_CALLBACK,
  R_MASK,
  R_SMAX,
  R_SMIN,
  R_UMAX,
  R_UMIN,
  R_VALUE,
} from "./layout.ts";
import { alignment, BPF_LOG_LEVEL } from "./log.ts";
import {
  baseType,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  isPktPointer,
  NOT_INIT,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_STACK,
  regTypeStr,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_IRQ_FLAG,
  STACK_ITER,
  STACK_SPILL,
} from "./reg_type.ts";
import type { Frame, Reg, VState } from "./state.ts";

const SLOT_CHARS = "?rm0dif";
const DYNPTR_NAMES = ["<invalid>", "local", "ringbuf", "skb", "xdp", "skb_meta", "file"];
const ITER_STATES = ["<invalid>", "active", "drained"];

const U64 = (1n << 64n) - 1n;
const S64_MIN = -(1n << 63n);
const S64_MAX = (1n << 63n) - 1n;

function unum(v: bigint): string {
  return v <= 65535n ? `${v}` : `0x${v.toString(16)}`;
}

function snum(v: bigint): string {
  return v >= -32768n && v <= 32767n ? `${v}` : `0x${BigInt.asUintN(64, v).toString(16)}`;
}

/** tnum_strn(). */
export function tnumStr(env: VerifierEnv, reg: Reg): string {
  const v = env.R.big(reg + R_VALUE, false);
  const m = env.R.big(reg + R_MASK, false);
  return m === 0n ? unum(v) : `(0x${v.toString(16)}; 0x${m.toString(16)})`;
}

/** Equal bounds share a line: "smin=umin=5"; names whose value says nothing are left out. */
function ranges(env: VerifierEnv, reg: Reg): string[] {
  const R = env.R;
  const s32 = (v: number) => (v >= -32768 && v <= 32767 ? BigInt(v) : BigInt(v >>> 0));
  const rows: { name: string; val: bigint; omit: boolean }[] = [
    { name: "smin", val: R.big(reg + R_SMIN, true), omit: R.big(reg + R_SMIN, true) === S64_MIN },
    { name: "smax", val: R.big(reg + R_SMAX, true), omit: R.big(reg + R_SMAX, true) === S64_MAX },
    { name: "umin", val: R.big(reg + R_UMIN, false), omit: R.big(reg + R_UMIN, false) === 0n },
    { name: "umax", val: R.big(reg + R_UMAX, false), omit: R.big(reg + R_UMAX, false) === U64 },
    { name: "smin32", val: s32(R.s32min(reg)), omit: R.s32min(reg) === -2147483648 },
    { name: "smax32", val: s32(R.s32max(reg)), omit: R.s32max(reg) === 2147483647 },
    { name: "umin32", val: BigInt(R.u32min(reg)), omit: R.u32min(reg) === 0 },
    { name: "umax32", val: BigInt(R.u32max(reg)), omit: R.u32max(reg) === 4294967295 },
  ];
  const out: string[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (row.omit) continue;
    const signed = row.name[0] === "s";
    const neg = signed && BigInt.asIntN(64, row.val) < 0n;
    let text = `${row.name}=`;
    for (let j = i + 2; j < rows.length; j += 2) {
      const other = rows[j];
      if (other.omit || BigInt.asUintN(64, other.val) !== BigInt.asUintN(64, row.val)) continue;
      if ((other.name[0] === "s" && BigInt.asIntN(64, other.val) < 0n) !== neg) continue;
      other.omit = true;
      text += `${other.name}=`;
    }
    out.push(text + (signed ? snum(BigInt.asIntN(64, row.val)) : unum(row.val)));
  }
  return out;
}

export function dynptrTypeStr(type: number): string {
  return DYNPTR_NAMES[type] ?? "<unknown>";
}

export function iterTypeStr(env: VerifierEnv, reg: Reg): string {
  if (!env.R.btfIdx(reg) || !env.R.btfId(reg)) return "<invalid>";
  return env
    .btfOf(reg)
    .nameOf(env.R.btfId(reg))
    .replace(/^bpf_iter_/, "");
}

export function iterStateStr(state: number): string {
  return ITER_STATES[state] ?? "<unknown>";
}

/** One register as text, without its name. */
export function regStr(env: VerifierEnv, frame: Frame, reg: Reg): string {
  const R = env.R;
  const type = R.type(reg);
  const base = baseType(type);
  let out = type === SCALAR_VALUE && R.precise(reg) ? "P" : "";
  if (type === SCALAR_VALUE && R.isConst(reg)) return out + snum(R.big(reg + R_VALUE, true));
  out += regTypeStr(type);
  if (type === PTR_TO_ARENA) return out;
  if (type === PTR_TO_STACK) {
    if (R.frameno(frame) !== R.regFrameno(reg)) out += `[${R.regFrameno(reg)}]`;
    if (R.isConst(reg)) return out + snum(R.big(reg + R_VALUE, true) + BigInt(R.off(reg)));
  }
  if (base === PTR_TO_BTF_ID) out += env.btfOf(reg).nameOf(R.btfId(reg));
  const parts: string[] = [];
  const id = R.id(reg);
  if (id) parts.push(`id=${(id & ~BPF_ADD_CONST) >>> 0}`);
  if (id & BPF_ADD_CONST) parts[parts.length - 1] += R.off(reg) < 0 ? `${R.off(reg)}` : `+${R.off(reg)}`;
  if (R.refObjId(reg)) parts.push(`ref_obj_id=${R.refObjId(reg)}`);
  if (type & NON_OWN_REF) parts.push("non_own_ref");
  if (base === CONST_PTR_TO_MAP || base === PTR_TO_MAP_KEY || base === PTR_TO_MAP_VALUE) {
    const map = env.mapOf(reg);
    if (map.name) parts.push(`map=${map.name}`);
    parts.push(`ks=${map.keySize},vs=${map.valueSize}`);
  }
  if (type !== SCALAR_VALUE && R.off(reg)) parts.push(`off=${snum(BigInt(R.off(reg)))}`);
  if (isPktPointer(type)) parts.push(`r=${unum(BigInt.asUintN(64, BigInt(R.range(reg))))}`);
  if (base === PTR_TO_MEM) parts.push(`sz=${unum(BigInt(R.memSize(reg)))}`);
  if (type === CONST_PTR_TO_DYNPTR) parts.push(`type=${dynptrTypeStr(R.dynptrType(reg))}`);
  if (R.isConst(reg)) {
    const v = R.big(reg + R_VALUE, true);
    if (v !== 0n) parts.push(`imm=${snum(v)}`);
  } else {
    parts.push(...ranges(env, reg));
    if (R.maskLo(reg) !== -1 || R.maskHi(reg) !== -1) parts.push(`var_off=${tnumStr(env, reg)}`);
  }
  return `${out}(${parts.join(",")})`;
}

function slotStr(env: VerifierEnv, frame: Frame, spi: number): { text: string; skip: number } | undefined {
  const R = env.R;
  let types = "";
  let valid = false;
  for (let j = 0; j < 8; j++) {
    const t = R.slotType(frame, spi, j);
    if (t !== STACK_INVALID) valid = true;
    types += SLOT_CHARS[t];
  }
  if (!valid) return undefined;
  const reg = R.slotAt(frame, spi);
  const at = (i: number) => ` fp${(-i - 1) * 8}=`;
  switch (R.slotType(frame, spi, 7)) {
    case STACK_SPILL: {
      // A narrow spill leaves the upper bytes of the slot as they were.
      const upper = types.slice(0, types.indexOf("r"));
      return { text: at(spi) + upper + regStr(env, frame, reg), skip: 0 };
    }
    case STACK_DYNPTR: {
      const main = R.slotAt(frame, spi + 1);
      const parts: string[] = [];
      if (R.id(main)) parts.push(`id=${R.id(main)}`);
      if (R.refObjId(main)) parts.push(`ref_id=${R.refObjId(main)}`);
      if (R.dynptrId(main)) parts.push(`dynptr_id=${R.dynptrId(main)}`);
      return { text: `${at(spi + 1)}dynptr_${dynptrTypeStr(R.dynptrType(main))}(${parts.join(",")})`, skip: 1 };
    }
    case STACK_ITER:
      if (!R.refObjId(reg)) return undefined;
      return {
        text: `${at(spi)}iter_${iterTypeStr(env, reg)}(ref_id=${R.refObjId(reg)},state=${iterStateStr(R.iterState(reg))},depth=${R.iterDepth(reg)})`,
        skip: 0,
      };
    case STACK_IRQ_FLAG:
      return { text: at(spi) + types, skip: 0 };
    default:
      return { text: at(spi) + types, skip: 0 };
  }
}

/** print_verifier_state(): one frame, everything or what changed since the last print; ends with a newline. */
export function printState(env: VerifierEnv, state: VState, frameno: number, all: boolean): void {
  const R = env.R;
  const frame = state.frames[frameno];
  let out = R.frameno(frame) ? ` frame${R.frameno(frame)}:` : "";
  for (let i = 0; i < 11; i++) {
    const reg = R.regAt(frame, i);
    if (R.type(reg) === NOT_INIT) continue;
    if (!all && !(env.scratchedRegs & (1 << i))) continue;
    out += ` R${i}=${regStr(env, frame, reg)}`;
  }
  const slots = R.stackSlots(frame);
  for (let spi = 0; spi < slots; spi++) {
    if (!all && !env.slotScratched(spi)) continue;
    const slot = slotStr(env, frame, spi);
    if (!slot) continue;
    out += slot.text;
    spi += slot.skip;
  }
  if (state.refs.length && state.refs[0].id) {
    out += ` refs=${state.refs
      .map((r) => r.id)
      .filter((id) => id)
      .join(",")}`;
  }
  if (R.get(frame, F_IN_CALLBACK)) out += " cb";
  if (R.get(frame, F_IN_ASYNC_CALLBACK)) out += " async_cb";
  env.verbose(`${out}\n`);
  if (!all) env.markStateClean();
}

/** The state after an instruction, on the instruction's own line when nothing was printed since. */
export function printInsnState(env: VerifierEnv, state: VState, frameno: number): void {
  const log = env.log;
  if (log.prevLogPos && log.prevLogPos === log.pos) {
    log.reset(log.prevLogPos - 1);
    env.verbose(`${" ".repeat(alignment(log.prevInsnPrintPos))};`);
  } else {
    env.verbose(`${env.insnIdx}:`);
  }
  printState(env, state, frameno, false);
}

export function logOn(env: VerifierEnv): boolean {
  return (env.log.level & BPF_LOG_LEVEL) !== 0;
}
