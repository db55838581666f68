/**
 * Writes captures: pcapng (interfaces and stamps as they came in) or classic pcap (one link type, µs or ns stamps).
 *
 * A writer returns bytes for the caller to store; it keeps no packets.
 * Errors  BpfError(EINVAL) when packets of several link types go into a pcap file, which has room for one.
 */
import { BpfError, EINVAL } from "../../abi/errno.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { PCAP_MAGIC_NS, PCAP_MAGIC_US } from "./pcap.ts";
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_SECTION,
  BYTE_ORDER_MAGIC,
  OPT_END,
  OPT_IF_NAME,
  OPT_IF_TSRESOL,
} from "./pcapng.ts";
import { type CaptureInterface, LINKTYPE_ETHERNET, type PacketStamp } from "./types.ts";

/** Appends to `out`, which the caller stores and replaces as it likes. */
export interface CaptureWriter {
  packet(out: ByteWriter, from: PacketStamp, data: Uint8Array): void;
  /** Closes the file: a capture without packets still gets its headers. */
  end(out: ByteWriter): void;
}

/** The writer for a file name: ".pcap" and ".cap" are classic pcap, everything else pcapng. */
export function captureWriter(file: string): CaptureWriter {
  return /\.(pcap|cap)$/.test(file) ? pcapWriter(file) : pcapngWriter();
}

export function pcapngWriter(): CaptureWriter {
  const indexes = new Map<CaptureInterface, number>();
  let started = false;

  function start(out: ByteWriter): void {
    started = true;
    out.u32(BLOCK_SECTION).u32(28).u32(BYTE_ORDER_MAGIC).u16(1).u16(0).u64(0xffff_ffff_ffff_ffffn).u32(28);
  }

  function interfaceIndex(out: ByteWriter, iface: CaptureInterface): number {
    const known = indexes.get(iface);
    if (known !== undefined) return known;
    const at = out.length;
    out.u32(BLOCK_INTERFACE).u32(0).u16(iface.linkType).u16(0).u32(iface.snapLen);
    if (iface.name !== undefined) {
      const name = new TextEncoder().encode(iface.name);
      out.u16(OPT_IF_NAME).u16(name.length).bytes(name).bytes(padding(name.length));
    }
    out.u16(OPT_IF_TSRESOL).u16(1).u8(iface.tsResol).bytes(padding(1));
    out.u16(OPT_END).u16(0);
    const length = out.length - at + 4;
    out.u32(length).setU32(at + 4, length);
    indexes.set(iface, indexes.size);
    return indexes.size - 1;
  }

  return {
    packet(out, from, data) {
      if (!started) start(out);
      const idx = interfaceIndex(out, from.iface);
      const pad = padding(data.length);
      const length = 32 + data.length + pad.length;
      out.u32(BLOCK_ENHANCED_PACKET).u32(length).u32(idx).u32(from.tsHigh).u32(from.tsLow);
      out.u32(data.length).u32(data.length + from.uncaptured);
      out.bytes(data).bytes(pad).u32(length);
    },
    end(out) {
      if (!started) start(out);
    },
  };
}

function pcapWriter(file: string): CaptureWriter {
  let first: CaptureInterface | undefined;

  function header(out: ByteWriter, linkType: number, nanoseconds: boolean): void {
    out
      .u32(nanoseconds ? PCAP_MAGIC_NS : PCAP_MAGIC_US)
      .u16(2)
      .u16(4)
      .u32(0)
      .u32(0)
      .u32(262144)
      .u32(linkType);
  }

  return {
    packet(out, from, data) {
      if (!first) {
        first = from.iface;
        header(out, first.linkType, first.unitsPerSecond > 1_000_000n);
      }
      if (from.iface.linkType !== first.linkType) {
        const seen = `link type ${from.iface.linkType} after ${first.linkType}`;
        throw new BpfError(EINVAL, `${file}: a pcap file holds one link type, ${seen} seen (write .pcapng instead)`);
      }
      const perSecond = first.unitsPerSecond > 1_000_000n ? 1_000_000_000n : 1_000_000n;
      const units = (BigInt(from.tsHigh) << 32n) | BigInt(from.tsLow);
      const scaled = (units * perSecond) / from.iface.unitsPerSecond;
      out.u32(Number(scaled / perSecond)).u32(Number(scaled % perSecond));
      out
        .u32(data.length)
        .u32(data.length + from.uncaptured)
        .bytes(data);
    },
    end(out) {
      if (!first) header(out, LINKTYPE_ETHERNET, false);
    },
  };
}

function padding(length: number): Uint8Array {
  return ZEROS.subarray(0, (4 - (length % 4)) % 4);
}

const ZEROS = new Uint8Array(4);
