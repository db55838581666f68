/**
 * A UDP socket: an fd that belongs to the cgroup and the network namespace of the process that made it, and calls the
 * cgroup's programs.
 *
 * Hooks    sock_create, bind4 and post_bind4, connect4, sendmsg4, recvmsg4, skb ingress and egress, getsockopt and
 *          setsockopt (sockopt.ts), sock_release.
 * Errors   what a program says, else EPERM where one says no; EADDRNOTAVAIL an address of another machine, EACCES a port
 *          below 1024 without uid 0, EINVAL bound already, EADDRINUSE, EAGAIN nothing came, EDESTADDRREQ no destination.
 * Source   net/ipv4/{af_inet,udp,datagram}.c, include/linux/bpf-cgroup.h.
 */
import * as abi from "../../abi/bpf.ts";
import {
  BpfError,
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EDESTADDRREQ,
  EINVAL,
  ENOBUFS,
  EPERM,
  type Errno,
} from "../../abi/errno.ts";
import type { Cgroup } from "../../kernel/cgroup/cgroup.ts";
import { type CgroupVerdict, effectiveProgs, egressResult, runCgroupProgs } from "../../kernel/cgroup/run.ts";
import { KObject } from "../../kernel/objects.ts";
import type { NetDevice } from "../device.ts";
import type { Net } from "../net.ts";
import { NF_INET } from "../netfilter.ts";
import { Skb } from "../skb.ts";
import type { Socket } from "../sock.ts";
import { ANY, type Endpoint, same } from "./inet.ts";
import { SockOptions } from "./options.ts";
import { getsockopt, type SockoptCall, setsockopt } from "./sockopt.ts";

export interface Datagram {
  readonly data: Uint8Array;
  readonly from: Endpoint;
}

/** struct bpf_sock_addr, uapi. */
const ADDR = { userFamily: 0, userIp4: 4, userPort: 24, family: 28, type: 32, protocol: 36, msgSrcIp4: 40, sk: 64 };
const ADDR_BYTES = 72;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const IPPROTO_UDP = 17;
/** Bit of bind's result: the port needs no capability. */
const NO_CAP_NET_BIND_SERVICE = 1;
const PRIVILEGED_PORTS = 1024;

export class UdpSocket extends KObject {
  readonly kind = "socket";
  readonly net: Net;
  readonly cgroup: Cgroup;
  local: Endpoint = { addr: ANY, port: 0 };
  remote: Endpoint | undefined;
  readonly #options = new SockOptions();
  readonly #queue: Datagram[] = [];
  #sock: Socket;
  #live = true;

  /** The new object has one reference, the caller's. @throws what sock_create programs say */
  constructor(net: Net, cgroup: Cgroup) {
    super();
    this.net = net;
    this.cgroup = cgroup;
    this.#sock = net.sockets.add({ proto: "udp", family: AF_INET, local: ANY, localPort: 0 });
    const { retval } = this.#sockHook(abi.BPF_CGROUP_INET_SOCK_CREATE);
    if (retval) {
      net.sockets.remove(this.#sock);
      throw refused(retval, "socket");
    }
    net.netns.get();
    cgroup.get();
  }

  /** @param uid of the caller */
  bind(wanted: Endpoint, uid: number): void {
    const { verdict, end } = this.#addrHook(abi.BPF_CGROUP_INET4_BIND, wanted, true);
    if (verdict.retval) throw refused(verdict.retval, "bind");
    const { inet } = this.net;
    const text = `${end.addr.join(".")}:${end.port}`;
    if (!same(end.addr, ANY) && !inet.isLocal(end.addr))
      throw new BpfError(EADDRNOTAVAIL, `bind: ${text} is no address of this namespace`, {});
    const needsRoot = end.port > 0 && end.port < PRIVILEGED_PORTS && !(verdict.bits & NO_CAP_NET_BIND_SERVICE);
    if (needsRoot && uid !== 0) throw new BpfError(EACCES, `bind: port ${end.port} is for root`, { port: end.port });
    if (this.local.port) throw new BpfError(EINVAL, `bind: the socket has port ${this.local.port}`, {});
    this.#take(end);
    const { retval } = this.#sockHook(abi.BPF_CGROUP_INET4_POST_BIND);
    if (retval) {
      inet.remove(this);
      this.#place({ addr: ANY, port: 0 }, undefined);
      throw refused(retval, "bind");
    }
  }

  connect(wanted: Endpoint): void {
    const { verdict, end } = this.#addrHook(abi.BPF_CGROUP_INET4_CONNECT, wanted, true);
    if (verdict.retval) throw refused(verdict.retval, "connect");
    const { src } = this.net.inet.route(end.addr);
    if (!this.local.port) this.#take({ addr: ANY, port: 0 });
    const addr = same(this.local.addr, ANY) ? src : this.local.addr;
    this.#place({ addr, port: this.local.port }, end);
  }

  /** @returns bytes sent */
  send(data: Uint8Array, wanted: Endpoint | undefined): number {
    let to = wanted ?? this.remote;
    if (!to) throw new BpfError(EDESTADDRREQ, "sendto: no address is given and the socket is not connected", {});
    if (wanted) {
      const { verdict, end } = this.#addrHook(abi.BPF_CGROUP_UDP4_SENDMSG, wanted, false);
      if (verdict.retval) throw refused(verdict.retval, "sendto");
      to = end;
    }
    const { inet } = this.net;
    const { device, src, mac } = inet.route(to.addr);
    if (!this.local.port) this.#take({ addr: ANY, port: 0 });
    const addr = same(this.local.addr, ANY) ? src : this.local.addr;
    const frame = inet.frame(device, mac, { addr, port: this.local.port }, to, data);
    for (const hook of [NF_INET.localOut, NF_INET.postRouting]) {
      if (!this.net.netfilter.passes(hook, frame, { out: device }))
        throw new BpfError(EPERM, "sendto: a netfilter program drops it", {});
    }
    const result = egressResult(this.#skbHook(abi.BPF_CGROUP_INET_EGRESS, device, frame, true));
    if (result < 0) throw refused(result, "sendto");
    // NET_XMIT_DROP; net_xmit_errno().
    if (result === 1) throw new BpfError(ENOBUFS, "sendto: an egress program dropped the packet as congested", {});
    device.send(frame);
    return data.length;
  }

  /** A datagram arrived. */
  deliver(device: NetDevice, frame: Uint8Array, datagram: Datagram): void {
    if (this.#skbHook(abi.BPF_CGROUP_INET_INGRESS, device, frame, false).retval === 0) this.#queue.push(datagram);
  }

  receive(): Datagram {
    const next = this.#queue.shift();
    if (!next) throw new BpfError(EAGAIN, "recvfrom: nothing has arrived", {});
    const { end } = this.#addrHook(abi.BPF_CGROUP_UDP4_RECVMSG, next.from, false);
    return { data: next.data, from: end };
  }

  setsockopt(level: number, optname: number, value: Uint8Array, netAdmin: boolean): void {
    setsockopt(this.#sockopt(level, optname, netAdmin), value);
  }

  getsockopt(level: number, optname: number, optlen: number): Uint8Array {
    return getsockopt(this.#sockopt(level, optname, false), optlen);
  }

  #sockopt(level: number, optname: number, netAdmin: boolean): SockoptCall {
    const { net, cgroup } = this;
    return { net, cgroup, sk: this.#sock.addr, options: this.#options, netAdmin, level, optname };
  }

  /** Takes a local end; port 0 is one that is free. @throws EADDRINUSE */
  #take({ addr, port }: Endpoint): void {
    const { inet } = this.net;
    const own = port || inet.freePort(addr);
    if (!own || inet.taken({ addr, port: own }))
      throw new BpfError(EADDRINUSE, `${addr.join(".")}:${own} is taken`, { port: own });
    this.#place({ addr, port: own }, undefined);
    inet.add(this);
  }

  /** What programs find by bpf_sk_lookup_udp() is the socket as it is now. */
  #place(local: Endpoint, remote: Endpoint | undefined): void {
    this.local = local;
    this.remote = remote;
    const { sockets } = this.net;
    const { cookie } = this.#sock;
    sockets.remove(this.#sock);
    const spec = { proto: "udp", family: AF_INET, local: local.addr, localPort: local.port } as const;
    this.#sock = sockets.add(remote ? { ...spec, remote: remote.addr, remotePort: remote.port } : spec, cookie);
  }

  #sockHook(attachType: number): CgroupVerdict {
    const { net, cgroup } = this;
    return net.nets.run(net, () => runCgroupProgs(net.kernel, cgroup, attachType, this.#sock.addr));
  }

  /** Programs may change the address. */
  #addrHook(attachType: number, end: Endpoint, bits: boolean): { verdict: CgroupVerdict; end: Endpoint } {
    const { net, cgroup } = this;
    const { memory } = net.kernel;
    const ctx = memory.alloc(ADDR_BYTES);
    try {
      memory.writeU32(ctx + ADDR.userFamily, AF_INET);
      memory.writeBytes(ctx + ADDR.userIp4, end.addr);
      memory.view.setUint16(ctx + ADDR.userPort, end.port);
      memory.writeU32(ctx + ADDR.family, AF_INET);
      memory.writeU32(ctx + ADDR.type, SOCK_DGRAM);
      memory.writeU32(ctx + ADDR.protocol, IPPROTO_UDP);
      memory.writeBytes(ctx + ADDR.msgSrcIp4, this.local.addr);
      memory.writeU64(ctx + ADDR.sk, BigInt(this.#sock.addr));
      const verdict = net.nets.run(net, () => runCgroupProgs(net.kernel, cgroup, attachType, ctx, { bits }));
      const addr = memory.readBytes((ctx + ADDR.userIp4) as typeof ctx, 4);
      return { verdict, end: { addr, port: memory.view.getUint16(ctx + ADDR.userPort) } };
    } finally {
      memory.free(ctx);
    }
  }

  #skbHook(attachType: number, device: NetDevice, frame: Uint8Array, bits: boolean): CgroupVerdict {
    const { net, cgroup } = this;
    if (effectiveProgs(net.kernel, cgroup, attachType).length === 0) return { retval: 0, bits: 0 };
    const skb = new Skb(net.kernel.memory, frame, { ifindex: device.ifindex, l2: false });
    skb.set("sk", this.#sock.addr);
    try {
      return net.nets.run(net, () => runCgroupProgs(net.kernel, cgroup, attachType, skb.addr, { bits }));
    } finally {
      skb.free();
    }
  }

  override holds(): Iterable<KObject> {
    return this.#live ? [this.cgroup, this.net.netns] : [];
  }

  protected override release(): void {
    this.#sockHook(abi.BPF_CGROUP_INET_SOCK_RELEASE);
    this.#live = false;
    this.net.inet.remove(this);
    this.net.sockets.remove(this.#sock);
    this.cgroup.put();
    this.net.netns.put();
  }
}

function refused(retval: number, call: string): BpfError {
  return new BpfError(-retval as Errno, `${call}: a program of the cgroup refused`, { retval });
}
