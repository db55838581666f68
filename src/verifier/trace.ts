/**
 * Instructions as the log prints them: the kernel's disassembly with maps and calls as the program gave them.
 */
import { disasmInsn } from "../isa/disasm.ts";
import { callFacts, isKfuncCall } from "./call_facts.ts";
import type { VerifierEnv } from "./env.ts";

/** "(b7) r0 = 0" without a newline. */
export function insnText(env: VerifierEnv, i: number): string {
  return disasmInsn(env.insns, i, {
    style: "kernel",
    call: (at) => (isKfuncCall(env, at) ? callFacts(env, at)?.name : undefined),
  });
}

/** Writes the instruction's line. */
export function verboseInsn(env: VerifierEnv, i: number): void {
  env.verbose(`${insnText(env, i)}\n`);
}
