/** Source lines and text of instructions, for explanations. */
import type { VerifierEnv } from "../env.ts";
import type { VerifyInput } from "../platform.ts";
import { insnText } from "../trace.ts";
import type { SourceLine } from "./explanation.ts";

/** The newest line record at or before the instruction; undefined without line info. */
export function sourceOf(input: VerifyInput, insnIdx: number): SourceLine | undefined {
  const { lineInfo, btf } = input;
  if (!lineInfo?.length || !btf || lineInfo[0].insnIdx > insnIdx) return undefined;
  let lo = 0;
  let hi = lineInfo.length - 1;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (lineInfo[mid].insnIdx <= insnIdx) lo = mid;
    else hi = mid - 1;
  }
  const rec = lineInfo[lo];
  const full = btf.str(rec.lineOff).replace(/\s+$/, "");
  const text = full.trimStart();
  const file = btf.str(rec.fileNameOff).replace(/^.*\//, "");
  return { file, line: rec.line, column: rec.column, text, indent: full.length - text.length };
}

/** "r2 = *(u32 *)(r1 +0)": the log's text without the opcode. */
export function disasmOf(env: VerifierEnv, i: number): string {
  return i >= 0 && i < env.insns.length ? insnText(env, i).replace(/^\([0-9a-f]{2}\) /, "") : "";
}
