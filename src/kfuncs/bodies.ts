/**
 * Bodies of kfuncs, by name: the same shapes as helpers (src/helpers/helper.ts), so engines call them the same way.
 *
 * A kfunc without an entry here is called with `unsupported`: it returns -errno, NULL where it returns a pointer.
 */
import {
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_NETFILTER,
  BPF_PROG_TYPE_SK_REUSEPORT,
  BPF_PROG_TYPE_SOCKET_FILTER,
} from "../abi/bpf.ts";
import { EINVAL, EOPNOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { formatBpf } from "../helpers/format.ts";
import type { Helper, Runtime } from "../helpers/helper.ts";
import { arrayArgs } from "../helpers/print.ts";
import { KF_ACQUIRE, KF_ARENA_RET, KF_RET_NULL } from "./kfunc.ts";
import { KFUNCS } from "./table.ts";

/** The program that calls. */
export interface KfuncCaller {
  readonly progType: number;
  readonly btf: Btf | undefined;
  /** Takes text for a stream of the program; 0 or -errno. */
  readonly streams: { write(stream: number, text: string): number };
}

interface Body {
  readonly abi: string;
  readonly core?: string;
  readonly call?: (rt: Runtime, ...args: number[]) => number;
  readonly callsBack?: boolean;
  readonly throws?: true;
  /** Made for one program, when the body depends on it. */
  readonly bind?: (caller: KfuncCaller) => Pick<Body, "core" | "call">;
}

const nothing = (): number => 0;
const identity = (_rt: Runtime, p: number): number => p;
/** What drivers without the metadata operation say: veth test runs and generic XDP among them. */
const noMetadata = (): number => -EOPNOTSUPP;

/** They see packets but may not write them. */
const READ_ONLY_SKB = new Set<number>([
  BPF_PROG_TYPE_CGROUP_SKB,
  BPF_PROG_TYPE_LWT_IN,
  BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_SK_REUSEPORT,
  BPF_PROG_TYPE_SOCKET_FILTER,
]);

const BODIES: Readonly<Record<string, Body>> = {
  bpf_iter_num_new: { abi: "ppp:i", core: "iter_num_new" },
  bpf_iter_num_next: { abi: "p:p", core: "iter_num_next" },
  bpf_iter_num_destroy: { abi: "p:v", core: "iter_num_destroy" },
  bpf_dynptr_from_skb: {
    abi: "pqp:i",
    bind: ({ progType }) =>
      progType === BPF_PROG_TYPE_NETFILTER
        ? { call: dynptrFromSkBuff }
        : { core: READ_ONLY_SKB.has(progType) ? "dynptr_from_skb_rdonly" : "dynptr_from_skb" },
  },
  bpf_dynptr_from_skb_meta: { abi: "pqp:i", core: "dynptr_from_skb_meta" },
  bpf_dynptr_from_xdp: { abi: "pqp:i", core: "dynptr_from_xdp" },
  bpf_dynptr_slice: { abi: "pppp:p", core: "dynptr_slice" },
  bpf_dynptr_slice_rdwr: { abi: "pppp:p", core: "dynptr_slice_rdwr" },
  bpf_dynptr_adjust: { abi: "ppp:i", core: "dynptr_adjust" },
  bpf_dynptr_is_null: { abi: "p:i", core: "dynptr_is_null" },
  bpf_dynptr_is_rdonly: { abi: "p:i", core: "dynptr_is_rdonly" },
  bpf_dynptr_size: { abi: "p:p", core: "dynptr_size" },
  bpf_dynptr_clone: { abi: "pp:i", core: "dynptr_clone" },
  bpf_dynptr_copy: { abi: "ppppp:i", call: dynptrCopy },
  bpf_session_is_return: { abi: ":i", call: (rt) => (rt.services.session.current()?.isReturn ? 1 : 0) },
  bpf_session_cookie: { abi: ":p", call: (rt) => rt.services.session.current()?.cookie ?? 0 },
  bpf_rcu_read_lock: { abi: ":v", call: nothing },
  bpf_rcu_read_unlock: { abi: ":v", call: nothing },
  bpf_preempt_disable: { abi: ":v", call: nothing },
  bpf_preempt_enable: { abi: ":v", call: nothing },
  bpf_local_irq_save: { abi: "p:v", call: nothing },
  bpf_local_irq_restore: { abi: "p:v", call: nothing },
  bpf_cast_to_kern_ctx: { abi: "p:p", call: identity },
  bpf_rdonly_cast: { abi: "pp:p", call: identity },
  bpf_xdp_metadata_rx_timestamp: { abi: "pp:i", call: noMetadata },
  bpf_xdp_metadata_rx_hash: { abi: "ppp:i", call: noMetadata },
  bpf_xdp_metadata_rx_vlan_tag: { abi: "ppp:i", call: noMetadata },
  bpf_iter_bits_new: { abi: "pqp:i", core: "iter_bits_new" },
  bpf_iter_bits_next: { abi: "p:p", core: "iter_bits_next" },
  bpf_iter_bits_destroy: { abi: "p:v", core: "iter_bits_destroy" },
  bpf_obj_new_impl: {
    abi: "qp:p",
    bind: ({ btf }) => ({ call: (rt, typeId) => (btf ? rt.services.objects.alloc(btf, typeId) : 0) }),
  },
  bpf_stream_vprintk_impl: {
    abi: "ppppp:i",
    bind: ({ streams }) => ({ call: (rt, stream, ...printed) => streamPrintk(rt, streams, stream, ...printed) }),
  },
  bpf_throw: { abi: "q:v", throws: true },
  bpf_obj_drop_impl: { abi: "pp:v", call: objDrop },
  bpf_refcount_acquire_impl: { abi: "pp:p", call: (rt, obj) => (rt.services.objects.acquire(obj >>> 0) ? obj : 0) },
  bpf_list_push_front_impl: { abi: "pppp:i", call: (rt, head, node) => listPush(rt, head, node, 0) },
  bpf_list_push_back_impl: { abi: "pppp:i", call: (rt, head, node) => listPush(rt, head, node, 1) },
  bpf_list_pop_front: { abi: "p:p", core: "list_pop_front" },
  bpf_list_pop_back: { abi: "p:p", core: "list_pop_back" },
  bpf_list_front: { abi: "p:p", core: "list_front" },
  bpf_list_back: { abi: "p:p", core: "list_back" },
  bpf_rbtree_add_impl: { abi: "ppppp:i", call: rbtreeAdd, callsBack: true },
  bpf_rbtree_remove: { abi: "pp:p", core: "rbtree_remove" },
  bpf_rbtree_first: { abi: "p:p", core: "rbtree_first" },
  bpf_rbtree_root: { abi: "p:p", core: "rbtree_root" },
  bpf_rbtree_left: { abi: "pp:p", core: "rbtree_left" },
  bpf_rbtree_right: { abi: "pp:p", core: "rbtree_right" },
};

/** A longer format is cut off: the verifier has seen that it is text with a NUL. */
const MAX_FORMAT = 4096;

function streamPrintk(
  rt: Runtime,
  streams: KfuncCaller["streams"],
  stream: number,
  fmt = 0,
  data = 0,
  dataLen = 0,
): number {
  const args = arrayArgs(rt, data, dataLen);
  if (!args) return -EINVAL;
  const at = fmt >>> 0;
  const end = rt.memory.u8.indexOf(0, at);
  const text = formatBpf(rt.memory, at, Math.min(end - at + 1, MAX_FORMAT), args);
  return typeof text === "number" ? text : streams.write(stream, text);
}

interface SkbExports {
  dynptr_from_skb_rdonly(skb: number, flags: bigint, ptr: number): number;
}

/** Netfilter programs hold a struct sk_buff; the packet is in the record behind it. */
function dynptrFromSkBuff(rt: Runtime, skb: number, lo: number, hi: number, ptr: number): number {
  const record = rt.services.net.skbRecord(skb >>> 0);
  const flags = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return rt.memory.exports<SkbExports>().dynptr_from_skb_rdonly(record, flags, ptr);
}

interface CopyExports {
  dynptr_copy_through(dst: number, dstOff: number, src: number, srcOff: number, size: number, tmp: number): number;
}

function dynptrCopy(rt: Runtime, dst: number, dstOff: number, src: number, srcOff: number, size: number): number {
  const { memory } = rt;
  const tmp = memory.alloc(64);
  const err = memory.exports<CopyExports>().dynptr_copy_through(dst, dstOff, src, srcOff, size, tmp);
  memory.free(tmp);
  return err;
}

/** Objects that programs allocate: the kernel knows the type of each, so that what they hold is let go with them. */
export interface ObjectService {
  /** Zeroed memory for a struct of the program's own BTF, with a count of 1 where it has one; 0 = no memory. */
  alloc(btf: Btf, typeId: number): number;
  /** One reference less; the last one frees the object and what its fields own. */
  drop(obj: number): void;
  acquire(obj: number): boolean;
  /** The object in which a list or tree node lies. */
  containerOf(node: number): number | undefined;
}

declare module "../helpers/helper.ts" {
  interface RuntimeServices {
    /** The session in whose entry or return run a kprobe or uprobe program is; `cookie` is the address of a u64. */
    readonly session: { current(): { readonly isReturn: boolean; readonly cookie: number } | undefined };
    readonly objects: ObjectService;
  }
}

interface GraphExports {
  list_add(node: number, head: number, back: number): number;
  rb_link(root: number, node: number, parent: number, left: number): void;
}

function objDrop(rt: Runtime, obj: number): number {
  if (obj) rt.services.objects.drop(obj >>> 0);
  return 0;
}

/** A node that is in a list or tree already cannot be added: the reference that came with it is dropped. */
function refuseNode(rt: Runtime, node: number): number {
  const obj = rt.services.objects.containerOf(node);
  if (obj !== undefined) rt.services.objects.drop(obj);
  return -EINVAL;
}

function listPush(rt: Runtime, head: number, node: number, back: number): number {
  return rt.memory.exports<GraphExports>().list_add(node, head, back) ? 0 : refuseNode(rt, node >>> 0);
}

const TREE_OWNER = 24;
const TREE_RIGHT = 8;
const TREE_LEFT = 16;

function rbtreeAdd(rt: Runtime, root: number, node: number, less: number): number {
  const { memory } = rt;
  if (memory.readU32((node >>> 0) + TREE_OWNER)) return refuseNode(rt, node >>> 0);
  let parent = 0;
  let left = 0;
  for (let at = memory.readU32(root >>> 0); at; at = memory.readU32(at + (left ? TREE_LEFT : TREE_RIGHT))) {
    parent = at;
    left = rt.callback(less, node, at, 0, 0, 0) & 1;
  }
  memory.exports<GraphExports>().rb_link(root, node, parent, left);
  return 0;
}

/** The body of a kfunc for calls from one program. */
export function kfuncBody(name: string, caller: KfuncCaller): Helper {
  const body = BODIES[name];
  const base = { id: -1, name, proto: { args: [], ret: 0 } };
  if (!body) {
    const pointer = ((KFUNCS.get(name)?.flags ?? 0) & (KF_ACQUIRE | KF_RET_NULL | KF_ARENA_RET)) !== 0;
    return {
      ...base,
      abi: pointer ? "qqqqq:p" : "qqqqq:q",
      unsupported: { errno: EOPNOTSUPP, reason: `${name} is not modelled` },
    };
  }
  if (body.throws) return { ...base, abi: body.abi, throws: true };
  const { core, call } = body.bind?.(caller) ?? body;
  const callsBack = body.callsBack ?? false;
  return {
    ...base,
    abi: body.abi,
    callsBack,
    ...(core === undefined ? {} : { core }),
    ...(call === undefined ? {} : { call }),
  };
}

/** Names of kfuncs that do something. */
export const KFUNCS_WITH_BODY: ReadonlySet<string> = new Set(Object.keys(BODIES));
