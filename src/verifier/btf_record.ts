/**
 * Special fields of a map value or of an allocated object (struct btf_record): locks, timers, kernel pointers, roots and
 * nodes of lists and trees. Found by the names of their types in the program's BTF.
 *
 * Errors   BpfError as bpf(2) gives for the map or the BTF: E2BIG for two of a kind that may be there once or for too many
 *          fields, EEXIST for overlap, EINVAL for tags or ownership that make no sense, ENOENT for a kernel pointer to an
 *          object without a destructor.
 * Source   btf_parse_fields() and its helpers in kernel/bpf/btf.c.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, E2BIG, EACCES, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_UNION,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
} from "../btf/kinds.ts";

export type BtfFieldKind =
  | "spin_lock"
  | "res_spin_lock"
  | "timer"
  | "wq"
  | "task_work"
  | "kptr_unref"
  | "kptr_ref"
  | "kptr_percpu"
  | "uptr"
  | "list_head"
  | "list_node"
  | "rb_root"
  | "rb_node"
  | "refcount";

export interface BtfField {
  /** Bytes from the start of the value. */
  readonly offset: number;
  readonly size: number;
  readonly kind: BtfFieldKind;
  /** Kernel pointers: what they point to, in the kernel's BTF or (allocated objects) in the program's. */
  readonly kptr?: { readonly btf: Btf; readonly btfId: number; readonly kernel: boolean };
  /** Roots: the type of the elements, and where in them the node is. */
  readonly root?: { readonly btf: Btf; readonly valueId: number; readonly nodeOffset: number };
}

export interface BtfRecord {
  /** Ascending by offset. */
  readonly fields: readonly BtfField[];
}

/** BTF_FIELDS_MAX. */
const MAX_FIELDS = 11;
/** MAX_RESOLVE_DEPTH. */
const MAX_DEPTH = 32;

interface FieldType {
  readonly kind: BtfFieldKind;
  readonly size: number;
  readonly align: number;
  /** At most one in a value. */
  readonly once: boolean;
}

function fieldType(kind: BtfFieldKind, size: number, align: number, once: boolean): FieldType {
  return { kind, size, align, once };
}

const BY_NAME: Readonly<Record<string, FieldType>> = {
  bpf_spin_lock: fieldType("spin_lock", 4, 4, true),
  bpf_res_spin_lock: fieldType("res_spin_lock", 4, 4, true),
  bpf_timer: fieldType("timer", 16, 8, true),
  bpf_wq: fieldType("wq", 16, 8, true),
  bpf_task_work: fieldType("task_work", 8, 8, true),
  bpf_list_head: fieldType("list_head", 16, 8, false),
  bpf_list_node: fieldType("list_node", 24, 8, false),
  bpf_rb_root: fieldType("rb_root", 16, 8, false),
  bpf_rb_node: fieldType("rb_node", 32, 8, false),
  bpf_refcount: fieldType("refcount", 4, 4, true),
};

const KPTR_TAGS: Readonly<Record<string, BtfFieldKind>> = {
  kptr_untrusted: "kptr_unref",
  kptr: "kptr_ref",
  percpu_kptr: "kptr_percpu",
  uptr: "uptr",
};

const KPTR_KINDS: readonly BtfFieldKind[] = ["kptr_unref", "kptr_ref", "kptr_percpu", "uptr"];
const NODE_OF = { list_head: "bpf_list_node", rb_root: "bpf_rb_node" } as const;
/** Arrays of these are allowed. */
const REPEATABLE: ReadonlySet<BtfFieldKind> = new Set([...KPTR_KINDS, "list_head", "rb_root"]);

/** Fields looked for in map values, and in structs that bpf_obj_new() may allocate. */
const MAP_VALUE_FIELDS: ReadonlySet<BtfFieldKind> = new Set([
  "spin_lock",
  "res_spin_lock",
  "timer",
  "wq",
  "task_work",
  "list_head",
  "rb_root",
  "refcount",
  ...KPTR_KINDS,
]);
const STRUCT_FIELDS: ReadonlySet<BtfFieldKind> = new Set([
  "spin_lock",
  "res_spin_lock",
  "list_head",
  "list_node",
  "rb_root",
  "rb_node",
  "refcount",
  "kptr_unref",
  "kptr_ref",
  "kptr_percpu",
]);

/** Kernel structs that a map may own: they have a registered destructor (btf_find_dtor_kfunc). */
const OWNABLE = new Set([
  "task_struct",
  "cgroup",
  "bpf_cpumask",
  "bpf_crypto_ctx",
  "prog_test_ref_kfunc",
  "prog_test_member",
]);

export function hasField(record: BtfRecord | undefined, ...kinds: readonly BtfFieldKind[]): boolean {
  return record?.fields.some((f) => kinds.includes(f.kind)) ?? false;
}

export function hasKptr(record: BtfRecord | undefined): boolean {
  return hasField(record, ...KPTR_KINDS);
}

export function isKptrKind(kind: BtfFieldKind): boolean {
  return KPTR_KINDS.includes(kind);
}

/** The field that starts at an offset. */
export function fieldAt(record: BtfRecord | undefined, offset: number): BtfField | undefined {
  return record?.fields.find((f) => f.offset === offset);
}

/** Offset of a field that may be there once; -1 when there is none. */
export function fieldOffset(record: BtfRecord | undefined, kind: BtfFieldKind): number {
  return record?.fields.find((f) => f.kind === kind)?.offset ?? -1;
}

/**
 * Special fields of a value type (STRUCT or DATASEC) of a program's BTF; undefined when there are none.
 * @param kernel  the kernel's BTF: kernel pointers name types there
 */
function parseBtfRecord(
  btf: Btf,
  typeId: number,
  wanted: ReadonlySet<BtfFieldKind>,
  kernel: Btf | undefined,
): BtfRecord | undefined {
  const finder = new FieldFinder(btf, wanted, kernel);
  const kind = btf.kind(typeId);
  if (kind === BTF_KIND_STRUCT || kind === BTF_KIND_UNION) finder.struct(typeId, 0, 0);
  else if (kind === BTF_KIND_DATASEC) finder.datasec(typeId);
  else return undefined;
  const fields = finder.found;
  if (fields.length === 0) return undefined;
  // Linux looks for overlap in the order of the members, before it sorts.
  let next = 0;
  for (const f of fields) {
    if (f.offset < next) throw new BpfError(EEXIST, `special field at offset ${f.offset} overlaps the one before it`);
    next = f.offset + f.size;
  }
  const record = { fields: [...fields].sort((a, b) => a.offset - b.offset) };
  if (hasField(record, "list_head", "rb_root") && !hasField(record, "spin_lock", "res_spin_lock")) {
    throw new BpfError(EINVAL, `'${btf.nameOf(typeId)}': a list or tree needs a bpf_spin_lock beside it`);
  }
  if (!hasField(record, "refcount") && hasField(record, "list_node") && hasField(record, "rb_node")) {
    throw new BpfError(EINVAL, `'${btf.nameOf(typeId)}': a list node and a tree node together need a bpf_refcount`);
  }
  return record;
}

const HASH_ARRAY: readonly number[] = [abi.BPF_MAP_TYPE_HASH, abi.BPF_MAP_TYPE_ARRAY];
const STORAGE: readonly number[] = [
  abi.BPF_MAP_TYPE_SK_STORAGE,
  abi.BPF_MAP_TYPE_INODE_STORAGE,
  abi.BPF_MAP_TYPE_TASK_STORAGE,
  abi.BPF_MAP_TYPE_CGRP_STORAGE,
];
const LOCKABLE = [...HASH_ARRAY, abi.BPF_MAP_TYPE_CGROUP_STORAGE, ...STORAGE];
const ASYNC = [...HASH_ARRAY, abi.BPF_MAP_TYPE_LRU_HASH];
const WITH_KPTRS = [
  ...ASYNC,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
  ...STORAGE,
];

/** Map types whose values may hold a field. */
const MAPS_OF_FIELD: Readonly<Partial<Record<BtfFieldKind, readonly number[]>>> = {
  spin_lock: LOCKABLE,
  res_spin_lock: LOCKABLE,
  timer: ASYNC,
  wq: ASYNC,
  task_work: ASYNC,
  kptr_unref: WITH_KPTRS,
  kptr_ref: WITH_KPTRS,
  kptr_percpu: WITH_KPTRS,
  refcount: WITH_KPTRS,
  uptr: [abi.BPF_MAP_TYPE_TASK_STORAGE],
  list_head: ASYNC,
  rb_root: ASYNC,
};

/**
 * Special fields of a new map's values (map_check_btf). A malformed record counts as none, as on Linux: then nothing in
 * the value is special, and helpers that want a field refuse.
 * @throws BpfError EACCES, EOPNOTSUPP when such a map cannot hold such a field
 */
export function mapRecord(
  map: { readonly name: string; readonly type: number; readonly flags: number },
  btf: Btf,
  valueTypeId: number,
  kernel: Btf | undefined,
): BtfRecord | undefined {
  let record: BtfRecord | undefined;
  try {
    record = parseBtfRecord(btf, btf.resolve(valueTypeId), MAP_VALUE_FIELDS, kernel);
  } catch (e) {
    if (e instanceof BpfError) return undefined;
    throw e;
  }
  if (!record) return undefined;
  if (map.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)) {
    throw new BpfError(
      EACCES,
      `map '${map.name}': read-only and write-only values cannot hold ${record.fields[0].kind}`,
    );
  }
  for (const { kind } of record.fields) {
    if (MAPS_OF_FIELD[kind]?.includes(map.type)) continue;
    throw new BpfError(EOPNOTSUPP, `map '${map.name}': values of map type ${map.type} cannot hold ${kind}`);
  }
  return record;
}

const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_WRONLY_PROG = 1 << 8;

class FieldFinder {
  readonly found: BtfField[] = [];
  readonly btf: Btf;
  readonly wanted: ReadonlySet<BtfFieldKind>;
  readonly kernel: Btf | undefined;
  readonly #seen = new Set<BtfFieldKind>();

  constructor(btf: Btf, wanted: ReadonlySet<BtfFieldKind>, kernel: Btf | undefined) {
    this.btf = btf;
    this.wanted = wanted;
    this.kernel = kernel;
  }

  struct(id: number, base: number, level: number): void {
    const { btf } = this;
    for (let i = 0; i < btf.vlen(id); i++) {
      const bits = btf.memberOffsetBits(id, i);
      if (bits % 8) throw new BpfError(EINVAL, `member '${btf.memberName(id, i)}' at bit ${bits} is no bitfield`);
      this.#one(id, i, btf.memberType(id, i), bits / 8, base, 0, level);
    }
  }

  datasec(id: number): void {
    const { btf } = this;
    const sec = btf.type(id);
    if (sec.kind !== BTF_KIND_DATASEC) return;
    for (const v of sec.vars) {
      if (btf.kind(v.type) === BTF_KIND_VAR) this.#one(v.type, -1, btf.ref(v.type), v.offset, 0, v.size, 0);
    }
  }

  /** One member or variable: `owner` and `component` are where its decl tags are. */
  #one(
    owner: number,
    component: number,
    type: number,
    off: number,
    base: number,
    secSize: number,
    level: number,
  ): void {
    const { btf } = this;
    let nelems = 1;
    for (let depth = 0; btf.kind(type) === BTF_KIND_ARRAY; depth++) {
      if (depth === MAX_DEPTH) throw new BpfError(E2BIG, "arrays of arrays too deep");
      nelems *= btf.nelems(type);
      type = btf.elemType(type);
    }
    if (nelems === 0) return;
    const special = this.#special(type);
    const isStruct = btf.isComposite(type);
    if (!special) {
      if (!isStruct) return;
      const size = btf.ref(type);
      if (secSize && secSize !== size * nelems) return;
      if (level + 1 >= MAX_DEPTH) throw new BpfError(E2BIG, "structs in structs too deep");
      const first = this.found.length;
      this.struct(type, base + off, level + 1);
      this.#repeat(first, nelems, size);
      return;
    }
    if (secSize && secSize !== special.size * nelems) return;
    if (off % special.align) return;
    const field = this.#field(special, owner, component, type, base + off);
    if (!field) return;
    this.#add(field);
    this.#repeat(this.found.length - 1, nelems, special.size);
  }

  #special(type: number): FieldType | undefined {
    const named = BY_NAME[this.btf.nameOf(type)];
    if (named && this.wanted.has(named.kind)) {
      if (named.once) {
        if (this.#seen.has(named.kind))
          throw new BpfError(E2BIG, `more than one '${this.btf.nameOf(type)}' in a value`);
        this.#seen.add(named.kind);
      }
      return named;
    }
    if (this.btf.isComposite(type) || !this.wanted.has("kptr_ref")) return undefined;
    return fieldType("kptr_ref", 8, 8, false);
  }

  #field(special: FieldType, owner: number, component: number, type: number, offset: number): BtfField | undefined {
    const { btf } = this;
    if (special.kind === "kptr_ref") return this.#kptr(type, offset);
    if (btf.kind(type) !== BTF_KIND_STRUCT || btf.ref(type) !== special.size) return undefined;
    const { kind, size } = special;
    if (kind !== "list_head" && kind !== "rb_root") return { offset, size, kind };
    return { offset, size, kind, root: this.#root(kind, owner, component) };
  }

  #kptr(type: number, offset: number): BtfField | undefined {
    const { btf } = this;
    if (btf.kind(type) === BTF_KIND_VOLATILE) type = btf.ref(type);
    if (btf.kind(type) !== BTF_KIND_PTR) return undefined;
    const tag = btf.ref(type);
    if (btf.kind(tag) !== BTF_KIND_TYPE_TAG || btf.kflag(tag)) return undefined;
    const kind = KPTR_TAGS[btf.nameOf(tag)];
    if (btf.kind(btf.ref(tag)) === BTF_KIND_TYPE_TAG || !kind) {
      throw new BpfError(EINVAL, `pointer at offset ${offset}: type tag '${btf.nameOf(tag)}' is no kptr tag`);
    }
    const target = btf.resolve(btf.ref(tag));
    if (!btf.isComposite(target)) throw new BpfError(EINVAL, `kptr at offset ${offset} does not point to a struct`);
    if (!this.wanted.has(kind)) return undefined;
    const name = btf.nameOf(target);
    const inKernel = kind === "uptr" ? 0 : (this.kernel?.byName(name, btf.kind(target)) ?? 0);
    if (!inKernel) return { offset, size: 8, kind, kptr: { btf, btfId: target, kernel: false } };
    if (kind === "kptr_ref" && !OWNABLE.has(name)) {
      throw new BpfError(ENOENT, `kptr at offset ${offset}: struct ${name} has no destructor, maps cannot own it`);
    }
    return { offset, size: 8, kind, kptr: { btf: this.kernel!, btfId: inKernel, kernel: true } };
  }

  #root(kind: "list_head" | "rb_root", owner: number, component: number): NonNullable<BtfField["root"]> {
    const { btf } = this;
    const tags = btf.declTags(owner, component).filter((t) => t.startsWith("contains:"));
    const match = tags.length === 1 ? /^contains:([^:]*):(.+)$/.exec(tags[0]) : undefined;
    if (!match) throw new BpfError(EINVAL, `${kind} needs one tag 'contains:STRUCT:MEMBER', saw ${tags.length}`);
    const valueId = btf.byName(match[1], BTF_KIND_STRUCT);
    if (!valueId) throw new BpfError(ENOENT, `${kind} contains struct '${match[1]}', which the BTF does not have`);
    const nodes = btf.members(valueId).filter((m) => m.name === match[2]);
    const node = nodes[0];
    if (!node) throw new BpfError(ENOENT, `struct '${match[1]}' has no member '${match[2]}'`);
    const nodeOffset = node.bitOffset / 8;
    if (nodes.length > 1 || btf.nameOf(node.type) !== NODE_OF[kind] || nodeOffset % 8) {
      throw new BpfError(EINVAL, `member '${match[2]}' of struct '${match[1]}' is no aligned ${NODE_OF[kind]}`);
    }
    return { btf, valueId, nodeOffset };
  }

  #add(field: BtfField): void {
    if (this.found.length >= MAX_FIELDS) throw new BpfError(E2BIG, `more than ${MAX_FIELDS} special fields in a value`);
    this.found.push(field);
  }

  /** The fields from index `first` on were found in element 0 of an array. */
  #repeat(first: number, nelems: number, elemSize: number): void {
    const inFirst = this.found.slice(first);
    if (nelems === 1 || inFirst.length === 0) return;
    const bad = inFirst.find((f) => !REPEATABLE.has(f.kind));
    if (bad) throw new BpfError(EINVAL, `an array of ${bad.kind} is not allowed`);
    for (let i = 1; i < nelems; i++) for (const f of inFirst) this.#add({ ...f, offset: f.offset + i * elemSize });
  }
}

/** Records of the structs of one program BTF, made on demand (btf_find_struct_meta). One per verification. */
export class StructMetas {
  readonly #records = new Map<number, BtfRecord | undefined>();
  readonly btf: Btf;
  readonly kernel: Btf | undefined;

  constructor(btf: Btf, kernel: Btf | undefined) {
    this.btf = btf;
    this.kernel = kernel;
  }

  /** undefined for a struct without special members. Malformed ones (refused when the BTF is loaded) count as none. */
  get(id: number): BtfRecord | undefined {
    if (!this.#records.has(id)) this.#records.set(id, this.#parse(id));
    return this.#records.get(id);
  }

  #parse(id: number): BtfRecord | undefined {
    const { btf } = this;
    if (!btf.isComposite(id) || !hasSpecialMember(btf, id)) return undefined;
    try {
      return parseBtfRecord(btf, id, STRUCT_FIELDS, this.kernel);
    } catch (e) {
      if (e instanceof BpfError) return undefined;
      throw e;
    }
  }
}

/** Linux makes a record only for structs with a special type among the types of their own members. */
function hasSpecialMember(btf: Btf, id: number): boolean {
  for (let i = 0; i < btf.vlen(id); i++) {
    const type = btf.memberType(id, i);
    const named = BY_NAME[btf.nameOf(type)];
    if (named && STRUCT_FIELDS.has(named.kind) && btf.kind(type) === BTF_KIND_STRUCT) return true;
    const ptr = btf.kind(type) === BTF_KIND_VOLATILE ? btf.ref(type) : type;
    if (btf.kind(ptr) === BTF_KIND_PTR && btf.kind(btf.ref(ptr)) === BTF_KIND_TYPE_TAG) return true;
  }
  return false;
}
