/**
 * The vocabulary of helper and kfunc prototypes: argument types, return types and the type flags they share with the
 * verifier's register types.
 *
 * Layout   a type is `base | flags`; the base is the low 8 bits, each flag one bit above them. All fit 31 bits, so
 *          they are plain numbers here and u32 in the verifier's records.
 * Source   include/linux/bpf.h: enum bpf_type_flag, bpf_arg_type, bpf_return_type, struct bpf_func_proto.
 */

export const BASE_TYPE_BITS = 8;
export const BASE_TYPE_MASK = 0xff;

// Type flags.
export const PTR_MAYBE_NULL = 1 << 8;
/** On an argument: read-only memory is accepted as well. */
export const MEM_RDONLY = 1 << 9;
export const MEM_RINGBUF = 1 << 10;
export const MEM_USER = 1 << 11;
export const MEM_PERCPU = 1 << 12;
export const OBJ_RELEASE = 1 << 13;
export const PTR_UNTRUSTED = 1 << 14;
export const MEM_UNINIT = 1 << 15;
export const DYNPTR_TYPE_LOCAL = 1 << 16;
export const DYNPTR_TYPE_RINGBUF = 1 << 17;
export const MEM_FIXED_SIZE = 1 << 18;
export const MEM_ALLOC = 1 << 19;
export const PTR_TRUSTED = 1 << 20;
export const MEM_RCU = 1 << 21;
export const NON_OWN_REF = 1 << 22;
export const DYNPTR_TYPE_SKB = 1 << 23;
export const DYNPTR_TYPE_XDP = 1 << 24;
export const MEM_ALIGNED = 1 << 25;
export const MEM_WRITE = 1 << 26;
export const DYNPTR_TYPE_SKB_META = 1 << 27;

export const DYNPTR_TYPE_MASK =
  DYNPTR_TYPE_LOCAL | DYNPTR_TYPE_RINGBUF | DYNPTR_TYPE_SKB | DYNPTR_TYPE_XDP | DYNPTR_TYPE_SKB_META;

// Argument types (bases).
export const ARG_DONTCARE = 0;
export const ARG_CONST_MAP_PTR = 1;
export const ARG_PTR_TO_MAP_KEY = 2;
export const ARG_PTR_TO_MAP_VALUE = 3;
export const ARG_PTR_TO_MEM = 4;
export const ARG_PTR_TO_ARENA = 5;
export const ARG_CONST_SIZE = 6;
export const ARG_CONST_SIZE_OR_ZERO = 7;
export const ARG_PTR_TO_CTX = 8;
export const ARG_ANYTHING = 9;
export const ARG_SCALAR = 10;
export const ARG_PTR_TO_SPIN_LOCK = 11;
export const ARG_PTR_TO_SOCK_COMMON = 12;
export const ARG_PTR_TO_SOCKET = 13;
export const ARG_PTR_TO_BTF_ID = 14;
export const ARG_PTR_TO_RINGBUF_MEM = 15;
export const ARG_CONST_ALLOC_SIZE_OR_ZERO = 16;
export const ARG_PTR_TO_BTF_ID_SOCK_COMMON = 17;
export const ARG_PTR_TO_PERCPU_BTF_ID = 18;
export const ARG_PTR_TO_FUNC = 19;
export const ARG_PTR_TO_STACK = 20;
export const ARG_PTR_TO_CONST_STR = 21;
export const ARG_PTR_TO_TIMER = 22;
export const ARG_KPTR_XCHG_DEST = 23;
export const ARG_PTR_TO_DYNPTR = 24;

// Argument types with flags that are common enough to have names.
export const ARG_PTR_TO_MAP_VALUE_OR_NULL = PTR_MAYBE_NULL | ARG_PTR_TO_MAP_VALUE;
export const ARG_PTR_TO_MEM_OR_NULL = PTR_MAYBE_NULL | ARG_PTR_TO_MEM;
export const ARG_PTR_TO_CTX_OR_NULL = PTR_MAYBE_NULL | ARG_PTR_TO_CTX;
export const ARG_PTR_TO_SOCKET_OR_NULL = PTR_MAYBE_NULL | ARG_PTR_TO_SOCKET;
export const ARG_PTR_TO_STACK_OR_NULL = PTR_MAYBE_NULL | ARG_PTR_TO_STACK;
export const ARG_PTR_TO_BTF_ID_OR_NULL = PTR_MAYBE_NULL | ARG_PTR_TO_BTF_ID;
/** Memory that the helper fills; it need not be initialised. */
export const ARG_PTR_TO_UNINIT_MEM = MEM_UNINIT | MEM_WRITE | ARG_PTR_TO_MEM;
/** Memory whose size is in Proto.sizes. */
export const ARG_PTR_TO_FIXED_SIZE_MEM = MEM_FIXED_SIZE | ARG_PTR_TO_MEM;

// Return types (bases).
export const RET_INTEGER = 0;
export const RET_VOID = 1;
export const RET_PTR_TO_MAP_VALUE = 2;
export const RET_PTR_TO_SOCKET = 3;
export const RET_PTR_TO_TCP_SOCK = 4;
export const RET_PTR_TO_SOCK_COMMON = 5;
export const RET_PTR_TO_MEM = 6;
export const RET_PTR_TO_MEM_OR_BTF_ID = 7;
export const RET_PTR_TO_BTF_ID = 8;

// Return types with flags that are common enough to have names.
export const RET_PTR_TO_MAP_VALUE_OR_NULL = PTR_MAYBE_NULL | RET_PTR_TO_MAP_VALUE;
export const RET_PTR_TO_SOCKET_OR_NULL = PTR_MAYBE_NULL | RET_PTR_TO_SOCKET;
export const RET_PTR_TO_TCP_SOCK_OR_NULL = PTR_MAYBE_NULL | RET_PTR_TO_TCP_SOCK;
export const RET_PTR_TO_SOCK_COMMON_OR_NULL = PTR_MAYBE_NULL | RET_PTR_TO_SOCK_COMMON;
export const RET_PTR_TO_RINGBUF_MEM_OR_NULL = PTR_MAYBE_NULL | MEM_RINGBUF | RET_PTR_TO_MEM;
export const RET_PTR_TO_DYNPTR_MEM_OR_NULL = PTR_MAYBE_NULL | RET_PTR_TO_MEM;
export const RET_PTR_TO_BTF_ID_OR_NULL = PTR_MAYBE_NULL | RET_PTR_TO_BTF_ID;
export const RET_PTR_TO_BTF_ID_TRUSTED = PTR_TRUSTED | RET_PTR_TO_BTF_ID;

/** What the verifier must know about a helper function. */
export interface Proto {
  /** One per register from r1; absent registers are not looked at. */
  readonly args: readonly number[];
  readonly ret: number;
  /** Bytes, for arguments with MEM_FIXED_SIZE; same index as args. */
  readonly sizes?: readonly (number | undefined)[];
  /** Kernel struct names for BTF pointer arguments; same index as args. */
  readonly argBtf?: readonly (string | undefined)[];
  /** Kernel struct name of a BTF pointer result. */
  readonly retBtf?: string;
  readonly gplOnly?: boolean;
  /** Packet pointers may be given as memory. */
  readonly pktAccess?: boolean;
  /** Packet pointers known before the call are invalid after it. */
  readonly changesPktData?: boolean;
  readonly mightSleep?: boolean;
  /** The call clobbers only r0 and its arguments' registers when the JIT inlines it (bpf_fastcall). */
  readonly allowFastcall?: boolean;
}
