/**
 * Strings that must be known when the program is loaded: format strings and comparands in frozen read-only maps.
 *
 * Source   check_reg_const_str() in kernel/bpf/verifier.c, bpf_bprintf_prepare() in kernel/bpf/helpers.c.
 */
import { EACCES, EINVAL } from "../abi/errno.ts";
import type { VerifierEnv } from "./env.ts";
import { ACCESS_HELPER, checkMapAccess } from "./mem.ts";
import type { VerifierMap } from "./platform.ts";
import { PTR_TO_MAP_VALUE } from "./reg_type.ts";

const BPF_F_RDONLY_PROG = 1 << 7;

/** Nobody can change the values any more: bpf_map_is_rdonly(). */
export function mapIsRdonly(map: VerifierMap): boolean {
  return (map.mapFlags & BPF_F_RDONLY_PROG) !== 0 && map.frozen;
}

/** Refuses a register that does not point to a NUL-terminated string of a read-only map. */
export function checkRegConstStr(env: VerifierEnv, regno: number): void {
  const R = env.R;
  const r = env.reg(regno);
  if (R.type(r) !== PTR_TO_MAP_VALUE) env.rejectSilently(EINVAL);
  const map = env.mapOf(r);
  if (!mapIsRdonly(map)) env.reject(EACCES, `R${regno} does not point to a readonly map'`);
  if (!R.isConst(r)) env.reject(EACCES, `R${regno} is not a constant address'`);
  if (!map.directValue) env.reject(EACCES, "no direct value access support for this map type");
  checkMapAccess(env, regno, R.off(r), map.valueSize - R.off(r), false, ACCESS_HELPER);
  const off = R.off(r) + R.value(r);
  const bytes = map.readValue?.(off, map.valueSize - off);
  if (!bytes) env.reject(EINVAL, "direct value access on string failed");
  if (!bytes.includes(0)) env.reject(EINVAL, "string is not zero-terminated");
}

/** The string such a register points to, without the NUL; latin1, so that one char is one byte. */
export function constString(env: VerifierEnv, regno: number): string {
  const R = env.R;
  const r = env.reg(regno);
  const map = env.mapOf(r);
  const off = R.off(r) + R.value(r);
  const bytes = map.readValue?.(off, map.valueSize - off) ?? new Uint8Array();
  return Array.from(bytes.subarray(0, bytes.indexOf(0)), (b) => String.fromCharCode(b)).join("");
}

const SPACE = /[\t\n\v\f\r ]/;
const PUNCT = /[!-/:-@[-`{-~]/;

function endsWord(c: string | undefined): boolean {
  return c === undefined || SPACE.test(c) || PUNCT.test(c);
}

/** Does bpf_snprintf() take this format with so many arguments? */
export function bprintfFormatOk(fmt: string, numArgs: number): boolean {
  let specs = 0;
  for (let i = 0; i < fmt.length; i++) {
    const code = fmt.charCodeAt(i);
    if (code < 32 && !SPACE.test(fmt[i])) return false;
    if (code === 127) return false;
    if (fmt[i] !== "%") continue;
    if (fmt[i + 1] === "%") {
      i++;
      continue;
    }
    if (specs >= numArgs) return false;
    i++;
    if (i < fmt.length && fmt.charCodeAt(i) > 127) return false;
    while (i < fmt.length && "0+- ".includes(fmt[i])) i++;
    if (fmt[i] >= "1" && fmt[i] <= "9") while (fmt[i] >= "0" && fmt[i] <= "9") i++;
    const used = specLength(fmt, i);
    if (used < 0) return false;
    i += used;
    specs++;
  }
  return true;
}

/** Chars of the conversion at i beyond its first; -1 when it is none that is supported. */
function specLength(fmt: string, i: number): number {
  if (fmt[i] === "p") {
    const next = fmt[i + 1];
    if (endsWord(next)) return 0;
    if ((next === "k" || next === "u") && fmt[i + 2] === "s") return endsWord(fmt[i + 3]) ? 2 : -1;
    if ("KxsSB".includes(next)) return 1;
    return (next === "i" || next === "I") && (fmt[i + 2] === "4" || fmt[i + 2] === "6") ? 2 : -1;
  }
  if (fmt[i] === "s") return endsWord(fmt[i + 1]) ? 0 : -1;
  if (fmt[i] === "c") return 0;
  let n = 0;
  while (n < 2 && fmt[i + n] === "l") n++;
  return i + n < fmt.length && "iduxX".includes(fmt[i + n]) ? n : -1;
}
