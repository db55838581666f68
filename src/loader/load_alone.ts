/**
 * One program of an object by itself, as veristat loads it: every map is created (with max_entries 0 counted as 1),
 * struct_ops maps are not, nothing is pinned, and afterwards everything is closed again.
 *
 * The result is a line of `skep verify --format json`.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError } from "../abi/errno.ts";
import { type Bpf, VerifierError, type VerifierStats } from "../kernel/bpf.ts";
import type { ObjectSpec } from "../object/spec.ts";
import type { Explanation } from "../verifier/explain/explanation.ts";
import { BpfObject, type LoadOptions } from "./object.ts";
import { lastWords } from "./prog_load.ts";

export interface Verdict {
  readonly file: string;
  readonly prog: string;
  /** Section name. */
  readonly sec: string;
  /** BPF_PROG_TYPE_*. */
  readonly type: number;
  readonly verdict: "success" | "failure";
  /** "loader": it failed before the verifier saw the program; "verifier": then or later. */
  readonly stage: "ok" | "verifier" | "loader";
  /** 0 on success. */
  readonly errno: number;
  readonly insns: number;
  readonly states: number;
  readonly us: number;
  /** Why: the verifier's last words, or the loader's error; empty on success. */
  readonly msg: string;
  /** The same as one line that names file and program, with what the loader knows about it; empty on success. */
  readonly message: string;
  /** Of the verifier. */
  readonly log: string;
  /** Byte code the verifier stopped at. */
  readonly insnIdx: number | undefined;
  readonly stats: VerifierStats | undefined;
  /** Why the verifier refused; made when it is called for the first time. */
  readonly explain: () => Explanation | undefined;
}

/** Local storage maps take no size. */
const SIZELESS: ReadonlySet<number> = new Set([
  abi.BPF_MAP_TYPE_SK_STORAGE,
  abi.BPF_MAP_TYPE_TASK_STORAGE,
  abi.BPF_MAP_TYPE_INODE_STORAGE,
  abi.BPF_MAP_TYPE_CGROUP_STORAGE,
  abi.BPF_MAP_TYPE_CGRP_STORAGE,
]);

/** @param options.logLevel default 4 (statistics); 1 and 2 add lines to `log` */
export function loadAlone(spec: ObjectSpec, progName: string, bpf: Bpf, options: LoadOptions = {}): Verdict {
  const obj = new BpfObject(spec);
  const prog = obj.progs[progName];
  const base = { file: spec.file, prog: progName, sec: prog?.section ?? "", type: prog?.type ?? 0 };
  for (const p of Object.values(obj.progs)) p.autoload = p === prog;
  for (const map of Object.values(obj.maps)) {
    map.pinPath = undefined;
    if (map.type === abi.BPF_MAP_TYPE_STRUCT_OPS) map.autocreate = false;
    else if (map.maxEntries === 0 && !SIZELESS.has(map.type)) map.maxEntries = 1;
  }
  try {
    obj.load(bpf, { ...options, logLevel: options.logLevel ?? 4 });
    const { log = "", stats } = prog ?? {};
    return { ...base, ...SUCCESS, ...countsOf(stats), log, insnIdx: undefined, stats, explain: NOTHING };
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    const failed = { ...base, verdict: "failure", errno: e.errno } as const;
    const { message } = e;
    if (e instanceof VerifierError) {
      const { log, insnIdx, stats } = e;
      const msg = lastWords(log) || message;
      return {
        ...failed,
        stage: "verifier",
        ...countsOf(stats),
        msg,
        message,
        log,
        insnIdx,
        stats,
        explain: () => e.explanation,
      };
    }
    const { log = "", stats } = prog ?? {};
    // What fails after verification (filling a prog array) comes with a log that has nothing to say.
    const late = prog?.wasVerified
      ? ({ stage: "verifier", msg: lastWords(log) } as const)
      : ({ stage: "loader", msg: message } as const);
    return { ...failed, ...late, ...countsOf(stats), message, log, insnIdx: undefined, stats, explain: NOTHING };
  } finally {
    obj.close();
  }
}

const NOTHING = (): undefined => undefined;

const SUCCESS = { verdict: "success", stage: "ok", errno: 0, msg: "", message: "" } as const;

function countsOf(stats: VerifierStats | undefined): { insns: number; states: number; us: number } {
  return { insns: stats?.insnsProcessed ?? 0, states: stats?.totalStates ?? 0, us: Math.round(stats?.timeUs ?? 0) };
}
