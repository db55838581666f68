/** What packet helpers ask of the network stack: devices, routes, neighbours, sockets. net/ provides it. */

export interface NetService {
  /** L3 bytes that a device carries; undefined = no such device. */
  mtu(ifindex: number): number | undefined;
  /** Sends a copy of the skb to a device; a negative errno or 0. */
  cloneRedirect(skb: number, ifindex: number, ingress: boolean): number;
  /** Takes bpf_redirect_neigh's next hop (struct bpf_redir_neigh, or empty) for the packet that runs. */
  setNeighbour(nexthop: Uint8Array): void;
  /** The packet record behind a struct sk_buff that a netfilter program was given; 0 = none. */
  skbRecord(skb: number): number;
  route(query: RouteQuery): RouteAnswer;
  /** Address of a struct bpf_sock, referenced for the program, or 0. */
  findSocket(query: SocketQuery): number;
  /** False when addr is no socket. */
  releaseSocket(addr: number): boolean;
  /** The listener behind a request or established socket; 0 = none. */
  listenerOf(addr: number): number;
  socketCookie(addr: number): bigint;
  netnsCookie(): bigint;
  /** sk_assign in tc (ctx: skb) and in sk_lookup; a negative errno or 0. */
  assignSocket(ctx: number, sk: number, flags: number): number;
}

export interface RouteQuery {
  /** AF_INET 2, AF_INET6 10. */
  readonly family: number;
  /** Network byte order. */
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly ifindex: number;
  /** BPF_FIB_LOOKUP_OUTPUT: as if the packet were sent from here. */
  readonly output: boolean;
  readonly skipNeigh: boolean;
  readonly tableId: number | undefined;
}

export type RouteAnswer =
  /** BPF_FIB_LKUP_RET_* other than success, or a negative errno. */
  | { readonly ret: number; readonly ifindex?: number }
  | {
      readonly ret: 0;
      readonly ifindex: number;
      readonly mtu: number;
      readonly metric: number;
      /** The gateway, or the destination itself. */
      readonly nexthop: Uint8Array;
      readonly smac: Uint8Array;
      readonly dmac: Uint8Array;
      readonly prefSrc: Uint8Array | undefined;
    };

export interface SocketQuery {
  /** IPPROTO_TCP 6, IPPROTO_UDP 17. */
  readonly proto: number;
  readonly family: number;
  /** Network byte order: the packet's source (the peer) and destination (the local end). */
  readonly saddr: Uint8Array;
  readonly daddr: Uint8Array;
  readonly sport: number;
  readonly dport: number;
  /** False: request and time-wait sockets count as well. */
  readonly fullOnly: boolean;
}

declare module "./helper.ts" {
  interface RuntimeServices {
    readonly net: NetService;
  }
}
