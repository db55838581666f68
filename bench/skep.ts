/** The bench's programs on skep's engines: loaded and verified through the public API, then run inside WebAssembly. */
import { readFileSync } from "node:fs";
import type { Runnable } from "../src/interp/image.ts";
import type { JitProgram } from "../src/jit/jit.ts";
import type { Fd } from "../src/kernel/bpf.ts";
import { openObject } from "../src/loader/object.ts";
import { createKernel, type NetKernel } from "../src/net/create.ts";
import { type BenchProgram, packet } from "./programs.ts";

export interface Loaded {
  readonly name: string;
  /** ns per run, over `repeat` runs. */
  time(repeat: number): Promise<number>;
  retval(): Promise<number>;
}

export interface SkepLoaded {
  readonly jit: Loaded;
  readonly interp: Loaded;
  /** Relocation, map creation and verification. */
  readonly loadMs: number;
  /** From the verified program to the instance. */
  readonly compileMs: number;
}

/** One kernel with a packet and its context. */
export class Skep {
  readonly #kernel: NetKernel = createKernel();
  readonly #proc = this.#kernel.spawn();
  readonly #ctx: number;

  constructor() {
    const { memory } = this.#kernel;
    const bytes = packet();
    const data = memory.alloc(bytes.length);
    memory.writeBytes(data, bytes);
    // struct xdp_md
    this.#ctx = memory.alloc(24);
    memory.writeU32(this.#ctx, data);
    memory.writeU32(this.#ctx + 4, data + bytes.length);
    memory.writeU32(this.#ctx + 8, data);
  }

  load(p: BenchProgram): SkepLoaded {
    const object = openObject(readFileSync(p.file), { name: p.file });
    const loadMs = cpuNs(() => object.load(this.#proc)) / 1e6;
    p.maps.forEach((spec, n) => {
      this.#fill(object.maps[spec.name].fd, spec.keySize, spec.valueSize, p.elements[n]);
    });
    const prog = this.#proc.progAt(object.progs[p.prog.name].fd);
    const compileMs = cpuNs(() => prog.runnable("jit")) / 1e6;
    const jit = prog.runnable("jit") as JitProgram;
    const interp = prog.runnable("interp");
    const repeatInterp = (repeat: number): void => {
      for (let n = 0; n < repeat; n++) interp.run(this.#ctx);
    };
    return {
      jit: this.#loaded(p.name, jit, (repeat) => jit.runRepeat(this.#ctx, repeat)),
      interp: this.#loaded(p.name, interp, repeatInterp),
      loadMs,
      compileMs,
    };
  }

  #loaded(name: string, prog: Runnable, run: (repeat: number) => void): Loaded {
    return {
      name,
      time: async (repeat) => cpuNs(() => run(repeat)) / repeat,
      retval: async () => prog.run(this.#ctx),
    };
  }

  #fill(fd: Fd, keySize: number, valueSize: number, { keys, values }: BenchProgram["elements"][number]): void {
    for (let k = 0, v = 0; k < keys.length; k += keySize, v += valueSize) {
      this.#proc.mapUpdateElem(fd, keys.subarray(k, k + keySize), values.subarray(v, v + valueSize));
    }
  }
}

/** CPU time, as Linux's test runs count it: on a busy machine the clock also counts other processes' turns. */
function cpuNs(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1e3;
}
