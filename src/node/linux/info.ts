/** BPF_OBJ_GET_INFO_BY_FD: programs, BTF and links. Arrays are asked for in a second call, when their sizes are known. */
import { readlinkSync } from "node:fs";
import { BTF_INFO, INFO_BY_FD, LINK_INFO, LINK_INFO_ROOM, PROG_INFO } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { fromCString } from "../../abi/cstring.ts";
import { BpfError, EBADF, EINVAL } from "../../abi/errno.ts";
import type { Fields, Members, Struct } from "../../abi/struct.ts";
import { toHex } from "../../bytes/hex.ts";
import type { BtfInfo, Fd, LinkInfo, ObjInfo, ProgInfo } from "../../kernel/bpf.ts";
import type { Commands } from "./command.ts";
import { fdInfo } from "./maps.ts";

/** Fills `info`, whose pointers are set. */
function ask(cmd: Commands, what: string, fd: Fd, info: Uint8Array, ...keep: unknown[]): void {
  const attr = INFO_BY_FD.pack(cmd.sys, { bpf_fd: fd, info_len: info.length, info });
  cmd.run(what, abi.BPF_OBJ_GET_INFO_BY_FD, attr, info, keep);
}

/** "prog", "map", "btf" or "link"; by the name of the anonymous file, as bpftool does. @throws EBADF, EINVAL */
export function kindOf(fd: Fd): ObjInfo["kind"] {
  let name: string;
  try {
    name = readlinkSync(`/proc/self/fd/${fd}`);
  } catch (e) {
    throw new BpfError(EBADF, `fd ${fd} is not open`, { fd }, e);
  }
  const kind = /bpf[-_](prog|map|link)|^anon_inode:\[?(btf)\b/.exec(name);
  const found = kind?.[1] ?? kind?.[2];
  if (!found) throw new BpfError(EINVAL, `fd ${fd} is ${name}; wanted a BPF object`, { fd });
  return found as ObjInfo["kind"];
}

/** The command answers for any kind of object, with another struct. */
export function needKind(fd: Fd, wanted: ObjInfo["kind"]): void {
  const kind = kindOf(fd);
  if (kind !== wanted) throw new BpfError(EINVAL, `fd ${fd} is a ${kind}; wanted a ${wanted}`, { fd });
}

export function progInfo(cmd: Commands, fd: Fd): ProgInfo {
  const what = `program fd ${fd}`;
  const { sys } = cmd;
  const first = new Uint8Array(PROG_INFO.size);
  ask(cmd, what, fd, first);
  const n = PROG_INFO.unpack(first);
  const xlated = new Uint8Array(n.xlated_prog_len);
  const maps = new Uint32Array(n.nr_map_ids);
  const mapBytes = new Uint8Array(maps.buffer);
  const func = new Uint8Array(n.nr_func_info * n.func_info_rec_size);
  const line = new Uint8Array(n.nr_line_info * n.line_info_rec_size);
  const ksyms = new BigUint64Array(n.nr_jited_ksyms);
  const ksymBytes = new Uint8Array(ksyms.buffer);
  const second = PROG_INFO.pack(sys, {
    xlated_prog_len: xlated.length,
    xlated_prog_insns: xlated.length ? xlated : 0,
    nr_map_ids: maps.length,
    map_ids: maps.length ? mapBytes : 0,
    nr_func_info: n.nr_func_info,
    func_info_rec_size: n.func_info_rec_size,
    func_info: func.length ? func : 0,
    nr_line_info: n.nr_line_info,
    line_info_rec_size: n.line_info_rec_size,
    line_info: line.length ? line : 0,
    nr_jited_ksyms: ksyms.length,
    jited_ksyms: ksyms.length ? ksymBytes : 0,
  });
  ask(cmd, what, fd, second, xlated, mapBytes, func, line, ksymBytes);
  const i = PROG_INFO.unpack(second);
  return {
    type: i.type,
    id: i.id,
    tag: toHex(second.subarray(8, 16)),
    name: i.name,
    gplCompatible: (i.gpl_compatible & 1) !== 0,
    createdByUid: i.created_by_uid,
    loadTimeNs: i.load_time,
    mapIds: [...maps],
    btfId: i.btf_id,
    attachBtfObjId: i.attach_btf_obj_id,
    attachBtfId: i.attach_btf_id,
    // the kernel does not tell
    expectedAttachType: 0,
    ifindex: i.ifindex,
    xlated,
    verifiedInsns: i.verified_insns,
    runTimeNs: i.run_time_ns,
    runCnt: i.run_cnt,
    recursionMisses: i.recursion_misses,
    funcInfo: func,
    lineInfo: line,
    jitedBytes: i.jited_prog_len,
    jitedKsyms: [...ksyms],
    memlock: Number(fdInfo(fd).get("memlock") ?? 0),
  };
}

export function btfInfo(cmd: Commands, fd: Fd): BtfInfo {
  const { sys } = cmd;
  const what = `BTF fd ${fd}`;
  const first = new Uint8Array(BTF_INFO.size);
  ask(cmd, what, fd, first);
  const bytes = new Uint8Array(BTF_INFO.unpack(first).btf_size);
  const name = new Uint8Array(64);
  const second = BTF_INFO.pack(sys, { btf: bytes, btf_size: bytes.length, name, name_len: name.length });
  ask(cmd, what, fd, second, bytes, name);
  const i = BTF_INFO.unpack(second);
  return { id: i.id, name: fromCString(name), kernelBtf: i.kernel_btf !== 0, bytes };
}

/** By BPF_LINK_TYPE_*: the layout of the rest, and what it becomes. */
type Details = (link: LinkReader) => Partial<LinkInfo>;

const DETAILS: Readonly<Record<number, Details>> = {
  [abi.BPF_LINK_TYPE_RAW_TRACEPOINT]: (l) => {
    const { text, cookie } = l.named(LINK_INFO.raw_tracepoint, "tp_name", "tp_name_len");
    return { tpName: text, ...(cookie && { cookie }) };
  },
  [abi.BPF_LINK_TYPE_TRACING]: (l) => {
    const i = l.as(LINK_INFO.tracing);
    return {
      attachType: i.attach_type,
      targetObjId: i.target_obj_id,
      targetBtfId: i.target_btf_id,
      ...(i.cookie && { cookie: i.cookie }),
    };
  },
  [abi.BPF_LINK_TYPE_CGROUP]: (l) => {
    const i = l.as(LINK_INFO.cgroup);
    return { cgroupId: i.cgroup_id, attachType: i.attach_type };
  },
  [abi.BPF_LINK_TYPE_ITER]: (l) => {
    const { text, map_id, cgroup_id, order } = l.named(LINK_INFO.iter, "target_name", "target_name_len");
    if (text.startsWith("bpf_map_elem")) return { targetName: text, mapId: map_id };
    if (text === "cgroup") return { targetName: text, cgroupId: cgroup_id, order };
    const [tid, pid] = [Number(cgroup_id & 0xffffffffn), Number(cgroup_id >> 32n)];
    return { targetName: text, ...(tid && { tid }), ...(pid && { pid }) };
  },
  [abi.BPF_LINK_TYPE_PERF_EVENT]: perfEvent,
  [abi.BPF_LINK_TYPE_KPROBE_MULTI]: (l) => {
    const { count, flags, missed } = l.as(LINK_INFO.kprobe_multi);
    const [addrs, cookies] = [new BigUint64Array(count), new BigUint64Array(count)];
    l.fill(LINK_INFO.kprobe_multi, { count, addrs: bytesOf(addrs), cookies: bytesOf(cookies) });
    return { kprobeMulti: { count, flags, missed, addrs: [...addrs], cookies: given(cookies) } };
  },
  [abi.BPF_LINK_TYPE_UPROBE_MULTI]: (l) => {
    const { count, flags, pid } = l.as(LINK_INFO.uprobe_multi);
    const [offsets, refs, cookies] = [0, 1, 2].map(() => new BigUint64Array(count)) as [Words, Words, Words];
    const path = new Uint8Array(PATH_MAX);
    l.fill(LINK_INFO.uprobe_multi, {
      count,
      path,
      path_size: path.length,
      offsets: bytesOf(offsets),
      ref_ctr_offsets: bytesOf(refs),
      cookies: bytesOf(cookies),
    });
    const lists = { offsets: [...offsets], refCtrOffsets: given(refs), cookies: given(cookies) };
    return { uprobeMulti: { path: fromCString(path), count, flags, pid, ...lists } };
  },
  [abi.BPF_LINK_TYPE_NETNS]: (l) => {
    const i = l.as(LINK_INFO.netns);
    return { netnsIno: i.netns_ino, attachType: i.attach_type };
  },
  [abi.BPF_LINK_TYPE_XDP]: (l) => ({ ifindex: l.as(LINK_INFO.xdp).ifindex, attachType: abi.BPF_XDP }),
  [abi.BPF_LINK_TYPE_STRUCT_OPS]: (l) => ({ mapId: l.as(LINK_INFO.struct_ops).map_id }),
  [abi.BPF_LINK_TYPE_NETFILTER]: (l) => {
    const { pf, hooknum, priority, flags } = l.as(LINK_INFO.netfilter);
    return { netfilter: { pf, hooknum, priority, flags }, attachType: abi.BPF_NETFILTER };
  },
  [abi.BPF_LINK_TYPE_TCX]: device,
  [abi.BPF_LINK_TYPE_NETKIT]: device,
  [abi.BPF_LINK_TYPE_SOCKMAP]: (l) => {
    const i = l.as(LINK_INFO.sockmap);
    return { mapId: i.map_id, attachType: i.attach_type };
  },
};

type Words = BigUint64Array<ArrayBuffer>;
const PATH_MAX = 4096;
const bytesOf = (words: Words): Uint8Array => new Uint8Array(words.buffer);
/** Zeros stand for none. */
const given = (words: Words): bigint[] => (words.some((w) => w !== 0n) ? [...words] : []);

function perfEvent(l: LinkReader): Partial<LinkInfo> {
  const code = l.as(LINK_INFO.perf).kind;
  const kind = (Object.entries(abi.PERF_EVENT_KINDS).find(([, n]) => n === code)?.[0] ?? "event") as PerfKind;
  const withCookie = (cookie: bigint) => (cookie ? { cookie } : {});
  if (kind === "event") {
    const { event_type: type, config, cookie } = l.as(LINK_INFO.perf_event);
    return { perfEvent: { kind, type, config }, ...withCookie(cookie) };
  }
  if (kind === "tracepoint") {
    const { text: name, cookie } = l.named(LINK_INFO.perf_tracepoint, "name", "name_len");
    return { perfEvent: { kind, name }, ...withCookie(cookie) };
  }
  if (kind === "uprobe" || kind === "uretprobe") {
    const { text: name, offset, cookie } = l.named(LINK_INFO.perf_uprobe, "name", "name_len");
    return { perfEvent: { kind, name, offset: BigInt(offset) }, ...withCookie(cookie) };
  }
  const { text: name, offset, addr, missed, cookie } = l.named(LINK_INFO.perf_kprobe, "name", "name_len");
  return { perfEvent: { kind, name, offset: BigInt(offset), addr, missed }, ...withCookie(cookie) };
}

type PerfKind = keyof typeof abi.PERF_EVENT_KINDS;

function device(l: LinkReader): Partial<LinkInfo> {
  const i = l.as(LINK_INFO.device);
  return { ifindex: i.ifindex, attachType: i.attach_type };
}

type NamedInfo = "raw_tracepoint" | "iter" | "perf_uprobe" | "perf_kprobe" | "perf_tracepoint";

/** A link's info, which is asked once more when it points to text. */
class LinkReader {
  readonly #cmd: Commands;
  readonly #fd: Fd;
  readonly bytes = new Uint8Array(LINK_INFO_ROOM);

  constructor(cmd: Commands, fd: Fd) {
    this.#cmd = cmd;
    this.#fd = fd;
    ask(cmd, `link fd ${fd}`, fd, this.bytes);
  }

  as<M extends Members>(layout: Struct<M>): ReturnType<Struct<M>["unpack"]> {
    return layout.unpack(this.bytes);
  }

  /** Asks again, with room for what is of variable size. */
  fill<M extends Members>(layout: Struct<M>, room: Fields<M>): void {
    const again = new Uint8Array(LINK_INFO_ROOM);
    again.set(layout.pack(this.#cmd.sys, room));
    ask(this.#cmd, `link fd ${this.#fd}`, this.#fd, again, ...Object.values(room));
  }

  named<M extends (typeof LINK_INFO)[NamedInfo]>(
    layout: M,
    pointer: string,
    length: string,
  ): ReturnType<M["unpack"]> & { text: string } {
    const text = new Uint8Array(256);
    const again = new Uint8Array(LINK_INFO_ROOM);
    again.set(layout.pack(this.#cmd.sys, { [pointer]: text, [length]: text.length } as object));
    ask(this.#cmd, `link fd ${this.#fd}`, this.#fd, again, text);
    return { ...(layout.unpack(again) as ReturnType<M["unpack"]>), text: fromCString(text) };
  }
}

export function linkInfo(cmd: Commands, fd: Fd): LinkInfo {
  const reader = new LinkReader(cmd, fd);
  const { type, id, prog_id } = LINK_INFO.head.unpack(reader.bytes);
  return { type, id, progId: prog_id, ...DETAILS[type]?.(reader) };
}
