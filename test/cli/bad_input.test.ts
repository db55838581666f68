/** Wrong inputs: one line that names the file, the thing, the value seen and the value wanted; the exit code; no output left. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cli } from "../support/cli.ts";

const dir = mkdtempSync(join(tmpdir(), "skep-bad-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const root = join(import.meta.dirname, "..", "..");
const firewall = join(root, "examples/firewall/firewall.o");
const capture = join(root, "examples/captures/traffic.pcapng");
const fixture = (name: string) => join(root, "test/fixtures/bad", `${name}.o`);
const good = new Uint8Array(readFileSync(firewall));

function object(name: string, change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, change(good.slice()));
  return path;
}

function setByte(at: number, value: number) {
  return (bytes: Uint8Array) => {
    bytes[at] = value;
    return bytes;
  };
}

/** Renames a section, so that nobody finds it. */
function hide(section: string) {
  return (bytes: Uint8Array) => {
    const needle = new TextEncoder().encode(`${section}\0`);
    for (let at = 0; at < bytes.length - needle.length; at++) {
      if (needle.every((b, i) => bytes[at + i] === b)) bytes[at] = 0x5f;
    }
    return bytes;
  };
}

describe("objects", () => {
  for (const [name, path, message] of [
    ["no such file", join(dir, "absent.o"), /absent\.o: cannot read: no such file/],
    ["a directory", dir, /cannot read: is a directory/],
    [
      "empty",
      object("empty.o", () => new Uint8Array(0)),
      /empty\.o: not an ELF file: it starts with nothing; wanted 7f 45 4c 46/,
    ],
    ["not ELF", object("text.o", () => new TextEncoder().encode("#!/bin/sh\n".repeat(20))), /text\.o: .*ELF/],
    ["truncated", object("cut.o", (b) => b.slice(0, b.length - 500)), /cut\.o: .*bytes/],
    ["wrong machine", object("x86.o", setByte(18, 62)), /x86\.o: .*machine.*62.*247/],
    ["big-endian", object("eb.o", setByte(5, 2)), /eb\.o: .*big-endian.*little-endian/],
    ["32-bit", object("class.o", setByte(4, 1)), /class\.o: .*32-bit.*64-bit/],
    ["missing BTF", object("nobtf.o", hide(".BTF")), /nobtf\.o: .*BTF/],
    ["missing license", fixture("no_license"), /no_license\.o: .*GPL.*missing license.*wanted/],
    ["unknown section", fixture("unknown_section"), /unknown_section\.o: .*'xpd'/],
    ["map too large", fixture("map_too_large"), /map_too_large\.o: map 'huge'.*4294967295/],
    ["CO-RE failure", fixture("core_missing_field"), /core_missing_field\.o: .*task_struct\.favourite_colour/],
    ["refused program", fixture("out_of_bounds"), /out_of_bounds\.o: .*R1 offset is outside of the packet/],
  ] as const) {
    test(name, async () => {
      const { code, out, err } = await cli(["verify", path]);
      expect(code).toBe(1);
      const said = (out + err).split("\n").filter((line) => message.test(line));
      expect(said, out + err).toHaveLength(1);
      const json = await cli(["verify", "--format", "json", path]);
      expect(json.code).toBe(1);
      const rows = json.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(rows).toHaveLength(1);
      expect(rows[0].verdict).toBe("failure");
      expect(rows[0].errno).toBeGreaterThan(0);
      expect(rows[0].msg).not.toBe("");
    });
  }
});

describe("captures: the result keeps its name only when it is whole", () => {
  const bytes = new Uint8Array(readFileSync(capture));
  for (const [name, content, message] of [
    ["text.pcapng", new TextEncoder().encode("not a capture at all"), /text\.pcapng: not a capture: first bytes/],
    ["cut.pcapng", bytes.slice(0, bytes.length - 7), /cut\.pcapng: truncated: .*ends inside a record/],
    ["block.pcapng", setByte(bytes.length - 1, 9)(bytes.slice()), /block\.pcapng: pcapng block .*closing block length/],
    ["empty.pcapng", new Uint8Array(0), /empty\.pcapng: 0 bytes seen, a pcap or pcapng capture wanted/],
  ] as const) {
    test(name, async () => {
      const path = join(dir, name);
      writeFileSync(path, content);
      const before = readdirSync(dir);
      const { code, out, err } = await cli(["run", firewall, "--pcap", path, "--out", join(dir, "out.pcapng")]);
      expect(code).toBe(1);
      expect(err.trim().split("\n")).toHaveLength(1);
      expect(err, out).toMatch(message);
      expect(readdirSync(dir)).toEqual(before);
    });
  }

  test("no such capture", async () => {
    const { code, err } = await cli(["run", firewall, "--pcap", join(dir, "none.pcap"), "--out", join(dir, "o.pcap")]);
    expect([code, existsSync(join(dir, "o.pcap"))]).toEqual([1, false]);
    expect(err).toMatch(/none\.pcap: cannot read: no such file/);
  });

  test("a place that cannot be written to", async () => {
    const { code, err } = await cli(["run", firewall, "--pcap", capture, "--out", join(dir, "absent", "o.pcap")]);
    expect(code).toBe(1);
    expect(err).toMatch(/o\.pcap: cannot write: no such file/);
  });
});

describe("usage", () => {
  for (const [args, message] of [
    [[], /Usage: skep/],
    [["fly"], /unknown command 'fly'/],
    [["verify"], /missing required argument 'file'/],
    [["verify", "--colour", firewall], /unknown option '--colour'/],
    [["verify", "--log", "9", firewall], /--log: '9' seen, a level from 1 to 7 wanted/],
    [["verify", "--prog", "absent", firewall], /no program is named 'absent'/],
    [["disasm", firewall, "--prog", "absent"], /program 'absent' seen, one of firewall wanted/],
    [["disasm", firewall, "--style", "arm"], /Allowed choices are llvm/],
    [["btf", "load", firewall], /'load' seen, 'dump' or 'show' wanted/],
    [["btf", "dump", "file", firewall, "format", "d"], /'format d' seen/],
    [["exec", "zz"], /memory: hex digit expected, saw 'z'/],
    [["run", firewall], /--pcap/],
    [["run", firewall, "--pcap", capture, "--set", "nothing"], /'nothing': has no '='/],
    [["run", firewall, "--pcap", capture, "--set", "absent[1]=1"], /no map or variable 'absent'; wanted one of/],
    [["run", firewall, "--pcap", capture, "--set", 'blocked["10.0.0"]=1'], /blocked.*wanted an IPv4 address.*10\.0\.0/],
    [["run", firewall, "--pcap", capture, "--prog", "absent"], /program 'absent' seen, one of firewall wanted/],
  ] as const) {
    test(args.map((a) => (a.startsWith("/") ? "..." : a)).join(" ") || "(nothing)", async () => {
      const { code, err } = await cli(args);
      expect(code).toBe(2);
      expect(err).toMatch(message);
    });
  }
});

describe("exec", () => {
  const cases = [
    ["b7000000 2a000000 95000000 00000000", "", { code: 0, out: "2a\n" }],
    ["61100000 00000000 95000000 00000000", "78 56 34 12", { code: 0, out: "12345678\n" }],
    ["b7000000 ffffffff 95000000 00000000", "", { code: 0, out: "ffffffffffffffff\n" }],
  ] as const;
  for (const engine of ["jit", "interp"]) {
    for (const [program, memory, want] of cases) {
      test(`${engine}: ${program}`, async () => {
        expect(await cli(["exec", memory, "--engine", engine], program)).toMatchObject(want);
      });
    }
    test(`${engine}: a run-away program is stopped`, async () => {
      const { code, err } = await cli(["exec", "--engine", engine, "--fuel", "1000"], "0500ffff 00000000");
      expect(code).toBe(1);
      expect(err).toMatch(/fuel|stopped/);
    });
  }
  test("half an instruction", async () => {
    const { code, err } = await cli(["exec"], "b70000002a");
    expect(code).toBe(1);
    expect(err).toMatch(/multiple of 8 bytes.*5|5.*multiple of 8/);
  });
});
