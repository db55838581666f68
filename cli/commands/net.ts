/** skep net: programs on network devices, with bpftool's words and JSON. */
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { detachXdp } from "../../src/loader/dispatcher/dispatcher.ts";
import type { XdpMode } from "../../src/loader/dispatcher/host.ts";
import { xdpStatus } from "../../src/loader/dispatcher/status.ts";
import type { Device } from "../../src/node/linux/index.ts";
import { type DeviceView, devicesOf, openOwnNetns } from "../bpftool/devices.ts";
import { type Answer, type Call, DONE, objectCommand, type Verb } from "../bpftool/verbs.ts";
import { KINDS, selectOne, type Words } from "../bpftool/words.ts";
import { attachFile, FILE_USAGE, fileArgs, hostOf, statusAnswer } from "../bpftool/xdp.ts";

const PROG = "{ id ID | pinned PATH | name NAME | tag TAG }";

/** Flags of IFLA_XDP_FLAGS. */
const XDP_FLAGS_UPDATE_IF_NOEXIST = 1;
const MODES = { xdp: 0, xdpgeneric: 2, xdpdrv: 4, xdpoffload: 8 } as const;
const MODE_NAMES = Object.keys(MODES) as (keyof typeof MODES)[];

/** For libxdp; xdp: what the device can. */
const XDP_MODES: Readonly<Record<(typeof MODE_NAMES)[number], XdpMode | undefined>> = {
  xdp: undefined,
  xdpgeneric: "generic",
  xdpdrv: "driver",
  xdpoffload: "offload",
};

const VERBS: Readonly<Record<string, Verb>> = {
  show: { usage: "[dev NAME]", run: show },
  attach: {
    usage: `${MODE_NAMES.join("|")} ${PROG} dev NAME [overwrite]\n  net attach ${MODE_NAMES.join("|")} ${FILE_USAGE} dev NAME`,
    run: attach,
  },
  detach: { usage: `${MODE_NAMES.join("|")} [id ID] dev NAME`, run: detach },
  status: { usage: "[dev NAME]", run: status },
};

export const net = objectCommand("net", "show, attach and detach programs of network devices; status of XDP", VERBS);

function needDevice(devices: DeviceView, words: Words): Device {
  if (!words.take("dev")) throw words.error("dev NAME wanted");
  return devices.byName(words.next("a device"));
}

/** Hooks of several programs with an order, which bpftool 7.3 and later show with the tc filters. */
const TCX = [
  ["tcx/ingress", abi.BPF_TCX_INGRESS],
  ["tcx/egress", abi.BPF_TCX_EGRESS],
] as const;

function show({ bpf, words }: Call): Answer {
  using devices = devicesOf(bpf);
  const only = words.rest > 0 ? needDevice(devices, words) : undefined;
  words.end();
  const list = only ? [only] : devices.list();
  const xdp = list.flatMap((d) =>
    d.xdp.map((x) => ({ devname: d.name, ifindex: d.ifindex, mode: x.mode, id: x.progId })),
  );
  const tc = list.flatMap((d) => [...tcxOf(bpf, d), ...filtersOf(devices, d)]);
  const line = (o: object) =>
    `${Object.values(o).slice(0, 2).join("(")}) ${Object.entries(o).slice(2).flat().join(" ")}\n`;
  const section = (name: string, rows: readonly object[]) => `${name}:\n${rows.map(line).join("")}\n`;
  const json = [{ xdp, tc, flow_dissector: flowDissector(bpf) }];
  return { json, text: section("xdp", xdp) + section("tc", tc) + section("flow_dissector", json[0].flow_dissector) };
}

function tcxOf(bpf: Bpf, d: Device): object[] {
  return TCX.flatMap(([kind, attachType]) => {
    const progs = bpf.progQuery?.({ attachType, targetIfindex: d.ifindex }).progs ?? [];
    return progs.map(({ id, linkId }) => {
      const fd = bpf.progGetFdById(id);
      const { name } = bpf.progInfo(fd);
      bpf.close(fd);
      const link = linkId === 0 ? {} : { link_id: linkId };
      return { devname: d.name, ifindex: d.ifindex, kind, name, prog_id: id, ...link };
    });
  });
}

function filtersOf(devices: DeviceView, d: Device): object[] {
  return devices.filters(d.ifindex).map((f) => ({
    devname: d.name,
    ifindex: d.ifindex,
    kind: `clsact/${f.direction}`,
    name: f.name,
    id: f.progId,
  }));
}

function flowDissector(bpf: Bpf): object[] {
  const fd = openOwnNetns(bpf);
  if (fd === undefined) return [];
  const progs = bpf.progQuery?.({ attachType: abi.BPF_FLOW_DISSECTOR, targetFd: fd }).progs ?? [];
  bpf.close(fd);
  return progs.map(({ id }) => ({ id }));
}

/** A loaded program alone, as bpftool attaches it; or one of a file, beside the others that run on the device. */
function attach({ bpf, words }: Call): Answer {
  using devices = devicesOf(bpf);
  const mode = words.choose(MODE_NAMES);
  if (words.take("file")) {
    const file = fileArgs(words);
    const { ifindex } = needDevice(devices, words);
    words.end();
    attachFile(hostOf(bpf, devices), ifindex, file, XDP_MODES[mode], words);
    return DONE;
  }
  const prog = selectOne(bpf, KINDS.prog, words);
  const device = needDevice(devices, words);
  const overwrite = words.take("overwrite");
  words.end();
  devices.setXdp(device.ifindex, prog, MODES[mode] | (overwrite ? 0 : XDP_FLAGS_UPDATE_IF_NOEXIST));
  bpf.close(prog);
  return DONE;
}

/** All programs with their dispatcher; or one of them. */
function detach({ bpf, words }: Call): Answer {
  using devices = devicesOf(bpf);
  const mode = words.choose(MODE_NAMES);
  const id = words.take("id") ? words.number("a program id") : undefined;
  const { ifindex } = needDevice(devices, words);
  words.end();
  const host = hostOf(bpf, devices);
  if (id !== undefined) detachXdp(host, ifindex, [id]);
  else if (xdpStatus(host, ifindex).kind === "dispatcher") detachXdp(host, ifindex);
  else devices.setXdp(ifindex, -1, MODES[mode]);
  return DONE;
}

function status({ bpf, words }: Call): Answer {
  using devices = devicesOf(bpf);
  const only = words.rest > 0 ? needDevice(devices, words) : undefined;
  words.end();
  return statusAnswer(hostOf(bpf, devices), only ? [only] : devices.list());
}
