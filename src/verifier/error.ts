/**
 * Ways out of the verifier: the error that users get, and the one that ends a path inside.
 */
import { BpfError, type Errno } from "../abi/errno.ts";
import type { ComplexityReport, Explanation } from "./explain/explanation.ts";

/** What a log of level 4 ends with, and how long it took. */
export interface VerifierStats {
  readonly insnsProcessed: number;
  readonly maxStatesPerInsn: number;
  readonly totalStates: number;
  readonly peakStates: number;
  readonly markRead: number;
  /** Bytes per function that was verified on its own, "64+32". */
  readonly stackDepth: string;
  readonly timeUs: number;
  /** When it was asked for. */
  readonly complexity?: ComplexityReport;
}

/** A program the verifier refused. */
export class VerifierError extends BpfError {
  override readonly name = "VerifierError";
  readonly log: string;
  readonly insnIdx: number | undefined;
  /** "text @ file.c:LINE" of the instruction, when the program has line info. */
  readonly sourceLine: string | undefined;
  readonly stats: VerifierStats | undefined;
  #explain: (() => Explanation | undefined) | undefined;
  #explanation: Explanation | undefined;

  constructor(
    errno: Errno,
    message: string,
    detail: {
      log: string;
      insnIdx?: number | undefined;
      sourceLine?: string | undefined;
      stats?: VerifierStats | undefined;
      context?: Record<string, unknown>;
      /** Makes `explanation`; called at most once. */
      explain?: (() => Explanation | undefined) | undefined;
    },
    cause?: unknown,
  ) {
    super(errno, message, { ...detail.context, insnIdx: detail.insnIdx }, cause);
    this.log = detail.log;
    this.insnIdx = detail.insnIdx;
    this.sourceLine = detail.sourceLine;
    this.stats = detail.stats;
    this.#explain = detail.explain;
  }

  /**
   * Which rule was broken, by what value, how it came to be and what to do. The first use verifies the program again,
   * watched, which takes a few times as long as the refusal did.
   */
  get explanation(): Explanation | undefined {
    if (this.#explain) {
      this.#explanation = this.#explain();
      this.#explain = undefined;
    }
    return this.#explanation;
  }
}

/**
 * Thrown by VerifierEnv.reject(): the program is refused (or, on a speculative path, the path is given up). The message
 * is in the log already. Never leaves verify().
 */
export class Reject extends Error {
  override readonly name = "Reject";
  readonly errno: Errno;

  constructor(errno: Errno, message: string) {
    super(message);
    this.errno = errno;
  }
}
