/**
 * skep's JSON of a Linux kernel's objects equals what Debian's bpftool says of the same objects.
 *
 * Left out: what changes between two looks (times, durations), and members that only one of the two versions knows.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import { cgroupRoot, type LinuxBpf, linux } from "../../src/node/linux/index.ts";
import { cli } from "../support/cli.ts";
import { frame } from "../support/kernel.ts";
import { newPinDir, removePinDir, whyNotLinux } from "../support/kernels.ts";

function bpftool(args: readonly string[]): unknown {
  try {
    const options = { encoding: "utf8" as const, maxBuffer: 1 << 28 };
    return JSON.parse(execFileSync("bpftool", ["-j", ...args], { ...options, stdio: ["ignore", "pipe", "ignore"] }));
  } catch (e) {
    // it says what is wrong as JSON too
    return JSON.parse((e as { stdout?: string }).stdout || "null");
  }
}

async function skep(args: readonly string[]): Promise<unknown> {
  const { out, err } = await cli([...args, "--json", "--kernel", "linux"]);
  if (out === "") throw new Error(err);
  return JSON.parse(out);
}

const VOLATILE = new Set(["loaded_at", "run_time_ns", "run_cnt", "duration", "pids"]);

function steady(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(steady);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([k, v]) => (VOLATILE.has(k) ? [] : [[k, steady(v)]])));
}

const reason =
  whyNotLinux ??
  (() => {
    try {
      execFileSync("bpftool", ["version"], { stdio: "ignore" });
      return undefined;
    } catch {
      return "no bpftool";
    }
  })();
if (reason) console.log(`bpftool is not compared: ${reason}`);

describe.skipIf(reason)("JSON as bpftool's", () => {
  let bpf: LinuxBpf;
  let pins: string;
  let dir: string;
  let obj: BpfObject;
  const maps: Record<string, Fd> = {};

  beforeAll(() => {
    bpf = linux();
    pins = newPinDir(bpf);
    dir = mkdtempSync(join(tmpdir(), "skep-bpftool-"));
    const file = new URL("../../examples/firewall/firewall.o", import.meta.url);
    obj = openObject(new Uint8Array(readFileSync(file)), { name: "firewall.o" });
    obj.load(bpf);
    obj.maps.blocked!.set("10.0.0.1", 1);
    obj.maps.networks!.set({ prefixlen: 24, addr: "10.1.0.0" } as never, 1);
    obj.progs.firewall!.testRun({ dataIn: frame(64) });
    obj.progs.firewall!.pin(join(pins, "firewall"));
    for (const [name, type, key, value, flags] of MAPS) {
      const fd = bpf.mapCreate({ mapType: type, keySize: key, valueSize: value, maxEntries: 3, mapFlags: flags, name });
      maps[name] = fd;
    }
    bpf.mapUpdateElem(maps["skep_hash"]!, Uint8Array.of(1, 2, 3), new Uint8Array(30).fill(9));
    bpf.mapUpdateElem(maps["skep_percpu"]!, Uint8Array.of(1, 0, 0, 0), new Uint8Array(8 * bpf.possibleCpus).fill(7));
    bpf.mapFreeze(maps["skep_array"]!);
    writeFileSync(join(dir, "packet"), frame(64));
  });

  afterAll(() => {
    obj.close();
    removePinDir(bpf, pins);
    bpf[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  const MAPS: readonly [name: string, type: number, key: number, value: number, flags: number][] = [
    ["skep_hash", abi.BPF_MAP_TYPE_HASH, 3, 30, 0],
    ["skep_array", abi.BPF_MAP_TYPE_ARRAY, 4, 12, 0],
    ["skep_percpu", abi.BPF_MAP_TYPE_PERCPU_HASH, 4, 5, 0],
    ["skep_queue", abi.BPF_MAP_TYPE_QUEUE, 0, 4, 0],
    ["skep_jumps", abi.BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 0],
  ];

  async function same(args: readonly string[]): Promise<void> {
    expect(steady(await skep(args))).toEqual(steady(bpftool(args)));
  }

  it("prog show", async () => {
    const { id, tag } = bpf.progInfo(obj.progs.firewall!.fd);
    await same(["prog", "show", "id", String(id)]);
    await same(["prog", "show", "pinned", join(pins, "firewall")]);
    await same(["prog", "show", "tag", tag]);
    await same(["-f", "prog", "show", "id", String(id)].slice(1));
  });

  it("prog run", async () => {
    const id = String(bpf.progInfo(obj.progs.firewall!.fd).id);
    const packet = join(dir, "packet");
    await same(["prog", "run", "id", id, "data_in", packet]);
    await same(["prog", "run", "id", id, "data_in", packet, "data_out", "-", "repeat", "3"]);
  });

  it("prog dump xlated", async () => {
    const args = ["prog", "dump", "xlated", "pinned", join(pins, "firewall")];
    const theirs = bpftool(args) as { disasm: string }[];
    const ours = (await skep(args)) as { disasm: string }[];
    expect(ours.map((r) => r.disasm)).toEqual(theirs.map((r) => r.disasm));
  });

  it("map show and dump, with BTF and without", async () => {
    const typed = Object.values(obj.maps).map((m) => m.fd);
    for (const fd of [...typed, ...Object.values(maps)]) {
      const id = String(bpf.mapInfo(fd).id);
      await same(["map", "show", "id", id]);
      await same(["map", "dump", "id", id]);
    }
    await same(["map", "show", "name", "skep_hash"]);
  });

  it("map lookup, getnext, update, delete, create", async () => {
    const id = String(bpf.mapInfo(maps["skep_hash"]!).id);
    await same(["map", "lookup", "id", id, "key", "1", "2", "3"]);
    await same(["map", "lookup", "id", id, "key", "hex", "ff", "ff", "ff"]);
    await same(["map", "getnext", "id", id]);
    const value = Array.from({ length: 30 }, (_, i) => String(i));
    expect(await skep(["map", "update", "id", id, "key", "4", "5", "6", "value", ...value])).toBe(null);
    expect(bpf.mapLookupElem(maps["skep_hash"]!, Uint8Array.of(4, 5, 6))[29]).toBe(29);
    expect(await skep(["map", "delete", "id", id, "key", "4", "5", "6"])).toBe(null);
    const path = join(pins, "made");
    const words = ["type", "array", "key", "4", "value", "8", "entries", "2", "name", "skep_made"];
    expect(await skep(["map", "create", path, ...words])).toBe(null);
    await same(["map", "show", "pinned", path]);
    bpf.objUnpin(path);
  });

  it("link show", async () => {
    const raw = openObject(readFixture("loader/app.o"), { name: "app.o" });
    raw.maps.shared!.pinPath = undefined;
    raw.load(bpf, { kconfig: "CONFIG_FEATURE=y" });
    const link = raw.progs.report!.attach();
    const { id } = link.info();
    await same(["link", "show", "id", String(id)]);
    const path = join(pins, "link");
    await skep(["link", "pin", "id", String(id), path]);
    await same(["link", "show", "pinned", path]);
    bpf.objUnpin(path);
    link.close();
    raw.close();
  });

  it("cgroup show, tree, attach and detach", async () => {
    const top = join(cgroupRoot(), `skep-${process.pid}-bpftool`);
    const below = join(top, "below");
    for (const path of [top, below]) mkdirSync(path);
    const insns = encode(assemble("r0 = 1\nexit").insns);
    const load = (name: string, progType: number, expectedAttachType: number) =>
      bpf.progInfo(bpf.progLoad({ progType, expectedAttachType, insns, license: "GPL", name }).fd).id;
    try {
      const ingress = load("skep_in", abi.BPF_PROG_TYPE_CGROUP_SKB, abi.BPF_CGROUP_INET_INGRESS);
      const device = load("skep_dev", abi.BPF_PROG_TYPE_CGROUP_DEVICE, abi.BPF_CGROUP_DEVICE);
      const bind = load("skep_bind", abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, abi.BPF_CGROUP_INET6_BIND);
      const attach = (path: string, ...words: string[]) => skep(["cgroup", "attach", path, ...words]);
      expect(await attach(top, "cgroup_inet_ingress", "id", `${ingress}`, "multi")).toBe(null);
      expect(await attach(top, "device", "id", `${device}`, "override")).toBe(null);
      expect(await attach(below, "bind6", "id", `${bind}`)).toBe(null);
      for (const path of [top, below]) await same(["cgroup", "show", path]);
      await same(["cgroup", "show", below, "effective"]);
      await same(["cgroup", "tree", top]);
      expect(await skep(["cgroup", "show", top])).toHaveLength(2);
      expect(await skep(["cgroup", "detach", top, "ingress", "id", `${ingress}`])).toBe(null);
      expect(await skep(["cgroup", "show", top])).toHaveLength(1);
      const lines = (text: string) =>
        text
          .trim()
          .split("\n")
          .map((line) => line.trim().split(/ +/));
      const { out } = await cli(["cgroup", "tree", top, "--kernel", "linux"]);
      expect(lines(out)).toEqual(lines(execFileSync("bpftool", ["cgroup", "tree", top], { encoding: "utf8" })));
    } finally {
      for (const path of [below, top]) rmdirSync(path);
    }
  });

  it("feature probe", async () => {
    type Features = Record<string, Record<string, unknown>>;
    const ours = (await skep(["feature", "probe"])) as Features;
    const theirs = bpftool(["feature", "probe"]) as Features;
    for (const section of ["system_config", "syscall_config", "program_types", "map_types", "misc"]) {
      const known = Object.keys(theirs[section]!);
      const pick = (of: Features) => Object.fromEntries(known.map((name) => [name, of[section]?.[name]]));
      expect(pick(ours)).toEqual(pick(theirs));
    }
    // bpftool 7.1 does not know the words with which Linux 6.18 refuses a helper, and believes in all of them
    const xdp = ours["helpers"]!["xdp_available_helpers"] as string[];
    expect(xdp).toContain("bpf_redirect_map");
    expect(xdp).not.toContain("bpf_skb_store_bytes");
  });

  it("btf show and dump", async () => {
    type Row = { id: number; map_ids: number[]; prog_ids: number[] };
    const mine = (rows: unknown) =>
      (rows as Row[])
        .filter((r) => r.id === btfId || r.id === 1)
        // bpftool has them in the order of a hash table
        .map((r) => ({ ...r, map_ids: r.map_ids.toSorted(), prog_ids: r.prog_ids.toSorted() }));
    const { btfId } = bpf.progInfo(obj.progs.firewall!.fd);
    expect(steady(mine(await skep(["btf", "show"])))).toEqual(steady(mine(bpftool(["btf", "show"]))));
    await same(["btf", "dump", "id", String(btfId)]);
    await same(["btf", "dump", "map", "id", String(bpf.mapInfo(obj.maps.blocked!.fd).id)]);
  });
});

function readFixture(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/${path}`, import.meta.url)));
}
