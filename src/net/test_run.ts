/**
 * BPF_PROG_TEST_RUN of programs that see packets: XDP, the skb types, flow dissectors.
 *
 * Rules and errnos are those of net/bpf/test_run.c. A result that does not fit dataSizeOut is ENOSPC; the error's context
 * has what there was: retval, dataOut (cut) and dataSizeOut (the size it needs).
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, E2BIG, EAFNOSUPPORT, EBADMSG, ENODEV, ENOMEM, ENOSPC, ERANGE } from "../abi/errno.ts";
import { ETH_HLEN, HEADROOM, SK_BUFF_SIZE, SKB, TAILROOM, XDP_MD_SIZE } from "../helpers/packet_layout.ts";
import type { TestRunAttr, TestRunResult } from "../kernel/bpf.ts";
import type { Kernel, TestRunner } from "../kernel/kernel.ts";
import type { Prog } from "../kernel/prog.ts";
import { refuse, runRepeated } from "../kernel/test_run.ts";
import type { Net } from "./net.ts";
import type { Nets } from "./nets.ts";
import { SKB_PAD, Skb } from "./skb.ts";
import { fillSock, SOCK_BYTES } from "./sock.ts";
import { SK_LOOKUP, SK_LOOKUP_BYTES, SK_PASS } from "./socket/sk_lookup.ts";
import { MAX_FRAG_BYTES, PAGE_SIZE, XdpBuff } from "./xdp_buff.ts";

const NOTHING = new Uint8Array();
const LO = 1;
const XDP_FRAME_SIZE = 40;
/** TEST_XDP_MAX_BATCH. */
const MAX_BATCH = 256;
/** sizeof(struct xdp_page_head). */
const PAGE_HEAD = 184;
const META_MAX = 252;
const ETH_P_IP = 0x0008;
const ETH_P_IPV6 = 0xdd86;
const GSO_MAX_SEGS = 65535;
const GSO_LEGACY_MAX_SIZE = 65536;

type Kinds = "xdp" | "skb" | "flow_dissector" | "sk_lookup";

/** Programs run in the network of the caller's namespace. */
export function testRunners(nets: Nets): Record<Kinds, TestRunner> {
  const inNet =
    (run: (net: Net, kernel: Kernel, prog: Prog, attr: TestRunAttr) => TestRunResult): TestRunner =>
    (proc, prog, attr) => {
      const net = nets.of(proc.netns);
      return nets.run(net, () => run(net, proc.kernel, prog, attr));
    };
  return {
    xdp: inNet(runXdp),
    skb: inNet(runSkb),
    flow_dissector: (proc, prog, attr) => runFlowDissector(proc.kernel, prog, attr),
    sk_lookup: inNet(runSkLookup),
  };
}

/** The context the caller gave, at the kernel's size; undefined when none was given. */
function ctxInit(prog: Prog, attr: TestRunAttr, size: number): Uint8Array | undefined {
  const given = attr.ctxIn;
  if (!given?.length && !attr.ctxSizeOut) return undefined;
  const ctx = new Uint8Array(size);
  if (given) {
    if (given.subarray(size).some((b) => b !== 0)) {
      throw new BpfError(
        E2BIG,
        `test run of '${prog.name}': ctx_in of ${given.length} bytes; the kernel knows ${size}`,
        {},
      );
    }
    ctx.set(given.subarray(0, size));
  }
  return ctx;
}

function finish(
  prog: Prog,
  attr: TestRunAttr,
  run: { retval: number; durationNs: number },
  dataOut: Uint8Array,
  ctxOut: Uint8Array | undefined,
): TestRunResult {
  if (attr.dataSizeOut && dataOut.length > attr.dataSizeOut) {
    throw new BpfError(
      ENOSPC,
      `test run of '${prog.name}': ${dataOut.length} bytes out; there is room for ${attr.dataSizeOut}`,
      {
        retval: run.retval,
        dataOut: dataOut.subarray(0, attr.dataSizeOut),
        dataSizeOut: dataOut.length,
      },
    );
  }
  if (ctxOut && attr.ctxSizeOut && ctxOut.length > attr.ctxSizeOut) {
    throw new BpfError(
      ENOSPC,
      `test run of '${prog.name}': context of ${ctxOut.length} bytes; there is room for ${attr.ctxSizeOut}`,
      {
        retval: run.retval,
        dataOut,
        ctxSizeOut: ctxOut.length,
      },
    );
  }
  return { ...run, dataOut, ctxOut: ctxOut ?? NOTHING };
}

function u32At(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
}

// --- XDP

function runXdp(net: Net, kernel: Kernel, prog: Prog, attr: TestRunAttr): TestRunResult {
  const data = attr.dataIn ?? NOTHING;
  const flags = attr.flags ?? 0;
  const live = (flags & abi.BPF_F_TEST_XDP_LIVE_FRAMES) !== 0;
  const { expectedAttachType } = prog.facts;
  if (expectedAttachType === abi.BPF_XDP_DEVMAP || expectedAttachType === abi.BPF_XDP_CPUMAP) {
    refuse(prog, "devmap and cpumap programs run behind a redirect only");
  }
  if (flags & ~abi.BPF_F_TEST_XDP_LIVE_FRAMES) refuse(prog, `unknown flags 0x${flags.toString(16)}`, { flags });
  if (live && (attr.batchSize ?? 0) > MAX_BATCH) {
    throw new BpfError(
      E2BIG,
      `test run of '${prog.name}': batch of ${attr.batchSize}; wanted at most ${MAX_BATCH}`,
      {},
    );
  }
  if (!live && attr.batchSize) refuse(prog, "batch_size without BPF_F_TEST_XDP_LIVE_FRAMES");

  const ctx = ctxInit(prog, attr, XDP_MD_SIZE);
  let headroom = HEADROOM;
  let linear = data.length;
  let meta = 0;
  if (ctx) {
    const [start, end, ctxMeta] = [u32At(ctx, 0), u32At(ctx, 4), u32At(ctx, 8)];
    if (ctxMeta || end > data.length || start > end) {
      refuse(prog, `ctx_in says data ${start}, data_end ${end}, data_meta ${ctxMeta} of ${data.length} bytes`);
    }
    if (live && (attr.dataSizeOut || attr.ctxSizeOut)) refuse(prog, "live frames give nothing back");
    meta = start;
    if (meta & 3 || meta > META_MAX || meta > headroom - XDP_FRAME_SIZE)
      refuse(prog, `metadata of ${meta} bytes`, { meta });
    headroom -= meta;
    linear = end;
  }
  if (live) headroom += PAGE_HEAD;
  const maxLinear = PAGE_SIZE - headroom - TAILROOM;
  linear = Math.min(linear, maxLinear);
  if (live && data.length > linear) refuse(prog, `live frame of ${data.length} bytes; wanted at most ${linear}`);
  if (data.length - meta < ETH_HLEN) refuse(prog, `packet of ${data.length - meta} bytes; wanted at least ${ETH_HLEN}`);
  if (data.length - linear > MAX_FRAG_BYTES) {
    throw new BpfError(ENOMEM, `test run of '${prog.name}': packet of ${data.length} bytes is too long`, {});
  }
  let ingress = LO;
  if (ctx) {
    const [ifindex, queue, egress] = [u32At(ctx, 12), u32At(ctx, 16), u32At(ctx, 20)];
    if (egress) refuse(prog, `ctx_in names egress_ifindex ${egress}`);
    if (!ifindex && queue) refuse(prog, `ctx_in names rx_queue_index ${queue} without a device`);
    if (ifindex) {
      const device = net.device(ifindex);
      if (!device)
        throw new BpfError(ENODEV, `test run of '${prog.name}': no device has ifindex ${ifindex}`, { ifindex });
      if (queue >= device.rxQueues) refuse(prog, `${device.name} has no rx queue ${queue}`, { queue });
      ingress = ifindex;
    }
  }
  if (live) return net.runLive(prog, data, meta, ingress, attr);

  const buff = new XdpBuff(kernel.memory, data, {
    metaBytes: meta,
    linearBytes: linear,
    ingressIfindex: ingress,
    rxQueueIndex: ctx ? u32At(ctx, 16) : 0,
  });
  try {
    const run = runRepeated(kernel, prog, buff.addr, attr);
    if (ctx) {
      setU32(ctx, 0, buff.metaBytes);
      setU32(ctx, 4, buff.linearBytes);
    }
    return finish(prog, attr, run, buff.bytes(), ctx);
  } finally {
    buff.free();
  }
}

// --- skb

/** Programs that see the Ethernet header. */
const L2 = new Set<number>([abi.BPF_PROG_TYPE_SCHED_CLS, abi.BPF_PROG_TYPE_SCHED_ACT]);

/** Ranges [from, to) of struct __sk_buff that must be zero in ctx_in. */
const SKB_MUST_BE_ZERO = [
  [0, SKB.mark],
  [SKB.mark + 4, SKB.priority],
  [SKB.ifindex + 4, SKB.cb],
  [SKB.cb + 20, SKB.tstamp],
  [SKB.gsoSegs + 4, SKB.gsoSize],
  [SKB.gsoSize + 4, SKB.hwtstamp],
] as const;

/** Fields that ctx_in sets and ctx_out reports, with their sizes. */
const SKB_CTX_IN = [
  [SKB.mark, 4],
  [SKB.priority, 4],
  [SKB.ingressIfindex, 4],
  [SKB.cb, 20],
  [SKB.tstamp, 8],
  [SKB.gsoSegs, 4],
  [SKB.gsoSize, 4],
  [SKB.hwtstamp, 8],
] as const;
const SKB_CTX_OUT = [
  [SKB.mark, 4],
  [SKB.priority, 4],
  [SKB.ingressIfindex, 4],
  [SKB.ifindex, 4],
  [SKB.cb, 20],
  [SKB.tstamp, 8],
  [SKB.wireLen, 4],
  [SKB.gsoSegs, 4],
  [SKB.hwtstamp, 8],
] as const;

function runSkb(net: Net, kernel: Kernel, prog: Prog, attr: TestRunAttr): TestRunResult {
  const data = attr.dataIn ?? NOTHING;
  const flags = attr.flags ?? 0;
  if (flags & ~abi.BPF_F_TEST_SKB_CHECKSUM_COMPLETE || attr.cpu || attr.batchSize) {
    refuse(prog, `flags 0x${flags.toString(16)}, cpu ${attr.cpu ?? 0}, batch_size ${attr.batchSize ?? 0}`);
  }
  if (data.length < ETH_HLEN) refuse(prog, `packet of ${data.length} bytes; wanted at least ${ETH_HLEN}`);
  const most = PAGE_SIZE - SKB_PAD - TAILROOM;
  if (data.length > most) refuse(prog, `packet of ${data.length} bytes; wanted at most ${most}`);
  const ctx = ctxInit(prog, attr, SK_BUFF_SIZE);
  const l2 = L2.has(prog.type);
  const wantIfindex = ctx ? u32At(ctx, SKB.ifindex) : 0;
  const ifindex = wantIfindex > 1 ? wantIfindex : LO;
  if (!net.device(ifindex)) {
    throw new BpfError(ENODEV, `test run of '${prog.name}': no device has ifindex ${ifindex}`, { ifindex });
  }
  const { memory } = kernel;
  const skb = new Skb(memory, data, { ifindex, l2 });
  const sock = memory.alloc(SOCK_BYTES);
  try {
    addressSocket(prog, data, skb, sock);
    if (ctx) takeSkbCtx(prog, ctx, skb);
    const complete = (flags & abi.BPF_F_TEST_SKB_CHECKSUM_COMPLETE) !== 0;
    if (complete) {
      skb.set("csum", skb.networkCsum());
      skb.set("ipSummed", 2);
    }
    const run = runRepeated(kernel, prog, skb.addr, attr);
    const csumIsRight = !complete || fold(skb.get("csum")) === fold(skb.networkCsum());
    let out = skb.bytes();
    if (!l2) {
      // Linux pushes a zeroed header in front of what such programs saw.
      const framed = new Uint8Array(out.length + ETH_HLEN);
      framed.set(out, ETH_HLEN);
      out = framed;
    }
    if (!csumIsRight) {
      throw new BpfError(EBADMSG, `test run of '${prog.name}': the checksum no longer matches the packet`, {});
    }
    if (ctx) for (const [off, size] of SKB_CTX_OUT) ctx.set(memory.readBytes(skb.addr + off, size), off);
    return finish(prog, attr, run, out, ctx);
  } finally {
    memory.free(sock);
    skb.free();
  }
}

function fold(sum: number): number {
  const s = (sum & 0xffff) + (sum >>> 16);
  return ((s & 0xffff) + (s >>> 16)) & 0xffff;
}

/** The dummy socket that Linux gives a test skb: its addresses are the packet's. */
function addressSocket(prog: Prog, data: Uint8Array, skb: Skb, sock: number): void {
  const proto = skb.get("protocol");
  const v4 = proto === ETH_P_IP;
  if (v4 || proto === ETH_P_IPV6) {
    const need = ETH_HLEN + (v4 ? 20 : 40);
    if (data.length < need)
      refuse(prog, `packet of ${data.length} bytes is too short for its network header`, { need });
  }
  const [from, size] = v4 ? [26, 4] : [22, 16];
  const family = v4 ? 2 : proto === ETH_P_IPV6 ? 10 : 0;
  const local = family ? data.subarray(from, from + size) : NOTHING;
  const remote = family ? data.subarray(from + size, from + 2 * size) : NOTHING;
  fillSock(skb.memory, sock, { family, local, remote, localPort: 0, remotePort: 0, proto: 0, state: 0 });
  skb.set("sk", sock);
  skb.set("family", family);
  if (family === 2) {
    skb.memory.writeBytes(skb.addr + SKB.localIp4, local);
    skb.memory.writeBytes(skb.addr + SKB.remoteIp4, remote);
  } else if (family) {
    skb.memory.writeBytes(skb.addr + SKB.localIp6, local);
    skb.memory.writeBytes(skb.addr + SKB.remoteIp6, remote);
  }
}

function takeSkbCtx(prog: Prog, ctx: Uint8Array, skb: Skb): void {
  for (const [from, to] of SKB_MUST_BE_ZERO) {
    const bad = ctx.subarray(from, to).findIndex((b) => b !== 0);
    if (bad >= 0) refuse(prog, `ctx_in sets byte ${from + bad} of struct __sk_buff, which cannot be set`);
  }
  const wireLen = u32At(ctx, SKB.wireLen);
  if (wireLen && (wireLen < skb.get("len") || wireLen > GSO_LEGACY_MAX_SIZE))
    refuse(prog, `wire_len ${wireLen}`, { wireLen });
  if (u32At(ctx, SKB.gsoSegs) > GSO_MAX_SEGS) refuse(prog, `gso_segs ${u32At(ctx, SKB.gsoSegs)}`);
  for (const [off, size] of SKB_CTX_IN) skb.memory.writeBytes(skb.addr + off, ctx.subarray(off, off + size));
  skb.set("wireLen", wireLen || skb.get("len"));
}

// --- flow dissector

const FLOW_KEYS_BYTES = 56;
const FLOW_NHOFF = 0;
const FLOW_THOFF = 2;
const FLOW_N_PROTO = 10;
const FLOW_FLAGS = 48;

function runFlowDissector(kernel: Kernel, prog: Prog, attr: TestRunAttr): TestRunResult {
  const data = attr.dataIn ?? NOTHING;
  if (attr.flags || attr.cpu || attr.batchSize) refuse(prog, "flow dissectors take neither flags, cpu nor batch_size");
  if (data.length < ETH_HLEN || data.length > PAGE_SIZE) {
    refuse(prog, `packet of ${data.length} bytes; wanted ${ETH_HLEN} to ${PAGE_SIZE}`);
  }
  const ctx = ctxInit(prog, attr, FLOW_KEYS_BYTES);
  if (ctx?.some((b, i) => b !== 0 && (i < FLOW_FLAGS || i >= FLOW_FLAGS + 4)))
    refuse(prog, "ctx_in sets more than flags");
  const flags = ctx ? u32At(ctx, FLOW_FLAGS) : 0;
  const { memory } = kernel;
  const skb = new Skb(memory, data, { ifindex: LO, l2: true });
  const keys = memory.alloc(FLOW_KEYS_BYTES);
  skb.set("flowKeys", keys);
  const before = (): void => {
    memory.fill(keys, 0, FLOW_KEYS_BYTES);
    memory.writeU16(keys + FLOW_NHOFF, ETH_HLEN);
    memory.writeU16(keys + FLOW_THOFF, ETH_HLEN);
    memory.writeBytes(keys + FLOW_N_PROTO, data.subarray(12, 14));
    memory.writeU32(keys + FLOW_FLAGS, flags);
  };
  try {
    const run = runRepeated(kernel, prog, skb.addr, attr, before);
    const clamp = (v: number, low: number) => Math.min(Math.max(v, low), data.length);
    const nhoff = clamp(memory.readU16(keys + FLOW_NHOFF), ETH_HLEN);
    memory.writeU16(keys + FLOW_NHOFF, nhoff);
    memory.writeU16(keys + FLOW_THOFF, clamp(memory.readU16(keys + FLOW_THOFF), nhoff));
    return finish(prog, attr, run, memory.readBytes(keys, FLOW_KEYS_BYTES), ctx);
  } finally {
    memory.free(keys);
    skb.free();
  }
}

// --- sk_lookup

/** ctx_in says which connection arrives; ctx_out has the cookie of the socket that the program chose, or 0. */
function runSkLookup(net: Net, kernel: Kernel, prog: Prog, attr: TestRunAttr): TestRunResult {
  if (attr.flags || attr.cpu || attr.batchSize || attr.dataIn?.length || attr.dataSizeOut) {
    refuse(prog, "sk_lookup programs take ctx_in and repeat alone");
  }
  const ctx = ctxInit(prog, attr, SK_LOOKUP_BYTES);
  if (!ctx) return refuse(prog, "sk_lookup programs need ctx_in");
  if (ctx.subarray(SK_LOOKUP.sk, SK_LOOKUP.sk + 8).some((b) => b !== 0)) refuse(prog, "ctx_in names a socket");
  if (ctx.subarray(SK_LOOKUP.ingressIfindex).some((b) => b !== 0))
    refuse(prog, "ctx_in sets more than addresses and ports");
  const port = u32At(ctx, SK_LOOKUP.localPort);
  if (port > 0xffff) throw new BpfError(ERANGE, `test run of '${prog.name}': local_port ${port}`, { port });
  const family = u32At(ctx, SK_LOOKUP.family) & 0xffff;
  if (family !== 2 && family !== 10) {
    throw new BpfError(EAFNOSUPPORT, `test run of '${prog.name}': family ${family}; wanted AF_INET or AF_INET6`, {
      family,
    });
  }
  const { memory } = kernel;
  const addr = memory.alloc(SK_LOOKUP_BYTES);
  try {
    memory.writeBytes(addr, ctx);
    const run = runRepeated(kernel, prog, addr, attr, () => memory.writeU64(addr + SK_LOOKUP.sk, 0n));
    // A socket counts only when the program lets the connection pass.
    const chosen = run.retval === SK_PASS ? memory.readU32(addr + SK_LOOKUP.sk) : 0;
    new DataView(ctx.buffer).setBigUint64(SK_LOOKUP.sk, chosen ? net.socketCookie(chosen) : 0n, true);
    return finish(prog, attr, run, NOTHING, ctx);
  } finally {
    memory.free(addr);
  }
}
