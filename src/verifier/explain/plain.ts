/**
 * Values of the abstract machine in words: "a number from 0 to 255", "packet pointer, 14 bytes of it checked".
 */

import type { VerifierEnv } from "../env.ts";
import { F_REGS, R_REF_OBJ_ID, R_SMAX, R_SMIN, R_UMAX, R_UMIN, R_VALUE, SLOT_TYPES } from "../layout.ts";
import { regStr } from "../print_state.ts";
import {
  baseType,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  NOT_INIT,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_FUNC,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  regTypeStr,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_IRQ_FLAG,
  STACK_ITER,
  STACK_SPILL,
  STACK_ZERO,
  typeMayBeNull,
} from "../reg_type.ts";
import type { Reg } from "../state.ts";
import { SLOT0 } from "./recorder.ts";

const U64_MAX = (1n << 64n) - 1n;
const S64_MIN = -(1n << 63n);
const S64_MAX = (1n << 63n) - 1n;

/** Decimal while people can read it. */
export function num(v: bigint): string {
  const abs = v < 0n ? -v : v;
  if (abs < 1_000_000n) return `${v}`;
  return `${v < 0n ? "-" : ""}0x${abs.toString(16)}`;
}

/** Which numbers a scalar, or the variable part of a pointer, may be. */
export function rangeWords(env: VerifierEnv, reg: Reg): string {
  const { R } = env;
  if (R.isConst(reg)) return num(R.big(reg + R_VALUE, true));
  const umin = R.big(reg + R_UMIN, false);
  const umax = R.big(reg + R_UMAX, false);
  const smin = R.big(reg + R_SMIN, true);
  const smax = R.big(reg + R_SMAX, true);
  if (smin >= 0n) return umax === S64_MAX ? `${num(umin)} or more` : `${num(umin)} to ${num(umax)}`;
  if (smin === S64_MIN && smax === S64_MAX) {
    if (umin > 0n && umax === U64_MAX)
      return `anything but ${umin === 1n ? "0" : `0 to ${num(umin - 1n)}`}, negative too`;
    return "anything, negative too";
  }
  if (smin === S64_MIN) return `${num(smax)} or less, negative without limit`;
  if (smax === S64_MAX) return `${num(smin)} or more`;
  return `${num(smin)} to ${num(smax)}`;
}

function offsetWords(env: VerifierEnv, reg: Reg): string {
  const { R } = env;
  const fixed = BigInt(R.off(reg));
  if (R.isConst(reg)) {
    const off = fixed + R.big(reg + R_VALUE, true);
    return off === 0n ? "" : ` at offset ${num(off)}`;
  }
  const vary = rangeWords(env, reg);
  const known = /^(-?\w+) to (-?\w+)$/.exec(vary);
  if (known && fixed === 0n) return ` at an offset of ${vary}`;
  if (known) return ` at an offset of ${num(fixed + BigInt2(known[1]))} to ${num(fixed + BigInt2(known[2]))}`;
  return ` at offset ${fixed === 0n ? "" : `${num(fixed)} + `}x, where x is ${vary}`;
}

function BigInt2(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

const NAMES: Readonly<Record<number, string>> = {
  [PTR_TO_CTX]: "the context pointer",
  [PTR_TO_FLOW_KEYS]: "a pointer to flow keys",
  [PTR_TO_SOCKET]: "a pointer to a full socket",
  [PTR_TO_SOCK_COMMON]: "a pointer to a struct bpf_sock that may be a request or timewait socket",
  [PTR_TO_TCP_SOCK]: "a pointer to a TCP socket",
  [PTR_TO_XDP_SOCK]: "a pointer to an AF_XDP socket",
  [PTR_TO_BUF]: "a pointer to a buffer",
  [PTR_TO_ARENA]: "an arena pointer",
  [PTR_TO_FUNC]: "a function pointer",
  [CONST_PTR_TO_DYNPTR]: "a pointer to a dynptr",
};

function pointerWords(env: VerifierEnv, reg: Reg): string {
  const { R } = env;
  const type = R.type(reg);
  const base = baseType(type);
  if (base === CONST_PTR_TO_MAP) return `the map '${env.mapOf(reg).name}'`;
  if (base === PTR_TO_MAP_VALUE) {
    const map = env.mapOf(reg);
    return `a pointer into a value of map '${map.name}' (${map.valueSize} bytes)`;
  }
  if (base === PTR_TO_MAP_KEY) return `a pointer to a key of map '${env.mapOf(reg).name}'`;
  if (base === PTR_TO_STACK) return "a pointer into the stack";
  if (base === PTR_TO_PACKET_END) return "data_end, the end of the packet";
  if (base === PTR_TO_PACKET || base === PTR_TO_PACKET_META) {
    return base === PTR_TO_PACKET ? "a packet pointer" : "a pointer to packet metadata";
  }
  if (base === PTR_TO_MEM) return `a pointer to ${R.memSize(reg)} bytes of memory`;
  if (base === PTR_TO_BTF_ID) {
    const trust = /^(\w+?)_ptr_/
      .exec(regTypeStr(type))?.[1]
      ?.replace("rcu", "RCU-protected")
      .replace("percpu", "per-CPU");
    return `${trust ? `${/^([aeiou]|RCU)/.test(trust) ? "an" : "a"} ${trust.replaceAll("_", " ")} ` : "a "}pointer to struct ${env.btfOf(reg).nameOf(R.btfId(reg))}`;
  }
  return NAMES[base] ?? regTypeStr(type);
}

/** A register record in words. */
export function regWords(env: VerifierEnv, reg: Reg): string {
  const { R } = env;
  const type = R.type(reg);
  if (type === NOT_INIT) return "no value";
  if (type === SCALAR_VALUE) {
    const range = rangeWords(env, reg);
    if (R.isConst(reg)) {
      const v = R.big(reg + R_VALUE, false);
      const narrow = v >> 31n === 1n ? ` (${BigInt.asIntN(32, v)} in 32 bits)` : "";
      return `the number ${range}${narrow}`;
    }
    return range.startsWith("anything, ") ? "an unbounded number" : `a number, ${range}`;
  }
  const base = baseType(type);
  let out = typeMayBeNull(type) ? `NULL or ${pointerWords(env, reg)}` : pointerWords(env, reg);
  if (base === PTR_TO_STACK) {
    if (R.isConst(reg) && R.off(reg) + R.value(reg) === 0) return "the frame pointer";
    if (R.isConst(reg)) out = `fp${signed(BigInt(R.off(reg)) + R.big(reg + R_VALUE, true))}, ${out}`;
    else out += offsetWords(env, reg);
  } else if (base !== PTR_TO_ARENA && base !== PTR_TO_PACKET_END) out += offsetWords(env, reg);
  if (base === PTR_TO_PACKET || base === PTR_TO_PACKET_META) {
    const range = R.range(reg);
    out += range > 0 ? `; the first ${range} bytes are known to exist` : "; no byte is known to exist";
  }
  if (R.refObjId(reg)) out += `, to be released (reference ${R.refObjId(reg)})`;
  return out;
}

export function signed(v: bigint): string {
  return v < 0n ? `${v}` : `+${v}`;
}

/** "r2", "fp-8"; with the function's frame when that is not the innermost. */
export function placeName(loc: number, frameno: number, innermost: number): string {
  const name = loc < SLOT0 ? `r${loc}` : `fp${-8 * (loc - SLOT0 + 1)}`;
  return frameno === innermost ? name : `${name} of frame ${frameno}`;
}

/** A recorded register or slot: in words, and as the log prints it. */
export function recordWords(env: VerifierEnv, loc: number, bytes: Uint8Array): { state: string; raw: string } {
  const { R } = env;
  const scratch = env.fakeReg[3];
  R.u8.set(bytes.subarray(0, SLOT_TYPES), scratch);
  const frame = env.fakeReg[0] - F_REGS;
  if (loc >= SLOT0) {
    const types = bytes.subarray(SLOT_TYPES);
    const last = types[7];
    const raw = Array.from(types, (t) => "?rm0dif"[t] ?? "?").join("");
    if (last === STACK_DYNPTR) return { state: "part of a dynptr", raw };
    if (last === STACK_ITER) return { state: "part of an iterator", raw };
    if (last === STACK_IRQ_FLAG) return { state: "saved interrupt flags", raw };
    if (last !== STACK_SPILL) {
      const written = types.filter((t) => t !== STACK_INVALID).length;
      if (written === 0) return { state: "8 bytes without a value", raw };
      const zero = types.every((t) => t === STACK_ZERO);
      const what = zero ? "zero bytes" : "bytes of unknown value";
      return { state: written === 8 ? `8 ${what}` : `${written} of 8 bytes written`, raw };
    }
  }
  const raw = R.type(scratch) === NOT_INIT ? "?" : regStr(env, frame, scratch).replace(/^P/, "");
  return { state: regWords(env, scratch), raw };
}

/** Id of the reference that a record holds. */
export function refOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(R_REF_OBJ_ID, true);
}
