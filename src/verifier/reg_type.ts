/**
 * What a register holds (enum bpf_reg_type) and what a byte of the stack holds (enum bpf_stack_slot_type).
 *
 * A register's type is `base | flags`, with the flags of helpers/types.ts (PTR_MAYBE_NULL, MEM_RDONLY, ...).
 */
import {
  BASE_TYPE_MASK,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  MEM_RINGBUF,
  MEM_USER,
  PTR_MAYBE_NULL,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../helpers/types.ts";

export const NOT_INIT = 0;
export const SCALAR_VALUE = 1;
export const PTR_TO_CTX = 2;
export const CONST_PTR_TO_MAP = 3;
export const PTR_TO_MAP_VALUE = 4;
export const PTR_TO_MAP_KEY = 5;
export const PTR_TO_STACK = 6;
export const PTR_TO_PACKET_META = 7;
export const PTR_TO_PACKET = 8;
export const PTR_TO_PACKET_END = 9;
export const PTR_TO_FLOW_KEYS = 10;
export const PTR_TO_SOCKET = 11;
export const PTR_TO_SOCK_COMMON = 12;
export const PTR_TO_TCP_SOCK = 13;
export const PTR_TO_TP_BUFFER = 14;
export const PTR_TO_XDP_SOCK = 15;
export const PTR_TO_BTF_ID = 16;
export const PTR_TO_MEM = 17;
export const PTR_TO_ARENA = 18;
export const PTR_TO_BUF = 19;
export const PTR_TO_FUNC = 20;
export const CONST_PTR_TO_DYNPTR = 21;

/** One byte of a stack slot. */
export const STACK_INVALID = 0;
export const STACK_SPILL = 1;
export const STACK_MISC = 2;
export const STACK_ZERO = 3;
export const STACK_DYNPTR = 4;
export const STACK_ITER = 5;
export const STACK_IRQ_FLAG = 6;

export const BPF_READ = 1;
export const BPF_WRITE = 2;

const BASE_NAMES: Record<number, string> = {
  [NOT_INIT]: "?",
  [SCALAR_VALUE]: "scalar",
  [PTR_TO_CTX]: "ctx",
  [CONST_PTR_TO_MAP]: "map_ptr",
  [PTR_TO_MAP_VALUE]: "map_value",
  [PTR_TO_MAP_KEY]: "map_key",
  [PTR_TO_STACK]: "fp",
  [PTR_TO_PACKET_META]: "pkt_meta",
  [PTR_TO_PACKET]: "pkt",
  [PTR_TO_PACKET_END]: "pkt_end",
  [PTR_TO_FLOW_KEYS]: "flow_keys",
  [PTR_TO_SOCKET]: "sock",
  [PTR_TO_SOCK_COMMON]: "sock_common",
  [PTR_TO_TCP_SOCK]: "tcp_sock",
  [PTR_TO_TP_BUFFER]: "tp_buffer",
  [PTR_TO_XDP_SOCK]: "xdp_sock",
  [PTR_TO_BTF_ID]: "ptr_",
  [PTR_TO_MEM]: "mem",
  [PTR_TO_ARENA]: "arena",
  [PTR_TO_BUF]: "buf",
  [PTR_TO_FUNC]: "func",
  [CONST_PTR_TO_DYNPTR]: "dynptr_ptr",
};

export function baseType(type: number): number {
  return type & BASE_TYPE_MASK;
}

export function typeFlags(type: number): number {
  return type & ~BASE_TYPE_MASK;
}

export function typeMayBeNull(type: number): boolean {
  return (type & PTR_MAYBE_NULL) !== 0;
}

/** reg_type_str(): "rdonly_mem_or_null", "trusted_ptr_", as the log prints types. */
export function regTypeStr(type: number): string {
  const base = baseType(type);
  const postfix = type & PTR_MAYBE_NULL ? (base === PTR_TO_BTF_ID ? "or_null_" : "_or_null") : "";
  const prefix =
    (type & MEM_RDONLY ? "rdonly_" : "") +
    (type & MEM_RINGBUF ? "ringbuf_" : "") +
    (type & MEM_USER ? "user_" : "") +
    (type & MEM_PERCPU ? "percpu_" : "") +
    (type & MEM_RCU ? "rcu_" : "") +
    (type & PTR_UNTRUSTED ? "untrusted_" : "") +
    (type & PTR_TRUSTED ? "trusted_" : "");
  return `${prefix}${BASE_NAMES[base] ?? "?"}${postfix}`;
}

/** Pointers that a null check never sees as NULL: reg_not_null() without the reference part. */
export function isPktPointer(type: number): boolean {
  const base = baseType(type);
  return base === PTR_TO_PACKET || base === PTR_TO_PACKET_META;
}

export function isSkPointer(type: number): boolean {
  return type === PTR_TO_SOCKET || type === PTR_TO_SOCK_COMMON || type === PTR_TO_TCP_SOCK || type === PTR_TO_XDP_SOCK;
}
