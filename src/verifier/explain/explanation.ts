/**
 * What an explanation of a refused program consists of; plain data, fit for JSON.
 */

/** A line of the program's source, by its BTF line records. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
  /** Column from 1 in the file; 0 when not known. */
  readonly column: number;
  /** Without leading blanks. */
  readonly text: string;
  /** How many columns of leading blanks `text` lacks. */
  readonly indent: number;
}

/** One station of the value at fault, or a branch on the way. */
export interface PathStep {
  readonly insnIdx: number;
  readonly source?: SourceLine | undefined;
  /** "r2 = *(u32 *)(r1 +0)". */
  readonly disasm: string;
  /** "r2 was loaded from the context". */
  readonly what: string;
  /** What the verifier knew of the value afterwards, in words; absent for a branch that taught nothing. */
  readonly state?: string | undefined;
  /** The place the value was in: "r2", "fp-8". */
  readonly place?: string | undefined;
  readonly kind: "origin" | "change" | "branch" | "lost";
  /** How often this instruction was passed on this path, when more than once. */
  readonly times?: number | undefined;
}

export interface FaultyValue {
  /** "r2" or "fp-8". */
  readonly reg: string;
  /** In words: "packet pointer at offset 14, of which 0 bytes are known to exist". */
  readonly state: string;
  /** As the log has it: "pkt(off=14,r=0)". */
  readonly raw: string;
}

export interface Explanation {
  /** Stable name of the kind of error: "packet-range". */
  readonly code: string;
  readonly title: string;
  /** What the kernel demands, and why. */
  readonly rule: string;
  /** The verifier's own last words. */
  readonly message: string;
  /** Other lines of the complaint, in order. */
  readonly details: readonly string[];
  /** Instruction refused; undefined when the program as a whole was. */
  readonly insnIdx: number | undefined;
  readonly disasm?: string | undefined;
  readonly source?: SourceLine | undefined;
  /** Function of the program it is in. */
  readonly func?: string | undefined;
  readonly value?: FaultyValue | undefined;
  /** Oldest first; ends before the refused instruction. */
  readonly path: readonly PathStep[];
  readonly suggestion: string;
  readonly complexity?: ComplexityReport | undefined;
  /** Page about this code. */
  readonly docs: string;
}

/** Why states at one place do not cover each other. */
export interface PruneMiss {
  /** "r2", "fp-8", "the iterator", ... */
  readonly place: string;
  /** Comparisons that failed there first. */
  readonly count: number;
  /** Of one of them. */
  readonly kept: string;
  readonly seen: string;
  /** How they differ, in words. */
  readonly how: string;
}

export interface HotInsn {
  readonly insnIdx: number;
  readonly source?: SourceLine | undefined;
  readonly disasm: string;
  /** Times simulated. */
  readonly visits: number;
  /** States kept there at any time. */
  readonly states: number;
  /** Paths that ended there because they were covered. */
  readonly pruned: number;
  readonly misses: readonly PruneMiss[];
}

/** A source line with everything compiled from it. */
export interface HotLine {
  readonly source: SourceLine;
  readonly visits: number;
  readonly insns: readonly number[];
}

export interface ComplexityReport {
  readonly insnsProcessed: number;
  readonly limit: number;
  readonly totalStates: number;
  readonly peakStates: number;
  /** Most visited first. */
  readonly lines: readonly HotLine[];
  readonly insns: readonly HotInsn[];
  /** Places where paths join but are not merged, worst first. */
  readonly joins: readonly HotInsn[];
}
