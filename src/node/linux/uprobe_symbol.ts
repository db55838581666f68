/** Where a function's code lies in its executable or library: uprobes are placed by file offset. */
import { BpfError, ENOENT } from "../../abi/errno.ts";
import { readElf } from "../../elf/elf.ts";
import { readFile } from "../files.ts";
import { fromCString } from "./sys.ts";

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SYMBOL_BYTES = 24;
const PT_LOAD = 1;

/** @throws ENOENT when no symbol table of the file defines the name */
export function fileOffsetOf(path: string, name: string): number {
  const bytes = readFile(path);
  const address = addressOf(bytes, path, name);
  if (address === undefined) throw new BpfError(ENOENT, `${path}: no symbol '${name}'`, { path, name });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const headers = Number(view.getBigUint64(32, true));
  const [size, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  for (let at = headers; at < headers + size * count; at += size) {
    const [start, length] = [view.getBigUint64(at + 16, true), view.getBigUint64(at + 32, true)];
    if (view.getUint32(at, true) !== PT_LOAD || address < start || address >= start + length) continue;
    return Number(address - start + view.getBigUint64(at + 8, true));
  }
  throw new BpfError(ENOENT, `${path}: symbol '${name}' is not in a loaded segment`, { path, name });
}

/** Virtual address of a defined symbol. Versions of a dynamic symbol all have its name; the first counts. */
function addressOf(bytes: Uint8Array, path: string, name: string): bigint | undefined {
  const { sections } = readElf(bytes, path);
  for (const table of sections) {
    if (table.type !== SHT_SYMTAB && table.type !== SHT_DYNSYM) continue;
    const strings = sections[table.link].bytes;
    const view = new DataView(table.bytes.buffer, table.bytes.byteOffset, table.bytes.byteLength);
    for (let at = 0; at + SYMBOL_BYTES <= table.bytes.length; at += SYMBOL_BYTES) {
      if (view.getUint16(at + 6, true) === 0) continue;
      if (fromCString(strings.subarray(view.getUint32(at, true))) === name) return view.getBigUint64(at + 8, true);
    }
  }
  return undefined;
}
