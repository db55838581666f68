/**
 * What Linux demands of a BTF before BPF_BTF_LOAD takes it, beyond being well-formed: names, sizes, member offsets, the
 * order of section entries, what may refer to what.
 *
 * parseBtf has been here before, so every id and every string offset is in range and no chain of references runs in a
 * circle. A kernel's own BTF is not checked: it would cost what lazy parsing saves.
 *
 * First every type is looked at alone (`META`), then with what it refers to (`RELATIONS`), both in order of ids.
 *
 * Errors  the errno of Linux: EINVAL; EEXIST for structs that contain themselves; E2BIG for nesting deeper than 32;
 *         ELOOP for more than 32 modifiers in a row; ENOTSUPP for unknown integer encodings.
 * Differs special fields (locks, timers, kptrs) are the verifier's to check.
 * Source  kernel/bpf/btf.c.
 */

import { BpfError, E2BIG, EEXIST, EINVAL, ELOOP, ENOTSUPP, type Errno } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";
import {
  BTF_INT_BOOL,
  BTF_INT_CHAR,
  BTF_INT_SIGNED,
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_DATASEC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FLOAT,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_INT,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
  KIND_NAMES,
} from "./kinds.ts";
import { BTF_HEADER_BYTES, BTF_MAX_NAME_OFFSET, BTF_MAX_TYPE } from "./sections.ts";

const MAX_RESOLVE_DEPTH = 32;
const KSYM_NAME_LEN = 512;
const U32_MAX = 0xffffffff;

/** Throws the BpfError with which Linux refuses this BTF; returns when it would take it. */
export function checkBtf(btf: Btf): void {
  checkHeader(btf);
  const first = Math.max(btf.firstId, 1);
  for (let id = first; id < btf.typeCount; id++) {
    if ((btf.info(id) & ~0x9f00ffff) !== 0) fail(btf, id, `Invalid btf_info:${btf.info(id).toString(16)}`);
    META[btf.kind(id)]?.(btf, id);
  }
  const resolver = new Resolver(btf);
  for (let id = first; id < btf.typeCount; id++) resolver.check(id);
  for (let id = first; id < btf.typeCount; id++) checkTypeTags(btf, id);
}

function fail(btf: Btf, id: number, why: string, errno: Errno = EINVAL): never {
  const name = btf.nameOf(id) || "(anon)";
  throw new BpfError(errno, `BTF [${id}] ${KIND_NAMES[btf.kind(id)]} ${name}: ${why}`, { id });
}

function failMember(btf: Btf, id: number, i: number, why: string): never {
  const at = `type_id=${btf.memberType(id, i)} bits_offset=${btf.memberOffsetBits(id, i)}`;
  fail(btf, id, `member ${btf.memberName(id, i) || "(anon)"} ${at}: ${why}`);
}

/** The two sections fill the data without gaps, strings last. */
function checkHeader(btf: Btf): void {
  const bytes = btf.bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [hdrLen, typeOff, typeLen, strOff, strLen] = [4, 8, 12, 16, 20].map((off) => view.getUint32(off, true));
  const bad = (why: string, errno: Errno = EINVAL): never => {
    throw new BpfError(errno, `BTF header: ${why}`, { hdrLen, typeOff, typeLen, strOff, strLen });
  };
  if (typeOff !== 0) bad(`type_off is ${typeOff}, wanted 0: Unsupported section found`);
  if (strOff !== typeLen)
    bad(`str_off is ${strOff}, wanted ${typeLen}, the end of the types: Unsupported section found`);
  if (hdrLen + strOff + strLen !== bytes.length) {
    bad(`${bytes.length} bytes, wanted ${hdrLen + strOff + strLen}: String section is not at the end`);
  }
  if (!btf.base && typeLen === 0) bad("type_len is 0: No type found");
  if (strLen - 1 > BTF_MAX_NAME_OFFSET) bad(`str_len is ${strLen}: Invalid string section`);
  if (btf.typeCount - 1 > BTF_MAX_TYPE) bad(`${btf.typeCount} types, wanted at most ${BTF_MAX_TYPE}`, E2BIG);
  if (hdrLen < BTF_HEADER_BYTES) bad(`hdr_len is ${hdrLen}`);
}

// ---- each type alone ----

function isIdentifier(name: string): boolean {
  return name.length < KSYM_NAME_LEN && /^[A-Za-z_.][A-Za-z0-9_.]*$/.test(name);
}

function isSectionName(name: string): boolean {
  return name.length < KSYM_NAME_LEN && /^[\x20-\x7e]+$/.test(name);
}

function noVlen(btf: Btf, id: number): void {
  if (btf.vlen(id) !== 0) fail(btf, id, "vlen != 0");
}

function noKflag(btf: Btf, id: number): void {
  if (btf.kflag(id)) fail(btf, id, "Invalid btf_info kind_flag");
}

function noName(btf: Btf, id: number): void {
  if (btf.nameOff(id) !== 0) fail(btf, id, "Invalid name");
}

function needsName(btf: Btf, id: number): void {
  if (btf.nameOff(id) === 0 || !isIdentifier(btf.nameOf(id))) fail(btf, id, "Invalid name");
}

function mayHaveName(btf: Btf, id: number): void {
  if (btf.nameOff(id) !== 0 && !isIdentifier(btf.nameOf(id))) fail(btf, id, "Invalid name");
}

type Check = (btf: Btf, id: number) => void;

function all(...checks: Check[]): Check {
  return (btf, id) => {
    for (const check of checks) check(btf, id);
  };
}

const plainReference = all(noVlen, noKflag, noName);

const META: Readonly<Record<number, Check>> = {
  [BTF_KIND_INT]: all(noVlen, noKflag, checkInt),
  [BTF_KIND_PTR]: plainReference,
  [BTF_KIND_VOLATILE]: plainReference,
  [BTF_KIND_CONST]: plainReference,
  [BTF_KIND_RESTRICT]: plainReference,
  [BTF_KIND_TYPEDEF]: all(noVlen, noKflag, needsName),
  [BTF_KIND_TYPE_TAG]: all(noVlen, (btf, id) => {
    if (btf.nameOf(id) === "") fail(btf, id, "Invalid name");
  }),
  [BTF_KIND_ARRAY]: all(noName, noVlen, noKflag, (btf, id) => {
    if (btf.ref(id) !== 0) fail(btf, id, "size != 0");
    if (btf.elemType(id) === 0) fail(btf, id, "Invalid elem");
    if (btf.indexType(id) === 0) fail(btf, id, "Invalid index");
  }),
  [BTF_KIND_STRUCT]: all(mayHaveName, checkMembers),
  [BTF_KIND_UNION]: all(mayHaveName, checkMembers),
  [BTF_KIND_ENUM]: checkEnum,
  [BTF_KIND_ENUM64]: checkEnum,
  [BTF_KIND_FWD]: all(
    noVlen,
    (btf, id) => {
      if (btf.ref(id) !== 0) fail(btf, id, "type != 0");
    },
    needsName,
  ),
  [BTF_KIND_FUNC]: all(
    needsName,
    (btf, id) => {
      if (btf.vlen(id) > 1) fail(btf, id, "Invalid func linkage");
    },
    noKflag,
  ),
  [BTF_KIND_FUNC_PROTO]: all(noName, noKflag),
  [BTF_KIND_VAR]: all(noVlen, noKflag, needsName, (btf, id) => {
    if (btf.ref(id) === 0) fail(btf, id, "Invalid type_id");
    if (btf.extra(id, 0) > 1) fail(btf, id, "Linkage not supported");
  }),
  [BTF_KIND_DATASEC]: checkDatasec,
  [BTF_KIND_FLOAT]: all(noVlen, noKflag),
  [BTF_KIND_DECL_TAG]: all(
    (btf, id) => {
      if (btf.nameOf(id) === "") fail(btf, id, "Invalid value");
    },
    noVlen,
    (btf, id) => {
      if ((btf.extra(id, 0) | 0) < -1) fail(btf, id, "Invalid component_idx");
    },
  ),
};

function checkInt(btf: Btf, id: number): void {
  const data = btf.extra(id, 0);
  if (data >>> 28 !== 0) fail(btf, id, `Invalid int_data:${data.toString(16)}`);
  if (btf.intBits(id) + btf.intBitOffset(id) > 128) fail(btf, id, "nr_bits exceeds 128");
  const encoding = btf.intEncoding(id);
  if (encoding && encoding !== BTF_INT_SIGNED && encoding !== BTF_INT_CHAR && encoding !== BTF_INT_BOOL) {
    fail(btf, id, "Unsupported encoding", ENOTSUPP);
  }
}

function checkMembers(btf: Btf, id: number): void {
  const n = btf.vlen(id);
  const size = btf.ref(id);
  const isUnion = btf.kind(id) === BTF_KIND_UNION;
  let last = 0;
  for (let i = 0; i < n; i++) {
    const name = btf.memberName(id, i);
    if (btf.extra(id, 3 * i) !== 0 && !isIdentifier(name)) failMember(btf, id, i, "Invalid name");
    if (btf.memberType(id, i) === 0) failMember(btf, id, i, "Invalid type_id");
    const offset = btf.memberOffsetBits(id, i);
    if ((isUnion && offset !== 0) || last > offset) failMember(btf, id, i, "Invalid member bits_offset");
    if (Math.ceil(offset / 8) > size) failMember(btf, id, i, "Member bits_offset exceeds its struct size");
    last = offset;
  }
}

function checkEnum(btf: Btf, id: number): void {
  if (btf.ref(id) === 0) fail(btf, id, "Unexpected size");
  mayHaveName(btf, id);
  const step = btf.kind(id) === BTF_KIND_ENUM ? 2 : 3;
  const n = btf.vlen(id);
  for (let i = 0; i < n; i++) {
    const off = btf.extra(id, step * i);
    if (off === 0 || !isIdentifier(btf.str(off))) fail(btf, id, "Invalid name");
  }
}

function checkDatasec(btf: Btf, id: number): void {
  const size = btf.ref(id);
  if (size === 0) fail(btf, id, "size == 0");
  noKflag(btf, id);
  if (btf.nameOff(id) === 0 || !isSectionName(btf.nameOf(id))) fail(btf, id, "Invalid name");
  const n = btf.vlen(id);
  let end = 0;
  for (let i = 0; i < n; i++) {
    const [type, offset, bytes] = [btf.extra(id, 3 * i), btf.extra(id, 3 * i + 1), btf.extra(id, 3 * i + 2)];
    const bad = (why: string): never => fail(btf, id, `type_id=${type} offset=${offset} size=${bytes}: ${why}`);
    if (type === 0) bad("Invalid type_id");
    if (offset < end || offset >= size) bad("Invalid offset");
    if (bytes === 0 || bytes > size) bad("Invalid size");
    end = offset + bytes;
    if (end > size) bad("Invalid offset+size");
  }
}

/** Type tags come before all other modifiers of a chain. */
function checkTypeTags(btf: Btf, id: number): void {
  let inTags = btf.kind(id) === BTF_KIND_TYPE_TAG;
  const isLink = (at: number): boolean => btf.isModifier(at) || btf.kind(at) === BTF_KIND_TYPEDEF;
  for (let left = MAX_RESOLVE_DEPTH, at = id; isLink(at); at = btf.ref(at), left--) {
    if (left === 0) fail(btf, id, "Max chain length or cycle detected", ELOOP);
    if (btf.kind(at) === BTF_KIND_TYPE_TAG) {
      if (!inTags) fail(btf, id, "Type tags don't precede modifiers");
    } else {
      inTags = false;
    }
    // What lies below has been looked at when its turn came, from its own start.
    if (at < id) break;
  }
}

// ---- types and what they refer to ----

const NOT_VISITED = 0;
const VISITED = 1;
const RESOLVED = 2;

// What a walk started from: it decides what the walk need not follow.
const TBD = 0;
const FROM_PTR = 1;
const FROM_STRUCT_OR_ARRAY = 2;

const NEEDS_RESOLVE = new Set<number>([
  BTF_KIND_PTR,
  BTF_KIND_TYPEDEF,
  BTF_KIND_VOLATILE,
  BTF_KIND_CONST,
  BTF_KIND_RESTRICT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  BTF_KIND_ARRAY,
  BTF_KIND_VAR,
  BTF_KIND_FUNC,
  BTF_KIND_DECL_TAG,
  BTF_KIND_DATASEC,
]);
/** Kinds that nothing but their own section or tag may refer to. */
const SOURCE_ONLY = new Set<number>([BTF_KIND_VAR, BTF_KIND_DECL_TAG, BTF_KIND_DATASEC]);
const NO_SIZE = new Set<number>([BTF_KIND_UNKN, BTF_KIND_FWD, BTF_KIND_FUNC, BTF_KIND_FUNC_PROTO, BTF_KIND_DECL_TAG]);

/** Walks from each type to what it needs, depth first, 32 deep at most. */
class Resolver {
  readonly #btf: Btf;
  readonly #state: Uint8Array;
  #mode = TBD;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#state = new Uint8Array(btf.typeCount);
    this.#state.fill(RESOLVED, 0, Math.max(btf.firstId, 1));
  }

  check(id: number): void {
    const btf = this.#btf;
    const kind = btf.kind(id);
    if (NEEDS_RESOLVE.has(kind) && this.#state[id] !== RESOLVED) this.#start(id);
    if (kind === BTF_KIND_FUNC_PROTO) this.#checkProto(id);
  }

  #start(id: number): void {
    this.#mode = TBD;
    this.#visit(id, id, 0);
  }

  #visit(id: number, root: number, depth: number): void {
    const btf = this.#btf;
    if (depth === MAX_RESOLVE_DEPTH) fail(btf, root, `Exceeded max resolving depth:${MAX_RESOLVE_DEPTH}`, E2BIG);
    if (this.#state[id] !== NOT_VISITED) fail(btf, root, "Loop detected", EEXIST);
    this.#state[id] = VISITED;
    const kind = btf.kind(id);
    if (this.#mode === TBD) {
      if (kind === BTF_KIND_PTR) this.#mode = FROM_PTR;
      else if (btf.isComposite(id) || kind === BTF_KIND_ARRAY) this.#mode = FROM_STRUCT_OR_ARRAY;
    }
    const follow = (next: number): void => {
      if (!this.#isSink(next) && this.#state[next] !== RESOLVED) this.#visit(next, root, depth + 1);
    };
    this.#relations(id, kind, follow);
    this.#state[id] = RESOLVED;
  }

  #isSink(id: number): boolean {
    const btf = this.#btf;
    const kind = btf.kind(id);
    const isModifier = btf.isModifier(id) || kind === BTF_KIND_TYPEDEF;
    if (this.#mode === TBD) return !NEEDS_RESOLVE.has(kind);
    if (this.#mode === FROM_PTR) return !isModifier && kind !== BTF_KIND_PTR;
    return !isModifier && kind !== BTF_KIND_ARRAY && !btf.isComposite(id);
  }

  #hasSize(id: number): boolean {
    return !NO_SIZE.has(this.#btf.kind(this.#btf.resolve(id)));
  }

  #relations(id: number, kind: number, follow: (id: number) => void): void {
    const btf = this.#btf;
    const next = btf.ref(id);
    switch (kind) {
      case BTF_KIND_ARRAY:
        this.#checkArray(id, follow);
        break;
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        for (let i = 0; i < btf.vlen(id); i++) {
          const type = btf.memberType(id, i);
          if (NO_SIZE.has(btf.kind(type)) || SOURCE_ONLY.has(btf.kind(type))) failMember(btf, id, i, "Invalid member");
          follow(type);
          checkPlace(btf, id, i);
        }
        break;
      case BTF_KIND_DATASEC:
        this.#checkSection(id, follow);
        break;
      case BTF_KIND_DECL_TAG:
        this.#checkTag(id, follow);
        break;
      case BTF_KIND_FUNC:
        this.#checkFunc(id);
        break;
      case BTF_KIND_VAR:
        if (SOURCE_ONLY.has(btf.kind(next))) fail(btf, id, "Invalid type_id");
        follow(next);
        if (!this.#hasSize(next)) fail(btf, id, "Invalid type_id");
        break;
      default:
        // Pointers and modifiers may end at anything but a function itself.
        if (SOURCE_ONLY.has(btf.kind(next))) fail(btf, id, "Invalid type_id");
        follow(next);
        if (btf.kind(btf.resolve(next)) === BTF_KIND_FUNC) fail(btf, id, "Invalid type_id");
        break;
    }
  }

  #checkArray(id: number, follow: (id: number) => void): void {
    const btf = this.#btf;
    const [index, elem] = [btf.indexType(id), btf.elemType(id)];
    if (NO_SIZE.has(btf.kind(index)) || SOURCE_ONLY.has(btf.kind(index))) fail(btf, id, "Invalid index");
    follow(index);
    if (!isRegularInt(btf, btf.resolve(index))) fail(btf, id, "Invalid index");
    if (NO_SIZE.has(btf.kind(elem)) || SOURCE_ONLY.has(btf.kind(elem))) fail(btf, id, "Invalid elem");
    follow(elem);
    if (!this.#hasSize(elem)) fail(btf, id, "Invalid elem");
    const resolved = btf.resolve(elem);
    if (btf.kind(resolved) === BTF_KIND_INT && !isRegularInt(btf, resolved)) fail(btf, id, "Invalid array of int");
    const size = btf.size(elem);
    if (size < 0 || size * btf.nelems(id) > U32_MAX) fail(btf, id, "Array size overflows U32_MAX");
  }

  #checkSection(id: number, follow: (id: number) => void): void {
    const btf = this.#btf;
    for (let i = 0; i < btf.vlen(id); i++) {
      this.#mode = TBD;
      const type = btf.extra(id, 3 * i);
      const bad = (why: string): never => fail(btf, id, `type_id=${type}: ${why}`);
      if (btf.kind(type) !== BTF_KIND_VAR) bad("Not a VAR kind member");
      follow(type);
      if (!this.#hasSize(btf.ref(type))) bad("Invalid type");
      if (btf.extra(id, 3 * i + 2) < btf.size(type)) bad("Invalid size");
    }
  }

  #checkTag(id: number, follow: (id: number) => void): void {
    const btf = this.#btf;
    const target = btf.ref(id);
    const kind = btf.kind(target);
    const isOne = kind === BTF_KIND_VAR || kind === BTF_KIND_TYPEDEF;
    if (kind !== BTF_KIND_FUNC && !isOne && !btf.isComposite(target)) fail(btf, id, "Invalid type_id");
    follow(target);
    const component = btf.extra(id, 0) | 0;
    if (component === -1) return;
    const n = isOne ? 0 : btf.vlen(kind === BTF_KIND_FUNC ? btf.ref(target) : target);
    if (component >= n) fail(btf, id, "Invalid component_idx");
  }

  #checkFunc(id: number): void {
    const btf = this.#btf;
    const proto = btf.ref(id);
    if (btf.kind(proto) !== BTF_KIND_FUNC_PROTO) fail(btf, id, "Invalid type_id");
    for (let i = 0; i < btf.vlen(proto); i++) {
      if (btf.extra(proto, 2 * i) === 0 && btf.paramType(proto, i) !== 0) fail(btf, id, `Invalid arg#${i + 1}`);
    }
  }

  #checkProto(id: number): void {
    const btf = this.#btf;
    const check = (type: number, why: string): void => {
      if (SOURCE_ONLY.has(btf.kind(type))) fail(btf, id, why);
      if (NEEDS_RESOLVE.has(btf.kind(type)) && this.#state[type] !== RESOLVED) this.#start(type);
      if (!this.#hasSize(type)) fail(btf, id, why);
    };
    if (btf.ref(id) !== 0) check(btf.ref(id), "Invalid return type");
    let n = btf.vlen(id);
    if (n > 0 && btf.paramType(id, n - 1) === 0) {
      if (btf.extra(id, 2 * (n - 1)) !== 0) fail(btf, id, `Invalid arg#${n}`);
      n--;
    }
    for (let i = 0; i < n; i++) {
      const why = `Invalid arg#${i + 1}`;
      const name = btf.extra(id, 2 * i);
      if (name !== 0 && !isIdentifier(btf.str(name))) fail(btf, id, why);
      check(btf.paramType(id, i), why);
    }
  }
}

/** A whole number of bytes, a power of two, from bit 0 of its storage. */
function isRegularInt(btf: Btf, id: number): boolean {
  const bits = btf.kind(id) === BTF_KIND_INT && btf.intBitOffset(id) === 0 ? btf.intBits(id) : 0;
  return bits === 8 || bits === 16 || bits === 32 || bits === 64 || bits === 128;
}

/** Whether member i lies where its type may lie. */
function checkPlace(btf: Btf, id: number, i: number): void {
  const bad = (why: string): never => failMember(btf, id, i, why);
  const type = btf.resolve(btf.memberType(id, i));
  const kind = btf.kind(type);
  if (NO_SIZE.has(kind)) bad("Invalid member");
  const offset = btf.memberOffsetBits(id, i);
  const bits = btf.memberBitfieldSize(id, i);
  const structBits = 8 * btf.ref(id);
  if (kind === BTF_KIND_INT) {
    if (btf.kflag(id)) {
      if (!isRegularInt(btf, type)) bad("Invalid member base type");
      if (bits === 0 && offset % 8) bad("Invalid member offset");
      if (bits > btf.intBits(type)) bad("Invalid member bitfield_size");
    }
    const start = offset + (btf.kflag(id) ? 0 : btf.intBitOffset(type));
    if (start > U32_MAX) bad("bits_offset exceeds U32_MAX");
    const copied = (bits || btf.intBits(type)) + (start % 8);
    if (copied > 128) bad("nr_copy_bits exceeds 128");
    if (8 * (Math.floor(start / 8) + Math.ceil(copied / 8)) > structBits) bad("Member exceeds struct_size");
    return;
  }
  const isEnum = kind === BTF_KIND_ENUM || kind === BTF_KIND_ENUM64;
  if (isEnum && btf.kflag(id)) {
    if (bits === 0 && offset % 8) bad("Member is not byte aligned");
    if (bits > 32) bad("Invalid member bitfield_size");
    // Linux counts 32 bits for every enum in a struct with bitfields.
    if (8 * Math.ceil((offset + (bits || 32)) / 8) > structBits) bad("Member exceeds struct_size");
    return;
  }
  if (bits !== 0) bad("Invalid member bitfield_size");
  const size = btf.size(type);
  if (kind === BTF_KIND_FLOAT) {
    if (offset % (8 * Math.min(8, size))) bad("Member is not properly aligned");
  } else if (offset % 8) {
    bad("Member is not byte aligned");
  }
  if (offset + 8 * size > structBits) bad("Member exceeds struct_size");
}
