/** bpf(2) of the Linux kernel below, through linux.py: loads programs and test-runs them. Needs python3 and root. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { sourceFile } from "./source_file.ts";

export interface LinuxMap {
  readonly type: number;
  readonly key: number;
  readonly value: number;
  readonly max: number;
  readonly flags: number;
}

export interface LinuxLoad {
  /** BPF_PROG_TYPE_*; default XDP. */
  readonly type?: number;
  readonly insns: string;
  readonly maps: readonly LinuxMap[];
  /** [insn, map] of a ld_imm64 that takes a map. */
  readonly relocs: readonly (readonly [number, number])[];
  /** [insn, map, offset] of one that takes an address in the value of an array. */
  readonly values?: readonly (readonly [number, number, number])[];
  readonly elems: readonly { readonly map: number; readonly keys: string; readonly values: string }[];
  /** The packet. */
  readonly data: string;
}

export interface LinuxRun {
  /** Mean of one run. */
  readonly ns: number;
  readonly retval: number;
  /** The packet afterwards, as hex. */
  readonly data: string;
}

/** All byte strings are hex. Each call rejects with the kernel's words when it fails. */
export class LinuxBpf {
  readonly #child: ChildProcessWithoutNullStreams = spawn("python3", [sourceFile("linux.py")]);
  readonly #readline: Interface = createInterface({ input: this.#child.stdout });
  readonly #lines = this.#readline[Symbol.asyncIterator]();

  constructor() {
    this.#child.on("error", () => this.#readline.close());
    this.#child.stdin.on("error", () => {});
  }

  async load(spec: LinuxLoad): Promise<number> {
    return (await this.#ask<{ prog: number }>({ load: spec })).prog;
  }

  async run(prog: number, repeat = 1): Promise<LinuxRun> {
    return await this.#ask<LinuxRun>({ run: prog, repeat });
  }

  async unload(prog: number): Promise<void> {
    await this.#ask({ close: prog });
  }

  /** Undefined when programs run here; else why not. */
  async unavailable(): Promise<string | undefined> {
    try {
      // r0 = 0; exit
      const prog = await this.load({
        insns: "b7000000000000009500000000000000",
        maps: [],
        relocs: [],
        elems: [],
        data: "00".repeat(64),
      });
      await this.unload(prog);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  close(): void {
    this.#readline.close();
    this.#child.stdin.end();
  }

  async #ask<T>(request: unknown): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("python3 is not there, or stopped");
    const reply = JSON.parse(value) as T & { error?: string };
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }
}
