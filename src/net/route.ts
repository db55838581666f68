/** A small routing table and neighbour table: what bpf_fib_lookup() and redirect_neigh ask. Addresses in network order. */
import { ENODEV } from "../abi/errno.ts";
import type { RouteAnswer, RouteQuery } from "../helpers/net_service.ts";

export type RouteKind = "unicast" | "blackhole" | "unreachable" | "prohibit";

export interface Route {
  /** Network; 4 or 16 bytes. */
  readonly dst: Uint8Array;
  readonly prefixLen: number;
  readonly ifindex?: number;
  readonly via?: Uint8Array;
  readonly kind?: RouteKind;
  readonly metric?: number;
  /** RT_TABLE_MAIN 254 when absent. */
  readonly table?: number;
  readonly prefSrc?: Uint8Array;
}

export interface RouteDevice {
  readonly ifindex: number;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly forwarding: boolean;
}

const RT_TABLE_MAIN = 254;
/** BPF_FIB_LKUP_RET_*. */
const RET = { blackhole: 1, unreachable: 2, prohibit: 3, notForwarded: 4, forwardingDisabled: 5, noNeigh: 7 } as const;

export class Routes {
  readonly #routes: Route[] = [];
  /** "ifindex/address" -> MAC. */
  readonly #neighbours = new Map<string, Uint8Array>();

  add(route: Route): void {
    this.#routes.push(route);
    this.#routes.sort((a, b) => b.prefixLen - a.prefixLen || (a.metric ?? 0) - (b.metric ?? 0));
  }

  remove(route: Route): void {
    const at = this.#routes.indexOf(route);
    if (at >= 0) this.#routes.splice(at, 1);
  }

  /** A device left the namespace. */
  forget(ifindex: number): void {
    for (const route of this.#routes.filter((r) => r.ifindex === ifindex)) this.remove(route);
    for (const known of [...this.#neighbours.keys()]) {
      if (known.startsWith(`${ifindex}/`)) this.#neighbours.delete(known);
    }
  }

  addNeighbour(ifindex: number, address: Uint8Array, mac: Uint8Array): void {
    this.#neighbours.set(key(ifindex, address), mac);
  }

  neighbour(ifindex: number, address: Uint8Array): Uint8Array | undefined {
    return this.#neighbours.get(key(ifindex, address));
  }

  /** The longest prefix that holds the address. */
  find(address: Uint8Array, table = RT_TABLE_MAIN): Route | undefined {
    return this.#routes.find((r) => (r.table ?? RT_TABLE_MAIN) === table && contains(r, address));
  }

  lookup(q: RouteQuery, device: (ifindex: number) => RouteDevice | undefined): RouteAnswer {
    const input = device(q.ifindex);
    if (!input) return { ret: -ENODEV };
    if (!q.output && !input.forwarding) return { ret: RET.forwardingDisabled };
    const route = this.find(q.dst, q.tableId);
    if (!route) return { ret: RET.notForwarded };
    const kind = route.kind ?? "unicast";
    if (kind !== "unicast") return { ret: RET[kind] };
    const out = device(route.ifindex ?? 0);
    if (!out) return { ret: RET.notForwarded };
    const nexthop = route.via ?? q.dst;
    const dmac = this.neighbour(out.ifindex, nexthop);
    if (!dmac && !q.skipNeigh) return { ret: RET.noNeigh, ifindex: out.ifindex };
    return {
      ret: 0,
      ifindex: out.ifindex,
      mtu: out.mtu,
      metric: route.metric ?? 0,
      nexthop,
      smac: out.mac,
      dmac: dmac ?? new Uint8Array(6),
      prefSrc: route.prefSrc,
    };
  }
}

function key(ifindex: number, address: Uint8Array): string {
  return `${ifindex}/${address.join(".")}`;
}

function contains(route: Route, address: Uint8Array): boolean {
  if (route.dst.length !== address.length) return false;
  for (let bit = 0; bit < route.prefixLen; bit += 8) {
    const left = Math.min(8, route.prefixLen - bit);
    const mask = (0xff << (8 - left)) & 0xff;
    if ((route.dst[bit >> 3]! ^ address[bit >> 3]!) & mask) return false;
  }
  return true;
}
