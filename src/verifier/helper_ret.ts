/**
 * r0 after a helper: its type by the prototype, the reference it may carry, and bounds that some helpers promise.
 *
 * Source   check_helper_call(), do_refine_retval_range() in kernel/bpf/verifier.c.
 */
import { BPF_MAP_TYPE_SOCKHASH, BPF_MAP_TYPE_SOCKMAP } from "../abi/bpf.ts";
import { EINVAL } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import {
  BASE_TYPE_MASK,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  RET_INTEGER,
  RET_PTR_TO_BTF_ID,
  RET_PTR_TO_MAP_VALUE,
  RET_PTR_TO_MEM,
  RET_PTR_TO_MEM_OR_BTF_ID,
  RET_PTR_TO_SOCK_COMMON,
  RET_PTR_TO_SOCKET,
  RET_PTR_TO_TCP_SOCK,
  RET_VOID,
} from "../helpers/types.ts";
import { MAX_ERRNO } from "../progs/lsm_hooks.ts";
import { hasField } from "./btf_record.ts";
import type { VerifierEnv } from "./env.ts";
import type { CallMeta } from "./helper_call.ts";
import { R_S32_MAX, R_S32_MIN, R_U32_MAX, R_U32_MIN } from "./layout.ts";
import { canElideNullness } from "./map_key.ts";
import { acquireReference } from "./refs.ts";
import { kernelStruct } from "./reg_match.ts";
import {
  baseType,
  NOT_INIT,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
} from "./reg_type.ts";
import {
  boundsSanityCheck,
  boundsSync,
  CALLER_SAVED,
  markRegKnownZero,
  markRegNotInit,
  markRegUnknown,
  narrowS32,
  setRange64,
} from "./regs.ts";
import type { Reg } from "./state.ts";

/** CPUs of the machine that bounds bpf_get_smp_processor_id(); as many as Linux is usually built for. */
const NR_CPU_IDS = 2;

/** The argument's reference becomes the result's. */
const PTR_CASTS = new Set([
  "tcp_sock",
  "sk_fullsock",
  "skc_to_tcp_sock",
  "skc_to_tcp6_sock",
  "skc_to_udp6_sock",
  "skc_to_mptcp_sock",
  "skc_to_tcp_timewait_sock",
  "skc_to_tcp_request_sock",
  "skc_to_unix_sock",
]);
const ACQUIRES = new Set(["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp", "ringbuf_reserve", "kptr_xchg"]);

function acquires(meta: CallMeta): boolean {
  if (ACQUIRES.has(meta.func)) return true;
  const type = meta.map?.type;
  return meta.func === "map_lookup_elem" && (type === BPF_MAP_TYPE_SOCKMAP || type === BPF_MAP_TYPE_SOCKHASH);
}

/** Results that are a length or a negative errno, bounded by the size that was passed. */
const BOUNDED_BY_SIZE = new Set([
  "get_stack",
  "get_task_stack",
  "probe_read_str",
  "probe_read_kernel_str",
  "probe_read_user_str",
]);

/** r1 to r5 are gone, r0 is what the helper returns. */
export function setHelperResult(env: VerifierEnv, meta: CallMeta): void {
  const R = env.R;
  for (const regno of CALLER_SAVED) markRegNotInit(env, env.reg(regno));
  const r0 = env.reg(0);
  R.setSubregDef(r0, 0);
  const ret = meta.proto.ret;
  RESULTS[ret & BASE_TYPE_MASK](env, meta, r0, ret & ~BASE_TYPE_MASK);

  if (R.type(r0) & PTR_MAYBE_NULL) R.setId(r0, ++env.idGen);
  if (meta.func === "dynptr_data") {
    R.setDynptrId(r0, meta.dynptrId);
    R.setRefObjId(r0, meta.refObjId);
  } else if (PTR_CASTS.has(meta.func)) {
    R.setRefObjId(r0, meta.refObjId);
  } else if (acquires(meta)) {
    const id = acquireReference(env, meta.insnIdx);
    R.setId(r0, id);
    R.setRefObjId(r0, id);
  }
  if ((ret & BASE_TYPE_MASK) === RET_INTEGER) refine(env, meta, r0);
}

function refine(env: VerifierEnv, meta: CallMeta, r0: Reg): void {
  const R = env.R;
  if (BOUNDED_BY_SIZE.has(meta.func)) {
    narrowS32(env, r0, -MAX_ERRNO, meta.msizeMax, "retval");
  } else if (meta.func === "get_smp_processor_id") {
    const max = NR_CPU_IDS - 1;
    setRange64(env, r0, 0, max);
    R.i32[(r0 + R_S32_MIN) >> 2] = 0;
    R.i32[(r0 + R_S32_MAX) >> 2] = max;
    R.i32[(r0 + R_U32_MIN) >> 2] = 0;
    R.i32[(r0 + R_U32_MAX) >> 2] = max;
    boundsSync(env, r0);
    boundsSanityCheck(env, r0, "retval");
  }
}

type Result = (env: VerifierEnv, meta: CallMeta, r0: Reg, flags: number) => void;

function pointer(type: number): Result {
  return (env, _meta, r0, flags) => {
    markRegKnownZero(env, r0);
    env.R.setType(r0, type | flags);
  };
}

function btfPointer(env: VerifierEnv, r0: Reg, btf: Btf, id: number, flags: number): void {
  markRegKnownZero(env, r0);
  env.R.setType(r0, PTR_TO_BTF_ID | flags);
  env.R.setBtf(r0, env.btfIndex(btf), id);
}

const RESULTS: Readonly<Record<number, Result>> = {
  [RET_INTEGER](env, _meta, r0) {
    markRegUnknown(env, r0);
  },
  [RET_VOID](env, _meta, r0) {
    env.R.setType(r0, NOT_INIT);
  },
  [RET_PTR_TO_MAP_VALUE](env, meta, r0, flags) {
    const R = env.R;
    const map = meta.map;
    if (!map) return env.reject(EINVAL, "kernel subsystem misconfigured verifier");
    if (meta.func === "map_lookup_elem" && canElideNullness(map)) {
      if (meta.constKey >= 0 && meta.constKey < map.maxEntries) flags &= ~PTR_MAYBE_NULL;
    }
    markRegKnownZero(env, r0);
    R.setMap(r0, env.mapIndex(map), meta.mapUid);
    R.setType(r0, PTR_TO_MAP_VALUE | flags);
    if (!(flags & PTR_MAYBE_NULL) && hasField(env.facts.mapRecord(map), "spin_lock", "res_spin_lock")) {
      R.setId(r0, ++env.idGen);
    }
  },
  [RET_PTR_TO_SOCKET]: pointer(PTR_TO_SOCKET),
  [RET_PTR_TO_SOCK_COMMON]: pointer(PTR_TO_SOCK_COMMON),
  [RET_PTR_TO_TCP_SOCK]: pointer(PTR_TO_TCP_SOCK),
  [RET_PTR_TO_MEM](env, meta, r0, flags) {
    pointer(PTR_TO_MEM)(env, meta, r0, flags);
    env.R.setMemSize(r0, meta.memSize);
  },
  [RET_PTR_TO_MEM_OR_BTF_ID](env, meta, r0, flags) {
    const btf = meta.retBtf!;
    const id = btf.resolve(meta.retBtfId);
    if (btf.isComposite(id)) {
      const { perCpuObject } = meta;
      btfPointer(env, r0, btf, id, perCpuObject ? MEM_ALLOC | MEM_RCU : flags & ~MEM_RDONLY);
      return;
    }
    const size = btf.size(id);
    if (size < 0) env.reject(EINVAL, `unable to resolve the size of type '${btf.nameOf(id)}': -22`);
    pointer(PTR_TO_MEM)(env, meta, r0, flags);
    env.R.setMemSize(r0, size);
  },
  [RET_PTR_TO_BTF_ID](env, meta, r0, flags) {
    if (meta.func === "kptr_xchg") {
      const field = meta.kptrField!;
      const { btf, btfId, kernel } = field.kptr!;
      if (!kernel) flags |= MEM_ALLOC | (field.kind === "kptr_percpu" ? MEM_PERCPU : 0);
      btfPointer(env, r0, btf, btfId, flags);
      return;
    }
    const want = kernelStruct(env, meta.proto.retBtf ?? "");
    if (!want?.id) {
      return env.reject(
        EINVAL,
        `invalid return type ${baseType(meta.proto.ret)} of func bpf_${meta.func}#${meta.helper.id}`,
      );
    }
    btfPointer(env, r0, want.btf, want.id, flags);
  },
};
