/** How skep's answer about a program is held against Linux's. */

/** One line of data/linux-6.18-selftests.jsonl, and of `skep verify --format json`. */
export interface VerdictRow {
  readonly file: string;
  readonly prog: string;
  readonly sec: string;
  /** BPF_PROG_TYPE_*. */
  readonly type: number;
  readonly verdict: "success" | "failure";
  /** How far it came: "loader" is a failure before the verifier. */
  readonly stage: "ok" | "verifier" | "loader";
  /** Positive; 0 on success. */
  readonly errno: number;
  readonly insns: number;
  readonly states: number;
  /** Microseconds in the verifier. */
  readonly us: number;
  /** Last words: the verifier's or the loader's. */
  readonly msg: string;
}

export interface Pair {
  readonly linux: VerdictRow;
  readonly skep: VerdictRow;
}

/** Register numbers, ids and offsets differ without the message being another one. */
export function foldMessage(msg: string): string {
  const last = msg.trim().split("\n").at(-1) ?? "";
  return last
    .replace(/\b[Rr]\d+\b/g, "R#")
    .replace(/\bid=\d+/g, "id=#")
    .replace(/\balloc_insn=\d+/g, "alloc_insn=#")
    .replace(/\binsn \d+/g, "insn #")
    .replace(/\s+/g, " ");
}

export interface Figure {
  readonly name: string;
  readonly count: number;
  readonly of: number;
  /** The share wanted, 0..1; "most" when a smaller share is better. */
  readonly wanted: number;
  readonly most?: true;
}

const sameVerdict = (p: Pair) => p.linux.verdict === p.skep.verdict;

/** What kind of disagreement a pair is; undefined = none. */
export function disagreement(p: Pair): "accepted here, rejected there" | "rejected here, accepted there" | undefined {
  if (sameVerdict(p)) return undefined;
  return p.skep.verdict === "success" ? "accepted here, rejected there" : "rejected here, accepted there";
}

/** The figures of `npm run conformance`; the wanted shares are those of the project's verifier issue. */
export function figures(pairs: readonly Pair[]): Figure[] {
  const reached = pairs.filter((p) => p.linux.stage !== "loader");
  const loader = pairs.filter((p) => p.linux.stage === "loader");
  const bothAccept = reached.filter((p) => p.linux.verdict === "success" && p.skep.verdict === "success");
  const bothReject = reached.filter((p) => p.linux.verdict === "failure" && p.skep.verdict === "failure");
  const count = <T>(list: readonly T[], test: (x: T) => boolean) => list.filter(test).length;
  const within = (p: Pair) => Math.abs(p.skep.insns - p.linux.insns) <= 0.1 * p.linux.insns;
  return [
    { name: "same verdict", count: count(reached, sameVerdict), of: reached.length, wanted: 0.98 },
    {
      name: "accepted here, rejected by Linux",
      count: count(reached, (p) => p.linux.verdict === "failure" && p.skep.verdict === "success"),
      of: reached.length,
      wanted: 0.003,
      most: true,
    },
    {
      name: "same last message, of rejections",
      count: count(bothReject, (p) => foldMessage(p.linux.msg) === foldMessage(p.skep.msg)),
      of: bothReject.length,
      wanted: 0.93,
    },
    {
      name: "same errno, of rejections",
      count: count(bothReject, (p) => p.linux.errno === p.skep.errno),
      of: bothReject.length,
      wanted: 0.98,
    },
    {
      name: "loader failures: same stage",
      count: count(loader, (p) => p.skep.stage === "loader"),
      of: loader.length,
      wanted: 0.95,
    },
    {
      name: "insns within 10%, of accepted",
      count: count(bothAccept, within),
      of: bothAccept.length,
      wanted: 0.9,
    },
  ];
}
