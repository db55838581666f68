/**
 * What is fixed for a whole verification and asked for all over: the program's type and what it may call, where it
 * attaches, its license, and the special fields of maps and structs.
 */
import {
  BPF_LSM_CGROUP,
  BPF_LSM_MAC,
  BPF_MODIFY_RETURN,
  BPF_PROG_TYPE_EXT,
  BPF_PROG_TYPE_LSM,
  BPF_PROG_TYPE_NETFILTER,
  BPF_PROG_TYPE_STRUCT_OPS,
  BPF_PROG_TYPE_TRACING,
  BPF_TRACE_FENTRY,
  BPF_TRACE_FEXIT,
} from "../abi/bpf.ts";
import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { type ProgType, variantKey } from "../progs/prog_types.ts";
import { type BtfRecord, mapRecord, StructMetas } from "./btf_record.ts";
import { mayCallHelper } from "./helper_rules.ts";
import type { VerifierMap, VerifyInput } from "./platform.ts";

/** BPF_F_SLEEPABLE. */
const F_SLEEPABLE = 16;

/** license_is_gpl_compatible(). */
const GPL_LICENSES = new Set([
  "GPL",
  "GPL v2",
  "GPL and additional rights",
  "Dual BSD/GPL",
  "Dual MIT/GPL",
  "Dual MPL/GPL",
]);

/** A context argument whose type is not what its BTF says (struct bpf_ctx_arg_aux). */
export interface CtxArgInfo {
  /** Bytes in the context. */
  readonly offset: number;
  readonly regType: number;
  readonly btf: Btf | undefined;
  readonly btfId: number;
  /** Referenced arguments (struct_ops `__ref`). */
  readonly refcounted?: boolean;
}

/** What a tracing, LSM, struct_ops or extension program attaches to; found by attach.ts before anything else. */
export interface AttachTarget {
  readonly btf: Btf;
  /** Name as messages print it. */
  readonly name: string;
  /** FUNC_PROTO id in btf; 0 = unknown prototype: five u64 arguments. */
  readonly protoId: number;
  /** A btf_trace_* typedef: the first parameter (void *__data) is not passed. */
  readonly skipFirst: boolean;
  readonly ctxArgs: readonly CtxArgInfo[];
  /** struct_ops: name of the struct and of the member. */
  readonly structOps?: { readonly struct: string; readonly member: string };
}

export class ProgFacts {
  readonly input: VerifyInput;
  /** BPF_PROG_TYPE_*; of an extension, its target's (resolve_prog_type). */
  readonly type: number;
  readonly progType: ProgType;
  expectedAttachType: number;
  readonly gpl: boolean;
  /** The program as a whole may sleep. */
  readonly sleepable: boolean;
  #attach: AttachTarget | undefined = undefined;
  /** References that the program owns from the start, by offset of the context argument. */
  readonly ctxArgRefs = new Map<number, number>();
  readonly #metas = new Map<Btf, StructMetas>();
  readonly #mapRecords = new Map<VerifierMap, BtfRecord | undefined>();
  readonly #mayCall = new Map<number, boolean>();

  constructor(input: VerifyInput) {
    this.input = input;
    const target = input.progType === BPF_PROG_TYPE_EXT ? input.attachProg : undefined;
    this.type = target?.type ?? input.progType;
    this.expectedAttachType = target?.expectedAttachType ?? input.expectedAttachType;
    const progType = input.platform.progTypes[this.type];
    if (!progType) {
      const { name } = input.platform;
      throw new BpfError(EINVAL, `program '${input.name}': ${name} has no program type ${this.type}`);
    }
    this.progType = progType;
    this.gpl = GPL_LICENSES.has(input.license);
    this.sleepable = (input.progFlags & F_SLEEPABLE) !== 0;
  }

  get attach(): AttachTarget | undefined {
    return this.#attach;
  }

  setAttach(target: AttachTarget): void {
    this.#attach = target;
    this.#mayCall.clear();
  }

  /** Key in the tables of contexts and helpers. */
  get key(): string {
    return variantKey(this.progType, this.expectedAttachType);
  }

  /** bpf_prog_has_trampoline(). */
  get hasTrampoline(): boolean {
    const e = this.expectedAttachType;
    if (this.input.progType === BPF_PROG_TYPE_TRACING) {
      return e === BPF_TRACE_FENTRY || e === BPF_TRACE_FEXIT || e === BPF_MODIFY_RETURN;
    }
    return this.input.progType === BPF_PROG_TYPE_LSM && (e === BPF_LSM_MAC || e === BPF_LSM_CGROUP);
  }

  /** The kernel reads and writes the context as programs see it (no convert_ctx_access). */
  get ctxIsPlainMemory(): boolean {
    const { ctx, type } = this.progType;
    if (type === BPF_PROG_TYPE_NETFILTER) return true;
    return ctx.kind === "btf" || (ctx.kind === "range" && ctx.wideUntil === undefined);
  }

  /** A struct_ops implementation asked for stacks of its own (priv_stack_requested): none of the known structs does. */
  readonly privStackRequested: boolean = false;

  get isStructOps(): boolean {
    return this.input.progType === BPF_PROG_TYPE_STRUCT_OPS;
  }

  /** The attach target returns nothing. */
  get attachReturnsVoid(): boolean {
    const a = this.attach;
    return a !== undefined && a.protoId !== 0 && a.btf.ref(a.protoId) === 0;
  }

  mayCall(helperId: number): boolean {
    let may = this.#mayCall.get(helperId);
    if (may === undefined) {
      may = mayCallHelper(this, helperId);
      this.#mayCall.set(helperId, may);
    }
    return may;
  }

  /** The running kernel's BTF, or one of its modules'. */
  isKernelBtf(btf: Btf): boolean {
    const kernel = this.input.platform.btf;
    return kernel !== undefined && (btf === kernel || btf.base === kernel);
  }

  /** Special fields of a struct of a program's BTF. */
  structRecord(btf: Btf, id: number): BtfRecord | undefined {
    let metas = this.#metas.get(btf);
    if (!metas) {
      metas = new StructMetas(btf, this.input.platform.btf);
      this.#metas.set(btf, metas);
    }
    return metas.get(id);
  }

  /** Special fields of a map's values: what the map carries, else what its BTF says. */
  mapRecord(map: VerifierMap): BtfRecord | undefined {
    if (map.record) return map.record;
    if (!this.#mapRecords.has(map)) this.#mapRecords.set(map, parseMapRecord(map, this.input.platform.btf));
    return this.#mapRecords.get(map);
  }
}

function parseMapRecord(map: VerifierMap, kernel: Btf | undefined): BtfRecord | undefined {
  if (!map.btf || !map.btfValueTypeId) return undefined;
  try {
    return mapRecord({ name: map.name, type: map.type, flags: map.mapFlags }, map.btf, map.btfValueTypeId, kernel);
  } catch (e) {
    if (e instanceof BpfError) return undefined;
    throw e;
  }
}
