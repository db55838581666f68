/**
 * What the verifier takes from outside: the program, its maps, and the platform (program types, helpers, kfuncs, map
 * types, kernel BTF, limits). The verifier knows no kernel; a test passes two map types and one helper.
 */
import type { Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import type { Insns } from "../isa/insns.ts";
import type { BtfRecord } from "./btf_record.ts";
import type { Claims } from "./claims.ts";
import type { VerifierStats } from "./error.ts";
import type { PlatformTables } from "./tables.ts";
import type { Workspaces } from "./workspace.ts";

/** A map as the verifier sees it. Identity is object identity. */
export interface VerifierMap {
  readonly name: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_*. */
  readonly mapFlags: number;
  readonly mapExtra: bigint;
  /** The map's BTF and the ids of key and value in it. */
  readonly btf?: Btf | undefined;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  /** struct_ops maps: value type in the kernel's BTF. */
  readonly btfVmlinuxValueTypeId?: number;
  /** Special fields of the value (locks, timers, kptrs, lists, ...). */
  readonly record?: BtfRecord | undefined;
  /** inner_map_meta of a map of maps. */
  readonly inner?: VerifierMap | undefined;
  readonly frozen: boolean;
  /** Created without CAP_PERFMON (!bypass_spec_v1). */
  readonly unprivileged?: boolean;
  /** Values of array maps sit in one block, so ld_imm64 may point into them (map_direct_value_addr). */
  readonly directValue?: boolean;
  /** Bytes of the value of a frozen read-only array map at `off`; undefined when they cannot be read. */
  readonly readValue?: (off: number, size: number) => Uint8Array | undefined;
}

export interface Caps {
  /** CAP_BPF. */
  readonly bpf: boolean;
  /** CAP_PERFMON: allow_ptr_leaks, allow_uninit_stack, bypass of speculation checks. */
  readonly perfmon: boolean;
  readonly netAdmin: boolean;
  readonly sysAdmin: boolean;
  /** CAP_DAC_OVERRIDE: reads and writes any file; absent is no. The verifier asks for none of these three. */
  readonly dacOverride?: boolean;
  /** CAP_FOWNER: what only a file's owner may do. */
  readonly fowner?: boolean;
  /** CAP_CHOWN. */
  readonly chown?: boolean;
}

export const ALL_CAPS: Caps = {
  bpf: true,
  perfmon: true,
  netAdmin: true,
  sysAdmin: true,
  dacOverride: true,
  fowner: true,
  chown: true,
};
export const NO_CAPS: Caps = { bpf: false, perfmon: false, netAdmin: false, sysAdmin: false };

export interface Limits {
  /** BPF_COMPLEXITY_LIMIT_INSNS. */
  readonly insns: number;
  /** BPF_COMPLEXITY_LIMIT_JMP_SEQ. */
  readonly jmpSeq: number;
  /** BPF_COMPLEXITY_LIMIT_STATES, for the unprivileged. */
  readonly states: number;
  /** MAX_USED_MAPS. */
  readonly usedMaps: number;
  readonly usedBtfs: number;
}

export const LIMITS: Limits = { insns: 1_000_000, jmpSeq: 8192, states: 64, usedMaps: 64, usedBtfs: 64 };

/** How a kernel was configured and is guarded, as far as that decides what loads. */
export interface KernelConfig {
  /** CONFIG_KALLSYMS_ALL: programs may take the addresses of its variables. */
  readonly kallsymsAll: boolean;
  /** BPF_PROG_TYPE_* that were left out of it. */
  readonly missingProgTypes: readonly number[];
  /** Errno with which it refuses programs that attach to its functions (fentry, fexit, fmod_ret, LSM); 0 = it takes them. */
  readonly trampolineErrno: Errno | 0;
}

export const FULL_CONFIG: KernelConfig = { kallsymsAll: true, missingProgTypes: [], trampolineErrno: 0 };

/** A kernel profile: everything that may differ between kernels. */
export interface Platform extends PlatformTables {
  /** "linux-6.18". */
  readonly name: string;
  /** vmlinux BTF. */
  readonly btf?: Btf | undefined;
  readonly limits: Limits;
  readonly config: KernelConfig;
}

/** A program that another one attaches to: freplace, fentry of a BPF program. */
export interface AttachProg {
  readonly type: number;
  readonly expectedAttachType: number;
  readonly btf?: Btf | undefined;
  readonly name: string;
  /** FUNC type ids of its subprograms, in order, and whether each is global. */
  readonly funcs: readonly {
    readonly typeId: number;
    readonly name: string;
    readonly global: boolean;
    readonly exceptionCb?: boolean;
    readonly changesPktData?: boolean;
    readonly mightSleep?: boolean;
  }[];
  readonly sleepable: boolean;
  readonly attachedToTracing?: boolean;
}

export interface FuncInfoRec {
  readonly insnIdx: number;
  readonly typeId: number;
}

export interface LineInfoRec {
  readonly insnIdx: number;
  readonly fileNameOff: number;
  readonly lineOff: number;
  readonly line: number;
  readonly column: number;
}

export interface VerifyInput {
  readonly name: string;
  readonly insns: Insns;
  /** BPF_PROG_TYPE_*. */
  readonly progType: number;
  readonly expectedAttachType: number;
  /** License text of the program, "GPL". */
  readonly license: string;
  /** BPF_F_*. */
  readonly progFlags: number;
  readonly platform: Platform;
  readonly caps: Caps;
  /** Map behind an fd (BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE); undefined = EBADF. */
  readonly mapByFd: (fd: number) => VerifierMap | undefined;
  /** Entry of attr.fd_array as a map (BPF_PSEUDO_MAP_IDX*). */
  readonly mapByIdx?: (idx: number) => VerifierMap | undefined;
  /** Entry of attr.fd_array as a module BTF (kfunc calls with off != 0). */
  readonly btfByIdx?: (idx: number) => Btf | undefined;
  /** BTF behind an fd (BPF_PSEUDO_BTF_ID of a module; 0 = vmlinux). */
  readonly btfByFd?: (fd: number) => Btf | undefined;
  /** The program's own BTF. */
  readonly btf?: Btf | undefined;
  readonly funcInfo?: readonly FuncInfoRec[];
  readonly lineInfo?: readonly LineInfoRec[];
  /** attr.attach_btf_id in attachBtf (default: the platform's BTF) or in attachProg's BTF. */
  readonly attachBtfId?: number;
  readonly attachBtf?: Btf | undefined;
  readonly attachProg?: AttachProg | undefined;
  /** 1 branch, 2 instructions, 4 statistics. */
  readonly logLevel?: number;
  /** Count visits and comparisons for stats.complexity; slower. */
  readonly complexity?: boolean;
  /** Takes what the verification claims about registers; costs time and memory. */
  readonly claims?: Claims;
  /** For time spent; absent = 0. */
  readonly nowUs?: () => number;
  /** Room that verifications leave to the next ones; absent: made for this one. */
  readonly workspaces?: Workspaces;
}

export interface VerifiedSubprog {
  readonly name: string;
  /** Instruction indexes, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Bytes, at most 512. */
  readonly stackDepth: number;
  readonly global: boolean;
  readonly isCallback: boolean;
  readonly isExceptionCb: boolean;
  /** Itself or what it calls. */
  readonly changesPktData: boolean;
  readonly mightSleep: boolean;
}

/** A map named by an ld_imm64: `off` is undefined for the map itself, else the byte in its only value. */
export interface MapRef {
  readonly map: VerifierMap;
  readonly off: number | undefined;
}

declare const verified: unique symbol;

/** Only verify() makes one, so an unchecked program cannot reach an engine. */
export interface VerifiedProg {
  readonly [verified]: true;
  readonly name: string;
  readonly progType: number;
  /** As given; ld_imm64 of maps still hold what the loader wrote, see mapRefs. */
  readonly insns: Insns;
  readonly subprogs: readonly VerifiedSubprog[];
  readonly usedMaps: readonly VerifierMap[];
  /** By index of the ld_imm64's first slot. */
  readonly mapRefs: ReadonlyMap<number, MapRef>;
  /** ld_imm64 with BPF_PSEUDO_BTF_ID: the kernel variable or function whose address is meant. */
  readonly ksymRefs: ReadonlyMap<number, { readonly name: string; readonly btfId: number; readonly btf: Btf }>;
  /** Kfunc calls by instruction index. */
  readonly kfuncRefs: ReadonlyMap<number, { readonly name: string; readonly btfId: number }>;
  /** 1 where the verifier was. */
  readonly seen: Uint8Array;
  /** 1 where a load may fault and then yields 0. */
  readonly probeMem: Uint8Array;
  /** By helper call: the map given to it, when it was the same on every path. */
  readonly callMaps: ReadonlyMap<number, VerifierMap>;
  readonly stats: VerifierStats;
  readonly log: string;
  /** End of the context that the program reads or writes (aux->max_ctx_offset). */
  readonly maxCtxOffset: number;
  /** Bytes of keys and of values that an iterator of map elements uses, and of the buffer of a writable tracepoint. */
  readonly bufAccess: { readonly rdonly: number; readonly rdwr: number; readonly tracepoint: number };
  readonly sleepable: boolean;
  readonly hasTailCall: boolean;
  readonly changesPktData: boolean;
  readonly mightSleep: boolean;
}
