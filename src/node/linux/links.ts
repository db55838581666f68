/** Attachments as links: which part of the attr an attach type needs. */

import { LINK_CREATE, RAW_TRACEPOINT } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { BpfError, EOPNOTSUPP } from "../../abi/errno.ts";
import type { Fd, IterLinkInfo, LinkCreateAttr } from "../../kernel/bpf.ts";
import type { Commands } from "./command.ts";
import type { Sys } from "./sys.ts";

type Pack = (sys: Sys, head: Head, a: LinkCreateAttr, keep: unknown[]) => Uint8Array;

interface Head {
  readonly prog_fd: number;
  readonly target_fd: number | undefined;
  readonly attach_type: number;
  readonly flags: number | undefined;
}

const mprog: Pack = (sys, head, a) =>
  LINK_CREATE.mprog.pack(sys, {
    ...head,
    relative_fd: a.relativeFd ?? a.relativeId,
    expected_revision: a.expectedRevision,
  });

const kprobeMulti: Pack = (sys, head, a, keep) => {
  const { symbols = [], cookies, flags } = a.multi ?? {};
  const names = symbols.map(cString);
  const syms = addresses(sys, names);
  const cookieBytes = cookies && new Uint8Array(BigUint64Array.from(cookies).buffer);
  keep.push(names, syms, cookieBytes);
  return LINK_CREATE.kprobe_multi.pack(sys, {
    ...head,
    multi_flags: flags,
    cnt: names.length,
    syms,
    cookies: cookieBytes,
  });
};

const uprobeMulti: Pack = (sys, head, a, keep) => {
  const { path = "", offsets = [], cookies, flags, pid } = a.multi ?? {};
  const name = cString(path);
  const offs = new Uint8Array(BigUint64Array.from(offsets).buffer);
  const cookieBytes = cookies && new Uint8Array(BigUint64Array.from(cookies).buffer);
  keep.push(name, offs, cookieBytes);
  return LINK_CREATE.uprobe_multi.pack(sys, {
    ...head,
    path: name,
    offsets: offs,
    cookies: cookieBytes,
    cnt: offsets.length,
    multi_flags: flags,
    pid,
  });
};

/** union bpf_iter_link_info: { map_fd }, { order, cgroup_fd, cgroup_id } or { tid, pid, pid_fd }. */
function iterInfo(i: IterLinkInfo): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, i.mapFd ?? i.order ?? i.tid ?? 0, true);
  view.setUint32(4, i.cgroupFd ?? i.pid ?? 0, true);
  view.setBigUint64(8, i.cgroupId ?? BigInt(i.pidFd ?? 0), true);
  return bytes;
}

/** What is not here is a tracing link (or needs nothing), or, by default, one with an order. */
const BY_ATTACH_TYPE: Readonly<Record<number, Pack>> = {
  [abi.BPF_TRACE_KPROBE_MULTI]: kprobeMulti,
  [abi.BPF_TRACE_KPROBE_SESSION]: kprobeMulti,
  [abi.BPF_TRACE_UPROBE_MULTI]: uprobeMulti,
  [abi.BPF_TRACE_UPROBE_SESSION]: uprobeMulti,
  [abi.BPF_PERF_EVENT]: (sys, head, a) => LINK_CREATE.perf_event.pack(sys, { ...head, bpf_cookie: a.cookie }),
  [abi.BPF_TRACE_ITER]: (sys, head, a, keep) => {
    if (!a.iter) return LINK_CREATE.iter.pack(sys, head);
    const info = iterInfo(a.iter);
    keep.push(info);
    return LINK_CREATE.iter.pack(sys, { ...head, iter_info: info, iter_info_len: info.length });
  },
  [abi.BPF_NETFILTER]: (sys, head, a) =>
    LINK_CREATE.netfilter.pack(sys, {
      ...head,
      pf: a.netfilter?.pf,
      hooknum: a.netfilter?.hooknum,
      priority: a.netfilter?.priority,
      nf_flags: a.netfilter?.flags,
    }),
};

export function linkCreate(cmd: Commands, a: LinkCreateAttr): Fd {
  const { sys } = cmd;
  if (a.hold) throw new BpfError(EOPNOTSUPP, "link: Linux has no links that hold their target", { hold: true });
  const head: Head = {
    prog_fd: a.mapFd ?? a.progFd,
    target_fd: a.targetFd ?? a.targetIfindex,
    attach_type: a.attachType,
    flags: a.flags,
  };
  const ordered = a.relativeFd !== undefined || a.relativeId !== undefined || a.expectedRevision !== undefined;
  const keep: unknown[] = [];
  const pack = BY_ATTACH_TYPE[a.attachType];
  const attr = pack
    ? pack(sys, head, a, keep)
    : ordered
      ? mprog(sys, head, a, keep)
      : LINK_CREATE.tracing.pack(sys, { ...head, target_btf_id: a.targetBtfId, cookie: a.cookie });
  return cmd.run(`program fd ${a.progFd}`, abi.BPF_LINK_CREATE, attr, keep) as Fd;
}

export function rawTracepointOpen(cmd: Commands, progFd: Fd, name: string | undefined, cookie: bigint | undefined): Fd {
  const text = name === undefined ? undefined : cString(name);
  const attr = RAW_TRACEPOINT.pack(cmd.sys, { name: text, prog_fd: progFd, cookie });
  return cmd.run(`program fd ${progFd}`, abi.BPF_RAW_TRACEPOINT_OPEN, attr, text) as Fd;
}

/** An array of pointers. */
function addresses(sys: Sys, strings: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(strings, (s) => BigInt(sys.addressOf(s))).buffer);
}
