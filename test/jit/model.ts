/**
 * A second opinion: eBPF as RFC 9669 words it, on BigInt, one instruction at a time, with nothing shared with the engines.
 */
import type { ExecImage } from "../../src/interp/image.ts";
import { opcodeOf } from "../../src/isa/opcodes.ts";

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const u32 = (v: bigint): bigint => BigInt.asUintN(32, v);

export class OutOfSteps extends Error {}

/** @returns r0, with registers as they are at exit in `regs` */
export function model(image: ExecImage, view: DataView, regs: bigint[], maxSteps = 1e6): bigint {
  const { insns } = image;
  const frames: { pc: number; saved: bigint[] }[] = [];
  let pc = 0;
  for (let step = 0; step < maxSteps; step++) {
    const i = pc++;
    const o = opcodeOf(insns, i);
    if (!o) throw new Error(`no instruction at ${i}`);
    const [dst, src, off, imm] = [insns.dst[i], insns.src[i], insns.off[i], BigInt(insns.imm[i])];
    const width = o.width;
    const cut = (v: bigint): bigint => BigInt.asUintN(width, v);
    const signed = (v: bigint): bigint => BigInt.asIntN(width, v);
    const operand = o.srcReg ? regs[src] : u64(imm);
    const at = (base: bigint): number => Number(u32(base + BigInt(off)));
    switch (o.kind) {
      case "alu":
        regs[dst] = cut(alu(o.name, cut(regs[dst]), cut(operand), signed, BigInt(width)));
        break;
      case "neg":
        regs[dst] = cut(-regs[dst]);
        break;
      case "mov":
        regs[dst] = cut(operand);
        break;
      case "movsx":
        regs[dst] = cut(BigInt.asIntN(o.bits, regs[src]));
        break;
      case "addr_space_cast":
        regs[dst] = u32(regs[src]);
        break;
      case "end":
        regs[dst] = o.name === "le" ? BigInt.asUintN(o.bits, regs[dst]) : swap(regs[dst], o.bits);
        break;
      case "ldx":
      case "load_acquire":
        regs[dst] = read(view, at(regs[src]), o.size);
        break;
      case "ldxsx":
        regs[dst] = u64(BigInt.asIntN(o.size * 8, read(view, at(regs[src]), o.size)));
        break;
      case "st":
        write(view, at(regs[dst]), o.size, imm);
        break;
      case "stx":
      case "store_release":
        write(view, at(regs[dst]), o.size, regs[src]);
        break;
      case "atomic": {
        const addr = at(regs[dst]);
        const old = read(view, addr, o.size);
        if (o.name === "cmpxchg") {
          if (old === cut(regs[0])) write(view, addr, o.size, regs[src]);
          regs[0] = old;
          break;
        }
        const fetch = o.name === "xchg" || o.name.startsWith("fetch_");
        const value =
          o.name === "xchg" ? regs[src] : alu(o.name.replace("fetch_", ""), old, cut(regs[src]), signed, 64n);
        write(view, addr, o.size, value);
        if (fetch) regs[src] = old;
        break;
      }
      case "ld_imm64":
        regs[dst] = (BigInt(insns.imm[i + 1] >>> 0) << 32n) | u32(imm);
        pc++;
        break;
      case "ja":
        pc += o.width === 32 ? Number(imm) : off;
        break;
      case "jmp":
        if (jump(o.name, cut(regs[dst]), cut(operand), signed)) pc += off;
        break;
      case "call":
        if (src !== 1) throw new Error("the model knows no helpers");
        frames.push({ pc, saved: regs.slice(6) });
        regs[10] -= 512n;
        pc += Number(imm);
        break;
      case "exit": {
        const frame = frames.pop();
        if (!frame) return regs[0];
        pc = frame.pc;
        frame.saved.forEach((v, n) => {
          regs[6 + n] = v;
        });
        break;
      }
      default:
        throw new Error(`the model knows no ${o.kind}`);
    }
  }
  throw new OutOfSteps();
}

function alu(name: string, a: bigint, b: bigint, signed: (v: bigint) => bigint, width: bigint): bigint {
  switch (name) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "div":
      return b === 0n ? 0n : a / b;
    case "mod":
      return b === 0n ? a : a % b;
    case "sdiv":
      return b === 0n ? 0n : signed(a) / signed(b);
    case "smod":
      return b === 0n ? a : signed(a) % signed(b);
    case "or":
      return a | b;
    case "and":
      return a & b;
    case "xor":
      return a ^ b;
    case "lsh":
      return a << (b & (width - 1n));
    case "rsh":
      return a >> (b & (width - 1n));
    case "arsh":
      return signed(a) >> (b & (width - 1n));
    default:
      throw new Error(name);
  }
}

function jump(name: string, a: bigint, b: bigint, signed: (v: bigint) => bigint): boolean {
  const [sa, sb] = [signed(a), signed(b)];
  switch (name) {
    case "jeq":
      return a === b;
    case "jne":
      return a !== b;
    case "jgt":
      return a > b;
    case "jge":
      return a >= b;
    case "jlt":
      return a < b;
    case "jle":
      return a <= b;
    case "jset":
      return (a & b) !== 0n;
    case "jsgt":
      return sa > sb;
    case "jsge":
      return sa >= sb;
    case "jslt":
      return sa < sb;
    case "jsle":
      return sa <= sb;
    default:
      throw new Error(name);
  }
}

function swap(v: bigint, bits: number): bigint {
  let out = 0n;
  for (let at = 0n; at < BigInt(bits); at += 8n) out = (out << 8n) | ((v >> at) & 0xffn);
  return out;
}

function read(view: DataView, addr: number, size: number): bigint {
  let v = 0n;
  for (let k = size - 1; k >= 0; k--) v = (v << 8n) | BigInt(view.getUint8(addr + k));
  return v;
}

function write(view: DataView, addr: number, size: number, value: bigint): void {
  for (let k = 0; k < size; k++) view.setUint8(addr + k, Number((value >> BigInt(8 * k)) & 0xffn));
}
