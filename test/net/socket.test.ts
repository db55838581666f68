/** UDP sockets: ways through the stack, errors, and the programs of their cgroup. */
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { type SocketKind, SocketView, UNSUPPORTED } from "../../src/net/socket/view.ts";
import { load, withKernel } from "../support/kernel.ts";

const LO = Uint8Array.of(127, 0, 0, 1);
const A = Uint8Array.of(10, 0, 0, 1);
const B = Uint8Array.of(10, 0, 0, 2);
const ANY = new Uint8Array(4);
const DATA = Uint8Array.of(1, 2, 3);

/** Two processes in two namespaces, joined by a veth pair. */
function joined(kernel: NetKernel) {
  const netns = kernel.newNetns();
  const [a, b] = kernel.net.addVethPair({ name: "a" }, { name: "b" });
  kernel.moveDevice(b, netns);
  b.up = true;
  kernel.net.addAddress(a, A, 24);
  kernel.netOf(netns).addAddress(b, B, 24);
  const there = kernel.spawn({ netns });
  netns.put();
  return { a, b, there, at: new SocketView(kernel, there) };
}

/** Attaches a program to the process's cgroup. */
function hook(proc: Process, progType: number, attachType: number, asm: string): void {
  const progFd = load(proc, asm, { progType, expectedAttachType: attachType });
  proc.progAttach({ progFd, attachType, targetFd: proc.openCgroup(proc.cgroup) });
}

const both = (title: string, body: (kernel: NetKernel, proc: Process, sock: SocketView) => void) => {
  for (const engine of ["jit", "interp"] as const)
    it(`${title} (${engine})`, () =>
      withKernel((kernel, proc) => body(kernel, proc, new SocketView(kernel, proc)), { engine }));
};

describe("ways", () => {
  both("loopback, and the answer", (_kernel, _proc, sock) => {
    const [server, client] = [sock.socket("udp4"), sock.socket("udp4")];
    sock.bind(server, { addr: ANY, port: 5000 });
    expect(sock.sendto(client, DATA, { addr: LO, port: 5000 })).toBe(3);
    const { data, from } = sock.recvfrom(server);
    expect([data, from]).toEqual([DATA, { addr: LO, port: sock.getsockname(client).port }]);
    sock.sendto(server, Uint8Array.of(9), from);
    expect(sock.recvfrom(client).data).toEqual(Uint8Array.of(9));
    expect(() => sock.recvfrom(client)).toThrow("EAGAIN");
  });

  both("between namespaces; a socket keeps its namespace", (kernel, proc, sock) => {
    const { at, there } = joined(kernel);
    const server = at.socket("udp4");
    at.bind(server, { addr: B, port: 53 });
    const client = sock.socket("udp4");
    sock.connect(client, { addr: B, port: 53 });
    sock.sendto(client, DATA);
    expect(at.recvfrom(server)).toEqual({ data: DATA, from: sock.getsockname(client) });
    expect([sock.getsockname(client).addr, sock.getpeername(client)]).toEqual([A, { addr: B, port: 53 }]);
    checkReferences(kernel);
    const kept = there.sendFd(server, proc);
    const { netns } = there;
    there.exit();
    checkReferences(kernel);
    expect(netns.ended).toBe(false);
    sock.sendto(client, DATA);
    expect(sock.recvfrom(kept).data).toEqual(DATA);
    proc.close(kept);
    expect(netns.ended).toBe(true);
    expect(() => sock.sendto(client, DATA)).toThrow("ENETUNREACH");
  });

  both("a connected socket hears only its peer; XDP comes before sockets", (kernel, proc, sock) => {
    const { a, at } = joined(kernel);
    const [any, peer] = [sock.socket("udp4"), sock.socket("udp4")];
    sock.bind(any, { addr: ANY, port: 7 });
    sock.bind(peer, { addr: A, port: 8 });
    sock.connect(peer, { addr: B, port: 9 });
    const other = at.socket("udp4");
    at.bind(other, { addr: B, port: 10 });
    at.sendto(other, DATA, { addr: A, port: 8 });
    expect(() => sock.recvfrom(peer)).toThrow("EAGAIN");
    at.sendto(other, DATA, { addr: A, port: 7 });
    expect(sock.recvfrom(any).data).toEqual(DATA);
    const progFd = load(proc, "r0 = 1\nexit");
    proc.linkCreate({ progFd, attachType: abi.BPF_XDP, targetIfindex: a.ifindex });
    at.sendto(other, DATA, { addr: A, port: 7 });
    expect(() => sock.recvfrom(any)).toThrow("EAGAIN");
  });
});

describe("errors", () => {
  const cases: readonly (readonly [string, string, (sock: SocketView) => void])[] = [
    ["an address of another machine", "EADDRNOTAVAIL", (s) => s.bind(s.socket("udp4"), { addr: B, port: 1 })],
    [
      "a port that is taken",
      "EADDRINUSE",
      (s) => {
        s.bind(s.socket("udp4"), { addr: ANY, port: 4000 });
        s.bind(s.socket("udp4"), { addr: LO, port: 4000 });
      },
    ],
    [
      "bound already",
      "EINVAL",
      (s) => {
        const fd = s.socket("udp4");
        s.bind(fd, { addr: LO, port: 4000 });
        s.bind(fd, { addr: LO, port: 4001 });
      },
    ],
    ["no destination", "EDESTADDRREQ", (s) => s.sendto(s.socket("udp4"), DATA)],
    ["no route", "ENETUNREACH", (s) => s.sendto(s.socket("udp4"), DATA, { addr: B, port: 1 })],
    ["too long", "EMSGSIZE", (s) => s.sendto(s.socket("udp4"), new Uint8Array(70_000), { addr: LO, port: 1 })],
    ...(Object.entries(UNSUPPORTED) as [SocketKind, { reason: string }][]).map(
      ([kind, { reason }]) => [kind, reason, (s: SocketView) => void s.socket(kind)] as const,
    ),
  ];
  for (const [name, message, body] of cases) {
    it(name, () => withKernel((kernel, proc) => expect(() => body(new SocketView(kernel, proc))).toThrow(message)));
  }

  it("a port below 1024 is for root", () =>
    withKernel((kernel) => {
      const user = kernel.spawn({ uid: 1000 });
      const sock = new SocketView(kernel, user);
      expect(() => sock.bind(sock.socket("udp4"), { addr: LO, port: 53 })).toThrow("EACCES");
    }));
});

describe("programs of the cgroup", () => {
  const SOCK = abi.BPF_PROG_TYPE_CGROUP_SOCK;
  const ADDR = abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
  const SKB = abi.BPF_PROG_TYPE_CGROUP_SKB;
  const NO = "r0 = 0\nexit";
  const twoSockets = (sock: SocketView) => {
    const [server, client] = [sock.socket("udp4"), sock.socket("udp4")];
    sock.bind(server, { addr: LO, port: 5000 });
    return { server, client };
  };
  for (const [name, type, attachType, call] of [
    ["sock_create", SOCK, abi.BPF_CGROUP_INET_SOCK_CREATE, (s: SocketView) => s.socket("udp4")],
    ["bind4", ADDR, abi.BPF_CGROUP_INET4_BIND, twoSockets],
    ["post_bind4", SOCK, abi.BPF_CGROUP_INET4_POST_BIND, twoSockets],
    [
      "connect4",
      ADDR,
      abi.BPF_CGROUP_INET4_CONNECT,
      (s: SocketView) => s.connect(s.socket("udp4"), { addr: LO, port: 1 }),
    ],
    [
      "sendmsg4",
      ADDR,
      abi.BPF_CGROUP_UDP4_SENDMSG,
      (s: SocketView) => s.sendto(s.socket("udp4"), DATA, { addr: LO, port: 1 }),
    ],
    [
      "egress",
      SKB,
      abi.BPF_CGROUP_INET_EGRESS,
      (s: SocketView) => s.sendto(s.socket("udp4"), DATA, { addr: LO, port: 1 }),
    ],
  ] as const) {
    both(`${name} says no`, (kernel, proc, sock) => {
      hook(proc, type, attachType, NO);
      expect(() => call(sock)).toThrow("EPERM");
      checkReferences(kernel);
    });
  }

  both("a refused bind leaves the port free", (_kernel, proc, sock) => {
    hook(proc, SOCK, abi.BPF_CGROUP_INET4_POST_BIND, NO);
    const fd = sock.socket("udp4");
    for (let i = 0; i < 2; i++) expect(() => sock.bind(fd, { addr: LO, port: 5000 })).toThrow("EPERM");
    expect(sock.getsockname(fd)).toEqual({ addr: ANY, port: 0 });
  });

  both("connect4 and sendmsg4 send it elsewhere, recvmsg4 says it came from there", (_kernel, proc, sock) => {
    // user_port, in network byte order.
    const toPort = (port: number) => `r2 = ${((port & 255) << 8) | (port >> 8)}\n*(u32 *)(r1 + 24) = r2\nr0 = 1\nexit`;
    const { server, client } = twoSockets(sock);
    hook(proc, ADDR, abi.BPF_CGROUP_UDP4_SENDMSG, toPort(5000));
    sock.sendto(client, DATA, { addr: LO, port: 80 });
    hook(proc, ADDR, abi.BPF_CGROUP_UDP4_RECVMSG, toPort(80));
    expect(sock.recvfrom(server)).toEqual({ data: DATA, from: { addr: LO, port: 80 } });
    hook(proc, ADDR, abi.BPF_CGROUP_INET4_CONNECT, toPort(5000));
    sock.connect(client, { addr: LO, port: 443 });
    expect(sock.getpeername(client)).toEqual({ addr: LO, port: 5000 });
  });

  both("ingress drops in silence", (_kernel, proc, sock) => {
    const { server, client } = twoSockets(sock);
    hook(proc, SKB, abi.BPF_CGROUP_INET_INGRESS, NO);
    expect(sock.sendto(client, DATA, { addr: LO, port: 5000 })).toBe(3);
    expect(() => sock.recvfrom(server)).toThrow("EAGAIN");
  });
});
