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
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Helper, Runtime } from "../helpers/helper.ts";
import type { VAddr } from "../memory/memory.ts";
import { KF_ACQUIRE, KF_RET_NULL } from "./kfunc.ts";
import { KFUNCS } from "./table.ts";

/** The program that calls. */
export interface KfuncCaller {
  readonly progType: number;
  readonly btf: Btf | undefined;
}

interface Body {
  readonly abi: string;
  readonly core?: string;
  readonly call?: (rt: Runtime, ...args: number[]) => number;
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
  BPF_PROG_TYPE_NETFILTER,
  BPF_PROG_TYPE_SK_REUSEPORT,
  BPF_PROG_TYPE_SOCKET_FILTER,
]);

const BODIES: Readonly<Record<string, Body>> = {
  bpf_iter_num_new: { abi: "ppp:i", core: "iter_num_new" },
  bpf_iter_num_next: { abi: "p:p", core: "iter_num_next" },
  bpf_iter_num_destroy: { abi: "p:v", core: "iter_num_destroy" },
  bpf_dynptr_from_skb: {
    abi: "pqp:i",
    bind: ({ progType }) => ({ core: READ_ONLY_SKB.has(progType) ? "dynptr_from_skb_rdonly" : "dynptr_from_skb" }),
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
  bpf_obj_new_impl: { abi: "qp:p", bind: ({ btf }) => ({ call: (rt, typeId) => objNew(rt, btf, typeId) }) },
  bpf_obj_drop_impl: { abi: "pp:v", call: objDrop },
};

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

/** Zeroed memory for the program's own struct; NULL when memory is out. */
function objNew(rt: Runtime, btf: Btf | undefined, typeId: number): number {
  return btf
    ? rt.memory.exports<{ mem_alloc(size: number, align: number): number }>().mem_alloc(btf.size(typeId), 16)
    : 0;
}

function objDrop(rt: Runtime, obj: number): number {
  if (obj) rt.memory.free((obj >>> 0) as VAddr);
  return 0;
}

/** The body of a kfunc for calls from one program. */
export function kfuncBody(name: string, caller: KfuncCaller): Helper {
  const body = BODIES[name];
  const base = { id: -1, name, proto: { args: [], ret: 0 } };
  if (!body) {
    const pointer = ((KFUNCS.get(name)?.flags ?? 0) & (KF_ACQUIRE | KF_RET_NULL)) !== 0;
    return {
      ...base,
      abi: pointer ? "qqqqq:p" : "qqqqq:q",
      unsupported: { errno: EOPNOTSUPP, reason: `${name} is not modelled` },
    };
  }
  const { core, call } = body.bind?.(caller) ?? body;
  return { ...base, abi: body.abi, ...(core === undefined ? {} : { core }), ...(call === undefined ? {} : { call }) };
}

/** Names of kfuncs that do something. */
export const KFUNCS_WITH_BODY: ReadonlySet<string> = new Set(Object.keys(BODIES));
