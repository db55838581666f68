/**
 * /proc/PID/fdinfo of a link's fd: type, ids, and what the type adds (show_fdinfo() of its bpf_link_ops).
 *
 * Differs   of kprobe.multi and uprobe.multi, the table of probes behind the counts is left out: info has it.
 */
import * as abi from "../abi/bpf.ts";
import type { LinkInfo } from "./bpf.ts";

type Lines = Readonly<Record<string, string>>;

/** bpf_link_type_strs[]. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  [abi.BPF_LINK_TYPE_RAW_TRACEPOINT]: "raw_tracepoint",
  [abi.BPF_LINK_TYPE_TRACING]: "tracing",
  [abi.BPF_LINK_TYPE_CGROUP]: "cgroup",
  [abi.BPF_LINK_TYPE_ITER]: "iter",
  [abi.BPF_LINK_TYPE_NETNS]: "netns",
  [abi.BPF_LINK_TYPE_XDP]: "xdp",
  [abi.BPF_LINK_TYPE_PERF_EVENT]: "perf",
  [abi.BPF_LINK_TYPE_KPROBE_MULTI]: "kprobe_multi",
  [abi.BPF_LINK_TYPE_STRUCT_OPS]: "struct_ops",
  [abi.BPF_LINK_TYPE_NETFILTER]: "netfilter",
  [abi.BPF_LINK_TYPE_TCX]: "tcx",
  [abi.BPF_LINK_TYPE_UPROBE_MULTI]: "uprobe_multi",
  [abi.BPF_LINK_TYPE_NETKIT]: "netkit",
  [abi.BPF_LINK_TYPE_SOCKMAP]: "sockmap",
};

const hex = (n: bigint | undefined): string => `0x${(n ?? 0n).toString(16)}`;

const MORE: Readonly<Record<number, (i: LinkInfo) => Lines>> = {
  [abi.BPF_LINK_TYPE_RAW_TRACEPOINT]: (i) => ({ tp_name: i.tpName ?? "", cookie: `${i.cookie ?? 0n}` }),
  [abi.BPF_LINK_TYPE_TRACING]: (i) => ({
    attach_type: `${i.attachType}`,
    target_obj_id: `${i.targetObjId ?? 0}`,
    target_btf_id: `${i.targetBtfId ?? 0}`,
    cookie: `${i.cookie ?? 0n}`,
  }),
  [abi.BPF_LINK_TYPE_ITER]: (i) => ({ target_name: i.targetName ?? "", ...iterLines(i) }),
  [abi.BPF_LINK_TYPE_STRUCT_OPS]: (i) => (i.mapId ? { map_id: `${i.mapId}` } : {}),
  [abi.BPF_LINK_TYPE_PERF_EVENT]: perfLines,
  [abi.BPF_LINK_TYPE_KPROBE_MULTI]: ({ kprobeMulti: m }): Lines =>
    m ? { kprobe_cnt: `${m.count}`, missed: `${m.missed}` } : {},
  [abi.BPF_LINK_TYPE_UPROBE_MULTI]: ({ uprobeMulti: m }): Lines =>
    m ? { uprobe_cnt: `${m.count}`, pid: `${m.pid}`, path: m.path } : {},
};

const ORDERS = ["", "self_only", "descendants_pre", "descendants_post", "ancestors_up"];

function iterLines({ targetName, mapId, tid, pid, order }: LinkInfo): Lines {
  if (mapId) return { map_id: `${mapId}` };
  if (order) return { order: ORDERS[order] ?? "" };
  if (tid) return { task_type: "TID", tid: `${tid}` };
  if (pid) return { task_type: "TGID", pid: `${pid}` };
  return targetName?.startsWith("task") ? { task_type: "ALL" } : {};
}

function perfLines({ perfEvent: event, cookie = 0n }: LinkInfo): Lines {
  if (!event) return {};
  const last = { event_type: event.kind, cookie: `${cookie}` };
  switch (event.kind) {
    case "event":
      return { type: `${event.type}`, config: `${event.config}`, ...last };
    case "tracepoint":
      return { tp_name: event.name ?? "", ...last };
    case "uprobe":
    case "uretprobe":
      return { name: event.name ?? "", offset: hex(event.offset), ref_ctr_offset: "0x0", ...last };
    default:
      return {
        name: event.name ?? "",
        offset: hex(event.offset),
        missed: `${event.missed}`,
        addr: hex(event.addr),
        ...last,
      };
  }
}

/** @param tag  of the link's program; absent where there is none */
export function linkFdInfo(info: LinkInfo, tag: string | undefined): Lines {
  const returns = info.kprobeMulti?.flags || info.uprobeMulti?.flags;
  const name = TYPE_NAMES[info.type] ?? `${info.type}`;
  return {
    link_type: returns ? name.replace("probe", "retprobe") : name,
    link_id: `${info.id}`,
    ...(tag === undefined ? {} : { prog_tag: tag, prog_id: `${info.progId}` }),
    ...MORE[info.type]?.(info),
  };
}
