/** The bench's programs on the Linux kernel below, through linux.py; absent where that is not permitted. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { toHex } from "../src/bytes/hex.ts";
import { encode } from "../src/isa/codec.ts";
import { type BenchProgram, packet, sourceFile } from "./programs.ts";
import type { Loaded } from "./skep.ts";

type Reply = { error?: string; prog?: number; ns?: number; retval?: number };

export class Linux {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #readline: Interface;

  constructor() {
    this.#child = spawn("python3", [sourceFile("linux.py")]);
    this.#readline = createInterface({ input: this.#child.stdout });
    this.#lines = this.#readline[Symbol.asyncIterator]();
    this.#child.on("error", () => this.#readline.close());
  }

  async #ask(request: unknown): Promise<Reply> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("python3 is not there, or stopped");
    const reply = JSON.parse(value) as Reply;
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }

  async load(p: BenchProgram): Promise<Loaded> {
    const { prog } = await this.#ask({
      load: {
        insns: toHex(encode(p.prog.insns)),
        maps: p.maps.map((m) => ({
          type: m.type,
          key: m.keySize,
          value: m.valueSize,
          max: m.maxEntries,
          flags: m.mapFlags,
        })),
        relocs: p.prog.relocs.flatMap((r) => (r.kind === "map" ? [[r.insnIdx, r.map]] : [])),
        elems: p.elements.map((e, map) => ({ map, keys: toHex(e.keys), values: toHex(e.values) })),
        data: toHex(packet()),
      },
    });
    return {
      name: p.name,
      time: async (repeat) => (await this.#ask({ run: prog, repeat })).ns as number,
      retval: async () => (await this.#ask({ run: prog, repeat: 1 })).retval as number,
    };
  }

  close(): void {
    this.#readline.close();
    this.#child.stdin.end();
  }
}
