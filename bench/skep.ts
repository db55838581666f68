/** The bench's programs on skep's engines: maps and images made directly, so that only engines and maps are measured. */

import { HELPERS } from "../src/helpers/table.ts";
import type { EngineEnv } from "../src/interp/env.ts";
import type { CallTarget, ConstMap, ExecImage } from "../src/interp/image.ts";
import { loadInterp } from "../src/interp/interp.ts";
import { cloneInsns } from "../src/isa/codec.ts";
import { BPF_CALL, BPF_JMP } from "../src/isa/opcodes.ts";
import { type JitProgram, jit } from "../src/jit/jit.ts";
import { BpfMap } from "../src/maps/bpf_map.ts";
import { Memory } from "../src/memory/memory.ts";
import { type BenchProgram, packet } from "./programs.ts";

export interface Loaded {
  readonly name: string;
  /** ns per run, over `repeat` runs. */
  time(repeat: number): Promise<number>;
  retval(): Promise<number>;
}

export interface SkepLoaded extends Loaded {
  readonly compileMs: number;
}

/** One kernel's worth of memory with a packet and its context. */
export class Skep {
  readonly #memory = new Memory({ initialPages: 256 });
  readonly #env: EngineEnv;
  readonly #ctx: number;

  constructor() {
    const memory = this.#memory;
    this.#env = {
      rt: {
        memory,
        cpuCtx: memory.cpuCtx,
        nCpus: 1,
        ktimeNs: () => ({ lo: 0, hi: 0 }),
        random32: () => 4,
        printk: () => {},
        callback: () => 0,
        services: {} as EngineEnv["rt"]["services"],
      },
      resolveTailCall: () => undefined,
      current: undefined,
    };
    const bytes = packet();
    const data = memory.alloc(bytes.length);
    memory.writeBytes(data, bytes);
    // struct xdp_md
    this.#ctx = memory.alloc(24);
    memory.writeU32(this.#ctx, data);
    memory.writeU32(this.#ctx + 4, data + bytes.length);
    memory.writeU32(this.#ctx + 8, data);
  }

  loadJit(p: BenchProgram): SkepLoaded {
    const image = this.#image(p);
    const start = performance.now();
    const prog: JitProgram = jit(image, this.#env);
    const compileMs = performance.now() - start;
    return {
      name: p.name,
      compileMs,
      time: async (repeat) => nsPerRun(repeat, () => prog.runRepeat(this.#ctx, repeat)),
      retval: async () => prog.run(this.#ctx),
    };
  }

  loadInterp(p: BenchProgram): Loaded {
    const prog = loadInterp(this.#image(p), this.#env);
    return {
      name: p.name,
      time: async (repeat) =>
        nsPerRun(repeat, () => {
          for (let n = 0; n < repeat; n++) prog.run(this.#ctx);
        }),
      retval: async () => prog.run(this.#ctx),
    };
  }

  /** What verifier and kernel would make of the program; maps are its own. */
  #image(p: BenchProgram): ExecImage {
    const maps = p.maps.map((spec, n) => {
      const { keySize, valueSize, maxEntries, mapFlags: flags } = spec;
      const map = new BpfMap(this.#memory, { type: spec.type, keySize, valueSize, maxEntries, flags });
      const { keys, values } = p.elements[n];
      for (let k = 0, v = 0; k < keys.length; k += keySize, v += valueSize) {
        map.update(keys.subarray(k, k + keySize), values.subarray(v, v + valueSize));
      }
      return map;
    });
    const insns = cloneInsns(p.prog.insns);
    for (const reloc of p.prog.relocs) if (reloc.kind === "map") insns.imm[reloc.insnIdx] = maps[reloc.map].addr;
    const calls = new Map<number, CallTarget>();
    for (let i = 0; i < insns.length; i++) {
      if (insns.code[i] !== (BPF_JMP | BPF_CALL)) continue;
      // clang sets r1 shortly before the call
      const reloc = p.prog.relocs.findLast((r) => r.kind === "map" && r.insnIdx < i);
      const helper = HELPERS[insns.imm[i]];
      if (!helper) throw new Error(`${p.name}: helper ${insns.imm[i]}`);
      calls.set(i, reloc?.kind === "map" ? { helper, map: maps[reloc.map].constMap as ConstMap } : { helper });
    }
    const subprogs = p.prog.subprogs.map((s) => ({ ...s, stackDepth: 64 }));
    return { name: p.name, insns, subprogs, calls };
  }
}

/** CPU time, as Linux's test runs count it: on a busy machine the clock also counts other processes' turns. */
function nsPerRun(repeat: number, run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1e3) / repeat;
}
