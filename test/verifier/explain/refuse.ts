/** Loads a program that must be refused, for its explanation. */
import { BPF_PROG_TYPE_XDP, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../../../src/abi/bpf.ts";
import { assemble } from "../../../src/isa/assemble.ts";
import { encode } from "../../../src/isa/codec.ts";
import { VerifierError } from "../../../src/kernel/bpf.ts";
import { Kernel } from "../../../src/kernel/kernel.ts";
import { ALL_CAPS } from "../../../src/verifier/platform.ts";

export interface Program {
  readonly asm: string;
  /** Default XDP. */
  readonly progType?: number;
  readonly license?: string;
  /** Name, type, key, value, entries. */
  readonly maps?: Readonly<Record<string, readonly [number, number, number, number]>>;
  /** Without CAP_PERFMON. */
  readonly noPerfmon?: boolean;
  /** Instructions that may be processed. */
  readonly limit?: number;
  readonly complexity?: boolean;
}

export function load(p: Program): VerifierError | undefined {
  const plain = new Kernel({});
  const { platform } = plain;
  const kernel = p.limit
    ? new Kernel({ platform: { ...platform, limits: { ...platform.limits, insns: p.limit } } })
    : plain;
  const proc = kernel.spawn(p.noPerfmon ? { caps: { ...ALL_CAPS, perfmon: false, sysAdmin: false } } : {});
  const fds = new Map(
    Object.entries(p.maps ?? {}).map(([name, [mapType, keySize, valueSize, maxEntries]]) => [
      name,
      proc.mapCreate({ mapType, keySize, valueSize, maxEntries, name }),
    ]),
  );
  const { insns } = assemble(p.asm, {
    symbol: (name, kind) => {
      const fd = fds.get(name);
      return fd === undefined
        ? undefined
        : { src: kind === "map_value" ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD, imm: fd };
    },
  });
  try {
    proc.progLoad({
      progType: p.progType ?? BPF_PROG_TYPE_XDP,
      license: p.license ?? "GPL",
      insns: encode(insns),
      name: "test",
      ...(p.complexity && { complexity: true }),
    });
    return undefined;
  } catch (e) {
    if (!(e instanceof VerifierError)) throw e;
    return e;
  } finally {
    // An explanation is made later, when fds are closed and maps are gone.
    proc.exit();
  }
}

export function refuse(p: Program): VerifierError {
  const e = load(p);
  if (!e) throw new Error("the program was accepted");
  return e;
}
