/**
 * Tables of programs and what the verifier must say to them, in the manner of the kernel's selftests:
 *
 *     verifierTests("ringbuf", [
 *       { name: "record is not released", asm: "...", maps: { rb: [27, 0, 0, 4096] }, failure: "Unreleased reference" },
 *       { name: "...", asm: "...", retval: 7 },
 *     ]);
 *
 * A case with `failure` must be refused with that errno and with words that contain it; any other must be accepted, and with
 * `retval` it must return that on both engines. Where bpf(2) is permitted, Linux 6.18 must do the same.
 */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { BPF_PROG_TYPE_XDP, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../../src/abi/bpf.ts";
import { EACCES, errnoName } from "../../src/abi/errno.ts";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import type { EngineName } from "../../src/interp/image.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { VerifierError } from "../../src/kernel/bpf.ts";
import { createKernel } from "../../src/net/create.ts";
import { ALL_CAPS, type Caps } from "../../src/verifier/platform.ts";
import { whyNotLinux } from "./progs.ts";

export interface MapCase {
  readonly type: number;
  readonly key: number;
  readonly value: number;
  readonly max: number;
  /** BPF_F_*. */
  readonly flags?: number;
  /** Hex of the value at key 0. */
  readonly init?: string | undefined;
  readonly frozen?: boolean;
}

export interface VerifierCase {
  readonly name: string;
  readonly asm: string;
  /** Default XDP. */
  readonly progType?: number;
  readonly expectedAttachType?: number;
  readonly flags?: number;
  readonly license?: string;
  /** By name in `map[name]` and `map_value[name]`. */
  readonly maps?: Readonly<Record<string, MapCase>>;
  /** Part of what the verifier says when it refuses. */
  readonly failure?: string;
  /** Of the refusal; default EACCES. */
  readonly errno?: number;
  readonly retval?: number;
  /** Hex; default 64 zero bytes. */
  readonly dataIn?: string;
  /** CAP_BPF and CAP_NET_ADMIN only: pointers must not leak, guesses of the CPU count. */
  readonly noPerfmon?: boolean;
  /** Why Linux is not asked. */
  readonly notLinux?: string;
}

const script = new URL("linux_progs.py", import.meta.url).pathname;
const NO_PERFMON: Caps = { ...ALL_CAPS, perfmon: false, sysAdmin: false };
const PACKET = "00".repeat(64);

interface Assembled {
  readonly bytes: Uint8Array;
  /** Instruction and number of the map. */
  readonly mapRefs: readonly (readonly [number, number])[];
}

function build(c: VerifierCase): Assembled {
  const names = Object.keys(c.maps ?? {});
  const { insns } = assemble(c.asm, {
    symbol: (name, kind) => {
      const imm = names.indexOf(name);
      return imm < 0 ? undefined : { src: kind === "map_value" ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD, imm };
    },
  });
  const mapRefs: [number, number][] = [];
  insns.code.forEach((code, i) => {
    if (code === 0x18 && (insns.src[i] === BPF_PSEUDO_MAP_FD || insns.src[i] === BPF_PSEUDO_MAP_VALUE))
      mapRefs.push([i, insns.imm[i]]);
  });
  return { bytes: encode(insns), mapRefs };
}

interface Said {
  readonly errno: number;
  readonly log: string;
  /** One per engine. */
  readonly retvals: readonly number[];
}

/** What skep says and computes. */
export function askSkep(c: VerifierCase): Said {
  const [interp, jit] = [ask(c, "interp"), ask(c, "jit")];
  return { ...interp, retvals: [...interp.retvals, ...jit.retvals] };
}

/** A kernel of its own for each engine: what one run leaves in the maps is nothing to the other. */
function ask(c: VerifierCase, engine: EngineName): Said {
  const kernel = createKernel({ random: () => 7 });
  const proc = kernel.spawn();
  const fds = Object.entries(c.maps ?? {}).map(([name, m]) => {
    const fd = proc.mapCreate({
      mapType: m.type,
      keySize: m.key,
      valueSize: m.value,
      maxEntries: m.max,
      mapFlags: m.flags ?? 0,
      name,
    });
    if (m.init !== undefined) proc.mapUpdateElem(fd, new Uint8Array(m.key), fromHex(m.init));
    if (m.frozen) proc.mapFreeze(fd);
    return fd;
  });
  const { bytes, mapRefs } = build(c);
  const insns = bytes.slice();
  for (const [at, n] of mapRefs) new DataView(insns.buffer).setInt32(at * 8 + 4, fds[n], true);
  const loader = c.noPerfmon ? kernel.spawn({ caps: NO_PERFMON }) : proc;
  const here = loader === proc ? fds : fds.map((fd) => proc.sendFd(fd, loader));
  for (const [at, n] of mapRefs) new DataView(insns.buffer).setInt32(at * 8 + 4, here[n], true);
  let fd: Fd;
  try {
    ({ fd } = loader.progLoad({
      progType: c.progType ?? BPF_PROG_TYPE_XDP,
      expectedAttachType: c.expectedAttachType ?? 0,
      progFlags: c.flags ?? 0,
      license: c.license ?? "GPL",
      insns,
    }));
  } catch (e) {
    if (!(e instanceof VerifierError)) throw e;
    return { errno: e.errno, log: e.log, retvals: [] };
  }
  if (c.retval === undefined) return { errno: 0, log: "", retvals: [] };
  const dataIn = fromHex(c.dataIn ?? PACKET);
  return { errno: 0, log: "", retvals: [loader.progTestRun(fd, { dataIn, engine }).retval] };
}

/** What the running Linux says. */
export function askLinuxVerifier(cases: readonly VerifierCase[]): Said[] {
  const input = cases.map((c) => {
    const { bytes, mapRefs } = build(c);
    return {
      type: c.progType ?? BPF_PROG_TYPE_XDP,
      expectedAttachType: c.expectedAttachType ?? 0,
      flags: c.flags ?? 0,
      license: c.license ?? "GPL",
      insns: toHex(bytes),
      maps: Object.values(c.maps ?? {}).map((m) => [m.type, m.key, m.value, m.max, m.flags ?? 0, m.init, m.frozen]),
      mapRefs,
      log: true,
      noPerfmon: c.noPerfmon,
      runs: c.retval === undefined ? [] : [{ dataIn: c.dataIn ?? PACKET }],
    };
  });
  const text = execFileSync("python3", [script], { input: JSON.stringify(input), encoding: "utf8" });
  return (JSON.parse(text) as { errno: number; log?: string; runs: { retval: number }[] }[]).map((o) => ({
    errno: o.errno,
    log: o.log ?? "",
    retvals: o.runs.map((r) => r.retval),
  }));
}

function hold(c: VerifierCase, said: Said): void {
  if (c.failure === undefined) {
    expect(said.errno, said.log).toBe(0);
    expect(said.retvals).toEqual(said.retvals.map(() => c.retval));
    return;
  }
  expect(said.errno === 0 ? "accepted" : said.log).toContain(c.failure);
  expect(errnoName(said.errno)).toBe(errnoName(c.errno ?? EACCES));
}

export function verifierTests(name: string, cases: readonly VerifierCase[]): void {
  describe(name, () => {
    for (const c of cases) it(c.name, () => hold(c, askSkep(c)));

    const whyNot = whyNotLinux();
    const asked = cases.filter((c) => c.notLinux === undefined);
    it.skipIf(whyNot !== undefined)(`${whyNot ?? "the running Linux"} agrees`, () => {
      const said = askLinuxVerifier(asked);
      asked.forEach((c, i) => {
        try {
          hold(c, said[i]);
        } catch (e) {
          throw new Error(`${c.name}: ${(e as Error).message}`);
        }
      });
    });
  });
}
