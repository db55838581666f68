/**
 * Makes captures of invented traffic, the same for the same seed: `node scripts/run.mjs examples/captures/make.ts OUT [PACKETS]`.
 *
 * Clients of 10.0.0.0/24 talk HTTP and DNS to 192.0.2.10; 203.0.113.0/24 and 198.51.100.7 scan ports; a few ARP and
 * IPv6 packets are in between. About one packet in eight comes from the scanners.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { CaptureInterface } from "../../src/net/capture/types.ts";
import { captureWriter } from "../../src/net/capture/writer.ts";

const IFACE: CaptureInterface = { linkType: 1, snapLen: 262144, unitsPerSecond: 1_000_000n, tsResol: 6, name: "eth0" };
const SERVER = 0xc000020a;
const SERVER_MAC = [2, 0, 0, 0, 0, 1];

const out = process.argv[2] ?? "traffic.pcapng";
const count = Number(process.argv[3] ?? 2000);

let state = 0x5eed;
/** xorshift32: the same packets on every machine. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const be16 = (v: number) => [(v >>> 8) & 255, v & 255];
const be32 = (v: number) => [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];

function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum >>> 16) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ipv4(saddr: number, daddr: number, protocol: number, payload: readonly number[]): number[] {
  const mac = [2, 0, ...be32(saddr)];
  const header = [0x45, 0, ...be16(20 + payload.length), ...be16(random(65536)), 0x40, 0, 64, protocol, 0, 0];
  header.push(...be32(saddr), ...be32(daddr));
  const check = checksum(header);
  header.splice(10, 2, ...be16(check));
  return [...SERVER_MAC, ...mac, 8, 0, ...header, ...payload];
}

/** TCP or UDP checksum over the pseudo header. */
function withChecksum(saddr: number, daddr: number, protocol: number, segment: number[], at: number): number[] {
  const pseudo = [...be32(saddr), ...be32(daddr), 0, protocol, ...be16(segment.length)];
  segment.splice(at, 2, ...be16(checksum([...pseudo, ...segment])));
  return segment;
}

function tcp(saddr: number, sport: number, dport: number, flags: number, data: string): number[] {
  const text = Array.from(new TextEncoder().encode(data));
  const segment = [...be16(sport), ...be16(dport), ...be32(random(2 ** 31)), ...be32(0), 0x50, flags];
  segment.push(...be16(64240), 0, 0, 0, 0, ...text);
  return ipv4(saddr, SERVER, 6, withChecksum(saddr, SERVER, 6, segment, 16));
}

function udp(saddr: number, sport: number, dport: number, data: readonly number[]): number[] {
  const segment = [...be16(sport), ...be16(dport), ...be16(8 + data.length), 0, 0, ...data];
  return ipv4(saddr, SERVER, 17, withChecksum(saddr, SERVER, 17, segment, 6));
}

function packet(): number[] {
  const client = 0x0a000000 + 1 + random(40);
  const sport = 32768 + random(28000);
  switch (random(16)) {
    case 0: {
      const arp = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, ...be32(client), ...be32(client), 0, 0, 0, 0, 0, 0, ...be32(SERVER)];
      return [255, 255, 255, 255, 255, 255, 2, 0, ...be32(client), 8, 6, ...arp, ...new Array(18).fill(0)];
    }
    case 1: {
      const addresses = [...new Array(15).fill(0), 1, ...new Array(15).fill(0), 2];
      return [
        ...SERVER_MAC,
        2,
        0,
        ...be32(client),
        0x86,
        0xdd,
        0x60,
        0,
        0,
        0,
        0,
        8,
        58,
        64,
        ...addresses,
        128,
        0,
        0,
        0,
        0,
        1,
        0,
        1,
      ];
    }
    case 2:
      return tcp(0xcb007100 + random(256), sport, 1 + random(1024), 2, "");
    case 3:
      return udp(0xc6336407, sport, 1 + random(1024), [0, 0, 0, 0]);
    case 4:
    case 5:
    case 6:
      return udp(
        client,
        sport,
        53,
        [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0x73, 0x6b, 0x65, 0x70, 0, 0, 1, 0, 1],
      );
    case 7:
    case 8:
      return tcp(client, sport, 80, 2, "");
    default:
      return tcp(client, sport, 80, 0x18, `GET /${"honey".repeat(random(12))} HTTP/1.1\r\nHost: 192.0.2.10\r\n\r\n`);
  }
}

const fd = openSync(out, "w");
const writer = captureWriter(out);
const start = 1_700_000_000_000_000n;
for (let i = 0; i < count; ) {
  const chunk = new ByteWriter(1 << 20);
  for (const until = Math.min(count, i + 10_000); i < until; i++) {
    const data = Uint8Array.from(packet());
    const at = start + BigInt(i) * 1000n;
    const stamp = { tsHigh: Number(at >> 32n), tsLow: Number(at & 0xffffffffn) };
    writer.packet(chunk, { iface: IFACE, ...stamp, uncaptured: 0 }, data);
  }
  if (i >= count) writer.end(chunk);
  writeSync(fd, chunk.finish());
}
closeSync(fd);
console.log(`${out}: ${count} packets`);
