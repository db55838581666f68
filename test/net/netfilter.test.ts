/** Netfilter links, on skep and on the running Linux: what they refuse, what they say, which packets meet them. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { openObject } from "../../src/loader/object.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { SocketView } from "../../src/net/socket/view.ts";
import { Devices, inNetns, type LinuxBpf, newNetns } from "../../src/node/linux/index.ts";
import { outcome } from "../support/bpffs.ts";
import { load, withKernel } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";

const IPV4 = 2;
const IPV6 = 10;
const LOCAL_IN = 1;
const DEFRAG = 1;
const [FIRST, LAST, DEFRAG_PRIO] = [-0x80000000, 0x7fffffff, -400];

const accept = (bpf: Bpf): Fd =>
  load(bpf, "r0 = 1\nexit", { progType: abi.BPF_PROG_TYPE_NETFILTER, expectedAttachType: abi.BPF_NETFILTER });

interface Where {
  readonly pf?: number;
  readonly hooknum?: number;
  readonly priority?: number;
  readonly flags?: number;
  readonly linkFlags?: number;
}

function link(bpf: Bpf, progFd: Fd, { linkFlags: flags = 0, ...where }: Where): Fd {
  const netfilter = { pf: IPV4, hooknum: LOCAL_IN, priority: 0, flags: 0, ...where };
  return bpf.linkCreate({ progFd, attachType: abi.BPF_NETFILTER, flags, netfilter });
}

type Row = readonly [what: string, wanted: unknown, where: Where];

const ATTACH: readonly Row[] = [
  ["IPv4", undefined, {}],
  ["IPv6, post-routing", undefined, { pf: IPV6, hooknum: 4 }],
  ["a flag of the link", "EINVAL", { linkFlags: 1 }],
  ["no such hook", "EPROTO", { hooknum: 5 }],
  ["the ingress of INET", "EAFNOSUPPORT", { pf: 1, hooknum: 5 }],
  ["INET", "EAFNOSUPPORT", { pf: 1 }],
  ["no family", "EAFNOSUPPORT", { pf: 0 }],
  ["bridge", "EAFNOSUPPORT", { pf: 7 }],
  ["an unknown flag", "EOPNOTSUPP", { flags: 2 }],
  ["the first priority", "ERANGE", { priority: FIRST }],
  ["the last priority", "ERANGE", { priority: LAST }],
  ["the second", undefined, { priority: FIRST + 1 }],
  ["the last but one", undefined, { priority: LAST - 1 }],
  ["defragmented, before that is done", "ERANGE", { flags: DEFRAG, priority: DEFRAG_PRIO }],
  ["two mistakes: family first", "EAFNOSUPPORT", { pf: 3, hooknum: 9, flags: 2, priority: FIRST }],
  ["two mistakes: hook before flag", "EPROTO", { hooknum: 9, flags: 2, priority: FIRST }],
  ["two mistakes: flag before priority", "EOPNOTSUPP", { flags: 2, priority: FIRST }],
];

/** Calls the body in a namespace of its own. */
function inOwn(body: (bpf: Bpf) => void): (bpf: Bpf) => void {
  return (bpf) => {
    if (bpf instanceof Process) {
      const netns = bpf.kernel.newNetns();
      bpf.setNetns(netns);
      netns.put();
      body(bpf);
    } else {
      const netns = newNetns(bpf as LinuxBpf);
      inNetns(bpf as LinuxBpf, netns, () => body(bpf));
    }
  };
}

onKernels(
  "netfilter: where links may be",
  inOwn((bpf) => {
    const prog = accept(bpf);
    for (const [what, wanted, where] of ATTACH)
      expect(
        outcome(() => bpf.close(link(bpf, prog, where))),
        what,
      ).toEqual(wanted);
  }),
);

onKernels(
  "netfilter: a link's life",
  inOwn((bpf) => {
    const [one, two] = [accept(bpf), accept(bpf)];
    const first = link(bpf, one, { priority: -5 });
    const { type, progId, attachType, netfilter } = bpf.linkInfo(first);
    expect([type, progId, attachType, netfilter]).toEqual([
      abi.BPF_LINK_TYPE_NETFILTER,
      bpf.progInfo(one).id,
      abi.BPF_NETFILTER,
      { pf: IPV4, hooknum: LOCAL_IN, priority: -5, flags: 0 },
    ]);
    const steps: readonly (readonly [string, unknown, () => unknown])[] = [
      ["the same priority", "EBUSY", () => link(bpf, two, { priority: -5 })],
      ["the same program, another priority", undefined, () => bpf.close(link(bpf, one, { priority: -4 }))],
      ["the same priority at another hook", undefined, () => bpf.close(link(bpf, two, { priority: -5, hooknum: 2 }))],
      ["update", "EOPNOTSUPP", () => bpf.linkUpdate(first, two)],
      ["update with itself", "EOPNOTSUPP", () => bpf.linkUpdate(first, one)],
      ["detach", undefined, () => bpf.linkDetach(first)],
      ["detach again", undefined, () => bpf.linkDetach(first)],
      ["info after that", { pf: IPV4, hooknum: LOCAL_IN, priority: -5, flags: 0 }, () => bpf.linkInfo(first).netfilter],
      ["the priority is free", undefined, () => bpf.close(link(bpf, two, { priority: -5 }))],
      ["update after that", "EOPNOTSUPP", () => bpf.linkUpdate(first, two)],
    ];
    for (const [what, wanted, call] of steps) expect(outcome(call), what).toEqual(wanted);
  }),
);

/** Linux ends a namespace in a work queue. */
const LATER = 1000;

for (const kept of [true, false]) {
  const title = `netfilter: a namespace that ${kept ? "a link keeps" : "nobody keeps"}`;
  onKernels(title, async (bpf) => {
    const progFd = accept(bpf);
    const attach = (): void => {
      const fd = link(bpf, progFd, {});
      if (!kept) bpf.close(fd);
    };
    if (bpf instanceof Process) {
      const netns = bpf.kernel.newNetns();
      const home = bpf.netns;
      bpf.setNetns(netns);
      attach();
      bpf.setNetns(home);
      netns.put();
      expect(netns.ended).toBe(!kept);
      return;
    }
    // The other end of a veth pair tells: it goes with the namespace.
    const linux = bpf as LinuxBpf;
    const [home, netns] = [newNetns(linux), newNetns(linux)];
    inNetns(linux, home, () => {
      using devices = new Devices(linux.sys);
      devices.move(devices.addVeth("here", "there")[1].ifindex, netns);
    });
    inNetns(linux, netns, attach);
    bpf.close(netns);
    await new Promise((done) => setTimeout(done, LATER));
    const names = inNetns(linux, home, () => {
      using devices = new Devices(linux.sys);
      return devices.list().map(({ name }) => name);
    });
    expect(names.includes("here")).toBe(kept);
  });
}

// --- packets: a datagram of 4 bytes over loopback, the programs at every hook

const PORT = 5000;
const HOOKS = { preRouting: 0, localIn: 1, localOut: 3, postRouting: 4 } as const;
type Hook = keyof typeof HOOKS;

/** What sendto() gave, and whether the datagram came. */
type Sent = { readonly sent: string; readonly came: boolean };

function sendOnSkep(proc: Process): Sent {
  const sock = new SocketView(proc.kernel as NetKernel, proc);
  const lo = Uint8Array.of(127, 0, 0, 1);
  const [server, client] = [sock.socket("udp4"), sock.socket("udp4")];
  sock.bind(server, { addr: lo, port: PORT });
  const sent = outcome(() => sock.sendto(client, new Uint8Array(4), { addr: lo, port: PORT }));
  const came = typeof outcome(() => sock.recvfrom(server)) !== "string";
  for (const fd of [server, client]) proc.close(fd);
  return { sent: String(sent), came };
}

const SEND = `
import socket, errno
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("127.0.0.1", ${PORT})); a.setblocking(False)
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: print(b.sendto(bytes(4), ("127.0.0.1", ${PORT})))
except OSError as e: print(errno.errorcode[e.errno])
try: a.recv(9); print(1)
except BlockingIOError: print(0)
`;

/** In the namespace that the calling thread is in. */
function sendOnLinux(bpf: LinuxBpf): Sent {
  using devices = new Devices(bpf.sys);
  devices.setUp(1);
  const [sent, came] = execFileSync("python3", ["-c", SEND], { encoding: "utf8" }).split("\n");
  return { sent: sent!, came: came === "1" };
}

interface Note {
  readonly who: number;
  readonly hook: number;
  readonly pf: number;
  readonly len: number;
  readonly port: number;
  readonly in: number;
  readonly out: number;
}

interface PacketRow {
  readonly what: string;
  /** Who drops where. */
  readonly drops?: readonly (readonly ["first" | "second", Hook])[];
  /** "second" stands before "first". */
  readonly swapped?: true;
  readonly gives: Sent;
  /** Who met it: 0 first, 1 second; and where. */
  readonly met: readonly (readonly [who: number, hook: Hook])[];
}

const sent = { sent: "4", came: true };
const lost = { sent: "4", came: false };
const refused = { sent: "EPERM", came: false };

const PACKETS: readonly PacketRow[] = [
  {
    what: "all accept",
    gives: sent,
    met: (["localOut", "postRouting", "preRouting", "localIn"] as const).flatMap((h) => [
      [0, h],
      [1, h],
    ]),
  },
  { what: "local out says no", drops: [["first", "localOut"]], gives: refused, met: [[0, "localOut"]] },
  {
    what: "the second at post-routing says no",
    drops: [["second", "postRouting"]],
    gives: refused,
    met: [
      [0, "localOut"],
      [1, "localOut"],
      [0, "postRouting"],
      [1, "postRouting"],
    ],
  },
  {
    what: "pre-routing drops; the priority decides who is asked first",
    drops: [["second", "preRouting"]],
    swapped: true,
    gives: lost,
    met: [
      [1, "localOut"],
      [0, "localOut"],
      [1, "postRouting"],
      [0, "postRouting"],
      [1, "preRouting"],
    ],
  },
  {
    what: "local in drops",
    drops: [["first", "localIn"]],
    gives: lost,
    met: [
      [0, "localOut"],
      [1, "localOut"],
      [0, "postRouting"],
      [1, "postRouting"],
      [0, "preRouting"],
      [1, "preRouting"],
      [0, "localIn"],
    ],
  },
];

const object = new Uint8Array(readFileSync(new URL("progs/netfilter.o", import.meta.url)));
const noPython = spawnSync("python3", ["-c", ""]).error ? "no python3" : undefined;

for (const { what, drops = [], swapped, gives, met } of PACKETS) {
  const test = (bpf: Bpf): void => {
    const obj = openObject(object, { name: "netfilter.o" });
    obj.load(bpf);
    for (const [who, hook] of drops) obj.maps["drops"]!.set(HOOKS[hook] * 2 + (who === "first" ? 0 : 1), 1);
    for (const hooknum of Object.values(HOOKS)) {
      for (const [name, priority] of [
        ["first", 0],
        ["second", swapped ? -1 : 1],
      ] as const)
        obj.progs[name]!.attach({ netfilter: { pf: IPV4, hooknum, priority, flags: 0 } });
    }
    expect(bpf instanceof Process ? sendOnSkep(bpf) : sendOnLinux(bpf as LinuxBpf)).toEqual(gives);
    const count = Number(obj.bss["count"]);
    const notes = Array.from({ length: count }, (_, i) => obj.maps["notes"]!.get(i) as Note);
    expect(notes).toEqual(
      met.map(([who, hook]) => ({
        who,
        hook: HOOKS[hook],
        pf: IPV4,
        len: 32,
        port: PORT,
        in: hook === "preRouting" || hook === "localIn" ? 1 : 0,
        out: hook === "localOut" || hook === "postRouting" ? 1 : 0,
      })),
    );
    obj.close();
  };
  onKernels(`netfilter: ${what}`, inOwn(test), noPython ? { notLinux: noPython } : {});
  it(`netfilter: ${what} (interp)`, () => withKernel((_, proc) => inOwn(test)(proc), { engine: "interp" }));
}
