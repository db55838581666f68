/**
 * The verifier's log in Linux's format: levels 1 (branches), 2 (every instruction), 4 (statistics).
 *
 * Text is kept in pieces so that a finished path can be cut off again (level 1 shows the path that failed only), and
 * so that a state printed after an instruction can be moved up to its line.
 */

export const BPF_LOG_LEVEL1 = 1;
export const BPF_LOG_LEVEL2 = 2;
export const BPF_LOG_STATS = 4;
export const BPF_LOG_LEVEL = 3;

/** Characters of log kept at most; the oldest go first, as without BPF_LOG_FIXED. */
const MAX_KEPT = 64 << 20;

export class VerifierLog {
  /** 0 = messages only, which errors are made of. */
  readonly level: number;
  private pieces: string[] = [];
  /** Characters dropped at the front. */
  private dropped = 0;
  private end = 0;
  /** Where the newest instruction line ends, and how long it is: a state may follow on that line. */
  prevLogPos = 0;
  prevInsnPrintPos = 0;

  constructor(level: number) {
    this.level = level;
  }

  get pos(): number {
    return this.end;
  }

  write(text: string): void {
    this.pieces.push(text);
    this.end += text.length;
    if (this.end - this.dropped > 2 * MAX_KEPT) this.trim();
  }

  private trim(): void {
    let i = 0;
    while (i < this.pieces.length && this.end - this.dropped > MAX_KEPT) this.dropped += this.pieces[i++].length;
    this.pieces.splice(0, i);
  }

  /** Forgets everything after `pos`. bpf_vlog_reset(). */
  reset(pos: number): void {
    while (this.end > pos && this.pieces.length) {
      const last = this.pieces.pop()!;
      this.end -= last.length;
      if (this.end < pos) {
        const keep = last.slice(0, pos - this.end);
        this.pieces.push(keep);
        this.end = pos;
      }
    }
  }

  text(): string {
    if (this.pieces.length > 1) this.pieces = [this.pieces.join("")];
    return this.pieces[0] ?? "";
  }
}

/** Column of the state after an instruction's text: 40, or the next multiple of 8. vlog_alignment(). */
export function alignment(printed: number): number {
  return Math.ceil(Math.max(printed + 4, 40) / 8) * 8 - printed - 1;
}
