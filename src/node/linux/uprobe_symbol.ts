/**
 * Where a function's code lies in its executable or library: uprobes are placed by file offset.
 *
 * Reads ELF64, little-endian, and of it only symbol tables and program headers; src/elf reads BPF objects more strictly.
 */

import { fromCString } from "../../abi/cstring.ts";
import { BpfError, EINVAL, ENOENT } from "../../abi/errno.ts";
import { readFile } from "../files.ts";

const ELF64_LE = [0x7f, 0x45, 0x4c, 0x46, 2, 1];
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SYMBOL_BYTES = 24;
const PT_LOAD = 1;

/** @throws ENOENT when no symbol table of the file defines the name */
export function fileOffsetOf(path: string, name: string): number {
  const bytes = readFile(path);
  if (ELF64_LE.some((b, i) => bytes[i] !== b)) {
    throw new BpfError(EINVAL, `${path}: no ELF file of 64 bits, little-endian`, { path });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = (at: number) => Number(view.getBigUint64(at, true));
  try {
    const address = addressOf(bytes, view, name);
    if (address === undefined) throw new BpfError(ENOENT, `${path}: no symbol '${name}'`, { path, name });
    const [headers, size, count] = [wide(32), view.getUint16(54, true), view.getUint16(56, true)];
    for (let at = headers; at < headers + size * count; at += size) {
      const [start, length] = [wide(at + 16), wide(at + 32)];
      if (view.getUint32(at, true) === PT_LOAD && address >= start && address < start + length) {
        return address - start + wide(at + 8);
      }
    }
  } catch (e) {
    if (e instanceof RangeError) throw new BpfError(EINVAL, `${path}: truncated ELF file`, { path }, e);
    throw e;
  }
  throw new BpfError(ENOENT, `${path}: symbol '${name}' is not in a loaded segment`, { path, name });
}

/** Virtual address of a defined symbol. Versions of a dynamic symbol all have its name; the first counts. */
function addressOf(bytes: Uint8Array, view: DataView, name: string): number | undefined {
  const wide = (at: number) => Number(view.getBigUint64(at, true));
  const [headers, size, count] = [wide(40), view.getUint16(58, true), view.getUint16(60, true)];
  const wanted = new TextEncoder().encode(`${name}\0`);
  for (let i = 0; i < count; i++) {
    const table = headers + i * size;
    const type = view.getUint32(table + 4, true);
    if (type !== SHT_SYMTAB && type !== SHT_DYNSYM) continue;
    const strings = wide(headers + view.getUint32(table + 40, true) * size + 24);
    const end = wide(table + 24) + wide(table + 32);
    for (let at = wide(table + 24); at + SYMBOL_BYTES <= end; at += SYMBOL_BYTES) {
      const text = strings + view.getUint32(at, true);
      if (view.getUint16(at + 6, true) === 0 || bytes[text] !== wanted[0]) continue;
      if (fromCString(bytes.subarray(text, text + wanted.length + 1)) === name) return wide(at + 8);
    }
  }
  return undefined;
}
