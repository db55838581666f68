/**
 * A random program on skep and on Linux: r0, the packet and the maps afterwards.
 *
 * Where they differ, each runs it again with other maps, another stack and, on skep, at another time: what is not the same
 * then (addresses, clocks, stack that was never written) is not decided by the program, and not held against skep.
 */
import { BPF_MAP_TYPE_RINGBUF } from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import { toHex } from "../../src/bytes/hex.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { LinuxBpf } from "../../src/node/linux/index.ts";
import { type FuzzCase, Random, resolved } from "../fuzz/case.ts";
import { MAPS } from "../fuzz/generate.ts";
import { contents } from "./map_ops.ts";

/** Runs the body with this thread on CPU 0 alone, the number of the CPU that programs of skep see. */
export function onFirstCpu<T>({ sys }: LinuxBpf, body: () => T): T {
  const set = (mask: Uint8Array) => {
    sys.keep = [mask];
    sys.must("CPU 0", "sched_setaffinity", 0, mask.length, sys.addressOf(mask));
  };
  set(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  try {
    return body();
  } finally {
    set(new Uint8Array(128).fill(0xff));
  }
}

/** undefined: the kernel did not take the program. */
export function outcome(
  bpf: Bpf,
  c: FuzzCase,
  inputSeed: number,
  runs: number,
  beforeRun?: () => void,
): string[] | undefined {
  const maps: Fd[] = MAPS.map((m) =>
    bpf.mapCreate({ mapType: m.type, keySize: m.key, valueSize: m.value, maxEntries: m.max, mapFlags: m.flags ?? 0 }),
  );
  const open = [...maps];
  try {
    let prog: Fd;
    try {
      const insns = resolved(c, maps);
      prog = bpf.progLoad({ progType: c.progType, insns, license: "GPL", progFlags: c.flags, logLevel: 4 }).fd;
    } catch (e) {
      if (e instanceof BpfError) return undefined;
      throw e;
    }
    open.push(prog);
    const rng = new Random(inputSeed);
    const out: string[] = [];
    for (let i = 0; i < runs; i++) {
      const dataIn = Uint8Array.from({ length: 14 + rng.below(120) }, () => rng.u32());
      beforeRun?.();
      out.push(testRun(bpf, prog, dataIn, i % 2 === 0 ? "jit" : "interp"));
    }
    for (const [i, m] of MAPS.entries()) {
      if (m.type === BPF_MAP_TYPE_RINGBUF) continue;
      out.push(`map ${i}: ${contents(bpf, maps[i], { mapType: m.type, keySize: m.key, valueSize: m.value })}`);
    }
    return out;
  } finally {
    for (const fd of open) bpf.close(fd);
  }
}

/** A refusal is a result, too: a packet that says IPv4 and is too short for it is EINVAL. */
function testRun(bpf: Bpf, prog: Fd, dataIn: Uint8Array, engine: "jit" | "interp"): string {
  try {
    const { retval, dataOut } = bpf.progTestRun(prog, { dataIn, engine });
    return `r0 ${retval} packet ${toHex(dataOut)}`;
  } catch (e) {
    if (e instanceof BpfError) return `errno ${e.errno}`;
    throw e;
  }
}

export type Comparison =
  | { readonly kind: "refused" | "verdict" | "unstable" | "same" }
  | { readonly kind: "different"; readonly skep: string; readonly linux: string };

/** Other times that skep is asked at: even one bit that is cut out of a time is another at one of them. */
const TIMES = 16;

export function compareRuns(skep: Process, linux: Bpf, c: FuzzCase, inputSeed: number, runs: number): Comparison {
  const ours = outcome(skep, c, inputSeed, runs);
  // a verdict that differs is the verifier's fuzzer's business
  if (!ours) return { kind: "refused" };
  const theirs = outcome(linux, c, inputSeed, runs);
  if (!theirs) return { kind: "verdict" };
  const at = ours.findIndex((line, i) => line !== theirs[i]);
  if (at < 0) return { kind: "same" };
  const again = elsewhere(linux, c, inputSeed, runs);
  if (again?.some((line, i) => line !== theirs[i])) return { kind: "unstable" };
  const rng = new Random(inputSeed);
  for (let n = 0; n < TIMES; n++) {
    skep.kernel.advance((BigInt(rng.u32() >>> 2) << 32n) | BigInt(rng.u32()));
    const later = elsewhere(skep, c, inputSeed, runs);
    if (later?.some((line, i) => line !== ours[i])) return { kind: "unstable" };
  }
  return { kind: "different", skep: ours[at], linux: theirs[at] };
}

/** Sign-extended to 64 bits, no byte of it is 0, which skep's stack holds where nothing was written. */
const DIRT = -0x5a5a5a5b;

/** Once more, with other memory handed out before and another program's leavings on the stack. */
function elsewhere(bpf: Bpf, c: FuzzCase, inputSeed: number, runs: number): string[] | undefined {
  const held = MAPS.map((m) =>
    bpf.mapCreate({ mapType: m.type, keySize: m.key, valueSize: m.value, maxEntries: m.max, mapFlags: m.flags ?? 0 }),
  );
  const stores = Array.from({ length: 64 }, (_, i) => `*(u64 *)(r10 - ${8 * (i + 1)}) = ${DIRT}`);
  const insns = encode(assemble(`${stores.join("\n")}\nr0 = 0\nexit`).insns);
  const dirt = bpf.progLoad({ progType: c.progType, insns, license: "GPL" }).fd;
  try {
    return outcome(bpf, c, inputSeed, runs, () => bpf.progTestRun(dirt, { dataIn: new Uint8Array(64) }));
  } finally {
    for (const fd of [...held, dirt]) bpf.close(fd);
  }
}
