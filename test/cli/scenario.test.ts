/** Commands on a kernel that a scenario file sets up: bpftool's words, its JSON, and what the monitor tells. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { changes, look } from "../../cli/monitor/poll.ts";
import * as abi from "../../src/abi/bpf.ts";
import { cli } from "../support/cli.ts";
import { load, withKernel } from "../support/kernel.ts";
import { whyNotLinux, withLinux } from "../support/kernels.ts";

const dir = mkdtempSync(join(tmpdir(), "skep-scenario-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const TWO_TEAMS = join(import.meta.dirname, "..", "..", "examples/scenario/two_teams.json");

let files = 0;
function scenario(...steps: readonly object[]): string {
  const file = join(dir, `${files++}.json`);
  writeFileSync(file, JSON.stringify({ steps }));
  return file;
}

/** What a command prints with --json. */
async function json(command: string, file: string): Promise<unknown> {
  const { out, err } = await cli([...command.split(" "), "--json", "--scenario", file]);
  if (!out) throw new Error(err);
  return JSON.parse(out);
}

/** What a command prints for people. */
async function text(command: string, file: string): Promise<string> {
  const { out, err } = await cli([...command.split(" "), "--scenario", file]);
  return out + err;
}

describe("the example of tenants", () => {
  const TENANTS = join(import.meta.dirname, "..", "..", "examples/scenario/tenants.json");
  const EGRESS = "cgroup_inet_egress";

  it("cgroup tree", async () => {
    expect(await json("cgroup tree", TENANTS)).toMatchObject([
      {
        cgroup: "/sys/fs/cgroup/tenants",
        programs: [{ id: 1, attach_type: EGRESS, attach_flags: "multi", name: "meter" }],
      },
      {
        cgroup: "/sys/fs/cgroup/tenants/blue/batch",
        programs: [{ id: 3, attach_type: EGRESS, attach_flags: "override", name: "meter" }],
      },
      {
        cgroup: "/sys/fs/cgroup/tenants/red",
        programs: [{ id: 4, attach_type: EGRESS, attach_flags: "multi", name: "isolate" }],
      },
    ]);
  });

  it("cgroup show effective: what is below runs first", async () => {
    const shown = (await json("cgroup show /tenants/red effective", TENANTS)) as { id: number }[];
    expect(shown.map((p) => p.id)).toEqual([4, 1]);
  });

  it("prog unload, by force", async () => {
    expect(await json("prog unload id 1", TENANTS)).toEqual({
      id: 1,
      broken: [
        { who: "fd 5 of process 2", what: "closed", lost: "program 1 'meter'" },
        { who: "link 1", what: "defunct", lost: "program 1 'meter'" },
      ],
    });
  });

  it("map delete, by force, as text", async () => {
    const shown = await text("map delete id 2", TENANTS);
    expect(shown).toContain("map 2 is deleted");
    expect(shown).toMatch(/cgroup \/tenants\/blue\/batch, attach type 1 +detached +program 3 'meter'/);
  });
});

describe("links of tracing programs", () => {
  const multi = `${relative()}${join(import.meta.dirname, "..", "kernel/progs/multi.o")}`;

  it("link show: a link on many functions, by bpftool's names", async () => {
    const file = scenario({ load: multi }, { attach: "multi/many", as: "many" });
    const shown = (await json("link show id 1", file)) as { funcs: object[]; func_count: number };
    expect(shown).toMatchObject({ id: 1, type: "kprobe_multi", retprobe: false });
    expect(shown.funcs.length).toBe(shown.func_count);
    expect(shown.func_count).toBeGreaterThan(7);
    expect(await text("link show", file)).toMatch(
      /^1: kprobe_multi {2}prog \d+\n\t.*func_count \d+ {2}funcs \[\{"addr":/,
    );
  });
});

describe("the example of two teams", () => {
  it("prog show -f", async () => {
    expect(await json("prog show -f", TWO_TEAMS)).toMatchObject([
      { id: 1, type: "xdp", name: "firewall", gpl_compatible: true, uid: 0, map_ids: [3, 1, 2, 5, 4], btf_id: 1 },
      { id: 2, type: "sched_cls", name: "rate_limiter", pids: [{ pid: 3, comm: "limiter" }] },
    ]);
  });

  it("map show name totals", async () => {
    expect(await json("map show name totals", TWO_TEAMS)).toEqual({
      id: 7,
      type: "array",
      name: "totals",
      flags: 0,
      bytes_key: 4,
      bytes_value: 8,
      max_entries: 2,
      frozen: 0,
      btf_id: 2,
      pids: [{ pid: 3, comm: "limiter" }],
    });
  });

  it("map dump: what the packets left", async () => {
    const dump = (await json("map dump name counters", TWO_TEAMS)) as {
      formatted: { values: { value: { packets: number } }[] };
    }[];
    expect(dump.map((e) => e.formatted.values[0]!.value.packets)).toContain(3);
  });

  it("link show -f", async () => {
    expect(await json("link show -f", TWO_TEAMS)).toEqual([
      { id: 1, type: "xdp", prog_id: 1, ifindex: 2, pinned: ["/sys/fs/bpf/firewalld/link"] },
      { id: 2, type: "tcx", prog_id: 2, ifindex: 2, attach_type: "tcx_ingress", pids: [{ pid: 3, comm: "limiter" }] },
    ]);
  });

  it("prog dump xlated: maps by id", async () => {
    const rows = (await json("prog dump xlated name rate_limiter", TWO_TEAMS)) as { disasm: string }[];
    expect(
      rows
        .map((r) => r.disasm)
        .filter((d) => d.includes("map["))
        .slice(0, 2),
    ).toEqual(["(18) r1 = map[id:6]", "(18) r1 = map[id:8][0]+4"]);
  });

  it("net show", async () => {
    expect(await json("net show", TWO_TEAMS)).toMatchObject([
      { xdp: [{ devname: "eth0", ifindex: 2, mode: "driver", id: 1 }], flow_dissector: [] },
    ]);
  });

  it("btf show, and a change by a verb", async () => {
    expect(await json("btf show", TWO_TEAMS)).toMatchObject([
      { id: 1, prog_ids: [1] },
      { id: 2, prog_ids: [2] },
    ]);
    expect(await json("link detach pinned /sys/fs/bpf/firewalld/link", TWO_TEAMS)).toBe(null);
  });

  it("monitor", async () => {
    const printed = await text("monitor", TWO_TEAMS);
    expect(printed.split("\n").slice(0, 2)).toEqual([
      "    #  who                   what        which",
      "   1.  device eth0",
    ]);
    for (const line of [
      "    7  firewalld(2)          attach      prog 1 link 1 xdp eth0",
      "    8  firewalld(2)          pin         link 1 /sys/fs/bpf/firewalld/link",
      "   13  limiter(3)            attach      prog 2 link 2 tcx_ingress eth0",
    ]) {
      expect(printed.split("\n")).toContain(line);
    }
  });
});

it("a device moves to another network namespace, and its link with it", async () => {
  const file = scenario(
    { netns: "blue" },
    { device: "eth0", ifindex: 7 },
    { device: "eth0", ifindex: 7, netns: "blue" },
    { device: "eth1", ifindex: 9 },
    program,
    { attach: "pass", device: "eth1", as: "fw" },
    { moveDevice: "eth1", netns: "blue" },
    { setDevice: "eth1" },
    { packet: "eth1" },
  );
  const { out, err } = await cli(["link", "show", "--json", "--scenario", file]);
  expect(err).toBe("");
  expect(JSON.parse(out)).toMatchObject([{ type: "xdp", ifindex: 9 }]);
  const twice = scenario(
    { netns: "blue" },
    { device: "a" },
    { device: "a", netns: "blue" },
    { moveDevice: "a", netns: "blue" },
  );
  expect((await cli(["link", "show", "--scenario", twice])).err).toMatch(/EEXIST/);
});

it("batch: several commands on one kernel", async () => {
  const file = scenario({ device: "eth0" }, program);
  const commands = `
    # a change, and what it made
    prog pin name pass "/sys/fs/bpf/p"
    prog show pinned /sys/fs/bpf/p
    map create /sys/fs/bpf/m type hash key 4 value 4 entries 9 name nine
    map update name nine key 1 0 0 0 value 7 0 0 0
    map lookup name nine key 1 0 0 0`;
  const plain = await cli(["batch", "file", "-", "-f", "--scenario", file], commands);
  expect(plain.err).toBe("");
  expect(plain.out).toMatch(/^1: xdp {2}name pass .*\n\t.*\n\t.*\n\tpinned \/sys\/fs\/bpf\/p\n/);
  expect(plain.out).toMatch(/processed 5 commands\n$/);
  const { out } = await cli(["batch", "file", "-", "--json", "--scenario", file], commands);
  const answers = JSON.parse(out) as { command: string[]; output: unknown }[];
  expect(answers.map((a) => a.command.slice(0, 2).join(" "))).toEqual([
    "prog pin",
    "prog show",
    "map create",
    "map update",
    "map lookup",
  ]);
  expect(answers[4]!.output).toMatchObject({
    key: ["0x01", "0x00", "0x00", "0x00"],
    value: ["0x07", "0x00", "0x00", "0x00"],
  });
  expect((await cli(["batch", "file", "-", "--scenario", file], "prog show\nfoo bar")).err).toMatch(/-:2: 'foo' seen/);
});

const program = { prog: "pass", section: "xdp", asm: "r0 = 2\nexit" };

it("monitor: a crash, a device that goes, pins that move and die with their mount", async () => {
  const file = scenario(
    { device: "eth0" },
    { process: "a" },
    { ...program, by: "a" },
    { attach: "pass", device: "eth0", as: "l" },
    { mount: "/mnt" },
    { pin: "l", at: "/mnt/l" },
    { rename: "/mnt/l", to: "/mnt/m" },
    { removeDevice: "eth0" },
    { exit: "a" },
    { umount: "/mnt" },
  );
  const { out } = await cli(["monitor", "--json", "--scenario", file]);
  const told = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(told).toEqual([
    { seq: 1, pid: 2, comm: "a", event: "load", prog_id: 1 },
    {
      seq: 2,
      pid: 2,
      comm: "a",
      event: "attach",
      prog_id: 1,
      link_id: 1,
      devname: "eth0",
      ifindex: 2,
      attach_type: "xdp",
    },
    { seq: 3, pid: 1, comm: "init", event: "mount", path: "/mnt" },
    { seq: 4, pid: 2, comm: "a", event: "pin", link_id: 1, path: "/mnt/l" },
    { seq: 5, pid: 1, comm: "init", event: "rename", path: "/mnt/m", old_path: "/mnt/l" },
    {
      seq: 6,
      pid: 0,
      comm: "",
      event: "defunct",
      prog_id: 1,
      link_id: 1,
      devname: "eth0",
      ifindex: 2,
      attach_type: "xdp",
    },
    { seq: 7, pid: 1, comm: "init", event: "umount", path: "/mnt" },
    { seq: 8, pid: 1, comm: "init", event: "unpin", link_id: 1, path: "/mnt/m" },
    { seq: 9, pid: 1, comm: "init", event: "unload", prog_id: 1 },
  ]);
});

it("monitor: a reader that keeps too few events is told", async () => {
  const file = scenario({
    load: TWO_TEAMS.replace("scenario/two_teams.json", "firewall/firewall.o").replace(/^/, relative()),
  });
  const printed = await text("monitor --capacity 2", file);
  expect(printed).toMatch(/ 2 {2}init\(1\) .*\n {7}4 events missed\n$/);
});

/** Files of a scenario are relative to it. */
function relative(): string {
  return dir
    .split("/")
    .filter(Boolean)
    .map(() => "..")
    .join("/");
}

describe("mistakes", () => {
  for (const [name, steps, message, code] of [
    ["an unknown verb", [{ devise: "eth0" }], /step 1: 'devise' seen, one of device, /, 2],
    [
      "an unknown member",
      [{ device: "eth0", mtuu: 5 }],
      /step 1 \(device\): 'mtuu' seen; wanted device, by, ifindex, peer/,
      2,
    ],
    ["a missing member", [{ prog: "p" }], /step 1 \(prog\): 'section' is wanted/, 2],
    ["a member of another type", [{ device: 5 }], /step 1 \(device\): 'device': 5 seen, a text wanted/, 2],
    [
      "a name nobody gave",
      [{ device: "eth0" }, { attach: "x", device: "eth0" }],
      /step 2 \(attach\): there is no object 'x'/,
      2,
    ],
    ["a taken name", [{ process: "a" }, { process: "a" }], /step 2 \(process\): process 'a' is there already/, 2],
    [
      "somebody who left",
      [{ process: "a" }, { exit: "a" }, { ...program, by: "a" }],
      /step 3 \(prog\): process 'a' has exited/,
      2,
    ],
    ["what the kernel refuses", [program, { attach: "pass" }], /step 2 \(attach\): .*EINVAL/, 1],
    ["a capability that is none", [{ process: "a", caps: ["root"] }], /'root' seen, one of bpf, /, 2],
  ] as const) {
    it(name, async () => {
      const { code: got, err } = await cli(["prog", "show", "--scenario", scenario(...steps)]);
      expect(err).toMatch(message);
      expect(got).toBe(code);
    });
  }

  it("no JSON, no steps, no file", async () => {
    const file = join(dir, "bad.json");
    writeFileSync(file, "{");
    expect(await text("prog show", file)).toMatch(/bad\.json: no JSON/);
    writeFileSync(file, "[]");
    expect(await text("prog show", file)).toMatch(/an object with the member "steps", a list, is wanted/);
    expect(await text("prog show", join(dir, "none.json"))).toMatch(/none\.json: cannot read: no such file/);
  });
});

describe("what changed between two looks", () => {
  it("as events", () =>
    withKernel((kernel, proc) => {
      const device = kernel.net.addDevice();
      const first = load(proc, "r0 = 2\nexit");
      const link = proc.linkCreate({ progFd: first, attachType: abi.BPF_XDP, targetIfindex: device.ifindex });
      proc.objPin(link, "/sys/fs/bpf/l");
      const a = look(proc);
      const map = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
      const second = load(proc, "r0 = 1\nexit");
      proc.linkUpdate(link, second);
      for (const fd of [first, second]) proc.close(fd);
      proc.fs.rename("/sys/fs/bpf/l", "/sys/fs/bpf/m");
      const b = look(proc);
      kernel.net.removeDevice(device);
      proc.close(map);
      const c = look(proc);
      proc.close(link);
      proc.objUnpin("/sys/fs/bpf/m");
      const d = look(proc);
      const told = [changes(a, b), changes(b, c), changes(c, d), changes(d, d)];
      const link1 = { linkId: 1, progId: 2, attachType: abi.BPF_XDP };
      const wanted = [
        [
          { what: "map_create", mapId: 1 },
          { what: "load", progId: 2 },
          { what: "replace", ...link1, ifindex: 2 },
          { what: "unpin", path: "/sys/fs/bpf/l", linkId: 1 },
          { what: "pin", path: "/sys/fs/bpf/m", linkId: 1 },
          { what: "unload", progId: 1 },
        ],
        [
          { what: "defunct", ...link1, ifindex: 2 },
          { what: "map_free", mapId: 1 },
        ],
        [
          { what: "detach", ...link1, ifindex: 0 },
          { what: "unpin", path: "/sys/fs/bpf/m", linkId: 1 },
          { what: "unload", progId: 2 },
        ],
        [],
      ];
      expect(told).toEqual(wanted.map((events) => events.map((e) => ({ ...e, polled: true }))));
    }));

  it.skipIf(whyNotLinux)("monitor on Linux", async () => {
    await withLinux(async (bpf) => {
      const watching = cli(["monitor", "--json", "--interval", "50", "--duration", "1500"]);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const fd = bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
      const { id } = bpf.mapInfo(fd);
      await new Promise((resolve) => setTimeout(resolve, 300));
      bpf.close(fd);
      const { out, err } = await watching;
      expect(err).toBe("skep: Linux does not tell of these events; looking every 50 ms at what changed\n");
      const lines = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(lines.filter((e) => e.map_id === id)).toEqual([
        { polled: true, event: "map_create", map_id: id },
        { polled: true, event: "map_free", map_id: id },
      ]);
    });
  });
});
