/** A kernel for one test, programs from assembler text, and the check that nothing is left. */
import { BPF_PROG_TYPE_XDP, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd, ProgLoadAttr } from "../../src/kernel/bpf.ts";
import { checkReferences } from "../../src/kernel/holders.ts";
import type { KernelOptions } from "../../src/kernel/kernel.ts";
import type { Process } from "../../src/kernel/process.ts";
import { createKernel, type NetKernel } from "../../src/net/create.ts";

/** Runs the body with a fresh kernel and process; afterwards the process exits and the kernel must be empty. */
export function withKernel(body: (kernel: NetKernel, proc: Process) => void, options: KernelOptions = {}): void {
  const kernel = createKernel({ random: () => 7, ...options });
  const proc = kernel.spawn();
  body(kernel, proc);
  checkReferences(kernel);
  kernel.shutdown();
  kernel.assertEmpty();
}

export interface ProgOptions extends Partial<Omit<ProgLoadAttr, "insns">> {
  /** By name in `map[name]`. */
  readonly maps?: Readonly<Record<string, Fd>>;
}

/** Loads a program; by default XDP, GPL. */
export function load(proc: Pick<Bpf, "progLoad">, asm: string, options: ProgOptions = {}): Fd {
  const { maps = {}, ...attr } = options;
  const { insns } = assemble(asm, {
    symbol: (name, kind) => {
      const fd = maps[name];
      if (fd === undefined) return undefined;
      return { src: kind === "map_value" ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD, imm: fd };
    },
  });
  return proc.progLoad({ progType: BPF_PROG_TYPE_XDP, license: "GPL", ...attr, insns: encode(insns) }).fd;
}

export function u32(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

export function u64(...words: bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

/** An Ethernet frame of n bytes whose payload counts up. */
export function frame(n = 60): Uint8Array {
  const out = Uint8Array.from({ length: n }, (_, i) => i);
  out.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45], 0);
  return out;
}
