/** skep link: links of a kernel, with bpftool's words and JSON. */
import * as abi from "../../src/abi/bpf.ts";
import { ATTACH_TYPE_NAMES } from "../../src/abi/enum_names.ts";
import type { LinkInfo } from "../../src/kernel/bpf.ts";
import { findRefs, pidLines, pinLines, type Refs, refsJson } from "../bpftool/refs.ts";
import { type Answer, answerText, type Call, DONE, objectCommand, type Verb } from "../bpftool/verbs.ts";
import { forEach, KINDS, select, selectOne } from "../bpftool/words.ts";
import { typeName } from "./prog.ts";

const LINK = "{ id ID | pinned PATH }";

const VERBS: Readonly<Record<string, Verb>> = {
  show: { usage: `[${LINK}]`, run: show },
  pin: { usage: `${LINK} PATH`, run: pin },
  detach: { usage: LINK, run: detach },
};

export const link = objectCommand("link", "show, pin and detach links of a kernel", VERBS);

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [abi.BPF_LINK_TYPE_RAW_TRACEPOINT]: "raw_tracepoint",
  [abi.BPF_LINK_TYPE_TRACING]: "tracing",
  [abi.BPF_LINK_TYPE_CGROUP]: "cgroup",
  [abi.BPF_LINK_TYPE_ITER]: "iter",
  [abi.BPF_LINK_TYPE_NETNS]: "netns",
  [abi.BPF_LINK_TYPE_XDP]: "xdp",
  [abi.BPF_LINK_TYPE_PERF_EVENT]: "perf_event",
  [abi.BPF_LINK_TYPE_KPROBE_MULTI]: "kprobe_multi",
  [abi.BPF_LINK_TYPE_STRUCT_OPS]: "struct_ops",
  [abi.BPF_LINK_TYPE_NETFILTER]: "netfilter",
  [abi.BPF_LINK_TYPE_TCX]: "tcx",
  [abi.BPF_LINK_TYPE_UPROBE_MULTI]: "uprobe_multi",
  [abi.BPF_LINK_TYPE_NETKIT]: "netkit",
  [abi.BPF_LINK_TYPE_SOCKMAP]: "sockmap",
};

interface Row {
  readonly info: LinkInfo;
  readonly progType: string | undefined;
}

function show({ bpf, words, bpffs }: Call): Answer {
  const refs = findRefs(bpf, bpffs);
  const rows: Row[] = [];
  const add = (info: LinkInfo) => {
    let progType: string | undefined;
    if (info.progId !== 0) {
      const fd = bpf.progGetFdById(info.progId);
      progType = typeName(bpf.progInfo(fd).type);
      bpf.close(fd);
    }
    rows.push({ info, progType });
  };
  const one = words.rest > 0;
  if (one) {
    for (const fd of select(bpf, KINDS.link, words)) {
      add(bpf.linkInfo(fd));
      bpf.close(fd);
    }
    words.end();
  } else {
    forEach(bpf, KINDS.link, (fd) => add(bpf.linkInfo(fd)));
  }
  const json = rows.map((r) => jsonOf(r, refs));
  return { json: one ? json[0] : json, text: rows.map((r) => textOf(r, refs)).join("") };
}

/** What a link says of itself, in bpftool's words. */
function details({ info: i, progType }: Row): Record<string, unknown> {
  const attachType = i.attachType === undefined ? undefined : (ATTACH_TYPE_NAMES[i.attachType] ?? i.attachType);
  const netns = i.netnsIno === undefined ? undefined : i.netnsIno;
  return {
    tp_name: i.tpName,
    ...(i.type === abi.BPF_LINK_TYPE_TRACING && { prog_type: progType }),
    cgroup_id: i.cgroupId,
    netns_ino: netns,
    ifindex: i.ifindex,
    target_name: i.targetName,
    map_id: i.mapId,
    ...(i.type !== abi.BPF_LINK_TYPE_XDP && i.type !== abi.BPF_LINK_TYPE_NETFILTER && { attach_type: attachType }),
    target_obj_id: i.targetObjId || undefined,
    target_btf_id: i.targetBtfId || undefined,
    tid: i.tid,
    pid: i.pid,
    order: i.order === undefined ? undefined : ORDER_NAMES[i.order],
    ...i.netfilter,
    ...(i.perfEvent ? perfDetails(i) : { bpf_cookie: i.cookie }),
    ...multiDetails(i),
  };
}

/** BPF_CGROUP_ITER_*. */
const ORDER_NAMES = ["order_unspec", "self_only", "descendants_pre", "descendants_post", "ancestors_up"];

function perfDetails({ perfEvent: event, cookie }: LinkInfo): Record<string, unknown> {
  if (!event) return {};
  const { kind, name, offset } = event;
  if (kind === "event") return { event_type: event.type, event_config: event.config, cookie };
  if (kind === "tracepoint") return { tracepoint: name, cookie };
  const retprobe = kind.includes("ret");
  if (kind.startsWith("u")) return { retprobe, file: name, offset, cookie };
  return { retprobe, addr: event.addr, func: name, offset, missed: event.missed || undefined, cookie };
}

function multiDetails({ kprobeMulti: k, uprobeMulti: u }: LinkInfo): Record<string, unknown> {
  if (k) {
    const funcs = k.addrs.map((addr, n) => ({ addr, cookie: k.cookies[n] }));
    return { retprobe: k.flags !== 0, func_count: k.count, missed: k.missed || undefined, funcs };
  }
  if (!u) return {};
  const funcs = u.offsets.map((offset, n) => ({ offset, ref_ctr_offset: u.refCtrOffsets[n], cookie: u.cookies[n] }));
  return { retprobe: u.flags !== 0, path: u.path, func_count: u.count, pid: u.pid, funcs };
}

function jsonOf(row: Row, refs: Refs): object {
  const { id, type, progId } = row.info;
  const head = { id, type: TYPE_NAMES[type] ?? type, prog_id: progId || undefined };
  return { ...head, ...details(row), ...refsJson(refs, "link", id) };
}

function textOf(row: Row, refs: Refs): string {
  const { id, type, progId } = row.info;
  const more = Object.entries(details(row)).filter(([, v]) => v !== undefined);
  const lines = [`${id}: ${TYPE_NAMES[type] ?? `type ${type}`}  prog ${progId}`];
  if (more.length > 0)
    lines.push(more.map(([name, v]) => `${name} ${typeof v === "object" ? answerText(v) : v}`).join("  "));
  lines.push(...pinLines(refs, "link", id));
  lines.push(...pidLines(refs, "link", id));
  return `${lines.join("\n\t")}\n`;
}

function pin({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.link, words);
  bpf.objPin(fd, words.next("a path in bpffs"));
  words.end();
  bpf.close(fd);
  return DONE;
}

function detach({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.link, words);
  words.end();
  bpf.linkDetach(fd);
  bpf.close(fd);
  return DONE;
}
