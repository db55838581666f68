/** bpf(2) as bytes: links. The part of LINK_CREATE behind its first 16 bytes depends on the attach type. */
import { LINK_CREATE, LINK_DETACH, LINK_UPDATE, RAW_TRACEPOINT } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { E2BIG, EINVAL } from "../../abi/errno.ts";
import { struct } from "../../abi/struct.ts";
import type { LinkCreateAttr } from "../bpf.ts";
import type { Fd } from "../fd.ts";
import { relativeOf, targetOf } from "./attach.ts";
import { type Call, checkTail } from "./call.ts";
import { type Command, checkFlags, command, refuse, type Unpacked } from "./command.ts";

export const LINK_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_LINK_CREATE]: command(LINK_CREATE.uprobe_multi, "pid", linkCreate),
  [abi.BPF_LINK_UPDATE]: command(LINK_UPDATE, "old_prog_fd", linkUpdate),
  [abi.BPF_LINK_DETACH]: command(LINK_DETACH, "link_fd", (call, a) => {
    call.proc.linkDetach(a.link_fd as Fd);
    return 0;
  }),
  [abi.BPF_RAW_TRACEPOINT_OPEN]: command(RAW_TRACEPOINT, "cookie", rawTracepointOpen),
};

/** The part that an attach type needs. */
type Part = (call: Call) => Partial<LinkCreateAttr>;

const ordered: Part = (call) => {
  const a = LINK_CREATE.mprog.unpack(call.attr);
  return { ...relativeOf(a.flags, a.relative_fd), ...some({ expectedRevision: a.expected_revision }) };
};

const traced: Part = (call) => {
  const a = LINK_CREATE.tracing.unpack(call.attr);
  if (!a.target_fd !== !a.target_btf_id) {
    refuse(EINVAL, `target fd ${a.target_fd} with target_btf_id ${a.target_btf_id}: both or none are wanted`);
  }
  return { ...some({ targetFd: a.target_fd as Fd, targetBtfId: a.target_btf_id, cookie: a.cookie }) };
};

const BY_ATTACH_TYPE: Readonly<Record<number, Part>> = {
  [abi.BPF_XDP]: () => ({}),
  [abi.BPF_FLOW_DISSECTOR]: () => ({}),
  [abi.BPF_SK_LOOKUP]: () => ({}),
  [abi.BPF_PERF_EVENT]: (call) => some({ cookie: LINK_CREATE.perf_event.unpack(call.attr).bpf_cookie }),
  [abi.BPF_TRACE_ITER]: iterated,
  [abi.BPF_TRACE_RAW_TP]: (call) => some({ cookie: LINK_CREATE.tracing.unpack(call.attr).cookie }),
  [abi.BPF_TRACE_FENTRY]: traced,
  [abi.BPF_TRACE_FEXIT]: traced,
  [abi.BPF_MODIFY_RETURN]: traced,
  [abi.BPF_LSM_MAC]: traced,
  [abi.BPF_TRACE_KPROBE_MULTI]: kprobeMulti,
  [abi.BPF_TRACE_KPROBE_SESSION]: kprobeMulti,
  [abi.BPF_TRACE_UPROBE_MULTI]: uprobeMulti,
  [abi.BPF_TRACE_UPROBE_SESSION]: uprobeMulti,
  [abi.BPF_NETFILTER]: (call) => {
    const { pf, hooknum, priority, nf_flags: flags } = LINK_CREATE.netfilter.unpack(call.attr);
    return { netfilter: { pf, hooknum, priority, flags } };
  },
};

/** Attach types that take their target from elsewhere, or none. */
const NO_TARGET: ReadonlySet<number> = new Set([
  abi.BPF_TRACE_FENTRY,
  abi.BPF_TRACE_FEXIT,
  abi.BPF_MODIFY_RETURN,
  abi.BPF_LSM_MAC,
  abi.BPF_TRACE_ITER,
  abi.BPF_TRACE_RAW_TP,
  abi.BPF_STRUCT_OPS,
  abi.BPF_NETFILTER,
  abi.BPF_TRACE_KPROBE_MULTI,
  abi.BPF_TRACE_KPROBE_SESSION,
  abi.BPF_TRACE_UPROBE_MULTI,
  abi.BPF_TRACE_UPROBE_SESSION,
]);

function linkCreate(call: Call, a: Unpacked<typeof LINK_CREATE.uprobe_multi>): number {
  const attachType = a.attach_type;
  const head = { attachType, flags: a.flags };
  if (attachType === abi.BPF_STRUCT_OPS) {
    return call.proc.linkCreate({ ...head, progFd: a.prog_fd as Fd, mapFd: a.prog_fd as Fd });
  }
  const prog = call.proc.progAt(a.prog_fd as Fd);
  // An extension may be given any attach type.
  const extension = prog.type === abi.BPF_PROG_TYPE_EXT;
  const part = extension ? traced : (BY_ATTACH_TYPE[attachType] ?? ordered);
  const target = extension || NO_TARGET.has(attachType) ? {} : targetOf(attachType, a.target_fd);
  return call.proc.linkCreate({ ...head, progFd: a.prog_fd as Fd, ...target, ...part(call) });
}

/** Members that are not zero: zero is "not given". */
function some<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, v]) => v)) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** union bpf_iter_link_info: which members count depends on what is iterated, so all are given. */
const ITER_INFO = struct({ first: "u32", second: "u32", third: "u64" });

function iterated(call: Call): Partial<LinkCreateAttr> {
  const a = LINK_CREATE.iter.unpack(call.attr);
  if (a.target_fd || a.flags) refuse(EINVAL, "iterators know no target and no flags");
  const { iter_info: addr, iter_info_len: len } = a;
  if ((addr === 0n) !== (len === 0)) refuse(EINVAL, `iter_info of ${len} bytes at 0x${addr.toString(16)}`);
  if (addr === 0n) return {};
  checkTail(ITER_INFO.size, len, (off, n) => call.read(addr + BigInt(off), n));
  const { first, second, third } = ITER_INFO.unpack(call.read(addr, Math.min(len, ITER_INFO.size)));
  return {
    iter: {
      mapFd: first as Fd,
      order: first,
      tid: first,
      cgroupFd: second as Fd,
      pid: second,
      cgroupId: third,
      pidFd: Number(third & 0xffffffffn) as Fd,
    },
  };
}

/** MAX_KPROBE_MULTI_CNT, MAX_UPROBE_MULTI_CNT. */
const MAX_MULTI = 1 << 20;
const KSYM_NAME_LEN = 512;
const PATH_MAX = 4096;

function u64s(call: Call, addr: bigint, n: number): readonly bigint[] {
  return [...new BigUint64Array(call.read(addr, 8 * n).slice().buffer)];
}

function checkCount(cnt: number): void {
  if (cnt === 0) refuse(EINVAL, "cnt is 0");
  if (cnt > MAX_MULTI) refuse(E2BIG, `cnt ${cnt}; wanted at most ${MAX_MULTI}`, { cnt });
}

function kprobeMulti(call: Call): Partial<LinkCreateAttr> {
  const a = LINK_CREATE.kprobe_multi.unpack(call.attr);
  if (a.flags || a.target_fd) refuse(EINVAL, "kprobe_multi links know no target and no flags of their own");
  checkFlags("kprobe_multi", a.multi_flags, 1);
  if ((a.addrs === 0n) === (a.syms === 0n)) refuse(EINVAL, "kprobe_multi: symbols or addresses are wanted, not both");
  checkCount(a.cnt);
  const targets = a.syms
    ? { symbols: u64s(call, a.syms, a.cnt).map((at) => call.text(at, KSYM_NAME_LEN)) }
    : { addrs: u64s(call, a.addrs, a.cnt) };
  return {
    multi: {
      ...targets,
      flags: a.multi_flags,
      ...(a.cookies ? { cookies: u64s(call, a.cookies, a.cnt) } : {}),
    },
  };
}

function uprobeMulti(call: Call): Partial<LinkCreateAttr> {
  const a = LINK_CREATE.uprobe_multi.unpack(call.attr);
  if (a.flags || a.target_fd) refuse(EINVAL, "uprobe_multi links know no target and no flags of their own");
  checkFlags("uprobe_multi", a.multi_flags, 1);
  if (!a.path || !a.offsets || a.cnt === 0 || a.pid > 0x7fffffff)
    refuse(EINVAL, "uprobe_multi: no path, offsets or cnt");
  checkCount(a.cnt);
  return {
    multi: {
      path: call.text(a.path, PATH_MAX),
      offsets: u64s(call, a.offsets, a.cnt),
      flags: a.multi_flags,
      pid: a.pid,
      ...(a.ref_ctr_offsets ? { refCtrOffsets: u64s(call, a.ref_ctr_offsets, a.cnt) } : {}),
      ...(a.cookies ? { cookies: u64s(call, a.cookies, a.cnt) } : {}),
    },
  };
}

function linkUpdate(call: Call, a: Unpacked<typeof LINK_UPDATE>): number {
  checkFlags("link update", a.flags, abi.BPF_F_REPLACE);
  const replaces = (a.flags & abi.BPF_F_REPLACE) !== 0;
  const { type } = call.proc.linkAt(a.link_fd as Fd);
  // Links of struct_ops get another map.
  if (type.type !== abi.BPF_LINK_TYPE_STRUCT_OPS) call.proc.progAt(a.new_prog_fd as Fd);
  if (!replaces && a.old_prog_fd) refuse(EINVAL, `old_prog_fd ${a.old_prog_fd} without BPF_F_REPLACE`);
  call.proc.linkUpdate(a.link_fd as Fd, a.new_prog_fd as Fd, {
    flags: a.flags,
    ...(replaces ? { oldProgFd: a.old_prog_fd as Fd } : {}),
  });
  return 0;
}

const TP_NAME_BYTES = 128;

function rawTracepointOpen(call: Call, a: Unpacked<typeof RAW_TRACEPOINT>): number {
  const prog = call.proc.progAt(a.prog_fd as Fd);
  const named =
    prog.type === abi.BPF_PROG_TYPE_RAW_TRACEPOINT || prog.type === abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE;
  if (!named && a.name) refuse(EINVAL, `program '${prog.name}' has its target from its load; a name was given`);
  const name = named ? call.text(a.name, TP_NAME_BYTES - 1) : undefined;
  return call.proc.rawTracepointOpen(a.prog_fd as Fd, name, a.cookie);
}
