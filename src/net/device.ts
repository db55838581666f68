/**
 * A simulated network device: what receives packets, what its hooks hold, and what left it.
 *
 * Receiving runs XDP, then tc ingress, then hands the packet to the stack (`delivered`); sending runs tc egress and then
 * puts it on the wire (`sent`, or the peer of a veth pair). Queues are bounded only by who reads them.
 */
import type { Link } from "../kernel/link.ts";
import { Mprog } from "../kernel/mprog.ts";
import type { Prog } from "../kernel/prog.ts";
import type { Net } from "./net.ts";

export interface DeviceOptions {
  readonly name?: string;
  readonly ifindex?: number;
  readonly mac?: Uint8Array;
  /** L3 bytes; default 1500. */
  readonly mtu?: number;
  readonly rxQueues?: number;
  /** Default true. */
  readonly up?: boolean;
  /** Whether packets that came in here may be routed; default true. */
  readonly forwarding?: boolean;
  /** A driver with a bug: it forgets to free every nth skb that it sent; default 0, none. */
  readonly leakEveryNth?: number;
  /** Where packets go that leave the device; default: the queue `sent`. */
  readonly onSend?: (packet: Uint8Array) => void;
}

/** What became of packets, by the name of the counter in XDP's and tc's own words. */
export interface DeviceStats {
  rx: number;
  tx: number;
  xdpAborted: number;
  xdpDrop: number;
  xdpPass: number;
  xdpTx: number;
  xdpRedirect: number;
  /** Redirects that went nowhere: no target, target down, too long, refused by its program. */
  redirectErrors: number;
  tcDrop: number;
  tcRedirect: number;
}

export class NetDevice {
  #net: Net;
  #ifindex: number;
  #name: string;
  readonly mac: Uint8Array;
  mtu: number;
  readonly rxQueues: number;
  up: boolean;
  forwarding: boolean;
  onSend: ((packet: Uint8Array) => void) | undefined;
  readonly leakEveryNth: number;
  /** IPv4 addresses, the first is the source of what is sent; Net.addAddress() adds them. */
  readonly addresses: Uint8Array[] = [];
  /** Socket buffers that the driver forgot to free. */
  leakedSkbs = 0;
  /** The other end of a veth pair. */
  peer: NetDevice | undefined;
  /** Attached XDP program; set by its link, or without one (xdp_set.ts). */
  xdp: Prog | undefined;
  /** Where the device itself holds the program, and no link does: takes it off. */
  takeOffXdp: (() => void) | undefined;
  readonly ingress: Mprog;
  readonly egress: Mprog;
  /** Called when the device is removed: links become defunct. */
  readonly onRemove = new Set<() => void>();
  /** Links that asked that the device stay. */
  readonly holders = new Set<Link>();
  /** Packets that left, oldest first, unless onSend or a peer takes them. */
  readonly sent: Uint8Array[] = [];
  /** Packets handed to the network stack. */
  readonly delivered: Uint8Array[] = [];
  readonly stats: DeviceStats = {
    rx: 0,
    tx: 0,
    xdpAborted: 0,
    xdpDrop: 0,
    xdpPass: 0,
    xdpTx: 0,
    xdpRedirect: 0,
    redirectErrors: 0,
    tcDrop: 0,
    tcRedirect: 0,
  };

  constructor(net: Net, ifindex: number, options: DeviceOptions) {
    this.#net = net;
    this.#ifindex = ifindex;
    this.#name = options.name ?? `eth${ifindex}`;
    this.mac = options.mac ?? Uint8Array.of(2, 0, 0, 0, ifindex >> 8, ifindex & 0xff);
    this.mtu = options.mtu ?? 1500;
    this.rxQueues = options.rxQueues ?? 1;
    this.up = options.up ?? true;
    this.forwarding = options.forwarding ?? true;
    this.onSend = options.onSend;
    this.leakEveryNth = options.leakEveryNth ?? 0;
    this.ingress = new Mprog(`tcx ingress of ${this.name}`);
    this.egress = new Mprog(`tcx egress of ${this.name}`);
  }

  /** The network in whose namespace it is. */
  get net(): Net {
    return this.#net;
  }

  get ifindex(): number {
    return this.#ifindex;
  }

  get name(): string {
    return this.#name;
  }

  /** It is in another namespace; Nets.move() and Net.put() see to the rest. */
  placed(net: Net, ifindex: number, name: string): void {
    this.#net = net;
    this.#ifindex = ifindex;
    this.#name = name;
  }

  /** A frame arrives from the wire. */
  receive(packet: Uint8Array, rxQueue = 0): void {
    this.net.receive(this, packet, rxQueue);
  }

  /** The stack sends a frame: tc egress, then the wire. */
  send(packet: Uint8Array): void {
    this.net.xmit(this, packet);
  }

  /** The frame is on the wire. */
  transmit(packet: Uint8Array): void {
    this.stats.tx++;
    if (this.onSend) this.onSend(packet);
    else if (this.peer) this.peer.receive(packet);
    else this.sent.push(packet);
  }
}
