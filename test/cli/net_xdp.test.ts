/** skep net with several XDP programs on a device: words of bpftool and columns of xdp-loader. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cli } from "../support/cli.ts";

const dir = mkdtempSync(join(tmpdir(), "skep-net-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const STAMP = join(import.meta.dirname, "../loader/dispatcher/progs/stamp.o");

const SCENARIO = join(dir, "two_programs.json");
writeFileSync(
  SCENARIO,
  JSON.stringify({
    steps: [
      { device: "eth0" },
      { xdp: relative(dir, STAMP), device: "eth0", prog: "middle" },
      { xdp: relative(dir, STAMP), device: "eth0", prog: "early" },
      { packet: "eth0", count: 2 },
    ],
  }),
);

/** What commands print, one kernel for all. */
async function batch(...lines: string[]): Promise<string> {
  const file = join(dir, "commands");
  writeFileSync(file, `${lines.join("\n")}\n`);
  const { out, err } = await cli(["batch", "file", file, "--scenario", SCENARIO]);
  return out + err;
}

/** Tags and ids depend on the order of loads. */
const columns = (text: string): string[] =>
  text.split("\n").map((line) => line.replace(/\b\d+ +[0-9a-f]{16}/, "ID TAG").trimEnd());

describe("net status", () => {
  it("shows dispatchers, programs, priorities and actions", async () => {
    const { out } = await cli(["net", "status", "--scenario", SCENARIO]);
    expect(columns(out)).toEqual([
      "CURRENT XDP PROGRAM STATUS:",
      "",
      "Interface        Prio  Program name      Mode     ID   Tag               Chain actions",
      "-".repeat(86),
      "lo                     <No XDP program loaded!>",
      "eth0                   xdp_dispatcher    native   ID TAG",
      " =>              10    early                      ID TAG  XDP_DROP,XDP_PASS",
      " =>              50    middle                     ID TAG  XDP_PASS",
      "",
    ]);
  });

  it("as JSON, of one device", async () => {
    const { out } = await cli(["net", "status", "dev", "eth0", "--json", "--scenario", SCENARIO]);
    expect(JSON.parse(out)).toMatchObject([
      {
        devname: "eth0",
        ifindex: 2,
        mode: "driver",
        dispatcher: { name: "xdp_dispatcher", frags: false },
        programs: [
          { name: "early", priority: 10, chain_call_actions: ["XDP_DROP", "XDP_PASS"] },
          { name: "middle", priority: 50, chain_call_actions: ["XDP_PASS"] },
        ],
      },
    ]);
  });
});

describe("net attach and detach", () => {
  it("a program of a file, with its own priority and actions; all go with the dispatcher", async () => {
    const printed = await batch(
      `net attach xdp file ${STAMP} prog middle priority 5 proceed_on drop,XDP_TX dev eth0`,
      "net status dev eth0",
      "net detach xdp dev eth0",
      "net status dev eth0",
    );
    expect(columns(printed).filter((line) => / => |No XDP/.test(line))).toEqual([
      " =>              5     middle                     ID TAG  XDP_DROP,XDP_TX",
      " =>              10    early                      ID TAG  XDP_DROP,XDP_PASS",
      " =>              50    middle                     ID TAG  XDP_PASS",
      "eth0                   <No XDP program loaded!>",
    ]);
  });

  const WRONG = [
    { line: `net attach xdp file ${STAMP} dev eth0`, says: "prog wanted, one of early, middle" },
    { line: `net attach xdp file ${STAMP} prog nothing dev eth0`, says: "there is no program 'nothing'" },
    { line: `net attach xdp file ${STAMP} prog early proceed_on maybe dev eth0`, says: "'maybe' seen" },
    { line: "net detach xdp id 999 dev eth0", says: "does not run program 999" },
    { line: "net status dev eth7", says: "no device 'eth7'" },
  ];
  it.each(WRONG)("$line", async ({ line, says }) => {
    expect(await batch(line)).toContain(says);
  });
});
