/**
 * A loaded program: what verify() proved, the image of it that engines run, and the objects that it keeps alive.
 *
 * The engines are made when first asked for: a program that only the interpreter runs costs no WebAssembly module.
 */
import type { Btf } from "../btf/btf.ts";
import type { EngineName, ExecImage, Runnable } from "../interp/image.ts";
import type { VerifiedProg } from "../verifier/platform.ts";
import type { KBtf } from "./btf_cmds.ts";
import type { Kernel } from "./kernel.ts";
import type { KMap } from "./map.ts";
import { KObject } from "./objects.ts";

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
}

export class Prog extends KObject {
  readonly kind = "prog";
  readonly facts: ProgFacts;
  readonly verified: VerifiedProg;
  readonly image: ExecImage;
  /** Held: maps that the instructions name, and those bound later. */
  readonly maps: KMap[];
  readonly loadTimeNs: bigint;
  /** Runs that were counted. */
  runCount = 0n;
  /** Runs that did not happen because the program, or another of its kind, was running. */
  recursionMisses = 0n;
  readonly #kernel: Kernel;
  readonly #engines = new Map<EngineName, Runnable>();

  constructor(kernel: Kernel, facts: ProgFacts, verified: VerifiedProg, image: ExecImage, maps: KMap[]) {
    super();
    this.#kernel = kernel;
    this.facts = facts;
    this.verified = verified;
    this.image = image;
    this.maps = maps.map((m) => m.get());
    facts.btf?.get();
    facts.attachProg?.get();
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
    return this.runnable(engine).run(ctx) >>> 0;
  }

  bindMap(map: KMap): void {
    if (!this.maps.includes(map)) this.maps.push(map.get());
  }

  override *holds(): Iterable<KObject> {
    yield* this.maps;
    if (this.facts.btf) yield this.facts.btf;
    if (this.facts.attachProg) yield this.facts.attachProg;
  }

  protected override release(): void {
    this.#kernel.progs.remove(this);
    for (const runnable of this.#engines.values()) runnable.dispose();
    this.#engines.clear();
    for (const map of this.maps) map.put();
    this.facts.btf?.put();
    this.facts.attachProg?.put();
    this.#kernel.events.emit({ what: "unload", progId: this.id });
  }
}
