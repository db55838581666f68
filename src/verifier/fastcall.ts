/**
 * Spills that compilers put around calls which clobber few registers (bpf_fastcall): they need no stack, since the
 * kernel removes them when the call is inlined.
 *
 * Source   kernel/bpf/verifier.c: mark_fastcall_patterns.
 */
import { callFacts } from "./call_facts.ts";
import { FASTCALL_PATTERN, JUMP_TARGET, type VerifierEnv } from "./env.ts";

const STX_DW = 0x7b;
const LDX_DW = 0x79;
const CALLER_SAVED = 6;

/** Marks the patterns of every subprogram, and the lowest slot they use. */
export function markFastcallPatterns(env: VerifierEnv): void {
  const { code, dst, off } = env.insns;
  for (const subprog of env.subprogs) {
    let lowest = 0;
    for (let i = subprog.start; i < subprog.end; i++) {
      if (code[i] === STX_DW && dst[i] === 10) lowest = Math.min(lowest, off[i]);
    }
    for (let i = subprog.start; i < subprog.end; i++) if (code[i] === 0x85) markPattern(env, subprog, i, lowest);
  }
}

function markPattern(env: VerifierEnv, subprog: VerifierEnv["subprogs"][number], call: number, lowest: number): void {
  const { code, dst, src, off, length } = env.insns;
  const facts = callFacts(env, call);
  if (!facts) return;
  let clobbered = facts.isVoid ? 0 : 1;
  for (let i = 1; i <= facts.numParams; i++) clobbered |= 1 << i;
  let expected = ~clobbered & ((1 << CALLER_SAVED) - 1);
  if (!expected) return;
  let i = 1;
  let at = lowest;
  for (; i <= CALLER_SAVED; i++, at += 8) {
    const st = call - i;
    const ld = call + i;
    if (st < 0 || ld >= length) break;
    if (env.has(st + 1, JUMP_TARGET) || env.has(ld, JUMP_TARGET)) break;
    if (code[st] !== STX_DW || code[ld] !== LDX_DW || dst[st] !== 10 || src[ld] !== 10) break;
    if (src[st] !== dst[ld] || !((1 << src[st]) & expected)) break;
    if (off[st] !== at || off[ld] !== at) break;
    expected &= ~(1 << src[st]);
    env.insnFlags[st] |= FASTCALL_PATTERN;
    env.insnFlags[ld] |= FASTCALL_PATTERN;
  }
  if (i === 1) return;
  if (facts.fastcall) env.fastcallSpills[call] = i - 1;
  else subprog.keepFastcallStack = true;
  subprog.fastcallStackOff = Math.min(subprog.fastcallStackOff, at);
}

/** remove_fastcall_spills_fills(): functions whose patterns were kept intact need less stack. */
export function dropFastcallStack(env: VerifierEnv): void {
  for (const subprog of env.subprogs) {
    if (subprog.fastcallStackOff === -32768 || subprog.keepFastcallStack || !subprog.fastcallStackOff) continue;
    let spills = false;
    for (let i = subprog.start; i < subprog.end; i++) if (env.fastcallSpills[i]) spills = true;
    if (spills) subprog.stackDepth = -subprog.fastcallStackOff;
  }
}
