/**
 * Records of packets in linear memory; mirrored by src/helpers/packet_layout.ts. Offsets in bytes.
 *
 * A record begins with the context that programs see (struct xdp_md, struct __sk_buff) and goes on with what only the
 * kernel sees. Addresses in `data`, `data_end`, `data_meta` are linear-memory addresses, so contexts are never rewritten.
 *
 * XDP buffer   [hard_start | frame 40 B | headroom | meta | data ... data_end | tailroom ] hard_end
 *              and, for a jumbo frame, its remaining bytes in one block at `frags`.
 * skb buffer   [head | headroom | meta | data ... data_end | tailroom ] end; always linear
 */

// struct xdp_md
export const XDP_DATA: usize = 0;
export const XDP_DATA_END: usize = 4;
export const XDP_DATA_META: usize = 8;
export const XDP_INGRESS_IFINDEX: usize = 12;
export const XDP_RX_QUEUE: usize = 16;
export const XDP_EGRESS_IFINDEX: usize = 20;
// hidden
export const XDP_HARD_START: usize = 24;
export const XDP_HARD_END: usize = 28;
/** Bytes beyond data_end that live at XDP_FRAGS; 0 = none. */
export const XDP_FRAGS_LEN: usize = 32;
export const XDP_FRAGS: usize = 36;
/** Bytes of the block at XDP_FRAGS. */
export const XDP_FRAGS_CAP: usize = 40;
export const XDP_MTU: usize = 44;

/** sizeof(struct xdp_frame): the start of the buffer that data may never reach. */
export const XDP_FRAME_SIZE: u32 = 40;
export const ETH_HLEN: u32 = 14;

// struct __sk_buff
export const SKB_LEN: usize = 0;
export const SKB_PKT_TYPE: usize = 4;
export const SKB_MARK: usize = 8;
export const SKB_QUEUE_MAPPING: usize = 12;
export const SKB_PROTOCOL: usize = 16;
export const SKB_VLAN_PRESENT: usize = 20;
export const SKB_VLAN_TCI: usize = 24;
export const SKB_VLAN_PROTO: usize = 28;
export const SKB_PRIORITY: usize = 32;
export const SKB_INGRESS_IFINDEX: usize = 36;
export const SKB_IFINDEX: usize = 40;
export const SKB_HASH: usize = 68;
export const SKB_DATA: usize = 76;
export const SKB_DATA_END: usize = 80;
export const SKB_DATA_META: usize = 140;
export const SKB_TSTAMP: usize = 152;
export const SKB_WIRE_LEN: usize = 160;
export const SKB_GSO_SEGS: usize = 164;
export const SKB_GSO_SIZE: usize = 176;
export const SKB_TSTAMP_TYPE: usize = 180;
// hidden
export const SKB_HEAD: usize = 192;
export const SKB_END: usize = 196;
/** Absolute addresses; 0 = not set. */
export const SKB_MAC_HEADER: usize = 200;
export const SKB_NETWORK_HEADER: usize = 204;
export const SKB_TRANSPORT_HEADER: usize = 208;
/** CHECKSUM_NONE 0, UNNECESSARY 1, COMPLETE 2, PARTIAL 3. */
export const SKB_IP_SUMMED: usize = 212;
export const SKB_CSUM: usize = 216;
export const SKB_CSUM_LEVEL: usize = 220;
/** 1: head came from the allocator and belongs to the record. */
export const SKB_HEAD_OWNED: usize = 224;
/** 1: an encapsulation was pushed by skb_adjust_room. */
export const SKB_ENCAP: usize = 228;
/** 1: bpf_set_hash fixed the hash; skb_get_hash keeps it. */
export const SKB_SW_HASH: usize = 232;
export const SKB_MAC_LEN: usize = 236;
export const SKB_MTU: usize = 240;
export const SKB_RECORD_SIZE: u32 = 288;
export const XDP_RECORD_SIZE: u32 = 96;

export const CHECKSUM_NONE: u32 = 0;
export const CHECKSUM_UNNECESSARY: u32 = 1;
export const CHECKSUM_COMPLETE: u32 = 2;
export const CHECKSUM_PARTIAL: u32 = 3;

export const EPERM: i32 = 1;
export const ENOMEM: i32 = 12;
export const EFAULT: i32 = 14;
export const EINVAL: i32 = 22;
export const EACCES: i32 = 13;
export const EALREADY: i32 = 114;
export const ENOTSUPP: i32 = 524;
export const EOPNOTSUPP: i32 = 95;
