/** Programs that leave the number of their set in the packet: test/loader/dispatcher/progs/stamp.c. */
import { existsSync, readFileSync } from "node:fs";
import type { XdpHost } from "../../src/loader/dispatcher/host.ts";
import type { XdpProgram } from "../../src/loader/dispatcher/order.ts";
import type { RunConfig } from "../../src/loader/dispatcher/run_config.ts";
import { openObject } from "../../src/loader/object.ts";

export const STAMP_FILE = new URL("../loader/dispatcher/progs/stamp.o", import.meta.url).pathname;
export const STAMP = readFileSync(STAMP_FILE);

export interface Stamp {
  readonly name?: string;
  readonly set?: number;
  readonly slot?: number;
  readonly verdict?: number;
  readonly runConfig?: Partial<RunConfig>;
}

export function stamp({ name = "middle", set = 1, slot = 0, verdict = 2, runConfig }: Stamp = {}): XdpProgram {
  const obj = openObject(STAMP, { name: "stamp.o" });
  Object.assign(obj.rodata, { set, slot, verdict });
  return { obj, name, ...(runConfig ? { runConfig } : {}) };
}

/** A set of programs in slots 0 .. n - 1. */
export function stampSet(set: number, n: number): XdpProgram[] {
  return Array.from({ length: n }, (_, slot) => stamp({ set, slot, runConfig: { priority: slot + 1 } }));
}

/** What programs left in the ten places of a packet. */
export function stampsOf(packet: Uint8Array): number[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return Array.from({ length: 10 }, (_, n) => view.getUint32(14 + 4 * n, true));
}

/** A frame with room for ten stamps. */
export const blank = (): Uint8Array => new Uint8Array(64);

const DEBIAN = "/usr/lib/x86_64-linux-gnu/bpf/xdp-dispatcher.o";

/** The dispatchers that every test of them runs with. */
export const DISPATCHERS: readonly { readonly name: string; readonly options: Pick<XdpHost, "dispatcher"> }[] = [
  { name: "our own dispatcher", options: {} },
  ...(existsSync(DEBIAN) ? [{ name: "libxdp's dispatcher", options: { dispatcher: readFileSync(DEBIAN) } }] : []),
];
if (DISPATCHERS.length < 2) console.log(`libxdp's dispatcher is skipped: there is no ${DEBIAN} (package libxdp1)`);
