/**
 * Explains a refusal: finds the rule by its message, the value at fault at the instruction, and its history on the
 * path that failed, by verifying the program once more with a recorder.
 */
import { callFacts, isKfuncCall } from "../call_facts.ts";
import type { VerifierEnv } from "../env.ts";
import type { Reject } from "../error.ts";
import { R_FRAMENO, R_SMIN, R_TYPE, R_UMAX, R_UMIN } from "../layout.ts";
import type { Probe } from "../probe.ts";
import {
  baseType,
  CONST_PTR_TO_MAP,
  isPktPointer,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_STACK,
  SCALAR_VALUE,
} from "../reg_type.ts";
import { type Found, findEntry, matchTemplate } from "./catalog.ts";
import { ComplexityProbe } from "./complexity.ts";
import type { Entry, Facts } from "./entry.ts";
import type { Explanation, FaultyValue, PathStep } from "./explanation.ts";
import { ctxFieldFacts } from "./fields.ts";
import { fixedOff, i32At, Tracer } from "./path.ts";
import { placeName, recordWords } from "./plain.ts";
import { PathRecorder, SLOT0 } from "./recorder.ts";
import { disasmOf, sourceOf } from "./source.ts";

/** Verifies again with a probe and shows the end. */
export type Replay = <T>(probe: Probe, see: (env: VerifierEnv, failure: Reject | undefined) => T) => T;

/** Where pages about errors are, in the package. */
const DOCS = "docs/errors";
/** Codes of refusals for their length. */
const COMPLEX: ReadonlySet<string> = new Set(["too-complex", "too-many-branches"]);
/** Lines of the complaint kept before the one that names the rule. */
const DETAILS = 4;

export function explainFailure(lastWords: string, replay: Replay): Explanation | undefined {
  if (COMPLEX.has(findEntry([lastWords]).entry.code)) {
    const probe = new ComplexityProbe();
    return replay(probe, (env, failure) => {
      if (!failure) return undefined;
      const plain = new Explainer(env, undefined).explain();
      return { ...plain, complexity: probe.report(env) };
    });
  }
  const recorder = new PathRecorder();
  return replay(recorder, (env, failure) => (failure ? new Explainer(env, recorder).explain() : undefined));
}

/** The same explanation for a message that the loader put in words: a relocation or a kfunc that it could not resolve. */
export function withMessage(e: Explanation, message: string): Explanation {
  const { entry, m } = findEntry([message]);
  const facts: Facts = {
    m: new Proxy(m, { get: (t, key) => t[key as string] ?? "" }),
    text: message,
    isLoad: false,
    helperAt: () => 0,
    detail: () => undefined,
    reg: "the value",
    state: "",
    raw: "",
    size: 0,
    map: undefined,
    callee: "",
    range: undefined,
    index: undefined,
    isLength: false,
    lost: "",
    frames: "",
    ctxField: () => undefined,
    lineOf: (i) => `instruction ${i}`,
  };
  const { value, ...rest } = e;
  const keep = entry.value !== "none";
  return {
    ...rest,
    ...(value && keep && { value }),
    path: keep ? e.path : [],
    ...headline(entry),
    message,
    details: [],
    suggestion: typeof entry.suggest === "string" ? entry.suggest : entry.suggest(facts),
  };
}

function headline(entry: Entry): Pick<Explanation, "code" | "title" | "rule" | "docs"> {
  return { code: entry.code, title: entry.title, rule: entry.rule, docs: `${DOCS}/${entry.code}.md` };
}

interface Place {
  readonly frameno: number;
  readonly loc: number;
}

class Explainer {
  private readonly env: VerifierEnv;
  private readonly recorder: PathRecorder | undefined;
  private readonly lines: readonly string[];
  private readonly found: Found;
  /** -1: the program as a whole was refused, or was refused before any instruction was simulated. */
  private readonly insnIdx: number;

  constructor(env: VerifierEnv, recorder: PathRecorder | undefined) {
    this.env = env;
    this.recorder = recorder;
    this.lines = env.log
      .text()
      .slice(recorder?.logPos ?? 0)
      .split("\n")
      .filter((l) => l.trim() !== "" && !l.startsWith("; "));
    this.found = findEntry(this.lines);
    this.insnIdx = this.whereAt();
  }

  explain(): Explanation {
    const { env, found, insnIdx, lines } = this;
    const { entry } = found;
    const blamed = this.placeAtFault();
    const length = blamed && this.lengthOf(blamed);
    const place = length ?? blamed;
    const value = place && this.valueOf(place);
    const path = this.path(place);
    const facts = {
      ...this.facts(place, value),
      index: indexOf(path, value),
      isLength: length !== undefined,
      lost: lostOf(path),
    };
    const source = insnIdx < 0 ? undefined : sourceOf(env.input, insnIdx);
    return {
      ...headline(entry),
      message: lines[found.line] ?? "",
      details: lines.slice(Math.max(0, found.line - DETAILS), found.line),
      insnIdx: insnIdx < 0 ? undefined : insnIdx,
      ...(insnIdx >= 0 && { disasm: disasmOf(env, insnIdx), func: this.funcName() }),
      ...(source && { source }),
      ...(value && { value }),
      path,
      suggestion: typeof entry.suggest === "string" ? entry.suggest : entry.suggest(facts),
    };
  }

  private whereAt(): number {
    const { env, recorder, found } = this;
    const named = found.m.insn === undefined ? Number.NaN : Number(found.m.insn);
    if (Number.isInteger(named) && named >= 0 && named < env.insns.length) return named;
    if (found.entry.whole || (recorder && !recorder.walking)) return -1;
    return env.insnIdx < env.insns.length ? env.insnIdx : -1;
  }

  private funcName(): string | undefined {
    const { env } = this;
    const n = env.subprogOf[this.insnIdx];
    return env.subprogs[n]?.name || (n === 0 ? env.input.name : undefined);
  }

  private get frameno(): number {
    return (this.recorder?.shadow.length ?? 1) - 1;
  }

  private placeAtFault(): Place | undefined {
    const { found, insnIdx, recorder } = this;
    const { entry } = found;
    if (!recorder || insnIdx < 0 || entry.value === "none") return undefined;
    const place = this.namedPlace();
    return (entry.value === "pointee" && this.pointee(place)) || place;
  }

  /** The stack slot that a pointer in a register leads to. */
  private pointee({ frameno, loc }: Place): Place | undefined {
    const record = this.recorder?.recordOf(frameno, loc);
    if (loc >= SLOT0 || !record || baseType(i32At(record, R_TYPE)) !== PTR_TO_STACK) return undefined;
    const { code, off } = this.env.insns;
    const cls = code[this.insnIdx] & 7;
    const at = fixedOff(record) + (cls >= 1 && cls <= 3 ? off[this.insnIdx] : 0);
    return { frameno: i32At(record, R_FRAMENO), loc: SLOT0 + ((-at - 1) >> 3) };
  }

  private namedPlace(): Place {
    const { entry, m } = this.found;
    const frameno = this.frameno;
    if (m.slot !== undefined && /^-\d+$/.test(m.slot)) {
      const at = Number(m.slot) + Number(m.byte ?? 0);
      return { frameno, loc: SLOT0 + ((-at - 1) >> 3) };
    }
    if (m.reg !== undefined && /^\d+$/.test(m.reg)) return { frameno, loc: Number(m.reg) };
    if (m.len !== undefined && /^\d+$/.test(m.len)) return { frameno, loc: Number(m.len) + 1 };
    if (entry.value === "packet") return { frameno, loc: this.packetArg(frameno) };
    if (m.arg !== undefined && /^\d+$/.test(m.arg)) return { frameno, loc: Number(m.arg) + 1 };
    const named = /\bR(\d+)\b/.exec(this.lines[this.found.line] ?? "");
    if (named && entry.value !== "operand") return { frameno, loc: Number(named[1]) };
    return { frameno, loc: this.operand() };
  }

  /** The first argument that points into the packet. */
  private packetArg(frameno: number): number {
    for (let loc = 1; loc <= 5; loc++) {
      const r = this.recorder?.recordOf(frameno, loc);
      if (r && isPktPointer(i32At(r, R_TYPE))) return loc;
    }
    return 1;
  }

  /** The register that decides about an instruction: the unbounded one of a sum, the address of an access. */
  private operand(): number {
    const { code, dst, src } = this.env.insns;
    const i = this.insnIdx;
    const c = code[i];
    const cls = c & 7;
    if (cls === 1) return src[i];
    if (cls === 2 || cls === 3) return dst[i];
    if (cls === 5 || cls === 6) return (c & 0xf0) === 0x90 ? 0 : (c & 0xf0) === 0x80 ? 1 : dst[i];
    if (!(c & 8)) return dst[i];
    const record = this.recorder?.recordOf(this.frameno, src[i]);
    return record && i32At(record, R_TYPE) === SCALAR_VALUE ? src[i] : dst[i];
  }

  /** A call that is given memory and a length: when the length varies, it is what makes the access too long. */
  private lengthOf(place: Place): Place | undefined {
    const { env, found, insnIdx, recorder } = this;
    if (env.insns.code[insnIdx] !== 0x85 || place.loc < 1 || place.loc > 4) return undefined;
    const size = found.m.size ?? this.detail("invalid access to {what}, {of} off={off} size={size}")?.size;
    if (size === undefined) return undefined;
    const next = { frameno: place.frameno, loc: place.loc + 1 };
    const record = recorder?.recordOf(next.frameno, next.loc);
    if (!record || i32At(record, R_TYPE) !== SCALAR_VALUE) return undefined;
    const view = new DataView(record.buffer, record.byteOffset);
    const umax = Number(view.getBigUint64(R_UMAX, true));
    return umax === Number(size) && Number(view.getBigUint64(R_UMIN, true)) !== umax ? next : undefined;
  }

  /** Holes of a line of the complaint. */
  private detail(template: string): Readonly<Record<string, string>> | undefined {
    for (let i = this.lines.length - 1; i >= 0; i--) {
      const m = matchTemplate(template, this.lines[i]);
      if (m) return m;
    }
    return undefined;
  }

  private valueOf(place: Place): FaultyValue | undefined {
    const record = this.recorder?.recordOf(place.frameno, place.loc);
    const reg = placeName(place.loc, place.frameno, this.frameno);
    if (!record) {
      return place.loc < SLOT0 ? undefined : { reg, state: "8 bytes that nothing wrote on this path", raw: "????????" };
    }
    return { reg, ...recordWords(this.env, place.loc, record) };
  }

  private path(place: Place | undefined): PathStep[] {
    const { recorder, env, found } = this;
    if (!recorder) return [];
    const tracer = new Tracer(env, recorder);
    const leak = found.m.ref ?? this.detail("Unreleased reference id={ref} alloc_insn={at}")?.ref;
    if (leak !== undefined && /^\d+$/.test(leak)) {
      const path = tracer.reference(Number(leak));
      if (path.length > 0) return path;
    }
    const since = found.entry.since?.(found.m);
    const open = since ? tracer.since(since) : [];
    if (open.length > 0) return open;
    const path = place ? tracer.trace(place) : [];
    return path.length > 0 || this.insnIdx < 0 ? path : tracer.branches();
  }

  private facts(place: Place | undefined, value: FaultyValue | undefined): Facts {
    const { env, insnIdx, lines, found, recorder } = this;
    const record = place && recorder?.recordOf(place.frameno, place.loc);
    const view = record && new DataView(record.buffer, record.byteOffset);
    const big = (at: number, s: boolean) => Number(s ? view!.getBigInt64(at, true) : view!.getBigUint64(at, true));
    const call = insnIdx >= 0 ? callFacts(env, insnIdx) : undefined;
    return {
      m: new Proxy(found.m, { get: (m, key) => m[key as string] ?? "" }),
      text: lines.join("\n"),
      isLoad: insnIdx >= 0 && (env.insns.code[insnIdx] & 7) === 1,
      helperAt: (i) => (env.insns.code[i] === 0x85 && env.insns.src[i] === 0 ? env.insns.imm[i] : 0),
      detail: (template) => this.detail(template),
      reg: value?.reg ?? "the value",
      state: value?.state ?? "",
      raw: value?.raw ?? "",
      size: insnIdx >= 0 ? accessSize(env.insns.code[insnIdx]) : 0,
      map: this.mapAtFault(record),
      callee: call ? `${isKfuncCall(env, insnIdx) ? "" : "bpf_"}${call.name}` : "",
      index: undefined,
      isLength: false,
      lost: "",
      frames: env.subprogs
        .map((s, n) => `${s.name || (n ? `function ${n}` : env.input.name)}() ${s.stackDepth}`)
        .join(", "),
      ctxField: (off) => ctxFieldFacts(env, off),
      range: view && { umin: big(R_UMIN, false), umax: big(R_UMAX, false), smin: big(R_SMIN, true) },
      lineOf: (i) => {
        const at = sourceOf(env.input, i);
        return at ? `\`${at.text}\` (${at.file}:${at.line})` : `instruction ${i}, \`${disasmOf(env, i)}\``;
      },
    };
  }

  private mapAtFault(record: Uint8Array | undefined): Facts["map"] {
    const { env, insnIdx } = this;
    const mapOf = (r: Uint8Array) => {
      const base = baseType(i32At(r, R_TYPE));
      const isMap = base === CONST_PTR_TO_MAP || base === PTR_TO_MAP_VALUE || base === PTR_TO_MAP_KEY;
      return isMap ? env.mapAt(i32At(r, 8)) : undefined;
    };
    const direct = record && mapOf(record);
    if (direct) return direct;
    if (insnIdx < 0) return undefined;
    for (let loc = 1; loc <= 10; loc++) {
      const r = this.recorder?.recordOf(this.frameno, loc);
      const { dst, src, code } = env.insns;
      const used =
        code[insnIdx] === 0x85 ? loc <= 5 : loc === dst[insnIdx] || (code[insnIdx] & 8 && loc === src[insnIdx]);
      const map = used && r ? mapOf(r) : undefined;
      if (map) return map;
    }
    return undefined;
  }
}

function lostOf(path: readonly PathStep[]): string {
  return path.findLast((s) => s.kind === "lost")?.what ?? "";
}

/** What was added last to the value at fault. */
function indexOf(path: readonly PathStep[], value: FaultyValue | undefined): Facts["index"] {
  for (let i = path.length - 1; value && i >= 0; i--) {
    const m = / was increased by (r\d+) \((.*)\)$/.exec(path[i].what);
    if (m && !m[2].startsWith("the number")) return { reg: m[1], state: m[2] };
  }
  return undefined;
}

function accessSize(code: number): number {
  const cls = code & 7;
  return cls >= 1 && cls <= 3 ? ([4, 2, 1, 8][(code >> 3) & 3] ?? 0) : 0;
}
