/**
 * WebAssembly module encoder; knows no eBPF.
 *
 * Everything is numbered in order of declaration: types (equal ones share a number), functions (imports first, so
 * declare those before `func`), globals. `finish` writes the sections in the order that the format wants.
 */
import type { Code } from "./code.ts";
import { LebBuffer } from "./leb_buffer.ts";
import { OP, VALTYPE, type ValType } from "./opcodes.ts";

export interface FuncType {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

export interface Limits {
  readonly min: number;
  readonly max?: number;
  /** Memories only. */
  readonly shared?: boolean;
}

/** A finished module and where each own function's first instruction lies in it. */
export interface EncodedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** By function index; imports hold 0. */
  readonly codeStart: readonly number[];
}

const KIND = { func: 0, table: 1, memory: 2, global: 3 } as const;
export type ExternKind = keyof typeof KIND;

const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  func: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  element: 9,
  code: 10,
  data: 11,
  tag: 13,
} as const;

/** Entries of one section: their number and their bytes. */
class Section {
  readonly buf = new LebBuffer(64);
  count = 0;

  entry(): LebBuffer {
    this.count++;
    return this.buf;
  }
}

export class ModuleBuilder {
  readonly #types = new Section();
  readonly #typeIds = new Map<string, number>();
  readonly #imports = new Section();
  readonly #memories = new Section();
  readonly #tables = new Section();
  readonly #tags = new Section();
  readonly #globals = new Section();
  readonly #exports = new Section();
  readonly #elements = new Section();
  readonly #data = new Section();
  /** Type of each own function. */
  readonly #funcs: number[] = [];
  readonly #bodies: (Code | undefined)[] = [];
  readonly #names = new Map<number, string>();
  #importedFuncs = 0;
  #importedGlobals = 0;
  #ownGlobals = 0;

  /** @returns the type's number; equal types share one */
  type(params: readonly ValType[], results: readonly ValType[]): number {
    const key = `${params.join()}:${results.join()}`;
    const known = this.#typeIds.get(key);
    if (known !== undefined) return known;
    const buf = this.#types.entry();
    buf.u8(0x60);
    for (const list of [params, results]) {
      buf.u32(list.length);
      for (const t of list) buf.u8(VALTYPE[t]);
    }
    const id = this.#typeIds.size;
    this.#typeIds.set(key, id);
    return id;
  }

  importFunc(module: string, field: string, type: number): number {
    if (this.#funcs.length) throw new Error(`import of ${module}.${field} after the first own function`);
    this.#import(module, field, "func").u32(type);
    this.#names.set(this.#importedFuncs, `${module}.${field}`);
    return this.#importedFuncs++;
  }

  importMemory(module: string, field: string, limits: Limits): void {
    writeLimits(this.#import(module, field, "memory"), limits);
  }

  importTable(module: string, field: string, limits: Limits): void {
    const buf = this.#import(module, field, "table");
    buf.u8(VALTYPE.funcref);
    writeLimits(buf, limits);
  }

  importGlobal(module: string, field: string, type: ValType, mutable = false): number {
    if (this.#ownGlobals) throw new Error(`import of ${module}.${field} after the first own global`);
    const buf = this.#import(module, field, "global");
    buf.u8(VALTYPE[type]);
    buf.u8(mutable ? 1 : 0);
    return this.#importedGlobals++;
  }

  #import(module: string, field: string, kind: ExternKind): LebBuffer {
    const buf = this.#imports.entry();
    buf.name(module);
    buf.name(field);
    buf.u8(KIND[kind]);
    return buf;
  }

  memory(limits: Limits): void {
    writeLimits(this.#memories.entry(), limits);
  }

  table(limits: Limits): void {
    const buf = this.#tables.entry();
    buf.u8(VALTYPE.funcref);
    writeLimits(buf, limits);
  }

  /** An exception tag whose values are the parameters of `type`. */
  tag(type: number): number {
    const buf = this.#tags.entry();
    buf.u8(0);
    buf.u32(type);
    return this.#tags.count - 1;
  }

  /** A global that starts as a 32-bit constant (sign-extended for i64). */
  global(type: ValType, mutable: boolean, init: number): number {
    const buf = this.#globals.entry();
    buf.u8(VALTYPE[type]);
    buf.u8(mutable ? 1 : 0);
    buf.u8(type === "i32" ? OP.i32_const : OP.i64_const);
    buf.s32(init);
    buf.u8(OP.end);
    return this.#importedGlobals + this.#ownGlobals++;
  }

  /** Declares a function; its body is given by `body`. The name goes to the name section, where profilers look. */
  func(type: number, name?: string): number {
    const index = this.#importedFuncs + this.#funcs.length;
    this.#funcs.push(type);
    this.#bodies.push(undefined);
    if (name !== undefined) this.#names.set(index, name);
    return index;
  }

  body(func: number, code: Code): void {
    this.#bodies[func - this.#importedFuncs] = code;
  }

  export(field: string, kind: ExternKind, index: number): void {
    const buf = this.#exports.entry();
    buf.name(field);
    buf.u8(KIND[kind]);
    buf.u32(index);
  }

  /** Active element segment: functions stored in table 0 from slot `at` on when the module is instantiated. */
  elements(at: number, funcs: readonly number[]): void {
    const buf = this.#elements.entry();
    buf.u32(0);
    buf.u8(OP.i32_const);
    buf.s32(at);
    buf.u8(OP.end);
    buf.u32(funcs.length);
    for (const f of funcs) buf.u32(f);
  }

  /** Active data segment: bytes stored in memory 0 from address `at` on when the module is instantiated. */
  data(at: number, bytes: Uint8Array): void {
    const buf = this.#data.entry();
    buf.u32(0);
    buf.u8(OP.i32_const);
    buf.s32(at);
    buf.u8(OP.end);
    buf.u32(bytes.length);
    buf.bytes(bytes);
  }

  finish(): EncodedModule {
    const out = new LebBuffer(4096);
    for (const b of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.u8(b);
    const write = (id: number, section: Section): void => {
      if (section.count === 0) return;
      const count = new LebBuffer(5);
      count.u32(section.count);
      out.u8(id);
      out.u32(count.length + section.buf.length);
      out.bytes(count.view());
      out.bytes(section.buf.view());
    };
    const funcs = new Section();
    for (const type of this.#funcs) funcs.entry().u32(type);
    const code = new Section();
    const starts: number[] = [];
    this.#bodies.forEach((body, i) => {
      if (!body) throw new Error(`function ${this.#importedFuncs + i} has no body`);
      starts.push(body.emit(code.entry()));
    });

    write(SECTION.type, this.#types);
    write(SECTION.import, this.#imports);
    write(SECTION.func, funcs);
    write(SECTION.table, this.#tables);
    write(SECTION.memory, this.#memories);
    write(SECTION.tag, this.#tags);
    write(SECTION.global, this.#globals);
    write(SECTION.export, this.#exports);
    write(SECTION.element, this.#elements);
    write(SECTION.code, code);
    const codeBase = out.length - code.buf.length;
    write(SECTION.data, this.#data);
    this.#writeNames(out);
    const codeStart = [...new Array<number>(this.#importedFuncs).fill(0), ...starts.map((s) => codeBase + s)];
    return { bytes: out.view().slice() as Uint8Array<ArrayBuffer>, codeStart };
  }

  /** The custom section "name", subsection 1: function names. */
  #writeNames(out: LebBuffer): void {
    if (this.#names.size === 0) return;
    const map = new LebBuffer();
    map.u32(this.#names.size);
    for (const [index, name] of [...this.#names].sort(([a], [b]) => a - b)) {
      map.u32(index);
      map.name(name);
    }
    const section = new LebBuffer();
    section.name("name");
    section.u8(1);
    section.u32(map.length);
    section.bytes(map.view());
    out.u8(SECTION.custom);
    out.u32(section.length);
    out.bytes(section.view());
  }
}

function writeLimits(buf: LebBuffer, { min, max, shared }: Limits): void {
  if (shared && max === undefined) throw new Error("a shared memory needs a maximum");
  buf.u8((max === undefined ? 0 : 1) | (shared ? 2 : 0));
  buf.u32(min);
  if (max !== undefined) buf.u32(max);
}
