/** Small tracing programs that write down who ran, in order. */
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import * as abi from "../../src/abi/bpf.ts";
import { BTF_KIND_FUNC, BTF_KIND_TYPEDEF } from "../../src/btf/kinds.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { load, type ProgOptions, u32 } from "./kernel.ts";

/** One u64 that the programs of a journal shift by a hex digit for each run; `extra` computes r0 before, from r6 = ctx. */
export class Journal {
  readonly map: Fd;
  readonly #proc: Bpf;

  constructor(proc: Bpf) {
    this.#proc = proc;
    this.map = proc.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 64, maxEntries: 1 });
  }

  /**
   * A program that notes `digit`, then runs `then` (r0 is 0, r6 the context, r7 the journal's 64 bytes).
   * @param first  runs before the note, and may go to `out` with 0 in r0
   */
  prog(digit: number, options: ProgOptions, then = "", first = ""): Fd {
    const asm = `
      r6 = r1
      ${first}
      *(u32 *)(r10 - 4) = 0
      r1 = map[m] ll
      r2 = r10
      r2 += -4
      call map_lookup_elem
      if r0 == 0 goto out
      r7 = r0
      r1 = *(u64 *)(r7 + 0)
      r1 <<= 4
      r1 |= ${digit}
      *(u64 *)(r7 + 0) = r1
      r0 = 0
      ${then}
    out:
      exit`;
    return load(this.#proc, asm, { ...options, maps: { m: this.map } });
  }

  /** Digits in order, and forgets them. */
  take(): string {
    const value = this.#words();
    this.#proc.mapUpdateElem(this.map, u32(0), new Uint8Array(64));
    return value[0] === 0n ? "" : value[0]!.toString(16);
  }

  /** The nth u64 that programs left. */
  word(n: number): bigint {
    return this.#words()[n]!;
  }

  #words(): BigUint64Array {
    return new BigUint64Array(this.#proc.mapLookupElem(this.map, u32(0)).slice().buffer);
  }
}

/** A check for Journal.prog(): only in this thread. */
export function onlyIn(bpf: Bpf): string {
  return `
      call get_current_pid_tgid
      w1 = w0
      r0 = 0
      if r1 != ${tidOf(bpf)} goto out`;
}

/** Other threads of this process run other tests. */
function tidOf(bpf: Bpf): number {
  return "pid" in bpf ? (bpf.pid as number) : Number(basename(readlinkSync("/proc/thread-self")));
}

/** Options of a tracing program on a function of the kernel. */
export function on(kernel: Kernel, func: string, expectedAttachType: number): ProgOptions {
  const progType = expectedAttachType === abi.BPF_LSM_MAC ? abi.BPF_PROG_TYPE_LSM : abi.BPF_PROG_TYPE_TRACING;
  const kind = expectedAttachType === abi.BPF_TRACE_RAW_TP ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC;
  const attachBtfId = kernel.platform.btf!.byName(func, kind);
  if (!attachBtfId) throw new Error(`the kernel's BTF has no ${func}`);
  return { progType, expectedAttachType, attachBtfId };
}

export const KPROBE: ProgOptions = { progType: abi.BPF_PROG_TYPE_KPROBE };

export const RAW_TP: ProgOptions = { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT };

/** Of x86-64. */
export const NR_BPF = 321;

/** The process that the commands are of, on either kernel. */
export const pidOf = (bpf: Bpf): number => ("pid" in bpf ? (bpf.pid as number) : process.pid);

/** A small map to create. */
export const array = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };
