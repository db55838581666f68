/**
 * IPv4 and UDP of one network: which socket a datagram is for, and how one gets to its device.
 *
 * Local addresses (and all of 127/8) are reached through "lo", which hands back what it sends. Other destinations take the
 * network's routes; the next hop's address comes from the neighbour table or, on a veth pair, from the other end.
 *
 * Source   net/ipv4/{udp,ip_output,route}.c.
 * Differs  no fragments, no ARP and no ICMP: what cannot be delivered is dropped in silence. UDP checksums are 0.
 */
import { BpfError, EMSGSIZE, ENETUNREACH } from "../../abi/errno.ts";
import { ETH_HLEN } from "../../helpers/packet_layout.ts";
import type { NetDevice } from "../device.ts";
import { LOOPBACK_IFINDEX, type Net } from "../net.ts";
import { NF_INET } from "../netfilter.ts";
import { hasSkLookup, skLookupPasses } from "./sk_lookup.ts";
import type { UdpSocket } from "./udp.ts";

export interface Endpoint {
  /** 4 bytes. */
  readonly addr: Uint8Array;
  readonly port: number;
}

export const ANY = new Uint8Array(4);
const IPPROTO_UDP = 17;
const IP_HLEN = 20;
const UDP_HLEN = 8;
const LOOPBACK_NET = 127;
/** ip_local_port_range. */
const [FIRST_PORT, LAST_PORT] = [32768, 60999];

export class Inet {
  readonly #net: Net;
  readonly #udp = new Set<UdpSocket>();
  #nextPort = FIRST_PORT;

  constructor(net: Net) {
    this.#net = net;
  }

  add(socket: UdpSocket): void {
    this.#udp.add(socket);
  }

  remove(socket: UdpSocket): void {
    this.#udp.delete(socket);
  }

  isLocal(addr: Uint8Array): boolean {
    if (addr[0] === LOOPBACK_NET) return true;
    return [...this.#net.devices].some((d) => d.addresses.some((a) => same(a, addr)));
  }

  /** Another socket has the port, on the same address or on any. */
  taken({ addr, port }: Endpoint): boolean {
    return [...this.#udp].some(
      ({ local }) => local.port === port && (same(local.addr, addr) || same(local.addr, ANY) || same(addr, ANY)),
    );
  }

  /** @returns 0 when all are taken */
  freePort(addr: Uint8Array): number {
    for (let n = FIRST_PORT; n <= LAST_PORT; n++) {
      const port = this.#nextPort;
      this.#nextPort = port === LAST_PORT ? FIRST_PORT : port + 1;
      if (!this.taken({ addr, port })) return port;
    }
    return 0;
  }

  /** The way out. @throws ENETUNREACH */
  route(dst: Uint8Array): { readonly device: NetDevice; readonly src: Uint8Array; readonly mac: Uint8Array } {
    const lo = this.#net.device(LOOPBACK_IFINDEX)!;
    if (this.isLocal(dst)) return { device: lo, src: dst, mac: lo.mac };
    const route = this.#net.routes.find(dst);
    const device = route && this.#net.device(route.ifindex ?? 0);
    if (!device?.up || (route?.kind ?? "unicast") !== "unicast") {
      throw new BpfError(ENETUNREACH, `no route to ${dst.join(".")}`, { dst: dst.join(".") });
    }
    const via = route?.via ?? dst;
    const mac = this.#net.routes.neighbour(device.ifindex, via) ?? device.peer?.mac;
    const src = route?.prefSrc ?? device.addresses[0];
    if (!mac || !src) throw new BpfError(ENETUNREACH, `nobody answers at ${via.join(".")}`, { via: via.join(".") });
    return { device, src, mac };
  }

  /** @throws EMSGSIZE longer than the device's mtu */
  frame(device: NetDevice, mac: Uint8Array, from: Endpoint, to: Endpoint, data: Uint8Array): Uint8Array {
    const ipLen = IP_HLEN + UDP_HLEN + data.length;
    if (ipLen > device.mtu) throw new BpfError(EMSGSIZE, `${ipLen} bytes for ${device.name}`, { mtu: device.mtu });
    const out = new Uint8Array(ETH_HLEN + ipLen);
    const view = new DataView(out.buffer);
    out.set(mac, 0);
    out.set(device.mac, 6);
    out.set([8, 0, 0x45, 0], 12);
    view.setUint16(16, ipLen);
    out.set([0x40, 0, 64, IPPROTO_UDP], 20);
    out.set(from.addr, 26);
    out.set(to.addr, 30);
    view.setUint16(24, headerSum(view));
    view.setUint16(34, from.port);
    view.setUint16(36, to.port);
    view.setUint16(38, UDP_HLEN + data.length);
    out.set(data, ETH_HLEN + IP_HLEN + UDP_HLEN);
    return out;
  }

  /** A frame reached the stack: the socket that it is for gets it. @returns false where netfilter drops it */
  receive(device: NetDevice, frame: Uint8Array): boolean {
    const { netfilter } = this.#net;
    if (this.#udp.size === 0 && netfilter.idle && !hasSkLookup(this.#net)) return true;
    const ipv4 = frame.length >= ETH_HLEN + IP_HLEN && frame[12] === 8 && frame[13] === 0;
    if (!ipv4 || !this.isLocal(frame.subarray(30, 34))) return true;
    if (!netfilter.passes(NF_INET.localIn, frame, { in: device })) return false;
    this.#deliver(device, frame);
    return true;
  }

  #deliver(device: NetDevice, frame: Uint8Array): void {
    if (frame.length < ETH_HLEN + IP_HLEN + UDP_HLEN) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const plain = frame[14] === 0x45 && frame[23] === IPPROTO_UDP;
    const end = ETH_HLEN + IP_HLEN + view.getUint16(38);
    if (!plain || end > frame.length || end < ETH_HLEN + IP_HLEN + UDP_HLEN) return;
    const from = { addr: frame.slice(26, 30), port: view.getUint16(34) };
    const to = { addr: frame.slice(30, 34), port: view.getUint16(36) };
    const data = frame.slice(ETH_HLEN + IP_HLEN + UDP_HLEN, end);
    const socket = this.#find(from, to);
    const query = { protocol: IPPROTO_UDP, from, to, ingressIfindex: device.ifindex };
    if (socket?.remote || skLookupPasses(this.#net, query)) socket?.deliver(device, frame, { data, from });
  }

  /** Connected to the sender first (sk_lookup programs are not asked then), then bound to the address, then to any. */
  #find(from: Endpoint, to: Endpoint): UdpSocket | undefined {
    let best: UdpSocket | undefined;
    let bestScore = 0;
    for (const socket of this.#udp) {
      const { local, remote } = socket;
      const exact = same(local.addr, to.addr);
      if (local.port !== to.port || !(exact || same(local.addr, ANY))) continue;
      if (remote && !(same(remote.addr, from.addr) && remote.port === from.port)) continue;
      const score = 1 + (remote ? 2 : 0) + (exact ? 1 : 0);
      if (score > bestScore) [best, bestScore] = [socket, score];
    }
    return best;
  }
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

/** Over the IPv4 header, whose checksum is 0. */
function headerSum(view: DataView): number {
  let sum = 0;
  for (let at = ETH_HLEN; at < ETH_HLEN + IP_HLEN; at += 2) sum += view.getUint16(at);
  while (sum >>> 16) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
