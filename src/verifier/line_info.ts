/** Source lines of instructions, from .BTF.ext line records. */
import type { VerifyInput } from "./platform.ts";

/** Line that an instruction belongs to, "text @ file.c:LINE"; `key` is the same for all records of that line. */
export function lineInfoText(input: VerifyInput, insnIdx: number): { key: string; text: string } | undefined {
  const { lineInfo, btf } = input;
  if (!lineInfo?.length || !btf) return undefined;
  let lo = 0;
  let hi = lineInfo.length - 1;
  if (lineInfo[0].insnIdx > insnIdx) return undefined;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (lineInfo[mid].insnIdx <= insnIdx) lo = mid;
    else hi = mid - 1;
  }
  const rec = lineInfo[lo];
  const file = btf.str(rec.fileNameOff).replace(/^.*\//, "");
  return { key: `${rec.fileNameOff}:${rec.line}`, text: `${btf.str(rec.lineOff).trimStart()} @ ${file}:${rec.line}` };
}
