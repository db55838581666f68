/** Text that fits the terminal. */
import type { SourceLine } from "../src/verifier/explain/explanation.ts";

/** A whole block of assembly counts as one line: its instructions say more. */
export function isAsm(s: SourceLine | undefined): boolean {
  return s !== undefined && /^(asm|__asm__)\b/.test(s.text);
}

/** At most `width` columns, with … where something is missing. */
export function clip(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
}

/** Lines of at most `width` columns, broken between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines;
}
