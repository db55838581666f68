/**
 * The kinds of BTF types and what one decoded type looks like.
 *
 * Numbers are those of include/uapi/linux/btf.h. A type is a readonly object, discriminated by `kind`; ids in it
 * (`type`, `elemType`, ...) are ids of the same Btf, 0 meaning void. Offsets of members are in bits.
 */

export const BTF_KIND_UNKN = 0;
export const BTF_KIND_INT = 1;
export const BTF_KIND_PTR = 2;
export const BTF_KIND_ARRAY = 3;
export const BTF_KIND_STRUCT = 4;
export const BTF_KIND_UNION = 5;
export const BTF_KIND_ENUM = 6;
export const BTF_KIND_FWD = 7;
export const BTF_KIND_TYPEDEF = 8;
export const BTF_KIND_VOLATILE = 9;
export const BTF_KIND_CONST = 10;
export const BTF_KIND_RESTRICT = 11;
export const BTF_KIND_FUNC = 12;
export const BTF_KIND_FUNC_PROTO = 13;
export const BTF_KIND_VAR = 14;
export const BTF_KIND_DATASEC = 15;
export const BTF_KIND_FLOAT = 16;
export const BTF_KIND_DECL_TAG = 17;
export const BTF_KIND_TYPE_TAG = 18;
export const BTF_KIND_ENUM64 = 19;
export const BTF_KIND_MAX = 19;

// Encoding bits of an INT.
export const BTF_INT_SIGNED = 1;
export const BTF_INT_CHAR = 2;
export const BTF_INT_BOOL = 4;

// Linkage of a VAR and of a FUNC.
export const BTF_LINKAGE_STATIC = 0;
export const BTF_LINKAGE_GLOBAL = 1;
export const BTF_LINKAGE_EXTERN = 2;

/** kind number -> how bpftool and this package spell it. */
export const KIND_NAMES = [
  "UNKNOWN",
  "INT",
  "PTR",
  "ARRAY",
  "STRUCT",
  "UNION",
  "ENUM",
  "FWD",
  "TYPEDEF",
  "VOLATILE",
  "CONST",
  "RESTRICT",
  "FUNC",
  "FUNC_PROTO",
  "VAR",
  "DATASEC",
  "FLOAT",
  "DECL_TAG",
  "TYPE_TAG",
  "ENUM64",
] as const;

export function kindName(kind: number): string {
  return KIND_NAMES[kind] ?? `kind ${kind}`;
}

interface Base {
  readonly id: number;
  /** "" when anonymous. */
  readonly name: string;
}

export interface BtfVoid extends Base {
  readonly kind: typeof BTF_KIND_UNKN;
}

export interface BtfInt extends Base {
  readonly kind: typeof BTF_KIND_INT;
  readonly size: number;
  /** BTF_INT_SIGNED | BTF_INT_CHAR | BTF_INT_BOOL. */
  readonly encoding: number;
  readonly bitOffset: number;
  readonly bits: number;
}

export interface BtfRef extends Base {
  readonly kind:
    | typeof BTF_KIND_PTR
    | typeof BTF_KIND_TYPEDEF
    | typeof BTF_KIND_VOLATILE
    | typeof BTF_KIND_CONST
    | typeof BTF_KIND_RESTRICT;
  readonly type: number;
}

export interface BtfTypeTag extends Base {
  readonly kind: typeof BTF_KIND_TYPE_TAG;
  readonly type: number;
  /** The tag is any attribute (`__attribute__((name))`), not a btf_type_tag. */
  readonly attribute: boolean;
}

export interface BtfArray extends Base {
  readonly kind: typeof BTF_KIND_ARRAY;
  readonly elemType: number;
  readonly indexType: number;
  readonly nelems: number;
}

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly bitOffset: number;
  /** Width of a bitfield; 0 for an ordinary member. */
  readonly bitfieldSize: number;
}

export interface BtfComposite extends Base {
  readonly kind: typeof BTF_KIND_STRUCT | typeof BTF_KIND_UNION;
  readonly size: number;
  readonly members: readonly BtfMember[];
}

export interface BtfEnumValue {
  readonly name: string;
  /** Signed or unsigned as the enum says. */
  readonly value: number;
}

export interface BtfEnum extends Base {
  readonly kind: typeof BTF_KIND_ENUM;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly BtfEnumValue[];
}

export interface BtfEnum64 extends Base {
  readonly kind: typeof BTF_KIND_ENUM64;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

export interface BtfFwd extends Base {
  readonly kind: typeof BTF_KIND_FWD;
  readonly union: boolean;
}

export interface BtfFunc extends Base {
  readonly kind: typeof BTF_KIND_FUNC;
  /** The FUNC_PROTO. */
  readonly type: number;
  readonly linkage: number;
}

export interface BtfParam {
  readonly name: string;
  /** 0 in the last parameter of a variadic function. */
  readonly type: number;
}

export interface BtfFuncProto extends Base {
  readonly kind: typeof BTF_KIND_FUNC_PROTO;
  readonly retType: number;
  readonly params: readonly BtfParam[];
}

export interface BtfVar extends Base {
  readonly kind: typeof BTF_KIND_VAR;
  readonly type: number;
  readonly linkage: number;
}

export interface BtfSecInfo {
  /** A VAR, or a FUNC in .ksyms. */
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

export interface BtfDatasec extends Base {
  readonly kind: typeof BTF_KIND_DATASEC;
  readonly size: number;
  readonly vars: readonly BtfSecInfo[];
}

export interface BtfFloat extends Base {
  readonly kind: typeof BTF_KIND_FLOAT;
  readonly size: number;
}

export interface BtfDeclTag extends Base {
  readonly kind: typeof BTF_KIND_DECL_TAG;
  readonly type: number;
  /** Index of the tagged member or parameter; -1 tags the type itself. */
  readonly componentIdx: number;
  readonly attribute: boolean;
}

export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfRef
  | BtfTypeTag
  | BtfArray
  | BtfComposite
  | BtfEnum
  | BtfEnum64
  | BtfFwd
  | BtfFunc
  | BtfFuncProto
  | BtfVar
  | BtfDatasec
  | BtfFloat
  | BtfDeclTag;
