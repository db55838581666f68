/**
 * Disassembler in four styles:
 *
 *     asm       clang's syntax with nothing left out: assemble() gives back the same bytes
 *     llvm      what `llvm-objdump -d --no-show-raw-insn` prints (32-bit atomics in the w-register form of --mattr=+alu32)
 *     kernel    what the kernel's disassembler prints, as in the verifier's log and `bpftool prog dump xlated`
 *     mnemonic  the public conformance suite's syntax
 *
 * Source of the kernel style: output format of kernel/bpf/disasm.c, Linux 6.18.
 */
import { imm64 } from "./codec.ts";
import { formsOf } from "./forms.ts";
import { helperName } from "./helper_names.ts";
import type { Insns } from "./insns.ts";
import { BPF_LD, BPF_LDX, BPF_REG_FP, BPF_ST, isLdImm64, type Opcode, opcodeOf, opcodesOf } from "./opcodes.ts";

export type DisasmStyle = "asm" | "llvm" | "kernel" | "mnemonic";

/** Names that only the caller knows. Each may return undefined for the style's own default. */
export interface DisasmOptions {
  readonly style?: DisasmStyle;
  /**
   * Kernel style, the callee of a call in slot i: text before "#imm" for a helper or kfunc, the whole text after "call "
   * for a bpf-to-bpf call ("pc+5"; bpftool says "pc+5#bpf_prog_1234_f").
   */
  readonly call?: (i: number) => string | undefined;
  /** Kernel style, the value of the ld_imm64 in slot i: "map[id:3][0]+16". Default: 0x and the 64-bit value. */
  readonly imm64?: (i: number, value: bigint) => string | undefined;
  /** Llvm and asm style, where a jump goes: "L" or "f+0x10", printed in <>. */
  readonly target?: (slot: number) => string | undefined;
}

/** Bad instructions as each style shows them. */
const UNKNOWN = {
  llvm: () => "<unknown>",
  asm: raw,
  mnemonic: raw,
  kernel: (insns: Insns, i: number) => {
    const code = insns.code[i];
    const cls = code & 7;
    const kind = cls === BPF_LD ? "_ld" : cls === BPF_LDX ? "_ldx" : cls === BPF_ST ? "_st" : "";
    return `BUG${kind}_${hex2(code)}`;
  },
} satisfies Record<DisasmStyle, (insns: Insns, i: number) => string>;

/**
 * Text of the instruction in slot i; two slots for ld_imm64.
 * Kernel style starts with the code: "(b7) r0 = 0".
 */
export function disasmInsn(insns: Insns, i: number, options: DisasmOptions = {}): string {
  const style = options.style ?? "asm";
  const o = style === "kernel" ? closest(insns, i) : exact(insns, i);
  if (!o) return UNKNOWN[style](insns, i);
  const forms = formsOf(o);
  const form =
    style === "kernel" ? forms.kernel : style === "mnemonic" ? forms.mnemonic : llvmForm(style, o, forms.asm, insns, i);
  const text = form.replace(/\{(\w+)\}/g, (_, hole: string) => fill(hole, style, o, insns, i, options));
  return style === "kernel" ? `(${hex2(insns.code[i])}) ${text}` : text;
}

/** Whole program, one line an instruction, with its slot number: "      12:\tr0 = 0x1". Kernel style: "  12: (b7) r0 = 1". */
export function disasm(insns: Insns, options: DisasmOptions = {}): string[] {
  const out: string[] = [];
  for (let i = 0; i < insns.length; i += isLdImm64(insns, i) && i + 1 < insns.length ? 2 : 1) {
    const text = disasmInsn(insns, i, options);
    out.push(options.style === "kernel" ? `${String(i).padStart(4)}: ${text}` : `${String(i).padStart(8)}:\t${text}`);
  }
  return out;
}

/** llvm-objdump does not tell the pseudo forms of ld_imm64 and call apart. */
function llvmForm(style: DisasmStyle, o: Opcode, asm: string, insns: Insns, i: number): string {
  if (style === "asm") return asm;
  if (o.kind === "ld_imm64") return "{d} = {imm64} ll";
  if (o.kind === "call_local" || o.kind === "call_kfunc") return "call {imm}";
  return o.kind === "ld_ind" && insns.imm[i] === 0 ? asm.replace("{ind}", "") : asm;
}

function exact(insns: Insns, i: number): Opcode | undefined {
  const o = opcodeOf(insns, i);
  const fits =
    insns.dst[i] <= BPF_REG_FP && insns.src[i] <= BPF_REG_FP && (o?.kind !== "ld_imm64" || highHalfFits(insns, i));
  return fits ? o : undefined;
}

/** The kernel prints an instruction before it checks the reserved fields: only code, and imm of atomics, must fit. */
function closest(insns: Insns, i: number): Opcode | undefined {
  const o = opcodeOf(insns, i);
  if (o) return o;
  const all = opcodesOf(insns.code[i]);
  return (
    all.find((c) => (c.size && c.imm ? c.imm === insns.imm[i] : c.off === insns.off[i])) ??
    all.find((c) => c.kind !== "atomic" && !(c.size && c.imm))
  );
}

function highHalfFits(insns: Insns, i: number): boolean {
  const j = i + 1;
  return j < insns.length && insns.code[j] === 0 && insns.dst[j] === 0 && insns.src[j] === 0 && insns.off[j] === 0;
}

const hex2 = (n: number): string => n.toString(16).padStart(2, "0");

/** A slot as one number, which assemble() reads. */
function raw(insns: Insns, i: number): string {
  const low =
    BigInt(insns.code[i] | (insns.dst[i] << 8) | (insns.src[i] << 12)) | (BigInt(insns.off[i] & 0xffff) << 16n);
  const value = low | (BigInt(insns.imm[i] >>> 0) << 32n);
  return `.8byte 0x${value.toString(16).padStart(16, "0")}`;
}

/** 0x5, -0x5 */
const signedHex = (n: number): string => (n < 0 ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`);
/** +5, -5 */
const plus = (n: number): string => (n < 0 ? `${n}` : `+${n}`);

function fill(hole: string, style: DisasmStyle, o: Opcode, insns: Insns, i: number, options: DisasmOptions): string {
  const imm = insns.imm[i];
  const decimal = style === "kernel" || style === "mnemonic";
  switch (hole) {
    case "d":
      return `${style === "mnemonic" ? "%" : ""}r${insns.dst[i]}`;
    case "s":
      return `${style === "mnemonic" ? "%" : ""}r${insns.src[i]}`;
    case "D":
      return `w${insns.dst[i]}`;
    case "S":
      return `w${insns.src[i]}`;
    case "r0":
    case "w0":
      return hole;
    case "imm":
      if (style === "kernel" && o.kind === "jmp") return `0x${(imm >>> 0).toString(16)}`;
      return decimal ? `${imm}` : signedHex(imm);
    case "dec":
      return `${imm}`;
    case "imm64": {
      const value = imm64(insns, i);
      if (style === "kernel") return options.imm64?.(i, value) ?? `0x${value.toString(16)}`;
      const signed = BigInt.asIntN(64, value);
      return style === "mnemonic" || signed >= 0n ? `0x${value.toString(16)}` : `-0x${(-signed).toString(16)}`;
    }
    case "hi":
      return insns.imm[i + 1] ? optional(style, insns.imm[i + 1]) : "";
    case "koff":
      return insns.off[i] ? optional(style, insns.off[i]) : "";
    case "ind":
      return imm ? optional("asm", imm) : "";
    case "off":
      return optional(style, insns.off[i]);
    case "a":
      return decimal ? `${imm >>> 16}` : signedHex(imm >>> 16);
    case "b":
      return decimal ? `${imm & 0xffff}` : signedHex(imm & 0xffff);
    case "t": {
      const inImm = o.kind === "call_local" || o.kind === "ld_imm64" || (o.kind === "ja" && o.width === 32);
      const distance = inImm ? imm : insns.off[i];
      if (style === "kernel") return `pc${plus(distance)}`;
      if (style === "mnemonic") return plus(distance);
      const name = options.target?.(i + 1 + distance);
      return `${distance < 0 ? "" : "+"}${signedHex(distance)}${name === undefined ? "" : ` <${name}>`}`;
    }
    case "pc":
      return options.call?.(i) ?? `pc${plus(imm)}`;
    case "fn":
      return options.call?.(i) ?? (o.kind === "call_kfunc" ? "kernel-function" : (helperName(imm) ?? "unknown"));
    default:
      throw new Error(`form of ${o.name}: hole ${hole} cannot be printed`);
  }
}

/** A signed number after something: " + 0x4", " +4", "+4". */
function optional(style: DisasmStyle, n: number): string {
  if (style === "kernel") return ` ${plus(n)}`;
  if (style === "mnemonic") return n === 0 ? "" : plus(n);
  return n < 0 ? ` - ${signedHex(-n)}` : ` + ${signedHex(n)}`;
}
