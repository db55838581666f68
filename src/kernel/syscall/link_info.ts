/** struct bpf_link_info of a link: which members there are depends on its type. */
import { LINK_INFO } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { EINVAL, ENOSPC } from "../../abi/errno.ts";
import type { Fields, Members, Struct } from "../../abi/struct.ts";
import type { LinkInfo } from "../bpf.ts";
import type { Fd } from "../fd.ts";
import { type Call, NO_ADDRESSES } from "./call.ts";
import { refuse } from "./command.ts";
import type { InfoCall } from "./info.ts";
import { cut } from "./misc.ts";

/** sizeof(struct bpf_link_info) of 6.18. */
const SIZE = 64;

/** Fills what belongs to the type; text goes where the caller's struct says. @throws ENOSPC after the text was cut */
type Fill = (out: Uint8Array, i: LinkInfo, call: Call) => void;

/** Members that are not given keep what the caller wrote. */
function members<M extends Members>(layout: Struct<M>, of: (i: LinkInfo) => Fields<M>): Fill {
  return (out, i) => layout.put(out, NO_ADDRESSES, of(i));
}

/** Text at a pointer of the caller's struct, with its length. */
function text(out: Uint8Array, at: number, name: string, call: Call): void {
  const view = new DataView(out.buffer);
  const addr = view.getBigUint64(at, true);
  const room = view.getUint32(at + 8, true);
  const bytes = cString(name);
  if ((addr === 0n) !== (room === 0)) refuse(EINVAL, `room of ${room} bytes for the name of a link`, { room });
  view.setUint32(at + 8, bytes.length, true);
  if (addr === 0n) return;
  call.write(addr, cut(bytes, room));
  if (room < bytes.length) refuse(ENOSPC, `a name of ${bytes.length} bytes; there is room for ${room}`, { room });
}

const device = members(LINK_INFO.device, (i) => ({ ifindex: i.ifindex, attach_type: i.attachType }));

const FILL: Readonly<Record<number, Fill>> = {
  [abi.BPF_LINK_TYPE_RAW_TRACEPOINT]: (out, i, call) => {
    text(out, LINK_INFO.raw_tracepoint.offsetOf("tp_name"), i.tpName ?? "", call);
    LINK_INFO.raw_tracepoint.put(out, NO_ADDRESSES, { cookie: i.cookie ?? 0n });
  },
  [abi.BPF_LINK_TYPE_TRACING]: members(LINK_INFO.tracing, (i) => ({
    attach_type: i.attachType,
    target_obj_id: i.targetObjId,
    target_btf_id: i.targetBtfId,
    cookie: i.cookie,
  })),
  [abi.BPF_LINK_TYPE_CGROUP]: members(LINK_INFO.cgroup, (i) => ({ cgroup_id: i.cgroupId, attach_type: i.attachType })),
  [abi.BPF_LINK_TYPE_ITER]: (out, i, call) => {
    text(out, LINK_INFO.iter.offsetOf("target_name"), i.targetName ?? "", call);
    if (i.mapId) LINK_INFO.iter.put(out, NO_ADDRESSES, { map_id: i.mapId });
    const task = (i.tid ?? i.pid) === undefined ? undefined : (BigInt(i.pid ?? 0) << 32n) | BigInt(i.tid ?? 0);
    const which = i.cgroupId ?? task;
    if (which !== undefined) LINK_INFO.iter.put(out, NO_ADDRESSES, { cgroup_id: which });
    if (i.order) LINK_INFO.iter.put(out, NO_ADDRESSES, { order: i.order });
  },
  [abi.BPF_LINK_TYPE_PERF_EVENT]: perfEvent,
  [abi.BPF_LINK_TYPE_KPROBE_MULTI]: kprobeMulti,
  [abi.BPF_LINK_TYPE_UPROBE_MULTI]: uprobeMulti,
  [abi.BPF_LINK_TYPE_NETNS]: members(LINK_INFO.netns, (i) => ({
    netns_ino: i.netnsIno,
    attach_type: i.attachType,
  })),
  [abi.BPF_LINK_TYPE_XDP]: members(LINK_INFO.xdp, (i) => ({ ifindex: i.ifindex })),
  [abi.BPF_LINK_TYPE_STRUCT_OPS]: members(LINK_INFO.struct_ops, (i) => ({ map_id: i.mapId })),
  [abi.BPF_LINK_TYPE_NETFILTER]: members(LINK_INFO.netfilter, (i) => ({ ...i.netfilter })),
  [abi.BPF_LINK_TYPE_TCX]: device,
  [abi.BPF_LINK_TYPE_NETKIT]: device,
  [abi.BPF_LINK_TYPE_SOCKMAP]: members(LINK_INFO.sockmap, (i) => ({ map_id: i.mapId, attach_type: i.attachType })),
};

/** bpf_perf_link_fill_link_info(). */
function perfEvent(out: Uint8Array, i: LinkInfo, call: Call): void {
  const { perfEvent: event, cookie = 0n } = i;
  if (!event) return;
  LINK_INFO.perf.put(out, NO_ADDRESSES, { kind: abi.PERF_EVENT_KINDS[event.kind] });
  if (event.kind === "event") {
    LINK_INFO.perf_event.put(out, NO_ADDRESSES, { config: event.config, event_type: event.type, cookie });
    return;
  }
  text(out, LINK_INFO.perf_kprobe.offsetOf("name"), event.name ?? "", call);
  const offset = Number(event.offset ?? 0n);
  if (event.kind === "tracepoint") LINK_INFO.perf_tracepoint.put(out, NO_ADDRESSES, { cookie });
  else if (event.kind.startsWith("u")) LINK_INFO.perf_uprobe.put(out, NO_ADDRESSES, { offset, cookie });
  else {
    const { addr, missed } = event;
    LINK_INFO.perf_kprobe.put(out, NO_ADDRESSES, { offset, addr, missed, cookie });
  }
}

/** Arrays of u64 at pointers of the caller's struct, which has room for `room` each. @throws ENOSPC after a part */
function arrays(call: Call, all: readonly (readonly [addr: bigint, values: readonly bigint[]])[], room: number): void {
  for (const [addr, values] of all) {
    if (addr) call.write(addr, new Uint8Array(BigUint64Array.from(values.slice(0, room)).buffer));
  }
  const count = all[0]?.[1].length ?? 0;
  if (all[0]?.[0] && room < count) refuse(ENOSPC, `${count} probes; there is room for ${room}`, { room });
}

const zeros = (values: readonly bigint[], count: number): readonly bigint[] =>
  values.length ? values : Array.from({ length: count }, () => 0n);

function kprobeMulti(out: Uint8Array, i: LinkInfo, call: Call): void {
  const layout = LINK_INFO.kprobe_multi;
  const given = layout.unpack(out);
  const multi = i.kprobeMulti!;
  if ((given.addrs === 0n) !== (given.count === 0)) refuse(EINVAL, `room for ${given.count} addresses`);
  if (given.cookies && !given.count) refuse(EINVAL, "room for no cookies");
  const { count, flags, missed, addrs, cookies } = multi;
  layout.put(out, NO_ADDRESSES, { count, flags, missed });
  const lists = [
    [given.addrs, addrs],
    [given.cookies, zeros(cookies, count)],
  ] as const;
  arrays(call, lists, given.count);
}

function uprobeMulti(out: Uint8Array, i: LinkInfo, call: Call): void {
  const layout = LINK_INFO.uprobe_multi;
  const given = layout.unpack(out);
  const { path, count, flags, pid, offsets, refCtrOffsets, cookies } = i.uprobeMulti!;
  if ((given.path === 0n) !== (given.path_size === 0)) refuse(EINVAL, `room of ${given.path_size} bytes for the path`);
  if ((given.offsets || given.ref_ctr_offsets || given.cookies) && !given.count) refuse(EINVAL, "room for no probes");
  const bytes = cString(path);
  layout.put(out, NO_ADDRESSES, { count, flags, pid, path_size: bytes.length });
  if (given.path && given.path_size < bytes.length) {
    refuse(ENOSPC, `a path of ${bytes.length} bytes; there is room for ${given.path_size}`);
  }
  if (given.path) call.write(given.path, bytes);
  const lists = [
    [given.offsets, offsets],
    [given.ref_ctr_offsets, zeros(refCtrOffsets, count)],
    [given.cookies, zeros(cookies, count)],
  ] as const;
  arrays(call, lists, given.count);
}

export function linkInfo(info: InfoCall, fd: Fd): void {
  const out = info.given(SIZE);
  const i = info.call.proc.linkInfo(fd);
  LINK_INFO.head.put(out, NO_ADDRESSES, { type: i.type, id: i.id, prog_id: i.progId });
  FILL[i.type]?.(out, i, info.call);
  info.answer(out);
}
