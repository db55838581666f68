/** Tokens of C declarations: names, integers, strings (without escapes), punctuation. Comments are white space; there is no preprocessor. */

import { BpfError, EINVAL } from "../abi/errno.ts";

export interface Token {
  readonly kind: "name" | "number" | "punct" | "string" | "end";
  readonly text: string;
  readonly line: number;
}

const PATTERN =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|\s+|([A-Za-z_]\w*)|(0[xX][0-9a-fA-F]+|\d+)[uUlL]*|"([^"\\\n]*)"|(\.\.\.|<<|>>|[-+*/%|&^~!(){}[\],;:=<>])/gy;

export function tokenize(text: string, source: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let at = 0;
  PATTERN.lastIndex = 0;
  while (at < text.length) {
    PATTERN.lastIndex = at;
    const match = PATTERN.exec(text);
    if (!match) throw new BpfError(EINVAL, `${source}:${line}: unexpected '${text[at]}' in C declarations`, { line });
    const [all, name, number, string, punct] = match;
    if (name !== undefined) tokens.push({ kind: "name", text: name, line });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, line });
    else if (string !== undefined) tokens.push({ kind: "string", text: string, line });
    else if (punct !== undefined) tokens.push({ kind: "punct", text: punct, line });
    else line += countLines(all);
    at += all.length;
  }
  tokens.push({ kind: "end", text: "end of text", line });
  return tokens;
}

function countLines(space: string): number {
  let n = 0;
  for (let i = space.indexOf("\n"); i >= 0; i = space.indexOf("\n", i + 1)) n++;
  return n;
}

/** A cursor over tokens, with errors that name the line. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  readonly #source: string;
  #at = 0;

  constructor(text: string, source: string) {
    this.#tokens = tokenize(text, source);
    this.#source = source;
  }

  get token(): Token {
    return this.#tokens[this.#at];
  }

  peek(ahead = 1): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== "end") this.#at++;
    return token;
  }

  is(text: string): boolean {
    return this.token.text === text && this.token.kind !== "end" && this.token.kind !== "string";
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.#at++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`wanted '${text}', saw '${this.token.text}'`);
  }

  name(what: string): string {
    if (this.token.kind !== "name") this.fail(`wanted ${what}, saw '${this.token.text}'`);
    return this.next().text;
  }

  fail(why: string): never {
    const { line } = this.token;
    throw new BpfError(EINVAL, `${this.#source}:${line}: ${why}`, { line });
  }
}
