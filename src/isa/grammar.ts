/**
 * The forms of one syntax as a prefix tree over tokens, so that a statement is matched in one walk and a mismatch knows
 * which token was wrong and what would have fitted there.
 */
import { type Forms, formsOf } from "./forms.ts";
import { OPCODES, type Opcode } from "./opcodes.ts";
import { AsmError, type Statement, type Token, tokenize } from "./tokens.ts";

export type Syntax = "kernel" | "mnemonic";

/** What a symbol in a ld_imm64 stands for: the caller resolves it. */
export type SymbolKind = "map" | "map_value" | "symbol";

/** A form that matched: the holes' tokens, in order of the text; a hole that was left out is missing. */
export interface Match {
  readonly opcode: Opcode;
  readonly symbol?: SymbolKind;
  readonly holes: readonly (readonly [hole: string, token: Token])[];
}

interface Form {
  readonly opcode: Opcode;
  readonly symbol?: SymbolKind;
  /** Hole names in order; "" for literals. */
  readonly holes: readonly string[];
}

interface Node {
  readonly next: Map<string, Node>;
  readonly forms: Form[];
}

/** Token classes a hole accepts, as keys that no literal can have. */
const REG = "<reg>";
const WREG = "<wreg>";
const NUM = "<num>";
const SIGNED = "<signed>";
const NAME = "<name>";

const CLASS_WORDS: Readonly<Record<string, string>> = {
  [REG]: "a register r0..r10",
  [WREG]: "a register w0..w10",
  [NUM]: "a number",
  [SIGNED]: "a signed offset",
  [NAME]: "a name",
};

type Alternative = readonly (readonly [key: string, hole: string])[];

/** What each hole may be in the text. */
const HOLES: Readonly<Record<string, readonly ((hole: string) => Alternative)[]>> = {
  d: [(h) => [[REG, h]]],
  s: [(h) => [[REG, h]]],
  D: [() => [[WREG, "d"]]],
  S: [() => [[WREG, "s"]]],
  r0: [() => [["r0", ""]]],
  w0: [() => [["w0", ""]]],
  imm: [(h) => [[NUM, h]]],
  imm64: [(h) => [[NUM, h]]],
  a: [(h) => [[NUM, h]]],
  b: [(h) => [[NUM, h]]],
  off: [(h) => [[SIGNED, h]], () => []],
  hi: [(h) => [[SIGNED, h]], () => []],
  ind: [(h) => [[SIGNED, h]], () => []],
  koff: [(h) => [[SIGNED, h]], () => []],
  t: [
    (h) => [[NUM, h]],
    (h) => [
      ["pc", ""],
      [SIGNED, h],
    ],
    (h) => [[NAME, h]],
  ],
  name: [(h) => [[NAME, h]]],
};

/** Named values of ld_imm64, which no disassembler prints but people write. */
const SYMBOL_FORMS: Readonly<Record<Syntax, readonly (readonly [SymbolKind, string])[]>> = {
  kernel: [
    ["map", "{d} = map[{name}] ll"],
    ["map_value", "{d} = map[{name}][0]{hi} ll"],
    ["symbol", "{d} = {name}{hi} ll"],
    ["map", "{d} = map[{name}]"],
    ["map_value", "{d} = map[{name}][0]{hi}"],
    ["symbol", "{d} = func[{name}] ll"],
  ],
  mnemonic: [
    ["map", "lddw {d}, map_by_fd({name})"],
    ["map_value", "lddw {d}, map_val(map_by_fd({name})){hi}"],
    ["symbol", "lddw {d}, {name}{hi}"],
  ],
};

/** Every way to fill the holes, each a list of [key, hole]. */
function expand(text: string): Alternative[] {
  let all: Alternative[] = [[]];
  for (const piece of text.split(/(\{\w+\})/)) {
    const hole = /^\{(\w+)\}$/.exec(piece)?.[1];
    if (hole !== undefined && !HOLES[hole]) return []; // printed only
    const parts: Alternative[] = hole
      ? HOLES[hole].map((f) => f(hole))
      : [tokenize(piece, 0, 0).map((t) => [t.text, ""] as const)];
    all = all.flatMap((head) => parts.map((part) => [...head, ...part]));
  }
  return all;
}

function build(syntax: Syntax): Node {
  const root: Node = { next: new Map(), forms: [] };
  const add = (text: string, opcode: Opcode, symbol?: SymbolKind) => {
    for (const path of expand(text)) {
      let node = root;
      for (const [key] of path) {
        let child = node.next.get(key);
        if (!child) node.next.set(key, (child = { next: new Map(), forms: [] }));
        node = child;
      }
      node.forms.push({ opcode, holes: path.map(([, hole]) => hole), ...(symbol ? { symbol } : {}) });
    }
  };
  const read = (f: Forms) => (syntax === "kernel" ? [f.asm, f.kernel, ...f.also] : [f.mnemonic, ...f.mnemonicAlso]);
  for (const o of OPCODES) for (const text of new Set(read(formsOf(o)))) add(text, o);
  const ldImm64 = OPCODES.find((o) => o.name === "imm64")!;
  for (const [symbol, text] of SYMBOL_FORMS[syntax]) add(text, ldImm64, symbol);
  return root;
}

const trees: Readonly<Record<Syntax, Node>> = { kernel: build("kernel"), mnemonic: build("mnemonic") };

/** Keys a token may go by: itself first, so that keywords win over names. */
function keysOf(t: Token): readonly string[] {
  if (t.kind === "reg") return t.value > 10n ? [] : [t.text, REG];
  if (t.kind === "wreg") return t.value > 10n ? [] : [t.text, WREG, NAME];
  if (t.kind === "num") return t.signed ? [t.text, SIGNED, NUM] : [t.text, NUM];
  return t.kind === "word" ? [t.text, NAME] : [t.text];
}

/** Whether some instruction of the syntax starts with this token. */
export function startsInsn(syntax: Syntax, first: Token): boolean {
  return keysOf(first).some((key) => trees[syntax].next.has(key));
}

/**
 * Every form the tokens fit, in the table's order: several when only the code tells them apart (`r1 = 5`).
 * @throws AsmError at the furthest token that fits nothing
 */
export function match(syntax: Syntax, { tokens, line }: Statement): Match[] {
  let best = -1;
  let wanted = new Set<string>();
  let ends = false;
  const walk = (node: Node, i: number): readonly Form[] => {
    if (i === tokens.length && node.forms.length) return node.forms;
    for (const key of i < tokens.length ? keysOf(tokens[i]) : []) {
      const child = node.next.get(key);
      const found = child ? walk(child, i + 1) : [];
      if (found.length) return found;
    }
    if (i > best) {
      best = i;
      wanted = new Set();
      ends = false;
    }
    if (i === best) {
      for (const key of node.next.keys()) wanted.add(CLASS_WORDS[key] ?? `'${key}'`);
      ends ||= node.forms.length > 0;
    }
    return [];
  };
  const found = walk(trees[syntax], 0);
  if (found.length) {
    return found.map(({ opcode, holes, symbol }) => ({
      opcode,
      holes: holes.flatMap((hole, i) => (hole ? [[hole, tokens[i]] as const] : [])),
      ...(symbol ? { symbol } : {}),
    }));
  }
  const saw = best < tokens.length ? `'${tokens[best].text}'` : "end of line";
  const last = tokens[tokens.length - 1];
  const col = best < tokens.length ? tokens[best].col : last.col + last.text.length;
  const list = [...wanted, ...(ends ? ["end of line"] : [])];
  const want =
    best === 0 ? "an instruction" : list.length > 12 ? `one of ${list.slice(0, 12).join(" ")} ...` : list.join(" or ");
  throw new AsmError(line, col, `saw ${saw}, wanted ${want}`);
}
