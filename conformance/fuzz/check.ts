/**
 * What skep makes of one fuzzed program: its verdict, and when it accepts, whether the program keeps to what was claimed, on
 * several inputs, and whether both engines agree.
 *
 * One kernel serves all programs: the maps exist once, are filled anew before each run, and each program is closed at once.
 * It gives up on a program after BUDGET_INSNS instructions, where Linux goes on to a million: nothing is said about those.
 */
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import type { Btf } from "../../src/btf/btf.ts";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { SKB, XDP } from "../../src/helpers/packet_layout.ts";
import { RunFault } from "../../src/interp/image.ts";
import type { Interp } from "../../src/interp/interp.ts";
import { decode } from "../../src/isa/codec.ts";
import { type Fd, VerifierError } from "../../src/kernel/bpf.ts";
import type { KMap } from "../../src/kernel/map.ts";
import type { Process } from "../../src/kernel/process.ts";
import type { Prog } from "../../src/kernel/prog.ts";
import { MAP_RECORD, RING } from "../../src/maps/record.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";
import { Skb } from "../../src/net/skb.ts";
import { XdpBuff } from "../../src/net/xdp_buff.ts";
import { Claims } from "../../src/verifier/claims.ts";
import { ALL_CAPS, type Caps } from "../../src/verifier/platform.ts";
import { linux618 } from "../../src/verifier/profile.ts";
import { verify } from "../../src/verifier/verify.ts";
import { type FuzzCase, type FuzzMap, Random, resolved } from "./case.ts";
import { Breach, type Surroundings, Watch } from "./watch.ts";

export interface Outcome {
  /** 0: accepted. */
  readonly errno: number;
  /** The verifier's last words. */
  readonly msg: string;
  /** Of CPU time. */
  readonly verifyMs: number;
  readonly insnsProcessed: number;
  /** The verifier gave up at BUDGET_INSNS: neither accepted nor refused. */
  readonly overBudget: boolean;
  /** Something that must not happen: a breach, a crash, engines that differ. */
  readonly failure?: string;
  /** Runs made, instructions executed, and of these how many had claims to hold. */
  readonly runs: number;
  readonly steps: number;
  readonly checked: number;
}

/** Instructions that a verification may walk; so many take a fraction of the second that a program may need (CAP_MS in run.ts). */
export const BUDGET_INSNS = 100_000;

const NO_PERFMON: Caps = { ...ALL_CAPS, perfmon: false, sysAdmin: false };
/** Context types that can be run here. */
const XDP_CTX_BYTES = 24;
const SKB_CTX_BYTES = 192;
const SKB_TYPES: ReadonlySet<number> = new Set([
  abi.BPF_PROG_TYPE_SOCKET_FILTER,
  abi.BPF_PROG_TYPE_SCHED_CLS,
  abi.BPF_PROG_TYPE_SCHED_ACT,
  abi.BPF_PROG_TYPE_CGROUP_SKB,
]);
const L2_TYPES: ReadonlySet<number> = new Set([abi.BPF_PROG_TYPE_SCHED_CLS, abi.BPF_PROG_TYPE_SCHED_ACT]);
const MAX_STEPS = 3000;
const HASH_KEYS = 4;
/** More than all frames of a run take. */
const STACK_BYTES = 8192;
const PLAIN_MAPS: ReadonlySet<number> = new Set([
  abi.BPF_MAP_TYPE_ARRAY,
  abi.BPF_MAP_TYPE_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_LRU_HASH,
]);

/** What a run leaves: r0 (undefined when it was cut off), packet and maps. */
interface Left {
  readonly r0: bigint | undefined;
  readonly after: string;
}

interface Context {
  readonly around: Omit<Surroundings, "mapValues">;
  bytes(): Uint8Array;
  free(): void;
}

export class Checker {
  readonly #kernel: NetKernel;
  readonly #proc: Process;
  readonly #plain: Process;
  readonly #fds: Fd[];
  readonly #plainFds: Fd[];
  #random = new Random(0);

  /** @param kernelBtf default: the built-in one */
  constructor(maps: readonly FuzzMap[], kernelBtf?: Btf) {
    const platform = linux618(kernelBtf ?? builtinBtf());
    this.#kernel = createKernel({
      random: () => this.#random.u32(),
      clock: () => 1_000_000_007n,
      platform: { ...platform, limits: { ...platform.limits, insns: BUDGET_INSNS } },
    });
    this.#proc = this.#kernel.spawn();
    this.#plain = this.#kernel.spawn({ caps: NO_PERFMON });
    this.#fds = maps.map((m) =>
      this.#proc.mapCreate({
        mapType: m.type,
        keySize: m.key,
        valueSize: m.value,
        maxEntries: m.max,
        mapFlags: m.flags ?? 0,
      }),
    );
    this.#plainFds = this.#fds.map((fd) => this.#proc.sendFd(fd, this.#plain));
  }

  check(c: FuzzCase, inputSeed: number, runs: number): Outcome {
    const [proc, fds] = c.noPerfmon ? [this.#plain, this.#plainFds] : [this.#proc, this.#fds];
    const insns = resolved(c, fds);
    const none = { runs: 0, steps: 0, checked: 0 };
    const start = process.cpuUsage();
    const elapsedMs = () => {
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    };
    let fd: Fd;
    let insnsProcessed = 0;
    try {
      const loaded = proc.progLoad({ progType: c.progType, insns, license: "GPL", progFlags: c.flags, name: "fuzz" });
      fd = loaded.fd;
      insnsProcessed = loaded.stats?.insnsProcessed ?? 0;
    } catch (e) {
      const verifyMs = elapsedMs();
      if (e instanceof VerifierError) {
        insnsProcessed = e.stats?.insnsProcessed ?? 0;
        const overBudget = insnsProcessed > BUDGET_INSNS;
        return { errno: e.errno, msg: lastWords(e.log), verifyMs, insnsProcessed, overBudget, ...none };
      }
      const refused = { verifyMs, insnsProcessed, overBudget: false, ...none };
      if (e instanceof BpfError) return { errno: e.errno, msg: e.message, ...refused };
      return { errno: -1, msg: "", failure: `crash of the verifier: ${trace(e)}`, ...refused };
    }
    const accepted = { errno: 0, msg: "", verifyMs: elapsedMs(), insnsProcessed, overBudget: false };
    const prog = proc.progAt(fd);
    const counts = { runs: 0, steps: 0, checked: 0 };
    try {
      if (runs > 0 && (c.progType === abi.BPF_PROG_TYPE_XDP || SKB_TYPES.has(c.progType))) {
        this.#runAll(c, prog, proc, insns, inputSeed, runs, counts);
      }
      return { ...accepted, ...counts };
    } catch (e) {
      return {
        ...accepted,
        ...counts,
        failure: e instanceof Breach || e instanceof RunFault ? e.message : `crash: ${trace(e)}`,
      };
    } finally {
      proc.close(fd);
    }
  }

  #claims(c: FuzzCase, proc: Process, insns: Uint8Array): Claims | undefined {
    const claims = new Claims();
    try {
      verify({
        name: "fuzz",
        insns: decode(insns),
        progType: c.progType,
        expectedAttachType: 0,
        license: "GPL",
        progFlags: c.flags,
        platform: this.#kernel.platform,
        caps: proc.caps,
        mapByFd: (fd) => proc.findMap(fd as Fd),
        claims,
      });
      return claims;
    } catch (e) {
      // taking every scalar for precise can make a program too complex
      if (e instanceof VerifierError) return undefined;
      throw e;
    }
  }

  #runAll(
    c: FuzzCase,
    prog: Prog,
    proc: Process,
    insns: Uint8Array,
    inputSeed: number,
    runs: number,
    counts: { runs: number; steps: number; checked: number },
  ): void {
    const maps = prog.verified.usedMaps as readonly KMap[];
    const claims = this.#claims(c, proc, insns);
    const interp = prog.runnable("interp") as Interp;
    // made before the first run, so that every run finds the same free memory: addresses are numbers that programs see
    const jit = prog.runnable("jit");
    const mapValues = maps
      .filter((m) => m.type === abi.BPF_MAP_TYPE_ARRAY && m.valueAddr !== 0)
      .map((m) => [m.valueAddr, m.valueSize * m.maxEntries] as const);
    for (let n = 0; n < runs; n++) {
      const seed = inputSeed + 7919 * n;
      const watch = () =>
        this.#run(c, maps, seed, (around) => {
          const result = new Watch(interp, claims, { ...around, mapValues }).run(MAX_STEPS);
          counts.steps += result.steps;
          counts.checked += result.checked;
          return result.ended ? result.r0 : undefined;
        });
      const compiled = () =>
        this.#run(c, maps, seed, (around) => {
          const lo = jit.run(around.ctx) >>> 0;
          const { memory } = this.#kernel;
          return (BigInt(memory.readU32(memory.cpuCtx + CPU_CTX.retHi)) << 32n) | BigInt(lo);
        });
      const a = watch();
      counts.runs++;
      if (a.r0 === undefined) continue;
      const b = compiled();
      if (a.r0 === b.r0 && a.after === b.after) continue;
      // what a program does with addresses may differ from run to run, since elements of a hash move
      const same = (x: Left, y: Left) => x.r0 === y.r0 && x.after === y.after;
      if (!same(b, compiled()) || !same(a, watch())) continue;
      if (a.r0 !== b.r0) {
        throw new Breach(0, `r0 is 0x${a.r0.toString(16)} in the interpreter, 0x${b.r0?.toString(16)} compiled`);
      }
      throw new Breach(0, "interpreter and compiled code leave different memory");
    }
  }

  /** One run over fresh maps and a fresh packet: r0, and what packet and maps are afterwards. */
  #run(
    c: FuzzCase,
    maps: readonly KMap[],
    seed: number,
    body: (around: Omit<Surroundings, "mapValues">) => bigint | undefined,
  ): Left {
    this.#random = new Random(seed);
    for (const map of maps) this.#fill(map);
    // a program with CAP_PERFMON may read stack that it never wrote
    const { memory } = this.#kernel;
    memory.fill(memory.readU32(memory.cpuCtx + CPU_CTX.stackTop) - STACK_BYTES, 0, STACK_BYTES);
    const ctx = this.#context(c.progType, packetLengths(c));
    try {
      const r0 = this.#kernel.running(() => body(ctx.around));
      return { r0, after: [ctx.bytes(), ...maps.flatMap((m) => this.#contents(m))].join(" ") };
    } finally {
      ctx.free();
    }
  }

  #bytes(n: number): Uint8Array {
    const rng = this.#random;
    const out = new Uint8Array(n);
    const view = new DataView(out.buffer);
    for (let at = 0; at < n; at++) {
      if (at % 8 === 0 && at + 8 <= n && rng.chance(0.8)) {
        const small = BigInt(rng.imm());
        view.setBigInt64(at, rng.chance(0.25) ? (small << 32n) | BigInt(rng.u32()) : small, true);
        at += 7;
      } else out[at] = rng.imm();
    }
    return out;
  }

  #fill(map: KMap): void {
    const { memory } = this.#kernel;
    if (map.type === abi.BPF_MAP_TYPE_RINGBUF) {
      const ring = memory.readU32(map.addr + MAP_RECORD.private);
      for (const at of [RING.pending, RING.consumer, RING.producer]) memory.writeU64(ring + at, 0n);
      // records begin with what the last ones left
      memory.fill(ring + RING.data, 0, 2 * map.maxEntries);
      return;
    }
    if (!PLAIN_MAPS.has(map.type)) return;
    const hashed = map.type !== abi.BPF_MAP_TYPE_ARRAY && map.type !== abi.BPF_MAP_TYPE_PERCPU_ARRAY;
    if (hashed) for (const key of this.#keys(map)) map.map.delete(key);
    for (let n = 0; n < Math.min(HASH_KEYS, map.maxEntries); n++) {
      const key = new Uint8Array(map.keySize);
      key[0] = n;
      map.map.update(key, this.#bytes(map.map.sysValueSize), 0);
    }
  }

  #keys(map: KMap): Uint8Array[] {
    const keys: Uint8Array[] = [];
    for (let key = map.map.getNextKey(undefined); key; key = map.map.getNextKey(key)) {
      keys.push(key);
      if (keys.length > 64) break;
    }
    return keys;
  }

  #contents(map: KMap): string[] {
    if (!PLAIN_MAPS.has(map.type)) return [];
    return this.#keys(map).map((key) => `${key}=${map.map.lookup(key)}`);
  }

  #context(progType: number, lengths: readonly number[]): Context {
    const rng = this.#random;
    const { memory } = this.#kernel;
    const length = lengths.length && rng.chance(0.6) ? rng.pick(lengths) : 14 + rng.below(rng.chance(0.5) ? 40 : 120);
    const packet = this.#bytes(length);
    if (progType === abi.BPF_PROG_TYPE_XDP) {
      const metaBytes = rng.chance(0.2) ? 4 : 0;
      const buff = new XdpBuff(memory, packet, { metaBytes, ingressIfindex: 1, rxQueueIndex: rng.below(4) });
      return {
        around: {
          progType,
          ctx: buff.addr,
          ctxBytes: XDP_CTX_BYTES,
          data: XDP.data,
          dataEnd: XDP.dataEnd,
          dataMeta: XDP.dataMeta,
        },
        bytes: () => buff.bytes(),
        free: () => buff.free(),
      };
    }
    const skb = new Skb(memory, packet, { ifindex: 1, l2: L2_TYPES.has(progType) });
    for (const at of [8, 32, 44, 48, 52, 56, 60, 64]) memory.writeU32(skb.addr + at, rng.imm() >>> 0);
    return {
      around: {
        progType,
        ctx: skb.addr,
        ctxBytes: SKB_CTX_BYTES,
        data: SKB.data,
        dataEnd: SKB.dataEnd,
        dataMeta: SKB.dataMeta,
      },
      bytes: () => skb.bytes(),
      free: () => skb.free(),
    };
  }
}

/** Lengths that the program may compare data_end with: what it adds to pointers. */
function packetLengths({ insns }: FuzzCase): number[] {
  const out: number[] = [];
  const view = new DataView(insns.buffer, insns.byteOffset);
  for (let at = 0; at < insns.length; at += 8) {
    const imm = view.getInt32(at + 4, true);
    if (insns[at] === 0x07 && imm >= 14 && imm < 200) out.push(imm);
  }
  return out;
}

export function lastWords(log: string): string {
  const lines = log.split("\n").filter((l) => l.trim() && !/^(processed |verification time|stack depth)/.test(l));
  return lines.at(-1) ?? "";
}

function trace(e: unknown): string {
  return e instanceof Error ? (e.stack?.split("\n").slice(0, 5).join(" | ") ?? e.message) : String(e);
}
