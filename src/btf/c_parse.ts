/**
 * C declarations -> BTF: structs, unions, enums, typedefs, variables and function prototypes, laid out as x86-64 does.
 *
 *     const btf = btfFromC(`struct flow { __be32 saddr; __u16 port : 4; };  int use(struct flow *f);`);
 *
 * Meant for declaring kernel types and kfuncs in their own language. `struct T __rcu *p` makes a type tag "rcu";
 * `__bpf_kfunc` before a prototype adds the declaration tag "bpf_kfunc". A struct that is only named becomes a forward
 * declaration. There is no preprocessor; integer constants come from enums.
 *
 * Errors  EINVAL naming source and line.
 */

import type { Btf } from "./btf.ts";
import { BtfBuilder } from "./build.ts";
import { TokenStream } from "./c_lexer.ts";
import {
  BTF_INT_BOOL,
  BTF_INT_SIGNED,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FWD,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  BTF_LINKAGE_EXTERN,
  BTF_LINKAGE_GLOBAL,
  BTF_LINKAGE_STATIC,
  type BtfMember,
  type BtfParam,
} from "./kinds.ts";

/** Parses texts in order as one BTF, on a base if given. */
export function btfFromC(texts: string | readonly string[], base?: Btf): Btf {
  const types = new CTypes(new BtfBuilder(base), base);
  for (const text of typeof texts === "string" ? [texts] : texts) types.declare(text);
  return types.finish().parse();
}

/** Size and alignment in bytes; -1 and 0 while incomplete. */
interface Shape {
  readonly size: number;
  readonly align: number;
}

/** Specifier words, sorted -> GCC's name of the integer, its size, its encoding. */
const INTS: Readonly<Record<string, readonly [name: string, size: number, encoding: number]>> = {
  char: ["char", 1, BTF_INT_SIGNED],
  "char signed": ["signed char", 1, BTF_INT_SIGNED],
  "char unsigned": ["unsigned char", 1, 0],
  short: ["short int", 2, BTF_INT_SIGNED],
  "short unsigned": ["short unsigned int", 2, 0],
  int: ["int", 4, BTF_INT_SIGNED],
  signed: ["int", 4, BTF_INT_SIGNED],
  unsigned: ["unsigned int", 4, 0],
  long: ["long int", 8, BTF_INT_SIGNED],
  "long unsigned": ["long unsigned int", 8, 0],
  "long long": ["long long int", 8, BTF_INT_SIGNED],
  "long long unsigned": ["long long unsigned int", 8, 0],
  __int128: ["__int128", 16, BTF_INT_SIGNED],
  "__int128 unsigned": ["__int128 unsigned", 16, 0],
  _Bool: ["_Bool", 1, BTF_INT_BOOL],
};
const INT_WORDS = new Set(["char", "short", "int", "long", "signed", "unsigned", "__int128", "_Bool"]);
/** Kernel markers that are type tags. */
const TYPE_TAGS: Readonly<Record<string, string>> = {
  __rcu: "rcu",
  __percpu: "percpu",
  __user: "user",
  __kptr: "kptr",
  __kptr_untrusted: "kptr_untrusted",
  __percpu_kptr: "percpu_kptr",
  __uptr: "uptr",
};

/** What `__attribute__((mode(...)))` makes of an enum. */
const MODES: Readonly<Record<string, number>> = { byte: 1, word: 8 };

/** A declarator turns the type of its specifiers into the type of the name. */
interface Declared {
  readonly name: string;
  readonly type: number;
}

export class CTypes {
  readonly #builder: BtfBuilder;
  readonly #base: Btf | undefined;
  readonly #tags = new Map<string, number>();
  readonly #undefined = new Map<string, number>();
  readonly #typedefs = new Map<string, number>();
  readonly #constants = new Map<string, bigint>();
  readonly #derived = new Map<string, number>();
  readonly #shapes = new Map<number, Shape>([[0, { size: -1, align: 1 }]]);
  /** Ids of FUNC_PROTOs made here, for telling functions from variables. */
  readonly #protos = new Set<number>();
  readonly #arrays = new Map<number, { elem: number; nelems: number }>();
  /** Variables declared so far. */
  readonly variables = new Map<string, { readonly id: number; readonly size: number }>();
  #in: TokenStream = new TokenStream("", "C types");

  constructor(builder: BtfBuilder, base?: Btf) {
    this.#builder = builder;
    this.#base = base;
  }

  /** Adds the declarations in a text. @param source names the text in errors */
  declare(text: string, source = "C types"): void {
    this.#in = new TokenStream(text, source);
    while (this.#in.token.kind !== "end") this.#declaration();
  }

  /** Id of a type written as in a cast: "struct sock *", "char[16]". */
  typeOf(text: string): number {
    this.#in = new TokenStream(text, `type '${text}'`);
    const { type } = this.#declarator(this.#specifiers());
    if (this.#in.token.kind !== "end") this.#in.fail(`unexpected '${this.#in.token.text}'`);
    return type;
  }

  /** Declares what was named and never defined, and gives the builder. */
  finish(): BtfBuilder {
    for (const [tag, id] of this.#undefined) {
      const [keyword, name] = tag.split(" ");
      if (keyword === "enum") {
        this.#builder.define(id, { kind: BTF_KIND_ENUM, name, size: 4, signed: false, values: [] });
      } else {
        this.#builder.define(id, { kind: BTF_KIND_FWD, name, union: keyword === "union" });
      }
    }
    this.#undefined.clear();
    return this.#builder;
  }

  // ---- declarations ----

  #declaration(): void {
    const tokens: TokenStream = this.#in;
    if (tokens.accept(";")) return;
    const isTypedef = tokens.accept("typedef");
    const isKfunc = tokens.accept("__bpf_kfunc");
    const isExtern = tokens.accept("extern");
    const isStatic = tokens.accept("static");
    const base = this.#specifiers();
    if (tokens.accept(";")) return;
    do {
      const { name, type } = this.#declarator(base);
      if (name === "") tokens.fail(`wanted a name, saw '${tokens.token.text}'`);
      this.#attributes();
      if (isTypedef) {
        const id = this.#builder.typedef(name, type);
        this.#like.set(id, type);
        this.#typedefs.set(name, id);
      } else if (this.#protos.has(type)) {
        const linkage = isExtern ? BTF_LINKAGE_EXTERN : isStatic ? BTF_LINKAGE_STATIC : BTF_LINKAGE_GLOBAL;
        const id = this.#builder.func(name, type, linkage);
        if (isKfunc) this.#builder.declTag("bpf_kfunc", id);
      } else {
        const id = this.#builder.var(name, type, isStatic ? BTF_LINKAGE_STATIC : BTF_LINKAGE_GLOBAL);
        this.variables.set(name, { id, size: this.#shape(type).size });
      }
    } while (tokens.accept(","));
    tokens.expect(";");
  }

  /** Everything before the declarator: qualifiers, tags and one base type. */
  #specifiers(): number {
    const tokens: TokenStream = this.#in;
    const words: string[] = [];
    const wraps: ((id: number) => number)[] = [];
    let type: number | undefined;
    for (;;) {
      const { text, kind } = tokens.token;
      if (kind !== "name") break;
      if (text === "const" || text === "volatile") {
        wraps.push((id) => this.#derive(`${text} ${id}`, id, (b) => (text === "const" ? b.const(id) : b.volatile(id))));
      } else if (Object.hasOwn(TYPE_TAGS, text)) {
        wraps.push((id) => this.#derive(`tag ${text} ${id}`, id, (b) => b.typeTag(TYPE_TAGS[text], id)));
      } else if (text === "__attribute__" && tokens.peek(3).text === "btf_type_tag") {
        for (const expected of ["__attribute__", "(", "(", "btf_type_tag", "("]) tokens.expect(expected);
        if (tokens.token.kind !== "string") tokens.fail(`wanted a string, saw '${tokens.token.text}'`);
        const tag = tokens.next().text;
        wraps.push((id) => this.#derive(`tag "${tag}" ${id}`, id, (b) => b.typeTag(tag, id)));
        for (const expected of [")", ")"]) tokens.expect(expected);
        if (!tokens.is(")")) tokens.fail(`wanted ')', saw '${tokens.token.text}'`);
      } else if (type !== undefined) {
        break;
      } else if (INT_WORDS.has(text)) {
        words.push(text);
      } else if (words.length > 0) {
        break;
      } else if (text === "struct" || text === "union") {
        tokens.next();
        type = this.#composite(text);
        continue;
      } else if (text === "enum") {
        tokens.next();
        type = this.#enum();
        continue;
      } else if (text === "void") {
        type = 0;
      } else if (text === "float" || text === "double") {
        const size = text === "float" ? 4 : 8;
        type = this.#derive(text, undefined, (b) => b.float(text, size), { size, align: size });
      } else {
        const found = this.#typedefs.get(text) ?? this.#base?.byName(text, BTF_KIND_TYPEDEF);
        if (!found) tokens.fail(`unknown type '${text}'`);
        type = found;
      }
      tokens.next();
    }
    if (words.length > 0) type = this.#int(words);
    if (type === undefined) tokens.fail(`wanted a type, saw '${tokens.token.text}'`);
    return wraps.reduce((id, wrap) => wrap(id), type);
  }

  #int(words: string[]): number {
    const essential = words.length === 1 ? words : words.filter((w) => w !== "int");
    const key = (essential.includes("char") ? essential : withoutSigned(essential)).sort().join(" ");
    const found = INTS[key];
    if (!found) this.#in.fail(`no integer type '${words.join(" ")}'`);
    const [name, size, encoding] = found;
    return this.#derive(`int ${name}`, undefined, (b) => b.int(name, size, encoding), { size, align: size });
  }

  // ---- declarators ----

  /** Pointers, then a name or a parenthesised declarator, then arrays and parameter lists. */
  #declarator(base: number): Declared {
    const tokens: TokenStream = this.#in;
    let type = base;
    while (tokens.accept("*")) {
      const pointee = type;
      type = this.#derive(`* ${pointee}`, undefined, (b) => b.ptr(pointee), { size: 8, align: 8 });
      for (;;) {
        const { text } = tokens.token;
        const inner = type;
        if (text === "const") type = this.#derive(`const ${inner}`, inner, (b) => b.const(inner));
        else if (text === "volatile") type = this.#derive(`volatile ${inner}`, inner, (b) => b.volatile(inner));
        else if (text === "restrict") type = this.#derive(`restrict ${inner}`, inner, (b) => b.restrict(inner));
        else if (Object.hasOwn(TYPE_TAGS, text)) {
          type = this.#derive(`tag ${text} ${inner}`, inner, (b) => b.typeTag(TYPE_TAGS[text], inner));
        } else break;
        tokens.next();
      }
    }
    // `(*name)(...)`: what stands inside applies to the result of what follows, so it is read twice.
    if (tokens.is("(") && (tokens.peek().text === "*" || tokens.peek().text === "(")) {
      tokens.next();
      const inside: string[] = [];
      for (let depth = 1; ; ) {
        const { text, kind } = tokens.next();
        if (kind === "end") tokens.fail("wanted ')'");
        if (text === "(") depth++;
        if (text === ")" && --depth === 0) break;
        inside.push(text);
      }
      const outer = this.#suffixes(type);
      const saved = this.#in;
      this.#in = new TokenStream(inside.join(" "), "declarator");
      const declared = this.#declarator(outer);
      this.#in = saved;
      return declared;
    }
    const name = tokens.token.kind === "name" && !tokens.token.text.startsWith("__attribute") ? tokens.next().text : "";
    return { name, type: this.#suffixes(type) };
  }

  #suffixes(type: number): number {
    const tokens: TokenStream = this.#in;
    if (tokens.accept("(")) {
      const params = this.#params();
      const key = `proto ${type} ${params.map((p) => `${p.type} ${p.name}`).join()}`;
      const proto = this.#derive(key, undefined, (b) => b.funcProto(type, params), { size: -1, align: 1 });
      this.#protos.add(proto);
      return proto;
    }
    const dims: number[] = [];
    while (tokens.accept("[")) {
      dims.push(tokens.is("]") ? 0 : Number(this.#expression()));
      tokens.expect("]");
    }
    return dims.reduceRight((elem, n) => this.#array(elem, n), type);
  }

  #array(elem: number, nelems: number): number {
    const { size, align } = this.#shape(elem);
    if (size < 0) this.#in.fail("array of an incomplete type");
    const index = this.#derive("int __ARRAY_SIZE_TYPE__", undefined, (b) => b.int("__ARRAY_SIZE_TYPE__", 4), {
      size: 4,
      align: 4,
    });
    const shape = { size: size * nelems, align };
    const id = this.#derive(`[${nelems}] ${elem}`, undefined, (b) => b.array(elem, nelems, index), shape);
    this.#arrays.set(id, { elem, nelems });
    return id;
  }

  #params(): BtfParam[] {
    const tokens: TokenStream = this.#in;
    const params: BtfParam[] = [];
    if (tokens.accept(")")) return params;
    if (tokens.is("void") && tokens.peek().text === ")") {
      tokens.next();
      tokens.next();
      return params;
    }
    do {
      if (tokens.accept("...")) {
        params.push({ name: "", type: 0 });
        break;
      }
      const { name, type } = this.#declarator(this.#specifiers());
      params.push({ name, type: this.#decay(type) });
    } while (tokens.accept(","));
    tokens.expect(")");
    return params;
  }

  /** Arrays and functions are passed as pointers. */
  #decay(type: number): number {
    const target = this.#arrays.get(type)?.elem ?? (this.#protos.has(type) ? type : undefined);
    if (target === undefined) return type;
    return this.#derive(`* ${target}`, undefined, (b) => b.ptr(target), { size: 8, align: 8 });
  }

  // ---- structs, unions, enums ----

  #composite(keyword: "struct" | "union"): number {
    const tokens: TokenStream = this.#in;
    let { packed, aligned } = this.#attributes();
    const name = tokens.token.kind === "name" ? tokens.next().text : "";
    if (!tokens.accept("{")) {
      if (name === "") tokens.fail(`wanted a name or '{' after '${keyword}'`);
      return this.#tag(`${keyword} ${name}`, keyword === "struct" ? BTF_KIND_STRUCT : BTF_KIND_UNION);
    }
    const tag = `${keyword} ${name}`;
    if (name !== "" && this.#tags.has(tag) && !this.#undefined.has(tag)) tokens.fail(`'${tag}' is defined twice`);
    const id = name === "" ? this.#builder.reserve() : this.#tag(tag, undefined);
    const fields: Field[] = [];
    while (!tokens.accept("}")) this.#fields(fields);
    const after = this.#attributes();
    packed ||= after.packed;
    aligned = Math.max(aligned, after.aligned);
    const { members, shape } = layOut(fields, keyword === "union", packed, aligned);
    const kind = keyword === "struct" ? BTF_KIND_STRUCT : BTF_KIND_UNION;
    this.#builder.define(id, { kind, name, size: shape.size, members });
    this.#shapes.set(id, shape);
    this.#undefined.delete(tag);
    return id;
  }

  #fields(fields: Field[]): void {
    const tokens: TokenStream = this.#in;
    const base = this.#specifiers();
    if (tokens.accept(";")) {
      fields.push({
        name: "",
        type: base,
        shape: this.#complete(base, "anonymous member"),
        bits: undefined,
        aligned: 0,
      });
      return;
    }
    do {
      const { name, type } = tokens.is(":") ? { name: "", type: base } : this.#declarator(base);
      const bits = tokens.accept(":") ? Number(this.#expression()) : undefined;
      const { aligned } = this.#attributes();
      const shape = this.#complete(type, `member '${name}'`);
      if (bits !== undefined && bits > 8 * shape.size) tokens.fail(`member '${name}' of ${bits} bits is too wide`);
      fields.push({ name, type, shape, bits, aligned });
    } while (tokens.accept(","));
    tokens.expect(";");
  }

  #complete(type: number, what: string): Shape {
    const shape = this.#shape(type);
    if (shape.size < 0) this.#in.fail(`${what} has an incomplete type`);
    return shape;
  }

  #tag(tag: string, baseKind: number | undefined): number {
    let id = this.#tags.get(tag);
    if (id === undefined) {
      const inBase = baseKind === undefined ? 0 : (this.#base?.byName(tag.split(" ")[1], baseKind) ?? 0);
      if (inBase) return inBase;
      id = this.#builder.reserve();
      this.#tags.set(tag, id);
      this.#undefined.set(tag, id);
    }
    return id;
  }

  #enum(): number {
    const tokens: TokenStream = this.#in;
    const name = tokens.token.kind === "name" ? tokens.next().text : "";
    const size = tokens.accept(":") ? this.#complete(this.#specifiers(), "enum base").size : undefined;
    const tag = `enum ${name}`;
    const shapeOf = (bytes: number): Shape => ({ size: bytes, align: bytes });
    if (!tokens.accept("{")) {
      if (name === "") tokens.fail("wanted a name or '{' after 'enum'");
      const id = this.#tag(tag, BTF_KIND_ENUM);
      if (!this.#shapes.has(id)) this.#shapes.set(id, shapeOf(4));
      return id;
    }
    if (name !== "" && this.#tags.has(tag) && !this.#undefined.has(tag)) tokens.fail(`'${tag}' is defined twice`);
    const id = name === "" ? this.#builder.reserve() : this.#tag(tag, undefined);
    const values: { name: string; value: bigint }[] = [];
    let value = 0n;
    while (!tokens.accept("}")) {
      const item = tokens.name("an enumerator");
      if (tokens.accept("=")) value = this.#expression();
      values.push({ name: item, value });
      this.#constants.set(item, value);
      value++;
      if (!tokens.is("}")) tokens.expect(",");
    }
    const signed = values.some((v) => v.value < 0n);
    const limit = signed ? 0x7fffffffn : 0xffffffffn;
    const bytes =
      size ?? this.#attributes().modeBytes ?? (values.some((v) => v.value > limit || v.value < -0x80000000n) ? 8 : 4);
    if (bytes === 8) this.#builder.define(id, { kind: BTF_KIND_ENUM64, name, size: 8, signed, values });
    else {
      const numbers = values.map((v) => ({ name: v.name, value: Number(v.value) }));
      this.#builder.define(id, { kind: BTF_KIND_ENUM, name, size: bytes, signed, values: numbers });
    }
    this.#shapes.set(id, shapeOf(bytes));
    this.#undefined.delete(tag);
    return id;
  }

  // ---- attributes and constants ----

  #attributes(): { packed: boolean; aligned: number; modeBytes: number | undefined } {
    const tokens: TokenStream = this.#in;
    let packed = false;
    let aligned = 0;
    let modeBytes: number | undefined;
    for (;;) {
      if (tokens.accept("__packed")) {
        packed = true;
      } else if (tokens.accept("__attribute__")) {
        tokens.expect("(");
        tokens.expect("(");
        do {
          const name = tokens.name("an attribute").replace(/^__|__$/g, "");
          if (name === "packed") packed = true;
          else if (name === "aligned" && tokens.accept("(")) {
            aligned = Math.max(aligned, Number(this.#expression()));
            tokens.expect(")");
          } else if (name === "mode" && tokens.accept("(")) {
            modeBytes = MODES[tokens.name("a mode")] ?? tokens.fail("wanted mode byte or word");
            tokens.expect(")");
          } else if (name !== "preserve_access_index" && name !== "unused") tokens.fail(`unknown attribute '${name}'`);
        } while (tokens.accept(","));
        tokens.expect(")");
        tokens.expect(")");
      } else {
        return { packed, aligned, modeBytes };
      }
    }
  }

  /** Integer constant expressions of `|`, `<<`, `+ -`, `*`, unary `-` and `~`, parentheses, enumerators, sizeof. */
  #expression(level = 0): bigint {
    const tokens: TokenStream = this.#in;
    if (level === OPERATORS.length) return this.#primary();
    let left = this.#expression(level + 1);
    for (;;) {
      const op = OPERATORS[level][tokens.token.text];
      if (tokens.token.kind !== "punct" || op === undefined) return left;
      tokens.next();
      left = op(left, this.#expression(level + 1));
    }
  }

  #primary(): bigint {
    const tokens: TokenStream = this.#in;
    if (tokens.accept("-")) return -this.#primary();
    if (tokens.accept("~")) return ~this.#primary();
    if (tokens.accept("(")) {
      const value = this.#expression();
      tokens.expect(")");
      return value;
    }
    if (tokens.token.kind === "number") return BigInt(tokens.next().text);
    const name = tokens.name("a constant");
    if (name === "sizeof") {
      tokens.expect("(");
      const { type } = this.#declarator(this.#specifiers());
      tokens.expect(")");
      return BigInt(this.#complete(type, "sizeof").size);
    }
    return this.#constants.get(name) ?? tokens.fail(`unknown constant '${name}'`);
  }

  // ---- shared types ----

  /** One id per distinct derived type. @param like the type whose size and alignment it has */
  #derive(key: string, like: number | undefined, make: (b: BtfBuilder) => number, shape?: Shape): number {
    let id = this.#derived.get(key);
    if (id === undefined) {
      id = make(this.#builder);
      this.#derived.set(key, id);
      if (shape) this.#shapes.set(id, shape);
      else if (like !== undefined) this.#like.set(id, like);
    }
    return id;
  }

  /** Qualified type -> the type it qualifies, whose shape may come later. */
  readonly #like = new Map<number, number>();

  #shape(id: number): Shape {
    const like = this.#like.get(id);
    if (like !== undefined) return this.#shape(like);
    const own = this.#shapes.get(id);
    if (own) return own;
    if (this.#base && id < this.#base.typeCount && id > 0) {
      const size = this.#base.size(id);
      return { size, align: this.#base.align(id) };
    }
    return { size: -1, align: 1 };
  }
}

function withoutSigned(words: readonly string[]): string[] {
  const rest = words.filter((w) => w !== "signed");
  return rest.length > 0 ? rest : ["signed"];
}

const OPERATORS: readonly Readonly<Record<string, (a: bigint, b: bigint) => bigint>>[] = [
  { "|": (a, b) => a | b },
  { "<<": (a, b) => a << b, ">>": (a, b) => a >> b },
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b },
];

interface Field {
  readonly name: string;
  readonly type: number;
  readonly shape: Shape;
  readonly bits: number | undefined;
  readonly aligned: number;
}

/** Places members as the x86-64 psABI does: a bitfield never crosses a boundary of its type's size. */
function layOut(fields: readonly Field[], union: boolean, packed: boolean, aligned: number): Layout {
  const members: BtfMember[] = [];
  let at = 0; // bits
  let sizeBits = 0;
  let align = Math.max(1, aligned);
  for (const { name, type, shape, bits, aligned: own } of fields) {
    const natural = packed ? Math.max(1, own) : Math.max(shape.align, own);
    if (union) at = 0;
    if (bits === 0) {
      at = roundUp(at, 8 * shape.size);
      continue;
    }
    if (bits === undefined) at = roundUp(at, 8 * natural);
    else if (!packed && Math.floor(at / (8 * shape.size)) !== Math.floor((at + bits - 1) / (8 * shape.size))) {
      at = roundUp(at, 8 * shape.size);
    }
    // An unnamed bitfield is padding; it does not align its struct.
    if (name !== "" || bits === undefined) {
      align = Math.max(align, natural);
      members.push({ name, type, bitOffset: at, bitfieldSize: bits ?? 0 });
    }
    at += bits ?? 8 * shape.size;
    sizeBits = Math.max(sizeBits, at);
  }
  return { members, shape: { size: roundUp(Math.ceil(sizeBits / 8), align), align } };
}

interface Layout {
  readonly members: readonly BtfMember[];
  readonly shape: Shape;
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}
