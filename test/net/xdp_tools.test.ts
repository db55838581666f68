/**
 * The XDP objects of Debian's xdp-tools load, verify and run; xdp-filter's objects block what their maps say.
 *
 * A filter's map entry says which side must match: bit 0 source, bit 1 destination; for ports, bit 2 TCP and bit 3 UDP.
 * Policy "alw" (allow) drops what matches, "dny" (deny) drops what does not.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { parseBtf } from "../../src/btf/btf.ts";
import { fromHex } from "../../src/bytes/hex.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";

const DIR = "/usr/lib/x86_64-linux-gnu/bpf";
const VMLINUX = "/sys/kernel/btf/vmlinux";
const reason = existsSync(`${DIR}/xdpfilt_dny_all.o`) ? undefined : `no ${DIR}: package xdp-tools is not installed`;
if (reason) console.log(`xdp-tools objects are not tested: ${reason}`);
const files = reason ? [] : readdirSync(DIR).filter((name) => name.endsWith(".o"));
const kernelBtf = existsSync(VMLINUX) ? parseBtf(readFileSync(VMLINUX)) : undefined;

const XDP_DROP = 1;
const XDP_PASS = 2;

const MAC_A = "020000000001";
const MAC_B = "020000000002";
/** To MAC_A from MAC_B. */
const eth = (proto: string) => MAC_A + MAC_B + proto;
const ports = (src: number, dst: number) => [src, dst].map((p) => p.toString(16).padStart(4, "0")).join("");
const IP4 = (proto: string, l4: string) =>
  `${eth("0800")}450000280000400040${proto}0000c0a80001c0a80002${l4}${"00".repeat(20)}`;
const IP6 = (proto: string, l4: string) =>
  `${eth("86dd")}600000000014${proto}4020010db800000000000000000000000120010db8000000000000000000000002${l4}${"00".repeat(20)}`;
const UDP4 = IP4("11", `${ports(5000, 53)}0014`);
const TCP4 = IP4("06", `${ports(5000, 80)}${"00".repeat(8)}50020000`);
const UDP6 = IP6("11", `${ports(5000, 53)}0014`);
const TCP6 = IP6("06", `${ports(5000, 80)}${"00".repeat(8)}50020000`);
const ARP = `${eth("0806")}${"00".repeat(46)}`;
const ALL = { UDP4, TCP4, UDP6, TCP6, ARP };

const SRC = 1n;
const DST = 2n;
const TCP = 4n;
const UDP = 8n;

type MapName = "filter_ports" | "filter_ipv4" | "filter_ipv6" | "filter_ethernet";

interface Rule {
  readonly file: string;
  readonly map: MapName;
  /** Hex, as it lies in the packet; ports as u32. */
  readonly key: string;
  readonly flags: bigint;
  readonly hits: readonly (keyof typeof ALL)[];
}

const be16 = (port: number) => `${port.toString(16).padStart(4, "0")}0000`;

const RULES: readonly Rule[] = [
  { file: "all", map: "filter_ports", key: be16(53), flags: DST | UDP, hits: ["UDP4", "UDP6"] },
  { file: "all", map: "filter_ports", key: be16(53), flags: DST | TCP, hits: [] },
  { file: "all", map: "filter_ports", key: be16(53), flags: SRC | UDP, hits: [] },
  { file: "all", map: "filter_ports", key: be16(5000), flags: SRC | TCP | UDP, hits: ["UDP4", "UDP6", "TCP4", "TCP6"] },
  { file: "all", map: "filter_ports", key: be16(80), flags: DST | TCP, hits: ["TCP4", "TCP6"] },
  { file: "all", map: "filter_ipv4", key: "c0a80001", flags: SRC, hits: ["UDP4", "TCP4"] },
  { file: "all", map: "filter_ipv4", key: "c0a80001", flags: DST, hits: [] },
  { file: "all", map: "filter_ipv4", key: "c0a80002", flags: DST, hits: ["UDP4", "TCP4"] },
  { file: "all", map: "filter_ipv6", key: `20010db8${"00".repeat(11)}01`, flags: SRC, hits: ["UDP6", "TCP6"] },
  { file: "all", map: "filter_ethernet", key: MAC_B, flags: SRC, hits: ["UDP4", "TCP4", "UDP6", "TCP6", "ARP"] },
  { file: "all", map: "filter_ethernet", key: MAC_B, flags: DST, hits: [] },
  { file: "udp", map: "filter_ports", key: be16(53), flags: DST | UDP, hits: ["UDP4", "UDP6"] },
  { file: "tcp", map: "filter_ports", key: be16(80), flags: DST | TCP, hits: ["TCP4", "TCP6"] },
  { file: "ip", map: "filter_ipv4", key: "c0a80002", flags: DST, hits: ["UDP4", "TCP4"] },
  { file: "ip", map: "filter_ipv6", key: `20010db8${"00".repeat(11)}02`, flags: DST, hits: ["UDP6", "TCP6"] },
  { file: "eth", map: "filter_ethernet", key: MAC_A, flags: DST, hits: ["UDP4", "TCP4", "UDP6", "TCP6", "ARP"] },
];

let kernel: NetKernel | undefined;

function load(file: string): { object: BpfObject; kernel: NetKernel } {
  kernel = createKernel(kernelBtf ? { kernelBtf } : {});
  const object = openObject(new Uint8Array(readFileSync(`${DIR}/${file}`)), { name: file });
  object.load(kernel.spawn());
  return { object, kernel };
}

afterEach(() => {
  if (!kernel) return;
  for (const proc of [...kernel.processes]) proc.exit();
  kernel.bpffs.clear();
  kernel.assertEmpty();
  kernel = undefined;
});

describe.skipIf(reason)("xdp-tools", () => {
  // xdpdump_bpf.o attaches to another program, which it names when it runs.
  for (const file of files.filter((f) => f !== "xdpdump_bpf.o")) {
    it(`${file} loads and runs`, () => {
      const { object } = load(file);
      for (const prog of Object.values(object.progs)) {
        for (const engine of ["jit", "interp"] as const) {
          const { retval } = prog.testRun({ dataIn: fromHex(UDP4), engine });
          expect(retval).toBeLessThanOrEqual(4);
        }
      }
      object.close();
    });
  }

  it.skipIf(!kernelBtf)("xdpdump_bpf.o loads behind an XDP program", () => {
    const { object: target, kernel } = load("xdpdump_xdp.o");
    const object = openObject(new Uint8Array(readFileSync(`${DIR}/xdpdump_bpf.o`)), { name: "xdpdump_bpf.o" });
    for (const prog of Object.values(object.progs)) prog.setAttachTarget("xdpdump", target.progs["xdpdump"]!);
    object.load([...kernel.processes][0]!);
    object.close();
    target.close();
  });

  for (const mode of ["alw", "dny"] as const) {
    for (const file of new Set(RULES.map((rule) => rule.file))) {
      it(`xdpfilt_${mode}_${file}.o blocks what its maps say`, () => {
        const { object, kernel } = load(`xdpfilt_${mode}_${file}.o`);
        const [proc] = [...kernel.processes];
        const prog = object.progs[`xdpfilt_${mode}_${file}`]!;
        for (const rule of RULES.filter((r) => r.file === file)) {
          const { fd } = object.maps[rule.map]!;
          const set = (flags: bigint) => {
            const value = new Uint8Array(BigUint64Array.of(flags).buffer);
            const bytes = rule.map === "filter_ports" ? perCpu(value, kernel.memory.cpus) : value;
            proc!.mapUpdateElem(fd, fromHex(rule.key), bytes);
          };
          set(rule.flags);
          for (const engine of ["jit", "interp"] as const) {
            for (const [name, packet] of Object.entries(ALL)) {
              const { retval } = prog.testRun({ dataIn: fromHex(packet), engine });
              const hit = rule.hits.includes(name as keyof typeof ALL);
              const want = hit === (mode === "alw") ? XDP_DROP : XDP_PASS;
              const what = `${rule.map}[${rule.key}] = ${rule.flags}, ${name} (${engine})`;
              expect(`${what}: ${retval}`).toBe(`${what}: ${want}`);
            }
          }
          set(0n);
        }
        object.close();
      });
    }
  }

  it("counts packets by verdict", () => {
    const { object } = load("xdpfilt_alw_ip.o");
    object.maps["filter_ipv4"]!.set("192.168.0.1", SRC);
    for (let i = 0; i < 3; i++) object.progs["xdpfilt_alw_ip"]!.testRun({ dataIn: fromHex(UDP4) });
    object.progs["xdpfilt_alw_ip"]!.testRun({ dataIn: fromHex(ARP) });
    const stats = [...object.maps["xdp_stats_map"]!].map(
      ([, perCpu]) => (perCpu as { rx_packets: bigint }[])[0]!.rx_packets,
    );
    expect(stats.map(Number)).toEqual([0, 3, 1, 0, 0]);
    object.close();
  });
});

function perCpu(value: Uint8Array, cpus: number): Uint8Array {
  const out = new Uint8Array(value.length * cpus);
  for (let i = 0; i < cpus; i++) out.set(value, i * value.length);
  return out;
}
