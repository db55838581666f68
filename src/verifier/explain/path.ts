/**
 * The way of a value to the instruction that was refused: from there back along the recorded path, following copies,
 * spills, arguments and results to where the value came from, with the branches that narrowed it.
 */
import { callFacts, isKfuncCall, isPseudoCall } from "../call_facts.ts";
import type { VerifierEnv } from "../env.ts";
import { R_FRAMENO, R_MASK, R_OFF, R_TYPE, R_VALUE, SLOT_TYPES } from "../layout.ts";
import {
  baseType,
  isPktPointer,
  NOT_INIT,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_MAP_VALUE,
  PTR_TO_PACKET_END,
  PTR_TO_STACK,
  SCALAR_VALUE,
  STACK_SPILL,
} from "../reg_type.ts";
import type { PathStep } from "./explanation.ts";
import { ctxField, memberAt } from "./fields.ts";
import { placeName, recordWords, refOf } from "./plain.ts";
import { type Change, type PathRecorder, SLOT0, type Step } from "./recorder.ts";
import { disasmOf, sourceOf } from "./source.ts";

/** Stations kept at most; the newest are what matters. */
const MAX_STEPS = 40;
const MAX_BRANCHES = 6;

interface Place {
  readonly frameno: number;
  readonly loc: number;
}

const keyOf = (p: Place) => p.frameno * 1000 + p.loc;
const isCondJump = (code: number) => {
  const op = code & 0xf0;
  return ((code & 7) === 5 || (code & 7) === 6) && op !== 0x00 && op !== 0x80 && op !== 0x90;
};

/** What happened to a place in a step, and which places its value came from. */
interface Event {
  readonly kind: PathStep["kind"];
  readonly what: string;
  readonly from: readonly Place[];
}

export class Tracer {
  private readonly env: VerifierEnv;
  private readonly rec: PathRecorder;
  private readonly innermost: number;

  constructor(env: VerifierEnv, rec: PathRecorder) {
    this.env = env;
    this.rec = rec;
    this.innermost = rec.shadow.length - 1;
  }

  /** The history of one register or slot, oldest first. */
  trace(start: Place): PathStep[] {
    const { steps } = this.rec;
    const want = new Map<number, Place>([[keyOf(start), start]]);
    const out: PathStep[] = [];
    let idle = 0;
    let unwritten = false;
    let constantAt = -1;
    const now = this.recordAt(start);
    const packet = start.loc < SLOT0 && now !== undefined && isPktPointer(typeOf(now));
    for (let k = steps.length - 1; k >= 0 && want.size && out.length < MAX_STEPS * 4; k--) {
      const step = steps[k];
      let hit = false;
      for (const change of step.changes) {
        const place = want.get(keyOf(change));
        if (!place) continue;
        hit = true;
        const event = this.event(step, k, change);
        if (event.kind !== "change" && event.kind !== "branch") want.delete(keyOf(place));
        for (const p of event.from) want.set(keyOf(p), p);
        // Where the frame pointer comes from is no news.
        if (step.insnIdx < 0 && change.loc === 10) continue;
        if (step.insnIdx < 0) unwritten ||= typeOf(change.bytes) === NOT_INIT && change.loc < SLOT0;
        if (/ was set to -?\d+$/.test(event.what)) constantAt = k;
        out.push(this.step(step, event.kind, event.what, change));
      }
      const compared = hit || idle >= 3 ? undefined : this.compared(step, k, want, packet ? start : undefined);
      if (compared) {
        idle++;
        out.push(this.branch(step, `, which says nothing new about ${this.name(compared)}`));
      }
    }
    out.reverse();
    const folded = fold(out).slice(-MAX_STEPS);
    const never = start.loc >= SLOT0 && !out.some((s) => s.kind !== "branch");
    // What decides whether a value is written are the branches.
    // A constant is there because of the branches before it.
    if (constantAt > 0 && !folded.some((s) => s.kind === "branch")) {
      folded.unshift(...this.branches(0, constantAt).slice(-2));
    }
    return unwritten || never ? [...folded.filter((s) => s.kind !== "branch"), ...this.branches()] : folded;
  }

  /** The last conditional jumps, oldest first. */
  branches(from = 0, to = this.rec.steps.length): PathStep[] {
    const { steps } = this.rec;
    const out: PathStep[] = [];
    for (let k = to - 1; k >= from && out.length < MAX_BRANCHES * 4; k--) {
      if (steps[k].insnIdx >= 0 && isCondJump(this.env.insns.code[steps[k].insnIdx])) out.push(this.branch(steps[k]));
    }
    return fold(out.reverse()).slice(-MAX_BRANCHES);
  }

  /** Where a reference was acquired, what became of its last copy, and the branches taken since. */
  reference(id: number): PathStep[] {
    const { steps } = this.rec;
    let born = steps.findIndex((s) => s.refs.includes(id));
    if (born < 0) return [];
    // A reference that was dropped and acquired again has another id; the newest run of holding it counts.
    for (let k = steps.length - 1; k >= born; k--)
      if (!steps[k].refs.includes(id) && steps[k - 1]?.refs.includes(id)) born = k;
    const acquired = steps[born];
    const out: PathStep[] = [];
    const r0 = acquired.changes.find((c) => refOf(c.bytes) === id);
    const what = `${this.callee(acquired.insnIdx)} acquired the reference (${id})`;
    out.push(this.step(acquired, "origin", what, r0));
    const holders = new Set<number>();
    let lost: { step: Step; at: number; change: Change } | undefined;
    for (let k = born; k < steps.length; k++) {
      for (const c of steps[k].changes) {
        if (refOf(c.bytes) === id) holders.add(keyOf(c));
        else if (holders.delete(keyOf(c)) && holders.size === 0) lost = { step: steps[k], at: k, change: c };
      }
      if (holders.size > 0) lost = undefined;
    }
    const later = this.branches(born + 1);
    const gone: PathStep[] = [];
    if (lost) {
      const place = placeName(lost.change.loc, lost.change.frameno, this.innermost);
      const how = this.event(lost.step, lost.at, lost.change).what;
      gone.push(
        this.step(lost.step, "lost", `the last copy of the pointer, in ${place}, is overwritten: ${how}`, undefined),
      );
    }
    return [...out, ...later, ...gone];
  }

  /** The last call of one of these functions, and the branches taken since. */
  since(names: readonly string[]): PathStep[] {
    const { steps } = this.rec;
    for (let k = steps.length - 1; k >= 0; k--) {
      const i = steps[k].insnIdx;
      if (i < 0 || this.env.insns.code[i] !== 0x85) continue;
      const callee = this.callee(i).replace("()", "");
      if (!names.includes(callee)) continue;
      return [this.step(steps[k], "origin", `${callee}() began the section`, undefined), ...this.branches(k + 1)];
    }
    return [];
  }

  /** Value of a place before the refused instruction, or before step k. */
  recordAt(place: Place, k = this.rec.steps.length): Uint8Array | undefined {
    if (k === this.rec.steps.length) return this.rec.recordOf(place.frameno, place.loc);
    const key = keyOf(place);
    for (let j = k - 1; j >= 0; j--) {
      const change = this.rec.steps[j].changes.findLast((c) => keyOf(c) === key);
      if (change) return change.bytes;
    }
    return undefined;
  }

  private step(step: Step, kind: PathStep["kind"], what: string, change: Change | undefined): PathStep {
    const { env } = this;
    const state = change && recordWords(env, change.loc, change.bytes).state;
    const place = change && placeName(change.loc, change.frameno, this.innermost);
    const at = step.insnIdx < 0 ? step.next : step.insnIdx;
    return {
      insnIdx: at,
      source: sourceOf(env.input, at),
      disasm: step.insnIdx < 0 ? "entry" : disasmOf(env, at),
      what,
      ...(state !== undefined && { state }),
      ...(place !== undefined && { place }),
      kind,
    };
  }

  private branch(step: Step, note = ""): PathStep {
    return this.step(step, "branch", this.side(step) + note, undefined);
  }

  private side(step: Step): string {
    const text = disasmOf(this.env, step.insnIdx);
    const condition = /^if (.*) goto/.exec(text)?.[1] ?? text.replace(/ (goto )?pc.*/, "");
    return step.next === step.insnIdx + 1
      ? `'${condition}' is false on this path`
      : `'${condition}' is true on this path`;
  }

  /** A comparison that reads the value, or a packet pointer and data_end, and taught the verifier nothing about it. */
  private compared(
    step: Step,
    k: number,
    want: ReadonlyMap<number, Place>,
    packet: Place | undefined,
  ): Place | undefined {
    if (step.insnIdx < 0) return undefined;
    const { code, dst, src } = this.env.insns;
    const c = code[step.insnIdx];
    if (!isCondJump(c)) return undefined;
    const reads = [dst[step.insnIdx], ...(c & 8 ? [src[step.insnIdx]] : [])];
    for (const loc of reads) {
      const place = want.get(keyOf({ frameno: step.frameno, loc }));
      if (place) return place;
    }
    const toEnd = reads.some((loc) => {
      const r = this.recordAt({ frameno: step.frameno, loc }, k);
      return r !== undefined && baseType(typeOf(r)) === PTR_TO_PACKET_END;
    });
    return toEnd ? packet : undefined;
  }

  private callee(i: number): string {
    const { env } = this;
    if (isPseudoCall(env, i)) {
      const sub = env.subprogOf[i + env.insns.imm[i] + 1];
      return `${env.subprogs[sub]?.name || `function ${sub}`}()`;
    }
    const facts = callFacts(env, i);
    if (facts) return `${isKfuncCall(env, i) ? "" : "bpf_"}${facts.name}()`;
    return disasmOf(env, i);
  }

  /** Why step k changed a place. */
  private event(step: Step, k: number, change: Change): Event {
    const { env } = this;
    const i = step.insnIdx;
    const { frameno, loc } = change;
    const name = this.name(change);
    if (i < 0) return this.entry(change, name);
    const { code, src, off, imm } = env.insns;
    const c = code[i];
    const here = (l: number): Place => ({ frameno: step.frameno, loc: l });
    switch (c & 7) {
      case 4:
      case 7:
        return this.alu(step, k, change, name);
      case 0: {
        if ((c & 0xe0) !== 0 && loc === 0) return origin("r0 was read from the packet by a legacy load");
        if ((c & 0xe0) !== 0)
          return { kind: "lost", what: `${name} was wiped by the legacy packet load, as by a call`, from: [] };
        const map = env.mapRefs.get(i);
        if (!map) return origin(`${name} was set to a constant`);
        return origin(
          `${name} was set to ${map.off === undefined ? "" : "a place in the value of "}map '${map.map.name}'`,
        );
      }
      case 1: {
        const base = this.recordAt(here(src[i]), k);
        if (base && baseType(typeOf(base)) === PTR_TO_STACK) {
          const at = fixedOff(base) + off[i];
          const slot = { frameno: i32At(base, R_FRAMENO), loc: SLOT0 + ((-at - 1) >> 3) };
          return origin(`${name} was read back from the stack at fp${at}`, slot);
        }
        return origin(`${name} was loaded from ${base ? this.memory(base, src[i], off[i]) : `r${src[i]}`}`);
      }
      case 2:
      case 3: {
        if (loc < SLOT0) return origin(`${name} got the old value from an atomic operation`);
        if ((c & 7) === 2) return origin(`the number ${imm[i]} was stored at ${name}`);
        const spilled = change.bytes[SLOT_TYPES + 7] === STACK_SPILL;
        if (spilled) return origin(`r${src[i]} was saved at ${name}`, here(src[i]));
        return { kind: "change", what: `r${src[i]} was stored over ${name} or a part of it`, from: [] };
      }
      default:
        break;
    }
    const op = c & 0xf0;
    if (op === 0x90) {
      const func = this.funcOf(i);
      if (loc === 0 && frameno === step.frameno - 1) {
        return origin(`${name} was returned by ${func}`, { frameno: step.frameno, loc: 0 });
      }
      return { kind: "change", what: `${name} changed when ${func} returned`, from: [] };
    }
    if (op === 0x80) return this.call(step, change, name);
    // A branch, of this or of a linked register.
    return { kind: "branch", what: this.side(step), from: [] };
  }

  /** What an access at `off` of a pointer means. */
  private memory(record: Uint8Array, regno: number, off: number): string {
    const { env } = this;
    const base = baseType(typeOf(record));
    const at = fixedOff(record) + off;
    if (base === PTR_TO_CTX && env.facts.progType.ctx.kind === "btf")
      return `argument ${at / 8} of the hook (ctx[${at / 8}])`;
    if (base === PTR_TO_CTX) return `ctx->${ctxField(env, at) ?? `(offset ${at})`}`;
    if (base === PTR_TO_BTF_ID) {
      const btf = env.btfAt(i32At(record, 8));
      const id = i32At(record, 12);
      return `${btf.nameOf(id)}.${memberAt(btf, id, at) ?? `(offset ${at})`}`;
    }
    if (base === PTR_TO_MAP_VALUE && i32At(record, R_MASK) === 0) {
      const map = env.mapAt(i32At(record, 8));
      const name = map.btf && memberAt(map.btf, map.btfValueTypeId, at);
      if (name) return `${name} of a value of map '${map.name}'`;
      return `${map.valueSize > 8 ? `byte ${at} of a value` : "a value"} of map '${map.name}'`;
    }
    return `${recordWords(env, regno, record).state}, r${regno}, at its offset ${off}`;
  }

  private name(p: Place): string {
    return placeName(p.loc, p.frameno, this.innermost);
  }

  private entry(change: Change, name: string): Event {
    const { env } = this;
    if (typeOf(change.bytes) === NOT_INIT) {
      return origin(`${name} has no value when the function begins, and nothing on this path writes it`);
    }
    if (change.loc === 10) return origin(`${name} is the frame pointer`);
    const sub = env.subprogs[env.curCheckedSubprog];
    return origin(`${name} is argument ${change.loc} of ${sub?.name || env.input.name || "the program"}()`);
  }

  private funcOf(i: number): string {
    const n = this.env.subprogOf[i];
    return `${this.env.subprogs[n]?.name || `function ${n}`}()`;
  }

  private call(step: Step, change: Change, name: string): Event {
    const { env } = this;
    const i = step.insnIdx;
    const { frameno, loc } = change;
    const callee = this.callee(i);
    if (frameno > step.frameno && loc >= 1 && loc <= 5) {
      if (isPseudoCall(env, i)) return origin(`${name} is argument ${loc} of ${callee}`, { frameno: frameno - 1, loc });
      return origin(`${name} is argument ${loc} of the function that ${callee} calls`);
    }
    if (frameno > step.frameno) return origin(`${name} has no value when ${callee} begins`);
    if (loc === 0 && typeOf(change.bytes) !== NOT_INIT) return origin(`${name} was returned by ${callee}`);
    if (loc <= 5) {
      return {
        kind: "lost",
        what: `${name} was wiped by the call of ${callee}: r1 to r5 do not survive calls`,
        from: [],
      };
    }
    if (loc >= SLOT0) return { kind: "change", what: `${callee} wrote to ${name}`, from: [] };
    const before = this.recordAt(change, this.rec.steps.indexOf(step));
    if (before && typeOf(before) === SCALAR_VALUE && typeOf(change.bytes) === SCALAR_VALUE) {
      const what = `${name} differs from round to round of the loop, so its value is forgotten at ${callee}`;
      return { kind: "change", what, from: [] };
    }
    const moves = callFacts(env, i)?.changesPktData;
    const why = moves
      ? `${callee} may move the packet, so ${name} is no pointer into it any more`
      : `${callee} ended what ${name} pointed to`;
    return { kind: moves || typeOf(change.bytes) === SCALAR_VALUE ? "lost" : "change", what: why, from: [] };
  }

  private alu(step: Step, k: number, change: Change, name: string): Event {
    const { env } = this;
    const i = step.insnIdx;
    const { code, dst, src, imm, off } = env.insns;
    const c = code[i];
    const op = c & 0xf0;
    if (change.loc !== dst[i])
      return { kind: "change", what: `${name} was adjusted with a register equal to it`, from: [] };
    const operand: Place = { frameno: step.frameno, loc: src[i] };
    if (op === 0xb0) {
      if (!(c & 8)) return origin(`${name} was set to ${imm[i]}`);
      const half = (c & 7) === 4 ? ", the low 32 bits only" : off[i] ? `, sign-extended from ${off[i]} bits` : "";
      return origin(`${name} was copied from r${src[i]}${half}`, operand);
    }
    const what = `${name} was ${ALU_WORDS[op] ?? "changed by"}`;
    if (op === 0x80) return { kind: "change", what, from: [] };
    if (!(c & 8) || op === 0xd0) return { kind: "change", what: `${what} ${imm[i]}`, from: [] };
    const record = this.recordAt(operand, k);
    const known = record && recordWords(env, src[i], record).state;
    const from = operand.loc === change.loc ? [] : [operand];
    return { kind: "change", what: `${what} r${src[i]}${known ? ` (${known})` : ""}`, from };
  }
}

function origin(what: string, from?: Place): Event {
  return { kind: "origin", what, from: from ? [from] : [] };
}

const ALU_WORDS: Readonly<Record<number, string>> = {
  0: "increased by",
  16: "decreased by",
  32: "multiplied by",
  48: "divided by",
  64: "or-ed with",
  80: "masked with &",
  96: "shifted left by",
  112: "shifted right by",
  128: "negated, with",
  144: "reduced modulo",
  160: "xor-ed with",
  192: "shifted right (signed) by",
  208: "byte-swapped to",
};

export function typeOf(record: Uint8Array): number {
  return i32At(record, R_TYPE);
}

export function i32At(record: Uint8Array, at: number): number {
  return new DataView(record.buffer, record.byteOffset).getInt32(at, true);
}

/** Constant offset of a pointer. */
export function fixedOff(record: Uint8Array): number {
  return i32At(record, R_OFF) + i32At(record, R_VALUE);
}

/** Rounds of a loop become one: the last of each station stays, with their number. */
function fold(steps: readonly PathStep[]): PathStep[] {
  const times = new Map<string, number>();
  const out: PathStep[] = [];
  for (let i = steps.length - 1; i >= 0; i--) {
    const s = steps[i];
    const key = `${s.insnIdx} ${s.place} ${s.what.replace(/\(.*\)/, "")}`;
    const n = times.get(key) ?? 0;
    times.set(key, n + 1);
    if (n === 0) out.push(s);
  }
  return out.reverse().map((s) => {
    const n = times.get(`${s.insnIdx} ${s.place} ${s.what.replace(/\(.*\)/, "")}`) ?? 1;
    return n > 1 ? { ...s, times: n } : s;
  });
}
