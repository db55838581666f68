/**
 * The printf of BPF programs: bpf_trace_printk, bpf_trace_vprintk, bpf_snprintf, bpf_seq_printf.
 *
 * Conversions  %% %c %s %d %i %u %x %X with l or ll, %p %pK %px %ps %pS %pB %pks %pus %pi4 %pI4 %pi6 %pI6;
 *              flags 0 + - and space, a width, no precision.
 * Errors       -EINVAL for anything else, for a format that is not printable ASCII or lacks its NUL, and for too few
 *              arguments, as bpf_bprintf_prepare() does.
 * Differs      %p prints the number itself: there is no kernel address to hide.
 */
import { EINVAL } from "../abi/errno.ts";
import type { Memory } from "../memory/memory.ts";

/** 64-bit arguments by index; undefined when there are fewer. */
export type FormatArgs = (index: number) => bigint | undefined;

const SPEC = /^([0+\- ]*)([1-9][0-9]*)?(pks|pus|pK|px|ps|pS|pB|p[iI][46]|p|s|c|ll[diuxX]|l[diuxX]|[diuxX])/;
const FIRST_VADDR = 0x10000n;

/** Text of a format of fmtSize bytes (the NUL counts), or a negative errno. */
export function formatBpf(mem: Memory, fmt: number, fmtSize: number, args: FormatArgs): string | number {
  const bytes = mem.readBytes(fmt, fmtSize);
  const end = bytes.indexOf(0);
  if (end < 0) return -EINVAL;
  const text = String.fromCharCode(...bytes.subarray(0, end));
  if (/[^\x20-\x7e\t-\r]/.test(text)) return -EINVAL;
  let out = "";
  let argIdx = 0;
  for (let i = 0; i < text.length; ) {
    const c = text[i]!;
    if (c !== "%") {
      out += c;
      i++;
      continue;
    }
    if (text[i + 1] === "%") {
      out += "%";
      i += 2;
      continue;
    }
    const m = SPEC.exec(text.slice(i + 1));
    if (!m) return -EINVAL;
    const value = args(argIdx++);
    if (value === undefined) return -EINVAL;
    out += convert(mem, m[1]!, m[2] === undefined ? 0 : Number(m[2]), m[3]!, value);
    i += 1 + m[0].length;
  }
  return out;
}

function convert(mem: Memory, flags: string, width: number, conv: string, value: bigint): string {
  const v = BigInt.asUintN(64, value);
  switch (conv) {
    case "c":
      return pad(String.fromCharCode(Number(v & 0xffn)), flags, width);
    case "s":
    case "pks":
    case "pus":
      return pad(stringAt(mem, v), flags, width);
    case "p":
    case "pK":
    case "px":
      return pad(v.toString(16).padStart(16, "0"), flags, width);
    case "ps":
    case "pS":
    case "pB":
      return pad(`0x${v.toString(16)}`, flags, width);
    case "pi4":
    case "pI4":
    case "pi6":
    case "pI6":
      return pad(address(mem, v, conv), flags, width);
    default:
      return number(flags, width, conv, v);
  }
}

function number(flags: string, width: number, conv: string, v: bigint): string {
  const bits = conv.startsWith("l") ? 64 : 32;
  const kind = conv[conv.length - 1]!;
  if (kind === "d" || kind === "i") {
    const n = BigInt.asIntN(bits, v);
    const sign = n < 0n ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
    return padNumber(sign, (n < 0n ? -n : n).toString(), flags, width);
  }
  const u = BigInt.asUintN(bits, v);
  const digits = kind === "u" ? u.toString() : u.toString(16);
  return padNumber("", kind === "X" ? digits.toUpperCase() : digits, flags, width);
}

function padNumber(sign: string, digits: string, flags: string, width: number): string {
  if (flags.includes("0") && !flags.includes("-")) return sign + digits.padStart(width - sign.length, "0");
  return pad(sign + digits, flags, width);
}

function pad(text: string, flags: string, width: number): string {
  return flags.includes("-") ? text.padEnd(width) : text.padStart(width);
}

function bytesAt(mem: Memory, at: bigint, n: number): Uint8Array | undefined {
  if (at < FIRST_VADDR || at + BigInt(n) > BigInt(mem.u8.length)) return undefined;
  return mem.readBytes(Number(at), n);
}

function stringAt(mem: Memory, at: bigint): string {
  if (at < FIRST_VADDR || at >= BigInt(mem.u8.length)) return "";
  return mem.readCstr(Number(at), 512);
}

function address(mem: Memory, at: bigint, conv: string): string {
  const b = bytesAt(mem, at, conv.endsWith("4") ? 4 : 16) ?? new Uint8Array(conv.endsWith("4") ? 4 : 16);
  if (conv === "pI4") return b.join(".");
  if (conv === "pi4") return Array.from(b, (x) => String(x).padStart(3, "0")).join(".");
  const hex = Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
  return conv === "pI6" ? hex.replace(/(.{4})(?!$)/g, "$1:") : hex;
}
