/** The examples do what their comments say, on both engines. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EngineName } from "../../src/interp/image.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { readCapture } from "../../src/net/capture/reader.ts";
import { createKernel } from "../../src/net/create.ts";

const examples = join(import.meta.dirname, "..", "..", "examples");
const ENGINES: readonly EngineName[] = ["jit", "interp"];

const XDP_DROP = 1;
const XDP_PASS = 2;
const XDP_TX = 3;
const TC_ACT_OK = 0;
const TC_ACT_SHOT = 2;

function open(name: string, engine: EngineName, clock: () => bigint = () => 1n) {
  const kernel = createKernel({ engine, clock });
  const proc = kernel.spawn();
  const file = `${name}.o`;
  const object = openObject(new Uint8Array(readFileSync(join(examples, name, file))), { name: file });
  const close = () => {
    object.close();
    proc.exit();
    kernel.assertEmpty();
  };
  return { kernel, proc, object, close };
}

const bytesOf = (address: string) => address.split(".").map(Number);

function udp(saddr: string, daddr: string, sport = 1000, dport = 53): Uint8Array {
  const header = [0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0, ...bytesOf(saddr), ...bytesOf(daddr)];
  header.splice(10, 2, ...be16(checksum(header)));
  const ports = [...be16(sport), ...be16(dport), 0, 12, 0, 0, 1, 2, 3, 4];
  const pseudo = [...bytesOf(saddr), ...bytesOf(daddr), 0, 17, 0, 12];
  ports.splice(6, 2, ...be16(checksum([...pseudo, ...ports])));
  return Uint8Array.from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, ...header, ...ports]);
}

const be16 = (v: number) => [(v >>> 8) & 255, v & 255];

function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum >>> 16) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

describe.each(ENGINES)("firewall (%s)", (engine) => {
  test("hosts, networks, counters and events", () => {
    const { proc, object, close } = open("firewall", engine);
    object.load(proc);
    const { blocked, networks, counters, events } = object.maps;
    blocked.set("198.51.100.7", 1).set("203.0.113.5", 0);
    networks.set("203.0.113.0/24", 1);
    const verdict = (saddr: string) => object.progs.firewall.testRun({ dataIn: udp(saddr, "192.0.2.10") }).retval;
    const seen = Object.fromEntries(
      ["10.0.0.1", "198.51.100.7", "203.0.113.5", "203.0.113.6", "203.0.114.6"].map((a) => [a, verdict(a)]),
    );
    expect(seen).toEqual({
      "10.0.0.1": XDP_PASS,
      "198.51.100.7": XDP_DROP,
      "203.0.113.5": XDP_PASS,
      "203.0.113.6": XDP_DROP,
      "203.0.114.6": XDP_PASS,
    });
    const packets = [...counters].map(([which, [cpu0]]) => [which, Number(cpu0.packets), Number(cpu0.bytes)]);
    expect(packets).toEqual([
      [0, 3, 138],
      [1, 1, 46],
      [2, 1, 46],
      [3, 0, 0],
    ]);
    using reader = events.events();
    expect(reader.read()).toMatchObject([
      { saddr: "198.51.100.7", daddr: "192.0.2.10", sport: 1000, dport: 53, protocol: 17, verdict: 1, length: 46 },
      { saddr: "203.0.113.6", verdict: 2 },
    ]);
    reader.close();
    close();
  });

  test("a constant set before loading keeps the ring buffer silent", () => {
    const { proc, object, close } = open("firewall", engine);
    object.set("report_drops=0").set('blocked["10.0.0.9"]=1').load(proc);
    expect(object.progs.firewall.testRun({ dataIn: udp("10.0.0.9", "192.0.2.10") }).retval).toBe(XDP_DROP);
    using reader = object.maps.events.events();
    expect(reader.read()).toEqual([]);
    reader.close();
    close();
  });

  test("what is not IPv4, and what is cut short, passes", () => {
    const { proc, object, close } = open("firewall", engine);
    object.load(proc);
    const packets = readCapture(readFileSync(join(examples, "captures/traffic.pcapng")), "traffic.pcapng");
    const arp = packets.find((p) => p.data[12] === 8 && p.data[13] === 6)!.data;
    for (const dataIn of [arp, arp.slice(0, 20)])
      expect(object.progs.firewall.testRun({ dataIn }).retval).toBe(XDP_PASS);
    expect(Number(object.maps.counters.get(3)[0].packets)).toBe(2);
    close();
  });
});

describe.each(ENGINES)("load balancer (%s)", (engine) => {
  function balance(object: BpfObject, sport: number) {
    const { retval, dataOut } = object.progs.load_balancer.testRun({ dataIn: udp("10.0.0.1", "192.0.2.10", sport) });
    return { retval, to: [...dataOut.subarray(30, 34)].join("."), mac: [...dataOut.subarray(0, 6)], dataOut };
  }

  test("a flow keeps its backend; checksums stay right", () => {
    const { proc, object, close } = open("load_balancer", engine);
    object.load(proc);
    const { services, backends, flows, stats } = object.maps;
    expect(balance(object, 1).retval).toBe(XDP_PASS);
    services.set({ addr: "192.0.2.10", port: 0x3500, protocol: 17 }, { first: 0, count: 3 });
    for (let i = 0; i < 3; i++) backends.set(i, { addr: `10.1.0.${i + 1}`, mac: `02:00:00:00:01:0${i + 1}` });

    const chosen = new Set<string>();
    for (let sport = 1; sport <= 40; sport++) {
      const first = balance(object, sport);
      expect(first.retval).toBe(XDP_TX);
      expect(first.mac).toEqual([2, 0, 0, 0, 1, Number(first.to.at(-1))]);
      expect(balance(object, sport).to).toBe(first.to);
      const ip = [...first.dataOut.subarray(14, 34)];
      expect(checksum(ip)).toBe(0);
      const segment = [...first.dataOut.subarray(34)];
      expect(checksum([...ip.slice(12), 0, 17, 0, segment.length, ...segment])).toBe(0);
      chosen.add(first.to);
    }
    expect([...chosen].sort()).toEqual(["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
    expect([...flows.keys()]).toHaveLength(40);
    expect([0, 1, 2].reduce((sum, i) => sum + Number(stats.get(i)[0]), 0)).toBe(80);
    close();
  });
});

describe.each(ENGINES)("rate limiter (%s)", (engine) => {
  test("a bucket empties, and fills as time passes", () => {
    let now = 1_000_000_000n;
    const { proc, object, close } = open("rate_limiter", engine, () => now);
    object.set("packets_per_second=10").set("burst=5").load(proc);
    const burst = (n: number, from = "10.0.0.1") =>
      Array.from({ length: n }, () => object.progs.rate_limiter.testRun({ dataIn: udp(from, "192.0.2.10") }).retval);
    const [ok, no] = [TC_ACT_OK, TC_ACT_SHOT];
    expect(burst(7)).toEqual([ok, ok, ok, ok, ok, no, no]);
    expect(burst(1, "10.0.0.2")).toEqual([ok]);
    now += 250_000_000n;
    expect(burst(4)).toEqual([ok, ok, no, no]);
    now += 60_000_000_000n;
    expect(burst(6)).toEqual([ok, ok, ok, ok, ok, no]);
    expect([object.maps.totals.get(0), object.maps.totals.get(1)].map(Number)).toEqual([13, 5]);
    expect([...object.maps.buckets.keys()].sort()).toEqual(["10.0.0.1", "10.0.0.2"]);
    close();
  });
});
