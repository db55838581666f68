/** What pcap and pcapng have in common: interfaces, and packets that came in through one of them. */

/** Link types of captures that skep can run programs over: www.tcpdump.org/linktypes.html */
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW = 101;

export interface CaptureInterface {
  readonly linkType: number;
  /** Longest captured length; 0 is unlimited. */
  readonly snapLen: number;
  /** Timestamp units per second: a power of 10 or of 2. */
  readonly unitsPerSecond: bigint;
  /** The if_tsresol byte of pcapng that says the same. */
  readonly tsResol: number;
  readonly name?: string;
}

/** One captured packet. `data` is a view of the parser's input: copy it to keep it past the callback. */
export interface CapturedPacket {
  readonly iface: CaptureInterface;
  /** Index of iface among the capture's interfaces. */
  readonly ifaceIdx: number;
  /** Timestamp in units of the interface, upper and lower 32 bits. */
  readonly tsHigh: number;
  readonly tsLow: number;
  /** Length on the wire; data may be shorter. */
  readonly origLen: number;
  readonly data: Uint8Array;
}

/** What a packet keeps of its capture when its bytes change. */
export interface PacketStamp {
  readonly iface: CaptureInterface;
  readonly tsHigh: number;
  readonly tsLow: number;
  /** Bytes that were on the wire but not captured. */
  readonly uncaptured: number;
}

export function stampOf({ iface, tsHigh, tsLow, origLen, data }: CapturedPacket): PacketStamp {
  return { iface, tsHigh, tsLow, uncaptured: Math.max(0, origLen - data.length) };
}

/** Nanoseconds since 1970. */
export function stampNs({ iface, tsHigh, tsLow }: Pick<PacketStamp, "iface" | "tsHigh" | "tsLow">): bigint {
  const units = (BigInt(tsHigh) << 32n) | BigInt(tsLow);
  return (units * 1_000_000_000n) / iface.unitsPerSecond;
}

/** Bytes a reader may take for one record before it calls the file corrupt. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** One file format: fed with the bytes seen so far, says how many it used. */
export interface CaptureFormat {
  readonly name: "pcap" | "pcapng";
  /**
   * Reads whole records from bytes[at..]; calls onPacket for each packet.
   *
   * @param offBytes position of bytes[0] in the file, for errors
   * @returns index of the first byte not used: the start of an incomplete record
   */
  read(bytes: Uint8Array, at: number, offBytes: number, onPacket: (p: CapturedPacket) => void): number;
}
