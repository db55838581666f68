/** Random straight code on the JIT, on the model and on Linux: what the compiler remembers of registers must not change a result. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../src/bytes/hex.ts";
import { encode } from "../../src/isa/codec.ts";
import { disasm } from "../../src/isa/disasm.ts";
import { jit } from "../../src/jit/jit.ts";
import { CPU_CTX } from "../../src/memory/cpu_ctx.ts";
import { bed, imageOf, run64 } from "./harness.ts";
import { model } from "./model.ts";
import { program, seeds, slots } from "./random_code.ts";

test("random straight code", () => {
  const b = bed();
  const top = BigInt(b.memory.readU32(b.memory.cpuCtx + CPU_CTX.stackTop));
  fc.assert(
    fc.property(slots, seeds, (body, values) => {
      const image = imageOf(program(body, values));
      const regs = new Array<bigint>(11).fill(0n);
      regs[10] = top;
      const want = model(image, b.memory.view, regs);
      const prog = jit(image, b.env);
      const got = run64(b, prog);
      prog.dispose();
      if (got !== want) expect({ text: disasm(image.insns).join("\n"), got }).toEqual({ want });
    }),
    { numRuns: 500 },
  );
});

type Ask = (request: unknown) => Promise<{ error?: string; prog?: number; retval?: number }>;

/** bench/linux.py, which loads and runs programs through bpf(2); undefined where that is not possible. */
async function linux(): Promise<{ ask: Ask; child: ChildProcessWithoutNullStreams } | undefined> {
  const child = spawn("python3", [fileURLToPath(new URL("../../bench/linux.py", import.meta.url))]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise<undefined>((resolve) => child.on("error", () => resolve(undefined)));
  const ask: Ask = async (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await Promise.race([lines.next(), gone]);
    return line?.value === undefined ? { error: "python3 is not there" } : JSON.parse(line.value);
  };
  const { error } = await ask({ load: loadOf("b700000000000000" + "9500000000000000") });
  if (error === undefined) return { ask, child };
  console.log(`skipped: Linux does not run programs here: ${error}`);
  child.kill();
  return undefined;
}

const loadOf = (insns: string): object => ({ insns, maps: [], relocs: [], elems: [], data: "00".repeat(64) });

test("as Linux computes it", async ({ skip }) => {
  const kernel = await linux();
  if (!kernel) return skip("Linux does not run programs here");
  const { ask, child } = kernel;
  const b = bed();
  try {
    for (const [body, values] of fc.sample(fc.tuple(slots, seeds), { numRuns: 60, seed: 1 })) {
      const insns = program(body, values);
      const { prog, error } = await ask({ load: loadOf(toHex(encode(insns))) });
      expect(error).toBeUndefined();
      const { retval } = await ask({ run: prog, repeat: 1 });
      const ours = jit(imageOf(insns), b.env);
      const got = ours.run(0);
      ours.dispose();
      if (got !== retval) expect({ text: disasm(insns).join("\n"), got }).toEqual({ retval });
    }
  } finally {
    child.stdin.end();
  }
});
