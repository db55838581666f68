/**
 * The eBPF instruction set as one table: RFC 9669 and what Linux 6.18 adds to it.
 *
 * An instruction is one 8-byte slot (two for ld_imm64), little-endian:
 *
 *     byte 0   1        2..3   4..7
 *     code     src:dst  off    imm        dst is the low half of byte 1
 *
 * Most instructions are told apart by `code`; some also by `off` (sdiv, movsx), `imm` (atomics, byte swaps) or the src
 * field (pseudo calls and immediates). `OPCODES` lists every valid combination once; `opcodeOf` finds the entry.
 */
import { BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL } from "../abi/bpf.ts";
import type { Insns } from "./insns.ts";

// Instruction classes: code & 7
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_JMP32 = 0x06;
export const BPF_ALU64 = 0x07;

// Sizes of loads and stores: code & 0x18
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_DW = 0x18;

// Modes of loads and stores: code & 0xe0
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_MEMSX = 0x80;
export const BPF_ATOMIC = 0xc0;

// Source operand of ALU and JMP: code & 8
export const BPF_K = 0x00;
export const BPF_X = 0x08;

// ALU operations: code & 0xf0
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_MOV = 0xb0;
export const BPF_ARSH = 0xc0;
export const BPF_END = 0xd0;
export const BPF_TO_LE = 0x00;
export const BPF_TO_BE = 0x08;

// Jumps: code & 0xf0
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_JSGT = 0x60;
export const BPF_JSGE = 0x70;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_JSLT = 0xc0;
export const BPF_JSLE = 0xd0;
/** may_goto: code BPF_JMP | BPF_JCOND, src 0. */
export const BPF_JCOND = 0xe0;

// Atomic operations: imm
export const BPF_FETCH = 0x01;
export const BPF_XCHG = 0xe1;
export const BPF_CMPXCHG = 0xf1;
export const BPF_LOAD_ACQ = 0x100;
export const BPF_STORE_REL = 0x110;

/** `off` of the mov that converts an arena pointer. */
export const BPF_ADDR_SPACE_CAST = 1;

export const BPF_REG_FP = 10;
export const MAX_BPF_REG = 11;
/** Bytes of one slot. */
export const INSN_SIZE = 8;

export const BPF_CLASS = (code: number): number => code & 0x07;
export const BPF_SIZE = (code: number): number => code & 0x18;
export const BPF_MODE = (code: number): number => code & 0xe0;
/** ALU or JMP operation. */
export const BPF_OP = (code: number): number => code & 0xf0;
export const BPF_SRC = (code: number): number => code & 0x08;

/** Bytes of a BPF_SIZE: 4, 2, 1, 8. */
export const sizeBytes = (code: number): 1 | 2 | 4 | 8 => SIZE_BYTES[(code >> 3) & 3];
const SIZE_BYTES = [4, 2, 1, 8] as const;

export type OpKind =
  /** dst op= src or imm */
  | "alu"
  | "neg"
  /** dst = src or imm */
  | "mov"
  /** dst = sign-extended low `bits` of src */
  | "movsx"
  /** dst = addr_space_cast(src, imm >> 16, imm & 0xffff) */
  | "addr_space_cast"
  /** le, be, bswap of `bits` */
  | "end"
  | "ldx"
  | "ldxsx"
  /** *(dst + off) = imm */
  | "st"
  | "stx"
  | "atomic"
  | "load_acquire"
  | "store_release"
  | "ld_imm64"
  | "ld_abs"
  | "ld_ind"
  /** off relative (`width` 64) or imm relative (`width` 32, gotol) */
  | "ja"
  | "may_goto"
  | "jmp"
  /** helper imm */
  | "call"
  /** bpf-to-bpf, imm relative to the next instruction */
  | "call_local"
  /** BTF id imm, module BTF fd index off */
  | "call_kfunc"
  /** helper whose id is in dst */
  | "callx"
  | "exit";

/** Which CPU level (clang -mcpu) first has an instruction; "linux" is what only the kernel's own tools emit. */
export type CpuVersion = 1 | 2 | 3 | 4 | "linux";

export interface Opcode {
  readonly kind: OpKind;
  readonly code: number;
  /** RFC 9669 word without width or operand: "add", "jsgt", "ldx", "xchg", "be". */
  readonly name: string;
  /** The operator in kernel syntax: "+=", "s>". Empty where the syntax has none. */
  readonly sign: string;
  /** Operand width of ALU, JMP; 64 otherwise. */
  readonly width: 32 | 64;
  /** Bytes accessed; 0 when no memory is. */
  readonly size: 0 | 1 | 2 | 4 | 8;
  /** Bits of movsx and byte swaps. */
  readonly bits: 0 | 8 | 16 | 32 | 64;
  /** The second operand is the src register (else imm, or there is none). */
  readonly srcReg: boolean;
  readonly cpu: CpuVersion;
  /** Fields that must have exactly this value; a field that is absent is an operand. */
  readonly off?: number;
  readonly imm?: number;
  readonly src?: number;
  readonly dst?: number;
}

type Partial_ = { readonly [K in keyof Opcode]?: Opcode[K] | undefined };

function op(kind: OpKind, code: number, name: string, more: Partial_): Opcode {
  const base = { kind, code, name, sign: "", width: 64, size: 0, bits: 0, srcReg: false, cpu: 1, ...more };
  // an absent field is an operand: drop keys that a caller left undefined
  return Object.fromEntries(Object.entries(base).filter(([, v]) => v !== undefined)) as unknown as Opcode;
}

/** [operation, name, sign] of the two-operand ALU instructions. */
const ALU_OPS = [
  [BPF_ADD, "add", "+="],
  [BPF_SUB, "sub", "-="],
  [BPF_MUL, "mul", "*="],
  [BPF_DIV, "div", "/="],
  [BPF_OR, "or", "|="],
  [BPF_AND, "and", "&="],
  [BPF_LSH, "lsh", "<<="],
  [BPF_RSH, "rsh", ">>="],
  [BPF_MOD, "mod", "%="],
  [BPF_XOR, "xor", "^="],
  [BPF_ARSH, "arsh", "s>>="],
  [BPF_MOV, "mov", "="],
] as const;

/** [operation, name, sign, cpu] of the conditional jumps. */
const JMP_OPS = [
  [BPF_JEQ, "jeq", "==", 1],
  [BPF_JGT, "jgt", ">", 1],
  [BPF_JGE, "jge", ">=", 1],
  [BPF_JSET, "jset", "&", 1],
  [BPF_JNE, "jne", "!=", 1],
  [BPF_JSGT, "jsgt", "s>", 1],
  [BPF_JSGE, "jsge", "s>=", 1],
  [BPF_JLT, "jlt", "<", 2],
  [BPF_JLE, "jle", "<=", 2],
  [BPF_JSLT, "jslt", "s<", 2],
  [BPF_JSLE, "jsle", "s<=", 2],
] as const;

/** [imm, name, sign] of the atomics; the fetching ones read src too. */
const ATOMIC_OPS = [
  [BPF_ADD, "add", "+="],
  [BPF_OR, "or", "|="],
  [BPF_AND, "and", "&="],
  [BPF_XOR, "xor", "^="],
  [BPF_ADD | BPF_FETCH, "fetch_add", ""],
  [BPF_OR | BPF_FETCH, "fetch_or", ""],
  [BPF_AND | BPF_FETCH, "fetch_and", ""],
  [BPF_XOR | BPF_FETCH, "fetch_xor", ""],
  [BPF_XCHG, "xchg", ""],
  [BPF_CMPXCHG, "cmpxchg", ""],
] as const;

/** What src of ld_imm64 says the value is: RFC 9669, table 12, in the order of BPF_PSEUDO_*. */
const LD_IMM64_SRC = ["imm64", "map_fd", "map_value", "btf_id", "func", "map_idx", "map_idx_value"] as const;

const SIZES = [BPF_B, BPF_H, BPF_W, BPF_DW] as const;

function alu(): Opcode[] {
  const out: Opcode[] = [];
  for (const [cls, width] of [
    [BPF_ALU64, 64],
    [BPF_ALU, 32],
  ] as const) {
    for (const [bits, name, sign] of ALU_OPS) {
      const kind = bits === BPF_MOV ? "mov" : "alu";
      for (const srcReg of [false, true]) {
        const code = cls | bits | (srcReg ? BPF_X : BPF_K);
        const more: Partial_ = { sign, width, srcReg, off: 0, ...(srcReg ? { imm: 0 } : { src: 0 }) };
        out.push(op(kind, code, name, more));
        if (bits === BPF_DIV || bits === BPF_MOD) {
          out.push(op("alu", code, `s${name}`, { ...more, sign: `s${sign}`, off: 1, cpu: 4 }));
        }
      }
    }
    for (const bits of width === 64 ? ([8, 16, 32] as const) : ([8, 16] as const)) {
      out.push(
        op("movsx", cls | BPF_MOV | BPF_X, "movsx", {
          sign: "=",
          width,
          bits,
          srcReg: true,
          off: bits,
          imm: 0,
          cpu: 4,
        }),
      );
    }
    out.push(op("neg", cls | BPF_NEG, "neg", { width, src: 0, off: 0, imm: 0 }));
  }
  out.push(
    op("addr_space_cast", BPF_ALU64 | BPF_MOV | BPF_X, "addr_space_cast", {
      srcReg: true,
      off: BPF_ADDR_SPACE_CAST,
      cpu: "linux",
    }),
  );
  for (const bits of [16, 32, 64] as const) {
    const more = { bits, src: 0, off: 0, imm: bits };
    out.push(op("end", BPF_ALU | BPF_END | BPF_TO_LE, "le", more));
    out.push(op("end", BPF_ALU | BPF_END | BPF_TO_BE, "be", more));
    out.push(op("end", BPF_ALU64 | BPF_END, "bswap", { ...more, cpu: 4 }));
  }
  return out;
}

function jumps(): Opcode[] {
  const out: Opcode[] = [];
  for (const [cls, width] of [
    [BPF_JMP, 64],
    [BPF_JMP32, 32],
  ] as const) {
    for (const [bits, name, sign, cpu] of JMP_OPS) {
      const more: Partial_ = { sign, width, cpu: width === 32 ? 3 : cpu };
      out.push(op("jmp", cls | bits | BPF_K, name, { ...more, src: 0 }));
      out.push(op("jmp", cls | bits | BPF_X, name, { ...more, srcReg: true, imm: 0 }));
    }
  }
  out.push(op("ja", BPF_JMP | BPF_JA, "ja", { dst: 0, src: 0, imm: 0 }));
  out.push(op("ja", BPF_JMP32 | BPF_JA, "ja", { width: 32, dst: 0, src: 0, off: 0, cpu: 4 }));
  out.push(op("may_goto", BPF_JMP | BPF_JCOND, "may_goto", { dst: 0, src: 0, imm: 0, cpu: "linux" }));
  const call = BPF_JMP | BPF_CALL;
  out.push(op("call", call, "call", { dst: 0, src: 0, off: 0 }));
  out.push(op("call_local", call, "call_local", { dst: 0, src: BPF_PSEUDO_CALL, off: 0 }));
  out.push(op("call_kfunc", call, "call_kfunc", { dst: 0, src: BPF_PSEUDO_KFUNC_CALL, cpu: "linux" }));
  out.push(op("callx", BPF_JMP | BPF_CALL | BPF_X, "callx", { src: 0, off: 0, imm: 0 }));
  out.push(op("exit", BPF_JMP | BPF_EXIT, "exit", { dst: 0, src: 0, off: 0, imm: 0 }));
  return out;
}

function memory(): Opcode[] {
  const out: Opcode[] = [];
  for (const bits of SIZES) {
    const size = sizeBytes(bits);
    out.push(op("ldx", BPF_LDX | BPF_MEM | bits, "ldx", { size, srcReg: true, imm: 0 }));
    if (size < 8) out.push(op("ldxsx", BPF_LDX | BPF_MEMSX | bits, "ldxsx", { size, srcReg: true, imm: 0, cpu: 4 }));
    out.push(op("st", BPF_ST | BPF_MEM | bits, "st", { size, src: 0 }));
    out.push(op("stx", BPF_STX | BPF_MEM | bits, "stx", { size, srcReg: true, imm: 0 }));
    const code = BPF_STX | BPF_ATOMIC | bits;
    out.push(op("load_acquire", code, "load_acquire", { size, srcReg: true, imm: BPF_LOAD_ACQ, cpu: 4 }));
    out.push(op("store_release", code, "store_release", { size, srcReg: true, imm: BPF_STORE_REL, cpu: 4 }));
    if (size < 4) continue;
    for (const [imm, name, sign] of ATOMIC_OPS) {
      out.push(
        op("atomic", code, name, {
          size,
          width: size === 8 ? 64 : 32,
          sign,
          srcReg: true,
          imm,
          cpu: imm === BPF_ADD ? 1 : 3,
        }),
      );
    }
  }
  for (const [src, name] of LD_IMM64_SRC.entries()) {
    out.push(op("ld_imm64", BPF_LD | BPF_IMM | BPF_DW, name, { src, off: 0 }));
  }
  for (const bits of [BPF_B, BPF_H, BPF_W]) {
    const size = sizeBytes(bits);
    out.push(op("ld_abs", BPF_LD | BPF_ABS | bits, "ld_abs", { size, dst: 0, src: 0, off: 0 }));
    out.push(op("ld_ind", BPF_LD | BPF_IND | bits, "ld_ind", { size, dst: 0, srcReg: true, off: 0 }));
  }
  return out;
}

/** Every valid instruction, once. */
export const OPCODES: readonly Opcode[] = [...alu(), ...jumps(), ...memory()];

const byCode: readonly (readonly Opcode[])[] = Array.from({ length: 256 }, (_, code) =>
  OPCODES.filter((o) => o.code === code),
);

/** Entries that share a code, told apart by off, imm or src; empty for an opcode that does not exist. */
export function opcodesOf(code: number): readonly Opcode[] {
  return byCode[code & 0xff];
}

/**
 * The entry of the instruction in slot i, or undefined when no instruction has these fields. Fields reserved as zero
 * count: this is Linux's and RFC 9669's rule for a valid instruction.
 */
export function opcodeOf(insns: Insns, i: number): Opcode | undefined {
  for (const o of byCode[insns.code[i]]) {
    if (o.off !== undefined && o.off !== insns.off[i]) continue;
    if (o.imm !== undefined && o.imm !== insns.imm[i]) continue;
    if (o.src !== undefined && o.src !== insns.src[i]) continue;
    if (o.dst !== undefined && o.dst !== insns.dst[i]) continue;
    return o;
  }
  return undefined;
}

/** Whether slot i holds a ld_imm64, whose other half is slot i + 1. */
export function isLdImm64(insns: Insns, i: number): boolean {
  return insns.code[i] === (BPF_LD | BPF_IMM | BPF_DW);
}
