/**
 * What a BPF object file says, before any kernel is asked: maps, programs, externs, relocations.
 *
 * Same bytes, same spec; nothing here is changed after openSpec() made it (the loader copies what it patches).
 * Programs are linked already: each ProgSpec holds the main function followed by every subprogram that it reaches, as
 * libbpf appends them, so each can be loaded alone. What only a kernel can answer stays symbolic in `relocs` and
 * `coreRelos`; both index the linked instruction array.
 */
import type { Btf } from "../btf/btf.ts";
import type { Insns } from "../isa/insns.ts";
import type { SecDef } from "../progs/sec.ts";

export interface ObjectSpec {
  /** File name without directory and without everything after the first dot, as libbpf names objects. */
  readonly name: string;
  /** Name of the file as the caller gave it; errors begin with it. */
  readonly file: string;
  /** Text of section `license`; undefined when there is none (the kernel then sees ""). */
  readonly license: string | undefined;
  /** Number in section `version`, 0 without one. */
  readonly kernVersion: number;
  /** BTF of the object, with DATASEC sizes and offsets filled in from the ELF file; undefined without .BTF. */
  readonly btf: Btf | undefined;
  readonly maps: readonly MapSpec[];
  /** In order of section and offset, as libbpf lists them. */
  readonly progs: readonly ProgSpec[];
  readonly externs: readonly ExternSpec[];
}

export interface MapSpec {
  /** Position in ObjectSpec.maps; relocations name maps by it. -1 for inner map definitions. */
  readonly index: number;
  /** Name the kernel gets, at most 15 bytes for global data ("firewall.rodata"). */
  readonly name: string;
  /** ELF section that defines it: ".maps", ".rodata.str", ".struct_ops". */
  readonly section: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes. */
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly mapFlags: number;
  readonly mapExtra: bigint;
  readonly numaNode: number;
  readonly pinning: "none" | "by_name";
  /** BTF types of key and value in ObjectSpec.btf; 0 = none. */
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  /** Definition of the maps inside an array or hash of maps. */
  readonly inner: MapSpec | undefined;
  /** Initial elements (`.values = {...}`) by index: maps, or programs for a prog array. */
  readonly initSlots: readonly InitSlot[];
  /** Set for maps that hold global data. */
  readonly global: GlobalData | undefined;
  readonly structOps: StructOpsSpec | undefined;
  /** False for a `?.struct_ops` map: not created unless asked for. */
  readonly autocreate: boolean;
}

export type InitSlot =
  | { readonly index: number; readonly kind: "map"; readonly map: number }
  | { readonly index: number; readonly kind: "prog"; readonly prog: string };

/** `.kconfig` is computed by the loader from ObjectSpec.externs. */
export type GlobalKind = "rodata" | "data" | "bss" | "kconfig";

export interface GlobalData {
  readonly kind: GlobalKind;
  /** Initial contents, valueSize bytes (less for an arena); never to be written to. */
  readonly bytes: Uint8Array;
}

/** One variable in .struct_ops or .struct_ops.link. */
export interface StructOpsSpec {
  /** Struct name in the kernel, without the `___flavour`. */
  readonly typeName: string;
  /** Id of the struct in ObjectSpec.btf. */
  readonly typeId: number;
  /** Initial bytes of the local struct. */
  readonly bytes: Uint8Array;
  /** Programs of members, by member name. */
  readonly funcs: ReadonlyMap<string, string>;
  /** From a `.link` section: needs BPF_F_LINK and a link to attach. */
  readonly link: boolean;
}

export interface ProgSpec {
  /** Name of the C function. */
  readonly name: string;
  /** Full section name, without a leading `?`. */
  readonly section: string;
  /** Entry of the SEC() table; undefined when the section name is unknown (loading fails then). */
  readonly sec: SecDef | undefined;
  /** BPF_PROG_TYPE_*, 0 when unknown. */
  readonly type: number;
  /** BPF_* attach type, 0 when the section implies none. */
  readonly expectedAttachType: number;
  /** What follows the prefix in the section name: function, tracepoint, interface of a struct_ops; "" when absent. */
  readonly attachTarget: string;
  readonly sleepable: boolean;
  /** False for sections that begin with `?`, and for struct_ops programs no map uses. */
  readonly autoload: boolean;
  /** BPF_F_* load flags implied by the section. */
  readonly progFlags: number;
  readonly insns: Insns;
  /** In order of start; [0] is the program itself. */
  readonly subprogs: readonly SubprogSpec[];
  readonly relocs: readonly Reloc[];
  readonly coreRelos: readonly CoreReloSpec[];
  /** Sorted by insnIdx; empty without .BTF.ext. */
  readonly funcInfo: readonly FuncInfo[];
  readonly lineInfo: readonly LineInfo[];
}

export interface SubprogSpec {
  readonly name: string;
  /** Instruction indexes in the linked program, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Hidden and internal functions count as static, as for the verifier. */
  readonly linkage: "static" | "global";
}

/** A place the loader patches. `insnIdx` names the first slot of an ld_imm64, or a call. */
export type Reloc =
  /** ld_imm64 of a map. */
  | { readonly insnIdx: number; readonly kind: "map"; readonly map: number }
  /** ld_imm64 of an address inside the (only) value of a global data map, or of an arena. */
  | { readonly insnIdx: number; readonly kind: "map_value"; readonly map: number; readonly off: number }
  /** ld_imm64 of a .kconfig or .ksyms variable, or of a kfunc's address. */
  | { readonly insnIdx: number; readonly kind: "extern"; readonly extern: number }
  /** Call of a kfunc. */
  | { readonly insnIdx: number; readonly kind: "kfunc"; readonly extern: number };

export interface CoreReloSpec {
  readonly insnIdx: number;
  /** Root type in ObjectSpec.btf. */
  readonly typeId: number;
  /** Colon-separated access path, "0:1:2". */
  readonly access: string;
  /** BPF_CORE_*. */
  readonly kind: number;
}

export interface FuncInfo {
  readonly insnIdx: number;
  /** BTF_KIND_FUNC in ObjectSpec.btf. */
  readonly typeId: number;
}

export interface LineInfo {
  readonly insnIdx: number;
  /** Offsets into the string section of ObjectSpec.btf. */
  readonly fileNameOff: number;
  readonly lineOff: number;
  readonly line: number;
  readonly column: number;
}

export type ExternSpec = KconfigExtern | KsymExtern;

interface ExternBase {
  readonly name: string;
  readonly weak: boolean;
}

export interface KconfigExtern extends ExternBase {
  readonly kind: "kconfig";
  readonly type: "bool" | "char" | "tristate" | "int" | "string";
  /** Bytes of the variable and its offset in the .kconfig map. */
  readonly size: number;
  readonly off: number;
  readonly signed: boolean;
}

export interface KsymExtern extends ExternBase {
  readonly kind: "ksym";
  /** A function (kfunc) rather than a variable. */
  readonly func: boolean;
  /** Type of the variable or FUNC_PROTO of the function in ObjectSpec.btf; 0 for `extern const void x`. */
  readonly typeId: number;
}
