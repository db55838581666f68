/**
 * Sets of XDP programs exchanged while packets run: each packet must meet exactly one complete set.
 *
 * Each set has a number and 1 to 10 programs; a program writes the number into its place of the packet and lets the
 * chain go on. Exchanges happen between packets, and in the middle of them: a packet may ask one of the programs on its
 * way to print a line, and the exchange is made while it prints.
 *
 * Ways     libxdp   a new dispatcher each time, with pins (replaceXdp)
 *          set      one dispatcher, one progReplaceFuncs()
 * Feeds    device   one packet at a time into a device
 *          batch    chunks of packets whose loop is inside WebAssembly; for `set`
 */
import type { EngineName } from "../../src/interp/image.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import { attachXdp, replaceXdp } from "../../src/loader/dispatcher/dispatcher.ts";
import type { XdpHost } from "../../src/loader/dispatcher/host.ts";
import type { XdpProgram } from "../../src/loader/dispatcher/order.ts";
import { type LoadedSet, XdpSet } from "../../src/loader/dispatcher/xdp_set.ts";
import { openObject } from "../../src/loader/object.ts";
import { openBatch } from "../../src/net/batch.ts";
import { createKernel } from "../../src/net/create.ts";
import { XdpDeviceView } from "../../src/net/xdp_set.ts";
import { Random } from "../fuzz/case.ts";

export interface StressOptions {
  readonly way: "libxdp" | "set";
  readonly feed: "device" | "batch";
  readonly packets: number;
  readonly swaps: number;
  readonly seed: number;
  readonly engine?: EngineName;
}

export interface StressReport {
  readonly packets: number;
  readonly swaps: number;
  /** Of them, in the middle of a packet. */
  readonly inPacket: number;
  /** Different sets that packets met. */
  readonly sets: number;
}

/** Programs of a set: sizes by set number. */
interface Current {
  set: number;
  readonly sizes: Map<number, number>;
}

/** Sets that are loaded before, for the way `set`. */
const POOL = 12;
const SLOTS = 10;
const FIRST_STAMP = 14;
const ASKS_AT = 60;

/** @throws Error naming the first packet that met something else than one complete set */
export function stressDispatcher(object: Uint8Array, options: StressOptions): StressReport {
  const { way, feed, packets, swaps, seed } = options;
  const random = new Random(seed);
  const below = (n: number) => random.below(n);
  let onPrint = (): void => {};
  using kernel = createKernel({ printk: () => onPrint(), ...(options.engine ? { engine: options.engine } : {}) });
  const proc = kernel.spawn();
  const device = kernel.net.addDevice({ name: "eth0" });
  const host: XdpHost = { bpf: proc, devices: new XdpDeviceView(kernel.net, proc) };
  const now: Current = { set: 0, sizes: new Map([[0, 0]]) };
  const programs = (set: number, n: number): XdpProgram[] =>
    Array.from({ length: n }, (_, slot) => {
      const obj = openObject(object, { name: "stamp.o" });
      Object.assign(obj.rodata, { set, slot });
      return { obj, name: "middle", runConfig: { priority: slot } };
    });

  let swap: () => void;
  let finish = (): void => {};
  let root: number;
  if (way === "set") {
    const xdp = new XdpSet(proc);
    const link = xdp.attach(device.ifindex);
    const pool: LoadedSet[] = [];
    for (let set = 1; set <= POOL; set++) {
      const size = 1 + below(SLOTS);
      now.sizes.set(set, size);
      pool.push(xdp.load(programs(set, size)));
    }
    swap = () => {
      const set = 1 + below(POOL);
      xdp.use(pool[set - 1]!);
      now.set = set;
    };
    root = proc.progInfo(xdp.fd).id;
    finish = () => {
      link.close();
      xdp.close();
      for (const set of pool) set.close();
    };
  } else {
    root = 0;
    let on: readonly number[] = [];
    let next = 0;
    swap = () => {
      const set = ++next;
      const size = 1 + below(SLOTS);
      const fresh = programs(set, size);
      const status = on.length ? replaceXdp(host, device.ifindex, on, fresh) : attachXdp(host, device.ifindex, fresh);
      for (const { obj } of fresh) obj.close();
      on = status.kind === "dispatcher" ? status.components.map((c) => c.progId) : [];
      now.sizes.set(set, size);
      now.set = set;
    };
  }
  swap();

  const met = new Set<number>();
  const check = (packet: Uint8Array, index: number, allowed?: number): void => {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    const set = view.getUint32(FIRST_STAMP, true);
    const size = now.sizes.get(set) ?? -1;
    let whole = size > 0 && (allowed === undefined || allowed === set);
    for (let n = 0; n < SLOTS; n++) {
      whole &&= view.getUint32(FIRST_STAMP + 4 * n, true) === (n < size ? set : 0);
    }
    met.add(set);
    if (whole) return;
    const stamps = Array.from({ length: SLOTS }, (_, n) => view.getUint32(FIRST_STAMP + 4 * n, true));
    throw new Error(
      `packet ${index} met ${stamps.join(" ")}; wanted one set${allowed === undefined ? "" : ` (${allowed})`} of ${size}; seed ${seed}`,
    );
  };

  // Before which packets, and in the middle of which, sets are exchanged.
  const plan = new Map<number, number>();
  while (plan.size < swaps) plan.set(below(packets), below(2) ? 0 : 1 + below(SLOTS));
  let inPacket = 0;
  let done = 0;
  onPrint = () => {
    swap();
    inPacket++;
    done++;
  };
  const blank = new Uint8Array(64);
  const frame = (index: number): Uint8Array => {
    const wanted = plan.get(index);
    if (wanted === 0) {
      swap();
      done++;
    }
    const packet = blank.slice();
    if (!wanted) return packet;
    // a slot that the set has; which one that will be is not known of a chunk
    packet[ASKS_AT] = feed === "batch" ? 1 : 1 + ((wanted - 1) % now.sizes.get(now.set)!);
    return packet;
  };
  if (feed === "device") {
    for (let i = 0; i < packets; i++) {
      const packet = frame(i);
      const set = now.set;
      device.receive(packet);
      const out = device.delivered.pop();
      if (!out) throw new Error(`packet ${i} was dropped; seed ${seed}`);
      check(out, i, set);
    }
  } else {
    const batch = openBatch(kernel, kernel.progs.at(root), {
      onResult: ({ packet, index }) => check(packet, index),
      ...(options.engine ? { engine: options.engine } : {}),
    });
    for (let i = 0; i < packets; i++) batch.add(frame(i));
    batch.flush();
    batch.close();
  }
  checkReferences(kernel);
  finish();
  kernel.shutdown();
  kernel.assertEmpty();
  return { packets, swaps: done, inPacket, sets: met.size };
}
