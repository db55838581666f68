/**
 * A simulated socket table: what bpf_sk_lookup_*() finds. Each socket is a struct bpf_sock in linear memory.
 *
 * Lookup   an established socket whose ends both match first, then the listener (or bound UDP socket) of the local end,
 *          with the exact address before the wildcard.
 */
import type { SocketQuery } from "../helpers/net_service.ts";
import type { Memory, VAddr } from "../memory/memory.ts";

/** struct bpf_sock, uapi. */
const SOCK = {
  boundDevIf: 0,
  family: 4,
  type: 8,
  protocol: 12,
  srcIp4: 24,
  srcIp6: 28,
  srcPort: 44,
  dstPort: 48,
  dstIp4: 52,
  dstIp6: 56,
  state: 72,
  rxQueueMapping: 76,
} as const;
export const SOCK_BYTES = 80;

const TCP_ESTABLISHED = 1;
const TCP_CLOSE = 7;
const TCP_LISTEN = 10;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;

export interface SocketSpec {
  readonly proto: "tcp" | "udp";
  readonly family: 2 | 10;
  /** Network byte order; all zeros = any. */
  readonly local: Uint8Array;
  readonly localPort: number;
  /** Absent: a listener or an unconnected UDP socket. */
  readonly remote?: Uint8Array;
  readonly remotePort?: number;
}

export interface SockFields {
  readonly family: number;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly localPort: number;
  readonly remotePort: number;
  readonly proto: number;
  readonly state: number;
}

export function fillSock(memory: Memory, at: number, s: SockFields): void {
  const put = (off: number, v: number) => memory.writeU32(at + off, v);
  put(SOCK.family, s.family);
  put(SOCK.protocol, s.proto);
  put(SOCK.type, s.proto === IPPROTO_TCP ? SOCK_STREAM : s.proto ? SOCK_DGRAM : 0);
  put(SOCK.srcPort, s.localPort);
  // The peer's port is in network byte order, ours is not.
  memory.view.setUint16(at + SOCK.dstPort, s.remotePort);
  put(SOCK.state, s.state);
  put(SOCK.rxQueueMapping, -1);
  memory.writeBytes(at + (s.family === 10 ? SOCK.srcIp6 : SOCK.srcIp4), s.local);
  memory.writeBytes(at + (s.family === 10 ? SOCK.dstIp6 : SOCK.dstIp4), s.remote);
}

export class Socket {
  readonly spec: SocketSpec;
  readonly addr: VAddr;
  readonly cookie: bigint;
  /** References that programs hold. */
  held = 0;

  constructor(spec: SocketSpec, addr: VAddr, cookie: bigint) {
    this.spec = spec;
    this.addr = addr;
    this.cookie = cookie;
  }
}

export class Sockets {
  readonly #memory: Memory;
  readonly #byAddr = new Map<number, Socket>();
  #nextCookie = 1n;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** @param cookie of the socket that it was before */
  add(spec: SocketSpec, cookie = this.#nextCookie++): Socket {
    const proto = spec.proto === "tcp" ? IPPROTO_TCP : IPPROTO_UDP;
    const addr = this.#memory.alloc(SOCK_BYTES);
    fillSock(this.#memory, addr, {
      family: spec.family,
      local: spec.local,
      remote: spec.remote ?? new Uint8Array(),
      localPort: spec.localPort,
      remotePort: spec.remotePort ?? 0,
      proto,
      state: spec.remote ? TCP_ESTABLISHED : spec.proto === "tcp" ? TCP_LISTEN : TCP_CLOSE,
    });
    const socket = new Socket(spec, addr, cookie);
    this.#byAddr.set(addr, socket);
    return socket;
  }

  remove(socket: Socket): void {
    if (this.#byAddr.delete(socket.addr)) this.#memory.free(socket.addr);
  }

  at(addr: number): Socket | undefined {
    return this.#byAddr.get(addr);
  }

  find(q: SocketQuery): Socket | undefined {
    const proto = q.proto === IPPROTO_TCP ? "tcp" : "udp";
    let best: Socket | undefined;
    let bestScore = 0;
    for (const socket of this.#byAddr.values()) {
      const { spec } = socket;
      if (spec.proto !== proto || spec.family !== q.family || spec.localPort !== q.dport) continue;
      const exact = equal(spec.local, q.daddr);
      if (!exact && spec.local.some((b) => b !== 0)) continue;
      const connected = spec.remote !== undefined;
      if (connected && !(equal(spec.remote!, q.saddr) && spec.remotePort === q.sport)) continue;
      const score = 1 + (connected ? 2 : 0) + (exact ? 1 : 0);
      if (score > bestScore) [best, bestScore] = [socket, score];
    }
    return best;
  }

  clear(): void {
    for (const socket of [...this.#byAddr.values()]) this.remove(socket);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}
