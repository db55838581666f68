/**
 * Functions of a WebAssembly module as text, near WAT: for golden tests and for people who read what the JIT made.
 *
 * It reads the binary back, so it also checks the encoder. Sections other than type, import, function and code are
 * skipped. Not a validator: malformed bytes throw a plain Error.
 */
import { OP, OP_INFO } from "./opcodes.ts";

export interface TextOptions {
  /** Prints only functions whose name this accepts. */
  readonly only?: (name: string) => boolean;
}

/** @param bytes a module made by ModuleBuilder */
export function wasmText(bytes: Uint8Array, options: TextOptions = {}): string {
  const r = new Reader(bytes);
  r.at = 8;
  const types: string[] = [];
  const funcTypes: number[] = [];
  const names = new Map<number, string>();
  const bodies: { start: number; end: number }[] = [];
  let imported = 0;
  while (r.at < bytes.length) {
    const id = r.u8();
    const end = r.u32() + r.at;
    if (id === 1) r.list(() => types.push(readType(r)));
    else if (id === 2) {
      r.list(() => {
        const name = `${r.name()}.${r.name()}`;
        if (!skipImport(r)) return;
        names.set(imported++, name);
      });
    } else if (id === 3) r.list(() => funcTypes.push(r.u32()));
    else if (id === 10) {
      r.list(() => {
        const size = r.u32();
        bodies.push({ start: r.at, end: r.at + size });
        r.at += size;
      });
    } else if (id === 0 && r.name() === "name" && r.u8() === 1) {
      r.u32();
      r.list(() => names.set(r.u32(), r.name()));
    }
    r.at = end;
  }
  const nameOf = (func: number): string => names.get(func) ?? String(func);
  const out: string[] = [];
  bodies.forEach((body, i) => {
    const name = nameOf(imported + i);
    if (options.only && !options.only(name)) return;
    out.push(`(func $${name} ${types[funcTypes[i]]}`);
    r.at = body.start;
    r.list(() => out.push(`  (local ${r.u32()} ${valType(r.u8())})`));
    readInsns(r, body.end - 1, types, nameOf, out);
    out.push(")");
  });
  return `${out.join("\n")}\n`;
}

function readInsns(r: Reader, end: number, types: string[], nameOf: (f: number) => string, out: string[]): void {
  let depth = 1;
  while (r.at < end) {
    const first = r.u8();
    const code = first >= 0xfc ? (first << 8) | r.u32() : first;
    const info = OP_INFO.get(code);
    if (!info) throw new Error(`unknown opcode 0x${code.toString(16)} at byte ${r.at}`);
    let operands = "";
    switch (info.immediate) {
      case "none":
        break;
      case "block": {
        const result = r.u8();
        operands = result === 0x40 ? "" : ` (result ${valType(result)})`;
        break;
      }
      case "u32": {
        const n = r.u32();
        operands = code === OP.call || code === OP.return_call ? ` $${nameOf(n)}` : ` ${n}`;
        break;
      }
      case "labels": {
        const labels: number[] = [];
        r.list(() => labels.push(r.u32()));
        operands = ` ${labels.join(" ")} ${r.u32()}`;
        break;
      }
      case "callIndirect":
        operands = ` ${types[r.u32()]}`;
        r.u32();
        break;
      case "mem": {
        r.u32();
        const offset = r.u32();
        operands = offset ? ` offset=${offset}` : "";
        break;
      }
      case "i32":
      case "i64":
        operands = ` ${r.signed()}`;
        break;
      case "memidx2":
        r.u8();
        r.u8();
        break;
      case "memidx":
      case "fence":
        r.u8();
        break;
      default:
        info.immediate satisfies never;
    }
    if (code === OP.end || code === OP.else || code === OP.catch) depth--;
    out.push(`${"  ".repeat(Math.min(depth, 40))}${info.text}${operands}`);
    if (OPENS.has(code)) depth++;
  }
}

const OPENS: ReadonlySet<number> = new Set([OP.block, OP.loop, OP.if, OP.else, OP.try, OP.catch]);

function readType(r: Reader): string {
  r.u8();
  const lists = ["param", "result"].map((word) => {
    const list: string[] = [];
    r.list(() => list.push(valType(r.u8())));
    return list.length ? `(${word} ${list.join(" ")})` : "";
  });
  return lists.filter((s) => s).join(" ");
}

/** @returns whether it was a function */
function skipImport(r: Reader): boolean {
  const kind = r.u8();
  if (kind === 0) r.u32();
  else if (kind === 3) r.at += 2;
  else {
    if (kind === 1) r.u8();
    const flags = r.u8();
    r.u32();
    if (flags & 1) r.u32();
  }
  return kind === 0;
}

const valType = (byte: number): string => ({ 127: "i32", 126: "i64" })[byte] ?? `type_${byte}`;

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes[this.at++];
  }

  u32(): number {
    return Number(BigInt.asUintN(32, this.#leb(false)));
  }

  signed(): bigint {
    return this.#leb(true);
  }

  name(): string {
    const length = this.u32();
    this.at += length;
    return new TextDecoder().decode(this.#bytes.subarray(this.at - length, this.at));
  }

  list(each: () => void): void {
    for (let n = this.u32(); n > 0; n--) each();
  }

  #leb(signed: boolean): bigint {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.u8();
      if (byte === undefined) throw new Error("the module ends inside a number");
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte & 0x80) continue;
      return signed && byte & 0x40 ? value - (1n << shift) : value;
    }
  }
}
