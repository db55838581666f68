/**
 * Assignments as text, for command lines: `threshold=5`, `config.port=80`, `blocked["10.0.0.1"]=1`,
 * `networks[{"prefixlen":8,"addr":"10.0.0.0"}]=1`, `flows["a"].packets=0`.
 *
 *     assignment  name step* = value
 *     step        .member | [key]
 *     key, value  JSON, or bare text
 */
import { BpfError, EINVAL } from "../abi/errno.ts";

export interface SetExpression {
  /** A map or a global variable. */
  readonly target: string;
  /** For a map, the first step is the key. */
  readonly path: readonly unknown[];
  readonly value: unknown;
  /** The text, for errors. */
  readonly text: string;
}

export function parseSetExpression(text: string): SetExpression {
  const bad = (why: string) =>
    new BpfError(EINVAL, `'${text}': ${why}; wanted NAME=VALUE, NAME[KEY]=VALUE or NAME.MEMBER=VALUE`, { text });
  const name = /^\s*([A-Za-z_][\w]*)\s*/.exec(text);
  if (!name) throw bad("does not start with a name");
  const path: unknown[] = [];
  let at = name[0].length;
  while (text[at] !== "=") {
    if (at >= text.length) throw bad("has no '='");
    if (text[at] === ".") {
      const member = /^\.\s*([A-Za-z_]\w*)\s*/.exec(text.slice(at));
      if (!member) throw bad(`no member name after '.' at character ${at + 1}`);
      path.push(member[1]);
      at += member[0].length;
    } else if (text[at] === "[") {
      const end = closingBracket(text, at);
      if (end < 0) throw bad(`'[' at character ${at + 1} is not closed`);
      const key = text.slice(at + 1, end).trim();
      if (key === "") throw bad("has an empty key");
      path.push(parseValue(key));
      at = end + 1 + /^\s*/.exec(text.slice(end + 1))![0].length;
    } else {
      throw bad(`'${text[at]}' at character ${at + 1} is not expected`);
    }
  }
  const value = text.slice(at + 1).trim();
  if (value === "") throw bad("has no value");
  return { target: name[1], path, value: parseValue(value), text };
}

/** Index of the `]` that closes the `[` at `at`; text in quotes does not count. */
function closingBracket(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
    } else if (text[i] === "[" || text[i] === "{") {
      depth++;
    } else if (text[i] === "]" || text[i] === "}") {
      depth--;
      if (depth === 0) return i;
    }
  }
  return -1;
}

function parseValue(text: string): unknown {
  // integers keep all their bits
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return BigInt(text) <= 0xffffffffn ? Number(text) : BigInt(text);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
