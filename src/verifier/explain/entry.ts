/**
 * An entry of the catalog of verifier messages, and how its templates match.
 *
 * A template is the message with {names} where values stand: "R{reg} offset is outside of the packet". A hole matches
 * any text, as little as possible; `{reg}` names the register at fault.
 */
import type { CtxFieldFacts } from "./fields.ts";

/** What a suggestion may use. */
export interface Facts {
  /** Values of the holes of the message that matched; "" for one that this message has not. */
  readonly m: Readonly<Record<string, string>>;
  /** The whole complaint. */
  readonly text: string;
  /** The instruction is a load, not a store. */
  readonly isLoad: boolean;
  /** Id of the helper that an instruction calls; 0 when it calls none. */
  helperAt(insn: number): number;
  /** Holes of another line of the complaint by its template. */
  detail(template: string): Readonly<Record<string, string>> | undefined;
  /** "r2", or "the value" when no register is at fault. */
  readonly reg: string;
  /** State of the value at fault in words, "" when none is. */
  readonly state: string;
  /** As the log has it. */
  readonly raw: string;
  /** Bytes that the instruction loads or stores; 0 for others. */
  readonly size: number;
  /** The map that the value points into, or that the call was given. */
  readonly map: { readonly name: string; readonly valueSize: number; readonly keySize: number } | undefined;
  /** The helper or kfunc called by the instruction: "bpf_map_lookup_elem". */
  readonly callee: string;
  /** The value of the register; 64-bit bounds as numbers. */
  readonly range: { readonly umin: number; readonly umax: number; readonly smin: number } | undefined;
  /** The register that was added to the pointer at fault, with a range: the index. */
  readonly index: { readonly reg: string; readonly state: string } | undefined;
  /** The length argument is what makes the access too long. */
  readonly isLength: boolean;
  /** The call or event after which the value was no longer what it had been; "" when nothing of the kind happened. */
  readonly lost: string;
  /** Functions with their bytes of stack: "main() 64, parse() 480". */
  readonly frames: string;
  /** What the program may do at an offset of its context. */
  ctxField(offBytes: number): CtxFieldFacts | undefined;
  /** "process_exec at line 20 of x.bpf.c", of instruction `insn`. */
  lineOf(insn: number): string;
}

export interface Entry {
  /** Stable; the name of the page about it. */
  readonly code: string;
  readonly title: string;
  readonly messages: readonly string[];
  /** What the kernel demands, and why: one or two sentences. */
  readonly rule: string;
  readonly suggest: string | ((f: Facts) => string);
  /** Language of the examples. */
  readonly lang?: "c" | "asm" | "text";
  /** Smallest program, or part of one, that gets the message. */
  readonly bad: string;
  readonly good: string;
  /** More for the page. */
  readonly notes?: string;
  /** The program as a whole is refused, no instruction. */
  readonly whole?: boolean;
  /** What to trace instead of {reg}: a stack offset {slot}, a reference {ref}, the operand of the instruction, the stack that a
   * register points to, nothing. */
  readonly value?: "operand" | "pointee" | "packet" | "none";
  /** Name of the call that began what is still open, or why the instruction is not allowed here. */
  readonly since?: (m: Readonly<Record<string, string>>) => readonly string[];
}

/** A regular expression for a template; its groups are the holes. */
export function templateToRegExp(template: string): RegExp {
  const seen = new Set<string>();
  const source = template.replace(/\{(\w+)\}|[.*+?^${}()|[\]\\]/g, (all, hole: string | undefined) => {
    if (hole === undefined) return `\\${all}`;
    if (seen.has(hole)) return ".*?";
    seen.add(hole);
    return `(?<${hole}>.*?)`;
  });
  return new RegExp(`^${source}$`);
}
