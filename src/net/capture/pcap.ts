/**
 * Classic pcap: a 24-byte file header, then records of a 16-byte header and the packet's bytes.
 *
 * Both byte orders, microsecond (0xa1b2c3d4) and nanosecond (0xa1b23c4d) stamps.
 * Errors  BpfError(EINVAL) with the offset, the value seen and the value wanted.
 * Source  draft-ietf-opsawg-pcap.
 */
import { BpfError, EINVAL } from "../../abi/errno.ts";
import { type CapturedPacket, type CaptureFormat, type CaptureInterface, MAX_RECORD_BYTES } from "./types.ts";

export const PCAP_MAGIC_US = 0xa1b2c3d4;
export const PCAP_MAGIC_NS = 0xa1b23c4d;
const HEADER_BYTES = 24;
const RECORD_BYTES = 16;

export function pcapFormat(file: string): CaptureFormat {
  let iface: CaptureInterface | undefined;
  let little = true;

  function readHeader(view: DataView): CaptureInterface {
    little = view.getUint32(0, true) === PCAP_MAGIC_US || view.getUint32(0, true) === PCAP_MAGIC_NS;
    const magic = view.getUint32(0, little);
    const major = view.getUint16(4, little);
    if (major !== 2) {
      throw new BpfError(EINVAL, `${file}: pcap version ${major}.${view.getUint16(6, little)} seen, 2.4 wanted`);
    }
    const nanoseconds = magic === PCAP_MAGIC_NS;
    return {
      linkType: view.getUint32(20, little) & 0xffff,
      snapLen: view.getUint32(16, little),
      unitsPerSecond: nanoseconds ? 1_000_000_000n : 1_000_000n,
      tsResol: nanoseconds ? 9 : 6,
    };
  }

  return {
    name: "pcap",
    read(bytes, at, offBytes, onPacket) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let pos = at;
      if (!iface) {
        if (bytes.length - pos < HEADER_BYTES) return pos;
        iface = readHeader(new DataView(bytes.buffer, bytes.byteOffset + pos, HEADER_BYTES));
        pos += HEADER_BYTES;
      }
      while (bytes.length - pos >= RECORD_BYTES) {
        const capLen = view.getUint32(pos + 8, little);
        if (capLen > MAX_RECORD_BYTES) {
          const where = `pcap record at offset ${offBytes + pos}`;
          throw new BpfError(
            EINVAL,
            `${file}: ${where}: captured length ${capLen} seen, at most ${MAX_RECORD_BYTES} wanted`,
          );
        }
        if (bytes.length - pos < RECORD_BYTES + capLen) break;
        onPacket(record(view, pos, capLen, iface, bytes));
        pos += RECORD_BYTES + capLen;
      }
      return pos;
    },
  };

  function record(
    view: DataView,
    pos: number,
    capLen: number,
    from: CaptureInterface,
    bytes: Uint8Array,
  ): CapturedPacket {
    const sec = view.getUint32(pos, little);
    const frac = view.getUint32(pos + 4, little);
    const [tsHigh, tsLow] = from.tsResol === 6 ? splitMicroseconds(sec, frac) : splitNanoseconds(sec, frac);
    const start = pos + RECORD_BYTES;
    return {
      iface: from,
      ifaceIdx: 0,
      tsHigh,
      tsLow,
      origLen: view.getUint32(pos + 12, little),
      data: bytes.subarray(start, start + capLen),
    };
  }
}

/** Exact in doubles: 2^32 seconds are 4.3e15 µs, less than 2^53. */
function splitMicroseconds(sec: number, usec: number): [number, number] {
  const units = sec * 1e6 + usec;
  return [Math.floor(units / 2 ** 32), units % 2 ** 32];
}

function splitNanoseconds(sec: number, nsec: number): [number, number] {
  const units = BigInt(sec) * 1_000_000_000n + BigInt(nsec);
  return [Number(units >> 32n), Number(units & 0xffffffffn)];
}
