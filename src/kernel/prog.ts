/**
 * A loaded program: what verify() proved, the image of it that engines run, and the objects that it keeps alive.
 *
 * The engines are made when first asked for: a program that only the interpreter runs costs no WebAssembly module.
 */
import type { Btf } from "../btf/btf.ts";
import { type EngineName, type ExecImage, RunFault, type Runnable } from "../interp/image.ts";
import type { VerifiedProg } from "../verifier/platform.ts";
import type { KBtf } from "./btf_cmds.ts";
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
  readonly #kernel: Kernel;
  readonly #engines = new Map<EngineName, Runnable>();

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
    facts.attachProg?.get();
    facts.token?.get();
    this.loadTimeNs = kernel.nowNs();
    kernel.progs.add(this);
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
    }
    return runnable;
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

  bindMap(map: KMap): void {
    if (!this.maps.includes(map)) this.maps.push(map.get());
  }

  override *holds(): Iterable<KObject> {
    yield* this.maps;
    if (this.facts.btf) yield this.facts.btf;
    if (this.facts.attachProg) yield this.facts.attachProg;
    if (this.facts.token) yield this.facts.token;
  }

  protected override release(): void {
    this.#kernel.progs.remove(this);
    for (const runnable of this.#engines.values()) runnable.dispose();
    this.#engines.clear();
    for (const map of this.maps) map.put();
    this.facts.btf?.put();
    this.facts.attachProg?.put();
    this.facts.token?.put();
    this.#kernel.events.emit({ what: "unload", progId: this.id });
  }
}
