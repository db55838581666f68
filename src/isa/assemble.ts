/**
 * Assembler: text to instructions, in kernel syntax (`r0 = *(u32 *)(r1 + 4)`, as clang and llvm-objdump write it) or in
 * the mnemonic syntax of the public conformance suite (`ldxw %r0, [%r1+4]`).
 *
 * Labels   `name:` before any instruction; numeric ones (`1:`) may repeat and are meant by `1f` and `1b`.
 * Calls    `call name` is the label of that name if there is one, else what options.call says, else a Linux helper.
 * Values   `r1 = map[name] ll`, `r1 = map[name][0]+4 ll`, `r1 = name ll` go to options.symbol; a label in the last is a
 *          BPF_PSEUDO_FUNC reference.
 * Raw      `.8byte 0x...` is one slot as a little-endian number. A leading `(b7)` fixes the code, so that the kernel's
 *          disassembly reads back.
 * Errors   AsmError naming line, column, token and what was wanted.
 */
import { BPF_PSEUDO_FUNC } from "../abi/bpf.ts";
import { type Match, match, type SymbolKind, type Syntax, startsInsn } from "./grammar.ts";
import { helperId } from "./helper_names.ts";
import { type Insns, newInsns } from "./insns.ts";
import { OPCODES, type OpKind } from "./opcodes.ts";
import { AsmError, type Statement, statements, type Token } from "./tokens.ts";

export interface AssembleOptions {
  /** Default: mnemonic when the text's first instruction is one, else kernel. */
  readonly syntax?: Syntax | "auto";
  /** Fields of a call to a name that is no label. */
  readonly call?: (name: string) => { readonly src: number; readonly imm: number; readonly off?: number } | undefined;
  /** src and the two halves of a ld_imm64 whose value is a name; an offset written after it is added to `hi`. */
  readonly symbol?: (
    name: string,
    kind: SymbolKind,
  ) => { readonly src: number; readonly imm: number; readonly hi?: number } | undefined;
}

export interface Assembled {
  readonly insns: Insns;
  /** Slot index by label. */
  readonly labels: ReadonlyMap<string, number>;
  /** Line of the text, from 1, by slot. */
  readonly lines: readonly number[];
}

/** One slot while targets are open. */
interface Slot {
  code: number;
  dst: number;
  src: number;
  off: number;
  imm: number;
  readonly line: number;
  target?: { readonly token: Token; readonly field: "off" | "imm" };
}

/** @throws AsmError */
export function assemble(text: string, options: AssembleOptions = {}): Assembled {
  const all = statements(text);
  const syntax = options.syntax === undefined || options.syntax === "auto" ? detect(all) : options.syntax;
  const labels = new Labels();
  const slots: Slot[] = [];
  const parsed: { readonly s: Statement; readonly form: Match | undefined }[] = [];
  // labels first: `call f` needs to know whether f is one
  let at = 0;
  for (const s of all) {
    const body = labels.take(s, at);
    if (!body) continue;
    const form = body.tokens[0]?.text.startsWith(".") ? undefined : pick(match(syntax, body), body.code);
    parsed.push({ s: body, form });
    // the suite's tests jump to "exit" without defining it: the first exit instruction
    if (syntax === "mnemonic" && body.tokens.length === 1 && body.tokens[0].text === "exit")
      labels.addDefault("exit", at);
    at += form?.opcode.kind === "ld_imm64" ? 2 : 1;
  }
  for (const { s, form } of parsed) slots.push(...(form ? encodeForm(s, form, labels, options) : [rawSlot(s)]));
  for (const [i, slot] of slots.entries()) resolve(slot, i, labels);
  const insns = newInsns(slots.length);
  slots.forEach((slot, i) => {
    insns.code[i] = slot.code;
    insns.dst[i] = slot.dst;
    insns.src[i] = slot.src;
    insns.off[i] = slot.off;
    insns.imm[i] = slot.imm;
  });
  return { insns, labels: labels.byName, lines: slots.map((slot) => slot.line) };
}

/** Mnemonic when the first statement that only one of the two syntaxes can start says so. */
function detect(all: readonly Statement[]): Syntax {
  for (const { tokens } of all) {
    let first = 0;
    while (tokens[first + 1]?.text === ":") first += 2;
    const t = tokens[first];
    if (!t) continue;
    const kernel = startsInsn("kernel", t);
    const mnemonic = startsInsn("mnemonic", t);
    if (kernel !== mnemonic) return kernel ? "kernel" : "mnemonic";
    if (t.text === "lock") return tokens[first + 1]?.text === "*" ? "kernel" : "mnemonic";
    if (t.text === "call" && ["local", "helper", "runtime"].includes(tokens[first + 1]?.text ?? "")) return "mnemonic";
  }
  return "kernel";
}

class Labels {
  readonly byName = new Map<string, number>();
  readonly #numeric = new Map<string, number[]>();

  /** Records the labels a statement starts with; the rest, or undefined when nothing is left. */
  take(s: Statement, at: number): Statement | undefined {
    let { tokens } = s;
    while (
      tokens.length >= 2 &&
      tokens[1].text === ":" &&
      (tokens[0].kind === "word" || tokens[0].kind === "num" || tokens[0].kind === "wreg")
    ) {
      const [{ kind, text, col }] = tokens;
      if (kind === "num") {
        const list = this.#numeric.get(text) ?? [];
        this.#numeric.set(text, [...list, at]);
      } else {
        if (this.byName.has(text)) throw new AsmError(s.line, col, `label '${text}' is defined twice`);
        this.byName.set(text, at);
      }
      tokens = tokens.slice(2);
    }
    return tokens.length ? { ...s, tokens } : undefined;
  }

  addDefault(name: string, at: number): void {
    if (!this.byName.has(name)) this.byName.set(name, at);
  }

  find(name: string, from: number): number | undefined {
    const named = this.byName.get(name);
    if (named !== undefined) return named;
    const local = /^(\d+)([fb])$/.exec(name);
    const list = local ? (this.#numeric.get(local[1]) ?? []) : [];
    return local?.[2] === "f" ? list.find((i) => i > from) : list.findLast((i) => i <= from);
  }
}

function pick(found: readonly Match[], code: number | undefined): Match {
  return found.find((m) => m.opcode.code === code) ?? found[0];
}

const FUNC_CALL = OPCODES.find((o) => o.kind === "call_local")!;

function encodeForm(s: Statement, form: Match, labels: Labels, options: AssembleOptions): Slot[] {
  const { line } = s;
  const { opcode, holes, symbol } = form;
  const slot: Slot = {
    code: opcode.code,
    dst: opcode.dst ?? 0,
    src: opcode.src ?? 0,
    off: opcode.off ?? 0,
    imm: opcode.imm ?? 0,
    line,
  };
  const high: Slot = { code: 0, dst: 0, src: 0, off: 0, imm: 0, line };
  const seen = new Map<string, bigint>();
  for (const [hole, token] of holes) {
    if ((hole === "d" || hole === "s") && seen.has(hole) && seen.get(hole) !== token.value) {
      throw new AsmError(line, token.col, `saw '${token.text}', wanted the register named before`);
    }
    seen.set(hole, token.value);
    switch (hole) {
      case "d":
        slot.dst = Number(token.value);
        break;
      case "s":
        slot.src = Number(token.value);
        break;
      case "imm":
      case "ind":
        slot.imm = number(token, 32, line);
        break;
      case "imm64": {
        const value = BigInt.asUintN(64, wide(token, line));
        slot.imm = Number(BigInt.asIntN(32, value));
        high.imm = Number(BigInt.asIntN(32, value >> 32n));
        break;
      }
      case "hi":
        // comes after the name in every form
        high.imm = (high.imm + number(token, 32, line)) | 0;
        break;
      case "off":
      case "koff":
        slot.off = number(token, 16, line);
        break;
      case "a":
        slot.imm = (slot.imm & 0xffff) | (number(token, 16, line) << 16);
        break;
      case "b":
        slot.imm = (slot.imm & ~0xffff) | (number(token, 16, line) & 0xffff);
        break;
      case "t": {
        const field = TARGET_IN_IMM.has(opcode.kind) || (opcode.kind === "ja" && opcode.width === 32) ? "imm" : "off";
        if (token.kind === "num") slot[field] = number(token, field === "imm" ? 32 : 16, line);
        else slot.target = { token, field };
        break;
      }
      case "name":
        name(token);
        break;
      default:
        throw new Error(`form of ${opcode.name}: hole ${hole} has no meaning`);
    }
  }
  return opcode.kind === "ld_imm64" ? [slot, high] : [slot];

  function name(token: Token): void {
    if (opcode.kind === "call") {
      if (seen.has("imm") || holes.some(([hole]) => hole === "imm")) return; // the number after # decides
      if (labels.byName.has(token.text)) {
        slot.src = FUNC_CALL.src ?? 0;
        slot.target = { token, field: "imm" };
        return;
      }
      const id = helperId(token.text);
      const fields = options.call?.(token.text) ?? (id === undefined ? undefined : { src: 0, imm: id });
      if (!fields)
        throw new AsmError(line, token.col, `saw function '${token.text}', wanted a label or the name of a helper`);
      Object.assign(slot, { src: fields.src, imm: fields.imm, off: fields.off ?? 0 });
      return;
    }
    if (symbol === "symbol" && labels.byName.has(token.text)) {
      slot.src = BPF_PSEUDO_FUNC;
      slot.target = { token, field: "imm" };
      return;
    }
    const fields = options.symbol?.(token.text, symbol ?? "symbol");
    if (!fields)
      throw new AsmError(
        line,
        token.col,
        `saw ${symbol === "symbol" ? "symbol" : "map"} '${token.text}', which nothing defines`,
      );
    slot.src = fields.src;
    slot.imm = fields.imm;
    high.imm = fields.hi ?? 0;
  }
}

/** Kinds whose target is in imm; the others' is in off. */
const TARGET_IN_IMM: ReadonlySet<OpKind> = new Set(["call_local", "ld_imm64"]);

/** A number that fits `bits` bits, signed or unsigned, as a signed one. Sign-extended 64-bit ones fit too. */
function number(token: Token, bits: number, line: number): number {
  const { value } = token;
  const min = -(1n << BigInt(bits - 1));
  const ok = (value >= min && value < 1n << BigInt(bits)) || (value >= (1n << 64n) + min && value < 1n << 64n);
  if (!ok) throw new AsmError(line, token.col, `saw ${token.text}, wanted a number of ${bits} bits`);
  return Number(BigInt.asIntN(bits, value));
}

function wide(token: Token, line: number): bigint {
  if (token.value >= -(1n << 63n) && token.value < 1n << 64n) return token.value;
  throw new AsmError(line, token.col, `saw ${token.text}, wanted a number of 64 bits`);
}

function rawSlot({ tokens, line }: Statement): Slot {
  const [directive, token] = tokens;
  if (directive.text !== ".8byte" || token?.kind !== "num" || tokens.length !== 2) {
    throw new AsmError(line, directive.col, `saw '${directive.text}', wanted an instruction or .8byte NUMBER`);
  }
  const v = BigInt.asUintN(64, wide(token, line));
  const byte = (i: number) => Number((v >> BigInt(8 * i)) & 0xffn);
  return {
    code: byte(0),
    dst: byte(1) & 0xf,
    src: byte(1) >> 4,
    off: Number(BigInt.asIntN(16, v >> 16n)),
    imm: Number(BigInt.asIntN(32, v >> 32n)),
    line,
  };
}

function resolve(slot: Slot, i: number, labels: Labels): void {
  if (!slot.target) return;
  const { token, field } = slot.target;
  const to = labels.find(token.text, i);
  if (to === undefined) throw new AsmError(slot.line, token.col, `saw '${token.text}', wanted a label of this text`);
  const distance = to - i - 1;
  if (field === "off" && (distance < -0x8000 || distance > 0x7fff)) {
    throw new AsmError(
      slot.line,
      token.col,
      `'${token.text}' is ${distance} instructions away, wanted at most 32767: use gotol`,
    );
  }
  slot[field] = distance;
}
