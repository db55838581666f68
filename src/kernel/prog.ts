/**
 * A loaded program: what verify() proved, the image of it that engines run, and the objects that it keeps alive.
 *
 * Entries: calls of one of its functions can be led elsewhere (patch()): to an extension, or to what traces it; one at a
 * time, as a trampoline of Linux holds an extension or tracing programs. Every engine follows.
 *
 * The engines are made when first asked for: a program that only the interpreter runs costs no WebAssembly module.
 */

import { BPF_PROG_TYPE_EXT } from "../abi/bpf.ts";
import type { Btf } from "../btf/btf.ts";
import {
  type EngineName,
  type ExecImage,
  type FuncHook,
  type FuncPatch,
  RunFault,
  type Runnable,
} from "../interp/image.ts";
import type { VerifiedProg } from "../verifier/platform.ts";
import type { KBtf } from "./btf_cmds.ts";
import { checkNoLoopIn } from "./freplace/loops.ts";
import type { Kernel } from "./kernel.ts";
import type { KMap } from "./map.ts";
import { KObject } from "./objects.ts";
import { progTag } from "./prog_tag.ts";
import { BPF_STDERR, type ProgStreams } from "./streams.ts";
import type { BpfToken } from "./token.ts";

export interface ProgFacts {
  readonly name: string;
  /** BPF_PROG_TYPE_*. */
  readonly type: number;
  readonly expectedAttachType: number;
  readonly license: string;
  readonly gplCompatible: boolean;
  /** BPF_F_*. */
  readonly flags: number;
  readonly tag: string;
  /** Instructions as they were given. */
  readonly insnBytes: Uint8Array;
  readonly btf: KBtf | undefined;
  readonly attachBtfId: number;
  /** Kernel BTF in which attachBtfId is a FUNC or TYPEDEF; absent for an attach program. */
  readonly attachBtf: Btf | undefined;
  readonly attachProg: Prog | undefined;
  readonly funcInfo: Uint8Array;
  readonly lineInfo: Uint8Array;
  readonly uid: number;
  /** What stands for the loader's capabilities where the program is attached. */
  readonly token: BpfToken | undefined;
}

/** The type whose rules count: of an extension, its target's (resolve_prog_type()). */
export const resolvedType = ({ type, attachProg }: Pick<ProgFacts, "type" | "attachProg">): number =>
  type === BPF_PROG_TYPE_EXT && attachProg ? attachProg.type : type;

/** What is called in place of a function; who patches holds the program. */
export type ProgPatch = { readonly prog: Prog } | { readonly hook: FuncHook };

export class Prog extends KObject {
  readonly kind = "prog";
  readonly facts: ProgFacts;
  readonly verified: VerifiedProg;
  readonly image: ExecImage;
  /** Held: maps that the instructions name, and those bound later. */
  readonly maps: KMap[];
  readonly loadTimeNs: bigint;
  readonly streams: ProgStreams;
  /** Runs while statistics were on, and their time. */
  runCount = 0n;
  runTimeNs = 0n;
  /** Runs that did not happen because the program, or another of its kind, was running. */
  recursionMisses = 0n;
  /** Slots of prog arrays that hold it (prog_array_member_cnt). */
  arraySlots = 0;
  /** Held: the program that it was loaded for, until it is attached (aux->dst_prog). */
  #dst: Prog | undefined;
  /** Held, by subprogram: what progReplaceFunc() put in. */
  readonly #replacements = new Map<number, Prog>();
  /** Patches that are taken away when no run is in the middle of them. */
  readonly #leaving = new Set<ProgPatch>();
  readonly #kernel: Kernel;
  readonly #engines = new Map<EngineName, Runnable>();
  readonly #patches = new Map<number, ProgPatch>();

  constructor(
    kernel: Kernel,
    facts: ProgFacts,
    verified: VerifiedProg,
    image: ExecImage,
    maps: KMap[],
    streams: ProgStreams,
  ) {
    super();
    this.streams = streams;
    this.#kernel = kernel;
    this.facts = facts;
    this.verified = verified;
    this.image = image;
    this.maps = maps.map((m) => m.get());
    facts.btf?.get();
    this.#dst = facts.attachProg?.get();
    facts.token?.get();
    this.loadTimeNs = kernel.nowNs();
    kernel.progs.add(this);
  }

  get kernel(): Kernel {
    return this.#kernel;
  }

  get name(): string {
    return this.facts.name;
  }

  get type(): number {
    return this.facts.type;
  }

  /** The program on an engine; by default the kernel's. */
  runnable(engine: EngineName = this.#kernel.engine): Runnable {
    let runnable = this.#engines.get(engine);
    if (!runnable) {
      runnable = this.#kernel.makeRunnable(this.image, engine);
      this.#engines.set(engine, runnable);
      for (const [subprog, patch] of this.#patches) runnable.patch(subprog, onEngine(patch, engine));
    }
    return runnable;
  }

  get dst(): Prog | undefined {
    return this.#dst;
  }

  /** It is attached: the attachment holds the target from now on. */
  dropDst(): void {
    this.#dst?.put();
    this.#dst = undefined;
  }

  /** Number of the function whose FUNC has this id in the program's BTF; -1 = none. */
  subprogOf(btfId: number): number {
    const { funcInfo } = this.facts;
    const view = new DataView(funcInfo.buffer, funcInfo.byteOffset, funcInfo.byteLength);
    for (let n = 0; 8 * n + 8 <= funcInfo.length; n++) if (view.getUint32(8 * n + 4, true) === btfId) return n;
    return -1;
  }

  /** What is called in place of a function, or will be after the run in progress. */
  patchAt(subprog: number): ProgPatch | undefined {
    const replacement = this.#replacements.get(subprog);
    if (replacement) return { prog: replacement };
    const patch = this.#patches.get(subprog);
    return patch && !this.#leaving.has(patch) ? patch : undefined;
  }

  /**
   * From now on calls of the function come to the patch; undefined: to itself. Tail calls pass by what is put at the main
   * function. @throws BpfError E2BIG when an engine refuses the code; nothing has changed then
   */
  patch(subprog: number, patch: ProgPatch | undefined): void {
    const there = [...this.#engines].map(([engine, runnable]) => [runnable, patch && onEngine(patch, engine)] as const);
    for (const [runnable, own] of there) runnable.patch(subprog, own);
    if (patch) this.#patches.set(subprog, patch);
    else this.#patches.delete(subprog);
  }

  /**
   * Takes a patch away: the function may be patched anew at once, but a run in progress, and whatever runs until its end,
   * still meets this one. `released` are references that are given up then.
   */
  unpatch(subprog: number, released: readonly KObject[]): void {
    const patch = this.#patches.get(subprog);
    if (!patch) throw new Error(`${this.name}: function ${subprog} is not patched`);
    this.#leaving.add(patch);
    this.#kernel.betweenRuns(() => {
      this.#leaving.delete(patch);
      if (this.#patches.get(subprog) === patch) this.patch(subprog, undefined);
      for (const obj of released) obj.put();
    }, released);
  }

  /** Whether an extension is in place of a function (aux->is_extended). */
  get extended(): boolean {
    for (const patch of this.#patches.values()) if ("prog" in patch && !this.#leaving.has(patch)) return true;
    return this.#replacements.size > 0;
  }

  get replacements(): ReadonlyMap<number, Prog> {
    return this.#replacements;
  }

  /**
   * Puts extensions in place of functions, or takes away those that are there; what may be refused was checked. All take
   * effect at once when no program runs: at once, or after the outermost run.
   */
  replace(changes: ReadonlyMap<number, Prog | undefined>): void {
    for (const engine of this.#engines.keys()) for (const prog of changes.values()) prog?.runnable(engine);
    const before = this.#replacements.size;
    const retired: Prog[] = [];
    for (const [subprog, prog] of changes) {
      const old = this.#replacements.get(subprog);
      if (old) retired.push(old);
      if (prog) this.#replacements.set(subprog, prog.get());
      else {
        this.#replacements.delete(subprog);
        const patch = this.#patches.get(subprog);
        if (patch) this.#leaving.add(patch);
      }
    }
    this.#kernel.replacedFuncs += this.#replacements.size - before;
    this.#kernel.betweenRuns(() => {
      for (const subprog of this.refs ? changes.keys() : []) {
        // later calls, and links, may have come before this moment
        const prog = this.#replacements.get(subprog);
        const patch = this.#patches.get(subprog);
        if (prog) this.patch(subprog, { prog });
        else if (patch && this.#leaving.delete(patch)) this.patch(subprog, undefined);
      }
      for (const old of retired) old.put();
    }, retired);
  }

  /** A replacement is taken away by force. */
  override lose(lost: KObject): boolean {
    const changes = new Map<number, undefined>();
    for (const [subprog, prog] of this.#replacements) if (prog === lost) changes.set(subprog, undefined);
    if (changes.size === 0) return false;
    this.replace(changes);
    return true;
  }

  /** Runs with r1 = ctx; r0's low half as u32. @throws RunFault */
  run(ctx: number, engine?: EngineName): number {
    if (this.#kernel.statsUsers === 0) return this.#run(ctx, engine);
    const start = performance.now();
    const r0 = this.#run(ctx, engine);
    this.countRuns(1, performance.now() - start);
    return r0;
  }

  #run(ctx: number, engine?: EngineName): number {
    try {
      return this.runnable(engine).run(ctx) >>> 0;
    } catch (e) {
      if (e instanceof RunFault) this.reportFault(e);
      throw e;
    }
  }

  /** Adds runs to the statistics, if someone has them on. */
  countRuns(runs: number, tookMs: number): void {
    if (this.#kernel.statsUsers === 0) return;
    this.runCount += BigInt(runs);
    this.runTimeNs += BigInt(Math.round(tookMs * 1e6));
  }

  /** What stopped a run is told on the program's stderr. */
  reportFault(fault: RunFault): void {
    const where = fault.insnIdx === undefined ? "" : ` at insn ${fault.insnIdx}`;
    this.streams.write(BPF_STDERR, `ERROR: ${fault.message}${where} in ${this.name || "a program"}\n`);
  }

  /** Tags of the functions, in hex: of the whole program when it has but one. */
  subprogTags(): string[] {
    const { subprogs } = this.verified;
    if (subprogs.length === 1) return [this.facts.tag];
    return subprogs.map(({ start, end }) => progTag(this.facts.insnBytes.subarray(8 * start, 8 * end)));
  }

  /** @throws ELOOP */
  bindMap(map: KMap): void {
    if (this.maps.includes(map)) return;
    checkNoLoopIn(this, map);
    this.maps.push(map.get());
  }

  override fdInfo(): Readonly<Record<string, string>> {
    return {
      prog_type: `${this.type}`,
      prog_tag: this.facts.tag,
      prog_id: `${this.id}`,
      run_time_ns: `${this.runTimeNs}`,
      run_cnt: `${this.runCount}`,
      recursion_misses: `${this.recursionMisses}`,
      verified_insns: `${this.verified.stats.insnsProcessed}`,
    };
  }

  override *holds(): Iterable<KObject> {
    yield* this.maps;
    if (this.facts.btf) yield this.facts.btf;
    if (this.#dst) yield this.#dst;
    yield* this.#replacements.values();
    if (this.facts.token) yield this.facts.token;
  }

  protected override release(): void {
    const kept = [...this.holds()];
    this.#kernel.replacedFuncs -= this.#replacements.size;
    this.#kernel.progs.remove(this);
    this.#kernel.events.emit({ what: "unload", progId: this.id });
    // it may be the one that runs
    this.#kernel.betweenRuns(() => {
      for (const runnable of this.#engines.values()) runnable.dispose();
      this.#engines.clear();
      for (const obj of kept) obj.put();
    }, kept);
  }
}

const onEngine = (patch: ProgPatch, engine: EngineName): FuncPatch =>
  "prog" in patch ? { prog: patch.prog.runnable(engine) } : patch;
