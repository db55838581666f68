/**
 * Text output and string parsing.
 *
 * Source   kernel/trace/bpf_trace.c, kernel/bpf/helpers.c.
 */
import {
  BPF_FUNC_snprintf,
  BPF_FUNC_snprintf_btf,
  BPF_FUNC_strncmp,
  BPF_FUNC_strtol,
  BPF_FUNC_strtoul,
  BPF_FUNC_trace_printk,
  BPF_FUNC_trace_vprintk,
} from "../abi/bpf.ts";
import { EINVAL, ENOTSUPP, ERANGE } from "../abi/errno.ts";
import { formatBpf } from "./format.ts";
import type { Helper, Runtime } from "./helper.ts";
import { big } from "./runtime.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_CONST_STR,
  ARG_PTR_TO_FIXED_SIZE_MEM,
  ARG_PTR_TO_MEM,
  ARG_PTR_TO_MEM_OR_NULL,
  MEM_ALIGNED,
  MEM_RDONLY,
  MEM_UNINIT,
  MEM_WRITE,
  PTR_MAYBE_NULL,
  RET_INTEGER,
} from "./types.ts";

export const trace_printk: Helper = {
  id: BPF_FUNC_trace_printk,
  name: "trace_printk",
  proto: { args: [ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE], ret: RET_INTEGER, gplOnly: true },
  abi: "ppqqq:i",
  call: tracePrintk,
};

export const trace_vprintk: Helper = {
  id: BPF_FUNC_trace_vprintk,
  name: "trace_vprintk",
  proto: {
    args: [
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
    ],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "pppp:i",
  call: traceVprintk,
};

export const snprintf: Helper = {
  id: BPF_FUNC_snprintf,
  name: "snprintf",
  proto: {
    args: [
      ARG_PTR_TO_MEM_OR_NULL | MEM_WRITE,
      ARG_CONST_SIZE_OR_ZERO,
      ARG_PTR_TO_CONST_STR,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
    ],
    ret: RET_INTEGER,
    gplOnly: true,
  },
  abi: "ppppp:i",
  call: bpfSnprintf,
};

export const strtol: Helper = {
  id: BPF_FUNC_strtol,
  name: "strtol",
  proto: {
    args: [
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_ANYTHING,
      ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED,
    ],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, undefined, 8],
  },
  abi: "pqqp:i",
  call: bpfStrtol,
};

export const strtoul: Helper = {
  id: BPF_FUNC_strtoul,
  name: "strtoul",
  proto: {
    args: [
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_ANYTHING,
      ARG_PTR_TO_FIXED_SIZE_MEM | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED,
    ],
    ret: RET_INTEGER,
    sizes: [undefined, undefined, undefined, 8],
  },
  abi: "pqqp:i",
  call: bpfStrtoul,
};

export const strncmp: Helper = {
  id: BPF_FUNC_strncmp,
  name: "strncmp",
  proto: { args: [ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_PTR_TO_CONST_STR], ret: RET_INTEGER },
  abi: "ppp:i",
  core: "bpf_strncmp",
};

export const snprintf_btf: Helper = {
  id: BPF_FUNC_snprintf_btf,
  name: "snprintf_btf",
  proto: {
    args: [ARG_PTR_TO_MEM | MEM_WRITE, ARG_CONST_SIZE, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE, ARG_ANYTHING],
    ret: RET_INTEGER,
  },
  abi: "ppppq:i",
  unsupported: { errno: ENOTSUPP, reason: "printing by BTF id needs ids of the running kernel" },
};

/** MAX_BPRINTF_VARARGS. */
const MAX_ARGS = 12;

/** The argument array of vprintk, snprintf and seq_printf; undefined when its size is wrong. */
export function arrayArgs(rt: Runtime, data: number, dataLen: number): ((i: number) => bigint | undefined) | undefined {
  const n = dataLen >>> 0;
  if (n & 7 || n > MAX_ARGS * 8 || (n && !data)) return undefined;
  return (i) => (i * 8 < n ? rt.memory.readU64((data >>> 0) + 8 * i) : undefined);
}

function emit(rt: Runtime, text: string | number): number {
  if (typeof text === "number") return text;
  rt.printk(text.endsWith("\n") ? text.slice(0, -1) : text);
  return text.length;
}

function tracePrintk(rt: Runtime, fmt: number, size: number, ...halves: number[]): number {
  const args = (i: number) => (i < 3 ? big(halves[2 * i]!, halves[2 * i + 1]!) : undefined);
  return emit(rt, formatBpf(rt.memory, fmt >>> 0, size >>> 0, args));
}

function traceVprintk(rt: Runtime, fmt: number, size: number, data: number, dataLen: number): number {
  const args = arrayArgs(rt, data, dataLen);
  return args ? emit(rt, formatBpf(rt.memory, fmt >>> 0, size >>> 0, args)) : -EINVAL;
}

/** Bytes that the whole text needs with its NUL, also when only strSize of them were written. */
function bpfSnprintf(rt: Runtime, str: number, strSize: number, fmt: number, data: number, dataLen: number): number {
  const args = arrayArgs(rt, data, dataLen);
  if (!args) return -EINVAL;
  const mem = rt.memory;
  const end = mem.u8.indexOf(0, fmt >>> 0);
  const text = formatBpf(mem, fmt >>> 0, end - (fmt >>> 0) + 1, args);
  if (typeof text === "number") return text;
  const room = strSize >>> 0;
  if (room) {
    const bytes = new TextEncoder().encode(text).subarray(0, room - 1);
    mem.writeBytes(str >>> 0, bytes);
    mem.writeU8((str >>> 0) + bytes.length, 0);
  }
  return text.length + 1;
}

interface Parsed {
  readonly value: bigint;
  readonly negative: boolean;
  readonly consumed: number;
}

/** __bpf_strtoull: white space, a minus sign, digits in the base of the flags; a negative errno when there is no number. */
function parseInteger(
  rt: Runtime,
  buf: number,
  lenLo: number,
  lenHi: number,
  flagsLo: number,
  flagsHi: number,
): Parsed | number {
  const base = flagsLo & 31;
  if (flagsHi || flagsLo & ~31 || ![0, 8, 10, 16].includes(base)) return -EINVAL;
  if (!buf || !(lenLo | lenHi)) return -EINVAL;
  const text = String.fromCharCode(...rt.memory.u8.subarray(buf >>> 0, (buf >>> 0) + Math.min(lenLo >>> 0, 4096)));
  const m = /^[\t-\r \xa0]*(-?)/.exec(text)!;
  const at = m[0].length;
  let digits = text.slice(at, at + 63);
  const end = digits.indexOf("\0");
  if (end >= 0) digits = digits.slice(0, end);
  const hex = /^0x/i.test(digits) && (base === 16 || (base === 0 && /^0x[0-9a-f]/i.test(digits)));
  const radix = base || (hex ? 16 : digits.startsWith("0") ? 8 : 10);
  const skip = hex ? 2 : 0;
  const allowed = radix === 16 ? /^[0-9a-f]+/i : radix === 8 ? /^[0-7]+/ : /^[0-9]+/;
  const found = allowed.exec(digits.slice(skip))?.[0];
  if (!found) return -EINVAL;
  const value = BigInt((radix === 16 ? "0x" : radix === 8 ? "0o" : "") + found);
  if (value >> 64n) return -ERANGE;
  return { value, negative: m[1] === "-", consumed: at + skip + found.length };
}

function bpfStrtol(rt: Runtime, buf: number, ll: number, lh: number, fl: number, fh: number, res: number): number {
  rt.memory.writeU64(res >>> 0, 0n);
  const p = parseInteger(rt, buf, ll, lh, fl, fh);
  if (typeof p === "number") return p;
  if (p.value > (p.negative ? 1n << 63n : (1n << 63n) - 1n)) return -ERANGE;
  rt.memory.writeU64(res >>> 0, BigInt.asUintN(64, p.negative ? -p.value : p.value));
  return p.consumed;
}

function bpfStrtoul(rt: Runtime, buf: number, ll: number, lh: number, fl: number, fh: number, res: number): number {
  rt.memory.writeU64(res >>> 0, 0n);
  const p = parseInteger(rt, buf, ll, lh, fl, fh);
  if (typeof p === "number") return p;
  if (p.negative) return -EINVAL;
  rt.memory.writeU64(res >>> 0, p.value);
  return p.consumed;
}
