/**
 * Random programs that are likely to pass: the generator keeps a model of what registers and stack hold and mostly does
 * what the model allows; with some probability ("wildness", drawn per program) it takes anything instead. What it leaves to
 * the verifier are ranges: scalars go through random arithmetic and branches of both widths and then become indexes.
 */
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_RINGBUF,
  BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SOCKET_FILTER,
  BPF_PROG_TYPE_XDP,
} from "../../src/abi/bpf.ts";
import type { FuzzCase, FuzzMap, Random } from "./case.ts";
import { Emitter, type Label } from "./emit.ts";

export const MAPS: readonly FuzzMap[] = [
  { type: BPF_MAP_TYPE_ARRAY, key: 4, value: 64, max: 1 },
  { type: BPF_MAP_TYPE_ARRAY, key: 4, value: 24, max: 4 },
  { type: BPF_MAP_TYPE_HASH, key: 8, value: 32, max: 8 },
  { type: BPF_MAP_TYPE_PERCPU_ARRAY, key: 4, value: 16, max: 2 },
  { type: BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, max: 4096 },
];
const DIRECT = 0;
const RINGBUF = 4;
const LOOKUPS = [0, 1, 2, 3];

type Kind = "none" | "scalar" | "ctx" | "value" | "maybe" | "packet" | "end" | "record" | "stack";

interface Reg {
  readonly kind: Kind;
  /** Bytes that may be accessed from here (value, record, packet); for stack, offset from r10. */
  readonly room: number;
}

const NONE: Reg = { kind: "none", room: 0 };
const SCALAR: Reg = { kind: "scalar", room: 0 };

interface Model {
  readonly regs: Reg[];
  /** Byte n: fp-1-n was written. */
  readonly written: Set<number>;
  /** Aligned offsets (fp-8n) where a register was spilled. */
  readonly spilled: Map<number, Reg>;
}

/** Context fields of 4 bytes that can be read, and written. */
interface CtxFacts {
  readonly read: readonly number[];
  readonly write: readonly number[];
  readonly data?: readonly [number, number];
}

const SKB_READ = [0, 4, 8, 12, 16, 20, 24, 32, 36, 40, 48, 52, 56, 60, 64, 68];
const CTX: Readonly<Record<number, CtxFacts>> = {
  [BPF_PROG_TYPE_XDP]: { read: [12, 16], write: [], data: [0, 4] },
  [BPF_PROG_TYPE_SCHED_CLS]: { read: [...SKB_READ, 160, 164], write: [8, 32, 44, 48, 52, 56, 60, 64], data: [76, 80] },
  [BPF_PROG_TYPE_SOCKET_FILTER]: { read: SKB_READ, write: [48, 52, 56, 60, 64] },
};

const SIZE_BITS: Readonly<Record<number, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };
const ALU_OPS = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0, 0xc0];
const CMP_OPS = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0];
const ATOMICS = [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1];
const NO_ARG_HELPERS = [5, 7, 8];
const STACK_BYTES = 96;

export function generate(rng: Random): FuzzCase {
  return new Generator(rng).program();
}

class Generator {
  readonly #rng: Random;
  readonly #e = new Emitter();
  readonly #labels: Label[] = [];
  readonly #progType: number;
  readonly #ctx: CtxFacts;
  readonly #wild: number;
  /** Indexes are left to what the verifier knows of them now and then. */
  readonly #risky: boolean;
  readonly #functions: Label[] = [];
  readonly #called = new Set<Label>();
  /** Of a hundred statements, so many are of this kind. */
  readonly #statements: readonly (readonly [number, () => void])[] = [
    [14, () => this.#alu()],
    [6, () => this.#newScalar()],
    [9, () => this.#story()],
    [4, () => this.#linkedStory()],
    [10, () => this.#index()],
    [10, () => this.#branch()],
    [5, () => this.#lookup()],
    [5, () => this.#stack()],
    [6, () => this.#value()],
    [5, () => this.#packet()],
    [5, () => this.#helper()],
    [2, () => this.#loop()],
    [4, () => this.#callFunction()],
    [2, () => this.#copy()],
    [3, () => this.#ctxAccess()],
    [4, () => this.#stackIndex()],
    [3, () => this.#ring()],
    [3, () => this.#atomic()],
  ];
  #m: Model = { regs: [], written: new Set(), spilled: new Map() };
  #budget: number;
  /** Registers that loops and calls in progress need. */
  #kept = new Set<number>();
  #loops = 0;

  constructor(rng: Random) {
    this.#rng = rng;
    this.#progType = rng.pick([
      BPF_PROG_TYPE_XDP,
      BPF_PROG_TYPE_XDP,
      BPF_PROG_TYPE_SCHED_CLS,
      BPF_PROG_TYPE_SOCKET_FILTER,
    ]);
    this.#ctx = CTX[this.#progType];
    this.#wild = rng.pick([0, 0, 0, 0.01, 0.01, 0.05]);
    this.#risky = rng.chance(0.35);
    this.#budget = 6 + rng.below(30);
  }

  program(): FuzzCase {
    const rng = this.#rng;
    this.#m.regs.push(...Array.from({ length: 10 }, () => NONE), { kind: "stack", room: 0 });
    this.#m.regs[1] = { kind: "ctx", room: 0 };
    for (let n = rng.chance(0.4) ? 1 + rng.below(2) : 0; n > 0; n--) this.#functions.push(this.#e.label());
    this.#mov(6, 1);
    this.#block();
    this.#exit();
    this.#functions.length = 0;
    for (const fn of this.#called) this.#function(fn);
    return {
      progType: this.#progType,
      flags: rng.chance(0.1) ? 8 : 0,
      insns: this.#e.bytes(this.#labels),
      mapRefs: this.#e.mapRefs,
      ...(rng.chance(0.15) ? { noPerfmon: true } : {}),
    };
  }

  #label(): Label {
    const label = this.#e.label();
    this.#labels.push(label);
    return label;
  }

  #function(label: Label): void {
    const rng = this.#rng;
    this.#e.bind(label);
    this.#m = { regs: Array.from({ length: 10 }, () => NONE), written: new Set(), spilled: new Map() };
    this.#m.regs.push({ kind: "stack", room: 0 });
    for (const r of [1, 2]) this.#m.regs[r] = SCALAR;
    this.#m.regs[3] = { kind: "value", room: 16 };
    this.#budget = 2 + rng.below(10);
    this.#loops = 0;
    this.#kept = new Set();
    this.#block();
    this.#exit();
  }

  #exit(): void {
    if (this.#m.regs[0].kind !== "scalar" || this.#rng.chance(0.05)) {
      const r = this.#find("scalar");
      if (r === undefined) this.#const(0);
      else this.#mov(0, r);
    }
    if (this.#progType !== BPF_PROG_TYPE_SCHED_CLS && this.#rng.chance(0.3)) this.#e.put(0x57, 0, 0, 0, 3);
    this.#e.put(0x95);
  }

  #block(): void {
    for (let n = 1 + this.#rng.below(8); n > 0 && this.#budget > 0; n--) this.#statement();
  }

  #statement(): void {
    this.#budget--;
    if (this.#rng.chance(this.#wild)) {
      this.#anything();
      return;
    }
    let n = this.#rng.below(100);
    for (const [weight, make] of this.#statements) {
      n -= weight;
      if (n < 0) {
        make();
        return;
      }
    }
  }

  // Registers.

  /** A register that may be overwritten. */
  #free(): number {
    const free = [0, 1, 2, 3, 4, 5, 7, 8, 9].filter((r) => !this.#kept.has(r));
    const empty = free.filter((r) => this.#m.regs[r].kind === "none");
    return this.#rng.pick(empty.length && this.#rng.chance(0.7) ? empty : free);
  }

  /** A register that survives calls. */
  #saved(): number {
    const free = [7, 8, 9].filter((r) => !this.#kept.has(r));
    return free.length ? this.#rng.pick(free) : this.#free();
  }

  #find(...kinds: Kind[]): number | undefined {
    const found: number[] = [];
    for (let r = 0; r < 10; r++) if (kinds.includes(this.#m.regs[r].kind)) found.push(r);
    return found.length ? this.#rng.pick(found) : undefined;
  }

  /** A scalar in any register, made when there is none. */
  #scalar(): number {
    const r = this.#find("scalar");
    if (r !== undefined && this.#rng.chance(0.9)) return r;
    return this.#newScalar();
  }

  #set(r: number, reg: Reg): void {
    this.#m.regs[r] = reg;
  }

  #const(r: number): void {
    const rng = this.#rng;
    if (rng.chance(0.25)) this.#e.imm64(r, rng.imm(), rng.imm());
    else this.#e.put(rng.chance(0.5) ? 0xb7 : 0xb4, r, 0, 0, rng.imm());
    this.#set(r, SCALAR);
  }

  #mov(dst: number, src: number): void {
    this.#e.put(0xbf, dst, src);
    this.#set(dst, this.#m.regs[src]);
  }

  #clobber(): void {
    for (let r = 0; r <= 5; r++) this.#set(r, NONE);
  }

  /** Now and then, the last place that is allowed or the first that is not. */
  #edge(): boolean {
    return this.#risky && this.#rng.chance(0.12);
  }

  // Statements.

  /** Whatever comes; mostly refused. */
  #anything(): void {
    const rng = this.#rng;
    const code = rng.pick([
      0x61, 0x71, 0x79, 0x63, 0x7b, 0x62, 0x0f, 0x1f, 0xbf, 0xbc, 0x04, 0x07, 0x85, 0x2f, 0x5f, 0x15, 0xb7, 0xdb, 0x81,
    ]);
    const off = rng.pick([0, 0, 4, 8, -8, -16, -1, rng.below(600) - 520]);
    if ((code & 7) === 5 && code !== 0x85) {
      const label = this.#label();
      this.#e.jump(code, rng.below(10), 0, rng.imm(), label);
      this.#e.bind(label);
      return;
    }
    const imm = code === 0x85 ? 1 + rng.below(30) : code === 0xdb ? rng.pick(ATOMICS) : rng.imm();
    const needsNoImm = (code & 7) === 1 || (code & 7) === 3 || (code & 8) !== 0;
    const isMem = (code & 7) < 4 && code !== 0x85;
    this.#e.put(
      code,
      code === 0x85 ? 0 : rng.below(isMem ? 11 : 10),
      code === 0x85 || code === 0xb7 || code === 0x04 || code === 0x07 || code === 0x62 ? 0 : rng.below(11),
      isMem ? off : 0,
      needsNoImm && code !== 0xdb ? 0 : imm,
    );
  }

  #newScalar(): number {
    const rng = this.#rng;
    const r = this.#free();
    const from = this.#find("value", "record");
    if (from !== undefined && this.#m.regs[from].room >= 8 && rng.chance(0.6))
      this.#load(r, from, this.#m.regs[from].room);
    else if (rng.chance(0.3) && this.#m.regs[6].kind === "ctx") {
      this.#e.put(0x61, r, 6, rng.pick(this.#ctx.read));
      this.#set(r, SCALAR);
    } else this.#const(r);
    return r;
  }

  /** dst = *(any size *)(base + some offset within room). */
  #load(dst: number, base: number, room: number): void {
    const rng = this.#rng;
    const size = rng.pick([1, 2, 4, 8].filter((s) => s <= room));
    const off = this.#edge() ? room - size + rng.below(2) : rng.below(room - size + 1) & -size;
    const signed = size < 8 && rng.chance(0.2);
    this.#e.put(1 | SIZE_BITS[size] | (signed ? 0x80 : 0x60), dst, base, off);
    this.#set(dst, SCALAR);
  }

  #alu(): void {
    this.#aluOn(this.#scalar());
  }

  #aluOn(dst: number): void {
    const rng = this.#rng;
    if (this.#kept.has(dst)) return;
    const wide = rng.chance(0.5);
    const cls = wide ? 7 : 4;
    const kind = rng.below(20);
    if (kind === 0) this.#e.put(cls | 0x80, dst);
    else if (kind === 1) this.#e.put(rng.pick([0xd4, 0xdc, 0xd7]), dst, 0, 0, rng.pick([16, 32, 64]));
    else if (kind === 2) this.#e.put(cls | 0xb8, dst, dst, rng.pick(wide ? [0, 8, 16, 32] : [0, 8, 16]));
    else this.#binary(dst, wide, cls);
  }

  #binary(dst: number, wide: boolean, cls: number): void {
    const rng = this.#rng;
    const op = rng.pick(ALU_OPS);
    const signed = (op === 0x30 || op === 0x90) && rng.chance(0.3) ? 1 : 0;
    if (rng.chance(0.4)) {
      const src = this.#scalar();
      this.#e.put(cls | op | 8, dst, src, signed);
      return;
    }
    const shift = op === 0x60 || op === 0x70 || op === 0xc0;
    const imm = shift ? rng.below(wide ? 64 : 32) : rng.imm();
    this.#e.put(cls | op, dst, 0, signed, (op === 0x30 || op === 0x90) && imm === 0 ? 3 : imm);
  }

  /** Arithmetic and branches on one number, then its use as an index. */
  #story(): void {
    const rng = this.#rng;
    if (this.#find("value", "record") === undefined) this.#directValue();
    const base = this.#find("value", "record");
    if (base === undefined) return;
    const keep = !this.#kept.has(base);
    if (keep) this.#kept.add(base);
    const r = this.#free();
    if (this.#m.regs[base].room >= 8) this.#load(r, base, this.#m.regs[base].room);
    else this.#const(r);
    this.#kept.add(r);
    const skip = this.#label();
    const before = this.#fork();
    for (let n = 1 + rng.below(6); n > 0; n--) {
      if (rng.chance(0.55)) {
        this.#kept.delete(r);
        this.#aluOn(r);
        this.#kept.add(r);
      } else this.#compare(r, skip);
    }
    this.#kept.delete(r);
    this.#set(r, SCALAR);
    this.#indexWith(base, r);
    this.#e.bind(skip);
    this.#join(before);
    if (keep) this.#kept.delete(base);
  }

  /** A copy at a distance of a number; what is learnt of one bounds the other, which becomes an index. */
  #linkedStory(): void {
    const rng = this.#rng;
    if (this.#find("value", "record") === undefined) this.#directValue();
    const base = this.#find("value", "record");
    if (base === undefined) return;
    const keep = !this.#kept.has(base);
    this.#kept.add(base);
    const a = this.#newScalar();
    const keepA = !this.#kept.has(a);
    this.#kept.add(a);
    const b = this.#free();
    if (b !== a && b !== base) {
      const { room } = this.#m.regs[base];
      const size = rng.pick([1, 2, 4, 8].filter((s) => s <= room));
      const distance = rng.pick([1, 2, 3, -1, -4, 8, rng.imm()]);
      if (rng.chance(0.3)) this.#e.put(0xbc, a, a);
      this.#e.put(rng.chance(0.7) ? 0xbf : 0xbc, b, a);
      this.#e.put(rng.chance(0.7) ? 0x07 : 0x04, b, 0, 0, distance);
      if (rng.chance(0.2)) {
        // by way of the stack
        this.#e.put(0x7b, 10, b, -8);
        this.#wrote(-8, 8);
        this.#e.put(0x79, b, 10, -8);
      }
      const skip = this.#label();
      const most = room - size + (this.#edge() ? 1 : 0);
      const of = rng.chance(0.7) ? a : b;
      const shift = of === a ? distance : 0;
      const cls = rng.chance(0.7) ? 0 : 1;
      this.#e.jump(0x65 + cls, of, 0, most - shift, skip);
      this.#e.jump(0xc5 + cls, of, 0, -shift, skip);
      this.#kept.add(b);
      const p = this.#free();
      this.#kept.delete(b);
      if (p !== b && p !== base) {
        const before = this.#fork();
        this.#e.put(0xbf, p, base);
        this.#e.put(0x0f, p, rng.chance(0.9) ? b : a);
        this.#set(p, NONE);
        this.#access(p, 0, size);
        this.#join(before);
      }
      this.#e.bind(skip);
      this.#set(b, SCALAR);
    }
    if (keepA) this.#kept.delete(a);
    if (keep) this.#kept.delete(base);
  }

  /** A conditional jump on a scalar; the model does not change. */
  #compare(r: number, to: Label): void {
    const rng = this.#rng;
    const cls = rng.chance(0.5) ? 5 : 6;
    const op = rng.pick(CMP_OPS);
    const other = rng.chance(0.25) ? this.#find("scalar") : undefined;
    if (other !== undefined) this.#e.jump(cls | op | 8, r, other, 0, to);
    else this.#e.jump(cls | op, r, 0, rng.imm(), to);
  }

  #directValue(): void {
    const r = this.#saved();
    const off = this.#rng.chance(0.7) ? 0 : this.#rng.below(57);
    this.#e.mapValue(r, DIRECT, off);
    this.#set(r, { kind: "value", room: MAPS[DIRECT].value - off });
  }

  #index(): void {
    const base = this.#find("value", "record", "packet");
    const r = this.#find("scalar");
    if (base === undefined || r === undefined) return;
    this.#indexWith(base, r);
  }

  /** An access at base + r, after something that may bound it. */
  #indexWith(base: number, r: number): void {
    const rng = this.#rng;
    const { room } = this.#m.regs[base];
    if (room < 1) return;
    const size = rng.pick([1, 2, 4, 8].filter((s) => s <= room));
    const most = room - size;
    const skip = this.#label();
    const keepBase = !this.#kept.has(base);
    if (keepBase) this.#kept.add(base);
    const i = this.#free();
    this.#kept.add(i);
    if (rng.chance(0.3)) {
      this.#e.put(0xbc, i, r);
      this.#set(i, SCALAR);
    } else this.#mov(i, r);
    const off = this.#edge() ? 1 : 0;
    if (this.#edge()) this.#e.put(0xb7, i, 0, 0, most + rng.below(2));
    switch (rng.below(this.#risky ? 9 : 7)) {
      case 0:
      case 1:
        this.#e.put(rng.pick([0x57, 0x54]), i, 0, 0, off + (2 ** Math.floor(Math.log2(most + 1)) - 1));
        break;
      case 2:
        this.#jumpZeroExtended(0x25, i, most + off, skip);
        break;
      case 3:
        this.#jumpZeroExtended(0x65, i, most + off, skip);
        this.#e.jump(0xc5, i, 0, -off, skip);
        break;
      case 4:
        this.#e.put(rng.pick([0x97, 0x94]), i, 0, 0, most + 1 + off);
        break;
      case 5:
        this.#e.put(0x77, i, 0, 0, 64 - Math.floor(Math.log2(most + 1)) - off);
        break;
      case 6:
        this.#e.jump(0xb5, i, 0, most + off, skip);
        break;
      default:
        break;
    }
    const p = this.#free();
    this.#e.put(0xbf, p, base);
    this.#e.put(this.#risky && rng.chance(0.1) ? 0x1f : 0x0f, p, i);
    this.#set(p, NONE);
    this.#access(p, 0, size);
    this.#e.bind(skip);
    this.#kept.delete(i);
    if (keepBase) this.#kept.delete(base);
  }

  /** A comparison in 64 bits, or in 32 of a number that has no more (but for risky programs). */
  #jumpZeroExtended(code: number, r: number, imm: number, to: Label): void {
    const narrow = this.#rng.chance(0.5);
    if (narrow && !(this.#risky && this.#rng.chance(0.1))) this.#e.put(0xbc, r, r);
    this.#e.jump(narrow ? code + 1 : code, r, 0, imm, to);
  }

  /** A load into p itself, or a store. */
  #access(p: number, off: number, size: number): void {
    const rng = this.#rng;
    const bits = SIZE_BITS[size];
    if (rng.chance(0.6)) {
      this.#e.put(0x61 | bits, p, p, off);
      this.#set(p, NONE);
    } else if (rng.chance(0.5)) this.#e.put(0x62 | bits, p, 0, off, rng.imm());
    else this.#e.put(0x63 | bits, p, this.#scalarOr(p), off);
  }

  #scalarOr(not: number): number {
    const r = this.#find("scalar");
    if (r !== undefined && r !== not) return r;
    const other = this.#free();
    if (other === not) return 10;
    this.#const(other);
    return other;
  }

  #branch(): void {
    const rng = this.#rng;
    const r = this.#scalar();
    const other = this.#label();
    this.#compare(r, other);
    const before = this.#fork();
    this.#block();
    if (rng.chance(0.15)) {
      this.#exit();
      this.#e.bind(other);
      this.#m = before;
      return;
    }
    if (rng.chance(0.5)) {
      const end = this.#label();
      this.#e.jump(0x05, 0, 0, 0, end);
      this.#e.bind(other);
      const after = this.#m;
      this.#m = before;
      this.#block();
      this.#e.bind(end);
      this.#join(after);
    } else {
      this.#e.bind(other);
      this.#join(before);
    }
  }

  #fork(): Model {
    return { regs: [...this.#m.regs], written: new Set(this.#m.written), spilled: new Map(this.#m.spilled) };
  }

  #join(other: Model): void {
    const { regs, written, spilled } = this.#m;
    for (let r = 0; r < 10; r++) {
      const [a, b] = [regs[r], other.regs[r]];
      regs[r] = a.kind !== b.kind ? NONE : { kind: a.kind, room: Math.min(a.room, b.room) };
    }
    for (const n of written) if (!other.written.has(n)) written.delete(n);
    for (const [n, reg] of spilled) if (other.spilled.get(n)?.kind !== reg.kind) spilled.delete(n);
  }

  #lookup(): void {
    const rng = this.#rng;
    const n = rng.pick(LOOKUPS);
    const map = MAPS[n];
    const at = -8 * (1 + rng.below(4));
    const key = rng.chance(0.5) ? rng.below(map.max + 1) : undefined;
    if (key === undefined) {
      const r = this.#scalar();
      this.#e.put(map.key === 8 ? 0x7b : 0x63, 10, r, at);
    } else this.#e.put(map.key === 8 ? 0x7a : 0x62, 10, 0, at, key);
    this.#wrote(at, map.key);
    this.#e.map(1, n);
    this.#e.put(0xbf, 2, 10);
    this.#e.put(0x07, 2, 0, 0, at);
    this.#e.put(0x85, 0, 0, 0, 1);
    this.#clobber();
    const ok = this.#label();
    if (rng.chance(0.03)) {
      this.#set(0, { kind: "value", room: map.value });
      return;
    }
    const dst = this.#saved();
    if (rng.chance(0.3)) {
      // the check is on a copy
      this.#e.put(0xbf, dst, 0);
      this.#e.jump(0x55, 0, 0, 0, ok);
    } else {
      this.#e.jump(0x55, 0, 0, 0, ok);
    }
    this.#const(0);
    this.#exitWith();
    this.#e.bind(ok);
    this.#mov(dst, 0);
    this.#set(0, { kind: "value", room: map.value });
    this.#set(dst, { kind: "value", room: map.value });
  }

  #exitWith(): void {
    this.#e.put(0xb7, 0, 0, 0, this.#rng.below(2));
    this.#e.put(0x95);
  }

  #wrote(off: number, size: number): void {
    for (let i = 0; i < size; i++) this.#m.written.add(-off - 1 - i);
    for (const at of [...this.#m.spilled.keys()]) if (at < off + size && at + 8 > off) this.#m.spilled.delete(at);
  }

  #stack(): void {
    const rng = this.#rng;
    const size = rng.pick([1, 2, 4, 8, 8, 8]);
    const off = -(size * (1 + rng.below(STACK_BYTES / size)));
    const pick = rng.below(10);
    if (pick < 4) {
      // spill anything
      const r = rng.below(10);
      if (this.#m.regs[r].kind === "none" || (this.#m.regs[r].kind !== "scalar" && size !== 8)) return;
      this.#e.put(0x63 | SIZE_BITS[size], 10, r, off);
      this.#wrote(off, size);
      if (size === 8) this.#m.spilled.set(off, this.#m.regs[r]);
      return;
    }
    if (pick < 5) {
      this.#e.put(0x62 | SIZE_BITS[size], 10, 0, off, rng.imm());
      this.#wrote(off, size);
      return;
    }
    const spills = [...this.#m.spilled];
    if (pick < 8 && spills.length) {
      const [at, reg] = rng.pick(spills);
      const r = this.#free();
      if (reg.kind === "scalar" && rng.chance(0.4)) {
        const part = rng.pick([1, 2, 4]);
        this.#e.put(1 | SIZE_BITS[part] | (rng.chance(0.3) ? 0x80 : 0x60), r, 10, at + part * rng.below(8 / part));
        this.#set(r, SCALAR);
      } else {
        this.#e.put(0x79, r, 10, at);
        this.#set(r, reg);
      }
      return;
    }
    for (let i = 0; i < size; i++) if (!this.#m.written.has(-off - 1 - i)) return;
    const r = this.#free();
    this.#e.put(0x61 | SIZE_BITS[size], r, 10, off);
    this.#set(r, SCALAR);
  }

  /** Access at r10 + something variable. */
  #stackIndex(): void {
    const rng = this.#rng;
    const r = this.#scalar();
    const i = this.#free();
    this.#e.put(0xbf, i, r);
    const mask = rng.pick([7, 15, 31]);
    this.#e.put(0x57, i, 0, 0, mask);
    const low = -(mask + 8 + 8 * rng.below(4));
    if (rng.chance(0.8)) {
      for (let at = low & -8; at < 0; at += 8) {
        this.#e.put(0x7a, 10, 0, at, rng.imm());
        this.#wrote(at, 8);
      }
    }
    this.#kept.add(i);
    const p = this.#free();
    this.#kept.delete(i);
    this.#e.put(0xbf, p, 10);
    this.#e.put(0x07, p, 0, 0, low);
    this.#e.put(0x0f, p, i);
    this.#set(i, SCALAR);
    this.#set(p, NONE);
    this.#m.spilled.clear();
    if (rng.chance(0.5)) {
      this.#e.put(0x71, p, p, 0);
      this.#set(p, SCALAR);
    } else this.#e.put(0x72, p, 0, rng.below(2), rng.imm());
  }

  #value(): void {
    const base = this.#find("value", "record");
    if (base === undefined) {
      this.#directValue();
      return;
    }
    const { room } = this.#m.regs[base];
    const rng = this.#rng;
    const size = rng.pick([1, 2, 4, 8].filter((s) => s <= room));
    if (!size) return;
    const off = (rng.below(room - size + 1) & -size) + (this.#risky && rng.chance(0.03) ? room : 0);
    const at = this.#edge() ? room - size + rng.below(2) : off;
    const bits = SIZE_BITS[size];
    if (rng.chance(0.4)) {
      this.#kept.add(base);
      const r = this.#free();
      this.#kept.delete(base);
      this.#e.put(0x61 | bits, r, base, at);
      this.#set(r, SCALAR);
    } else if (rng.chance(0.5)) this.#e.put(0x62 | bits, base, 0, at, rng.imm());
    else {
      const r = this.#find("scalar");
      if (r !== undefined) this.#e.put(0x63 | bits, base, r, at);
    }
  }

  #packet(): void {
    const { data } = this.#ctx;
    const rng = this.#rng;
    const old = this.#find("packet");
    if (old !== undefined && rng.chance(0.5)) {
      const { room } = this.#m.regs[old];
      if (room < 1) return;
      this.#kept.add(old);
      const r = this.#free();
      this.#kept.delete(old);
      this.#load(r, old, room);
      return;
    }
    if (!data || this.#m.regs[6].kind !== "ctx") return;
    const p = this.#saved();
    this.#kept.add(p);
    const q = this.#free();
    this.#kept.add(q);
    const end = this.#free();
    this.#kept.delete(q);
    this.#kept.delete(p);
    this.#e.put(0x61, p, 6, data[0]);
    this.#e.put(0x61, end, 6, data[1]);
    this.#set(p, NONE);
    this.#set(q, NONE);
    this.#set(end, NONE);
    const bytes = rng.chance(0.7) ? 14 + rng.below(30) : 1 + rng.below(40);
    let variable = 0;
    const r = rng.chance(0.3) ? this.#find("scalar") : undefined;
    this.#e.put(0xbf, q, p);
    if (r !== undefined && r !== q && r !== p && r !== end) {
      variable = rng.pick([3, 7, 15, 0xff, 0xffff]);
      this.#e.put(0x57, r, 0, 0, variable);
      this.#e.put(0x0f, p, r);
      this.#e.put(0xbf, q, p);
    }
    this.#e.put(0x07, q, 0, 0, bytes);
    const short = this.#label();
    const ok = this.#label();
    switch (rng.below(4)) {
      case 0:
        this.#e.jump(0x2d, q, end, 0, short);
        break;
      case 1:
        this.#e.jump(0xad, end, q, 0, short);
        break;
      case 2:
        this.#e.jump(0xbd, q, end, 0, ok);
        this.#e.jump(0x05, 0, 0, 0, short);
        this.#e.bind(ok);
        break;
      default:
        this.#e.jump(0x3d, q, end, 0, short);
    }
    this.#set(p, { kind: "packet", room: bytes + (this.#risky && rng.chance(0.1) ? 1 : 0) });
    const before = this.#fork();
    before.regs[p] = NONE;
    for (let n = 1 + rng.below(3); n > 0; n--) {
      this.#kept.add(p);
      const t = this.#free();
      this.#kept.delete(p);
      if (rng.chance(0.7)) this.#load(t, p, this.#m.regs[p].room);
      else this.#indexWith(p, this.#scalar());
    }
    if (rng.chance(0.2)) {
      this.#packetHelper();
      if (this.#m.regs[p].kind === "packet") this.#load(this.#free(), p, this.#m.regs[p].room);
    }
    if (rng.chance(0.4)) {
      // a short packet ends the program; the pointer stays good
      const over = this.#label();
      this.#e.jump(0x05, 0, 0, 0, over);
      this.#e.bind(short);
      this.#exitWith();
      this.#e.bind(over);
      return;
    }
    if (rng.chance(0.5)) this.#block();
    this.#e.bind(short);
    this.#join(before);
  }

  #helper(): void {
    const rng = this.#rng;
    const pick = rng.below(9);
    if (pick >= 6) {
      this.#packetHelper();
      return;
    }
    if (pick < 3) {
      this.#e.put(0x85, 0, 0, 0, rng.pick(NO_ARG_HELPERS));
    } else if (pick === 3) {
      // map_update_elem(map, key, value, flags)
      const n = rng.pick([0, 1, 2]);
      for (let at = -40; at < 0; at += 8) {
        this.#e.put(0x7a, 10, 0, at, rng.below(4));
        this.#wrote(at, 8);
      }
      if (MAPS[n].value > 32) for (let at = -72; at < -40; at += 8) this.#e.put(0x7a, 10, 0, at, 1);
      this.#e.put(0xbf, 2, 10);
      this.#e.put(0x07, 2, 0, 0, -8);
      this.#e.put(0xbf, 3, 10);
      this.#e.put(0x07, 3, 0, 0, MAPS[n].value > 32 ? -72 : -40);
      this.#e.put(0xb7, 4, 0, 0, rng.below(3));
      this.#e.map(1, n);
      this.#e.put(0x85, 0, 0, 0, 2);
    } else if (pick === 4) {
      // map_delete_elem(map, key)
      this.#e.put(0x7a, 10, 0, -8, rng.below(4));
      this.#wrote(-8, 8);
      this.#e.put(0xbf, 2, 10);
      this.#e.put(0x07, 2, 0, 0, -8);
      this.#e.map(1, 2);
      this.#e.put(0x85, 0, 0, 0, 3);
    } else {
      // ringbuf_output(map, data, size, flags) of a bounded number of bytes
      const base = this.#find("value");
      const r = this.#find("scalar");
      if (base === undefined || r === undefined || base === r) return;
      const { room } = this.#m.regs[base];
      this.#e.put(0xbf, 3, r);
      this.#e.put(0xbf, 2, base === 3 ? 10 : base);
      this.#e.put(0x57, 3, 0, 0, 2 ** Math.floor(Math.log2(room)) - 1 + (rng.chance(0.05) ? 64 : 0));
      this.#e.put(0xb7, 4, 0, 0, 0);
      this.#e.map(1, RINGBUF);
      this.#e.put(0x85, 0, 0, 0, 130);
    }
    this.#clobber();
    this.#set(0, SCALAR);
  }

  /** Helpers and loads that copy or move the packet. */
  #packetHelper(): void {
    const rng = this.#rng;
    if (this.#m.regs[6].kind !== "ctx") return;
    if (this.#progType === BPF_PROG_TYPE_XDP) {
      // xdp_adjust_head, xdp_adjust_tail: packet pointers are gone
      this.#e.put(0xbf, 1, 6);
      this.#e.put(0xb7, 2, 0, 0, rng.below(17) - 8);
      this.#e.put(0x85, 0, 0, 0, rng.pick([44, 65]));
      if (!this.#risky || rng.chance(0.6)) {
        for (let r = 0; r < 10; r++) if (this.#m.regs[r].kind === "packet") this.#set(r, NONE);
        for (const [at, reg] of this.#m.spilled) if (reg.kind === "packet") this.#m.spilled.delete(at);
      }
    } else if (rng.chance(0.4)) {
      // r0 = 1, 2 or 4 bytes of the packet, or the program ends
      const r = rng.chance(0.5) ? this.#find("scalar") : undefined;
      const size = rng.pick([0x00, 0x08, 0x10]);
      if (r === undefined) this.#e.put(0x20 | size, 0, 0, 0, rng.below(40));
      else this.#e.put(0x40 | size, 0, r, 0, rng.below(8));
    } else {
      // skb_load_bytes(skb, offset, to, len)
      const r = this.#find("scalar");
      this.#e.put(0xbf, 4, r ?? 10);
      if (r === undefined) this.#e.put(0xb7, 4, 0, 0, 8);
      this.#e.put(0x57, 4, 0, 0, 15);
      this.#e.put(0x07, 4, 0, 0, 1);
      this.#e.put(0xbf, 1, 6);
      this.#e.put(0xb7, 2, 0, 0, rng.below(20));
      this.#e.put(0xbf, 3, 10);
      this.#e.put(0x07, 3, 0, 0, this.#edge() ? -15 : -16);
      this.#e.put(0x85, 0, 0, 0, 26);
      this.#wrote(-16, 16);
    }
    this.#clobber();
    this.#set(0, SCALAR);
  }

  #ring(): void {
    const rng = this.#rng;
    const bytes = 8 * (1 + rng.below(4));
    this.#e.map(1, RINGBUF);
    this.#e.put(0xb7, 2, 0, 0, bytes);
    this.#e.put(0xb7, 3, 0, 0, 0);
    this.#e.put(0x85, 0, 0, 0, 131);
    this.#clobber();
    const ok = this.#label();
    this.#e.jump(0x55, 0, 0, 0, ok);
    this.#exitWith();
    this.#e.bind(ok);
    const dst = this.#saved();
    this.#mov(dst, 0);
    this.#set(dst, { kind: "record", room: bytes });
    this.#set(0, NONE);
    this.#kept.add(dst);
    if (this.#budget > 2) {
      const saved = this.#budget;
      this.#budget = 2;
      this.#value();
      this.#index();
      this.#budget = saved - 2;
    }
    this.#kept.delete(dst);
    this.#e.put(0xbf, 1, dst);
    this.#e.put(0xb7, 2, 0, 0, 0);
    if (!rng.chance(0.02)) this.#e.put(0x85, 0, 0, 0, rng.pick([132, 133]));
    this.#clobber();
    this.#set(dst, NONE);
  }

  #loop(): void {
    const rng = this.#rng;
    if (this.#loops > (rng.chance(0.2) ? 1 : 0)) return;
    const r = this.#saved();
    if (r < 7 || this.#kept.has(r)) return;
    this.#loops++;
    const budget = this.#budget;
    this.#budget = Math.min(budget, 3 + rng.below(4));
    if (rng.chance(0.25)) {
      // may_goto
      const end = this.#label();
      const top = this.#e.here();
      this.#labels.push(top);
      const before = this.#fork();
      this.#e.jump(0xe5, 0, 0, 0, end);
      this.#forget();
      this.#block();
      this.#e.jump(0x05, 0, 0, 0, top);
      this.#e.bind(end);
      this.#m = before;
      this.#forget();
    } else {
      this.#e.put(0xb7, r, 0, 0, 0);
      this.#set(r, SCALAR);
      this.#kept.add(r);
      const top = this.#e.here();
      this.#labels.push(top);
      this.#forget();
      this.#block();
      this.#e.put(0x07, r, 0, 0, 1);
      this.#e.jump(rng.pick([0xa5, 0x55, 0xa6, 0xc5]), r, 0, 1 + rng.below(6), top);
      this.#kept.delete(r);
      this.#set(r, SCALAR);
    }
    this.#loops--;
    this.#budget = budget - 5;
  }

  /** What holds in every round is what no round changes: numbers, and registers that nobody overwrites. */
  #forget(): void {
    for (let n = 0; n <= 5; n++) if (this.#m.regs[n].kind !== "scalar") this.#set(n, NONE);
    for (const n of [7, 8, 9])
      if (!this.#kept.has(n) && this.#m.regs[n].kind !== "none" && this.#rng.chance(0.5)) this.#set(n, NONE);
    this.#m.spilled.clear();
  }

  #callFunction(): void {
    const fn = this.#functions.length ? this.#rng.pick(this.#functions) : undefined;
    if (!fn) return;
    const base = this.#find("value");
    if (this.#rng.chance(0.3)) {
      for (const at of [-16, -8]) {
        this.#e.put(0x7a, 10, 0, at, this.#rng.imm());
        this.#wrote(at, 8);
      }
      this.#e.put(0xbf, 3, 10);
      this.#e.put(0x07, 3, 0, 0, -16);
    } else if (base === undefined || this.#m.regs[base].room < 16) {
      this.#e.mapValue(3, DIRECT, 0);
    } else if (base !== 3) this.#e.put(0xbf, 3, base);
    for (const r of [1, 2]) {
      const s = this.#find("scalar");
      if (s === undefined || s === 3 || s < r) this.#const(r);
      else this.#mov(r, s);
    }
    this.#e.call(fn);
    this.#called.add(fn);
    this.#clobber();
    this.#set(0, SCALAR);
  }

  #copy(): void {
    const src = this.#find("scalar", "value", "packet", "record");
    if (src === undefined) return;
    const dst = this.#free();
    if (dst === src) return;
    this.#mov(dst, src);
    const reg = this.#m.regs[dst];
    if (reg.kind === "scalar" && this.#rng.chance(0.5)) {
      // linked: the same number and a distance
      this.#e.put(this.#rng.pick([0x07, 0x04]), dst, 0, 0, this.#rng.imm());
    } else if (reg.kind !== "scalar" && reg.room > 8 && this.#rng.chance(0.5)) {
      const n = this.#rng.below(reg.room - 7);
      this.#e.put(0x07, dst, 0, 0, n);
      this.#set(dst, { kind: reg.kind, room: reg.room - n });
    }
  }

  #ctxAccess(): void {
    if (this.#m.regs[6].kind !== "ctx") return;
    const rng = this.#rng;
    const r = rng.chance(0.4) ? this.#find("scalar") : undefined;
    if (r !== undefined && this.#ctx.write.length) {
      this.#e.put(0x63, 6, r, rng.pick(this.#ctx.write));
      return;
    }
    const dst = this.#free();
    const size = this.#progType === BPF_PROG_TYPE_XDP && rng.chance(0.98) ? 4 : rng.pick([4, 4, 4, 2, 1]);
    this.#e.put(0x61 | SIZE_BITS[size], dst, 6, rng.pick(this.#ctx.read));
    this.#set(dst, SCALAR);
  }

  #atomic(): void {
    const rng = this.#rng;
    const base = this.#find("value", "record");
    if (base === undefined || this.#m.regs[base].room < 8) return;
    const r = this.#find("scalar");
    if (r === undefined || this.#kept.has(r)) return;
    const op = rng.pick(ATOMICS);
    if (op === 0xf1 && this.#m.regs[0].kind !== "scalar") return;
    if (op === 0xf1 && this.#kept.has(0)) return;
    const off = rng.below(this.#m.regs[base].room - 7) & -8;
    if (rng.chance(0.15)) {
      // load-acquire, store-release
      const bits = rng.pick([0xdb, 0xc3, 0xcb, 0xd3]);
      if (rng.chance(0.5) && r !== base) this.#e.put(bits, r, base, off, 0x100);
      else this.#e.put(bits, base, r, off, 0x110);
      return;
    }
    this.#e.put(rng.chance(0.5) ? 0xdb : 0xc3, base, r, off, op);
  }
}
