/**
 * pcapng: a chain of blocks, each with its type, its length, a body, and its length again.
 *
 * Read: section headers (either byte order), interface descriptions, enhanced and simple packets. Other block types
 * (names, statistics, comments) are stepped over.
 * Errors  BpfError(EINVAL) with the offset, the value seen and the value wanted.
 * Source  draft-ietf-opsawg-pcapng.
 */
import { BpfError, EINVAL } from "../../abi/errno.ts";
import { type CapturedPacket, type CaptureFormat, type CaptureInterface, MAX_RECORD_BYTES } from "./types.ts";

export const BLOCK_SECTION = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_ENHANCED_PACKET = 6;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const OPT_END = 0;
export const OPT_IF_NAME = 2;
export const OPT_IF_TSRESOL = 9;

const DEFAULT_TSRESOL = 6;

interface Block {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** First byte after the block's type and length, and after its body, in bytes. */
  readonly start: number;
  readonly end: number;
  readonly little: boolean;
  readonly where: string;
}

export function pcapngFormat(file: string): CaptureFormat {
  let little = true;
  let interfaces: CaptureInterface[] = [];

  const fail = (where: string, problem: string): never => {
    throw new BpfError(EINVAL, `${file}: ${where}: ${problem}`);
  };

  const readers: Record<number, (b: Block, onPacket: (p: CapturedPacket) => void) => void> = {
    [BLOCK_SECTION](b) {
      if (b.end - b.start < 16) fail(b.where, `section header of ${b.end - b.start} bytes seen, at least 16 wanted`);
      const major = b.view.getUint16(b.start + 4, b.little);
      if (major !== 1) fail(b.where, `pcapng version ${major} seen, 1 wanted`);
      interfaces = [];
    },
    [BLOCK_INTERFACE](b) {
      if (b.end - b.start < 8)
        fail(b.where, `interface description of ${b.end - b.start} bytes seen, at least 8 wanted`);
      interfaces.push(readInterface(b));
    },
    [BLOCK_ENHANCED_PACKET](b, onPacket) {
      if (b.end - b.start < 20) fail(b.where, `packet block of ${b.end - b.start} bytes seen, at least 20 wanted`);
      const ifaceIdx = b.view.getUint32(b.start, b.little);
      const capLen = b.view.getUint32(b.start + 12, b.little);
      const room = b.end - b.start - 20;
      if (capLen > room) fail(b.where, `captured length ${capLen} seen, at most ${room} wanted (the block ends there)`);
      const iface = interfaces[ifaceIdx];
      if (!iface) return fail(b.where, `interface ${ifaceIdx} seen, one of ${interfaces.length} described wanted`);
      onPacket({
        iface,
        ifaceIdx,
        tsHigh: b.view.getUint32(b.start + 4, b.little),
        tsLow: b.view.getUint32(b.start + 8, b.little),
        origLen: b.view.getUint32(b.start + 16, b.little),
        data: b.bytes.subarray(b.start + 20, b.start + 20 + capLen),
      });
    },
    [BLOCK_SIMPLE_PACKET](b, onPacket) {
      if (b.end - b.start < 4) fail(b.where, `packet block of ${b.end - b.start} bytes seen, at least 4 wanted`);
      const iface = interfaces[0];
      if (!iface) return fail(b.where, "a simple packet before any interface description");
      const origLen = b.view.getUint32(b.start, b.little);
      const capLen = Math.min(origLen, iface.snapLen || origLen, b.end - b.start - 4);
      const data = b.bytes.subarray(b.start + 4, b.start + 4 + capLen);
      onPacket({ iface, ifaceIdx: 0, tsHigh: 0, tsLow: 0, origLen, data });
    },
  };

  return {
    name: "pcapng",
    read(bytes, at, offBytes, onPacket) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let pos = at;
      while (bytes.length - pos >= 12) {
        const where = `pcapng block at offset ${offBytes + pos}`;
        // The section header's type reads the same in both orders; its magic tells which one follows.
        if (view.getUint32(pos, true) === BLOCK_SECTION) {
          const magic = view.getUint32(pos + 8, true);
          little = magic === BYTE_ORDER_MAGIC;
          if (!little && view.getUint32(pos + 8, false) !== BYTE_ORDER_MAGIC) {
            fail(where, `byte-order magic 0x${magic.toString(16)} seen, 0x${BYTE_ORDER_MAGIC.toString(16)} wanted`);
          }
        }
        const type = view.getUint32(pos, little);
        const length = view.getUint32(pos + 4, little);
        if (length < 12 || length % 4 !== 0 || length > MAX_RECORD_BYTES) {
          fail(where, `block length ${length} seen, a multiple of 4 from 12 to ${MAX_RECORD_BYTES} wanted`);
        }
        if (bytes.length - pos < length) break;
        const again = view.getUint32(pos + length - 4, little);
        if (again !== length) fail(where, `closing block length ${again} seen, ${length} wanted`);
        readers[type]?.({ view, bytes, start: pos + 8, end: pos + length - 4, little, where }, onPacket);
        pos += length;
      }
      return pos;
    },
  };
}

function readInterface(b: Block): CaptureInterface {
  let tsResol = DEFAULT_TSRESOL;
  let name: string | undefined;
  let pos = b.start + 8;
  while (b.end - pos >= 4) {
    const code = b.view.getUint16(pos, b.little);
    const length = b.view.getUint16(pos + 2, b.little);
    if (code === OPT_END || length > b.end - pos - 4) break;
    const value = b.bytes.subarray(pos + 4, pos + 4 + length);
    if (code === OPT_IF_TSRESOL && length === 1) tsResol = value[0];
    if (code === OPT_IF_NAME) name = new TextDecoder().decode(value);
    pos += 4 + length + ((4 - (length % 4)) % 4);
  }
  const exponent = BigInt(tsResol & 0x7f);
  return {
    linkType: b.view.getUint16(b.start, b.little),
    snapLen: b.view.getUint32(b.start + 4, b.little),
    unitsPerSecond: (tsResol & 0x80) !== 0 ? 2n ** exponent : 10n ** exponent,
    tsResol,
    ...(name === undefined ? {} : { name }),
  };
}
