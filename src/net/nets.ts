/**
 * The networks of a kernel, one for each network namespace, made when something first asks for it.
 *
 * Helpers act in the network whose device they run on: run() says which that is. Packets that packets cause are handled by
 * one loop for all networks, so hooks never nest, whichever namespaces a veth pair joins.
 *
 * Moving    a device keeps its programs and links, goes down and loses its routes and its places in devmaps; its ifindex
 *           changes only where the new namespace has it already. EINVAL lo, EEXIST the name is taken.
 * Ending    veth pairs die and links on them become defunct; other devices go to the first namespace.
 * Source    __dev_change_net_namespace(), default_device_exit_net() in net/core/dev.c.
 */
import { BpfError, EEXIST, EINVAL } from "../abi/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { NetNs } from "../kernel/netns.ts";
import type { NetDevice } from "./device.ts";
import { LOOPBACK_IFINDEX, Net } from "./net.ts";
import { SkbLives } from "./skb_life.ts";

/** More packets than this caused by one can only run in a circle. */
const MAX_ROUND = 100_000;

/** A packet that waits for its turn, and where it goes on. */
export interface Pending {
  readonly packet: Uint8Array;
  readonly run: (packet: Uint8Array) => void;
}

export class Nets {
  readonly kernel: Kernel;
  readonly skbs: SkbLives;
  readonly #nets = new Map<NetNs, Net>();
  #current: Net;
  #pending: Pending[] = [];
  #draining = false;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.skbs = new SkbLives(kernel);
    this.#current = this.of(kernel.initNetns);
    kernel.provide("net", this.#current);
  }

  /** @throws EINVAL the namespace has ended */
  of(netns: NetNs): Net {
    const known = this.#nets.get(netns);
    if (known) return known;
    if (netns.ended) throw new BpfError(EINVAL, `network namespace ${netns.ino} has ended`, { netns: netns.ino });
    const net = new Net(this, netns, BigInt(netns.ino - this.kernel.initNetns.ino + 1));
    this.#nets.set(netns, net);
    netns.onEnd.push(() => this.#end(net));
    return net;
  }

  /** The first namespace's. */
  get init(): Net {
    return this.of(this.kernel.initNetns);
  }

  get all(): IterableIterator<Net> {
    return this.#nets.values();
  }

  *devices(): Iterable<NetDevice> {
    for (const net of this.#nets.values()) yield* net.devices;
  }

  /** Helpers that the body's programs call act in this network. */
  run<T>(net: Net, body: () => T): T {
    const outer = this.#current;
    if (outer === net) return body();
    this.#enter(net);
    try {
      return body();
    } finally {
      this.#enter(outer);
    }
  }

  #enter(net: Net): void {
    this.#current = net;
    this.kernel.provide("net", net);
  }

  enqueue(pending: Pending): void {
    this.#pending.push(pending);
    if (!this.#draining) this.#drain();
  }

  #drain(): void {
    this.#draining = true;
    try {
      this.kernel.running(() => {
        for (let n = 0; this.#pending.length; n++) {
          if (n > MAX_ROUND) throw new Error(`one packet caused ${MAX_ROUND} others: they run in a circle`);
          const { packet, run } = this.#pending.shift()!;
          run(packet);
        }
      });
    } finally {
      this.#pending = [];
      this.#draining = false;
    }
  }

  /** @throws EINVAL lo, EEXIST the name is taken there */
  move(device: NetDevice, netns: NetNs): void {
    const { net } = device;
    const to = this.of(netns);
    if (to === net) return;
    if (device.ifindex === LOOPBACK_IFINDEX) throw new BpfError(EINVAL, `${device.name} stays in its namespace`, {});
    if (to.deviceByName(device.name)) {
      throw new BpfError(EEXIST, `network namespace ${netns.ino} has a device ${device.name}`, { name: device.name });
    }
    this.#move(device, to, device.name);
  }

  #move(device: NetDevice, to: Net, name: string): void {
    const from = device.net.netns;
    device.net.take(device);
    to.put(device, name);
    // Links that hold their target keep the namespace in which it is.
    for (const _ of device.holders) to.netns.get();
    for (const _ of device.holders) from.put();
  }

  #end(net: Net): void {
    for (const device of [...net.devices]) {
      if (device.net !== net) continue;
      if (device.ifindex === LOOPBACK_IFINDEX || device.peer) net.discard(device);
      else this.#move(device, this.init, freeName(this.init, device));
    }
    net.sockets.clear();
    this.#nets.delete(net.netns);
  }

  /** Power off: the loopback devices of namespaces that never end stay. */
  shutdown(): void {
    for (const device of [...this.devices()]) {
      if (device.ifindex !== LOOPBACK_IFINDEX) device.net.discard(device);
    }
    for (const net of this.#nets.values()) net.sockets.clear();
  }
}

/** Its own name, or devN. */
function freeName(net: Net, device: NetDevice): string {
  if (!net.deviceByName(device.name)) return device.name;
  for (let n = device.ifindex; ; n++) if (!net.deviceByName(`dev${n}`)) return `dev${n}`;
}
