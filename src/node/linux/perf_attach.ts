/**
 * kprobes, uprobes and tracepoints: a perf event, and the program on it by a link where the kernel has perf links (5.15
 * and later), else by an ioctl; then the perf event itself is the attachment.
 */
import { existsSync, readFileSync } from "node:fs";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { BpfError, EINVAL, ENOENT } from "../../abi/errno.ts";
import type { Fd, PerfTarget } from "../../kernel/bpf.ts";
import type { LinuxBpf } from "./linux_bpf.ts";
import { mountPoints } from "./mounts.ts";
import {
  openPerfEvent,
  PERF_EVENT_IOC_ENABLE,
  PERF_EVENT_IOC_SET_BPF,
  PERF_TYPE_TRACEPOINT,
  type PerfEventAttr,
} from "./perf_event.ts";
import { fileOffsetOf } from "./uprobe_symbol.ts";

const SYSTEM_WIDE = { pid: -1, cpu: 0 };

interface Event {
  readonly attr: PerfEventAttr;
  readonly pid: number;
  readonly cpu: number;
}

type Kinds = { [K in PerfTarget["kind"]]: (target: Extract<PerfTarget, { kind: K }>) => Event };

const EVENTS: Kinds = {
  kprobe: (t) => ({
    attr: probe("kprobe", t.syscall ? syscallSymbol(t.symbol) : t.symbol, t.offset ?? 0, t.retprobe),
    ...SYSTEM_WIDE,
  }),
  uprobe: (t) => ({
    attr: probe("uprobe", t.path, t.offset + (t.symbol === undefined ? 0 : fileOffsetOf(t.path, t.symbol)), t.retprobe),
    ...(t.pid === undefined ? SYSTEM_WIDE : { pid: t.pid, cpu: -1 }),
  }),
  tracepoint: (t) => ({
    attr: { type: PERF_TYPE_TRACEPOINT, config: tracepointId(t.category, t.name) },
    ...SYSTEM_WIDE,
  }),
};

/** @returns the fd of the link, or of the perf event; closing it detaches */
export function perfAttach(bpf: LinuxBpf, progFd: Fd, target: PerfTarget, cookie: bigint | undefined): Fd {
  const { sys } = bpf;
  const { attr, pid, cpu } = EVENTS[target.kind](target as never);
  const event = bpf.own(openPerfEvent(sys, attr, pid, cpu));
  try {
    const link = linked(bpf, progFd, event, cookie);
    if (link === undefined) sys.must(`program fd ${progFd}`, "ioctl", event, PERF_EVENT_IOC_SET_BPF, progFd);
    sys.must(`program fd ${progFd}`, "ioctl", event, PERF_EVENT_IOC_ENABLE, 0);
    if (link === undefined) return event;
    // the link holds the event
    bpf.close(event);
    return link;
  } catch (e) {
    bpf.close(event);
    throw e;
  }
}

function linked(bpf: LinuxBpf, progFd: Fd, event: Fd, cookie: bigint | undefined): Fd | undefined {
  try {
    return bpf.linkCreate({ progFd, attachType: abi.BPF_PERF_EVENT, targetFd: event, ...(cookie && { cookie }) });
  } catch (e) {
    // before 5.15
    if (cookie === undefined && e instanceof BpfError && e.errno === EINVAL) return undefined;
    throw e;
  }
}

/** A probe of the dynamic PMU, whose number and return-probe bit are in sysfs. */
function probe(pmu: "kprobe" | "uprobe", name: string, offset: number, retprobe = false): PerfEventAttr {
  const dir = `/sys/bus/event_source/devices/${pmu}`;
  if (!existsSync(`${dir}/type`)) throw new BpfError(ENOENT, `this kernel has no ${pmu}s: ${dir} is not there`);
  const type = Number(readFileSync(`${dir}/type`, "utf8"));
  const bit = Number(/config:(\d+)/.exec(readFileSync(`${dir}/format/retprobe`, "utf8"))?.[1] ?? 0);
  return { type, config: retprobe ? 1n << BigInt(bit) : 0n, config1: cString(name), config2: BigInt(offset) };
}

function tracepointId(category: string, name: string): number {
  // debugfs mounts a tracefs when someone looks
  const dirs = [...mountPoints("tracefs"), ...mountPoints("debugfs").map((dir) => `${dir}/tracing`)];
  const file = dirs.map((dir) => `${dir}/events/${category}/${name}/id`).find((f) => existsSync(f));
  if (file !== undefined) return Number(readFileSync(file, "utf8"));
  const why = dirs.length ? "there is no such tracepoint" : "tracefs is not mounted";
  throw new BpfError(ENOENT, `tracepoint ${category}/${name}: ${why}`, { category, name });
}

function syscallSymbol(name: string): string {
  return `__${process.arch === "x64" ? "x64" : "arm64"}_sys_${name}`;
}
