/** Network devices, and programs on them without links: IFLA_XDP, and tc filters below a clsact qdisc. */

import { fromCString } from "../../abi/cstring.ts";
import { BpfError, ENODEV } from "../../abi/errno.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { type Attr, Netlink, NLM_F_CREATE, NLM_F_EXCL, readAttrs, u32Of } from "./netlink.ts";
import type { Sys } from "./sys.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;

const IFINFOMSG = 16;
const TCMSG = 20;
const IFF_UP = 1;

const AF_INET = 2;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_XDP = 43;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_XDP_FD = 1;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_FLAGS = 3;
const IFLA_XDP_PROG_ID = 4;
const IFLA_XDP_EXPECTED_FD = 8;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_TAG = 10;
const TCA_BPF_ID = 11;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const CLSACT = 0xfffffff1;
const CLSACT_MAJOR = 0xffff0000;
const PARENTS = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;
/** ETH_P_ALL in network order. */
const ALL_PROTOCOLS = 0x0300;

/** XDP_ATTACHED_*: driver 1, generic 2, offload 3, several 4. */
const MODES = ["none", "driver", "generic", "offload", "multi"] as const;
const MODE_IDS = [
  ["driver", 5],
  ["generic", 6],
  ["offload", 7],
] as const;

export type XdpMode = "driver" | "generic" | "offload";

export interface Device {
  readonly ifindex: number;
  readonly name: string;
  readonly up: boolean;
  readonly xdp: readonly { readonly mode: XdpMode; readonly progId: number }[];
}

export interface TcFilter {
  readonly direction: keyof typeof PARENTS;
  readonly prio: number;
  readonly handle: number;
  readonly name: string;
  readonly progId: number;
  readonly tag: Uint8Array;
  readonly directAction: boolean;
}

export class Devices implements Disposable {
  readonly #netlink: Netlink;

  /** Devices of the network namespace that the calling thread is in. */
  constructor(sys: Sys) {
    this.#netlink = new Netlink(sys);
  }

  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]();
  }

  list(): Device[] {
    return this.#netlink.dump("devices", RTM_GETLINK, ifinfo(0)).map(({ body }) => deviceOf(body));
  }

  /** @throws ENODEV */
  byName(name: string): Device {
    const found = this.list().find((d) => d.name === name);
    if (!found) throw new BpfError(ENODEV, `no device is named '${name}'`, { name });
    return found;
  }

  /** A device of a kind that needs no more than a name ("ifb", "bridge", "dummy"). */
  add(name: string, kind: string): Device {
    const list: Attr[] = [
      [IFLA_IFNAME, name],
      [IFLA_LINKINFO, [[IFLA_INFO_KIND, kind]]],
    ];
    this.#netlink.change(`device '${name}' (${kind})`, RTM_NEWLINK, ifinfo(0), list, NLM_F_CREATE | NLM_F_EXCL);
    return this.byName(name);
  }

  /** Two devices, each the other's wire. */
  addVeth(name: string, peer: string): [Device, Device] {
    const peerBytes = new ByteWriter().bytes(ifinfo(0));
    const peerName = new TextEncoder().encode(`${peer}\0`);
    peerBytes.u16(4 + peerName.length).u16(IFLA_IFNAME);
    for (let i = 0; i < ((peerName.length + 3) & ~3); i++) peerBytes.u8(peerName[i] ?? 0);
    const list: Attr[] = [
      [IFLA_IFNAME, name],
      [
        IFLA_LINKINFO,
        [
          [IFLA_INFO_KIND, "veth"],
          [IFLA_INFO_DATA, [[VETH_INFO_PEER, peerBytes.finish()]]],
        ],
      ],
    ];
    this.#netlink.change(`devices '${name}', '${peer}'`, RTM_NEWLINK, ifinfo(0), list, NLM_F_CREATE | NLM_F_EXCL);
    return [this.byName(name), this.byName(peer)];
  }

  remove(ifindex: number): void {
    this.#netlink.change(`device ${ifindex}`, RTM_DELLINK, ifinfo(ifindex), []);
  }

  setUp(ifindex: number, up = true): void {
    this.#netlink.change(`device ${ifindex}`, RTM_NEWLINK, ifinfo(ifindex, up ? IFF_UP : 0, IFF_UP), []);
  }

  /** An IPv4 address, and with it a route to its neighbours. @throws EEXIST */
  addAddress(ifindex: number, addr: Uint8Array, prefixLen: number): void {
    const fixed = new ByteWriter(8).u8(AF_INET).u8(prefixLen).u16(0).u32(ifindex).finish();
    const list: Attr[] = [
      [IFA_LOCAL, addr],
      [IFA_ADDRESS, addr],
    ];
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    this.#netlink.change(`device ${ifindex}: address ${addr.join(".")}`, RTM_NEWADDR, fixed, list, flags);
  }

  setMaster(ifindex: number, master: number): void {
    this.#netlink.change(`device ${ifindex}`, RTM_NEWLINK, ifinfo(ifindex), [[IFLA_MASTER, master]]);
  }

  /** @param netnsFd of a network namespace */
  move(ifindex: number, netnsFd: number): void {
    this.#netlink.change(`device ${ifindex}`, RTM_NEWLINK, ifinfo(ifindex), [[IFLA_NET_NS_FD, netnsFd]]);
  }

  /**
   * XDP without a link: it stays when its maker is gone.
   * @param progFd -1 takes it off
   * @param flags XDP_FLAGS_*; with expectedFd XDP_FLAGS_REPLACE
   */
  setXdp(ifindex: number, progFd: number, flags = 0, expectedFd?: number): void {
    const xdp: Attr[] = [
      [IFLA_XDP_FD, progFd],
      [IFLA_XDP_FLAGS, flags],
    ];
    if (expectedFd !== undefined) xdp.push([IFLA_XDP_EXPECTED_FD, expectedFd]);
    this.#netlink.change(`device ${ifindex}: XDP`, RTM_NEWLINK, ifinfo(ifindex), [[IFLA_XDP, xdp]]);
  }

  /** The qdisc under which tc programs hang; once for each device. @throws EEXIST */
  addClsact(ifindex: number): void {
    const fixed = tcmsg(ifindex, CLSACT_MAJOR, CLSACT, 0);
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    this.#netlink.change(`device ${ifindex}: clsact`, RTM_NEWQDISC, fixed, [[TCA_KIND, "clsact"]], flags);
  }

  /** A tc program in direct-action mode; a device needs a clsact qdisc. @param prio 0 = the kernel chooses */
  addFilter(
    ifindex: number,
    direction: TcFilter["direction"],
    progFd: number,
    name: string,
    prio = 0,
    handle = 0,
  ): void {
    const fixed = tcmsg(ifindex, handle, PARENTS[direction], ((prio << 16) | ALL_PROTOCOLS) >>> 0);
    const list: Attr[] = [
      [TCA_KIND, "bpf"],
      [
        TCA_OPTIONS,
        [
          [TCA_BPF_FD, progFd],
          [TCA_BPF_NAME, name],
          [TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT],
        ],
      ],
    ];
    this.#netlink.change(`device ${ifindex}: filter`, RTM_NEWTFILTER, fixed, list, NLM_F_CREATE | NLM_F_EXCL);
  }

  removeFilter(ifindex: number, direction: TcFilter["direction"], prio: number, handle: number): void {
    const fixed = tcmsg(ifindex, handle, PARENTS[direction], ((prio << 16) | ALL_PROTOCOLS) >>> 0);
    this.#netlink.change(`device ${ifindex}: filter`, RTM_DELTFILTER, fixed, [[TCA_KIND, "bpf"]]);
  }

  filters(ifindex: number): TcFilter[] {
    return (["ingress", "egress"] as const).flatMap((direction) => {
      const answer = this.#netlink.dump(
        `device ${ifindex}: filters`,
        RTM_GETTFILTER,
        tcmsg(ifindex, 0, PARENTS[direction], 0),
      );
      return answer.flatMap(({ body }) => filterOf(direction, body) ?? []);
    });
  }
}

function ifinfo(ifindex: number, flags = 0, change = 0): Uint8Array {
  return new ByteWriter(IFINFOMSG).u32(0).u32(ifindex).u32(flags).u32(change).finish();
}

function tcmsg(ifindex: number, handle: number, parent: number, info: number): Uint8Array {
  return new ByteWriter(TCMSG).u32(0).u32(ifindex).u32(handle).u32(parent).u32(info).finish();
}

function deviceOf(body: Uint8Array): Device {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const list = readAttrs(body.subarray(IFINFOMSG));
  const xdp = readAttrs(list.get(IFLA_XDP) ?? new Uint8Array());
  const attached = MODES[xdp.get(IFLA_XDP_ATTACHED)?.[0] ?? 0];
  const modes = MODE_IDS.flatMap(([mode, type]) => {
    const id = u32Of(xdp.get(type)) ?? (attached === mode ? u32Of(xdp.get(IFLA_XDP_PROG_ID)) : undefined);
    return id === undefined || id === 0 ? [] : [{ mode, progId: id }];
  });
  return {
    ifindex: view.getInt32(4, true),
    name: fromCString(list.get(IFLA_IFNAME) ?? new Uint8Array()),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    xdp: modes,
  };
}

function filterOf(direction: TcFilter["direction"], body: Uint8Array): TcFilter | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const list = readAttrs(body.subarray(TCMSG));
  const options = readAttrs(list.get(TCA_OPTIONS) ?? new Uint8Array());
  const progId = u32Of(options.get(TCA_BPF_ID));
  if (fromCString(list.get(TCA_KIND) ?? new Uint8Array()) !== "bpf" || progId === undefined) return undefined;
  return {
    direction,
    prio: view.getUint32(16, true) >>> 16,
    handle: view.getUint32(8, true),
    name: fromCString(options.get(TCA_BPF_NAME) ?? new Uint8Array()),
    progId,
    tag: options.get(TCA_BPF_TAG) ?? new Uint8Array(),
    directAction: ((u32Of(options.get(TCA_BPF_FLAGS)) ?? 0) & TCA_BPF_FLAG_ACT_DIRECT) !== 0,
  };
}
