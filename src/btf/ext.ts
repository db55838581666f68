/**
 * .BTF.ext: what clang says about instructions: func_info, line_info and CO-RE relocations, per ELF section.
 *
 * Each part is a record size followed by sections { u32 sec_name_off, u32 num_info, records }. A record longer than
 * what is known here is read as far as it is known, as Linux does.
 *
 * Errors  EINVAL naming the part, the value seen and the value wanted.
 * Source  Documentation/bpf/btf.rst, section ".BTF.ext section".
 */

import { BpfError, EINVAL } from "../abi/errno.ts";
import type { Btf } from "./btf.ts";

export interface FuncInfo {
  /** Byte offset of the function's first instruction in its section. */
  readonly insnOff: number;
  /** A FUNC. */
  readonly typeId: number;
}

export interface LineInfo {
  readonly insnOff: number;
  readonly fileName: string;
  readonly line: string;
  /** The same two as string offsets, as bpf(2) takes them. */
  readonly fileNameOff: number;
  readonly lineOff: number;
  readonly lineNum: number;
  readonly column: number;
}

export interface CoreRelo {
  /** Byte offset of the relocated instruction in its section. */
  readonly insnOff: number;
  /** Root type of the access, in the object's own BTF. */
  readonly typeId: number;
  /** "0:1:2". */
  readonly accessStr: string;
  /** BPF_CORE_*. */
  readonly kind: number;
}

export interface BtfExt {
  /** By section name; records in file order. */
  readonly funcInfo: ReadonlyMap<string, readonly FuncInfo[]>;
  readonly lineInfo: ReadonlyMap<string, readonly LineInfo[]>;
  readonly coreRelos: ReadonlyMap<string, readonly CoreRelo[]>;
}

/** @param btf the .BTF section of the same object, for its strings and ids */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad = (what: string, seen: unknown, wanted: string): never => {
    throw new BpfError(EINVAL, `.BTF.ext: ${what} is ${seen}, wanted ${wanted}`, { what, seen });
  };
  if (bytes.length < 24) bad("size", `${bytes.length} bytes`, "at least 24");
  const magic = view.getUint16(0, true);
  if (magic === 0x9feb) bad("magic", "0xeb9f in big-endian order", "little-endian BTF");
  if (magic !== 0xeb9f) bad("magic", `0x${magic.toString(16)}`, "0xeb9f");
  if (bytes[2] !== 1) bad("version", bytes[2], "1");
  if (bytes[3] !== 0) bad("flags", bytes[3], "0");
  const hdrLen = view.getUint32(4, true);
  if (hdrLen < 24 || hdrLen > bytes.length) bad("hdr_len", hdrLen, `24 to ${bytes.length}`);

  const str = (what: string, off: number): string => {
    if (off >= btf.strEnd) bad(`${what} string offset`, off, `below ${btf.strEnd}`);
    return btf.str(off);
  };
  const typeId = (what: string, id: number): number => {
    if (id >= btf.typeCount) bad(`${what} type id`, id, `below ${btf.typeCount}`);
    return id;
  };

  function part<T>(what: string, hdrField: number, minRecord: number, read: (at: number) => T): Map<string, T[]> {
    const bySection = new Map<string, T[]>();
    // The CO-RE fields came later: an older header ends before them.
    if (hdrField + 8 > hdrLen) return bySection;
    const start = hdrLen + view.getUint32(hdrField, true);
    const length = view.getUint32(hdrField + 4, true);
    if (length === 0) return bySection;
    if (start % 4) bad(`${what} offset`, start - hdrLen, "a multiple of 4");
    const end = start + length;
    if (end > bytes.length) bad(`${what} end`, end, `at most ${bytes.length}`);
    if (length < 4) bad(`${what} length`, length, "at least 4");
    const record = view.getUint32(start, true);
    if (record < minRecord || record % 4) bad(`${what} record size`, record, `at least ${minRecord}, a multiple of 4`);
    for (let at = start + 4; at < end; ) {
      if (end - at < 8) bad(`${what} section header`, `${end - at} bytes`, "8");
      const section = str(`${what} section name`, view.getUint32(at, true));
      const count = view.getUint32(at + 4, true);
      at += 8;
      if (count === 0) bad(`${what} count of section '${section}'`, 0, "at least 1");
      if (count * record > end - at) bad(`${what} of section '${section}'`, `${count} records`, `${end - at} bytes`);
      let list = bySection.get(section);
      if (!list) bySection.set(section, (list = []));
      for (let i = 0; i < count; i++, at += record) list.push(read(at));
    }
    return bySection;
  }

  return {
    funcInfo: part("func_info", 8, 8, (at) => ({
      insnOff: view.getUint32(at, true),
      typeId: typeId("func_info", view.getUint32(at + 4, true)),
    })),
    lineInfo: part("line_info", 16, 16, (at) => {
      const position = view.getUint32(at + 12, true);
      return {
        insnOff: view.getUint32(at, true),
        fileName: str("line_info file", view.getUint32(at + 4, true)),
        line: str("line_info line", view.getUint32(at + 8, true)),
        fileNameOff: view.getUint32(at + 4, true),
        lineOff: view.getUint32(at + 8, true),
        lineNum: position >>> 10,
        column: position & 0x3ff,
      };
    }),
    coreRelos: part("core_relo", 24, 16, (at) => ({
      insnOff: view.getUint32(at, true),
      typeId: typeId("core_relo", view.getUint32(at + 4, true)),
      accessStr: str("core_relo access", view.getUint32(at + 8, true)),
      kind: view.getUint32(at + 12, true),
    })),
  };
}
