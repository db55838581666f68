/**
 * What a perf event watches, one entry for each kind: where its program goes, and what info tells of it.
 *
 * Errors   ENOENT no such function, tracepoint, file or counter; EINVAL a return probe with an offset, a period of 0.
 * Source   perf_event_open(2), kernel/trace/trace_event_perf.c, kernel/trace/trace_{k,u}probe.c.
 * Differs  a kprobe inside a function is passed when the function is entered: there are no instructions.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { LinkInfo, PerfEventTarget } from "../bpf.ts";
import type { Kernel } from "../kernel.ts";
import type { Slot } from "./run.ts";
import { findTracepoint } from "./tracepoints.ts";

type Target<K extends PerfEventTarget["kind"]> = Extract<PerfEventTarget, { kind: K }>;

export interface TargetKind<T> {
  /** Type of the programs that go on it. */
  readonly progType: number;
  check(kernel: Kernel, target: T): void;
  /** Puts a program there; the result takes it away. Absent: the event samples, and the program runs for each sample. */
  attach?(kernel: Kernel, target: T, slot: Slot): () => void;
  info(kernel: Kernel, target: T): NonNullable<LinkInfo["perfEvent"]>;
  /** BPF_FD_TYPE_*; absent: BPF_TASK_FD_QUERY does not tell. */
  fdType?(target: T): number;
}

const funcOf = (t: Target<"kprobe">): string => (t.syscall ? `__x64_sys_${t.symbol}` : t.symbol);
const offsetOf = (kernel: Kernel, t: Target<"uprobe">): number =>
  t.offset + (t.symbol === undefined ? 0 : kernel.uprobes.offsetOf(t.path, t.symbol));

/** PERF_COUNT_SW_*; what advances with the clock can sample. */
const SOFTWARE_EVENTS = 12;
export const CLOCK_EVENTS: ReadonlySet<number> = new Set([0, 1]);

export const TARGET_KINDS: { readonly [K in PerfEventTarget["kind"]]: TargetKind<Target<K>> } = {
  kprobe: {
    progType: abi.BPF_PROG_TYPE_KPROBE,
    check({ traceHooks }, t) {
      const func = funcOf(t);
      if (!traceHooks.kallsyms.exists(func)) {
        throw new BpfError(ENOENT, `kprobe: the kernel has no function '${func}'`, { func });
      }
      if (t.retprobe && t.offset) {
        throw new BpfError(EINVAL, `kretprobe on ${func}: wanted no offset, not ${t.offset}`, { offset: t.offset });
      }
    },
    attach: ({ traceHooks }, t, slot) => traceHooks.attach(funcOf(t), t.retprobe ? "kretprobe" : "kprobe", slot),
    info: ({ traceHooks }, t) => ({
      kind: t.retprobe ? "kretprobe" : "kprobe",
      name: funcOf(t),
      offset: BigInt(t.offset ?? 0),
      addr: traceHooks.kallsyms.addressOf(funcOf(t)) + BigInt(t.offset ?? 0),
      missed: 0n,
    }),
    fdType: (t) => (t.retprobe ? abi.BPF_FD_TYPE_KRETPROBE : abi.BPF_FD_TYPE_KPROBE),
  },
  uprobe: {
    progType: abi.BPF_PROG_TYPE_KPROBE,
    check: (kernel, t) => kernel.uprobes.check(t.path, offsetOf(kernel, t)),
    attach: (kernel, t, slot) =>
      kernel.uprobes.attach(t.path, offsetOf(kernel, t), {
        ...slot,
        hook: t.retprobe ? "uretprobe" : "uprobe",
        pid: t.pid,
      }),
    info: (kernel, t) => ({
      kind: t.retprobe ? "uretprobe" : "uprobe",
      name: t.path,
      offset: BigInt(offsetOf(kernel, t)),
    }),
    fdType: (t) => (t.retprobe ? abi.BPF_FD_TYPE_URETPROBE : abi.BPF_FD_TYPE_UPROBE),
  },
  tracepoint: {
    progType: abi.BPF_PROG_TYPE_TRACEPOINT,
    check(_kernel, t) {
      if (findTracepoint(t.category, t.name)) return;
      const known = "the simulated kernel has no such event";
      throw new BpfError(ENOENT, `tracepoint ${t.category}/${t.name}: ${known}`, {
        category: t.category,
        name: t.name,
      });
    },
    attach: ({ traceHooks }, t, slot) => traceHooks.attachEvent(t.category, t.name, slot),
    info: (_kernel, t) => ({ kind: "tracepoint", name: t.name }),
    fdType: () => abi.BPF_FD_TYPE_TRACEPOINT,
  },
  software: {
    progType: abi.BPF_PROG_TYPE_PERF_EVENT,
    check(_kernel, t) {
      if (t.config < 0 || t.config >= SOFTWARE_EVENTS) {
        throw new BpfError(ENOENT, `software event ${t.config}: wanted 0 to ${SOFTWARE_EVENTS - 1}`, {
          config: t.config,
        });
      }
      if (t.sampleFreq !== undefined && t.samplePeriod !== undefined) {
        throw new BpfError(EINVAL, "software event: wanted a sample period or a frequency, not both", {});
      }
    },
    info: (_kernel, t) => ({ kind: "event", type: abi.PERF_TYPE_SOFTWARE, config: BigInt(t.config) }),
  },
};
