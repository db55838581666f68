/**
 * Records of packets in linear memory; mirror of assembly/net/layout.ts, which draws the buffers. Offsets in bytes.
 */

/** struct xdp_md, then what only the kernel sees. */
export const XDP = {
  data: 0,
  dataEnd: 4,
  dataMeta: 8,
  ingressIfindex: 12,
  rxQueueIndex: 16,
  egressIfindex: 20,
  hardStart: 24,
  hardEnd: 28,
  fragsLen: 32,
  frags: 36,
  fragsCap: 40,
  mtu: 44,
} as const;

export const XDP_RECORD_SIZE = 96;
export const XDP_MD_SIZE = 24;

/** struct __sk_buff, then what only the kernel sees. */
export const SKB = {
  len: 0,
  pktType: 4,
  mark: 8,
  queueMapping: 12,
  protocol: 16,
  vlanPresent: 20,
  vlanTci: 24,
  vlanProto: 28,
  priority: 32,
  ingressIfindex: 36,
  ifindex: 40,
  tcIndex: 44,
  cb: 48,
  hash: 68,
  tcClassid: 72,
  data: 76,
  dataEnd: 80,
  napiId: 84,
  family: 88,
  remoteIp4: 92,
  localIp4: 96,
  remoteIp6: 100,
  localIp6: 116,
  remotePort: 132,
  localPort: 136,
  dataMeta: 140,
  flowKeys: 144,
  tstamp: 152,
  wireLen: 160,
  gsoSegs: 164,
  sk: 168,
  gsoSize: 176,
  tstampType: 180,
  hwtstamp: 184,
  head: 192,
  end: 196,
  macHeader: 200,
  networkHeader: 204,
  transportHeader: 208,
  ipSummed: 212,
  csum: 216,
  csumLevel: 220,
  headOwned: 224,
  encap: 228,
  swHash: 232,
  macLen: 236,
  mtu: 240,
} as const;

export const SKB_RECORD_SIZE = 288;
export const SK_BUFF_SIZE = 192;

/** Values of the CPU context's redirect kind. */
export const REDIRECT = { none: 0, ifindex: 1, map: 2, neigh: 3, peer: 4 } as const;

export const ETH_HLEN = 14;
/** XDP_PACKET_HEADROOM. */
export const HEADROOM = 256;
/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)): the end of a page that packets may not use. */
export const TAILROOM = 320;
