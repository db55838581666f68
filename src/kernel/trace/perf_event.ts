/**
 * Perf events: what perf_event_open(2) gives an fd on, the program on one, by ioctl or by a link, and sampling.
 *
 * References   an event holds the program that an ioctl put on it; a link holds the event and its program.
 * Errors       EEXIST a second program on one event, EINVAL a program of another type, EACCES a tracepoint program that
 *              reads beyond the record, E2BIG too many programs on one tracepoint, EBADF an fd that is no perf event.
 * Sampling     cpu-clock and task-clock follow Kernel.advance(); other software events count nothing.
 * Source       perf_event_set_bpf_prog() of kernel/events/core.c, bpf_perf_link_attach() of kernel/bpf/syscall.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EACCES, EBADF, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } from "../../abi/errno.ts";
import type { Fd, LinkInfo, PerfEventTarget, PerfTarget, TaskFdInfo } from "../bpf.ts";
import type { Kernel } from "../kernel.ts";
import { type Attachment, Link, type LinkType } from "../link.ts";
import { KObject } from "../objects.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import { PT_REGS, withContext } from "./context.ts";
import { CLOCK_EVENTS, TARGET_KINDS, type TargetKind } from "./perf_target.ts";
import { recordBytes } from "./tracepoints.ts";

/** BPF_TRACE_MAX_PROGS. */
const MAX_PROGS = 64;
const NS_PER_S = 1_000_000_000n;
const PERF_SAMPLE = { samplePeriod: PT_REGS.bytes, addr: PT_REGS.bytes + 8, bytes: PT_REGS.bytes + 16 } as const;

interface Mounted {
  readonly prog: Prog;
  /** The event's own reference; a link has one itself. */
  readonly owned: boolean;
  readonly cookie: bigint;
  readonly detach: (() => void) | undefined;
}

export class PerfEvent extends KObject {
  readonly kind = "perf_event";
  readonly target: PerfEventTarget;
  readonly #kernel: Kernel;
  #mounted: Mounted | undefined;
  #enabled = false;
  #sampler: (() => void) | undefined;
  /** Nanoseconds counted, and since when it counts. */
  #countedNs = 0n;
  #sinceNs = 0n;

  /** @throws ENOENT, EINVAL */
  constructor(kernel: Kernel, target: PerfEventTarget) {
    super();
    this.#kernel = kernel;
    this.target = target;
    this.#type.check(kernel, target);
  }

  get #type(): TargetKind<PerfEventTarget> {
    return TARGET_KINDS[this.target.kind] as unknown as TargetKind<PerfEventTarget>;
  }

  get prog(): Prog | undefined {
    return this.#mounted?.prog;
  }

  get cookie(): bigint {
    return this.#mounted?.cookie ?? 0n;
  }

  info(): NonNullable<LinkInfo["perfEvent"]> {
    return this.#type.info(this.#kernel, this.target);
  }

  /** BPF_TASK_FD_QUERY. @throws ENOENT without a program, EOPNOTSUPP for events that only sample */
  fdQuery(): TaskFdInfo {
    const { prog } = this;
    if (!prog) throw new BpfError(ENOENT, "perf event: no program is on it", {});
    const fdType = this.#type.fdType?.(this.target);
    if (fdType === undefined) throw new BpfError(EOPNOTSUPP, `perf event with program ${prog.id}: it only samples`, {});
    const { name = "", offset = 0n, addr = 0n } = this.info();
    return { progId: prog.id, fdType, name, probeOffset: offset, probeAddr: addr };
  }

  // --- the program

  /** @param owned the event takes a reference of its own (PERF_EVENT_IOC_SET_BPF) */
  setProg(prog: Prog, cookie: bigint, owned: boolean): void {
    this.#checkProg(prog);
    const detach = this.#type.attach?.(this.#kernel, this.target, { prog, cookie });
    this.#mounted = { prog: owned ? prog.get() : prog, owned, cookie, detach };
    if (owned) this.#tell("attach", prog);
  }

  /** Of what is attached without a link; links tell themselves. */
  #tell(what: "attach" | "detach", prog: Prog): void {
    this.#kernel.events.emit({ what, progId: prog.id, attachType: abi.BPF_PERF_EVENT });
  }

  #checkProg(prog: Prog): void {
    const refuse = (errno: typeof EINVAL | typeof EEXIST | typeof E2BIG | typeof EACCES, why: string): never => {
      throw new BpfError(errno, `program '${prog.name}' on a perf event: ${why}`, { kind: this.target.kind });
    };
    const { progType } = this.#type;
    if (prog.type !== progType) refuse(EINVAL, `it is of type ${prog.type}; a ${this.target.kind} wants ${progType}`);
    if (prog.verified.sleepable && this.target.kind !== "uprobe") refuse(EINVAL, "only uprobes may sleep");
    if (this.target.kind === "tracepoint") {
      const { category, name } = this.target;
      const bytes = recordBytes(category, name);
      if (prog.verified.maxCtxOffset > bytes) {
        refuse(EACCES, `it reads ${prog.verified.maxCtxOffset} bytes of a record of ${bytes}`);
      }
      if (this.#kernel.traceHooks.eventProgs(name) >= MAX_PROGS) {
        refuse(E2BIG, `${category}/${name} has ${MAX_PROGS} programs`);
      }
    }
    if (this.#mounted) refuse(EEXIST, `program ${this.#mounted.prog.id} is on it`);
  }

  clearProg(): void {
    const was = this.#mounted;
    this.#mounted = undefined;
    was?.detach?.();
    if (!was?.owned) return;
    this.#tell("detach", was.prog);
    was.prog.put();
  }

  // --- counting and sampling

  enable(): void {
    if (this.#enabled) return;
    this.#enabled = true;
    this.#sinceNs = this.#kernel.nowNs();
    this.#nextSample();
  }

  disable(): void {
    if (!this.#enabled) return;
    this.#countedNs = this.counter();
    this.#enabled = false;
    this.#sampler?.();
    this.#sampler = undefined;
  }

  /** What read(2) gives: nanoseconds of the clock events, 0 of others. */
  counter(): bigint {
    if (this.target.kind !== "software" || !CLOCK_EVENTS.has(this.target.config)) return 0n;
    return this.#countedNs + (this.#enabled ? this.#kernel.nowNs() - this.#sinceNs : 0n);
  }

  get #periodNs(): bigint {
    const { target } = this;
    if (target.kind !== "software" || !CLOCK_EVENTS.has(target.config)) return 0n;
    if (target.sampleFreq) return NS_PER_S / BigInt(target.sampleFreq);
    return BigInt(target.samplePeriod ?? 0);
  }

  #nextSample(): void {
    const period = this.#periodNs;
    if (!period) return;
    this.#sampler = this.#kernel.timers.at(this.#kernel.nowNs() + period, () => {
      this.#nextSample();
      this.#sample(period);
    });
  }

  /** The overflow handler: struct bpf_perf_event_data. */
  #sample(period: bigint): void {
    const mounted = this.#mounted;
    if (!mounted) return;
    const { memory, traceHooks } = this.#kernel;
    withContext(memory, PERF_SAMPLE.bytes, {}, (ctx) => {
      memory.writeU64(ctx + PERF_SAMPLE.samplePeriod, period);
      const counted = this.counter();
      traceHooks.runner.asPerfEvent({ counter: counted, enabled: counted, running: counted }, () =>
        traceHooks.runner.run(mounted, ctx, "any"),
      );
    });
  }

  // --- the object

  override *holds(): Iterable<KObject> {
    if (this.#mounted?.owned) yield this.#mounted.prog;
  }

  override lose(lost: KObject): boolean {
    if (lost === this.#mounted?.prog) this.clearProg();
    return true;
  }

  protected override release(): void {
    this.disable();
    this.clearProg();
  }
}

/** @throws EBADF */
export function perfEventAt(proc: Process, fd: Fd | undefined): PerfEvent {
  const obj = fd === undefined ? undefined : proc.fdTable.find(fd);
  if (!(obj instanceof PerfEvent)) throw new BpfError(EBADF, `fd ${fd} is no perf event`, { fd });
  return obj;
}

const MULTI_TYPES: ReadonlySet<number> = new Set([
  abi.BPF_TRACE_KPROBE_MULTI,
  abi.BPF_TRACE_KPROBE_SESSION,
  abi.BPF_TRACE_UPROBE_MULTI,
  abi.BPF_TRACE_UPROBE_SESSION,
]);

/** perf_event_open(2). @throws EACCES without CAP_PERFMON, ENOENT, EINVAL */
export function openPerfEvent(proc: Process, target: PerfEventTarget): PerfEvent {
  if (!proc.caps.perfmon) throw new BpfError(EACCES, `a ${target.kind} event needs CAP_PERFMON`, { pid: proc.pid });
  return new PerfEvent(proc.kernel, target);
}

export const PERF_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_PERF_EVENT,
  progTypes: [abi.BPF_PROG_TYPE_KPROBE, abi.BPF_PROG_TYPE_TRACEPOINT, abi.BPF_PROG_TYPE_PERF_EVENT],
  attachTypes: [abi.BPF_PERF_EVENT],
  attach(proc, prog, attr): Attachment {
    if (attr.flags) {
      throw new BpfError(EINVAL, `program '${prog.name}': perf links have no flags`, { flags: attr.flags });
    }
    if (prog.type === abi.BPF_PROG_TYPE_KPROBE && MULTI_TYPES.has(prog.facts.expectedAttachType)) {
      throw new BpfError(EINVAL, `program '${prog.name}': it was loaded for links of many probes`, {});
    }
    const event = perfEventAt(proc, attr.targetFd);
    event.setProg(prog, attr.cookie ?? 0n, false);
    event.get();
    return {
      detach() {
        event.clearProg();
        event.put();
      },
      info: () => ({ perfEvent: event.info(), ...(event.cookie ? { cookie: event.cookie } : {}) }),
      holds: () => [event],
    };
  },
};

/** The perf event and its link in one step: the link alone holds the event. */
export function perfAttach(proc: Process, prog: Prog, target: PerfTarget, cookie: bigint): Link {
  const event = openPerfEvent(proc, target);
  const fd = proc.installOwned(event);
  try {
    const attr = { progFd: 0 as Fd, attachType: abi.BPF_PERF_EVENT, targetFd: fd, cookie };
    const link = new Link(proc, PERF_LINK, prog, attr);
    event.enable();
    return link;
  } finally {
    proc.fdTable.close(fd);
  }
}
