/** sk_lookup programs and UDP sockets, on skep and on the running Linux: who is asked, and what comes. */
import { execFileSync, spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { SocketView } from "../../src/net/socket/view.ts";
import { Devices, inNetns, type LinuxBpf, newNetns } from "../../src/node/linux/index.ts";
import { outcome } from "../support/bpffs.ts";
import { load, u32, withKernel } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";

/** Bound to the address, bound to any, connected to the sender; nobody has the last port. */
const [EXACT, ANY, CONNECTED, NOBODY] = [5000, 5001, 5002, 5003];
const SENDER = 6000;
const LO = Uint8Array.of(127, 0, 0, 1);

const SCRIPT = `
import socket
def bound(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((addr, port)); s.setblocking(False)
    return s
servers = [bound("127.0.0.1", ${EXACT}), bound("", ${ANY}), bound("127.0.0.1", ${CONNECTED})]
servers[2].connect(("127.0.0.1", ${SENDER}))
client = bound("127.0.0.1", ${SENDER})
for port in (${EXACT}, ${ANY}, ${CONNECTED}, ${NOBODY}): client.sendto(b"x", ("127.0.0.1", port))
def came(s):
    try: return len(s.recv(9)) == 1
    except BlockingIOError: return False
print("".join("1" if came(s) else "0" for s in servers))
`;

const noPython = spawnSync("python3", ["-c", ""]).error ? "no python3" : undefined;

/** Which of the three got theirs: "101". */
function sendAll(bpf: Bpf): string {
  if (!(bpf instanceof Process)) {
    using devices = new Devices((bpf as LinuxBpf).sys);
    devices.setUp(1);
    return execFileSync("python3", ["-c", SCRIPT], { encoding: "utf8" }).trim();
  }
  const sock = new SocketView(bpf.kernel as NetKernel, bpf);
  const bound = (addr: Uint8Array, port: number): Fd => {
    const fd = sock.socket("udp4");
    sock.bind(fd, { addr, port });
    return fd;
  };
  const servers = [bound(LO, EXACT), bound(new Uint8Array(4), ANY), bound(LO, CONNECTED)];
  sock.connect(servers[2]!, { addr: LO, port: SENDER });
  const client = bound(LO, SENDER);
  for (const port of [EXACT, ANY, CONNECTED, NOBODY]) sock.sendto(client, Uint8Array.of(1), { addr: LO, port });
  const came = servers.map((fd) => (typeof outcome(() => sock.recvfrom(fd)) === "string" ? "0" : "1"));
  for (const fd of [...servers, client]) bpf.close(fd);
  return came.join("");
}

/**
 * Adds its number to the array's value, ten times what was there, then decides. r6 is the context. Linux looks for the
 * sender, too, whom ICMP tells of what nobody took: that does not count.
 */
const counted = (n: number, rest: string) => `
  r6 = r1
  r0 = 1
  r1 = *(u32 *)(r6 + 60)
  if r1 == ${SENDER} goto out
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[m] ll
  call map_lookup_elem
  if r0 == 0 goto no
  r1 = *(u32 *)(r0 + 0)
  r1 *= 10
  r1 += ${n}
  *(u32 *)(r0 + 0) = r1
  ${rest}
  r0 = 1
out:
  exit
no:
  r0 = 0
  exit`;

const ALWAYS = "if r1 != 0 goto no";

interface Row {
  readonly what: string;
  readonly progs: readonly string[];
  readonly came: string;
  /** Numbers of the programs in the order in which they ran. */
  readonly ran: number;
}

const ROWS: readonly Row[] = [
  { what: "no programs", progs: [], came: "111", ran: 0 },
  { what: "a program that passes all: the connected socket does not ask it", progs: [""], came: "111", ran: 111 },
  { what: "a program that refuses all", progs: [ALWAYS], came: "001", ran: 111 },
  { what: "all programs run, one no is enough", progs: [ALWAYS, ""], came: "001", ran: 121_212 },
  { what: "in the order of their links", progs: ["", ALWAYS, ""], came: "001", ran: 123_123_123 },
  {
    what: "by the local port",
    progs: [`r1 = *(u32 *)(r6 + 60)\nif r1 == ${EXACT} goto no`],
    came: "011",
    ran: 111,
  },
  {
    what: "by the remote port, which is in network order",
    progs: [`r1 = *(u16 *)(r6 + 36)\nr1 = be16 r1\nif r1 == ${SENDER} goto no`],
    came: "001",
    ran: 111,
  },
  {
    what: "by both addresses",
    progs: ["r1 = *(u32 *)(r6 + 16)\nr2 = *(u32 *)(r6 + 40)\nif r1 != 0x0100007f goto no\nif r2 != r1 goto no"],
    came: "111",
    ran: 111,
  },
  {
    what: "by protocol, family and device",
    progs: [
      "r1 = *(u32 *)(r6 + 12)\nif r1 != 17 goto no\nr1 = *(u32 *)(r6 + 8)\nif r1 != 2 goto no\nr1 = *(u32 *)(r6 + 64)\nif r1 != 1 goto no",
    ],
    came: "111",
    ran: 111,
  },
];

for (const { what, progs, came, ran } of ROWS) {
  const steps = (bpf: Bpf, netns: Fd): void => {
    const m = bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    const links = progs.map((asm, i) => {
      const attr = { progType: abi.BPF_PROG_TYPE_SK_LOOKUP, expectedAttachType: abi.BPF_SK_LOOKUP, maps: { m } };
      const progFd = load(bpf, counted(i + 1, asm), attr);
      return bpf.linkCreate({ progFd, attachType: abi.BPF_SK_LOOKUP, targetFd: netns });
    });
    expect(sendAll(bpf)).toBe(came);
    expect(bpf.mapLookupElem(m, u32(0))).toEqual(u32(ran));
    for (const fd of links) bpf.close(fd);
  };
  const test = (bpf: Bpf): void => {
    if (bpf instanceof Process) {
      const netns = bpf.kernel.newNetns();
      bpf.setNetns(netns);
      steps(bpf, bpf.installOwned(netns));
    } else {
      const netns = newNetns(bpf as LinuxBpf);
      inNetns(bpf as LinuxBpf, netns, () => steps(bpf, netns));
    }
  };
  onKernels(`sk_lookup: ${what}`, test, noPython ? { notLinux: noPython } : {});
  it(`sk_lookup: ${what} (interp)`, () => withKernel((_, proc) => test(proc), { engine: "interp" }));
}
