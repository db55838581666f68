/** A program of an object: what may be changed before it is loaded, what it can do afterwards. */

import { BpfError, EBUSY, EINVAL } from "../abi/errno.ts";
import type { Bpf, Fd, ProgInfo, TestRunAttr, TestRunResult, VerifierStats } from "../kernel/bpf.ts";
import type { Poisoned } from "../object/core.ts";
import type { ProgSpec } from "../object/spec.ts";
import { type AttachOptions, attach, type BpfLink } from "./attach.ts";
import { pinAt } from "./pin.ts";
import type { LoadedProg, ProgPlan } from "./prog_load.ts";

export class BpfProg {
  readonly spec: ProgSpec;
  readonly name: string;
  /** load() leaves it out when false. */
  autoload: boolean;
  /** Attached by BpfObject.attach(). */
  autoattach = true;
  /** BPF_PROG_TYPE_*. */
  type: number;
  expectedAttachType: number;
  /** BPF_F_* of BPF_PROG_LOAD. */
  progFlags: number;
  /** 1 branches, 2 instructions, 4 statistics. */
  logLevel = 0;
  logSize: number | undefined;
  progIfindex = 0;
  readonly #where: string;
  #attachTarget: string;
  #attachProgFd: Fd | undefined;
  #bpf: Bpf | undefined;
  #fd: Fd | undefined;
  #loaded: LoadedProg | undefined;

  /** Made by openObject(). */
  constructor(file: string, spec: ProgSpec) {
    this.spec = spec;
    this.name = spec.name;
    this.autoload = spec.autoload;
    this.type = spec.type;
    this.expectedAttachType = spec.expectedAttachType;
    this.progFlags = spec.progFlags;
    this.#attachTarget = spec.attachTarget;
    this.#where = `${file}: program '${spec.name}'`;
  }

  get section(): string {
    return this.spec.section;
  }

  /** Function, tracepoint or hook; for freplace, a function of another program. */
  setAttachTarget(target: string, prog?: { readonly fd: Fd }): this {
    if (this.#fd !== undefined) throw new BpfError(EBUSY, `${this.#where}: is loaded; wanted a target before load()`);
    this.#attachTarget = target;
    this.#attachProgFd = prog?.fd;
    return this;
  }

  /** For load(). */
  plan(): ProgPlan {
    return {
      spec: this.spec,
      type: this.type,
      expectedAttachType: this.expectedAttachType,
      progFlags: this.progFlags,
      attachTarget: this.#attachTarget,
      attachProgFd: this.#attachProgFd,
      progIfindex: this.progIfindex,
      logLevel: this.logLevel,
      logSize: this.logSize,
    };
  }

  /** For load(): the fd is ours. */
  loaded(bpf: Bpf, result: LoadedProg): void {
    this.#bpf = bpf;
    this.#fd = result.fd;
    this.#loaded = result;
  }

  get isLoaded(): boolean {
    return this.#fd !== undefined;
  }

  get fd(): Fd {
    this.#need();
    return this.#fd!;
  }

  /** The kernel took it once, even if it is closed by now. */
  get wasVerified(): boolean {
    return this.#loaded !== undefined;
  }

  /** Of the verifier; empty unless logLevel asked for one. */
  get log(): string {
    return this.#loaded?.log ?? "";
  }

  get stats(): VerifierStats | undefined {
    return this.#loaded?.stats;
  }

  /** CO-RE relocations that have no target on this kernel. */
  get poisoned(): readonly Poisoned[] {
    return this.#loaded?.poisoned ?? [];
  }

  info(): ProgInfo {
    return this.#need().progInfo(this.fd);
  }

  /** BPF_PROG_TEST_RUN. */
  testRun(attr: TestRunAttr = {}): TestRunResult {
    return this.#need().progTestRun(this.fd, attr);
  }

  /** Attaches where the section says. @throws EINVAL when `options` lack the place, EOPNOTSUPP when there is no way */
  attach(options: AttachOptions = {}): BpfLink {
    const bpf = this.#need();
    const { expectedAttachType } = this;
    return attach(
      this.spec.sec?.attach ?? "none",
      {
        where: this.#where,
        bpf,
        fd: this.fd,
        expectedAttachType,
        attachTarget: this.#attachTarget,
        section: this.section,
      },
      options,
    );
  }

  pin(path: string): void {
    pinAt(this.#need(), this.fd, path);
  }

  close(): void {
    if (this.#fd !== undefined) this.#bpf?.close(this.#fd);
    this.#fd = undefined;
  }

  #need(): Bpf {
    if (!this.#bpf || this.#fd === undefined) {
      const wanted = this.autoload ? "wanted a call of load() first" : "autoload is false";
      throw new BpfError(EINVAL, `${this.#where}: is not loaded; ${wanted}`);
    }
    return this.#bpf;
  }
}
