/**
 * BTF -> C, in the words and the order of `bpftool btf dump ... format c`.
 *
 * For each type, in order of ids: first everything it embeds is put in line (`order`), then each of the line is
 * written with the forward declarations it needs (`emit`). Types behind pointers wait for their own turn.
 *
 * Names    a second type of one name becomes `name___2`; enumerators and typedefs share a name space, as in C.
 * Layout   holes become `long: 0;` and the like; a struct that fits no natural alignment gets the packed attribute.
 * Errors   ELOOP for types that embed each other in a circle, E2BIG for BTF that would fan out without end.
 * Source   the output of libbpf's btf_dump.
 */

import { BpfError, E2BIG, ELOOP } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";
import { sortedIds } from "./dump_c_order.ts";
import {
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
  type BtfEnum,
  type BtfEnum64,
} from "./kinds.ts";

export interface DumpCOptions {
  /** Only these types and what they need; all types without it. */
  readonly roots?: readonly number[];
  /** In the order of newer bpftools, by kind and name, rather than by id. */
  readonly sorted?: boolean;
  /** Also declare kfuncs (FUNCs tagged bpf_kfunc), as newer bpftools do. */
  readonly kfuncs?: boolean;
}

const HEAD = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`;
const KSYM = `#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif

#ifndef __weak
#define __weak __attribute__((weak))
#endif

`;
const TAIL = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`;

/** The whole header file, with guards. */
export function dumpC(btf: Btf, options: DumpCOptions = {}): string {
  const dumper = new CDumper(btf);
  let text = options.kfuncs ? HEAD + KSYM : HEAD;
  if (options.roots) {
    for (const id of options.roots) text += dumper.dump(id);
  } else {
    for (const id of options.sorted ? sortedIds(btf) : ownIds(btf)) text += dumper.dump(id);
    if (options.kfuncs) text += kfuncPrototypes(btf, dumper);
  }
  return text + TAIL;
}

function* ownIds(btf: Btf): Iterable<number> {
  for (let id = Math.max(btf.firstId, 1); id < btf.typeCount; id++) yield id;
}

function kfuncPrototypes(btf: Btf, dumper: CDumper): string {
  let text = "\n/* BPF kfuncs */\n#ifndef BPF_NO_KFUNC_PROTOTYPES\n";
  for (const id of ownIds(btf)) {
    if (btf.kind(id) !== BTF_KIND_DECL_TAG || btf.extra(id, 0) !== 0xffffffff || btf.nameOf(id) !== "bpf_kfunc")
      continue;
    const func = btf.ref(id);
    if (btf.kind(func) !== BTF_KIND_FUNC) continue;
    text += `extern ${dumper.declaration(btf.ref(func), btf.nameOf(func))} __weak __ksym;\n`;
  }
  return `${text}#endif\n\n`;
}

/** One type as a declaration: typeText(btf, id, "x") is "struct foo *x". Anonymous structs are written out. */
export function typeText(btf: Btf, id: number, name = ""): string {
  return new CDumper(btf).declaration(id, name);
}

// Where a type stands in the ordering, and in the writing.
const NEW = 0;
const BUSY = 1;
const DONE = 2;

/** Steps that a dump may take, and characters that one type may need; a kernel's takes 2 million and 30 thousand. */
const MAX_STEPS = 20_000_000;
const MAX_TEXT = 16 << 20;
/** Each 8 bytes of a hole are a line, and only broken BTF has holes larger than 64 KiB. */
const MAX_HOLE_BITS = 8 << 16;
const MAX_DEPTH = 1000;

const PADS = [
  ["long", 64],
  ["int", 32],
  ["short", 16],
  ["char", 8],
] as const;

/** Compiler-internal types that only some compilers know. */
const MISSING_BASE_TYPES: Readonly<Record<string, string>> = {
  __Poly8_t: "unsigned char",
  __Poly16_t: "unsigned short",
  __Poly64_t: "unsigned long long",
  __Poly128_t: "unsigned __int128",
};

export class CDumper {
  readonly #btf: Btf;
  readonly #orderState: Uint8Array;
  readonly #emitState: Uint8Array;
  readonly #fwdEmitted: Uint8Array;
  /** Referred to by another type: an anonymous enum that is not stands for constants of its own. */
  readonly #referenced: Uint8Array;
  readonly #names = new Map<number, string>();
  readonly #typeNames = new Map<string, number>();
  readonly #identNames = new Map<string, number>();
  #queue: number[] = [];
  #out = "";
  #steps = 0;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#orderState = new Uint8Array(btf.typeCount);
    this.#emitState = new Uint8Array(btf.typeCount);
    this.#fwdEmitted = new Uint8Array(btf.typeCount);
    this.#referenced = new Uint8Array(btf.typeCount);
    this.#orderState[0] = DONE;
    this.#emitState[0] = DONE;
    this.#markReferenced();
  }

  /** The C text of one type and of what it needs, as far as earlier calls have not given it. */
  dump(id: number): string {
    this.#out = "";
    this.#queue = [];
    this.#order(id, false, 0);
    for (const queued of this.#queue) this.#emit(queued, 0, 0);
    return this.#out;
  }

  declaration(id: number, name: string): string {
    this.#out = "";
    this.#decl(id, name, 0);
    return this.#out;
  }

  #step(depth: number): void {
    if (++this.#steps > MAX_STEPS || depth > MAX_DEPTH || this.#out.length > MAX_TEXT) {
      throw new BpfError(E2BIG, `BTF nests ${depth} levels deep or fans out without end: it makes no C`, { depth });
    }
  }

  #markReferenced(): void {
    const btf = this.#btf;
    const mark = this.#referenced;
    for (let id = 1; id < btf.typeCount; id++) {
      const n = btf.vlen(id);
      switch (btf.kind(id)) {
        case BTF_KIND_VOLATILE:
        case BTF_KIND_CONST:
        case BTF_KIND_RESTRICT:
        case BTF_KIND_PTR:
        case BTF_KIND_TYPEDEF:
        case BTF_KIND_FUNC:
        case BTF_KIND_VAR:
        case BTF_KIND_DECL_TAG:
        case BTF_KIND_TYPE_TAG:
          mark[btf.ref(id)] = 1;
          break;
        case BTF_KIND_ARRAY:
          mark[btf.elemType(id)] = 1;
          mark[btf.indexType(id)] = 1;
          break;
        case BTF_KIND_STRUCT:
        case BTF_KIND_UNION:
          for (let i = 0; i < n; i++) mark[btf.memberType(id, i)] = 1;
          break;
        case BTF_KIND_FUNC_PROTO:
          for (let i = 0; i < n; i++) mark[btf.paramType(id, i)] = 1;
          break;
        case BTF_KIND_DATASEC:
          for (let i = 0; i < n; i++) mark[btf.extra(id, 3 * i)] = 1;
          break;
        default:
          break;
      }
    }
  }

  // ---- order: what must be defined before what ----

  /**
   * Queues what `id` needs, then `id`. Says whether the link to it is strong: whether the definition must come first,
   * rather than a forward declaration. A named struct behind a pointer is a weak link; an anonymous one, which is
   * written in place, is strong even there.
   */
  #order(id: number, throughPtr: boolean, depth: number): boolean {
    const btf = this.#btf;
    const state = this.#orderState;
    this.#step(depth);
    if (state[id] === DONE) return true;
    const named = btf.nameOff(id) !== 0;
    if (state[id] === BUSY) {
      if (btf.isComposite(id) && throughPtr && named) return false;
      throw new BpfError(ELOOP, `BTF type ${id} ('${btf.nameOf(id)}') embeds itself: it makes no C`, { id });
    }
    switch (btf.kind(id)) {
      case BTF_KIND_INT:
      case BTF_KIND_FLOAT:
        state[id] = DONE;
        return false;
      case BTF_KIND_PTR: {
        const strong = this.#order(btf.ref(id), true, depth + 1);
        state[id] = DONE;
        return strong;
      }
      case BTF_KIND_ARRAY:
        return this.#order(btf.elemType(id), false, depth + 1);
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION: {
        if (throughPtr && named) return false;
        state[id] = BUSY;
        const n = btf.vlen(id);
        for (let i = 0; i < n; i++) this.#order(btf.memberType(id, i), false, depth + 1);
        if (named) this.#queue.push(id);
        state[id] = DONE;
        return true;
      }
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
      case BTF_KIND_FWD:
        if (named || !this.#referenced[id]) this.#queue.push(id);
        state[id] = DONE;
        return true;
      case BTF_KIND_TYPEDEF: {
        const strong = this.#order(btf.ref(id), throughPtr, depth + 1);
        if (throughPtr && !strong) return false;
        this.#queue.push(id);
        state[id] = DONE;
        return true;
      }
      case BTF_KIND_VOLATILE:
      case BTF_KIND_CONST:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG:
        return this.#order(btf.ref(id), throughPtr, depth + 1);
      case BTF_KIND_FUNC_PROTO: {
        let strong = this.#order(btf.ref(id), throughPtr, depth + 1);
        const n = btf.vlen(id);
        for (let i = 0; i < n; i++) strong = this.#order(btf.paramType(id, i), throughPtr, depth + 1) || strong;
        return strong;
      }
      default:
        state[id] = DONE;
        return false;
    }
  }

  // ---- emit: definitions and the forward declarations they need ----

  /** @param inside the named type being defined around this one; 0 at top level, where `id` itself is defined */
  #emit(id: number, inside: number, depth: number): void {
    const btf = this.#btf;
    const state = this.#emitState;
    this.#step(depth);
    if (state[id] === DONE) return;
    const kind = btf.kind(id);
    if (state[id] === BUSY) {
      this.#emitWhileBusy(id, inside);
      return;
    }
    switch (kind) {
      case BTF_KIND_INT: {
        const alias = MISSING_BASE_TYPES[btf.nameOf(id)];
        if (alias !== undefined) this.#out += `typedef ${alias} ${btf.nameOf(id)};\n\n`;
        state[id] = DONE;
        break;
      }
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
        if (inside === 0) {
          this.#enumDef(id, 0);
          this.#out += ";\n\n";
        }
        state[id] = DONE;
        break;
      case BTF_KIND_PTR:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_CONST:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG:
        this.#emit(btf.ref(id), inside, depth + 1);
        break;
      case BTF_KIND_ARRAY:
        this.#emit(btf.elemType(id), inside, depth + 1);
        break;
      case BTF_KIND_FWD:
        this.#out += `${this.#fwdText(id)};\n\n`;
        state[id] = DONE;
        break;
      case BTF_KIND_TYPEDEF:
        state[id] = BUSY;
        this.#emit(btf.ref(id), id, depth + 1);
        // While it was busy, someone behind a pointer may have needed it already.
        if (!this.#fwdEmitted[id]) this.#typedefDef(id);
        state[id] = DONE;
        break;
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        state[id] = BUSY;
        this.#emitComposite(id, inside, depth);
        break;
      case BTF_KIND_FUNC_PROTO: {
        this.#emit(btf.ref(id), inside, depth + 1);
        const n = btf.vlen(id);
        for (let i = 0; i < n; i++) this.#emit(btf.paramType(id, i), inside, depth + 1);
        break;
      }
      default:
        break;
    }
  }

  /** A reference to what is being defined further out. */
  #emitWhileBusy(id: number, inside: number): void {
    const btf = this.#btf;
    if (this.#fwdEmitted[id]) return;
    if (btf.isComposite(id)) {
      // A struct needs no declaration inside itself.
      if (id === inside || btf.nameOff(id) === 0) return;
      this.#out += `${this.#compositeName(id)};\n\n`;
      this.#fwdEmitted[id] = 1;
    } else if (btf.kind(id) === BTF_KIND_TYPEDEF) {
      this.#typedefDef(id);
      this.#fwdEmitted[id] = 1;
    }
  }

  #emitComposite(id: number, inside: number, depth: number): void {
    const btf = this.#btf;
    const named = btf.nameOff(id) !== 0;
    if (inside === 0 || !named) {
      const n = btf.vlen(id);
      for (let i = 0; i < n; i++) this.#emit(btf.memberType(id, i), named ? id : inside, depth + 1);
    } else if (!this.#fwdEmitted[id] && id !== inside) {
      this.#out += `${this.#compositeName(id)};\n\n`;
      this.#fwdEmitted[id] = 1;
    }
    if (inside === 0) {
      this.#compositeDef(id, 0);
      this.#out += ";\n\n";
      this.#emitState[id] = DONE;
    } else {
      this.#emitState[id] = NEW;
    }
  }

  #typedefDef(id: number): void {
    const btf = this.#btf;
    // The compiler has this one built in, and its own idea of it.
    if (btf.nameOf(id) === "__builtin_va_list") return;
    const name = this.#name(id, this.#identNames);
    // Old GCCs say that __gnuc_va_list is void.
    if (btf.ref(id) === 0 && name === "__gnuc_va_list") this.#out += "typedef __builtin_va_list __gnuc_va_list";
    else {
      this.#out += "typedef ";
      this.#decl(btf.ref(id), name, 0);
    }
    this.#out += ";\n\n";
  }

  #fwdText(id: number): string {
    return `${this.#btf.kflag(id) ? "union" : "struct"} ${this.#name(id, this.#typeNames)}`;
  }

  #compositeName(id: number): string {
    const keyword = this.#btf.kind(id) === BTF_KIND_STRUCT ? "struct" : "union";
    return this.#btf.nameOff(id) ? `${keyword} ${this.#name(id, this.#typeNames)}` : keyword;
  }

  #compositeDef(id: number, level: number): void {
    const btf = this.#btf;
    this.#step(level);
    const isStruct = btf.kind(id) === BTF_KIND_STRUCT;
    const packed = isStruct && this.#isPacked(id);
    this.#out += `${this.#compositeName(id)} {`;
    const n = btf.vlen(id);
    let at = 0; // bits
    let afterBitfield = false;
    for (let i = 0; i < n; i++) {
      const type = btf.memberType(id, i);
      const bits = btf.memberBitfieldSize(id, i);
      const start = btf.memberOffsetBits(id, i);
      this.#padding(at, start, packed ? 1 : btf.align(type), afterBitfield && bits !== 0, level + 1);
      this.#out += `\n${tabs(level + 1)}`;
      this.#decl(type, btf.memberName(id, i), level + 1);
      if (bits) this.#out += `: ${bits}`;
      this.#out += ";";
      afterBitfield = bits !== 0;
      at = start + (bits || 8 * Math.max(0, btf.size(type)));
    }
    if (isStruct) this.#padding(at, 8 * btf.ref(id), btf.align(id), false, level + 1);
    this.#out += n > 0 || btf.ref(id) > 0 ? `\n${tabs(level)}}` : "}";
    if (packed) this.#out += " __attribute__((packed))";
  }

  #isPacked(id: number): boolean {
    const btf = this.#btf;
    const n = btf.vlen(id);
    let max = 1;
    for (let i = 0; i < n; i++) {
      const align = btf.align(btf.memberType(id, i));
      if (btf.memberBitfieldSize(id, i) === 0 && btf.memberOffsetBits(id, i) % (8 * align) !== 0) return true;
      max = Math.max(max, align);
    }
    return btf.ref(id) % max !== 0;
  }

  /** Unnamed bitfields that move the compiler from bit `at` to bit `next`, as few and as wide as possible. */
  #padding(at: number, next: number, nextAlign: number, inBitfield: boolean, level: number): void {
    if (at >= next) return;
    const pad = (type: string, bits: number): void => {
      this.#step(level);
      this.#out += `\n${tabs(level)}${type}: ${bits};`;
    };
    const [type, width] = PADS.find(([, bits]) => roundUp(at, bits) <= next) ?? PADS[3];
    const aligned = roundUp(at, width);
    if (aligned > at && aligned <= next) {
      // The compiler closes the gap by itself if the next member asks for that alignment, or the next pad does.
      const needed =
        inBitfield ||
        (aligned === next && roundUp(at, 8 * nextAlign) !== aligned) ||
        (aligned !== next && next - aligned <= aligned - at);
      if (needed) pad(type, inBitfield ? aligned - at : 0);
      at = aligned;
    }
    if (next - at > MAX_HOLE_BITS) {
      throw new BpfError(E2BIG, `BTF struct with a hole of ${(next - at) / 8} bytes: it makes no C`, { at, next });
    }
    for (; next - at >= width; at += width) pad(type, width);
    if (at < next) pad(PADS.findLast(([, bits]) => bits >= next - at)![0], next - at);
  }

  // ---- enums ----

  #enumDef(id: number, level: number): void {
    const btf = this.#btf;
    const type = btf.type(id) as BtfEnum | BtfEnum64;
    this.#out += btf.nameOff(id) ? `enum ${this.#name(id, this.#typeNames)}` : "enum";
    if (type.values.length === 0) return;
    const suffix = type.kind === BTF_KIND_ENUM ? "" : type.signed ? "LL" : "ULL";
    this.#out += " {";
    for (const { name, value } of type.values) {
      const nth = countUp(this.#identNames, name);
      this.#out += `\n${tabs(level + 1)}${name}${nth > 1 ? `___${nth}` : ""} = ${value}${suffix},`;
    }
    this.#out += `\n${tabs(level)}}`;
    if (type.size === 1) this.#out += " __attribute__((mode(byte)))";
    // Values beyond 32 bits make an enum 8 bytes wide by themselves.
    if (
      type.size === 8 &&
      !(type.kind === BTF_KIND_ENUM64 && type.values.some((v) => BigInt.asUintN(64, v.value) >> 32n))
    ) {
      this.#out += " __attribute__((mode(word)))";
    }
  }

  // ---- names ----

  /** The type's name, with `___2` and so on from its second use by another type. */
  #name(id: number, used: Map<string, number>): string {
    const btf = this.#btf;
    let name = this.#names.get(id);
    if (name === undefined) {
      name = btf.nameOf(id);
      const kind = btf.kind(id);
      const isOnlyDeclared = kind === BTF_KIND_FWD || (kind === BTF_KIND_ENUM && btf.vlen(id) === 0);
      if (btf.nameOff(id) !== 0 && !isOnlyDeclared) {
        const nth = countUp(used, name);
        if (nth > 1) name += `___${nth}`;
      }
      this.#names.set(id, name);
    }
    return name;
  }

  // ---- declarators ----

  #decl(id: number, name: string, level: number): void {
    const btf = this.#btf;
    const chain: number[] = [];
    for (;;) {
      chain.push(id);
      const kind = btf.kind(id);
      if (kind === BTF_KIND_ARRAY) id = btf.elemType(id);
      else if (
        kind === BTF_KIND_PTR ||
        kind === BTF_KIND_VOLATILE ||
        kind === BTF_KIND_CONST ||
        kind === BTF_KIND_RESTRICT ||
        kind === BTF_KIND_FUNC_PROTO ||
        kind === BTF_KIND_TYPE_TAG
      ) {
        if (chain.length > MAX_DEPTH) this.#step(chain.length);
        id = btf.ref(id);
      } else break;
    }
    this.#chain(chain, name, level);
  }

  /**
   * Writes a chain of types, from its last (the base type) to its first (next to the name). Consumes the chain; inside
   * parentheses it calls itself for the rest.
   */
  #chain(chain: number[], name: string, level: number): void {
    const btf = this.#btf;
    this.#step(level);
    // True at the start, so that a pointer in parentheses gets no space: (*name).
    let afterPtr = true;
    while (chain.length > 0) {
      const id = chain.pop()!;
      const kind = btf.kind(id);
      switch (kind) {
        case BTF_KIND_UNKN:
        case BTF_KIND_INT:
        case BTF_KIND_FLOAT:
          this.#qualifiers(chain);
          this.#out += id === 0 ? "void" : btf.nameOf(id);
          break;
        case BTF_KIND_STRUCT:
        case BTF_KIND_UNION:
          this.#qualifiers(chain);
          if (btf.nameOff(id)) this.#out += this.#compositeName(id);
          else this.#compositeDef(id, level);
          break;
        case BTF_KIND_ENUM:
        case BTF_KIND_ENUM64:
          this.#qualifiers(chain);
          if (btf.nameOff(id)) this.#out += `enum ${this.#name(id, this.#typeNames)}`;
          else this.#enumDef(id, level);
          break;
        case BTF_KIND_FWD:
          this.#qualifiers(chain);
          this.#out += this.#fwdText(id);
          break;
        case BTF_KIND_TYPEDEF:
          this.#qualifiers(chain);
          this.#out += this.#name(id, this.#identNames);
          break;
        case BTF_KIND_PTR:
          this.#out += afterPtr ? "*" : " *";
          break;
        case BTF_KIND_VOLATILE:
          this.#out += " volatile";
          break;
        case BTF_KIND_CONST:
          this.#out += " const";
          break;
        case BTF_KIND_RESTRICT:
          this.#out += " restrict";
          break;
        case BTF_KIND_TYPE_TAG:
          this.#qualifiers(chain);
          this.#out += ` __attribute__((btf_type_tag("${btf.nameOf(id)}")))`;
          break;
        case BTF_KIND_ARRAY:
          this.#arrayRest(id, chain, name, level, afterPtr);
          return;
        case BTF_KIND_FUNC_PROTO:
          this.#protoRest(id, chain, name, level, afterPtr);
          return;
        default:
          return;
      }
      afterPtr = kind === BTF_KIND_PTR;
    }
    this.#declName(name, afterPtr);
  }

  #declName(name: string, afterPtr: boolean): void {
    this.#out += name !== "" && !afterPtr ? ` ${name}` : name;
  }

  #arrayRest(id: number, chain: number[], name: string, level: number, afterPtr: boolean): void {
    const btf = this.#btf;
    dropQualifiers(btf, chain);
    if (chain.length === 0) {
      this.#declName(name, afterPtr);
    } else {
      if (name !== "" && !afterPtr) this.#out += " ";
      const ofArray = btf.kind(chain.at(-1)!) === BTF_KIND_ARRAY;
      if (!ofArray) this.#out += "(";
      this.#chain(chain, name, level);
      if (!ofArray) this.#out += ")";
    }
    this.#out += `[${btf.nelems(id)}]`;
  }

  #protoRest(id: number, chain: number[], name: string, level: number, afterPtr: boolean): void {
    const btf = this.#btf;
    dropQualifiers(btf, chain);
    if (chain.length === 0) {
      this.#declName(name, afterPtr);
    } else {
      this.#out += " (";
      this.#chain(chain, name, level);
      this.#out += ")";
    }
    this.#out += "(";
    const n = btf.vlen(id);
    // clang writes (void) as one void parameter.
    if (n === 0 || (n === 1 && btf.paramType(id, 0) === 0)) this.#out += "void";
    else {
      for (let i = 0; i < n; i++) {
        if (i > 0) this.#out += ", ";
        const type = btf.paramType(id, i);
        if (i === n - 1 && type === 0) this.#out += "...";
        else this.#decl(type, btf.paramName(id, i), level);
      }
    }
    this.#out += ")";
  }

  /** Writes the qualifiers of a base type before it. */
  #qualifiers(chain: number[]): void {
    const words: Readonly<Record<number, string>> = QUALIFIERS;
    while (chain.length > 0) {
      const word = words[this.#btf.kind(chain.at(-1)!)];
      if (word === undefined) return;
      this.#out += word;
      chain.pop();
    }
  }
}

const QUALIFIERS = {
  [BTF_KIND_VOLATILE]: "volatile ",
  [BTF_KIND_CONST]: "const ",
  [BTF_KIND_RESTRICT]: "restrict ",
};

/** GCC repeats an element's qualifiers on the array and marks noreturn functions volatile; neither means anything. */
function dropQualifiers(btf: Btf, chain: number[]): void {
  while (chain.length > 0 && btf.isModifier(chain.at(-1)!)) chain.pop();
}

function countUp(counts: Map<string, number>, name: string): number {
  const n = (counts.get(name) ?? 0) + 1;
  counts.set(name, n);
  return n;
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** Deeper than 13 levels is not indented further, as in bpftool. */
function tabs(level: number): string {
  return "\t".repeat(Math.min(level, 13));
}
