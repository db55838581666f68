/**
 * Tables of programs that are run on both engines and compared with what Linux 6.18 did.
 *
 * A table's record (JSON beside the test) holds Linux's answers; where bpf(2) is permitted, the running kernel is asked too
 * and must agree with the record. SKEP_RECORD=1 records anew.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { describe, expect, it } from "vitest";
import { BPF_PSEUDO_MAP_FD } from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import type { EngineName } from "../../src/interp/image.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd, TestRunAttr } from "../../src/kernel/bpf.ts";
import type { KernelOptions } from "../../src/kernel/kernel.ts";
import { createKernel } from "../../src/net/create.ts";
import { withLinux } from "./kernels.ts";

export interface RunCase {
  /** Hex. */
  readonly dataIn?: string;
  readonly ctxIn?: string;
  readonly dataSizeOut?: number;
  readonly ctxSizeOut?: number;
  readonly repeat?: number;
  readonly flags?: number;
  readonly cpu?: number;
  readonly batchSize?: number;
  /** No output buffers: types that refuse them. */
  readonly plain?: boolean;
}

export interface ProgCase {
  readonly name: string;
  readonly type: number;
  readonly asm: string;
  readonly license?: string;
  readonly expectedAttachType?: number;
  readonly flags?: number;
  /** By name in `r1 = map[name] ll`: type, key size, value size, max entries. */
  readonly maps?: Readonly<Record<string, readonly [number, number, number, number]>>;
  readonly runs: readonly RunCase[];
  /** Why Linux is not asked: the result is not the same in every run, or the case is about skep alone. */
  readonly notLinux?: string;
  /** Wanted in the first run beside what Linux says. */
  readonly retval?: number;
}

export interface Outcome {
  readonly errno: number;
  readonly runs: readonly {
    readonly errno: number;
    readonly retval?: number;
    readonly dataOut?: string;
    readonly ctxOut?: string;
  }[];
}

const script = new URL("linux_progs.py", import.meta.url).pathname;

interface Assembled {
  readonly bytes: Uint8Array;
  /** Instruction and number of the map. */
  readonly mapRefs: readonly (readonly [number, number])[];
}

export function build(c: Pick<ProgCase, "asm" | "maps">): Assembled {
  const names = Object.keys(c.maps ?? {});
  const { insns } = assemble(c.asm, {
    symbol: (name) => ({ src: BPF_PSEUDO_MAP_FD, imm: names.indexOf(name) }),
  });
  const mapRefs: [number, number][] = [];
  insns.code.forEach((code, i) => {
    if (code === 0x18 && insns.src[i] === BPF_PSEUDO_MAP_FD) mapRefs.push([i, insns.imm[i]!]);
  });
  return { bytes: encode(insns), mapRefs };
}

export function askLinux(cases: readonly ProgCase[]): Outcome[] {
  const input = cases.map((c) => {
    const { bytes, mapRefs } = build(c);
    const { asm: _, name: _n, maps, ...rest } = c;
    return { ...rest, insns: toHex(bytes), maps: Object.values(maps ?? {}), mapRefs };
  });
  const text = execFileSync("python3", [script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return (JSON.parse(text) as Outcome[]).map(brief);
}

/** Long outputs by their hash, to keep records small. */
function brief(o: Outcome): Outcome {
  const short = (hex: string | undefined) =>
    hex === undefined || hex.length <= 160
      ? hex
      : `${hex.length / 2} bytes ${createHash("sha256").update(hex).digest("hex").slice(0, 16)}`;
  return {
    ...o,
    runs: o.runs.map((r) => ({
      ...r,
      ...(r.dataOut === undefined ? {} : { dataOut: short(r.dataOut)! }),
      ...(r.ctxOut === undefined ? {} : { ctxOut: short(r.ctxOut)! }),
    })),
  };
}

/** Why the running kernel cannot be asked, or undefined. */
export function whyNotLinux(): string | undefined {
  if (!/^6\.18\./.test(release())) return `kernel ${release()}, wanted 6.18`;
  try {
    const [answer] = askLinux([{ name: "probe", type: 6, asm: "r0 = 2\nexit", runs: [] }]);
    return answer?.errno === 0 ? undefined : "bpf(2) is not permitted";
  } catch {
    return "no python3";
  }
}

const errnoOf = (body: () => { retval: number; dataOut: Uint8Array; ctxOut: Uint8Array }): Outcome["runs"][number] => {
  try {
    const r = body();
    return { errno: 0, retval: r.retval, dataOut: toHex(r.dataOut), ctxOut: toHex(r.ctxOut) };
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    const { retval, dataOut } = error.context as { retval?: number; dataOut?: Uint8Array };
    if (error.errno !== 28) return { errno: error.errno };
    return { errno: error.errno, retval: retval ?? 0, dataOut: toHex(dataOut ?? new Uint8Array()), ctxOut: "" };
  }
};

/** One case on skep; the kernel must be empty afterwards. */
export function runSkep(c: ProgCase, engine: EngineName, options: KernelOptions = {}): Outcome {
  const kernel = createKernel({ engine, ...options });
  const proc = kernel.spawn();
  try {
    return runOn(proc, c);
  } finally {
    proc.exit();
    kernel.assertEmpty();
  }
}

/** One case on any kernel. */
export function runOn(bpf: Bpf, c: ProgCase): Outcome {
  const { bytes, mapRefs } = build(c);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const fds: Fd[] = Object.values(c.maps ?? {}).map(([mapType, keySize, valueSize, maxEntries]) =>
    bpf.mapCreate({ mapType, keySize, valueSize, maxEntries }),
  );
  for (const [at, n] of mapRefs) view.setInt32(at * 8 + 4, fds[n]!, true);
  let fd: Fd;
  try {
    fd = bpf.progLoad({
      progType: c.type,
      insns: bytes,
      license: c.license ?? "GPL",
      expectedAttachType: c.expectedAttachType ?? 0,
      progFlags: c.flags ?? 0,
      name: "t",
      logLevel: 1,
    }).fd;
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    return { errno: error.errno, runs: [] };
  }
  const runs = c.runs.map(({ dataIn, ctxIn, plain: _, ...rest }) => {
    const attr: TestRunAttr = {
      ...rest,
      ...(dataIn === undefined ? {} : { dataIn: fromHex(dataIn) }),
      ...(ctxIn === undefined ? {} : { ctxIn: fromHex(ctxIn) }),
    };
    return errnoOf(() => bpf.progTestRun(fd, attr));
  });
  return brief({ errno: 0, runs });
}

/** Describes the table: every case on every engine equals the record. */
export function progTests(
  title: string,
  recordFile: URL,
  cases: readonly ProgCase[],
  options: KernelOptions = {},
): void {
  const asked = cases.filter((c) => c.notLinux === undefined);
  const reason = whyNotLinux();
  if (reason) console.log(`${title}: the running kernel is not asked: ${reason}`);
  if (process.env["SKEP_RECORD"] && !reason) {
    const lines = askLinux(asked).map((o, i) => `${JSON.stringify(asked[i]!.name)}: ${JSON.stringify(o)}`);
    writeFileSync(recordFile, `{\n${lines.join(",\n")}\n}\n`);
  }
  const record = existsSync(recordFile)
    ? (JSON.parse(readFileSync(recordFile, "utf8")) as Record<string, Outcome>)
    : {};
  describe(title, () => {
    for (const c of cases) {
      for (const engine of ["jit", "interp"] as const) {
        it(`${c.name} (${engine})`, () => {
          const ours = runSkep(c, engine, options);
          if (c.retval !== undefined) expect(ours.runs[0]).toMatchObject({ errno: 0, retval: c.retval });
          if (c.notLinux === undefined) expect(ours).toEqual(record[c.name]);
        });
      }
    }
    it.skipIf(reason)("the running kernel agrees with the record", () => {
      const now = askLinux(asked);
      asked.forEach((c, i) => {
        expect({ name: c.name, ...now[i] }).toEqual({ name: c.name, ...record[c.name] });
      });
    });
    it.skipIf(reason)("skep/linux on the running kernel agrees with the record", () => {
      for (const c of asked) {
        const now = withLinux((bpf) => runOn(bpf, c));
        expect({ name: c.name, ...now }).toEqual({ name: c.name, ...record[c.name] });
      }
    });
  });
}
