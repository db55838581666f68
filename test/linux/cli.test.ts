/** `skep run` and `skep verify` say the same with --kernel linux as on the in-process kernel. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { BPF_MAP_TYPE_ARRAY } from "../../src/abi/bpf.ts";
import { cli } from "../support/cli.ts";
import { whyNotLinux, withLinux } from "../support/kernels.ts";

const path = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
const capture = path("captures/traffic.pcapng");

async function json(args: readonly string[]): Promise<Record<string, unknown>> {
  const { out, err, code } = await cli([...args, "--json"]);
  if (code !== 0) throw new Error(out || err);
  return JSON.parse(out.trim().split("\n")[0]!) as Record<string, unknown>;
}

const VOLATILE = ["seconds", "perSecond", "engine", "us", "durationNs", "insns", "states"];

function steady(o: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(o).filter(([k]) => !VOLATILE.includes(k)));
}

describe.skipIf(whyNotLinux)("--kernel linux", () => {
  const RUNS = [
    ["run", path("firewall/firewall.o"), "--pcap", capture, "--dump", "counters"],
    ["run", path("firewall/firewall.o"), "--packet", `${"00".repeat(12)}0800${"00".repeat(46)}`],
    ["run", path("load_balancer/load_balancer.o"), "--pcap", capture],
    ["verify", path("firewall/firewall.o")],
    ["verify", path("rate_limiter/rate_limiter.o")],
  ];
  for (const args of RUNS) {
    it(args.map((a) => a.split("/").pop()!.slice(0, 40)).join(" "), async () => {
      const theirs = await json([...args, "--kernel", "linux"]);
      const ours = await json([...args, "--kernel", "skep"]);
      expect(sumsOf(steady(theirs))).toEqual(sumsOf(steady(ours)));
    });
  }

  it("Linux deletes nothing by force", async () => {
    await withLinux(async (bpf) => {
      const attr = { mapType: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };
      const { id } = bpf.mapInfo(bpf.mapCreate(attr));
      const { code, err } = await cli(["map", "delete", "id", `${id}`, "--kernel", "linux"]);
      expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining("EOPNOTSUPP") });
    });
  });

  it("wrong usage", async () => {
    const verify = await cli(["verify", path("firewall/firewall.o"), "--kernel", "linux", "--btf", "x"]);
    expect(verify.code).toBe(2);
    expect((await cli(["prog", "fly", "--kernel", "skep"])).code).toBe(2);
    expect((await cli(["map", "dump", "id", "x", "--kernel", "skep"])).code).toBe(2);
    expect((await cli(["prog", "show", "--kernel", "windows"])).code).toBe(2);
    expect(await cli(["prog", "show", "--kernel", "skep", "--json"])).toMatchObject({ code: 0, out: "[]\n" });
  });
});

/** How packets fall on CPUs differs: per-CPU values are added up. */
function sumsOf(o: Record<string, unknown>): unknown {
  const maps = o["maps"] as Record<string, { value: Record<string, number>[] }[]> | undefined;
  if (!maps) return o;
  const counters = maps["counters"]!.map(({ value }) => ({
    packets: value.reduce((sum, v) => sum + v["packets"]!, 0),
    bytes: value.reduce((sum, v) => sum + v["bytes"]!, 0),
  }));
  return { ...o, maps: { counters } };
}
