/** perf_event_open(2): struct perf_event_attr and its ioctls. */
import { struct } from "../../abi/struct.ts";
import { type Sys, sysError } from "./sys.ts";

export const PERF_TYPE_SOFTWARE = 1;
export const PERF_TYPE_TRACEPOINT = 2;

export const PERF_EVENT_IOC_ENABLE = 0x2400;
export const PERF_EVENT_IOC_SET_BPF = 0x40042408;

const PERF_FLAG_FD_CLOEXEC = 8;

const PERF_EVENT_ATTR = struct({
  type: "u32",
  size: "u32",
  config: "u64",
  sample_period: "u64",
  sample_type: "u64",
  read_format: "u64",
  flags: "u64",
  wakeup_events: "u32",
  bp_type: "u32",
  /** kprobe_func, uprobe_path */
  config1: "ptr",
  /** probe_offset, kprobe_addr */
  config2: "u64",
  branch_sample_type: "u64",
  sample_regs_user: "u64",
  sample_stack_user: "u32",
  clockid: "s32",
  sample_regs_intr: "u64",
  aux_watermark: "u32",
  sample_max_stack: "u16",
  reserved: "u16",
});

export interface PerfEventAttr {
  readonly type: number;
  readonly config?: number | bigint;
  readonly config1?: Uint8Array;
  readonly config2?: bigint;
  readonly sampleType?: number;
  readonly samplePeriod?: number;
  readonly wakeup?: number;
}

/** @returns the fd; it is closed when a program is executed */
export function openPerfEvent(sys: Sys, a: PerfEventAttr, pid: number, cpu: number): number {
  const attr = PERF_EVENT_ATTR.pack(sys, {
    type: a.type,
    size: PERF_EVENT_ATTR.size,
    config: a.config,
    config1: a.config1,
    config2: a.config2,
    sample_type: a.sampleType,
    sample_period: a.samplePeriod,
    wakeup_events: a.wakeup,
  });
  sys.keep = [attr, a];
  const fd = sys.call("perf_event_open", sys.addressOf(attr), pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) throw sysError(-fd, `perf event of type ${a.type}: perf_event_open`, { pid, cpu });
  return fd;
}
