/**
 * The network of one namespace: devices, and the way of a packet through their hooks.
 *
 *     wire -> XDP -> tc ingress -> stack        stack -> tc egress -> wire
 *
 * XDP_TX and XDP_REDIRECT leave without tc egress; tc redirects run the target's tc egress, or with BPF_F_INGRESS its tc
 * ingress. Redirected XDP frames wait until the receiving round is over and are then sent in order (xdp_do_flush).
 * Packets that packets cause are handled by one loop (nets.ts), so hooks never nest, except for bpf_clone_redirect().
 *
 * Differs  devmaps keep ifindexes, which are looked up in the namespace of the device that redirects.
 */

import { BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH } from "../abi/bpf.ts";
import { BpfError, EBUSY, EEXIST, EINVAL } from "../abi/errno.ts";
import type { NetService, RouteAnswer, RouteQuery, SocketQuery } from "../helpers/net_service.ts";
import { ETH_HLEN, HEADROOM, REDIRECT, SKB } from "../helpers/packet_layout.ts";
import type { TestRunAttr, TestRunResult } from "../kernel/bpf.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Mprog } from "../kernel/mprog.ts";
import type { NetNs } from "../kernel/netns.ts";
import type { Prog } from "../kernel/prog.ts";
import { dropSlots } from "../maps/slots.ts";
import { type DeviceOptions, NetDevice } from "./device.ts";
import { Netfilter, NF_INET } from "./netfilter.ts";
import type { Nets, Pending } from "./nets.ts";
import { type Redirect, readRedirect, saveRedirect, xdpTargets } from "./redirect.ts";
import { Routes } from "./route.ts";
import { Skb } from "./skb.ts";
import type { DropReason } from "./skb_life.ts";
import { Sockets } from "./sock.ts";
import { Inet } from "./socket/inet.ts";
import { releaseTcx } from "./tcx.ts";
import { XdpBuff } from "./xdp_buff.ts";

export const XDP_ABORTED = 0;
export const XDP_DROP = 1;
export const XDP_PASS = 2;
export const XDP_TX = 3;
export const XDP_REDIRECT = 4;
const TCX_NEXT = -1;
const TCX_PASS = 0;
const TCX_DROP = 2;
const TCX_REDIRECT = 7;
const BPF_F_INGRESS = 1;
const VLAN_HLEN = 4;
/** "lo" of every namespace. */
export const LOOPBACK_IFINDEX = 1;

export interface XdpOutcome {
  /** r0. */
  readonly action: number;
  /** The packet as the program left it, without metadata. */
  readonly packet: Uint8Array;
  /** Metadata that the program put in front of it: tc programs see it as data_meta. */
  readonly meta: Uint8Array;
  readonly redirect: Redirect;
}

/** How a packet ends in a tc chain. */
type TcEnd = "dropped" | "redirected";

export class Net implements NetService {
  readonly kernel: Kernel;
  readonly nets: Nets;
  readonly netns: NetNs;
  readonly routes = new Routes();
  readonly sockets: Sockets;
  readonly inet = new Inet(this);
  readonly netfilter = new Netfilter(this);
  readonly #devices = new Map<number, NetDevice>();
  #nextIfindex = 1;
  readonly #cookie: bigint;
  #nexthop: Uint8Array = new Uint8Array();

  /** @param cookie what bpf_get_netns_cookie() gives */
  constructor(nets: Nets, netns: NetNs, cookie: bigint) {
    this.kernel = nets.kernel;
    this.nets = nets;
    this.netns = netns;
    this.#cookie = cookie;
    this.sockets = new Sockets(this.kernel.memory);
    const lo = this.addDevice({ name: "lo", mac: new Uint8Array(6), mtu: 65536 });
    lo.onSend = (packet) => lo.receive(packet);
  }

  // --- devices

  get devices(): IterableIterator<NetDevice> {
    return this.#devices.values();
  }

  device(ifindex: number): NetDevice | undefined {
    return this.#devices.get(ifindex);
  }

  deviceByName(name: string): NetDevice | undefined {
    for (const device of this.#devices.values()) if (device.name === name) return device;
    return undefined;
  }

  /** @throws EEXIST a taken name or ifindex */
  addDevice(options: DeviceOptions = {}): NetDevice {
    const ifindex = options.ifindex ?? this.#nextIfindex;
    const device = new NetDevice(this, ifindex, options);
    if (this.#devices.has(ifindex) || this.deviceByName(device.name)) {
      throw new BpfError(EEXIST, `device ${device.name} (ifindex ${ifindex}) exists`, { ifindex, name: device.name });
    }
    this.#nextIfindex = Math.max(this.#nextIfindex, ifindex + 1);
    this.#devices.set(ifindex, device);
    return device;
  }

  /** Gives the device an IPv4 address, and the network a route to its neighbours. */
  addAddress(device: NetDevice, addr: Uint8Array, prefixLen: number): void {
    device.addresses.push(addr);
    this.routes.add({ dst: addr, prefixLen, ifindex: device.ifindex });
  }

  /** Two devices, each the other's wire. */
  addVethPair(a: DeviceOptions, b: DeviceOptions): [NetDevice, NetDevice] {
    const first = this.addDevice(a);
    const second = this.addDevice(b);
    first.peer = second;
    second.peer = first;
    return [first, second];
  }

  /**
   * Its links become defunct, devmap entries that name it go, and so does the other end of a veth pair.
   * @throws EBUSY a link on it, or on the other end, asked that the device stay
   */
  removeDevice(device: NetDevice): void {
    for (const d of [device, device.peer]) {
      const [link] = d?.holders ?? [];
      if (link) throw new BpfError(EBUSY, `device ${d!.name}: link ${link.id} holds it`, { link: link.id });
    }
    this.discard(device);
  }

  /** Removes it whoever holds it: its namespace ends. */
  discard(device: NetDevice): void {
    if (this.#devices.get(device.ifindex) !== device) return;
    this.take(device);
    for (const gone of [...device.onRemove]) gone();
    releaseTcx(device.ingress);
    releaseTcx(device.egress);
    this.nets.skbs.forget(device);
    const { peer } = device;
    device.peer = undefined;
    peer?.net.discard(peer);
  }

  /** A device comes from another namespace, under its ifindex or, where that is taken, the next one. */
  put(device: NetDevice, name: string): void {
    const ifindex = this.#devices.has(device.ifindex) ? this.#nextIfindex : device.ifindex;
    this.#nextIfindex = Math.max(this.#nextIfindex, ifindex + 1);
    device.placed(this, ifindex, name);
    this.#devices.set(ifindex, device);
  }

  /** A device leaves the namespace: it is shut, what names it here goes. */
  take(device: NetDevice): void {
    this.#devices.delete(device.ifindex);
    device.up = false;
    device.addresses.length = 0;
    this.routes.forget(device.ifindex);
    for (const map of this.kernel.maps.values()) {
      if (map.type === BPF_MAP_TYPE_DEVMAP || map.type === BPF_MAP_TYPE_DEVMAP_HASH) {
        dropSlots(map.map, (lo) => lo === device.ifindex);
      }
    }
  }

  // --- the way of a packet

  /** A frame arrives. */
  receive(device: NetDevice, packet: Uint8Array, rxQueue: number): void {
    if (!device.up) return;
    device.stats.rx++;
    this.#enqueue(packet, (p) => this.#receiveNow(device, p, rxQueue));
  }

  /** A frame is sent by the stack: tc egress, then the wire. */
  xmit(device: NetDevice, packet: Uint8Array): void {
    this.#enqueue(packet, (p) => this.#egressNow(device, p));
  }

  #enqueue(packet: Uint8Array, run: (packet: Uint8Array) => void): void {
    this.nets.enqueue({ packet, run });
  }

  #receiveNow(device: NetDevice, packet: Uint8Array, rxQueue: number): void {
    if (device.xdp) this.xdpAction(device, this.runXdp(device.xdp, packet, { ingress: device.ifindex, rxQueue }));
    else this.#ingressNow(device, packet);
  }

  /** Acts on what an XDP program decided about a packet of this device. */
  xdpAction(device: NetDevice, { action, packet, meta, redirect }: XdpOutcome): void {
    const { stats } = device;
    switch (action) {
      case XDP_PASS:
        stats.xdpPass++;
        this.#ingressNow(device, packet, meta);
        break;
      case XDP_TX:
        stats.xdpTx++;
        device.transmit(packet);
        break;
      case XDP_REDIRECT:
        stats.xdpRedirect++;
        this.#redirectXdp(device, packet, redirect);
        break;
      case XDP_DROP:
        stats.xdpDrop++;
        break;
      default:
        stats.xdpAborted++;
    }
  }

  runXdp(
    prog: Prog,
    packet: Uint8Array,
    at: { ingress: number; rxQueue?: number; egress?: number; metaBytes?: number },
  ): XdpOutcome {
    const { memory } = this.kernel;
    const buff = new XdpBuff(memory, packet, {
      ingressIfindex: at.ingress,
      rxQueueIndex: at.rxQueue ?? 0,
      egressIfindex: at.egress ?? 0,
      metaBytes: at.metaBytes ?? 0,
    });
    const restore = saveRedirect(memory);
    try {
      const action = this.nets.run(this, () => this.kernel.running(() => prog.run(buff.addr)));
      const bytes = buff.bytes();
      const metaBytes = buff.metaBytes;
      return {
        action,
        packet: bytes.subarray(metaBytes),
        meta: bytes.subarray(0, metaBytes),
        redirect: readRedirect(memory),
      };
    } finally {
      restore();
      buff.free();
    }
  }

  #redirectXdp(from: NetDevice, packet: Uint8Array, redirect: Redirect): void {
    const targets = xdpTargets(this.kernel, redirect, from.ifindex);
    if (targets.length === 0) from.stats.redirectErrors++;
    for (const target of targets) {
      const prog = target.progId ? this.kernel.progs.find(target.progId) : undefined;
      if (target.kind === "cpu") this.#enqueue(packet.slice(), (p) => this.#onCpu(from, prog, p));
      else this.#enqueue(packet.slice(), (p) => this.#xdpXmit(from, target.ifindex, prog, p));
    }
  }

  /** A devmap or plain redirect reaches its device: the entry's program may still change or refuse the frame. */
  #xdpXmit(from: NetDevice, ifindex: number, prog: Prog | undefined, packet: Uint8Array): void {
    const target = this.#devices.get(ifindex);
    if (!target?.up || packet.length > target.mtu + ETH_HLEN + VLAN_HLEN) {
      from.stats.redirectErrors++;
      return;
    }
    let frame = packet;
    if (prog) {
      const out = this.runXdp(prog, packet, { ingress: from.ifindex, egress: ifindex });
      if (out.action !== XDP_PASS) {
        from.stats.redirectErrors++;
        return;
      }
      frame = out.packet;
    }
    target.transmit(frame);
  }

  /** A cpumap redirect: the entry's program runs on the other CPU, then the stack takes the packet. */
  #onCpu(from: NetDevice, prog: Prog | undefined, packet: Uint8Array): void {
    if (prog) {
      const out = this.runXdp(prog, packet, { ingress: from.ifindex });
      // XDP_TX has no meaning on a CPU: the frame is dropped.
      if (out.action === XDP_TX) from.stats.redirectErrors++;
      else this.xdpAction(from, out);
    } else {
      this.#ingressNow(from, packet);
    }
  }

  #ingressNow(device: NetDevice, packet: Uint8Array, meta?: Uint8Array): void {
    const life = this.nets.skbs.alloc(device, packet, "in");
    let drop: DropReason | undefined = "SKB_DROP_REASON_TC_INGRESS";
    try {
      const out = this.#runTcx(device, device.ingress, packet, meta);
      if (out !== "dropped") drop = undefined;
      if (typeof out !== "string" && !this.#deliver(device, out)) drop = "SKB_DROP_REASON_NETFILTER_DROP";
    } finally {
      if (drop) life?.drop(drop);
      else life?.consume();
    }
  }

  /** False when netfilter drops it. */
  #deliver(device: NetDevice, packet: Uint8Array): boolean {
    device.delivered.push(packet);
    if (!this.netfilter.passes(NF_INET.preRouting, packet, { in: device })) return false;
    return this.inet.receive(device, packet);
  }

  #egressNow(device: NetDevice, packet: Uint8Array): void {
    if (!device.up) return;
    const life = this.nets.skbs.alloc(device, packet, "out");
    let out: Uint8Array | TcEnd = "dropped";
    let freed = true;
    try {
      out = this.#runTcx(device, device.egress, packet);
      if (typeof out !== "string") {
        device.transmit(out);
        life?.transmitted(out.length);
        freed = !this.#driverForgets(device);
      }
    } finally {
      if (out === "dropped") life?.drop("SKB_DROP_REASON_TC_EGRESS");
      else if (freed) life?.consume();
      else if (life) this.nets.skbs.leak(device, life);
    }
  }

  #driverForgets(device: NetDevice): boolean {
    const { leakEveryNth, stats } = device;
    const forgets = leakEveryNth > 0 && stats.tx % leakEveryNth === 0;
    if (forgets) device.leakedSkbs++;
    return forgets;
  }

  /** The packet that goes on, or what the chain did with it. */
  #runTcx(device: NetDevice, list: Mprog, packet: Uint8Array, meta?: Uint8Array): Uint8Array | TcEnd {
    if (list.entries.length === 0 || packet.length < ETH_HLEN) return packet;
    const { memory } = this.kernel;
    const skb = new Skb(memory, packet, {
      ifindex: device.ifindex,
      ingressIfindex: list === device.ingress ? device.ifindex : 0,
      mac: device.mac,
      untag: true,
      l2: true,
      headroom: HEADROOM,
      wireLen: true,
      ...(meta ? { meta } : {}),
      mtu: device.mtu,
    });
    const restore = saveRedirect(memory);
    try {
      let verdict = TCX_NEXT as number;
      this.nets.run(this, () => {
        for (const entry of [...list.entries]) {
          verdict = entry.prog.run(skb.addr) | 0;
          if (verdict === TCX_PASS || verdict === TCX_DROP || verdict === TCX_REDIRECT) break;
          verdict = TCX_NEXT;
        }
      });
      if (verdict === TCX_DROP) {
        device.stats.tcDrop++;
        return "dropped";
      }
      if (verdict !== TCX_REDIRECT) return skb.frame();
      device.stats.tcRedirect++;
      this.redirectSkb(device, skb.frame(), readRedirect(memory));
      return "redirected";
    } finally {
      restore();
      skb.free();
    }
  }

  /** skb_do_redirect(). */
  redirectSkb(from: NetDevice, frame: Uint8Array, redirect: Redirect): void {
    const next = this.#redirectTarget(frame, redirect);
    if (next) this.#enqueue(next.packet, next.run);
    else from.stats.redirectErrors++;
  }

  #redirectTarget(frame: Uint8Array, redirect: Redirect): Pending | undefined {
    const target = this.#devices.get(redirect.ifindex);
    if (!target) return undefined;
    if (redirect.kind === REDIRECT.peer) {
      const { peer } = target;
      return peer && { packet: frame, run: (p) => peer.net.#ingressNow(peer, p) };
    }
    if (redirect.kind === REDIRECT.neigh) {
      const packet = this.#toNeighbour(target, frame);
      return packet && { packet, run: (p) => this.#egressNow(target, p) };
    }
    const ingress = (redirect.flags & BPF_F_INGRESS) !== 0;
    return { packet: frame, run: (p) => (ingress ? this.#ingressNow(target, p) : this.#egressNow(target, p)) };
  }

  /** Rewrites the Ethernet header for the next hop; undefined when nobody answers there. */
  #toNeighbour(target: NetDevice, frame: Uint8Array): Uint8Array | undefined {
    const v6 = frame[12] === 0x86 && frame[13] === 0xdd;
    const dst = v6 ? frame.slice(ETH_HLEN + 24, ETH_HLEN + 40) : frame.slice(ETH_HLEN + 16, ETH_HLEN + 20);
    // struct bpf_redir_neigh: u32 nh_family, then the address.
    const family = this.#nexthop.length ? new DataView(this.#nexthop.buffer).getUint32(0, true) : 0;
    const hop = family === 2 ? this.#nexthop.slice(4, 8) : family === 10 ? this.#nexthop.slice(4, 20) : dst;
    const via = family ? hop : (this.routes.find(dst)?.via ?? dst);
    const mac = this.routes.neighbour(target.ifindex, via);
    if (!mac) return undefined;
    const out = frame.slice();
    out.set(mac, 0);
    out.set(target.mac, 6);
    return out;
  }

  /** BPF_F_TEST_XDP_LIVE_FRAMES: every frame's action is carried out. */
  runLive(prog: Prog, data: Uint8Array, metaBytes: number, ingress: number, attr: TestRunAttr): TestRunResult {
    const device = this.#devices.get(ingress)!;
    const repeat = Math.max(1, attr.repeat ?? 1);
    const start = performance.now();
    for (let i = 0; i < repeat; i++) {
      this.#enqueue(data, (p) => this.xdpAction(device, this.runXdp(prog, p, { ingress, metaBytes })));
    }
    const durationNs = Math.round(((performance.now() - start) * 1e6) / repeat);
    return { retval: 0, dataOut: new Uint8Array(), ctxOut: new Uint8Array(), durationNs };
  }

  // --- what helpers ask

  mtu(ifindex: number): number | undefined {
    return this.#devices.get(ifindex)?.mtu;
  }

  cloneRedirect(skb: number, ifindex: number, ingress: boolean): number {
    const target = this.#devices.get(ifindex);
    if (!target) return -EINVAL;
    const { memory } = this.kernel;
    const data = memory.readU32(skb + SKB.data);
    const frame = memory.readBytes(data, memory.readU32(skb + SKB.dataEnd) - data);
    this.#enqueue(frame, (p) => (ingress ? this.#ingressNow(target, p) : this.#egressNow(target, p)));
    return 0;
  }

  setNeighbour(nexthop: Uint8Array): void {
    this.#nexthop = nexthop;
  }

  skbRecord(skb: number): number {
    return this.netfilter.recordOf(skb);
  }

  route(query: RouteQuery): RouteAnswer {
    return this.routes.lookup(query, (ifindex) => this.#devices.get(ifindex));
  }

  findSocket(query: SocketQuery): number {
    const socket = this.sockets.find(query);
    if (!socket) return 0;
    socket.held++;
    return socket.addr;
  }

  releaseSocket(addr: number): boolean {
    const socket = this.sockets.at(addr);
    if (!socket) return false;
    socket.held--;
    return true;
  }

  listenerOf(addr: number): number {
    const socket = this.sockets.at(addr);
    return socket && !socket.spec.remote ? addr : 0;
  }

  socketCookie(addr: number): bigint {
    return this.sockets.at(addr)?.cookie ?? 0n;
  }

  netnsCookie(): bigint {
    return this.#cookie;
  }

  assignSocket(ctx: number, sk: number, flags: number): number {
    if (flags) return -EINVAL;
    this.kernel.memory.writeU64(ctx + SKB.sk, BigInt(sk));
    return 0;
  }
}
