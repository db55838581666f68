/**
 * Runs a program over a chunk of packets without leaving WebAssembly: a call into it costs 2 ns, one from JavaScript per
 * packet with its set-up costs hundreds.
 *
 * Packet  16 bytes each, filled by the caller: u32 address of the bytes, u32 length, u32 end of the tailroom, u32 rx queue.
 *         256 bytes before the address are headroom of the packet's own slot.
 * Result  32 bytes each: u32 verdict (r0), u32 address and u32 length of the packet now, u32 redirect kind, u32 ifindex,
 *         u32 map, u32 target, u32 head (a buffer the caller must free, or 0; for XDP the redirect flags' low word)
 * Counts  u32 each: verdict 0 .. 7, and 8 for all others.
 * progress, at BATCH_STATE of the caller, holds the index of the packet that runs, so a trap can name it.
 */
import {
  CPU_CTX_ADDR,
  CTX_REDIRECT_FLAGS,
  CTX_REDIRECT_IFINDEX,
  CTX_REDIRECT_KIND,
  CTX_REDIRECT_MAP,
  CTX_REDIRECT_TARGET,
  CTX_STACK_TOP,
  CTX_TAIL_CALLS,
} from "../memory/cpu_ctx";
import {
  ETH_HLEN,
  SKB_DATA,
  SKB_DATA_END,
  SKB_DATA_META,
  SKB_END,
  SKB_HEAD,
  SKB_HEAD_OWNED,
  SKB_LEN,
  SKB_MAC_HEADER,
  SKB_MAC_LEN,
  SKB_NETWORK_HEADER,
  SKB_PKT_TYPE,
  SKB_PROTOCOL,
  SKB_QUEUE_MAPPING,
  SKB_RECORD_SIZE,
  SKB_VLAN_PRESENT,
  SKB_VLAN_PROTO,
  SKB_VLAN_TCI,
  SKB_WIRE_LEN,
  XDP_DATA,
  XDP_DATA_END,
  XDP_DATA_META,
  XDP_FRAGS_LEN,
  XDP_HARD_END,
  XDP_HARD_START,
  XDP_RX_QUEUE,
} from "./layout";
import { skbInsertTag, skbRemoveTag } from "./skb";

const HEADROOM: u32 = 256;
const PACKET_SIZE: u32 = 16;
const RESULT_SIZE: u32 = 32;
/** What one run may use: programs that helpers run meanwhile start below it. Mirrors RUN_STACK of src/jit/entries.ts. */
const RUN_STACK: u32 = 8192;

// @ts-ignore: decorator
@inline
function call(entry: u32, fp: u32, ctx: u32): u32 {
  store<u32>(CPU_CTX_ADDR, 0, CTX_TAIL_CALLS);
  return <u32>call_indirect<u64>(entry, fp, <u64>ctx, <u64>0, <u64>0, <u64>0, <u64>0);
}

// @ts-ignore: decorator
@inline
function putResult(result: u32, counts: u32, verdict: u32, data: u32, len: u32): void {
  store<u32>(result, verdict);
  store<u32>(result, data, 4);
  store<u32>(result, len, 8);
  const slot = counts + (min<u32>(verdict, 8) << 2);
  store<u32>(slot, load<u32>(slot) + 1);
  store<u32>(result, load<u32>(CPU_CTX_ADDR, CTX_REDIRECT_KIND), 12);
  store<u32>(result, load<u32>(CPU_CTX_ADDR, CTX_REDIRECT_IFINDEX), 16);
  store<u32>(result, load<u32>(CPU_CTX_ADDR, CTX_REDIRECT_MAP), 20);
  store<u32>(result, load<u32>(CPU_CTX_ADDR, CTX_REDIRECT_TARGET), 24);
}

/** entry: index of the program in the table; ctx: an XDP record whose device fields are set. */
export function xdp_batch(entry: u32, ctx: u32, packets: u32, n: u32, results: u32, counts: u32, progress: u32): void {
  const fp = load<u32>(CPU_CTX_ADDR, CTX_STACK_TOP);
  store<u32>(CPU_CTX_ADDR, fp - RUN_STACK, CTX_STACK_TOP);
  for (let i: u32 = 0; i < n; i++) {
    store<u32>(progress, i);
    const data = load<u32>(packets);
    // What a program uncovers by moving the head must not depend on earlier packets.
    memory.fill(data - HEADROOM, 0, HEADROOM);
    store<u32>(ctx, data, XDP_DATA);
    store<u32>(ctx, data + load<u32>(packets, 4), XDP_DATA_END);
    store<u32>(ctx, data, XDP_DATA_META);
    store<u32>(ctx, data - HEADROOM, XDP_HARD_START);
    store<u32>(ctx, load<u32>(packets, 8), XDP_HARD_END);
    store<u32>(ctx, 0, XDP_FRAGS_LEN);
    store<u32>(ctx, load<u32>(packets, 12), XDP_RX_QUEUE);
    store<u32>(CPU_CTX_ADDR, 0, CTX_REDIRECT_KIND);
    const verdict = call(entry, fp, ctx);
    const now = load<u32>(ctx, XDP_DATA);
    putResult(results, counts, verdict, now, load<u32>(ctx, XDP_DATA_END) - now);
    store<u32>(results, <u32>load<u64>(CPU_CTX_ADDR, CTX_REDIRECT_FLAGS), 28);
    packets += PACKET_SIZE;
    results += RESULT_SIZE;
  }
  store<u32>(CPU_CTX_ADDR, fp, CTX_STACK_TOP);
}

/**
 * What eth_type_trans and the VLAN untagging of reception do to a fresh record whose data is at the Ethernet header.
 * Compares the destination with the device's address to find pkt_type: 0 for us, 1 broadcast, 2 multicast, 3 other.
 */
export function skb_eth_type(skb: u32, mac: u64, untag: bool): void {
  const data = load<u32>(skb, SKB_DATA);
  const end = load<u32>(skb, SKB_DATA_END);
  store<u32>(skb, data, SKB_MAC_HEADER);
  store<u32>(skb, data + ETH_HLEN, SKB_NETWORK_HEADER);
  store<u32>(skb, ETH_HLEN, SKB_MAC_LEN);
  if (end - data < ETH_HLEN) return;
  const dst = load<u64>(data) & 0xffffffffffff;
  if (dst != mac) store<u32>(skb, dst == 0xffffffffffff ? 1 : dst & 1 ? 2 : 3, SKB_PKT_TYPE);
  const proto = <u32>load<u16>(data, 12);
  // Below 0x600 the field is a length: 802.2 frames, ETH_P_802_2.
  store<u32>(skb, (((proto & 0xff) << 8) | (proto >> 8)) >= 0x600 ? proto : 0x0400, SKB_PROTOCOL);
  if (untag && (proto == 0x0081 || proto == 0xa888) && end - data >= 18) {
    const tci = skbRemoveTag(skb);
    store<u32>(skb, proto, SKB_VLAN_PROTO);
    store<u32>(skb, tci, SKB_VLAN_TCI);
    store<u32>(skb, 1, SKB_VLAN_PRESENT);
  }
}

/**
 * entries: n table indexes of the programs of the hook, run in order until one does not say TCX_NEXT (-1).
 * skb: a scratch record; template: the record every packet starts as. l2: programs see the Ethernet header.
 */
export function skb_batch(
  entries: u32, nEntries: u32, skb: u32, template: u32, mac: u64, l2: u32,
  packets: u32, n: u32, results: u32, counts: u32, progress: u32,
): void {
  const fp = load<u32>(CPU_CTX_ADDR, CTX_STACK_TOP);
  store<u32>(CPU_CTX_ADDR, fp - RUN_STACK, CTX_STACK_TOP);
  for (let i: u32 = 0; i < n; i++) {
    store<u32>(progress, i);
    memory.copy(skb, template, SKB_RECORD_SIZE);
    const at = load<u32>(packets);
    const len = load<u32>(packets, 4);
    memory.fill(at - HEADROOM, 0, HEADROOM);
    store<u32>(skb, at, SKB_DATA);
    store<u32>(skb, at + len, SKB_DATA_END);
    store<u32>(skb, at - HEADROOM, SKB_HEAD);
    store<u32>(skb, load<u32>(packets, 8), SKB_END);
    store<u32>(skb, load<u32>(packets, 12), SKB_QUEUE_MAPPING);
    skb_eth_type(skb, mac, true);
    if (!l2) store<u32>(skb, min(load<u32>(skb, SKB_NETWORK_HEADER), at + len), SKB_DATA);
    const data = load<u32>(skb, SKB_DATA);
    store<u32>(skb, data, SKB_DATA_META);
    store<u32>(skb, at + len - data, SKB_LEN);
    store<u32>(skb, at + len - data, SKB_WIRE_LEN);
    store<u32>(CPU_CTX_ADDR, 0, CTX_REDIRECT_KIND);
    let verdict: u32 = -1;
    for (let e: u32 = 0; e < nEntries && verdict == -1; e++) verdict = call(load<u32>(entries + (e << 2)), fp, skb);
    if (!l2) restoreEth(skb);
    if (load<u32>(skb, SKB_VLAN_PRESENT)) skbInsertTag(skb);
    const now = load<u32>(skb, SKB_DATA);
    putResult(results, counts, verdict, now, load<u32>(skb, SKB_DATA_END) - now);
    store<u32>(results, load<u32>(skb, SKB_HEAD_OWNED) ? load<u32>(skb, SKB_HEAD) : 0, 28);
    packets += PACKET_SIZE;
    results += RESULT_SIZE;
  }
  store<u32>(CPU_CTX_ADDR, fp, CTX_STACK_TOP);
}

/** Back to the Ethernet header, where the packet of an L3 hook still has it. */
function restoreEth(skb: u32): void {
  const mac = load<u32>(skb, SKB_MAC_HEADER);
  if (mac && mac <= load<u32>(skb, SKB_DATA)) store<u32>(skb, mac, SKB_DATA);
}
