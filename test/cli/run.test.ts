/** skep run, verify, disasm and btf on good inputs. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readCapture } from "../../src/net/capture/reader.ts";
import { cli } from "../support/cli.ts";

const dir = mkdtempSync(join(tmpdir(), "skep-run-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const root = join(import.meta.dirname, "..", "..");
const example = (name: string) => join(root, "examples", name, `${name}.o`);
const capture = join(root, "examples/captures/traffic.pcapng");
const packets = readCapture(readFileSync(capture), "traffic.pcapng");

/** Source addresses of the IPv4 packets, else undefined. */
const sources = packets.map(({ data }) =>
  data[12] === 8 && data[13] === 0 ? data.slice(26, 30).join(".") : undefined,
);
const isBad = (source: string | undefined) => source === "198.51.100.7" || source?.startsWith("203.0.113.") === true;
const RULES = ["--set", 'blocked["198.51.100.7"]=1', "--set", 'networks["203.0.113.0/24"]=1'];

describe.each(["jit", "interp"])("run over a capture (%s)", (engine) => {
  for (const out of ["out.pcapng", "out.pcap"]) {
    test(`the new capture ${out} holds what passed, unchanged`, async () => {
      const path = join(dir, out);
      const args = ["run", example("firewall"), "--pcap", capture, "--out", path, ...RULES, "--engine", engine];
      const { code, out: text } = await cli(args);
      expect(code, text).toBe(0);
      const passed = packets.filter((_, i) => !isBad(sources[i]));
      const written = readCapture(readFileSync(path), out);
      expect(written.map((p) => [...p.data])).toEqual(passed.map((p) => [...p.data]));
      expect(written.map((p) => [p.tsHigh, p.tsLow])).toEqual(passed.map((p) => [p.tsHigh, p.tsLow]));
      expect(text).toContain(`${passed.length.toLocaleString("en-US")} packets`);
    });
  }

  test("JSON: verdicts, events, maps", async () => {
    const args = ["run", example("firewall"), "--pcap", capture, ...RULES, "--events", "events", "--dump", "counters"];
    const { code, out } = await cli([...args, "--engine", engine, "--json"]);
    expect(code, out).toBe(0);
    const result = JSON.parse(out);
    const bad = sources.filter(isBad);
    expect(result.verdicts).toEqual({ XDP_PASS: packets.length - bad.length, XDP_DROP: bad.length });
    expect(result.events.events.map((e: { saddr: string }) => e.saddr)).toEqual(bad);
    const ipv4 = sources.filter((s) => s !== undefined).length;
    const counted = result.maps.counters.map(({ value }: { value: [{ packets: number }] }) => value[0].packets);
    const hosts = bad.filter((s) => s === "198.51.100.7").length;
    expect(counted).toEqual([ipv4 - bad.length, hosts, bad.length - hosts, packets.length - ipv4]);
  });

  test("time is the capture's: a packet a millisecond", async () => {
    const args = ["run", example("rate_limiter"), "--pcap", capture, "--json", "--dump", "totals", "--engine", engine];
    const limits = ["--set", "packets_per_second=5", "--set", "burst=3"];
    const { code, out } = await cli([...args, ...limits]);
    expect(code, out).toBe(0);
    const result = JSON.parse(out);
    // The same bucket, filled by the stamps.
    const buckets = new Map<string, { tokens: number; at: number }>();
    const accepted = sources.filter((source, i) => {
      if (source === undefined) return false;
      const bucket = buckets.get(source) ?? { tokens: 3, at: i };
      buckets.set(source, bucket);
      const fresh = Math.floor(((i - bucket.at) * 5) / 1000);
      if (fresh > 0) Object.assign(bucket, { tokens: Math.min(3, bucket.tokens + fresh), at: i });
      return bucket.tokens > 0 && bucket.tokens-- > 0;
    }).length;
    const ipv4 = sources.filter((s) => s !== undefined).length;
    expect(result.maps.totals.map((t: { value: number }) => t.value)).toEqual([accepted, ipv4 - accepted]);
  });

  test("one packet", async () => {
    const { code, out } = await cli(["run", example("firewall"), "--packet", "00".repeat(60), "--engine", engine]);
    expect(code).toBe(0);
    expect(out).toMatch(/^firewall returned 2 \(XDP_PASS\) in \d+ ns\n {2}0000 {2}00 00/);
  });
});

describe("verify", () => {
  test("one line of JSON for each program, with the oracle's keys", async () => {
    const { code, out } = await cli(["verify", example("firewall"), example("rate_limiter"), "--format", "json"]);
    expect(code).toBe(0);
    const rows = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const keys = ["file", "prog", "sec", "type", "verdict", "stage", "errno", "insns", "states", "us", "msg"];
    expect(rows.map((r) => Object.keys(r))).toEqual([keys, keys]);
    expect(rows).toMatchObject([
      {
        file: example("firewall"),
        prog: "firewall",
        sec: "xdp",
        type: 6,
        verdict: "success",
        stage: "ok",
        errno: 0,
        msg: "",
      },
      { prog: "rate_limiter", sec: "tc", type: 3, verdict: "success" },
    ]);
  });

  test("a table for people, and the log", async () => {
    const { out } = await cli(["verify", example("firewall"), "--log", "2"]);
    expect(out).toMatch(/^0: R1=ctx\(\) R10=fp0$/m);
    expect(out).toMatch(/firewall +xdp +success +\d+ /);
    expect(out).toMatch(/^1 accepted, 0 refused$/m);
  });

  test("the built-in kernel BTF does", async () => {
    const { code } = await cli(["verify", example("load_balancer"), "--json"]);
    expect(code).toBe(0);
  });
});

test("disasm: source lines, maps, helpers, functions", async () => {
  const { code, out } = await cli(["disasm", example("firewall")]);
  expect(code).toBe(0);
  expect(out).toMatch(/^firewall: xdp, \d+ slots$/m);
  expect(out).toMatch(/^; rule = bpf_map_lookup_elem\(&blocked, &ip->saddr\); @ firewall\.c:\d+$/m);
  expect(out).toMatch(/^ +\d+: {2}r1 = 0x0 ll {4}; map blocked$/m);
  expect(out).toMatch(/call 0x1 {4}; bpf_map_lookup_elem$/m);
  expect(out).toMatch(/^<report>:$/m);
  const kernel = await cli(["disasm", example("firewall"), "--style", "kernel", "--no-source"]);
  expect(kernel.out).toMatch(/\(85\) call bpf_map_lookup_elem#1$/m);
});

test("btf dump: C, raw and JSON, with bpftool's words too", async () => {
  const c = await cli(["btf", "dump", "file", example("firewall"), "format", "c"]);
  expect(c.out).toMatch(/struct network \{\n\t__u32 prefixlen;\n\t__be32 addr;\n\};/);
  const raw = await cli(["btf", "dump", example("firewall")]);
  expect(raw.out).toMatch(/^\[1\] PTR '\(anon\)' type_id=/m);
  const json = await cli(["btf", "dump", example("firewall"), "--json"]);
  expect(JSON.parse(json.out).types[0]).toMatchObject({ id: 1, kind: "PTR" });
});
