/**
 * How every instruction is written: for each entry of OPCODES its forms in each syntax. The assembler reads all of them;
 * a disassembler prints one of them.
 *
 * A form is text with holes:
 *
 *     {d} {s}          64-bit register       {D} {S}   the same as w0..w10 in kernel syntax
 *     {imm} {imm64}    numbers               {off}     signed offset inside an address, may be absent when 0
 *     {t}              jump or call target: number, or label
 *     {hi}             signed second word of ld_imm64, may be absent when 0
 *     {a} {b}          halves of imm (address spaces)
 *     {name}           symbol, resolved by the caller
 *     {r0} {w0}        register that must be r0
 *     {ind} {koff}     imm or off as a signed number that may be absent when 0
 *     {fn} {pc} {dec}  only printed: name of a callee, its distance, imm in decimal
 *
 * Kernel syntax is what clang's BPF assembler and llvm-objdump use; where the kernel's own disassembler
 * (kernel/bpf/disasm.c) writes another text, that is a form too. Mnemonic syntax is that of the public conformance suite
 * and of uBPF's and rbpf's test files; names it lacks are RFC 9669's.
 */
import { BPF_ADD, BPF_AND, BPF_FETCH, BPF_OR, BPF_XOR, OPCODES, type Opcode } from "./opcodes.ts";

export interface Forms {
  /** What llvm-objdump prints; exact in both directions. */
  readonly asm: string;
  /** What the kernel prints, after "(code) ". */
  readonly kernel: string;
  /** What else the assembler reads. */
  readonly also: readonly string[];
  readonly mnemonic: string;
  readonly mnemonicAlso: readonly string[];
}

const forms = (asm: string, mnemonic: string, more: Partial<Forms> = {}): Forms => ({
  asm,
  kernel: asm,
  also: [],
  mnemonic,
  mnemonicAlso: [],
  ...more,
});

const LETTER: Readonly<Record<number, string>> = { 1: "b", 2: "h", 4: "w", 8: "dw" };
/** RFC 9669's names for the values of ld_imm64. */
const LD_IMM64_MNEMONIC: Readonly<Record<string, string>> = {
  imm64: "{imm64}",
  map_fd: "map_by_fd({imm})",
  map_value: "map_val(map_by_fd({imm})){hi}",
  btf_id: "var_addr({imm}){hi}",
  func: "code_addr({t})",
  map_idx: "map_by_idx({imm})",
  map_idx_value: "map_val(map_by_idx({imm})){hi}",
};
const FETCH_NAME = new Map<number, string>([
  [BPF_ADD, "add"],
  [BPF_OR, "or"],
  [BPF_AND, "and"],
  [BPF_XOR, "xor"],
]);

/** Register holes of an ALU or JMP operand width. */
const dst = (o: Opcode) => (o.width === 32 ? "{D}" : "{d}");
const src = (o: Opcode) => (o.width === 32 ? "{S}" : "{s}");
const operand = (o: Opcode) => (o.srcReg ? src(o) : "{imm}");
const suffix = (o: Opcode) => (o.width === 32 ? "32" : "");
const mOperand = (o: Opcode) => (o.srcReg ? "{s}" : "{imm}");

/** One entry per kind of instruction. */
const BY_KIND: Readonly<Record<Opcode["kind"], (o: Opcode) => Forms>> = {
  alu: (o) =>
    forms(`${dst(o)} ${o.sign} ${operand(o)}`, `${o.name}${suffix(o)} {d}, ${mOperand(o)}`, {
      mnemonicAlso: o.width === 64 ? [`${o.name}64 {d}, ${mOperand(o)}`] : [],
    }),
  mov: (o) =>
    forms(`${dst(o)} = ${operand(o)}`, `mov${suffix(o)} {d}, ${mOperand(o)}`, {
      mnemonicAlso: o.width === 64 ? [`mov64 {d}, ${mOperand(o)}`] : [],
    }),
  neg: (o) =>
    forms(`${dst(o)} = -${dst(o)}`, `neg${suffix(o)} {d}`, { mnemonicAlso: o.width === 64 ? ["neg64 {d}"] : [] }),
  movsx: (o) => forms(`${dst(o)} = (s${o.bits})${src(o)}`, `movsx${o.bits}${o.width} {d}, {s}`),
  addr_space_cast: () => forms("{d} = addr_space_cast({s}, {a}, {b})", "addr_space_cast {d}, {s}, {a}, {b}"),
  end: (o) => {
    const mnemonic = o.name === "bswap" ? "swap" : o.name;
    return forms(`{d} = ${o.name}${o.bits} {d}`, `${mnemonic}${o.bits} {d}`, {
      mnemonicAlso: mnemonic === o.name ? [] : [`${o.name}${o.bits} {d}`],
    });
  },
  ldx: (o) => {
    const type = `u${o.size * 8}`;
    return forms(`{d} = *(${type} *)({s}{off})`, `ldx${LETTER[o.size]} {d}, [{s}{off}]`, {
      also: o.size === 8 ? [] : [`{D} = *(${type} *)({s}{off})`],
    });
  },
  ldxsx: (o) =>
    forms(`{d} = *(s${o.size * 8} *)({s}{off})`, `ldxs${LETTER[o.size]} {d}, [{s}{off}]`, {
      mnemonicAlso: [`ldx${LETTER[o.size]}sx {d}, [{s}{off}]`],
    }),
  st: (o) => forms(`*(u${o.size * 8} *)({d}{off}) = {imm}`, `st${LETTER[o.size]} [{d}{off}], {imm}`),
  stx: (o) => {
    const type = `u${o.size * 8}`;
    return forms(`*(${type} *)({d}{off}) = {s}`, `stx${LETTER[o.size]} [{d}{off}], {s}`, {
      also: o.size === 8 ? [] : [`*(${type} *)({d}{off}) = {S}`],
    });
  },
  atomic,
  load_acquire: (o) => {
    const type = `u${o.size * 8}`;
    const wide = o.size === 8;
    return forms(
      `${wide ? "{d}" : "{D}"} = load_acquire((${type} *)({s}{off}))`,
      `ldacq${LETTER[o.size]} {d}, [{s}{off}]`,
      {
        kernel: `{d} = load_acquire((${type} *)({s}{off}))`,
      },
    );
  },
  store_release: (o) => {
    const type = `u${o.size * 8}`;
    const wide = o.size === 8;
    return forms(
      `store_release((${type} *)({d}{off}), ${wide ? "{s}" : "{S}"})`,
      `strel${LETTER[o.size]} [{d}{off}], {s}`,
      {
        kernel: `store_release((${type} *)({d}{off}), {s})`,
      },
    );
  },
  ld_imm64: (o) => {
    const mnemonic = `lddw {d}, ${LD_IMM64_MNEMONIC[o.name]}`;
    if (o.name === "imm64") return forms("{d} = {imm64} ll", mnemonic, { kernel: "{d} = {imm64}" });
    if (o.name === "func") {
      return forms("{d} = func[{t}] ll", mnemonic, { kernel: "{d} = {imm64}", also: ["{d} = subprog[{t}]"] });
    }
    return forms(`{d} = ${o.name}[{imm}]{hi} ll`, mnemonic, { kernel: "{d} = {imm64}" });
  },
  ld_abs: (o) => forms(`r0 = *(u${o.size * 8} *)skb[{imm}]`, `ldabs${LETTER[o.size]} {imm}`),
  ld_ind: (o) =>
    forms(`r0 = *(u${o.size * 8} *)skb[{s}{ind}]`, `ldind${LETTER[o.size]} {s}, {imm}`, {
      kernel: `r0 = *(u${o.size * 8} *)skb[{s} + {dec}]`,
    }),
  ja: (o) => (o.width === 32 ? forms("gotol {t}", "ja32 {t}") : forms("goto {t}", "ja {t}")),
  may_goto: () => forms("may_goto {t}", "may_goto {t}"),
  jmp: (o) => forms(`if ${dst(o)} ${o.sign} ${operand(o)} goto {t}`, `${o.name}${suffix(o)} {d}, ${mOperand(o)}, {t}`),
  call: () =>
    forms("call {imm}", "call {imm}", {
      kernel: "call {fn}#{imm}",
      also: ["call {name}", "call {name}#{imm}"],
      mnemonicAlso: ["call helper {imm}", "call {name}"],
    }),
  call_local: () => forms("call pc{t}", "call local {t}", { kernel: "call {pc}" }),
  call_kfunc: () => forms("call kfunc[{imm}]{koff}", "call runtime {imm}{koff}", { kernel: "call {fn}#{imm}" }),
  callx: () =>
    forms("callx {d}", "callx {d}", { kernel: "call {fn}#{imm}", mnemonicAlso: ["call {d}", "call helper {d}"] }),
  exit: () => forms("exit", "exit"),
};

function atomic(o: Opcode): Forms {
  const type = `u${o.size * 8}`;
  const wide = o.size === 8;
  const s = wide ? "{s}" : "{S}";
  const r0 = wide ? "{r0}" : "{w0}";
  const width = wide ? "64" : "";
  const unit = wide ? "_64" : "32_32";
  const m32 = wide ? "" : "32";
  const at = "[{d}{off}], {s}";
  if (o.name === "xchg") {
    return forms(`${s} = xchg${unit}({d}{off}, ${s})`, `lock xchg${m32} ${at}`, {
      kernel: `{s} = atomic${width}_xchg((${type} *)({d}{off}), {s})`,
      mnemonicAlso: [`lock fetch xchg${m32} ${at}`],
    });
  }
  if (o.name === "cmpxchg") {
    return forms(`${r0} = cmpxchg${unit}({d}{off}, ${r0}, ${s})`, `lock cmpxchg${m32} ${at}`, {
      kernel: `{r0} = atomic${width}_cmpxchg((${type} *)({d}{off}), {r0}, {s})`,
      mnemonicAlso: [`lock fetch cmpxchg${m32} ${at}`],
    });
  }
  const fetch = o.imm !== undefined && o.imm & BPF_FETCH ? FETCH_NAME.get(o.imm & ~BPF_FETCH) : undefined;
  if (fetch !== undefined) {
    return forms(`${s} = atomic_fetch_${fetch}((${type} *)({d}{off}), ${s})`, `lock fetch ${fetch}${m32} ${at}`, {
      kernel: `{s} = atomic${width}_fetch_${fetch}((${type} *)({d}{off}), {s})`,
      mnemonicAlso: [`lock fetch_${fetch}${m32} ${at}`],
    });
  }
  // only += exists in objdump's default r-register form; the rest it shows with --mattr=+alu32
  const asm = wide || o.name === "add" ? "{s}" : "{S}";
  const store = `lock *(${type} *)({d}{off}) ${o.sign}`;
  return forms(`${store} ${asm}`, `lock ${o.name}${m32} ${at}`, {
    kernel: `${store} {s}`,
    also: wide ? [] : [`${store} {S}`],
  });
}

const table: ReadonlyMap<Opcode, Forms> = new Map(OPCODES.map((o) => [o, BY_KIND[o.kind](o)]));

/** The forms of an entry of OPCODES. */
export function formsOf(o: Opcode): Forms {
  const f = table.get(o);
  if (!f) throw new Error(`no forms for opcode ${o.name}`);
  return f;
}
