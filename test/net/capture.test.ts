import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BpfError } from "../../src/abi/errno.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { CaptureReader, readCapture } from "../../src/net/capture/reader.ts";
import { type CapturedPacket, type CaptureInterface, stampNs, stampOf } from "../../src/net/capture/types.ts";
import { captureWriter } from "../../src/net/capture/writer.ts";

const US: CaptureInterface = { linkType: 1, snapLen: 0, unitsPerSecond: 1_000_000n, tsResol: 6 };
const NS: CaptureInterface = { linkType: 1, snapLen: 65535, unitsPerSecond: 1_000_000_000n, tsResol: 9, name: "eth0" };
const BINARY: CaptureInterface = { linkType: 101, snapLen: 96, unitsPerSecond: 2n ** 20n, tsResol: 0x80 | 20 };

function packet(iface: CaptureInterface, units: bigint, data: number[], origLen = data.length): CapturedPacket {
  const [tsHigh, tsLow] = [Number(units >> 32n), Number(units & 0xffffffffn)];
  return { iface, ifaceIdx: 0, tsHigh, tsLow, origLen, data: Uint8Array.from(data) };
}

function write(file: string, packets: readonly CapturedPacket[]): Uint8Array {
  const out = new ByteWriter();
  const writer = captureWriter(file);
  for (const p of packets) writer.packet(out, stampOf(p), p.data);
  writer.end(out);
  return out.finish();
}

const facts = (p: CapturedPacket) => ({
  link: p.iface.linkType,
  ns: stampNs(p),
  origLen: p.origLen,
  data: Array.from(p.data),
});

describe("what is written is read back", () => {
  const one = [packet(US, 1_700_000_000_123_456n, [1, 2, 3], 60), packet(US, 5n, [])];
  const two = [packet(NS, 1_700_000_000_123_456_789n, [1, 2, 3, 4, 5]), packet(BINARY, 3n << 20n, [9])];
  for (const [file, packets] of [
    ["us.pcap", one],
    ["ns.pcap", [two[0]]],
    ["us.pcapng", one],
    ["two-interfaces.pcapng", two],
    ["empty.pcap", []],
    ["empty.pcapng", []],
  ] as const) {
    test(file, () => {
      expect(readCapture(write(file, packets), file).map(facts)).toEqual(packets.map(facts));
    });
  }

  test("in chunks of any size", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(255), { maxLength: 40 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 70 }),
        fc.boolean(),
        (datas, size, ng) => {
          const packets = datas.map((data, i) => packet(US, BigInt(i), data));
          const bytes = write(ng ? "x.pcapng" : "x.pcap", packets);
          const seen: unknown[] = [];
          const reader = new CaptureReader("x", (p) => seen.push(facts(p)));
          for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
          reader.end();
          expect(seen).toEqual(packets.map(facts));
        },
      ),
      { numRuns: 200 },
    );
  });
});

test("big-endian pcap and pcapng are read", () => {
  const pcap = "a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001 00000002 00000003 00000002 0000003c aabb";
  const ng =
    "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c" +
    "00000001 00000014 0001 0000 00000000 00000014" +
    "00000006 00000024 00000000 00000000 001e8483 00000002 0000003c aabb0000 00000024";
  for (const hex of [pcap, ng]) {
    const bytes = Uint8Array.from(hex.replace(/\s+/g, "").match(/../g) ?? [], (h) => Number.parseInt(h, 16));
    expect(readCapture(bytes, "be").map(facts)).toEqual([
      { link: 1, ns: 2_000_003_000n, origLen: 60, data: [0xaa, 0xbb] },
    ]);
  }
});

describe("corrupt captures are told in one line", () => {
  const good = write("x.pcapng", [packet(US, 1n, [1, 2, 3, 4])]);
  const edit = (bytes: Uint8Array, at: number, value: number) => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(at, value, true);
    return copy;
  };
  for (const [name, bytes, message] of [
    ["nothing", new Uint8Array(0), "0 bytes seen, a pcap or pcapng capture wanted"],
    [
      "text",
      new TextEncoder().encode("hello"),
      "first bytes 68656c6c seen, pcap (a1b2c3d4) or pcapng (0a0d0d0a) wanted",
    ],
    ["cut short", good.subarray(0, good.length - 3), "ends inside a record that starts at offset 60: 33 bytes of it"],
    ["block length", edit(good, 64, 13), "pcapng block at offset 60: block length 13 seen, a multiple of 4 from 12"],
    ["closing length", edit(good, good.length - 4, 40), "closing block length 40 seen, 36 wanted"],
    ["captured length", edit(good, 80, 99), "captured length 99 seen, at most 4 wanted"],
    ["interface", edit(good, 68, 7), "interface 7 seen, one of 1 described wanted"],
    ["magic", edit(good, 8, 7), "byte-order magic 0x7 seen"],
    ["record length", edit(write("x.pcap", [packet(US, 1n, [1])]), 32, 0x7fffffff), "captured length 2147483647 seen"],
  ] as const) {
    test(name, () => {
      expect(() => readCapture(bytes, "in.pcapng")).toThrow(message);
      expect(() => readCapture(bytes, "in.pcapng")).toThrow(/^in\.pcapng: [^\n]*$/);
    });
  }

  test("any bytes give packets or a BpfError", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(good.length),
        (edits, cut) => {
          const bytes = good.slice(0, cut);
          for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
          try {
            readCapture(bytes, "fuzz");
          } catch (e) {
            expect(e).toBeInstanceOf(BpfError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("two link types do not fit into one pcap file", () => {
    expect(() => write("x.pcap", [packet(US, 1n, [1]), packet(BINARY, 1n, [1])])).toThrow(
      "a pcap file holds one link type",
    );
  });
});
