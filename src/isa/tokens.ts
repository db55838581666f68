/**
 * Words of a line of BPF assembly, in either syntax, and the error that points at one.
 */
import { BpfError, EINVAL } from "../abi/errno.ts";

export type TokenKind =
  /** r0..r10, %r0..%r10 */
  | "reg"
  /** w0..w10 */
  | "wreg"
  | "num"
  /** Mnemonic, keyword, label or symbol. */
  | "word"
  | "punct";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Column of the first character, from 1. */
  readonly col: number;
  /** Register number or number; the sign is part of it. */
  readonly value: bigint;
  /** A number that was written with + or -. */
  readonly signed: boolean;
}

/** Text that is no instruction: names line, column, the token seen and what was wanted. */
export class AsmError extends BpfError {
  override readonly name = "AsmError";
  readonly line: number;
  readonly col: number;

  constructor(line: number, col: number, message: string) {
    super(EINVAL, `line ${line}, column ${col}: ${message}`, { line, col });
    this.line = line;
    this.col = col;
  }
}

const TOKEN = new RegExp(
  [
    "(?<space>\\s+)",
    "(?<reg>%?[rw](?:1[0-5]|[0-9])\\b)",
    // numeric local labels of GNU as: 1f, 1b
    "(?<local>\\d+[fb]\\b)",
    "(?<op>s>>=|s(?:[<>]=?|[/%]=)|<<=|>>=|[-+*/%&|^=!<>]=)",
    "(?<num>(?:[-+]\\s*)*(?:0[xX][0-9a-fA-F]+|\\d+)(?![\\w.]))",
    // labels of kernel selftests end in "%=" before clang makes them unique
    "(?<word>[A-Za-z_.$][\\w.$]*(?:%=)?)",
    "(?<punct>[-+*/&|^=<>()[\\],:!#])",
  ].join("|"),
  "y",
);

/** @param col column of text's first character */
export function tokenize(text: string, line: number, col: number): Token[] {
  const out: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const m = TOKEN.exec(text);
    if (!m?.groups) throw new AsmError(line, col + start, `unexpected character '${text[start]}'`);
    const { space, reg, local, num, word } = m.groups;
    if (space !== undefined) continue;
    const kind = reg ? (/r/.test(reg) ? "reg" : "wreg") : num ? "num" : word || local ? "word" : "punct";
    const value = reg ? BigInt(reg.replace(/[%rw]/g, "")) : num ? parseNum(num) : 0n;
    out.push({ kind, text: m[0], col: col + start, value, signed: num !== undefined && /^[-+]/.test(num) });
  }
  return out;
}

function parseNum(text: string): bigint {
  const signs = text.match(/[-+]/g) ?? [];
  const value = BigInt(text.replace(/[-+\s]/g, "").toLowerCase());
  return signs.filter((s) => s === "-").length % 2 ? -value : value;
}

export interface Statement {
  readonly tokens: readonly Token[];
  /** Line number, from 1. */
  readonly line: number;
  /** The opcode the kernel's disassembler writes in front: "(b7) ...". */
  readonly code: number | undefined;
}

/**
 * Statements of a text: separated by newlines and `;`. Comments: `//`, block comments, `#` except before a digit glued
 * to a word (`call foo#1`), and `;` at the start of a line (source lines in a disassembly).
 */
export function statements(text: string): Statement[] {
  const out: Statement[] = [];
  const lines = text.replace(/\/\*[\s\S]*?\*\//g, (c) => c.replace(/[^\n]/g, " ")).split(/\r?\n/);
  lines.forEach((raw, i) => {
    if (/^\s*;/.test(raw)) return;
    let col = 1;
    for (const piece of raw.replace(/\/\/.*$|(?:(?<![\w])#|#(?!-?\d)).*$/, "").split(";")) {
      // llvm-objdump names the target after the number: goto +0x3 <f+0x10>
      const code = /^\s*(?:\d+:\s*)?\(([0-9a-f]{2})\)/.exec(piece)?.[1];
      const text = code === undefined ? piece : piece.replace(`(${code})`, "    ");
      // llvm-objdump names the target after the number: goto +0x3 <f+0x10>
      const tokens = tokenize(text.replace(/(\bgotol?\b.*|\bcall\b.*)<[^<>]*>\s*$/, "$1"), i + 1, col);
      if (tokens.length)
        out.push({ tokens, line: i + 1, code: code === undefined ? undefined : Number.parseInt(code, 16) });
      col += piece.length + 1;
    }
  });
  return out;
}
